package rbs_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/clock"
	"tollgate/providers"
	"tollgate/providers/rbs"
)

// shopping is a cart of 20.00: goods by weight, a discount that does not divide, and another's marked goods.
func shopping(t testing.TB) *providers.Cart {
	c := &providers.Cart{Items: []providers.CartItem{
		{Name: "Grapes", Code: "g-1", Quantity: 400, Unit: "kilogram", UnitPrice: 2500, Tax: "vat10"},
		{Name: "Soap", Quantity: 3 * providers.One, UnitPrice: 200, Discount: 100, Tax: "vat20", Agent: "attorney", MarkCode: "0104600439931256",
			Supplier: &providers.CartSupplier{Name: "Soap Ltd", TaxID: "7707083893", Phones: []string{"+77010000000", "+77020000000"}}},
		{Name: "Delivery", Quantity: providers.One, UnitPrice: 500, Tax: "none", PaymentObject: "service", PaymentMethod: "full_prepayment"},
	}}
	if err := c.Settle(2000); err != nil {
		t.Fatal(err)
	}
	return c
}

func withCart(t testing.TB) providers.Payment {
	p := payment(t)
	p.Cart, p.Customer.Phone = shopping(t), "+77010000000"
	return p
}

func TestACartIsOnTheWireAsTheAccountWritesIt(t *testing.T) {
	for name, set := range map[string]func(*rbs.Config){
		"cart_attributes_105": func(c *rbs.Config) { c.CartFormat, c.FFD, c.TaxSystem = rbs.CartAttributes, "1.05", "usn_income" },
		"cart_attributes_12":  func(c *rbs.Config) { c.CartFormat, c.FFD, c.TaxSystem = rbs.CartAttributes, "1.2", "osn" },
		"cart_fields_12": func(c *rbs.Config) {
			c.CartFormat, c.FFD, c.TaxSystem = rbs.CartFields, "1.2", "osn"
			c.CompanyEmail, c.CompanyINN, c.CompanyAddress = "shop@example.com", "5027119066", "https://shop.example"
		},
		"cart_fields_105": func(c *rbs.Config) {
			c.CartFormat, c.FFD, c.TaxSystem = rbs.CartFields, "1.05", "patent"
			c.CompanyEmail, c.CompanyINN, c.CompanyAddress = "shop@example.com", "5027119066", "https://shop.example"
		},
		"cart_without_receipts": func(c *rbs.Config) { c.CartFormat = rbs.CartAttributes },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t).on("register.do", answer(t, "bpc_register_ok.json")).on("refund.do", answer(t, "bpc_decline_ok.json")).
				on("deposit.do", answer(t, "bpc_decline_ok.json"))
			g, p := f.open(set), withCart(t)
			if _, err := g.Register(context.Background(), p); err != nil {
				t.Fatal(err)
			}
			p.Ref.OrderID = mdOrder
			for _, kind := range []providers.OpKind{providers.Capture, providers.Refund} {
				parts := p.Cart.Portion([]providers.CartPortion{{Line: 0, From: 100, Quantity: 100}, {Line: 1, Quantity: 2 * providers.One}})
				op := providers.Op{Kind: kind, Reference: "r", Amount: amount(t, providers.SumOf(parts), "EUR"), Items: parts}
				if _, err := g.(providers.Operator).Do(context.Background(), p, op); err != nil {
					t.Fatal(err)
				}
			}
			var b strings.Builder
			for _, e := range f.seen {
				fmt.Fprintf(&b, "%s\n", e.path)
				for _, name := range []string{"amount", "taxSystem", "orderBundle", "depositItems", "refundItems"} {
					if text := e.form.Get(name); text != "" {
						fmt.Fprintf(&b, "%s=%s\n", name, strings.ReplaceAll(text, "},{", "},\n {"))
					}
				}
				b.WriteString("\n")
			}
			golden(t, name, b.String())
		})
	}
}

func TestWithoutACartFormatNothingOfTheCartIsSent(t *testing.T) {
	f := newFake(t).on("register.do", answer(t, "bpc_register_ok.json"))
	if _, err := f.open().Register(context.Background(), withCart(t)); err != nil || f.last().form.Has("orderBundle") {
		t.Errorf("%v %v", err, f.last().form)
	}
}

