package sber_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/sber"
	"tollgate/threeds"
)

const (
	sslStarted = `{"transactionNumber":"1000003","mdOrder":"` + mdOrder + `","requestId":"1","status":"SUCCESS"}`
	nameless   = `{"mdOrder":"` + mdOrder + `","requestId":"1","status":"SUCCESS"}`
	handled    = `{"requestId":"1","status":"SUCCESS"}`
	binding    = "87414E0F13AB4542AA9D10E81F74A6E3"
	customer   = "0123456789ABCDEF0123456789ABCDEF"
)

func owner() providers.Owner {
	return providers.Owner{CustomerID: "c1", Credential: providers.NewSecret("410012345678901.0123456789ABCDEF0123456789ABCDEF")}
}

// Every request of ours, byte for byte. Those of the vendor's pages are compared with them.
func TestGoldenRequests(t *testing.T) {
	vendor := func(name string) string { return compact(t, fixture(t, "vendor/"+name)) }
	pay := func(change func(*providers.Payment), in providers.Instrument) func(providers.Provider) {
		return func(g providers.Provider) {
			p := payment(t, "1000003")
			change(&p)
			if _, err := g.Pay(t.Context(), p, in, threeds.BrowserData{}); err != nil {
				t.Error(err)
			}
		}
	}
	same := func(*providers.Payment) {}
	saving := byCard(t, "4111111111111111")
	visitor := providers.Instrument{Kind: "card", Card: card.Card{Number: number(t, "4111111111111111"), Month: 7, Year: 2030, Code: typed(t, "4111111111111111").Code}}
	transferrer := visitor
	transferrer.Card.Year, transferrer.Card.Name = 2018, "TEST CARDHOLDER"
	for name, c := range map[string]struct {
		path, answer, body string
		free               bool // no token
		do                 func(providers.Provider)
	}{
		"payment by card": {path: opPayment, answer: sslStarted, do: pay(same, visitor),
			body: `{"transactionNumber":"1000003","source":{"card":{"pan":"4111111111111111","expiryDate":"2030-07","cardholderName":"CARDHOLDER","cvc":"123","saveCard":false}},"amount":{"transactionAmount":6100,"transactionFee":100,"currency":"643"},"returnUrl":{"success":"https://pay.example/3ds/token/return","fail":"https://pay.example/3ds/token/return"}}`},
		"payment by card that is saved": {path: opPayment, answer: sslStarted, do: pay(func(p *providers.Payment) { p.SaveCard, p.Fee = true, 0 }, saving),
			body: `{"transactionNumber":"1000003","source":{"card":{"pan":"4111111111111111","expiryDate":"2029-12","cardholderName":"AIGERIM TEST","cvc":"123","saveCard":true}},"amount":{"transactionAmount":6100,"transactionFee":0,"currency":"643"},"returnUrl":{"success":"https://pay.example/3ds/token/return","fail":"https://pay.example/3ds/token/return"}}`},
		"payment by saved card": {path: opPayment, answer: sslStarted, do: pay(same, bySaved(binding)), body: vendor("payment_start_request_binding.json")},
		"transfer from card to card": {path: opTransfer, answer: nameless, body: vendor("transfer_start_request_cards.json"), do: pay(func(p *providers.Payment) {
			p.Ref.Reference = "1000005"
			p.Transfer = &providers.Destination{Card: &card.Card{Number: number(t, "5555555555555599")}}
		}, transferrer)},
		"transfer between saved cards": {path: opTransfer, answer: nameless, body: vendor("transfer_start_request_binding.json"), do: pay(func(p *providers.Payment) {
			p.Ref.Reference = "1000004"
			p.Transfer = &providers.Destination{Saved: customer}
		}, bySaved(binding))},
		"finish without 3-D Secure": {path: "payment/finish", answer: handled, body: vendor("payment_finish_request_ssl.json"), do: func(g providers.Provider) {
			if _, err := g.Resume(t.Context(), started(t, "1000003"), providers.Answer{Kind: providers.MethodDone, CompInd: "U"}); err != nil {
				t.Error(err)
			}
		}},
		"finish with the PaRes": {path: "payment/finish", answer: handled, body: vendor("payment_finish_request_3ds.json"), do: func(g providers.Provider) {
			p := started(t, "7654321DS")
			p.Ref = p.Ref.With("pareq", "x").With("acs", "https://acs.example/")
			if _, err := g.Resume(t.Context(), p, providers.Answer{Kind: providers.PayerAuth, PaRes: "eJzFV2uTokoS"}); err != nil {
				t.Error(err)
			}
		}},
		"finish of a transfer": {path: "transfer/finish", answer: handled, body: `{"mdOrder":"` + mdOrder + `","transactionNumber":"1000005"}`, do: func(g providers.Provider) {
			p := started(t, "1000005")
			p.Ref = p.Ref.With("finish", "transfer/finish")
			if _, err := g.Resume(t.Context(), p, providers.Answer{Kind: providers.MethodDone}); err != nil {
				t.Error(err)
			}
		}},
		"inquiry by our number": {path: sber.FindNested, answer: handled, body: `{"transactionNumber":"1000003"}`, do: func(g providers.Provider) {
			if _, err := g.Status(t.Context(), payment(t, "1000003")); err != nil {
				t.Error(err)
			}
		}},
		"inquiry by the gateway's": {path: sber.FindNested, answer: handled, body: `{"mdOrder":"` + mdOrder + `"}`, do: func(g providers.Provider) {
			if _, err := g.Status(t.Context(), started(t, "1000003")); err != nil {
				t.Error(err)
			}
		}},
		"who is behind a phone": {path: "clients/find", free: true, answer: fixture(t, "vendor/clients_find_ok.json"), body: vendor("clients_find_request_phone.json"), do: func(g providers.Provider) {
			if _, err := g.(providers.Login).FindCustomer(t.Context(), "79171131231"); err != nil {
				t.Error(err)
			}
		}},
		"a code": {path: "auth/otp", free: true, answer: fixture(t, "vendor/auth_otp_ok.json"), body: vendor("auth_otp_request.json"), do: func(g providers.Provider) {
			if _, err := g.(providers.Login).SendCode(t.Context(), customer); err != nil {
				t.Error(err)
			}
		}},
		"a token": {path: "auth/token", free: true, answer: fixture(t, "vendor/auth_token_ok.json"), body: `{"accessCode":"i1WsRn1uB1ehfbb37","otp":"111111"}`, do: func(g providers.Provider) {
			if _, err := g.(providers.Login).Exchange(t.Context(), "i1WsRn1uB1ehfbb37", "111111"); err != nil {
				t.Error(err)
			}
		}},
		"saved cards": {path: "clients/", answer: `{"bindings":[],"status":"SUCCESS"}`, body: `{"responseType":"bindings"}`, do: func(g providers.Provider) {
			if _, err := g.(providers.CardKeeper).Cards(t.Context(), owner()); err != nil {
				t.Error(err)
			}
		}},
		"rename": {path: "change", answer: handled, body: `{"transactionNumber":"r-1","binding":{"uuid":"` + binding + `","mnemonic":"Моя карта"}}`, do: func(g providers.Provider) {
			if err := g.(providers.CardRenamer).RenameCard(t.Context(), owner(), "r-1", binding, "Моя карта"); err != nil {
				t.Error(err)
			}
		}},
		"delete": {path: "delete", answer: fixture(t, "vendor/delete_ok.json"), body: `{"transactionNumber":"d-1","type":"binding","uuid":"` + binding + `"}`, do: func(g providers.Provider) {
			if err := g.(providers.CardKeeper).Forget(t.Context(), owner(), "d-1", binding); err != nil {
				t.Error(err)
			}
		}},
		"virtual card": {path: "vcard/create", answer: fixture(t, "constructed/vcard_create_ok_seed_fields.json"), body: `{"transactionNumber":"1000007"}`, do: func(g providers.Provider) {
			if _, err := g.(providers.VirtualCardIssuer).IssueVirtualCard(t.Context(), owner(), "1000007"); err != nil {
				t.Error(err)
			}
		}},
		"list": {path: "transactions/", answer: fixture(t, "vendor/transactions_empty.json"), body: vendor("transactions_request.json"), do: func(g providers.Provider) {
			_, _, err := g.(providers.Historian).History(t.Context(), providers.HistoryQuery{
				From: time.Date(2017, 8, 31, 21, 0, 0, 0, time.UTC), To: time.Date(2017, 9, 30, 20, 59, 59, 999e6, time.UTC), Owner: owner()})
			if err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := &canned{answer: c.answer}
			c.do(open(t, c2))
			if len(c2.sent) != 1 {
				t.Fatalf("%d requests", len(c2.sent))
			}
			r, token := c2.sent[0], "410012345678901.0123456789ABCDEF0123456789ABCDEF"
			if c.free {
				token = ""
			}
			if r.Method != http.MethodPost || r.URL.String() != "https://gateway.example/sbersafe/api/"+c.path || r.Header.Get("Authorization") != token ||
				r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Accept") != "application/json; version=1.0" {
				t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
			}
			if c2.bodies[0] != c.body {
				t.Errorf("sent\n%s\nwant\n%s", c2.bodies[0], c.body)
			}
		})
	}
}

