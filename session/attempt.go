package session

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/threeds"
)

// Errors of a caller that asks for what is not possible, or no longer. Each leaves the session as it is.
var (
	ErrBusy        = errors.New("session: another attempt is under way")
	ErrEnded       = errors.New("session: takes no further attempt")
	ErrStale       = errors.New("session: that step is over")
	ErrOtherCard   = errors.New("session: not the card of this attempt")
	ErrContradicts = errors.New("session: the answer is of another authentication")
)

// Kinds of calls in the call book, beside those of operations.
const (
	CallPay    = "pay"
	CallResume = "resume"
)

// NewAttempt is what an attempt begins with. Of card numbers it has masks and fingerprints only.
type NewAttempt struct {
	Instrument        string // card, saved_card, qr, sberpay, hosted, google_pay, payout
	Saved             string // the saved card it is paid with: ours
	GatewayCustomer   string // whose that is, as the gateway was told
	Card              card.Masked
	To                card.Masked // where a transfer or payout goes
	ToFingerprint     string
	Browser           threeds.BrowserData
	BrowserID         string
	IP                string
	Locale            string // the language that the shopper reads; "": the session's
	MerchantInitiated bool
	NotKept           bool // the shopper did not agree that the card is kept
	BeginsSeries      bool // the first of a series of charges without the customer
}

// Attempts decides about the attempts of a session, up to what the gateway says of them.
type Attempts struct{ *Turn }

// Attempts is a turn that decides about the session's attempts.
func (t *Turn) Attempts() Attempts { return Attempts{t} }

// MayBegin tells whether a new attempt is allowed: ErrBusy where one lives, ErrEnded where none may begin any more.
func (t Attempts) MayBegin() error {
	s := t.S
	switch {
	case s.Live() != nil:
		return ErrBusy
	case s.Status() != StatusOpen, s.TriesLeft() == 0, s.standsBesides(nil) != nil:
		return ErrEnded
	case !t.Now.Before(s.ExpiresAt):
		return ErrEnded
	}
	return nil
}

// Begin writes an attempt down. Nothing is sent for it without a permission (Permit). The errors are those of MayBegin.
func (t Attempts) Begin(in NewAttempt) (*Attempt, error) {
	if err := t.MayBegin(); err != nil {
		return nil, err
	}
	s, n := t.S, len(t.S.Attempts)+1
	a := &Attempt{
		N: n, State: New, Instrument: in.Instrument, Saved: in.Saved, GatewayCustomer: cmp.Or(in.GatewayCustomer, s.GatewayCustomer()),
		Card: in.Card, To: in.To, ToFingerprint: in.ToFingerprint, Browser: in.Browser, BrowserID: in.BrowserID, IP: in.IP, Locale: in.Locale,
		MerchantInitiated: in.MerchantInitiated, NotKept: in.NotKept, BeginsSeries: in.BeginsSeries,
		Ref:       providers.Ref{Reference: s.Reference(n)},
		CreatedAt: t.Now, UpdatedAt: t.Now, Deadline: t.Now.Add(t.Rules.CallTimeout),
	}
	if err := t.newRun(a, threeds.IDs{}); err != nil {
		return nil, err
	}
	s.Attempts = append(s.Attempts, a)
	t.recordAttempt(a, eventOf[New])
	t.inquireAtDeadline(a)
	return a, nil
}

// unsent is attempt n while nothing was sent for it; nil where it has moved on.
func (t Attempts) unsent(n int) *Attempt {
	if a := t.S.Attempt(n); a != nil && a.State == New {
		return a
	}
	return nil
}

// NotRegistered ends an attempt whose order was never made known, so that its card was never sent. err is why.
func (t Attempts) NotRegistered(n int, err error, loginLost bool, wire []TimelineEntry) error {
	a := t.unsent(n)
	if a == nil {
		return ErrNothing
	}
	a.Note(wire...)
	if loginLost {
		t.S.dropLogin()
	}
	a.Decline = declineOf(err)
	if err := t.move(a, Unregistered); err != nil {
		return err
	}
	t.tellMisconfigured(err, a)
	return nil
}

// NextReference gives an attempt that was not sent yet a reference that is ahead by so many: the one it had belongs to
// another's order. References of later attempts follow it. ErrStale where the attempt has moved on.
func (t Attempts) NextReference(n, ahead int) error {
	a := t.unsent(n)
	if a == nil {
		return ErrStale
	}
	t.S.EarlierAttempts += ahead
	a.Ref = providers.Ref{Reference: t.S.Reference(n)}
	return nil
}

