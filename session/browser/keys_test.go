package browser_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/securecookie"

	"tollgate/session/browser"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, browser.KeySize) }

func keys(t *testing.T, all ...[]byte) *browser.Keys {
	t.Helper()
	k, err := browser.NewKeys(all...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWhatIsSealedOpensUnderItsNameOnly(t *testing.T) {
	k := keys(t, key(1))
	v := []byte("run-token")
	sealed, err := k.Seal("threeds", v)
	if err != nil {
		t.Fatal(err)
	}
	if string(v) != "run-token" {
		t.Errorf("sealing changed its input to %q", v)
	}
	if got, err := k.Unseal("threeds", sealed); err != nil || string(got) != "run-token" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := k.Unseal("answer", sealed); !errors.Is(err, browser.ErrSeal) {
		t.Errorf("opened under another name: %v", err)
	}
}

// threeDSSessionData is base64url without padding, under 1024 bytes (EMV 3DS 2.2 §5.8.2).
func TestASealedRunTokenFitsThreeDSSessionData(t *testing.T) {
	sealed, err := keys(t, key(1)).Seal("threeds", []byte(strings.Repeat("t", 27)))
	if err != nil || len(sealed) >= 1024 || strings.ContainsAny(sealed, "=+/") {
		t.Errorf("%d bytes %q, %v", len(sealed), sealed, err)
	}
}

func TestRotationOpensWhatOlderKeysSealed(t *testing.T) {
	old := keys(t, key(1))
	sealed, err := old.Seal("n", []byte("v"))
	if err != nil {
		t.Fatal(err)
	}
	rotated := keys(t, key(2), key(1))
	if got, err := rotated.Unseal("n", sealed); err != nil || string(got) != "v" {
		t.Errorf("%q, %v", got, err)
	}
	fresh, err := rotated.Seal("n", []byte("v"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Unseal("n", fresh); !errors.Is(err, browser.ErrSeal) {
		t.Errorf("the newest key did not seal: %v", err)
	}
	if _, err := keys(t, key(2)).Unseal("n", sealed); !errors.Is(err, browser.ErrSeal) {
		t.Errorf("a dropped key still opens: %v", err)
	}
}

func TestChangedAndForeignValuesDoNotOpen(t *testing.T) {
	k := keys(t, key(1))
	sealed, err := k.Seal("n", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		changed := []byte(sealed)
		if changed[i] == 'A' {
			changed[i] = 'B'
		} else {
			changed[i] = 'A'
		}
		if v, err := k.Unseal("n", string(changed)); err == nil && string(v) != "value" {
			t.Fatalf("byte %d changed and it opens as %q", i, v)
		}
	}
	for _, foreign := range []string{"", "2275084971", "e30", strings.Repeat("A", 600<<10), "not base64 at all", sealed + "="} {
		if _, err := k.Unseal("n", foreign); !errors.Is(err, browser.ErrSeal) {
			t.Errorf("%.20q: %v", foreign, err)
		}
	}
}

func TestKeysOfAnotherLengthAndKeysOfZerosAreRefused(t *testing.T) {
	for _, all := range [][][]byte{nil, {key(1)[:32]}, {key(1), nil}, {key(0)}, {key(1), key(0)}} {
		if _, err := browser.NewKeys(all...); err == nil {
			t.Errorf("%d keys were taken", len(all))
		}
	}
}

func TestASealedValueSaysWithWhichKeyAndOlderOnesWithoutThatStillOpen(t *testing.T) {
	k := keys(t, key(2), key(1))
	sealed, err := k.Seal("n", []byte("v"))
	if err != nil {
		t.Fatal(err)
	}
	if id := browser.SealedWith(sealed); id != browser.KeyID(key(2)) || id != k.ID() || len(id) != 7 || !slices.Equal(k.IDs(),
		[]string{id, browser.KeyID(key(1))}) {
		t.Errorf("sealed with %q, the keys are %q", id, k.IDs())
	}
	for _, old := range [][]byte{key(1), key(2)} { // as it was sealed before values had the id
		codec := securecookie.New(old[:32], old[32:]).MaxAge(0).MaxLength(0).SetSerializer(securecookie.NopEncoder{})
		plain, err := codec.Encode("n", []byte("v"))
		if err != nil {
			t.Fatal(err)
		}
		plain = strings.TrimRight(plain, "=")
		if got, err := k.Unseal("n", plain); err != nil || string(got) != "v" || browser.SealedWith(plain) != "" {
			t.Errorf("%q, %v, sealed with %q", got, err, browser.SealedWith(plain))
		}
	}
	if _, err := base64.RawURLEncoding.DecodeString(sealed); err != nil {
		t.Errorf("it is not base64url as a whole: %v", err)
	}
}

func TestAFingerprintWithAKeyOfItsOwnStaysWhenTheSealingKeyIsDropped(t *testing.T) {
	before, after := keys(t, key(1)), keys(t, key(2))
	after.SetPrintKey(before.PrintKey())
	if after.Fingerprint([]byte("4000019900020720")) != before.Fingerprint([]byte("4000019900020720")) {
		t.Error("it changed")
	}
}

func TestAFingerprintStaysThroughARotationAndIsNoPlainHash(t *testing.T) {
	value := []byte("4000019900020720")
	first := keys(t, key(1)).Fingerprint(value)
	if keys(t, key(2), key(1)).Fingerprint(value) != first {
		t.Error("a new key in front changes it")
	}
	if keys(t, key(2)).Fingerprint(value) == first || keys(t, key(1)).Fingerprint([]byte("4000019900020738")) == first {
		t.Error("another key or another value has the same")
	}
	if plain := sha256.Sum256(value); len(first) != 32 || strings.HasPrefix(hex.EncodeToString(plain[:]), first) {
		t.Errorf("it is %s", first)
	}
}

// The bubble does not end before its goroutines do.
func TestBrowserSessionsStartNoGoroutine(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		browser.New(nil, true, time.Now, nil, nil)
	})
}
