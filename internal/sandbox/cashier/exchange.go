package cashier

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"

	"tollgate/internal/sandbox/sim"
)

// Exchange is of sim.Exchanger. callback_key is the private half, in PEM: the gateway signs with it.
func (g *books) Exchange(credential, value string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if credential != "callback_key" {
		return sim.Exchange(g.accounts, func(a *Account) map[string]*string {
			return map[string]*string{"password": &a.Password}
		}, credential, value)
	}
	block, _ := pem.Decode([]byte(value))
	if block == nil {
		return sim.ErrNoCredential
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return sim.ErrNoCredential
	}
	next := *g.accounts[0]
	next.CallbackKey = key
	g.accounts[0] = &next
	return nil
}
