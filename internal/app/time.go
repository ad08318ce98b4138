package app

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
)

// askTimeEvery is how often the database is asked for its time, unless something asks for it at once.
const askTimeEvery = time.Minute

// serverTime keeps the clock to the database's time. What one of several fronts on a database writes down another judges, such as that
// a request which left half a minute ago must have arrived or been lost.
type serverTime struct {
	clock  *clock.Clock
	store  *sqlstore.Store
	log    *slog.Logger
	asking chan struct{} // held by whoever asks
	apart  atomic.Bool   // it was told that the machine's clock and the database's differ
}

func newServerTime(a *App) *serverTime {
	return &serverTime{clock: a.o.Clock, store: a.store, log: a.log, asking: make(chan struct{}, 1)}
}

// sure sees that the clock may be judged by.
func (s *serverTime) sure(ctx context.Context) error {
	if s.clock.Sure() {
		return nil
	}
	select {
	case s.asking <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.asking }()
	if s.clock.Sure() { // somebody else was faster
		return nil
	}
	return s.follow(ctx)
}

// follow asks the database for its time, and tells where the machine's is another.
func (s *serverTime) follow(ctx context.Context) error {
	if err := s.store.FollowTime(ctx, s.clock.Follow); err != nil {
		return err
	}
	ahead, _ := s.clock.Apart()
	switch apart := ahead.Abs() > clockApart; {
	case s.apart.Swap(apart) == apart:
	case apart:
		s.log.Warn("this machine's clock differs from the database's, which is gone by: keep them together (NTP)",
			"database_ahead", ahead.Round(time.Millisecond))
	default:
		s.log.Info("this machine's clock agrees with the database's again")
	}
	return nil
}

// away tells whether an error is no fault of what was asked: the same may succeed later.
func away(err error) bool { return sqlstore.Unavailable(err) || errors.Is(err, clock.ErrUnknown) }
