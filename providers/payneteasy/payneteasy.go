package payneteasy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
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

// provider is an opened account. It keeps no state between calls.
type provider struct {
	client   client
	notify   string
	site     string
	rebills  string // the command that repeats a payment; white labels differ
	rebillCV bool
	defaults Billing
	loopback bool
	// withholds: the account's gateway has confirmed that without upload-method-url-result and upload-cres-result no money moves
	withholds bool
	// methodWait is how long the bank's 3DS Method may take.
	methodWait time.Duration
	now        func() time.Time
}

var (
	_ providers.Provider = (*provider)(nil)
	_ providers.Notifier = (*provider)(nil)
	_ providers.Operator = (*provider)(nil)
)

// methodWait is how long the 3DS Method may take before it counts as not done (EMV 3DS 2.1 and 2.2, requirement 315).
const methodWait = 10 * time.Second

// transID is the key of Ref.More under which a run's threeDSServerTransID comes back to Resume.
const transID = "threeDSServerTransID"

// Check refuses what sale and preauth cannot express: amounts over ten characters, currencies without exactly two
// decimals, and payments for which neither the merchant nor the account gives an address.
func (p *provider) Check(pay providers.Payment) error {
	if _, err := amount(pay.Amount); err != nil {
		return err
	}
	if pay.Fee != 0 {
		return providers.Refuse("fee", "this gateway has no fee")
	}
	if _, err := readOptions(pay); err != nil {
		return err
	}
	for _, f := range p.billing(pay).fields() {
		switch {
		case f.value == "" && f.needed:
			return providers.Refuse("billing."+f.name, "this gateway needs it: "+f.rule)
		case f.value != "" && !f.fits():
			return providers.Refuse("billing."+f.name, f.rule)
		}
	}
	return nil
}

// Register makes no call: the order begins with the sale.
func (p *provider) Register(_ context.Context, pay providers.Payment) (providers.Ref, error) {
	return providers.Ref{Reference: pay.Ref.Reference}, nil
}

// Pay sends a sale, or a preauth where the amount is to be held.
func (p *provider) Pay(ctx context.Context, pay providers.Payment, in providers.Instrument,
	b threeds.BrowserData) (providers.Step, error) {
	if err := p.Check(pay); err != nil {
		return providers.Step{}, err
	}
	switch in.Kind {
	case "card":
	case "saved_card":
		return p.rebill(ctx, pay, in, b)
	case "hosted":
		return p.hosted(ctx, pay, b)
	default:
		return providers.Step{}, providers.Refuse("payment_method", "this gateway takes cards, saved cards and its own page")
	}
	form, err := p.saleForm(pay, b)
	if err != nil {
		return providers.Step{}, err
	}
	form.Set("card_printed_name", wire.Cut(cardholder(pay, in.Card), 128))
	form.Set("credit_card_number", in.Card.Number.Reveal())
	form.Set("expire_month", wire.TwoDigits(in.Card.Month))
	form.Set("expire_year", strconv.Itoa(in.Card.Year))
	form.Set("cvv2", in.Card.Code.Reveal())
	command := "sale"
	if pay.Hold {
		command = "preauth"
	}
	a, err := p.client.start(ctx, command, pay.Amount.Minor, form)
	if err != nil {
		return providers.Step{}, err
	}
	return startStep(command, pay, a.scrubbed(in.Card))
}

// saleForm is what a sale, a preauth and their forms have in common: everything but the card.
func (p *provider) saleForm(pay providers.Payment, b threeds.BrowserData) (url.Values, error) {
	sum, err := amount(pay.Amount)
	if err != nil {
		return nil, err
	}
	ip := pay.Customer.IP
	if ip == "" {
		ip = b.IP
	}
	if ip == "" {
		return nil, providers.Refuse("ip", "this gateway needs the shopper's address")
	}
	form := url.Values{
		"client_orderid": {pay.Ref.Reference},
		"order_desc":     {description(pay)},
		"amount":         {sum},
		"currency":       {pay.Amount.Currency.Code},
		"ipaddress":      {ip},
		"redirect_url":   {pay.Run.ReturnURL},
	}
	for _, f := range p.billing(pay).fields() {
		if f.value != "" {
			form.Set(f.param, f.value)
		}
	}
	if p.site != "" {
		form.Set("site_url", p.site)
	}
	p.callback(form, pay)
	tellBrowser(form, pay, b)
	return form, tellOptions(form, pay)
}

// callback names our callback address by the parameter that the account wants.
func (p *provider) callback(form url.Values, pay providers.Payment) {
	switch {
	case pay.CallbackURL == "" || p.notify == "none":
	case p.notify == "":
		form.Set("notify_url", pay.CallbackURL)
	default:
		form.Set(p.notify, pay.CallbackURL)
	}
}

