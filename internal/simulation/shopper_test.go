package simulation

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// shopper is somebody with an order, some cards and a browser without script.
type shopper struct {
	w             *World
	name          string
	account       string
	orderID       string
	story         story
	more          map[string]any // that the order says beside its sum
	hold          bool           // the shop captures later
	id            string         // of the session
	pay           string         // its page
	cards         []string
	typed         int // cards
	browser       *http.Client
	tries         map[string]int // how often something was tried
	end           end
	honest        bool       // does what the pages ask, nothing else, and at once
	inCabinetDone bool       // somebody has done something at the gateway
	noWay         time.Time  // since when no page has offered a way out
	then          []*shopper // what they order afterwards, and the shop for them
}

// story is what an order is about.
type story string

const (
	byCard     story = "a payment by card"
	onHosted   story = "a payment on the gateway's page"
	byQR       story = "a payment by QR code"
	bySberPay  story = "a payment by SberPay"
	saving     story = "a payment that saves the card"
	bySaved    story = "a payment with a saved card"
	charged    story = "a charge by the shop"
	transfer   story = "a transfer"
	paidOut    story = "a payout"
	billed     story = "an invoice"
	withPlain  story = "a virtual card"
	registered story = "a card that is registered alone"
)

// stories are what each account can do.
var stories = map[string][]story{
	"rbs":           {byCard, byCard, onHosted, saving},
	"payneteasy":    {byCard, byCard, onHosted, saving},
	"cashier":       {byCard, byCard, onHosted, byQR, bySberPay, saving, paidOut},
	"sber":          {byCard, byCard, transfer, saving, withPlain},
	"transactworld": {byCard, byCard, saving, paidOut, billed, registered},
}

// end is how a shopper's story ends.
type end string

const (
	seesTheEnd  end = "sees the end"
	givesUp     end = "gives up at the card form"
	noSession   end = "gets no session"
	outOfReach  end = "finds no end in a day and four hours"
	goesInRings end = "goes in rings"
)

// cards of the sandbox: without 3DS, challenges in one and two frames, 3DS 1, the gateway's page, soft declines, refusals.
var cards = []string{
	"4000019900020001", "4000019900020704", "4000019900020704", "4000019900050008", "4000019900021009", "4000019900020720",
	"4000019900020100", "4000019900020712", "4000019900020738", "4000019900040702", "4000019900020902", "4000019900050107",
	"4000019900060700", "4000019900022007", "4000019900020787", "4000019900020746", "4000019900023005", "4000019900024003",
	"4000019900020753", "4000019900020803", "4000019900040710", "4000019900070006", "4000019900020795", "4000019900025000",
}

// approved are cards that an honest owner can pay with, by themselves or with the code that the bank asks for.
var approved = []string{"4000019900020001", "4000019900020704", "4000019900050008", "4000019900021009", "4000019900040702", "4000019900020720"}

// masked is what may stand of a card in a story.
func masked(numbers ...string) string {
	var all []string
	for _, n := range numbers {
		all = append(all, "…"+n[len(n)-4:])
	}
	return strings.Join(all, " ")
}

// nameOf is letters only: digits could look like a card's.
func nameOf(i int) string {
	if i < 26 {
		return string(rune('a' + i))
	}
	return nameOf(i/26-1) + string(rune('a'+i%26))
}

func newShopper(w *World, i int) *shopper {
	s := &shopper{w: w, name: nameOf(i), tries: map[string]int{}, more: map[string]any{}}
	s.orderID = orderPrefix + s.name
	s.account = w.Profile.Accounts[s.pick(len(w.Profile.Accounts), "account")]
	s.honest = s.pick(3, "honest") == 0
	s.story = byCard
	if w.Profile.Stories {
		all := stories[s.account]
		s.story = all[s.pick(len(all), "story")]
	}
	s.hold = w.Profile.Operates && s.account != "sber" && (s.story == byCard || s.story == saving) && s.pick(2, "hold") == 0
	for range 1 + s.pick(3, "cards") {
		s.cards = append(s.cards, cards[s.pick(len(cards), "card")])
	}
	switch s.story {
	case saving, withPlain, registered: // the rest of the story needs a payment that succeeds
		s.cards[0] = approved[s.pick(len(approved), "approved card")]
	case paidOut, billed:
		s.cards[0] = "4000019900050008"
	}
	if w.Profile.only != "" {
		s.story = w.Profile.only
	}
	if w.Profile.cards != nil {
		s.cards, s.honest = w.Profile.cards, true
	}
	s.browser = s.newBrowser()
	return s
}

