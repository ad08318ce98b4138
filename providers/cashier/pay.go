package cashier

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tollgate/providers"
	"tollgate/providers/wire"
	"tollgate/threeds"
)

// Pay pays with a card, a saved card, a QR code, SberPay or on the gateway's own form.
func (g *provider) Pay(ctx context.Context, p providers.Payment, in providers.Instrument,
	b threeds.BrowserData) (providers.Step, error) {
	if err := g.checkInstrument(in.Kind, p.Hold); err != nil {
		return providers.Step{}, err
	}
	if p.Ref.OrderID == "" {
		return providers.Step{}, &providers.Failure{Op: in.Kind, Err: errNoOrder}
	}
	switch in.Kind {
	case "qr":
		return g.qr(ctx, p)
	case "sberpay":
		return g.sberPay(ctx, p, in)
	case byHosted:
		p.Ref = p.Ref.With(moreBy, byHosted)
		return g.hostedForm(p)
	}
	return g.authorize(ctx, p, in, b)
}

// authorization is the body of authorize. The names inside Card, ThreeDS and Metadata are assumptions 7 to 9.
type authorization struct {
	OrderID     string `json:"OrderId"`
	PaymentType string
	Card        any
	ThreeDS     any `json:",omitempty"`
	Metadata    metadata
}

type metadata struct {
	MerchantOrderID string `json:"MerchantOrderId"`
	Description     string `json:",omitempty"`
	CustomerID      string `json:"CustomerId,omitempty"`
	Email           string `json:",omitempty"`
	Phone           string `json:",omitempty"`
	IP              string `json:"Ip,omitempty"`
}

// authorize sends the card: SMS takes the money at once, DMS holds it. A payment that the merchant makes alone carries no
// 3-D Secure data.
func (g *provider) authorize(ctx context.Context, p providers.Payment, in providers.Instrument,
	b threeds.BrowserData) (providers.Step, error) {
	external := p.Ref.More[moreExternal]
	if external == "" {
		return providers.Step{}, &providers.Failure{Op: opAuthorize, Err: errNoForm}
	}
	body := authorization{OrderID: external, PaymentType: "SMS", Metadata: metadata{
		MerchantOrderID: p.Ref.Reference, Description: wire.Cut(p.Description, maxText), CustomerID: p.Customer.ID,
		Email: cmp.Or(p.Customer.Email, p.Billing.Email),
		Phone: cmp.Or(p.Customer.Phone, p.Billing.Phone), IP: cmp.Or(b.IP, p.Customer.IP),
	}}
	if p.Hold {
		body.PaymentType = "DMS"
	}
	if !in.Merchant {
		body.ThreeDS = providers.Browser(p, b)
	}
	var err error
	if body.Card, err = g.cardOf(in, p.SaveCard); err != nil {
		return providers.Step{}, err
	}
	r, err := g.client.call(ctx, request{
		op: opAuthorize, method: http.MethodPost, path: "/payments/authorize", body: body,
		reqID: g.reqID(opAuthorize, p.Ref.Reference), token: mayToken,
		hide: []string{in.Card.Number.Reveal(), in.Card.Code.Reveal(), in.Code.Reveal(), in.Saved},
	})
	if err != nil {
		return providers.Step{}, err
	}
	return g.authorized(ctx, p, r)
}

// cardOf is the member Card: what was typed, in the open or sealed, or a token.
func (g *provider) cardOf(in providers.Instrument, save bool) (any, error) {
	if in.Kind == "saved_card" {
		return struct {
			Token string
			Cvv   string `json:",omitempty"`
		}{in.Saved, in.Code.Reveal()}, nil
	}
	typed := struct {
		Pan, ExpMonth, ExpYear, Cvv string
		Holder                      string `json:",omitempty"`
	}{in.Card.Number.Reveal(), wire.TwoDigits(in.Card.Month), strconv.Itoa(in.Card.Year), in.Card.Code.Reveal(),
		wire.Cut(in.Card.Name, 26)}
	if g.cardKey == nil {
		return struct {
			Pan, ExpMonth, ExpYear, Cvv string
			Holder                      string `json:",omitempty"`
			Save                        bool   `json:",omitempty"`
		}{typed.Pan, typed.ExpMonth, typed.ExpYear, typed.Cvv, typed.Holder, save}, nil
	}
	raw, err := json.Marshal(typed)
	if err != nil {
		return nil, &providers.Failure{Op: opAuthorize, Err: errShape}
	}
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, g.cardKey, raw, nil)
	if err != nil {
		return nil, &providers.Failure{Op: opAuthorize, Err: err}
	}
	return struct {
		EncryptedData string
		Save          bool `json:",omitempty"`
	}{base64.StdEncoding.EncodeToString(sealed), save}, nil
}

