package session

import "tollgate/providers"

// EventType names what happened. Merchants receive events as webhooks and read them by the API. A receiver has to pass over
// types that it does not know.
type EventType string

// Events that this package's code names. Those of operations are named by OperationEvent.
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
	EventPaymentChargeback     EventType = "payment.chargeback"
	EventPaymentReceipt        EventType = "payment.receipt"

	EventAuthorizationExpired EventType = "authorization.expired"
	EventCaptureElsewhere     EventType = "capture.elsewhere"
	EventVoidElsewhere        EventType = "void.elsewhere"
	EventRefundElsewhere      EventType = "refund.elsewhere"
	EventRefundUndone         EventType = "refund.undone"

	EventPaymentSettled         EventType = "payment.settled"
	EventSettlementContradicted EventType = "payment.settlement_contradicted"

	EventCardSaved            EventType = "card.saved"
	EventCardNotSaved         EventType = "card.not_saved"
	EventAccountMisconfigured EventType = "account.misconfigured" // of an account, not of a session: see Notice
	EventAccountUnderAttack   EventType = "account.under_attack"
	EventOperationNeedsReview EventType = "operation.needs_review"
	EventCallbackUnmatched    EventType = "callback.unmatched"
)

// EventDoc is one type of event and what it tells, in one line of Markdown.
type EventDoc struct {
	Type EventType
	Doc  string
}

