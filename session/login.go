package session

import (
	"errors"
	"slices"
	"time"

	"tollgate/providers"
)

// Bounds of a login: a shopper who mistypes gets on, a stranger who tries numbers does not. What a stranger with the link has used
// up comes back slowly and no more than once, so that the customer still logs in; what one address may have of a session is
// bounded by internal/limit.
const (
	maxCodesSent  = 5
	maxWrongCodes = 5
	maxLookups    = 10
	comesBack     = 5 * time.Minute // one code and one lookup
)

const (
	// LoginTimeout bounds the gateway's calls of one press.
	LoginTimeout = 15 * time.Second
	// samePress is how long after a code was sent the same press again sends no other.
	samePress = 5 * time.Second
)

// ErrTooMany says that a session has reached maxCodesSent or maxLookups.
var ErrTooMany = errors.New("session: too many codes")

// LoginLost tells that an attempt lives whose customer's credential was refused: until the customer logs in again nobody
// can ask the gateway what became of it.
func (s *Session) LoginLost() bool {
	return s.Live() != nil && s.Login != nil && s.Login.Customer != "" && !s.Login.Done
}

// MayLogIn tells whether the session's customer may log in: before the first attempt, and where a live one has lost its
// customer.
func (s *Session) MayLogIn() bool { return s.Status() == StatusOpen || s.LoginLost() }

// TakesCustomer tells whether a customer may log in to this session: a transfer to a saved card is its owner's, and so is a
// payment that is under way.
func (s *Session) TakesCustomer(customer string) bool {
	if s.Target != nil && s.Target.Customer != customer {
		return false
	}
	return s.Live() == nil || s.Login == nil || s.Login.Customer == customer
}

// CodesUsedUp tells that no further code can be sent in this session now.
func (s *Session) CodesUsedUp(now time.Time) bool {
	return s.Login != nil && s.Login.Sent >= s.Login.share(maxCodesSent, now)
}

// PhonesUsedUp tells that no further phone can be looked up in this session now.
func (s *Session) PhonesUsedUp(now time.Time) bool {
	return s.Login != nil && s.Login.Lookups >= s.Login.share(maxLookups, now)
}

// share is a session's share of something: so much at once, and the same once more, bit by bit.
func (l *Login) share(most int, now time.Time) int {
	if l.Since.IsZero() {
		return most
	}
	return most + min(most, max(0, int(now.Sub(l.Since)/comesBack)))
}

// For makes the code that was sent for a browser the present one. Another's is kept: whoever asks for a code spoils nobody's.
func (l *Login) For(browser string) {
	if l == nil || l.Done || l.Browser == browser {
		return
	}
	i := slices.IndexFunc(l.Others, func(c LoginCode) bool { return c.Browser == browser })
	if i < 0 {
		return
	}
	own := l.Others[i]
	l.Others = slices.Delete(slices.Clone(l.Others), i, i+1)
	l.setAside()
	l.Browser, l.Phone, l.Customer, l.Challenge, l.SentAt, l.Wrong = own.Browser, own.Phone, own.Customer, own.Challenge, own.SentAt, own.Wrong
}

// setAside keeps the present code among those of the others; the caller puts another in its place.
func (l *Login) setAside() {
	if l.Challenge != "" {
		l.Others = append(slices.Clone(l.Others), LoginCode{l.Browser, l.Phone, l.Customer, l.Challenge, l.SentAt, l.Wrong})
	}
}

// TriesUsedUp tells that the code that was sent takes no further try.
func (s *Session) TriesUsedUp() bool { return s.Login != nil && s.Login.Wrong >= maxWrongCodes }

// dropLogin forgets a login whose credential the gateway refused, so that the shopper is asked again, with as many codes as
// at first.
func (s *Session) dropLogin() {
	if s.Login != nil && s.Login.Done {
		s.Login.Done, s.Login.Challenge, s.Login.Sent, s.Login.Since = false, "", 0, time.Time{}
	}
}

// DropLogin is dropLogin as a turn of its own.
func (t *Turn) DropLogin() error {
	t.S.dropLogin()
	return nil
}

// repeats tells whether a press asks for what is under way or was done a moment ago.
func (l *Login) repeats(browser, phone string, now time.Time) bool {
	r := l.Asking
	switch {
	case r == nil, r.Browser != browser, r.Phone != phone:
		return false
	case r.Open:
		return now.Before(r.At.Add(2 * LoginTimeout)) // after that the process that called is dead
	}
	return now.Before(r.At.Add(samePress)) && (r.Unknown || l.Challenge != "" && l.Phone == phone && l.Browser == browser)
}

// Logins decides about a session's login.
type Logins struct{ *Turn }

// Logins is a turn that decides about the session's login.
func (t *Turn) Logins() Logins { return Logins{t} }

// Press is what a press on "send the code" may do.
type Press struct {
	N        int    // the request's number
	Repeated bool   // the same press was made a moment ago: nothing is sent, N is that one's
	Customer string // the customer of the phone, where it is known already: then the code is counted too
}

