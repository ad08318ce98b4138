package rbs

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/wire"
	"tollgate/threeds"
)

type provider struct {
	client
	terms
	fiscal
	wallet
	*sealing
	loopback    bool
	threeDS1    string
	threeDS2    string
	notify      bool
	bindingCode bool
	browser     bool
	acsRedirect string
	languages   []string
	secret      providers.Secret
	public      *rsa.PublicKey
}

var (
	_ providers.Provider = (*provider)(nil)
	_ providers.Closer   = (*provider)(nil)
	_ providers.Notifier = (*provider)(nil)
	_ providers.Operator = (*provider)(nil)
)

// What is remembered in Ref.More between the calls.
const (
	moreTransID = "threeDSServerTransID" // as the gateway wants it back
	moreRun     = "run"                  // softDecline, once the gateway asked for a second authentication
	moreAgain   = "again"                // set once the gateway asked for the same 3DS Method a second time
	moreExpect  = "expect"               // what the present page is to bring: one of the following

	softDecline   = "soft_decline"
	expectCRes    = "cres"    // the shopper comes to our finish URL: finish3dsVer2Payment.do
	expectPaRes   = "pares"   // a PaRes comes to our TermUrl: finish3dsPayment.do
	expectNothing = "nothing" // the gateway finishes by itself
)

// How long a 3DS Method may take: the bank's as EMVCo has it (2.1, 2.2), the gateway's own data collection alone a little,
// since nobody reports its end.
const (
	methodWait = 10 * time.Second
	serverWait = 3 * time.Second
)

// defaultLifetime is the gateway's own default for an order, twenty minutes.
const defaultLifetime = 20 * time.Minute

// Longest values the gateway takes.
const (
	maxReference = 36
	maxAmount    = 999_999_999_999 // twelve digits
	maxURL       = 512
	maxText      = 598
	maxClientID  = 255
	maxEmail     = 40
)

// Check refuses what the gateway cannot express. Amounts are minor units of any ISO 4217 currency.
func (g *provider) Check(p providers.Payment) error {
	switch {
	case len(p.Amount.Currency.Numeric) != 3:
		return providers.Refuse("currency", "the gateway wants an ISO 4217 number, and this currency has none")
	case p.Amount.Minor <= 0:
		return providers.Refuse("amount", "must be positive")
	case p.Amount.Minor > maxAmount:
		return providers.Refuse("amount", "has more than twelve digits")
	case p.Fee != 0 && !g.feeInput:
		return providers.Refuse("fee", "the account's contract lets it add no fee (fee_input)")
	case p.Fee > maxFee:
		return providers.Refuse("fee", "has more than eight digits")
	case len(p.Ref.Reference) > maxReference:
		return providers.Refuse("order_id", "too long: the gateway's orderNumber has at most 36 characters")
	case p.SaveCard && p.Customer.ID == "":
		return providers.Refuse("customer.id", "needed to save a card")
	case len([]rune(p.Customer.ID)) > maxClientID:
		return providers.Refuse("customer.id", "longer than 255 characters")
	case len(p.Run.ReturnURL) > maxURL || len(p.CallbackURL) > maxURL:
		return providers.Refuse("account", "Tollgate's own address is too long for this gateway")
	}
	asked, err := g.readOptions(p)
	if err != nil {
		return err
	}
	if p.Instrument == byGooglePay {
		if err := checkGooglePay(g, p, asked); err != nil {
			return err
		}
	}
	return g.checkCart(p)
}

// Register makes the order known. A number that is taken already is our own, registered by a call whose answer was
// lost, if amount, currency and state fit; then that order is used. Where the answer is lost the order is looked for by its
// number at once; register.do moves no money, so that it is sent once more where there is none.
func (g *provider) Register(ctx context.Context, p providers.Payment) (providers.Ref, error) {
	if err := g.Check(p); err != nil {
		return providers.Ref{}, err
	}
	if p.Instrument == byGooglePay {
		return findGooglePay(ctx, g, p)
	}
	op := opRegister
	if p.Hold {
		op = opRegisterPreAuth
	}
	form := url.Values{
		"orderNumber": {p.Ref.Reference},
		"amount":      {strconv.FormatInt(p.Amount.Minor, 10)},
		"currency":    {p.Amount.Currency.Numeric},
		"returnUrl":   {p.Run.ReturnURL},
		"failUrl":     {p.Run.ReturnURL},
		"language":    {g.language(p)},
	}
	set(form, "dynamicCallbackUrl", p.CallbackURL)
	set(form, "description", wire.Line(p.Description, maxText))
	set(form, "ip", ipAddress(p.Customer.IP))
	set(form, "email", email(p))
	asked, err := g.readOptions(p)
	if err != nil {
		return providers.Ref{}, err
	}
	g.setOptions(form, p, asked)
	g.setCart(form, p)
	ref, err := g.register(ctx, p, op, form)
	f, failed := errors.AsType[*providers.Failure](err)
	if failed && f.Code == "" && ctx.Err() == nil && !errors.Is(err, providers.ErrUnsent) && providers.RetryAfter(err) == 0 {
		found, there, askErr := g.findByNumber(ctx, p)
		switch {
		case askErr != nil: // nothing was learnt; repeated with the same number, Register goes on from here
			return providers.Ref{}, err
		case there:
			return g.reuseOrder(ctx, p, found, f)
		}
		ref, err = g.register(ctx, p, op, form)
	}
	if f, ok := errors.AsType[*providers.Failure](err); ok && f.Code == codeTaken {
		found, there, askErr := g.findByNumber(ctx, p)
		switch {
		case askErr != nil:
			return providers.Ref{}, askErr
		case !there:
			return providers.Ref{}, err
		}
		return g.reuseOrder(ctx, p, found, f)
	}
	return ref, err
}

