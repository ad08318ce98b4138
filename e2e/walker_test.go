package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"tollgate/internal/app"
	"tollgate/internal/config"
)

// walker is a browser without script. It keeps cookies by site and sends them as SameSite=Lax says: a post that comes
// from another site carries none. It follows redirects one by one, submits forms with nothing but the inputs inside them,
// looks again where a page says so in its noscript refresh, and opens frames beside the page.
type walker struct {
	t testing.TB
	w *world

	card  string
	to    string // the card that a transfer goes to, where it was typed
	cvc   string
	order string // of the visit's session, as id is
	id    string
	// modern adds what newer browsers tell of a request (Sec-Fetch-…); without it the walker is an old phone.
	modern bool
	// embedder is the origin that may frame the visit's pages; "" where none may.
	embedder string

	client *http.Client
	mu     sync.Mutex
	jar    *cookies
	trail  []string // where it has been, for a failure's text
	frames sync.WaitGroup
	opened map[string]bool // addresses of frames that were opened
	posted time.Time       // when the newest Method frame's form went out
	loads  int
	left   time.Time // it gives up then

	*document
}

// cookies are those of one browser; its tabs share them.
type cookies struct {
	mu     sync.Mutex
	byHost map[string]map[string]string // host name, cookie name, value
}

// document is what one window or frame shows.
type document struct {
	url    *url.URL
	status int
	header http.Header
	body   string
	doc    *goquery.Document
}

// maxLoads bounds a visit; a page that sends a browser in circles ends it.
const maxLoads = 600

func newWalker(t testing.TB, w *world) *walker {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	b := &walker{
		t: t, w: w, cvc: "123", jar: &cookies{byHost: map[string]map[string]string{}}, opened: map[string]bool{}, left: time.Now().Add(60 * time.Second),
		client: &http.Client{Transport: transport, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	t.Cleanup(func() {
		b.frames.Wait()
		transport.CloseIdleConnections()
		if t.Failed() {
			b.mu.Lock()
			defer b.mu.Unlock()
			t.Logf("the browser went:\n%s", strings.Join(b.trail[max(0, len(b.trail)-40):], "\n"))
			if b.id != "" {
				t.Logf("the session: %s", w.snapshot(t, b.id))
			}
		}
	})
	return b
}

// hop is one request of a window or frame.
type hop struct {
	method string
	to     string
	form   url.Values
	from   *url.URL // the document that causes it; nil is the address bar
	frame  bool
	silent bool // says no Origin
}

// send makes one request and follows what it answers with, redirect by redirect.
func (b *walker) send(r hop) (*document, error) {
	for range 10 {
		res, err := b.once(r)
		if err != nil {
			return nil, err
		}
		if res.status < 300 || res.status > 399 {
			return res, nil
		}
		next, err := res.url.Parse(res.header.Get("Location"))
		if err != nil {
			return nil, err
		}
		if res.status != http.StatusTemporaryRedirect && res.status != http.StatusPermanentRedirect {
			r.method, r.form = http.MethodGet, nil
		}
		r.to = next.String()
	}
	return nil, fmt.Errorf("too many redirects to %s", r.to)
}

func (b *walker) once(r hop) (*document, error) {
	var body io.Reader
	if r.method == http.MethodPost {
		body = strings.NewReader(r.form.Encode())
	}
	ctx, done := context.WithTimeout(context.Background(), 20*time.Second)
	defer done()
	req, err := http.NewRequestWithContext(ctx, r.method, r.to, body)
	if err != nil {
		return nil, err
	}
	crossSite := r.from != nil && r.from.Hostname() != req.URL.Hostname()
	req.Header.Set("User-Agent", "Mozilla/5.0 (walker)")
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	req.Header.Set("Accept-Language", "en-GB,en;q=0.8")
	if r.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "null") // as browsers write it after a redirect or from an opaque origin
		if r.from != nil && !crossSite {
			req.Header.Set("Origin", r.from.Scheme+"://"+r.from.Host)
		}
		if r.silent {
			req.Header.Del("Origin")
		}
	}
	if b.modern {
		site, dest := "none", "document"
		if r.from != nil {
			site = map[bool]string{true: "cross-site", false: "same-origin"}[crossSite]
		}
		if r.frame {
			dest = "iframe"
		}
		req.Header.Set("Sec-Fetch-Site", site)
		req.Header.Set("Sec-Fetch-Mode", "navigate")
		req.Header.Set("Sec-Fetch-Dest", dest)
	}
	host := req.URL.Hostname()
	b.mu.Lock()
	b.loads++
	loads := b.loads
	b.mu.Unlock()
	if !crossSite || r.method == http.MethodGet && !r.frame {
		b.jar.mu.Lock()
		for name, value := range b.jar.byHost[host] {
			req.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		b.jar.mu.Unlock()
	}
	if loads > maxLoads {
		return nil, fmt.Errorf("more than %d pages", maxLoads)
	}
	res, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return nil, err
	}
	d := &document{url: req.URL, status: res.StatusCode, header: res.Header, body: string(raw)}
	if d.doc, err = goquery.NewDocumentFromReader(strings.NewReader(d.body)); err != nil {
		return nil, err
	}
	b.jar.mu.Lock()
	for _, c := range res.Cookies() {
		if b.jar.byHost[host] == nil {
			b.jar.byHost[host] = map[string]string{}
		}
		b.jar.byHost[host][c.Name] = c.Value
	}
	b.jar.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trail = append(b.trail, fmt.Sprintf("%s %s %d %s", r.method, pathOf(req.URL), res.StatusCode, strings.TrimSpace(d.doc.Find("title").Text())))
	outside := strings.HasPrefix(req.URL.Path, "/3ds/") || strings.HasPrefix(req.URL.Path, "/callbacks/")
	if b.ours(req.URL) && outside && len(res.Header["Set-Cookie"]) > 0 {
		b.t.Errorf("%s sets a cookie", pathOf(req.URL))
	}
	return d, nil
}

