package session

import (
	"encoding/json"
	"errors"
	"time"
)

// What a Store answers when it cannot do as told (package session/flow has its interface).
var (
	ErrNotFound   = errors.New("session: not found")
	ErrConflict   = errors.New("session: changed by somebody else") // load again and decide again
	ErrCallExists = errors.New("session: this call was already permitted")
	ErrOrderTaken = errors.New("session: order id is in use")
)

// OrderTaken names the session that holds an order id. It is ErrOrderTaken.
type OrderTaken struct{ SessionID string }

func (e *OrderTaken) Error() string   { return ErrOrderTaken.Error() + ": " + e.SessionID }
func (e *OrderTaken) Is(t error) bool { return t == ErrOrderTaken }

// AccountEvent is an event that belongs to a merchant and to no session: of an account, of an invoice. It is told as those of
// sessions are: by webhook, by GET /v1/events, in the one order of all.
type AccountEvent struct {
	Merchant string
	// Subject is whose history it is a line of; the store numbers its lines 1, 2, 3 …. It is another's for every merchant
	// (an account may be several merchants'), without blanks, and merchants see it in the event's id.
	Subject string
	Type    EventType
	At      time.Time
	Data    json.RawMessage // an object; empty: {}
	Suffix  string          // see Event
}

// Unmatched is a proved callback of a gateway about a reference that no attempt has: of another system, or of an attempt that the
// database has forgotten.
type Unmatched struct {
	Account, Reference string
	GatewayOrder       string // the gateway's own number
	Event              string // the gateway's word
	Times              int
	FirstAt, LastAt    time.Time
	AskedAt            time.Time // when the gateway was asked about the reference; zero: not yet
}

// Told is the event that tells a merchant of it.
func (u Unmatched) Told(merchant, suffix string) AccountEvent {
	data, err := json.Marshal(map[string]any{
		"account": u.Account, "reference": u.Reference, "gateway_order_id": u.GatewayOrder, "event": u.Event,
	})
	if err != nil { // strings
		panic(err)
	}
	return AccountEvent{
		Merchant: merchant, Subject: merchant + "." + u.Account, Type: EventCallbackUnmatched, At: u.FirstAt, Data: data, Suffix: suffix,
	}
}

// EventLost says that no event has the id that was named: a database that failed over or was restored has lost it. After is the
// newest event before it that is still there, or one that is older; "" where reading begins anew.
type EventLost struct{ After string }

func (*EventLost) Error() string { return "session: the event is lost" }

// Is makes each the same error.
func (*EventLost) Is(target error) bool {
	_, ok := target.(*EventLost)
	return ok
}

// Filter chooses sessions for List.
type Filter struct {
	Merchant string // always set
	Account  string
	OrderID  string
	Status   Status
	Before   string    // the id of the last session of the page before; "" for the first page
	Limit    int       // at most 100
	Since    time.Time // created then or later
	Until    time.Time // created before then

	NeedsReview *bool // only those that a person has to look at, or only the others; nil: all
	Held        *bool // likewise, those that the gateway tells of another payment of
}