// startStep reads the answer to a call that begins an order. Only a validation error that opened no order is a decline;
// type=error is not, it may come after the order was begun.
func startStep(command string, pay providers.Payment, a answer) (providers.Step, error) {
	if a.rejected() {
		switch {
		case a.repeatsNumber():
			return providers.Step{}, &providers.Failure{Op: command, Code: a["error-code"], Text: a["error-message"], Err: providers.ErrReferenceTaken}
		case a.refusesUs(), !a.provesNoOrder(pay.Ref.Reference):
			return providers.Step{}, a.failure(command)
		}
		return providers.Step{V: providers.StepVersion, Kind: providers.Declined, Ref: pay.Ref, Decline: a.decline()}, nil
	}
	return acceptedStep(command, pay.Ref, a)
}

// Resume uploads what the browser brought; the payment goes on by itself then, and status tells how.
func (p *provider) Resume(ctx context.Context, pay providers.Payment, ans providers.Answer) (providers.Step, error) {
	ref := pay.Ref
	var command string
	var fields [][2]string
	plain := strings.Fields(ref.More[plainFields])
	switch ans.Kind {
	case providers.Returned:
		// The final redirect says how it ended, but it came through the shopper's hands. Its proved order id is of use.
		if reference, ok := p.controlValid(ans.Fields); ok && reference == ref.Reference && ref.OrderID == "" {
			ref.OrderID = ans.Fields["orderid"]
		}
		return providers.NewStep(providers.Wait, ref), nil
	case providers.MethodDone:
		command = "upload-method-url-result"
		if ref.More[transID] == "" {
			return providers.Step{}, &providers.Failure{Op: command, Err: errors.New("no threeDSServerTransID to speak of")}
		}
		fields = append([][2]string{
			{"threeDSServerTransID", ref.More[transID]},
			{"threeDSCompInd", ans.CompInd},
			{"notificationURL", pay.Run.ReturnURL},
		}, methodBrowser(providers.Browser(pay, ans.Browser))...)
		for _, name := range plain {
			fields = withPlainValue(pay, fields, name)
		}
	case providers.Challenged:
		command, fields = "upload-cres-result", [][2]string{{"cres", ans.CRes}}
	case providers.PayerAuth:
		command, fields = "upload-pares-result", [][2]string{{"paRes", ans.PaRes}}
		if ans.MD != "" {
			fields = append(fields, [2]string{"md", ans.MD})
		}
	default:
		return providers.Step{}, &providers.Failure{Op: "resume",
			Err: errors.New("this gateway takes no answer of kind " + string(ans.Kind))}
	}
	a, err := p.client.upload(ctx, command, ref.Reference, ref.OrderID, fields)
	if err != nil {
		return providers.Step{}, err
	}
	if name := a.rejectedField(pay); ans.Kind == providers.MethodDone && name != "" && !slices.Contains(plain, name) &&
		name != "browserJavascriptEnabled" { // that one stays the truth, whatever the gateway makes of it
		// Nothing was taken: once more, with the plainest legal value instead of what the browser told.
		return providers.NewStep(providers.Resend, ref.With(plainFields, strings.Join(append(plain, name), " "))), nil
	}
	if a.rejected() {
		return providers.Step{}, a.scrubbed(card.Card{}).refusedUpload(command, ref)
	}
	return acceptedStep(command, ref, a)
}

// plainFields is the key of Ref.More under which the browser fields stand whose value the gateway refused.
const plainFields = "plain"

// refusedUpload is the failure of an upload. A validation error is about the request alone: the order was not touched.
func (a answer) refusedUpload(command string, ref providers.Ref) error {
	f, ok := errors.AsType[*providers.Failure](a.failure(command))
	if ok && a.refusesRequest(ref) {
		f.Untaken = true
	}
	return f
}

// refusesRequest tells whether an answer refuses the request as such, and names no other order than ours.
func (a answer) refusesRequest(ref providers.Ref) bool {
	return a["type"] == typeInvalid && a["status"] == "" &&
		(a["paynet-order-id"] == "" || a["paynet-order-id"] == ref.OrderID) &&
		(a["merchant-order-id"] == "" || a["merchant-order-id"] == ref.Reference)
}

// rejectedField names the field about the browser that the answer to an upload refuses; "" where it does not say so in so
// many words. A validation error about a field is about the request alone: the order was not touched.
func (a answer) rejectedField(pay providers.Payment) string {
	if !a.refusesRequest(pay.Ref) {
		return ""
	}
	between := func(r rune) bool { return r|0x20 < 'a' || r|0x20 > 'z' }
	for _, word := range strings.FieldsFunc(a["error-message"], between) {
		for _, f := range plainBrowser(pay) {
			if strings.EqualFold(word, f[0]) {
				return f[0]
			}
		}
	}
	return ""
}

