package webhook

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// plain seals by binding to the name, so that a moved secret does not open; as some ciphers do, it seals in place.
type plain struct{}

func (plain) Seal(name string, v []byte) (string, error) {
	defer clear(v)
	return name + "|" + base64.StdEncoding.EncodeToString(v), nil
}

func (plain) Unseal(name, sealed string) ([]byte, error) {
	body, ok := strings.CutPrefix(sealed, name+"|")
	if !ok {
		return nil, errors.New("sealed for another")
	}
	return base64.StdEncoding.DecodeString(body)
}

// counting is a source of bytes that are all different.
type counting struct{ n byte }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		c.n++
		p[i] = c.n
	}
	return len(p), nil
}

func header(id string, sent time.Time, signature string) http.Header {
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(sent.Unix(), 10))
	h.Set("webhook-signature", signature)
	return h
}

func verify(t *testing.T, secret string, body []byte, h http.Header) error {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return w.Verify(body, h)
}

// The vector of the standard's own libraries.
func TestTheStandardsVectorIsMet(t *testing.T) {
	k, _, err := newKey(HMAC, "e", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", plain{}, &counting{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := sign([]Key{k}, "e", plain{}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), time.Time{})
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestBothSecretsPassWhileTheyOverlapAndTheOldNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random, body := &counting{}, []byte(`{"a":1}`)
		k, old, err := newKey(HMAC, "e", "", plain{}, random, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		keys := []Key{k}
		k, fresh, err := newKey(HMAC, "e", "", plain{}, random, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		keys = rotate(keys, k, time.Hour, time.Now())
		signed := func() http.Header {
			s, err := sign(keys, "e", plain{}, "evt_s_1", time.Now(), body, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return header("evt_s_1", time.Now(), s)
		}
		for _, secret := range []string{old.Reveal(), fresh.Reveal()} {
			if err := verify(t, secret, body, signed()); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Hour)
		if err := verify(t, old.Reveal(), body, signed()); !errors.Is(err, standardwebhooks.ErrNoMatchingSignature) {
			t.Errorf("the old secret after the overlap: %v", err)
		}
		if err := verify(t, fresh.Reveal(), body, signed()); err != nil {
			t.Error(err)
		}
	})
}

func TestAReplayAfterSixMinutesIsRejectedByTheReceiversLibrary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, secret, err := newKey(HMAC, "e", "", plain{}, &counting{}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		body := []byte(`{}`)
		s, err := sign([]Key{k}, "e", plain{}, "evt_s_1", time.Now(), body, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		h := header("evt_s_1", time.Now(), s)
		time.Sleep(4 * time.Minute)
		if err := verify(t, secret.Reveal(), body, h); err != nil {
			t.Errorf("after four minutes: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if err := verify(t, secret.Reveal(), body, h); !errors.Is(err, standardwebhooks.ErrMessageTooOld) {
			t.Errorf("after six minutes: %v", err)
		}
		// The time is signed as well: a newer one in its place does not help.
		h.Set("webhook-timestamp", strconv.FormatInt(time.Now().Unix(), 10))
		if err := verify(t, secret.Reveal(), body, h); !errors.Is(err, standardwebhooks.ErrNoMatchingSignature) {
			t.Errorf("with a newer time: %v", err)
		}
	})
}

func TestAnAsymmetricSignatureVerifiesWithThePublicKeyAlone(t *testing.T) {
	k, secret, err := newKey(Ed25519, "e", "", plain{}, &counting{}, time.Time{})
	if err != nil || secret.Reveal() != "" {
		t.Fatal(err, "an asymmetric key has no secret to show")
	}
	body, sent := []byte(`{"a":1}`), time.Unix(1614265330, 0)
	s, err := sign([]Key{k}, "e", plain{}, "evt_s_1", sent, body, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	text, okSig := strings.CutPrefix(s, "v1a,")
	public, okKey := strings.CutPrefix(k.Public, "whpk_")
	signature, err1 := base64.StdEncoding.DecodeString(text)
	key, err2 := base64.StdEncoding.DecodeString(public)
	if !okSig || !okKey || err1 != nil || err2 != nil || len(key) != ed25519.PublicKeySize {
		t.Fatalf("signature %s, key %s", s, k.Public)
	}
	if !ed25519.Verify(key, []byte(`evt_s_1.1614265330.{"a":1}`), signature) {
		t.Error("does not verify")
	}
}

func TestOfEachKindTwoKeysSignAtMost(t *testing.T) {
	now := time.Unix(1000, 0)
	random := &counting{}
	var keys []Key
	for i := range 4 {
		for _, kind := range []string{HMAC, Ed25519} {
			k, _, err := newKey(kind, "e", "", plain{}, random, now.Add(time.Duration(i)*time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			keys = rotate(keys, k, time.Hour, now.Add(time.Duration(i)*time.Minute))
		}
	}
	s, err := sign(keys, "e", plain{}, "id", now, nil, now.Add(4*time.Minute))
	if err != nil || len(keys) != 4 || strings.Count(s, "v1,") != 2 || strings.Count(s, "v1a,") != 2 {
		t.Errorf("%d keys sign %s, %v", len(keys), s, err)
	}
	for kind, want := range map[string]string{HMAC: "v1,", Ed25519: "v1a,"} {
		k, _, err := newKey(kind, "e", "", plain{}, random, now)
		if err != nil {
			t.Fatal(err)
		}
		s, err := sign(rotate(keys, k, 0, now), "e", plain{}, "id", now, nil, now.Add(5*time.Minute))
		if err != nil || strings.Count(s, want) != 1 { // without overlap the old one is gone at once
			t.Errorf("%s after a rotation without overlap: %s, %v", kind, s, err)
		}
	}
}

func TestShortAndMisspeltSecretsAreRefused(t *testing.T) {
	of := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, given := range []string{of(0), of(23), of(65), "whsec_", "x", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		var fault *Fault
		if _, _, err := newKey(HMAC, "e", given, plain{}, &counting{}, time.Time{}); !errors.As(err, &fault) || fault.Field != "secret" {
			t.Errorf("%q: %v", given, err)
		}
	}
	for _, n := range []int{24, 32, 64} {
		k, shown, err := newKey(HMAC, "e", of(n), plain{}, &counting{}, time.Time{})
		if err != nil || shown.Reveal() != of(n) {
			t.Errorf("%d bytes: %v, %v", n, k, err)
		}
	}
	// A short one that got into the store all the same does not sign.
	short, err := plain{}.Seal(SealName("e"), []byte("short"))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := sign([]Key{{Kind: HMAC, Sealed: short}}, "e", plain{}, "id", time.Time{}, nil, time.Time{}); err == nil {
		t.Errorf("signed %s", s)
	}
}

func TestASecretMovedToAnotherEndpointDoesNotOpen(t *testing.T) {
	k, _, err := newKey(HMAC, "e", "", plain{}, &counting{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sign([]Key{k}, "other", plain{}, "id", time.Time{}, nil, time.Time{}); err == nil {
		t.Error("another endpoint's key signed")
	}
	if _, err := sign(nil, "e", plain{}, "id", time.Time{}, nil, time.Time{}); err == nil {
		t.Error("signed without a key")
	}
}

func TestASecretDoesNotPrintItself(t *testing.T) {
	_, secret, err := newKey(HMAC, "e", "", plain{}, &counting{}, time.Time{})
	if err != nil || len(secret.Reveal()) < 40 {
		t.Fatal(err)
	}
	shown := Shown{Secret: secret}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb, secret, shown, &shown)
	}
	if err := json.NewEncoder(&out).Encode(shown); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", secret, "shown", shown)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", secret, "shown", shown)
	for _, leak := range []string{secret.Reveal(), strings.TrimPrefix(secret.Reveal(), "whsec_"), fmt.Sprintf("%x", secret.Reveal())} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("leaked in %s", out.String())
		}
	}
}

// Where a sealing key is lost for good, a merchant's rotation is the cure: it must not wait for the end of the overlap.
func TestAReplacedSecretThatCannotBeReadDoesNotStopDeliveries(t *testing.T) {
	now := time.Now()
	lost, _, err := newKey(HMAC, "another", "", plain{}, &counting{}, now)
	if err != nil {
		t.Fatal(err)
	}
	fresh, _, err := newKey(HMAC, "e", "", plain{}, &counting{}, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sign([]Key{lost}, "e", plain{}, "id", now, nil, now); err == nil {
		t.Error("signed without its secret")
	}
	if s, err := sign(rotate([]Key{lost}, fresh, time.Hour, now), "e", plain{}, "id", now, nil, now); err != nil || strings.Count(s, "v1,") != 1 {
		t.Errorf("%q, %v", s, err)
	}
}