// AskCode takes one press on "send the code" before the gateway is called. ErrStale where nobody may log in, ErrTooMany
// where the session has had its share.
func (t Logins) AskCode(browser, phone string) (Press, error) {
	if !t.S.MayLogIn() {
		return Press{}, ErrStale
	}
	if t.S.Login == nil {
		t.S.Login = &Login{}
	}
	l, press := t.S.Login, Press{}
	l.For(browser)
	if l.Asking != nil {
		press.N = l.Asking.N
	}
	if press.Repeated = l.repeats(browser, phone, t.Now); press.Repeated {
		return press, ErrNothing
	}
	switch {
	case t.S.CodesUsedUp(t.Now):
		return press, ErrTooMany
	case l.Phone == phone && l.Customer != "":
		press.Customer = l.Customer
		l.Sent++
	case t.S.PhonesUsedUp(t.Now):
		return press, ErrTooMany
	default:
		l.Lookups++
	}
	if l.Since.IsZero() {
		l.Since = t.Now
	}
	press.N++
	l.Asking = &CodeRequest{N: press.N, Browser: browser, Phone: phone, At: t.Now, Open: true}
	return press, nil
}

// CountCode counts the code that a request is about to send. ErrStale where a later press came, ErrTooMany where the session
// has had its share.
func (t Logins) CountCode(n int) error {
	switch {
	case t.S.Login.Asking.N != n:
		return ErrStale
	case t.S.CodesUsedUp(t.Now):
		return ErrTooMany
	}
	t.S.Login.Sent++
	return nil
}

// CodeNotSent notes that a request for a code came to nothing; unknown, that the gateway has no such customer.
func (t Logins) CodeNotSent(n int, unknown bool) error {
	r := t.S.Login.Asking
	if r.N != n {
		return ErrNothing
	}
	r.Open, r.Unknown, r.At = false, unknown, t.Now
	return nil
}

// CodeSent stores the challenge of the code that was sent, sealed. ErrStale where a later press came.
func (t Logins) CodeSent(n int, browser, phone, customer, sealed string) error {
	l := t.S.Login
	if !t.S.MayLogIn() || l.Asking.N != n || !t.S.TakesCustomer(customer) {
		return ErrStale
	}
	if l.For(browser); l.Browser != browser {
		l.setAside()
	}
	l.Browser, l.Phone, l.Customer, l.Challenge, l.SentAt = browser, phone, customer, sealed, t.Now
	l.Wrong, l.Done = 0, false
	l.Asking.Open, l.Asking.At = false, t.Now
	return nil
}

// OtherPhone lets a shopper enter another phone. No counter is set back.
func (t Logins) OtherPhone(browser string) error {
	l := t.S.Login
	l.For(browser)
	if l == nil || l.Done || l.Browser != browser || l.Challenge == "" || t.S.Status() != StatusOpen {
		return ErrNothing
	}
	l.Challenge = ""
	return nil
}

// CodeLeft is how long the code that was sent is still good, of codes that live so long; not below zero.
func (s *Session) CodeLeft(now time.Time, life time.Duration) time.Duration {
	if s.Login == nil {
		return 0
	}
	return max(0, s.Login.SentAt.Add(life).Sub(now))
}

// TryCode takes one try of a code before the gateway is called, and answers the sealed challenge. ErrStale where this
// browser was sent none, providers.ErrWrongCode where the code is too old or has had its tries.
func (t Logins) TryCode(browser string, life time.Duration) (challenge string, err error) {
	l := t.S.Login
	l.For(browser)
	switch {
	case !t.S.MayLogIn(), l == nil, l.Challenge == "", l.Browser != browser:
		return "", ErrStale
	case t.S.TriesUsedUp(), t.S.CodeLeft(t.Now, life) == 0:
		return "", providers.ErrWrongCode
	}
	l.Wrong++
	return l.Challenge, nil
}

// LoggedIn ends a login: the code proved the phone that it was sent to, and no other (ErrStale). Where an attempt had lost
// its customer, or ended without the gateway's word, the gateway is asked.
func (t Logins) LoggedIn(browser, challenge, customer string) error {
	l := t.S.Login
	l.For(browser)
	if l.Challenge != challenge || l.Browser != browser {
		return ErrStale
	}
	t.verified(customer)
	return nil
}

// Remembered logs a customer in whom this browser remembers, without a code. The caller has checked that the login still holds.
// ErrStale where nobody may log in, or somebody has.
func (t Logins) Remembered(browser, phone, customer string) error {
	s := t.S
	if !s.MayLogIn() || s.Login != nil && s.Login.Done || !s.TakesCustomer(customer) {
		return ErrStale
	}
	if s.Login == nil {
		s.Login = &Login{}
	}
	s.Login.Browser, s.Login.Phone, s.Login.Customer = browser, phone, customer
	t.verified(customer)
	return nil
}

func (t Logins) verified(customer string) {
	t.S.Login.Done, t.S.Login.Challenge, t.S.Login.Others = true, "", nil
	t.record(EventCustomerVerified, map[string]any{"customer": customer})
	if t.S.Status() == StatusOpen && !t.Now.Before(t.S.ExpiresAt) {
		t.expireAt(t.Now) // the gateway may not have answered without the customer
	}
	if a := t.S.Last(); a != nil && a.State.Live() {
		a.NewsAt = t.Now
		t.queueInquiry(a, t.Now.Add(fastFirst))
	} else if a != nil && (a.State == Failed || a.State == Abandoned) {
		t.queueRecheck(a, t.Now)
	}
}
