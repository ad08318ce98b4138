package providers

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
)

// The abilities below are small and optional: found by type assertion, then narrowed by the account's options. Calls
// that change something carry our reference, so that a repeat is recognised where the gateway can.

// InstrumentLister says what can be paid with beyond a card: qr, sberpay, hosted. Saved cards follow from CardKeeper.
type InstrumentLister interface {
	Instruments() []string
}

// Login is for gateways that need the customer before the card. It belongs to the session, before any attempt; the
// credential is sealed at rest by the wallet, per account and customer. None of its calls moves money.
type Login interface {
	// FindCustomer names the gateway's customer of a phone (digits, country code first). ErrNoCustomer where it has none.
	FindCustomer(ctx context.Context, phone string) (customer string, err error)
	// SendCode has a one-time code sent; the challenge goes with the code to Exchange. It ends an earlier one's life.
	SendCode(ctx context.Context, customer string) (challenge string, err error)
	// Exchange turns challenge and code into a credential; it revokes the customer's earlier one. ErrWrongCode.
	Exchange(ctx context.Context, challenge, code string) (Credential, error)
	// CodeLife is how long a code is good.
	CodeLife() time.Duration
}

// Credential is the token with which the gateway lets us act for a logged-in customer.
type Credential struct {
	Token     Secret
	ExpiresAt time.Time
}

// What a login can be answered.
var (
	ErrNoCustomer = errors.New("providers: no such customer")
	ErrWrongCode  = errors.New("providers: the code is wrong or too old")
	// ErrCredential says that the customer's credential is refused: nothing was taken, log in again.
	ErrCredential = errors.New("providers: the credential is refused")
)

// Owner is whose saved cards are meant: the merchant's id of the customer, and the credential where the gateway has logins.
type Owner struct {
	CustomerID string
	Credential Secret
}

// SavedCard is a card that the gateway keeps.
type SavedCard struct {
	ID     string      // the gateway's: bindingId, card-ref-id, registrationId, token
	Card   card.Masked // as far as the gateway says
	Expiry string      // MM/YY, or ""
	Name   string      // the customer's own name for it
	Active bool

	Kind     string // the gateway's word for what it is, such as VIRTUAL_CARD
	System   string // the payment system, in the gateway's word
	IssuedAt time.Time
	Info     string // what else it says of the card: a JSON object of texts; "" for nothing
}

// CardKeeper keeps cards.
type CardKeeper interface {
	// Cards lists an owner's saved cards. A gateway that cannot list answers errors.ErrUnsupported: we keep the list.
	Cards(ctx context.Context, o Owner) ([]SavedCard, error)
	// Remember names the card that a good payment with SaveCard saved; asked once, after the payment.
	Remember(ctx context.Context, p Payment, s Standing) (SavedCard, error)
	// Forget deletes a saved card. Forgetting one that is gone is no error.
	Forget(ctx context.Context, o Owner, reference, id string) error
	// AsksCode tells whether a payment with a saved card needs the CVC.
	AsksCode() bool
}

// ErrNoCard says that the gateway keeps no such card, in its own words.
var ErrNoCard = errors.New("providers: no such saved card")

// CardChecker tells of one saved card, where there is no list.
type CardChecker interface {
	// CheckCard is ErrNoCard for one that the gateway does not keep.
	CheckCard(ctx context.Context, o Owner, id string) (SavedCard, error)
}

// SeriesKeeper is a gateway whose charges without the customer name the payment that began their series.
type SeriesKeeper interface {
	// KeepsSeries is an option of the account.
	KeepsSeries() bool
}

// CardRegistrar saves a card without a payment.
type CardRegistrar interface {
	RegisterCard(ctx context.Context, o Owner, reference string, c card.Card, p Payment) (SavedCard, error)
}

// CardRenamer gives a saved card a name.
type CardRenamer interface {
	RenameCard(ctx context.Context, o Owner, reference, id, name string) error
}

// VirtualCardIssuer makes a virtual card of the customer's.
type VirtualCardIssuer interface {
	IssueVirtualCard(ctx context.Context, o Owner, reference string) (SavedCard, error)
}

// Invoice is a bill with a page of the gateway's own.
type Invoice struct {
	Reference   string
	GatewayID   string
	Amount      money.Amount
	Description string
	Customer    Customer
	ReturnURL   string
	CallbackURL string
	URL         string // where it is paid
	Status      Outcome
}

// Invoicer bills.
type Invoicer interface {
	CreateInvoice(ctx context.Context, in Invoice) (Invoice, error)
	RenewInvoice(ctx context.Context, in Invoice) (Invoice, error) // a new address for an old bill
	InquireInvoice(ctx context.Context, in Invoice) (Invoice, error)
}

