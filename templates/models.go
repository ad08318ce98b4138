// Package templates holds the pages a shopper sees and the view models they show. A view model carries only what is
// shown, already as text; which page is due, and what its numbers mean, is decided before. Merchants' and gateways' texts
// are escaped and kept apart from the page's own text direction.
//
// Every page works without script, and where any one of its files is lost. Scripts are files of package static, except the
// few lines that submit a form while the page is still loading, which carry Layout.Nonce, and those that look again where
// live.js is lost, which stand under GuardHash.
package templates

import (
	"time"

	"tollgate/internal/i18n"
)

// Layout is what every page shows around its own content. The zero value of every field but T is fine.
type Layout struct {
	T     *i18n.Localizer // the language of the page
	Nonce string          // the nonce of the response's script-src; needed where the page's comment says so

	MerchantName string
	TextLang     string // the language that the merchant's texts are in; empty where nobody said
	AmountText   string // formatted by i18n.FormatAmount
	OrderText    string // the order's number, as the merchant wrote it
	Description  string // what is paid for, as the merchant wrote it

	Look     *Look     // how the merchant wants its pages to look; nil: as usual
	Items    []Item    // what is paid for, line by line; none where the merchant sent none
	Converts string    // the currency in which the gateway takes the payment, with its fee on top; empty where it takes AmountText
	Transfer *Transfer // of a transfer, whose pages have words of their own; nil for a payment
	Exit     *Exit     // the way out of a payment under way; nil where nobody is paying

	Secure        bool   // the page came over https
	EmbedOrigin   string // the shop's page that may show this one in a frame, and is told of it; empty where none may
	Ended         bool   // the session has
	SandboxNotice bool   // "test mode, no real money"
	Self          string // the address GET shows this page at; language links lead to it with ?lang=; none are shown when empty
	Refresh       int    // seconds between reloads where script is off; 0 takes the page's own default
}

// Look is a merchant's look in the page's language. Every member may be empty. Addresses were checked when the look was made.
type Look struct {
	SheetURL, LogoURL       string
	LogoWidth, LogoHeight   int
	LightGround, DarkGround string // for the browser's own frame
	Title                   string // what the shop is called in the page's language, in place of MerchantName
	Note                    string
	Email, Phone, PhoneURL  string
	Address                 string
	AddressOwn              bool // in the page's language
	Terms, Privacy, Refunds string
}

// helps tells whether the look says how the shop is reached, or what goes for its payments.
func (l *Look) helps() bool {
	return l != nil && (l.Email != "" || l.Phone != "" || l.Address != "" || l.Note != "" || l.Terms != "" || l.Privacy != "" || l.Refunds != "")
}

// Item is a line of what is paid for. Texts are formatted; Name is as the merchant wrote it.
type Item struct {
	Name         string
	QuantityText string // "2 × 1,500 ₸", or what is measured; empty for one piece
	SumText      string
	DiscountText string // in the sum; may be empty
	TaxText      string // in the sum; may be empty
}

// Exit is the way out of a payment under way. Both actions post csrf. Where the payment cannot be stopped there is neither, but
// the way to the shop and the time in which the bank may still take it.
type Exit struct {
	OtherAction, CancelAction, CSRF string

	ShopURL string
	Until   time.Time
	Left    time.Duration
	Late    bool // the page is over in a moment as a rule: shown by script after a while, or when the page is shown again
}

// Transfer is what the pages of a transfer say of it, beside Layout.AmountText, which is all that the card pays.
type Transfer struct {
	SumText, FeeText string // what goes to the other card, and the fee on top, formatted alike; empty where there is no fee
	ToLast4          string // the card it goes to; empty where the shopper says it
}

