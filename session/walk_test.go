package session

import (
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/threeds"
)

var walkDepth = flag.Int("walk", 6, "how many things happen in the exhaustive walk")

// The walk visits every order in which a small world can go on, to a depth: one session, up to two attempts, a gateway that
// takes the card, refuses it or wants a challenge; requests that arrive late or never, answers that are lost, processes that
// die, a database that forgets its last commits, inquiries that fail or lag behind, callbacks, a merchant who cancels, and a
// clock that stands or jumps. In each place the rules of certainty are checked.
//
// What it takes for granted is what the rules take for granted: a request that has not reached the gateway by its deadline
// and settle_after never will, an order is paid once at most, and a closed order is not paid.
type world struct {
	s      *Session
	now    time.Duration
	orders map[string]order // the gateway's, by reference
	call   *flight          // the call that is out
	jobs   map[string]time.Duration
	copied *world // of the database
	closer bool   // the gateway can close an order
	alone  bool   // one process on its own store
	tokens int

	withholds bool // nothing is charged without an answer of the shopper's that we forward

	crashes, forgets, failures, submits int // what may still happen

	heard order // of the first attempt, by the newest inquiry; the walk of rulings only
}

// order is what the gateway has of a reference.
type order struct {
	charges           int
	challenge, closed bool
	declined          bool
}

// flight is a permitted call: its request may still arrive, its answer may still come.
type flight struct {
	row       Call
	until     time.Duration // it arrives before that, or never
	arrived   bool
	step      providers.Kind
	dead      bool // whoever made it is gone: nobody hears the answer
	reference string
}

var walkStart = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// The account's settings.
const (
	walkTimeout = 30 * time.Second
	walkLife    = 24 * time.Hour
	walkSettle  = walkTimeout + time.Minute
)

func newWorld(closer, alone, withholds bool) *world {
	w := &world{
		s: &Session{
			ID: "cs_1", Merchant: "shop", Account: "acc", Kind: "payment", OrderID: "o", Method: "card",
			Amount:    money.Amount{Minor: 1000, Currency: money.Currency{Code: "KZT", Numeric: "398", Digits: 2}},
			CreatedAt: walkStart, ExpiresAt: walkStart.Add(48 * time.Hour), Version: 1,
		},
		orders: map[string]order{}, jobs: map[string]time.Duration{}, closer: closer, alone: alone, withholds: withholds,
		crashes: 1, forgets: 1, failures: 1, submits: 2,
	}
	return w
}

func cloneSession(s *Session) *Session {
	c := *s
	c.Attempts = make([]*Attempt, len(s.Attempts))
	for i, a := range s.Attempts {
		b := *a
		b.Calls, b.Trace = slices.Clone(a.Calls), nil
		b.Runs = make([]*Run, len(a.Runs))
		for j, r := range a.Runs {
			run := *r
			b.Runs[j] = &run
		}
		c.Attempts[i] = &b
	}
	c.Operations = make([]*Operation, len(s.Operations))
	for i, op := range s.Operations {
		o := *op
		c.Operations[i] = &o
	}
	c.Settlements = make([]*Settlement, len(s.Settlements))
	for i, r := range s.Settlements {
		ruling := *r
		c.Settlements[i] = &ruling
	}
	return &c
}

func (w *world) clone() *world {
	c := *w
	c.s = cloneSession(w.s)
	c.orders, c.jobs = make(map[string]order, len(w.orders)), make(map[string]time.Duration, len(w.jobs))
	for k, v := range w.orders {
		c.orders[k] = v
	}
	for k, v := range w.jobs {
		c.jobs[k] = v
	}
	if w.call != nil {
		call := *w.call
		c.call = &call
	}
	return &c
}

func (w *world) turn() *Turn {
	return &Turn{
		S: w.s, Now: walkStart.Add(w.now), CallerDied: w.alone && (w.call == nil || w.call.dead),
		Token: func() (string, error) { w.tokens++; return fmt.Sprintf("t%d", w.tokens), nil },
		Open:  func(_, sealed string) ([]byte, error) { return []byte(sealed), nil },
		Rules: Rules{CallTimeout: walkTimeout, SettleAfter: walkSettle - walkTimeout, OrderLife: walkLife, OwnURL: "https://pay.example",
			FollowFor: followForDefault, Closes: w.closer},
	}
}

