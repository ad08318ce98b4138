package session

// EventType names what happened. Merchants receive events as webhooks and read them by the API; the list is generated into
// the contract and the guide. A receiver has to pass over types that it does not know.
type EventType string

// Events of a session.
const (
	EventSessionCreated   EventType = "session.created"
	EventSessionExpired   EventType = "session.expired"
	EventSessionCancelled EventType = "session.cancelled"
	EventSessionDeclined  EventType = "session.declined"
	EventCustomerVerified EventType = "session.customer_verified"

	EventPaymentStarted        EventType = "payment.started"
	EventPaymentSubmitted      EventType = "payment.submitted"
	EventPaymentActionRequired EventType = "payment.action_required"
	EventPaymentProcessing     EventType = "payment.processing"
	EventPaymentUnknown        EventType = "payment.unknown"
	EventPaymentHeld           EventType = "payment.held"
	EventPaymentAuthorized     EventType = "payment.authorized"
	EventPaymentPaid           EventType = "payment.paid"
	EventPaymentPaidLate       EventType = "payment.paid_late"
	EventPaymentDeclined       EventType = "payment.declined"
	EventPaymentFailed         EventType = "payment.failed"
	EventPaymentAbandoned      EventType = "payment.abandoned"
	EventPaymentNeedsReview    EventType = "payment.needs_review"

	EventCardSaved            EventType = "card.saved"
	EventOperationNeedsReview EventType = "operation.needs_review"
)

// eventOf names the event of an attempt that reaches a state.
var eventOf = map[State]EventType{
	New:        EventPaymentStarted,
	Calling:    EventPaymentSubmitted,
	Shopper:    EventPaymentActionRequired,
	Gateway:    EventPaymentProcessing,
	Unknown:    EventPaymentUnknown,
	Held:       EventPaymentHeld,
	Authorized: EventPaymentAuthorized,
	Paid:       EventPaymentPaid,
	Declined:   EventPaymentDeclined,
	Failed:     EventPaymentFailed,
	Abandoned:  EventPaymentAbandoned,
}
