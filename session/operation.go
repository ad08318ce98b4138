package session

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
)

// opTransitions is the table of operations: state, next states.
var opTransitions = map[OpState][]OpState{
	OpNew:     {OpCalling, OpUnknown, OpFailed},
	OpCalling: {OpPending, OpUnknown, OpSucceeded, OpFailed},
	OpPending: {OpUnknown, OpSucceeded, OpFailed},
	OpUnknown: {OpPending, OpSucceeded, OpFailed},
	// Only by a person's word, where the gateway's sums never showed what it said was done.
	OpSucceeded: {OpFailed},
}

func baselineOf(st providers.Standing) Baseline {
	return Baseline{st.Outcome, st.Held, st.Captured, st.Refunded, st.Stated}
}

// agrees tells whether a standing has the same sums, as far as it says any.
func (b Baseline) agrees(st providers.Standing) bool {
	same := func(ours, theirs int64) bool { return theirs == 0 || ours == theirs }
	return b.Outcome == st.Outcome && same(b.Held, st.Held) && same(b.Captured, st.Captured) && b.Refunded == st.Refunded
}

// standing is a baseline as a provider reads it.
func (b Baseline) standing() providers.Standing {
	return providers.Standing{Outcome: b.Outcome, Held: b.Held, Captured: b.Captured, Refunded: b.Refunded, Stated: b.Stated}
}

// recordedSums is where the payment stands by our own records.
func recordedSums(a *Attempt) Baseline {
	b := Baseline{Outcome: providers.Paid, Held: a.AmountAuthorized, Captured: a.Captured, Refunded: a.Refunded}
	switch {
	case a.Voided:
		b.Outcome = providers.Voided
	case a.State == Authorized:
		b.Outcome = providers.Authorized
	}
	return b
}

// SumsDiffer says that the sums an operation was asked for on are not the gateway's: it was refused before any call. The books
// are renewed by then, where the gateway stated its sums.
type SumsDiffer struct {
	Operation int
	Payment   *Attempt // as it is now
}

// ErrSumsDiffer is what a *SumsDiffer is.
var ErrSumsDiffer = errors.New("session: the gateway's sums are not those the operation was asked for on")

func (e *SumsDiffer) Error() string   { return ErrSumsDiffer.Error() }
func (e *SumsDiffer) Is(t error) bool { return t == ErrSumsDiffer }

// Differed is the *SumsDiffer of an operation that was refused so, or nil.
func (s *Session) Differed(op *Operation) error {
	if !op.SumsDiffer {
		return nil
	}
	return &SumsDiffer{op.N, s.Attempt(op.Attempt)}
}

// What an operation can be refused for, before any call.
var (
	ErrOperation = errors.New("session: the gateway cannot do this operation")
	ErrNoPayment = errors.New("session: there is no payment to operate on")
	ErrAmount    = errors.New("session: the amount is not possible")
	ErrOpenOp    = errors.New("session: another operation is under way")
	ErrDone      = errors.New("session: the operation was done already")
	ErrUnsettled = errors.New("session: the outcome is not known yet")
)

// Operations decides about the operations of a session's payment.
type Operations struct{ *Turn }

// Operations is a turn that decides about the operations of the session's payment.
func (t *Turn) Operations() Operations { return Operations{t} }

// NewOperation is what a merchant asks for.
type NewOperation struct {
	Kind      providers.OpKind
	Amount    int64  // 0: all that is left, or what the items come to
	Reference string // the merchant's own; may be empty
	Items     []OperationItem
	// ExpectedRefunded is how much the merchant believes to be refunded already; nil: as much as our books say.
	ExpectedRefunded *int64
}

// Begin writes down an operation on the session's payment. The errors say why it is refused before any call.
func (t Operations) Begin(in NewOperation) (*Operation, error) {
	a := t.S.FundedAttempt()
	items, err := t.portions(&in)
	if err != nil {
		return nil, err
	}
	amount, err := t.allowed(a, in)
	if err != nil {
		return nil, err
	}
	if items, err = t.allItems(in.Kind, amount, items); err != nil {
		return nil, err
	}
	op := &Operation{
		Kind: in.Kind, Attempt: a.N, Amount: amount, Items: items, Merchant: in.Reference, Expected: recordedSums(a), Baseline: recordedSums(a),
	}
	if in.ExpectedRefunded != nil {
		op.Expected.Refunded = *in.ExpectedRefunded
	}
	return t.write(op)
}