// save is what a store does with a turn.
func (w *world) save(t *Turn) {
	w.s.Version++
	for _, j := range t.Change.Jobs {
		w.jobs[j.Kind+" "+j.Key] = j.RunAt.Sub(walkStart)
	}
	for _, j := range t.Change.Drop {
		delete(w.jobs, j.Kind+" "+j.Key)
	}
	for _, c := range t.Change.Calls { // a call is in the book once
		for i, a := range w.s.Attempts {
			if a.N == c.Attempt && !slices.ContainsFunc(a.Calls, c.is) {
				w.s.Attempts[i].Calls = append(a.Calls, c)
			}
		}
	}
}

// do lets a turn decide and saves what it decided; ok is false where it changed nothing.
func (w *world) do(decide func(*Turn) error) (ok bool) {
	t := w.turn()
	if err := decide(t); err != nil {
		return false
	}
	w.save(t)
	return true
}

// What can happen next. Each answers the world after it, or nil where it cannot happen.
var happenings = []happening[*world]{
	{"a shopper pays", (*world).pay},
	{"the request arrives: money", func(w *world) *world { return w.arrives(providers.Finished) }},
	{"the request arrives: refused", func(w *world) *world { return w.arrives(providers.Declined) }},
	{"the request arrives: challenge", func(w *world) *world { return w.arrives(providers.Challenge) }},
	{"the answer is heard", func(w *world) *world { return w.answer(nil) }},
	{"the answer is heard, and stored with what an inquiry says", (*world).answerAndInquiry},
	{"the connection breaks", func(w *world) *world { return w.answer(errBroken) }},
	{"the process dies", (*world).crash},
	{"the database is copied", (*world).copy},
	{"the copy takes over", (*world).restore},
	{"the next inquiry, at its time", func(w *world) *world { return w.inquiry(true, false) }},
	{"the next inquiry has no answer", func(w *world) *world { return w.inquiry(true, true) }},
	{"a callback", func(w *world) *world { return w.inquiry(false, false) }},
	{"the shopper comes back from the bank", (*world).back},
	{"the shopper comes back, and the answer goes out at once", (*world).backAtOnce},
	{"the merchant cancels", func(w *world) *world { return w.after(func(t *Turn) error { return t.Cancel() }) }},
	{"the shopper leaves for another card", func(w *world) *world { return w.leave(false) }},
	{"the shopper leaves and cancels", func(w *world) *world { return w.leave(true) }},
	{"a deadline and settle_after pass", func(w *world) *world { return w.pass(walkSettle) }},
	{"a quarter of an hour passes", func(w *world) *world { return w.pass(ChallengeWait) }},
	{"a day passes", func(w *world) *world { return w.pass(walkLife) }},
}

var errBroken = fmt.Errorf("connection broken")

func (w *world) after(decide func(*Turn) error) *world {
	n := w.clone()
	if !n.do(decide) {
		return nil
	}
	return n
}

// pay is a shopper's press: the attempt, the order's registration, the permission.
func (w *world) pay() *world {
	if w.submits == 0 || w.call != nil && !w.call.dead {
		return nil
	}
	n := w.clone()
	n.submits--
	var a *Attempt
	if !n.do(func(t *Turn) (err error) { a, err = t.Attempts().Begin(NewAttempt{Instrument: "card"}); return err }) {
		return nil
	}
	a = n.s.Attempt(a.N)
	ref := a.Ref
	if o, known := n.orders[ref.Reference]; known {
		// An attempt that the database has forgotten registered it.
		if o.charges > 0 {
			taken := &providers.AlreadyPaid{Ref: ref, Ours: true}
			n.do(func(t *Turn) error { return t.Attempts().AlreadyPaid(a.N, taken, nil) })
			return n
		}
		if o.closed || o.declined {
			n.do(func(t *Turn) error { return t.Attempts().NotRegistered(a.N, nil, false, nil) })
			return n
		}
	}
	if _, known := n.orders[ref.Reference]; !known {
		n.orders[ref.Reference] = order{}
	}
	return n.permit(a.N, Outgoing{Kind: CallPay, From: New, Ref: &ref})
}

func (w *world) permit(attempt int, out Outgoing) *world {
	var row Call
	if !w.do(func(t *Turn) (err error) { row, err = t.Attempts().Permit(attempt, out); return err }) {
		return w
	}
	w.call = &flight{row: row, until: w.now + walkSettle, reference: w.s.Attempt(attempt).Ref.Reference}
	return w
}

