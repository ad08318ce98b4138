package webhook

// Types of the events about endpoints.
const (
	FailingEvent   = "webhook_endpoint.failing"
	RecoveredEvent = "webhook_endpoint.recovered"
)

// EventDoc is one type of event and what it tells, in one line of Markdown.
type EventDoc struct{ Type, Doc string }

// Events is the one list of events about endpoints.
func Events() []EventDoc {
	return []EventDoc{
		{FailingEvent, "What is sent to one of your webhook endpoints has failed for twenty minutes, or can no longer be signed."},
		{RecoveredEvent, "That endpoint has answered again."},
	}
}
