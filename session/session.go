// Package session decides what may happen to a session: its data, the one transition table, the inquiry schedule, and Turn,
// one change of one session at one moment. It does nothing: no clock, no randomness, no storage, no network and no
// goroutine. Package session/flow loads, lets a Turn decide, saves, and calls the gateway.
package session

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
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
	Method          string             `json:"payment_method"`            // card, saved_card, qr, sberpay, hosted
	Methods         []string           `json:"payment_methods,omitempty"` // that the shopper may choose among; empty: all that the account takes
	ManualCapture   bool               `json:"hold,omitempty"`            // capture: manual
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
	EmbedOrigin     string             `json:"embed_origin,omitempty"` // of the merchant's page that may frame the payment page
	Look            string             `json:"look,omitempty"`         // the merchant's look that its pages have; empty: the default one
	Metadata        map[string]string  `json:"metadata,omitempty"`
	Options         providers.Options  `json:"gateway_options,omitempty"`
	Cart            *providers.Cart    `json:"cart,omitempty"`
	CreatedAt       time.Time          `json:"created_at"`
	ExpiresAt       time.Time          `json:"expires_at"`
	ClosedReason    ClosedReason       `json:"end,omitempty"`     // why no further attempt may begin
	EarlierAttempts int                `json:"ref_base"`          // at least those of earlier sessions for the order; see Reference
	RefTag          string             `json:"ref_tag,omitempty"` // before references, where merchants share the account
	LastEvent       int                `json:"last_event"`        // number of the newest event
	LastEventAt     time.Time          `json:"last_event_at,omitzero"`
	Operations      []*Operation       `json:"operations,omitempty"`
	Settlements     []*Settlement      `json:"settlements,omitempty"`
	FirstBrowser    string             `json:"opener,omitempty"`        // the only one that may see the customer's cards
	Login           *Login             `json:"login,omitempty"`         // where the account wants the customer before the card
	Attempts        []*Attempt         `json:"-"`                       // in order of N; stored in rows of their own
	ReceiptMails    int                `json:"receipt_mails,omitempty"` // receipts that were sent by e-mail, or are to be
	BodyVersion     int                `json:"v,omitempty"`             // of the newest version that wrote it, see BodyVersion
	Newer           *NewerBodies       `json:"-"`                       // what that version wrote, where it is newer than this one
}

// BodyVersion counts the versions of Tollgate that added members to the stored bodies of sessions and attempts. A version
// that adds one counts it up; older machines then keep what they do not know in what they save.
const BodyVersion = 4

// NewerBodies are bodies as a newer version of Tollgate wrote them.
type NewerBodies struct {
	Session  json.RawMessage
	Attempts map[int]json.RawMessage
}

// ClosedReason says why a session takes no further attempt.
type ClosedReason string

// Ends of a session that are not a payment.
const (
	Expired   ClosedReason = "expired"
	Cancelled ClosedReason = "cancelled"
	UsedUp    ClosedReason = "declined"
)

// Bounds of a session.
const (
	// MaxAttempts is how many tries a shopper has at one session.
	MaxAttempts = 5
	// MostAttempts bounds the attempts of a session, with those that were no try of the shopper's (Attempt.BurnsNoTry).
	MostAttempts = 20
)

// Misconfigured tells that an attempt ended because the gateway refused the account.
func (a *Attempt) Misconfigured() bool {
	return !a.State.Live() && !a.State.Funded() && a.Decline != nil && a.Decline.Reason == providers.Misconfigured
}

// BurnsNoTry tells that an attempt ended by what is not the shopper's to mend: the gateway refused the account, or the order could
// not be registered or has another's number, so that nothing was tried with the card.
func (a *Attempt) BurnsNoTry() bool {
	return a.Misconfigured() || a.State == Failed && len(a.Calls) == 0 || a.NumberIsAnothers()
}

// numberTaken tells that the gateway refused the attempt's call because its number has an order already.
func (a *Attempt) numberTaken() bool {
	return slices.ContainsFunc(a.Calls, func(c Call) bool { return c.Result == resultTaken })
}

// NumberIsAnothers tells that an attempt has failed because another system used its number.
func (a *Attempt) NumberIsAnothers() bool { return a.State == Failed && a.numberTaken() }

// TriesLeft is how many attempts may yet begin, money and expiry aside.
func (s *Session) TriesLeft() int {
	used := 0
	for _, a := range s.Attempts {
		if !a.BurnsNoTry() {
			used++
		}
	}
	return max(0, min(MaxAttempts-used, MostAttempts-len(s.Attempts)))
}