// AlreadyPaid applies that the gateway has a paid order under the attempt's reference: of a call of ours that the database lost,
// or of another system. It is not charged again. Ours, an inquiry decides; else it needs review, and until then no other
// attempt begins.
func (t Attempts) AlreadyPaid(n int, taken *providers.AlreadyPaid, wire []TimelineEntry) error {
	a := t.unsent(n)
	if a == nil {
		return ErrNothing
	}
	a.Note(wire...)
	a.NewsAt = t.Now
	if !taken.Ours {
		a.Unproven = true
		t.heard = &taken.Standing
		return verdict(t).onMismatch(a, notOurs)
	}
	t.rememberRef(a, taken.Ref)
	t.queueInquiry(a, t.Now)
	return t.markOverdue(a)
}

// FoundAttempt writes down what the gateway says of a later attempt of the order, which the database has forgotten. An attempt
// begins only after the one before it has ended, so the earlier one, which the database has as live, was left: it is again, and
// the found one lives, until the gateway ends it.
func (t Attempts) FoundAttempt(n int, st providers.Standing, wire []TimelineEntry) error {
	s := t.S
	earlier := s.Live()
	for len(s.Attempts) < n { // one between them moved no money
		state := Abandoned
		if len(s.Attempts)+1 == n {
			state = New
		}
		a := &Attempt{
			N: len(s.Attempts) + 1, State: state, Instrument: s.Method, Ref: providers.Ref{Reference: s.Reference(len(s.Attempts) + 1)},
			CreatedAt: t.Now, UpdatedAt: t.Now, NewsAt: t.Now, Deadline: t.Now,
		}
		s.Attempts = append(s.Attempts, a)
		t.alarm("the database has forgotten an attempt that the gateway knows", "attempt", a.N, "outcome", st.Outcome)
		t.recordAttempt(a, eventOf[New])
		if a.N < n {
			continue
		}
		if err := t.called(a); err != nil {
			return err
		}
	}
	a := s.Attempt(n)
	a.Note(wire...)
	if earlier != nil && earlier.N < n {
		if err := t.leftBefore(earlier); err != nil {
			return err
		}
	}
	if err := verdict(t).applyStanding(a, a.Seen(), st); !errors.Is(err, ErrNothing) {
		return err
	}
	return nil
}

// called writes down that an attempt which was found at the gateway has a call without an answer.
func (t Attempts) called(a *Attempt) error {
	if err := t.newRun(a, threeds.IDs{}); err != nil {
		return err
	}
	a.Deadline = t.Now.Add(t.Rules.CallTimeout)
	row := Call{Attempt: a.N, Kind: CallPay, Round: 1, SentAt: t.Now}
	a.Calls = append(a.Calls, row)
	t.Change.Calls = append(t.Change.Calls, row)
	return t.markOverdue(a)
}

// leftBefore ends an attempt of which the database has forgotten that it was left. Its order is closed at the next look, where the
// gateway can, and nothing is sent for it any more.
func (t Attempts) leftBefore(a *Attempt) error {
	a.Withheld = true
	trigger := Disprove
	if a.State == Shopper {
		trigger = Abandon
	}
	if err := t.endCalling(a, trigger); err != nil {
		return err
	}
	t.queueRecheck(a, t.Now)
	return nil
}

// Outgoing describes a call that can move money.
type Outgoing struct {
	Kind  string // CallPay or CallResume
	From  State  // that the attempt has to be in
	StepN int    // CallResume only: the step it answers

	Ref  *providers.Ref  // CallPay only: the gateway's id of the order, from its registration
	Wire []TimelineEntry // requests made before it
}

// Permit writes down the permission to send one call that can move money; the row in the call book is the only permission
// there is. ErrNothing where the attempt is elsewhere by now, or where money stands for the session already.
func (t Attempts) Permit(n int, out Outgoing) (Call, error) {
	a := t.S.Attempt(n)
	if a == nil || a.State != out.From || a.StepN != out.StepN || a.Withheld || t.S.standsBesides(a) != nil {
		return Call{}, ErrNothing
	}
	if out.Ref != nil {
		a.Ref = *out.Ref
	}
	a.Note(out.Wire...)
	row := Call{Attempt: n, Kind: out.Kind, Round: a.StepN + 1, SentAt: t.Now}
	if err := t.move(a, Send); err != nil {
		return Call{}, err
	}
	a.Deadline = t.Now.Add(t.Rules.CallTimeout)
	a.NewsAt = t.Now
	t.Change.Calls = append(t.Change.Calls, row)
	t.inquireAtDeadline(a)
	return row, nil
}