// withPlainValue are the fields with a plain value for one of them.
func withPlainValue(pay providers.Payment, fields [][2]string, name string) [][2]string {
	for i, f := range fields {
		if f[0] == name {
			fields = slices.Delete(fields, i, i+1)
			break
		}
	}
	for _, f := range plainBrowser(pay) {
		if f[0] == name {
			fields = append(fields, f)
		}
	}
	return fields
}

func plainBrowser(pay providers.Payment) [][2]string {
	return methodBrowser(providers.Browser(pay, threeds.BrowserData{JavascriptEnabled: true}))
}

// acceptedStep reads an async-response: the gateway has taken the request and works. Whatever status it may carry is left to
// the inquiry.
func acceptedStep(command string, ref providers.Ref, a answer) (providers.Step, error) {
	switch t := a["type"]; {
	case t != typeAsync && t != typeNameless:
		return providers.Step{}, &providers.Failure{Op: command, Text: "unexpected type " + t}
	case a["paynet-order-id"] == "" && (t == typeNameless || a["merchant-order-id"] == ""): // not even the gateway's form
		return providers.Step{}, &providers.Failure{Op: command, Text: "names no order"}
	case a["merchant-order-id"] != "" && a["merchant-order-id"] != ref.Reference:
		return providers.Step{}, &providers.Failure{Op: command, Text: "answer of another order"}
	case ref.OrderID == "" && a["paynet-order-id"] == "":
		return providers.Step{}, &providers.Failure{Op: command, Text: "no paynet-order-id"}
	case ref.OrderID != "" && a["paynet-order-id"] != "" && a["paynet-order-id"] != ref.OrderID:
		return providers.Step{}, &providers.Failure{Op: command, Text: "answer of another order"}
	}
	if ref.OrderID == "" {
		ref.OrderID = a["paynet-order-id"]
	}
	return providers.NewStep(providers.Wait, ref), nil
}

// Status asks for the order and translates the gateway's words; facts and assumptions in docs/gateways/payneteasy.md.
func (p *provider) Status(ctx context.Context, pay providers.Payment) (providers.Standing, error) {
	a, err := p.client.status(ctx, pay.Ref.Reference, pay.Ref.OrderID, "")
	if err != nil {
		return providers.Standing{}, err
	}
	st, err := p.standing(pay, a.scrubbed(card.Card{}))
	if err != nil || st.Outcome != providers.Refused || pay.Instrument != "hosted" || pay.Ref.OrderID == "" {
		return st, err
	}
	// On the gateway's form the shopper may have tried another card since, as another order: by our number alone the newest is told.
	if newest, err := p.client.status(ctx, pay.Ref.Reference, "", ""); err == nil && newest["merchant-order-id"] == pay.Ref.Reference &&
		newest["paynet-order-id"] != pay.Ref.OrderID {
		st.OtherOrder = newest["paynet-order-id"]
	}
	return st, nil
}

func (p *provider) standing(pay providers.Payment, a answer) (providers.Standing, error) {
	ref := pay.Ref
	if a.rejected() {
		// An order whose number the gateway once gave us cannot be unknown to it.
		if a.unknownOrder() && ref.OrderID == "" {
			return providers.Standing{Outcome: providers.NotFound, Ref: ref}, nil
		}
		return providers.Standing{}, a.failure("status")
	}
	if t := a["type"]; t != typeStatus && t != typeNameless {
		return providers.Standing{}, &providers.Failure{Op: "status", Text: "unexpected type " + t}
	}
	if a["merchant-order-id"] == "" && a["paynet-order-id"] == "" {
		return providers.Standing{}, &providers.Failure{Op: "status", Text: "names no order"}
	}
	if a["status"] == "" {
		return providers.Standing{}, &providers.Failure{Op: "status", Text: "no status"}
	}
	s := providers.Standing{Ref: ref, Reference: a["merchant-order-id"]}
	if s.Reference != "" && s.Reference != ref.Reference {
		s.Outcome = providers.Unclear
		return s, nil // another order: what it says of itself is none of ours
	}
	if id := a["paynet-order-id"]; id != "" {
		if ref.OrderID != "" && ref.OrderID != id {
			return providers.Standing{}, &providers.Failure{Op: "status", Text: "answer of another order"}
		}
		if s.Reference == "" && ref.OrderID == "" {
			return providers.Standing{}, &providers.Failure{Op: "status", Text: "order id without our number"}
		}
		s.Ref.OrderID = id
	}
	now, first, err := a.amounts(pay.Amount.Currency)
	if err != nil {
		return providers.Standing{}, &providers.Failure{Op: "status", Err: err}
	}
	s.Card = a.card()
	s.ThreeDS = providers.ThreeDS{TransStatus: transStatus[a["verified-3d-status"]]}
	s.Authorization = a.authorization()
	a.applyAmounts(&s, pay, now, first)
	if s.Outcome == providers.Processing {
		next, err := p.next(pay, s.Ref, a)
		switch {
		case errors.Is(err, errNoWay), errors.Is(err, errIncomplete) && p.longUnderWay(pay):
			s.Outcome = providers.Waiting
			s.LastTry = &providers.Decline{Reason: providers.AuthenticationFailed, Message: err.Error()}
		case err != nil:
			return providers.Standing{}, &providers.Failure{Op: "status", Err: err}
		case next != nil:
			s.Outcome, s.Next = providers.Waiting, next
		}
	}
	return s, nil
}

