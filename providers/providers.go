// Package providers says what Tollgate asks of a payment gateway. A provider is our client for one gateway's API:
// it knows its wire, nothing of pages or storage. A gateway is reached through account.Call only.
package providers

import (
	"context"
	"net/http"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/threeds"
)

// Provider is a gateway's payment API. A decline is a Step, not an error. An error means that the outcome is not known:
// ask Status before telling the shopper anything. Every Step carries the Ref as known now; it is stored in the same
// transaction as the step.
//
// Every method gets the whole Payment, because gateways differ in what they want repeated; Payment.Ref is what we know
// of the gateway's own ids by then. No method retries anything that may move money.
type Provider interface {
	// Check refuses at session creation what the gateway cannot express: a currency, an amount, a missing address.
	// It makes no network call. The error is a *Refusal.
	Check(p Payment) error
	// Register makes the order known where the gateway has such a call; it moves no money. Repeated with our reference
	// it recovers the same order, or says so with an error: ErrReferenceTaken, or an *AlreadyPaid where money is on it. A
	// gateway without orders answers Ref{Reference} at once.
	Register(ctx context.Context, p Payment) (Ref, error)
	// Pay may move money.
	Pay(ctx context.Context, p Payment, in Instrument, b threeds.BrowserData) (Step, error)
	// Resume goes on with what the browser brought, or with its absence; it may move money.
	Resume(ctx context.Context, p Payment, a Answer) (Step, error)
	// Status is the inquiry: outcome, amounts, reference, and the next Step where the gateway can repeat it. It never
	// charges and may be called at any time. ErrNotFound is no error here but Standing.Outcome == NotFound.
	Status(ctx context.Context, p Payment) (Standing, error)
}

// Closer makes an unpaid order unpayable. After a nil error the caller still asks Status: closing and paying may race.
type Closer interface {
	Close(ctx context.Context, p Payment) error
}

// Notifier reads a gateway's callback. It proves who sent it and names the payment; what it says is a hint only.
type Notifier interface {
	// Notified reads the request (its body is at most 64 KiB and may be read). A forged one is ErrForged, one that
	// concerns nothing of ours is a Notice without Reference.
	Notified(r *http.Request) (Notice, error)
}

// Notice is a verified callback.
type Notice struct {
	Reference string // ours
	OrderID   string // the gateway's
	Alias     string // another id of the gateway's; a Status of it alone, as OrderID, tells our reference
	Event     string // the gateway's word for it, for the history
}

// Operator moves money without a browser: capture, void, refund, payout. Results may be pending; Inquire settles them.
type Operator interface {
	Kinds() []OpLimits
	Do(ctx context.Context, p Payment, op Op) (OpResult, error)
	Inquire(ctx context.Context, p Payment, op Op) (OpResult, error)
}

// OpKind is a kind of operation.
type OpKind string

// The operations.
const (
	Capture OpKind = "capture"
	Void    OpKind = "void"
	Refund  OpKind = "refund"
	Payout  OpKind = "payout"
)

// OpLimits says what of an operation the gateway can do.
type OpLimits struct {
	Kind    OpKind `json:"kind"`
	Partial bool   `json:"partial"`
	Once    bool   `json:"once"` // a second one on the same payment is refused before the call
}

// Op is one operation.
type Op struct {
	Kind      OpKind
	Reference string // ours, at most 32 characters; the gateway's idempotency mark where it has one
	GatewayID string // the gateway's id of the operation, from an earlier OpResult
	Amount    money.Amount
	Standing  Standing // what Status said just before, against which an inquiry compares
	Expected  Standing // our books when the operation was accepted: what the gateway's own guard, if it has one, is told
	// Items are what of the payment's cart it is about; nil where that is not known.
	Items []CartPart `json:",omitempty"`
}

// OpState is how far an operation is.
type OpState string

// Operation states as a provider can tell them.
const (
	OpPending   OpState = "pending"
	OpSucceeded OpState = "succeeded"
	OpFailed    OpState = "failed"
	OpMissing   OpState = "missing" // only to an inquiry: the payment stands as before; not done, or still under way
)

