// Package browser holds what a shopper's browser is known by: the browser session, its CSRF secret, and sealed tokens.
// A payment finishes without any of it.
package browser

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"

	"github.com/gorilla/securecookie"
)

// Keys seal values that leave the house and must come back unread and unchanged, and what is kept. The first key seals, all
// open: that is what a rotation is made of. What is sealed says with which key.
type Keys struct {
	keys   []sealingKey
	prints []byte
	macs   *sync.Pool // hash.Hash keyed with prints, ready for use
}

type sealingKey struct {
	id    string
	codec securecookie.Codec
}

// KeySize is the length of one key in bytes: half of it signs, half encrypts.
const KeySize = 64

// ErrSeal says that a value was not sealed here, or for another use.
var ErrSeal = errors.New("browser: not sealed by us")

const (
	idLength = 7 // characters
	// idMark stands before the id of the key. What was sealed without an id begins with the base64 of a decimal time, that is
	// with M, N or O. Mark and id are eight characters: what follows them stays decodable where it stands.
	idMark byte = 'k'
)

var idLetters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// KeyID is what a key is known by, where the key itself must not be: seven characters of a keyed digest.
func KeyID(key []byte) string {
	return idLetters.EncodeToString(hashed(key, []byte("id"))[:5])[:idLength]
}

// SealedWith is the id of the key that a value says it is sealed with; "" for one that says nothing, which versions before
// the ids have sealed.
func SealedWith(sealed string) string {
	if len(sealed) <= 1+idLength || sealed[0] != idMark {
		return ""
	}
	return sealed[1 : 1+idLength]
}

// NewKeys takes keys of KeySize bytes. The first seals.
func NewKeys(keys ...[]byte) (*Keys, error) {
	if len(keys) == 0 {
		return nil, errors.New("browser: no sealing key")
	}
	k := &Keys{}
	for i, key := range keys {
		if len(key) != KeySize {
			return nil, fmt.Errorf("browser: sealing key %d has %d bytes, not %d", i+1, len(key), KeySize)
		}
		if bytes.Count(key, []byte{0}) == KeySize {
			return nil, fmt.Errorf("browser: sealing key %d is all zeros", i+1)
		}
		// Age is not the seal's business: expiries are kept in rows, by our clock.
		codec := securecookie.New(key[:KeySize/2], key[KeySize/2:]).MaxAge(0).MaxLength(0).SetSerializer(securecookie.NopEncoder{})
		k.keys = append(k.keys, sealingKey{KeyID(key), codec})
	}
	k.SetPrintKey(hashed(keys[len(keys)-1], []byte("fingerprint")))
	return k, nil
}

// ID names the key that seals.
func (k *Keys) ID() string { return k.keys[0].id }

// IDs names every key, the one that seals first.
func (k *Keys) IDs() (ids []string) {
	for _, key := range k.keys {
		ids = append(ids, key.id)
	}
	return ids
}

func hashed(key, v []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(v)
	return m.Sum(nil)
}

// Fingerprint is the same for equal values, 32 hex digits; without its key nobody can find the value by trying, however
// few there are of its kind.
func (k *Keys) Fingerprint(v []byte) string {
	m := k.macs.Get().(hash.Hash)
	defer k.macs.Put(m)
	m.Reset()
	m.Write(v)
	var sum [sha256.Size]byte
	return hex.EncodeToString(m.Sum(sum[:0])[:16])
}

// PrintKey is the key of fingerprints: made of the last sealing key until SetPrintKey gives it one that outlives rotations.
func (k *Keys) PrintKey() []byte { return bytes.Clone(k.prints) }

// PrintID is what the key of fingerprints is known by: fingerprints of two ids cannot be compared.
func (k *Keys) PrintID() string { return KeyID(k.prints) }

// SetPrintKey is called before the keys are in use.
func (k *Keys) SetPrintKey(key []byte) {
	k.prints = bytes.Clone(key)
	k.macs = &sync.Pool{New: func() any { return hmac.New(sha256.New, k.prints) }}
}

// Seal encrypts and signs v under a name; the result is base64url without padding, about 100 bytes longer by a third. It
// begins with the id of the key.
func (k *Keys) Seal(name string, v []byte) (string, error) {
	s, err := k.keys[0].codec.Encode(name, bytes.Clone(v)) // the library encrypts in place
	if err != nil {
		return "", fmt.Errorf("browser: cannot seal: %w", err)
	}
	return string(idMark) + k.keys[0].id + strings.TrimRight(s, "="), nil
}

// Unseal opens what Seal made under the same name, by whichever key. ErrSeal for anything else.
func (k *Keys) Unseal(name, sealed string) ([]byte, error) {
	if sealed == "" || len(sealed) > 512<<10 {
		return nil, ErrSeal
	}
	id := SealedWith(sealed)
	if id != "" {
		sealed = sealed[1+idLength:]
	}
	if _, err := base64.RawURLEncoding.DecodeString(sealed); err != nil {
		return nil, ErrSeal
	}
	sealed += strings.Repeat("=", (4-len(sealed)%4)%4)
	for _, key := range k.keys {
		if id != "" && id != key.id {
			continue
		}
		var v []byte
		if key.codec.Decode(name, sealed, &v) == nil {
			return v, nil
		}
	}
	return nil, ErrSeal
}
