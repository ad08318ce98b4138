package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"tollgate/internal/jobs"
	"tollgate/providers"
	"tollgate/threeds"
)

// Account is a merchant's contract with one gateway, opened.
type Account struct {
	Name        string
	Gateway     string // the provider's name: rbs, payneteasy, …
	Provider    providers.Provider
	SettleAfter time.Duration // 0: SettleAfter
	CallTimeout time.Duration // 0: CallTimeout
	OrderLife   time.Duration // 0: OrderLifetime
}

// Sealer seals bytes so that only Tollgate can read and make them; browser.Keys is one.
type Sealer interface {
	Seal(name string, v []byte) (string, error)
	Unseal(name, sealed string) ([]byte, error)
	// Fingerprint is the same for equal values, and nothing that they could be found from without the keys.
	Fingerprint(v []byte) string
}

// Options is what a Flow needs.
type Options struct {
	Store     Store
	Customers Customers
	Invoices  Invoices
	Accounts  map[string]Account
	Sealer    Sealer
	Hub       *Hub
	Now       func() time.Time
	Rand      io.Reader // nil: crypto/rand
	BaseURL   string    // the front's public address, no slash at the end
	Log       *slog.Logger
	Alone     bool               // no other process uses the store
	At        func(place string) // called at labelled places; crash tests stop the process there. nil: nothing
	Calls     CallWatcher        // told of every gateway call; nil: nobody
}

// CallWatcher is told of gateway calls, for metrics.
type CallWatcher interface {
	Called(gateway, call, result string, took time.Duration)
}

// Flow is the only thing that changes an attempt and the only caller of a provider. It may run on many machines at
// once over one store.
type Flow struct {
	Options
	vault   vault
	flights flights
	calls   sync.WaitGroup
	stop    context.Context
	abort   context.CancelFunc
}

// NewFlow makes a Flow. Register its jobs with Jobs, and end it with Close.
func NewFlow(o Options) *Flow {
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.At == nil {
		o.At = func(string) {}
	}
	if o.Hub == nil {
		o.Hub = &Hub{}
	}
	f := &Flow{Options: o, vault: vault{now: o.Now}}
	f.stop, f.abort = context.WithCancel(context.Background())
	return f
}