// OpResult is what became of an operation. An error beside it means unknown.
type OpResult struct {
	State     OpState
	GatewayID string
	Decline   *Decline
}

// Ref is what the gateway knows an attempt by.
type Ref struct {
	Reference string            `json:"reference"`          // ours: {order_id}-{n}, at most 36 characters
	OrderID   string            `json:"order_id,omitempty"` // the gateway's own
	More      map[string]string `json:"more,omitempty"`     // what the provider must see again: threeDSServerTransID, …
}

// With is the Ref with one more thing to remember; the receiver is not changed.
func (r Ref) With(key, value string) Ref {
	more := make(map[string]string, len(r.More)+1)
	for k, v := range r.More {
		more[k] = v
	}
	more[key] = value
	r.More = more
	return r
}

// Payment is what is to be paid, and where the browser is to come back to.
type Payment struct {
	Ref           Ref
	OrderID       string // the merchant's
	Amount        money.Amount
	Fee           int64 // minor units, on top of Amount; 0 for most gateways
	Hold          bool  // authorize now, capture later
	Description   string
	Locale        string // a language of the pages; "": the browser's
	Customer      Customer
	Billing       Billing
	SaveCard      bool
	Instrument    string    // what this attempt is paid with; "" before there is one
	Merchant      bool      // by the merchant, while the customer is away
	BeginsSeries  bool      // later payments by the merchant will name this one
	CreatedAt     time.Time // of the attempt
	ExpiresAt     time.Time // of the session
	Run           Run
	CallbackURL   string       // /callbacks/{account}: gateway to server
	Credential    Secret       // the customer's, where the gateway has logins
	Transfer      *Destination // kind transfer: where the money goes; nil for a payment
	OwnershipMark string       // ours alone; goes into the order where the gateway keeps such a thing, and proves the order ours
	Cart          *Cart        // what is bought; nil where the merchant does not say
	Options       Options      // what the merchant asks of this gateway for this payment alone
	Forgotten     *Forgotten   // our database may have forgotten that the reference was used; nil: it has not
}

// Forgotten says of when orders may be that our database knows nothing of any more: it failed over, or was restored.
type Forgotten struct {
	From, Until time.Time
	// Arrived: it is so long ago that every call which was sent before has reached the gateway or never will.
	Arrived bool
}

// Run holds the addresses of one 3-D Secure authentication; both carry its unguessable token in the path and no query.
type Run struct {
	N           int    // 1, 2 after a soft decline, …
	NotifyURL   string // /3ds/{run}/notify: threeDSMethodNotificationURL
	ReturnURL   string // /3ds/{run}/return: notificationURL of the challenge, TermUrl, redirect_url
	SessionData string // sealed, for threeDSSessionData and MD where we choose them; base64url, under 1024 bytes
}

// Customer is the merchant's customer.
type Customer struct {
	ID    string `json:"id,omitempty"`
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
	IP    string `json:"-"` // of the shopper's browser, as the card form saw it
}

// Billing is the address some gateways want.
type Billing struct {
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Address   string `json:"address,omitempty"`
	City      string `json:"city,omitempty"`
	State     string `json:"state,omitempty"`
	Zip       string `json:"zip,omitempty"`
	Country   string `json:"country,omitempty"` // ISO 3166 alpha-2
	Phone     string `json:"phone,omitempty"`
	Email     string `json:"email,omitempty"`
}

// Instrument is what is paid with.
type Instrument struct {
	Kind     string // "card", "saved_card", "qr", "sberpay", "hosted", "google_pay"
	Card     card.Card
	Saved    string    // the gateway's name of a saved card
	Code     card.Code // with a saved card, where the gateway asks
	Phone    string    // sberpay: where the bank's app is to ask
	Merchant bool      // the merchant pays with a saved card while the customer is away
	Initial  bool      // the first of a series of such payments
	First    string    // the gateway's id of that first payment, where a repeat must name it
}

