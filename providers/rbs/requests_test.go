package rbs_test

import (
	"context"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/providers/rbs"
)

var update = flag.Bool("update", false, "write the golden transcripts anew")

// transcript writes what was sent, one parameter a line in the order of the wire, with card and credentials hidden.
func transcript(seen []exchange) string {
	var b strings.Builder
	for _, e := range seen {
		b.WriteString(e.method + " " + e.path + "\ncontent-type: " + e.contentType + "\n\n")
		body := strings.NewReplacer("%24PAN="+pan, "%24PAN=400000…1118", "%24CVC="+cvc, "%24CVC=•••", "password="+password, "password=•••",
			"token=tok-en-1", "token=•••").Replace(e.body)
		b.WriteString(strings.ReplaceAll(body, "&", "\n&") + "\n\n")
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "transcripts", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: the wire differs\n--- got\n%s\n--- want\n%s", name, got, want)
	}
	if strings.Contains(string(want), pan) || strings.Contains(string(want), password) {
		t.Errorf("%s holds a card number or a password", file)
	}
}

// The whole request of every call, byte for byte as the form is written.
func TestRequests(t *testing.T) {
	ok, handled := answer(t, "bpc_register_ok.json"), answer(t, "bpc_decline_ok.json")
	method, challenge, finished := answer(t, "seed_paymentorder_3ds2_method.json"), answer(t, "bpc_paymentorder_challenge.json"), answer(t, "seed_finish3dsVer2Payment_ok.json")
	held := providers.Standing{Outcome: providers.Authorized, Held: 2000}
	paid := providers.Standing{Outcome: providers.Paid, Captured: 2000, Refunded: 500}
	hold := func(p *providers.Payment) { p.Hold = true }
	more := func(kv ...string) func(*providers.Payment) {
		return func(p *providers.Payment) {
			for i := 0; i < len(kv); i += 2 {
				p.Ref = p.Ref.With(kv[i], kv[i+1])
			}
		}
	}
	byNumber := func(p *providers.Payment) { p.Ref.OrderID = "" }
	register := func(ctx context.Context, g providers.Provider, p providers.Payment) error {
		_, err := g.Register(ctx, p)
		return err
	}
	pays := func(ctx context.Context, g providers.Provider, p providers.Payment) error {
		_, err := g.Pay(ctx, p, providers.Instrument{Kind: "card", Card: testCard(t)}, browser)
		return err
	}
	resume := func(a providers.Answer) func(context.Context, providers.Provider, providers.Payment) error {
		return func(ctx context.Context, g providers.Provider, p providers.Payment) error {
			_, err := g.Resume(ctx, p, a)
			return err
		}
	}
	operate := func(op providers.Op) func(context.Context, providers.Provider, providers.Payment) error {
		return func(ctx context.Context, g providers.Provider, p providers.Payment) error {
			_, err := g.(providers.Operator).Do(ctx, p, op)
			return err
		}
	}
	c := testCard(t)
	for _, tt := range []struct {
		name   string
		op     string
		answer string
		config func(*rbs.Config)
		change func(*providers.Payment)
		call   func(context.Context, providers.Provider, providers.Payment) error
	}{
		{"register", "register.do", ok, nil, byNumber, register},
		{"register_pre_auth", "registerPreAuth.do", ok, nil, hold, register},
		{"register_saving_card", "register.do", ok, func(c *rbs.Config) { c.Features = []string{"FORCE_TDS", "FORCE_CREATE_BINDING"} },
			func(p *providers.Payment) { p.SaveCard = true }, register},
		{"register_for_later_charges", "register.do", ok, func(c *rbs.Config) { c.RecurringFrequency, c.RecurringDays = 5, 365 }, func(p *providers.Payment) { p.SaveCard = true }, register},
		{"register_by_token", "register.do", ok, func(c *rbs.Config) {
			c.UserName, c.Password, c.Token = "", providers.Secret{}, providers.NewSecret("tok-en-1")
		}, nil, register},
		{"register_bare", "register.do", ok, nil, func(p *providers.Payment) {
			p.Description, p.Locale, p.Customer, p.CallbackURL, p.ExpiresAt = "", "", providers.Customer{}, "", time.Time{}
		}, register},
		{"pay_finish_url", "paymentorder.do", method, nil, nil, pays},
		{"pay_gateway_finishes", "paymentorder.do", method, func(c *rbs.Config) {
			off := false
			c.ThreeDS2, c.MethodNotification, c.BrowserInfo = rbs.ThreeDS2Gateway, &off, &off
		}, nil, pays},
		{"continue", "3ds/continue.do", challenge, nil, more("threeDSServerTransID", transID), resume(providers.Answer{Kind: providers.MethodDone, CompInd: "N"})},
		{"pay_again_after_soft_decline", "paymentorder.do", challenge, nil, func(p *providers.Payment) {
			more("threeDSServerTransID", transID2, "run", "soft_decline")(p)
			p.Run.N, p.Run.NotifyURL, p.Run.ReturnURL = 2, "https://pay.example/3ds/tok2/notify", "https://pay.example/3ds/tok2/return"
		}, resume(providers.Answer{Kind: providers.MethodDone, CompInd: "Y", Browser: browser, Card: &c})},
		{"finish_3ds2", "finish3dsVer2Payment.do", finished, nil, more("threeDSServerTransID", transID, "expect", "cres"),
			resume(providers.Answer{Kind: providers.Challenged, CRes: "eyJ9"})},
		{"finish_3ds1", "finish3dsPayment.do", answer(t, "alfa_finish3dsPayment_ok.json"), nil, more("expect", "pares"),
			resume(providers.Answer{Kind: providers.PayerAuth, PaRes: "eJxVUtFu4jAQ/BWU9+2/=="})},
		{"status", "getOrderStatusExtended.do", answer(t, "seed_status_1_held_binding.json"), nil, nil,
			func(ctx context.Context, g providers.Provider, p providers.Payment) error {
				_, err := g.Status(ctx, p)
				return err
			}},
		{"status_by_number", "getOrderStatusExtended.do", answer(t, "rec_status_not_found.json"), nil, byNumber,
			func(ctx context.Context, g providers.Provider, p providers.Payment) error {
				_, err := g.Status(ctx, p)
				return err
			}},
		{"decline", "decline.do", handled, nil, nil, func(ctx context.Context, g providers.Provider, p providers.Payment) error {
			return g.(providers.Closer).Close(ctx, p)
		}},
		{"deposit", "deposit.do", handled, nil, nil, operate(providers.Op{Kind: providers.Capture, Amount: amount(t, 1500, "EUR"), Standing: held})},
		{"reverse", "reverse.do", handled, nil, nil, operate(providers.Op{Kind: providers.Void, Standing: held})},
		{"refund", "refund.do", handled, nil, nil, operate(providers.Op{Kind: providers.Refund, Reference: "A-17-1-r2", Amount: amount(t, 300, "EUR"), Standing: paid, Expected: paid})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t).on(tt.op, tt.answer)
			var config []func(*rbs.Config)
			if tt.config != nil {
				config = append(config, tt.config)
			}
			p := registered(t)
			if tt.change != nil {
				tt.change(&p)
			}
			if err := tt.call(t.Context(), f.open(config...), p); err != nil {
				t.Fatal(err)
			}
			golden(t, tt.name, transcript(f.seen))
		})
	}
}