// Close waits for the calls that are out, each at most its own deadline, then gives up on them: whoever comes next
// inquires.
func (f *Flow) Close(ctx context.Context) {
	done := make(chan struct{})
	go func() { f.calls.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	f.abort()
	<-done
}

// CardsHeld counts the cards in memory.
func (f *Flow) CardsHeld() int { return f.vault.len() }

// What a caller of Flow can have done wrong, or too late. Each leaves the session as it is.
var (
	ErrBusy        = errors.New("session: another attempt is under way")
	ErrEnded       = errors.New("session: takes no further attempt")
	ErrStale       = errors.New("session: that step is over")
	ErrOtherCard   = errors.New("session: not the card of this attempt")
	ErrContradicts = errors.New("session: the answer is of another authentication")
	ErrNoAccount   = errors.New("session: account is not configured")

	errNothing = errors.New("session: nothing to change")
)

// update loads, changes and saves until nobody else was faster. change may return errNothing.
func (f *Flow) update(ctx context.Context, id string, change func(*Session, *Change) error) (*Session, error) {
	for try := 0; ; try++ {
		s, err := f.Store.Load(ctx, id)
		if err != nil {
			return nil, err
		}
		var c Change
		switch err := change(s, &c); {
		case errors.Is(err, errNothing):
			return s, nil
		case err != nil:
			return s, err
		}
		switch err = f.Store.Save(ctx, s, c); {
		case err == nil:
			return s, nil
		case errors.Is(err, ErrConflict) && try < 50:
		default:
			return s, err
		}
	}
}

// event writes one line of history.
func (f *Flow) event(s *Session, c *Change, kind string, data map[string]any) {
	s.LastEvent++
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
	raw, err := json.Marshal(data)
	if err != nil { // only strings, numbers and bools are put in
		panic(err)
	}
	c.Events = append(c.Events, Event{N: s.LastEvent, Type: kind, At: f.Now(), Data: raw})
}

// eventOf names the event of an attempt that reaches a state.
var eventOf = map[State]string{
	New:        "payment.started",
	Calling:    "payment.submitted",
	Shopper:    "payment.action_required",
	Gateway:    "payment.processing",
	Unknown:    "payment.unknown",
	Held:       "payment.held",
	Authorized: "payment.authorized",
	Paid:       "payment.paid",
	Declined:   "payment.declined",
	Failed:     "payment.failed",
	Abandoned:  "payment.abandoned",
}

// move takes an attempt through the table and writes the event. Nothing else sets Attempt.State.
func (f *Flow) move(s *Session, a *Attempt, c *Change, t Trigger) error {
	to, err := next(a.State, t)
	if err != nil {
		return err
	}
	from := a.State
	a.State = to
	a.UpdatedAt = f.Now()
	if from != to {
		f.told(s, a, c, eventOf[to])
	}
	if !to.Live() {
		f.vault.forget(vaultKey(s, a))
		f.ended(s, a, c)
	}
	return nil
}

// told writes an event about an attempt.
func (f *Flow) told(s *Session, a *Attempt, c *Change, kind string) {
	data := map[string]any{"attempt": a.N, "reference": a.Ref.Reference}
	if a.Ref.OrderID != "" {
		data["gateway_order_id"] = a.Ref.OrderID
	}
	if a.Decline != nil && (a.State == Declined || a.State == Failed) {
		data["decline"] = a.Decline
	}
	if a.HeldFor != "" {
		data["held_for"] = a.HeldFor
	}
	if a.State.Good() {
		data["amount_authorized"], data["amount_captured"], data["amount_refunded"] = a.Held, a.Captured, a.Refunded
	}
	f.event(s, c, kind, data)
}

// ended looks after what follows the end of an attempt: the session's own end, and a second look later on.
func (f *Flow) ended(s *Session, a *Attempt, c *Change) {
	a.Step = nil
	now := f.Now()
	if a.State.Good() {
		return
	}
	switch {
	case s.End != "":
	case len(s.Attempts) >= MaxAttempts, s.Kind == KindPayout: // a payout has no page to try again on
		s.End = UsedUp
		f.event(s, c, "session.declined", nil)
	case !now.Before(s.ExpiresAt):
		s.End = Expired
		f.event(s, c, "session.expired", nil)
	}
	if a.State != Declined {
		a.NewsAt = now
		c.Jobs = append(c.Jobs, f.lookJob(s, a, now.Add(afterwards[0])))
	}
}

func vaultKey(s *Session, a *Attempt) string { return fmt.Sprintf("%s/%d", s.ID, a.N) }

// payment is what a provider gets to see of an attempt.
func (f *Flow) payment(ctx context.Context, s *Session, a *Attempt) providers.Payment {
	p := providers.Payment{
		Ref: a.Ref, OrderID: s.OrderID, Amount: s.Amount, Fee: s.Fee, Hold: s.Hold,
		Description: s.Description, Locale: s.Locale, Customer: s.Customer, Billing: s.Billing, SaveCard: s.SaveCard,
		Instrument: a.Instrument, Merchant: a.Merchant, CreatedAt: a.CreatedAt, ExpiresAt: s.ExpiresAt,
		CallbackURL: f.BaseURL + "/callbacks/" + s.Account,
		Credential:  f.credential(ctx, s),
		Mark:        s.mark(),
	}
	p.Customer.IP = a.IP
	if r := a.Run(); r != nil {
		p.Run = providers.Run{N: r.N, NotifyURL: f.BaseURL + "/3ds/" + r.Token + "/notify", ReturnURL: f.BaseURL + "/3ds/" + r.Token + "/return"}
		if sealed, err := f.Sealer.Seal(sessionDataName, []byte(r.Token)); err == nil {
			p.Run.SessionData = sealed
		} else {
			f.Log.Error("cannot seal session data", "session", s.ID, "error", err)
		}
	}
	return p
}

// mark proves an order at the gateway to be this session's, and opens nothing: 128 bits of a digest of the session's id.
func (s *Session) mark() string {
	sum := sha256.Sum256([]byte("mark " + s.ID))
	return hex.EncodeToString(sum[:16])
}

// Names that bind sealed values to their use: a value of one cannot pass as another.
const (
	sessionDataName = "threeds"
	answerName      = "answer"
)

// newRun starts an authentication.
func (f *Flow) newRun(a *Attempt, ids threeds.IDs) error {
	token, err := f.token()
	if err != nil {
		return err
	}
	a.Runs = append(a.Runs, &Run{N: len(a.Runs) + 1, Token: token, IDs: ids})
	return nil
}

// token is 160 random bits, base64url.
func (f *Flow) token() (string, error) {
	var b [20]byte
	if _, err := io.ReadFull(f.Rand, b[:]); err != nil {
		return "", fmt.Errorf("session: no randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

func (f *Flow) account(s *Session) (Account, error) {
	acc, ok := f.Accounts[s.Account]
	if !ok {
		return Account{}, fmt.Errorf("%w: %s", ErrNoAccount, s.Account)
	}
	return acc.withDefaults(), nil
}

func (acc Account) withDefaults() Account {
	if acc.SettleAfter == 0 {
		acc.SettleAfter = SettleAfter
	}
	if acc.CallTimeout == 0 {
		acc.CallTimeout = CallTimeout
	}
	if acc.OrderLife == 0 {
		acc.OrderLife = OrderLifetime
	}
	return acc
}

// Hasty are the kinds of jobs that a dead process's calls left behind to wait for their deadlines. Where Options.Alone
// holds, a start makes those due at once.
func Hasty() []string { return []string{jobInquire, jobOperate} }

// Kinds of jobs.
const (
	jobInquire = "session.inquire"
	jobResume  = "session.resume"
	jobExpire  = "session.expire"
	jobOperate = "session.operate"

	jobRemember = "session.remember"
)

type jobPayload struct {
	Session string `json:"session"`
	Attempt int    `json:"attempt,omitempty"`
	StepN   int    `json:"step_n,omitempty"`
	Look    bool   `json:"look,omitempty"` // ask although the attempt has ended

	Operation int `json:"operation,omitempty"`
}

func job(kind, key string, p jobPayload, at time.Time) jobs.Job {
	raw, err := json.Marshal(p)
	if err != nil { // strings and ints
		panic(err)
	}
	return jobs.Job{Kind: kind, Key: key, Payload: raw, RunAt: at}
}

func (f *Flow) inquireJob(s *Session, a *Attempt, at time.Time) jobs.Job {
	return job(jobInquire, fmt.Sprintf("%s/%d", s.ID, a.N), jobPayload{Session: s.ID, Attempt: a.N}, at)
}

// lookJob is an inquiry that is made even of an attempt that has ended: a callback came, or nobody but us said that it ended.
func (f *Flow) lookJob(s *Session, a *Attempt, at time.Time) jobs.Job {
	return job(jobInquire, fmt.Sprintf("%s/%d", s.ID, a.N), jobPayload{Session: s.ID, Attempt: a.N, Look: true}, at)
}

func (f *Flow) operateJob(s *Session, op *Operation, at time.Time) jobs.Job {
	return job(jobOperate, fmt.Sprintf("%s/op%d", s.ID, op.N), jobPayload{Session: s.ID, Operation: op.N}, at)
}

func (f *Flow) resumeJob(s *Session, a *Attempt, at time.Time) jobs.Job {
	return job(jobResume, fmt.Sprintf("%s/%d/%d", s.ID, a.N, a.StepN), jobPayload{Session: s.ID, Attempt: a.N, StepN: a.StepN}, at)
}

// Jobs is what the queue has to run; each is idempotent.
func (f *Flow) Jobs() map[string]func(context.Context, jobs.Job) error {
	with := func(do func(context.Context, jobPayload) error) func(context.Context, jobs.Job) error {
		return func(ctx context.Context, j jobs.Job) error {
			var p jobPayload
			if err := json.Unmarshal(j.Payload, &p); err != nil {
				return fmt.Errorf("session: job %s: %w", j.Kind, err)
			}
			if err := do(ctx, p); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			return nil
		}
	}
	return map[string]func(context.Context, jobs.Job) error{
		jobInquire: with(f.inquireDue),
		jobResume:  with(f.resumeDue),
		jobExpire:  with(f.expireDue),
		jobOperate: with(f.operateDue),

		jobRemember: with(f.rememberDue),
	}
}

// dial makes one provider call under the account's deadline; it is timed for the metrics, and its requests come back
// for the timeline.
func (f *Flow) dial(ctx context.Context, acc Account, name string, do func(context.Context) error) ([]TimelineEntry, error) {
	limited, done := context.WithTimeout(ctx, acc.CallTimeout)
	defer done()
	call, wire := recording(limited)
	start := f.Now()
	err := do(call)
	if f.Calls != nil {
		result := "answered"
		if err != nil {
			result = "error"
		}
		f.Calls.Called(acc.Gateway, name, result, f.Now().Sub(start))
	}
	return wire.take(), err
}

// Wait returns the session once cond holds, or as it is when ctx ends.
func (f *Flow) Wait(ctx context.Context, id string, cond func(*Session) bool) (*Session, error) {
	changed, stop := f.Hub.Subscribe(id)
	defer stop()
	poll := time.NewTicker(5 * time.Second) // the safety net
	defer poll.Stop()
	for {
		s, err := f.Store.Load(context.WithoutCancel(ctx), id)
		if err != nil || cond(s) {
			return s, err
		}
		select {
		case <-changed:
		case <-poll.C:
		case <-ctx.Done():
			return s, nil
		}
	}
}
