package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
	"tollgate/session"
	"tollgate/session/flow"
)

// front is a machine with one open session, whose pages are in Kazakh.
func front(t *testing.T, with tune) (m *machine, id string) {
	t.Helper()
	m = boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, with)
	made := m.call(http.MethodPost, "/v1/sessions", strings.Replace(order("one"), `{`, `{"locale":"kk",`, 1))
	made.is(http.StatusCreated, "")
	return m, made.field("id")
}

// shopper sends a request as a browser does from a page of ours.
func (m *machine) shopper(method, path string, body io.Reader, headers ...string) reply {
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return reply{w, m.t}
}

func (r reply) leadsTo(path string) {
	r.t.Helper()
	if r.Code != http.StatusSeeOther || r.Header().Get("Location") != path {
		r.t.Errorf("%d to %q, want 303 to %s: %s", r.Code, r.Header().Get("Location"), path, r.Body)
	}
}

// stored is the session as it is kept.
func (m *machine) stored(id string) string {
	m.t.Helper()
	s, err := m.store.Load(m.t.Context(), id)
	if err != nil {
		m.t.Fatal(err)
	}
	raw, err := json.Marshal(struct {
		*session.Session
		V int64
		A []*session.Attempt
	}{s, s.Version, s.Attempts})
	if err != nil {
		m.t.Fatal(err)
	}
	return string(raw)
}

var cardForm = url.Values{"number": {"4000 0199 0002 0704"}, "expiry": {"12/49"}, "cvc": {"123"}, "name": {"TEST SHOPPER"}}

// everyAddress is each that a page of ours posts to.
var everyAddress = []string{"/card", "/cancel", "/other", "/start", "/saved", "/saved/delete", "/customer", "/receipt", "/phone", "/phone/other", "/code", "/code/again", "/phone/remembered", "/phone/forget"}

func TestAGetOfAFormsAddressRedirectsToThePaymentPage(t *testing.T) {
	m, id := front(t, tune{})
	before := m.stored(id)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, path := range append([]string{"/nothing", "/card/", "/card)", "/saved/other", "/code/again/", "/card?lang=ru", "/.", "/undefined"}, everyAddress...) {
			m.shopper(method, "/pay/"+id+path, nil).leadsTo("/pay/" + id)
			r := m.shopper(method, "/pay/cs_unknown"+path, nil, "Accept-Language", "ru")
			if r.Code != http.StatusNotFound || method == http.MethodGet && !strings.Contains(r.Body.String(), "Такого платежа нет") {
				t.Errorf("%s %s of nobody's payment: %d %s", method, path, r.Code, r.Body)
			}
		}
	}
	if m.stored(id) != before {
		t.Error("reading changed the session")
	}
}

// A new address that a page posts to is listed above.
func TestEveryAddressOfAFormIsKnownHere(t *testing.T) {
	m, _ := front(t, tune{})
	for _, r := range m.Routes() {
		path, ours := strings.CutPrefix(r.Path, "/pay/:session")
		if ours && r.Method == http.MethodPost && path != "" && path != "/*" && !slices.Contains(everyAddress, path) {
			t.Errorf("%s is posted to, and no test asks for it by GET", r.Path)
		}
	}
}

// A post to an address that is none, or has become another, shows the payment page.
func TestAPostToNoAddressRedirectsToThePaymentPage(t *testing.T) {
	m, id := front(t, tune{})
	before := m.stored(id)
	for _, path := range []string{"/", "/nothing", "/card/", "/new", "/cancel/now"} {
		m.shopper(http.MethodPost, "/pay/"+id+path, strings.NewReader(cardForm.Encode())).leadsTo("/pay/" + id)
	}
	if m.stored(id) != before {
		t.Error("the session changed")
	}
}

func TestWhatStandsBeforeTheSessionIDIsIgnored(t *testing.T) {
	m, id := front(t, tune{})
	for _, start := range []string{"/pay/%20", "/pay/%3C", "/pay/%C2%AB", "/pay/(", "/pay/%E2%80%8B", "/pay//", "/pay/pay/", "/pay/%22"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			m.shopper(method, start+id, nil).leadsTo("/pay/" + id)
		}
	}
}

