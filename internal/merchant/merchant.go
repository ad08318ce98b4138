// Package merchant knows the shops and their API keys.
package merchant

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// ErrKey says that an API key is missing or not known.
var ErrKey = errors.New("merchant: no such key")

// Merchant is a shop.
type Merchant struct {
	ID            string
	Name          string   // as shoppers read it
	KeyHash       []string // SHA-256 of its API keys, hex; several during rotation
	Accounts      []string // names of the accounts it may use
	ReturnOrigins []string // scheme://host[:port] a shopper may be sent to; empty: any https
}

// HashKey is how a key is kept. Keys are long and random, so a plain hash is enough.
func HashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// May tells whether the merchant may use an account.
func (m Merchant) May(account string) bool { return slices.Contains(m.Accounts, account) }

// Directory finds merchants. It does not change while the program runs.
type Directory struct{ merchants []Merchant }

// NewDirectory keeps the merchants.
func NewDirectory(merchants ...Merchant) *Directory { return &Directory{merchants} }

// ByKey finds whose key an Authorization header holds. Every known key is compared, in constant time. ErrKey.
func (d *Directory) ByKey(header string) (Merchant, error) {
	scheme, key, _ := strings.Cut(header, " ")
	if key = strings.TrimSpace(key); !strings.EqualFold(scheme, "Bearer") || key == "" {
		return Merchant{}, ErrKey
	}
	hash := []byte(HashKey(key))
	var found Merchant
	ok := false
	for _, m := range d.merchants {
		for _, h := range m.KeyHash {
			if subtle.ConstantTimeCompare(hash, []byte(h)) == 1 {
				found, ok = m, true
			}
		}
	}
	if !ok {
		return Merchant{}, ErrKey
	}
	return found, nil
}

// Name is what shoppers read; the id where the merchant is gone.
func (d *Directory) Name(id string) string {
	for _, m := range d.merchants {
		if m.ID == id {
			return m.Name
		}
	}
	return id
}