// pathOf names an address without its host, cut short.
func pathOf(u *url.URL) string {
	p := u.Path
	if len(p) > 60 {
		p = p[:60] + "…"
	}
	return u.Hostname() + p
}

func (b *walker) ours(u *url.URL) bool { return u.Scheme+"://"+u.Host == b.w.Front }

// goTo shows an answer in the window.
func (b *walker) goTo(r hop) {
	b.t.Helper()
	b.expect(r, http.StatusOK)
}

// expect is goTo for an answer of another status.
func (b *walker) expect(r hop, status int) {
	b.t.Helper()
	d, err := b.send(r)
	if err != nil {
		b.t.Fatalf("%s %.100s: %v", r.method, r.to, err)
	}
	b.document = d
	b.inspect(d, status)
}

// tab is another window of the same browser.
func (b *walker) tab() *walker {
	b.t.Helper()
	other := newWalker(b.t, b.w)
	other.jar, other.order, other.card, other.to, other.cvc, other.modern = b.jar, b.order, b.card, b.to, b.cvc, b.modern
	return other
}

// visits begins a visit of a new session: its card form is shown.
func (w *world) visits(t testing.TB, account string, session map[string]any) (*walker, sessionView) {
	t.Helper()
	b, made := w.begins(t, account, session)
	b.logIn()
	says := saysPayByCard
	if session["kind"] == "transfer" {
		says = "Transfer from card to card"
	}
	if b.kind() != cardForm || !strings.Contains(b.words(), says) {
		t.Fatalf("the address does not begin with the card form: %s", b.words())
	}
	return b, made
}

// logIn passes the pages before the card, where the account wants the customer first.
func (b *walker) logIn() {
	b.t.Helper()
	b.logInAs(phoneOf())
	if choice := b.doc.Find("input[name=card][value=new]"); choice.Length() == 1 { // saved cards are offered
		r := formOf(b.document, choice.Closest("form"), "card=new")
		b.goTo(r)
	}
}

