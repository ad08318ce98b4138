package account

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"tollgate/providers"
)

type down struct{ calls int }

func (d *down) RoundTrip(*http.Request) (*http.Response, error) {
	d.calls++
	return nil, io.ErrUnexpectedEOF
}

func TestTheBreakerOfAGatewayThatIsDownSaysThatNothingWasSent(t *testing.T) {
	gateway := &down{}
	var held []string
	client := &http.Client{Transport: Transport("rbs", gateway, time.Now, slog.New(slog.DiscardHandler),
		func(account string, back bool) {
			held = append(held, account+map[bool]string{true: " is held back", false: " is let go"}[back])
		})}
	for n := range 30 {
		res, err := client.Get("https://gateway.example/")
		if err == nil {
			_ = res.Body.Close()
		}
		if unsent := errors.Is(err, providers.ErrUnsent); unsent != (n >= 20) {
			t.Fatalf("request %d: %v", n, err)
		}
	}
	if gateway.calls != 20 {
		t.Errorf("the gateway was called %d times", gateway.calls)
	}
	if len(held) != 1 || held[0] != "rbs is held back" {
		t.Errorf("told %v", held)
	}
}
