package sber

import "time"

// Words of mdOrderStatus. Only DEPOSITED is published; the others are those of the vendor's other gateway.
const (
	created   = "CREATED"
	deposited = "DEPOSITED"
	declined  = "DECLINED"
)

const (
	purchase = "PURCHASE"
	transfer = "TRANSFER"
)

// orderLife is how long an order waits to be finished.
const orderLife = 20 * time.Minute

// Why the bank refused, by the vendor's action codes.
const (
	actionTimedOut    = "-2007"
	actionRefused3DS  = "-2006"
	actionUnavailable = "-2011"
	actionDSTimeout   = "-2016"
	actionDoNotHonor  = "119"
	actionFunds       = "116"
	actionExpiredCard = "101"
	actionWrongCVC    = "82"
	actionBadPAN      = "111"
)

var actionText = map[string]string{
	actionTimedOut:    "Data entry timeout expired.",
	actionRefused3DS:  "Operation declined. The issuer refused 3-D Secure authentication.",
	actionUnavailable: "3-D Secure authentication is unavailable.",
	actionDSTimeout:   "Directory Server did not answer.",
	actionDoNotHonor:  "Operation declined. Please check the data and available balance of the account.",
	actionFunds:       "Operation declined. Insufficient funds.",
	actionExpiredCard: "Operation declined. The card has expired.",
	actionWrongCVC:    "Operation declined. Wrong card security code.",
	actionBadPAN:      "Operation declined. Wrong card number.",
}

// party is a card that money leaves or reaches: of its number the mask only.
type party struct {
	Masked  string `json:"masked,omitempty"` // as this gateway prints it
	Card    string `json:"card,omitempty"`   // its mask in the issuer's table; "" where it is not listed, or virtual
	Expiry  string `json:"expiry,omitempty"`
	Binding string `json:"binding,omitempty"`
	Save    bool   `json:"save,omitempty"`
}

// order is one payment or transfer; the whole of it is one journal record, written before the answer it leads to.
type order struct {
	ID       string    `json:"id"` // mdOrder
	Number   string    `json:"number"`
	Merchant string    `json:"merchant"`
	Client   string    `json:"client"`
	Type     string    `json:"type"`
	Created  time.Time `json:"created"`
	Amount   int64     `json:"amount"` // minor units
	Fee      int64     `json:"fee,omitempty"`
	Currency string    `json:"currency"` // ISO 4217 number
	Source   party     `json:"source"`
	Target   party     `json:"target,omitzero"`

	XID    string `json:"xid,omitempty"`  // 3DS 1.0.2; "" runs without
	Doom   string `json:"doom,omitempty"` // why finish will be declined before the bank is asked
	Status string `json:"status"`
	Action string `json:"action,omitempty"`

	Taken   int64 `json:"taken,omitempty"`
	Back    int64 `json:"back,omitempty"`    // given back
	Charges int   `json:"charges,omitempty"` // how often money was taken: 0 or 1
}
