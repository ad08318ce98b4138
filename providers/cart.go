package providers

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// Quantity is a number of goods in thousandths. In JSON it is decimal text.
type Quantity int64

// One is the quantity of one piece, one kilogram, …
const One Quantity = 1000

// maxQuantity is nine digits before the point.
const maxQuantity = 999_999_999 * One

// ParseQuantity reads decimal text with at most three digits after the point.
func ParseQuantity(s string) (Quantity, error) {
	whole, fraction, pointed := strings.Cut(s, ".")
	digits := strings.Trim(whole+fraction, "0123456789") == ""
	if whole == "" || pointed && fraction == "" || len(whole) > 9 || len(fraction) > 3 || !digits {
		return 0, fmt.Errorf("providers: %q is no quantity", s)
	}
	n, err := strconv.ParseInt(whole+(fraction + "000")[:3], 10, 64)
	return Quantity(n), err
}

func (q Quantity) String() string {
	s := fmt.Sprintf("%d.%03d", int64(q/One), int64(q%One))
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// MarshalText writes decimal text.
func (q Quantity) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

// UnmarshalText reads decimal text.
func (q *Quantity) UnmarshalText(text []byte) (err error) {
	*q, err = ParseQuantity(string(text))
	return err
}

// Times is the price of a quantity, rounded half up to a whole minor unit.
func (q Quantity) Times(price int64) int64 { return share(price, int64(q), int64(One)) }

// share is amount*part/whole, rounded half up, or the largest number where it is larger. None of them is negative.
func share(amount, part, whole int64) int64 {
	hi, lo := bits.Mul64(uint64(amount), uint64(part))
	lo, carry := bits.Add64(lo, uint64(whole)/2, 0)
	if hi+carry >= uint64(whole) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(hi+carry, lo, uint64(whole))
	return int64(min(quotient, math.MaxInt64))
}

// Cart is what is bought. Its sums are right once Settle has found no fault.
type Cart struct {
	Items []CartItem `json:"items"`
}

// CartItem is one line of a cart. Texts are the contract's words; each gateway has its own codes for them.
type CartItem struct {
	Name          string        `json:"name"`
	Code          string        `json:"code,omitempty"` // the merchant's
	Quantity      Quantity      `json:"quantity"`
	Unit          string        `json:"unit,omitempty"`
	UnitPrice     int64         `json:"unit_price"` // minor units
	Discount      int64         `json:"discount,omitempty"`
	Amount        int64         `json:"amount"`        // quantity times price, less the discount
	Tax           string        `json:"tax,omitempty"` // in the amount
	PaymentMethod string        `json:"payment_method,omitempty"`
	PaymentObject string        `json:"payment_object,omitempty"`
	Agent         string        `json:"agent,omitempty"` // what the merchant is to the supplier
	Supplier      *CartSupplier `json:"supplier,omitempty"`
	MarkCode      string        `json:"mark_code,omitempty"`
}

// CartSupplier is on whose behalf an agent sells.
type CartSupplier struct {
	Name   string   `json:"name,omitempty"`
	TaxID  string   `json:"tax_id,omitempty"`
	Phones []string `json:"phones,omitempty"`
}

// What a line may say.
var (
	CartUnits = []string{"piece", "gram", "kilogram", "tonne", "centimetre", "decimetre", "metre", "square_centimetre", "square_decimetre",
		"square_metre", "millilitre", "litre", "cubic_metre", "kilowatt_hour", "gigacalorie", "day", "hour", "minute", "second", "kilobyte",
		"megabyte", "gigabyte", "terabyte", "other"}
	CartTaxes = []string{"none", "vat0", "vat5", "vat7", "vat10", "vat18", "vat20", "vat22", "vat5_105", "vat7_107", "vat10_110", "vat18_118",
		"vat20_120", "vat22_122"}
	CartMethods = []string{"full_prepayment", "prepayment", "advance", "full_payment", "partial_payment", "credit", "credit_payment"}
	CartObjects = []string{"commodity", "excise", "job", "service", "gambling_bet", "gambling_prize", "lottery", "lottery_prize",
		"intellectual_activity", "payment", "agent_commission", "award", "another", "property_right", "non_operating_gain",
		"insurance_premium", "sales_tax", "resort_fee", "deposit"}
	CartAgents = []string{"bank_paying_agent", "bank_paying_subagent", "paying_agent", "paying_subagent", "attorney", "commission_agent",
		"another"}
)

// Bounds of a cart.
const (
	maxItems   = 100
	maxName    = 128
	maxCode    = 100
	maxPrice   = 999_999_999_999
	maxMark    = 256
	maxPhones  = 5
	maxPartner = 64
)

// CartTaker is a gateway that may be told what is bought.
type CartTaker interface{ Carts() CartUse }

// CartUse is what an account's gateway does with a cart.
type CartUse struct {
	Sent bool
	// Receipts are made of it: an operation on a part of the payment has to say of which items.
	Receipts bool
}

func itemField(i int, name string) string { return fmt.Sprintf("cart.items.%d.%s", i, name) }

// Settle checks a cart against the amount that is paid for it, and fills in the lines' amounts where they are 0. The error is a
// *Refusal that names the member.
func (c *Cart) Settle(amount int64) error {
	if len(c.Items) == 0 || len(c.Items) > maxItems {
		return Refuse("cart.items", fmt.Sprintf("must be 1 to %d", maxItems))
	}
	var total int64
	for i := range c.Items {
		item := &c.Items[i]
		refuse := func(name, text string) error { return Refuse(itemField(i, name), text) }
		if err := item.checkTexts(refuse); err != nil {
			return err
		}
		gross := item.Quantity.Times(item.UnitPrice)
		switch {
		case gross > maxPrice:
			return refuse("unit_price", "times the quantity has more than twelve digits")
		case item.Discount < 0 || item.Discount > gross:
			return refuse("discount", "must be from 0 to the quantity times the price")
		}
		net := gross - item.Discount
		if item.Amount != 0 && item.Amount != net {
			return refuse("amount", fmt.Sprintf("must be %d, the quantity times the price less the discount", net))
		}
		item.Amount = net
		total += net
	}
	if total != amount {
		return Refuse("cart.items", fmt.Sprintf("come to %d, and the amount is %d", total, amount))
	}
	return nil
}

func (i *CartItem) checkTexts(refuse func(name, text string) error) error {
	for _, t := range []struct {
		name, value string
		most        int
	}{{"name", i.Name, maxName}, {"code", i.Code, maxCode}, {"mark_code", i.MarkCode, maxMark}} {
		if len([]rune(t.value)) > t.most {
			return refuse(t.name, fmt.Sprintf("must be at most %d characters", t.most))
		}
		if strings.ContainsFunc(t.value, func(r rune) bool { return r < ' ' }) && t.name != "mark_code" { // GS1 codes hold separators
			return refuse(t.name, "must not hold control characters")
		}
	}
	for _, w := range []struct {
		name, value string
		of          []string
	}{{"unit", i.Unit, CartUnits}, {"tax", i.Tax, CartTaxes}, {"payment_method", i.PaymentMethod, CartMethods},
		{"payment_object", i.PaymentObject, CartObjects}, {"agent", i.Agent, CartAgents}} {
		if w.value != "" && !slices.Contains(w.of, w.value) {
			return refuse(w.name, "must be one of "+strings.Join(w.of, ", "))
		}
	}
	switch {
	case strings.TrimSpace(i.Name) == "":
		return refuse("name", "is missing")
	case i.Quantity <= 0 || i.Quantity > maxQuantity:
		return refuse("quantity", "must be positive, with at most nine digits before the point and three after it")
	case i.UnitPrice < 0 || i.UnitPrice > maxPrice:
		return refuse("unit_price", "must be from 0 to twelve digits of minor units")
	case i.Agent != "" && i.Supplier == nil:
		return refuse("supplier", "needed with agent")
	case i.Supplier != nil:
		return i.Supplier.check(refuse)
	}
	return nil
}

func (s *CartSupplier) check(refuse func(name, text string) error) error {
	inn := len(s.TaxID) == 10 || len(s.TaxID) == 12
	switch {
	case len([]rune(s.Name)) > maxPartner || strings.ContainsFunc(s.Name, func(r rune) bool { return r < ' ' }):
		return refuse("supplier.name", fmt.Sprintf("must be at most %d characters, none of them control characters", maxPartner))
	case s.TaxID != "" && (!inn || strings.Trim(s.TaxID, "0123456789") != ""):
		return refuse("supplier.tax_id", "must be 10 or 12 digits")
	case len(s.Phones) > maxPhones:
		return refuse("supplier.phones", fmt.Sprintf("must be at most %d", maxPhones))
	}
	for i, p := range s.Phones {
		if digits := strings.TrimPrefix(p, "+"); len(digits) < 5 || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
			return refuse("supplier.phones."+strconv.Itoa(i), "must be digits with an optional + in front")
		}
	}
	return nil
}