// logInAs gives phone and code where they are asked for.
func (b *walker) logInAs(phone string) {
	b.t.Helper()
	for _, ask := range []struct{ input, answer string }{{"phone", phone}, {"code", "111111"}} {
		input := b.doc.Find("input[name=" + ask.input + "]")
		if input.Length() == 0 {
			continue
		}
		r := formOf(b.document, input.Closest("form"), "")
		r.form.Set(ask.input, ask.answer)
		b.goTo(r)
	}
}

// open types an address.
func (b *walker) open(address string) {
	b.t.Helper()
	b.goTo(hop{method: http.MethodGet, to: address})
}

// formOf reads a form as a browser submits it: its own inputs, in order, and the button that is pressed.
func formOf(d *document, form *goquery.Selection, button string) hop {
	v := url.Values{}
	form.Find("input[name]").Each(func(_ int, in *goquery.Selection) {
		if kind := in.AttrOr("type", "text"); (kind == "checkbox" || kind == "radio") && in.AttrOr("checked", "no") == "no" {
			return
		}
		v.Add(in.AttrOr("name", ""), in.AttrOr("value", ""))
	})
	if name, value, ok := strings.Cut(button, "="); ok {
		v.Set(name, value)
	}
	r := hop{method: http.MethodGet, to: d.url.String(), form: v, from: d.url}
	if action := form.AttrOr("action", ""); action != "" {
		if to, err := d.url.Parse(action); err == nil {
			r.to = to.String()
		}
	}
	if strings.EqualFold(form.AttrOr("method", ""), "post") {
		r.method = http.MethodPost
	} else if to, err := url.Parse(r.to); err == nil {
		to.RawQuery = v.Encode() // a GET form replaces the query of its action
		r.to = to.String()
	}
	return r
}

// fill is a filled card form, ready to be sent.
func (b *walker) fill(number, cvc string) hop {
	b.t.Helper()
	form := b.doc.Find("form#card")
	if form.Length() != 1 {
		b.t.Fatalf("no card form: %s", b.words())
	}
	b.card, b.cvc = number, cvc
	clear(b.opened) // what another attempt's frames are called is not looked at
	r := formOf(b.document, form, "")
	r.form.Set("number", number[:4]+" "+number[4:])
	r.form.Set("expiry", "12/30")
	r.form.Set("cvc", cvc)
	r.form.Set("name", "TEST SHOPPER")
	if form.Find("[name=save_card]").Length() > 0 {
		r.form.Set("save_card", "yes")
	}
	if _, asked := r.form["to_number"]; asked {
		b.to = recipient
		r.form.Set("to_number", recipient)
	}
	return r
}

// pay fills the card form and presses Pay.
func (b *walker) pay(number, cvc string) {
	b.t.Helper()
	b.goTo(b.fill(number, cvc))
}

// words are what a person reads of the page.
func (d *document) words() string {
	return strings.Join(strings.Fields(d.doc.Find("main").Text()), " ")
}

// kind is what the window shows, of our own pages.
func (d *document) kind() shown {
	switch {
	case d.status == http.StatusNotFound:
		return lostPage
	case d.doc.Find("#continue").Length() > 0:
		return resultPage
	case d.doc.Find("form#card").Length() > 0 && strings.Contains(d.words(), "Enter the same card again"):
		return sameCard
	case d.doc.Find("form#card").Length() > 0:
		return cardForm
	case d.doc.Find("iframe.unseen").Length() > 0, strings.Contains(d.words(), "Contacting your bank"):
		return methodPage
	case d.doc.Find("form#bank, a#leave").Length() > 0:
		return bankPage
	case d.doc.Find("noscript").Length() > 0:
		return waitPage
	}
	return ""
}

var refreshTo = regexp.MustCompile(`http-equiv="refresh" content="(\d+);url=([^"]*)"`)

