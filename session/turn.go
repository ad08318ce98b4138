package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tollgate/providers"
	"tollgate/threeds"
)

// ErrNothing says that a decision changes nothing: there is nothing to save, and nothing is wrong.
var ErrNothing = errors.New("session: nothing to change")

// Turn is one change of one session: decided in memory, at one moment, and saved by whoever made it. The same turn on the
// same session decides the same again, so that a save that lost against another machine is simply decided anew on the
// session as it is by then; nothing outside has been touched before the save succeeded.
type Turn struct {
	S     *Session
	Now   time.Time
	Rules Rules

	// CallerDied tells that the process that made the session's newest call, or was about to, is dead: its deadline is not
	// waited for.
	CallerDied bool
	// Token makes unguessable tokens, base64url.
	Token func() (string, error)
	// Open opens what was sealed under a name; an error says that it was not sealed by us for that use.
	Open func(name, sealed string) ([]byte, error)

	wait    time.Duration // the gateway wants not to be asked so long
	reason  string        // the class of the error that the gateway was last asked with, for events
	cancels bool          // the attempt is left, and the session is to end with it

	Change Change   // what is saved with the session
	After  []Effect // what is done once the save has succeeded
	Notes  []Note   // what is logged, saved or not

	heard *providers.Standing // the gateway's word that is being applied, for what is told of it
}

// Rules are what a decision has to know of the session's account.
type Rules struct {
	CallTimeout time.Duration        // bounds one call to the gateway
	SettleAfter time.Duration        // so long after a call's deadline "not found" is proof
	OrderLife   time.Duration        // how long an order that cannot be closed may still be paid
	Operations  []providers.OpLimits // what the gateway can do to a payment
	Receipts    bool                 // receipts are made of the cart, so that an operation on a part has to name its items
	Closes      bool                 // the gateway can make an unpaid order unpayable
	OwnURL      string               // the front's public address, without a slash at the end

	FollowFor        time.Duration // how long a payment is looked at after its last news
	DeclineMayChange bool          // the gateway says that a final refusal may still turn into an approval
}

// Change is what goes into the store together with a changed session, in one transaction.
type Change struct {
	Events   []Event // numbered from Session.LastEvent
	Calls    []Call  // new permissions to send
	Answered []Call  // calls that got their answer (by Attempt, Kind, Round)
	Jobs     []Job   // to be enqueued; one waiting job for each kind and key, the newer replaces the older
	Drop     []Job   // waiting jobs that are not needed any more, by kind and key
	Claim    *Claim  // of the request that asks for it; nil: of none
	Notice   *Notice // to the merchant, about the account; nil: none
}

// Notice is an event that is of no session, saved with the change that met its reason.
type Notice struct {
	AccountEvent
	Quiet time.Duration // dropped where one of its subject and type was told within it
}

// Job is work that must survive a crash.
type Job struct {
	Kind    string
	Key     string
	Payload json.RawMessage
	RunAt   time.Time
}

// Effect is something to do after a turn was saved.
type Effect interface{ effect() }

type (
	// ForgetCard drops the card of an attempt from memory.
	ForgetCard struct{ Attempt int }
	// Release sends the void of a hold whose debit was refused, or what gives money of a left attempt back. The operation is
	// stored; the caller of the turn sends it.
	Release struct{ Operation int }
)

func (ForgetCard) effect() {}
func (Release) effect()    {}

// Note is a line for the log. Error tells that a person has to look; otherwise it is a warning.
type Note struct {
	Error bool
	Text  string
	Args  []any // name, value, …
}

func (t *Turn) warn(text string, args ...any) {
	t.Notes = append(t.Notes, Note{Text: text, Args: args})
}

func (t *Turn) alarm(text string, args ...any) {
	t.Notes = append(t.Notes, Note{Error: true, Text: text, Args: args})
}

// record adds an event to the session's history.
func (t *Turn) record(kind EventType, data map[string]any) {
	s := t.S
	s.LastEvent++
	if at := t.Now.Truncate(time.Microsecond); at.After(s.LastEventAt) { // the clock may have gone back; a session's history never does
		s.LastEventAt = at
	}
	if data == nil {
		data = map[string]any{}
	}
	data["session"] = s.ID
	data["session_kind"] = s.Kind
	data["order_id"] = s.OrderID
	data["status"] = s.Status()
	data["outcome_known"] = s.OutcomeKnown()
	data["amount"] = s.Amount.Minor
	data["currency"] = s.Amount.Currency.Code
	if len(s.Metadata) > 0 {
		data["metadata"] = s.Metadata
	}
	raw, err := json.Marshal(data)
	if err != nil { // only strings, numbers and bools are put in
		panic(err)
	}
	t.Change.Events = append(t.Change.Events, Event{N: s.LastEvent, Type: kind, At: s.LastEventAt, Data: raw})
}

