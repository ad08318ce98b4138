package handlers_test

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
)

// cable leads to a server and can be cut.
type cable struct {
	net.Listener
	to    string
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{Listener: l, to: to}
	t.Cleanup(func() { c.set(true); l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", c.to)
			c.mu.Lock()
			if err != nil || c.cut {
				in.Close()
				c.mu.Unlock()
				continue
			}
			c.conns = append(c.conns, in, out)
			c.mu.Unlock()
			go func() { io.Copy(in, out); in.Close() }()
			go func() { io.Copy(out, in); out.Close() }()
		}
	}()
	return c
}

func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

func TestWhileTheDatabaseIsGoneEveryDoorSaysToComeBackSoon(t *testing.T) {
	at, err := url.Parse(postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	c := newCable(t, at.Host)
	at.Host = c.Addr().String()
	m := boot(t, &clock.Clock{}, sqlstore.Options{URL: at.String()}, tune{})
	id := m.call(http.MethodPost, "/v1/sessions", order("one")).field("id")
	doors := []struct{ method, path, body string }{
		{http.MethodPost, "/v1/sessions", order("two")}, {http.MethodGet, "/v1/sessions/" + id, ""}, {http.MethodGet, "/v1/sessions", ""},
		{http.MethodPost, "/v1/sessions/" + id + "/cancel", ""}, {http.MethodGet, "/v1/events", ""}, {http.MethodGet, "/v1/webhook_endpoints", ""},
		{http.MethodGet, "/pay/" + id, ""}, {http.MethodPost, "/pay/" + id + "/card", "number=4000"}, {http.MethodPost, "/pay/" + id + "/cancel", ""},
		{http.MethodPost, "/3ds/run/return", "cres=e30"}, {http.MethodPost, "/3ds/run/notify", "threeDSMethodData=e30"},
	}
	c.set(true)
	for _, door := range doors {
		got := m.shopper(door.method, door.path, strings.NewReader(door.body), "Authorization", "Bearer "+shopKey,
			"Content-Type", map[bool]string{true: "application/json", false: "application/x-www-form-urlencoded"}[strings.HasPrefix(door.path, "/v1")])
		if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
			t.Errorf("%s %s: %d, Retry-After %q: %.300s", door.method, door.path, got.Code, got.Header().Get("Retry-After"), got.Body)
		}
	}
	c.set(false)
	m.call(http.MethodPost, "/v1/sessions", order("two")).is(http.StatusCreated, "")
	if got := m.shopper(http.MethodGet, "/pay/"+id, nil); got.Code != http.StatusOK {
		t.Errorf("afterwards: %d", got.Code)
	}
}
