package card_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tollgate/internal/card"
)

const pan = "4000019900020720"

func number(t testing.TB, s string) card.Number {
	t.Helper()
	n, err := card.ParseNumber(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNumbersAreReadAsPeopleTypeThem(t *testing.T) {
	for _, s := range []string{pan, "4000 0199 0002 0720", " 4000-0199-0002-0720 ", "4000\u00a00199\u00a00002\u00a00720"} {
		if got := number(t, s).Reveal(); got != pan {
			t.Errorf("%q is %q", s, got)
		}
	}
	for s, want := range map[string]error{
		"": card.ErrNumberMissing, "   ": card.ErrNumberMissing, "4000": card.ErrNumberLength, "4000019900020721": card.ErrNumberCheck,
		"400001990002072x": card.ErrNumberLength, strings.Repeat("4", 20): card.ErrNumberLength,
	} {
		if n, err := card.ParseNumber(s); !errors.Is(err, want) {
			t.Errorf("%q: %v, %v, want %v", s, n, err, want)
		}
	}
}

// The Luhn digit finds every single wrong digit (ISO/IEC 7812-1, annex B).
func TestOneWrongDigitIsAlwaysFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(0, len(pan)-1).Draw(t, "place")
		d := byte(rapid.IntRange('0', '9').Draw(t, "digit"))
		s := pan[:i] + string(d) + pan[i+1:]
		if _, err := card.ParseNumber(s); (err == nil) != (s == pan) {
			t.Fatalf("%s: %v", s, err)
		}
	})
}

func TestACardIsGoodToTheEndOfItsMonthWhereverTheShopperIs(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string][2]int{
		"12/30": {12, 2030}, "1230": {12, 2030}, "12 / 30": {12, 2030}, "12/2030": {12, 2030}, "122030": {12, 2030}, "1/29": {1, 2029}, "11/26": {11, 2026}, "12-30": {12, 2030},
	} {
		if m, y, err := card.ParseExpiry(s, now); err != nil || [2]int{m, y} != want {
			t.Errorf("%q is %d/%d, %v", s, m, y, err)
		}
	}
	for s, want := range map[string]error{
		"": card.ErrExpiryMissing, "10/26": card.ErrExpired, "13/30": card.ErrExpiryFormat, "00/30": card.ErrExpiryFormat, "1": card.ErrExpiryFormat, "ab/cd": card.ErrExpiryFormat,
		"12/99": card.ErrExpiryFormat, "12/30/31": card.ErrExpiryFormat,
	} {
		if m, y, err := card.ParseExpiry(s, now); !errors.Is(err, want) {
			t.Errorf("%q is %d/%d, %v, want %v", s, m, y, err, want)
		}
	}
	last := time.Date(2026, 12, 1, 11, 59, 0, 0, time.UTC) // still November on Baker Island
	if _, _, err := card.ParseExpiry("11/26", last); err != nil {
		t.Error(err)
	}
	if _, _, err := card.ParseExpiry("11/26", last.Add(time.Minute)); !errors.Is(err, card.ErrExpired) {
		t.Error(err)
	}
}

func TestCodesAreThreeOrFourDigits(t *testing.T) {
	for _, s := range []string{"123", " 1234 ", "000"} {
		if c, err := card.ParseCode(s); err != nil || c.Zero() || c.Reveal() != strings.TrimSpace(s) {
			t.Errorf("%q: %v, %v", s, c, err)
		}
	}
	for _, s := range []string{"", "12", "12345", "12a"} {
		if _, err := card.ParseCode(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestNeitherNumberNorCodeShowsItself(t *testing.T) {
	code, err := card.ParseCode("7391")
	if err != nil {
		t.Fatal(err)
	}
	c := card.Card{Number: number(t, pan), Month: 12, Year: 2030, Code: code, Name: "A"}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(h).Info("m", "card", c, "pointer", &c, "number", c.Number, "code", c.Code, "list", []card.Card{c}, "map", map[string]any{"c": c})
	}
	out := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, v := range []any{c, &c, c.Number, c.Code, []any{c.Number, c.Code}, struct{ In card.Card }{c}, struct{ in card.Card }{c}, struct{ n *card.Number }{&c.Number}} {
			out += fmt.Sprintf(verb, v)
		}
	}
	for _, v := range []any{c, map[string]any{"n": c.Number, "c": c.Code}} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out += string(raw)
	}
	out += errors.Join(fmt.Errorf("%v", c)).Error()
	for _, secret := range []string{pan, "7391", fmt.Sprintf("%x", pan), fmt.Sprintf("%X", pan), fmt.Sprintf("%x", "7391"), "4000 0199"} {
		if strings.Contains(out, secret) {
			t.Errorf("%q is in what was printed", secret)
		}
	}
}

func TestWhatIsKeptOfACard(t *testing.T) {
	m := number(t, pan).Masked()
	if m != (card.Masked{Brand: "visa", First6: "400001", Last4: "0720"}) {
		t.Errorf("%+v", m)
	}
	if !m.Same(number(t, pan)) || m.Same(number(t, "4000019900020704")) || (card.Masked{}).Same(number(t, pan)) {
		t.Error("the same card is told by first six and last four, and nothing is the same as nothing")
	}
}

func TestBrandsAreToldByTheFirstDigits(t *testing.T) {
	for digits, want := range map[string]string{
		"400001": "visa", "510510": "mastercard", "222100": "mastercard", "272099": "mastercard", "272100": "", "220038": "mir", "220500": "", "309500": "diners", "601100": "discover", "561400": "uzcard", "340000": "amex",
		"371449": "amex", "620000": "unionpay", "352800": "jcb", "860012": "uzcard", "986012": "humo", "941700": "elcart", "360000": "diners", "676700": "maestro", "123456": "", "40": "",
	} {
		if got := card.Brand(digits); got != want {
			t.Errorf("%s is %q, want %q", digits, got, want)
		}
	}
}
