package transactworld

import "tollgate/providers"

var _ providers.Leaver = (*provider)(nil)

// Stops are all of them. The bank answers to the platform, which goes on by itself.
func (p *provider) Stops() []providers.Stop {
	return []providers.Stop{{Name: "redirect by POST"}, {Name: "redirect by GET"}, {Name: "checkout page"}}
}
