package transactworld

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/wire"
	"tollgate/threeds"
)

// provider is an opened account. Between calls it keeps the AuthToken and nothing else.
type provider struct {
	client      *client
	terminal    string
	accountID   string
	mode        string
	brands      map[string]string
	attempt     string
	partialVoid bool
	recurring   bool
	byToken     bool
	toType      string // of the checkout page; "": there is none
	tokenCode   bool
	address     bool
	zone        *time.Location
	defaults    Billing
	loopback    bool
}

var (
	_ providers.Provider      = (*provider)(nil)
	_ providers.Notifier      = (*provider)(nil)
	_ providers.Operator      = (*provider)(nil)
	_ providers.CardKeeper    = (*provider)(nil)
	_ providers.CardRegistrar = (*provider)(nil)
	_ providers.SeriesKeeper  = (*provider)(nil)
	_ providers.Payer         = (*provider)(nil)
	_ providers.Invoicer      = (*provider)(nil)
	_ providers.Historian     = (*provider)(nil)

	_ providers.InstrumentLister = (*provider)(nil)
)

// Keys of Ref.More.
const (
	keyRedirected   = "redirected"     // the shopper was sent away: a started payment waits for them
	keyRegistration = "registrationId" // the token that a payment with SaveCard brought
)

// Check refuses what a payment cannot express: amounts that are not two decimals, and, where the account requires them,
// payments for which neither the merchant nor the account gives an address.
func (p *provider) Check(pay providers.Payment) error {
	if _, err := amount(pay.Amount); err != nil {
		return err
	}
	switch {
	case pay.Transfer != nil:
		return providers.Refuse("kind", "this gateway has no transfers")
	case pay.Fee != 0:
		return providers.Refuse("fee", "this gateway has no fee")
	}
	for _, f := range p.billing(pay).fields() {
		switch {
		case f.value == "" && f.needed && p.address:
			return providers.Refuse("billing."+f.name, "this account needs it: "+f.rule)
		case f.value != "" && !f.fits():
			return providers.Refuse("billing."+f.name, f.rule)
		}
	}
	return nil
}

// Register makes no call: the payment begins with PA or DB.
func (p *provider) Register(_ context.Context, pay providers.Payment) (providers.Ref, error) {
	return providers.Ref{Reference: pay.Ref.Reference}, nil
}

// Pay sends PA or DB: with the card, with a registration, or as a repeat of the payment that in.First names. A series of repeats
// begins with an INITIAL payment.
func (p *provider) Pay(ctx context.Context, pay providers.Payment, in providers.Instrument,
	b threeds.BrowserData) (providers.Step, error) {
	if err := p.Check(pay); err != nil {
		return providers.Step{}, err
	}
	total, err := amount(pay.Amount)
	if err != nil {
		return providers.Step{}, err
	}
	if in.Kind == "hosted" && p.toType != "" && !in.Merchant {
		return p.checkout(pay, b)
	}
	form := p.form(pay, b)
	form.Set("amount", total)
	repeat := in.Merchant && !in.Initial
	switch {
	case p.recurring && in.Initial:
		form.Set("recurringType", "INITIAL")
	case p.recurring && repeat:
		form.Set("recurringType", "REPEATED")
	}
	path, checksum := "payments", ""
	switch {
	case in.Kind == "card" && !in.Merchant:
		brand, ok := p.brands[in.Card.Number.Masked().Brand]
		if !ok { // known before anything was sent
			return providers.Step{V: providers.StepVersion, Kind: providers.Declined, Ref: pay.Ref,
				Decline: &providers.Decline{Reason: providers.CardNotSupported}}, nil
		}
		form.Set("paymentMode", p.mode)
		form.Set("paymentBrand", brand)
		cardFields(form, in.Card)
		customerNames(form, in.Card.Name)
		if pay.SaveCard {
			form.Set("createRegistration", "true")
		}
		checksum = p.client.signPayment(pay.Ref.Reference, total)
	case in.Kind == "saved_card" && p.recurring && repeat && identifier.MatchString(in.First) && !(p.byToken && in.Saved != ""):
		path, checksum = "payments/"+in.First, p.client.signAmount(in.First, total)
	case in.Kind == "saved_card" && identifier.MatchString(in.Saved):
		path, checksum = "paywithtoken/"+in.Saved, p.client.signAmount(in.Saved, total)
		if !in.Code.Zero() {
			form.Set("card.cvv", in.Code.Reveal())
		}
	default:
		return providers.Step{}, providers.Refuse("payment_method", "cards and saved cards only")
	}
	op := form.Get("paymentType")
	a, err := p.client.call(ctx, op, restPath+path, p.client.signed(form, checksum))
	if err != nil {
		return providers.Step{}, err
	}
	code := in.Card.Code
	if code.Zero() {
		code = in.Code
	}
	return p.step(op, pay.Ref, a, code)
}

