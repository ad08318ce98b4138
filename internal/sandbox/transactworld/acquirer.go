package transactworld

import (
	"strconv"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

// acquirer authenticates payers, asks the issuer for the money, and captures, reverses and refunds it.
type acquirer struct{ books }

// open returns a copy of the payment to work on, after what time has done to it. Nil if there is none.
func (g *acquirer) open(id string) *payment {
	p := g.payments.Get(id)
	if p != nil && p.waiting() && g.now().Sub(p.Since) >= stepLife {
		if bad := g.fail(g.accountOf(p), p, "", "", "Customer authentication timed out"); bad != nil {
			g.env.Log.Error("payment not ended", "gateway", gatewayName, "err", bad)
		}
	}
	return p
}

// inquiryAnswer answers an inquiry; it is what lets a pending operation go on.
func (g *acquirer) inquiryAnswer(c *call, p *payment) (object, *fault) {
	c.logReference(p.Reference)
	if p.Op != nil {
		p.Op.Left--
		bad := g.save(p)
		if p.Op.Left < 0 {
			bad = g.settle(c.a, p)
		}
		if bad != nil {
			return nil, bad
		}
	}
	o := g.paymentObject(c.a, p)
	if p.Captured > 0 {
		o = o.With("captureamount", c.a.number(formatAmount(p.Captured)))
	}
	if p.Refunded > 0 {
		o = o.With("refundamount", c.a.number(formatAmount(p.Refunded)))
	}
	if p.Disputed > 0 {
		o = o.With("chargebackamount", c.a.number(formatAmount(p.Disputed)))
	}
	return o.With("result", result("00026", "Record found").Opt("bankCode", p.BankCode).Opt("bankDescription", p.BankText)), nil
}

// operate writes the request down and does it, at once or when enough inquiries have passed.
func (g *acquirer) operate(c *call, p *payment, typ, started string, sum int64) (object, *fault) {
	p.Op = &operation{Type: typ, Amount: sum, Left: c.a.PendingOps}
	p.Status = started
	var bad *fault
	if c.a.PendingOps > 0 {
		bad = g.save(p)
	} else {
		bad = g.settle(c.a, p)
	}
	if bad != nil {
		return nil, bad
	}
	code, text := "00007", "Accepted"
	switch p.Status {
	case captureSuccess:
		code, text = "00004", "Transaction captured successfully"
	case cancelled, authSuccessful:
		code, text = "00005", "Transaction cancelled successfully"
	case reversed:
		code, text = "00006", "Transaction refunded successfully"
	case payoutDone:
		code, text = "00040", "Payout Successful"
	}
	return g.paymentObject(c.a, p).With("result", result(code, text)), nil
}

// settle does what was accepted.
func (g *acquirer) settle(a *Account, p *payment) *fault {
	op := *p.Op
	p.Op = nil
	switch op.Type {
	case "CP":
		p.Status, p.Captured = captureSuccess, op.Amount
	case "RV":
		p.Held -= op.Amount
		p.Status, p.Released = authSuccessful, true
		if p.Held == 0 {
			p.Status = cancelled
		}
	case "RF":
		p.Status, p.Refunded = reversed, op.Amount
	case "PO":
		p.Status, p.PaidOut = payoutDone, op.Amount
	}
	if bad := g.save(p); bad != nil {
		return bad
	}
	g.notify(a, p)
	return nil
}

// begin reads what payments, paywithtoken and payout share and makes a payment of it, in memory only.
func (g *acquirer) begin(c *call, typ string) (*payment, *fault) {
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
		ID: strconv.FormatInt(g.lastPayment+1, 10), Member: c.a.MemberID, Reference: reference, Type: typ, Amount: sum,
		Currency: c.get("currency"),
		Brand:    c.get("paymentBrand"), Mode: c.get("paymentMode"), Terminal: c.get("authentication.terminalId"),
		TmplAmount: c.get("tmpl_amount"), TmplCurrency: c.get("tmpl_currency"),
		Descriptor: c.get("orderDescriptor"), First: c.get("customer.givenName"), Last: c.get("customer.surname"),
		Email:    c.get("customer.email"),
		Customer: c.get("customer.customerId"), RedirectURL: c.get("merchantRedirectUrl"), NotifyURL: c.get("notificationUrl"),
		Token:   g.random(32),
		Created: g.now(), Recurring: c.get("recurringType"), Register: c.get("createRegistration") == "true",
	}
	if p.Terminal == "" {
		p.Terminal = c.a.TerminalID
	}
	return p, nil
}