const (
	opPayment  = "payment/start"
	opTransfer = "transfer/start"
)

// Amounts are minor units of whatever currency, as numbers without a point.
func TestUnits(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{6100, "RUB", `{"transactionAmount":6100,"transactionFee":0,"currency":"643"}`},
		{1, "RUB", `{"transactionAmount":1,"transactionFee":0,"currency":"643"}`},
		{9_999_999_999, "RUB", `{"transactionAmount":9999999999,"transactionFee":0,"currency":"643"}`},
		{1, "KZT", `{"transactionAmount":1,"transactionFee":0,"currency":"398"}`},
		{9_999_999_999, "KZT", `{"transactionAmount":9999999999,"transactionFee":0,"currency":"398"}`},
		{1050, "USD", `{"transactionAmount":1050,"transactionFee":0,"currency":"840"}`},
		{500, "JPY", `{"transactionAmount":500,"transactionFee":0,"currency":"392"}`},
		{1234, "KWD", `{"transactionAmount":1234,"transactionFee":0,"currency":"414"}`},
	} {
		net := &canned{answer: sslStarted}
		g := open(t, net)
		p := payment(t, "1000003")
		p.Amount, p.Fee = amountOf(t, c.minor, c.currency), 0
		if err := g.Check(p); err != nil {
			t.Errorf("%v: %v", p.Amount, err)
			continue
		}
		if _, err := g.Pay(t.Context(), p, bySaved(binding), threeds.BrowserData{}); err != nil {
			t.Error(err)
		}
		if want := `{"transactionNumber":"1000003","source":{"binding":"` + binding + `"},"amount":` + c.want + `}`; net.bodies[0] != want {
			t.Errorf("sent %s, want %s", net.bodies[0], want)
		}
	}
}

