package flow

import (
	"context"
	"time"

	"tollgate/session"
)

// Store keeps sessions. storetest.Run says how one must behave; no transaction of it spans a gateway call.
type Store interface {
	// Create saves a new session (Version 0) and sets its Version and EarlierAttempts: how many attempts earlier sessions of
	// the same merchant, account and order id had, or more where a reference that would follow is taken in the account.
	// *OrderTaken where another session of that merchant and account claims the order id: nobody learns of a neighbour's.
	// ErrClaimLost as in Save.
	Create(ctx context.Context, s *session.Session, c session.Change) error
	// Load reads a session with attempts and call book, in order. ErrNotFound.
	Load(ctx context.Context, id string) (*session.Session, error)
	// Versions reads the versions of sessions; one that does not exist is left out.
	Versions(ctx context.Context, ids []string) (map[string]int64, error)
	// Save is compare-and-swap on Version, first thing in the transaction, and sets the new Version: ErrConflict where
	// the version is another, where two attempts would be live, or where an event number is taken; ErrCallExists where
	// a call of Change.Calls was permitted before; ErrClaimLost where Change.Claim is another's by now. After any error
	// nothing was written. Change.Notice becomes an event of the merchant's, or is dropped as it says.
	Save(ctx context.Context, s *session.Session, c session.Change) error
	// FindRun names the session and attempt of a run's token. ErrNotFound.
	FindRun(ctx context.Context, token string) (sessionID string, attempt int, err error)
	// FindReference names the session and attempt of a reference in an account. ErrNotFound.
	FindReference(ctx context.Context, account, reference string) (sessionID string, attempt int, err error)
	// Events lists a session's events after the given number, at most limit.
	Events(ctx context.Context, sessionID string, after, limit int) ([]session.Event, error)
	// Tell writes an event that is of no session, unless one of the same subject and type was written within quiet before
	// it; told says whether. Zero quiet: always.
	Tell(ctx context.Context, e session.AccountEvent, quiet time.Duration) (told bool, err error)
	// AddUnmatched keeps a proved callback about a reference that no attempt has, and tells of it where it is the first of its
	// reference, in one transaction.
	AddUnmatched(ctx context.Context, u session.Unmatched, tell []session.AccountEvent) error
	// Unmatched tells whether such a callback came about a reference of an account about which nobody asked since.
	Unmatched(ctx context.Context, account, reference string) (bool, error)
	// UnmatchedAsked notes that the gateway was asked about the reference.
	UnmatchedAsked(ctx context.Context, account, reference string, now time.Time) error
	// UnmatchedCallbacks lists those of an account whose first came within a time, the oldest first, at most limit.
	UnmatchedCallbacks(ctx context.Context, account string, from, to time.Time, limit int) ([]session.Unmatched, error)
	// List finds a merchant's sessions, newest first.
	List(ctx context.Context, f session.Filter) ([]*session.Session, error)
}
