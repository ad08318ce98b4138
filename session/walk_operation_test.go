package session

import (
	"fmt"
	"hash/fnv"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"tollgate/providers"
)

// The second walk is of a payment that was made: up to two refunds, requests that arrive late or never, answers that are lost,
// a process that dies, a database that forgets the permission of an operation, inquiries that have no answer, refunds that are
// made and undone in the gateway's own cabinet, callbacks, and a clock.
// As in the first walk, what has not reached the gateway by its deadline and settle_after never will.
type refunds struct {
	w        *world
	refunded int64 // at the gateway
	out      *refundCall
	due      map[int]time.Duration // inquiries, by operation; 0 is the look at the payment
	cabinet  int64                 // of refunded, in the gateway's cabinet
	touched  bool                  // the cabinet was used
	looked   bool                  // nothing has happened at the gateway since the payment was looked at
	done     map[int]bool          // operations that the gateway made

	requests, crashes, failures, forgets, acts int // what may still happen
	copied                                     *refunds
}

// refundCall is a permitted call: its request may still arrive, its answer may still come.
type refundCall struct {
	row     Call
	amount  int64
	until   time.Duration
	arrived bool
	state   providers.OpState
	dead    bool
}

func newRefunds(alone bool) *refunds {
	w := newWorld(true, alone, false)
	w.s.Attempts = []*Attempt{{
		N: 1, State: Paid, Instrument: "card", Ref: providers.Ref{Reference: "o-1"}, AmountAuthorized: 1000, Captured: 1000,
		CreatedAt: walkStart, UpdatedAt: walkStart,
	}}
	w.s.Attempts[0].NewsAt = walkStart
	return &refunds{w: w, due: map[int]time.Duration{0: time.Hour}, done: map[int]bool{}, requests: 2, crashes: 1, failures: 2, forgets: 1, acts: 2}
}

func (r *refunds) clone() *refunds {
	c := *r
	c.w = r.w.clone()
	if r.out != nil {
		out := *r.out
		c.out = &out
	}
	c.done = maps.Clone(r.done)
	c.due = make(map[int]time.Duration, len(r.due))
	for n, at := range r.due {
		c.due[n] = at
	}
	return &c
}

func (r *refunds) turn() *Turn {
	t := r.w.turn()
	t.CallerDied = r.w.alone && (r.out == nil || r.out.dead)
	t.Rules.Operations = []providers.OpLimits{{Kind: providers.Refund, Partial: true}}
	return t
}

func (r *refunds) do(decide func(*Turn) error) bool {
	t := r.turn()
	if err := decide(t); err != nil {
		return false
	}
	r.w.save(t)
	for _, j := range t.Change.Jobs {
		if n, ok := strings.CutPrefix(j.Key, "cs_1/op"); ok {
			op, err := strconv.Atoi(n)
			if err != nil {
				panic(err)
			}
			r.due[op] = j.RunAt.Sub(walkStart)
		} else if at := j.RunAt.Sub(walkStart); j.Key == "cs_1/1" || strings.Contains(j.Key, "callback") && at < r.due[0] {
			r.due[0] = at
		}
	}
	return true
}

// standing is an honest gateway's word on the payment.
func (r *refunds) standing() providers.Standing {
	return providers.Standing{
		Outcome: providers.Paid, Reference: "o-1", Ref: providers.Ref{Reference: "o-1"}, Amount: r.w.s.Amount,
		Held: 1000, Captured: 1000, Refunded: r.refunded, Stated: true,
	}
}

// inquired is what a provider says of an operation: by the sums, against those it was sent on.
func (r *refunds) inquired(op *Operation) providers.OpResult {
	return providers.OpResult{State: r.standing().RefundSeen(r.w.s.AtProvider(op))}
}

var refundHappenings = []happening[*refunds]{
	{"a refund of a part is asked for", func(r *refunds) *refunds { return r.ask(600) }},
	{"a refund of all that is left is asked for", func(r *refunds) *refunds { return r.ask(0) }},
	{"the request arrives: done", func(r *refunds) *refunds { return r.arrives(providers.OpSucceeded) }},
	{"the request arrives: refused", func(r *refunds) *refunds { return r.arrives(providers.OpFailed) }},
	{"the answer is heard", func(r *refunds) *refunds { return r.answer(nil) }},
	{"the connection breaks", func(r *refunds) *refunds { return r.answer(errBroken) }},
	{"the process dies", (*refunds).crash},
	{"the copy takes over", (*refunds).restore},
	{"the next inquiry, at its time", func(r *refunds) *refunds { return r.inquiry(nil) }},
	{"the next inquiry has no answer", func(r *refunds) *refunds { return r.inquiry(errBroken) }},
	{"a refund is made in the cabinet", func(r *refunds) *refunds { return r.act(300) }},
	{"as much as was asked for is refunded in the cabinet", func(r *refunds) *refunds { return r.act(600) }},
	{"the refund of the cabinet is undone", func(r *refunds) *refunds { return r.act(-r.cabinet) }},
	{"a callback", func(r *refunds) *refunds {
		n := r.clone()
		if !n.do(func(t *Turn) error { return t.Arrivals().CalledBack(1, "") }) {
			return nil
		}
		return n
	}},
	{"a deadline and settle_after pass", func(r *refunds) *refunds { n := r.clone(); n.w.now += walkSettle; return n }},
}

