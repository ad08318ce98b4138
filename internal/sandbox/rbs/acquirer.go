package rbs

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"time"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

// acquirer authenticates the payers of orders, asks the issuer for the money, and moves orders on with time.
type acquirer struct{ books }

// open returns a copy of the order to work on, after what time has done to it. Nil if there is none.
func (g *acquirer) open(id string) *order {
	o := g.orders.Get(id)
	if o != nil {
		g.applyElapsed(o)
	}
	return o
}

func (g *acquirer) byNumber(a *Account, number string) *order {
	return g.open(g.numbers[[2]string{a.UserName, number}])
}

// orderOf finds the order that the call names: by orderId, or by orderNumber where that alone came.
func (g *acquirer) orderOf(c *call) (*order, *fault) {
	id, number := c.form.Get("orderId"), c.form.Get("orderNumber")
	var o *order
	switch {
	case id != "":
		o = g.open(id)
	case number != "":
		o = g.byNumber(c.acc, number)
	default:
		return nil, missing("orderId")
	}
	return g.checkOwner(c, o)
}

// shopURL is where the shopper is sent, as the order stands now.
func (g *acquirer) shopURL(o *order) string {
	if g.outcome(o).Get("error") != nil {
		return g.absoluteURL(o, o.failURL())
	}
	return g.absoluteURL(o, o.ReturnURL)
}

// payable says whether a new attempt may begin.
func (g *acquirer) payable(a *Account, o *order) *fault {
	switch {
	case o.Status == statusDeclined && o.Attempts >= a.Attempts:
		return errAttempts
	case o.Status == statusDeclined && !g.now().Before(o.Expires):
		return errExpired
	case o.Status == statusACS || o.Status == statusPending || o.Status == statusRegistered && o.Try != nil &&
		o.Try.Step != stepNone:
		return errLocked
	case o.Status != statusRegistered:
		return errState
	}
	return nil
}

// start runs a new attempt as far as it gets without the shopper. noTDS authorises without 3-D Secure.
func (g *acquirer) start(a *Account, o *order, pan, cvc string, noTDS bool) (body, *fault) {
	o.Attempts++
	card, listed := issuer.Find(pan)
	o.Try.Card = card.Masked()
	noTDS = noTDS || g.sslCards[[2]string{o.Account, o.Try.Card}]
	switch {
	case !listed:
		return g.refused(a, o, actionBadPAN)
	case o.Try.Expiry < g.now().Format("200601"):
		return g.refused(a, o, actionExpiredCard)
	case cvc != goodCVC:
		return g.refused(a, o, actionWrongCVC)
	case noTDS || card.Protocol == "":
		return g.authorize(a, o, card)
	case card.Protocol == "1.0.2":
		return g.startVer1(a, o, card)
	}
	if bad := g.begin(a, o, card, false); bad != nil {
		return nil, bad
	}
	return g.methodAnswer(a, o), nil
}

// begin opens an EMV 3DS authentication: the order waits for the Method frames.
func (g *acquirer) begin(a *Account, o *order, card issuer.Card, mandate bool) *fault {
	auth, err := g.env.Issuer.Begin(card, mandate)
	if err != nil {
		g.env.Log.Error("authentication not begun", "gateway", gatewayName, "err", err)
		return errSystem
	}
	t := o.Try
	t.TransID, t.Version, t.MethodURL, t.MethodDone = auth.ServerTransID, auth.Version, auth.MethodURL, false
	t.Step, t.SecondRound = stepMethod, mandate
	if mandate {
		t.Step = stepSoft
	}
	return g.save(o)
}

func (g *acquirer) methodAnswer(a *Account, o *order) body {
	t := o.Try
	gather := g.url("/3dsserver/api/v1/client/gather?threeDSServerTransID=" + t.TransID)
	if a.SchemelessServer {
		_, gather, _ = strings.Cut(gather, "://")
	}
	b := body{}.With("errorCode", 0).With("is3DSVer2", true).With("threeDSServerTransId", t.TransID).
		Opt("threeDSMethodURL", t.MethodURL).
		With("threeDSMethodURLServer", gather)
	if t.MethodURL != "" {
		notification := t.NotificationURL
		if notification == "" {
			notification = g.url("/3dsserver/api/v1/acs/notification?threeDSServerTransID=" + t.TransID)
		}
		raw, _ := body{}.With("threeDSMethodNotificationURL", notification).With("threeDSServerTransID", t.TransID).MarshalJSON()
		b = b.With("threeDSMethodDataPacked", base64.RawURLEncoding.EncodeToString(raw))
	}
	return b
}

