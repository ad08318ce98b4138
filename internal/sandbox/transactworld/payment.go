package transactworld

import (
	"time"
)

// The platform's long statuses that this simulator uses.
const (
	authStarted    = "authstarted"
	auth3D         = "3D Authstarted"
	authSuccessful = "authsuccessful"
	authFailed     = "authfailed"
	captureStarted = "capturestarted"
	captureSuccess = "capturesuccess"
	cancelStarted  = "cancelstarted"
	cancelled      = "cancelled"
	authCancelled  = "authcancelled"
	chargeback     = "chargeback"
	marked         = "markedforreversal"
	reversed       = "reversed"
	payoutStarted  = "payoutstarted"
	payoutDone     = "payoutsuccessful"
	payoutFailed   = "payoutfailed"
)

var short = map[string]string{
	authStarted: "P", auth3D: "3D", authSuccessful: "Y", authFailed: "N", captureStarted: "P", captureSuccess: "Y",
	cancelStarted: "P",
	authCancelled: "C", chargeback: "Y",
	cancelled: "C", marked: "P", reversed: "Y", payoutStarted: "P", payoutDone: "Y", payoutFailed: "N",
}

// payment is one transaction with all that was done to it later; the whole of it is one journal record, written before the
// answer it leads to. Of the card it knows what may be printed on a receipt. Amounts are hundredths.
type payment struct {
	ID        string `json:"id"` // paymentId
	Member    string `json:"member"`
	Reference string `json:"reference"` // merchantTransactionId
	Type      string `json:"type"`      // DB, PA or PO
	Amount    int64  `json:"amount"`
	Currency  string `json:"currency"`
	Brand     string `json:"brand"`
	Mode      string `json:"mode"`
	Terminal  string `json:"terminal,omitempty"`

	TmplAmount   string `json:"tmpl_amount,omitempty"`
	TmplCurrency string `json:"tmpl_currency,omitempty"`
	Descriptor   string `json:"descriptor,omitempty"`
	First        string `json:"first,omitempty"`
	Last         string `json:"last,omitempty"`
	Email        string `json:"email,omitempty"`
	Customer     string `json:"customer,omitempty"`
	RedirectURL  string `json:"redirect_url,omitempty"`
	NotifyURL    string `json:"notify_url,omitempty"`
	Token        string `json:"token"` // opens the payment's pages

	Card  string `json:"card,omitempty"` // its mask in the issuer's table
	Bin   string `json:"bin,omitempty"`
	Last4 string `json:"last4,omitempty"`
	Month string `json:"month,omitempty"`
	Year  string `json:"year,omitempty"`

	Created  time.Time `json:"created"`
	Status   string    `json:"status"`
	Code     string    `json:"code"`
	Text     string    `json:"text"`
	BankCode string    `json:"bank_code,omitempty"`
	BankText string    `json:"bank_text,omitempty"`
	Remark   string    `json:"remark,omitempty"`

	Since  time.Time `json:"since,omitzero"` // the redirect was given out
	ACSURL string    `json:"acs_url,omitempty"`
	PaReq  string    `json:"pareq,omitempty"`
	XID    string    `json:"xid,omitempty"`
	ECI    string    `json:"eci,omitempty"`

	Recurring    string `json:"recurring,omitempty"`
	Register     bool   `json:"register,omitempty"`
	Registration string `json:"registration,omitempty"`

	BankRef  string     `json:"bank_ref,omitempty"`
	Charges  int        `json:"charges,omitempty"`
	Held     int64      `json:"held,omitempty"` // authorised and not given back
	Captured int64      `json:"captured,omitempty"`
	Refunded int64      `json:"refunded,omitempty"`
	PaidOut  int64      `json:"paid_out,omitempty"`
	Disputed int64      `json:"disputed,omitempty"`
	Released bool       `json:"released,omitempty"` // part of the hold was given back
	Op       *operation `json:"op,omitempty"`
}

// operation is a request that was accepted and is not done yet.
type operation struct {
	Type   string `json:"type"` // CP, RV, RF, PO
	Amount int64  `json:"amount"`
	Left   int    `json:"left"` // how many inquiries still say so
}

// registration is a stored card.
type registration struct {
	ID       string `json:"id"`
	Member   string `json:"member"`
	Customer string `json:"customer,omitempty"`
	Card     string `json:"card"`
	Bin      string `json:"bin"`
	Last4    string `json:"last4"`
	Month    string `json:"month"`
	Year     string `json:"year"`
	Brand    string `json:"brand"`
	Initial  string `json:"initial,omitempty"` // paymentId of the INITIAL payment with it
	Deleted  bool   `json:"deleted,omitempty"`
}

// invoice is a bill.
type invoice struct {
	ID          string    `json:"id"`
	Member      string    `json:"member"`
	Reference   string    `json:"reference"` // merchantInvoiceId
	Amount      int64     `json:"amount"`
	Currency    string    `json:"currency"`
	RedirectURL string    `json:"redirect_url"`
	NotifyURL   string    `json:"notify_url,omitempty"`
	Description string    `json:"description,omitempty"`
	Email       string    `json:"email,omitempty"`
	Token       string    `json:"token"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires"`
	Payment     string    `json:"payment,omitempty"` // paymentId of the newest try
	Tries       int       `json:"tries,omitempty"`
}

func (p *payment) clone() *payment {
	c := *p
	if p.Op != nil {
		op := *p.Op
		c.Op = &op
	}
	return &c
}

func (p *payment) waiting() bool { return p.Status == authStarted || p.Status == auth3D }
