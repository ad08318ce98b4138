package session

// State is how far an attempt is. The step, which is data, says what the page is.
type State string

// Attempt states.
const (
	New        State = "new"        // written down, nothing sent
	Calling    State = "calling"    // a call that can move money is out
	Shopper    State = "shopper"    // the browser has something to do
	Gateway    State = "gateway"    // the gateway is working and is inquired of
	Unknown    State = "unknown"    // an answer is overdue or cannot be trusted
	Mismatched State = "held"       // the gateway speaks of another amount, currency or order than ours
	Authorized State = "authorized" // the gateway said so, server to server, with the right amount
	Paid       State = "paid"
	Declined   State = "declined"  // gateway or issuer said no
	Failed     State = "failed"    // proved: nothing was or can be charged
	Abandoned  State = "abandoned" // the shopper never came back and the order was closed or outlived
)

// states are all states, in the order of the table.
var states = []State{New, Calling, Shopper, Gateway, Unknown, Mismatched, Authorized, Paid, Declined, Failed, Abandoned}

// Live tells whether an attempt in this state may still end in a payment; a session has at most one such.
func (s State) Live() bool {
	switch s {
	case New, Calling, Shopper, Gateway, Unknown, Mismatched:
		return true
	}
	return false
}

// Funded tells whether money is held or taken.
func (s State) Funded() bool { return s == Authorized || s == Paid }

// OpState is how far an operation is.
type OpState string

// Operation states. In calling a call may be out; unknown is settled by an inquiry and never by sending again.
const (
	OpNew       OpState = "new"
	OpCalling   OpState = "calling"
	OpPending   OpState = "pending" // the gateway took it and is working
	OpUnknown   OpState = "unknown"
	OpSucceeded OpState = "succeeded"
	OpFailed    OpState = "failed"
)

// Open tells whether the operation may still move money; a payment has at most one such.
func (s OpState) Open() bool { return s != OpSucceeded && s != OpFailed }
