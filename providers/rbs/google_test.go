package rbs_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/rbs"
	"tollgate/threeds"
)

const (
	googleCall  = "/payment/google/payment.do"
	statusCall  = "getOrderStatusExtended.do"
	googleToken = `{"protocolVersion":"ECv2","signature":"MEUCIQD","signedMessage":"{\"encryptedMessage\":\"c2VjcmV0\"}"}`
	noOrder     = `{"errorCode":"6","errorMessage":"no order"}`
)

func takesGoogle(c *rbs.Config) { c.GooglePay = true }

func byGoogle(t *testing.T) providers.Payment {
	p := payment(t)
	p.Instrument, p.OwnershipMark = providers.GooglePay, "cs_1"
	return p
}

func payGoogle(g providers.Provider, p providers.Payment) (providers.Step, error) {
	return g.Pay(context.Background(), p, providers.Instrument{Kind: providers.GooglePay, Card: card.Card{Sealed: card.NewSealed(googleToken)}}, threeds.BrowserData{})
}

// An order under our number, as the gateway shows it.
func googleOrder(status, action, mark string) string {
	return `{"errorCode":"0","orderNumber":"A-17-1","orderStatus":` + status + `,"actionCode":` + action + `,"amount":2000,"currency":"978","merchantOrderParams":[{"name":"tollgate_session","value":"` +
		mark + `"}],"attributes":[{"name":"mdOrder","value":"` + mdOrder + `"}]}`
}

func TestATokenOfGooglePayGoesOutAsTheDocumentHasIt(t *testing.T) {
	f := newFake(t).on(statusCall, noOrder).on(googleCall, `{"success":true,"data":{"orderId":"`+mdOrder+`"}}`)
	g := f.open(takesGoogle, func(c *rbs.Config) { c.MerchantLogin = "branch" })
	p := byGoogle(t)
	p.Hold = true
	at := p.ExpiresAt.Add(24 * time.Hour)
	p.Options = providers.Options{"rbs": json.RawMessage(`{"json_params":{"shop":"7"},"autocompletion_date":"` + at.Format(time.RFC3339) + `"}`)}
	if err := g.Check(p); err != nil {
		t.Fatal(err)
	}
	ref, err := g.Register(t.Context(), p)
	if err != nil || ref.OrderID != "" || ref.Reference != "A-17-1" || f.calls() != statusCall {
		t.Fatalf("%+v, %v after %s", ref, err, f.calls())
	}
	s, err := payGoogle(g, p)
	if err != nil || s.Kind != providers.Finished || s.Ref.OrderID != mdOrder {
		t.Fatalf("%+v, %v", s, err)
	}
	sent := f.last()
	var got map[string]any
	if err := json.Unmarshal([]byte(sent.body), &got); err != nil || sent.path != googleCall || sent.contentType != "application/json" {
		t.Fatalf("%+v %v", sent, err)
	}
	same(t, "request", got, map[string]any{
		"merchant": "branch", "orderNumber": "A-17-1", "amount": 2000.0, "currencyCode": "978", "preAuth": true, "language": "en",
		"paymentToken": base64.StdEncoding.EncodeToString([]byte(googleToken)), "description": "Two books", "ip": "2001:db8::77", "email": "ann@example.com",
		"returnUrl": p.Run.ReturnURL, "failUrl": p.Run.ReturnURL, "dynamicCallbackUrl": p.CallbackURL,
		"threeDSMethodNotificationUrl": p.Run.NotifyURL, "threeDSVer2FinishUrl": p.Run.ReturnURL, "autocompletionDate": at.UTC().Format("2006-01-02T15:04:05"),
		"additionalParameters": map[string]any{"shop": "7", "tollgate_session": "cs_1"},
	})
}

