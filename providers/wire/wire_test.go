package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"tollgate/providers/wire"
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
		if got := wire.MaskDigits(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestExactlyOneObjectIsRead(t *testing.T) {
	for _, body := range []string{`{"orderStatus":2,"a":{"b":[1,"x",null,true]}}`, "\ufeff{}", " {} \n", "{\"a\":\"\xc8\xe2\xe0\xed\"}"} {
		if _, err := wire.Decode([]byte(body)); err != nil {
			t.Errorf("%q: %v", body, err)
		}
	}
	for _, body := range []string{
		"", "[]", "null", `"x"`, "{", `{"a":1}{"b":2}`, `{"a":1} x`, `{"orderStatus":0,"orderStatus":2}`, `{"a":{"b":1,"b":2}}`, "<html>", "{\x00}\x00", "\xff\xfe{\x00}\x00", `{"a":1,}`,
		strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40),
	} {
		if m, err := wire.Decode([]byte(body)); err == nil {
			t.Errorf("%q reads as %v", body, m)
		}
	}
}

func TestLongNumbersStayExact(t *testing.T) {
	m, err := wire.Decode([]byte(`{"id":12345678901234567890}`))
	if err != nil || m["id"] != json.Number("12345678901234567890") {
		t.Errorf("%v, %v", m, err)
	}
}

func TestScrubbedTextHoldsNoSecretAndNoControlCharacter(t *testing.T) {
	got := wire.Scrub("pass-word-1 of 4111 1111 1111 1111\x1b[31m\nend", []string{"pass-word-1"})
	if got != "••• of 411111…1111 [31m end" {
		t.Errorf("%q", got)
	}
	if long := wire.Scrub(strings.Repeat("я", 10_000), nil); len([]rune(long)) != wire.MaxWords+1 {
		t.Errorf("%d runes are kept", len([]rune(long)))
	}
}

func TestTheEndsOfAMaskedNumberAreRead(t *testing.T) {
	for in, want := range map[string][2]string{
		"411111**1111": {"411111", "1111"}, "555555XXXXXX5599": {"555555", "5599"}, "4111111111111111": {"411111", "1111"}, "411111111111": {"411111", "1111"},
		"41111111111": {}, "41111**1111": {}, "411111**111": {}, "": {}, "411111" + strings.Repeat("*", 23) + "1111": {},
	} {
		if first, last := wire.CardEnds(in, 12); [2]string{first, last} != want {
			t.Errorf("%q is %q, %q", in, first, last)
		}
	}
}

func TestOnlyWholeNumbersAreNumbers(t *testing.T) {
	m, err := wire.Decode([]byte(`{"n":7,"t":"08","minus":-1,"point":1.5,"long":99999999999999999999,"text":"x","null":null}`))
	if err != nil {
		t.Fatal(err)
	}
	o := wire.Object{Members: m}
	for name, want := range map[string]int64{"n": 7, "t": 8} {
		if n, found, err := o.Number(name); n != want || !found || err != nil {
			t.Errorf("%s: %d, %v, %v", name, n, found, err)
		}
	}
	for _, name := range []string{"minus", "point", "long", "text"} {
		if n, found, err := o.Number(name); !found || err == nil {
			t.Errorf("%s: %d, %v, %v", name, n, found, err)
		}
	}
	for _, name := range []string{"null", "absent"} {
		if n, found, err := o.Number(name); n != 0 || found || err != nil {
			t.Errorf("%s: %d, %v, %v", name, n, found, err)
		}
	}
}

func TestAListIsTheObjectsOfAnArrayAndNilWithoutOne(t *testing.T) {
	m, err := wire.Decode([]byte(`{"list":[{"a":1},2,{"b":3}],"empty":[],"text":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	o := wire.Object{Members: m}
	if l := o.List("list"); len(l) != 2 || l[1].Text("b") != "3" {
		t.Errorf("%v", l)
	}
	if l := o.List("empty"); l == nil || len(l) != 0 {
		t.Errorf("%v", l)
	}
	if o.List("text") != nil || o.List("absent") != nil {
		t.Error("a list where there is none")
	}
}

func TestTextsAreCutInCharacters(t *testing.T) {
	if got := wire.Cut("яблоко ", 3); got != "ябл" {
		t.Errorf("%q", got)
	}
	if got := wire.Line(" one\n two\tthree ", 8); got != "one two" {
		t.Errorf("%q", got)
	}
}

func TestAnAddressIsWholeAndSafe(t *testing.T) {
	for in, want := range map[string]string{
		"": "missing", "gate.example": "not an absolute address", "https://u:p@gate.example": "credentials do not belong into the address",
		"https://gate.example/?a": "must have neither query nor fragment", "https://gate.example/rest/": "",
	} {
		if got := wire.NoAddress(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	for in, open := range map[string]bool{"https://gate.example": false, "http://localhost:8081": false, "http://[::1]/": false, "http://gate.example": true, "ftp://localhost": true} {
		if (wire.OpenAddress(in) != "") != open {
			t.Errorf("%q: %q", in, wire.OpenAddress(in))
		}
	}
}

func TestIdentifiersAreShortAndHarmless(t *testing.T) {
	for in, want := range map[string]string{"0179018d-8f96_7.x": "0179018d-8f96_7.x", "a b": "", "a/../b": "", "": "", strings.Repeat("a", 65): "", "<x>": "", "я": ""} {
		if got := wire.ID(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
