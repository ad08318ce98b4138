package sber

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/wire"
	"tollgate/threeds"
)

type provider struct {
	client
	now        func() time.Time
	loopback   bool
	merchant   string
	find       string
	ownCards   bool
	tokenLife  time.Duration
	currencies []string
}

var (
	_ providers.Provider          = (*provider)(nil)
	_ providers.Login             = (*provider)(nil)
	_ providers.CardKeeper        = (*provider)(nil)
	_ providers.CardRenamer       = (*provider)(nil)
	_ providers.VirtualCardIssuer = (*provider)(nil)
	_ providers.Transferrer       = (*provider)(nil)
	_ providers.Historian         = (*provider)(nil)
)

// What is remembered in Ref.More between the calls.
//
// moreFinish is set by the answer to start and by nothing else, and finish is sent only where it is set. So an order
// without it was never finished by us, unless the database has forgotten it; and since only finish moves money and nobody
// else sends it, it never will be.
const (
	moreFinish = "finish" // the call that ends it: payment/finish or transfer/finish
	moreACS    = "acs"    // 3-D Secure: redirectUrl,
	morePaReq  = "pareq"  // paReq
	moreInfo   = "info"   // and info of the answer, which no inquiry repeats
)

// Longest values we send; the gateway's own limits are not published (assumption 13).
const (
	maxReference = 36
	maxAmount    = 999_999_999_999 // twelve digits
	maxName      = 64
)

// Check refuses what the gateway cannot express. Amounts are minor units of any ISO 4217 currency. Where a transfer
// goes may be typed later.
func (g *provider) Check(p providers.Payment) error {
	switch {
	case len(p.Amount.Currency.Numeric) != 3:
		return providers.Refuse("currency", "the gateway wants an ISO 4217 number, and this currency has none")
	case len(g.currencies) > 0 && !slices.Contains(g.currencies, p.Amount.Currency.Code):
		return providers.Refuse("currency", "not among the currencies of this account")
	case p.Amount.Minor <= 0:
		return providers.Refuse("amount", "must be positive")
	case p.Amount.Minor > maxAmount:
		return providers.Refuse("amount", "has more than twelve digits")
	case p.Fee < 0 || p.Fee > maxAmount:
		return providers.Refuse("fee", "must be at least 0 and have at most twelve digits")
	case p.Hold:
		return providers.Refuse("capture", "this gateway takes the money at once")
	case len(p.Ref.Reference) > maxReference:
		return providers.Refuse("order_id", "too long: at most 36 characters with the number of the attempt")
	}
	if to := p.Transfer; to != nil {
		switch {
		case to.Phone != "" || to.BankID != "" || to.PaymentID != "":
			return providers.Refuse("transfer", "this gateway transfers to a card, a saved card or a virtual card")
		case to.Card != nil && to.Saved != "":
			return providers.Refuse("transfer", "a card or a saved card, not both")
		}
	}
	return nil
}

// TransfersTo a card, a saved card or a virtual one, which is a saved card to the gateway.
func (g *provider) TransfersTo() []string { return []string{"card", "saved_card"} }

// Register sends nothing: the order is made by start, which needs the card. Without a credential nothing could follow.
func (g *provider) Register(_ context.Context, p providers.Payment) (providers.Ref, error) {
	if err := g.Check(p); err != nil {
		return providers.Ref{}, err
	}
	if p.Credential.Empty() {
		return providers.Ref{}, &providers.Failure{Op: "start", Err: providers.ErrCredential}
	}
	return p.Ref, nil
}