// Choice is the ways to pay that a page offers beside its own; one form posts them all, and where SberPay is chosen and AskPhone is set the
// phone, named PhoneField. Without script, and without the style sheet, it works alike: what was not chosen is not read.
type Choice struct {
	Ways       []Way // in order; none where there is no choice
	AskPhone   bool
	PhoneField string
	Phone      string     // kept from an earlier try
	Wrong      LoginError // beside the phone
	AskSave    bool       // asks on the gateway's own page, too, whether the card may be kept
}

// Way is a way to pay: card, qr, sberpay or hosted.
type Way struct {
	ID     string
	Chosen bool
}

// CardPage is the card form. It posts number, expiry (as typed, MM/YY asked for), cvc, name, csrf and, as every form that
// begins a payment, the browser data of EMV 3DS: browserJavaEnabled, browserJavascriptEnabled ("false" unless the script ran), browserLanguage,
// browserColorDepth, browserScreenHeight, browserScreenWidth, browserTZ (empty without script). With AskTo it posts to_number.
//
// CSP: script-src 'self', style-src 'self', img-src 'self' data:, form-action 'self'.
type CardPage struct {
	Layout
	Action       string // where the form posts
	CancelAction string // where "cancel and go back to the shop" posts, with csrf; not shown when empty
	CSRF         string

	Choice       Choice // posts way: one of Choice.Ways
	SavedAction  string // "use a saved card" posts csrf there; not shown when empty
	AskTo        bool   // asks for the card that a transfer goes to
	Expiry, Name string // kept from an earlier try; numbers and CVC never are
	Errors       CardErrors

	AskSave, Save bool // asks whether the card may be kept, and what was answered before
	Left          int  // seconds until no attempt may begin any more; not shown when 0

	Decline      string // the last attempt was declined: a decline reason, see DeclineReasons; unknown ones read as "other"
	NotCharged   bool   // the last attempt came to nothing: "you were not charged"
	Stale        bool   // the form was too old or already used: "enter the card again"
	Task         string // what the browser has to solve before the post is taken; "" for nothing
	TaskBits     int
	Prove        int // the post came before its work was done: as many seconds do for it without script
	AttemptsLeft int // shown after a first attempt, when above 0

	AskAgain bool    // the same card is needed again
	AskLast4 string  // the one ending so; not empty is AskAgain too
	Brands   []Brand // the only ones that are accepted, beside cards of no known brand
	Systems  string  // every payment system, for the script: card.Table
}

// Brand is a payment system as it is named and drawn.
type Brand struct {
	ID   string // of a mark
	Name string
	Lang string // of Name, where it is not written in Latin letters
}

// CardError says what is wrong with one field of the card form. The empty one says nothing is.
type CardError string

// What can be wrong with the fields of the card form.
const (
	NumberMissing     CardError = "number_missing"
	NumberInvalid     CardError = "number_invalid"     // length or check digit
	NumberUnsupported CardError = "number_unsupported" // a brand that is not accepted here
	NumberDifferent   CardError = "number_different"   // asked for the same card, got another
	ExpiryMissing     CardError = "expiry_missing"
	ExpiryInvalid     CardError = "expiry_invalid" // not a month and a year
	ExpiryPast        CardError = "expiry_past"
	CVCMissing        CardError = "cvc_missing"
	CVCInvalid        CardError = "cvc_invalid"
	NameMissing       CardError = "name_missing"
	NameInvalid       CardError = "name_invalid"
	ToMissing         CardError = "to_missing" // of the card that a transfer goes to
	ToInvalid         CardError = "to_invalid"
	ToSame            CardError = "to_same" // the card that pays
)

// CardErrors has one error, or none, for each field.
type CardErrors struct{ Number, Expiry, CVC, Name, To CardError }

// Any reports whether a field is wrong.
func (e CardErrors) Any() bool { return e != CardErrors{} }