// definiteRefusals are error codes that say that a request was looked at and not carried out.
var definiteRefusals = map[string]bool{"ACCESS_DENIED": true, "AMOUNT_ERROR": true, "BUYERS_ADDRESS_NOT_SPECIFIED": true,
	"CARD_NOT_FOUND": true, "VALIDATION_ERROR": true}

// authorized tells the answers of authorize apart by the order's status. A refusal without one proves nothing by itself:
// it is believed only if the code says that nothing was tried and the order is then found untouched.
func (g *provider) authorized(ctx context.Context, p providers.Payment, r reply) (providers.Step, error) {
	in, response := r.child("Order"), r.child("Response")
	id, number, status := in.text("OrderId"), in.text("MerchantOrderId"), in.text("Status")
	ours := id == p.Ref.More[moreExternal] && (number == "" || number == p.Ref.Reference)
	code := response.text("ErrCode", "ErrorCode")
	if ours { // the order may not show them later
		for key, said := range map[string]string{moreAuthCode: r.child("Authorize").text("AuthCode"),
			moreRRN: r.child("Authorize").text("Rrn", "RRN")} {
			if said = providers.Fact(said); said != "" {
				p.Ref = p.Ref.With(key, said)
			}
		}
	}
	switch {
	case r.status != http.StatusOK:
		return providers.Step{}, r.failure(opAuthorize, r.status)
	case status != "" && !ours:
		return providers.Step{}, &providers.Failure{Op: opAuthorize, Text: "answer of another order"}
	case status == "DECLINED":
		return g.declined(ctx, p, r, "DECLINED")
	case status == "PRE_AUTHORIZED_3DS":
		return g.hostedForm(p)
	case status != "":
		if out := outcome(status); out == providers.Paid || out == providers.Authorized {
			return providers.NewStep(providers.Finished, p.Ref), nil
		}
		return providers.NewStep(providers.Wait, p.Ref), nil
	case definiteRefusals[code] && response.says("Success", false):
		return g.declined(ctx, p, r, "CREATED")
	}
	return providers.Step{}, r.failure(opAuthorize, r.status)
}

// declined asks the order once, because a step Declined is believed; one that says otherwise is left to the inquiry.
func (g *provider) declined(ctx context.Context, p providers.Payment, r reply, status string) (providers.Step, error) {
	o, there, err := g.read(ctx, p.Ref.OrderID)
	if err != nil || !there || o.id != p.Ref.OrderID || o.number != "" && o.number != p.Ref.Reference || o.status != status {
		if status == "DECLINED" {
			return providers.NewStep(providers.Wait, p.Ref), nil
		}
		return providers.Step{}, r.failure(opAuthorize, r.status)
	}
	response := r.child("Response")
	if code := response.text("ErrCode", "ErrorCode"); status == "CREATED" && refusalsOfUs[code] { // refused, and the order untouched
		return providers.Step{}, r.plainFailure(opAuthorize, r.status).Misconfigured(true)
	}
	if o.errCode == "" && o.errText == "" {
		o.errCode, o.errText = scrub(response.text("ErrCode", "ErrorCode"), r.Hide), response.words("ErrMessage", "Message")
	}
	s := providers.NewStep(providers.Declined, p.Ref)
	s.Decline = decline(o)
	return s, nil
}

