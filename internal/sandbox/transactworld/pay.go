package transactworld

import (
	"strconv"
	"strings"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/sim"
)

// cardInput is a card as a request or the invoice page brings it. It lives for the length of the call.
type cardInput struct{ pan, month, year, cvv string }

func (p params) card() (cardInput, *fault) {
	in := cardInput{p.get("card.number"), p.get("card.expiryMonth"), p.get("card.expiryYear"), p.get("card.cvv")}
	for _, name := range []string{"card.number", "card.expiryMonth", "card.expiryYear", "card.cvv"} {
		if p.get(name) == "" {
			return in, missing(name)
		}
	}
	m, err := strconv.Atoi(in.month)
	switch {
	case !sim.AllDigits(in.pan) || len(in.pan) < 12 || len(in.pan) > 19 || !sim.Luhn(in.pan):
		return in, malformed("card.number")
	case err != nil || m < 1 || m > 12 || len(in.month) != 2 || !sim.AllDigits(in.month):
		return in, malformed("card.expiryMonth")
	case len(in.year) != 4 || !sim.AllDigits(in.year):
		return in, malformed("card.expiryYear")
	case !sim.AllDigits(in.cvv) || len(in.cvv) < 3 || len(in.cvv) > 4:
		return in, malformed("card.cvv")
	}
	return in, nil
}

// brands are the paymentBrand values taken with paymentMode CC and DC.
var brands = map[string]bool{"VISA": true, "MC": true, "MASTER CARD": true, "MAESTRO": true, "AMEX": true, "JCB": true,
	"CUP": true, "DINER": true, "DISC": true}

// check refuses what is malformed in a payment.
func (c *call) check(p *payment) *fault {
	if amount.Digits(p.Currency) == "" || amount.Letters(p.Currency) != p.Currency {
		return malformed("currency")
	}
	if amount.Exponent(p.Currency) == 0 && p.Amount%100 != 0 {
		return malformed("amount")
	}
	for name, max := range map[string]int{"orderDescriptor": 255, "customer.givenName": 50, "customer.surname": 50,
		"customer.email": 100, "shipping.city": 50, "shipping.street1": 150} {
		if len([]rune(c.get(name))) > max {
			return malformed(name)
		}
	}
	if v := c.get("customer.email"); v != "" && !strings.Contains(v, "@") {
		return malformed("customer.email")
	}
	if v := c.get("shipping.country"); v != "" && len(v) != 2 {
		return malformed("shipping.country")
	}
	for _, name := range []string{"merchantRedirectUrl", "notificationUrl"} {
		v := c.get(name)
		if v != "" && !strings.Contains(v, "://") {
			v = "http://" + v // the documents' own sample has no scheme
		}
		if v != "" && !sim.WebURL(v) {
			return malformed(name)
		}
	}
	if c.a.RequireAddress {
		for _, name := range []string{"customer.email", "customer.phone", "shipping.country", "shipping.city", "shipping.postcode",
			"shipping.street1"} {
			if c.get(name) == "" {
				return missing(name)
			}
		}
	}
	switch p.Recurring {
	case "":
	case "INITIAL", "REPEATED":
		if c.a.NoRecurring {
			return errMode
		}
	default:
		return malformed("recurringType")
	}
	switch c.get("attemptThreeD") {
	case "", "3D", "only3D", "direct":
	default:
		return malformed("attemptThreeD")
	}
	return nil
}

func paymentType(c *call) (string, *fault) {
	switch t := c.get("paymentType"); t {
	case "DB", "PA":
		return t, nil
	case "":
		return "", missing("paymentType")
	}
	return "", errMode
}

// pay is POST /payments: PA or DB by card.
func (g *Gateway) pay(c *call) (object, *fault) {
	c.money = true
	c.logReference(c.get("merchantTransactionId"))
	if bad := c.signed(c.a.MemberID, c.a.SecureKey, c.get("merchantTransactionId"), c.get("amount")); bad != nil {
		return nil, bad
	}
	if c.get("merchantTransactionId") == "" {
		return nil, missing("merchantTransactionId")
	}
	typ, bad := paymentType(c)
	if bad != nil {
		return nil, bad
	}
	p, bad := g.begin(c, typ)
	if bad != nil {
		return nil, bad
	}
	if bad := c.check(p); bad != nil {
		return nil, bad
	}
	if p.Recurring == "REPEATED" {
		return nil, malformed("recurringType") // it refers to a payment or a registration
	}
	switch {
	case p.Mode == "":
		return nil, missing("paymentMode")
	case p.Brand == "":
		return nil, missing("paymentBrand")
	case p.Mode != "CC" && p.Mode != "DC" || !brands[p.Brand]:
		return nil, errMode
	}
	in, bad := c.card()
	if bad != nil {
		return nil, bad
	}
	if bad := g.charge(c.a, p, in, c.get("attemptThreeD")); bad != nil {
		return nil, bad
	}
	return g.answer(c.a, p), nil
}

// payWithToken is POST /paywithtoken/{id}: a payment with a stored card.
func (g *Gateway) payWithToken(c *call) (object, *fault) {
	c.money = true
	c.logReference(c.get("merchantTransactionId"))
	id := c.r.PathValue("id")
	if bad := c.signed(c.a.MemberID, c.a.SecureKey, id, c.get("amount")); bad != nil {
		return nil, bad
	}
	if c.get("merchantTransactionId") == "" {
		return nil, missing("merchantTransactionId")
	}
	typ, bad := paymentType(c)
	if bad != nil {
		return nil, bad
	}
	reg := g.registrations.Get(id)
	if reg == nil || reg.Deleted || reg.Member != c.a.MemberID {
		return nil, errNoCard
	}
	p, bad := g.begin(c, typ)
	if bad != nil {
		return nil, bad
	}
	if bad := c.check(p); bad != nil {
		return nil, bad
	}
	if p.Recurring == "REPEATED" && reg.Initial == "" {
		return nil, errSeries
	}
	p.Brand, p.Mode, p.Registration, p.Register = reg.Brand, "CC", reg.ID, false
	return g.stored(c, p, cardInput{month: reg.Month, year: reg.Year}, reg.Card)
}

// digitsOf turns random characters into digits.
func digitsOf(s string) string {
	out := []byte(s)
	for i, c := range out {
		out[i] = '0' + c%10
	}
	return string(out)
}

func pair(name, value string) object { return object{}.With("name", name).With("value", value) }
