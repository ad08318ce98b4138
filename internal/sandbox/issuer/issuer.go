// Package issuer is the sandbox's bank: the card table, and an access control server (ACS) that speaks EMV 3DS 2.1 to 2.3 and
// 3DS 1.0.2 to browsers. The simulated gateways stand for the 3DS Server and the directory server and call it directly.
package issuer

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"tollgate/internal/sandbox/journal"
)

// Errors that gateways may want to tell apart; they come wrapped with the reason.
var (
	ErrUnknown     = errors.New("issuer: no such transaction")
	ErrNotEnrolled = errors.New("issuer: the card has no such 3-D Secure")
	ErrRefused     = errors.New("issuer: message refused")
)

// Options of an issuer. BaseURL is the only one that must be set.
type Options struct {
	BaseURL string           // where browsers reach the sandbox, without trailing slash: http://localhost:8081
	Now     func() time.Time // default time.Now
	Journal *journal.Journal // default: memory only
	Rand    io.Reader        // default crypto/rand
	// FirstCReq is how long after the ARes the first CReq may come (30 s); Interaction how long the cardholder may take for each
	// step (10 min); Decoupled when the cardholder confirms in the app (5 s); all three by Now. LateMethod is how long the late
	// Method page is held (12 s), by real time.
	FirstCReq, Interaction, Decoupled, LateMethod time.Duration
}

const (
	emvBucket    = "acs.emv"
	legacyBucket = "acs.legacy"
	keyBucket    = "acs.key"
	forget       = 7 * 24 * time.Hour // older transactions are dropped at start
)

// Issuer is safe for concurrent use.
type Issuer struct{ records }

// New loads the transactions from the journal.
func New(o Options) (*Issuer, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Journal == nil {
		o.Journal, _ = journal.Open("") // memory does not fail
	}
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	for d, otherwise := range map[*time.Duration]time.Duration{
		&o.FirstCReq: 30 * time.Second, &o.Interaction: 10 * time.Minute, &o.Decoupled: 5 * time.Second,
		&o.LateMethod: 12 * time.Second,
	} {
		if *d == 0 {
			*d = otherwise
		}
	}
	i := &Issuer{records{o: o}}
	i.forget()
	if err := i.load(); err != nil {
		return nil, err
	}
	return i, nil
}

// Reset forgets every transaction and the signing key; subscribers stay.
func (i *Issuer) Reset() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.forget()
	for _, b := range []string{emvBucket, legacyBucket} {
		err := i.o.Journal.Each(b, func(key string, _ json.RawMessage) error { return i.o.Journal.Delete(b, key) })
		if err != nil {
			return fmt.Errorf("issuer: %w", err)
		}
	}
	return i.newKey()
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}
