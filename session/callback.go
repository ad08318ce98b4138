package session

import (
	"reflect"
	"slices"
)

// AskedAtOnce tells whether a proved callback about attempt n may be answered by an inquiry that is made at once, so that both are
// stored together or, where it brings nothing new, not at all. It may not while another has the attempt in hand, where the
// callback names an order that is new, and so soon after another callback that its inquiry has to wait.
func (t Arrivals) AskedAtOnce(n int, gatewayOrder string) bool {
	a := t.S.Attempt(n)
	if a == nil || a.State == New || a.State == Calling || !Asking(t).MayAsk(a) || gatewayOrders(t).name(a, gatewayOrder) {
		return false
	}
	at, due := a.callbackTurn(t.Now)
	return due && !at.After(t.Now)
}

// CalledBackAndAsked takes a proved callback together with what the inquiry brought that it asked for. before is the session as it
// was loaded, in a copy of its own. ErrNothing where the gateway says of a payment that has succeeded what the books say.
func (t Arrivals) CalledBackAndAsked(n int, gatewayOrder string, in InquiryAnswer, before *Session) error {
	a := t.S.Attempt(n)
	gatewayOrders(t).name(a, gatewayOrder)
	a.callbackTurn(t.Now)
	if err := t.Inquired(n, in); err != nil || in.Err != nil || tells(t.Turn) {
		return err
	}
	was := before.Attempt(n)
	if was == nil || !was.State.Funded() {
		return nil
	}
	now := *a
	// When it was asked, and in which words, is no news: the look that is queued already stays.
	now.CalledBackAt, now.InquiredAt, now.NextInquiry = was.CalledBackAt, was.InquiredAt, was.NextInquiry
	now.Trace, now.Authorization.RequestID = was.Trace, was.Authorization.RequestID
	with := *t.S
	with.Attempts = make([]*Attempt, len(t.S.Attempts))
	copy(with.Attempts, t.S.Attempts)
	for i, one := range with.Attempts {
		if one == a {
			with.Attempts[i] = &now
		}
	}
	if reflect.DeepEqual(*before, with) {
		return ErrNothing
	}
	return nil
}

// tells tells whether the turn has more to save than the session and when it is to be looked at again.
func tells(t *Turn) bool {
	c := t.Change
	if slices.ContainsFunc(c.Jobs, func(j Job) bool { return j.Kind != JobInquire || !j.RunAt.After(t.Now) }) {
		return true
	}
	return len(c.Events)+len(c.Calls)+len(c.Answered)+len(c.Drop) > 0 || c.Claim != nil || c.Notice != nil || len(t.After) > 0
}