// AnswerKind says what the browser brought.
type AnswerKind string

// Answers.
const (
	MethodDone AnswerKind = "method"   // the 3DS Method came back (CompInd Y), did not (N), or there was none (U)
	Challenged AnswerKind = "cres"     // CRes or Erro
	PayerAuth  AnswerKind = "pares"    // PaRes
	Returned   AnswerKind = "returned" // came back from a page or redirect of the gateway's; Fields hold what was posted
	CardAgain  AnswerKind = "card"     // the same card once more
)

// Answer is what a run brought. CRes and PaRes are byte for byte as the browser posted them: forward, never rebuild.
type Answer struct {
	Kind    AnswerKind
	CompInd string // Y, N, U
	CRes    string
	PaRes   string
	MD      string
	Fields  map[string]string
	Browser threeds.BrowserData
	Card    *card.Card // the vault's, or as typed again; nil where it is not needed
}

// Kind is what has to happen next.
type Kind string

// Step kinds. The first seven are the browser's; Wait is the gateway's; Declined and Finished end a try.
const (
	Method    Kind = "method"
	Challenge Kind = "challenge"
	PayerPage Kind = "payer_auth"
	Page      Kind = "page"
	Redirect  Kind = "redirect"
	Scan      Kind = "scan"
	AskCard   Kind = "ask_card"
	Wait      Kind = "wait" // the gateway works: inquire
	// Resend: the gateway refused what an answer said, in words that prove that this call did nothing. The same answer goes out
	// once more, as a call of its own; Ref tells the provider what it has to say otherwise. Only Resume gives it.
	Resend   Kind = "resend"
	Finished Kind = "finished" // the gateway says it is over and well: inquire at once, believe only the inquiry
	Declined Kind = "declined" // a final refusal of this try, server to server
)

// StepVersion is the version of Step written now.
const StepVersion = 1

// Step is versioned data, stored with the attempt. An unknown version or kind reads as Wait plus inquiry, never as
// success or decline.
type Step struct {
	V      int            `json:"v"`
	Kind   Kind           `json:"kind"`
	Ref    Ref            `json:"ref"`
	NewRun bool           `json:"new_run,omitempty"` // soft decline: answers of the earlier run change nothing any more
	Forms  []threeds.Form `json:"forms,omitempty"`   // what the browser posts, in order: one or two Method frames, one challenge
	HTML   string         `json:"html,omitempty"`    // the gateway's page
	// the gateway's words for the shopper; where set the shopper presses a button
	Info string `json:"info,omitempty"`
	Link string `json:"link,omitempty"` // redirect target, QR content, deep link
	// Method: how long to wait for the notification; else how long the step is good for
	Deadline time.Duration `json:"deadline,omitempty"`
	ThreeDS  threeds.IDs   `json:"three_ds,omitzero"` // what later messages of this run must not contradict
	// Withholdable: at this step no money can move without one more call of ours, so that the payment can be left by never
	// making that call. It is set only where the gateway's documents prove it.
	Withholdable bool     `json:"withholdable,omitempty"`
	Decline      *Decline `json:"decline,omitempty"` // of Declined
}

// NewStep is a step of today's version with nothing in it yet.
func NewStep(kind Kind, ref Ref) Step { return Step{V: StepVersion, Kind: kind, Ref: ref} }

// Outcome is what a gateway says became of an attempt.
type Outcome string

// Outcomes of an inquiry.
const (
	NotFound   Outcome = "not_found"  // the gateway does not know the reference; not yet proof
	Waiting    Outcome = "waiting"    // known and unpaid; it waits for the browser or for us
	Processing Outcome = "processing" // the gateway or the bank works
	Authorized Outcome = "authorized" // held
	Paid       Outcome = "paid"       // taken, wholly or, after refunds, in part
	Refused    Outcome = "declined"   // final refusal of this order
	Voided     Outcome = "voided"     // was authorized, is no more
	Closed     Outcome = "closed"     // unpaid and unpayable: expired, cancelled
	Unclear    Outcome = "unclear"    // the gateway itself does not know: leave the fast loop, stay unknown
	// HoldLeft: the money was to be taken at once, the debit was refused and its hold still stands. The try is refused and
	// Decline says why; Held is what whoever reads this has to release.
	HoldLeft Outcome = "hold_left"
)

