package merchant_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tollgate/internal/merchant"
)

// book is a Book in memory, of one key.
type book struct {
	entry    *merchant.Entry
	effect   merchant.Effect
	err      error // of Insert
	takeErr  error
	beaten   bool // somebody else takes the claim over first
	takenOf  string
	released []merchant.Entry
	asked    time.Time
}

func (b *book) Insert(_ context.Context, e merchant.Entry, now time.Time) (*merchant.Entry, error) {
	if b.asked = now; b.err != nil {
		return nil, b.err
	}
	if b.entry != nil {
		old := *b.entry
		return &old, nil
	}
	b.entry = &e
	return nil, nil
}

func (b *book) TakeOver(_ context.Context, e merchant.Entry, old string) (merchant.Effect, bool, error) {
	b.takenOf = old
	if b.takeErr != nil || b.beaten || b.entry.Token != old {
		return merchant.Effect{}, false, b.takeErr
	}
	b.entry.Token, b.entry.LeaseUntil = e.Token, e.LeaseUntil
	return b.effect, true, nil
}

func (b *book) Answer(_ context.Context, e merchant.Entry, a merchant.Answer) error {
	if b.entry.Token != e.Token {
		return merchant.ErrClaimLost
	}
	b.entry.Answer = &a
	return nil
}

func (b *book) Release(_ context.Context, e merchant.Entry) error {
	b.released = append(b.released, e)
	b.entry = nil
	return nil
}

// wax seals readably.
type wax struct{ broken, unread bool }

func (w *wax) Seal(name string, v []byte) (string, error) {
	if w.broken {
		return "", errors.New("no key")
	}
	return fmt.Sprintf("%s:%x", name, v), nil
}

func (w *wax) Unseal(name, sealed string) ([]byte, error) {
	hex, ours := strings.CutPrefix(sealed, name+":")
	if !ours || w.broken || w.unread {
		return nil, errors.New("another key")
	}
	var v []byte
	_, err := fmt.Sscanf(hex, "%x", &v)
	return v, err
}

type counter byte

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		*c++
		p[i] = byte(*c)
	}
	return len(p), nil
}

func once() (merchant.Once, *book, *wax, *time.Time) {
	b, w, now := &book{}, &wax{}, time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	return merchant.Once{Book: b, Sealer: w, Now: func() time.Time { return now }, Rand: new(counter)}, b, w, &now
}

func begin(t *testing.T, o merchant.Once, request string) *merchant.Entry {
	t.Helper()
	claim, replay, err := o.Begin(t.Context(), "shop", "key", []byte(request))
	if err != nil || claim == nil || replay != nil {
		t.Fatalf("%+v, %+v, %v", claim, replay, err)
	}
	return claim
}

func TestARequestIsClaimedAnsweredAndAnsweredAgain(t *testing.T) {
	o, b, _, now := once()
	claim := begin(t, o, "request")
	if e := *b.entry; e.Merchant != "shop" || e.Key != "key" || e.Token != claim.Token || len(e.Token) != 32 || e.Salt == "" || len(e.Print) != 64 ||
		!e.LeaseUntil.Equal(now.Add(30*time.Second)) || !e.Until.Equal(now.Add(48*time.Hour)) || e.Effect != (merchant.Effect{}) || e.Answer != nil || !b.asked.Equal(*now) {
		t.Errorf("the claim is kept as %+v", e)
	}
	random := make([]byte, 48)
	new(counter).Read(random)
	if b.entry.Salt != fmt.Sprintf("idempotency:%x", random[:32]) || claim.Token != fmt.Sprintf("%x", random[32:]) {
		t.Errorf("32 random bytes are the salt, 16 others the token: %q, %q", b.entry.Salt, claim.Token)
	}
	if strings.Contains(fmt.Sprintf("%+v", *b.entry), "request") {
		t.Error("the request is kept")
	}
	body := []byte(`{"secret":"whsec"}`)
	if err := o.End(t.Context(), *claim, merchant.Answer{Status: 201, ContentType: "application/json", Location: "/x", Body: bytes.Clone(body)}); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(b.entry.Answer.Body, body) {
		t.Error("the answer is kept open")
	}
	*now = now.Add(time.Hour)
	again, replay, err := o.Begin(t.Context(), "shop", "key", []byte("request"))
	if err != nil || again != nil || replay.Status != 201 || replay.ContentType != "application/json" || replay.Location != "/x" || !bytes.Equal(replay.Body, body) {
		t.Errorf("%+v, %+v, %v", again, replay, err)
	}
	if _, _, err := o.Begin(t.Context(), "shop", "key", []byte("another")); !errors.Is(err, merchant.ErrKeyReused) {
		t.Errorf("another request under the key: %v", err)
	}
}

