package payneteasy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/threeds"
)

var (
	_ providers.CardKeeper       = (*provider)(nil)
	_ providers.CardChecker      = (*provider)(nil)
	_ providers.InstrumentLister = (*provider)(nil)
)

// Instruments beyond cards: the gateway's own page, by sale-form and preauth-form.
func (p *provider) Instruments() []string { return []string{"hosted"} }

// hosted opens the gateway's own card page; the shopper is sent there.
func (p *provider) hosted(ctx context.Context, pay providers.Payment, b threeds.BrowserData) (providers.Step, error) {
	form, err := p.saleForm(pay, b)
	if err != nil {
		return providers.Step{}, err
	}
	command := "sale-form"
	if pay.Hold {
		command = "preauth-form"
	}
	a, err := p.client.start(ctx, command, pay.Amount.Minor, form)
	if err != nil {
		return providers.Step{}, err
	}
	a = a.scrubbed(card.Card{})
	link := a["redirect-url"]
	if link == "" {
		link = a["redirect_url"] // as some white labels spell it
	}
	if a.rejected() || link == "" && a["type"] != typeForm {
		return startStep(command, pay, a)
	}
	step := providers.NewStep(providers.Redirect, pay.Ref)
	if id := a["paynet-order-id"]; id != "" {
		step.Ref.OrderID = id
	}
	if step.Link, err = threeds.CheckURL(link, p.loopback); err != nil {
		return providers.Step{}, providers.Unreadable(command, 200, err) // also where the page's address is missing
	}
	return step, nil
}

// rebill pays with a card reference; 3-D Secure and CVV are asked for as the gateway's acquirer wants it.
func (p *provider) rebill(ctx context.Context, pay providers.Payment, in providers.Instrument,
	b threeds.BrowserData) (providers.Step, error) {
	sum, err := amount(pay.Amount)
	if err != nil {
		return providers.Step{}, err
	}
	form := url.Values{
		"client_orderid": {pay.Ref.Reference},
		"cardrefid":      {in.Saved},
		"amount":         {sum},
		"currency":       {pay.Amount.Currency.Code},
		"order_desc":     {description(pay)},
		"redirect_url":   {pay.Run.ReturnURL},
	}
	if ip := pay.Customer.IP; ip != "" {
		form.Set("ipaddress", ip)
	} else if b.IP != "" {
		form.Set("ipaddress", b.IP)
	}
	if !in.Code.Zero() {
		form.Set("cvv2", in.Code.Reveal())
	}
	if in.Merchant {
		form.Set("recurrent_initiator", "MERCHANT")
		form.Set("recurrent_scenario", "IRREGULAR")
	}
	p.callback(form, pay)
	if err := tellOptions(form, pay); err != nil {
		return providers.Step{}, err
	}
	if !in.Merchant {
		tellBrowser(form, pay, b)
	}
	command := p.rebills
	if pay.Hold {
		command = "make-rebill-preauth"
	}
	a, err := p.client.rebill(ctx, command, pay.Amount.Minor, form)
	if err != nil {
		return providers.Step{}, err
	}
	return startStep(command, pay, a.scrubbed(card.Card{Code: in.Code}))
}

// Cards cannot be listed: the gateway knows card references, not customers.
func (p *provider) Cards(context.Context, providers.Owner) ([]providers.SavedCard, error) {
	return nil, fmt.Errorf("payneteasy: no list of card references: %w", errors.ErrUnsupported)
}

// Remember makes a card reference of a finished payment, and asks what it shows of the card.
func (p *provider) Remember(ctx context.Context, pay providers.Payment, s providers.Standing) (providers.SavedCard, error) {
	const command = "create-card-ref"
	if pay.Ref.OrderID == "" {
		pay.Ref.OrderID = s.Ref.OrderID
	}
	a, err := p.client.post(ctx, command, "/api/v2/"+command+"/"+p.client.path,
		p.client.orderForm("client_orderid", pay.Ref.Reference, pay.Ref.OrderID))
	if err != nil {
		return providers.SavedCard{}, err
	}
	id := a["card-ref-id"]
	if a.rejected() || id == "" {
		return providers.SavedCard{}, a.scrubbed(card.Card{}).failure(command)
	}
	saved := providers.SavedCard{ID: id, Card: s.Card, Active: true}
	info, err := p.client.cardInfo(ctx, id)
	if err != nil || info.rejected() {
		return saved, nil // the reference stands; what it shows is a courtesy
	}
	info.shows(&saved)
	return saved, nil
}

// CheckCard is get-card-info. That there is no such reference is judged by the words: the codes are not public.
func (p *provider) CheckCard(ctx context.Context, _ providers.Owner, id string) (providers.SavedCard, error) {
	info, err := p.client.cardInfo(ctx, id)
	if err != nil {
		return providers.SavedCard{}, err
	}
	if info.rejected() {
		words := strings.ToLower(info["error-message"])
		if strings.Contains(words, "card") && (strings.Contains(words, "not found") || strings.Contains(words, "unknown")) {
			return providers.SavedCard{}, providers.ErrNoCard
		}
		return providers.SavedCard{}, info.scrubbed(card.Card{}).failure("get-card-info")
	}
	saved := providers.SavedCard{ID: id, Active: true}
	info.shows(&saved)
	return saved, nil
}

// shows reads what get-card-info shows of a card.
func (a answer) shows(saved *providers.SavedCard) {
	if bin, last := a["bin"], a["last-four-digits"]; len(bin) >= 6 && len(last) == 4 {
		saved.Card = card.Masked{Brand: card.Brand(bin), First6: bin[:6], Last4: last}
	}
	month, mErr := strconv.Atoi(a["expire-month"])
	year, yErr := strconv.Atoi(a["expire-year"])
	if mErr == nil && yErr == nil && month >= 1 && month <= 12 {
		saved.Expiry = fmt.Sprintf("%02d/%02d", month, year%100)
	}
}

// Forget makes no call: the gateway has none for it. A reference that nobody knows is of no use.
func (p *provider) Forget(context.Context, providers.Owner, string, string) error { return nil }

// AsksCode is the account's setting, as its acquirer wants it.
func (p *provider) AsksCode() bool { return p.rebillCV }