// The card goes out whole; the golden transcripts hide it.
func TestCardIsSentWhole(t *testing.T) {
	f := newFake(t).on("paymentorder.do", answer(t, "omnipay_PurchaseSslRequestSuccess.json"))
	if _, err := pay(t, f.open(), registered(t)); err != nil {
		t.Fatal(err)
	}
	form := f.last().form
	for name, want := range map[string]string{"$PAN": pan, "$CVC": cvc, "YYYY": "2030", "MM": "02", "TEXT": "TEST CARDHOLDER", "password": password} {
		if got := form[name]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

// Amounts are minor units whatever the currency's digits; currencies go by number.
func TestUnits(t *testing.T) {
	for _, tt := range []struct {
		code     string
		minor    int64
		amount   string
		currency string
	}{
		{"RUB", 1, "1", "643"},                   // 0.01
		{"RUB", 9999999999, "9999999999", "643"}, // 99,999,999.99
		{"KZT", 200050, "200050", "398"},         // 2,000.50
		{"USD", 1000, "1000", "840"},             // 10.00
		{"JPY", 500, "500", "392"},               // 500, no minor unit
		{"KWD", 1234, "1234", "414"},             // 1.234, three digits
	} {
		f := newFake(t).on("register.do", answer(t, "bpc_register_ok.json"))
		p := payment(t)
		p.Amount = amount(t, tt.minor, tt.code)
		if _, err := f.open().Register(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if form := f.last().form; form.Get("amount") != tt.amount || form.Get("currency") != tt.currency {
			t.Errorf("%d %s went out as %s %s, want %s %s", tt.minor, tt.code, form.Get("amount"), form.Get("currency"), tt.amount, tt.currency)
		}
	}
}

// What the gateway has no words for is refused when the session is made, before anything is sent.
func TestCheckRefuses(t *testing.T) {
	g := newFake(t).open()
	if err := g.Check(payment(t)); err != nil {
		t.Fatalf("a plain payment is refused: %v", err)
	}
	for field, change := range map[string]func(*providers.Payment){
		"amount":      func(p *providers.Payment) { p.Amount.Minor = 0 },
		"amount ":     func(p *providers.Payment) { p.Amount.Minor = 1_000_000_000_000 },
		"currency":    func(p *providers.Payment) { p.Amount.Currency.Numeric = "" },
		"fee":         func(p *providers.Payment) { p.Fee = 1 },
		"order_id":    func(p *providers.Payment) { p.Ref.Reference = strings.Repeat("x", 37) },
		"customer.id": func(p *providers.Payment) { p.SaveCard, p.Customer.ID = true, "" },
		"account":     func(p *providers.Payment) { p.CallbackURL = "https://pay.example/" + strings.Repeat("x", 512) },
	} {
		p := payment(t)
		change(&p)
		r, ok := g.Check(p).(*providers.Refusal)
		if !ok || r.Field != strings.TrimSpace(field) {
			t.Errorf("%s: refused as %v", field, r)
		}
	}
}

// An order lives as long as its session and twenty minutes more, which a shopper who paid in the last second has at the
// bank, within the account's bounds.
func TestOrderLifetime(t *testing.T) {
	for _, tt := range []struct {
		left time.Duration
		max  int
		want string
	}{
		{30 * time.Minute, 0, "3000"}, {1500 * time.Millisecond, 0, "1202"}, {-time.Hour, 0, "1200"}, {48 * time.Hour, 0, "86400"}, {time.Hour, 1200, "1200"},
		{61500 * time.Millisecond, 0, "1262"},
	} {
		f := newFake(t).on("register.do", answer(t, "bpc_register_ok.json"))
		p := payment(t)
		p.ExpiresAt = now.Add(tt.left)
		if _, err := f.open(func(c *rbs.Config) { c.SessionTimeout = tt.max }).Register(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if got := f.last().form.Get("sessionTimeoutSecs"); got != tt.want {
			t.Errorf("%v left, at most %d: %s s, want %s", tt.left, tt.max, got, tt.want)
		}
	}
}

func TestWhatIsCutOrLeftOut(t *testing.T) {
	send := func(change func(*providers.Payment)) url.Values {
		f := newFake(t).on("register.do", answer(t, "bpc_register_ok.json"))
		p := payment(t)
		change(&p)
		if _, err := f.open().Register(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		return f.last().form
	}
	if got := send(func(p *providers.Payment) { p.Description = strings.Repeat("ж", 700) }).Get("description"); got != strings.Repeat("ж", 598) {
		t.Errorf("description of %d characters went out", len([]rune(got)))
	}
	if form := send(func(p *providers.Payment) { p.Customer.Email = strings.Repeat("a", 40) + "@example.com" }); form.Has("email") {
		t.Error("an e-mail address longer than 40 characters went out, whole or cut")
	}
	if got := send(func(p *providers.Payment) { p.Locale = "kk" }).Get("language"); got != "ru" {
		t.Errorf("a language that the gateway does not know became %q, want the account's first", got)
	}
	if got := send(func(p *providers.Payment) { p.Customer.IP = "fe80::1%eth0" }).Get("ip"); got != "fe80::1" {
		t.Errorf("ip %q, want it without zone", got)
	}
	if form := send(func(p *providers.Payment) { p.Customer.IP = "proxy, 10.0.0.1" }); form.Has("ip") {
		t.Error("something that is no address went out as ip")
	}
}
