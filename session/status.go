package session

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
		if a.State == Unknown || a.State == Mismatched || a.Blind && a.State.Live() {
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
		if a.State.Live() || a.State.Funded() && !a.GivenBack() {
			return true
		}
	}
	// What a person called not paid may have been paid all the same: no other session takes the order without their knowing.
	return s.ClosedReason == "" || len(s.Settlements) > 0
}