// write stores a new operation, with the job that inquires about it if its process dies.
func (t Operations) write(op *Operation) (*Operation, error) {
	s := t.S
	op.N, op.State = len(s.Operations)+1, OpNew
	op.Deadline, op.CreatedAt, op.UpdatedAt = t.Now.Add(t.Rules.CallTimeout), t.Now, t.Now
	op.Reference = fmt.Sprintf("%s-%s%d", s.Attempt(op.Attempt).Ref.Reference, op.Kind[:1], op.N)
	if len(op.Reference) > 32 { // the gateways' limit for an operation's reference
		var err error
		if op.Reference, err = t.Token(); err != nil {
			return nil, err
		}
	}
	s.Operations = append(s.Operations, op)
	t.recordState(op)
	t.queueOperationInquiry(op, op.Deadline.Add(time.Second))
	return op, nil
}

// allowed checks what can be checked without the gateway, and fills in the amount.
func (t Operations) allowed(a *Attempt, in NewOperation) (int64, error) {
	s, kind, amount := t.S, in.Kind, in.Amount
	if !s.OutcomeKnown() {
		return 0, ErrUnsettled
	}
	if a == nil {
		return 0, ErrNoPayment
	}
	at := slices.IndexFunc(t.Rules.Operations, func(l providers.OpLimits) bool { return l.Kind == kind })
	if at < 0 {
		return 0, ErrOperation
	}
	limits := t.Rules.Operations[at]
	for _, op := range s.Operations {
		switch {
		case op.State.Open(), op.Unconfirmed:
			return 0, ErrOpenOp
		case limits.Once && op.Kind == kind && op.State == OpSucceeded:
			return 0, ErrDone
		}
	}
	left := int64(0)
	switch kind {
	case providers.Capture:
		if a.State != Authorized || a.Voided {
			return 0, ErrDone
		}
		left = a.AmountAuthorized - a.Captured
	case providers.Void:
		if a.State != Authorized || a.Voided {
			return 0, ErrDone
		}
		if left = a.AmountAuthorized; amount != 0 && amount != left && !limits.Partial {
			return 0, ErrAmount
		}
	case providers.Refund:
		if a.State != Paid {
			return 0, ErrNoPayment
		}
		refunded := a.Refunded
		if in.ExpectedRefunded != nil {
			refunded = *in.ExpectedRefunded
		}
		if limits.Once && refunded > 0 {
			return 0, ErrDone
		}
		left = a.Captured - refunded - a.Disputed // what the bank claims back is not given back twice
	default:
		return 0, ErrOperation
	}
	if amount == 0 {
		amount = left
	}
	if amount < 0 || amount > left || left <= 0 || (amount != left && !limits.Partial) {
		return 0, ErrAmount
	}
	return amount, nil
}

// Permit writes down the permission to send operation n, if the gateway's answer to an inquiry just made (st) agrees with what
// the operation was decided on. Where it does not, the books are renewed and the operation has failed (Differed); it has failed
// as well where the inquiry did (err): nothing was sent, and the merchant may ask again. ErrNothing where the operation is no
// longer new.
func (t Operations) Permit(n int, st providers.Standing, err error, wire []TimelineEntry) (row Call, permitted bool, _ error) {
	op := t.S.Operation(n)
	if op.State != OpNew {
		return row, false, ErrNothing
	}
	a := t.S.Attempt(op.Attempt)
	a.Note(wire...)
	if op.Expected == (Baseline{}) { // written by an older version
		op.Expected = op.Baseline
	}
	if refused := t.refusedNow(a, op, st, err); refused != nil {
		op.Decline = refused
		return row, false, t.move(op, OpFailed)
	}
	op.Baseline = baselineOf(st)
	op.Deadline = t.Now.Add(t.Rules.CallTimeout)
	row = Call{Attempt: a.N, Kind: string(op.Kind), Round: n, SentAt: t.Now}
	t.Change.Calls = append(t.Change.Calls, row)
	t.queueOperationInquiry(op, op.Deadline.Add(time.Second))
	return row, true, t.move(op, OpCalling)
}

// refusedNow tells why an operation is not sent after what an inquiry just said; nil where it is.
func (t Operations) refusedNow(a *Attempt, op *Operation, st providers.Standing, err error) *providers.Decline {
	switch {
	case err != nil:
		t.tellMisconfigured(err, a)
		return declineOf(err)
	case !op.Release && mismatch(t.S, a, st) == "" && !t.settledSums(a, op.Kind, st):
		return &providers.Decline{Reason: providers.TryAgainLater, Code: declineSums}
	}
	op.SumsDiffer = !op.Release && t.differs(a, op, st)
	if op.SumsDiffer || !stillValid(t.S, a, op, st) {
		return &providers.Decline{Reason: providers.TryAgainLater}
	}
	return nil
}

