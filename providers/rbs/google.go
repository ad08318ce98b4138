package rbs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"tollgate/providers"
	"tollgate/providers/wire"
)

var _ providers.GooglePayer = (*provider)(nil)

const (
	opGooglePay = "google/payment.do" // beside the API's root, under /payment/

	moreGooglePay = "google_pay" // set once the order was made by that call
	maxToken      = 8192         // of paymentToken, in base64
)

// errSecondWallet ends a payment whose token is spent: only the merchant's app could bring another.
var errSecondWallet = errors.New("the bank wants another authentication, and the wallet's token is good for one")

// wallet is what an account takes of wallets.
type wallet struct {
	googlePay string // the address of google/payment.do; "" where the contract has it not
}

// TakesGooglePay tells whether the account may pay with a token of Google Pay.
func (w wallet) TakesGooglePay() bool { return w.googlePay != "" }

// googlePayAddress is the call's address beside the API: /payment/google/payment.do next to /payment/rest/.
func googlePayAddress(base string) string {
	root, ok := strings.CutSuffix(withSlash(base), "/rest/")
	if !ok {
		return ""
	}
	return root + "/" + opGooglePay
}

// checkGooglePay refuses what the call cannot express.
func checkGooglePay(g *provider, p providers.Payment, o options) error {
	field := func(name string) string { return providers.OptionField(gatewayName, name) }
	switch {
	case !g.TakesGooglePay():
		return providers.Refuse("google_pay", "this account takes no Google Pay (google_pay)")
	case p.Fee != 0:
		return providers.Refuse("fee", "the gateway takes no fee on top of a payment with Google Pay")
	case p.Cart != nil && g.format != "":
		return providers.Refuse("cart", "the gateway takes no cart with Google Pay")
	case len(o.Features) > 0:
		return providers.Refuse(field("features"), "the gateway takes none with Google Pay")
	case !o.ExpirationDate.IsZero():
		return providers.Refuse(field("expiration_date"), "the gateway takes none with Google Pay")
	}
	return nil
}

// findGooglePay is Register of a payment whose order the call itself makes: the number must be free.
func findGooglePay(ctx context.Context, g *provider, p providers.Payment) (providers.Ref, error) {
	found, there, err := g.findByNumber(ctx, p)
	switch {
	case err != nil:
		return providers.Ref{}, err
	case there:
		return g.reuseOrder(ctx, p, found, &providers.Failure{Op: opGooglePay, Code: codeTaken})
	}
	return providers.Ref{Reference: p.Ref.Reference}, nil
}

// walletToken is paymentToken: the wallet's token in base64, which it may be already. "" where it is none.
func walletToken(token string) string {
	token = strings.TrimSpace(token)
	if !strings.HasPrefix(token, "{") {
		raw, err := base64.StdEncoding.DecodeString(token)
		if err != nil || !json.Valid(raw) {
			return ""
		}
		token = string(raw)
	}
	if !json.Valid([]byte(token)) {
		return ""
	}
	if sealed := base64.StdEncoding.EncodeToString([]byte(token)); len(sealed) <= maxToken {
		return sealed
	}
	return ""
}

// CheckGoogleToken refuses what is no token of the wallet's.
func (w wallet) CheckGoogleToken(token string) error {
	if walletToken(token) == "" {
		return providers.Refuse("google_pay.token", "must be the token as Google Pay gives it: JSON, or that in base64")
	}
	return nil
}

