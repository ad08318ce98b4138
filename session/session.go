// Package session decides what may happen to a session: its data, the one transition table, the inquiry schedule, and Turn,
// one change of one session at one moment. It does nothing: no clock, no randomness, no storage, no network and no
// goroutine. Package session/flow loads, lets a Turn decide, saves, and calls the gateway.
package session

import (
	"encoding/json"
	"fmt"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/threeds"
)

// Session is one thing to be paid. It is an aggregate: it is loaded whole, changed in memory through the transition
// table, and saved by compare-and-swap on Version.
type Session struct {
	ID              string             `json:"id"`
	Version         int64              `json:"-"` // as loaded; 0 means never saved
	Merchant        string             `json:"merchant"`
	Account         string             `json:"account"`
	Kind            string             `json:"kind"` // payment, KindTransfer, KindPayout
	OrderID         string             `json:"order_id"`
	Amount          money.Amount       `json:"amount"`
	Fee             int64              `json:"fee,omitempty"`
	Method          string             `json:"payment_method"` // card, saved_card, qr, sberpay, hosted
	ManualCapture   bool               `json:"hold,omitempty"` // capture: manual
	Description     string             `json:"description,omitempty"`
	Locale          string             `json:"locale,omitempty"`
	Customer        providers.Customer `json:"customer,omitzero"`
	Billing         providers.Billing  `json:"billing,omitzero"`
	SaveCard        bool               `json:"save_card,omitempty"`
	SavedCard       string             `json:"saved_card,omitempty"`
	Target          *Target            `json:"target,omitempty"` // of a transfer, where the merchant named it
	SuccessURL      string             `json:"success_url"`
	CancelURL       string             `json:"cancel_url"`
	WebhookURL      string             `json:"webhook_url,omitempty"`
	Metadata        map[string]string  `json:"metadata,omitempty"`
	CreatedAt       time.Time          `json:"created_at"`
	ExpiresAt       time.Time          `json:"expires_at"`
	ClosedReason    ClosedReason       `json:"end,omitempty"`     // why no further attempt may begin
	EarlierAttempts int                `json:"ref_base"`          // at least those of earlier sessions for the order; see Reference
	RefTag          string             `json:"ref_tag,omitempty"` // before references, where merchants share the account
	LastEvent       int                `json:"last_event"`        // number of the newest event
	Operations      []*Operation       `json:"operations,omitempty"`
	FirstBrowser    string             `json:"opener,omitempty"` // the only one that may see the customer's cards
	Login           *Login             `json:"login,omitempty"`  // where the account wants the customer before the card
	Attempts        []*Attempt         `json:"-"`                // in order of N; stored in rows of their own
	BodyVersion     int                `json:"v,omitempty"`      // of the newest version that wrote it, see BodyVersion
	Newer           *NewerBodies       `json:"-"`                // what that version wrote, where it is newer than this one
}

// BodyVersion counts the versions of Tollgate that added members to the stored bodies of sessions and attempts. A version
// that adds one counts it up; older machines then keep what they do not know in what they save.
const BodyVersion = 1

// NewerBodies are bodies as a newer version of Tollgate wrote them.
type NewerBodies struct {
	Session  json.RawMessage
	Attempts map[int]json.RawMessage
}

// End says why a session takes no further attempt.
type ClosedReason string

// Ends of a session that are not a payment.
const (
	Expired   ClosedReason = "expired"
	Cancelled ClosedReason = "cancelled"
	UsedUp    ClosedReason = "declined"
)

// MaxAttempts is how many tries a shopper has at one session.
const MaxAttempts = 5

