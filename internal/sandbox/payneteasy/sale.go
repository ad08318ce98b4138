package payneteasy

import (
	"encoding/hex"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/sim"
)

// rule is one request parameter. Lengths are characters.
type rule struct {
	name     string
	required bool
	max      int
}

var saleRules = []rule{
	{"client_orderid", true, 128}, {"order_desc", true, 65536}, {"first_name", false, 50}, {"last_name", false, 50},
	{"address1", true, 50}, {"city", true, 50}, {"state", false, 2}, {"zip_code", true, 10}, {"country", true, 2},
	{"phone", true, 15},
	{"email", true, 50}, {"amount", true, 10}, {"currency", true, 3}, {"ipaddress", true, 45}, {"redirect_url", true, 1024},
	{"server_callback_url", false, 1024}, {"notify_url", false, 1024}, {"customer_browser_accept_header", false, 2048},
	{"customer_browser_user_agent", false, 2048}, {"merchant_data", false, 65536}, {"purpose", false, 128}, {"destination", false, 128},
	{"preferred_language", false, 2},
}

var cardRules = []rule{
	{"card_printed_name", true, 128}, {"credit_card_number", true, 20}, {"expire_month", true, 2}, {"expire_year", true, 4},
	{"cvv2", true, 4},
}

func (c *call) check(rules []rule) *fault {
	for _, r := range rules {
		v := c.get(r.name)
		if v == "" && r.required {
			return missing(r.name)
		}
		if len([]rune(v)) > r.max {
			return malformed(r.name)
		}
	}
	return nil
}

// cardInput is a card as a request or the gateway's own form brings it. It lives for the length of the call.
type cardInput struct {
	pan, month, year, holder, cvv string
}

func (c *call) card() (cardInput, *fault) {
	in := cardInput{c.get("credit_card_number"), c.get("expire_month"), c.get("expire_year"), c.get("card_printed_name"),
		c.get("cvv2")}
	if bad := c.check(cardRules); bad != nil {
		return in, bad
	}
	if !sim.AllDigits(in.pan) || len(in.pan) < 12 || !sim.Luhn(in.pan) {
		return in, malformed("credit_card_number")
	}
	if m, err := strconv.Atoi(in.month); err != nil || m < 1 || m > 12 || !sim.AllDigits(in.month) {
		return in, malformed("expire_month")
	}
	if !sim.AllDigits(in.year) || len(in.year) != 2 && len(in.year) != 4 {
		return in, malformed("expire_year")
	}
	if !sim.AllDigits(in.cvv) || len(in.cvv) < 3 {
		return in, malformed("cvv2")
	}
	if len(in.year) == 2 {
		in.year = "20" + in.year
	}
	if len(in.month) == 1 {
		in.month = "0" + in.month
	}
	return in, nil
}

// money reads amount and currency; an amount the currency cannot express is refused.
func (c *call) money() (int64, string, *fault) {
	currency := c.get("currency")
	if len(currency) != 3 || amount.Digits(currency) == "" || amount.Letters(currency) != currency {
		return 0, "", malformed("currency")
	}
	sum, err := parseAmount(c.get("amount"))
	if err != nil || sum == 0 || amount.Exponent(currency) == 0 && sum%100 != 0 {
		return 0, "", malformed("amount")
	}
	return sum, currency, nil
}