// payGoogle is google/payment.do: it registers the order and pays it with the token that the merchant's app got of the wallet.
func payGoogle(ctx context.Context, g *provider, p providers.Payment, token string) (providers.Step, error) {
	asked, err := g.readOptions(p)
	if err != nil {
		return providers.Step{}, err
	}
	sealed := walletToken(token)
	if sealed == "" {
		return providers.Step{}, g.CheckGoogleToken(token)
	}
	params := url.Values{}
	set(params, "additionalParameters", g.jsonParams(p, asked))
	body := map[string]any{
		"merchant": cmp.Or(g.merchant(asked), g.user), "orderNumber": p.Ref.Reference, "paymentToken": sealed,
		"amount": p.Amount.Minor, "currencyCode": p.Amount.Currency.Numeric, "preAuth": p.Hold, "language": g.language(p),
		"returnUrl": p.Run.ReturnURL, "failUrl": p.Run.ReturnURL,
	}
	if text := params.Get("additionalParameters"); text != "" {
		body["additionalParameters"] = json.RawMessage(text)
	}
	for name, value := range map[string]string{
		"description": wire.Line(p.Description, maxText), "ip": ipAddress(p.Customer.IP), "email": email(p),
		"dynamicCallbackUrl": p.CallbackURL,
	} {
		if value != "" {
			body[name] = value
		}
	}
	dates := url.Values{}
	g.setDates(dates, asked)
	for name := range dates {
		body[name] = dates.Get(name)
	}
	if g.notify {
		body["threeDSMethodNotificationUrl"] = p.Run.NotifyURL
	}
	if g.threeDS2 == ThreeDS2Finish {
		body["threeDSVer2FinishUrl"] = p.Run.ReturnURL
	}
	p.Ref = p.Ref.With(moreGooglePay, "1")
	o, err := g.postJSON(ctx, opGooglePay, g.googlePay, body, token, sealed)
	if err == nil {
		o, err = refusedAnswer(opGooglePay, o)
	}
	if err != nil {
		return refusedGoogle(ctx, g, p, err)
	}
	data := o.Child("data")
	if p.Ref.OrderID = wire.ID(data.Text("orderId")); p.Ref.OrderID == "" {
		return providers.Step{}, providers.Unreadable(opGooglePay, http.StatusOK, errShape)
	}
	if data.Text("acsUrl", "acsURL") != "" || methodServer(data) != "" || data.True("is3DSVer2") {
		return g.step(ctx, p, opPay, data)
	}
	return providers.NewStep(providers.Finished, p.Ref), nil // handled, which is not yet paid
}

// refusedGoogle is a call that was refused in words. It makes the order itself, so that one that is not there proves that nothing was
// taken; one that is there is closed first.
func refusedGoogle(ctx context.Context, g *provider, p providers.Payment, err error) (providers.Step, error) {
	f, ok := errors.AsType[*providers.Failure](err)
	if !ok || f.Err != nil || f.Code == "" || f.Code == codeSystem || f.Code == codeTaken {
		return providers.Step{}, err
	}
	found, there, askErr := g.findByNumber(ctx, p)
	if askErr != nil {
		return providers.Step{}, err
	}
	if there {
		if found.Reference != p.Ref.Reference || found.mark != p.OwnershipMark || found.Outcome != providers.Waiting {
			return providers.Step{}, err
		}
		closed := p
		closed.Ref = found.Ref
		if g.Close(ctx, closed) != nil {
			return providers.Step{}, err
		}
		if st, askErr := g.Status(ctx, closed); askErr != nil || st.Outcome != providers.Closed && st.Outcome != providers.Refused {
			return providers.Step{}, err
		}
	}
	if f.Code == "4" || f.Code == "5" { // what is asked for, or who asks
		return providers.Step{}, f.Misconfigured(true)
	}
	s := providers.NewStep(providers.Declined, p.Ref)
	s.Decline = &providers.Decline{Reason: providers.CardNotSupported, Code: f.Code, Message: f.Text}
	return s, nil
}

// postJSON sends one of the calls that take JSON; they name the merchant and take no password.
func (c *client) postJSON(ctx context.Context, op, to string, body map[string]any, hide ...string) (object, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return object{}, &providers.Failure{Op: op, Err: errors.New("request cannot be written")}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(raw))
	if err != nil {
		return object{}, &providers.Failure{Op: op, Err: errors.New("request cannot be written")}
	}
	req.GetBody = nil // nobody below may send it a second time
	req.Header.Set("Content-Type", "application/json")
	return c.send(op, req, hide)
}