// secondRound is the payment call repeated after a soft decline: same card, new threeDSServerTransId.
func (g *acquirer) secondRound(a *Account, o *order, in cardInput, trans, finish string) (body, *fault) {
	switch {
	case !o.unpaid() || o.Try == nil || o.Try.Step != stepSoft:
		return nil, errState
	case o.Try.TransID != trans:
		return nil, refuse(5, "[threeDSServerTransId] is unknown")
	case o.Try.Masked != maskPAN(in.pan) || o.Try.Expiry != in.expiry:
		return nil, refuse(5, "The card differs from the one that is being paid with")
	}
	if finish != "" {
		o.Try.FinishURL = finish
	}
	return g.authenticate(a, o)
}

// compInd is the gateway's own business: it knows its notification address and, through the bank, whether the
// Method page was opened and does answer; the shop's notification address it cannot see.
func (g *acquirer) compInd(t *attempt, card issuer.Card) string {
	if t.MethodURL == "" {
		return "U"
	}
	if t.MethodDone {
		return "Y"
	}
	seen, ok := g.env.Issuer.MethodSeen(t.TransID)
	if !ok || card.Method == "silent" || card.Method == "late" && g.now().Sub(seen) < 12*time.Second {
		return "N"
	}
	return "Y"
}

func (g *acquirer) authenticate(a *Account, o *order) (body, *fault) {
	t := o.Try
	card, ok := issuer.Named(t.Card)
	if !ok {
		return nil, errSystem
	}
	back := t.FinishURL
	if back == "" {
		back = g.url("/3dsserver/api/v1/acs/return/" + t.TransID)
	}
	ares, err := g.env.Issuer.Authenticate(issuer.AReq{
		ServerTransID: t.TransID, CompInd: g.compInd(t, card), NotificationURL: back, Amount: o.Amount, Currency: o.iso(),
	})
	if err != nil {
		g.env.Log.Error("AReq refused", "gateway", gatewayName, "err", err)
		return g.refused(a, o, actionUnavailable)
	}
	if ares.Timeout {
		return g.refused(a, o, actionDSTimeout)
	}
	t.ARes, t.ECI, t.CAVV = ares.TransStatus, ares.ECI, ares.AuthenticationValue
	switch ares.TransStatus {
	case "C":
		t.Step, t.ACSURL, t.PackedCReq = stepChallenge, ares.ACSURL, ares.CReq
		o.Status = statusACS
		if bad := g.save(o); bad != nil {
			return nil, bad
		}
		return challengeAnswer(o), nil
	case "D":
		t.Step, o.Status, o.Action = stepDecoupled, statusPending, actionPending
		if bad := g.save(o); bad != nil {
			return nil, bad
		}
		return g.finished(o), nil
	case "Y":
		if card.Soft() && !t.SecondRound && !a.HardSoftDecline {
			o.Action = actionSoftDecline
			if bad := g.begin(a, o, card, true); bad != nil {
				return nil, bad
			}
			return g.methodAnswer(a, o), nil
		}
		if card.Soft() && !t.SecondRound {
			return g.refused(a, o, actionSoftDecline)
		}
	}
	return g.verdict(a, o, ares.TransStatus)
}

// verdict goes on from the authentication's result; the table stands in the package comment.
func (g *acquirer) verdict(a *Account, o *order, transStatus string) (body, *fault) {
	card, ok := issuer.Named(o.Try.Card)
	if !ok {
		return nil, errSystem
	}
	switch transStatus {
	case "Y", "A", "I":
		return g.authorize(a, o, card)
	case "N", "R":
		return g.refused(a, o, actionRefused3DS)
	}
	return g.refused(a, o, actionUnavailable)
}

