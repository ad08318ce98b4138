package browser_test

import (
	"crypto/rand"
	"strconv"
	"strings"
	"testing"
	"time"

	"tollgate/session/browser"
)

func TestABareTokenIsOfOnePaymentsPageForHalfAnHour(t *testing.T) {
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	now := start
	b, store := browsersAt(t, true, rand.Reader, func() time.Time { return now })
	token := b.Bare("cs_1")
	for age, good := range map[time.Duration]bool{
		0: true, 30*time.Minute - 1: true, 30 * time.Minute: false, 24 * time.Hour: false,
		-30*time.Minute + 1: true, -30 * time.Minute: false, // of another machine, whose clock is ahead
	} {
		now = start.Add(age)
		if b.ProvesBare("cs_1", token) != good {
			t.Errorf("%s later it is good: %v", age, !good)
		}
		if b.ProvesBare("cs_2", token) {
			t.Errorf("%s later it is another payment's", age)
		}
	}
	now = start
	when, print, _ := strings.Cut(token, ".")
	later := strconv.FormatInt(start.Add(time.Minute).Unix(), 36)
	for _, made := range []string{"", ".", when, when + ".", "." + print, later + "." + print, token + "0", token[:len(token)-1], "0" + token, "?." + print} {
		if b.ProvesBare("cs_1", made) {
			t.Errorf("%q is good", made)
		}
	}
	if other := browser.New(store, keys(t, key(2)), true, func() time.Time { return now }, rand.Reader, nil); other.ProvesBare("cs_1", token) {
		t.Error("it is good where another key is")
	}
	now = start.Add(time.Second)
	if again := b.Bare("cs_1"); again == token || !b.ProvesBare("cs_1", again) {
		t.Errorf("a second later it is %q as well", again)
	}
	if len(store.data) != 0 {
		t.Error("something is stored")
	}
}
