package sim

import (
	"errors"
	"slices"
)

// Act is something that happens to an order without the merchant's API: by the merchant's own staff in the gateway's cabinet, by
// the card holder's bank, or by time.
type Act string

// The acts. A gateway knows those that its wire can express.
const (
	ActRefund      Act = "refund"
	ActRefundUndo  Act = "refund_undone"
	ActCapture     Act = "capture"
	ActVoid        Act = "void"
	ActHoldExpired Act = "hold_expired"

	ActChargebackOpened Act = "chargeback_opened"
	ActChargebackWon    Act = "chargeback_won"
	ActChargebackLost   Act = "chargeback_lost"
)

// Cabinet is a gateway in whose cabinet something can be done.
type Cabinet interface {
	// Acts are what the gateway can express, in the order in which they are offered.
	Acts() []Act
	// Act does one to an order, named by the gateway's id. The amount is in minor units of the order's currency; 0 means all
	// that is possible. The gateway tells of it by its own callback, where it has one for that.
	Act(order string, act Act, amount int64) error
}

// What an act can be refused with.
var (
	ErrNoOrder   = errors.New("there is no such order")
	ErrNoAct     = errors.New("this gateway cannot express that")
	ErrActState  = errors.New("the order is not in a state for that")
	ErrActAmount = errors.New("the amount is more than there is, or a part where only the whole is possible")
)

// CheckAct refuses an act that is not of those.
func CheckAct(acts []Act, act Act, amount int64) error {
	switch {
	case !slices.Contains(acts, act):
		return ErrNoAct
	case amount < 0:
		return ErrActAmount
	}
	return nil
}

// Part is how much of what there is an act is for; 0 asks for all.
func Part(amount, most int64) (int64, error) {
	switch {
	case most <= 0:
		return 0, ErrActState
	case amount == 0:
		return most, nil
	case amount > most:
		return 0, ErrActAmount
	}
	return amount, nil
}
