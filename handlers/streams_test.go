package handlers_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
)

// listener is a browser that opens live waits and reads none.
type listener struct {
	t *testing.T
	*httptest.Server
}

// listen opens one; end closes it.
func (l listener) listen(session string) (status int, end func()) {
	l.t.Helper()
	res, err := l.Client().Get(l.URL + "/pay/" + session + "/events?view=end+open+0")
	if err != nil {
		l.t.Fatal(err)
	}
	if !res.Close {
		l.t.Error("the connection outlives the stream")
	}
	return res.StatusCode, func() { res.Body.Close() }
}

func TestASessionHasAtMostEightEventStreamsAndTheProcessAsManyAsConfigured(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{streams: 12})
	l := listener{t, httptest.NewServer(m)}
	defer l.Close()
	one := m.call(http.MethodPost, "/v1/sessions", order("a")).field("id")
	two := m.call(http.MethodPost, "/v1/sessions", order("b")).field("id")
	var ends []func()
	defer func() {
		for _, end := range ends {
			end()
		}
	}()
	open := func(session string, want int) {
		t.Helper()
		status, end := l.listen(session)
		ends = append(ends, end)
		if status != want {
			t.Errorf("stream %d is answered %d, want %d", len(ends), status, want)
		}
	}
	for range 8 {
		open(one, http.StatusOK)
	}
	open(one, http.StatusNoContent)
	for range 4 {
		open(two, http.StatusOK)
	}
	open(two, http.StatusNoContent)
	open(one, http.StatusNoContent)

	ends[0]() // its place is free once the server has noticed
	for range 100_000 {
		status, end := l.listen(two)
		end()
		if status == http.StatusOK {
			return
		}
		runtime.Gosched()
	}
	t.Error("the place of a stream that ended is not given back")
}