func TestAClaimIsAloneUntilItsLeaseIsOver(t *testing.T) {
	o, b, _, now := once()
	first := begin(t, o, "request")
	for _, wait := range []time.Duration{0, 30*time.Second - 1} {
		start := *now
		*now = now.Add(wait)
		if claim, replay, err := o.Begin(t.Context(), "shop", "key", []byte("request")); !errors.Is(err, merchant.ErrInFlight) || claim != nil || replay != nil {
			t.Errorf("after %s: %+v, %+v, %v", wait, claim, replay, err)
		}
		if _, _, err := o.Begin(t.Context(), "shop", "key", []byte("another")); !errors.Is(err, merchant.ErrKeyReused) {
			t.Errorf("another request after %s: %v", wait, err)
		}
		*now = start
	}
	*now, b.effect = now.Add(30*time.Second), merchant.Effect{Session: "cs_1", Operation: 2}
	second := begin(t, o, "request")
	if second.Token == first.Token || b.takenOf != first.Token || second.Effect != b.effect || !b.entry.LeaseUntil.Equal(now.Add(30*time.Second)) {
		t.Errorf("taken over as %+v, from %q", second, b.takenOf)
	}
	if err := o.End(t.Context(), *first, merchant.Answer{Status: 200}); !errors.Is(err, merchant.ErrClaimLost) {
		t.Errorf("whoever was taken for dead answers: %v", err)
	}
	*now, b.beaten = now.Add(30*time.Second), true
	if claim, _, err := o.Begin(t.Context(), "shop", "key", []byte("request")); !errors.Is(err, merchant.ErrInFlight) || claim != nil {
		t.Errorf("somebody else was faster: %+v, %v", claim, err)
	}
	b.takeErr = errors.New("database away")
	if claim, _, err := o.Begin(t.Context(), "shop", "key", []byte("request")); !errors.Is(err, b.takeErr) || claim != nil {
		t.Errorf("%+v, %v", claim, err)
	}
}

func TestOnlyAFinalAnswerIsKept(t *testing.T) {
	for status, final := range map[int]bool{
		0: false, 199: false, 200: true, 201: true, 204: true, 303: true, 400: true, 401: true, 404: true, 407: true, 408: false, 409: false, 410: true, 422: true,
		424: true, 425: false, 426: true, 428: true, 429: false, 430: true, 499: true, 500: false, 503: false,
	} {
		if merchant.Final(status) != final {
			t.Errorf("%d is final: %v", status, !final)
		}
		o, b, _, _ := once()
		claim := begin(t, o, "request")
		if err := o.End(t.Context(), *claim, merchant.Answer{Status: status}); err != nil {
			t.Fatal(err)
		}
		if kept, released := b.entry != nil && b.entry.Answer != nil, len(b.released) == 1 && b.released[0].Token == claim.Token; kept != final || released == final {
			t.Errorf("%d: kept %v, released %v", status, kept, released)
		}
	}
}