func TestPunctuationAfterTheSessionIDIsIgnored(t *testing.T) {
	m, id := front(t, tune{})
	for _, end := range []string{"&utm_source=mail", "%26fbclid%3Dx", "%3Flang=ru", "%3Cbr%3E", "%E2%80%8B", "%E2%80%A6", "%C2%A0", "_", "-", "__", "*", "'", "%0A", "%23pay", "%D0%B8", "and", "https:", "%7C", "\\", "~",
		"/", ".", ")", "/.", "/)", ").", "%29", ",", ";", ":", "!", "]", "%3E", "%22", "%E2%80%9D", "%C2%BB", "%20", "...", "//"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			m.shopper(method, "/pay/"+id+end, nil).leadsTo("/pay/" + id)
			if r := m.shopper(method, "/pay/cs_unknown"+end, nil); r.Code != http.StatusNotFound {
				t.Errorf("%s cs_unknown%s: %d", method, end, r.Code)
			}
		}
	}
}

func TestHeadIsAnsweredWithoutABodyAndChangesNothing(t *testing.T) {
	m, id := front(t, tune{})
	before := m.stored(id)
	for _, path := range []string{"/pay/" + id, "/pay/" + id + "?lang=ru", "/healthz", "/readyz", "/openapi.yaml", "/docs", "/", "/robots.txt"} {
		r := m.shopper(http.MethodHead, path, nil)
		if r.Code != http.StatusOK || r.Body.Len() != 0 || r.Header().Get("Set-Cookie") != "" || r.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d, %d bytes, %v", path, r.Code, r.Body.Len(), r.Header())
		}
	}
	if r := m.shopper(http.MethodHead, "/pay/cs_unknown", nil); r.Code != http.StatusNotFound || r.Body.Len() != 0 {
		t.Errorf("nobody's payment: %d, %d bytes", r.Code, r.Body.Len())
	}
	if m.stored(id) != before {
		t.Error("HEAD changed the session")
	}
}