// start makes an order: with a card at once (sale, preauth), without one on the gateway's form (sale-form, preauth-form).
func (g *Gateway) start(c *call, typ string, withCard bool) (*reply, *fault) {
	// The control covers what was sent, so an unreadable amount makes it fail before its own refusal could.
	sent, err := parseAmount(c.get("amount"))
	if c.get("control") == "" && !c.oauth {
		return nil, missing("control")
	}
	if err == nil && !c.oauth && !sameControl(c.get("control"), control(c.endpoint, c.client, strconv.FormatInt(sent, 10), c.get("email"),
		c.acc.Control)) {
		return nil, errControl
	}
	if bad := c.check(saleRules); bad != nil {
		return nil, bad
	}
	if slices.Contains([]string{"US", "CA", "AU"}, c.get("country")) && c.get("state") == "" {
		return nil, missing("state")
	}
	if net.ParseIP(c.get("ipaddress")) == nil {
		return nil, malformed("ipaddress")
	}
	if v := c.get("birthday"); v != "" && (len(v) != 8 || !sim.AllDigits(v)) {
		return nil, malformed("birthday")
	}
	if len(c.get("country")) != 2 {
		return nil, malformed("country")
	}
	if !strings.Contains(c.get("email"), "@") {
		return nil, malformed("email")
	}
	for _, name := range []string{"redirect_url", "server_callback_url", "notify_url"} {
		if v := c.get(name); v != "" && !sim.WebURL(v) {
			return nil, malformed(name)
		}
	}
	if c.get("customer_browser_info") == "true" {
		if _, bad := c.browserOf(true); bad != nil {
			return nil, bad
		}
	}
	sum, currency, bad := c.money()
	if bad != nil {
		return nil, bad
	}
	var in cardInput
	if withCard {
		if in, bad = c.card(); bad != nil {
			return nil, bad
		}
	}
	o, bad := g.newOrder(c, typ, sum, currency)
	if bad != nil {
		return nil, bad
	}
	if o.again {
		return g.started(o, withCard, c.endpoint), nil
	}
	if withCard {
		o.setCard(in)
		o.Hide = c.acc.SaleProcessing
		if bad := g.pay(c.acc, o, in, false, false); bad != nil {
			return nil, bad
		}
		return g.started(o, withCard, c.endpoint), nil
	}
	o.wait(stepForm, g.now())
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	return g.started(o, withCard, c.endpoint), nil
}

// started answers a call that began an order.
func (g *Gateway) started(o *order, withCard bool, endpoint string) *reply {
	if withCard {
		return g.async(o, o.Serial).add("end-point-id", endpoint)
	}
	r := newReply("async-form-response").add("serial-number", o.Serial).add("merchant-order-id", o.Client).
		add("paynet-order-id", o.ID)
	return r.add("redirect-url", g.url("/form/init/"+o.Token))
}

// newOrder is in memory only; the caller saves it with what becomes of it. A client_orderid is taken once for ever. Whether the real
// gateway refuses it or answers as it did the first time is not published: the account chooses (order.again).
func (g *Gateway) newOrder(c *call, typ string, sum int64, currency string) (*order, *fault) {
	if id, ok := g.clients[[2]string{c.acc.Login, c.client}]; ok {
		c.order = id
		if first := g.open(id); c.acc.SameAnswer && first != nil && first.Type == typ && first.Amount == sum && first.Currency == currency {
			first.again = true
			return first, nil
		}
		return nil, errTwice
	}
	return &order{
		ID: strconv.FormatInt(g.lastID+1, 10), Login: c.acc.Login, Endpoint: c.endpoint, Client: c.client, Type: typ, Amount: sum,
		Currency: currency,
		Desc:     c.get("order_desc"), Email: c.get("email"), Phone: c.get("phone"), First: c.get("first_name"),
		Last:        c.get("last_name"),
		RedirectURL: c.get("redirect_url"), CallbackURL: c.get("server_callback_url"), NotifyURL: c.get("notify_url"),
		Data: c.get("merchant_data"), Birthday: c.get("birthday"), Purpose: c.get("purpose"), Destination: c.get("destination"),
		Language: c.get("preferred_language"),
		Token:    hex.EncodeToString(g.env.Random(16)), Created: g.now(), Status: processing, Stage: typ + "_processing",
		Serial: g.serial(),
	}, nil
}

func (o *order) setCard(in cardInput) {
	o.Bin, o.Last4, o.Holder, o.Month, o.Year, o.CardType = in.pan[:6], in.pan[len(in.pan)-4:], in.holder, in.month, in.year,
		cardType(in.pan)
}

// wait sets the step. Behind the gateway's own page every step of 3-D Secure is that page, for as long as it was given.
func (o *order) wait(step string, since time.Time) {
	if o.Paged && o.Step == stepPage && (step == stepCReq || step == stepPaReq) {
		return
	}
	o.Step, o.StepSince = step, since
	if step != stepForm {
		o.Stage = o.Type + "_3d_validating"
	}
}