// codeNoOrder is the errorCode of an order that the gateway does not know.
const codeNoOrder = "6"

// codeTaken is the errorCode of a number that is taken already (and of other things).
const codeTaken = "1"

func (g *provider) register(ctx context.Context, p providers.Payment, op string, form url.Values) (providers.Ref, error) {
	o, err := g.call(ctx, op, form)
	if err != nil {
		return providers.Ref{}, err
	}
	ref := p.Ref
	if ref.OrderID = wire.ID(o.Text("orderId")); ref.OrderID == "" {
		return providers.Ref{}, providers.Unreadable(op, 200, errShape)
	}
	if p.Instrument == byHosted {
		ref = ref.With(moreForm, o.Text("formUrl"))
	}
	return ref, nil
}

// markName is the member of jsonParams that holds Payment.OwnershipMark; the gateway repeats it in merchantOrderParams.
const markName = "tollgate_session"

// sessionMark is the id of our session that the order's parameters carry.
func sessionMark(o object) string {
	for _, list := range []string{"merchantOrderParams", "attributes"} {
		for _, param := range o.List(list) {
			if param.Text("name") == markName {
				return param.Text("value")
			}
		}
	}
	return ""
}

// foundOrder is an order as the gateway shows it, with the session id that it carries.
type foundOrder struct {
	providers.Standing
	mark   string
	atBank bool // a card was sent for it, and its bank's answer is awaited
}

// RecoversOrders: see Register.
func (g *provider) RecoversOrders() {}

// findByNumber inquires for the order by our number alone; there is false where the gateway has none.
func (g *provider) findByNumber(ctx context.Context, p providers.Payment) (k foundOrder, there bool, err error) {
	p.Ref = providers.Ref{Reference: p.Ref.Reference}
	o, err := g.inquire(ctx, p)
	if f, ok := errors.AsType[*providers.Failure](err); ok && f.Code == codeNoOrder {
		return foundOrder{}, false, nil
	}
	if err != nil {
		return foundOrder{}, false, err
	}
	st, err := standing(p, o)
	if err != nil {
		return foundOrder{}, false, providers.Unreadable(opStatus, 200, err)
	}
	return foundOrder{st, sessionMark(o), o.Text("orderStatus") == "5"}, st.Outcome != providers.NotFound, nil
}

// reuseOrder decides about the order that has our number: ours and unpaid, it is used; another's, or one that can no longer be
// paid, leaves the next number; with money of our sum on it, or on its way, it is neither paid again nor passed over. An order that
// lacks our mark, for which a card was sent or whose money is back, is another's, unless our database may have forgotten it.
func (g *provider) reuseOrder(ctx context.Context, p providers.Payment, k foundOrder,
	refused *providers.Failure) (providers.Ref, error) {
	ours := p.OwnershipMark != "" && k.mark == p.OwnershipMark
	taken := &providers.Failure{Op: refused.Op, Code: refused.Code, Text: refused.Text, Err: providers.ErrReferenceTaken}
	switch {
	case k.Reference != p.Ref.Reference, k.Ref.OrderID == "":
		return providers.Ref{}, refused // an answer about nothing of ours
	case k.Amount != p.Amount && !ours:
		return providers.Ref{}, taken
	}
	foreign := !ours && p.Forgotten == nil
	back := k.Outcome == providers.Voided || k.Outcome == providers.Paid && k.Stated && k.Refunded == k.Captured
	if foreign && (back || k.atBank) {
		return providers.Ref{}, taken
	}
	switch k.Outcome {
	case providers.Waiting:
		switch {
		case k.Amount != p.Amount, k.LastTry != nil, k.mark != "" && p.OwnershipMark != "" && !ours:
			return providers.Ref{}, taken
		case p.Instrument != byHosted && p.Instrument != byGooglePay:
			return k.Ref, nil
		}
		// The address of its page came with the answer that was lost, so that nobody can be there; a wallet's order begins with its
		// payment.
		p.Ref = k.Ref
		if err := g.Close(ctx, p); err != nil {
			return providers.Ref{}, err
		}
		return providers.Ref{}, taken
	case providers.Closed, providers.Refused:
		return providers.Ref{}, taken
	}
	return providers.Ref{}, &providers.AlreadyPaid{Ref: k.Ref, Marks: true, Ours: ours, Standing: k.Standing}
}

