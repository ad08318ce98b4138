package providers_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"tollgate/providers"
)

// halfUp rounds a rational number half up, as the rules on receipts say.
func halfUp(r *big.Rat) int64 {
	twice := new(big.Rat).Add(new(big.Rat).Mul(r, big.NewRat(2, 1)), big.NewRat(1, 1))
	quotient := new(big.Int).Div(twice.Num(), new(big.Int).Mul(twice.Denom(), big.NewInt(2)))
	return quotient.Int64()
}

func quantityRat(q providers.Quantity) *big.Rat { return big.NewRat(int64(q), 1000) }

// A thousand carts of random goods, whole and by weight, with and without discounts: every line and every part of it rounds as
// docs/gateways/rbs.md says, the parts come to the line and the lines to the amount, and what is taken of them bit by bit comes
// to the whole.
func TestRandomCartsRoundAsTheRulesSay(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 3))
	split := 0
	for n := range 1000 {
		var c providers.Cart
		total := int64(0)
		for range 1 + random.IntN(12) {
			item := providers.CartItem{Name: "x", Quantity: providers.Quantity(1+random.Int64N(30)) * providers.One,
				UnitPrice: random.Int64N([]int64{3, 100, 10_000, 5_000_000}[random.IntN(4)]), Tax: providers.CartTaxes[random.IntN(len(providers.CartTaxes))]}
			if random.IntN(2) == 0 {
				item.Quantity = providers.Quantity(1 + random.Int64N([]int64{999, 20_000, 5_000_000}[random.IntN(3)]))
			}
			gross := halfUp(new(big.Rat).Mul(quantityRat(item.Quantity), big.NewRat(item.UnitPrice, 1)))
			if got := item.Quantity.Times(item.UnitPrice); got != gross {
				t.Fatalf("%s times %d is %d, want %d", item.Quantity, item.UnitPrice, got, gross)
			}
			if random.IntN(2) == 0 {
				item.Discount = random.Int64N(gross + 1)
			}
			total += gross - item.Discount
			c.Items = append(c.Items, item)
		}
		if err := c.Settle(total); err != nil {
			t.Fatalf("cart %d: %v", n, err)
		}
		sums := map[int]int64{}
		counts := map[int]providers.Quantity{}
		parts := c.Parts()
		for i, p := range parts {
			exact := halfUp(new(big.Rat).Mul(quantityRat(p.Quantity), big.NewRat(p.UnitPrice, 1)))
			if p.Position != i+1 || p.Quantity <= 0 || p.UnitPrice < 0 || exact != p.Amount {
				t.Fatalf("cart %d: part %+v of %+v: quantity times price is %d", n, p, c.Items[p.Line], exact)
			}
			sums[p.Line], counts[p.Line] = sums[p.Line]+p.Amount, counts[p.Line]+p.Quantity
		}
		split += len(parts) - len(c.Items)
		for line, item := range c.Items {
			if sums[line] != item.Amount || counts[line] != item.Quantity {
				t.Fatalf("cart %d: the parts of %+v come to %d of %s", n, item, sums[line], counts[line])
			}
			if rate, has := map[string]int64{"vat5": 5, "vat10": 10, "vat20": 20, "vat20_120": 20, "vat22": 22}[item.Tax]; has {
				if want := halfUp(big.NewRat(item.Amount*rate, 100+rate)); item.TaxAmount() != want {
					t.Fatalf("tax of %d at %d%%: %d, want %d", item.Amount, rate, item.TaxAmount(), want)
				}
			}
			takeBitByBit(t, random, &c, line)
		}
		if err := c.Settle(total + 1); err == nil {
			t.Fatalf("cart %d fits another amount", n)
		}
	}
	if split < 500 {
		t.Errorf("only %d lines were split: the discounts are too tame", split)
	}
}

func takeBitByBit(t *testing.T, random *rand.Rand, c *providers.Cart, line int) {
	t.Helper()
	item, taken, sum := c.Items[line], providers.Quantity(0), int64(0)
	for taken < item.Quantity {
		bit := min(item.Quantity-taken, 1+providers.Quantity(random.Int64N(int64(item.Quantity))))
		parts := c.Portion([]providers.CartPortion{{Line: line, From: taken, Quantity: bit}})
		for _, p := range parts {
			off := new(big.Rat).Sub(new(big.Rat).Mul(quantityRat(p.Quantity), big.NewRat(p.UnitPrice, 1)), big.NewRat(p.Amount, 1))
			if off.Abs(off).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("%+v of %+v is a whole unit off", p, item)
			}
		}
		taken, sum = taken+bit, sum+providers.SumOf(parts)
	}
	if sum != item.Amount {
		t.Fatalf("%+v taken bit by bit comes to %d", item, sum)
	}
}