// again looks where the page's refresh for browsers without script leads. The seconds it asks for are not waited for.
func (b *walker) again() {
	b.t.Helper()
	m := refreshTo.FindStringSubmatch(b.body)
	if m == nil {
		b.t.Fatalf("%s has no refresh for browsers without script", b.kind())
	}
	tick := time.NewTimer(100 * time.Millisecond)
	<-tick.C
	to, err := b.url.Parse(m[2])
	if err != nil {
		b.t.Fatal(err)
	}
	b.goTo(hop{method: http.MethodGet, to: to.String(), from: b.url})
}

// runFrames opens the Method frames beside the page, once each, and submits what stands in them, as a script would.
func (b *walker) runFrames(submit bool) {
	b.doc.Find("iframe[src]").Each(func(_ int, f *goquery.Selection) {
		src, err := b.url.Parse(f.AttrOr("src", ""))
		if err != nil || b.opened[src.String()] {
			return
		}
		b.opened[src.String()] = true
		from := b.url
		b.frames.Go(func() {
			d, err := b.send(hop{method: http.MethodGet, to: src.String(), from: from, frame: true})
			for range 6 {
				if err != nil {
					b.t.Errorf("frame: %v", err)
					return
				}
				if b.ours(d.url) && d.status == http.StatusNoContent {
					return // another tab was faster: that step is over
				}
				if b.ours(d.url) {
					b.inspect(d, http.StatusOK)
				}
				forms := d.doc.Find("form")
				if forms.Length() == 0 || !submit {
					return
				}
				r := b.copies(d, forms)
				b.mu.Lock()
				if b.ours(d.url) {
					b.posted = time.Now()
				}
				b.mu.Unlock()
				d, err = b.send(r)
			}
		})
	})
}

// copies sends the forms of a page that posts more than once, but for the last, which it gives back.
func (b *walker) copies(d *document, forms *goquery.Selection) hop {
	for i := range forms.Length() - 1 {
		r := formOf(d, forms.Eq(i), "")
		r.frame = true
		if _, err := b.send(r); err != nil {
			b.t.Errorf("first copy: %v", err)
		}
	}
	return formOf(d, forms.Last(), "")
}

// rest goes on until the payment's page has come to rest: at a card form, a result, or lost at the bank (false).
func (b *walker) rest(v visit) bool {
	b.t.Helper()
	press := slices.Clone(v.bank)
	for {
		if time.Now().After(b.left) {
			b.t.Fatalf("the payment never comes to rest; the page says: %s", b.words())
		}
		if b.ours(b.url) {
			switch b.kind() {
			case methodPage:
				b.runFrames(!v.noFrames)
				b.again()
			case waitPage:
				b.again()
			case bankPage:
				b.toBank()
			default:
				return true
			}
			continue
		}
		forms := b.doc.Find("form")
		switch {
		case b.status != http.StatusOK:
			b.t.Fatalf("the bank answers %d: %s", b.status, b.words())
		case b.doc.Find("input[name=otp]").Length() > 0:
			if len(press) == 0 {
				b.t.Fatal("the bank asks, and the shopper has nothing to say")
			}
			what := press[0]
			press = press[1:]
			if _, name := map[string]bool{"pass": true, "attempt": true, "fail": true, "unable": true, "cancel": true, "error": true, "never": true}[what]; name {
				b.goTo(formOf(b.document, forms.Last(), "outcome="+what))
			} else {
				b.goTo(formOf(b.document, forms.First(), "otp="+what))
			}
		case forms.Length() > 0:
			b.goTo(b.copies(b.document, forms))
		case strings.Contains(b.body, "Nothing comes back"):
			return false
		default:
			b.t.Fatalf("the bank's page leads nowhere: %s", b.words())
		}
	}
}

// toBank presses the button of the page that leads to the bank or the gateway.
func (b *walker) toBank() {
	b.t.Helper()
	if form := b.doc.Find("form#bank"); form.Length() == 1 {
		b.goTo(formOf(b.document, form, ""))
		return
	}
	to, err := b.url.Parse(b.doc.Find("a#leave").AttrOr("href", ""))
	if err != nil {
		b.t.Fatal(err)
	}
	b.goTo(hop{method: http.MethodGet, to: to.String(), from: b.url})
	if b.ours(b.url) { // html of the gateway's, in a document of its own
		b.goTo(b.copies(b.document, b.doc.Find("form")))
	}
}

