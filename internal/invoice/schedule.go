package invoice

import (
	"encoding/json"
	"time"

	"tollgate/providers"
)

// JobInquire is the job that asks how an invoice stands; its key is the invoice's id.
const JobInquire = "invoice.inquire"

// Task is what the job's payload says.
type Task struct {
	Merchant string `json:"merchant"`
	Invoice  string `json:"invoice"`
}

// An invoice is asked about at once after each notification, and otherwise after these distances, then every hour until a week is
// over since it was made or renewed, then twice a day until the end, counted from then. One that has ended is looked at twice
// more, since the gateway may take money late.
var (
	firstInquiries = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}
	looksAfterEnd  = []time.Duration{time.Hour, 24 * time.Hour}
)

const (
	hourlyFor   = 7 * 24 * time.Hour
	thenEvery   = 12 * time.Hour
	inquiriesTo = 60 * 24 * time.Hour
)

// nextInquiry tells in how long an invoice is to be asked about, so long after its last news; false where the schedule is over.
func nextInquiry(status Status, since time.Duration) (time.Duration, bool) {
	distances, then, until := firstInquiries, time.Hour, inquiriesTo
	switch status {
	case Paid:
		return 0, false
	case Closed, Failed:
		distances, then, until = looksAfterEnd, 0, 0
	}
	at := time.Duration(0)
	for _, d := range distances {
		if at += d; at > since {
			return at - since, true
		}
	}
	if since >= until {
		return 0, false
	}
	if since >= hourlyFor {
		then = thenEvery
	}
	return then, true
}

// Event is one line of an invoice's history.
type Event struct {
	Type string
	At   time.Time
	Data json.RawMessage
}

// Change is what goes into the store together with an invoice, in one transaction.
type Change struct {
	Events  []Event
	Inquire time.Time // when to ask next; zero: not
}

// Job is the job of a Change.
func (in *Invoice) Job() json.RawMessage {
	raw, err := json.Marshal(Task{in.Merchant, in.ID})
	if err != nil { // two texts
		panic(err)
	}
	return raw
}

// event is one of the invoice as it stands now.
func (in *Invoice) event(kind string, now time.Time) Event {
	data := map[string]any{
		"invoice": in.ID, "invoice_status": in.Status, "account": in.Account, "reference": in.Reference[len(in.RefTag):],
		"amount": in.Amount.Minor, "currency": in.Amount.Currency.Code,
	}
	if len(in.Metadata) > 0 {
		data["metadata"] = in.Metadata
	}
	raw, err := json.Marshal(data)
	if err != nil { // texts and numbers
		panic(err)
	}
	return Event{kind, now, raw}
}

// changed is what a new standing has with it: the event of a new status, and the next inquiry. said is what the gateway
// answered, "" where it was not asked.
func (in *Invoice) changed(before Invoice, said providers.Outcome, now time.Time) (c Change) {
	if in.Status != before.Status || in.URL != before.URL && before.URL != "" {
		in.NewsAt, in.NeedsReview = now, false
		kind := ""
		switch in.Status {
		case Open:
			if kind = CreatedEvent; in.Told {
				kind = RenewedEvent
			}
			in.Told = true
		case Paid:
			kind = PaidEvent
		case Closed:
			if kind = ExpiredEvent; said == providers.Voided {
				kind = CancelledEvent
			}
		case Failed:
			kind = FailedEvent
		case Unknown:
			kind = UnknownEvent
		}
		c.Events = append(c.Events, in.event(kind, now))
	}
	return in.schedule(c, now)
}

// schedule adds the next inquiry, or that a person has to look.
func (in *Invoice) schedule(c Change, now time.Time) Change {
	wait, more := nextInquiry(in.Status, now.Sub(in.NewsAt))
	switch {
	case more:
		if c.Inquire = now.Add(wait); c.Inquire.Before(in.Deadline) {
			c.Inquire = in.Deadline
		}
	case (in.Status == Open || in.Status == Unknown) && !in.NeedsReview:
		in.NeedsReview = true
		c.Events = append(c.Events, in.event(NeedsReviewEvent, now))
	}
	return c
}