// GatewayCustomer is the session's customer as the gateway is told of them: two merchants who share an account may each call a
// customer the same.
func (s *Session) GatewayCustomer() string {
	if s.Customer.ID == "" {
		return ""
	}
	return s.RefTag + s.Customer.ID
}

// Attempt is one try to pay a session with one instrument; at most one of a session's attempts is live.
type Attempt struct {
	N                 int                     `json:"n"`
	State             State                   `json:"state"`
	Ref               providers.Ref           `json:"ref"`
	OtherOrders       []string                `json:"other_orders,omitempty"` // further orders of the gateway's under our reference
	Instrument        string                  `json:"instrument"`
	MerchantInitiated bool                    `json:"by_merchant,omitempty"` // the customer is away
	NotKept           bool                    `json:"not_kept,omitempty"`    // the shopper did not agree that the card is kept
	BeginsSeries      bool                    `json:"begins_series,omitempty"`
	Saved             string                  `json:"saved,omitempty"`    // the saved card it is paid with: ours
	GatewayCustomer   string                  `json:"customer,omitempty"` // the customer, or whose the saved card is, as the gateway is told
	Card              card.Masked             `json:"card,omitzero"`
	To                card.Masked             `json:"to,omitzero"`        // the card that a transfer or payout goes to
	ToFingerprint     string                  `json:"to_print,omitempty"` // keyed fingerprint of its number, where that was typed
	Browser           threeds.BrowserData     `json:"browser,omitzero"`
	IP                string                  `json:"ip,omitempty"`         // the shopper's
	Locale            string                  `json:"locale,omitempty"`     // the language that the shopper reads; "": the session's
	BrowserID         string                  `json:"by_browser,omitempty"` // the browser that began it, where it has an ID
	Step              *providers.Step         `json:"step,omitempty"`
	StepN             int                     `json:"step_n"` // counts the steps stored; a resume belongs to one of them
	StepAt            time.Time               `json:"step_at,omitzero"`
	Runs              []*Run                  `json:"runs,omitempty"`
	Deadline          time.Time               `json:"deadline,omitzero"`     // of the call that is out
	NewsAt            time.Time               `json:"news_at,omitzero"`      // of the last news; inquiries are scheduled from then
	InquiredAt        time.Time               `json:"asked_at,omitzero"`     // the newest inquiry's answer
	NextInquiry       time.Time               `json:"next_ask,omitzero"`     // an inquiry was moved forward to this time
	Unclear           bool                    `json:"unclear,omitempty"`     // the gateway itself does not know: slow schedule
	AskFailedSince    time.Time               `json:"ask_failed,omitzero"`   // since when inquiries have brought no answer
	AskFailure        string                  `json:"ask_failure,omitempty"` // the class of the first error since then
	AskAfter          time.Time               `json:"ask_after,omitzero"`    // the gateway wants not to be asked before
	Blind             bool                    `json:"blind,omitempty"`       // no answer for so long that the outcome counts as unknown
	NotFoundSince     time.Time               `json:"missing,omitzero"`      // when an inquiry first said "not found" after the deadline
	NeedsReview       bool                    `json:"needs_review,omitempty"`
	Said              *Figures                `json:"said,omitempty"`     // the gateway's figures, where a person has to look
	Mismatch          string                  `json:"held_for,omitempty"` // in what the gateway's payment is not ours
	Unproven          bool                    `json:"unproven,omitempty"` // money under its reference lacks our mark: not believed
	Decline           *providers.Decline      `json:"decline,omitempty"`
	ThreeDS           providers.ThreeDS       `json:"three_ds,omitzero"`
	Authorization     providers.Authorization `json:"authorization,omitzero"`
	AmountAuthorized  int64                   `json:"held"` // minor units, as the gateway said
	Receipts          []providers.Receipt     `json:"receipts,omitempty"`
	Captured          int64                   `json:"captured"`
	Refunded          int64                   `json:"refunded"`
	Voided            bool                    `json:"voided,omitempty"`
	PaidLate          bool                    `json:"paid_late,omitempty"`     // approved after the session had ended otherwise
	Withheld          bool                    `json:"withheld,omitempty"`      // left while its order was open: nothing is sent for it any more
	Disputed          int64                   `json:"disputed,omitempty"`      // of a chargeback that is open or lost
	Dispute           string                  `json:"dispute,omitempty"`       // a providers.DisputeState
	CalledBackAt      time.Time               `json:"called_back_at,omitzero"` // for which the newest callback's inquiry was queued
	LookFailedSince   time.Time               `json:"look_failed,omitzero"`    // since when looks after success have had no answer
	CreatedAt         time.Time               `json:"created_at"`
	UpdatedAt         time.Time               `json:"updated_at"`
	Trace             []TimelineEntry         `json:"trace,omitempty"` // what Timeline shows beside events and calls
	Calls             []Call                  `json:"-"`               // the call book; rows of their own
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
	// Suffix is the random end of the event's id: an event that takes the place of one that the database lost is another.
	Suffix string `json:"suffix,omitempty"`
}