func (g *provider) language(p providers.Payment) string {
	if slices.Contains(g.languages, p.Locale) {
		return p.Locale
	}
	return g.languages[0]
}

// email is left out where it is longer than the gateway takes; cut, it would be somebody else's.
func email(p providers.Payment) string {
	e := cmp.Or(p.Customer.Email, p.Billing.Email)
	if len(e) > maxEmail {
		return ""
	}
	return e
}

// Pay sends the card, or the shopper to the gateway's page.
func (g *provider) Pay(ctx context.Context, p providers.Payment, in providers.Instrument,
	b threeds.BrowserData) (providers.Step, error) {
	switch in.Kind {
	case "card":
		switch {
		case g.sealing.on && typed(in.Card):
			return providers.Step{}, providers.Refuse("card", "this account takes cards that the browser encrypted")
		case g.sealing.on && in.Card.Sealed.Zero():
			return askSealed(p.Ref), nil
		}
	case "saved_card":
		return g.payBinding(ctx, p, in.Saved, in.Code, b, "")
	case byHosted:
		return g.hosted(p.Ref)
	case byGooglePay:
		return payGoogle(ctx, g, p, in.Card.Sealed.Reveal())
	default:
		return providers.Step{}, providers.Refuse("payment_method", "this gateway takes cards, saved cards and its own page")
	}
	return g.payOrder(ctx, p, in.Card, b, "")
}

// payOrder is paymentorder.do; transID is set only when it is repeated after a soft decline.
func (g *provider) payOrder(ctx context.Context, p providers.Payment, c card.Card, b threeds.BrowserData,
	transID string) (providers.Step, error) {
	if p.Ref.OrderID == "" {
		return providers.Step{}, &providers.Failure{Op: opPay, Err: errNoOrder}
	}
	form := url.Values{"MDORDER": {p.Ref.OrderID}, "language": {g.language(p)}}
	hide := cardForm(form, c)
	set(form, "ip", ipAddress(b.IP, p.Customer.IP))
	set(form, "email", email(p))
	if g.browser {
		set(form, "clientBrowserInfo", browserInfo(p, b))
	}
	if g.notify {
		set(form, "threeDSMethodNotificationUrl", p.Run.NotifyURL)
	}
	if g.threeDS2 == ThreeDS2Finish {
		set(form, "threeDSVer2FinishUrl", p.Run.ReturnURL)
	}
	set(form, "threeDSServerTransId", transID)
	o, err := g.call(ctx, opPay, form, hide...)
	if err != nil {
		return g.refusedPay(ctx, p, err)
	}
	return g.step(ctx, p, opPay, o)
}

// refusedPay is a call with a card or a binding that was refused by an errorCode: the order keeps its state then. A code alone
// does not say whether we are refused (access, a missing parameter, a cart) or an order that was tried or has ended, so the
// order is asked. One that no card was tried on is closed, and only once it is closed the refusal is a proof.
func (g *provider) refusedPay(ctx context.Context, p providers.Payment, err error) (providers.Step, error) {
	f, ok := errors.AsType[*providers.Failure](err)
	if !ok || f.Err != nil || f.Code == "" || f.Code == codeSystem {
		return providers.Step{}, err
	}
	o, askErr := g.inquire(ctx, p)
	if providers.RefusalOfUs(askErr) != nil { // we are refused altogether; what became of the call nobody can say yet
		refused := f.Misconfigured(false)
		refused.Again = true
		return providers.Step{}, refused
	}
	if askErr != nil || o.Text("orderNumber") != p.Ref.Reference || !untried(o) {
		return providers.Step{}, err
	}
	if g.Close(ctx, p) != nil {
		return providers.Step{}, err
	}
	if st, askErr := g.Status(ctx, p); askErr != nil || st.Outcome != providers.Closed && st.Outcome != providers.Refused {
		return providers.Step{}, err
	}
	if slices.Contains(codesOfCard, f.Code) {
		s := providers.NewStep(providers.Declined, p.Ref)
		s.Decline = &providers.Decline{Reason: providers.CardNotSupported, Code: f.Code, Message: f.Text}
		return s, nil
	}
	return providers.Step{}, f.Misconfigured(true)
}

// untried tells whether an order is open and no card was tried on it.
func untried(o object) bool {
	action := o.Text("actionCode")
	return o.Text("orderStatus") == "0" && (action == "" || action == actionNotTried)
}

// codeSystem is the errorCode of a failure of the gateway's own.
const codeSystem = "7"

// codesOfCard are the error codes that refuse a card or a binding: bad number, bad date, not for this binding (1), no such
// binding (2), one that the customer switched off (15).
var codesOfCard = []string{"1", "2", "15"}

