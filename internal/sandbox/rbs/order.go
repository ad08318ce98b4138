package rbs

import (
	"slices"
	"time"
)

// Order states as getOrderStatusExtended.do numbers them.
const (
	statusRegistered = 0
	statusHeld       = 1
	statusDeposited  = 2
	statusReversed   = 3
	statusRefunded   = 4
	statusACS        = 5
	statusDeclined   = 6
	statusPending    = 7
	statusPartly     = 8
)

// Action codes: the bank's or the gateway's verdict on the last attempt.
const (
	actionOK          = 0
	actionNoAttempt   = -100
	actionRefused3DS  = -2006
	actionTimedOut    = -2007
	actionNotBack     = -2009
	actionUnavailable = -2011
	actionDSTimeout   = -2016
	actionSoftDecline = 1434
	actionPending     = -30001
	actionDoNotHonor  = 5
	actionFunds       = 116
	actionExpiredCard = 101
	actionWrongCVC    = 82
	actionBadPAN      = 111
)

var actionText = map[int]string{
	actionOK:          "",
	actionNoAttempt:   "",
	actionRefused3DS:  "Operation declined. The issuer refused 3-D Secure authentication.",
	actionTimedOut:    "Data entry timeout expired.",
	actionNotBack:     "Client did not return from ACS.",
	actionUnavailable: "3-D Secure authentication is unavailable.",
	actionDSTimeout:   "Directory Server did not answer.",
	actionSoftDecline: "Soft decline, cardholder authentication is required.",
	actionPending:     "Payment is being processed.",
	actionDoNotHonor:  "Operation declined. Please check the data and available balance of the account.",
	actionFunds:       "Operation declined. Insufficient funds.",
	actionExpiredCard: "Operation declined. The card has expired.",
	actionWrongCVC:    "Operation declined. Wrong card security code.",
	actionBadPAN:      "Operation declined. Wrong card number.",
}

// What an open attempt waits for.
const (
	stepNone      = ""
	stepMethod    = "method"    // both Method frames, then 3ds/continue.do
	stepSoft      = "soft"      // the same after a soft decline, then paymentorder.do again
	stepChallenge = "challenge" // CRes
	stepPaReq     = "pareq"     // PaRes
	stepDecoupled = "decoupled" // the issuer's word, out of band
)

type param struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// order is one registered order; the whole of it is one journal record, written before the answer it leads to.
// It holds no card number: of the card it knows the mask and what the issuer's table says it does.
type order struct {
	ID          string    `json:"id"` // mdOrder
	Account     string    `json:"account"`
	Number      string    `json:"number"`
	Amount      int64     `json:"amount"` // minor units
	Currency    string    `json:"currency"`
	PreAuth     bool      `json:"pre_auth,omitempty"`
	Description string    `json:"description,omitempty"`
	ReturnURL   string    `json:"return_url"`
	FailURL     string    `json:"fail_url,omitempty"`
	CallbackURL string    `json:"callback_url,omitempty"`
	ClientID    string    `json:"client_id,omitempty"`
	BindingID   string    `json:"binding_id,omitempty"` // the only binding that may pay, if the merchant named one
	Language    string    `json:"language"`
	IP          string    `json:"ip,omitempty"`
	Features    []string  `json:"features,omitempty"`
	Params      []param   `json:"params,omitempty"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires"`
	Fee         int64     `json:"fee,omitempty"` // on top of the amount
	Phone       string    `json:"phone,omitempty"`
	// MerchantLogin is the child merchant on whose behalf it was registered.
	MerchantLogin string    `json:"merchant_login,omitempty"`
	CompletesAt   time.Time `json:"completes_at,omitzero"` // a hold is then captured by itself
	ReversesAt    time.Time `json:"reverses_at,omitzero"`  // a hold is then let go by itself
	Wallet        string    `json:"wallet,omitempty"`      // whose token it was paid with
	Tokens        []string  `json:"tokens,omitempty"`      // the UUIDs of the encrypted cards that came for it
	SSLCard       string    `json:"ssl_card,omitempty"`    // the merchant put its card on the list of those that need no 3-D Secure

	Status   int       `json:"status"`
	Action   int       `json:"action"`
	Attempts int       `json:"attempts,omitempty"`
	Try      *attempt  `json:"try,omitempty"`
	Paid     time.Time `json:"paid,omitzero"` // authDateTime

	Approved     int64     `json:"approved,omitempty"`
	Deposited    int64     `json:"deposited,omitempty"` // as deposited; refunds are counted apart
	Refunded     int64     `json:"refunded,omitempty"`
	Reversed     int64     `json:"reversed,omitempty"`
	Charges      int       `json:"charges,omitempty"` // how often money was taken or held: 0 or 1
	DepositedAt  time.Time `json:"deposited_at,omitzero"`
	RefundedAt   time.Time `json:"refunded_at,omitzero"`
	ReversedAt   time.Time `json:"reversed_at,omitzero"`
	ReverseTried bool      `json:"reverse_tried,omitempty"`
	Refunds      []refund  `json:"refunds,omitempty"`
	Cart         *cart     `json:"cart,omitempty"`
	Receipts     []receipt `json:"receipts,omitempty"`
	Chargeback   *bool     `json:"chargeback,omitempty"` // the card holder's bank took the money back; nil: it never did
}