// MethodPage is shown while 3DS Method frames run. It goes to Next when the live connection says so, when a MethodDone page
// in one of its frames says so, and after the deadline; without script it reloads.
//
// CSP: script-src 'self' and GuardHash, connect-src 'self', frame-src 'self' https:.
type MethodPage struct {
	Layout
	Frames    []string // addresses of our own MethodFrame documents, in order
	ID        string   // what MethodDone sends back in its message
	EventsURL string   // server-sent events; the event "change" means that Next shows something else now
	Next      string   // the pay address
	Deadline  int      // seconds after which the page goes to Next anyhow; 0 means 11
}

// Field is one input of a form that the browser posts; forms keep the order of their fields.
type Field struct{ Name, Value string }

// MethodFramePage is the document of a hidden frame: a form that submits itself.
//
// CSP: script-src 'nonce-…', no form-action, frame-ancestors 'self'.
type MethodFramePage struct {
	T      *i18n.Localizer
	Nonce  string
	Action string // http or https; anything else makes a form that goes nowhere
	Fields []Field
}

// MethodDonePage is the answer to the post that comes back inside a Method frame. It tells the page around the frame, by
// postMessage of {tollgate: "method", id}, that the server should be asked.
//
// CSP: script-src 'nonce-…', frame-ancestors 'self'.
type MethodDonePage struct {
	Nonce  string
	ID     string // MethodPage.ID
	Origin string // our own origin, the only one that may hear it
}

// ChallengePage posts a CReq or a PaReq to the bank, in the whole window.
//
// CSP: script-src 'self' 'nonce-…', style-src 'self', img-src 'self', connect-src 'self', no form-action (it would stop the
// bank's redirects).
type ChallengePage struct {
	Layout
	Action     string // http or https; anything else makes a form that goes nowhere
	Fields     []Field
	AutoSubmit bool   // submits while loading; false for every view but the first, so that Back and a second tab post nothing
	Info       string // the gateway's words for the shopper; shown, and then nothing is submitted without a press
	// EventsURL are server-sent events, heard while the page waits for a press; the event "change" means that Self shows
	// something else now.
	EventsURL string
}

// LeavePage sends the shopper to a page of the bank or gateway by GET.
//
// CSP: as ChallengePage.
type LeavePage struct {
	Layout
	URL  string // http or https; anything else makes a link that goes nowhere
	Auto bool   // goes on by itself, by script or refresh
	Info string // as in ChallengePage: shown, and then nothing happens without a press

	EventsURL string // as in ChallengePage
}

// ReturnTopPage answers a return from the bank that landed in a frame: it opens the pay address in the whole window.
//
// CSP: script-src 'nonce-…', style-src 'self', img-src 'self', no frame-ancestors.
type ReturnTopPage struct {
	T      *i18n.Localizer
	Nonce  string
	PayURL string
}

// ToTopPage stands in a frame and leads to the whole window, by a press: nothing else may leave a frame.
//
// CSP: as CardPage.
type ToTopPage struct {
	Layout
	PayURL string
}

// WaitReason says why the shopper waits.
type WaitReason string

// Why the shopper waits.
const (
	WaitProcessing WaitReason = "processing" // the gateway is working
	WaitChecking   WaitReason = "checking"   // an answer is overdue: "we are checking; you will not be charged twice"
)

// WaitPage is shown while the server works. It is woken by the event "change", by reloading, or by the refresh without
// script.
//
// CSP: script-src 'self' and GuardHash, connect-src 'self'.
type WaitPage struct {
	Layout
	Reason    WaitReason // empty reads as processing
	Long      bool       // it has taken long: says that the page may be closed; the script says it after 20 s by itself
	EventsURL string
	Next      string // the pay address
}

// Outcome says how a session ended.
type Outcome string

