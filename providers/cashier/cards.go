package cashier

import (
	"context"
	"errors"

	"tollgate/providers"
)

// Cards cannot be listed: the API has no such call, we keep the list.
func (g *provider) Cards(context.Context, providers.Owner) ([]providers.SavedCard, error) {
	return nil, errors.ErrUnsupported
}

// Remember reads the token that a payment with SaveCard left at its order (assumption 10).
func (g *provider) Remember(ctx context.Context, p providers.Payment, _ providers.Standing) (providers.SavedCard, error) {
	o, there, err := g.inquire(ctx, p)
	switch {
	case err != nil:
		return providers.SavedCard{}, err
	case !there || o.token == "" || p.Ref.OrderID != "" && o.id != p.Ref.OrderID || o.number != "" && o.number != p.Ref.Reference:
		return providers.SavedCard{}, &providers.Failure{Op: opRead, Text: "the order shows no card token"}
	}
	return o.savedCard(), nil
}

// Forget makes no call: the API cannot delete a token. It is forgotten by whoever keeps the list.
func (g *provider) Forget(context.Context, providers.Owner, string, string) error { return nil }

// AsksCode tells whether a payment with a saved card needs the CVC.
func (g *provider) AsksCode() bool { return g.asksCode }
