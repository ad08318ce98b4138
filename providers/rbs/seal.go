package rbs

import (
	"context"
	"crypto/rsa"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/wire"
)

var _ providers.CardSealer = (*provider)(nil)

// sealing is how cards are encrypted in the shopper's browser (seToken), where the account says so.
type sealing struct {
	calls *http.Client
	clock func() time.Time

	on   bool
	keys string // address of se/keys.do
	set  *rsa.PublicKey

	mu      sync.Mutex
	fetched *rsa.PublicKey
	until   time.Time
}

// keyKept is how long a key that was fetched is used.
const keyKept = 10 * time.Minute

const opKeys = "se/keys.do"

var errNoKey = errors.New("the gateway names no RSA key")

// SealsCards tells whether the shopper's browser encrypts the card for the gateway.
func (s *sealing) SealsCards() bool { return s.on }

// SealingKey is the gateway's key: the account's, or the newest one that the gateway hands out.
func (s *sealing) SealingKey(ctx context.Context) (*rsa.PublicKey, error) {
	if s.set != nil {
		return s.set, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fetched != nil && s.clock().Before(s.until) {
		return s.fetched, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.keys, nil)
	if err != nil {
		return nil, &providers.Failure{Op: opKeys, Err: errors.New("request cannot be written")}
	}
	status, body, err := providers.Exchange(s.calls, opKeys, req)
	if err != nil {
		return nil, providers.Quiet(opKeys, err, func(s string) string { return s })
	}
	members, err := wire.Decode(body)
	if err != nil || status != http.StatusOK {
		return nil, providers.Unreadable(opKeys, status, errShape)
	}
	var newest *rsa.PublicKey
	expires := int64(-1)
	for _, k := range (object{Members: members}).List("keys") {
		key, err := publicKey(k.Text("keyValue"))
		at, _, badDate := k.Number("keyExpiration")
		if err != nil || badDate != nil || k.Text("protocolVersion") != "RSA" && k.Text("protocolVersion") != "" {
			continue
		}
		if at > expires && (at == 0 || time.UnixMilli(at).After(s.clock())) {
			newest, expires = key, at
		}
	}
	if newest == nil || newest.Size() < 2048/8 {
		return nil, &providers.Failure{Op: opKeys, Err: errNoKey}
	}
	s.fetched, s.until = newest, s.clock().Add(keyKept)
	return newest, nil
}

// askSealed asks the shopper for the card once the order is registered: what the browser encrypts names it. Nothing was sent, so
// that no money can move before paymentorder.do.
func askSealed(ref providers.Ref) providers.Step {
	s := providers.NewStep(providers.AskCard, ref)
	s.Withholdable = stopSealed.Withholdable
	return s
}

// keysAddress is se/keys.do beside /rest/; "" where the base has no such end.
func keysAddress(base string) string {
	root, ok := strings.CutSuffix(withSlash(base), "/rest/")
	if !ok {
		return ""
	}
	return root + "/" + opKeys
}

// typed tells whether a number came where only encrypted ones are to.
func typed(c card.Card) bool { return c.Number.Reveal() != "" }