// form is what all payments say: who, where to, and from which browser.
func (p *provider) form(pay providers.Payment, b threeds.BrowserData) url.Values {
	form := url.Values{
		"merchantTransactionId": {pay.Ref.Reference},
		"currency":              {pay.Amount.Currency.Code},
		"paymentType":           {"DB"},
		"orderDescriptor":       {description(pay.Description, pay.OrderID)},
	}
	if pay.Hold {
		form.Set("paymentType", "PA")
	}
	ip := pay.Customer.IP
	if ip == "" {
		ip = b.IP
	}
	if providers.BrowserKnown(b) {
		b = providers.Browser(pay, b)
	}
	language := b.Language
	if len(language) > 5 {
		language, _, _ = strings.Cut(language, "-") // the gateway takes five characters
	}
	told := [][2]string{
		{"authentication.terminalId", p.terminal}, {"authentication.accountId", p.accountID},
		{"merchantRedirectUrl", pay.Run.ReturnURL}, {"notificationUrl", pay.CallbackURL},
		{"customer.ip", ip}, {"customer.customerId", pay.Customer.ID}, {"attemptThreeD", p.attempt},
		{"deviceDetails.user_Agent", b.UserAgent}, {"deviceDetails.browserAcceptHeader", b.AcceptHeader},
		{"deviceDetails.browserLanguage", language},
		{"deviceDetails.browserTimezoneOffset", b.TZ}, {"deviceDetails.browserColorDepth", b.ColorDepth},
		{"deviceDetails.browserScreenHeight", b.ScreenHeight}, {"deviceDetails.browserScreenWidth", b.ScreenWidth},
	}
	if b.UserAgent != "" {
		told = append(told, [2]string{"deviceDetails.browserJavaEnabled", strconv.FormatBool(b.JavaEnabled)})
	}
	for _, f := range p.billing(pay).fields() {
		told = append(told, [2]string{f.param, f.value})
	}
	for _, f := range told {
		if f[1] != "" {
			form.Set(f[0], f[1])
		}
	}
	return form
}

func cardFields(form url.Values, c card.Card) {
	form.Set("card.number", c.Number.Reveal())
	form.Set("card.expiryMonth", wire.TwoDigits(c.Month))
	form.Set("card.expiryYear", strconv.Itoa(c.Year))
	if !c.Code.Zero() {
		form.Set("card.cvv", c.Code.Reveal())
	}
}

// customerNames takes the customer's names from the card where the merchant sent none.
func customerNames(form url.Values, printed string) {
	printed = wire.Cut(strings.TrimSpace(printed), 50)
	if printed == "" || form.Get("customer.givenName") != "" || form.Get("customer.surname") != "" {
		return
	}
	if at := strings.LastIndexByte(printed, ' '); at > 0 {
		form.Set("customer.givenName", strings.TrimSpace(printed[:at]))
		form.Set("customer.surname", printed[at+1:])
		return
	}
	form.Set("customer.surname", printed)
}