// Pay is start. It moves no money: finish is Resume's, under a permission of its own, so that neither a cut nor a crash
// between the two leaves an order that nobody finishes or that two finish.
func (g *provider) Pay(ctx context.Context, p providers.Payment, in providers.Instrument,
	_ threeds.BrowserData) (providers.Step, error) {
	op, finish := opPaymentStart, opPaymentFinish
	if p.Transfer != nil {
		op, finish = opTransferStart, opTransferFinish
	}
	if p.Credential.Empty() {
		return providers.Step{}, &providers.Failure{Op: op, Err: providers.ErrCredential}
	}
	if err := g.Check(p); err != nil {
		return providers.Step{}, err
	}
	req, hide, err := startOf(p, in)
	if err != nil {
		return providers.Step{}, err
	}
	o, err := g.call(ctx, op, p.Credential, req, hide...)
	if f, ok := refused(err); ok {
		return g.startRefused(ctx, p, f)
	}
	if err != nil {
		return providers.Step{}, err
	}
	mdOrder, acs, paReq := wire.ID(o.Text("mdOrder")), o.Text("redirectUrl"), o.Text("paReq")
	number := o.Text("transactionNumber")
	if mdOrder == "" || number != "" && number != p.Ref.Reference || (acs == "") != (paReq == "") {
		return providers.Step{}, providers.Unreadable(op, 200, errShape)
	}
	ref := p.Ref
	ref.OrderID = mdOrder
	ref = ref.With(moreFinish, finish)
	if acs != "" {
		if acs, err = threeds.CheckURL(acs, g.loopback); err != nil {
			return providers.Step{}, providers.Unreadable(op, 200, err)
		}
		ref = ref.With(moreACS, acs).With(morePaReq, paReq).With(moreInfo, o.Words("info"))
	}
	return *g.next(p, ref), nil
}

// next is what a started order waits for: a PaRes, or (without 3-D Secure) nothing but our going on, which is a Method
// without frames.
func (g *provider) next(p providers.Payment, ref providers.Ref) *providers.Step {
	if ref.More[morePaReq] == "" {
		s := providers.NewStep(providers.Method, ref)
		s.Withholdable = stopFinish.Withholdable
		return &s
	}
	s := providers.NewStep(providers.PayerPage, ref)
	s.Withholdable = stopFinish.Withholdable
	s.Info = ref.More[moreInfo]
	s.Forms = []threeds.Form{threeds.PayerAuthForm(ref.More[moreACS], ref.More[morePaReq], p.Run.ReturnURL, ref.OrderID)}
	return &s
}

// startOf writes the request, and the texts of it that no error may repeat.
func startOf(p providers.Payment, in providers.Instrument) (req startRequest, hide []string, err error) {
	req = startRequest{TransactionNumber: p.Ref.Reference, Amount: amount{p.Amount.Minor, p.Fee, p.Amount.Currency.Numeric}}
	save := p.SaveCard
	switch in.Kind {
	case "card":
		number, code := in.Card.Number.Reveal(), in.Card.Code.Reveal()
		hide = append(hide, number, code)
		c := &sourceCard{PAN: number, ExpiryDate: fmt.Sprintf("%04d-%02d", in.Card.Year, in.Card.Month),
			CardholderName: cmp.Or(wire.Line(in.Card.Name, maxName), "CARDHOLDER"), CVC: code}
		if p.Transfer != nil {
			c.SaveSource = &save
		} else {
			c.SaveCard = &save
			req.ReturnURL = &returnURL{p.Run.ReturnURL, p.Run.ReturnURL}
		}
		req.Source.Card = c
	case "saved_card":
		if in.Saved == "" {
			return req, nil, providers.Refuse("saved_card", "missing")
		}
		req.Source.Binding = in.Saved
	default:
		return req, nil, providers.Refuse("payment_method", "this gateway takes cards and saved cards only")
	}
	if to := p.Transfer; to != nil {
		switch {
		case to.Card != nil:
			number := to.Card.Number.Reveal()
			hide = append(hide, number)
			req.Target = &target{Card: &targetCard{PAN: number}}
		case to.Saved != "":
			req.Target = &target{Binding: to.Saved}
		default:
			return req, nil, providers.Refuse("transfer", "the card to transfer to is missing")
		}
	}
	return req, hide, nil
}

// startRefused is a start that the gateway refused. That it was not taken all the same is asked once, because a step
// Declined is believed.
func (g *provider) startRefused(ctx context.Context, p providers.Payment, f *providers.Failure) (providers.Step, error) {
	st, err := g.Status(ctx, p)
	switch {
	case err != nil:
		return providers.Step{}, f
	case st.Outcome == providers.NotFound, st.Outcome == providers.Closed, st.Outcome == providers.Refused:
		return declined(p.Ref, f), nil
	}
	return providers.Step{}, f
}

