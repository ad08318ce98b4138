package merchant

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// How long things are kept under an idempotency key.
const (
	AnswersKept = 48 * time.Hour   // an answer, from the first request on
	ClaimLease  = 30 * time.Second // a claim whose process is silent; no request works longer than that
)

// What can be wrong with a request that carries an idempotency key.
var (
	ErrIdempotencyKey = errors.New("merchant: an idempotency key is 1 to 255 printable ASCII characters")
	ErrKeyReused      = errors.New("merchant: the idempotency key belongs to another request")
	ErrInFlight       = errors.New("merchant: the request with this idempotency key is under way")
	ErrClaimLost      = errors.New("merchant: the claim was taken over by another process")
)

// Entry is what a book keeps under one key of one merchant.
type Entry struct {
	Merchant, Key string
	Token         string    // whose claim it is; every taker has another
	Salt          string    // sealed: who has the database alone cannot guess at requests, which may hold card numbers
	Print         string    // HMAC-SHA256 of the request under the salt, hex
	LeaseUntil    time.Time // when an unanswered claim may be taken over
	Until         time.Time // when all is forgotten
	Effect        Effect    // what was done under the claim, written in the transaction that did it
	Answer        *Answer   // nil until there is one
}

// Effect is what a claim's request changed. The zero value is nothing yet.
type Effect struct {
	Session   string
	Operation int // the session's newest operation by then; 0: none
}

// Answer is an HTTP answer as it is replayed.
type Answer struct {
	Status                int
	ContentType, Location string
	Body                  []byte // sealed where a Book keeps it: a webhook's secret is told in an answer, once
}

// Book keeps entries where every machine sees them.
type Book interface {
	// Insert writes a new entry, or answers the one that has its place. An entry whose Until is over by now has none.
	Insert(ctx context.Context, e Entry, now time.Time) (taken *Entry, err error)
	// TakeOver gives an unanswered entry another token and lease, if its token still is old; with its Effect as it is then.
	TakeOver(ctx context.Context, e Entry, old string) (Effect, bool, error)
	// Answer stores the answer. ErrClaimLost where the token is another by now.
	Answer(ctx context.Context, e Entry, a Answer) error
	// Release frees a claim that ends without an answer: forgotten where nothing was done under it, else for the next to
	// take over.
	Release(ctx context.Context, e Entry) error
}

// Sealer seals what only Tollgate may read.
type Sealer interface {
	Seal(name string, v []byte) (string, error)
	Unseal(name, sealed string) ([]byte, error)
}

// Once lets a merchant's request happen once, whatever the network repeats.
//
// The claim is a row that is written before the request is worked on. What the request changes is marked in that row in
// the transaction that changes it, and only while the claim is still held: so a process that was taken for dead can do
// nothing any more, and whoever takes the claim over knows exactly whether something was done.
type Once struct {
	Book   Book
	Sealer Sealer
	Now    func() time.Time
	Rand   io.Reader // nil: crypto/rand

	// AloneSince is when this process began, where no other uses the book: whoever holds an earlier claim is dead. Zero where
	// others may.
	AloneSince time.Time
}

// dead tells whether the process that holds a claim is surely dead.
func (o Once) dead(e *Entry) bool {
	return !o.AloneSince.IsZero() && e.LeaseUntil.Before(o.AloneSince.Add(ClaimLease))
}

// The names under which is sealed what a Book keeps.
const (
	SaltSeal   = "idempotency"
	AnswerSeal = "idempotency answer"
)

// Begin claims the key for a request, or answers what the first one was answered. The claim's Effect is what an earlier
// holder did before its process died.
func (o Once) Begin(ctx context.Context, merchant, key string, request []byte) (claim *Entry, replay *Answer, err error) {
	if key == "" || len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, nil, ErrIdempotencyKey
	}
	random := o.Rand
	if random == nil {
		random = rand.Reader
	}
	var b [48]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, nil, err
	}
	salt, now := b[:32], o.Now()
	e := Entry{
		Merchant: merchant, Key: key, Token: hex.EncodeToString(b[32:]), Print: print(salt, request),
		LeaseUntil: now.Add(ClaimLease), Until: now.Add(AnswersKept),
	}
	if e.Salt, err = o.Sealer.Seal(SaltSeal, salt); err != nil {
		return nil, nil, err
	}
	taken, err := o.Book.Insert(ctx, e, now)
	if err != nil {
		return nil, nil, err
	}
	if taken == nil {
		return &e, nil, nil
	}
	if salt, err = o.Sealer.Unseal(SaltSeal, taken.Salt); err != nil {
		return nil, nil, fmt.Errorf("merchant: a stored request cannot be compared, its sealing key is gone: %w", err)
	}
	switch {
	case !hmac.Equal([]byte(print(salt, request)), []byte(taken.Print)):
		return nil, nil, ErrKeyReused
	case taken.Answer != nil:
		if taken.Answer.Body, err = o.Sealer.Unseal(AnswerSeal, string(taken.Answer.Body)); err != nil {
			return nil, nil, fmt.Errorf("merchant: a stored answer cannot be read, its sealing key is gone: %w", err)
		}
		return nil, taken.Answer, nil
	case taken.LeaseUntil.After(now) && !o.dead(taken):
		return nil, nil, ErrInFlight
	}
	effect, ok, err := o.Book.TakeOver(ctx, e, taken.Token)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, ErrInFlight
	}
	e.Effect = effect
	return &e, nil, nil
}

// End stores a final answer. Others free the claim: 5xx say nothing of the request, and 408, 409, 425, 429 say "not now",
// so that the same request may come again.
func (o Once) End(ctx context.Context, claim Entry, a Answer) error {
	if !Final(a.Status) {
		return o.Book.Release(ctx, claim)
	}
	sealed, err := o.Sealer.Seal(AnswerSeal, a.Body)
	if err != nil {
		return err
	}
	a.Body = []byte(sealed)
	return o.Book.Answer(ctx, claim, a)
}

// Final tells whether an answer of this status is stored.
func Final(status int) bool {
	switch status {
	case 408, 409, 425, 429:
		return false
	}
	return status >= 200 && status < 500
}

func print(salt, request []byte) string {
	m := hmac.New(sha256.New, salt)
	m.Write(request)
	return hex.EncodeToString(m.Sum(nil))
}
