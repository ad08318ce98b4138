// Package merchant knows the shops and their API keys.
package merchant

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"tollgate/internal/look"
)

// What is wrong with a caller's API key.
var (
	ErrKey   = errors.New("merchant: no such key")
	ErrScope = errors.New("merchant: the key does not reach this far")
)

// Merchant is a shop.
type Merchant struct {
	ID            string
	Name          string   // as shoppers read it
	Keys          []Key    // several during rotation
	Accounts      []string // names of the accounts it may use
	ReturnOrigins []string // scheme://host[:port] a shopper may be sent to; empty: any https
	Looks         []*look.Look
}

// Look is the merchant's look of that name, or the one of sessions that ask for none; nil where there is none.
func (m Merchant) Look(name string) *look.Look {
	if name == "" {
		name = look.Default
	}
	for _, l := range m.Looks {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// Scope is what a key may be used for.
type Scope string

// The scopes. Each of the others may read what it works on.
const (
	Sessions Scope = "sessions" // create, cancel, inquire; saved cards; webhooks
	Refunds  Scope = "refunds"  // capture, void, refund
	Payouts  Scope = "payouts"  // send money out
	Settle   Scope = "settle"   // say what became of a payment that no inquiry could tell
	Import   Scope = "import"   // take over cards that a gateway keeps already
	Read     Scope = "read"     // read everything of the merchant's, change nothing
)

// Scopes is every scope.
func Scopes() []Scope { return []Scope{Sessions, Refunds, Payouts, Settle, Import, Read} }

// Key is an API key as it is kept.
type Key struct {
	Hash    string    // SHA-256, hex
	Scopes  []Scope   // empty: all
	Expires time.Time // zero: never; from then on the key is as if it were not known
}

// Name names the key without telling it: the first digits of its hash.
func (k Key) Name() string { return k.Hash[:min(len(k.Hash), 8)] }

// May tells whether the key has one of the scopes. A key without a list has them all; where none is named, only such a
// key will do.
func (k Key) May(any ...Scope) bool {
	return len(k.Scopes) == 0 || slices.ContainsFunc(any, func(s Scope) bool { return slices.Contains(k.Scopes, s) })
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

// ByKey finds whose key an Authorization header holds, and which. Every known key is compared, in constant time. ErrKey.
func (d *Directory) ByKey(header string, now time.Time) (Merchant, Key, error) {
	scheme, key, _ := strings.Cut(header, " ")
	if key = strings.TrimSpace(key); !strings.EqualFold(scheme, "Bearer") || key == "" {
		return Merchant{}, Key{}, ErrKey
	}
	hash := []byte(HashKey(key))
	var owner Merchant
	var found Key
	ok := false
	for _, m := range d.merchants {
		for _, k := range m.Keys {
			if subtle.ConstantTimeCompare(hash, []byte(k.Hash)) == 1 && (k.Expires.IsZero() || now.Before(k.Expires)) {
				owner, found, ok = m, k, true
			}
		}
	}
	if !ok {
		return Merchant{}, Key{}, ErrKey
	}
	return owner, found, nil
}

// All is every merchant.
func (d *Directory) All() []Merchant { return slices.Clone(d.merchants) }

// Look is as Merchant.Look.
func (d *Directory) Look(id, name string) *look.Look {
	for _, m := range d.merchants {
		if m.ID == id {
			return m.Look(name)
		}
	}
	return nil
}

// LookFile is the file of a look at that path.
func (d *Directory) LookFile(path string) (look.File, bool) {
	for _, m := range d.merchants {
		for _, l := range m.Looks {
			for _, f := range l.Files() {
				if f.Path == path {
					return f, true
				}
			}
		}
	}
	return look.File{}, false
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