// arrives lets the request reach the gateway.
func (w *world) arrives(with providers.Kind) *world {
	if w.call == nil || w.call.arrived || w.now > w.call.until {
		return nil
	}
	n := w.clone()
	o := n.orders[n.call.reference]
	n.call.arrived, n.call.step = true, with
	switch {
	case o.closed || o.declined || o.charges > 0 || n.call.row.Kind == CallPay && o.challenge || n.call.row.Kind == CallResume && !o.challenge:
		n.call.step = providers.Wait // the order takes nothing any more, or waits for something else
	case with == providers.Finished:
		o.charges, o.challenge = 1, false
	case with == providers.Declined:
		o.declined, o.challenge = true, false
	case n.call.row.Kind == CallResume:
		return nil // one challenge is enough
	default:
		o.challenge = true
	}
	n.orders[n.call.reference] = o
	return n
}

func (w *world) challengeStep(reference string) providers.Step {
	return providers.Step{
		V: providers.StepVersion, Kind: providers.Challenge, Ref: providers.Ref{Reference: reference}, Withholdable: w.withholds,
		Forms: []threeds.Form{{Action: "https://bank.example", Fields: []threeds.Field{{Name: "creq", Value: "c"}}}},
	}
}

// answer is what whoever made the call hears.
func (w *world) answer(broken error) *world {
	if w.call == nil || w.call.dead || broken == nil && !w.call.arrived {
		return nil
	}
	if broken != nil {
		if w.failures == 0 {
			return nil
		}
	}
	n := w.clone()
	in := CallAnswer{Err: broken}
	if broken != nil {
		n.failures--
	} else {
		in.Step = providers.Step{V: providers.StepVersion, Kind: n.call.step, Ref: providers.Ref{Reference: n.call.reference}}
		if n.call.step == providers.Challenge {
			in.Step = n.challengeStep(n.call.reference)
		}
	}
	row, arrived := n.call.row, n.call.arrived
	if arrived {
		n.call = nil
	} else {
		n.call.dead = true // the request may still be on its way
	}
	n.do(func(t *Turn) error { _, err := t.Attempts().Answered(row, in); return err })
	return n
}

// answerAndInquiry is an answer that decides nothing, stored in one save with the inquiry that followed it.
func (w *world) answerAndInquiry() *world {
	if w.call == nil || w.call.dead || !w.call.arrived || w.call.step == providers.Challenge {
		return nil
	}
	n := w.clone()
	row := n.call.row
	in := CallAnswer{Step: providers.Step{V: providers.StepVersion, Kind: n.call.step, Ref: providers.Ref{Reference: n.call.reference}}}
	n.call = nil
	seen := n.clone()
	ask, err := seen.turn().Attempts().Answered(row, in)
	if a := seen.s.Attempt(row.Attempt); err != nil || !ask || a.State != Gateway {
		return nil
	}
	heard := InquiryAnswer{Seen: seen.s.Attempt(row.Attempt).Seen(), Standing: n.truth(seen.s.Attempt(row.Attempt))}
	n.do(func(t *Turn) error {
		if _, err := t.Attempts().Answered(row, in); err != nil {
			return err
		}
		if err := t.Inquired(row.Attempt, heard); err != nil && !errors.Is(err, ErrNothing) {
			return err
		}
		return nil
	})
	return n
}

func (w *world) crash() *world {
	if w.crashes == 0 || w.call == nil || w.call.dead {
		return nil
	}
	n := w.clone()
	n.crashes--
	n.call.dead = true
	if n.call.arrived {
		n.call = nil
	}
	return n
}

func (w *world) copy() *world {
	if w.forgets == 0 || w.copied != nil {
		return nil
	}
	n := w.clone()
	n.copied = w.clone()
	return n
}

// restore is a failover that loses what was committed since the copy; the old process is fenced.
func (w *world) restore() *world {
	if w.forgets == 0 || w.copied == nil {
		return nil
	}
	n := w.clone()
	n.forgets--
	n.s, n.jobs = cloneSession(w.copied.s), map[string]time.Duration{}
	for k, v := range w.copied.jobs {
		n.jobs[k] = v
	}
	if n.copied = nil; n.call != nil {
		n.call.dead = true
		if n.call.arrived {
			n.call = nil
		}
	}
	return n
}