func TestWhatBecomesOfATokenOfGooglePay(t *testing.T) {
	const method = `{"success":true,"data":{"orderId":"` + mdOrder + `","is3DSVer2":true,"threeDSServerTransId":"` + transID + `","threeDSMethodURLServer":"https://3ds.example/g"}}`
	const pareq = `{"success":"true","data":{"orderId":"` + mdOrder + `","acsUrl":"https://acs.example/","paReq":"eJx","termUrl":"https://gate.example/term"}}`
	refusal := func(code string) string { return `{"success":false,"error":{"code":"` + code + `","message":"no"}}` }
	for _, c := range []struct {
		name, answer string
		status       []string // of the inquiries that follow
		kind         providers.Kind
		refusedUs    bool
		calls        string
	}{
		{name: "3DS Method", answer: method, kind: providers.Method},
		{name: "3DS 1.0.2", answer: pareq, kind: providers.PayerPage},
		{name: "handled", answer: `{"success":true,"data":{"orderId":"` + mdOrder + `"}}`, kind: providers.Finished},
		{name: "handled, without an order", answer: `{"success":true,"data":{}}`},
		{name: "nothing", answer: ``},
		{name: "not decrypted, and no order", answer: refusal("10"), status: []string{noOrder}, kind: providers.Declined},
		{name: "not decrypted, and nothing known", answer: refusal("10"), status: []string{"<html>"}},
		{name: "not decrypted, and an untried order of ours", answer: refusal("10"), kind: providers.Declined, calls: "decline.do",
			status: []string{googleOrder("0", "-100", "cs_1"), googleOrder("6", "-100", "cs_1")}},
		{name: "not decrypted, and another system's order", answer: refusal("10"), status: []string{googleOrder("0", "-100", "cs_2")}},
		{name: "not decrypted, and yet paid", answer: refusal("10"), status: []string{googleOrder("2", "0", "cs_1")}},
		{name: "number taken meanwhile", answer: refusal("1")},
		{name: "a failure of its own", answer: refusal("7")},
		{name: "access denied", answer: refusal("5"), status: []string{noOrder}, refusedUs: true},
	} {
		f := newFake(t).on(googleCall, c.answer).on(statusCall, c.status...).on("decline.do", `{"errorCode":"0"}`)
		s, err := payGoogle(f.open(takesGoogle), byGoogle(t))
		if s.Kind != c.kind || (err == nil) != (c.kind != "") || (providers.RefusalOfUs(err) != nil) != c.refusedUs || !strings.Contains(f.calls(), c.calls) {
			t.Errorf("%s: %+v, %v after %s", c.name, s, err, f.calls())
		}
		if err != nil && strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: the error holds the token: %v", c.name, err)
		}
		if c.kind == providers.Method && (s.Ref.OrderID != mdOrder || s.Ref.More["threeDSServerTransID"] != transID || !s.Withholdable) {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
}

func TestAnErrorNeverRepeatsATokenOfGooglePay(t *testing.T) {
	sealed := base64.StdEncoding.EncodeToString([]byte(googleToken))
	echo := func(text string) string {
		raw, _ := json.Marshal(map[string]any{"success": false, "error": map[string]string{"code": "10", "message": text}})
		return string(raw)
	}
	for _, text := range []string{"cannot decrypt " + googleToken, "cannot decrypt " + sealed} {
		f := newFake(t).on(googleCall, echo(text)).on(statusCall, noOrder)
		s, err := payGoogle(f.open(takesGoogle), byGoogle(t))
		if err != nil || s.Decline == nil || strings.Contains(s.Decline.Message, sealed[:40]) || strings.Contains(s.Decline.Message, "c2VjcmV0") {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

func TestBeforeATokenOfGooglePayIsSentItsNumberIsFree(t *testing.T) {
	for name, c := range map[string]struct {
		status       []string
		taken, money bool
		calls        string
	}{
		"free":                       {status: []string{noOrder}, calls: statusCall},
		"another system's":           {status: []string{googleOrder("0", "-100", "cs_2")}, taken: true, calls: statusCall},
		"over":                       {status: []string{googleOrder("6", "-2007", "cs_1")}, taken: true, calls: statusCall},
		"ours, of a call forgotten":  {status: []string{googleOrder("0", "-100", "cs_1")}, taken: true, calls: statusCall + " decline.do"},
		"ours and paid":              {status: []string{googleOrder("2", "0", "cs_1")}, money: true, calls: statusCall},
		"another's with our sum":     {status: []string{googleOrder("2", "0", "cs_2")}, money: true, calls: statusCall},
		"nothing known of the order": {status: []string{"<html>"}, calls: statusCall},
	} {
		f := newFake(t).on(statusCall, c.status...).on("decline.do", `{"errorCode":"0"}`)
		_, err := f.open(takesGoogle).Register(t.Context(), byGoogle(t))
		paid, money := errors.AsType[*providers.AlreadyPaid](err)
		if errors.Is(err, providers.ErrReferenceTaken) != c.taken || money != c.money || f.calls() != c.calls || (err == nil) != (name == "free") {
			t.Errorf("%s: %v after %s", name, err, f.calls())
		}
		if money && paid.Ours != (name == "ours and paid") {
			t.Errorf("%s: %+v", name, paid)
		}
	}
}

// The answer of the call was lost: the order is found by its number, and only our mark proves that it is ours.
func TestALostPaymentWithGooglePayIsOursByItsMarkAlone(t *testing.T) {
	for mark, unproven := range map[string]bool{"cs_1": false, "cs_2": true, "": true} {
		s, err := newFake(t).on(statusCall, googleOrder("2", "0", mark)).open(takesGoogle).Status(t.Context(), byGoogle(t))
		if err != nil || s.Outcome != providers.Paid || s.Unproven != unproven {
			t.Errorf("%q: %+v, %v", mark, s, err)
		}
	}
	known := byGoogle(t)
	known.Ref.OrderID = mdOrder
	if s, err := newFake(t).on(statusCall, googleOrder("2", "0", "")).open(takesGoogle).Status(t.Context(), known); err != nil || s.Unproven {
		t.Errorf("the gateway named it: %+v, %v", s, err)
	}
}

// A soft decline wants the card once more, and a wallet's token is good for one payment.
func TestASoftDeclineEndsAPaymentWithGooglePay(t *testing.T) {
	f := newFake(t).on("decline.do", `{"errorCode":"0"}`).on(statusCall, googleOrder("6", "-100", "cs_1"))
	p := byGoogle(t)
	p.Ref = providers.Ref{Reference: "A-17-1", OrderID: mdOrder}.With("google_pay", "1").With("run", "soft_decline").With("threeDSServerTransID", transID)
	s, err := f.open(takesGoogle).Resume(t.Context(), p, providers.Answer{Kind: providers.MethodDone, CompInd: "Y"})
	if err != nil || s.Kind != providers.Declined || s.Decline.Reason != providers.AuthenticationFailed || f.calls() != "decline.do "+statusCall {
		t.Errorf("%+v, %v after %s", s, err, f.calls())
	}
}

func TestWhatGooglePayCannotDoIsRefused(t *testing.T) {
	for field, change := range map[string]func(*providers.Payment){
		"fee": func(p *providers.Payment) { p.Fee = 1 },
		"gateway_options.rbs.features": func(p *providers.Payment) {
			p.Options = providers.Options{"rbs": json.RawMessage(`{"features":["FORCE_TDS"]}`)}
		},
		"gateway_options.rbs.expiration_date": func(p *providers.Payment) {
			p.Options = providers.Options{"rbs": json.RawMessage(`{"expiration_date":"2027-01-01T00:00:00Z"}`)}
		},
	} {
		p := byGoogle(t)
		change(&p)
		err := newFake(t).open(takesGoogle, func(c *rbs.Config) { c.FeeInput = true }).Check(p)
		if refusal, ok := errors.AsType[*providers.Refusal](err); !ok || refusal.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := newFake(t).open().Check(byGoogle(t)); err == nil {
		t.Error("an account without it takes it")
	}
	g := newFake(t).open(takesGoogle).(providers.GooglePayer)
	for token, good := range map[string]bool{
		googleToken: true, " " + googleToken + "\n": true, base64.StdEncoding.EncodeToString([]byte(googleToken)): true,
		"": false, "token": false, "{": false, base64.StdEncoding.EncodeToString([]byte("token")): false, `{"a":"` + strings.Repeat("x", 7000) + `"}`: false,
	} {
		if err := g.CheckGoogleToken(token); (err == nil) != good {
			t.Errorf("%.40s: %v", token, err)
		}
	}
	for name, c := range map[string]*rbs.Config{
		"no name":     {BaseURL: "https://g.example/payment/rest/", Token: providers.NewSecret("t"), GooglePay: true},
		"no rest/ in": {BaseURL: "https://g.example/api/", UserName: "a", Password: providers.NewSecret("b"), GooglePay: true},
	} {
		if faults := c.Faults(); len(faults) != 1 || !strings.HasPrefix(faults[0], "google_pay: ") {
			t.Errorf("%s: %v", name, faults)
		}
	}
}