// How a session ended.
const (
	OutcomePaid       Outcome = "paid"
	OutcomePartly     Outcome = "partly_refunded" // paid, and a part of it returned
	OutcomeAuthorized Outcome = "authorized"
	OutcomeDeclined   Outcome = "declined" // for good: no attempts left
	OutcomeCancelled  Outcome = "cancelled"
	OutcomeExpired    Outcome = "expired"
	OutcomeRefunded   Outcome = "refunded"
	OutcomeVoided     Outcome = "voided"
	OutcomeOver       Outcome = "over" // ended, and an approval came after it

	OutcomeUnavailable Outcome = "unavailable" // not yet: the gateway refuses the shop's account, and nothing was charged
)

// ResultPage is the end of a payment: how it ended, a receipt, and <a id="continue"> to the shop.
//
// CSP: script-src 'self'.
type ResultPage struct {
	Layout
	Outcome     Outcome
	Decline     string // with OutcomeDeclined: the reason, see DeclineReasons; may be empty
	ContinueURL string // http or https; no link when empty
	Delay       int    // seconds after which the script goes on, if nobody stops it and the page is new; 0 means never
	Receipt     *Receipt
	Mail        *ReceiptMail
	AgainURL    string // with OutcomeUnavailable: where the shopper may try again; may be empty
}

// Receipt is what was paid. What stands under Own is shown in the browser that paid, and in no other.
type Receipt struct {
	AmountText                  string
	TakenText                   string // what the gateway took of the card, where that is not AmountText
	RefundedText, LeftText      string // what came back, and what is paid in the end; empty where nothing came back
	Own                         bool
	Date                        time.Time
	Brand                       Brand
	Last4                       string
	ReferenceText, ApprovalText string
}

// ReceiptMail sends the receipt by e-mail: it posts email and csrf. Where as many were sent as may be, Action is empty.
type ReceiptMail struct {
	Action, CSRF string
	Email        string // kept from an earlier try, or the customer's
	Wrong        bool   // no address
	Sent         int    // so many are sent, or on their way
}

// MailPage is a receipt as a mail.
type MailPage struct {
	T        *i18n.Localizer
	ShopName string
	TextLang string // of ShopName and Order
	Rows     []MailRow
	Help     []string // how the shop is reached
}

// MailRow is a line of a receipt.
type MailRow struct{ Name, Value string }

// GalleryPage lists the pages of the gallery.
//
// CSP: as CardPage.
type GalleryPage struct {
	Layout
	Names     []string
	Languages []GalleryLanguage
}

// GalleryLanguage is a language of the gallery.
type GalleryLanguage struct{ Tag, Name string }

// HomePage is shown at the root address, which belongs to no payment.
type HomePage struct{ Layout }

// NotFoundPage says that there is no such payment.
type NotFoundPage struct{ Layout }

// ProblemPage says that something went wrong, without any detail. The shopper is told that reloading is safe.
type ProblemPage struct {
	Layout
	Retry     string // an address to try again, such as the pay address; not shown when empty
	RequestID string // shown as a number to tell the shop; not shown when empty
}

// LimitedPage says that too much was tried, and when one may go on.
type LimitedPage struct {
	Layout
	Minutes int
	Retry   string // the pay address; not shown when empty
}

// LoginPhonePage asks for the phone before the card, where the account needs the customer. It posts phone and csrf.
type LoginPhonePage struct {
	Layout
	Action, CancelAction, CSRF string
	Phone                      string     // kept from an earlier try
	RememberedText             string     // the phone of the customer whom this browser remembers, masked; not shown when empty
	RememberedAction           string     // posts csrf to go on as that customer
	ForgetAction               string     // posts csrf for "not me"
	KnownAction                string     // "fill in the number the shop has" posts csrf there; not shown when empty
	Error                      LoginError // beside the field
	Checking                   bool       // a payment is under way, and is checked once the customer is known again
}

// LoginOverPage says that no further code is sent in this session.
type LoginOverPage struct {
	Layout
	CancelAction, CSRF string
}

