// Package flow does what package session decides: it loads a session, lets a Turn decide, saves, and calls the gateway. It is
// the only thing that changes a session and, through its accounts, the only caller of a provider.
package flow

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"tollgate/internal/jobs"
	"tollgate/providers"
	"tollgate/session"
)

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

// Flow is the only thing that changes an attempt. It may run on many machines at once over one store.
type Flow struct {
	Options
	vault    vault
	inFlight inFlight
	calls    sync.WaitGroup
	stop     context.Context
	abort    context.CancelFunc
}

// New makes a Flow. Register its jobs with Jobs, and end it with Close.
func New(o Options) *Flow {
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

// maxTries bounds how often a change is decided anew because somebody else was faster.
const maxTries = 50

// update loads, decides and saves until nobody else was faster, and then does what the decision wants done after the save.
// decide may answer session.ErrNothing.
func (f *Flow) update(ctx context.Context, id string, decide func(*session.Turn) error) (*session.Session, error) {
	s, _, err := f.turn(ctx, id, decide)
	return s, err
}

// turn is update for a caller that looks after some of the effects itself.
func (f *Flow) turn(ctx context.Context, id string, decide func(*session.Turn) error) (*session.Session, []session.Effect, error) {
	for try := 0; ; try++ {
		s, err := f.Store.Load(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		t := f.newTurn(s)
		err = decide(t)
		if err != nil {
			f.note(t)
			if errors.Is(err, session.ErrNothing) {
				err = nil
			}
			return s, nil, err
		}
		switch err = f.Store.Save(ctx, s, t.Change); {
		case err == nil:
			f.note(t)
			for _, e := range t.After {
				if forget, ok := e.(session.ForgetCard); ok {
					f.vault.forget(vaultKey(s.ID, forget.Attempt))
				}
			}
			return s, t.After, nil
		case errors.Is(err, session.ErrConflict) && try < maxTries:
		default:
			f.note(t)
			return s, nil, err
		}
	}
}

// newTurn is a change of a session as it was loaded. What an account that is not configured any more would rule falls to the
// defaults: its sessions still end.
func (f *Flow) newTurn(s *session.Session) *session.Turn {
	acc := f.Accounts[s.Account].withDefaults()
	return &session.Turn{
		S: s, Now: f.Now(), CallerDied: f.callerDied(s.ID), Token: f.token, Open: f.Sealer.Unseal,
		Rules: session.Rules{
			CallTimeout: acc.CallTimeout, SettleAfter: acc.SettleAfter, OrderLife: acc.OrderLife,
			Operations: acc.operations(), OwnURL: f.BaseURL,
		},
	}
}

// note writes a turn's notes to the log.
func (f *Flow) note(t *session.Turn) {
	for _, n := range t.Notes {
		level := slog.LevelWarn
		if n.Error {
			level = slog.LevelError
		}
		f.Log.Log(context.Background(), level, n.Text, append([]any{"session", t.S.ID}, n.Args...)...)
	}
}

// background runs a call under Flow's own life, not the request's. A panic in it is a call without an answer: the queued
// inquiry looks after it, and the process lives. Its value is not logged, it may hold what was typed.
func (f *Flow) background(do func(ctx context.Context)) {
	f.calls.Add(1)
	go func() {
		defer f.calls.Done()
		defer func() {
			if v := recover(); v != nil {
				f.Log.Error("panic in a gateway call", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			}
		}()
		do(f.stop)
	}()
}

func vaultKey(id string, attempt int) string { return fmt.Sprintf("%s/%d", id, attempt) }

// payment is what a provider gets to see of an attempt.
func (f *Flow) payment(ctx context.Context, s *session.Session, a *session.Attempt) providers.Payment {
	p := providers.Payment{
		Ref: a.Ref, OrderID: s.OrderID, Amount: s.Amount, Fee: s.Fee, Hold: s.Hold,
		Description: s.Description, Locale: s.Locale, Customer: s.Customer, Billing: s.Billing, SaveCard: s.SaveCard,
		Instrument: a.Instrument, Merchant: a.MerchantInitiated, CreatedAt: a.CreatedAt, ExpiresAt: s.ExpiresAt,
		CallbackURL: f.BaseURL + "/callbacks/" + s.Account,
		Credential:  f.credential(ctx, s),
		Mark:        s.Mark(),
	}
	p.Customer.IP = a.IP
	if r := a.Run(); r != nil {
		p.Run = providers.Run{N: r.N, NotifyURL: f.BaseURL + "/3ds/" + r.Token + "/notify", ReturnURL: f.BaseURL + "/3ds/" + r.Token + "/return"}
		if sealed, err := f.Sealer.Seal(session.SealedSessionData, []byte(r.Token)); err == nil {
			p.Run.SessionData = sealed
		} else {
			f.Log.Error("cannot seal session data", "session", s.ID, "error", err)
		}
	}
	return p
}

// token is 160 random bits, base64url.
func (f *Flow) token() (string, error) {
	var b [20]byte
	if _, err := io.ReadFull(f.Rand, b[:]); err != nil {
		return "", fmt.Errorf("session: no randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// Jobs is what the queue has to run; each is idempotent.
func (f *Flow) Jobs() map[string]func(context.Context, jobs.Job) error {
	with := func(do func(context.Context, session.Task) error) func(context.Context, jobs.Job) error {
		return func(ctx context.Context, j jobs.Job) error {
			var task session.Task
			if err := json.Unmarshal(j.Payload, &task); err != nil {
				return fmt.Errorf("session: job %s: %w", j.Kind, err)
			}
			if err := do(ctx, task); err != nil && !errors.Is(err, session.ErrNotFound) {
				return err
			}
			return nil
		}
	}
	return map[string]func(context.Context, jobs.Job) error{
		session.JobInquire:  with(f.inquireDue),
		session.JobResume:   with(f.resumeDue),
		session.JobExpire:   with(f.expireDue),
		session.JobOperate:  with(f.operateDue),
		session.JobRemember: with(f.rememberDue),
	}
}

// Wait returns the session once cond holds, or as it is when ctx ends.
func (f *Flow) Wait(ctx context.Context, id string, cond func(*session.Session) bool) (*session.Session, error) {
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
