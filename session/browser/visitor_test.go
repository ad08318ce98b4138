package browser

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func TestAVisitorIsSixteenRandomBytesATimeAndALanguage(t *testing.T) {
	v := visitor{at: noon, language: "kk"}
	for i := range v.bits {
		v.bits[i] = byte(i + 1)
	}
	raw := v.bytes()
	want := append([]byte{0, 0, 0, 0}, 0x69, 0xf4, 0x95, 0xc0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 'k', 'k')
	if !bytes.Equal(raw, want) {
		t.Errorf("it is kept as %x", raw)
	}
	got, ok := readVisitor(raw)
	if !ok || !got.at.Equal(noon) || got.bits != v.bits || got.language != "kk" || got.secret() != "AQIDBAUGBwgJCgsMDQ4PEA" {
		t.Errorf("it is read as %+v, %v, its secret is %q", got, ok, got.secret())
	}
	for length, readable := range map[int]bool{0: false, 23: false, 24: true, 32: true, 33: false} {
		if _, ok := readVisitor(make([]byte, length)); ok != readable {
			t.Errorf("%d bytes are a visitor: %v", length, ok)
		}
	}
}

func bitsOf(n int) (bits [visitorBits]byte) {
	copy(bits[:], fmt.Sprint(n))
	return bits
}

func TestTheSecondPressOfAVisitorIsTheFirstOnesForTenSeconds(t *testing.T) {
	var p pressed
	for _, c := range []struct {
		visitor     int
		after       time.Duration
		fresh, want string
	}{
		{1, 0, "a", "a"}, {1, 0, "b", "a"}, {2, 0, "c", "c"}, {1, 10*time.Second - 1, "d", "a"}, {1, 10 * time.Second, "e", "e"}, {1, 20*time.Second - 1, "f", "e"},
	} {
		if got := p.id(bitsOf(c.visitor), noon.Add(c.after), c.fresh); got != c.want {
			t.Errorf("visitor %d after %s: %q, want %q", c.visitor, c.after, got, c.want)
		}
	}
}

// What presses take of memory has a bound: those that are over go first, and where none is, all.
func TestOfPressesNoMoreThanFourThousandAreRemembered(t *testing.T) {
	var p pressed
	for n := range 4096 {
		p.id(bitsOf(n), noon.Add(time.Duration(n%2)*time.Second), "first")
	}
	if len(p.ids) != 4096 {
		t.Fatalf("%d are remembered", len(p.ids))
	}
	at := noon.Add(10 * time.Second) // the even ones are over
	p.id(bitsOf(5000), at, "first")
	if len(p.ids) != 2049 || p.id(bitsOf(1), at, "second") != "first" || p.id(bitsOf(2), at, "second") != "second" {
		t.Errorf("%d are remembered, of visitor 1 %q", len(p.ids), p.ids[bitsOf(1)].id)
	}
	for n := 6000; len(p.ids) < 4096; n++ {
		p.id(bitsOf(n), at, "first")
	}
	p.id(bitsOf(9000), at, "first")
	if len(p.ids) != 1 || p.id(bitsOf(9000), at, "second") != "first" {
		t.Errorf("%d are remembered", len(p.ids))
	}
}
