package browser

import (
	"fmt"
	"maps"
	"testing"
	"time"
)

func TestDecodedTwiceABrowserSessionIsTheSameAndNobodysElse(t *testing.T) {
	c := &codec{}
	until := time.Unix(1700000000, 0).UTC()
	raw, err := c.Encode(until, map[string]any{"csrf": "secret", "lang": "kk"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		deadline, values, err := c.Decode(raw)
		if err != nil || !deadline.Equal(until) || !maps.Equal(values, map[string]any{"csrf": "secret", "lang": "kk"}) {
			t.Fatal(deadline, values, err)
		}
		values["csrf"] = "another" // of this request alone
	}
	if _, _, err := c.Decode([]byte("no gob")); err == nil {
		t.Error("nonsense is decoded")
	}
}

func TestAThousandBrowserSessionsAreRememberedThenAllAreForgotten(t *testing.T) {
	c := &codec{}
	for i := range 1000 {
		decode(t, c, i, i+1)
	}
	decode(t, c, 7, 1000) // one of them
	decode(t, c, 1000, 1)
	decode(t, c, 1000, 1)
	decode(t, c, 7, 2)
}

// decode reads browser session i, of which so many are remembered then.
func decode(t *testing.T, c *codec, i, want int) {
	t.Helper()
	raw, err := c.Encode(time.Unix(1700000000, 0), map[string]any{"csrf": fmt.Sprint(i)})
	if err != nil {
		t.Fatal(err)
	}
	if _, values, err := c.Decode(raw); err != nil || values["csrf"] != fmt.Sprint(i) || len(c.known) != want {
		t.Fatalf("%v, %v, %d are remembered", values, err, len(c.known))
	}
}