// Standing is the gateway's answer to an inquiry.
type Standing struct {
	Outcome   Outcome
	Ref       Ref          // as known now
	Reference string       // ours, as the gateway repeats it; "" where it does not
	Amount    money.Amount // of the order as the gateway has it; Currency.Code "" where it does not say
	Held      int64        // authorized, minor units
	Captured  int64
	Refunded  int64
	// Stated: the gateway itself told Held, Captured and Refunded, by sums or by a state that leaves no doubt. Otherwise some
	// of them are our supposition (all or nothing), which proves neither that an operation was done nor that it was not.
	Stated bool
	// Unproven: money stands under our number, and nothing proves that the order is ours: a person has to look. Of an order that
	// is Waiting: a call of ours that our database has forgotten may still move money.
	Unproven bool
	// Returned: the gateway says that something was given back; how much, Refunded says only where Stated.
	Returned bool
	// RanOut: of Voided, the hold was let go by the bank or by time; nobody asked for it.
	RanOut bool
	// Dispute is what the bank of the card holder claims back; nil where the gateway says nothing of it.
	Dispute *Dispute
	// VoidRefused: the release of the hold was refused; the hold still stands.
	VoidRefused bool
	Decline     *Decline
	// Declined try inside an order that may still be paid (RBS keeps it open): the try is over, the order is not.
	LastTry *Decline
	Card    card.Masked
	ThreeDS ThreeDS
	// Authorization is told as far as the gateway does; where nothing was authorized it may still name the card's bank.
	Authorization Authorization
	Receipts      []Receipt `json:",omitempty"` // the fiscal receipts of a payment with a cart; nil where nothing is known of any
	Next          *Step     // what the gateway still waits for, where it can repeat it
	// OtherOrder is the id of a further order that the gateway has under our reference, as a form of its own may open one for
	// another card. It is asked about by its own id.
	OtherOrder string
	// AwaitsPage: the order is unpaid and waits for a shopper at a page of the bank's or the gateway's to which only we send
	// browsers, after a call of ours. Where no browser was sent, no money can move.
	AwaitsPage bool
}

// ReceiptState is how far a fiscal receipt is.
type ReceiptState string

// States of a receipt.
const (
	ReceiptPending ReceiptState = "pending"
	ReceiptDone    ReceiptState = "done"
	ReceiptFailed  ReceiptState = "failed"
)

// Receipt is a fiscal receipt that the gateway's cash register made of a payment or of a refund.
type Receipt struct {
	ID       string       `json:"id"`
	Kind     string       `json:"kind"` // sale or refund
	State    ReceiptState `json:"state"`
	Amount   int64        `json:"amount"`
	At       time.Time    `json:"at,omitzero"`
	Register string       `json:"register,omitempty"` // the cash register's registration number
	Storage  string       `json:"storage,omitempty"`  // the number of its fiscal storage
	Document string       `json:"document,omitempty"` // the fiscal document's number
	Sign     string       `json:"sign,omitempty"`     // its fiscal sign
}

// DisputeState is how far a chargeback is.
type DisputeState string

// States of a chargeback.
const (
	DisputeOpened DisputeState = "opened"
	DisputeWon    DisputeState = "won"  // the money is the merchant's again
	DisputeLost   DisputeState = "lost" // the money went back to the card holder
)

// Dispute is a chargeback as the gateway tells it. Amount 0: it does not say of how much, so of all that was not given back.
type Dispute struct {
	State  DisputeState
	Amount int64
}

// OtherAmount tells that the gateway names another amount or currency than the one that was asked for.
func (s Standing) OtherAmount(asked money.Amount) bool {
	return s.Amount.Currency.Code != "" && s.Amount != asked
}

