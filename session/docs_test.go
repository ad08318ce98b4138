package session

import (
	"testing"
	"time"
)

func TestHowThePrintedScheduleWritesTimes(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		48 * time.Hour: "2 d", 24 * time.Hour: "24 h", 25 * time.Hour: "25 h", 36 * time.Hour: "36 h", 50 * time.Hour: "50 h", 7 * 24 * time.Hour: "7 d",
		90 * time.Minute: "90 min", 90 * time.Second: "1m30s",
	} {
		if got := plain(d); got != want {
			t.Errorf("%s is written %q, not %q", d, got, want)
		}
	}
}