func TestTheRootAddressIsAPlainPage(t *testing.T) {
	m, _ := front(t, tune{})
	r := m.shopper(http.MethodGet, "/", nil, "Accept-Language", "kk")
	if r.Code != http.StatusOK || !strings.Contains(r.Body.String(), `lang="kk"`) || strings.Contains(r.Body.String(), "Мұндай төлем табылмады") {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}

// failingStore is a store in which reads of sessions go wrong.
type failingStore struct {
	flow.Store
	load func(ctx context.Context) error
}

func (h *failingStore) Load(ctx context.Context, id string) (*session.Session, error) {
	if err := h.load(ctx); err != nil {
		return nil, err
	}
	return h.Store.Load(ctx, id)
}

func TestTheProblemPageHasTheWayBackInTheSessionsLanguage(t *testing.T) {
	var h failingStore
	h.load = func(context.Context) error { return nil }
	m, id := front(t, tune{store: func(st flow.Store) flow.Store { h.Store = st; return &h }})
	problem := func(path string, headers ...string) *goquery.Document {
		t.Helper()
		r := m.shopper(http.MethodGet, path, nil, headers...)
		if r.Code != http.StatusInternalServerError {
			t.Fatalf("%s: %d", path, r.Code)
		}
		d, err := goquery.NewDocumentFromReader(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	broken := 1
	h.load = func(context.Context) error {
		if broken--; broken >= 0 {
			return errors.New("a disk that fails")
		}
		return nil
	}
	d := problem("/pay/"+id, "Accept-Language", "en")
	if lang, to := d.Find("html").AttrOr("lang", ""), d.Find("a.button").AttrOr("href", ""); lang != "kk" || to != "/pay/"+id {
		t.Errorf("a page in %s leads back to %q", lang, to)
	}
	broken = 99 // nobody knows the session's language now
	d = problem("/pay/"+id, "Accept-Language", "ru")
	if lang, to := d.Find("html").AttrOr("lang", ""), d.Find("a.button").AttrOr("href", ""); lang != "ru" || to != "/pay/"+id {
		t.Errorf("a page in %s leads back to %q", lang, to)
	}
}

// deadlineConn is a connection whose read deadline is known.
type deadlineConn struct {
	net.Conn
	mu       sync.Mutex
	deadline time.Time
}

func (w *deadlineConn) SetReadDeadline(at time.Time) error {
	w.mu.Lock()
	w.deadline = at
	w.mu.Unlock()
	return w.Conn.SetReadDeadline(at)
}

func (w *deadlineConn) left() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.deadline
}

type watching struct {
	net.Listener
	conns chan *deadlineConn
}

func (l watching) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &deadlineConn{Conn: c}
	l.conns <- w
	return w, nil
}

// net/http ends the context of a request whose read deadline passes, also while it is being answered.
func TestTheReadDeadlineEndsWithTheBody(t *testing.T) {
	conns := make(chan *deadlineConn, 10)
	var now atomic.Pointer[deadlineConn]
	var asked atomic.Int64
	var h failingStore
	h.load = func(context.Context) error {
		if c := now.Load(); c != nil {
			asked.Add(1)
			if !c.left().IsZero() {
				t.Errorf("the connection is cut at %v", c.left())
			}
		}
		return nil
	}
	m, id := front(t, tune{store: func(st flow.Store) flow.Store { h.Store = st; return &h }})
	s := httptest.NewUnstartedServer(m)
	s.Listener = watching{s.Listener, conns}
	s.Config.ReadTimeout = time.Hour
	s.Start()
	defer s.Close()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r, err := http.NewRequest(method, s.URL+"/pay/"+id+"/card", strings.NewReader(cardForm.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if method == http.MethodGet {
			r.Body, r.ContentLength = nil, 0
		}
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		now.Store(<-conns)
		if err := r.Write(c); err != nil {
			t.Fatal(err)
		}
		one := make([]byte, 12)
		if _, err := io.ReadFull(c, one); err != nil || string(one) != "HTTP/1.1 303" {
			t.Errorf("%s: %q %v", method, one, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if asked.Load() < 2 {
		t.Error("the store was not asked")
	}
}

// stalledBody is a body of which a part comes, and then nothing.
type stalledBody struct{ sent bool }

func (l *stalledBody) Read(p []byte) (int, error) {
	if l.sent {
		return 0, os.ErrDeadlineExceeded
	}
	l.sent = true
	return copy(p, "number=4000019900020704&expiry=12"), nil
}

func TestAPostThatTimesOutRedirectsToThePaymentPageAndPaysNothing(t *testing.T) {
	var h failingStore
	h.load = func(context.Context) error { return nil }
	m, id := front(t, tune{store: func(st flow.Store) flow.Store { h.Store = st; return &h }})
	for _, path := range append(everyAddress, "") {
		m.shopper(http.MethodPost, "/pay/"+id+path, &stalledBody{}).leadsTo("/pay/" + id)
		for _, err := range []error{context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded} {
			broken := 1
			h.load = func(context.Context) error {
				if broken--; broken >= 0 {
					return err
				}
				return nil
			}
			if path == "/cancel" || path == "/phone/other" {
				continue // they do not read it first
			}
			m.shopper(http.MethodPost, "/pay/"+id+path, strings.NewReader(cardForm.Encode())).leadsTo("/pay/" + id)
		}
		h.load = func(context.Context) error { return nil }
	}
	if s, err := m.store.Load(t.Context(), id); err != nil || len(s.Attempts) != 0 {
		t.Errorf("%d attempts: %v", len(s.Attempts), err)
	}
}

// Whoever has gone is answered all the same: an answer that is never written would be an empty 200.
func TestNoRequestIsAnsweredWithAnEmpty200(t *testing.T) {
	m, id := front(t, tune{})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, path := range []string{"/", "/pay/" + id, "/pay/cs_unknown", "/nothing", "/pay/" + id + "/new", "/3ds/nobody/notify", "/3ds/nobody/return", "/docs"} {
		r := httptest.NewRequest(http.MethodGet, path, nil).WithContext(gone)
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		if w.Body.Len() == 0 && w.Header().Get("Location") == "" {
			t.Errorf("%s: an empty %d", path, w.Code)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/pay/"+id+"/card", strings.NewReader(cardForm.Encode())).WithContext(gone)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	reply{w, t}.leadsTo("/pay/" + id)
	if s, err := m.store.Load(t.Context(), id); err != nil || len(s.Attempts) != 1 {
		t.Errorf("%d attempts: %v", len(s.Attempts), err)
	}
}