// truth is an honest gateway's answer to an inquiry.
func (w *world) truth(a *Attempt) providers.Standing {
	o, known := w.orders[a.Ref.Reference]
	st := providers.Standing{Ref: a.Ref, Reference: a.Ref.Reference, Amount: w.s.Amount}
	switch {
	case !known:
		st.Outcome = providers.NotFound
	case o.charges > 0:
		st.Outcome, st.Held, st.Captured = providers.Paid, 1000, 1000
	case o.declined:
		st.Outcome = providers.Refused
	case o.closed:
		st.Outcome = providers.Closed
	case o.challenge:
		next := w.challengeStep(a.Ref.Reference)
		st.Outcome, st.Next = providers.Waiting, &next
	default:
		st.Outcome = providers.Waiting
	}
	return st
}

// inquiry asks about an attempt: by the job that is due first, at its time, or now, because of a callback.
func (w *world) inquiry(due, fails bool) *world {
	if fails && w.failures == 0 {
		return nil
	}
	var a *Attempt
	var first time.Duration
	for _, one := range w.s.Attempts {
		at, queued := w.jobs[inquiryOf(one.N)]
		switch {
		case one.State == Paid:
		case !due:
			a = one
		case queued && (a == nil || at < first):
			a, first = one, at
		}
	}
	if a == nil {
		return nil
	}
	n := w.clone()
	if due {
		n.now = max(n.now, first)
		delete(n.jobs, inquiryOf(a.N))
	}
	a = n.s.Attempt(a.N)
	in := InquiryAnswer{Seen: a.Seen()}
	if fails {
		n.failures--
		in.Err = errBroken
	} else if in.Standing = n.truth(a); in.Standing.Outcome == providers.Waiting && n.turn().LostStep(a) {
		o := n.orders[a.Ref.Reference]
		switch {
		case n.closer:
			o.closed, o.challenge = true, false
			n.orders[a.Ref.Reference] = o
			in.Standing = n.truth(a)
		case n.turn().Outlived(a, in.Standing):
			o.closed, o.challenge = true, false // its life is over at the gateway as well
			n.orders[a.Ref.Reference] = o
			in.Standing.Outcome, in.Standing.Next = providers.Closed, nil
		}
	}
	n.do(func(t *Turn) error { return t.Inquired(a.N, in) })
	return n
}

// leave is the shopper's wish to leave, with the gateway's word just before it.
func (w *world) leave(cancel bool) *world {
	a := w.s.Live()
	if a == nil || a.State == New || a.State == Calling {
		return nil
	}
	n := w.clone()
	a = n.s.Live()
	in := InquiryAnswer{Seen: a.Seen(), Standing: n.truth(a)}
	if in.Standing.Outcome == providers.Waiting && (Leaving{n.turn()}).Exit(a) == providers.Closes {
		o := n.orders[a.Ref.Reference]
		o.closed, o.challenge = true, false
		n.orders[a.Ref.Reference] = o
		in.Standing = n.truth(a)
	}
	before := n.key()
	if !n.do(func(t *Turn) error { return Leaving{t}.Leave(a.N, in, cancel) }) || n.key() == before {
		return nil
	}
	return n
}

// back is the shopper's return with the bank's answer, and its forwarding.
func (w *world) back() *world {
	a := w.s.Live()
	if a == nil || a.State != Shopper || w.call != nil && !w.call.dead {
		return nil
	}
	n := w.clone()
	a = n.s.Live()
	in := threeds.Reply{Method: "POST", CRes: "e30"}
	if !n.do(func(t *Turn) error {
		_, err := t.Arrivals().Returned(a.N, a.Run().Token, in, `{"kind":"cres","cres":"e30"}`)
		return err
	}) {
		return nil
	}
	a = n.s.Attempt(a.N)
	ready := false
	t := n.turn()
	ready, err := t.Arrivals().Forward(a.N, a.StepN)
	if err == nil {
		n.save(t)
	}
	if !ready {
		return n
	}
	a = n.s.Attempt(a.N)
	return n.permit(a.N, Outgoing{Kind: CallResume, From: a.State, StepN: a.StepN})
}

