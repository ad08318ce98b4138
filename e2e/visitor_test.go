package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// visitor is a shopper with a browser that runs no script and who does what each page says. Everything it ever received
// is kept, to be searched.
type visitor struct {
	client *http.Client
	jar    http.CookieJar
	phone  string
	tried  map[string]int // what was posted to banks, so that the same dead end is not entered for ever

	mu       sync.Mutex
	received bytes.Buffer
	broken   []string // answers of 500 and more
}

func newVisitor(t testing.TB) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 4
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{client: &http.Client{Jar: jar, Transport: transport, Timeout: 40 * time.Second}, jar: jar, phone: phoneOf(), tried: map[string]int{}}
}

// sheet is a page as it came.
type sheet struct {
	URL    *url.URL
	Status int
	Doc    *goquery.Document
}

// kind tells what the page wants: login, card, method, bank, leave, end, or wait.
func (s *sheet) kind() string {
	switch {
	case s.Doc.Find("form#card").Length() > 0:
		return "card"
	case s.Doc.Find("input[name=phone], input[name=code]").Length() > 0:
		return "login"
	case s.Doc.Find("#continue").Length() > 0:
		return "end"
	case s.Doc.Find("iframe.unseen").Length() > 0:
		return "method"
	case s.Doc.Find("form#bank").Length() > 0:
		return "bank"
	case s.Doc.Find("a#leave").Length() > 0:
		return "leave"
	case strings.HasPrefix(s.URL.Path, "/pay/") && s.Status == http.StatusOK:
		return "wait"
	}
	return "other"
}

// paid tells whether the page says that the payment succeeded.
func (s *sheet) paid() bool { return s.Doc.Find("svg.mark.good").Length() > 0 }

func (v *visitor) send(method, to string, form url.Values) (*sheet, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, to, body)
	if err != nil {
		return nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	req.Header.Set("Accept-Language", "en")
	req.Header.Set("User-Agent", "visitor/1.0")
	res, err := v.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	fmt.Fprintf(&v.received, "%s\n%v\n%s\n", res.Request.URL, res.Header, raw)
	if res.StatusCode >= 500 {
		v.broken = append(v.broken, fmt.Sprintf("%s %s: %d", method, to, res.StatusCode))
	}
	v.mu.Unlock()
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return &sheet{URL: res.Request.URL, Status: res.StatusCode, Doc: doc}, nil
}

func (v *visitor) get(to string) (*sheet, error) { return v.send(http.MethodGet, to, nil) }

// submit sends a form of a page as it stands, with some fields filled in.
func (v *visitor) submit(page *sheet, form *goquery.Selection, fill map[string]string) (*sheet, error) {
	action, err := page.URL.Parse(form.AttrOr("action", ""))
	if err != nil {
		return nil, err
	}
	values := url.Values{}
	form.Find("input[name]").Each(func(_ int, in *goquery.Selection) {
		values.Add(in.AttrOr("name", ""), in.AttrOr("value", ""))
	})
	for k, val := range fill {
		values.Set(k, val)
	}
	if strings.EqualFold(form.AttrOr("method", "get"), "get") {
		action.RawQuery = values.Encode()
		return v.get(action.String())
	}
	return v.send(http.MethodPost, action.String(), values)
}

func cardFields(number string) map[string]string {
	return map[string]string{
		"number": number, "expiry": time.Now().AddDate(2, 0, 0).Format("01/06"), "cvc": "123", "name": "TEST SHOPPER",
		"browserLanguage": "en", "browserColorDepth": "24", "browserScreenHeight": "900", "browserScreenWidth": "1440", "browserTZ": "-300",
	}
}

// pay fills in the card form that is shown.
func (v *visitor) pay(page *sheet, number string) (*sheet, error) {
	fields := cardFields(number)
	if page.Doc.Find("[name=to_number]").Length() > 0 {
		fields["to_number"] = recipient
	}
	return v.submit(page, page.Doc.Find("form#card"), fields)
}

// logIn gives the phone or the code, as the page asks.
func (v *visitor) logIn(page *sheet) (*sheet, error) {
	in := page.Doc.Find("input[name=phone], input[name=code]")
	return v.submit(page, in.Closest("form"), map[string]string{in.AttrOr("name", ""): map[string]string{"phone": v.phone, "code": "111111"}[in.AttrOr("name", "")]})
}

// frames runs the 3DS Method: each hidden frame posts to its bank, and what the bank sends back posts itself.
func (v *visitor) frames(page *sheet) error {
	var failed []error
	page.Doc.Find("iframe.unseen").Each(func(_ int, f *goquery.Selection) {
		src, err := page.URL.Parse(f.AttrOr("src", ""))
		if err != nil {
			failed = append(failed, err)
			return
		}
		in, err := v.get(src.String())
		if err == nil && in.Doc.Find("form#bank").Length() > 0 {
			in, err = v.submit(in, in.Doc.Find("form#bank"), nil)
			if err == nil && in.Doc.Find("form").Length() > 0 {
				_, err = v.submit(in, in.Doc.Find("form").First(), nil)
			}
		}
		failed = append(failed, err)
	})
	return errors.Join(failed...)
}

