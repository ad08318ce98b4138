package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
)

// OpState is how far an operation is.
type OpState string

// Operation states. Calling and unknown differ as they do for attempts: nobody sends again, somebody asks.
const (
	OpNew       OpState = "new"
	OpCalling   OpState = "calling"
	OpPending   OpState = "pending" // the gateway took it and is working
	OpUnknown   OpState = "unknown"
	OpSucceeded OpState = "succeeded"
	OpFailed    OpState = "failed"
)

// Open tells whether the operation may still move money; a payment has at most one such.
func (s OpState) Open() bool { return s != OpSucceeded && s != OpFailed }

// opTransitions is the table of operations: state, next states.
var opTransitions = map[OpState][]OpState{
	OpNew:     {OpCalling, OpUnknown, OpFailed},
	OpCalling: {OpPending, OpUnknown, OpSucceeded, OpFailed},
	OpPending: {OpUnknown, OpSucceeded, OpFailed},
	OpUnknown: {OpPending, OpSucceeded, OpFailed},
}

// Operation is money moved without a browser, on a payment.
type Operation struct {
	N         int                `json:"n"`
	Kind      providers.OpKind   `json:"kind"`
	State     OpState            `json:"state"`
	Attempt   int                `json:"attempt"`
	Amount    int64              `json:"amount"` // minor units
	Reference string             `json:"reference"`
	GatewayID string             `json:"gateway_id,omitempty"`
	Decline   *providers.Decline `json:"decline,omitempty"`
	Release   bool               `json:"release,omitempty"` // by us: gives back a hold whose debit was refused
	Before    Before             `json:"before"`
	Deadline  time.Time          `json:"deadline"`
	Missing   time.Time          `json:"missing,omitzero"` // since when the gateway shows no sign of it
	NeedsEyes bool               `json:"needs_review,omitempty"`
	CreatedAt time.Time          `json:"created_at"`
	UpdatedAt time.Time          `json:"updated_at"`
}

// Before is where the payment stood when the operation was sent: the guard against doing it twice.
type Before struct {
	Outcome  providers.Outcome `json:"outcome,omitempty"`
	Held     int64             `json:"held"`
	Captured int64             `json:"captured"`
	Refunded int64             `json:"refunded"`
}

func beforeOf(st providers.Standing) Before {
	return Before{st.Outcome, st.Held, st.Captured, st.Refunded}
}