// ask is a merchant's request, up to its permission. The database may be copied while the operation has none.
func (r *refunds) ask(amount int64) *refunds {
	if r.requests == 0 || r.out != nil && !r.out.dead {
		return nil
	}
	n := r.clone()
	n.requests--
	var op *Operation
	if !n.do(func(t *Turn) (err error) {
		op, err = t.Operations().Begin(NewOperation{Kind: providers.Refund, Amount: amount})
		return err
	}) {
		return nil
	}
	n.copied = nil
	copied := n.clone()
	var row Call
	permitted := false
	n.do(func(t *Turn) (err error) {
		row, permitted, err = t.Operations().Permit(op.N, n.standing(), nil, nil)
		return err
	})
	if permitted {
		n.out = &refundCall{row: row, amount: n.w.s.Operation(op.N).Amount, until: n.w.now + walkSettle}
		n.copied = copied
	}
	return n
}

// act is somebody's in the gateway's cabinet.
func (r *refunds) act(amount int64) *refunds {
	if r.acts == 0 || amount == 0 || r.refunded+amount > 1000 {
		return nil
	}
	n := r.clone()
	n.acts--
	n.refunded, n.cabinet, n.touched, n.looked = n.refunded+amount, n.cabinet+amount, true, false
	return n
}

func (r *refunds) arrives(with providers.OpState) *refunds {
	if r.out == nil || r.out.arrived || r.w.now >= r.out.until {
		return nil
	}
	n := r.clone()
	n.out.arrived, n.out.state = true, with
	if with == providers.OpSucceeded {
		if n.refunded+n.out.amount > 1000 {
			n.out.state = providers.OpFailed // no gateway gives back more than it took
		} else {
			n.refunded += n.out.amount
			n.looked, n.done[n.out.row.Round] = false, true
		}
	}
	return n
}

func (r *refunds) answer(broken error) *refunds {
	if r.out == nil || r.out.dead || broken == nil && !r.out.arrived || broken != nil && r.failures == 0 {
		return nil
	}
	n := r.clone()
	in := OperationAnswer{Err: broken}
	if broken != nil {
		n.failures--
	} else {
		in.State = n.out.state
	}
	row := n.out.row
	if n.out.dead = true; n.out.arrived {
		n.out = nil
	}
	n.do(func(t *Turn) error { return t.Operations().Answered(row.Round, in, &row) })
	return n
}

func (r *refunds) crash() *refunds {
	if r.crashes == 0 || r.out == nil || r.out.dead {
		return nil
	}
	n := r.clone()
	n.crashes--
	if n.out.dead = true; n.out.arrived {
		n.out = nil
	}
	return n
}

// restore forgets the permission of the newest operation, and all that came after it.
func (r *refunds) restore() *refunds {
	if r.forgets == 0 || r.copied == nil {
		return nil
	}
	n := r.clone()
	n.forgets--
	n.w.s, n.due = cloneSession(r.copied.w.s), map[int]time.Duration{}
	for op, at := range r.copied.due {
		n.due[op] = at
	}
	if n.copied = nil; n.out != nil {
		if n.out.dead = true; n.out.arrived {
			n.out = nil
		}
	}
	return n
}

// inquiry is the job that is due first, at its time.
func (r *refunds) inquiry(broken error) *refunds {
	if broken != nil && r.failures == 0 {
		return nil
	}
	first := -1
	for n, at := range r.due {
		if first < 0 || at < r.due[first] || at == r.due[first] && n < first {
			first = n
		}
	}
	if first < 0 {
		return nil
	}
	n := r.clone()
	n.w.now = max(n.w.now, r.due[first])
	delete(n.due, first)
	if first == 0 {
		return n.look(broken)
	}
	due := false
	t := n.turn()
	due, err := t.Operations().Due(first)
	if err == nil {
		n.do(func(t *Turn) error { _, err := t.Operations().Due(first); return err })
	}
	if !due {
		return n
	}
	if broken != nil {
		n.failures--
	}
	if n.w.s.Operation(first).State == OpNew {
		n.do(func(t *Turn) error { return t.Operations().Orphaned(first, n.standing(), broken, nil) })
	}
	in := OperationAnswer{Err: broken}
	if broken == nil {
		in.OpResult = n.inquired(n.w.s.Operation(first))
	}
	n.do(func(t *Turn) error { return t.Operations().Answered(first, in, nil) })
	return n
}

