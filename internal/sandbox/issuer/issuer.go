// Package issuer is the sandbox's bank: the card table, and an access control server (ACS) that speaks EMV 3DS 2.1-2.3 and
// 3DS 1.0.2 to browsers as facts about real ones have it. The simulated gateways stand for 3DS Server and directory server and
// call it directly.
package issuer

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"tollgate/internal/sandbox/journal"
)

// Errors that gateways may want to tell apart.
var (
	ErrUnknown     = errors.New("issuer: no such transaction")  // Erro 301
	ErrNotEnrolled = errors.New("issuer: card has no such 3DS") // Erro 305
	ErrRefused     = errors.New("issuer: message refused")      // wrapped with the reason
)

// Options of an issuer. BaseURL is the only one that must be set.
type Options struct {
	BaseURL string           // where the sandbox is reached, without trailing slash: http://localhost:8081
	Now     func() time.Time // default time.Now
	Journal *journal.Journal // default: memory only
	Rand    io.Reader        // default crypto/rand
	// FirstCReq is how long after the ARes the first CReq may come (30 s); Interaction how long the cardholder may take
	// (10 min); Decoupled when the cardholder confirms in the app (5 s); all by Now. LateMethod is how long a late Method page
	// is held (12 s), by real time.
	FirstCReq, Interaction, Decoupled, LateMethod time.Duration
}

// Issuer is safe for concurrent use.
type Issuer struct {
	o  Options
	mu sync.Mutex
}

// New loads the transactions from the journal.
func New(o Options) (*Issuer, error) {
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	return &Issuer{o: o}, nil
}

// Handler serves /acs/…; it expects the full path.
func (i *Issuer) Handler() http.Handler { return http.NotFoundHandler() }

// Auth is what the 3DS Server knows before the AReq.
type Auth struct {
	ServerTransID, ACSTransID, Version string
	MethodURL                          string // "" when the card range has none (threeDSCompInd U)
}

// Begin opens an authentication for a card with EMV 3DS. mandate is the second run after a soft decline: a challenge is certain.
func (i *Issuer) Begin(c Card, mandate bool) (Auth, error) { return Auth{}, ErrNotEnrolled }

// MethodSeen tells when the browser first opened the card's Method page.
func (i *Issuer) MethodSeen(serverTransID string) (time.Time, bool) { return time.Time{}, false }

// AReq is the authentication request.
type AReq struct {
	ServerTransID   string
	CompInd         string            // Y N U
	NotificationURL string            // where CRes and Erro go
	Browser         map[string]string // by EMV element name (browserColorDepth, …); nil is not checked
	Amount          int64             // minor units
	Currency        string            // ISO 4217 letters
	WindowSize      string            // challengeWindowSize, default "05"
}

// ARes is the authentication response.
type ARes struct {
	TransStatus, TransStatusReason string
	ACSURL, CReq                   string // with C; CReq is base64url without padding
	CardholderInfo                 string // text the requestor must show
	ECI, AuthenticationValue       string
	Version                        string
	Timeout                        bool // the directory server never answered; nothing else is set
}

// Authenticate answers the AReq. A repeated one gets the first answer. A soft card is authenticated (Y): its bank asks for more
// at authorization.
func (i *Issuer) Authenticate(a AReq) (ARes, error) { return ARes{}, ErrUnknown }

// Result is what the 3DS Server learned from the RReq, or from the ARes where there is no challenge.
type Result struct {
	TransStatus, TransStatusReason, ECI, AuthenticationValue string
	ChallengeCancel                                          string
	Done                                                     bool
}

// Result answers for a transaction; time limits are applied first. Not Done means that the challenge still runs.
func (i *Issuer) Result(serverTransID string) (Result, error) { return Result{}, ErrUnknown }

// OnResult subscribes to results of challenges and decoupled authentications. Subscribers are called after the result is durable
// and before the CRes goes out, without locks held. After a restart ask Result for what is open: nobody calls again.
func (i *Issuer) OnResult(f func(serverTransID string, r Result)) {}

// CheckCRes refuses a cres that is not, byte for byte, one this issuer gave the browser for the transaction.
func (i *Issuer) CheckCRes(serverTransID, cres string) error { return ErrRefused }

// Sweep ends the transactions whose time is over. Call it every second or so, and when the clock was moved.
func (i *Issuer) Sweep() {}

// Reset forgets every transaction. Subscribers stay.
func (i *Issuer) Reset() {}

// Purchase is what a PaReq says.
type Purchase struct {
	XID          string // 28 characters, base64 of 20 bytes; see NewXID
	MerchantName string
	Amount       int64  // minor units
	Currency     string // ISO 4217 digits or letters
	Exponent     int
}

// NewXID makes a transaction id of 3DS 1.0.2.
func (i *Issuer) NewXID() string { return "" }

// PaReq opens a 3DS 1.0.2 authentication: the address of the ACS and the message, deflated (zlib) and in standard base64.
func (i *Issuer) PaReq(c Card, p Purchase) (acsURL, paReq string, err error) {
	return "", "", ErrNotEnrolled
}

// PaRes is a verified payer authentication response.
type PaRes struct {
	XID, Status string // Y A N U
	ECI, CAVV   string
}

// CheckPaRes verifies the message's own signature and that this issuer gave exactly these bytes to a browser.
func (i *Issuer) CheckPaRes(paRes string) (PaRes, error) { return PaRes{}, ErrRefused }
