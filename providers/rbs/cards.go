package rbs

import (
	"cmp"
	"context"
	"errors"
	"net/url"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/wire"
	"tollgate/threeds"
)

var _ providers.CardKeeper = (*provider)(nil)

// The calls about bindings, the gateway's word for saved cards. The capitals are the gateway's.
const (
	opPayBinding = "paymentOrderBinding.do"
	opBindings   = "getBindings.do"
	opUnbind     = "unBindCard.do"

	featureAuto = "AUTO_PAYMENT" // the merchant pays, the customer is away
	moreBinding = "binding"      // the attempt is paid with this saved card
)

// payBinding is paymentOrderBinding.do; its answers have the shapes of paymentorder.do.
func (g *provider) payBinding(ctx context.Context, p providers.Payment, binding string, code card.Code, b threeds.BrowserData,
	transID string) (providers.Step, error) {
	if p.Ref.OrderID == "" {
		return providers.Step{}, &providers.Failure{Op: opPayBinding, Err: errNoOrder}
	}
	form := url.Values{"mdOrder": {p.Ref.OrderID}, "bindingId": {binding}, "language": {g.language(p)}}
	var hide []string
	if !code.Zero() {
		form.Set("cvc", code.Reveal())
		hide = []string{code.Reveal()}
	}
	set(form, "ip", ipAddress(b.IP, p.Customer.IP))
	set(form, "email", email(p))
	if !p.Merchant {
		if g.browser {
			set(form, "clientBrowserInfo", browserInfo(p, b))
		}
		if g.notify {
			set(form, "threeDSMethodNotificationUrl", p.Run.NotifyURL)
		}
		if g.threeDS2 == ThreeDS2Finish {
			set(form, "threeDSVer2FinishUrl", p.Run.ReturnURL)
		}
	}
	set(form, "threeDSServerTransId", transID)
	o, err := g.call(ctx, opPayBinding, form, hide...)
	if err != nil {
		return g.refusedPay(ctx, p, err)
	}
	p.Ref = p.Ref.With(moreBinding, binding)
	return g.step(ctx, p, opPay, o)
}

// Cards lists the bindings of the merchant's customer. "Nothing found" is an empty list.
func (g *provider) Cards(ctx context.Context, o providers.Owner) ([]providers.SavedCard, error) {
	if o.CustomerID == "" {
		return nil, providers.Refuse("customer.id", "needed to list saved cards")
	}
	answer, err := g.call(ctx, opBindings, url.Values{"clientId": {o.CustomerID}})
	if f, ok := errors.AsType[*providers.Failure](err); ok && f.Code == "2" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !answer.Has("bindings") && answer.Text("errorCode") == "" {
		return nil, providers.Unreadable(opBindings, 200, errShape)
	}
	var list []providers.SavedCard
	for _, b := range answer.List("bindings") {
		if saved := binding(b); saved.ID != "" {
			list = append(list, saved)
		}
	}
	return list, nil
}

func binding(b object) providers.SavedCard {
	s := providers.SavedCard{ID: wire.ID(b.Text("bindingId")), Card: mask(b.Text("maskedPan")), Active: true}
	s.Expiry = providers.YearMonth(b.Text("expiryDate"))
	return s
}

// Remember reads the binding that a payment with a clientId made; without one the bank has bindings switched off.
func (g *provider) Remember(ctx context.Context, p providers.Payment, _ providers.Standing) (providers.SavedCard, error) {
	o, err := g.inquire(ctx, p)
	if err != nil {
		return providers.SavedCard{}, err
	}
	s := providers.SavedCard{ID: wire.ID(o.Child("bindingInfo").Text("bindingId")), Active: true}
	info := o.Child("cardAuthInfo")
	s.Card = mask(cmp.Or(info.Text("maskedPan"), info.Text("pan")))
	s.Expiry = providers.YearMonth(info.Text("expiration"))
	if s.ID != "" || p.Customer.ID == "" || s.Card.Last4 == "" {
		return s, nil
	}
	return g.listedBinding(ctx, p, s)
}

// listedBinding looks for the payment's card among the customer's bindings: some accounts show no bindingInfo in the order. Where
// two have the same digits, and the dates do not tell them apart, neither is taken.
func (g *provider) listedBinding(ctx context.Context, p providers.Payment, of providers.SavedCard) (providers.SavedCard, error) {
	list, err := g.Cards(ctx, providers.Owner{CustomerID: p.Customer.ID})
	if err != nil {
		return of, err
	}
	var found []providers.SavedCard
	for _, b := range list {
		sameDate := of.Expiry == "" || b.Expiry == "" || of.Expiry == b.Expiry
		if b.Card.First6 == of.Card.First6 && b.Card.Last4 == of.Card.Last4 && sameDate {
			found = append(found, b)
		}
	}
	if len(found) != 1 {
		return of, nil
	}
	return found[0], nil
}

// Forget switches a binding off. One that is off already (error 2) is forgotten too.
func (g *provider) Forget(ctx context.Context, _ providers.Owner, _, bindingID string) error {
	err := g.execute(ctx, opUnbind, url.Values{"bindingId": {bindingID}})
	if f, ok := errors.AsType[*providers.Failure](err); ok && f.Code == "2" {
		return nil
	}
	return err
}

// AsksCode is the account's setting: banks differ in whether a saved card needs its CVC.
func (g *provider) AsksCode() bool { return g.bindingCode }
