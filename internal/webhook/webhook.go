// Package webhook tells merchants' servers what happened. Events become deliveries, one queue of them per endpoint, in
// the order in which the events happened; a queue is worked off from its head, signed after Standard Webhooks, and tried
// again for thirty days.
package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// What a caller can have done wrong, or too late.
var (
	ErrNotFound = errors.New("webhook: not found") // also what belongs to another merchant
	ErrConflict = errors.New("webhook: changed by somebody else")
	ErrTooMany  = errors.New("webhook: too many endpoints")
	ErrDisabled = errors.New("webhook: the endpoint is disabled")
	ErrDone     = errors.New("webhook: the delivery has ended")
	ErrLost     = errors.New("webhook: another worker has the queue")
)

// Fault is an input that is not valid.
type Fault struct{ Field, Text string }

func (f *Fault) Error() string { return f.Field + " " + f.Text }

// Limits.
const (
	MaxEndpoints = 16     // of one merchant, apart from those that sessions name
	MaxResend    = 10_000 // events that one resend of a range may hold
)

// Event is one line of a history as it is sent.
type Event struct {
	Subject  string // whose history: a session, or an endpoint
	Session  string // "" where the event is of no session
	Merchant string
	N        int
	Type     string
	At       time.Time
	Data     json.RawMessage
	Pos      int64  // its place among all events
	Suffix   string // the random end of its id; "": of an earlier version
}

// EventID is the id under which an event is known for ever: receivers tell by it that they have it already. Its random suffix
// tells it from an event of the same number that the database has lost.
func EventID(subject string, n int, suffix string) string {
	if suffix == "" {
		return fmt.Sprintf("evt_%s_%d", subject, n)
	}
	return fmt.Sprintf("evt_%s_%d-%s", subject, n, suffix)
}

// ID is EventID of the event.
func (e Event) ID() string { return EventID(e.Subject, e.N, e.Suffix) }

// TimeFormat writes when an event happened: the fraction has a fixed width, so that the texts sort as the times do.
const TimeFormat = "2006-01-02T15:04:05.000000Z07:00"

// Body is what is posted, the same bytes at every try.
func (e Event) Body() ([]byte, error) {
	data := e.Data
	if len(data) == 0 {
		data = json.RawMessage(`{}`)
	}
	return json.Marshal(struct {
		ID        string          `json:"id"`
		Type      string          `json:"type"`
		CreatedAt string          `json:"created_at"`
		Session   string          `json:"session,omitempty"`
		N         int             `json:"n"`
		Data      json.RawMessage `json:"data"`
	}{e.ID(), e.Type, e.At.UTC().Format(TimeFormat), e.Session, e.N, data})
}

// Endpoint is an address that a merchant's events are sent to, and where its queue stands.
type Endpoint struct {
	ID          string
	Merchant    string
	URL         string
	SessionURL  bool // not made by the merchant: stands for the webhook_url of sessions
	Description string
	Events      []string // types, or "payment.*"; empty: all
	Enabled     bool     // while it is not, events pass it by, and what waits stays
	CreatedAt   time.Time
	UpdatedAt   time.Time
	NextTry     time.Time // zero: nothing to send
	QueueState
}

// Wants tells whether events of this type are sent to the endpoint.
func (e Endpoint) Wants(kind string) bool {
	if len(e.Events) == 0 {
		return true
	}
	for _, want := range e.Events {
		if group, all := strings.CutSuffix(want, "*"); want == kind || all && strings.HasPrefix(kind, group) {
			return true
		}
	}
	return false
}

// Signer names whose keys sign what is sent to the endpoint: its own, or its merchant's where a session named it.
func (e Endpoint) Signer() string {
	if e.SessionURL {
		return DefaultSigner(e.Merchant)
	}
	return e.ID
}

// DefaultSigner names a merchant's default keys.
func DefaultSigner(merchant string) string { return "merchant:" + merchant }

// State is how far a delivery is.
type State string

// Delivery states.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	GivenUp   State = "given_up" // thirty days of tries were over
	Cancelled State = "cancelled"
)

