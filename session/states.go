package session

// State is how far an attempt is. The step, which is data, says what the page is.
type State string

// Attempt states.
const (
	New        State = "new"        // written down, nothing sent
	Calling    State = "calling"    // a call that can move money is out
	Shopper    State = "shopper"    // the browser has something to do
	Gateway    State = "gateway"    // the gateway is working and is inquired of
	Unknown    State = "unknown"    // an answer is overdue or cannot be trusted
	Mismatched State = "held"       // the gateway speaks of another amount, currency or order than ours
	Authorized State = "authorized" // the gateway said so, server to server, with the right amount
	Paid       State = "paid"
	Declined   State = "declined"  // gateway or issuer said no
	Failed     State = "failed"    // proved: nothing was or can be charged
	Abandoned  State = "abandoned" // the shopper never came back and the order was closed or outlived
)

// states are all states, in the order of the table.
var states = []State{New, Calling, Shopper, Gateway, Unknown, Mismatched, Authorized, Paid, Declined, Failed, Abandoned}

// Live tells whether an attempt in this state may still end in a payment; a session has at most one such.
func (s State) Live() bool {
	switch s {
	case New, Calling, Shopper, Gateway, Unknown, Mismatched:
		return true
	}
	return false
}

// Funded tells whether money is held or taken.
func (s State) Funded() bool { return s == Authorized || s == Paid }

// Status is a session's state as merchants see it.
type Status string

// Session statuses.
const (
	StatusOpen              Status = "open"
	StatusActionRequired    Status = "action_required"
	StatusProcessing        Status = "processing"
	StatusAuthorized        Status = "authorized"
	StatusPaid              Status = "paid"
	StatusPartiallyRefunded Status = "partially_refunded"
	StatusRefunded          Status = "refunded"
	StatusVoided            Status = "voided"
	StatusDeclined          Status = "declined"
	StatusExpired           Status = "expired"
	StatusCancelled         Status = "cancelled"
)

// Status derives what merchants see from the attempts. It is a pure function of the session.
func (s *Session) Status() Status {
	for _, a := range s.Attempts {
		if !a.State.Funded() || a.PaidLate {
			continue
		}
		switch {
		case a.Voided:
			return StatusVoided
		case a.State == Authorized:
			return StatusAuthorized
		case a.Refunded > 0 && a.Refunded >= a.Captured:
			return StatusRefunded
		case a.Refunded > 0:
			return StatusPartiallyRefunded
		}
		return StatusPaid
	}
	if a := s.Live(); a != nil {
		if a.State == Shopper {
			return StatusActionRequired
		}
		return StatusProcessing
	}
	switch s.ClosedReason {
	case Expired:
		return StatusExpired
	case Cancelled:
		return StatusCancelled
	case UsedUp:
		return StatusDeclined
	}
	return StatusOpen
}

// OutcomeKnown is false while any attempt or operation is unknown.
func (s *Session) OutcomeKnown() bool {
	for _, a := range s.Attempts {
		if a.State == Unknown || a.State == Mismatched {
			return false
		}
	}
	for _, op := range s.Operations {
		if op.State == OpUnknown {
			return false
		}
	}
	return true
}

// ClaimsOrder tells whether the session's order id may not be used by another session: it has not ended, or an attempt of it is
// live, or has money, be it late.
func (s *Session) ClaimsOrder() bool {
	for _, a := range s.Attempts {
		if a.State.Live() || a.State.Funded() {
			return true
		}
	}
	return s.ClosedReason == ""
}