func TestAnIdempotencyKeyIsPrintableASCII(t *testing.T) {
	for key, good := range map[string]bool{
		"": false, "k": true, " ": true, "~": true, "\x1f": false, "\x7f": false, "é": false, "a\nb": false, strings.Repeat("k", 255): true, strings.Repeat("k", 256): false,
	} {
		o, b, _, _ := once()
		claim, _, err := o.Begin(t.Context(), "shop", key, nil)
		if good != (err == nil) || good != (claim != nil) || !good && !errors.Is(err, merchant.ErrIdempotencyKey) {
			t.Errorf("%.20q: %v", key, err)
		}
		if !good && b.entry != nil {
			t.Errorf("%.20q was kept", key)
		}
	}
}

func TestNoClaimIsMadeWithoutRandomnessOrStore(t *testing.T) {
	o, b, w, _ := once()
	w.broken = true
	if claim, _, err := o.Begin(t.Context(), "shop", "key", nil); err == nil || claim != nil || b.entry != nil {
		t.Errorf("without a key: %+v, %v", claim, err)
	}
	w.broken, b.err = false, errors.New("database away")
	if claim, _, err := o.Begin(t.Context(), "shop", "key", nil); !errors.Is(err, b.err) || claim != nil {
		t.Errorf("%+v, %v", claim, err)
	}
	b.err = nil
	away := o
	away.Rand = strings.NewReader("too short")
	if claim, _, err := away.Begin(t.Context(), "shop", "key", nil); err == nil || claim != nil || b.entry != nil {
		t.Errorf("without randomness: %+v, %v", claim, err)
	}
	claim := begin(t, o, "request")
	w.unread = true
	if claim, _, err := o.Begin(t.Context(), "shop", "key", []byte("request")); err == nil || errors.Is(err, merchant.ErrKeyReused) || claim != nil {
		t.Errorf("the request cannot be compared: %v", err)
	}
	w.broken, w.unread = true, false
	if _, _, err := o.Begin(t.Context(), "shop", "key", []byte("request")); err == nil || errors.Is(err, merchant.ErrKeyReused) {
		t.Errorf("the request cannot be compared: %v", err)
	}
	if err := o.End(t.Context(), *claim, merchant.Answer{Status: 200}); err == nil || b.entry.Answer != nil {
		t.Errorf("an answer that cannot be sealed: %v", err)
	}
	w.broken = false
	b.entry.Answer = &merchant.Answer{Status: 200, Body: []byte("another use:00")}
	if claim, replay, err := o.Begin(t.Context(), "shop", "key", []byte("request")); err == nil || claim != nil || replay != nil {
		t.Errorf("an answer that cannot be read: %+v, %+v, %v", claim, replay, err)
	}
}

// Without a source of its own a claim takes the system's: no two are the same.
func TestClaimsDiffer(t *testing.T) {
	o, b, _, _ := once()
	o.Rand = nil
	one := begin(t, o, "request")
	print, salt := b.entry.Print, b.entry.Salt
	b.entry = nil
	two := begin(t, o, "request")
	if one.Token == two.Token || print == b.entry.Print || salt == b.entry.Salt || strings.Contains(salt, one.Token) {
		t.Errorf("%+v and %+v", one, two)
	}
}

// Where no other process uses the book, the holder of a claim from before this process began is dead: nobody waits for its lease.
func TestAClaimOfAnEarlierProcessIsTakenOverAtOnce(t *testing.T) {
	for _, c := range []struct {
		name  string
		began time.Duration // this process, after the claim was made
		alone bool
		want  error
	}{
		{"an earlier process of one", time.Second, true, nil}, {"this very process", 0, true, merchant.ErrInFlight},
		{"this process, begun long ago", -time.Hour, true, merchant.ErrInFlight}, {"one of several", time.Second, false, merchant.ErrInFlight},
	} {
		o, _, _, now := once()
		begin(t, o, "request")
		*now = now.Add(time.Second)
		if c.alone {
			o.AloneSince = now.Add(c.began - time.Second)
		}
		if claim, _, err := o.Begin(t.Context(), "shop", "key", []byte("request")); !errors.Is(err, c.want) || (claim != nil) != (c.want == nil) {
			t.Errorf("%s: %+v %v", c.name, claim, err)
		}
	}
}
