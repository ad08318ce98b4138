package cashier

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

// qrData registers a QR code of the fast payment system. An order that has one shows it again.
func (g *Gateway) qrData(c *call) (reply, *fault) {
	o, bad := g.orderOf(c)
	switch {
	case bad != nil:
		return reply{}, bad
	case o.Type != typeIn:
		return reply{}, errType
	case o.Status != created && o.Status != qrCreated:
		return reply{}, errState
	}
	if o.QRC == "" {
		o.QRC = "AD10" + strings.ToUpper(hex.EncodeToString(g.env.Random(14)))
		base := c.acc.QRBase
		if base == "" {
			base = g.url("/sandbox/pay/")
		}
		o.Payload = base + o.QRC
		o.set(qrCreated)
	}
	c.o = o
	return ok(body{}.With("success", true).With("description", "").
		With("order", o.view().With("qrcId", o.QRC).With("payload", o.Payload))), nil
}

// publicQR is qrcData by the shop's code in place of a token.
func (g *Gateway) publicQR(c *call) (reply, *fault) {
	o, bad := g.orderOf(c)
	if bad != nil {
		return reply{}, bad
	}
	a := g.accountOf(o)
	if a.TSPs[o.TSP] != c.r.PathValue("tspCode") {
		return reply{}, errNoOrder
	}
	c.acc = a
	return g.qrData(c)
}

// sberPay asks the customer's bank app to confirm, by a push to the phone and by the deep link of the answer.
func (g *Gateway) sberPay(c *call) (reply, *fault) {
	o, bad := g.orderOf(c)
	phone := strings.TrimPrefix(c.in.text("phoneNumber"), "+")
	back := c.in.text("BackUrl")
	if back == "" {
		back = c.in.text("deepLink") // the document's sample calls it so
	}
	switch {
	case bad != nil:
		return reply{}, bad
	case o.Type != typeIn:
		return reply{}, errType
	case o.Status != created:
		return reply{}, errState
	case phone != "" && (!sim.AllDigits(phone) || len(phone) != 11):
		return reply{}, malformed("phoneNumber")
	}
	o.SberToken = hex.EncodeToString(g.env.Random(16))
	if sim.WebURL(back) {
		o.BackURL = back
	}
	o.set(inProcess)
	c.o = o
	return ok(body{}.With("succes", true).With("description", ""). // the document's own spelling
									With("order", o.view().With("deepLink", g.url("/sandbox/sberpay/"+o.SberToken)))), nil
}

func quote(s string) json.RawMessage {
	raw, err := json.Marshal(s)
	if err != nil {
		return json.RawMessage(`""`)
	}
	return raw
}

var bankList = []struct{ id, name string }{
	{"100000000001", "Sandbox Bank"}, {"100000000004", "Second Sandbox Bank"}, {"100000000111", "Sandbox Savings Bank"},
}

// banks is the list of banks for payouts.
func (g *Gateway) banks(*call) (reply, *fault) {
	list := []body{}
	for _, b := range bankList {
		list = append(list, body{}.With("bankId", b.id).With("bankName", b.name))
	}
	return ok(body{}.With("BankList", list)), nil
}

// payoutIPS sends money to a phone at a bank. The phone 79000000000 is nobody's.
func (g *Gateway) payoutIPS(c *call) (reply, *fault) {
	phone, bank := c.in.text("accountNumber"), c.in.text("bankId")
	known := false
	for _, b := range bankList {
		known = known || b.id == bank
	}
	o, bad := g.payoutOrder(c)
	switch {
	case bad != nil:
		return reply{}, bad
	case phone == "":
		return reply{}, missing("accountNumber")
	case !sim.AllDigits(phone) || len(phone) < 10 || len(phone) > 15:
		return reply{}, malformed("accountNumber")
	case bank == "":
		return reply{}, missing("bankId")
	case !known:
		return reply{}, malformed("bankId")
	}
	o.Recipient = phone[:4] + strings.Repeat("*", len(phone)-6) + phone[len(phone)-2:]
	if phone == "79000000000" {
		g.decline(o, "RECIPIENT_NOT_FOUND", "Recipient is not found")
	} else {
		o.settleAfter(payoutProgress, paid, g.accountOf(o).Processing)
	}
	c.o = o
	return ok(o.answer()), nil
}

// payoutCard sends money to a card. It is IN_PROCESS first, always.
func (g *Gateway) payoutCard(c *call) (reply, *fault) {
	pan := c.in.text("pan")
	o, bad := g.payoutOrder(c)
	switch {
	case bad != nil:
		return reply{}, bad
	case pan == "":
		return reply{}, missing("pan")
	case !sim.AllDigits(pan) || len(pan) < 12 || len(pan) > 19 || !sim.Luhn(pan):
		return reply{}, malformed("pan")
	}
	o.Recipient = pan[:6] + strings.Repeat("*", len(pan)-10) + pan[len(pan)-4:]
	then := paid
	if card, listed := issuer.Named(o.Recipient); !listed || card.Bank != "" || card.PAN != pan {
		then = declined
		o.ErrCode, o.ErrText = "PAYOUT_FAILED", "The recipient's bank refused"
	}
	o.settleAfter(inProcess, then, g.accountOf(o).Processing)
	c.o = o
	return ok(o.answer()), nil
}

func (g *Gateway) payoutOrder(c *call) (*order, *fault) {
	o, bad := g.orderOf(c)
	switch {
	case bad != nil:
		return nil, bad
	case o.Type != typeOut:
		return nil, refuse(http.StatusBadRequest, "TYPE_ERROR", "order must have the type PayOut")
	case o.Status != created:
		return nil, errState
	}
	return o, nil
}