// attempt is the latest payment attempt of an order.
type attempt struct {
	Step            string `json:"step,omitempty"`
	Masked          string `json:"masked"`
	Expiry          string `json:"expiry"` // YYYYMM
	Holder          string `json:"holder,omitempty"`
	System          string `json:"system,omitempty"`
	Binding         string `json:"binding,omitempty"`
	NoBinding       bool   `json:"no_binding,omitempty"`
	TransID         string `json:"trans_id,omitempty"` // threeDSServerTransID of the current authentication
	FinishURL       string `json:"finish_url,omitempty"`
	NotificationURL string `json:"notification_url,omitempty"` // the shop's, for the Method
	MethodURL       string `json:"method_url,omitempty"`
	MethodDone      bool   `json:"method_done,omitempty"`
	ACSURL          string `json:"acs_url,omitempty"`
	PackedCReq      string `json:"packed_creq,omitempty"`
	PaReq           string `json:"pareq,omitempty"`
	Version         string `json:"version,omitempty"`
	ARes            string `json:"ares,omitempty"`
	RReq            string `json:"rreq,omitempty"`
	PaRes           string `json:"pares,omitempty"`
	ECI             string `json:"eci,omitempty"`
	CAVV            string `json:"cavv,omitempty"`
	XID             string `json:"xid,omitempty"`
	Approval        string `json:"approval,omitempty"`
	RefNum          string `json:"ref_num,omitempty"`
	Card            string `json:"card,omitempty"` // its mask in the issuer's table
	SecondRound     bool   `json:"second_round,omitempty"`
}

type refund struct {
	At         time.Time `json:"at"`
	ExternalID string    `json:"external_id,omitempty"`
	Amount     int64     `json:"amount"`
	RefNum     string    `json:"ref_num"`
	Approval   string    `json:"approval"`
}

// binding is a saved card of one client.
type binding struct {
	ID      string `json:"id"`
	Account string `json:"account"`
	Client  string `json:"client"`
	Masked  string `json:"masked"`
	Expiry  string `json:"expiry"`
	Holder  string `json:"holder,omitempty"`
	System  string `json:"system,omitempty"`
	Card    string `json:"card"`
	Active  bool   `json:"active"`
}

func (o *order) clone() *order {
	c := *o
	if o.Try != nil {
		try := *o.Try
		c.Try = &try
	}
	c.Refunds, c.Receipts, c.Tokens = slices.Clone(o.Refunds), slices.Clone(o.Receipts), slices.Clone(o.Tokens)
	return &c
}

func (o *order) unpaid() bool {
	return o.Status == statusRegistered || o.Status == statusACS || o.Status == statusPending
}

// iso is the order's currency in letters.
func (o *order) iso() string {
	iso, _ := letters(o.Currency) // checked at registration
	return iso
}

func (o *order) has(feature string) bool { return slices.Contains(o.Features, feature) }

func (o *order) failURL() string {
	if o.FailURL != "" {
		return o.FailURL
	}
	return o.ReturnURL
}

func (o *order) paymentState() string {
	switch o.Status {
	case statusHeld:
		return "APPROVED"
	case statusDeposited, statusPartly:
		return "DEPOSITED"
	case statusReversed:
		return "REVERSED"
	case statusRefunded:
		return "REFUNDED"
	case statusDeclined:
		return "DECLINED"
	}
	return "CREATED"
}
