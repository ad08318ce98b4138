package transactworld

import (
	"strconv"
	"strings"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/issuer"
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
var brands = map[string]bool{"VISA": true, "MC": true, "MASTER CARD": true, "MAESTRO": true, "AMEX": true, "JCB": true, "CUP": true, "DINER": true, "DISC": true}

// begin reads what payments, paywithtoken and payout share and makes a payment of it, in memory only.
func (g *Gateway) begin(c *call, typ string) (*payment, *fault) {
	reference := c.get("merchantTransactionId")
	if id, ok := g.references[[2]string{c.a.MemberID, reference}]; ok && reference != "" {
		return nil, &fault{code: "20003", text: "merchantTransactionId already exists", id: id}
	}
	if len([]rune(reference)) > 100 {
		return nil, malformed("merchantTransactionId")
	}
	if t := c.get("authentication.terminalId"); t != "" && c.a.TerminalID != "" && t != c.a.TerminalID {
		return nil, malformed("authentication.terminalId")
	}
	sum, ok := parseAmount(c.get("amount"))
	if !ok || sum == 0 {
		return nil, malformed("amount")
	}
	p := &payment{
		ID: strconv.FormatInt(g.lastPayment+1, 10), Member: c.a.MemberID, Reference: reference, Type: typ, Amount: sum, Currency: c.get("currency"),
		Brand: c.get("paymentBrand"), Mode: c.get("paymentMode"), Terminal: c.get("authentication.terminalId"), TmplAmount: c.get("tmpl_amount"), TmplCurrency: c.get("tmpl_currency"),
		Descriptor: c.get("orderDescriptor"), First: c.get("customer.givenName"), Last: c.get("customer.surname"), Email: c.get("customer.email"),
		Customer: c.get("customer.customerId"), RedirectURL: c.get("merchantRedirectUrl"), NotifyURL: c.get("notificationUrl"), Token: g.random(32),
		Created: g.now(), Recurring: c.get("recurringType"), Register: c.get("createRegistration") == "true",
	}
	if p.Terminal == "" {
		p.Terminal = c.a.TerminalID
	}
	return p, nil
}

// check refuses what is malformed in a payment.
func (c *call) check(p *payment) *fault {
	if amount.Digits(p.Currency) == "" || amount.Letters(p.Currency) != p.Currency {
		return malformed("currency")
	}
	if amount.Exponent(p.Currency) == 0 && p.Amount%100 != 0 {
		return malformed("amount")
	}
	for name, max := range map[string]int{"orderDescriptor": 255, "customer.givenName": 50, "customer.surname": 50, "customer.email": 100, "shipping.city": 50, "shipping.street1": 150} {
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
		for _, name := range []string{"customer.email", "customer.phone", "shipping.country", "shipping.city", "shipping.postcode", "shipping.street1"} {
			if c.get(name) == "" {
				return missing(name)
			}
		}
	}
	switch p.Recurring {
	case "", "INITIAL", "REPEATED":
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
	c.named(c.get("merchantTransactionId"))
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
	c.named(c.get("merchantTransactionId"))
	id := c.r.PathValue("id")
	if bad := c.signed(c.a.MemberID, c.a.SecureKey, id, c.get("amount")); bad != nil {
		return nil, bad
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
	p.Brand, p.Mode, p.Registration, p.Register = reg.Brand, "CC", reg.ID, false
	return g.stored(c, p, cardInput{month: reg.Month, year: reg.Year}, reg.Card)
}

// repeat is POST /payments/{id} with recurringType=REPEATED: once more the card of the INITIAL payment.
func (g *Gateway) repeat(c *call, first *payment) (object, *fault) {
	c.money = true
	c.named(c.get("merchantTransactionId"))
	if bad := c.signed(c.a.MemberID, c.a.SecureKey, first.ID, c.get("amount")); bad != nil {
		return nil, bad
	}
	typ, bad := paymentType(c)
	if bad != nil {
		return nil, bad
	}
	if first.Recurring != "INITIAL" || first.Charges == 0 {
		return nil, errState
	}
	p, bad := g.begin(c, typ)
	if bad != nil {
		return nil, bad
	}
	if bad := c.check(p); bad != nil {
		return nil, bad
	}
	p.Brand, p.Mode = first.Brand, first.Mode
	return g.stored(c, p, cardInput{month: first.Month, year: first.Year}, first.Card)
}

// stored pays with a card that the gateway has.
func (g *Gateway) stored(c *call, p *payment, in cardInput, mask string) (object, *fault) {
	card, ok := issuer.Named(mask)
	if !ok {
		return nil, errSystem
	}
	in.pan, in.cvv = card.PAN, c.get("card.cvv")
	attempt := c.get("attemptThreeD")
	switch {
	case p.Recurring == "REPEATED":
		in.cvv, attempt = "123", "direct"
	case in.cvv == "" && !c.a.TokenWithoutCVV:
		return nil, missing("card.cvv")
	case in.cvv == "":
		in.cvv = "123"
	}
	if bad := g.charge(c.a, p, in, attempt); bad != nil {
		return nil, bad
	}
	return g.answer(c.a, p), nil
}

// charge begins the payment with a card; what comes of it stands in the package comment.
func (g *Gateway) charge(a *Account, p *payment, in cardInput, attempt string) *fault {
	card, listed := issuer.Find(in.pan)
	p.Card, p.Bin, p.Last4, p.Month, p.Year = card.Masked(), in.pan[:6], in.pan[len(in.pan)-4:], in.month, in.year
	enrolled := card.Protocol == "1.0.2" || card.ARes == "C"
	switch {
	case in.cvv != "123":
		return g.fail(a, p, "N7", "CVV2 mismatch", "Wrong CVV")
	case !listed:
		return g.fail(a, p, "14", "Invalid card number", "Card is not one of the test cards")
	case in.year+in.month < g.now().Format("200601"):
		return g.fail(a, p, "54", "Expired card", "Expired card")
	case attempt == "direct" || !enrolled && attempt != "only3D":
		return g.authorize(a, p, card)
	case !enrolled:
		return g.fail(a, p, "", "", "Card is not enrolled in 3-D Secure")
	case !sim.WebURL(p.RedirectURL):
		return missing("merchantRedirectUrl")
	case card.HTML:
		p.Status, p.Code, p.Text, p.Since = authStarted, "00100", "Redirect the customer", g.now()
		return g.save(p)
	}
	if bad := g.beginVer1(a, p, card); bad != nil {
		return bad
	}
	p.Status, p.Code, p.Text, p.Since = auth3D, "00100", "Redirect the customer", g.now()
	return g.save(p)
}

// beginVer1 opens 3DS 1.0.2; the caller saves.
func (g *Gateway) beginVer1(a *Account, p *payment, card issuer.Card) *fault {
	p.XID = g.env.Issuer.NewXID()
	var err error
	p.ACSURL, p.PaReq, err = g.env.Issuer.PaReq(card, issuer.Purchase{
		XID: p.XID, MerchantName: a.Username, Amount: amount.FromHundredths(p.Amount, p.Currency), Currency: p.Currency, Exponent: amount.Exponent(p.Currency),
	})
	if err != nil {
		g.env.Log.Error("PaReq not made", "gateway", gatewayName, "err", err)
		return errSystem
	}
	return nil
}

// takePaRes verifies what the bank answered and that it answers this payment; anything else changes nothing.
func (g *Gateway) takePaRes(a *Account, p *payment, paRes string) *fault {
	res, err := g.env.Issuer.CheckPaRes(paRes)
	if err != nil || res.XID != p.XID {
		return malformed("PaRes")
	}
	p.ECI = res.ECI
	card, ok := issuer.Named(p.Card)
	switch {
	case !ok:
		return errSystem
	case res.Status == "Y" || res.Status == "A":
		return g.authorize(a, p, card)
	}
	return g.fail(a, p, "", "", "3-D Secure authentication failed")
}

// authorize asks the bank for the money. It is the only place that takes any, and only once for a payment.
func (g *Gateway) authorize(a *Account, p *payment, card issuer.Card) *fault {
	if p.Charges > 0 {
		return errState
	}
	switch card.Bank {
	case issuer.DeclineFunds:
		return g.fail(a, p, "51", "Insufficient funds", "Insufficient funds")
	case issuer.DeclineHonor:
		return g.fail(a, p, "05", "Do not honor", "Do not honor")
	}
	p.Charges++
	p.Held, p.BankRef, p.Code, p.Text, p.Remark = p.Amount, digitsOf(g.random(6)), "00001", "Transaction succeeded", "Transaction Successful"
	p.BankCode, p.BankText, p.ACSURL, p.PaReq = "00", "Approved", "", ""
	p.Status = authSuccessful
	if p.Type == "DB" {
		p.Status, p.Captured = captureSuccess, p.Amount
	}
	if p.Register && p.Registration == "" {
		reg := &registration{g.random(32), p.Member, p.Customer, p.Card, p.Bin, p.Last4, p.Month, p.Year, p.Brand, false}
		if bad := g.saveRegistration(reg); bad != nil {
			return bad
		}
		p.Registration = reg.ID
	}
	if bad := g.save(p); bad != nil {
		return bad
	}
	g.notify(a, p)
	return nil
}

// digitsOf turns random characters into digits.
func digitsOf(s string) string {
	out := []byte(s)
	for i, c := range out {
		out[i] = '0' + c%10
	}
	return string(out)
}

func (g *Gateway) fail(a *Account, p *payment, bankCode, bankText, remark string) *fault {
	p.Status, p.Code, p.Text, p.BankCode, p.BankText, p.Remark = authFailed, "10001", "Transaction failed", bankCode, bankText, remark
	p.ACSURL, p.PaReq = "", ""
	if bad := g.save(p); bad != nil {
		return bad
	}
	g.notify(a, p)
	return nil
}

// answer is a payment as payments, the notification and the inquiry show it; status and sums as they are now.
func (g *Gateway) answer(a *Account, p *payment) object {
	o := g.about(a, p).With("result", g.resultOf(p))
	if !p.waiting() {
		return o
	}
	if p.Status == authStarted {
		return o.With("redirect", object{}.With("url", g.url("/pay/"+p.Token)).With("method", "GET"))
	}
	return o.With("redirect", object{}.With("url", p.ACSURL).With("method", "POST").With("parameters", []object{
		pair("PaReq", p.PaReq), pair("MD", p.ID), pair("TermUrl", g.url("/3ds/"+p.Token)),
	}))
}

func pair(name, value string) object { return object{}.With("name", name).With("value", value) }

func (g *Gateway) resultOf(p *payment) object {
	return result(p.Code, p.Text).Opt("bankCode", p.BankCode).Opt("bankDescription", p.BankText)
}

// about is everything but the result, whose code depends on who asked what.
func (g *Gateway) about(a *Account, p *payment) object {
	o := object{}.With("paymentId", a.number(p.ID)).With("status", p.Status).With("transactionStatus", short[p.Status]).
		With("paymentBrand", p.Brand).With("paymentMode", p.Mode).With("paymentType", p.Type).With("firstName", p.First).With("lastName", p.Last).
		With("amount", a.number(formatAmount(p.Amount))).With("currency", p.Currency).Opt("tmpl_amount", p.TmplAmount).Opt("tmpl_currency", p.TmplCurrency).
		With("descriptor", p.Descriptor).With("merchantTransactionId", p.Reference).With("remark", p.Remark).
		Opt("registrationId", p.Registration).Opt("token", p.Registration).Opt("recurringType", p.Recurring)
	o = o.With("card", object{}.With("bin", p.Bin).With("lastFourDigits", p.Last4).With("last4Digits", p.Last4).With("expiryMonth", p.Month).With("expiryYear", p.Year))
	o = o.With("customer", object{}.With("email", p.Email).With("id", p.Customer))
	return o.With("eci", p.ECI).With("bankReferenceId", p.BankRef).With("terminalId", p.Terminal).With("timestamp", g.stamp()).
		With("checksum", checksum(p.ID, p.Reference, formatAmount(p.Amount), short[p.Status], a.SecureKey))
}