// step reads the answer to a payment. Only an explicit N that opened no doubt is a decline; success is left to the inquiry.
func (p *provider) step(op string, ref providers.Ref, a answer, code card.Code) (providers.Step, error) {
	if said := a.text("merchantTransactionId"); said != "" && said != ref.Reference {
		return providers.Step{}, &providers.Failure{Op: op, Text: "answer of another payment"}
	}
	id := a.paymentID()
	switch {
	case id != "" && !identifier.MatchString(id):
		return providers.Step{}, &providers.Failure{Op: op, Text: "unreadable paymentId"}
	case ref.OrderID != "" && id != "" && ref.OrderID != id:
		return providers.Step{}, &providers.Failure{Op: op, Text: "answer of another payment"}
	case id != "":
		ref.OrderID = id
	}
	if token := a.cardToken(); token != "" {
		ref = ref.With(keyRegistration, token)
	}
	step := providers.NewStep(providers.Wait, ref)
	switch v := paymentVerdict(a, op == "PA"); {
	case v == fine:
		if id == "" {
			return providers.Step{}, &providers.Failure{Op: op, Text: "success without a paymentId"}
		}
		step.Kind = providers.Finished
	case v == refused && a.refusesUs():
		return providers.Step{}, a.failure(op, code)
	case v == refused && repeatsNumber(a):
		return providers.Step{}, &providers.Failure{
			Op: op, Code: a.code(), Text: clean(a.text("result", "description"), code), Err: providers.ErrReferenceTaken,
		}
	case v == refused && !isDuplicate(a) && !strings.HasPrefix(a.code(), "0"):
		step.Kind, step.Decline = providers.Declined, a.decline(code)
	case v == pending && value(a.object, "redirect") != nil:
		step.Ref = ref.With(keyRedirected, "1")
		if err := p.redirect(&step, a); err != nil {
			return providers.Step{}, &providers.Failure{Op: op, Err: err}
		}
	case v == pending:
	default:
		return providers.Step{}, a.failure(op, code)
	}
	return step, nil
}

const maxParameters = 64

// redirect turns the redirect object into what the browser does: a form to post, with the parameters byte for byte as they
// are given, or an address to open.
func (p *provider) redirect(step *providers.Step, a answer) error {
	to, err := threeds.CheckURL(a.text("redirect", "url"), p.loopback)
	if err != nil {
		return err
	}
	fields := []threeds.Field{}
	for _, param := range list(a.object, "redirect", "parameters") {
		if inner := list(param, "parameter"); len(inner) > 0 { // XML may wrap its list
			for _, one := range inner {
				fields = append(fields, threeds.Field{Name: text(one, "name"), Value: verbatim(one, "value")})
			}
			continue
		}
		fields = append(fields, threeds.Field{Name: text(param, "name"), Value: verbatim(param, "value")})
	}
	if len(fields) > maxParameters {
		return errors.New("too many redirect parameters")
	}
	for _, f := range fields {
		if f.Name == "" {
			return errors.New("redirect parameter without a name")
		}
	}
	method := strings.ToUpper(a.text("redirect", "method"))
	if method == "" { // a form where there is something to post
		method = "GET"
		if len(fields) > 0 {
			method = "POST"
		}
	}
	switch {
	case method == "POST":
		step.Kind, step.Forms = providers.PayerPage, []threeds.Form{{Action: to, Fields: fields}}
	case method != "GET":
		return errors.New("unknown redirect method")
	default:
		if len(fields) > 0 {
			u, err := url.Parse(to)
			if err != nil {
				return errors.New("unreadable redirect address")
			}
			q := u.Query()
			for _, f := range fields {
				q.Add(f.Name, f.Value)
			}
			u.RawQuery = q.Encode()
			if to, err = threeds.CheckURL(u.String(), p.loopback); err != nil {
				return err
			}
		}
		step.Kind, step.Link = providers.Redirect, to
	}
	return nil
}

