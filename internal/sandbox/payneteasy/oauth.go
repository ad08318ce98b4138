package payneteasy

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	_ "embed" // the demo key
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"slices"
	"strings"
)

//go:embed demo_v4_key.pem
var demoKey []byte

// demoPublicKey is the half of the demo key that checks signatures; nil where there is none.
func demoPublicKey() *rsa.PublicKey {
	block, _ := pem.Decode(demoKey)
	if block == nil {
		return nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil
	}
	return &key.PublicKey
}

var errOAuth = &fault{"validation-error", "2", "OAuth signature is invalid"}

// signedByOAuth checks the Authorization header of /api/v4: OAuth 1.0a with RSA-SHA256 over method, address and all parameters. No
// window of time is published, and none is kept.
func (c *call) signedByOAuth(base string) *fault {
	text, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "OAuth ")
	if !ok {
		return missing("Authorization")
	}
	given := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(pair), "=")
		plain, err := url.PathUnescape(strings.Trim(value, `"`))
		if !found || err != nil {
			return malformed("Authorization")
		}
		given[name] = plain
	}
	key := c.acc.V4Key
	if key == nil {
		key = demoPublicKey()
	}
	signature, err := base64.StdEncoding.DecodeString(given["oauth_signature"])
	switch {
	case given["oauth_consumer_key"] != c.acc.Login:
		return errLogin
	case given["oauth_signature_method"] != "RSA-SHA256", given["oauth_nonce"] == "", given["oauth_timestamp"] == "", err != nil, key == nil:
		return errOAuth
	}
	delete(given, "oauth_signature")
	delete(given, "realm")
	sum := sha256.Sum256([]byte(oauthBase("POST", base+c.r.URL.Path, c.form, given)))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) != nil {
		return errOAuth
	}
	return nil
}

// oauthBase is the text that is signed: method, address and parameters, each percent-encoded as RFC 3986 has it.
func oauthBase(method, address string, form url.Values, given map[string]string) string {
	var pairs []string
	for name, values := range form {
		for _, v := range values {
			pairs = append(pairs, percent(name)+"="+percent(v))
		}
	}
	for name, v := range given {
		pairs = append(pairs, percent(name)+"="+percent(v))
	}
	slices.Sort(pairs)
	return method + "&" + percent(address) + "&" + percent(strings.Join(pairs, "&"))
}

// percent keeps letters, digits and -._~ alone.
func percent(s string) string {
	return strings.NewReplacer("+", "%20", "%7E", "~", "*", "%2A").Replace(url.QueryEscape(s))
}
