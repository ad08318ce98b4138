package rbs

import (
	"cmp"
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tollgate/providers"
	"tollgate/providers/wire"
)

// Bounds of a callback; the longest documented one has about sixty parameters.
const (
	maxCallback = 64 << 10
	maxParams   = 128
)

// Notified reads a callback: a GET with query or a POST with a form. Only the account's own kind of checksum counts;
// sign_alias never chooses (a published one says SHA-256 over a SHA-512 signature). A callback about a saved card names
// no order and is a Notice without Reference.
func (g *provider) Notified(r *http.Request) (providers.Notice, error) {
	params, ok := callbackParams(r)
	if !ok || !g.checksumValid(params) {
		return providers.Notice{}, providers.ErrForged
	}
	n := providers.Notice{
		Reference: wire.Line(params["orderNumber"], 64),
		OrderID:   wire.ID(cmp.Or(params["mdOrder"], params["mdorder"])),
		Event:     wire.Line(params["operation"], 64),
	}
	if params["status"] == "0" {
		n.Event += " failed"
	}
	return n, nil
}

// callbackParams reads names and values, decoded. A name that comes twice could mean two things: refused.
func callbackParams(r *http.Request) (map[string]string, bool) {
	raw := r.URL.RawQuery
	switch r.Method {
	case http.MethodGet:
	case http.MethodPost:
		if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
			return nil, false
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, maxCallback+1))
		if err != nil {
			return nil, false
		}
		raw = string(body)
	default:
		return nil, false
	}
	if len(raw) > maxCallback || strings.Count(raw, "&") >= maxParams {
		return nil, false
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, false
	}
	params := make(map[string]string, len(values))
	for name, v := range values {
		if len(v) != 1 || strings.Contains(name, ";") {
			return nil, false
		}
		params[name] = v[0]
	}
	return params, true
}

func (g *provider) checksumValid(params map[string]string) bool {
	sum, err := hex.DecodeString(params["checksum"])
	if err != nil || len(sum) == 0 {
		return false
	}
	message := []byte(checksumMessage(params))
	switch {
	case g.public != nil:
		hash := sha512.Sum512(message)
		return rsa.VerifyPKCS1v15(g.public, crypto.SHA512, hash[:], sum) == nil
	case !g.secret.Empty():
		mac := hmac.New(sha256.New, []byte(g.secret.Reveal()))
		mac.Write(message)
		return hmac.Equal(sum, mac.Sum(nil))
	}
	return false
}

// checksumMessage is what is signed: "name;value;" for each parameter, names ascending by bytes, without checksum and
// sign_alias.
func checksumMessage(params map[string]string) string {
	names := make([]string, 0, len(params))
	for name := range params {
		if name != "checksum" && name != "sign_alias" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name + ";" + params[name] + ";")
	}
	return b.String()
}