func TestAReceiptNeedsATaxOfEveryLineAndAnAddressOfTheCustomer(t *testing.T) {
	g := newFake(t).open(func(c *rbs.Config) { c.CartFormat, c.FFD, c.TaxSystem = rbs.CartAttributes, "1.05", "osn" })
	p := withCart(t)
	p.Cart.Items[2].Tax = ""
	if got := field(g.Check(p)); got != "cart.items.2.tax" {
		t.Errorf("no tax: %q", got)
	}
	p = withCart(t)
	p.Customer.Email, p.Customer.Phone = "", ""
	if got := field(g.Check(p)); got != "customer.email" {
		t.Errorf("no address: %q", got)
	}
	for text, change := range map[string]func(*rbs.Config){
		`cart_format: "xml"`:         func(c *rbs.Config) { c.CartFormat = "xml" },
		`ffd: "1.1"`:                 func(c *rbs.Config) { c.CartFormat, c.FFD = "fields", "1.1" },
		"cart_format: needed":        func(c *rbs.Config) { c.FFD, c.TaxSystem = "1.05", "osn" },
		"tax_system: needed":         func(c *rbs.Config) { c.CartFormat, c.FFD = "attributes", "1.05" },
		`tax_system: "none"`:         func(c *rbs.Config) { c.CartFormat, c.TaxSystem = "attributes", "none" },
		"company_inn: company_email": func(c *rbs.Config) { c.CartFormat, c.FFD, c.TaxSystem = "fields", "1.2", "osn" },
		"company_inn: is not 10":     func(c *rbs.Config) { c.CompanyINN = "12" },
	} {
		c := rbs.Config{BaseURL: "https://x.example/payment/rest/", UserName: "u", Password: providers.NewSecret("p")}
		change(&c)
		if faults := strings.Join(c.Faults(), "\n"); !strings.Contains(faults, text) {
			t.Errorf("no %s in %q", text, faults)
		}
	}
}

// What Tollgate's rules make of a cart, the gateway's own check of it takes, whatever the goods; and so it does with what is
// captured and refunded of it bit by bit.
func TestAThousandRandomCartsAreTakenByTheGateway(t *testing.T) {
	var formats []providers.Provider
	var pay func(providers.Provider, providers.Payment)
	for _, c := range []rbs.Config{
		{CartFormat: rbs.CartAttributes, FFD: "1.05", TaxSystem: "osn"},
		{CartFormat: rbs.CartFields, FFD: "1.2", TaxSystem: "osn", CompanyEmail: "a@b.example", CompanyINN: "5027119066", CompanyAddress: "x"},
	} {
		h := harness(t, c)
		g, err := h.Open(providers.Env{HTTP: http.DefaultClient, Now: h.Now, Loopback: true})
		if err != nil {
			t.Fatal(err)
		}
		formats = append(formats, g)
	}
	pay = func(g providers.Provider, p providers.Payment) {
		t.Helper()
		c := testCard(t)
		var err error
		if c.Number, err = card.ParseNumber("4000019900050008"); err != nil {
			t.Fatal(err)
		}
		if c.Code, err = card.ParseCode("123"); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Pay(context.Background(), p, providers.Instrument{Kind: "card", Card: c}, browser); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(7, 13))
	for n := range 1000 {
		g := formats[n%2]
		var cart providers.Cart
		total := int64(0)
		for range 1 + random.IntN(6) {
			item := providers.CartItem{Name: "x", Quantity: providers.Quantity(1 + random.Int64N(9_000)), UnitPrice: 1 + random.Int64N(20_000), Tax: "vat20"}
			if random.IntN(2) == 0 {
				item.Quantity = providers.Quantity(1+random.Int64N(9)) * providers.One
			}
			gross := item.Quantity.Times(item.UnitPrice)
			item.Discount = random.Int64N(gross + 1)
			total += gross - item.Discount
			cart.Items = append(cart.Items, item)
		}
		if total == 0 {
			continue
		}
		if err := cart.Settle(total); err != nil {
			t.Fatal(err)
		}
		p := payment(t)
		p.Ref.Reference, p.Amount, p.Cart, p.CallbackURL, p.ExpiresAt = fmt.Sprintf("cart-%d", n), amount(t, total, "RUB"), &cart, "", time.Time{}
		var now clock.Clock
		p.ExpiresAt = now.Now().Add(time.Hour)
		var err error
		if p.Ref, err = g.Register(context.Background(), p); err != nil {
			t.Fatalf("cart %d %+v: %v", n, cart, err)
		}
		if n%10 > 1 {
			continue
		}
		pay(g, p)
		for line, item := range cart.Items { // refunded in two bits
			half := item.Quantity / 2
			for _, bit := range []providers.CartPortion{{Line: line, Quantity: half}, {Line: line, From: half, Quantity: item.Quantity - half}} {
				parts := cart.Portion([]providers.CartPortion{bit})
				sum := providers.SumOf(parts)
				if sum == 0 {
					continue
				}
				st, err := g.Status(context.Background(), p)
				if err != nil {
					t.Fatal(err)
				}
				op := providers.Op{Kind: providers.Refund, Reference: fmt.Sprintf("%d-%d-%d", n, line, bit.From), Amount: amount(t, sum, "RUB"), Items: parts, Expected: st}
				if got, err := g.(providers.Operator).Do(context.Background(), p, op); err != nil || got.State != providers.OpSucceeded {
					t.Fatalf("cart %d line %d: %+v %+v %v", n, line, parts, got.Decline, err)
				}
			}
		}
		st, err := g.Status(context.Background(), p)
		if err != nil || st.Refunded != total || len(st.Receipts) < 2 || st.Receipts[0].Amount != total {
			t.Fatalf("cart %d: %+v %v", n, st, err)
		}
	}
}