// differs renews the books of a payment by what the gateway says just before an operation is sent, and tells whether they are
// another than those it was asked for on.
func (t Operations) differs(a *Attempt, op *Operation, st providers.Standing) bool {
	if mismatch(t.S, a, st) != "" {
		return false // of another payment: see stillValid
	}
	a.InquiredAt = t.Now
	v := verdict(t)
	switch v.follow(a, st) {
	case misfits:
		v.reviewSums(a, st)
		return true
	case renewed:
		a.NewsAt = t.Now
	}
	now := recordedSums(a)
	return now.Outcome != op.Expected.Outcome || now.Held != op.Expected.Held || now.Captured != op.Expected.Captured ||
		now.Refunded != op.Expected.Refunded
}

// stillValid compares what the gateway says with what the operation was decided on.
func stillValid(s *Session, a *Attempt, op *Operation, st providers.Standing) bool {
	if mismatch(s, a, st) != "" {
		return false
	}
	switch op.Kind {
	case providers.Capture, providers.Void:
		if op.Release {
			return st.Outcome == providers.HoldLeft && !st.VoidRefused
		}
		return st.Outcome == providers.Authorized
	case providers.Refund:
		return st.Outcome == providers.Paid
	}
	return false
}

// AtProvider is the operation as a provider sees it.
func (s *Session) AtProvider(op *Operation) providers.Op {
	return providers.Op{
		Kind: op.Kind, Reference: op.Reference, GatewayID: op.GatewayID,
		Amount:   money.Amount{Minor: op.Amount, Currency: s.Amount.Currency},
		Standing: op.Baseline.standing(), Expected: op.Expected.standing(), Items: itemsOf(s, op),
	}
}

// OperationAnswer is what a call or an inquiry said of an operation.
type OperationAnswer struct {
	providers.OpResult
	Err     error
	Untaken bool // the error proves that no request was made
	Wire    []TimelineEntry
}

// Answered applies what a call or an inquiry said of operation n. row is set for the call itself.
func (t Operations) Answered(n int, in OperationAnswer, row *Call) error {
	op := t.S.Operation(n)
	if op == nil {
		return fmt.Errorf("the database has forgotten operation %d", n)
	}
	a := t.S.Attempt(op.Attempt)
	a.Note(in.Wire...)
	if row != nil {
		answered := *row
		answered.AnsweredAt, answered.Result = t.Now, string(in.State)
		if in.Err != nil {
			answered.Result = resultError
		}
		t.bookAnswer(a, answered)
	}
	if !op.State.Open() {
		return nil
	}
	if op.State == OpNew { // see bookAnswer
		if err := t.move(op, OpUnknown); err != nil {
			return err
		}
	}
	if in.GatewayID != "" {
		op.GatewayID = in.GatewayID
	}
	t.tellMisconfigured(in.Err, a)
	to := OpUnknown
	switch {
	case in.Err != nil && row != nil && in.Untaken:
		to, op.Decline = OpFailed, declineOf(in.Err)
	case in.Err != nil:
		t.reason, t.wait = providers.ClassOf(in.Err), providers.RetryAfter(in.Err)
		if d := declineOf(in.Err); row != nil && d.Code != "" {
			op.Decline = d // should it turn out that nothing was done
		}
		t.warn("an operation has no clear answer", "operation", n, "error", in.Err)
	case in.State == providers.OpSucceeded:
		to, op.Decline = OpSucceeded, nil
	case in.State == providers.OpFailed:
		to, op.Decline = OpFailed, orOther(in.Decline)
	case in.State == providers.OpPending:
		to = OpPending
	case in.State == providers.OpMissing:
		to = t.notSeen(op)
	}
	return t.move(op, to)
}

// notSeen is an operation of which the gateway shows no sign. That is proof as "not found" is: seen again after the
// call's deadline and settle_after, and only where the gateway never said that it had taken it.
func (t Operations) notSeen(op *Operation) OpState {
	switch {
	case op.State == OpPending:
		return OpPending
	case op.NotFoundSince.IsZero(), op.NotFoundSince.After(t.Now): // the clock may have gone back
		op.NotFoundSince = t.Now
		return OpUnknown
	case !t.Now.After(op.NotFoundSince), t.Now.Before(op.Deadline.Add(t.Rules.SettleAfter)):
		return OpUnknown
	}
	if op.Decline == nil { // else what the gateway said to the call
		op.Decline = &providers.Decline{Reason: providers.TryAgainLater}
	}
	return OpFailed
}