// transStatus is what verified-3d-status tells; AUTHENTICATED covers Y and A.
var transStatus = map[string]string{"AUTHENTICATED": "Y", "NOT_AUTHENTICATED": "N", "UNSUPPORTED": "U"}

// amounts reads amount, which follows reversals and partial captures, and initial-amount, which does not. What the
// gateway leaves out has no currency; a missing amount is the initial one.
func (a answer) amounts(ours money.Currency) (now, first money.Amount, err error) {
	currency := ours
	if code := a["currency"]; code != "" {
		if currency, err = money.ParseCurrency(strings.ToUpper(code)); err != nil {
			return now, first, err
		}
	}
	parse := func(name string) (money.Amount, error) {
		if a[name] == "" {
			return money.Amount{}, nil
		}
		v, err := money.ParseDecimal(a[name], currency)
		if err == nil && v.Minor < 0 {
			err = money.ErrSyntax
		}
		return v, err
	}
	if now, err = parse("amount"); err != nil {
		return now, first, err
	}
	if first, err = parse("initial-amount"); err != nil {
		return now, first, err
	}
	switch {
	case now.Currency.Code == "" && first.Currency.Code == "" && currency != ours:
		now.Currency, first.Currency = currency, currency // no amount, yet another currency than ours
	case now.Currency.Code == "":
		now = first
	}
	return now, first, nil
}

// applyAmounts sets outcome and sums. The order's status speaks of its newest transaction: a declined capture leaves the
// authorization, a declined reversal leaves the payment.
func (a answer) applyAmounts(s *providers.Standing, pay providers.Payment, now, first money.Amount) {
	s.Amount = now
	kind := strings.ToLower(a["transaction-type"])
	if kind == "" {
		kind = a.stageKind(pay.Hold)
	}
	said := func(m money.Amount) int64 {
		if m.Currency.Code == "" {
			return pay.Amount.Minor
		}
		return m.Minor
	}
	good := a["status"] == "approved"
	declined := a["status"] == "declined" || a["status"] == "filtered" || a["status"] == "error"
	s.Stated = now.Currency.Code != ""
	switch a["status"] {
	case "approved":
	case "declined", "filtered", "error":
		if kind == "sale" || kind == "preauth" {
			s.Outcome, s.Decline = providers.Refused, a.decline()
			return
		}
	case "processing", "chain_declined":
		if kind == "sale" || kind == "preauth" {
			s.Outcome = providers.Processing
			return
		}
	default: // unknown, or a status that came after this was written
		s.Outcome = providers.Unclear
		return
	}
	switch kind {
	case "sale":
		s.Outcome, s.Captured = providers.Paid, said(now)
	case "preauth":
		s.Outcome, s.Held = providers.Authorized, said(now)
		if !pay.Hold { // to be taken at once: the capture is still to come
			s.Outcome = providers.Processing
		}
	case "capture":
		s.Amount = first
		switch {
		case good:
			s.Outcome, s.Held, s.Captured, s.Stated = providers.Paid, said(first), said(now), a["amount"] != ""
		case pay.Hold:
			s.Outcome, s.Held = providers.Authorized, said(first)
		case declined:
			s.Outcome, s.Held, s.Decline = providers.HoldLeft, said(first), a.decline()
		default:
			s.Outcome, s.Held = providers.Processing, said(first)
		}
	case "cancel", "void":
		s.Amount = first
		switch {
		case good:
			s.Outcome = providers.Voided
		case declined && !pay.Hold:
			s.Outcome, s.Held, s.VoidRefused, s.Decline = providers.HoldLeft, said(first), true, a.decline()
		default:
			s.Outcome, s.VoidRefused = providers.Unclear, declined
		}
	case "reversal", "refund":
		s.Amount = first
		switch {
		case good: // how much was given back is said only where amount is smaller than it was
			s.Outcome, s.Captured, s.Refunded, s.Returned = providers.Paid, said(first), said(first), true
			if s.Stated = a["amount"] != "" && a["initial-amount"] != "" && now.Minor < first.Minor; s.Stated {
				s.Refunded = first.Minor - now.Minor
			}
		default:
			s.Outcome = providers.Unclear
		}
	case "chargeback":
		s.Amount, s.Outcome, s.Captured = first, providers.Paid, said(first)
		a.applyDispute(s, now, first, good, declined)
	default:
		s.Outcome = providers.Unclear
	}
}