// backAtOnce is back with the permission in the save that stores the answer. What can die between that save and the call is
// the same as between a permission of its own and its call.
func (w *world) backAtOnce() *world {
	a := w.s.Live()
	if a == nil || a.State != Shopper || w.call != nil && !w.call.dead {
		return nil
	}
	n := w.clone()
	a = n.s.Live()
	var row Call
	sent := false
	if !n.do(func(t *Turn) error {
		_, err := t.Arrivals().Returned(a.N, a.Run().Token, threeds.Reply{Method: "POST", CRes: "e30"}, `{"kind":"cres","cres":"e30"}`)
		if err == nil {
			row, _, sent = t.Arrivals().ForwardNow(a.N)
		}
		return err
	}) || !sent {
		return nil // as it comes back otherwise
	}
	n.call = &flight{row: row, until: n.now + walkSettle, reference: a.Ref.Reference}
	return n
}

func (w *world) pass(d time.Duration) *world {
	if d >= ChallengeWait && w.s.Live() == nil {
		return nil
	}
	n := w.clone()
	n.now += d
	return n
}

// broken names a rule that does not hold here.
func (w *world) broken() string {
	charges := 0
	for _, o := range w.orders {
		charges += o.charges
	}
	live := 0
	for _, a := range w.s.Attempts {
		o := w.orders[a.Ref.Reference]
		if a.State.Live() {
			live++
			if _, queued := w.jobs[inquiryOf(a.N)]; !queued && !a.NeedsReview {
				return "a live attempt that nobody will ask about"
			}
		}
		if a.State.Funded() && o.charges == 0 {
			return "paid without money"
		}
		if (a.State == Failed || a.State == Abandoned || a.State == Declined) && w.call != nil && w.call.reference == a.Ref.Reference &&
			!w.call.arrived && w.now <= w.call.until && !o.closed && !o.declined && o.charges == 0 {
			return "told not charged while the request may still arrive"
		}
		seen := map[string]bool{}
		withheld := slices.IndexFunc(a.Calls, func(c Call) bool { return c.Result == resultWithheld })
		if withheld >= 0 && (withheld != len(a.Calls)-1 || a.State.Live()) {
			return "a call after one that was withheld"
		}
		if withheld >= 0 && w.call != nil && w.call.reference == a.Ref.Reference && w.call.row.Round == a.Calls[withheld].Round {
			return "a withheld call was sent"
		}
		for _, c := range a.Calls {
			key := fmt.Sprint(c.Kind, c.Round)
			if seen[key] {
				return "a call stands in the book twice"
			}
			seen[key] = true
		}
	}
	switch {
	case charges > 1:
		return "charged twice"
	case live > 1:
		return "two live attempts"
	case w.s.Status() == StatusPaid && charges == 0:
		return "told paid without money"
	case charges > 0 && w.turn().Attempts().MayBegin() == nil && !w.forgotten():
		return "another card may be charged although one was"
	}
	return ""
}

// forgotten tells that the database has lost commits: then the registration of the next attempt is what finds the money.
func (w *world) forgotten() bool { return w.forgets == 0 }

// key is the same for worlds that go on in the same way: all times are told from now.
func (w *world) key() [16]byte {
	h := fnv.New128a()
	h.Write(w.append(make(written, 0, 1024)))
	return [16]byte(h.Sum(nil))
}

// written is what a key is made of.
type written []byte

func (b *written) num(ns ...int64) {
	for _, n := range ns {
		*b = append(strconv.AppendInt(*b, n, 36), ' ')
	}
}

func (b *written) text(ss ...string) {
	for _, s := range ss {
		*b = append(append(*b, s...), ' ')
	}
}

func (b *written) flag(fs ...bool) {
	for _, f := range fs {
		*b = strconv.AppendBool(*b, f)
	}
}