func declined(ref providers.Ref, f *providers.Failure) providers.Step {
	s := providers.NewStep(providers.Declined, ref)
	s.Decline = &providers.Decline{Reason: reason(f.Code), Code: f.Code, Message: f.Text}
	return s
}

var errNotStarted = errors.New("the order was not started, or its start got no answer")

// Resume is finish. What does not belong to the step that is waited for sends nothing: the inquiry tells how things are.
func (g *provider) Resume(ctx context.Context, p providers.Payment, a providers.Answer) (providers.Step, error) {
	op, tds := p.Ref.More[moreFinish], p.Ref.More[morePaReq] != ""
	switch {
	case op == "" || p.Ref.OrderID == "":
		return providers.Step{}, &providers.Failure{Op: "finish", Err: errNotStarted}
	case tds && (a.Kind != providers.PayerAuth || a.PaRes == ""), !tds && a.Kind != providers.MethodDone:
		return providers.NewStep(providers.Wait, p.Ref), nil
	case p.Credential.Empty():
		return providers.Step{}, &providers.Failure{Op: op, Err: providers.ErrCredential}
	}
	req := finishRequest{MdOrder: p.Ref.OrderID, TransactionNumber: p.Ref.Reference}
	if tds {
		req.PaRes = a.PaRes // byte for byte
	}
	// The answer names the order, the transaction, both or nothing (the documents disagree), and never the outcome.
	_, err := g.call(ctx, op, p.Credential, req, a.PaRes)
	f, ok := refused(err)
	if !ok && err != nil {
		return providers.Step{}, err
	}
	if err == nil {
		return providers.NewStep(providers.Finished, p.Ref), nil
	}
	if reason(f.Code) == providers.TryAgainLater { // a failure of the gateway's own says nothing of the money
		return providers.Step{}, err
	}
	// A refusal may be of this call alone (an earlier one was taken): only an order that says DECLINED is over.
	if st, asked := g.Status(ctx, p); asked == nil && st.Outcome == providers.Refused && st.Reference == p.Ref.Reference {
		return declined(p.Ref, f), nil
	}
	return providers.Step{}, err
}

// Words of mdOrderStatus. Only DEPOSITED is published; the others are the vendor's in its other gateway (assumption 4).
const (
	statusCreated   = "CREATED"
	statusDeposited = "DEPOSITED"
	statusDeclined  = "DECLINED"
	statusReversed  = "REVERSED"
	statusRefunded  = "REFUNDED"
)

// Status asks what became of the order, by its own number where that is known.
func (g *provider) Status(ctx context.Context, p providers.Payment) (providers.Standing, error) {
	o, err := g.inquire(ctx, p)
	if f, ok := refused(err); ok && f.Code == codeNoOrder && p.Ref.OrderID == "" {
		return providers.Standing{Outcome: providers.NotFound, Ref: p.Ref}, nil
	}
	if err != nil {
		return providers.Standing{}, err
	}
	st, err := g.standing(p, o)
	if err != nil {
		return providers.Standing{}, providers.Unreadable(g.find, 200, err)
	}
	return st, nil
}

func (g *provider) inquire(ctx context.Context, p providers.Payment) (object, error) {
	if p.Credential.Empty() {
		return object{}, &providers.Failure{Op: g.find, Err: providers.ErrCredential}
	}
	req := findRequest{MdOrder: p.Ref.OrderID}
	if req.MdOrder == "" {
		req.TransactionNumber = p.Ref.Reference
	}
	return g.call(ctx, g.find, p.Credential, req)
}