// authorize asks the bank for the money. It is the only place that takes any, and only from an order that is unpaid.
func (g *acquirer) authorize(a *Account, o *order, card issuer.Card) (body, *fault) {
	if !o.unpaid() || o.Charges > 0 {
		return nil, errState
	}
	switch card.Bank {
	case issuer.DeclineFunds:
		return g.refused(a, o, actionFunds)
	case issuer.DeclineHonor:
		return g.refused(a, o, actionDoNotHonor)
	}
	t, now := o.Try, g.now()
	created := false
	if o.ClientID != "" && !t.NoBinding && t.Binding == "" {
		b := g.bindingFor(o)
		if created = b.ID == ""; created {
			b.ID = g.env.UUID()
			if bad := g.saveBinding(b); bad != nil {
				return nil, bad
			}
		}
		t.Binding = b.ID
	}
	t.Step, t.Approval, t.RefNum = stepNone, g.env.Digits(6), g.env.Digits(12)
	o.Status, o.Action, o.Paid, o.Approved = statusHeld, actionOK, now, o.Amount
	o.Charges++
	operation := "approved"
	if !o.PreAuth {
		o.Status, o.Deposited, o.DepositedAt, operation = statusDeposited, o.Amount, now, "deposited"
		if o.Cart != nil {
			g.issue(o, false, o.Amount, o.Cart.Items)
		}
	}
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	g.notify(a, o, operation, true, o.Amount)
	if created {
		g.notify(a, o, "bindingCreated", true, 0)
	}
	return g.finished(o), nil
}

// refused ends the attempt. While attempts remain the order goes back to 0, with the action code set; then it is declined.
func (g *acquirer) refused(a *Account, o *order, action int) (body, *fault) {
	o.Action, o.Status = action, statusRegistered
	o.Try.Step = stepNone
	if o.Attempts >= a.Attempts {
		o.Status = statusDeclined
	}
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	operation := "deposited"
	if o.PreAuth {
		operation = "approved"
	}
	g.notify(a, o, operation, false, 0)
	return g.declined(o), nil
}

func (g *acquirer) finished(o *order) body {
	b := body{}.With("redirect", g.absoluteURL(o, o.ReturnURL)).With("info", info).With("errorCode", 0)
	if o.Try != nil && o.Try.TransID != "" {
		b = b.With("is3DSVer2", true)
	}
	return b
}

// declined is the shape that says no although its errorCode is 0.
func (g *acquirer) declined(o *order) body {
	text := actionText[o.Action]
	name, kind := "DATA_INPUT_ERROR", "CLIENT_ERROR"
	if o.Action == actionRefused3DS || o.Action == actionUnavailable || o.Action == actionDSTimeout {
		name, kind = "TDS_UNKNOWN_ARES_STATUS", "MANDATORY_3DSECURE"
	}
	return body{}.With("redirect", g.absoluteURL(o, o.failURL())).With("error", text).With("errorCode", 0).
		With("is3DSVer2", o.Try.TransID != "").
		With("errorTypeName", name).With("processingErrorType", kind).With("errorMessage", text)
}

// outcome is the answer for an order as it stands: refused, or finished.
func (g *acquirer) outcome(o *order) body {
	if o.Try != nil && (o.Status == statusDeclined || o.Status == statusRegistered) && o.Action != actionNoAttempt {
		return g.declined(o)
	}
	return g.finished(o)
}

// finishChallenge believes the RReq alone, never what a browser brought.
func (g *acquirer) finishChallenge(a *Account, o *order) (body, *fault) {
	res, err := g.env.Issuer.Result(o.Try.TransID)
	if err != nil && !errors.Is(err, issuer.ErrUnknown) {
		g.env.Log.Error("no result", "gateway", gatewayName, "err", err)
		return nil, errSystem
	}
	if err == nil && !res.Done {
		return nil, refuse(5, "Authentication of the cardholder is not finished")
	}
	o.Try.RReq = res.TransStatus
	if res.ECI != "" {
		o.Try.ECI, o.Try.CAVV = res.ECI, res.AuthenticationValue
	}
	return g.verdict(a, o, res.TransStatus)
}