// Reference is what the gateway knows attempt n by. An attempt keeps the one it was given.
func (s *Session) Reference(n int) string {
	return fmt.Sprintf("%s%s-%d", s.RefTag, s.OrderID, s.EarlierAttempts+n)
}

// NeverSent tells whether no call that can move money was ever permitted for any attempt, and none is alive.
func (s *Session) NeverSent() bool {
	return !slices.ContainsFunc(s.Attempts, func(a *Attempt) bool { return a.State != Failed || len(a.Calls) != 0 })
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

// Operation is a capture, void or refund of a payment.
type Operation struct {
	N             int                     `json:"n"`
	Kind          providers.OpKind        `json:"kind"`
	State         OpState                 `json:"state"`
	Attempt       int                     `json:"attempt"`
	Amount        int64                   `json:"amount"` // minor units
	Reference     string                  `json:"reference"`
	GatewayID     string                  `json:"gateway_id,omitempty"`
	Decline       *providers.Decline      `json:"decline,omitempty"`
	Items         []providers.CartPortion `json:"items,omitempty"`     // of the session's cart
	Release       bool                    `json:"release,omitempty"`   // Tollgate's own void of a hold whose debit was refused
	GiveBack      bool                    `json:"give_back,omitempty"` // Tollgate's own, of money that came for an attempt that was left
	Merchant      string                  `json:"merchant_reference,omitempty"`
	Expected      Baseline                `json:"expected"` // our books when it was accepted, or what the request expected
	Baseline      Baseline                `json:"before"`
	SumsDiffer    bool                    `json:"sums_differ,omitempty"` // refused: the gateway's sums were not those expected
	Unconfirmed   bool                    `json:"unconfirmed,omitempty"` // succeeded, and the gateway's sums do not show it yet
	Deadline      time.Time               `json:"deadline"`
	NotFoundSince time.Time               `json:"missing,omitzero"` // since when the gateway shows no sign of it
	NeedsReview   bool                    `json:"needs_review,omitempty"`
	CreatedAt     time.Time               `json:"created_at"`
	UpdatedAt     time.Time               `json:"updated_at"`
}

// Baseline is where the payment stood when the operation was sent. A payment that has left it shows that the operation was done.
type Baseline struct {
	Outcome  providers.Outcome `json:"outcome,omitempty"`
	Held     int64             `json:"held"`
	Captured int64             `json:"captured"`
	Refunded int64             `json:"refunded"`
	Stated   bool              `json:"stated,omitempty"` // the gateway itself told the sums
}

// FundedAttempt is the attempt by which money is held or taken for the session, or nil: the one that counts, else one that
// was approved after the session had ended.
func (s *Session) FundedAttempt() *Attempt {
	var late *Attempt
	for _, a := range s.Attempts {
		if a.State.Funded() && !a.PaidLate {
			return a
		}
		if a.State.Funded() {
			late = a
		}
	}
	return late
}

// Operation finds an operation by number, or nil.
func (s *Session) Operation(n int) *Operation {
	for _, op := range s.Operations {
		if op.N == n {
			return op
		}
	}
	return nil
}

// openOn is the operation on an attempt that may still move money, or nil.
func (s *Session) openOn(a *Attempt) *Operation {
	for _, op := range s.Operations {
		if op.Attempt == a.N && op.State.Open() {
			return op
		}
	}
	return nil
}

// unconfirmedOn is the operation on an attempt that succeeded and that the gateway's sums do not show yet, or nil.
func (s *Session) unconfirmedOn(a *Attempt) *Operation {
	for _, op := range s.Operations {
		if op.Attempt == a.N && op.Unconfirmed {
			return op
		}
	}
	return nil
}

// released tells whether the gateway took the release of an attempt's hold.
func (s *Session) released(a *Attempt) bool {
	return slices.ContainsFunc(s.Operations, func(op *Operation) bool {
		return op.Attempt == a.N && op.Release && op.State == OpSucceeded
	})
}

// Login is how far a session's customer is with logging in. It comes before the first attempt; where the gateway refuses the
// customer's credential later on, it is passed once more.
type Login struct {
	Browser   string    `json:"browser,omitempty"` // that asked for the code: only it may give it and see the customer's cards
	Phone     string    `json:"phone"`             // digits, country code first
	Customer  string    `json:"customer"`
	Challenge string    `json:"challenge,omitempty"` // sealed
	SentAt    time.Time `json:"sent_at"`
	Done      bool      `json:"done,omitempty"`

	// Counters of calls. Each is stored before the gateway is called, so that requests at the same time cannot exceed its bound.
	// A call counts even if it fails to reach the gateway.
	Wrong   int `json:"wrong,omitempty"`   // codes tried since the last one was sent
	Sent    int `json:"sent"`              // codes asked for in this session
	Lookups int `json:"lookups,omitempty"` // phones looked up in this session, those without a customer included

	Since time.Time `json:"since,omitzero"` // when the first was counted

	Asking *CodeRequest `json:"asking,omitempty"` // the newest request for a code

	Others []LoginCode `json:"others,omitempty"` // codes that other browsers asked for before, of those that were sent
}

// LoginCode is a code that was sent for a browser, while another browser's is the newest.
type LoginCode struct {
	Browser   string    `json:"browser"`
	Phone     string    `json:"phone"`
	Customer  string    `json:"customer"`
	Challenge string    `json:"challenge"` // sealed
	SentAt    time.Time `json:"sent_at"`
	Wrong     int       `json:"wrong,omitempty"`
}

// CodeRequest is one press on "send the code". A second press with the same phone is recognised by it.
type CodeRequest struct {
	N       int       `json:"n"`
	Browser string    `json:"browser"`
	Phone   string    `json:"phone"`
	At      time.Time `json:"at"`                // when it began; when it ended, once it has
	Open    bool      `json:"open,omitempty"`    // the gateway has not answered yet
	Unknown bool      `json:"unknown,omitempty"` // the gateway has no such customer, or not the one that is wanted
}

// TimelineEntry is one thing that happened to an attempt. No value in it is a card number, a code or a secret: addresses with a
// run's token and cryptograms are left out.
type TimelineEntry struct {
	At        time.Time         `json:"at"`
	Kind      string            `json:"kind"`
	Name      string            `json:"name"`
	Direction string            `json:"direction,omitempty"` // of a message: sent to the bank, received from it
	Run       int               `json:"run,omitempty"`
	Result    string            `json:"result,omitempty"`
	Took      time.Duration     `json:"took,omitempty"`
	Times     int               `json:"times,omitempty"` // how often in a row the same happened, where more than once
	Until     time.Time         `json:"until,omitzero"`  // the last of them
	Fields    map[string]string `json:"fields,omitempty"`
}

// Kinds of sessions beside payments.
const (
	KindTransfer = "transfer" // moves money from the customer's card to another card
	KindPayout   = "payout"   // sends money out; it has no page and is paid by a call, under the same rules of certainty
)

// Target is where a transfer goes, where the merchant named it: a saved or virtual card of the customer's. Only Saved has
// to be set by who creates a session.
type Target struct {
	Saved     string      `json:"saved"` // ours: sc_…
	GatewayID string      `json:"gateway_id"`
	Customer  string      `json:"customer"` // whose card it is: SavedCard.Customer
	Card      card.Masked `json:"card"`
}

// AsksTarget tells whether the shopper has to say where the money goes.
func (s *Session) AsksTarget() bool { return s.Kind == KindTransfer && s.Target == nil }

// Destination is where the merchant sends a transfer; nil where the shopper says it.
func (s *Session) Destination() *providers.Destination {
	if s.Target == nil {
		return nil
	}
	return &providers.Destination{Saved: s.Target.GatewayID}
}

// OwnershipMark proves an order at the gateway to be this session's: 128 bits of a digest of the session's id. It is no secret.
func (s *Session) OwnershipMark() string {
	sum := sha256.Sum256([]byte("mark " + s.ID))
	return hex.EncodeToString(sum[:16])
}
