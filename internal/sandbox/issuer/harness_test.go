package issuer

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"tollgate/internal/sandbox/journal"
)

// bank is an issuer on a socket, a shop that receives what browsers bring back, and a browser without script.
type bank struct {
	*Issuer
	t    *testing.T
	acs  *httptest.Server
	shop *httptest.Server

	mu       sync.Mutex
	now      time.Time
	got      []arrival
	onArrive func()
}

// arrival is one request of a browser at the shop.
type arrival struct {
	method, path string
	query, form  url.Values
}

func newBank(t *testing.T, change ...func(*Options)) *bank {
	t.Helper()
	b := &bank{t: t, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	b.shop = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		b.mu.Lock()
		b.got = append(b.got, arrival{r.Method, r.URL.Path, r.URL.Query(), r.PostForm})
		f := b.onArrive
		b.mu.Unlock()
		if f != nil {
			f()
		}
	}))
	t.Cleanup(b.shop.Close)
	mux := http.NewServeMux()
	b.acs = httptest.NewServer(mux)
	t.Cleanup(b.acs.Close)
	o := Options{BaseURL: b.acs.URL, Now: b.clock}
	for _, f := range change {
		f(&o)
	}
	var err error
	if b.Issuer, err = New(o); err != nil {
		t.Fatal(err)
	}
	mux.Handle("/acs/", b.Handler())
	return b
}

func (b *bank) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bank) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *bank) arrivals() []arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.got
}

func card(t *testing.T, pan string) Card {
	t.Helper()
	c, ok := Find(pan)
	if !ok {
		t.Fatalf("no card %s", pan)
	}
	return c
}

// browse posts (or gets, without a form) and returns the page.
func (b *bank) browse(address string, form url.Values) (*goquery.Document, *http.Response) {
	b.t.Helper()
	var res *http.Response
	var err error
	if form == nil {
		res, err = http.Get(address)
	} else {
		res, err = http.PostForm(address, form)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	doc, err := goquery.NewDocumentFromReader(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return doc, res
}

// submit sends every form of the page in order, as a person without script presses button after button, and returns the last page.
func (b *bank) submit(doc *goquery.Document) *goquery.Document {
	b.t.Helper()
	last := doc
	doc.Find("form").Each(func(_ int, f *goquery.Selection) {
		if f.Find("button").Length() == 0 {
			b.t.Error("a form without a button")
		}
		values := url.Values{}
		f.Find("input[type=hidden]").Each(func(_ int, in *goquery.Selection) {
			values.Add(in.AttrOr("name", ""), in.AttrOr("value", ""))
		})
		address := f.AttrOr("action", "")
		if f.AttrOr("method", "get") == "get" {
			u, err := url.Parse(address)
			if err != nil {
				b.t.Fatal(err)
			}
			u.RawQuery = values.Encode() // as browsers do: the action's own query is lost
			last, _ = b.browse(u.String(), nil)
			return
		}
		last, _ = b.browse(address, values)
	})
	return last
}

func (b *bank) begin(pan string) (Auth, ARes) {
	b.t.Helper()
	return b.run(pan, false)
}

func (b *bank) run(pan string, mandate bool) (Auth, ARes) {
	b.t.Helper()
	a, err := b.Begin(card(b.t, pan), mandate)
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := b.Authenticate(AReq{ServerTransID: a.ServerTransID, CompInd: "Y", NotificationURL: b.shop.URL + "/return?keep=1", Amount: 2000, Currency: "KZT", WindowSize: "03"})
	if err != nil {
		b.t.Fatal(err)
	}
	return a, res
}

func (b *bank) result(a Auth) Result {
	b.t.Helper()
	r, err := b.Result(a.ServerTransID)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// message decodes a browser message, however it is encoded.
func message(t *testing.T, value string) map[string]string {
	t.Helper()
	s := strings.NewReplacer("\r", "", "\n", "", "=", "", "+", "-", "/", "_").Replace(value)
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatalf("%q: %v", value, err)
	}
	var m map[string]string
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return m
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func decode(t *testing.T, creq string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(creq)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func press(b *bank, id, outcome string) (int, string) {
	b.t.Helper()
	res, err := http.Post(b.acs.URL+"/acs/"+id+"/press", "application/json", strings.NewReader(`{"outcome":"`+outcome+`"}`))
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

// restarted is the same bank after a kill: a new issuer on the same journal file.
func (b *bank) restarted(path string) *Issuer {
	b.t.Helper()
	j, err := journal.Open(path)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { j.Close() })
	i, err := New(Options{BaseURL: b.acs.URL, Now: b.clock, Journal: j})
	if err != nil {
		b.t.Fatal(err)
	}
	return i
}

func firstPage(b *bank, in url.Values) *goquery.Document {
	doc, _ := b.browse(b.acs.URL+"/acs/pareq", in)
	return doc
}