// move takes an operation through its table, moves the payment's sums with it, and queues the next inquiry.
func (t Operations) move(op *Operation, to OpState) error {
	if op.State != to {
		if !slices.Contains(opTransitions[op.State], to) {
			return fmt.Errorf("session: an operation cannot go from %s to %s", op.State, to)
		}
		op.State = to
		op.UpdatedAt = t.Now
		a := t.S.Attempt(op.Attempt)
		switch {
		case op.Release && !to.Open():
			t.queueRecheck(a, t.Now)
		case to == OpSucceeded:
			if err := t.moveSums(a, op); err != nil {
				return err
			}
			op.Unconfirmed, a.NewsAt = true, t.Now
			t.queueRecheck(a, t.Now.Add(fastFirst)) // whoever made the call asks at once
		case to == OpFailed && op.GiveBack: // the next look gives it back again, or has a person look
			t.queueRecheck(a, t.Now.Add(resendAfter(len(t.S.Operations))))
		case to == OpFailed && a.State.Funded(): // what was done elsewhere meanwhile is learned now
			t.queueRecheck(a, t.Now)
		}
		t.recordState(op)
	}
	if !op.State.Open() || op.State == OpNew || op.State == OpCalling {
		return nil
	}
	wait, more := inquiryAfter(t.Now.Sub(op.CreatedAt), false)
	if !more {
		if !op.NeedsReview {
			op.NeedsReview = true
			t.record(EventOperationNeedsReview, map[string]any{"operation": op.N, "kind": op.Kind})
		}
		return nil
	}
	t.queueOperationInquiry(op, t.Now.Add(min(max(wait, t.wait), op.CreatedAt.Add(reviewAfter).Sub(t.Now))))
	return nil
}

// moveSums adds an operation that succeeded to the payment's sums.
func (t Operations) moveSums(a *Attempt, op *Operation) error {
	switch op.Kind {
	case providers.Capture:
		if a.State == Paid { // by the word of a person, who said what was taken in all
			return nil
		}
		a.Captured += op.Amount
		return t.Turn.move(a, Pay)
	case providers.Void:
		if op.Amount < a.AmountAuthorized {
			a.AmountAuthorized -= op.Amount // the rest may still be captured
		} else {
			a.Voided = true
		}
	case providers.Refund:
		a.Refunded += op.Amount
	}
	return nil
}

// recordState writes the event of an operation's new state.
func (t Operations) recordState(op *Operation) {
	data := map[string]any{"operation": op.N, "kind": op.Kind, "operation_amount": op.Amount, "attempt": op.Attempt}
	if op.Decline != nil && op.State == OpFailed { // else it is what the gateway said to a call whose end is not known
		data["decline"] = op.Decline
	}
	if t.reason != "" && op.State == OpUnknown {
		data["reason"] = t.reason
	}
	if op.Merchant != "" {
		data["merchant_reference"] = op.Merchant
	}
	t.record(OperationEvent(op.Kind, op.State), data)
}

// Due tells whether operation n is to be inquired about now. While its call may be under way the inquiry is put off to the
// call's deadline.
func (t Operations) Due(n int) (due bool, err error) {
	op := t.S.Operation(n)
	switch {
	case op == nil, !op.State.Open():
		return false, ErrNothing
	case op.State != OpNew && op.State != OpCalling:
		return true, ErrNothing
	case t.Now.Before(op.Deadline) && (op.State == OpCalling || !t.CallerDied):
		t.queueOperationInquiry(op, op.Deadline.Add(time.Second))
		return false, nil
	}
	return true, ErrNothing
}

// Orphaned makes an operation unknown whose process died before its permission, or whose permission the database lost. st and
// err are what an inquiry about the payment brought; one about the operation follows.
func (t Operations) Orphaned(n int, st providers.Standing, err error, wire []TimelineEntry) error {
	op := t.S.Operation(n)
	if op.State != OpNew {
		return ErrNothing
	}
	a := t.S.Attempt(op.Attempt)
	a.Note(wire...)
	if err == nil && stillValid(t.S, a, op, st) && op.Baseline.agrees(st) {
		op.Baseline = baselineOf(st) // nothing has moved; from now on the gateway's own sums are compared
	}
	return t.move(op, OpUnknown)
}