// Resume makes no call: the platform has the bank's answer already, and the shopper only comes back. What they bring is
// believed as far as a paymentId that its checksum proves; the inquiry tells the rest.
func (p *provider) Resume(_ context.Context, pay providers.Payment, ans providers.Answer) (providers.Step, error) {
	ref := pay.Ref
	switch ans.Kind {
	case providers.Returned:
		if n, ok := p.checksumValid(ans.Fields); ok && n.Reference == ref.Reference && (ref.OrderID == "" || ref.OrderID == n.OrderID) {
			ref.OrderID = n.OrderID
		}
	// a bank that came to us: the platform did not get its answer from us, nor wants it
	case providers.Challenged, providers.PayerAuth:
	default:
		return providers.Step{}, &providers.Failure{Op: "resume",
			Err: errors.New("this gateway takes no answer of kind " + string(ans.Kind))}
	}
	return providers.NewStep(providers.Wait, ref), nil
}

// Status asks for the payment, by the gateway's id once it is known.
func (p *provider) Status(ctx context.Context, pay providers.Payment) (providers.Standing, error) {
	a, err := p.client.inquire(ctx, pay.Ref.OrderID, pay.Ref.Reference)
	if err != nil {
		return providers.Standing{}, err
	}
	return p.standing(pay, a)
}

func (p *provider) standing(pay providers.Payment, a answer) (providers.Standing, error) {
	const op = "IN"
	ref := pay.Ref
	short, long := a.statuses()
	if short == "" && long == "" {
		return p.unknown(pay, a)
	}
	s := providers.Standing{Ref: ref, Reference: a.text("merchantTransactionId")}
	if s.Reference != "" && s.Reference != ref.Reference {
		s.Outcome = providers.Unclear
		return s, nil // another payment: what it says of itself is none of ours
	}
	switch id := a.paymentID(); {
	case id != "" && !identifier.MatchString(id), ref.OrderID != "" && id != "" && id != ref.OrderID:
		return providers.Standing{}, &providers.Failure{Op: op, Text: "answer of another payment"}
	case s.Reference == "" && (id == "" || ref.OrderID == ""):
		return providers.Standing{}, &providers.Failure{Op: op, Text: "names no payment of ours"}
	case id != "":
		s.Ref.OrderID = id
	}
	if token := a.cardToken(); token != "" {
		s.Ref = s.Ref.With(keyRegistration, token)
	}
	total, err := a.amount("amount", pay.Amount.Currency)
	if err != nil {
		return providers.Standing{}, &providers.Failure{Op: op, Err: err}
	}
	captured, err := a.amount("captureamount", pay.Amount.Currency)
	if err != nil {
		return providers.Standing{}, &providers.Failure{Op: op, Err: err}
	}
	refunded, err := a.amount("refundamount", pay.Amount.Currency)
	if err != nil {
		return providers.Standing{}, &providers.Failure{Op: op, Err: err}
	}
	s.Amount, s.Card, s.ThreeDS = total, a.card(), providers.ThreeDS{ECI: a.text("eci")}
	s.Authorization = a.authorization()
	said := func(m, otherwise money.Amount) int64 {
		if m.Minor == 0 {
			return otherwise.Minor
		}
		return m.Minor
	}
	if total.Currency.Code == "" {
		total = pay.Amount
	}
	s.Outcome = outcome(a, pay.Hold, ref.More[keyRedirected] != "")
	s.AwaitsPage = s.Outcome == providers.Waiting && (long == "3dauthstarted" || long == "" && short == "3D")
	s.Unproven = s.Outcome == providers.Waiting && pay.Forgotten != nil // a payment of ours that was sent and forgotten
	switch s.Outcome {
	case providers.Authorized:
		s.Held, s.Stated = total.Minor, s.Amount.Currency.Code != ""
	case providers.HoldLeft:
		s.Held, s.Decline = total.Minor, a.decline(card.Code{})
	case providers.Paid:
		s.Captured = said(captured, total)
		if pay.Hold {
			s.Held = total.Minor
		}
		// Neither a capture nor a settlement leaves a refund unsaid.
		s.Stated = (captured.Currency.Code != "" || !pay.Hold && s.Amount.Currency.Code != "") &&
			(refunded.Currency.Code != "" || long == "capturesuccess" || long == "settled")
		if s.Refunded = refunded.Minor; long == reversed && refunded.Minor == 0 {
			s.Refunded = s.Captured
		}
	case providers.Refused:
		s.Decline = a.decline(card.Code{})
	case providers.Voided:
		s.RanOut = long == "authcancelled" // a cancellation that was asked for is "cancelled"
	}
	s.Returned = long == reversed
	if s.Dispute, err = a.dispute(long, pay.Amount.Currency); err != nil {
		return providers.Standing{}, &providers.Failure{Op: op, Err: err}
	}
	return s, nil
}

