package account

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/sony/gobreaker/v2"

	"tollgate/providers"
)

// Transport is an account's way out to its gateway. What leaves is Recorded; a breaker spares a gateway that does not
// answer, and us the waiting: what it holds back is providers.ErrUnsent, and never left. holds is told when it begins to hold calls
// back and when it lets them go again; nil: nobody is.
func Transport(
	account string, out http.RoundTripper, now func() time.Time, log *slog.Logger, holds func(account string, back bool),
) http.RoundTripper {
	return &breaker{next: Recorded(out, now), gate: gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		Name: account, Timeout: 5 * time.Second, MaxRequests: 2,
		ReadyToTrip: func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= 20 },
		OnStateChange: func(name string, from, to gobreaker.State) {
			log.Warn("gateway breaker", "account", name, "from", from.String(), "to", to.String())
			if holds != nil {
				holds(name, to == gobreaker.StateOpen)
			}
		},
	})}
}

// breaker counts what tells that a gateway is down: no answer, or 5xx. A decline is an answer.
type breaker struct {
	next http.RoundTripper
	gate *gobreaker.TwoStepCircuitBreaker[any]
}

var errDown = errors.New("HTTP 5xx")

func (b *breaker) RoundTrip(r *http.Request) (*http.Response, error) {
	done, err := b.gate.Allow()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", providers.ErrUnsent, err)
	}
	res, err := b.next.RoundTrip(r)
	switch {
	case err != nil:
		done(err)
	case res.StatusCode >= 500:
		done(errDown)
	default:
		done(nil)
	}
	return res, err
}