// startVer1 opens 3DS 1.0.2: MD is the mdOrder, the TermUrl the gateway's own unless the shop posts another.
func (g *acquirer) startVer1(a *Account, o *order, card issuer.Card) (body, *fault) {
	t := o.Try
	t.XID = base64.StdEncoding.EncodeToString(g.env.Random(20))
	acsURL, paReq, err := g.env.Issuer.PaReq(card, issuer.Purchase{XID: t.XID, MerchantName: issuer.ShopName, Amount: o.Amount,
		Currency: o.iso(), Exponent: amount.Exponent(o.iso())})
	if err != nil {
		g.env.Log.Error("PaReq not made", "gateway", gatewayName, "err", err)
		return g.refused(a, o, actionUnavailable)
	}
	t.Step, t.Version, t.ACSURL, t.PaReq = stepPaReq, "1.0.2", acsURL, paReq
	o.Status = statusACS
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	return body{}.With("info", info).With("errorCode", 0).With("acsUrl", acsURL).With("paReq", paReq).
		With("termUrl", g.termURLOf(o)), nil
}

func (g *acquirer) termURLOf(o *order) string {
	return g.url("/payment/rest/finish3ds.do?lang=" + url.QueryEscape(o.Language))
}

// takePaRes verifies the message and that it is the answer to this order's PaReq; anything else changes nothing.
func (g *acquirer) takePaRes(a *Account, o *order, paRes string) (body, *fault) {
	if o.Status != statusACS || o.Try == nil || o.Try.Step != stepPaReq {
		return nil, errState
	}
	res, err := g.env.Issuer.CheckPaRes(paRes)
	if err != nil || res.XID != o.Try.XID {
		return nil, refuse(5, "[paRes] is not valid")
	}
	o.Try.PaRes, o.Try.ECI, o.Try.CAVV = res.Status, res.ECI, res.CAVV
	return g.verdict(a, o, res.Status)
}

// applyElapsed applies what happened since the order was last looked at: a decoupled authentication that ended, a lifetime
// that is over.
func (g *acquirer) applyElapsed(o *order) {
	if o.Status == statusHeld {
		g.endHold(o)
	}
	if !o.unpaid() {
		return
	}
	a := g.accountOf(o)
	if o.Try != nil && o.Try.Step == stepDecoupled {
		if res, err := g.env.Issuer.Result(o.Try.TransID); err == nil && res.Done {
			o.Try.RReq = res.TransStatus
			if res.ECI != "" {
				o.Try.ECI, o.Try.CAVV = res.ECI, res.AuthenticationValue
			}
			if _, bad := g.verdict(a, o, res.TransStatus); bad != nil {
				g.env.Log.Error("decoupled authentication not settled", "gateway", gatewayName, "err", bad)
			}
		}
	}
	if !o.unpaid() || g.now().Before(o.Expires) {
		return
	}
	o.Action = actionTimedOut
	if o.Try != nil {
		switch o.Try.Step {
		case stepChallenge, stepPaReq:
			o.Action = actionNotBack
		case stepDecoupled:
			o.Action = actionDSTimeout
		}
		o.Try.Step = stepNone
	}
	o.Status = statusDeclined
	if bad := g.save(o); bad == nil {
		g.notify(a, o, "declinedByTimeout", true, 0)
	}
}

// endHold captures a hold, or lets it go, when its date has come.
func (g *acquirer) endHold(o *order) {
	due := func(at time.Time) bool { return !at.IsZero() && !g.now().Before(at) }
	operation, amount := "", o.Approved
	switch {
	case due(o.CompletesAt):
		operation = "deposited"
		o.Status, o.Deposited, o.DepositedAt = statusDeposited, amount, o.CompletesAt
		if o.Cart != nil {
			g.issue(o, false, amount, o.Cart.Items)
		}
	case due(o.ReversesAt):
		operation = "reversed"
		o.Status, o.Approved, o.Reversed, o.ReversedAt = statusReversed, 0, o.Reversed+amount, o.ReversesAt
	default:
		return
	}
	if bad := g.save(o); bad == nil {
		g.notify(g.accountOf(o), o, operation, true, amount)
	}
}

// decoupledResult is the bank's decision on an authentication without a browser.
func (g *acquirer) decoupledResult(trans string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if id, ok := g.trans[trans]; ok {
		g.open(id)
	}
}

// absoluteURL is the address the shopper is sent to: the shop's URL, or a page of the gateway if it is relative, with the
// order's id and language added.
func (g *acquirer) absoluteURL(o *order, to string) string {
	if !sim.WebURL(to) {
		to = g.url("/payment/merchants/rbs/" + strings.TrimPrefix(to, "/"))
	}
	sep := "?"
	if strings.Contains(to, "?") {
		sep = "&"
	}
	return to + sep + "orderId=" + o.ID + "&lang=" + o.Language
}