// stageKind reads the transaction type off order-stage (sale_approved, auth_approved, cancel_approved) where the type
// itself is missing; without either it is what we asked for.
func (a answer) stageKind(hold bool) string {
	stage, _, _ := strings.Cut(a["order-stage"], "_")
	switch stage {
	case "auth", "preauth":
		return "preauth"
	case "":
		if hold {
			return "preauth"
		}
		return "sale"
	}
	return stage
}

// errNoWay ends a try: the gateway waits for the shopper at an address that a browser must not open. Nobody ever gets there,
// and without what would come back from there, which only we could upload, no money moves.
var errNoWay = errors.New("the page of the bank has an address that cannot be opened")

// bankPage reads the address of a page of the bank's. A member that is missing or is no address in this answer may be one in the
// next: that ends no try.
func (p *provider) bankPage(address string) (string, error) {
	to, err := threeds.CheckURL(address, p.loopback)
	switch {
	case err == nil:
		return to, nil
	case strings.Contains(address, ":"):
		return "", errNoWay
	}
	return "", fmt.Errorf("a page of the bank %w its address", errIncomplete)
}

// errIncomplete is an answer that lacks what the shopper needs. The next may have it; if none has, nobody ever gets to the bank, as
// with errNoWay.
var errIncomplete = errors.New("without")

// longUnderWay tells whether a payment began so long ago that a page which still cannot be shown never will be.
func (p *provider) longUnderWay(pay providers.Payment) bool {
	return !pay.CreatedAt.IsZero() && p.now().Sub(pay.CreatedAt) >= completeWithin
}

// completeWithin is how long an answer may lack what the shopper needs.
const completeWithin = 5 * time.Minute

// next is what the gateway waits for. tds_status is spelt with an underscore in the documentation, unlike all its
// neighbours, so both spellings are read.
func (p *provider) next(pay providers.Payment, ref providers.Ref, a answer) (*providers.Step, error) {
	tds := a["tds_status"]
	if tds == "" {
		tds = a["tds-status"]
	} else if other := a["tds-status"]; other != "" && other != tds {
		return nil, errors.New("tds_status says two things")
	}
	step := providers.Step{V: providers.StepVersion, Ref: ref}
	switch tds {
	case "MethodUrlFrame":
		return p.methodStep(pay, step, a)
	case "CReqForm":
		if a["tds-creq-form-creq"] == "" {
			return nil, fmt.Errorf("CReqForm %w a CReq", errIncomplete)
		}
		to, err := p.bankPage(a["tds-creq-form-acs-url"])
		if err != nil {
			return nil, err
		}
		step.Kind, step.Withholdable = providers.Challenge, p.withholds
		step.ThreeDS.ThreeDSServerTransID = ref.More[transID]
		if creq, err := threeds.DecodeCReq(a["tds-creq-form-creq"]); err == nil {
			step.ThreeDS = threeds.IDs{
				ThreeDSServerTransID: creq.ThreeDSServerTransID, ACSTransID: creq.ACSTransID, MessageVersion: creq.MessageVersion,
			}
		}
		step.Forms = []threeds.Form{threeds.ChallengeForm(to, a["tds-creq-form-creq"], pay.Run.SessionData)}
	case "PaReqForm":
		if a["tds-pareq-form-pareq"] == "" {
			return nil, fmt.Errorf("PaReqForm %w a PaReq", errIncomplete)
		}
		to, err := p.bankPage(a["tds-pareq-form-acs-url"])
		if err != nil {
			return nil, err
		}
		step.Kind, step.Withholdable = providers.PayerPage, stopPaReq.Withholdable
		step.Forms = []threeds.Form{threeds.PayerAuthForm(to, a["tds-pareq-form-pareq"], pay.Run.ReturnURL, pay.Run.SessionData)}
	case "":
		link := ""
		if a["redirect-to"] != "" {
			to, err := p.bankPage(a["redirect-to"])
			if err != nil && a["html"] == "" {
				return nil, err
			}
			link = to // of an unusable one nothing: the html leads there without it
		}
		switch {
		case a["html"] != "": // with redirect-to beside it, which leads to the same page
			step.Kind, step.HTML, step.Link = providers.Page, a["html"], link
		case link != "":
			step.Kind, step.Link = providers.Redirect, link
		default:
			return nil, nil
		}
	default:
		return nil, errors.New("unknown tds_status") // of a later version of the gateway: the shopper cannot be helped
	}
	return &step, nil
}

