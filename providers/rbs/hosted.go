package rbs

import (
	"context"

	"tollgate/providers"
	"tollgate/threeds"
)

var _ providers.InstrumentLister = (*provider)(nil)

const (
	byHosted    = "hosted"
	byGooglePay = providers.GooglePay
	moreForm    = "formUrl" // the gateway's page, of an order that is paid there
)

// Instruments beyond cards: the gateway's own page, which every order has.
func (g *provider) Instruments() []string { return []string{byHosted} }

// hosted sends the shopper to the order's page at the gateway, which runs 3-D Secure itself.
func (g *provider) hosted(ref providers.Ref) (providers.Step, error) {
	s := providers.NewStep(providers.Redirect, ref)
	var err error
	if s.Link, err = threeds.CheckURL(ref.More[moreForm], g.loopback); err != nil {
		return providers.Step{}, providers.Unreadable(opRegister, 200, err)
	}
	return s, nil
}

// returnedFromPage handles a shopper's return from the hosted page. An order without a try, or with a declined one, is closed:
// otherwise its page would still accept cards beside the shopper's next attempt. One that the bank still processes is left alone.
func (g *provider) returnedFromPage(ctx context.Context, p providers.Payment) (providers.Step, error) {
	o, err := g.inquire(ctx, p)
	if err != nil {
		return providers.Step{}, err
	}
	if untried(o) || o.Text("orderStatus") == "0" && lastTryRefused(o.Text("actionCode"), false) {
		if err := g.Close(ctx, p); err != nil {
			return providers.Step{}, err
		}
	}
	return providers.NewStep(providers.Finished, p.Ref), nil
}
