package flow

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"tollgate/internal/account"
	"tollgate/providers"
	"tollgate/session"
)

// turns loads sessions, lets a session.Turn decide, saves, and waits for others to do so. It calls no gateway.
type turns struct {
	Options
	vault    vault
	inFlight inFlight
	shown    marks
}

// maxTries bounds how often a change is decided anew after a conflict.
const maxTries = 50

// update loads, decides and saves, again after a conflict, and then performs the effects of the turn.
// decide may answer session.ErrNothing.
func (ts *turns) update(ctx context.Context, id string, decide func(*session.Turn) error) (*session.Session, error) {
	s, _, err := ts.turn(ctx, id, decide)
	return s, err
}

// turn is update for a caller that has Release effects to perform; cards are forgotten here.
func (ts *turns) turn(
	ctx context.Context, id string, decide func(*session.Turn) error,
) (*session.Session, []session.Effect, error) {
	for try := 0; ; try++ {
		s, err := ts.Store.Load(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		if ts.Sure != nil {
			if err := ts.Sure(ctx); err != nil {
				return s, nil, err
			}
		}
		t := ts.newTurn(s)
		mark := markShown(ts, t)
		err = decide(t)
		if err != nil {
			ts.note(t)
			if errors.Is(err, session.ErrNothing) {
				err = nil
			}
			return s, nil, err
		}
		if err := ts.nameEvents(t.Change.Events); err != nil {
			return s, nil, err
		}
		switch err = ts.Store.Save(ctx, s, t.Change); {
		case err == nil:
			if mark != (shown{}) {
				ts.shown.drop(id, mark)
			}
			ts.note(t)
			ts.trace(ctx, s, t.Change.Events)
			for _, e := range t.After {
				if forget, ok := e.(session.ForgetCard); ok {
					ts.vault.forget(attemptKey(s.ID, forget.Attempt))
				}
			}
			return s, t.After, nil
		case errors.Is(err, session.ErrConflict) && try < maxTries:
		default:
			ts.note(t)
			return s, nil, err
		}
	}
}

// trace tells of what a session has lived through: for the metrics, and at the finest level in the log.
func (ts *turns) trace(ctx context.Context, s *session.Session, events []session.Event) {
	debug := ts.Log.Enabled(ctx, slog.LevelDebug)
	for _, e := range events {
		if ts.Lived != nil {
			ts.Lived(s.Account, string(e.Type))
		}
		if debug {
			ts.Log.Debug("event", "session", s.ID, "order", s.OrderID, "account", s.Account, "merchant", s.Merchant, "n", e.N, "type", e.Type)
		}
	}
}

// tell tells the merchant that the gateway refuses the account, where err says so, of a call that changes nothing else.
func (ts *turns) tell(ctx context.Context, id string, err error) {
	if providers.RefusalOfUs(err) == nil {
		return
	}
	if _, err := ts.update(ctx, id, func(t *session.Turn) error { return t.Logins().TellMisconfigured(err) }); err != nil {
		ts.Log.Error("cannot tell of a misconfigured account", "session", id, "error", err)
	}
}

// newTurn is a turn on a session as it was loaded. The rules of an account that is no longer configured are the defaults, so
// that its sessions still end.
func (ts *turns) newTurn(s *session.Session) *session.Turn {
	acc, err := ts.account(s)
	if err != nil {
		acc = account.Open(account.Settings{})
	}
	return &session.Turn{
		S: s, Now: ts.Now(), CallerDied: ts.callerDied(s.ID), Token: ts.token, Open: ts.Sealer.Unseal,
		Rules: session.Rules{
			CallTimeout: acc.CallTimeout, SettleAfter: acc.SettleAfter, OrderLife: acc.OrderLife,
			Operations: acc.Operations(), Receipts: acc.Carts().Receipts, OwnURL: ts.BaseURL, Closes: acc.Closes(),
			FollowFor: acc.FollowFor, DeclineMayChange: acc.DeclinesMayChange(),
		},
	}
}

// note writes a turn's notes to the log.
func (ts *turns) note(t *session.Turn) {
	for _, n := range t.Notes {
		level := slog.LevelWarn
		if n.Error {
			level = slog.LevelError
		}
		ts.Log.Log(context.Background(), level, n.Text, append([]any{"session", t.S.ID}, n.Args...)...)
	}
}

// callerDied tells that the process that made a session's call is dead, so that its deadline is not waited for: only one process
// uses this store, and the call was made by an earlier one.
func (ts *turns) callerDied(id string) bool { return ts.Alone && !ts.inFlight.has(id) }

// account is a session's. account.ErrNotConfigured.
func (ts *turns) account(s *session.Session) (account.Account, error) {
	return ts.Accounts.Find(s.Account)
}

// nameEvents gives new events the random ends of their ids.
func (ts *turns) nameEvents(events []session.Event) error {
	for i := range events {
		suffix, err := newSuffix(ts.Rand)
		if err != nil {
			return err
		}
		events[i].Suffix = suffix
	}
	return nil
}

// newSuffix is 40 random bits in letters and digits.
func newSuffix(random io.Reader) (string, error) {
	var b [5]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("session: no randomness: %w", err)
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:])), nil
}

func (ts *turns) token() (string, error) { return NewToken(ts.Rand) }

// NewToken is 160 random bits, base64url.
func NewToken(random io.Reader) (string, error) {
	var b [20]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("session: no randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// Wait returns the session once cond holds, or as it is when ctx ends.
func (ts *turns) Wait(ctx context.Context, id string, cond func(*session.Session) bool) (*session.Session, error) {
	changed, stop := ts.Hub.Subscribe(id)
	defer stop()
	var poll <-chan time.Time
	if !ts.Alone { // in case a notice of the store is lost
		ticker := time.NewTicker(5 * time.Second)
		defer ticker.Stop()
		poll = ticker.C
	}
	for {
		s, err := ts.Store.Load(context.WithoutCancel(ctx), id)
		if err != nil || cond(s) {
			return s, err
		}
		select {
		case <-changed:
		case <-poll:
		case <-ctx.Done():
			return s, nil
		}
	}
}