func (w *world) append(b written) written {
	num, text, flag := b.num, b.text, b.flag
	at := func(ts ...time.Time) {
		for _, t := range ts {
			num(w.rel(t))
		}
	}
	text(string(w.s.ClosedReason))
	for _, a := range w.s.Attempts {
		text(string(a.State), a.Ref.Reference)
		num(int64(a.StepN))
		flag(a.Step != nil, a.Withheld, a.PaidLate, a.Unclear, a.NeedsReview, a.Decline != nil)
		at(a.Deadline, a.NewsAt, a.StepAt, a.NotFoundSince, a.UpdatedAt, a.CreatedAt)
		for _, r := range a.Runs {
			text(r.Sealed)
			at(r.ReturnedAt)
			flag(r.EmptyReturn, r.LaterAnswer, r.UnreadableAnswer)
		}
		for _, c := range a.Calls {
			text(c.Kind, c.Result)
			num(int64(c.Round))
			at(c.AnsweredAt)
		}
	}
	for n := 1; n <= 3; n++ {
		reference := w.s.Reference(n - w.s.EarlierAttempts)
		if o, known := w.orders[reference]; known {
			num(int64(n), int64(o.charges))
			flag(o.challenge, o.closed, o.declined)
		}
		if due, queued := w.jobs[inquiryOf(n)]; queued {
			num(int64(n), int64((due-w.now)/time.Millisecond))
		}
	}
	if w.call != nil {
		text(w.call.row.Kind, string(w.call.step), w.call.reference)
		flag(w.call.arrived, w.call.dead)
		num(int64(w.call.row.Round), int64((w.call.until-w.now)/time.Millisecond))
	}
	num(int64(w.crashes), int64(w.forgets), int64(w.failures), int64(w.submits))
	if w.copied != nil {
		copied := *w.copied
		copied.now = w.now
		b = copied.append(append(b, "copy "...))
	}
	return b
}

// rel is a time from now in milliseconds; what is more than two days ago is all the same.
func (w *world) rel(t time.Time) int64 {
	if t.IsZero() {
		return -1 << 50
	}
	return max(t.Sub(walkStart.Add(w.now)), -48*time.Hour).Milliseconds()
}

func inquiryOf(n int) string { return JobInquire + " cs_1/" + strconv.Itoa(n) }

func TestEveryPathOfASmallWorldKeepsTheInvariants(t *testing.T) {
	for _, closer := range []bool{true, false} {
		for _, alone := range []bool{true, false} {
			for _, withholds := range []bool{true, false} {
				t.Run(fmt.Sprintf("the gateway closes orders %v, one process %v, calls are withheld %v", closer, alone, withholds), func(t *testing.T) {
					t.Parallel()
					walk(t, newWorld(closer, alone, withholds), happenings, *walkDepth)
				})
			}
		}
	}
}

// happening is one thing that can happen in a world: the world after it, or none where it cannot.
type happening[W any] struct {
	name string
	do   func(W) W
}

// walkable is a world that can be walked: worlds of equal keys go on in the same way.
type walkable interface {
	comparable
	key() [16]byte
	broken() string // names a rule that does not hold here
	time() time.Duration
	describe() string
}

// walk goes breadth first, so that the story of a broken rule is as short as it can be.
func walk[W walkable](t *testing.T, first W, happenings []happening[W], depth int) {
	type place struct {
		w    W // only until its own ways are tried: what came of them keeps no more than the story
		at   time.Duration
		how  *place
		what string
	}
	var none W
	start := time.Now()
	seen := map[[16]byte]bool{first.key(): true}
	level, steps := []*place{{w: first}}, 0
	for d := 1; d <= depth && len(level) > 0; d++ {
		var next []*place
		for _, p := range level {
			for _, h := range happenings {
				w := h.do(p.w)
				if w == none {
					continue
				}
				steps++
				here := &place{w, w.time(), p, h.name}
				if rule := w.broken(); rule != "" {
					var story []string
					for at := here; at.how != nil; at = at.how {
						story = append(story, fmt.Sprintf("%s (%s after the start)", at.what, at.at))
					}
					slices.Reverse(story)
					t.Fatalf("%s:\n  %s\n%s", rule, strings.Join(story, "\n  "), w.describe())
				}
				if key := w.key(); !seen[key] {
					seen[key] = true
					if d < depth { // nobody goes on from the last
						next = append(next, here)
					}
				}
			}
			p.w = none
		}
		level = next
	}
	t.Logf("%d worlds, %d steps, depth %d, %s", len(seen), steps, depth, time.Since(start).Round(time.Millisecond))
}

func (w *world) time() time.Duration { return w.now }

func (w *world) describe() string {
	var all []string
	for _, a := range w.s.Attempts {
		all = append(all, fmt.Sprintf("%d %s (%+v at the gateway)", a.N, a.State, w.orders[a.Ref.Reference]))
	}
	return "attempts " + strings.Join(all, ", ")
}