// Delivery is one event for one endpoint.
type Delivery struct {
	ID        string
	Endpoint  string
	Merchant  string
	Event     string // its id
	Session   string
	N         int
	Type      string
	Body      []byte
	State     State
	Resend    bool // asked for by the merchant
	Tries     int
	CreatedAt time.Time
	EndedAt   time.Time
}

// Try is one request and what was answered. Sizes are bounded before it gets here.
type Try struct {
	N              int               `json:"n"`
	At             time.Time         `json:"at"`
	Took           time.Duration     `json:"took"`
	URL            string            `json:"url"`
	RequestHeaders map[string]string `json:"request_headers"`
	Status         int               `json:"status"` // 0: no answer
	AnswerHeaders  map[string]string `json:"answer_headers"`
	Answer         string            `json:"answer"`
	Cut            bool              `json:"cut"` // the answer was longer, or did not end in time
	Error          string            `json:"error"`
	Unsigned       bool              `json:"-"` // nothing was sent: the signing secret could not be opened here
}

// OK tells whether the receiver has the event.
func (t Try) OK() bool { return t.Status >= 200 && t.Status < 300 }

// retries is how long after its first failure in a row a queue is tried again; lastRetry after the last of them, and so on.
// The places stand fixed from the first failure: tries between them, which new events cause, move none of them.
var retries = [...]time.Duration{
	5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 90 * time.Second, 2 * time.Minute, 3 * time.Minute,
	5 * time.Minute,
	10 * time.Minute, 20 * time.Minute, 40 * time.Minute, 80 * time.Minute, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
}

const (
	firstRetry = 5 * time.Second // no retry follows a failure sooner
	lastRetry  = 12 * time.Hour
	// GiveUpAfter is how long an event is tried.
	GiveUpAfter = 30 * 24 * time.Hour
	// FailingAfter is how long after the first failure in a row the next one raises the alert.
	FailingAfter = 20 * time.Minute

	unsignedRetry = time.Minute

	probe       = 10 * time.Second
	probeSlowly = time.Minute
	slowAfter   = time.Hour

	// KeepTries is how many tries of a delivery are kept: the first few, KeepFirst, and the newest.
	KeepTries = 100
	KeepFirst = 10
)

// QueueState is how the deliveries of an endpoint fare. The head of its queue is tried; all behind it wait, in order.
type QueueState struct {
	Failures     int       // in a row
	FailingSince time.Time // the first of them
	Failing      bool      // flagged: the alert was raised
}

// Tried moves the queue on by the result of a try: where it stands, after how long it is tried again, and the type of
// the event to write, if any.
func (l QueueState) Tried(ok bool, now time.Time) (next QueueState, wait time.Duration, event string) {
	if ok {
		if l.Failing {
			event = RecoveredEvent
		}
		return QueueState{}, 0, event
	}
	if l.Failures == 0 {
		l.FailingSince = now
	}
	l.Failures++
	down := now.Sub(l.FailingSince)
	wait = lastRetry
	for _, at := range retries {
		if at >= down+firstRetry {
			wait = at - down
			break
		}
	}
	if down >= FailingAfter && !l.Failing {
		l.Failing = true
		event = FailingEvent
	}
	return l, wait, event
}

// After is Tried by a try as it went. What could not be signed is our fault and not the receiver's: the alert is raised at
// once, and the queue is tried every minute, since the next start may bring the key back.
func (l QueueState) After(t Try, now time.Time) (next QueueState, wait time.Duration, event string) {
	next, wait, event = l.Tried(t.OK(), now)
	if t.Unsigned {
		wait = unsignedRetry
		if !next.Failing {
			next.Failing, event = true, FailingEvent
		}
	}
	return next, wait, event
}

// Probe is how soon after a failure a new event has the queue tried again, whatever the schedule says: an endpoint that is up
// again learns of what it missed with the first event after that.
func (l QueueState) Probe(now time.Time) time.Duration {
	if now.Sub(l.FailingSince) < slowAfter {
		return probe
	}
	return probeSlowly
}
