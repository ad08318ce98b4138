package flow

import (
	"context"
	"errors"
	"slices"

	"tollgate/internal/account"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
)

// findTarget checks that the account makes the transfer that a new session wants, and looks up the card it goes to. The
// error is a *providers.Refusal, or the store's.
func findTarget(ctx context.Context, w *wallet.Wallet, acc account.Account, s *session.Session) error {
	refuse := func(field, text string) error { return &providers.Refusal{Field: field, Text: text} }
	if s.Kind != session.KindTransfer {
		if s.Target != nil {
			return refuse("transfer", "belongs to a session of kind transfer")
		}
		return nil
	}
	to, can := acc.TransfersTo()
	switch {
	case !can:
		return refuse("kind", "this account makes no transfers")
	case s.Target == nil && !slices.Contains(to, "card"):
		return refuse("transfer", "must name a saved card: this account transfers to no other")
	case s.Target == nil:
		return nil
	case !slices.Contains(to, "saved_card"):
		return refuse("transfer", "this account transfers to no saved cards")
	}
	saved, err := w.Customers.SavedCard(ctx, s.Merchant, s.Target.Saved)
	if err != nil && !errors.Is(err, wallet.ErrNotFound) {
		return err
	}
	logsIn := acc.LogsIn() // then the customer is known by the login only; see Logins.Phone
	switch {
	case err != nil || saved.Account != s.Account || !logsIn && saved.Customer != s.Customer.ID:
		return refuse("transfer/saved_card", "is not one of the customer's saved cards in this account")
	case saved.ID == s.SavedCard:
		return refuse("transfer/saved_card", "is the card that is paid with")
	}
	s.Target.GatewayID, s.Target.Customer, s.Target.Card = saved.GatewayID, saved.Customer, saved.Card
	return nil
}

// checkSavedCard checks that a card can be saved for somebody, and that the saved card that a session names is its customer's. Where
// the gateway has logins, who the customer is shows later.
func checkSavedCard(ctx context.Context, w *wallet.Wallet, acc account.Account, s *session.Session) error {
	switch {
	case acc.LogsIn():
		return nil
	case s.SaveCard && s.Customer.ID == "":
		return &providers.Refusal{Field: "customer.id", Text: "needed to save a card: it is whose the card is"}
	case s.SavedCard == "":
		return nil
	}
	saved, err := w.Customers.SavedCard(ctx, s.Merchant, s.SavedCard)
	if err != nil && !errors.Is(err, wallet.ErrNotFound) {
		return err
	}
	if err != nil || saved.Account != s.Account || saved.Customer != s.Customer.ID {
		return &providers.Refusal{Field: "saved_card", Text: "is not one of the customer's saved cards in this account"}
	}
	return nil
}

// errNoTarget is a mistake of the caller's: a transfer must never go out as a payment.
var errNoTarget = errors.New("session: a transfer to nowhere")

// setDestination sets where an attempt's money goes. Of a card number that was typed, what is kept is its mask and its
// fingerprint.
func setDestination(sealer Sealer, s *session.Session, begin *session.NewAttempt, in *Submission) error {
	if s.Target != nil {
		in.To, begin.To = s.Destination(), s.Target.Card
		return nil
	}
	if in.To == nil || in.To.Card == nil {
		if s.Kind == session.KindTransfer {
			return errNoTarget
		}
		return nil
	}
	number := in.To.Card.Number
	begin.To, begin.ToFingerprint = number.Masked(), sealer.Fingerprint([]byte(number.Reveal()))
	return nil
}
