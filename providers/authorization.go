package providers

import (
	"reflect"
	"strings"
	"time"
	"unicode"

	"tollgate/providers/wire"
)

// Authorization is what a gateway tells of the bank's authorization, for the merchant's records, for the bank's hotline and
// for disputes. docs/authorization.md says which gateway tells what.
type Authorization struct {
	ApprovalCode  string    `json:"approval_code,omitempty"`
	RRN           string    `json:"rrn,omitempty"` // retrieval reference number
	At            time.Time `json:"at,omitzero"`
	Terminal      string    `json:"terminal,omitempty"`
	BankName      string    `json:"bank_name,omitempty"`
	BankCountry   string    `json:"bank_country,omitempty"` // as the gateway writes it: RU, KAZ, Kazakhstan
	CardExpiry    string    `json:"card_expiry,omitempty"`  // MM/YY
	CardHolder    string    `json:"card_holder,omitempty"`
	PaymentSystem string    `json:"payment_system,omitempty"` // VISA, MASTERCARD, MIR, …
	ProcessorID   string    `json:"processor_id,omitempty"`   // the processor's id of the transaction
	BankReference string    `json:"bank_reference,omitempty"` // a reference of the bank's own
	ReceiptID     string    `json:"receipt_id,omitempty"`
	Descriptor    string    `json:"descriptor,omitempty"` // what the cardholder's statement shows
	RequestID     string    `json:"request_id,omitempty"` // the gateway's id of its answer, for its support
	Kind          string    `json:"kind,omitempty"`       // the gateway's word for what it was: PURCHASE, TRANSFER
	Way           string    `json:"way,omitempty"`        // the gateway's word for how it was paid: Card, Apple Pay
	// What the gateway takes of the card holder, in minor units, where it says so beside the payment's own amount; its fee in the
	// same currency, and what the merchant is credited with, as far as they are told.
	TakenAmount      int64  `json:"taken_amount,omitempty"`
	TakenCurrency    string `json:"taken_currency,omitempty"`
	GatewayFee       int64  `json:"gateway_fee,omitempty"`
	CreditedAmount   int64  `json:"credited_amount,omitempty"`
	CreditedCurrency string `json:"credited_currency,omitempty"`
}

// Merge is a with what is newer or new in b.
func (a Authorization) Merge(b Authorization) Authorization {
	to, from := reflect.ValueOf(&a).Elem(), reflect.ValueOf(b)
	for i := range to.NumField() {
		if !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
	return a
}

// Told names the members that are there, as merchants read them.
func (a Authorization) Told() (names []string) {
	v := reflect.ValueOf(a)
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

// Fact is a short text of an Authorization: without control characters, cut, and "" where the gateway says that it does not know.
func Fact(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s))
	switch strings.ToLower(strings.Trim(s, "<>&; ")) {
	case "unknown", "неизвестно", "белгісіз", "ltunknown&gt", "lt;unknown&gt", "null", "n/a", "-":
		return ""
	}
	return wire.Cut(s, 100)
}

// Holder is a cardholder's name; "" where it holds a card number.
func Holder(s string) string {
	if strings.Count(strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return '0'
		}
		return r
	}, s), "0") > 8 {
		return ""
	}
	return Fact(s)
}

// YearMonth is an expiry of the form YYYYMM as MM/YY; "" for anything else.
func YearMonth(s string) string {
	if len(s) != 6 || !wire.Digits(s) || s[4:] < "01" || s[4:] > "12" {
		return ""
	}
	return s[4:] + "/" + s[2:4]
}

// MonthYear is an expiry in two parts as MM/YY; "" where they are none.
func MonthYear(month, year string) string {
	if len(month) == 1 {
		month = "0" + month
	}
	if len(month) != 2 || !wire.Digits(month) || month < "01" || month > "12" || len(year) != 4 && len(year) != 2 || !wire.Digits(year) {
		return ""
	}
	return month + "/" + year[len(year)-2:]
}