// qr registers a QR code. That moves no money, so what was not answered well is looked up and, if the order has no code,
// asked for once more under the same x-req-id.
func (g *provider) qr(ctx context.Context, p providers.Payment) (providers.Step, error) {
	ask := func() (providers.Step, error) {
		r, err := g.client.call(ctx, request{
			op: opQR, method: http.MethodPost, path: "/order/qrcData/" + url.PathEscape(p.Ref.OrderID), body: struct{}{},
			reqID: g.reqID(opQR, p.Ref.Reference), token: needToken,
		})
		if err != nil {
			return providers.Step{}, err
		}
		o, err := g.orderFrom(opQR, r)
		if err != nil {
			return providers.Step{}, err
		}
		return g.qrStep(p, o)
	}
	s, err := ask()
	if err == nil || ctx.Err() != nil {
		return s, err
	}
	o, there, readErr := g.read(ctx, p.Ref.OrderID)
	switch {
	case readErr != nil || !there:
		return s, err
	case o.status != "CREATED":
		return g.qrStep(p, o)
	}
	return ask()
}

// qrStep is the step for an order whose QR code exists or is being created.
func (g *provider) qrStep(p providers.Payment, o order) (providers.Step, error) {
	switch {
	case o.id != p.Ref.OrderID:
		return providers.Step{}, &providers.Failure{Op: opQR, Text: "answer of another order"}
	case o.payload != "":
		s, err := g.scan(p, o.payload)
		if err != nil {
			return providers.Step{}, providers.Unreadable(opQR, http.StatusOK, err)
		}
		s.Deadline = qrLife
		return s, nil
	}
	return providers.NewStep(providers.Wait, p.Ref), nil
}

// sberPay asks the bank's app for the money: by a push to the phone, by a deep link, or both.
func (g *provider) sberPay(ctx context.Context, p providers.Payment, in providers.Instrument) (providers.Step, error) {
	body := struct {
		BackURL string `json:"BackUrl,omitempty"`
		Phone   string `json:"phoneNumber,omitempty"`
	}{BackURL: p.Run.ReturnURL}
	if phone := phoneDigits(cmp.Or(in.Phone, p.Customer.Phone)); phone != "" {
		body.Phone = "+" + phone
	}
	r, err := g.client.call(ctx, request{
		op: opSberPay, method: http.MethodPost, path: "/order/sberPay/" + url.PathEscape(p.Ref.OrderID), body: body,
		reqID: g.reqID(opSberPay, p.Ref.Reference), token: needToken,
	})
	if err != nil {
		return providers.Step{}, err
	}
	o, err := g.orderFrom(opSberPay, r)
	switch {
	case err != nil:
		return providers.Step{}, err
	case o.id != p.Ref.OrderID:
		return providers.Step{}, &providers.Failure{Op: opSberPay, Text: "answer of another order"}
	case cmp.Or(o.link, o.payload) == "":
		return providers.NewStep(providers.Wait, p.Ref), nil // the push is all there is
	}
	s, err := g.scan(p, cmp.Or(o.link, o.payload))
	if err != nil {
		return providers.Step{}, providers.Unreadable(opSberPay, r.status, err)
	}
	return s, nil
}

// Resume makes no call: what the browser brings from the form or the app is nothing, and the inquiry knows the rest.
func (g *provider) Resume(_ context.Context, p providers.Payment, _ providers.Answer) (providers.Step, error) {
	return providers.NewStep(providers.Finished, p.Ref), nil
}

// phoneDigits is a phone in international format without the plus; what has other characters than people type is none.
func phoneDigits(s string) string {
	d := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", "+", "").Replace(s)
	if !wire.Digits(d) || len(d) > 15 {
		return ""
	}
	return d
}

// savedCard is the saved card as the order shows it.
func (o order) savedCard() providers.SavedCard {
	s := providers.SavedCard{ID: o.token, Card: mask(o.masked), Active: o.token != ""}
	if len(o.expiry) == 6 && wire.Digits(o.expiry) {
		s.Expiry = o.expiry[4:] + "/" + o.expiry[2:4]
	}
	return s
}