// look opens the payment's address until cond holds of what it shows; nothing is pressed.
func (b *walker) look(address, what string, cond func() bool) {
	b.t.Helper()
	until(b.t, 20*time.Second, what, func() bool {
		b.open(address)
		return cond()
	})
}

// insides are words of ours that no page says. Addresses and messages may hold them by chance: only text is searched.
var insides = regexp.MustCompile(`\.go:|sql:|\bEOF\b|goroutine|panic`)

var codeAlone = regexp.MustCompile(`\b\d{3,4}\b`)

// inspect holds every page of ours against what every page must keep to.
func (b *walker) inspect(d *document, status int) {
	b.t.Helper()
	if !b.ours(d.url) {
		return
	}
	name := pathOf(d.url)
	if d.status != status {
		b.t.Errorf("%s answers %d, not %d: %s", name, d.status, status, d.words())
	}
	text := d.doc.Text()
	if m := insides.FindString(text); m != "" {
		b.t.Errorf("%s says %q", name, m)
	}
	for _, number := range []string{b.card, b.to} {
		if number != "" && (strings.Contains(d.body, number) || strings.Contains(d.body, number[:4]+" "+number[4:8])) {
			b.t.Errorf("%s shows the card's number", name)
		}
	}
	if b.order != "" {
		text = strings.ReplaceAll(text, b.order, "")
	}
	shows := slices.Contains(codeAlone.FindAllString(text, -1), b.cvc)
	d.doc.Find("*").Each(func(_ int, e *goquery.Selection) {
		for _, a := range e.Nodes[0].Attr {
			shows = shows || a.Val == b.cvc
		}
	})
	if shows && b.card != "" { // before a card was typed, 123 is the middle of the phone that is shown as an example
		b.t.Errorf("%s shows the card's code", name)
	}
	h := d.header
	if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "strict-origin" {
		b.t.Errorf("%s lacks a header: %v", name, h)
	}
	b.inspectPolicy(name, d)
}

var nonceOf = regexp.MustCompile(`'nonce-([^']+)'`)

// inspectPolicy holds the Content-Security-Policy against what the page does.
func (b *walker) inspectPolicy(name string, d *document) {
	b.t.Helper()
	policy := map[string]string{}
	for _, part := range strings.Split(d.header.Get("Content-Security-Policy"), "; ") {
		directive, value, _ := strings.Cut(part, " ")
		policy[directive] = value
	}
	if d.status == http.StatusOK && strings.Contains(d.url.Path, "/page/") { // the gateway's own page: foreign script, opaque origin
		if v, ok := policy["sandbox"]; !ok || strings.Contains(v, "allow-same-origin") {
			b.t.Errorf("%s: the gateway's page is not shut off: %v", name, policy)
		}
		return
	}
	want := map[string]string{"default-src": "'none'", "base-uri": "'none'", "style-src": "'self'", "connect-src": "'self'", "frame-ancestors": "'none'", "form-action": "'self'", "frame-src": ""}
	if b.embedder != "" {
		want["frame-ancestors"] = b.embedder
	}
	switch kind := d.kind(); {
	case d.status != http.StatusOK:
	case strings.Contains(d.url.Path, "/frame/"), strings.HasSuffix(d.url.Path, "/notify"):
		want["frame-ancestors"], want["form-action"] = "'self'", ""
	case strings.HasSuffix(d.url.Path, "/return"): // in a frame: opens the whole window
		want["frame-ancestors"], want["form-action"], want["connect-src"] = "", "", ""
	case kind == bankPage:
		want["form-action"] = "" // browsers apply it to the bank's redirects
	case kind == methodPage:
		want["frame-src"] = "'self' https: http:" // http for the sandbox's bank alone
	}
	for directive, value := range want {
		if policy[directive] != value {
			b.t.Errorf("%s (%s): %s is %q, not %q", name, d.kind(), directive, policy[directive], value)
		}
	}
	script := policy["script-src"]
	if strings.Contains(script, "*") || strings.Contains(script, "unsafe") || strings.Contains(script, "http") {
		b.t.Errorf("%s: script-src is %q", name, script)
	}
	nonce := ""
	if m := nonceOf.FindStringSubmatch(script); m != nil {
		nonce = m[1]
	}
	d.doc.Find("*").Each(func(_ int, e *goquery.Selection) {
		for _, a := range e.Nodes[0].Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				b.t.Errorf("%s: an inline %s", name, a.Key)
			}
			if (a.Key == "src" || a.Key == "href" && e.Is("link")) && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "data:image/png;base64,") {
				b.t.Errorf("%s loads %s", name, a.Val)
			}
		}
	})
	d.doc.Find("script").Each(func(_ int, s *goquery.Selection) {
		sum := sha256.Sum256([]byte(s.Text()))
		if strings.Contains(script, " 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
			return
		}
		if _, external := s.Attr("src"); !external && (nonce == "" || s.AttrOr("nonce", "") != nonce) {
			b.t.Errorf("%s: a script that its own policy stops", name)
		}
	})
}