// Unmoved tells whether the same money stands as before, as far as the sums go: whether they prove anything, Stated says. What was
// held of money that is taken tells nothing: some gateways name it then, some do not, and our books, which stand for what was
// before where an inquiry failed, always do.
func (s Standing) Unmoved(before Standing) bool {
	return (s.Outcome == Authorized || s.Outcome == Paid || s.Outcome == HoldLeft) && s.Outcome == before.Outcome &&
		(s.Outcome == Paid || s.Held == before.Held) && s.Captured == before.Captured && s.Refunded == before.Refunded
}

// RefundSeen tells from the sums alone what became of a refund: OpSucceeded where as much as it asked for has gone since,
// OpMissing where nothing has, or where all that was ever given back is less than it asked for (somebody refunded in the
// gateway's cabinet meanwhile), OpPending where they prove neither. Only sums that the gateway stated count.
func (s Standing) RefundSeen(op Op) OpState {
	left, before := s.Captured-s.Refunded, op.Standing.Captured-op.Standing.Refunded
	switch {
	case s.Outcome != Paid, !s.Stated, op.Amount.Minor <= 0:
	case before < op.Amount.Minor: // the refund would not have been sent: what we held to be the sums then was supposed
	case left <= before-op.Amount.Minor:
		return OpSucceeded
	case left == before && s.Unmoved(op.Standing):
		return OpMissing
	case s.Captured == op.Standing.Captured && s.Refunded >= op.Standing.Refunded && s.Refunded < op.Amount.Minor:
		return OpMissing
	}
	return OpPending
}

// EndedInstead tells that somebody ended a hold otherwise in the gateway's cabinet: it was to be voided, wholly or in part, and was captured
// whole, or to be captured and is gone. Our call may still be under way, and come to nothing.
func (s Standing) EndedInstead(op Op) bool {
	if op.Standing.Outcome != Authorized {
		return false
	}
	switch op.Kind {
	case Void:
		return s.Outcome == Paid && s.Captured >= op.Standing.Held && s.Refunded == 0
	case Capture:
		return s.Outcome == Voided && s.Captured == 0
	}
	return false
}

// CaptureSeen does the same for a capture. That something was captured is a state, of which the gateway's word is enough
// where the whole hold was asked for; of a part the sum has to be stated.
func (s Standing) CaptureSeen(op Op) OpState {
	proved := s.Captured >= op.Amount.Minor && (s.Stated || op.Amount.Minor >= op.Standing.Held)
	switch {
	case s.Outcome == Paid && op.Standing.Captured == 0 && proved:
		return OpSucceeded
	case s.Outcome != Paid && s.Unmoved(op.Standing):
		return OpMissing
	}
	return OpPending
}

// ThreeDS is how the cardholder was authenticated, as the gateway tells it; for the merchant's records.
type ThreeDS struct {
	Version     string `json:"version,omitempty"`
	TransStatus string `json:"trans_status,omitempty"`
	ECI         string `json:"eci,omitempty"`
}

// Reason is our one vocabulary of declines.
type Reason string

// Decline reasons.
const (
	InsufficientFunds    Reason = "insufficient_funds"
	ExpiredCard          Reason = "expired_card"
	WrongCVC             Reason = "wrong_cvc"
	DoNotHonor           Reason = "do_not_honor"
	AuthenticationFailed Reason = "authentication_failed"
	Limit                Reason = "limit"
	Fraud                Reason = "fraud"
	CardNotSupported     Reason = "card_not_supported"
	TryAgainLater        Reason = "try_again_later"
	Misconfigured        Reason = "misconfigured" // the gateway refused our account; the shopper can do nothing
	OtherReason          Reason = "other"
)

// Decline is a refusal: our word for it, and the gateway's own.
type Decline struct {
	Reason  Reason `json:"reason"`
	Code    string `json:"code,omitempty"`    // the gateway's
	Message string `json:"message,omitempty"` // the gateway's; never shown to a shopper
}