var (
	errNoOrder    = errors.New("the order is not known by the gateway's id")
	errNoTrans    = errors.New("no threeDSServerTransId is known to finish with")
	errSameMethod = errors.New("the gateway asks for a 3DS Method that was done")
	errNoWay      = errors.New("the bank's page has an address that cannot be opened")
	errAnswer     = errors.New("an answer that this gateway has no use for")
)

// Resume goes on with what the browser brought. What does not belong to the step that is waited for sends nothing: the
// inquiry tells how things are.
func (g *provider) Resume(ctx context.Context, p providers.Payment, a providers.Answer) (providers.Step, error) {
	expect, soft := p.Ref.More[moreExpect], p.Ref.More[moreRun] == softDecline
	switch {
	case a.Kind == providers.Returned && p.Ref.More[moreForm] != "":
		return g.returnedFromPage(ctx, p)
	case a.Kind == providers.MethodDone && expect == "" && !soft:
		return g.continueOrder(ctx, p, opContinue, url.Values{"mdOrder": {p.Ref.OrderID}})
	case (a.Kind == providers.MethodDone || a.Kind == providers.CardAgain) && expect == "" && soft && p.Ref.More[moreGooglePay] != "":
		return g.giveUp(ctx, p, opGooglePay, errSecondWallet)
	case (a.Kind == providers.MethodDone || a.Kind == providers.CardAgain) && expect == "" && soft:
		if saved := p.Ref.More[moreBinding]; saved != "" {
			return g.payBinding(ctx, p, saved, card.Code{}, a.Browser, p.Ref.More[moreTransID])
		}
		if a.Card == nil { // an encrypted one is good for one call
			return providers.NewStep(providers.AskCard, p.Ref), nil
		}
		return g.payOrder(ctx, p, *a.Card, a.Browser, p.Ref.More[moreTransID])
	case a.Kind == providers.CardAgain && expect == "" && g.sealing.on && a.Card != nil && p.Ref.More[moreTransID] == "":
		return g.payOrder(ctx, p, *a.Card, a.Browser, "")
	case a.Kind == providers.CardAgain:
		return providers.Step{}, &providers.Failure{Op: opPay, Err: errAnswer}
	case (a.Kind == providers.Challenged || a.Kind == providers.Returned) && expect == expectCRes:
		// Whatever was posted to the finish URL, if anything (which fields the ACS's CRes comes in is not documented,
		// and an Erro is no decline): the gateway has the issuer's result and is to fetch it.
		transID := p.Ref.More[moreTransID]
		if transID == "" {
			return providers.Step{}, &providers.Failure{Op: opFinish2, Err: errNoTrans}
		}
		return g.continueOrder(ctx, p, opFinish2, url.Values{"threeDSServerTransId": {transID}})
	case a.Kind == providers.PayerAuth && expect == expectPaRes && a.PaRes != "":
		return g.continueOrder(ctx, p, opFinish1, url.Values{"mdOrder": {p.Ref.OrderID}, "paRes": {a.PaRes}})
	case a.Kind == providers.Returned && expect != expectPaRes:
		return providers.NewStep(providers.Finished, p.Ref), nil
	}
	return providers.NewStep(providers.Wait, p.Ref), nil
}

func (g *provider) continueOrder(ctx context.Context, p providers.Payment, op string, form url.Values) (providers.Step, error) {
	if p.Ref.OrderID == "" {
		return providers.Step{}, &providers.Failure{Op: op, Err: errNoOrder}
	}
	o, err := g.call(ctx, op, form)
	if err != nil {
		return providers.Step{}, err
	}
	return g.step(ctx, p, op, o)
}

// step tells the shapes of a payment call's answer apart, in the documented order. The errorCode was looked at before.
// info is left alone: it is "Your order is proceeded, redirecting..." even where there is nothing to redirect to.
func (g *provider) step(ctx context.Context, p providers.Payment, op string, o object) (providers.Step, error) {
	acsURL := o.Text("acsUrl", "acsURL")
	paReq, packedCReq := o.Text("paReq"), o.Text("packedCReq")
	switch {
	case acsURL != "" && paReq != "":
		return g.payerAuth(ctx, p, op, acsURL, paReq, o.Text("termUrl"))
	case acsURL != "" && packedCReq != "":
		return g.challenge(ctx, p, op, acsURL, packedCReq, o)
	case acsURL != "":
		return providers.Step{}, providers.Unreadable(op, 200, errShape)
	case methodServer(o) != "", o.True("is3DSVer2") && transID(o) != "" && o.Text("redirect") == "":
		return g.method(ctx, p, op, o)
	case o.Text("redirect") == "":
		return providers.Step{}, providers.Unreadable(op, 200, errShape)
	case isDecline(o):
		return g.declined(ctx, p, o), nil
	}
	// Also where error or errorMessage stand alone: dialects write words for success there. The inquiry knows.
	return providers.NewStep(providers.Finished, p.Ref), nil
}

func methodServer(o object) string { return o.Text("threeDSMethodURLServer", "threeDSMethodUrlServer") }
func transID(o object) string {
	return wire.ID(o.Text("threeDSServerTransId", "threeDSServerTransID"))
}