// taxRates are percents, by the word of the contract.
var taxRates = map[string]int64{"vat5": 5, "vat7": 7, "vat10": 10, "vat18": 18, "vat20": 20, "vat22": 22, "vat5_105": 5, "vat7_107": 7,
	"vat10_110": 10, "vat18_118": 18, "vat20_120": 20, "vat22_122": 22}

// TaxAmount is the tax that the line's amount holds, rounded half up.
func (i CartItem) TaxAmount() int64 {
	rate := taxRates[i.Tax]
	return share(i.Amount, rate, 100+rate)
}

// CartPart is a part of a line whose amount is its unit price times its quantity, rounded half up: what a receipt can show. A
// line with a discount may need two of them.
type CartPart struct {
	Position  int // from 1, through the whole cart
	Line      int // from 0
	Quantity  Quantity
	UnitPrice int64
	Amount    int64
}

// parts splits a line. Without a discount it is one part; with one, the price that is paid per unit is rounded down, and as many
// whole units as there are minor units left over cost one more.
func (i CartItem) parts() []CartPart {
	if i.Quantity.Times(i.UnitPrice) == i.Amount {
		return []CartPart{{Quantity: i.Quantity, UnitPrice: i.UnitPrice, Amount: i.Amount}}
	}
	price := i.Amount * int64(One) / int64(i.Quantity) // twelve digits and three
	left := i.Amount - i.Quantity.Times(price)
	dearer := Quantity(left) * One
	switch {
	case left == 0:
		return []CartPart{{Quantity: i.Quantity, UnitPrice: price, Amount: i.Amount}}
	case dearer >= i.Quantity: // less than one unit is left at the lower price
		return []CartPart{{Quantity: i.Quantity, UnitPrice: price + 1, Amount: i.Amount}}
	}
	return []CartPart{
		{Quantity: i.Quantity - dearer, UnitPrice: price, Amount: i.Amount - left*(price+1)},
		{Quantity: dearer, UnitPrice: price + 1, Amount: left * (price + 1)},
	}
}

