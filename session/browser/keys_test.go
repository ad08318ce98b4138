package browser_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
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

// Sealed values come from outside: what is longer than anything that is sealed here is not looked into.
func TestWhatIsSealedHasABound(t *testing.T) {
	k := keys(t, key(1))
	length := func(n int) (sealed string, v []byte) {
		v = bytes.Repeat([]byte{1}, n)
		sealed, err := k.Seal("n", v)
		if err != nil {
			t.Fatal(err)
		}
		return sealed, v
	}
	shorter, longer := 0, 0
	for n := 294840; n < 294900; n++ {
		sealed, v := length(n)
		got, err := k.Unseal("n", sealed)
		if fits := len(sealed) <= 512<<10; fits != (err == nil) || fits && !bytes.Equal(got, v) {
			t.Fatalf("%d bytes, sealed %d: %v", n, len(sealed), err)
		} else if fits {
			shorter = len(sealed)
		} else if longer = len(sealed); longer > 0 {
			break
		}
	}
	if shorter == 0 || longer == 0 || longer-shorter > 8 {
		t.Errorf("opened %d, refused %d: the bound is not between them", shorter, longer)
	}
}

// A key is two halves of 32 bytes: one signs, one encrypts. What older versions sealed stays readable.
func TestWhatAnOlderVersionSealedOpens(t *testing.T) {
	halves := append(bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)...)
	if browser.KeySize != 64 {
		t.Errorf("a key has %d bytes", browser.KeySize)
	}
	old := securecookie.New(halves[:32], halves[32:]).MaxAge(0).MaxLength(0).SetSerializer(securecookie.NopEncoder{})
	for n := range 9 { // whatever padding was cut off
		v := bytes.Repeat([]byte{'v'}, n+1)
		sealed, err := old.Encode("n", bytes.Clone(v)) // the library encrypts in place
		if err != nil {
			t.Fatal(err)
		}
		if got, err := keys(t, halves).Unseal("n", strings.TrimRight(sealed, "=")); err != nil || !bytes.Equal(got, v) {
			t.Errorf("%d bytes: %q, %v", n+1, got, err)
		}
	}
}

// Padding was cut off when it was sealed: what comes with it again is not what left.
func TestWhatIsSealedHasOneSpelling(t *testing.T) {
	k := keys(t, key(1))
	for n := range 4 {
		sealed, err := k.Seal("n", bytes.Repeat([]byte{'v'}, n+1))
		if err != nil {
			t.Fatal(err)
		}
		if pad := (4 - len(sealed)%4) % 4; pad > 0 {
			if _, err := k.Unseal("n", sealed+strings.Repeat("=", pad)); !errors.Is(err, browser.ErrSeal) {
				t.Errorf("with its padding it opens: %v", err)
			}
		}
	}
}

// Expiries are kept in rows, by our clock: a seal of years ago opens.
func TestASealDoesNotAge(t *testing.T) {
	k := key(1)
	block, err := aes.NewCipher(k[browser.KeySize/2:])
	if err != nil {
		t.Fatal(err)
	}
	v := make([]byte, block.BlockSize()+1) // a first block of zeros, then the value
	cipher.NewCTR(block, v[:block.BlockSize()]).XORKeyStream(v[block.BlockSize():], []byte("v"))
	text := fmt.Sprintf("n|%d|%s|", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), base64.URLEncoding.EncodeToString(v))
	mac := hmac.New(sha256.New, k[:browser.KeySize/2])
	mac.Write([]byte(text[:len(text)-1]))
	sealed := base64.RawURLEncoding.EncodeToString(append([]byte(text[2:]), mac.Sum(nil)...))
	if got, err := keys(t, k).Unseal("n", sealed); err != nil || string(got) != "v" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestKeysOfAnotherLengthAndKeysOfZerosAreRefused(t *testing.T) {
	for _, all := range [][][]byte{nil, {key(1)[:32]}, {key(1), nil}, {key(0)}, {key(1), key(0)}} {
		if _, err := browser.NewKeys(all...); err == nil {
			t.Errorf("%d keys were taken", len(all))
		}
	}
	if _, err := browser.NewKeys(key(1), key(2)[:63]); err == nil || !strings.Contains(err.Error(), "key 2 has 63 bytes, not 64") {
		t.Errorf("the faulty key is told as %v", err)
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
		browser.New(nil, nil, true, time.Now, nil, nil)
	})
}

// An id takes seven characters behind its mark, and something has to follow it.
func TestAValueTooShortForAnIDSaysNone(t *testing.T) {
	for sealed, want := range map[string]string{"": "", "k": "", "kabcdefg": "", "kabcdefgM": "abcdefg", "Mabcdefgh": ""} {
		if got := browser.SealedWith(sealed); got != want {
			t.Errorf("%q is sealed with %q, want %q", sealed, got, want)
		}
	}
}

// The operator is told which of the keys is meant, counted from one.
func TestAKeyThatIsRefusedIsNamedByItsPlace(t *testing.T) {
	for name, bad := range map[string][]byte{"short": key(2)[:32], "zeros": key(0)} {
		if _, err := browser.NewKeys(key(1), bad); err == nil || !strings.Contains(err.Error(), "sealing key 2 ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ids stand in front of all that is kept: one that is made otherwise than before finds no key for it.
func TestTheIDOfAKeyStaysWhatItWas(t *testing.T) {
	if got := browser.KeyID(key(1)); got != "4r2b7rg" {
		t.Errorf("the id is %q", got)
	}
}

// Fingerprints are kept beside what they are of, with the id of their key: made otherwise, they would find nothing.
func TestFingerprintsAreMadeAsEver(t *testing.T) {
	k := keys(t, key(1))
	mac := hmac.New(sha256.New, k.PrintKey())
	mac.Write([]byte("4000019900020720"))
	want := hex.EncodeToString(mac.Sum(nil)[:16])
	for _, other := range []string{"", "4000019900020738"} { // whatever was asked for before
		k.Fingerprint([]byte(other))
		if got := k.Fingerprint([]byte("4000019900020720")); got != want {
			t.Errorf("after %q it is %s, want %s", other, got, want)
		}
	}
	if id := k.PrintID(); id != browser.KeyID(k.PrintKey()) || id == k.ID() {
		t.Errorf("the id of its key is %q", id)
	}
}
