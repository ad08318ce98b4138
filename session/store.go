package session

import (
	"context"
	"errors"
	"time"

	"tollgate/internal/jobs"
)

// What a Store answers when it cannot do as told.
var (
	ErrNotFound   = errors.New("session: not found")
	ErrConflict   = errors.New("session: changed by somebody else") // load again and decide again
	ErrCallExists = errors.New("session: this call was already permitted")
	ErrOrderTaken = errors.New("session: order id is in use")
)

// OrderTaken names the session that holds an order id. It is ErrOrderTaken.
type OrderTaken struct{ SessionID string }

func (e *OrderTaken) Error() string   { return ErrOrderTaken.Error() + ": " + e.SessionID }
func (e *OrderTaken) Is(t error) bool { return t == ErrOrderTaken }

// Change is what goes into the store together with a changed session, in one transaction.
type Change struct {
	Events   []Event    // numbered by the caller from Session.LastEvent
	Calls    []Call     // new permissions to send
	Answered []Call     // calls that got their answer (by Attempt, Kind, Round)
	Jobs     []jobs.Job // enqueued; see jobs.Queue for what an equal key does
}

// Store keeps sessions. storetest.Run says how one must behave; no transaction of it spans a gateway call.
type Store interface {
	// Create saves a new session (Version 0) and sets its Version and RefBase: how many attempts earlier sessions of
	// the same merchant, account and order id had, or more where a reference that would follow is taken in the account.
	// *OrderTaken where another session of that merchant and account claims the order id: nobody learns of a neighbour's.
	Create(ctx context.Context, s *Session, c Change) error
	// Load reads a session with attempts and call book, in order. ErrNotFound.
	Load(ctx context.Context, id string) (*Session, error)
	// Save is compare-and-swap on Version, first thing in the transaction, and sets the new Version: ErrConflict where
	// the version is another, where two attempts would be live, or where an event number is taken; ErrCallExists where
	// a call of Change.Calls was permitted before. After any error nothing was written.
	Save(ctx context.Context, s *Session, c Change) error
	// FindRun names the session and attempt of a run's token. ErrNotFound.
	FindRun(ctx context.Context, token string) (sessionID string, attempt int, err error)
	// FindReference names the session and attempt of a reference in an account. ErrNotFound.
	FindReference(ctx context.Context, account, reference string) (sessionID string, attempt int, err error)
	// Events lists a session's events after the given number, at most limit.
	Events(ctx context.Context, sessionID string, after, limit int) ([]Event, error)
	// List finds a merchant's sessions, newest first.
	List(ctx context.Context, f Filter) ([]*Session, error)
}

// Filter chooses sessions for List.
type Filter struct {
	Merchant string // always set
	Account  string
	OrderID  string
	Status   Status
	Before   string    // the id of the last session of the page before; "" for the first page
	Limit    int       // at most 100
	Since    time.Time // created then or later
	Until    time.Time // created before then
}