// Attempt is one try to pay a session with one instrument; at most one of a session's attempts is live.
type Attempt struct {
	N                 int                 `json:"n"`
	State             State               `json:"state"`
	Ref               providers.Ref       `json:"ref"`
	Instrument        string              `json:"instrument"`
	MerchantInitiated bool                `json:"by_merchant,omitempty"` // the customer is away
	Saved             string              `json:"saved,omitempty"`       // the saved card it is paid with: ours
	Card              card.Masked         `json:"card,omitzero"`
	To                card.Masked         `json:"to,omitzero"`        // the card that a transfer or payout goes to
	ToFingerprint     string              `json:"to_print,omitempty"` // keyed fingerprint of its number, where that was typed
	Browser           threeds.BrowserData `json:"browser,omitzero"`
	IP                string              `json:"ip,omitempty"`         // the shopper's
	BrowserID         string              `json:"by_browser,omitempty"` // the browser that began it, where it has an ID
	Step              *providers.Step     `json:"step,omitempty"`
	StepN             int                 `json:"step_n"` // counts the steps stored; a resume belongs to one of them
	StepAt            time.Time           `json:"step_at,omitzero"`
	Runs              []*Run              `json:"runs,omitempty"`
	Deadline          time.Time           `json:"deadline,omitzero"` // of the call that is out
	NewsAt            time.Time           `json:"news_at,omitzero"`  // of the last news; inquiries are scheduled from then
	InquiredAt        time.Time           `json:"asked_at,omitzero"` // the newest inquiry's answer
	NextInquiry       time.Time           `json:"next_ask,omitzero"` // an inquiry was moved forward to this time
	Unclear           bool                `json:"unclear,omitempty"` // the gateway itself does not know: slow schedule
	NotFoundSince     time.Time           `json:"missing,omitzero"`  // when an inquiry first said "not found" after the deadline
	NeedsReview       bool                `json:"needs_review,omitempty"`
	Mismatch          string              `json:"held_for,omitempty"` // in what the gateway's payment is not ours
	Unproven          bool                `json:"unproven,omitempty"` // money under its reference lacks our mark: not believed
	Decline           *providers.Decline  `json:"decline,omitempty"`
	ThreeDS           providers.ThreeDS   `json:"three_ds,omitzero"`
	AmountAuthorized  int64               `json:"held"` // minor units, as the gateway said
	Captured          int64               `json:"captured"`
	Refunded          int64               `json:"refunded"`
	Voided            bool                `json:"voided,omitempty"`
	PaidLate          bool                `json:"paid_late,omitempty"` // approved after the session had ended otherwise
	CreatedAt         time.Time           `json:"created_at"`
	UpdatedAt         time.Time           `json:"updated_at"`
	Trace             []TimelineEntry     `json:"trace,omitempty"` // what Timeline shows beside events and calls
	Calls             []Call              `json:"-"`               // the call book; rows of their own
}

// Run is one 3-D Secure authentication of an attempt. Its token is the only thing that a post from the bank needs.
type Run struct {
	N                int         `json:"n"`
	Token            string      `json:"token"` // 128 bits or more, base64url; in the paths /3ds/{token}/…
	IDs              threeds.IDs `json:"ids,omitzero"`
	CompInd          string      `json:"comp_ind,omitempty"`
	MethodAt         time.Time   `json:"method_at,omitzero"`   // Method frames first shown
	ShownAt          time.Time   `json:"shown_at,omitzero"`    // challenge (or page, redirect) first shown
	NotifiedAt       time.Time   `json:"notified_at,omitzero"` // Method notification
	ReturnedAt       time.Time   `json:"returned_at,omitzero"` // CRes, PaRes or gateway redirect
	Sealed           string      `json:"sealed,omitempty"`     // a BrowserAnswer, to be forwarded or forwarded already
	UnreadableAnswer bool        `json:"weak,omitempty"`       // what was forwarded is not readable as the answer of its step
	EmptyReturn      bool        `json:"bare,omitempty"`       // returned without CRes or PaRes; an inquiry is pending
	LaterAnswer      bool        `json:"unsent,omitempty"`     // Sealed came later than what was forwarded, and differs from it
}

// Call is one line of the call book: the permission to send one call that can move money.
type Call struct {
	Attempt    int       `json:"attempt"`
	Kind       string    `json:"kind"`  // CallPay, CallResume, or the kind of an operation
	Round      int       `json:"round"` // one more than the attempt's StepN; of an operation, its N
	SentAt     time.Time `json:"sent_at"`
	AnsweredAt time.Time `json:"answered_at,omitzero"`
	Result     string    `json:"result,omitempty"` // the kind of the step, the state of the operation, or "error"
}

// is tells whether two are the same line of the book.
func (l Call) is(o Call) bool {
	return l.Attempt == o.Attempt && l.Kind == o.Kind && l.Round == o.Round
}

// Event is one line of a session's history; numbered 1, 2, 3 … per session, never rewritten.
type Event struct {
	N    int             `json:"n"`
	Type EventType       `json:"type"`
	At   time.Time       `json:"at"`
	Data json.RawMessage `json:"data"`
}

// Reference is what the gateway knows attempt n by. An attempt keeps the one it was given.
func (s *Session) Reference(n int) string {
	return fmt.Sprintf("%s%s-%d", s.RefTag, s.OrderID, s.EarlierAttempts+n)
}

// Live is the attempt that may still end in a payment, or nil. A final attempt may still become paid by a late approval.
func (s *Session) Live() *Attempt {
	for _, a := range s.Attempts {
		if a.State.Live() {
			return a
		}
	}
	return nil
}

// Last is the newest attempt, or nil.
func (s *Session) Last() *Attempt {
	if len(s.Attempts) == 0 {
		return nil
	}
	return s.Attempts[len(s.Attempts)-1]
}

// Attempt finds an attempt by its number, or nil.
func (s *Session) Attempt(n int) *Attempt {
	for _, a := range s.Attempts {
		if a.N == n {
			return a
		}
	}
	return nil
}

// Run is the newest run, or nil before the first.
func (a *Attempt) Run() *Run {
	if len(a.Runs) == 0 {
		return nil
	}
	return a.Runs[len(a.Runs)-1]
}