// isDecline recognises "declined although errorCode is 0". The words in error and errorMessage do not count: see step.
func isDecline(o object) bool {
	said := func(name string) string {
		if word := strings.TrimSpace(o.Text(name)); !strings.EqualFold(word, "null") {
			return word
		}
		return ""
	}
	kind := said("processingErrorType")
	return said("errorTypeName") != "" || kind != "" && kind != "NO_ERROR"
}

// payerAuth is 3-D Secure 1.0.2, run as the account has it.
func (g *provider) payerAuth(
	ctx context.Context, p providers.Payment, op, acsURL, paReq, termURL string,
) (providers.Step, error) {
	if g.threeDS1 == ThreeDS1Redirect {
		s := providers.NewStep(providers.Redirect, p.Ref.With(moreExpect, expectNothing))
		s.Link = g.acsRedirect + "?orderId=" + url.QueryEscape(p.Ref.OrderID)
		return s, nil
	}
	acsURL, err := threeds.CheckURL(acsURL, g.loopback)
	if err != nil {
		return g.giveUp(ctx, p, op, errNoWay)
	}
	if g.threeDS1 == ThreeDS1Own {
		s := providers.NewStep(providers.PayerPage, p.Ref.With(moreExpect, expectPaRes))
		s.Withholdable = stopOwnTermURL.Withholdable
		s.Forms = []threeds.Form{threeds.PayerAuthForm(acsURL, paReq, p.Run.ReturnURL, p.Run.SessionData)}
		return s, nil
	}
	if termURL, err = threeds.CheckURL(termURL, g.loopback); err != nil {
		return g.giveUp(ctx, p, op, errNoWay)
	}
	s := providers.NewStep(providers.PayerPage, p.Ref.With(moreExpect, expectNothing))
	s.Forms = []threeds.Form{threeds.PayerAuthForm(acsURL, paReq, termURL, p.Ref.OrderID)}
	return s, nil
}

// challenge posts the packed CReq as it came. threeDSSessionData is ours only where the CRes comes to us.
func (g *provider) challenge(
	ctx context.Context, p providers.Payment, op, acsURL, packedCReq string, o object,
) (providers.Step, error) {
	acsURL, err := threeds.CheckURL(acsURL, g.loopback)
	if err != nil {
		return g.giveUp(ctx, p, op, errNoWay)
	}
	ref := p.Ref
	if t := transID(o); t != "" {
		ref = ref.With(moreTransID, t)
	}
	ids := threeds.IDs{ThreeDSServerTransID: ref.More[moreTransID]}
	if creq, err := threeds.DecodeCReq(packedCReq); err == nil {
		// The ids that come back from the ACS are those in the CReq; the documentation's own samples differ.
		ids = threeds.IDs{ThreeDSServerTransID: creq.ThreeDSServerTransID, ACSTransID: creq.ACSTransID,
			MessageVersion: creq.MessageVersion}
		if ref.More[moreTransID] == "" {
			ref = ref.With(moreTransID, creq.ThreeDSServerTransID)
		}
	}
	expect, session := expectNothing, ""
	if g.threeDS2 == ThreeDS2Finish {
		expect, session = expectCRes, p.Run.SessionData
	}
	s := providers.NewStep(providers.Challenge, ref.With(moreExpect, expect))
	s.Forms = []threeds.Form{threeds.ChallengeForm(acsURL, packedCReq, session)}
	s.ThreeDS = ids
	s.Withholdable = expect == expectCRes && ref.More[moreBinding] == "" && stopFinishURL.Withholdable
	return s, nil
}

// method is the 3DS Method: an empty form to the gateway's 3DS Server and, where the bank has a Method of its own, the
// packed data to it. An address that a browser must not open costs the frame, not the payment: the Method is optional.
// A second one, under a new id, in answer to 3ds/continue.do is a soft decline and begins a new run. Under the same id, or
// under none, it is the same Method again: it gets a run too, for each run's answer is taken once, and is not played a third
// time.
func (g *provider) method(ctx context.Context, p providers.Payment, op string, o object) (providers.Step, error) {
	trans, before := transID(o), p.Ref.More[moreTransID]
	ref, again := p.Ref, false
	switch {
	case op == opPay && before == "":
	case op == opContinue && before != "" && trans != "" && trans != before && ref.More[moreRun] == "":
		again = true
		ref = ref.With(moreRun, softDecline)
	case op == opContinue && ref.More[moreAgain] == "" && ref.More[moreRun] == "":
		// No new authentication: the same Method once more, and 3ds/continue.do after it.
		again = true
		ref = ref.With(moreAgain, "1")
	default:
		return g.giveUp(ctx, p, op, errSameMethod)
	}
	if trans != "" {
		ref = ref.With(moreTransID, trans)
	}
	s := providers.NewStep(providers.Method, ref)
	s.Withholdable = stopMethod.Withholdable
	s.NewRun = again
	s.ThreeDS = threeds.IDs{ThreeDSServerTransID: trans}
	if server, err := threeds.CheckURL(methodServer(o), g.loopback); err == nil {
		s.Forms, s.Deadline = append(s.Forms, threeds.MethodForm(server, "")), serverWait
	}
	packed := o.Text("threeDSMethodDataPacked")
	if acs, err := threeds.CheckURL(o.Text("threeDSMethodURL", "threeDSMethodUrl"), g.loopback); err == nil && packed != "" {
		s.Forms, s.Deadline = append(s.Forms, threeds.MethodForm(acs, packed)), methodWait
		if d, err := threeds.DecodeMethodData(packed); err == nil { // the notification will carry this one
			s.ThreeDS.ThreeDSServerTransID = d.ThreeDSServerTransID
		}
	}
	return s, nil
}

