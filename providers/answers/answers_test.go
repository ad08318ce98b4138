package answers_test

import (
	"encoding/json"
	"strings"
	"testing"

	"tollgate/providers/answers"
)

func TestAnythingLikeACardNumberIsHidden(t *testing.T) {
	for in, want := range map[string]string{
		"card 4111111111111111 refused":        "card 411111…1111 refused",
		"4111 1111-1111.1111":                  "411111…1111",
		"12345678901":                          "12345678901",
		"order 0179018d-8f96-7fbe-bc2b":        "order 0179018d-8f96-7fbe-bc2b",
		"4111111111111111111111":               "411111…1111",
		"4111  1111  1111  1111":               "4111  1111  1111  1111", // two blanks: four numbers
		"a1b22":                                "a1b22",
		"":                                     "",
		"4000019900020001/4000019900020704 ok": "400001…0001/400001…0704 ok",
	} {
		if got := answers.MaskDigits(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestExactlyOneObjectIsRead(t *testing.T) {
	for _, body := range []string{`{"orderStatus":2,"a":{"b":[1,"x",null,true]}}`, "\ufeff{}", " {} \n"} {
		if _, err := answers.Object([]byte(body)); err != nil {
			t.Errorf("%q: %v", body, err)
		}
	}
	for _, body := range []string{
		"", "[]", "null", `"x"`, "{", `{"a":1}{"b":2}`, `{"a":1} x`, `{"orderStatus":0,"orderStatus":2}`, `{"a":{"b":1,"b":2}}`, "<html>", "{\"a\":\"\xff\"}", `{"a":1,}`,
		strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40),
	} {
		if m, err := answers.Object([]byte(body)); err == nil {
			t.Errorf("%q reads as %v", body, m)
		}
	}
}

func TestLongNumbersStayExact(t *testing.T) {
	m, err := answers.Object([]byte(`{"id":12345678901234567890}`))
	if err != nil || m["id"] != json.Number("12345678901234567890") {
		t.Errorf("%v, %v", m, err)
	}
}

func TestScrubbedTextHoldsNoSecretAndNoControlCharacter(t *testing.T) {
	got := answers.Scrub("pass-word-1 of 4111 1111 1111 1111\x1b[31m\nend", []string{"pass-word-1"})
	if got != "••• of 411111…1111 [31m end" {
		t.Errorf("%q", got)
	}
	if long := answers.Scrub(strings.Repeat("я", 10_000), nil); len([]rune(long)) != answers.MaxWords+1 {
		t.Errorf("%d runes are kept", len([]rune(long)))
	}
}

func TestIdentifiersAreShortAndHarmless(t *testing.T) {
	for in, want := range map[string]string{"0179018d-8f96_7.x": "0179018d-8f96_7.x", "a b": "", "a/../b": "", "": "", strings.Repeat("a", 65): "", "<x>": "", "я": ""} {
		if got := answers.ID(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
