package session

import "fmt"

//go:generate go run ./diagram ../docs/transitions.md

// Trigger is what happens to an attempt.
type Trigger string

// Triggers. Each is something that is known for certain, never a guess.
const (
	Unregistered Trigger = "unregistered" // the order was never made known, so the card was never sent
	Send         Trigger = "send"         // a row of the call book was written: one call may go out
	Ask          Trigger = "ask"          // the browser has something to do
	Work         Trigger = "work"         // the gateway is working
	Overdue      Trigger = "overdue"      // an answer is late or cannot be read, or the process that was to make the call is dead
	Mismatch     Trigger = "mismatch"     // approved, but for another amount, currency or order
	Authorize    Trigger = "authorize"    // money is held, for the right amount
	Pay          Trigger = "pay"          // money is taken, the right amount
	Decline      Trigger = "decline"      // a final refusal
	Disprove     Trigger = "disprove"     // proved: nothing was or can be charged
	Abandon      Trigger = "abandon"      // the shopper's step was never finished and the order was closed or outlived
	Withhold     Trigger = "withhold"     // left: the call without which no money moves will never be sent
	SettlePaid   Trigger = "settle_paid"  // a person says that it was paid (Settlements)
	SettleUnpaid Trigger = "settle_not_paid"
	Contradict   Trigger = "contradict" // the gateway's final refusal, against a person's word that it was paid
)

var triggers = []Trigger{Unregistered, Send, Ask, Work, Overdue, Mismatch, Authorize, Pay, Decline, Disprove, Abandon, Withhold,
	SettlePaid, SettleUnpaid, Contradict}

// transitions is the one table: state, trigger, next state. What is not here is a conflict.
var transitions = map[State]map[Trigger]State{
	New: {
		Unregistered: Failed,
		Send:         Calling,
		Overdue:      Unknown,
	},
	Calling: {
		Ask:       Shopper,
		Work:      Gateway,
		Overdue:   Unknown,
		Mismatch:  Mismatched,
		Authorize: Authorized,
		Pay:       Paid,
		Decline:   Declined,
		Disprove:  Failed,
	},
	Shopper: {
		Send:         Calling,
		Ask:          Shopper,
		Work:         Gateway,
		Mismatch:     Mismatched,
		Authorize:    Authorized,
		Pay:          Paid,
		Decline:      Declined,
		Abandon:      Abandoned,
		Withhold:     Abandoned,
		SettlePaid:   Paid,
		SettleUnpaid: Failed,
	},
	Gateway: {
		Send:         Calling,
		Ask:          Shopper,
		Work:         Gateway,
		Overdue:      Unknown,
		Mismatch:     Mismatched,
		Authorize:    Authorized,
		Pay:          Paid,
		Decline:      Declined,
		Disprove:     Failed,
		SettlePaid:   Paid,
		SettleUnpaid: Failed,
	},
	Unknown: {
		Send:         Calling,
		Ask:          Shopper,
		Work:         Gateway,
		Overdue:      Unknown,
		Mismatch:     Mismatched,
		Authorize:    Authorized,
		Pay:          Paid,
		Decline:      Declined,
		Disprove:     Failed,
		SettlePaid:   Paid,
		SettleUnpaid: Failed,
	},
	Mismatched: {
		Mismatch:     Mismatched,
		Authorize:    Authorized,
		Pay:          Paid,
		Decline:      Declined,
		Disprove:     Failed,
		SettlePaid:   Paid,
		SettleUnpaid: Failed,
	},
	Authorized: {
		Pay:        Paid,
		SettlePaid: Paid,
	},
	Paid: {
		Contradict: Failed, // only where a person, and not the gateway, said that it was paid
	},
	// A final state is left only where the gateway approved after all. Such money is voided, refunded or reported.
	Declined: {
		Authorize:  Authorized,
		Pay:        Paid,
		SettlePaid: Paid,
	},
	Failed: {
		Authorize:  Authorized,
		Pay:        Paid,
		SettlePaid: Paid,
	},
	Abandoned: {
		Authorize:  Authorized,
		Pay:        Paid,
		SettlePaid: Paid,
	},
}

// NotAllowed is a trigger that the table does not know in a state.
type NotAllowed struct {
	State   State
	Trigger Trigger
}

func (e *NotAllowed) Error() string {
	return fmt.Sprintf("session: %s is not allowed in state %s", e.Trigger, e.State)
}

// next looks a pair up in the table.
func next(s State, t Trigger) (State, error) {
	if to, ok := transitions[s][t]; ok {
		return to, nil
	}
	return s, &NotAllowed{s, t}
}

// Transition is one line of the table, for documents and tests.
type Transition struct {
	From    State
	Trigger Trigger
	To      State
}

// Transitions lists the table in a fixed order.
func Transitions() []Transition {
	var all []Transition
	for _, s := range states {
		for _, t := range triggers {
			if to, ok := transitions[s][t]; ok {
				all = append(all, Transition{s, t, to})
			}
		}
	}
	return all
}
