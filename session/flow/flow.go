// Package flow does what package session decides: it loads a session, lets a Turn decide, saves, and calls the gateway. It is
// the only thing that changes a session. A gateway it reaches by account.Call alone; what it keeps of a customer it keeps in a
// wallet.
package flow

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/jobs"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
)

// Sealer seals bytes so that only Tollgate can read and make them; browser.Keys is one.
type Sealer interface {
	Seal(name string, v []byte) (string, error)
	Unseal(name, sealed string) ([]byte, error)
	// Fingerprint is the same for equal values; without the keys they cannot be found from it.
	Fingerprint(v []byte) string
}

// Options is what a Flow needs.
type Options struct {
	Store    Store
	Wallet   *wallet.Wallet
	Accounts account.Accounts
	Sealer   Sealer
	Hub      *Hub
	Now      func() time.Time
	// Sure sees that Now is the time that every process over the store goes by. Nothing is decided while it is not: what one machine
	// writes down others judge, such as that a call must have arrived by now. nil: there is nobody else.
	Sure    func(context.Context) error
	Rand    io.Reader // nil: crypto/rand
	BaseURL string    // the front's public address, no slash at the end
	Bills   Bills     // who else may know the reference of a callback; nil: nobody
	Log     *slog.Logger
	Alone   bool // no other process uses the store
	// Lived is told of each event of a session that was stored; nil: nobody.
	Lived func(account, event string)
	// Queued leaves what the browser brings to the job that forwards it, in a save of its own, and what a callback asks for to a
	// job: for tests of those ways, which are gone where a permission cannot be written with what came, and where the gateway
	// does not answer in a moment.
	Queued bool
	// Owners names the merchants that are told of what concerns a reference of an account and no session; nil: nobody is.
	Owners func(ctx context.Context, account, reference string) ([]string, error)
	// Memory tells what the store may have forgotten; nil: nothing. An error counts as everything.
	Memory func(context.Context) (session.Memory, error)
	At     func(place string) // called at labelled places; crash tests stop the process there. nil: nothing
}

// Bills takes a proved callback that is of none of our payments. known tells whether it is of a bill.
type Bills interface {
	CalledBack(ctx context.Context, account string, n providers.Notice) (known bool, err error)
}

// Flow is the only thing that changes an attempt. It may run on many machines at once over one store.
type Flow struct {
	*turns
	Logins *Logins
	Exits  Exits
	calls  *calls
	called called
	recall recall
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
	f := &Flow{turns: &turns{Options: o, vault: vault{now: o.Now}}, calls: newCalls(o.Log)}
	f.Exits = Exits{f}
	f.recall = recall{f.turns}
	f.Logins = &Logins{turns: f.turns, inquireNow: f.inquireNow}
	return f
}

// Close waits for the calls that are out, each at most its own deadline, then gives up on them: the queued inquiries settle
// what became of them.
func (f *Flow) Close(ctx context.Context) {
	for _, id := range f.shown.close() {
		storeShown(ctx, f, id)
	}
	f.calls.close(ctx)
}

// CardsHeld counts the cards in memory.
func (f *Flow) CardsHeld() int { return f.vault.len() }

func attemptKey(id string, attempt int) string { return fmt.Sprintf("%s/%d", id, attempt) }

// payment is what a provider gets to see of an attempt.
func (ts *turns) payment(ctx context.Context, s *session.Session, a *session.Attempt) providers.Payment {
	p := providers.Payment{
		Ref: a.Ref, OrderID: s.OrderID, Amount: s.Amount, Fee: s.Fee, Hold: s.ManualCapture,
		Description: s.Description, Locale: cmp.Or(a.Locale, s.Locale), Customer: s.Customer, Billing: s.Billing,
		SaveCard: s.SaveCard && !a.NotKept, Instrument: a.Instrument, Merchant: a.MerchantInitiated, BeginsSeries: a.BeginsSeries,
		CreatedAt: a.CreatedAt, ExpiresAt: s.ExpiresAt,
		CallbackURL:   ts.BaseURL + "/callbacks/" + s.Account,
		Credential:    ts.credential(ctx, s),
		OwnershipMark: s.OwnershipMark(), Options: s.Options, Cart: s.Cart,
	}
	p.Customer.IP, p.Customer.ID = a.IP, cmp.Or(a.GatewayCustomer, s.Customer.ID)
	if r := a.Run(); r != nil {
		address := ts.BaseURL + "/3ds/" + r.Token
		p.Run = providers.Run{N: r.N, NotifyURL: address + "/notify", ReturnURL: address + "/return"}
		if sealed, err := ts.Sealer.Seal(session.SealedSessionData, []byte(r.Token)); err == nil {
			p.Run.SessionData = sealed
		} else {
			ts.Log.Error("cannot seal session data", "session", s.ID, "error", err)
		}
	}
	return p
}

// Jobs is what the queue has to run; each is idempotent.
func (f *Flow) Jobs() map[string]func(context.Context, jobs.Job) error {
	return map[string]func(context.Context, jobs.Job) error{
		session.JobInquire:  Job(f.inquireDue),
		session.JobResume:   Job(f.resumeDue),
		session.JobExpire:   Job(f.expireDue),
		session.JobOperate:  Job(f.operateDue),
		session.JobRemember: Job(f.rememberDue),
	}
}

// Job does a session's task as a job. Of a session that is gone nothing is left to do.
func Job(do func(context.Context, session.Task) error) func(context.Context, jobs.Job) error {
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
