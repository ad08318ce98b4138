package simulation

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// shopper is somebody with an order, some cards and a browser without script.
type shopper struct {
	w       *World
	name    string
	account string
	orderID string
	hold    bool   // the shop captures later
	id      string // of the session
	pay     string // its page
	cards   []string
	typed   int // cards
	browser *http.Client
	tries   map[string]int // how often something was tried
	end     end
}

// end is how a shopper's story ends.
type end string

const (
	seesTheEnd  end = "sees the end"
	givesUp     end = "gives up at the card form"
	noSession   end = "gets no session"
	outOfReach  end = "finds no end in a day and two hours"
	goesInRings end = "goes in rings"
)

// cards of the sandbox: without 3DS, challenges in one and two frames, 3DS 1, the gateway's page, soft declines, refusals.
var cards = []string{
	"4000019900020001", "4000019900020704", "4000019900020704", "4000019900050008", "4000019900021009", "4000019900020720",
	"4000019900020100", "4000019900020712", "4000019900020738", "4000019900040702", "4000019900020902", "4000019900050107",
	"4000019900060700", "4000019900022007", "4000019900020787", "4000019900020746",
}

func newShopper(w *World, i int) *shopper {
	s := &shopper{w: w, name: string(rune('a' + i)), tries: map[string]int{}}
	s.orderID = orderPrefix + s.name
	s.account = w.Profile.Accounts[s.pick(len(w.Profile.Accounts), "account")]
	s.hold = w.Profile.Operates && s.account != "sber" && s.pick(2, "hold") == 0
	for range 1 + s.pick(3, "cards") {
		s.cards = append(s.cards, cards[s.pick(len(cards), "card")])
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err)
	}
	out := &http.Transport{DialContext: w.net.dialer("shopper "+s.name, nil), IdleConnTimeout: time.Minute}
	s.browser = &http.Client{Jar: jar, Timeout: time.Minute, Transport: out}
	return s
}

func (s *shopper) pick(n int, what string) int { return s.w.pick(n, "shopper "+s.name, what) }

func (s *shopper) chance(rate float64, what string) bool {
	return s.w.chance(rate, "shopper "+s.name, what)
}

// page is what a shopper sees.
type page struct {
	url    *url.URL
	status int
	doc    *goquery.Document
}

func (p *page) has(selector string) bool { return p.doc.Find(selector).Length() > 0 }

func (p *page) text() string { return strings.Join(strings.Fields(p.doc.Find("main").Text()), " ") }

// kind tells the pages of the front apart.
func (p *page) kind() string {
	switch {
	case p.url.Host != frontAddr || p.status != http.StatusOK && p.status != http.StatusUnprocessableEntity:
		return "elsewhere"
	case p.has("form#card"):
		return "card"
	case p.has("input[name=phone], input[name=code]"):
		return "login"
	case p.has("#continue"):
		return "end"
	case p.has("iframe.unseen"):
		return "method"
	case p.has("form#bank"):
		return "bank"
	case p.has("a#leave"):
		return "leave"
	case strings.HasPrefix(p.url.Path, "/pay/"):
		return "wait"
	}
	return "elsewhere"
}

func (s *shopper) send(method, to string, form url.Values) (*page, error) {
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
	req.Header.Set("User-Agent", "Simulation/1 "+s.name)
	res, err := s.browser.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	p := &page{url: res.Request.URL, status: res.StatusCode, doc: doc}
	s.w.checkPage(s, p)
	return p, nil
}

func (s *shopper) get(to string) (*page, error) { return s.send(http.MethodGet, to, nil) }

// submit posts a form of a page, sometimes twice at once.
func (s *shopper) submit(p *page, form *goquery.Selection, fill map[string]string) (*page, error) {
	action, err := p.url.Parse(form.AttrOr("action", ""))
	if err != nil {
		return nil, err
	}
	values := url.Values{}
	form.Find("input[name]").Each(func(_ int, in *goquery.Selection) { values.Add(in.AttrOr("name", ""), in.AttrOr("value", "")) })
	for k, v := range fill {
		values.Set(k, v)
	}
	if strings.EqualFold(form.AttrOr("method", "get"), "get") {
		action.RawQuery = values.Encode()
		return s.get(action.String())
	}
	if s.chance(0.15, "double click") {
		var other sync.WaitGroup
		other.Go(func() { _, _ = s.send(http.MethodPost, action.String(), values) })
		defer other.Wait()
	}
	return s.send(http.MethodPost, action.String(), values)
}

// run is a visit to the shop, from the order to an end.
func (s *shopper) run() {
	w := s.w
	defer s.browser.CloseIdleConnections()
	time.Sleep(time.Duration(s.pick(20_000, "comes")) * time.Millisecond)
	var ok bool
	if s.pay, ok = s.order(); !ok {
		s.end = noSession
		w.tracef("%s %s", s.name, s.end)
		return
	}
	w.tracef("%s is to pay with %s and has cards %s", s.name, s.account, strings.Join(s.cards, " "))
	s.end = s.visit()
	w.tracef("%s %s", s.name, s.end)
	w.reach("a shopper " + string(s.end))
	if w.Profile.Operates {
		s.operate()
	}
}