// giveUp ends an authentication that cannot go on. The order is made unpayable first, and asked: a call may have moved
// money all the same.
func (g *provider) giveUp(ctx context.Context, p providers.Payment, op string, why error) (providers.Step, error) {
	if err := g.Close(ctx, p); err != nil {
		return providers.Step{}, &providers.Failure{Op: op, Err: why}
	}
	st, err := g.Status(ctx, p)
	if err != nil || st.Outcome != providers.Refused && st.Outcome != providers.Closed {
		return providers.NewStep(providers.Wait, p.Ref), nil
	}
	s := providers.NewStep(providers.Declined, p.Ref)
	if s.Decline = st.Decline; s.Decline == nil {
		s.Decline = &providers.Decline{Reason: providers.AuthenticationFailed, Message: why.Error()}
	}
	return s, nil
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"

// declined is a refusal that the answer states. The order is asked once: for the bank's code, and because a step
// Declined is believed; an order that says otherwise is left to the inquiry.
func (g *provider) declined(ctx context.Context, p providers.Payment, o object) providers.Step {
	d := &providers.Decline{Reason: providers.OtherReason, Code: o.Plain(letters, 64, "errorTypeName", "processingErrorType"),
		Message: o.Words("errorMessage", "error")}
	if strings.HasPrefix(d.Code, "TDS_") || o.Text("processingErrorType") == "MANDATORY_3DSECURE" {
		d.Reason = providers.AuthenticationFailed
	}
	st, err := g.Status(ctx, p)
	switch {
	case err != nil: // the refusal stands by itself
	case st.Outcome == providers.Refused && st.Decline != nil:
		d = st.Decline
	case st.Outcome == providers.Waiting:
		if st.LastTry != nil {
			d = st.LastTry
		}
	case st.Outcome == providers.Closed:
	default:
		return providers.NewStep(providers.Wait, p.Ref)
	}
	s := providers.NewStep(providers.Declined, p.Ref)
	s.Decline = d
	return s
}

// Close makes the unpaid order unpayable.
func (g *provider) Close(ctx context.Context, p providers.Payment) error {
	return g.execute(ctx, opDecline, g.orderParams(p))
}

// orderParams names an order: by the gateway's id, or by our number where the id is not known.
func (g *provider) orderParams(p providers.Payment) url.Values {
	form := url.Values{"language": {g.language(p)}}
	if p.Ref.OrderID != "" {
		form.Set("orderId", p.Ref.OrderID)
	} else {
		form.Set("orderNumber", p.Ref.Reference)
		var asked options // they were checked when the session was made
		if p.Options.Read(gatewayName, &asked) == nil {
			set(form, "merchantLogin", g.merchant(asked))
		}
	}
	return form
}

// Status asks what became of the order.
func (g *provider) Status(ctx context.Context, p providers.Payment) (providers.Standing, error) {
	o, err := g.inquire(ctx, p)
	if f, ok := errors.AsType[*providers.Failure](err); ok && f.Code == codeNoOrder {
		return providers.Standing{Outcome: providers.NotFound, Ref: p.Ref}, nil
	}
	if err != nil {
		return providers.Standing{}, err
	}
	st, err := standing(p, o)
	if err != nil {
		return providers.Standing{}, providers.Unreadable(opStatus, 200, err)
	}
	if st.Outcome == providers.Waiting && p.Ref.More[moreForm] != "" {
		next, err := g.hosted(st.Ref)
		if err != nil {
			return providers.Standing{}, err
		}
		st.LastTry, st.Next = nil, &next // the page takes another try
	}
	if p.Ref.OrderID == "" && p.Instrument == byGooglePay && st.Outcome != providers.NotFound && sessionMark(o) != p.OwnershipMark {
		st.Unproven = true // the order of a call whose answer was lost, or another system's under the same number
	}
	if st.Outcome == providers.Paid {
		st.Receipts = g.receipts(ctx, p, st.Ref)
	}
	return st, nil
}

func (g *provider) inquire(ctx context.Context, p providers.Payment) (object, error) {
	o, err := g.post(ctx, opStatus, g.orderParams(p))
	if err == nil {
		o, err = currentNames(o)
	}
	if err != nil {
		return object{}, err
	}
	return refusedAnswer(opStatus, o)
}

// currentNames renames the capitalised members of the old getOrderStatus.do, which some banks still answer with.
func currentNames(o object) (object, error) {
	out := maps.Clone(o.Members)
	for old, name := range map[string]string{
		"ErrorCode": "errorCode", "ErrorMessage": "errorMessage", "OrderStatus": "orderStatus", "OrderNumber": "orderNumber",
		"Amount": "amount",
	} {
		v, there := o.Members[old]
		if !there {
			continue
		}
		if _, twice := o.Members[name]; twice && o.Text(name) != o.Text(old) {
			return object{}, providers.Unreadable(opStatus, 200, errShape)
		}
		out[name] = v
	}
	if pan := o.Text("Pan"); pan != "" && out["cardAuthInfo"] == nil {
		info := map[string]any{"maskedPan": pan}
		for _, name := range []string{"expiration", "cardholderName", "approvalCode"} { // which stand at the root there
			info[name] = o.Members[name]
		}
		out["cardAuthInfo"] = info
	}
	return object{Members: out, Hide: o.Hide}, nil
}

// standing reads an order. Its parts may all be missing: what an account sees of an order is set by the bank.
func standing(p providers.Payment, o object) (providers.Standing, error) {
	st := providers.Standing{Ref: p.Ref, Reference: wire.Line(o.Text("orderNumber"), 64), Outcome: providers.Unclear}
	var err error
	if st.Amount, err = amount(p, o); err != nil {
		return st, err
	}
	mdOrder := mdOrderOf(o)
	if mdOrder != "" {
		st.Ref.OrderID = mdOrder // the caller compares it with the one it knows
	}
	status, found, err := o.Number("orderStatus")
	if err != nil {
		return st, err
	}
	if !found {
		if o.Text("errorCode") == "" {
			return st, errShape // an empty object is no answer
		}
		// Documented: no orderStatus, no such order. Of an order whose id the gateway gave us that is not believable.
		if p.Ref.OrderID == "" && st.Reference == "" && mdOrder == "" && !o.Has("amount") {
			st.Outcome = providers.NotFound
		}
		return st, nil
	}
	sums, err := paymentAmounts(o)
	if err != nil {
		return st, err
	}
	st.Card = mask(cmp.Or(o.Child("cardAuthInfo").Text("maskedPan"), o.Child("cardAuthInfo").Text("pan")))
	st.ThreeDS = authentication(o.Child("cardAuthInfo").Child("secureAuthInfo"))
	st.Authorization = authorization(o)
	action := o.Text("actionCode")
	whole := st.Amount.Minor
	if whole == 0 {
		whole = p.Amount.Minor
	}
	switch status {
	case 0, 5:
		st.Outcome = providers.Waiting
		if status == 0 && lastTryRefused(action, p.Ref.More[moreRun] == softDecline) {
			st.LastTry = decline(o, action)
		}
	case 1:
		st.Outcome, st.Held, st.Stated = providers.Authorized, whole, sums.has["approvedAmount"]
		if st.Stated {
			st.Held = sums.approved
		}
	case 2, 4:
		sums.taken(&st, whole, status == 4)
	case 3:
		st.Outcome, st.Stated, st.RanOut = providers.Voided, true, ranOut(o)
	case 6:
		switch {
		case action == actionMaybePaid:
		case slices.Contains(closedCodes, action):
			st.Outcome = providers.Closed
		default:
			st.Outcome, st.Decline = providers.Refused, decline(o, action)
		}
	case 7, 8:
		st.Outcome = providers.Processing
	}
	st.Dispute = dispute(o)
	if contradictory(st.Outcome, sums, st) {
		st.Outcome, st.Decline, st.LastTry = providers.Unclear, nil, nil
	}
	if st.Outcome == providers.Authorized && !p.Hold { // to be taken at once: the deposit follows by itself
		st.Outcome = providers.Processing
	}
	return st, nil
}

// ranOut tells of a reversed order that nobody reversed: the bank tells times (totalAmount came to the answer later than they),
// and none of a reversal.
func ranOut(o object) bool {
	_, toldTotal := wire.Member(o.Child("paymentAmountInfo").Members, "totalAmount")
	return toldTotal && !o.Has("reversedDate")
}

// dispute reads chargeback: whether the card holder's bank has taken the money back by force.
func dispute(o object) *providers.Dispute {
	switch strings.ToLower(strings.TrimSpace(o.Text("chargeback"))) {
	case "true", "1":
		return &providers.Dispute{State: providers.DisputeLost}
	case "false", "0":
		return &providers.Dispute{State: providers.DisputeWon}
	}
	return nil
}

// mdOrderOf is the gateway's id of the order, "" where the answer has none.
func mdOrderOf(o object) (id string) {
	for _, a := range o.List("attributes") {
		if a.Text("name") == "mdOrder" {
			id = wire.ID(a.Text("value"))
		}
	}
	return id
}

// contradictory tells whether an order's state and amounts contradict each other; neither is then relied on.
func contradictory(outcome providers.Outcome, s amountInfo, st providers.Standing) bool {
	switch outcome {
	case providers.Authorized:
		return st.Held == 0
	case providers.Paid:
		return st.Captured == 0 || st.Refunded > st.Captured
	case providers.Waiting, providers.Refused, providers.Closed, providers.Voided:
		return s.deposited > 0
	}
	return false
}

// amount is the order's. Where the gateway names no currency, the number is compared under ours all the same.
func amount(p providers.Payment, o object) (money.Amount, error) {
	minor, found, err := o.Number("amount")
	if err != nil || !found {
		return money.Amount{}, err
	}
	a := money.Amount{Minor: minor, Currency: p.Amount.Currency}
	if number := strings.TrimSpace(o.Text("currency")); number != "" {
		a.Currency = providers.CurrencyOf(number)
	} else if v, _ := wire.Member(o.Members, "currency"); v != nil && v != "" {
		return money.Amount{}, errors.New("currency is not a number")
	}
	return a, nil
}

// amountInfo is paymentAmountInfo, in minor units.
type amountInfo struct {
	has                           map[string]bool
	approved, deposited, refunded int64
}

func paymentAmounts(o object) (s amountInfo, err error) {
	info := o.Child("paymentAmountInfo")
	s.has = map[string]bool{}
	for _, part := range []struct {
		name string
		to   *int64
	}{{"approvedAmount", &s.approved}, {"depositedAmount", &s.deposited}, {"refundedAmount", &s.refunded}} {
		n, found, err := info.Number(part.name)
		if err != nil {
			return s, fmt.Errorf("paymentAmountInfo: %w", err)
		}
		*part.to = n
		s.has[part.name] = found
	}
	return s, nil
}

// taken sets the sums of a paid order: what the gateway does not tell is taken for all or nothing.
func (s amountInfo) taken(st *providers.Standing, whole int64, refunded bool) {
	st.Outcome, st.Held, st.Captured = providers.Paid, whole, whole
	if refunded {
		st.Refunded = whole
	}
	st.Stated = s.has["depositedAmount"] && s.has["refundedAmount"]
	switch {
	case s.has["refundedAmount"]:
		st.Refunded = s.refunded
	case refunded && s.has["depositedAmount"]:
		st.Refunded = max(0, whole-s.deposited)
	}
	if s.has["depositedAmount"] && (s.has["refundedAmount"] || !refunded) {
		st.Captured = s.captured(whole)
		st.Held = max(s.approved, st.Captured)
	}
	st.Returned = refunded && !st.Stated
}

// captured is what was ever taken. The documentation lets depositedAmount fall with each refund; a gateway whose
// deposited and refunded together exceed what was approved (where that is not told: the order's amount) does not do so.
func (s amountInfo) captured(whole int64) int64 {
	if both := s.deposited + s.refunded; both <= cmp.Or(s.approved, whole) {
		return both
	}
	return s.deposited
}

// authentication reads secureAuthInfo; eci comes as 5 or as "05".
func authentication(o object) providers.ThreeDS {
	t := providers.ThreeDS{
		Version:     o.Plain("0123456789.", 8, "threeDSProtocolVersion"),
		TransStatus: o.Plain("YNUACDRIS", 1, "rreqTransStatus", "aresTransStatus", "paResStatus"),
		ECI:         o.Plain("0123456789", 2, "eci"),
	}
	if len(t.ECI) == 1 {
		t.ECI = "0" + t.ECI
	}
	return t
}

// authorization reads what the response version of the account lets through; some banks put the bank's part beside the binding.
func authorization(o object) providers.Authorization {
	info, bank, binding := o.Child("cardAuthInfo"), o.Child("bankInfo"), o.Child("bindingInfo")
	a := providers.Authorization{
		ApprovalCode: providers.Fact(info.Text("approvalCode")), RRN: providers.Fact(cmp.Or(o.Text("authRefNum"), binding.Text("authRefNum"))),
		Terminal:    providers.Fact(cmp.Or(o.Text("terminalId"), binding.Text("terminalId"))),
		BankName:    providers.Fact(bank.Text("bankName")),
		BankCountry: cmp.Or(providers.Fact(bank.Text("bankCountryCode")), providers.Fact(bank.Text("bankCountryName"))),
		CardExpiry:  providers.YearMonth(info.Text("expiration")), CardHolder: providers.Holder(info.Text("cardholderName")),
		PaymentSystem: providers.Fact(info.Text("paymentSystem")),
	}
	for _, from := range []object{o, binding} {
		if ms, found, err := from.Number("authDateTime"); err == nil && found && ms > 0 && a.At.IsZero() {
			a.At = time.UnixMilli(ms).UTC()
		}
	}
	return a
}

func decline(o object, action string) *providers.Decline {
	return &providers.Decline{Reason: reason(action), Code: wire.Short(action, o.Hide), Message: o.Words("actionCodeDescription")}
}
