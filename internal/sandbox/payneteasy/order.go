package payneteasy

import (
	"slices"
	"time"
)

const (
	approved   = "approved"
	declined   = "declined"
	processing = "processing"
	unknown    = "unknown"
)

// What an order waits for.
const (
	stepNone      = ""
	stepForm      = "form"   // the card, on the gateway's own form
	stepMethod    = "method" // upload-method-url-result
	stepCReq      = "creq"   // upload-cres-result
	stepPaReq     = "pareq"  // upload-pares-result
	stepPage      = "page"   // the shopper, on the gateway's own page (html, redirect-to)
	stepDecoupled = "decoupled"
)

// order is one transaction with everything that was done to it later; the whole of it is one journal record, written
// before the answer it leads to. Of the card it knows what may be printed on a receipt.
type order struct {
	ID       string `json:"id"` // paynet-order-id
	Login    string `json:"login"`
	Endpoint string `json:"endpoint"`
	Client   string `json:"client"` // client_orderid
	Type     string `json:"type"`   // sale or preauth
	Amount   int64  `json:"amount"` // hundredths
	Currency string `json:"currency"`

	Desc        string `json:"desc,omitempty"`
	Email       string `json:"email,omitempty"`
	Phone       string `json:"phone,omitempty"`
	First       string `json:"first,omitempty"`
	Last        string `json:"last,omitempty"`
	RedirectURL string `json:"redirect_url,omitempty"`
	CallbackURL string `json:"callback_url,omitempty"` // server_callback_url: the first callback only
	NotifyURL   string `json:"notify_url,omitempty"`   // notify_url: all
	Data        string `json:"data,omitempty"`         // merchant_data
	Birthday    string `json:"birthday,omitempty"`
	Purpose     string `json:"purpose,omitempty"`
	Destination string `json:"destination,omitempty"`
	Language    string `json:"language,omitempty"` // preferred_language
	Token       string `json:"token"`              // opens the order's pages

	Card     string `json:"card,omitempty"` // its mask in the issuer's table
	Bin      string `json:"bin,omitempty"`
	Last4    string `json:"last4,omitempty"`
	Holder   string `json:"holder,omitempty"`
	Month    string `json:"month,omitempty"`
	Year     string `json:"year,omitempty"`
	CardType string `json:"card_type,omitempty"`

	Created   time.Time `json:"created"`
	Status    string    `json:"status"`
	Stage     string    `json:"stage"`
	ErrorCode string    `json:"error_code,omitempty"`
	ErrorText string    `json:"error_text,omitempty"`
	Step      string    `json:"step,omitempty"`
	Paged     bool      `json:"paged,omitempty"` // 3-D Secure runs behind the gateway's own page
	StepSince time.Time `json:"step_since,omitzero"`
	Hide      int       `json:"hide,omitempty"` // how many statuses still say processing

	TransID         string `json:"trans_id,omitempty"`
	MethodURL       string `json:"method_url,omitempty"`
	NotificationURL string `json:"notification_url,omitempty"`
	ACSURL          string `json:"acs_url,omitempty"`
	CReq            string `json:"creq,omitempty"`
	PaReq           string `json:"pareq,omitempty"`
	XID             string `json:"xid,omitempty"`
	Second          bool   `json:"second,omitempty"` // the challenge after a soft decline
	Verified        string `json:"verified,omitempty"`

	Approval string    `json:"approval,omitempty"`
	RRN      string    `json:"rrn,omitempty"`
	Receipt  string    `json:"receipt,omitempty"`
	PaidAt   time.Time `json:"paid_at,omitzero"`
	Charges  int       `json:"charges,omitempty"`
	Held     int64     `json:"held,omitempty"` // authorised and not given back
	Captured int64     `json:"captured,omitempty"`
	Refunded int64     `json:"refunded,omitempty"`

	Serial   string    `json:"serial"` // of the request that made the order
	Requests []request `json:"requests,omitempty"`

	again bool // of an earlier request that is repeated
}

// request is one later operation, known by the serial number of its answer.
type request struct {
	Serial string `json:"serial"`
	Type   string `json:"type"` // capture, reversal, cancel, chargeback
	Status string `json:"status,omitempty"`
	Stage  string `json:"stage"`
	Amount int64  `json:"amount"`
}

func (r request) status() string {
	if r.Status == "" {
		return approved
	}
	return r.Status
}

// cardRef is a saved card.
type cardRef struct {
	ID       string `json:"id"`
	Login    string `json:"login"`
	Order    string `json:"order"`
	Card     string `json:"card"`
	Bin      string `json:"bin"`
	Last4    string `json:"last4"`
	Holder   string `json:"holder"`
	Month    string `json:"month"`
	Year     string `json:"year"`
	CardType string `json:"card_type"`
}

func (o *order) clone() *order {
	c := *o
	c.Requests = slices.Clone(o.Requests)
	return &c
}

func (o *order) final() bool { return o.Status != processing && o.Status != unknown }

func cardType(pan string) string {
	switch {
	case pan == "":
		return ""
	case pan[0] == '4':
		return "VISA"
	case pan[0] == '5':
		return "MASTERCARD"
	case pan[0] == '2':
		return "MIR"
	}
	return "UNKNOWN"
}