// recordAttempt writes an event about an attempt.
func (t *Turn) recordAttempt(a *Attempt, kind EventType) {
	t.recordAttemptWith(a, kind, map[string]any{})
}

// recordAttemptWith writes an event about an attempt that says something more.
func (t *Turn) recordAttemptWith(a *Attempt, kind EventType, data map[string]any) {
	data["attempt"], data["reference"] = a.N, a.Ref.Reference
	if a.Ref.OrderID != "" {
		data["gateway_order_id"] = a.Ref.OrderID
	}
	if a.Decline != nil && (a.State == Declined || a.State == Failed) {
		data["decline"] = a.Decline
	}
	if a.Mismatch != "" {
		data["held_for"] = a.Mismatch
	}
	if a.Said != nil && (kind == EventPaymentHeld || kind == EventPaymentNeedsReview) {
		data["gateway"] = a.Said
	}
	if t.reason != "" && kind == EventPaymentUnknown {
		data["reason"] = t.reason
	}
	if a.State.Funded() {
		data["amount_authorized"], data["amount_captured"], data["amount_refunded"] = a.AmountAuthorized, a.Captured, a.Refunded
		if a.Authorization != (providers.Authorization{}) {
			data["authorization"] = a.Authorization
		}
	}
	if a.Dispute != "" {
		data["dispute"], data["amount_disputed"] = a.Dispute, a.Disputed
	}
	t.record(kind, data)
}

// move takes an attempt through the table and records the event. Nothing else sets Attempt.State.
func (t *Turn) move(a *Attempt, trigger Trigger) error {
	to, err := next(a.State, trigger)
	if err != nil {
		return err
	}
	from := a.State
	a.State, a.Blind = to, a.Blind && to == from
	a.UpdatedAt = t.Now
	if !to.Live() { // it is decided: nobody has to look any more
		a.NeedsReview = false
	}
	if from != to {
		kind := eventOf[to]
		if to.Funded() && a.PaidLate { // nobody is to ship on it unasked
			kind = EventPaymentPaidLate
		}
		t.recordAttempt(a, kind)
	}
	if !to.Live() {
		t.After = append(t.After, ForgetCard{a.N})
		t.afterEnd(a)
	}
	return nil
}

// afterEnd does what follows the end of an attempt: it may end the session, and queues a later inquiry.
func (t *Turn) afterEnd(a *Attempt) {
	s := t.S
	a.Step = nil
	if a.State.Funded() {
		a.NewsAt = t.Now
		if wait, more := lookAfter(0, t.Rules.FollowFor, a.State == Authorized); more && s.Kind != KindPayout {
			t.queueRecheck(a, t.Now.Add(wait))
		}
		return
	}
	switch {
	case s.ClosedReason != "", s.Live() != nil: // another lives where one was found that the database had forgotten
	case t.cancels:
		s.ClosedReason = Cancelled
		t.record(EventSessionCancelled, nil)
	case s.TriesLeft() == 0, s.Kind == KindPayout: // a payout has no page to try again on
		s.ClosedReason = UsedUp
		t.record(EventSessionDeclined, nil)
	case !t.Now.Before(s.ExpiresAt):
		s.ClosedReason = Expired
		t.record(EventSessionExpired, nil)
	}
	switch {
	case a.State != Declined:
		a.NewsAt = t.Now
		t.queueRecheck(a, t.Now.Add(recheckSchedule[0]))
	case t.Rules.DeclineMayChange:
		a.NewsAt = t.Now
		t.queueRecheck(a, t.Now.Add(declinedSchedule[0]))
	}
}

// newRun starts an authentication.
func (t *Turn) newRun(a *Attempt, ids threeds.IDs) error {
	token, err := t.Token()
	if err != nil {
		return err
	}
	a.Runs = append(a.Runs, &Run{N: len(a.Runs) + 1, Token: token, IDs: ids})
	return nil
}

