package rbs

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"net/url"
	"sort"
	"strings"
)

// signedText is what a callback's checksum is computed over: every parameter but checksum and sign_alias,
// names ascending, as name;value; with URL-decoded values.
func signedText(v url.Values) string {
	names := make([]string, 0, len(v))
	for name := range v {
		if name != "checksum" && name != "sign_alias" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name + ";" + v.Get(name) + ";")
	}
	return b.String()
}

// symmetricChecksum is HMAC-SHA256 under the secret's text, upper-case hex.
func symmetricChecksum(secret string, v url.Values) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(signedText(v)))
	return strings.ToUpper(hex.EncodeToString(m.Sum(nil)))
}

// asymmetricChecksum is RSA PKCS#1 v1.5 over SHA-512, upper-case hex; whatever sign_alias claims.
func asymmetricChecksum(key *rsa.PrivateKey, v url.Values) (string, error) {
	sum := sha512.Sum512([]byte(signedText(v)))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA512, sum[:])
	if err != nil {
		return "", err
	}
	return strings.ToUpper(hex.EncodeToString(sig)), nil
}
