package cli

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"tollgate/internal/config"
)

const keysNewHelp = `Prints a new API key and its hash. The merchant's server gets the key; the configuration file needs the hash only:

  [[merchant.key]]
  hash = "…"

To rotate, add the new key beside the old one, give the old one an "expires", and take it out afterwards. To revoke a key
at once: tollgate keys revoke.`

const keysHashHelp = `Reads an API key from standard input and prints its SHA-256 as the configuration file wants it. The key is not an argument:
those stand in the shell's history.

  tollgate keys hash < shop.key`

const keysRevokeHelp = `Revokes an API key by its hash, on every machine and for good: from now on it opens nothing. Take it out of the
configuration when you can. The key in TOLLGATE_API_KEY may revoke itself, unless it may only read; one without a list of scopes
may revoke any of its merchant's.

  tollgate keys revoke $(tollgate keys hash < leaked.key)`

func keysNew(_ context.Context, p process, set *flag.FlagSet) int {
	if code, ok := p.parse(set, 0); !ok {
		return code
	}
	key, hash, err := config.NewKey(rand.Reader)
	if err != nil {
		fmt.Fprintln(p.err, "tollgate keys new:", err)
		return exitFailed
	}
	fmt.Fprintf(p.out, "key   %s\nhash  %s\n", key, hash)
	return exitDone
}

func keysRevoke(ctx context.Context, p process, set *flag.FlagSet) int {
	api, code, ok := p.connect(set, 1)
	if !ok {
		return code
	}
	if _, err := api.call(ctx, http.MethodDelete, "/v1/api_keys/"+url.PathEscape(set.Arg(0)), nil, nil); err != nil {
		return p.fail(set.Name(), err)
	}
	fmt.Fprintln(p.out, "revoked")
	return exitDone
}

func keysHash(_ context.Context, p process, set *flag.FlagSet) int {
	if code, ok := p.parse(set, 0); !ok {
		return code
	}
	raw, err := io.ReadAll(io.LimitReader(p.in, 4096))
	if err != nil {
		fmt.Fprintln(p.err, "tollgate keys hash:", err)
		return exitFailed
	}
	key := strings.TrimSpace(string(raw))
	if key == "" {
		fmt.Fprintln(p.err, "tollgate keys hash: standard input has no key")
		return exitAsked
	}
	hash, err := config.HashKey(key)
	if err != nil {
		fmt.Fprintln(p.err, "tollgate keys hash:", err)
		return exitAsked
	}
	fmt.Fprintln(p.out, hash)
	return exitDone
}