// repeat is POST /payments/{id} with recurringType=REPEATED: once more the card of the INITIAL payment.
func (g *acquirer) repeat(c *call, first *payment) (object, *fault) {
	c.money = true
	c.logReference(c.get("merchantTransactionId"))
	if bad := c.signed(c.a.MemberID, c.a.SecureKey, first.ID, c.get("amount")); bad != nil {
		return nil, bad
	}
	typ, bad := paymentType(c)
	if bad != nil {
		return nil, bad
	}
	if first.Recurring != "INITIAL" || first.Charges == 0 {
		return nil, errSeries
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
func (g *acquirer) stored(c *call, p *payment, in cardInput, mask string) (object, *fault) {
	card, ok := issuer.Named(mask)
	if !ok {
		return nil, errSystem
	}
	in.pan, in.cvv = card.PAN, c.get("card.cvv")
	attempt := c.get("attemptThreeD")
	switch {
	case p.Recurring == "REPEATED":
		in.cvv, attempt = "123", "direct"
	case p.Recurring == "INITIAL" && in.cvv == "": // the registration was made with it
		in.cvv = "123"
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
func (g *acquirer) charge(a *Account, p *payment, in cardInput, attempt string) *fault {
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
func (g *acquirer) beginVer1(a *Account, p *payment, card issuer.Card) *fault {
	p.XID = g.env.Issuer.NewXID()
	var err error
	p.ACSURL, p.PaReq, err = g.env.Issuer.PaReq(card, issuer.Purchase{
		XID: p.XID, MerchantName: issuer.ShopName, Amount: amount.FromHundredths(p.Amount, p.Currency), Currency: p.Currency,
		Exponent: amount.Exponent(p.Currency),
	})
	if err != nil {
		g.env.Log.Error("PaReq not made", "gateway", gatewayName, "err", err)
		return errSystem
	}
	return nil
}

// takePaRes verifies what the bank answered and that it answers this payment; anything else changes nothing.
func (g *acquirer) takePaRes(a *Account, p *payment, paRes string) *fault {
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
func (g *acquirer) authorize(a *Account, p *payment, card issuer.Card) *fault {
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
	p.Held, p.BankRef, p.Code, p.Text, p.Remark = p.Amount, digitsOf(g.random(6)), "00001", "Transaction succeeded",
		"Transaction Successful"
	p.BankCode, p.BankText, p.ACSURL, p.PaReq = "00", "Approved", "", ""
	p.Status = authSuccessful
	if p.Type == "DB" {
		p.Status, p.Captured = captureSuccess, p.Amount
	}
	if p.Register && p.Registration == "" {
		p.Registration = g.random(32)
		reg := &registration{ID: p.Registration, Member: p.Member, Customer: p.Customer, Card: p.Card, Bin: p.Bin, Last4: p.Last4,
			Month: p.Month, Year: p.Year, Brand: p.Brand}
		if bad := g.saveRegistration(reg); bad != nil {
			return bad
		}
	}
	if reg := g.registrations.Get(p.Registration); reg != nil && p.Recurring == "INITIAL" && reg.Initial == "" {
		reg.Initial = p.ID
		if bad := g.saveRegistration(reg); bad != nil {
			return bad
		}
	}
	if bad := g.save(p); bad != nil {
		return bad
	}
	g.notify(a, p)
	return nil
}

func (g *acquirer) fail(a *Account, p *payment, bankCode, bankText, remark string) *fault {
	p.Status, p.Code, p.Text, p.BankCode, p.BankText, p.Remark = authFailed, "10001", "Transaction failed", bankCode, bankText,
		remark
	p.ACSURL, p.PaReq = "", ""
	if bad := g.save(p); bad != nil {
		return bad
	}
	g.notify(a, p)
	return nil
}

// answer is a payment as payments, the notification and the inquiry show it; status and sums as they are now.
func (g *acquirer) answer(a *Account, p *payment) object {
	o := g.paymentObject(a, p).With("result", g.resultOf(p))
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
