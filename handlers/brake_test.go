package handlers_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
)

// lever is a brake that a test pulls.
type lever struct{ sessions, attempts atomic.Bool }

func (l *lever) Admit() bool     { return !l.sessions.Load() }
func (l *lever) AdmitNext() bool { return !l.attempts.Load() }

func TestABusyProcessTakesNoNewSessionAndWritesNothingOfIt(t *testing.T) {
	l := &lever{}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{brake: l})
	l.sessions.Store(true)
	refused := m.call(http.MethodPost, "/v1/sessions", order("a"), keyHeader, "one")
	refused.is(http.StatusServiceUnavailable, "unavailable")
	if refused.Header().Get("Retry-After") == "" {
		t.Error("it does not say when to come again")
	}
	if n := strings.Count(m.call(http.MethodGet, "/v1/sessions", "").Body.String(), `"id"`); n != 0 {
		t.Errorf("%d sessions were made", n)
	}
	l.sessions.Store(false)
	made := m.call(http.MethodPost, "/v1/sessions", order("a"), keyHeader, "one")
	if made.Code != http.StatusCreated || made.Header().Get("Idempotency-Replayed") != "" {
		t.Errorf("the same request later: %d %s", made.Code, made.Body)
	}
	l.sessions.Store(true)
	l.attempts.Store(true)
	if res := m.call(http.MethodPost, "/v1/sessions/"+made.field("id")+"/cancel", ""); res.Code != http.StatusOK {
		t.Errorf("a cancel is answered %d while the process is busy", res.Code)
	}
}

func TestABusyProcessTakesNoNewCardAndSaysSoCalmly(t *testing.T) {
	l := &lever{}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{brake: l})
	id := m.call(http.MethodPost, "/v1/sessions", order("a")).field("id")
	l.attempts.Store(true)
	post := func() reply { return m.shopper(http.MethodPost, "/pay/"+id+"/card", cardWith(nil)) }
	if r := post(); r.Code != http.StatusServiceUnavailable || r.Header().Get("Retry-After") == "" || !strings.Contains(r.Body.String(), "/pay/"+id) {
		t.Errorf("the card is answered %d, %q:\n%s", r.Code, r.Header().Get("Retry-After"), r.Body)
	}
	if got := m.call(http.MethodGet, "/v1/sessions/"+id, "").Body.String(); !strings.Contains(got, `"attempts":[]`) {
		t.Errorf("an attempt was written down: %s", got)
	}
	l.attempts.Store(false)
	if r := post(); r.Code != http.StatusSeeOther {
		t.Errorf("the same card later is answered %d", r.Code)
	}
}