func (s *shopper) newBrowser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err)
	}
	out := &http.Transport{DialContext: s.w.net.dialer("shopper "+s.name, nil), IdleConnTimeout: time.Minute}
	return &http.Client{Jar: jar, Timeout: time.Minute, Transport: out}
}

// orders is what the same person, or the shop for them, orders afterwards.
func (s *shopper) orders(what story, more map[string]any) *shopper {
	t := &shopper{
		w: s.w, name: s.name + "." + map[story]string{bySaved: "again", charged: "charge", paidOut: "payout", transfer: "transfer", billed: "bill"}[what],
		account: s.account, story: what, more: more, cards: []string{approved[s.pick(len(approved), "another card")]}, browser: s.browser,
		tries: map[string]int{}, honest: s.honest,
	}
	t.orderID = orderPrefix + t.name
	s.then = append(s.then, t)
	return t
}

// all are a shopper's orders.
func (s *shopper) all() []*shopper {
	all := []*shopper{s}
	for _, t := range s.then {
		all = append(all, t.all()...)
	}
	return all
}

func (s *shopper) pick(n int, what string) int { return s.w.pick(n, "shopper "+s.name, what) }

func (s *shopper) chance(rate float64, what string) bool {
	if s.honest || !s.w.troubled() {
		return false
	}
	if people := s.w.Profile.People; people > 0 {
		rate *= people
	}
	return s.w.chance(rate, "shopper "+s.name, what)
}

// page is what a shopper sees.
type page struct {
	url        *url.URL
	status     int
	retryAfter time.Duration // 0 where the answer names none
	doc        *goquery.Document
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
	case p.has("input[name=card][type=radio]"):
		return "choose"
	case p.has("form#saved"):
		return "saved"
	case p.has("#continue"):
		return "end"
	case p.has("iframe.unseen"):
		return "method"
	case p.has("form#bank"):
		return "bank"
	case p.has("a#leave"):
		return "leave"
	case p.has("a.button") && strings.HasPrefix(p.doc.Find("a.button").AttrOr("href", ""), sandboxURL):
		return "scan"
	case p.has("form[data-busy]"):
		return "start"
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
	return s.through(s.browser, req)
}