// CallAnswer is what a permitted call brought.
type CallAnswer struct {
	Step providers.Step
	Err  error // no clear answer; Untaken and LoginRefused say what it proves
	Wire []TimelineEntry

	Untaken      bool // no request was sent, or the provider refused before sending anything what the gateway cannot express
	NumberTaken  bool // the gateway refused it because the number has an order already
	Refused      bool // the gateway refused the browser's answer that was sent, in words that prove that this call did nothing
	LoginRefused bool // the gateway refused the customer's credential: this call took nothing
	LoginLost    bool // and the customer has no newer one
}

// Answered applies what a call brought, and tells whether the gateway is to be asked at once.
func (t Attempts) Answered(row Call, in CallAnswer) (ask bool, err error) {
	a := t.S.Attempt(row.Attempt)
	if a == nil {
		return false, fmt.Errorf("the database has forgotten attempt %d", row.Attempt)
	}
	a.Note(in.Wire...)
	row.AnsweredAt, row.Result = t.Now, string(in.Step.Kind)
	if in.Err != nil {
		row.Result, t.reason = resultError, providers.ClassOf(in.Err)
		switch {
		case in.NumberTaken:
			row.Result = resultTaken
		case in.Refused:
			row.Result = resultRefused
		}
		if wait := providers.RetryAfter(in.Err); wait > 0 {
			a.AskAfter = t.Now.Add(wait)
		}
	}
	t.bookAnswer(a, row)
	if a.State == New {
		if err := t.markOverdue(a); err != nil {
			return false, err
		}
	}
	if in.LoginLost {
		t.S.dropLogin()
	}
	defer t.tellMisconfigured(in.Err, a)
	switch {
	case a.State != Calling && a.State != Unknown && a.State != Gateway:
		return false, nil // an inquiry was faster: only the call book is changed
	case a.State == Calling && (in.Untaken || in.LoginRefused) && a.allAnswered(row): // an earlier one may have arrived
		a.Decline = declineOf(in.Err)
		return false, t.move(a, Disprove)
	case in.Err != nil: // the call is not repeated: an inquiry decides
		if d := declineOf(in.Err); d.Code != "" || in.Refused {
			a.Decline = d // should it turn out that nothing was taken
		}
		a.NewsAt = t.Now
		t.queueInquiry(a, t.Now.Add(fastFirst))
		return true, t.move(a, Overdue)
	}
	return t.applyStep(a, in.Step)
}

// declineOf is what is kept of a call without a clear answer: the gateway's code and words, where it gave any.
func declineOf(err error) *providers.Decline {
	d := &providers.Decline{Reason: providers.TryAgainLater}
	if f, ok := errors.AsType[*providers.Failure](err); ok {
		d.Code, d.Message = f.Code, f.Text
	}
	if providers.RefusalOfUs(err) != nil {
		d.Reason = providers.Misconfigured
	}
	return d
}

// bookAnswer writes the answer of a call into the call book. A database that took over without having seen the last
// commits has forgotten the permission; the call was made all the same, and its line is written again.
func (t *Turn) bookAnswer(a *Attempt, row Call) {
	if i := slices.IndexFunc(a.Calls, row.is); i >= 0 {
		a.Calls[i] = row
	} else {
		t.alarm("the call book has forgotten a call that was made", "attempt", a.N, "call", row.Kind)
		a.Calls = append(a.Calls, row)
		t.Change.Calls = append(t.Change.Calls, row)
	}
	t.Change.Answered = append(t.Change.Answered, row)
}

// allAnswered tells whether every call but the given one got a clear answer.
func (a *Attempt) allAnswered(but Call) bool {
	return !slices.ContainsFunc(a.Calls, func(c Call) bool {
		return !c.is(but) && (c.AnsweredAt.IsZero() || c.Result == resultError)
	})
}

// NeedsCardAgain is the live attempt that waits for its card to be typed once more, or nil.
func (s *Session) NeedsCardAgain() *Attempt {
	if a := s.Live(); a != nil && a.State == Shopper && a.Step != nil && a.Step.Kind == providers.AskCard {
		return a
	}
	return nil
}