// agrees tells whether a standing has the same sums, as far as it says any.
func (b Before) agrees(st providers.Standing) bool {
	same := func(ours, theirs int64) bool { return theirs == 0 || ours == theirs }
	return b.Outcome == st.Outcome && same(b.Held, st.Held) && same(b.Captured, st.Captured) && b.Refunded == st.Refunded
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

// Good is the attempt that holds the session's money, or nil: the one that counts, else one that came late.
func (s *Session) Good() *Attempt {
	var late *Attempt
	for _, a := range s.Attempts {
		if a.State.Good() && !a.PaidLate {
			return a
		}
		if a.State.Good() {
			late = a
		}
	}
	return late
}

// otherMoney is another attempt than this one by which money is held or taken for the session, or nil.
func (s *Session) otherMoney(a *Attempt) *Attempt {
	for _, o := range s.Attempts {
		if o != a && o.State.Good() {
			return o
		}
	}
	return nil
}

// Operation finds an operation by number, or nil.
func (s *Session) Operation(n int) *Operation {
	for _, op := range s.Operations {
		if op.N == n {
			return op
		}
	}
	return nil
}

// openOn is the operation on an attempt that may still move money, or nil.
func (s *Session) openOn(a *Attempt) *Operation {
	for _, op := range s.Operations {
		if op.Attempt == a.N && op.State.Open() {
			return op
		}
	}
	return nil
}

// Operate asks the gateway to capture, void or refund. Amount 0 means all that is left. It returns once the operation is
// written down; Wait for its state. Errors say why it was refused before any call.
func (f *Flow) Operate(ctx context.Context, id string, kind providers.OpKind, amount int64) (*Session, int, error) {
	n, landed := 0, f.flights.take(id)
	s, err := f.update(ctx, id, func(s *Session, c *Change) error {
		acc, err := f.account(s)
		if err != nil {
			return err
		}
		a := s.Good()
		amount, err := f.mayOperate(s, a, acc, kind, amount)
		if err != nil {
			return err
		}
		now := f.Now()
		n = len(s.Operations) + 1
		op := &Operation{
			N: n, Kind: kind, State: OpNew, Attempt: a.N, Amount: amount,
			Before: books(a), Deadline: now.Add(acc.CallTimeout), CreatedAt: now, UpdatedAt: now,
		}
		if op.Reference, err = f.opReference(a, op); err != nil {
			return err
		}
		f.begun(s, op, c)
		return nil
	})
	if err != nil {
		landed()
		return s, 0, err
	}
	f.At("operation.written")
	f.background(func(ctx context.Context) {
		defer landed()
		f.operate(ctx, id, n)
	})
	return s, n, nil
}

// opReference is an operation's mark at the gateway: at most 32 characters, the gateways' limit.
func (f *Flow) opReference(a *Attempt, op *Operation) (string, error) {
	if mark := fmt.Sprintf("%s-%s%d", a.Ref.Reference, op.Kind[:1], op.N); len(mark) <= 32 {
		return mark, nil
	}
	return f.token()
}

// begun writes down a new operation, with the job that looks after it if its process dies.
func (f *Flow) begun(s *Session, op *Operation, c *Change) {
	s.Operations = append(s.Operations, op)
	f.toldOp(s, op, c)
	c.Jobs = append(c.Jobs, f.operateJob(s, op, op.Deadline.Add(time.Second)))
}

// maxReleases bounds how often a hold is tried to be released whose release never reached the gateway.
const maxReleases = 5

// holdLeft is a payment whose debit was refused while its hold stands. The hold is released as an operation under the call
// book; only the gateway's word that it is gone ends the attempt, and until then no other begins.
func (f *Flow) holdLeft(s *Session, a *Attempt, c *Change, st providers.Standing) error {
	a.Decline = orOther(st.Decline)
	if err := f.doubt(s, a, c); err != nil {
		return err
	}
	tries, sent := 0, false
	for _, op := range s.Operations {
		if op.Attempt == a.N && op.Release {
			tries++
			sent = sent || op.State == OpSucceeded || op.Decline == nil || op.Decline.Reason != providers.TryAgainLater
		}
	}
	if st.VoidRefused || sent || tries >= maxReleases {
		a.Unclear = true
		if st.VoidRefused || !s.released(a) {
			f.needsReview(s, a, c)
		}
		return f.askLater(s, a, c)
	}
	now := f.Now()
	acc, err := f.account(s)
	if err != nil {
		return err
	}
	op := &Operation{
		N: len(s.Operations) + 1, Kind: providers.Void, State: OpNew, Attempt: a.N, Amount: st.Held, Release: true,
		Before: beforeOf(st), Deadline: now.Add(acc.CallTimeout), CreatedAt: now, UpdatedAt: now,
	}
	if op.Amount == 0 {
		op.Amount = s.Amount.Minor
	}
	if op.Reference, err = f.opReference(a, op); err != nil {
		return err
	}
	f.begun(s, op, c)
	return f.askLater(s, a, c)
}

// released tells whether the gateway took the release of an attempt's hold.
func (s *Session) released(a *Attempt) bool {
	return slices.ContainsFunc(s.Operations, func(op *Operation) bool {
		return op.Attempt == a.N && op.Release && op.State == OpSucceeded
	})
}

// books is where the payment stands as we know it.
func books(a *Attempt) Before {
	b := Before{Outcome: providers.Paid, Held: a.Held, Captured: a.Captured, Refunded: a.Refunded}
	if a.State == Authorized {
		b.Outcome = providers.Authorized
	}
	return b
}

// mayOperate checks what can be checked without the gateway, and fills in the amount.
func (f *Flow) mayOperate(s *Session, a *Attempt, acc Account, kind providers.OpKind, amount int64) (int64, error) {
	if !s.OutcomeKnown() {
		return 0, ErrUnsettled
	}
	if a == nil {
		return 0, ErrNoPayment
	}
	operator, ok := acc.Provider.(providers.Operator)
	if !ok {
		return 0, ErrOperation
	}
	var limits *providers.OpLimits
	for _, l := range operator.Kinds() {
		if l.Kind == kind {
			limits = &l
		}
	}
	if limits == nil {
		return 0, ErrOperation
	}
	for _, op := range s.Operations {
		switch {
		case op.State.Open():
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
		left = a.Held - a.Captured
	case providers.Void:
		if a.State != Authorized || a.Voided {
			return 0, ErrDone
		}
		if left = a.Held; amount != 0 && amount != left && !limits.Partial {
			return 0, ErrAmount
		}
	case providers.Refund:
		if a.State != Paid {
			return 0, ErrNoPayment
		}
		left = a.Captured - a.Refunded
	default:
		return 0, ErrOperation
	}
	if amount == 0 {
		amount = left
	}
	if amount < 0 || amount > left || left == 0 || (amount != left && !limits.Partial) {
		return 0, ErrAmount
	}
	return amount, nil
}

// operate asks first where the payment stands, then takes the permission, then sends, once.
func (f *Flow) operate(ctx context.Context, id string, n int) {
	s, err := f.Store.Load(ctx, id)
	if err != nil {
		f.Log.Error("operation lost sight of its session", "session", id, "error", err)
		return
	}
	acc, err := f.account(s)
	if err != nil {
		f.Log.Error("operation without an account", "session", id, "error", err)
		return
	}
	op := s.Operation(n)
	a := s.Attempt(op.Attempt)
	standing, dialled, err := f.status(ctx, acc, s, a)
	permitted := false
	row := Call{Attempt: a.N, Kind: string(op.Kind), Round: n, SentAt: f.Now()}
	_, saveErr := f.update(ctx, id, func(s *Session, c *Change) error {
		permitted = false
		op = s.Operation(n)
		if op.State != OpNew {
			return errNothing
		}
		if err != nil || !f.stands(s, s.Attempt(op.Attempt), op, standing) {
			// Nothing was sent, so nothing can have happened: the merchant may ask again.
			op.Decline = &providers.Decline{Reason: providers.TryAgainLater}
			return f.moveOp(s, op, c, OpFailed)
		}
		s.Attempt(op.Attempt).note(dialled...)
		op.Before = beforeOf(standing)
		op.Deadline = f.Now().Add(acc.CallTimeout)
		row.SentAt = f.Now()
		c.Calls = append(c.Calls, row)
		c.Jobs = append(c.Jobs, f.operateJob(s, op, op.Deadline.Add(time.Second)))
		permitted = true
		return f.moveOp(s, op, c, OpCalling)
	})
	if saveErr != nil || !permitted {
		if saveErr != nil && !errors.Is(saveErr, ErrCallExists) {
			f.Log.Error("cannot write down an operation", "session", id, "operation", n, "error", saveErr)
		}
		f.At("operation.stored")
		return
	}
	f.At("operation.permitted")
	var result providers.OpResult
	dialled, callErr := f.dial(ctx, acc, string(op.Kind), func(call context.Context) (err error) {
		result, err = acc.Provider.(providers.Operator).Do(call, f.payment(ctx, s, a), f.op(s, op))
		return err
	})
	f.At("operation.answered")
	f.settleOp(context.WithoutCancel(ctx), id, n, opAnswer{result, callErr, dialled}, &row)
	f.At("operation.stored")
}

// stands compares what the gateway says with what the operation was decided on.
func (f *Flow) stands(s *Session, a *Attempt, op *Operation, st providers.Standing) bool {
	if f.mismatch(s, a, st) != "" {
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

func (f *Flow) op(s *Session, op *Operation) providers.Op {
	return providers.Op{
		Kind: op.Kind, Reference: op.Reference, GatewayID: op.GatewayID, Amount: money.Amount{Minor: op.Amount, Currency: s.Amount.Currency},
		Standing: providers.Standing{Outcome: op.Before.Outcome, Held: op.Before.Held, Captured: op.Before.Captured, Refunded: op.Before.Refunded},
	}
}

// opAnswer is what a call or an inquiry said of an operation.
type opAnswer struct {
	providers.OpResult
	err     error
	dialled []TimelineEntry
}

// settleOp stores what a call or an inquiry said of an operation. row is set for the call itself.
func (f *Flow) settleOp(ctx context.Context, id string, n int, r opAnswer, row *Call) {
	_, err := f.update(ctx, id, func(s *Session, c *Change) error {
		op := s.Operation(n)
		if op == nil {
			return fmt.Errorf("the database has forgotten operation %d", n)
		}
		s.Attempt(op.Attempt).note(r.dialled...)
		if row != nil {
			row.AnsweredAt, row.Result = f.Now(), string(r.State)
			if r.err != nil {
				row.Result = "error"
			}
			f.bookAnswer(s, s.Attempt(op.Attempt), c, *row)
		}
		if !op.State.Open() {
			return nil
		}
		if op.State == OpNew { // see bookAnswer
			if err := f.moveOp(s, op, c, OpUnknown); err != nil {
				return err
			}
		}
		if r.GatewayID != "" {
			op.GatewayID = r.GatewayID
		}
		to := OpUnknown
		if r.err == nil {
			switch r.State {
			case providers.OpSucceeded:
				to = OpSucceeded
			case providers.OpFailed:
				to, op.Decline = OpFailed, orOther(r.Decline)
			case providers.OpPending:
				to = OpPending
			case providers.OpMissing:
				acc, err := f.account(s)
				if err != nil {
					return err
				}
				to = f.missing(op, acc)
			}
		} else if row != nil && neverLeft(r) {
			to, op.Decline = OpFailed, &providers.Decline{Reason: providers.TryAgainLater}
		} else {
			f.Log.Warn("an operation has no clear answer", "session", id, "operation", n, "error", r.err)
		}
		return f.moveOp(s, op, c, to)
	})
	if err != nil {
		f.Log.Error("cannot store an operation's result; the inquiry will ask again", "session", id, "operation", n, "error", err)
	}
}

// neverLeft tells that a call's error proves that no request was made.
func neverLeft(r opAnswer) bool {
	var refusal *providers.Refusal
	return len(r.dialled) == 0 && (errors.As(r.err, &refusal) || errors.Is(r.err, providers.ErrUnsent))
}

// missing is an operation of which the gateway shows no sign. That is proof as "not found" is: seen again after the call's
// deadline and settle_after, and only where the gateway never said that it had taken it.
func (f *Flow) missing(op *Operation, acc Account) OpState {
	now := f.Now()
	switch {
	case op.State == OpPending:
		return OpPending
	case op.Missing.IsZero():
		op.Missing = now
		return OpUnknown
	case !now.After(op.Missing), now.Before(op.Deadline.Add(acc.SettleAfter)):
		return OpUnknown
	}
	op.Decline = &providers.Decline{Reason: providers.TryAgainLater}
	return OpFailed
}

// moveOp takes an operation through its table, moves the payment's sums with it, and queues the next inquiry.
func (f *Flow) moveOp(s *Session, op *Operation, c *Change, to OpState) error {
	if op.State != to {
		allowed := false
		for _, t := range opTransitions[op.State] {
			allowed = allowed || t == to
		}
		if !allowed {
			return fmt.Errorf("session: an operation cannot go from %s to %s", op.State, to)
		}
		op.State = to
		op.UpdatedAt = f.Now()
		a := s.Attempt(op.Attempt)
		switch {
		case op.Release && !to.Open():
			c.Jobs = append(c.Jobs, f.inquireJob(s, a, f.Now()))
		case to == OpSucceeded:
			switch op.Kind {
			case providers.Capture:
				a.Captured += op.Amount
				if err := f.move(s, a, c, Pay); err != nil {
					return err
				}
			case providers.Void:
				if op.Amount < a.Held {
					a.Held -= op.Amount // the rest may still be captured
				} else {
					a.Voided = true
				}
			case providers.Refund:
				a.Refunded += op.Amount
			}
		}
		f.toldOp(s, op, c)
	}
	if !op.State.Open() || op.State == OpNew || op.State == OpCalling {
		return nil
	}
	wait, more := inquiryAfter(f.Now().Sub(op.CreatedAt), false)
	if !more {
		if !op.NeedsEyes {
			op.NeedsEyes = true
			f.event(s, c, "operation.needs_review", map[string]any{"operation": op.N, "kind": op.Kind})
		}
		return nil
	}
	c.Jobs = append(c.Jobs, f.operateJob(s, op, f.Now().Add(wait)))
	return nil
}

// toldOp writes the event of an operation's new state: refund.succeeded, capture.pending, …
func (f *Flow) toldOp(s *Session, op *Operation, c *Change) {
	data := map[string]any{"operation": op.N, "kind": op.Kind, "operation_amount": op.Amount, "attempt": op.Attempt}
	if op.Decline != nil {
		data["decline"] = op.Decline
	}
	name := string(op.State)
	if op.State == OpNew {
		name = "started"
	}
	f.event(s, c, string(op.Kind)+"."+name, data)
}

// operateDue is the job that asks what became of an operation.
func (f *Flow) operateDue(ctx context.Context, p jobPayload) error {
	s, err := f.Store.Load(ctx, p.Session)
	if err != nil {
		return err
	}
	op := s.Operation(p.Operation)
	if op == nil || !op.State.Open() {
		return nil
	}
	acc, err := f.account(s)
	if err != nil {
		return err
	}
	if op.State == OpNew || op.State == OpCalling {
		if f.Now().Before(op.Deadline) && (op.State == OpCalling || !f.orphaned(s)) {
			_, err := f.update(ctx, s.ID, func(s *Session, c *Change) error {
				op := s.Operation(p.Operation)
				if op.State != OpNew && op.State != OpCalling {
					return errNothing // the answer is here, and has queued its own inquiry
				}
				c.Jobs = append(c.Jobs, f.operateJob(s, op, op.Deadline.Add(time.Second)))
				return nil
			})
			return err
		}
	}
	if op.State == OpNew { // the process died before the permission, or the database has forgotten it: the gateway is asked
		standing, dialled, askErr := f.status(ctx, acc, s, s.Attempt(op.Attempt))
		if s, err = f.update(ctx, s.ID, func(s *Session, c *Change) error {
			op, a := s.Operation(p.Operation), s.Attempt(op.Attempt)
			if op.State != OpNew {
				return errNothing
			}
			a.note(dialled...)
			if askErr == nil && f.stands(s, a, op, standing) && op.Before.agrees(standing) {
				op.Before = beforeOf(standing) // as the gateway words it: not moved so far
			}
			return f.moveOp(s, op, c, OpUnknown)
		}); err != nil {
			return err
		}
		op = s.Operation(p.Operation)
	}
	var result providers.OpResult
	dialled, askErr := f.dial(ctx, acc, "inquire", func(call context.Context) (err error) {
		result, err = acc.Provider.(providers.Operator).Inquire(call, f.payment(ctx, s, s.Attempt(op.Attempt)), f.op(s, op))
		return err
	})
	f.settleOp(ctx, s.ID, op.N, opAnswer{result, askErr, dialled}, nil)
	return nil
}