func TestReceiptsAreReadWithThePayment(t *testing.T) {
	paid, receipts := answer(t, "seed_status_2_deposited_binding.json"), answer(t, "alfa_getReceiptStatus_ok.json")
	cash := func(c *rbs.Config) { c.CartFormat, c.FFD, c.TaxSystem = rbs.CartAttributes, "1.05", "osn" }
	p := withCart(t)
	p.Ref = providers.Ref{Reference: "11045", OrderID: "01791274-d9ca-7103-b148-7dc000a7d8c0"}
	f := newFake(t).on("getOrderStatusExtended.do", paid).on("getReceiptStatus.do", receipts)
	st, err := f.open(cash).Status(context.Background(), p)
	if err != nil || len(st.Receipts) != 1 || f.calls() != "getOrderStatusExtended.do getReceiptStatus.do" {
		t.Fatalf("%v %v %s", st.Receipts, err, f.calls())
	}
	want := providers.Receipt{ID: "790925e5-739c-430c-9e92-79d9f14481a4", Kind: "sale", State: providers.ReceiptDone, Amount: 10000,
		At: time.UnixMilli(1499256900000).UTC(), Register: "1234567890023481", Storage: "9999078900006364", Document: "21", Sign: "3713381819"}
	if st.Receipts[0] != want {
		t.Errorf("%+v", st.Receipts[0])
	}
	for text, want := range map[string]string{
		`{"errorCode":"0","receipt":[{"receiptStatus":0,"uuid":"a"},{"receiptStatus":5,"uuid":"b"},{"receiptStatus":9,"uuid":"c"},{"receiptStatus":1}]}`: "sale pending refund failed",
		`{"errorCode":"6","errorMessage":"no"}`: "", `[]`: "", `{"errorCode":"0"}`: "", `{"errorCode":"0","receipt":"x"}`: "",
	} {
		f := newFake(t).on("getOrderStatusExtended.do", paid).on("getReceiptStatus.do", text)
		st, err := f.open(cash).Status(context.Background(), p)
		var got []string
		for _, r := range st.Receipts {
			got = append(got, r.Kind, string(r.State))
		}
		if err != nil || st.Outcome != providers.Paid || strings.Join(got, " ") != want {
			t.Errorf("%s: %v %v: a receipt that cannot be read takes nothing from the payment", text, got, err)
		}
	}
	// Of a payment without a cart, and by an account without receipts, nobody asks.
	for _, open := range []func() (providers.Provider, *fake, providers.Payment){
		func() (providers.Provider, *fake, providers.Payment) {
			f := newFake(t).on("getOrderStatusExtended.do", paid)
			return f.open(), f, p
		},
		func() (providers.Provider, *fake, providers.Payment) {
			f := newFake(t).on("getOrderStatusExtended.do", paid)
			q := p
			q.Cart = nil
			return f.open(cash), f, q
		},
	} {
		g, f, q := open()
		if _, err := g.Status(context.Background(), q); err != nil || f.calls() != "getOrderStatusExtended.do" {
			t.Errorf("%v %s", err, f.calls())
		}
	}
}
