// Package issuer is the sandbox's bank: the card table, and an access control server (ACS) that speaks EMV 3DS 2.1 to 2.3 and
// 3DS 1.0.2 to browsers. The simulated gateways stand for the 3DS Server and the directory server and call it directly.
package issuer

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
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
type Issuer struct {
	o   Options
	key []byte // signs PaRes

	mu     sync.Mutex
	emv    map[string]*transaction // by threeDSServerTransID and by acsTransID
	open   map[string]*transaction // by threeDSServerTransID: answered with C or D, no result yet
	legacy map[string]*payerAuth   // by xid and by our own id
	subs   []func(string, Result)
}

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
		&o.FirstCReq: 30 * time.Second, &o.Interaction: 10 * time.Minute, &o.Decoupled: 5 * time.Second, &o.LateMethod: 12 * time.Second,
	} {
		if *d == 0 {
			*d = otherwise
		}
	}
	i := &Issuer{o: o}
	i.forget()
	if err := i.load(); err != nil {
		return nil, err
	}
	return i, nil
}

func (i *Issuer) forget() {
	i.emv, i.open, i.legacy = map[string]*transaction{}, map[string]*transaction{}, map[string]*payerAuth{}
}

func (i *Issuer) load() error {
	j, oldest := i.o.Journal, i.o.Now().Add(-forget)
	err := j.Each(keyBucket, func(_ string, raw json.RawMessage) error { return json.Unmarshal(raw, &i.key) })
	if err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if len(i.key) == 0 {
		if err := i.newKey(); err != nil {
			return err
		}
	}
	err = j.Each(emvBucket, func(key string, raw json.RawMessage) error {
		t := &transaction{}
		if err := json.Unmarshal(raw, t); err != nil {
			return err
		}
		if t.Begun.Before(oldest) {
			return j.Delete(emvBucket, key)
		}
		i.remember(t)
		return nil
	})
	if err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	err = j.Each(legacyBucket, func(key string, raw json.RawMessage) error {
		p := &payerAuth{}
		if err := json.Unmarshal(raw, p); err != nil {
			return err
		}
		if p.Begun.Before(oldest) {
			return j.Delete(legacyBucket, key)
		}
		i.legacy[p.ID], i.legacy[p.Purchase.XID] = p, p
		return nil
	})
	if err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	return nil
}

func (i *Issuer) newKey() error {
	key := make([]byte, 32)
	if _, err := io.ReadFull(i.o.Rand, key); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	i.key = key
	return i.o.Journal.Put(keyBucket, "pares", key)
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

// random reads n bytes; the lock is held, because a test's reader need not be safe for concurrent use.
func (i *Issuer) random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(i.o.Rand, b); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	return b, nil
}

// uuid makes one of the version: 4 for the 3DS Server, 1 for the ACS, as real ones do.
func (i *Issuer) uuid(version byte) (string, error) {
	b, err := i.random(16)
	if err != nil {
		return "", err
	}
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

// proof makes an authentication value (CAVV): 20 bytes, 28 characters.
func (i *Issuer) proof() (string, error) {
	b, err := i.random(20)
	return base64.StdEncoding.EncodeToString(b), err
}

func (i *Issuer) sign(text string) string {
	m := hmac.New(sha256.New, i.key)
	m.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}