// standing reads an order. An end needs the whole of it: our number, amount and currency.
func (g *provider) standing(p providers.Payment, o object) (providers.Standing, error) {
	st := providers.Standing{Ref: p.Ref, Outcome: providers.Unclear, Reference: wire.Line(o.Text("transactionNumber"), 64)}
	mdOrder, word := wire.ID(o.Text("mdOrder")), o.Text("mdOrderStatus")
	if mdOrder != "" {
		st.Ref.OrderID = mdOrder // the caller compares it with the one it knows
	}
	if o.Text("mdOrder") == "" && word == "" && st.Reference == "" {
		// An answer without an order, as clients/find answers without a client. Of an order that the gateway gave us
		// that is not believable.
		if p.Ref.OrderID == "" {
			st.Outcome = providers.NotFound
		}
		return st, nil
	}
	var err error
	if st.Amount, err = sum(p, o.Child("amount")); err != nil {
		return st, err
	}
	st.Card = sourceParty(o).card
	st.Authorization = authorization(o)
	if mdOrder == "" || st.Reference == "" || st.Amount.Currency.Code == "" {
		return st, nil
	}
	whole, started := st.Amount.Minor, st.Ref.More[moreFinish] != ""
	if started && otherKind(st.Ref.More[moreFinish], o.Text("transactionType")) {
		// A transfer where we paid, or the other way round: whatever became of it, it is not what was begun.
		if st.Unproven = word == statusDeposited; st.Unproven {
			st.Outcome, st.Held, st.Captured = providers.Paid, whole, whole
		}
		return st, nil
	}
	switch {
	case word == statusCreated && !started && p.Forgotten != nil && !p.Forgotten.Arrived:
		st.Outcome, st.Unproven = providers.Waiting, true // a finish may have been sent, and be on its way
	case word == statusCreated && !started:
		st.Outcome = providers.Closed // see moreFinish
	case word == statusCreated:
		st.Outcome = providers.Waiting
		if mdOrder == p.Ref.OrderID && st.Reference == p.Ref.Reference {
			st.Next = g.next(p, st.Ref)
		}
	case word == statusDeclined:
		st.Outcome, st.Decline = providers.Refused, &providers.Decline{Reason: providers.OtherReason, Code: statusDeclined}
	case word == statusDeposited:
		// Money that moved though we know of no finish: somebody else's order under our number, or the database has
		// forgotten it.
		st.Outcome, st.Held, st.Captured, st.Unproven = providers.Paid, whole, whole, !started
	case word == statusRefunded && started:
		st.Outcome, st.Held, st.Captured, st.Refunded, st.Returned = providers.Paid, whole, whole, whole, true
	case word == statusReversed && started:
		st.Outcome = providers.Voided
	case word == "", word == statusRefunded, word == statusReversed:
		// Money that moved though we know of no finish, and is back.
	default: // APPROVED, and what nobody documented
		st.Outcome = providers.Processing
	}
	return st, nil
}

// otherKind tells whether an order's transactionType contradicts the call that was to finish it.
func otherKind(finish, kind string) bool {
	return kind == "TRANSFER" && finish == opPaymentFinish || kind == "PURCHASE" && finish == opTransferFinish
}

// authorization is the time of the transaction and the id that the gateway's support asks for.
func authorization(o object) providers.Authorization {
	a := providers.Authorization{RequestID: providers.Fact(o.Text("requestId")), Kind: providers.Fact(o.Text("transactionType")),
		Way: providers.Fact(o.Text("transactionWay"))}
	if at, err := time.ParseInLocation(dateLayout, o.Text("transactionDate"), moscow); err == nil {
		a.At = at.UTC()
	}
	return a
}

// sum is the order's amount. A fee other than the one that was sent makes it another amount, by the difference: the
// customer paid something else than was agreed.
func sum(p providers.Payment, o object) (money.Amount, error) {
	minor, found, err := o.Number("transactionAmount")
	if err != nil || !found {
		return money.Amount{}, err
	}
	fee, said, err := o.Number("transactionFee")
	if err != nil {
		return money.Amount{}, err
	}
	if said && minor == p.Amount.Minor {
		minor += fee - p.Fee
	}
	number := o.Text("currency")
	if number == "" {
		return money.Amount{}, nil
	}
	a := money.Amount{Minor: minor}
	a.Currency = providers.CurrencyOf(number)
	return a, nil
}

// party is one end of an operation.
type party struct {
	card    card.Masked
	binding string
}

// sourceParty reads both shapes: nested under transactionDetails, and flat at the root as in the scenario tables.
func sourceParty(o object) party {
	s := o.Child("transactionDetails", "source")
	if s.Members == nil {
		s = o.Child("source")
	}
	return party{
		card:    mask(cmp.Or(s.Child("card").Text("maskedPan"), s.Text("maskedPan"))),
		binding: wire.ID(cmp.Or(s.Text("binding"), s.Child("binding").Text("uuid"))),
	}
}
