package transactworld

import "tollgate/internal/sandbox/sim"

// Exchange is of sim.Exchanger.
func (g *books) Exchange(credential, value string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return sim.Exchange(g.accounts, func(a *Account) map[string]*string {
		return map[string]*string{"secure_key": &a.SecureKey}
	}, credential, value)
}
