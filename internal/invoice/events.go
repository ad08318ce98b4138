package invoice

// Events of invoices. They belong to no session.
const (
	CreatedEvent     = "invoice.created"
	PaidEvent        = "invoice.paid"
	ExpiredEvent     = "invoice.expired"
	CancelledEvent   = "invoice.cancelled"
	RenewedEvent     = "invoice.renewed"
	FailedEvent      = "invoice.failed"
	UnknownEvent     = "invoice.unknown"
	NeedsReviewEvent = "invoice.needs_review"
)

// EventDoc is one type of event and what it tells, in one line of Markdown.
type EventDoc struct{ Type, Doc string }

// Events is the one list of events about invoices.
func Events() []EventDoc {
	return []EventDoc{
		{CreatedEvent, "The gateway has the invoice, and it can be paid."},
		{PaidEvent, "The invoice was paid: ship."},
		{ExpiredEvent, "Its time at the gateway is over, unpaid. It can be renewed."},
		{CancelledEvent, "It was cancelled at the gateway. It can be renewed."},
		{RenewedEvent, "It can be paid again, at a new address."},
		{FailedEvent, "The gateway does not have it: nothing can be paid. It can be made by renewing it."},
		{UnknownEvent, "The gateway gave no clear answer, or tells of another amount: it is being asked."},
		{NeedsReviewEvent, "The gateway was asked for as long as the schedule goes, and the invoice has no end: a person has to look."},
	}
}

// EventTypes are the types of Events.
func EventTypes() []string {
	var names []string
	for _, e := range Events() {
		names = append(names, e.Type)
	}
	return names
}