// through sends a request with one of their browsers.
func (s *shopper) through(browser *http.Client, req *http.Request) (*page, error) {
	res, err := browser.Do(req)
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
	after, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	p := &page{url: res.Request.URL, status: res.StatusCode, retryAfter: time.Duration(after) * time.Second, doc: doc}
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

// run is a visit to the shop, from the order to an end, and what follows it.
func (s *shopper) run() {
	w := s.w
	defer s.browser.CloseIdleConnections()
	time.Sleep(time.Duration(s.pick(20_000, "comes")) * time.Millisecond)
	w.reach(string(s.story))
	switch s.story {
	case paidOut, billed, registered:
		s.withoutSession()
		return
	}
	s.buy()
	s.afterwards()
	if w.Profile.Operates && s.story != transfer {
		s.operate()
	}
}

// buy is an order and the visit to its page.
func (s *shopper) buy() {
	w := s.w
	var ok bool
	if s.pay, ok = s.order(); !ok {
		s.end = noSession
		w.tracef("%s %s", s.name, s.end)
		return
	}
	w.tracef("%s is to make %s with %s and has cards %s", s.name, s.story, s.account, masked(s.cards...))
	s.end = s.visit()
	w.tracef("%s %s", s.name, s.end)
	w.reach("a shopper " + string(s.end))
}

func (s *shopper) visit() end {
	w, begun, came := s.w, time.Now(), time.Now()
	var p *page
	for range 5000 {
		waited := time.Since(begun)
		if time.Since(came) > 28*time.Hour { // counted from when they came back: who was away twice for twenty hours has not looked
			if p != nil {
				w.tracef("%s still reads %q", s.name, p.text())
			}
			return outOfReach
		}
		if p != nil && p.status == http.StatusTooManyRequests && p.url.Host == frontAddr {
			s.waitsAsTold(p)
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
		s.seesAWay(p, kind)
		switch {
		case kind == "end":
			return seesTheEnd
		case kind == "card" && s.typed >= len(s.cards) && !s.corrects(p):
			return givesUp
		case kind == "start" && !s.again("start", 3):
			return givesUp
		case kind != "wait" && kind != "login" && s.chance(0.06, "leaves"):
			p, came = s.leave(p), time.Now()
			continue
		}
		if waited > patience && p.has("form.cancel") && (kind == "wait" || kind == "bank" || kind == "scan" || kind == "leave") && s.again("way out", 20) {
			s.w.reach("a shopper who takes the way out after a long wait")
			p, _ = s.submit(p, p.doc.Find("form.cancel").First(), nil)
			s.rest(time.Minute)
			continue
		}
		s.beside(p, kind)
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

// goOnIn is how a page says for how long nothing more is taken.
var goOnIn = regexp.MustCompile(`You can go on in (\d+) minutes?\.`)

// waitsAsTold waits as long as a page asks that takes nothing more for now; it has to name a time, and the one that browsers are told
// may not be longer.
func (s *shopper) waitsAsTold(p *page) {
	said := goOnIn.FindStringSubmatch(p.text())
	if said == nil {
		s.w.violation("%s is to wait, and is not told for how long: %s", s.name, p.text())
		s.rest(time.Minute)
		return
	}
	minutes, _ := strconv.Atoi(said[1])
	d := time.Duration(minutes) * time.Minute
	if p.retryAfter <= 0 || p.retryAfter > d || minutes > 60 {
		s.w.violation("%s is told to wait for %s, their browser for %s", s.name, d, p.retryAfter)
	}
	s.w.tracef("%s waits for %s as the page says", s.name, d)
	s.w.reach("a shopper who has to wait before the next try")
	time.Sleep(d)
}

// leave is to go away for a while, and come back: to the page as it is then, or to the one that stayed open.
func (s *shopper) leave(p *page) *page {
	away := []time.Duration{time.Minute, 20 * time.Minute, 2 * time.Hour, 20 * time.Hour}[s.pick(4, "stays away")]
	s.w.tracef("%s leaves for %s", s.name, away)
	s.w.reach("a shopper leaves for " + away.String())
	time.Sleep(away)
	switch s.pick(3, "comes back to") {
	case 0:
		s.w.reach("a shopper goes on with an old page")
		return p
	case 1:
		s.w.reach("a shopper comes back in another browser")
		s.browser.CloseIdleConnections()
		s.browser = s.newBrowser()
	}
	return nil
}

// beside is what people do with another tab or browser, or with what the page has left of an earlier one.
func (s *shopper) beside(p *page, kind string) {
	if s.chance(0.05, "second tab") {
		s.w.reach("a second tab")
		_, _ = s.get(s.pay)
	}
	if kind == "card" && s.chance(0.04, "pays in a second tab") && s.typed < len(s.cards) {
		s.w.reach("a card is typed in two tabs")
		other := *s
		other.tries = map[string]int{}
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = other.typeCard(p) })
		defer wg.Wait()
	}
	if s.chance(0.03, "second browser") {
		s.w.reach("a second browser")
		req, err := http.NewRequest(http.MethodGet, s.pay, nil)
		if err != nil {
			panic(err)
		}
		other := s.newBrowser()
		_, _ = s.through(other, req)
		other.CloseIdleConnections()
	}
}

// seesAWay holds it against the front if somebody waits for long and no page tells them a way out, or until when.
func (s *shopper) seesAWay(p *page, kind string) {
	if kind != "wait" && kind != "bank" && kind != "scan" && kind != "leave" || p.has("form.cancel, #exit time, #exit a#shop") {
		s.noWay = time.Time{}
		return
	}
	if s.noWay.IsZero() {
		s.noWay = time.Now()
	}
	if d := time.Since(s.noWay); d > wayOutWithin {
		s.w.violation("%s has seen no way out for %s: %s", s.name, d.Round(time.Second), p.text())
		s.noWay = time.Now()
	}
}

// patience is how long people wait before they take a way out that a page offers.
const patience = 45 * time.Minute

// wayOutWithin is the longest that pages may offer nothing but waiting.
const wayOutWithin = 30 * time.Minute

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
	if form := p.doc.Find("form.cancel"); form.Length() > 0 && kind != "login" && s.chance(0.03, "cancels") {
		i := s.pick(form.Length(), "which way")
		what := "cancels"
		if form.Eq(i).AttrOr("id", "") == "other" {
			what = "takes another card"
		}
		s.w.tracef("%s %s", s.name, what)
		s.w.reach("a shopper " + what)
		return s.submit(p, form.Eq(i), nil)
	}
	switch kind {
	case "start":
		return s.submit(p, p.doc.Find("form[data-busy]").First(), nil)
	case "saved":
		return s.submit(p, p.doc.Find("form#saved"), nil)
	case "choose":
		return s.choose(p)
	case "scan":
		if to := p.doc.Find("a.button").AttrOr("href", ""); s.again(to, 3) {
			at, err := s.get(to)
			if err == nil && at.has("form") {
				fill := map[string]string{}
				if s.chance(0.3, "refuses in the app") {
					fill["result"] = "declined"
				}
				_, err = s.submit(at, at.doc.Find("form").First(), fill)
			}
			return nil, err
		}
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
		phone := fmt.Sprint("917113121", 1+s.w.between("phone", "", int(s.name[0]), 0, 8))
		return s.submit(p, in.Closest("form"), map[string]string{"phone": phone})
	}
	s.again("code", 0)
	n := s.tries["code"]
	if n > 12 && n%20 > 2 { // they come back to it now and then: a payment under way is asked about for its customer only
		return nil, nil
	}
	another := p.doc.Find("form").FilterFunction(func(_ int, f *goquery.Selection) bool {
		return strings.HasSuffix(f.AttrOr("action", ""), "/code/again")
	})
	if another.Length() > 0 && (n <= 12 && n%3 == 0 || n > 12 && n%20 == 0) {
		s.w.reach("a shopper asks for another code")
		return s.submit(p, another.First(), nil)
	}
	return s.submit(p, p.doc.Find("input[name=code]").Closest("form"), map[string]string{"code": "111111"})
}

func (s *shopper) typeCard(p *page) (*page, error) {
	number := s.cards[max(0, s.typed-1)]
	switch {
	case s.corrects(p):
		s.again("recipient", 1)
		s.w.reach("a shopper who corrects the card that a transfer goes to")
	case !strings.Contains(p.text(), "same card"):
		number = s.cards[s.typed]
		s.typed++
	}
	s.w.tracef("%s types card %s", s.name, masked(number))
	s.w.typed(number)
	fill := map[string]string{
		"number": number, "expiry": "12/30", "cvc": "123", "name": "TEST SHOPPER", "browserLanguage": "en", "browserColorDepth": "24",
		"browserScreenHeight": "900", "browserScreenWidth": "1440", "browserTZ": "-300",
	}
	if p.has("[name=to_number]") {
		fill["to_number"] = s.recipient()
	}
	return s.submit(p, p.doc.Find("form#card"), fill)
}

// corrects tells that the page calls a field wrong that the shopper has not corrected yet: no other card is needed for that.
func (s *shopper) corrects(p *page) bool {
	return s.tries["recipient"] == 0 && strings.Contains(p.text(), "This is the card you are transferring from")
}

// recipients are the cards that transfers go to: the first is also one that people pay with, who then correct what the page calls wrong.
var recipients = []string{"4000019900021009", "4000019900040728"}

// recipient is the card that the shopper's transfer goes to.
func (s *shopper) recipient() string {
	to := recipients[min(s.tries["recipient"], len(recipients)-1)]
	s.w.typed(to)
	return to
}

// choose pays with the first of the saved cards, or a new one where the story is about a new one.
func (s *shopper) choose(p *page) (*page, error) {
	form := p.doc.Find("input[name=card]").First().Closest("form")
	id := form.Find("input[name=card]").First().AttrOr("value", "new")
	if s.story != bySaved || s.tries["saved"] > 0 {
		id = "new"
	}
	if id != "new" {
		s.again("saved", 1)
		s.w.reach("a saved card is chosen")
	}
	fill := map[string]string{"card": id}
	if form.Find("[name=cvc]").Length() > 0 {
		fill["cvc"] = "123"
	}
	if form.Find("[name=to_number]").Length() > 0 {
		fill["to_number"] = s.recipient()
	}
	return s.submit(p, form, fill)
}

// typed remembers a card's number, to look for it where it must never be.
func (w *World) typed(number string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cards[number] = true
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
			fill["otp"] = "1234"
			if s.chance(0.3, "wrong code") {
				fill["otp"] = "3333"
			}
		}
		for name, value := range s.onGatewaysPage() {
			if at.has(`input[name="` + name + `"]`) {
				form = at.doc.Find("form").First()
				fill[name] = value
			}
		}
		if s.chance(0.03, "leaves the bank") {
			return nil, nil
		}
		at, err = s.submit(at, form, fill)
	}
	return at, err
}

// onGatewaysPage is what is typed on a page of a gateway's own; each names its fields as it pleases.
func (s *shopper) onGatewaysPage() map[string]string {
	number := s.cards[min(len(s.cards)-1, s.tries["hosted"])]
	s.w.typed(number)
	return map[string]string{
		"number": number, "credit_card_number": number, "$PAN": number, "card.number": number, "pan": number, "cardNumber": number,
		"expiry": "12/30", "expire_month": "12", "MM": "12", "card.expiryMonth": "12", "expire_year": "2030", "YYYY": "2030", "card.expiryYear": "2030",
		"cvc": "123", "cvv2": "123", "$CVC": "123", "card.cvv": "123", "name": "TEST SHOPPER", "card_printed_name": "TEST SHOPPER", "TEXT": "TEST SHOPPER",
	}
}

// reached tells that the story has an end.
func (e end) reached() bool { return slices.Contains([]end{seesTheEnd, givesUp}, e) }
