package session

import (
	"context"
	"errors"
	"slices"

	"tollgate/internal/card"
	"tollgate/providers"
)

// KindTransfer is a session that moves money from the customer's card to another card.
const KindTransfer = "transfer"

// Target is where a transfer goes, where the merchant named it: a saved or virtual card of the customer's. Only Saved has
// to be set by who creates a session.
type Target struct {
	Saved     string      `json:"saved"` // ours: sc_…
	GatewayID string      `json:"gateway_id"`
	Customer  string      `json:"customer"` // whose card it is: SavedCard.Customer
	Card      card.Masked `json:"card"`
}

// AsksTarget tells whether the shopper has to say where the money goes.
func (s *Session) AsksTarget() bool { return s.Kind == KindTransfer && s.Target == nil }

// destination is where the merchant sends a transfer; nil where the shopper says it.
func (s *Session) destination() *providers.Destination {
	if s.Target == nil {
		return nil
	}
	return &providers.Destination{Saved: s.Target.GatewayID}
}

// findTarget checks that the account makes the transfer that a new session wants, and looks up the card it goes to. The
// error is a *providers.Refusal, or the store's.
func (f *Flow) findTarget(ctx context.Context, acc Account, s *Session) error {
	refuse := func(field, text string) error { return &providers.Refusal{Field: field, Text: text} }
	if s.Kind != KindTransfer {
		if s.Target != nil {
			return refuse("transfer", "belongs to a session of kind transfer")
		}
		return nil
	}
	transferrer, can := acc.Provider.(providers.Transferrer)
	switch {
	case !can:
		return refuse("kind", "this account makes no transfers")
	case s.Target == nil && !slices.Contains(transferrer.TransfersTo(), "card"):
		return refuse("transfer", "must name a saved card: this account transfers to no other")
	case s.Target == nil:
		return nil
	case !slices.Contains(transferrer.TransfersTo(), "saved_card"):
		return refuse("transfer", "this account transfers to no saved cards")
	}
	saved, err := f.Customers.SavedCard(ctx, s.Merchant, s.Target.Saved)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	_, logsIn := acc.Provider.(providers.Login) // then the customer is known by the login only; see LoginPhone
	switch {
	case err != nil || saved.Account != s.Account || !logsIn && saved.Customer != s.Customer.ID:
		return refuse("transfer/saved_card", "is not one of the customer's saved cards in this account")
	case saved.ID == s.SavedCard:
		return refuse("transfer/saved_card", "is the card that is paid with")
	}
	s.Target.GatewayID, s.Target.Customer, s.Target.Card = saved.GatewayID, saved.Customer, saved.Card
	return nil
}

// errNoTarget is a mistake of the caller's: a transfer must never go out as a payment.
var errNoTarget = errors.New("session: a transfer to nowhere")

// aim sets where an attempt's money goes. Of a card number that was typed, what is kept is its mask and its fingerprint.
func (f *Flow) aim(s *Session, a *Attempt, in *Submission) error {
	if s.Target != nil {
		in.To, a.To = s.destination(), s.Target.Card
		return nil
	}
	if in.To == nil || in.To.Card == nil {
		if s.Kind == KindTransfer {
			return errNoTarget
		}
		return nil
	}
	number := in.To.Card.Number
	a.To, a.ToPrint = number.Masked(), f.Sealer.Fingerprint([]byte(number.Reveal()))
	return nil
}
