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
	for i := range 3 * codecAtMost {
		raw, err := c.Encode(until, map[string]any{"csrf": fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Decode(raw); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.known) > codecAtMost {
		t.Errorf("%d are remembered", len(c.known))
	}
}
