package sber

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tollgate/providers"
	"tollgate/providers/wire"
)

// AsksCode is false: a payment by binding has no place for a CVC.
func (g *provider) AsksCode() bool { return false }

// Cards lists what the customer has at the gateway. The answer's shape is not published: it is read as a list of the
// bindings that vcard/create answers with (assumption 9); an account where that does not hold has saved_cards = "own".
func (g *provider) Cards(ctx context.Context, o providers.Owner) ([]providers.SavedCard, error) {
	if g.ownCards {
		return nil, errors.ErrUnsupported
	}
	a, err := g.callForOwner(ctx, opClient, o, struct {
		ResponseType string `json:"responseType"`
	}{"bindings"})
	if err != nil {
		return nil, err
	}
	list := a.List("bindings")
	if list == nil {
		list = a.Child("client").List("bindings")
	}
	if list == nil {
		return nil, providers.Unreadable(opClient, 200, errShape)
	}
	var cards []providers.SavedCard
	for _, b := range list {
		if c := savedCard(b, b.Child("card")); c.ID != "" {
			cards = append(cards, c)
		}
	}
	return cards, nil
}

// savedCard reads a binding and its card.
func savedCard(binding, c object) providers.SavedCard {
	s := providers.SavedCard{
		ID: wire.ID(binding.Text("uuid")), Name: wire.Line(binding.Text("mnemonic"), maxName), Active: true,
		Card: mask(cmp.Or(c.Text("maskedPan"), binding.Text("maskedPan"))),
	}
	s.Kind, s.System = providers.Fact(binding.Text("paymentType")), providers.Fact(binding.Text("paymentSystem"))
	if at, err := time.ParseInLocation(dateLayout, binding.Text("createdDate"), moscow); err == nil {
		s.IssuedAt = at.UTC()
	}
	s.Info = texts(c.Child("extendedInfo"))
	if t, err := time.Parse("2006-01", cmp.Or(c.Text("expiryDate"), binding.Text("expiryDate"))); err == nil {
		s.Expiry = t.Format("01/06")
	}
	return s
}

// texts are the short texts of an object, as JSON; "" for none. No text of the length of a card number passes.
func texts(o object) string {
	all := map[string]string{}
	for name := range o.Members {
		name, value := providers.Fact(name), providers.Fact(wire.Short(o.Text(name), nil))
		if first6, _ := wire.CardEnds(value, 10); name != "" && value != "" && first6 == "" && len(all) < 20 {
			all[name] = value
		}
	}
	if len(all) == 0 {
		return ""
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return ""
	}
	return string(raw)
}

func (g *provider) callForOwner(ctx context.Context, op string, o providers.Owner, in any) (object, error) {
	if o.Credential.Empty() {
		return object{}, &providers.Failure{Op: op, Err: providers.ErrCredential}
	}
	return g.call(ctx, op, o.Credential, in)
}

var errNoBinding = errors.New("the inquiry names no binding")

// Remember reads the binding of a payment from the inquiry.
func (g *provider) Remember(ctx context.Context, p providers.Payment, _ providers.Standing) (providers.SavedCard, error) {
	o, err := g.inquire(ctx, p)
	if err != nil {
		return providers.SavedCard{}, err
	}
	s := sourceParty(o)
	if s.binding == "" || o.Text("transactionNumber") != p.Ref.Reference {
		return providers.SavedCard{}, &providers.Failure{Op: g.find, Err: errNoBinding}
	}
	return providers.SavedCard{ID: s.binding, Card: s.card, Active: true}, nil
}

// Forget deletes a saved card. Which code says that it is gone already is not known: the list tells.
func (g *provider) Forget(ctx context.Context, o providers.Owner, reference, id string) error {
	_, err := g.callForOwner(ctx, opDelete, o, struct {
		TransactionNumber string `json:"transactionNumber"`
		Type              string `json:"type"`
		UUID              string `json:"uuid"`
	}{reference, "binding", id})
	if _, ok := refused(err); !ok {
		return err
	}
	cards, asked := g.Cards(ctx, o)
	if asked == nil && !slices.ContainsFunc(cards, func(c providers.SavedCard) bool { return c.ID == id }) {
		return nil
	}
	return err
}

// RenameCard changes the name that the customer sees.
func (g *provider) RenameCard(ctx context.Context, o providers.Owner, reference, id, name string) error {
	if len([]rune(name)) > maxName {
		return providers.Refuse("name", fmt.Sprintf("longer than %d characters", maxName))
	}
	type binding struct {
		UUID     string `json:"uuid"`
		Mnemonic string `json:"mnemonic"`
	}
	_, err := g.callForOwner(ctx, opChange, o, struct {
		TransactionNumber string  `json:"transactionNumber"`
		Binding           binding `json:"binding"`
	}{reference, binding{id, name}})
	return err
}

// IssueVirtualCard makes an empty virtual card; money comes to it by a transfer to its ID.
func (g *provider) IssueVirtualCard(ctx context.Context, o providers.Owner, reference string) (providers.SavedCard, error) {
	a, err := g.callForOwner(ctx, opVirtualCard, o, struct {
		TransactionNumber string `json:"transactionNumber"`
	}{reference})
	if err != nil {
		return providers.SavedCard{}, err
	}
	c := savedCard(a.Child("binding"), a.Child("card"))
	if number := a.Text("transactionNumber"); c.ID == "" || number != "" && number != reference {
		return providers.SavedCard{}, providers.Unreadable(opVirtualCard, 200, errShape)
	}
	return c, nil
}
