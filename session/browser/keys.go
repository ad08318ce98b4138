// Package browser holds what a shopper's browser is known by: the browser session, its CSRF secret, and sealed tokens.
// A payment finishes without any of it.
package browser

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/gorilla/securecookie"
)

// Keys seal values that leave the house and must come back unread and unchanged. The newest key seals, all open: that
// is the rotation.
type Keys struct {
	codecs []securecookie.Codec
	prints []byte
}

// KeySize is the length of one key in bytes: half of it signs, half encrypts.
const KeySize = 64

// ErrSeal says that a value was not sealed here, or for another use.
var ErrSeal = errors.New("browser: not sealed by us")

// NewKeys takes keys of KeySize bytes, newest first.
func NewKeys(keys ...[]byte) (*Keys, error) {
	if len(keys) == 0 {
		return nil, errors.New("browser: no sealing key")
	}
	k := &Keys{}
	for i, key := range keys {
		if len(key) != KeySize {
			return nil, fmt.Errorf("browser: sealing key %d has %d bytes, not %d", i+1, len(key), KeySize)
		}
		// Age is not the seal's business: expiries are kept in rows, by our clock.
		codec := securecookie.New(key[:KeySize/2], key[KeySize/2:]).MaxAge(0).MaxLength(0).SetSerializer(securecookie.NopEncoder{})
		k.codecs = append(k.codecs, codec)
	}
	// Of the oldest key, so that a rotation changes no fingerprint before that key is taken out.
	k.prints = hashed(keys[len(keys)-1], []byte("fingerprint"))
	return k, nil
}

func hashed(key, v []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(v)
	return m.Sum(nil)
}

// Fingerprint is the same for equal values, 32 hex digits; without the keys nobody can find the value by trying, however
// few there are of its kind.
func (k *Keys) Fingerprint(v []byte) string { return hex.EncodeToString(hashed(k.prints, v)[:16]) }

// Seal encrypts and signs v under a name; the result is base64url without padding, about 100 bytes longer by a third.
func (k *Keys) Seal(name string, v []byte) (string, error) {
	s, err := k.codecs[0].Encode(name, bytes.Clone(v)) // the library encrypts in place
	if err != nil {
		return "", fmt.Errorf("browser: cannot seal: %w", err)
	}
	return strings.TrimRight(s, "="), nil
}

// Unseal opens what Seal made under the same name, by whichever key. ErrSeal for anything else.
func (k *Keys) Unseal(name, sealed string) ([]byte, error) {
	if sealed == "" || len(sealed) > 512<<10 {
		return nil, ErrSeal
	}
	if _, err := base64.RawURLEncoding.DecodeString(sealed); err != nil {
		return nil, ErrSeal
	}
	sealed += strings.Repeat("=", (4-len(sealed)%4)%4)
	var v []byte
	if err := securecookie.DecodeMulti(name, sealed, &v, k.codecs...); err != nil {
		return nil, ErrSeal
	}
	return v, nil
}