// walk drives one row of the table and leaves the window at the end of the payment.
func (s scenario) walk(t *testing.T, w *world) (*walker, sessionView) {
	t.Helper()
	b, made := w.visits(t, s.account, s.session)
	cvc := s.cvc
	if cvc == "" {
		cvc = "123"
	}
	b.pay(s.card, cvc)
	returned := b.rest(s.visit)
	if returned != (s.visit.lost == 0) {
		t.Fatalf("came back from the bank: %v", returned)
	}
	if !returned {
		b.open(made.URL)
		if b.kind() != bankPage {
			t.Errorf("a shopper whose bank is open sees %s", b.kind())
		}
		w.advance(t, s.visit.lost)
		b.look(made.URL, "the lost payment ends", func() bool { return b.kind() != bankPage && b.kind() != waitPage })
	}
	b.frames.Wait()
	if s.visit.slow { // what came late and changed nothing was answered as calmly
		b.open(made.URL)
	}
	return b, made
}

// alongside runs subtests many at a time, whatever -parallel says: a payment waits far more than it computes.
func alongside[T any](t *testing.T, rows []T, name func(T) string, f func(*testing.T, T)) {
	var all sync.WaitGroup
	gate := make(chan struct{}, 16)
	for _, row := range rows {
		gate <- struct{}{}
		all.Go(func() {
			defer func() { <-gate }()
			t.Run(name(row), func(t *testing.T) { f(t, row) })
		})
	}
	all.Wait()
}

// spec is one sentence of the specification and the test that holds the program to it.
type spec struct {
	name string
	test func(*testing.T)
}

func itself(name string) string { return name }

func TestEveryScenarioWithoutScript(t *testing.T) {
	rows := scenarios()
	slices.SortStableFunc(rows, func(a, b scenario) int { return int(b.rank() - a.rank()) })
	shared := sharedWorld(t)
	alongside(t, rows, func(s scenario) string { return s.name }, func(t *testing.T, s scenario) {
		w := shared
		if s.visit.lost > 0 {
			w = start(t)
		}
		b, made := s.walk(t, w)
		if got := b.kind(); got != s.want.page || !strings.Contains(b.words(), s.want.says) {
			t.Errorf("the shopper sees %s: %q; want %s: %q", got, b.words(), s.want.page, s.want.says)
		}
		w.agrees(t, made, s.want)
		if s.want.page == resultPage {
			shop := w.Sandbox + "/shop/done?session=" + made.ID
			if s.want.charges == 1 {
				shop = w.Sandbox + "/shop/done?from=shop&session=" + made.ID
			}
			if to := b.doc.Find("#continue").AttrOr("href", ""); to != shop {
				t.Errorf("the end leads to %q, not to %q", to, shop)
			}
		}
		if s.want.compInd == "N" {
			b.tenSeconds(made)
		}
	})
}

