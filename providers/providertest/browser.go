package providertest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"tollgate/providers"
	"tollgate/threeds"
)

// site is our side of one walk's browser and gateway: it hears notifications, returns and callbacks.
type site struct {
	server *httptest.Server
	client *http.Client

	mu        sync.Mutex
	notified  int
	returned  []threeds.Reply
	called    []delivered
	calledNow chan struct{}
}

// delivered is a callback as it came.
type delivered struct {
	method, query, contentType string
	body                       []byte
}

func newSite(t *testing.T) *site {
	s := &site{calledNow: make(chan struct{}, 64)}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport}
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/callbacks/") {
		body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if err != nil {
			return
		}
		s.mu.Lock()
		s.called = append(s.called, delivered{r.Method, r.URL.RawQuery, r.Header.Get("Content-Type"), body})
		s.mu.Unlock()
		select {
		case s.calledNow <- struct{}{}:
		default:
		}
		return
	}
	reply, err := threeds.ReadReply(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/notify"):
		s.notified++
	case strings.HasSuffix(r.URL.Path, "/return"):
		s.returned = append(s.returned, reply)
	}
}

// callback waits for the simulator's callback that names the reference.
func (s *site) callback(t *testing.T, reference string) delivered {
	t.Helper()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	for {
		s.mu.Lock()
		for _, d := range s.called {
			if strings.Contains(d.query+string(d.body), reference) {
				s.mu.Unlock()
				return d
			}
		}
		s.mu.Unlock()
		select {
		case <-s.calledNow:
		case <-limit.C:
			t.Fatal("no callback came")
		}
	}
}

func (d delivered) request() *http.Request {
	r := httptest.NewRequest(d.method, "/callbacks/account?"+d.query, bytes.NewReader(d.body))
	if d.contentType != "" {
		r.Header.Set("Content-Type", d.contentType)
	}
	return r
}

// with changes one parameter of a callback that carries them in its query or in a form.
func (d delivered) with(name string, change func(string) []string) (delivered, bool) {
	text := d.query
	if d.method == http.MethodPost {
		text = string(d.body)
	}
	values, err := url.ParseQuery(text)
	if err != nil || !values.Has(name) {
		return d, false
	}
	next := change(values.Get(name))
	values.Del(name)
	if next != nil {
		values[name] = next
	}
	if d.method == http.MethodPost {
		d.body = []byte(values.Encode())
	} else {
		d.query = values.Encode()
	}
	return d, true
}

// play does what the browser does at a step, and gives what it brought; false where nothing came back.
func (s *site) play(t *testing.T, c Card, p providers.Payment, step providers.Step) (providers.Answer, bool) {
	t.Helper()
	s.mu.Lock()
	s.notified, s.returned = 0, nil
	s.mu.Unlock()
	switch step.Kind {
	case providers.AskCard:
		return providers.Answer{Kind: providers.CardAgain}, true
	case providers.Method:
		if len(step.Forms) == 0 {
			return providers.Answer{Kind: providers.MethodDone, CompInd: "U"}, true
		}
		for _, f := range step.Forms {
			if c.Method == "late" { // its frame is still loading when we go on
				ctx, cancel := context.WithCancel(t.Context())
				t.Cleanup(cancel)
				go func() { _, _ = s.post(ctx, f.Action, fields(f)) }()
				continue
			}
			s.follow(t, f.Action, fields(f))
		}
		answer := providers.Answer{Kind: providers.MethodDone, CompInd: "N"}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.notified > 0 {
			answer.CompInd = "Y"
		}
		if heard := s.notified > 0; c.Method != "" && heard == (c.Method == "silent" || c.Method == "late" || c.Method == "none") {
			t.Errorf("a Method that is %s notified %d times", c.Method, s.notified)
		}
		return answer, true
	case providers.Challenge, providers.PayerPage:
		s.follow(t, step.Forms[0].Action, fields(step.Forms[0]))
	case providers.Page:
		s.press(t, p.Run.ReturnURL, []byte(step.HTML), 0)
	case providers.Redirect:
		res, err := s.client.Get(step.Link)
		if err != nil {
			t.Fatal(err)
		}
		s.read(t, res, 0)
	default:
		t.Fatalf("no browser can do %s", step.Kind)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.returned) == 0 {
		return providers.Answer{}, false
	}
	r := s.returned[0]
	switch {
	case r.CRes != "":
		return providers.Answer{Kind: providers.Challenged, CRes: r.CRes, Fields: r.Extra}, true
	case r.Erro != "":
		return providers.Answer{Kind: providers.Challenged, CRes: r.Erro, Fields: r.Extra}, true
	case r.PaRes != "":
		return providers.Answer{Kind: providers.PayerAuth, PaRes: r.PaRes, MD: r.MD, Fields: r.Extra}, true
	}
	return providers.Answer{Kind: providers.Returned, MD: r.MD, Fields: r.Extra}, true
}

func fields(f threeds.Form) url.Values {
	v := url.Values{}
	for _, field := range f.Fields {
		v.Add(field.Name, field.Value)
	}
	return v
}

func (s *site) post(ctx context.Context, action string, v url.Values) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, action, strings.NewReader(v.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.client.Do(r)
}

// follow posts a form and presses every button that comes after it.
func (s *site) follow(t *testing.T, action string, v url.Values) {
	t.Helper()
	res, err := s.post(t.Context(), action, v)
	if err != nil {
		t.Fatal(err)
	}
	s.read(t, res, 0)
}

func (s *site) read(t *testing.T, res *http.Response, depth int) {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(res.Request.URL.String(), s.server.URL) {
		if res.StatusCode != http.StatusOK {
			t.Errorf("our side answered %d: %s", res.StatusCode, body)
		}
		return
	}
	if res.StatusCode >= 400 {
		t.Errorf("%s answered %d: %.300s", res.Request.URL.Path, res.StatusCode, body)
		return
	}
	s.press(t, res.Request.URL.String(), body, depth)
}

// press submits the forms of a page, in order. On the bank's manual page the shopper types the code that passes.
func (s *site) press(t *testing.T, at string, page []byte, depth int) {
	t.Helper()
	if depth > 6 {
		t.Fatal("pages without an end")
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	manual := doc.Find("input[name=otp]").Length() > 0
	doc.Find("form").EachWithBreak(func(_ int, form *goquery.Selection) bool {
		if manual && form.Find("input[name=otp]").Length() == 0 {
			return true
		}
		v := url.Values{}
		form.Find("input[name]").Each(func(_ int, in *goquery.Selection) { v.Add(in.AttrOr("name", ""), in.AttrOr("value", "")) })
		if manual {
			v.Set("otp", "1234")
		}
		to, err := base.Parse(form.AttrOr("action", ""))
		if err != nil {
			t.Fatal(err)
		}
		var res *http.Response
		if strings.EqualFold(form.AttrOr("method", "get"), "post") {
			res, err = s.post(t.Context(), to.String(), v)
		} else {
			to.RawQuery = v.Encode()
			res, err = s.client.Get(to.String())
		}
		if err != nil {
			t.Fatal(err)
		}
		s.read(t, res, depth+1)
		return !manual
	})
}