// methodStep is the 3DS Method, without a frame where the gateway names no address that a browser may open.
func (p *provider) methodStep(pay providers.Payment, step providers.Step, a answer) (*providers.Step, error) {
	ref := step.Ref
	id := a["tds-method-url-frame-3ds-server-trans-id"]
	if id == "" {
		return nil, fmt.Errorf("MethodUrlFrame %w threeDSServerTransID", errIncomplete)
	}
	step.Kind, step.Deadline = providers.Method, p.methodWait
	step.Withholdable = p.withholds
	step.NewRun = ref.More[transID] != "" && ref.More[transID] != id
	step.Ref = ref.With(transID, id)
	step.ThreeDS.ThreeDSServerTransID = id
	if a["tds-method-url-frame-3ds-method-url"] == "" {
		return &step, nil // no frame: threeDSCompInd=U at once
	}
	to, err := threeds.CheckURL(a["tds-method-url-frame-3ds-method-url"], p.loopback)
	if err != nil { // an address that a browser must not open costs the frame, not the payment: the Method is optional
		return &step, nil
	}
	data, err := threeds.EncodeMethodData(threeds.MethodData{
		ThreeDSServerTransID: id, ThreeDSMethodNotificationURL: pay.Run.NotifyURL,
	})
	if err != nil {
		return nil, err
	}
	step.Forms = []threeds.Form{threeds.MethodForm(to, data)}
	return &step, nil
}

func (a answer) authorization() providers.Authorization {
	return providers.Authorization{
		ApprovalCode: providers.Fact(a["approval-code"]), RRN: providers.Fact(a["processor-rrn"]), At: processedAt(a["paynet-processing-date"]),
		Terminal: providers.Fact(a["terminal-id"]), BankName: providers.Fact(a["bank-name"]),
		BankCountry:   providers.Fact(a["card-country-alpha-three-code"]),
		CardExpiry:    providers.MonthYear(a["card-exp-month"], a["card-exp-year"]),
		CardHolder:    providers.Holder(cmp.Or(a["cardholder-name"], a["card-holder-name"], a["name"])),
		PaymentSystem: providers.Fact(a["card-type"]), ProcessorID: providers.Fact(a["processor-tx-id"]),
		ReceiptID: providers.Fact(a["receipt-id"]), Descriptor: providers.Fact(cmp.Or(a["descriptor"], a["original-gate-descriptor"])),
	}
}

// zones are those that paynet-processing-date was seen with; an abbreviation alone names none.
var zones = map[string]*time.Location{"MSK": time.FixedZone("MSK", 3*60*60), "UTC": time.UTC, "GMT": time.UTC}

