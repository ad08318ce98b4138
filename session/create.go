package session

import (
	"context"
	"fmt"
	"time"

	"tollgate/internal/jobs"
	"tollgate/providers"
)

// Create writes a new session. The caller has checked the inputs that are Tollgate's own (URLs, lengths); what the
// gateway cannot express is refused here as a *providers.Refusal, a used order id as *OrderTaken.
func (f *Flow) Create(ctx context.Context, s *Session) error {
	acc, err := f.account(s)
	if err != nil {
		return err
	}
	instrument := s.Method
	if s.Kind == KindPayout {
		if _, ok := acc.Provider.(providers.Payer); !ok {
			return ErrOperation
		}
		instrument = "" // nobody pays it with anything
	}
	if err := f.findTarget(ctx, acc, s); err != nil {
		return err
	}
	if err := acc.Provider.Check(providers.Payment{
		Ref: providers.Ref{Reference: s.Reference(1)}, OrderID: s.OrderID, Amount: s.Amount, Fee: s.Fee, Hold: s.Hold,
		Description: s.Description, Locale: s.Locale, Customer: s.Customer, Billing: s.Billing, SaveCard: s.SaveCard,
		Instrument: instrument, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, Transfer: s.destination(),
	}); err != nil {
		return err
	}
	if s.ID, err = f.token(); err != nil {
		return err
	}
	s.ID = "cs_" + s.ID
	var c Change
	f.event(s, &c, "session.created", nil)
	c.Jobs = append(c.Jobs, f.expireJob(s))
	return f.Store.Create(ctx, s, c)
}

func (f *Flow) expireJob(s *Session) jobs.Job {
	return job(jobExpire, s.ID, jobPayload{Session: s.ID}, s.ExpiresAt)
}

// expireDue ends a session whose time is over and which nobody is paying. A live attempt keeps it until that ends.
func (f *Flow) expireDue(ctx context.Context, p jobPayload) error {
	_, err := f.update(ctx, p.Session, func(s *Session, c *Change) error {
		if f.Now().Before(s.ExpiresAt) {
			c.Jobs = append(c.Jobs, f.expireJob(s))
			return nil
		}
		if s.Status() != StatusOpen {
			return errNothing
		}
		s.End = Expired
		f.event(s, c, "session.expired", nil)
		return nil
	})
	return err
}

// Cancel ends a session that nobody is paying. While an attempt lives it is ErrBusy, after any end ErrEnded; a repeated
// cancel is neither.
func (f *Flow) Cancel(ctx context.Context, id string) (*Session, error) {
	return f.update(ctx, id, func(s *Session, c *Change) error {
		switch s.Status() {
		case StatusCancelled:
			return errNothing
		case StatusOpen:
			s.End = Cancelled
			f.event(s, c, "session.cancelled", nil)
			return nil
		case StatusActionRequired, StatusProcessing:
			return ErrBusy
		}
		return ErrEnded
	})
}

// Open makes a browser the customer's, and tells whether it is: the first in which somebody asked for what is the customer's
// (a press that another site cannot cause, never a mere look). Only that one sees it: a link that was passed on may pay, and
// shows nothing.
func (f *Flow) Open(ctx context.Context, id, browser string) (first bool, err error) {
	s, err := f.update(ctx, id, func(s *Session, c *Change) error {
		if s.Opener != "" {
			return errNothing
		}
		s.Opener = browser
		return nil
	})
	if err != nil {
		return false, err
	}
	return s.Opener == browser, nil
}

// Remaining is how long the session may still begin an attempt; not below zero.
func (s *Session) Remaining(now time.Time) time.Duration {
	return max(0, s.ExpiresAt.Sub(now))
}

// String names a session for logs: its id and nothing else.
func (s *Session) String() string { return fmt.Sprintf("session %s", s.ID) }