// rank lets the longest begin first.
func (s scenario) rank() time.Duration {
	if s.visit.slow {
		return time.Hour
	}
	return s.visit.lost
}

// tenSeconds judges by the simulator's clock how long the Method was waited for: from the frame's own post, or where
// nobody posts, from the page with the frames. From the payment call it is no shorter; a busy machine may take a while to
// show the page.
func (b *walker) tenSeconds(made sessionView) {
	b.t.Helper()
	s := b.w.session(b.t, made.ID)
	began := b.posted
	if began.IsZero() {
		var err error
		if began, err = time.Parse(time.RFC3339Nano, s.Attempts[0].Runs[0].MethodAt); err != nil {
			b.t.Fatal(err)
		}
	}
	var paid, went time.Time
	for _, c := range b.w.calls(b.t, s.Attempts[0].Reference) {
		switch c.Call {
		case "paymentorder.do", "sale":
			paid = c.Time
		case "continue.do", "upload-method-url-result":
			if !went.IsZero() {
				b.t.Error("went on twice")
			}
			went = c.Time
		}
	}
	if paid.IsZero() || went.IsZero() {
		b.t.Fatal("the simulator saw no such calls")
	}
	if d := went.Sub(began); d < 10*time.Second || d > 12*time.Second {
		b.t.Errorf("went on %s after the frame's post", d)
	}
	if d := went.Sub(paid); d < 10*time.Second {
		b.t.Errorf("went on %s after the payment call", d)
	}
}

// In a soft decline the card is needed once more. A process that was started anew does not know it, and asks for the
// same card: no other is taken.
func TestAfterARestartASoftDeclineAsksForTheSameCard(t *testing.T) {
	const soft, other = "4000019900020902", "4000019900020704"
	box := start(t, func(o *app.Options) { o.Role = app.Sandbox })
	dir := t.TempDir()
	front := func(l net.Listener) *world {
		w := start(t, func(o *app.Options) {
			c, err := config.Load(config.Flags{Listen: l.Addr().String(), SandboxListen: "127.0.0.1:0", Data: dir}, nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = o.FrontListener.Close()
			o.Role, o.SandboxURL, o.Config, o.FrontListener = app.Front, box.Sandbox, c, l
		})
		w.Sandbox = box.Sandbox
		return w
	}
	l := listen(t)
	w := front(l)
	b, made := w.visits(t, "rbs", nil)
	b.pay(soft, "123")
	first := ""
	until(t, 20*time.Second, "the second run's Method", func() bool {
		src := b.doc.Find("iframe.unseen").First().AttrOr("src", "")
		if first == "" {
			first = src
		}
		if src != "" && src != first {
			return true
		}
		b.runFrames(true)
		b.again()
		return false
	})
	b.frames.Wait()
	w.stop()
	var again net.Listener
	until(t, 10*time.Second, "the port is free again", func() bool {
		var err error
		again, err = net.Listen("tcp", l.Addr().String())
		return err == nil
	})
	w = front(again)
	b.w = w
	b.open(made.URL)
	b.rest(visit{})
	if b.kind() != sameCard || !strings.Contains(b.words(), "the card ending in 0902") {
		t.Fatalf("the shopper sees %s: %s", b.kind(), b.words())
	}
	b.expect(b.fill(other, "123"), http.StatusUnprocessableEntity)
	if b.kind() != sameCard || !strings.Contains(b.words(), "This is another card") {
		t.Fatalf("another card: %s", b.words())
	}
	b.pay(soft, "123")
	b.rest(visit{})
	if b.kind() != resultPage || !strings.Contains(b.words(), saysPaid) {
		t.Fatalf("the shopper sees %s", b.words())
	}
	w.agrees(t, made, paid(2, "YY", threeDS{"2.2.0", "Y", "05"}))
}
