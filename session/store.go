package session

import (
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