// LoginCodePage asks for the one-time code. It posts code and csrf.
type LoginCodePage struct {
	Layout
	Action, CancelAction, CSRF string
	PhoneText                  string // where the code went, masked as it should be shown
	Good                       Good
	AgainAction                string // posts csrf to send another code; where it is empty the page says that no more are sent
	OtherAction                string // posts csrf to give another phone; not shown when empty
	Error                      LoginError
	Checking                   bool // as in LoginPhonePage
	AskRemember                bool // posts remember where it is ticked
}

// LoginError says what is wrong with the phone or the code.
type LoginError string

// What can be wrong with the phone or the code.
const (
	PhoneMissing LoginError = "phone_missing"
	PhoneInvalid LoginError = "phone_invalid"
	PhoneUnknown LoginError = "phone_unknown" // no such customer: another phone may be tried
	PhoneOther   LoginError = "phone_other"   // not the customer whose payment is under way
	PhoneMany    LoginError = "phone_many"    // too many phones were tried
	PhoneDown    LoginError = "phone_down"    // the gateway does not answer
	LoginStale   LoginError = "login_stale"   // the post did not come from a page of ours, or from one that is too old
	CodeMissing  LoginError = "code_missing"
	CodeWrong    LoginError = "code_wrong"
	CodeExpired  LoginError = "code_expired"
	CodeUsedUp   LoginError = "code_used_up" // too many wrong ones: another has to be sent
	CodeDown     LoginError = "code_down"    // the gateway does not answer
)

// Good is how long a code is good: until when, for browsers without script, and how long from now; not shown where Left is 0.
type Good struct {
	Until time.Time
	Left  time.Duration
}

// ScanPage shows a QR picture and a link that opens the bank's app, and waits like WaitPage.
//
// CSP: script-src 'self' and GuardHash, connect-src 'self', img-src 'self' data:.
type ScanPage struct {
	Layout
	PNG          []byte // the picture; not shown when empty
	Good         Good   // how long the code is good
	Over         bool   // it is no more: neither picture nor link are shown
	Link         string // https, or an app's own scheme; javascript:, data: and the like make a link that goes nowhere
	EventsURL    string
	Next         string
	CancelAction string
	CSRF         string
}

// SavedOfferPage stands before SavedCardsPage, for everybody: it shows nothing of the customer's. It posts csrf.
type SavedOfferPage struct {
	Layout
	Action, CancelAction, CSRF string
	NewCard                    string // the address of the card form
	Decline                    string // as in CardPage
	NotCharged                 bool
}

// SavedCardsPage lets the shopper choose a saved card or a new one. It posts card (SavedCard.ID, or "new") and csrf.
type SavedCardsPage struct {
	Layout
	Action, CancelAction, CSRF string
	Cards                      []SavedCard
	Chosen                     string     // SavedCard.ID of an earlier try; else the first is chosen
	AskCVC                     bool       // posts cvc too
	AskTo                      bool       // posts to_number too, the card that a transfer goes to
	Choice                     Choice     // posts card: one of Choice.Ways
	Errors                     CardErrors // CVC and To
	DeleteAction               string     // posts card and csrf to delete one; not offered when empty
	Decline                    string     // as in CardPage
	NotCharged                 bool
}

// SavedCard is one line of the choice.
type SavedCard struct {
	ID     string
	Brand  Brand
	Last4  string
	Expiry string // MM/YY, or empty
	Name   string // the customer's own for it, or empty
}

// StartPage begins a payment that needs no card here. It posts csrf, and phone where it is asked for.
//
// CSP: as CardPage.
type StartPage struct {
	Layout
	Action, CancelAction, CSRF string
	Hosted                     bool // on the gateway's own page; else in a bank's app
	AskPhone                   bool
	Phone                      string // kept from an earlier try
	Error                      LoginError
	AskSave                    bool   // as in CardPage
	Left                       int    // as in CardPage
	Decline                    string // as in CardPage
	NotCharged                 bool
	Choice                     Choice // posts way: one of Choice.Ways; asks for the phone in place of AskPhone
}