func processedAt(s string) time.Time {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 || zones[s[i+1:]] == nil {
		return time.Time{}
	}
	t, err := time.ParseInLocation(time.DateTime, s[:i], zones[s[i+1:]])
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func (a answer) card() card.Masked {
	first, last := a["bin"], a["last-four-digits"]
	if len(first) < 6 || !wire.Digits(first) || len(last) != 4 || !wire.Digits(last) {
		return card.Masked{}
	}
	return card.Masked{Brand: card.Brand(first[:6]), First6: first[:6], Last4: last}
}

// failure is a refusal of a request. It proves that the request did nothing only where it refuses us: who asks is not known to
// the gateway, or it is a validation error, and no order is named.
func (a answer) failure(op string) error {
	f := providers.Failure{Op: op, Code: a["error-code"], Text: a["error-message"]}
	if !a.refusesUs() {
		return &f
	}
	return f.Misconfigured(a["paynet-order-id"] == "" && (a.refusesCaller() || a["type"] == typeInvalid))
}

// refusesUs tells whether a rejected request refuses our account and not the shopper. The list of codes is not public, so the
// words count: about who asks, or about what the contract or the request lacks beside the card.
func (a answer) refusesUs() bool {
	if !a.rejected() || a["status"] != "" {
		return false
	}
	if a.refusesCaller() {
		return true
	}
	text := strings.ToLower(a["error-message"])
	if name, ok := strings.CutSuffix(text, " is required"); ok {
		return !slices.Contains(cardParameters, strings.TrimPrefix(name, "parameter "))
	}
	return wire.ContainsAny(text, "merchant", "terminal", "project", "account", "gate ", "currency", "cart", "receipt", "feature") &&
		wire.ContainsAny(text, "block", "disabled", "suspend", "not active", "inactive", "not found", "unknown", "not exist",
			"not allowed", "not supported", "unsupported", "not configured", "not enabled", "required", "missing", "is empty") &&
		!wire.ContainsAny(text, "card", "order is not", "duplicate")
}

// refusesCaller tells whether the gateway does not know, or not let in, who asks.
func (a answer) refusesCaller() bool {
	text := strings.ToLower(a["error-message"])
	return a.rejected() && a["status"] == "" && wire.ContainsAny(text, "control", "signature", "login", "end point", "endpoint",
		"access denied", "access is denied", "forbidden", "permission", "unauthorized", "not authorized", "credential",
		"ip address is not", "ip is not") ||
		a.rejected() && a["status"] == "" && ipRefused.MatchString(text)
}

// ipRefused is a refusal of the address that the request came from, in whatever order the words come.
var ipRefused = regexp.MustCompile(`\bips?\b.*(not allowed|denied|forbidden|block|whitelist|restrict)|(not allowed|denied|forbidden|blocked|unknown|restricted|whitelist).*\b(ips?|remote address)\b`)

// cardParameters are what the shopper types.
var cardParameters = []string{"credit_card_number", "cvv2", "expire_month", "expire_year", "card_printed_name", "cardrefid"}

// provesNoOrder tells whether a rejected sale is proof that no order began: the gateway calls it a validation error, gives
// no order id, and does not speak of another or of a repeated order.
func (a answer) provesNoOrder(reference string) bool {
	text := strings.ToLower(a["error-message"])
	return a["type"] == typeInvalid && a["paynet-order-id"] == "" && a["status"] == "" &&
		(a["merchant-order-id"] == "" || a["merchant-order-id"] == reference) &&
		!wire.ContainsAny(text, "duplicate", "already", "unique", "exist", "in progress", "processing")
}

// repeatsNumber tells whether a request was refused because our order number was used before.
func (a answer) repeatsNumber() bool {
	text := strings.ToLower(a["error-message"])
	return a.rejected() && a["status"] == "" && wire.ContainsAny(text, "duplicate", "already", "unique", "exists") &&
		wire.ContainsAny(text, "order", "client_orderid", "invoice", "transaction") && !wire.ContainsAny(text, "in progress", "processing")
}

// unknownOrder reads "no such order" off a rejected status. The texts are not documented; words about endpoints and
// merchants are about our settings, not about the order.
func (a answer) unknownOrder() bool {
	text := strings.ToLower(a["error-message"])
	return wire.ContainsAny(text, "not found", "no such", "not exist", "unknown", "cannot find") &&
		wire.ContainsAny(text, "order", "transaction", "payment") &&
		!wire.ContainsAny(text, "endpoint", "end point", "merchant ", "login", "terminal", "currency", "control")
}

// decline maps a refusal to a Decline. Only unambiguous codes and words are read; the code list is not public.
func (a answer) decline() *providers.Decline {
	code := a["error-code"]
	if code == "" {
		code = a["auth-response-code"]
	}
	d := &providers.Decline{Reason: providers.OtherReason, Code: code, Message: a["error-message"]}
	if r, ok := actionCodes[code]; ok {
		d.Reason = r
		return d
	}
	text := strings.ToLower(a["error-message"])
	for _, w := range declineWords {
		if wire.ContainsAny(text, w.words...) {
			d.Reason = w.reason
			return d
		}
	}
	switch {
	case a["status"] == "filtered":
		d.Reason = providers.Fraud
	case a["verified-3d-status"] == "NOT_AUTHENTICATED":
		d.Reason = providers.AuthenticationFailed
	}
	return d
}

// actionCodes are the ISO 8583 action codes that the gateway's own test scenarios name.
var actionCodes = map[string]providers.Reason{
	"101": providers.ExpiredCard,
	"116": providers.InsufficientFunds,
	"119": providers.CardNotSupported,
	"209": providers.Fraud,
}

// declineWords are ordered from the most to the least specific; the first match counts.
var declineWords = []struct {
	reason providers.Reason
	words  []string
}{
	{providers.InsufficientFunds, []string{"insufficient", "not sufficient", "not enough"}},
	{providers.ExpiredCard, []string{"expired card", "card expired", "card is expired"}},
	{providers.WrongCVC, []string{"cvv", "cvc", "security code"}},
	{providers.AuthenticationFailed, []string{"3ds", "3-d secure", "3d secure", "3d authentication", "not authenticated",
		"authentication failed", "authentication rejected"}},
	{providers.Limit, []string{"limit exceeded", "exceeds limit", "exceeds amount limit", "over limit"}},
	{providers.Fraud, []string{"fraud", "stolen", "lost card", "blacklist"}},
	{providers.DoNotHonor, []string{"do not hono"}},
	{providers.CardNotSupported, []string{"not permitted", "not supported", "restricted card"}},
	{providers.TryAgainLater, []string{"try again later", "temporarily", "issuer unavailable", "issuer is unavailable"}},
}

// scrubbed is the answer without card data: gateways repeat what they were sent in their error messages.
func (a answer) scrubbed(c card.Card) answer {
	if a["error-message"] == "" {
		return a
	}
	out := make(answer, len(a))
	for k, v := range a {
		out[k] = v
	}
	out["error-message"] = wire.Cut(hideDigits(a["error-message"], c.Code.Reveal()), 500)
	return out
}

// hideDigits blanks runs of twelve digits and more (blanks and hyphens between them do not end a run) and the runs equal
// to the code.
func hideDigits(s, code string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] < '0' || s[i] > '9' {
			b.WriteByte(s[i])
			i++
			continue
		}
		end, n, first := i, 0, 0
		for j := i; j < len(s); j++ {
			if s[j] >= '0' && s[j] <= '9' {
				n++
				end = j + 1
			} else if s[j] != ' ' && s[j] != '-' || end < j {
				break
			} else if first == 0 {
				first = j
			}
		}
		if first == 0 {
			first = end
		}
		switch {
		case n >= 12:
			b.WriteString("…")
			i = end
		case code != "" && s[i:first] == code:
			b.WriteString("…")
			i = first
		default:
			b.WriteString(s[i:first])
			i = first
		}
	}
	return b.String()
}