func TestQuantitiesAreDecimalTextOfThreeDigits(t *testing.T) {
	for text, want := range map[string]string{"1": "1", "0.4": "0.4", "12.050": "12.05", "999999999.999": "999999999.999", "0007": "7"} {
		q, err := providers.ParseQuantity(text)
		if err != nil || q.String() != want {
			t.Errorf("%s: %s %v", text, q, err)
		}
	}
	for _, text := range []string{"", ".5", "1.", "1.0001", "-1", "1e3", "1,5", " 1", "1234567890", "٣"} {
		if q, err := providers.ParseQuantity(text); err == nil {
			t.Errorf("%q is %s", text, q)
		}
	}
	var c providers.Cart
	if err := json.Unmarshal([]byte(`{"items":[{"quantity":"0.4","unit_price":25000}]}`), &c); err != nil || c.Items[0].Quantity.Times(25000) != 10000 {
		t.Errorf("%v %v", c, err)
	}
}

func TestACartThatCannotBeIsRefusedByTheNameOfItsMember(t *testing.T) {
	good := func() *providers.Cart {
		return &providers.Cart{Items: []providers.CartItem{
			{Name: "Book", Quantity: 2 * providers.One, UnitPrice: 500, Discount: 1, Amount: 999, Tax: "vat20"},
			{Name: "Delivery", Quantity: providers.One, UnitPrice: 1, Agent: "attorney", Supplier: &providers.CartSupplier{Name: "Post", TaxID: "7707083893", Phones: []string{"+77010000000"}}},
		}}
	}
	if err := good().Settle(1000); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*providers.Cart){
		"cart.items":                     func(c *providers.Cart) { c.Items[1].UnitPrice = 2 },
		"cart.items.0.name":              func(c *providers.Cart) { c.Items[0].Name = " " },
		"cart.items.0.quantity":          func(c *providers.Cart) { c.Items[0].Quantity = 0 },
		"cart.items.0.unit_price":        func(c *providers.Cart) { c.Items[0].UnitPrice = -1 },
		"cart.items.0.discount":          func(c *providers.Cart) { c.Items[0].Discount = 1001 },
		"cart.items.0.amount":            func(c *providers.Cart) { c.Items[0].Amount = 1000 },
		"cart.items.0.tax":               func(c *providers.Cart) { c.Items[0].Tax = "20%" },
		"cart.items.0.unit":              func(c *providers.Cart) { c.Items[0].Unit = "pcs" },
		"cart.items.0.payment_method":    func(c *providers.Cart) { c.Items[0].PaymentMethod = "4" },
		"cart.items.0.payment_object":    func(c *providers.Cart) { c.Items[0].PaymentObject = "1" },
		"cart.items.0.code":              func(c *providers.Cart) { c.Items[0].Code = strings.Repeat("x", 101) },
		"cart.items.1.agent":             func(c *providers.Cart) { c.Items[1].Agent = "7" },
		"cart.items.1.supplier":          func(c *providers.Cart) { c.Items[1].Supplier = nil },
		"cart.items.1.supplier.tax_id":   func(c *providers.Cart) { c.Items[1].Supplier.TaxID = "123" },
		"cart.items.1.supplier.phones.0": func(c *providers.Cart) { c.Items[1].Supplier.Phones[0] = "call" },
	} {
		c := good()
		change(c)
		var r *providers.Refusal
		if err := c.Settle(1000); !errors.As(err, &r) || r.Field != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	for n := range 2 {
		c := providers.Cart{Items: make([]providers.CartItem, n*101)}
		if err := c.Settle(0); err == nil || !strings.Contains(fmt.Sprint(err), "1 to 100") {
			t.Errorf("%d items: %v", n*101, err)
		}
	}
	large := providers.Cart{Items: []providers.CartItem{{Name: "x", Quantity: 999_999_999 * providers.One, UnitPrice: 999_999_999_999}}}
	if err := large.Settle(1); err == nil || !strings.Contains(err.Error(), "twelve digits") {
		t.Errorf("too large: %v", err)
	}
}
