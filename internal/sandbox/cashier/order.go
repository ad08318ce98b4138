package cashier

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Order statuses, as the document lists them.
const (
	created         = "CREATED"
	declined        = "DECLINED"
	expired         = "EXPIRED"
	inProcess       = "IN_PROCESS"
	payoutProgress  = "PAYOUT_IN_PROGRESS"
	qrProgress      = "QRCDATA_IN_PROGRESS"
	qrCreated       = "QRCDATA_CREATED"
	ipsAccepted     = "IPS_ACCEPTED"
	chargeProgress  = "CHARGE_IN_PROGRESS"
	chargeDeclined  = "CHARGE_DECLINED"
	charged         = "CHARGED"
	paid            = "PAID"
	refunded        = "REFUNDED"
	partlyRefunded  = "PARTIALLY_REFUNDED"
	authorization   = "AUTHORIZATION"
	authorized      = "AUTHORIZED"
	voidProgress    = "VOID_IN_PROGRESS"
	voidDeclined    = "VOID_DECLINED"
	voided          = "VOIDED"
	preAuthorized   = "PRE_AUTHORIZED_3DS"
	typeIn, typeOut = "PayIn", "PayOut"
)

// order is one record of the journal, with the answers that its changes led to. It holds no card number: of the card it
// knows the mask and what the issuer's table says of it.
type order struct {
	ID          int64     `json:"id"`
	External    string    `json:"external"`
	Account     string    `json:"account"` // login
	TSP         int64     `json:"tsp"`
	Number      string    `json:"number"` // merchantOrderId
	Type        string    `json:"type"`
	ByOrder     bool      `json:"by_order,omitempty"` // orderAmount was sent, not paymentAmount
	OrderAmount int64     `json:"order_amount"`
	OrderCur    string    `json:"order_currency"`
	Amount      int64     `json:"amount"` // to be paid, in Currency; all sums below are in it
	Currency    string    `json:"currency"`
	Description string    `json:"description,omitempty"`
	CallbackURL string    `json:"callback_url,omitempty"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires"`

	Status   string `json:"status"`
	Next     string `json:"next,omitempty"` // what an in-progress status becomes
	Polls    int    `json:"polls,omitempty"`
	Held     int64  `json:"held,omitempty"`
	Captured int64  `json:"captured,omitempty"`
	Refunded int64  `json:"refunded,omitempty"`
	PaidOut  int64  `json:"paid_out,omitempty"`
	Charges  int    `json:"charges,omitempty"`
	ErrCode  string `json:"err_code,omitempty"`
	ErrText  string `json:"err_text,omitempty"`

	Formed     bool              `json:"formed,omitempty"` // the form call was made
	SuccessURL string            `json:"success_url,omitempty"`
	FailURL    string            `json:"fail_url,omitempty"`
	DMS        bool              `json:"dms,omitempty"`
	Card       string            `json:"card,omitempty"` // mask, which names it in the issuer's table
	Expiry     string            `json:"expiry,omitempty"`
	Save       bool              `json:"save,omitempty"`
	Token      string            `json:"token,omitempty"`
	Browser    map[string]string `json:"browser,omitempty"`
	Metadata   json.RawMessage   `json:"metadata,omitempty"`
	TransID    string            `json:"trans_id,omitempty"`
	Second     bool              `json:"second,omitempty"`
	ACSURL     string            `json:"acs_url,omitempty"`
	CReq       string            `json:"creq,omitempty"`
	PaReq      string            `json:"pareq,omitempty"`
	XID        string            `json:"xid,omitempty"`
	ECI        string            `json:"eci,omitempty"`
	AuthCode   string            `json:"auth_code,omitempty"`
	RRN        string            `json:"rrn,omitempty"`
	QRC        string            `json:"qrc,omitempty"`
	Payload    string            `json:"payload,omitempty"`
	SberToken  string            `json:"sber_token,omitempty"`
	BackURL    string            `json:"back_url,omitempty"`
	Recipient  string            `json:"recipient,omitempty"` // masked

	Answers []answered `json:"answers,omitempty"`

	news [][]byte // callbacks of changes that are not yet written down
}

// answered is a changing call that was answered, by its x-req-id.
type answered struct {
	ID     string          `json:"id"`
	Sum    string          `json:"sum"` // of method, path and body
	At     time.Time       `json:"at"`
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

func (o *order) clone() *order {
	c := *o
	c.Answers, c.news = slices.Clone(o.Answers), nil
	return &c
}

// set changes the status and notes the callback of it.
func (o *order) set(status string) {
	if o.Status == status {
		return
	}
	o.Status = status
	if raw, err := json.Marshal(o.answer()); err == nil { // text and numbers do marshal
		o.news = append(o.news, raw)
	}
}

// unpaid tells whether the order still waits for the customer.
func (o *order) unpaid() bool {
	return slices.Contains([]string{created, qrProgress, qrCreated, preAuthorized}, o.Status) ||
		o.Status == inProcess && o.SberToken != ""
}

// inSentUnit turns a sum into the unit of the field that the merchant sent.
func (o *order) inSentUnit(sum int64) int64 {
	switch {
	case !o.ByOrder:
		return sum
	case sum == o.Amount:
		return o.OrderAmount
	}
	return sum * o.OrderAmount / o.Amount
}

// view is the order as the cashier layer shows it.
func (o *order) view() body {
	b := body{}.With("id", o.ID).Opt("merchantOrderId", o.Number).With("externalOrderId", o.External).With("type", o.Type).
		With("tspId", o.TSP).
		With("orderAmount", o.OrderAmount).With("orderCurrency", o.OrderCur).With("paymentAmount", o.Amount).
		With("paymentCurrency", o.Currency).
		With("status", o.Status).Opt("description", o.Description).With("createdAt", o.Created.UTC().Format(time.RFC3339))
	if o.Refunded > 0 {
		b = b.With("refundedAmount", o.Refunded)
	}
	info := body{}
	if o.QRC != "" {
		info = info.With("qrc", body{}.With("qrcId", o.QRC).With("payload", o.Payload))
	}
	details := body{}.With("externalId", o.External).Opt("maskedPan", o.Card).Opt("cardToken", o.Token).Opt("expiry", o.Expiry).
		Opt("eci", o.ECI).Opt("rrn", o.RRN).Opt("authCode", o.AuthCode).Opt("recipient", o.Recipient).
		Opt("errCode", o.ErrCode).Opt("errMessage", o.ErrText)
	return b.With("paymentInfo", info.With("paymentDetails", details))
}

// answer is the answer to a read, and the body of a callback.
func (o *order) answer() body {
	return body{}.With("success", true).With("description", "").With("order", o.view())
}

// payment is the order as the PaymentAPI layer shows it.
func (o *order) payment() body {
	return body{}.With("OrderId", o.External).Opt("MerchantOrderId", o.Number).With("Amount", o.Amount).
		With("Currency", o.Currency).With("Status", o.Status)
}

// paymentAnswer is the answer of authorize, charge and void.
func (o *order) paymentAnswer(part string, detail body) body {
	response := body{}.With("Success", o.ErrCode == "").Opt("ErrCode", o.ErrCode).Opt("ErrMessage", o.ErrText)
	b := body{}.With("Response", response).With("Order", o.payment()).With(part, detail)
	if part == "Authorize" {
		b = b.With("Card", body{}.Opt("MaskedPan", o.Card).Opt("Token", o.Token))
	}
	return b
}

func (o *order) key() string { return strconv.FormatInt(o.ID, 10) }
