package session

import "time"

// Created begins the history of a new session.
func (t *Turn) Created() {
	t.record(EventSessionCreated, nil)
	t.expireAt(t.S.ExpiresAt)
}

func (t *Turn) expireAt(at time.Time) { t.enqueue(JobExpire, "", Task{}, at) }

// Expire ends a session whose time is over and which has no live attempt; while one lives, the session ends with it (afterEnd).
func (t *Turn) Expire() error {
	if t.Now.Before(t.S.ExpiresAt) {
		t.expireAt(t.S.ExpiresAt)
		return nil
	}
	if t.S.Status() != StatusOpen {
		return ErrNothing
	}
	t.S.ClosedReason = Expired
	t.record(EventSessionExpired, nil)
	return nil
}

// ExpireUnheard is what becomes of a session whose time is over where the gateway did not say what it knows of it: it is asked again
// by the slow schedule, because nothing hurries any more, and after endsUnasked the session ends all the same.
func (t Asking) ExpireUnheard() error {
	over := t.Now.Sub(t.S.ExpiresAt)
	if over < 0 || t.S.EndsUnasked(t.Now) || t.S.Status() != StatusOpen {
		return t.Expire()
	}
	t.expireAt(t.Now.Add(min(nextOf(slowSchedule, hourly, over), endsUnasked-over)))
	return nil
}

// EndsUnasked tells that a session's time is over for so long that it ends without the gateway's word.
func (s *Session) EndsUnasked(now time.Time) bool { return now.Sub(s.ExpiresAt) >= endsUnasked }

// Cancel ends a session without a live attempt. ErrBusy where one lives, ErrEnded after any other end; ErrNothing where the
// session is cancelled already.
func (t *Turn) Cancel() error {
	switch t.S.Status() {
	case StatusCancelled:
		return ErrNothing
	case StatusOpen:
		t.S.ClosedReason = Cancelled
		t.record(EventSessionCancelled, nil)
		return nil
	case StatusActionRequired, StatusProcessing:
		return ErrBusy
	}
	return ErrEnded
}

// OpenIn makes a browser the customer's, if none is yet.
func (t *Turn) OpenIn(browser string) error {
	if t.S.FirstBrowser != "" {
		return ErrNothing
	}
	t.S.FirstBrowser = browser
	return nil
}

// CardNotYetSaved is that the gateway named no card after a payment, when asked for the time after so many in vain. It is asked
// again by rememberSchedule; at its end the merchant is told.
func (t Attempts) CardNotYetSaved(n, try int) error {
	if try < len(rememberSchedule) {
		t.queueRemember(t.S.Attempt(n), try+1, t.Now.Add(rememberSchedule[try]))
		return nil
	}
	t.record(EventCardNotSaved, map[string]any{"attempt": n})
	return nil
}

// CardSaved records that the gateway saved the card of a payment.
func (t *Turn) CardSaved(n int, last4 string) {
	t.record(EventCardSaved, map[string]any{"attempt": n, "last4": last4})
}

// Remaining is how long the session may still begin an attempt; not below zero.
func (s *Session) Remaining(now time.Time) time.Duration {
	return max(0, s.ExpiresAt.Sub(now))
}

// Owner is whose saved cards a session may use: the customer the merchant named, or the one who logged in.
func (s *Session) Owner() string {
	if s.Login != nil && s.Login.Done {
		return s.Login.Customer
	}
	return s.Customer.ID
}
