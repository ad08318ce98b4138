package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"strings"

	"tollgate/internal/config"
)

const keysNewHelp = `Prints a new API key and its hash. The merchant's server gets the key; the configuration file needs the hash only:

  [[merchant.key]]
  hash = "…"

To rotate, add the new key beside the old one, give the old one an "expires", and take it out afterwards. To revoke a key
at once, take it out and restart.`

const keysHashHelp = `Reads an API key from standard input and prints its SHA-256 as the configuration file wants it. The key is not an argument:
those stand in the shell's history.

  tollgate keys hash < shop.key`

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

func keysHash(_ context.Context, p process, set *flag.FlagSet) int {
	if code, ok := p.parse(set, 0); !ok {
		return code
	}
	raw, err := io.ReadAll(io.LimitReader(p.in, 4096))
	if err != nil {
		fmt.Fprintln(p.err, "tollgate keys hash:", err)
		return exitFailed
	}
	hash, err := config.HashKey(strings.TrimSpace(string(raw)))
	if err != nil {
		fmt.Fprintln(p.err, "tollgate keys hash:", err)
		return exitAsked
	}
	fmt.Fprintln(p.out, hash)
	return exitDone
}
