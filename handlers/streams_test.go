package handlers_test

import (
	"bufio"
	"io"
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

	ends[0]()           // its place is free once the server has noticed
	for range 100_000 { // a place is looked for once a second
		status, end := l.listen(two)
		end()
		if status == http.StatusOK {
			return
		}
		runtime.Gosched()
	}
	t.Error("the place of a stream that ended is not given back")
}

func TestAWaitingPageIsToldOnceThatItIsNotTheTrueOneAndItsStreamEnds(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	l := httptest.NewServer(m)
	defer l.Close()
	id := m.call(http.MethodPost, "/v1/sessions", order("a")).field("id")
	listen := func(view string) *bufio.Reader {
		t.Helper()
		res, err := l.Client().Get(l.URL + "/pay/" + id + "/events?view=" + view)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("the stream is %q", got)
		}
		if res.Header.Get("Content-Security-Policy") == "" || res.Header.Get("X-Request-Id") == "" {
			t.Errorf("headers of every answer are missing: %v", res.Header)
		}
		return bufio.NewReader(res.Body)
	}
	const here, change = "event: here\ndata: 1\n\n", "event: change\ndata: 1\n\n"
	old, err := io.ReadAll(listen("working")) // which it is not, from the beginning
	if err != nil || string(old) != here+change {
		t.Errorf("a page that is not the true one was told %q, %v", old, err)
	}
	waits := listen("end+open+0")
	first := make([]byte, len(here))
	if _, err := io.ReadFull(waits, first); err != nil || string(first) != here {
		t.Fatalf("a waiting page was told %q, %v", first, err)
	}
	m.call(http.MethodPost, "/v1/sessions/"+id+"/cancel", "")
	if rest, err := io.ReadAll(waits); err != nil || string(rest) != change {
		t.Errorf("after the change it was told %q, %v", rest, err)
	}
}

func TestStreamsEndWhenTheProcessStops(t *testing.T) {
	stopping := make(chan struct{})
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{stopping: stopping})
	l := httptest.NewServer(m)
	defer l.Close()
	id := m.call(http.MethodPost, "/v1/sessions", order("a")).field("id")
	res, err := l.Client().Get(l.URL + "/pay/" + id + "/events?view=end+open+0")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	close(stopping)
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Error(err)
	}
	if status, end := (listener{t, l}).listen(id); status != http.StatusNoContent {
		t.Errorf("a stream that comes during the stop is answered %d", status)
	} else {
		end()
	}
}