// look is an inquiry about the payment.
func (r *refunds) look(broken error) *refunds {
	in := InquiryAnswer{Seen: r.w.s.Attempts[0].Seen(), Err: broken}
	if broken != nil {
		r.failures--
	} else {
		in.Standing = r.standing()
	}
	r.do(func(t *Turn) error { return t.Inquired(1, in) })
	r.looked = broken == nil && r.w.s.openOn(r.w.s.Attempts[0]) == nil
	return r
}

// broken names a rule that does not hold here.
func (r *refunds) broken() string {
	a := r.w.s.Attempts[0]
	open, done := 0, int64(0)
	for _, op := range r.w.s.Operations {
		switch {
		case op.State.Open():
			open++
			if _, queued := r.due[op.N]; !queued && !op.NeedsReview {
				return "an open operation that nobody will ask about"
			}
		case op.State == OpSucceeded:
			done += op.Amount
		case r.out != nil && r.out.row.Round == op.N && !r.out.arrived && r.w.now < r.out.until:
			return "told failed while the request may still arrive"
		}
	}
	for n := range r.done {
		if op := r.w.s.Operation(n); op != nil && op.State == OpFailed && !r.touched {
			return "told failed though the money went back"
		}
	}
	unconfirmed := r.w.s.unconfirmedOn(a) != nil
	if _, queued := r.due[0]; !queued && open == 0 {
		return "a payment that nobody will look at"
	}
	switch {
	case open > 1:
		return "two open operations on one payment"
	case r.looked && open == 0 && !unconfirmed && a.Refunded != r.refunded:
		return "a look did not bring the gateway's sums into the books"
	case r.touched:
		return ""
	case a.Refunded != done:
		return "the books are not the sum of the operations"
	case a.Refunded > r.refunded:
		return "told refunded without the money going back"
	case open == 0 && r.out == nil && a.Refunded != r.refunded:
		return "money went back and no operation says so"
	}
	return ""
}

func (r *refunds) key() [16]byte {
	b := make(written, 0, 512)
	b.num(r.cabinet, int64(len(r.done)), int64(r.acts))
	b.flag(r.touched, r.looked)
	b.num(r.refunded, int64(r.requests), int64(r.crashes), int64(r.failures), int64(r.forgets), r.w.s.Attempts[0].Refunded)
	r.write(&b, r.w)
	if r.copied != nil {
		now := *r.copied.w
		now.now = r.w.now
		r.copied.write(&b, &now)
	}
	if r.out != nil {
		b.num(int64(r.out.row.Round), r.out.amount, int64(r.out.until-r.w.now))
		b.flag(r.out.arrived, r.out.dead)
		b.text(string(r.out.state))
	}
	h := fnv.New128a()
	h.Write(b)
	return [16]byte(h.Sum(nil))
}

// write adds what of a copy of the database, told from the clock of w, decides how it goes on.
func (r *refunds) write(b *written, w *world) {
	a := r.w.s.Attempts[0]
	look, looking := r.due[0]
	b.num(a.Refunded, a.Captured, w.rel(a.NewsAt), w.rel(a.CalledBackAt), w.rel(a.LookFailedSince))
	b.flag(a.NeedsReview, looking)
	if looking {
		b.num(int64(look - w.now))
	}
	for _, op := range r.w.s.Operations {
		at, queued := r.due[op.N]
		b.num(int64(op.N), op.Amount, w.rel(op.Deadline), w.rel(op.CreatedAt), w.rel(op.NotFoundSince))
		b.text(string(op.State), fmt.Sprint(op.Expected, op.Baseline))
		b.flag(op.Unconfirmed, op.SumsDiffer, op.NeedsReview, queued)
		if queued {
			b.num(int64(at - w.now))
		}
	}
}

func TestEveryWayTwoRefundsCanGoKeepsTheBooks(t *testing.T) {
	for _, alone := range []bool{true, false} {
		t.Run(fmt.Sprintf("one process %v", alone), func(t *testing.T) {
			t.Parallel()
			walk(t, newRefunds(alone), refundHappenings, *walkDepth)
		})
	}
}

func (r *refunds) time() time.Duration { return r.w.now }

func (r *refunds) describe() string {
	var all []string
	for _, op := range r.w.s.Operations {
		all = append(all, fmt.Sprintf("%d %s of %d", op.N, op.State, op.Amount))
	}
	return fmt.Sprintf("refunded %d at the gateway, operations %s", r.refunded, strings.Join(all, ", "))
}