func (s *shopper) visit() end {
	begun := time.Now()
	var p *page
	for range 5000 {
		waited := time.Since(begun)
		if waited > 26*time.Hour {
			return outOfReach
		}
		if p == nil || p.kind() == "elsewhere" {
			next, err := s.get(s.pay)
			if p = next; err != nil {
				s.rest(4 * time.Second)
				continue
			}
		}
		kind := p.kind()
		s.w.reach("a page: " + kind)
		switch {
		case kind == "end":
			return seesTheEnd
		case kind == "card" && s.typed >= len(s.cards):
			return givesUp
		case kind != "wait" && kind != "login" && s.chance(0.04, "leaves"):
			away := []time.Duration{time.Minute, 20 * time.Minute, 2 * time.Hour}[s.pick(3, "stays away")]
			s.w.tracef("%s leaves for %s", s.name, away)
			time.Sleep(away)
			p = nil
			continue
		}
		next, err := s.act(p, kind)
		switch p = next; {
		case err != nil:
			s.rest(2 * time.Second)
		case p != nil:
			s.rest(200 * time.Millisecond)
		case waited > 3*time.Hour: // who waits looks less and less often
			s.rest(20 * time.Minute)
		case waited > 20*time.Minute:
			s.rest(2 * time.Minute)
		default:
			time.Sleep(3 * time.Second)
		}
	}
	return goesInRings
}

func (s *shopper) rest(most time.Duration) {
	time.Sleep(time.Duration(s.pick(int(most), "rests")))
}

// again counts how often something was tried and tells whether that is still sensible.
func (s *shopper) again(what string, most int) bool {
	s.tries[what]++
	return s.tries[what] <= most
}

// act does what a page asks for. No page and no error: there is nothing to do but wait.
func (s *shopper) act(p *page, kind string) (*page, error) {
	if form := p.doc.Find("form.cancel"); form.Length() > 0 && kind != "login" && s.chance(0.02, "cancels") {
		s.w.tracef("%s cancels", s.name)
		return s.submit(p, form.First(), nil)
	}
	switch kind {
	case "login":
		return s.logIn(p)
	case "card":
		return s.typeCard(p)
	case "method":
		return s.loadFrames(p)
	case "bank":
		if s.again(p.doc.Find("form#bank input").First().AttrOr("value", ""), 4) {
			at, err := s.submit(p, p.doc.Find("form#bank"), nil)
			return s.confirm(at, err)
		}
	case "leave":
		to, err := p.url.Parse(p.doc.Find("a#leave").AttrOr("href", ""))
		if err != nil {
			return nil, err
		}
		if s.again(to.String(), 4) {
			at, err := s.get(to.String())
			return s.confirm(at, err)
		}
	}
	return nil, nil
}

func (s *shopper) logIn(p *page) (*page, error) {
	if in := p.doc.Find("input[name=phone]"); in.Length() > 0 {
		phone := fmt.Sprint("917113121", 1+s.w.between("phone", int(s.name[0]), 0, 8))
		return s.submit(p, in.Closest("form"), map[string]string{"phone": phone})
	}
	if !s.again("code", 12) {
		return nil, nil
	}
	another := p.doc.Find("form").FilterFunction(func(_ int, f *goquery.Selection) bool {
		return strings.HasSuffix(f.AttrOr("action", ""), "/phone")
	})
	if s.tries["code"]%3 == 0 && another.Length() > 0 {
		return s.submit(p, another.First(), nil)
	}
	return s.submit(p, p.doc.Find("input[name=code]").Closest("form"), map[string]string{"code": "111111"})
}

func (s *shopper) typeCard(p *page) (*page, error) {
	number := s.cards[max(0, s.typed-1)]
	if !strings.Contains(p.text(), "same card") {
		number = s.cards[s.typed]
		s.typed++
	}
	s.w.tracef("%s types card %s", s.name, number)
	return s.submit(p, p.doc.Find("form#card"), map[string]string{
		"number": number, "expiry": "12/30", "cvc": "123", "name": "TEST SHOPPER", "browserLanguage": "en", "browserColorDepth": "24",
		"browserScreenHeight": "900", "browserScreenWidth": "1440", "browserTZ": "-300",
	})
}

func (s *shopper) loadFrames(p *page) (*page, error) {
	frames := p.doc.Find("iframe.unseen")
	if !s.again(frames.First().AttrOr("src", ""), 1) {
		return nil, nil
	}
	for _, frame := range frames.EachIter() {
		src, err := p.url.Parse(frame.AttrOr("src", ""))
		if err != nil {
			return nil, err
		}
		in, err := s.get(src.String())
		for range 2 { // ours, which posts to the issuer's; the issuer's, which posts back
			if err != nil || !in.has("form") {
				break
			}
			in, err = s.submit(in, in.doc.Find("form").First(), nil)
		}
		if err != nil {
			return nil, err
		}
	}
	return s.get(p.url.String())
}

// confirm goes through the pages of bank or gateway until one of the front's.
func (s *shopper) confirm(at *page, err error) (*page, error) {
	for n := 0; n < 8 && err == nil && at.url.Host != frontAddr && at.has("form"); n++ {
		form, fill := at.doc.Find("form").Last(), map[string]string{}
		if at.has("input[name=otp]") {
			form = at.doc.Find("form").First()
			fill["otp"] = []string{"1234", "1234", "3333"}[s.pick(3, "code")]
		}
		for _, name := range []string{"number", "pan", "cardNumber"} {
			if at.has("input[name=" + name + "]") {
				fill[name] = s.cards[max(0, s.typed-1)]
			}
		}
		if s.chance(0.03, "leaves the bank") {
			return nil, nil
		}
		at, err = s.submit(at, form, fill)
	}
	return at, err
}

// reached tells that the story has an end.
func (e end) reached() bool { return slices.Contains([]end{seesTheEnd, givesUp}, e) }