// tellBrowser tells of the browser beside the sale, if there is one.
func tellBrowser(form url.Values, pay providers.Payment, b threeds.BrowserData) {
	if !providers.BrowserKnown(b) {
		return
	}
	b = providers.Browser(pay, b)
	for _, f := range nonEmpty([][2]string{
		{"customer_browser_info", "true"},
		{"customer_browser_accept_header", b.AcceptHeader},
		{"customer_browser_user_agent", b.UserAgent},
		{"customer_browser_accept_language", b.Language},
		{"customer_browser_javascript_enabled", strconv.FormatBool(b.JavascriptEnabled)},
		{"customer_browser_java_enabled", strconv.FormatBool(b.JavaEnabled)},
		{"customer_browser_color_depth", b.ColorDepth},
		{"customer_browser_screen_height", b.ScreenHeight},
		{"customer_browser_screen_width", b.ScreenWidth},
		{"customer_browser_time_zone", b.TZ},
	}) {
		form.Set(f[0], f[1])
	}
}

// methodBrowser are the same under EMV's names.
func methodBrowser(b threeds.BrowserData) [][2]string {
	return nonEmpty([][2]string{
		{"browserAcceptHeader", b.AcceptHeader},
		{"browserUserAgent", b.UserAgent},
		{"browserIP", b.IP},
		{"browserJavaEnabled", strconv.FormatBool(b.JavaEnabled)},
		{"browserJavascriptEnabled", strconv.FormatBool(b.JavascriptEnabled)},
		{"browserLanguage", b.Language},
		{"browserColorDepth", b.ColorDepth},
		{"browserScreenHeight", b.ScreenHeight},
		{"browserScreenWidth", b.ScreenWidth},
		{"browserTZ", b.TZ},
	})
}

func nonEmpty(fields [][2]string) [][2]string {
	out := fields[:0]
	for _, f := range fields {
		if f[1] != "" {
			out = append(out, f)
		}
	}
	return out
}

func description(pay providers.Payment) string {
	if d := strings.TrimSpace(pay.Description); d != "" {
		return wire.Cut(d, 1024)
	}
	return pay.OrderID
}

// cardholder is the name on the card; it is required, and cards without a name exist.
func cardholder(pay providers.Payment, c card.Card) string {
	if n := strings.TrimSpace(c.Name); n != "" {
		return n
	}
	if n := strings.TrimSpace(pay.Billing.FirstName + " " + pay.Billing.LastName); n != "" {
		return n
	}
	return "CARD HOLDER"
}

// applyDispute reads a chargeback by the status of its transaction. Of the sums it states only that something is gone, by refunds
// or by itself; one that was won took nothing.
func (a answer) applyDispute(s *providers.Standing, now, first money.Amount, good, declined bool) {
	s.Dispute = &providers.Dispute{State: providers.DisputeOpened}
	switch {
	case good:
		s.Dispute.State = providers.DisputeLost
	case declined:
		s.Dispute.State = providers.DisputeWon
	}
	s.Stated = false
	if a["amount"] != "" && a["initial-amount"] != "" && now.Minor < first.Minor {
		s.Returned, s.Stated = true, declined
		if declined {
			s.Refunded = first.Minor - now.Minor
		}
	}
}