func TestWhatTheGatewayCannotExpressIsRefusedBeforeAnythingIsSent(t *testing.T) {
	for field, change := range map[string]func(*providers.Payment){
		"amount":   func(p *providers.Payment) { p.Amount.Minor = 0 },
		"amount ":  func(p *providers.Payment) { p.Amount.Minor = 1_000_000_000_000 },
		"currency": func(p *providers.Payment) { p.Amount = amountOf(t, 100, "KZT") },
		"fee":      func(p *providers.Payment) { p.Fee = -1 },
		"capture":  func(p *providers.Payment) { p.Hold = true },
		"order_id": func(p *providers.Payment) { p.Ref.Reference = "1234567890123456789012345678901234567" },
		"transfer": func(p *providers.Payment) { p.Transfer = &providers.Destination{Phone: "79171131231", BankID: "1"} },
		"transfer ": func(p *providers.Payment) {
			p.Transfer = &providers.Destination{Card: typed(t, "4111111111111111"), Saved: binding}
		},
	} {
		net := &canned{answer: sslStarted}
		g := open(t, net, func(c *sber.Config) { c.Currencies = []string{"RUB"} })
		p := payment(t, "1000003")
		change(&p)
		var refusal *providers.Refusal
		if err := g.Check(p); !errors.As(err, &refusal) || refusal.Field != trim(field) {
			t.Errorf("%s: %v", field, err)
		}
		if _, err := g.Register(t.Context(), p); err == nil {
			t.Errorf("%s: registered", field)
		}
		if _, err := g.Pay(t.Context(), p, bySaved(binding), threeds.BrowserData{}); err == nil || len(net.sent) != 0 {
			t.Errorf("%s: %v, %d requests", field, err, len(net.sent))
		}
	}
	g := open(t, &canned{})
	p := payment(t, "1000003")
	p.Transfer = &providers.Destination{} // the shopper will type the card
	if err := g.Check(p); err != nil {
		t.Error(err)
	}
	for _, in := range []providers.Instrument{{Kind: "qr"}, {Kind: "saved_card"}, bySaved(binding)} {
		net := &canned{answer: sslStarted}
		if _, err := open(t, net).Pay(t.Context(), p, in, threeds.BrowserData{}); err == nil || len(net.sent) != 0 {
			t.Errorf("%+v: %v, %d requests", in, err, len(net.sent))
		}
	}
}

func trim(s string) string {
	for len(s) > 0 && s[len(s)-1] == ' ' {
		s = s[:len(s)-1]
	}
	return s
}