// HistoryQuery chooses from the gateway's own list of transactions.
type HistoryQuery struct {
	From, To   time.Time
	Owner      Owner
	AccountID  string // the gateway's shop number, where its list wants one; "" takes the account's
	Status     string // the gateway's word; "" for all
	Kinds      string // the gateway's words, separated by commas; "" for all
	Everywhere bool   // a customer's list: with what they did at other merchants
	Limit      int    // at most 100; the same in every call of one list
	After      string // where the list goes on: what the call before gave as next; "" at the beginning
}

// HistoryLine is one transaction as the gateway lists it.
type HistoryLine struct {
	Reference string
	OrderID   string
	At        time.Time
	Kind      string // payment, transfer, payout, refund, other
	Outcome   Outcome
	Amount    money.Amount
	Card      card.Masked

	Authorization Authorization
	Partner       Partner

	Held, Captured, Refunded int64 // where Stated
	Stated                   bool  // the list itself tells the sums
}

// Partner is the merchant with whom a customer did something, as the gateway tells it.
type Partner struct{ Login, Info string }

// Historian lists what the gateway remembers.
type Historian interface {
	// History is a part of the list, at most Limit lines, and where the rest begins; next is "" at the end. A part may have few
	// lines, or none, though more follow. It costs one request of the gateway, as far as its list can be entered there.
	History(ctx context.Context, q HistoryQuery) (lines []HistoryLine, next string, err error)
}

// Cursor is a place in a gateway's list as HistoryQuery.After has it.
func Cursor(places ...int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(places), " ", "."), "[]")
}

// Places reads a Cursor of so many places, all 0 for "". An error is a *Refusal.
func (q HistoryQuery) Places(n int) ([]int, error) {
	places := make([]int, n)
	if q.After == "" {
		return places, nil
	}
	parts := strings.Split(q.After, ".")
	if len(parts) != n {
		return nil, Refuse("after", "must be what an earlier answer gave as next")
	}
	for i, part := range parts {
		v, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return nil, Refuse("after", "must be what an earlier answer gave as next")
		}
		places[i] = int(v)
	}
	return places, nil
}

// Instruments names everything that a provider's payments can be made with.
func Instruments(p Provider) []string {
	all := []string{"card"}
	if _, ok := p.(CardKeeper); ok {
		all = append(all, "saved_card")
	}
	if l, ok := p.(InstrumentLister); ok {
		all = append(all, l.Instruments()...)
	}
	return all
}

// Bank can take a payout.
type Bank struct{ ID, Name string }

// BankLister lists the banks that payouts can go to.
type BankLister interface {
	Banks(ctx context.Context) ([]Bank, error)
}

// Transferrer moves money from the customer's card to another card: Pay with Payment.Transfer set.
type Transferrer interface {
	// TransfersTo says what a transfer can go to: card, saved_card (a virtual card is one).
	TransfersTo() []string
}

// Destination is where a payout or a transfer goes. Exactly one of Card, Saved, Phone and PaymentID is set, but that Phone may
// stand beside Card: it is the card holder's then.
type Destination struct {
	Card                *card.Card // number, and where the gateway wants it the holder; in memory only
	Saved               string     // saved or virtual card
	Phone               string     // fast payments: phone and bank
	BankID              string
	First, Middle, Last string
	PaymentID           string // the gateway's id of an earlier payment, where payouts go back to its card
}

// Payer sends payouts. Like every call that moves money they go through the call book: an error means unknown.
type Payer interface {
	// CheckPayout refuses at creation what the gateway cannot pay out, beside what Check refuses. It makes no network call. The
	// error is a *Refusal whose field is the payout's: to.phone, to.bank_id, to.card.number, …
	CheckPayout(p Payment, to Destination) error
	Payout(ctx context.Context, p Payment, to Destination) (OpResult, error)
	InquirePayout(ctx context.Context, p Payment, r OpResult) (OpResult, error)
}

// GooglePay is the instrument of a payment with a token of Google Pay, which the merchant's app brings by the API. The token travels as a
// sealed card: in memory only.
const GooglePay = "google_pay"

// GooglePayer is a gateway that takes tokens of Google Pay. Check with that instrument refuses what it cannot do with one.
type GooglePayer interface {
	TakesGooglePay() bool // a setting of the account
	// CheckGoogleToken refuses what is no token, without a network call.
	CheckGoogleToken(token string) error
}

// CardSealer is a gateway for which the shopper's browser may encrypt the card, so that our server sees no number. Pay without a card
// then answers with AskCard, and the card comes sealed.
type CardSealer interface {
	SealsCards() bool // a setting of the account
	SealingKey(ctx context.Context) (*rsa.PublicKey, error)
}