// bank goes to the bank and comes back, if the bank lets it.
func (v *visitor) bank(page *sheet) (*sheet, error) {
	at, err := v.submit(page, page.Doc.Find("form#bank"), nil)
	for err == nil && at.URL.Host != page.URL.Host && at.Doc.Find("form").Length() > 0 {
		at, err = v.submit(at, at.Doc.Find("form").Last(), nil)
	}
	return at, err
}

// act does what the page wants; nil means that it wants nothing, or nothing that could still help.
func (v *visitor) act(page *sheet, number string) (*sheet, error) {
	switch page.kind() {
	case "login":
		return v.logIn(page)
	case "card":
		return v.pay(page, number)
	case "method":
		src := page.Doc.Find("iframe.unseen").First().AttrOr("src", "")
		if v.tried[src]++; v.tried[src] > 1 {
			return nil, nil
		}
		if err := v.frames(page); err != nil {
			return nil, err
		}
		return v.get(page.URL.String())
	case "bank":
		form := page.Doc.Find("form#bank input").First().AttrOr("value", "")
		if v.tried[form]++; v.tried[form] > 3 {
			return nil, nil
		}
		return v.bank(page)
	case "leave":
		return v.get(page.Doc.Find("a#leave").AttrOr("href", ""))
	}
	return nil, nil
}

// walk goes on from wherever the session's one address says until the end page. Where it has to wait and nothing
// changes it calls patience, which may move the clock; a lost connection is answered by opening the address again.
func (v *visitor) walk(t testing.TB, payURL, number string, patience func()) *sheet {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute) // of a busy machine's time; a shopper's patience is counted by the clock that is moved
	waitingSince := time.Time{}
	var page *sheet
	for time.Now().Before(deadline) {
		var err error
		if page == nil || page.URL.Host != mustParse(t, payURL).Host || page.kind() == "other" {
			if page, err = v.get(payURL); err != nil {
				page = nil
				pause(20 * time.Millisecond)
				continue
			}
		}
		if page.kind() == "end" {
			return page
		}
		next, err := v.act(page, number)
		if err != nil || next != nil {
			page, waitingSince = next, time.Time{}
			continue
		}
		switch {
		case waitingSince.IsZero():
			waitingSince = time.Now()
		case time.Since(waitingSince) > 300*time.Millisecond:
			patience()
			waitingSince = time.Now()
		}
		pause(25 * time.Millisecond)
		page = nil
	}
	last := "nothing"
	if page != nil {
		last = page.kind() + " " + strings.Join(strings.Fields(page.Doc.Find("main").Text()), " ")
	}
	t.Fatalf("the shopper got to no end within three minutes; the last page was %s", last)
	return nil
}

// pause is for polling what only HTTP can tell.
func pause(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}

func mustParse(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// settled checks a session after everything is over: API, page and ledger agree to the minor unit, money was taken at
// most once, every event is there once and in order, and nothing is unknown.
func settled(t testing.TB, w *world, id, orderID string) sessionView {
	t.Helper()
	s := w.session(t, id)
	if !s.OutcomeKnown {
		t.Errorf("%s: the outcome is still unknown", orderID)
	}
	byReference := map[string]ledgerEntry{}
	charges := 0
	for _, e := range w.ledger(t, orderID) {
		byReference[e.Reference] = e
		charges += e.Charges
	}
	if charges > 1 {
		t.Errorf("%s: charged %d times", orderID, charges)
	}
	for _, a := range s.Attempts {
		e := byReference[a.Reference]
		switch a.State {
		case "paid":
			if e.Charges != 1 || e.Captured != s.Amount || e.Currency != s.Currency {
				t.Errorf("%s: attempt %d is paid, the ledger says %+v", orderID, a.N, e)
			}
		case "declined", "failed", "abandoned":
			if e.Charges != 0 {
				t.Errorf("%s: attempt %d is %s, the ledger says %+v", orderID, a.N, a.State, e)
			}
		default:
			t.Errorf("%s: attempt %d is left %s", orderID, a.N, a.State)
		}
	}
	if paid := s.Status == "paid"; paid != (charges == 1) {
		t.Errorf("%s: session %s, charges %d", orderID, s.Status, charges)
	}
	history(t, w, s)
	return s
}

// history checks the events of a session: 1 to n, each attempt's end in one event, and the last event has the session's status.
func history(t testing.TB, w *world, s sessionView) {
	t.Helper()
	paid, started, ended := 0, 0, 0
	var types []string
	for i, e := range w.events(t, s.ID) {
		types = append(types, e.Type)
		if e.N != i+1 {
			t.Errorf("%s: event %d has number %d", s.OrderID, i+1, e.N)
		}
		switch e.Type {
		case "payment.paid":
			paid++
		case "payment.started":
			started++
		case "payment.declined", "payment.failed", "payment.abandoned":
			ended++
		}
	}
	bad := 0
	for _, a := range s.Attempts {
		if a.State != "paid" {
			bad++
		}
	}
	if started != len(s.Attempts) || paid != len(s.Attempts)-bad || ended != bad {
		t.Errorf("%s: the events do not tell the story of its %d attempts: %v", s.OrderID, len(s.Attempts), types)
	}
}

// calm fails if the shopper was shown an error page.
func (v *visitor) calm(t testing.TB) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, b := range v.broken {
		t.Errorf("the shopper was answered %s", b)
	}
}