// Kinds of jobs.
const (
	JobInquire  = "session.inquire"
	JobResume   = "session.resume"
	JobExpire   = "session.expire"
	JobOperate  = "session.operate"
	JobReceipt  = "session.receipt"
	JobRemember = "session.remember"
)

// DueAtStart lists job kinds of which those that are due by a time run at the start of a process that has its store to itself: those
// that wait for a call's deadline, because whoever made the call is dead; and, where the clock has gone back since the last
// commit, all that would wait for the time to come again.
func DueAtStart(now, committed time.Time) (kinds []string, by time.Time) {
	kinds, by = []string{JobInquire, JobOperate}, now.Add(usualDeadline)
	if committed.After(now) {
		kinds, by = append(kinds, JobResume), committed.Add(usualDeadline)
	}
	return kinds, by
}

// usualDeadline is the longest usual deadline of a call: inquiries that wait for one are due within it.
const usualDeadline = time.Minute

// Task is what a job's payload says.
type Task struct {
	Session string `json:"session"`
	Attempt int    `json:"attempt,omitempty"`
	StepN   int    `json:"step_n,omitempty"`
	Look    bool   `json:"look,omitempty"` // inquire although the attempt has ended
	Try     int    `json:"try,omitempty"`  // how often was asked in vain before

	Operation int `json:"operation,omitempty"`

	Mail   int       `json:"mail,omitempty"`   // of the receipts sent by e-mail, counted from 1
	To     string    `json:"to,omitempty"`     // its address, sealed
	Locale string    `json:"locale,omitempty"` // the language that it is written in
	Since  time.Time `json:"since,omitzero"`   // when it was asked for
}

func (t *Turn) enqueue(kind, key string, task Task, at time.Time) {
	task.Session = t.S.ID
	raw, err := json.Marshal(task)
	if err != nil { // strings and ints
		panic(err)
	}
	j := Job{Kind: kind, Key: t.S.ID + key, Payload: raw, RunAt: at}
	t.Change.Jobs = append(slices.DeleteFunc(t.Change.Jobs, func(old Job) bool { return old.Kind == j.Kind && old.Key == j.Key }), j)
}

// queueInquiry queues an inquiry about a live attempt.
func (t *Turn) queueInquiry(a *Attempt, at time.Time) {
	t.enqueue(JobInquire, fmt.Sprintf("/%d", a.N), Task{Attempt: a.N}, at)
}

// queueRecheck queues an inquiry that is made even where the attempt has ended: a callback came, or the end was concluded without
// the gateway's own word.
func (t *Turn) queueRecheck(a *Attempt, at time.Time) {
	t.enqueue(JobInquire, fmt.Sprintf("/%d", a.N), Task{Attempt: a.N, Look: true}, at)
}

// queueOperationInquiry queues an inquiry about an operation.
func (t *Turn) queueOperationInquiry(op *Operation, at time.Time) {
	t.enqueue(JobOperate, fmt.Sprintf("/op%d", op.N), Task{Operation: op.N}, at)
}

// queueResume queues the forwarding of what the browser brought for the attempt's present step.
func (t *Turn) queueResume(a *Attempt, at time.Time) {
	t.enqueue(JobResume, resumeKey(a), Task{Attempt: a.N, StepN: a.StepN}, at)
}

// resumeKey is the key of that job, after the session's id.
func resumeKey(a *Attempt) string { return fmt.Sprintf("/%d/%d", a.N, a.StepN) }

// queueRemember queues the question which card the gateway saved of a payment; try counts those before.
func (t *Turn) queueRemember(a *Attempt, try int, at time.Time) {
	t.enqueue(JobRemember, fmt.Sprintf("/%d", a.N), Task{Attempt: a.N, Try: try}, at)
}

// resultError is the result of a call without a clear answer.
const resultError = "error"

// resultRefused is the result of a call whose content the gateway refused, in words that prove that it did nothing.
const resultRefused = "refused"

// resultTaken is the result of a call that the gateway refused because the number has an order already: it did nothing.
const resultTaken = "number taken"

// maxRefused is how often in a row the answer that a gateway waits for may be refused before the attempt ends.
const maxRefused = 3

// maxCalls bounds how many calls an attempt may have, so that unreadable answers cannot provoke more.
const maxCalls = 12
