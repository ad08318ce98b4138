package app

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"tollgate/internal/clock"
	"tollgate/providers"
)

type down struct{ calls int }

func (d *down) RoundTrip(*http.Request) (*http.Response, error) {
	d.calls++
	return nil, io.ErrUnexpectedEOF
}

func TestTheBreakerOfAGatewayThatIsDownSaysThatNothingWasSent(t *testing.T) {
	a := &App{o: Options{Clock: &clock.Clock{}}, log: slog.New(slog.DiscardHandler)}
	client, gateway := a.client("rbs"), &down{}
	client.Transport.(*breaker).next = gateway
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
}
