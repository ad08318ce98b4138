package rbs

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"tollgate/internal/sandbox/sim"
)

// features this merchant may ask for. VERIFY and PARTIAL_AUTHORIZATION need a permission that no sandbox account has.
var features = []string{"FORCE_TDS", "FORCE_SSL", "FORCE_FULL_TDS", "FORCE_CREATE_BINDING", "FORCE_PAYMENT_WAY", "AUTO_PAYMENT"}

// parseAmount reads minor units: digits only, positive.
func parseAmount(s string) (int64, *fault) {
	if s == "" {
		return 0, missing("amount")
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || !sim.AllDigits(s) || len(s) > 12 {
		return 0, refuse(4, "[amount] is malformed")
	}
	return n, nil
}

func (g *registry) register(c *call) (body, *fault)        { return g.registerOrder(c, false) }
func (g *registry) registerPreAuth(c *call) (body, *fault) { return g.registerOrder(c, true) }

func (g *registry) registerOrder(c *call, preAuth bool) (body, *fault) {
	o, bad := g.newOrder(c, preAuth)
	if bad != nil {
		return nil, bad
	}
	return body{}.With("orderId", o.ID).With("formUrl",
		g.url("/payment/merchants/rbs/payment_"+o.Language+".html?mdOrder="+o.ID)), nil
}

// newOrder registers the order that the call's parameters describe.
func (g *registry) newOrder(c *call, preAuth bool) (*order, *fault) {
	f := c.form
	number := f.Get("orderNumber")
	switch {
	case number == "" && !c.acc.NumbersOrders:
		return nil, missing("orderNumber")
	case len(number) > 36:
		return nil, refuse(4, "[orderNumber] is longer than 36")
	}
	amount, bad := parseAmount(f.Get("amount"))
	if bad != nil {
		return nil, bad
	}
	if amount == 0 {
		return nil, refuse(4, "[amount] is malformed")
	}
	if c.acc.MinAmount > 0 && amount < c.acc.MinAmount || c.acc.MaxAmount > 0 && amount > c.acc.MaxAmount {
		return nil, errAmount
	}
	currency := cmp.Or(f.Get("currency"), c.acc.Currency)
	if _, ok := letters(currency); !ok || len(c.acc.Currencies) > 0 && !slices.Contains(c.acc.Currencies, currency) {
		return nil, refuse(3, "Unknown currency")
	}
	if bad := checkTexts(f); bad != nil {
		return nil, bad
	}
	asked, bad := askedFeatures(f["features"])
	if bad != nil {
		return nil, bad
	}
	params, bad := merchantParams(f.Get("jsonParams"))
	if bad != nil {
		return nil, bad
	}
	bought, bad := readBundle(f.Get("orderBundle"), amount)
	if bad != nil {
		return nil, bad
	}
	if login := f.Get("merchantLogin"); login != "" && login != c.acc.UserName && !slices.Contains(c.acc.Children, login) {
		return nil, errAccess
	}
	fee, bad := feeOf(f)
	if bad != nil {
		return nil, bad
	}
	phone, bad := payerPhone(f)
	if bad != nil {
		return nil, bad
	}
	ends, bad := holdDates(f, preAuth)
	if bad != nil {
		return nil, bad
	}
	now := g.now()
	expires, bad := lifetime(f, now)
	if bad != nil {
		return nil, bad
	}
	if number == "" {
		number = strconv.Itoa(11000 + g.orders.Len() + 1)
	}
	if g.byNumber(c.acc, number) != nil {
		return nil, refuse(1, "Order number is duplicated, order with given order number is processed already")
	}
	o := &order{
		ID: g.env.UUID(), Account: c.acc.UserName, Number: number, Amount: amount, Currency: currency, PreAuth: preAuth,
		Description: f.Get("description"), ReturnURL: f.Get("returnUrl"), FailURL: f.Get("failUrl"),
		CallbackURL: f.Get("dynamicCallbackUrl"), ClientID: f.Get("clientId"), BindingID: f.Get("bindingId"), Language: cmp.Or(f.Get("language"), "ru"),
		IP: f.Get("ip"), Features: asked, Params: params, Created: now, Expires: expires, Action: actionNoAttempt,
		Cart: bought, Fee: fee, Phone: phone, MerchantLogin: f.Get("merchantLogin"), CompletesAt: ends[0], ReversesAt: ends[1],
	}
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	return o, nil
}

func askedFeatures(values []string) ([]string, *fault) {
	var out []string
	for _, v := range values {
		for _, f := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
			if !slices.Contains(features, f) {
				return nil, refuse(14, "Feature ["+f+"] is not allowed")
			}
			out = append(out, f)
		}
	}
	return out, nil
}