// Events is the one list of what can happen to a session. The contract, the guide and the filters of webhook endpoints are made
// from it. It stays in one piece because it is a list and nothing else.
func Events() []EventDoc {
	return []EventDoc{
		{EventSessionCreated, "The session was created."},
		{EventCustomerVerified, "The customer logged in at the gateway; `customer` is the gateway's id of them."},
		{EventSessionDeclined, "Its last try was used up, or a payout did not come about. Final."},
		{EventSessionExpired, "Its time was over before it was paid. Final."},
		{EventSessionCancelled, "You or the shopper ended it. Final."},

		{EventPaymentStarted, "An attempt was written down; nothing was sent yet."},
		{EventPaymentSubmitted, "A call that can move money is about to leave for the gateway."},
		{EventPaymentActionRequired, "The shopper has something to do: the bank's check, the gateway's page, a code to scan."},
		{EventPaymentProcessing, "The gateway is at work and is being asked."},
		{EventPaymentUnknown, "An answer is overdue or cannot be trusted. Neither ship nor charge again: the gateway is being asked."},
		{EventPaymentHeld,
			"The gateway tells of another amount, currency or order. Neither ship nor charge again: a person has to look."},
		{EventPaymentAuthorized, "The money is held: capture or void it."},
		{EventPaymentPaid, "The money was taken: ship."},
		{EventPaymentPaidLate,
			"The money was taken or held after the session had ended, or beside another attempt, in the place of `payment.paid` or " +
				"`payment.authorized`: give it back or ship."},
		{EventPaymentDeclined, "The gateway or the bank said no; `decline` says why."},
		{EventPaymentFailed, "It is proved that nothing was or can be charged."},
		{EventPaymentAbandoned, "The shopper never came back, and the order can be paid no more."},
		{EventPaymentNeedsReview,
			"The gateway was asked for as long as the schedule goes, and the outcome is not known, or its sums fit nothing; " +
				"`gateway` has its figures: a person has to look."},
		{EventPaymentSettled,
			"A person said what became of a payment or an operation that needed review; `outcome`, `reason` and `settled_amount` " +
				"tell what."},
		{EventSettlementContradicted,
			"The gateway has said otherwise than a person did; its word counts. `gateway` has its figures: see to what you did " +
				"on the person's word."},

		{"capture.started", "A capture was written down; nothing was sent yet."},
		{"capture.calling", "The capture is about to leave for the gateway."},
		{"capture.pending", "The gateway took the capture and is at work."},
		{"capture.unknown", "What became of the capture is not known: the gateway is being asked."},
		{"capture.succeeded", "The held money was captured."},
		{"capture.failed", "Nothing was captured; `decline` says why where the gateway did."},

		{"void.started", "A void was written down; nothing was sent yet."},
		{"void.calling", "The void is about to leave for the gateway."},
		{"void.pending", "The gateway took the void and is at work."},
		{"void.unknown", "What became of the void is not known: the gateway is being asked."},
		{"void.succeeded", "The hold was let go."},
		{"void.failed", "The hold stands as it was; `decline` says why where the gateway did."},

		{"refund.started", "A refund was written down; nothing was sent yet."},
		{"refund.calling", "The refund is about to leave for the gateway."},
		{"refund.pending", "The gateway took the refund and is at work."},
		{"refund.unknown", "What became of the refund is not known: the gateway is being asked."},
		{"refund.succeeded", "The money was given back."},
		{"refund.failed", "Nothing was given back; `decline` says why where the gateway did."},

		{EventCaptureElsewhere,
			"Held money was captured, and not by you through Tollgate: in the gateway's cabinet, or by its own clock. " +
				"`amount_moved` is how much."},
		{EventVoidElsewhere,
			"A hold, or a payment of the same day, was let go, wholly or in part, and not by you through Tollgate. " +
				"`amount_moved` is how much."},
		{EventAuthorizationExpired, "The hold is gone: the bank let it go, or its time ran out. Nothing can be captured any more."},
		{EventRefundElsewhere, "Money was given back, and not by you through Tollgate. `amount_moved` is how much."},
		{EventRefundUndone, "A refund was undone: the money is yours again. `amount_moved` is how much."},
		{EventPaymentChargeback,
			"The card holder's bank claims the money back: `dispute` is `opened`, `won` or `lost`, `amount_disputed` how much " +
				"is claimed or gone."},

		{EventPaymentReceipt,
			"The gateway's cash register has made a fiscal receipt of the payment or of a refund, or has failed to; `receipts` lists " +
				"all that there are of the payment."},

		{EventOperationNeedsReview,
			"The gateway was asked for as long as the schedule goes, and what became of a capture, void or refund is not " +
				"known: a person has to look."},
		{EventCallbackUnmatched,
			"The gateway told of a payment under a `reference` that Tollgate knows nothing of: of another system, or forgotten by a " +
				"database that failed over or was restored. Before that number is used the gateway is asked. Of no session."},
		{EventAccountUnderAttack,
			"Nearly all cards tried on an account in the last minute were declined, far more than is usual there: somebody tests cards. " +
				"Of no session."},
		{EventCardSaved, "The gateway saved the card of a payment; `last4` says which."},
		{EventCardNotSaved, "The card of a payment was to be saved, and a day and more later the gateway has not named it."},
		{EventAccountMisconfigured,
			"The gateway refuses `account` itself: credentials, control sums, something that your contract with it lacks. " +
				"`gateway_call`, `code` and `message` are the gateway's. Told at most once an hour; until it is mended nobody can pay " +
				"by this account. Belongs to no session; `session` names the one that met it."},
	}
}

// eventOf names the event of an attempt that reaches a state.
var eventOf = map[State]EventType{
	New:        EventPaymentStarted,
	Calling:    EventPaymentSubmitted,
	Shopper:    EventPaymentActionRequired,
	Gateway:    EventPaymentProcessing,
	Unknown:    EventPaymentUnknown,
	Mismatched: EventPaymentHeld,
	Authorized: EventPaymentAuthorized,
	Paid:       EventPaymentPaid,
	Declined:   EventPaymentDeclined,
	Failed:     EventPaymentFailed,
	Abandoned:  EventPaymentAbandoned,
}

// OperationEvent names the event of an operation that reaches a state: refund.succeeded, capture.pending, …
func OperationEvent(kind providers.OpKind, state OpState) EventType {
	name := string(state)
	if state == OpNew {
		name = "started"
	}
	return EventType(string(kind) + "." + name)
}

// EventTypes are the types of Events.
func EventTypes() []string {
	all := Events()
	names := make([]string, len(all))
	for i, e := range all {
		names[i] = string(e.Type)
	}
	return names
}
