package app

import (
	"context"
	"errors"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
)

// askTimeEvery is how often the database is asked for its time, unless something asks for it at once.
const askTimeEvery = time.Minute

// sure sees that the clock may be judged by: of several fronts on one database each goes by the database's time. What one of them
// writes down another judges, such as that a request which left half a minute ago must have arrived or been lost.
func (a *App) sure(ctx context.Context) error {
	if a.o.Clock.Sure() {
		return nil
	}
	select {
	case a.following <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-a.following }()
	if a.o.Clock.Sure() { // somebody else was faster
		return nil
	}
	return a.followTime(ctx)
}

// followTime asks the database for its time, and tells where the machine's is another.
func (a *App) followTime(ctx context.Context) error {
	if err := a.store.FollowTime(ctx, a.o.Clock.Follow); err != nil {
		return err
	}
	ahead, _ := a.o.Clock.Apart()
	switch apart := ahead.Abs() > clockApart; {
	case a.apart.Swap(apart) == apart:
	case apart:
		a.log.Warn("this machine's clock differs from the database's, which is gone by: keep them together (NTP)",
			"database_ahead", ahead.Round(time.Millisecond))
	default:
		a.log.Info("this machine's clock agrees with the database's again")
	}
	return nil
}

// away tells whether an error is no fault of what was asked: the same may succeed later.
func away(err error) bool { return sqlstore.Unavailable(err) || errors.Is(err, clock.ErrUnknown) }
