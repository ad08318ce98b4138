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
}