// Parts are all lines' parts, numbered.
func (c *Cart) Parts() (all []CartPart) {
	for line, item := range c.Items {
		for _, part := range item.parts() {
			part.Line, part.Position = line, len(all)+1
			all = append(all, part)
		}
	}
	return all
}

// CartPortion is so much of a line, after what was taken of it before.
type CartPortion struct {
	Line     int      `json:"line"` // from 0
	From     Quantity `json:"from,omitempty"`
	Quantity Quantity `json:"quantity"`
}

// Portion are the parts of a portion of the cart. Portions that follow each other come to the line's amount exactly.
func (c *Cart) Portion(portions []CartPortion) (all []CartPart) {
	for _, p := range portions {
		at := Quantity(0) // where the present part begins
		for _, part := range c.Parts() {
			if part.Line != p.Line {
				continue
			}
			from, to := max(p.From, at), min(p.From+p.Quantity, at+part.Quantity)
			begins := at
			at += part.Quantity
			if from >= to {
				continue
			}
			upTo := func(q Quantity) int64 {
				if q == part.Quantity {
					return part.Amount
				}
				return q.Times(part.UnitPrice)
			}
			part.Amount = upTo(to-begins) - upTo(from-begins)
			part.Quantity = to - from
			all = append(all, part)
		}
	}
	return all
}

// SumOf is what parts come to.
func SumOf(parts []CartPart) (sum int64) {
	for _, p := range parts {
		sum += p.Amount
	}
	return sum
}