// merchantParams reads jsonParams, a JSON object inside one form field; its members come back in merchantOrderParams.
func merchantParams(raw string) ([]param, *fault) {
	if raw == "" {
		return nil, nil
	}
	var m map[string]any
	if json.Unmarshal([]byte(raw), &m) != nil {
		return nil, refuse(4, "[jsonParams] is malformed")
	}
	var out []param
	for name, v := range m {
		p := param{Name: name}
		switch v := v.(type) {
		case string:
			p.Value = v
		case nil:
		default:
			text, err := json.Marshal(v)
			if err != nil {
				return nil, refuse(4, "[jsonParams] is malformed")
			}
			p.Value = string(text)
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b param) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// checkTexts checks the texts and addresses of a registration.
func checkTexts(f url.Values) *fault {
	for name, limit := range map[string]int{"returnUrl": 512, "failUrl": 512, "dynamicCallbackUrl": 512, "description": 598,
		"clientId": 255, "merchantLogin": 255, "postAddress": 255, "email": 100, "phone": 20} {
		if len([]rune(f.Get(name))) > limit {
			return refuse(4, "["+name+"] is longer than "+strconv.Itoa(limit))
		}
	}
	if f.Get("returnUrl") == "" {
		return missing("returnUrl")
	}
	for _, name := range []string{"returnUrl", "failUrl"} { // may be relative to the gateway's pages
		if u, err := url.Parse(f.Get(name)); err != nil || u.Scheme != "" && !sim.WebURL(f.Get(name)) {
			return refuse(4, "["+name+"] is malformed")
		}
	}
	if cb := f.Get("dynamicCallbackUrl"); cb != "" && !sim.WebURL(cb) {
		return refuse(4, "[dynamicCallbackUrl] is malformed")
	}
	return nil
}

// feeOf is what is taken on top of the amount.
func feeOf(f url.Values) (fee int64, bad *fault) {
	s := f.Get("feeInput")
	if s == "" {
		return 0, nil
	}
	if fee, bad = parseAmount(s); bad != nil || len(s) > 8 {
		return 0, refuse(4, "[feeInput] is malformed")
	}
	return fee, nil
}

// payerPhone is the payer's telephone, by itself or in orderPayerData; the blocks about the payer must be JSON.
func payerPhone(f url.Values) (string, *fault) {
	phone := f.Get("phone")
	if block := f.Get("orderPayerData"); block != "" {
		var payer struct{ MobilePhone string }
		if json.Unmarshal([]byte(block), &payer) != nil {
			return "", refuse(4, "[orderPayerData] is malformed")
		}
		phone = cmp.Or(phone, payer.MobilePhone)
	}
	if digits := strings.TrimPrefix(phone, "+"); phone != "" && (!sim.AllDigits(digits) || len(digits) < 7 || len(digits) > 15) {
		return "", refuse(4, "[phone] is malformed")
	}
	if block := f.Get("billingPayerData"); block != "" && !json.Valid([]byte(block)) {
		return "", refuse(4, "[billingPayerData] is malformed")
	}
	return phone, nil
}

// wireTime is how the gateway writes a date, in UTC.
const wireTime = "2006-01-02T15:04:05"

// holdDates reads when a hold is to be captured, and when it is to be let go, by itself.
func holdDates(f url.Values, preAuth bool) (at [2]time.Time, bad *fault) {
	for i, name := range []string{"autocompletionDate", "autoReverseDate"} {
		if f.Get(name) == "" || !preAuth {
			continue
		}
		var err error
		if at[i], err = time.Parse(wireTime, f.Get(name)); err != nil {
			return at, refuse(4, "["+name+"] is malformed")
		}
	}
	return at, nil
}

// lifetime reads expirationDate (which wins) or sessionTimeoutSecs; without either an order lives 1200 s.
func lifetime(f url.Values, now time.Time) (time.Time, *fault) {
	if d := f.Get("expirationDate"); d != "" {
		t, err := time.Parse(wireTime, d)
		if err != nil || !t.After(now) {
			return t, refuse(4, "[expirationDate] is malformed")
		}
		return t, nil
	}
	secs := int64(1200)
	if s := f.Get("sessionTimeoutSecs"); s != "" {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil || n <= 0 {
			return now, refuse(4, "[sessionTimeoutSecs] is malformed")
		}
		secs = n
	}
	return now.Add(time.Duration(secs) * time.Second), nil
}