// unknown reads an answer that shows no payment. One whose id the gateway once gave us cannot be unknown to it.
func (p *provider) unknown(pay providers.Payment, a answer) (providers.Standing, error) {
	switch {
	case a.code() != codeNotFound || pay.Ref.OrderID != "" || a.paymentID() != "":
		return providers.Standing{}, a.failure("IN")
	case pay.Ref.More[keyCheckout] != "":
		return p.awaitsCard(pay)
	}
	return providers.Standing{Outcome: providers.NotFound, Ref: pay.Ref}, nil
}

// dispute is a chargeback by the payment's long status; the platform has one word for it.
func (a answer) dispute(long string, ours money.Currency) (*providers.Dispute, error) {
	switch long {
	case "chargeback":
		back, err := a.amount("chargebackamount", ours)
		return &providers.Dispute{State: providers.DisputeLost, Amount: back.Minor}, err
	case "capturesuccess", "settled": // again, where it was a chargeback before
		return &providers.Dispute{State: providers.DisputeWon}, nil
	}
	return nil, nil
}

// amount reads a sum of an answer; one that is not there has no currency.
func (a answer) amount(name string, ours money.Currency) (money.Amount, error) {
	currency := ours
	if code := a.text("currency"); code != "" {
		var err error
		if currency, err = money.ParseCurrency(strings.ToUpper(code)); err != nil {
			return money.Amount{}, err
		}
	}
	v := a.text(name)
	if v == "" {
		if name == "amount" && currency != ours {
			return money.Amount{Currency: currency}, nil // no amount, yet another currency than ours
		}
		return money.Amount{}, nil
	}
	m, err := money.ParseDecimal(v, currency)
	if err == nil && m.Minor < 0 {
		err = money.ErrSyntax
	}
	return m, err
}

// authorization has no time: the timestamp of an answer is the answer's.
func (a answer) authorization() providers.Authorization {
	auth := providers.Authorization{
		BankReference: providers.Fact(a.text("bankReferenceId")), Terminal: providers.Fact(a.text("terminalId")),
		CardExpiry:    providers.MonthYear(a.text("card", "expiryMonth"), a.text("card", "expiryYear")),
		PaymentSystem: providers.Fact(a.text("paymentBrand")), Descriptor: providers.Fact(a.text("descriptor")),
	}
	if auth.Terminal == "" {
		auth.Terminal = providers.Fact(a.text("terminalid")) // of the list
	}
	return auth
}

func (a answer) card() card.Masked {
	first, last := a.text("card", "bin"), a.text("card", "last4Digits")
	if last == "" {
		last = a.text("card", "lastFourDigits")
	}
	if len(first) < 6 || !wire.Digits(first) || len(last) != 4 || !wire.Digits(last) {
		return card.Masked{}
	}
	return card.Masked{Brand: card.Brand(first[:6]), First6: first[:6], Last4: last}
}

func description(text, orderID string) string {
	if d := strings.TrimSpace(text); d != "" {
		return wire.Cut(d, 255)
	}
	return orderID
}

var cardNumber = regexp.MustCompile(`[0-9](?:[ -]?[0-9]){11,}`)

// clean removes card data from the gateway's texts: gateways repeat what they were sent.
func clean(s string, codes ...card.Code) string {
	s = cardNumber.ReplaceAllString(s, "…")
	for _, c := range codes {
		if !c.Zero() {
			s = strings.ReplaceAll(s, c.Reveal(), "…")
		}
	}
	return wire.Cut(s, 500)
}
