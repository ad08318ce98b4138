// Package shop is the sandbox's demo shop: what a merchant does with Tollgate, in one page. It is an ordinary customer of the
// merchant API and knows nothing else of Tollgate.
package shop

import (
	"context"
	"embed"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tollgate/client"
	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/ledger"
	"tollgate/internal/sandbox/page"
)

//go:embed pages
var files embed.FS

var pages = page.Parse(files, "pages/*.html")

// Options of the shop; all must be set.
type Options struct {
	BaseURL   string // the sandbox as browsers reach it
	FrontURL  string // Tollgate as the shop's server and browsers reach it
	APIKey    string
	Accounts  []string    // the merchant's accounts, the first is the default
	Look      string      // of the payment pages
	Languages [][2]string // tag and name of those that the payment pages have; none: English
	Client    *http.Client
	Ledger    *ledger.Ledger
	Now       func() time.Time
	Rand      io.Reader
}

// Shop serves /shop and /shop/done.
type Shop struct {
	o        Options
	tollgate *client.ClientWithResponses
	mu       sync.Mutex // guards Rand
}

// New makes a shop.
func New(o Options) (*Shop, error) {
	tollgate, err := client.New(o.FrontURL, o.APIKey, client.WithHTTPClient(o.Client))
	return &Shop{o: o, tollgate: tollgate}, err
}

// Handler expects the full path.
func (s *Shop) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /shop", s.show)
	mux.HandleFunc("POST /shop", s.buy)
	mux.HandleFunc("GET /shop/done", s.done)
	return mux
}

// item is something to buy; its price is US cents, turned into other currencies at rates that never change.
type item struct {
	ID, Name, Note string
	cents          int64
	Picture        template.HTML
}

var items = []item{
	{"tshirt", "T-shirt", "Cotton, white", 2000,
		`<svg viewBox="0 0 44 44" aria-hidden="true"><rect width="44" height="44" rx="8" fill="#e8eefc"/><path d="M16 10l-8 5 3 6 4-2v15h14V19l4 2 3-6-8-5c-1 3-3 4-6 4s-5-1-6-4z" fill="#1f4fd8"/></svg>`},
	{"mug", "Mug", "Holds 300 ml", 950, `<svg viewBox="0 0 44 44" aria-hidden="true"><rect width="44" height="44" rx="8" fill="#fdeee3"/><path d="M11 13h17v16a4 4 0 0 1-4 4h-9a4 4 0 0 1-4-4z" fill="#c45a12"/><path d="M28 17h3a4 4 0 0 1 0 9h-3" fill="none" stroke="#c45a12" stroke-width="3"/></svg>`},
	{"notebook", "Notebook", "96 dotted pages", 625,
		`<svg viewBox="0 0 44 44" aria-hidden="true"><rect width="44" height="44" rx="8" fill="#e5f5ec"/><rect x="12" y="9" width="21" height="26" rx="3" fill="#0c6b43"/><path d="M17 9v26" stroke="#e5f5ec" stroke-width="2"/></svg>`},
	{"sticker", "Sticker", "The smallest amount", 1,
		`<svg viewBox="0 0 44 44" aria-hidden="true"><rect width="44" height="44" rx="8" fill="#f6e9fb"/><circle cx="22" cy="22" r="11" fill="#8a2fb0"/><path d="M17 24c1 3 9 3 10 0M18 18v1M26 18v1" stroke="#fff" stroke-width="2" stroke-linecap="round" fill="none"/></svg>`},
}

var rates = []struct {
	Currency string
	perUSD   float64
}{{"KZT", 500}, {"RUB", 90}, {"USD", 1}, {"EUR", 0.9}, {"JPY", 150}, {"KWD", 0.3}}

func price(cents int64, currency string) int64 {
	for _, r := range rates {
		if r.Currency == currency {
			exact := float64(cents) / 100 * r.perUSD * math.Pow10(amount.Exponent(currency))
			return max(1, int64(math.Round(exact)))
		}
	}
	return 0
}

type line struct {
	item
	Quantity int
	Price    int64
	Prices   string // currency to minor units, JSON, for the page's script
}

type basketView struct {
	page.Frame
	Lines                                []line
	Total                                int64
	Currency, Account, Capture, Language string
	Currencies, Accounts                 []string
	Languages                            [][2]string
	Digits                               string // currency to exponent, JSON
	Cards, Aliases                       []issuer.Card
	Expiry                               string
	Error                                *problem
}

// basket reads the choice out of a form; what is missing or odd becomes the default.
func (s *Shop) basket(form url.Values) *basketView {
	choice := func(name string, allowed ...string) string {
		if v := form.Get(name); slices.Contains(allowed, v) {
			return v
		}
		return allowed[0]
	}
	tags := []string{"en"}
	if len(s.o.Languages) > 0 {
		tags = nil
	}
	for _, l := range s.o.Languages {
		tags = append(tags, l[0])
	}
	v := &basketView{Frame: page.Frame{Title: "Demo shop", Section: "shop"}, Accounts: s.o.Accounts, Languages: s.o.Languages}
	digits := map[string]int{}
	for _, r := range rates {
		v.Currencies = append(v.Currencies, r.Currency)
		digits[r.Currency] = amount.Exponent(r.Currency)
	}
	v.Currency = choice("currency", v.Currencies...)
	v.Account = choice("account", s.o.Accounts...)
	v.Capture = choice("capture", "automatic", "manual")
	v.Language = choice("locale", tags...)
	for n, it := range items {
		l := line{item: it, Price: price(it.cents, v.Currency)}
		if q, err := strconv.Atoi(form.Get(it.ID)); err == nil {
			l.Quantity = min(max(q, 0), 99)
		} else if n == 0 && len(form) == 0 {
			l.Quantity = 1
		}
		all := map[string]int64{}
		for _, c := range v.Currencies {
			all[c] = price(it.cents, c)
		}
		raw, _ := json.Marshal(all)
		l.Prices = string(raw)
		v.Total += l.Price * int64(l.Quantity)
		v.Lines = append(v.Lines, l)
	}
	raw, _ := json.Marshal(digits)
	v.Digits = string(raw)
	for _, c := range issuer.Table() {
		if c.Alias {
			v.Aliases = append(v.Aliases, c)
		} else {
			v.Cards = append(v.Cards, c)
		}
	}
	v.Expiry = s.o.Now().AddDate(3, 0, 0).Format("01/06")
	return v
}

// groupDigits is the number as it stands on a card.
func groupDigits(pan string) string {
	var parts []string
	for p := range slices.Chunk([]byte(pan), 4) {
		parts = append(parts, string(p))
	}
	return strings.Join(parts, " ")
}

// Number is what the list of test cards shows: these numbers are public, and meant to be copied.
func (v *basketView) Number(c issuer.Card) string { return groupDigits(c.PAN) }

func (s *Shop) show(w http.ResponseWriter, r *http.Request) {
	s.render(w, http.StatusOK, s.basket(url.Values{}))
}

func (s *Shop) render(w http.ResponseWriter, status int, v *basketView) {
	page.Render(w, status, pages, "basket.html", v, origin(s.o.FrontURL))
}

func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// problem is what the shop says where the merchant API did not do as asked.
type problem struct{ Title, Detail, Raw string }

// problemOf words a refusal of the merchant API (RFC 9457), or what kept it from answering.
func problemOf(err error) *problem {
	refusal, ok := errors.AsType[*client.Error](err)
	if !ok {
		return &problem{Title: "Tollgate does not answer", Detail: err.Error()}
	}
	p := &problem{Title: refusal.Problem.Title, Detail: refusal.Problem.Detail}
	if refusal.Problem.Type != "" {
		raw, _ := json.MarshalIndent(refusal.Problem, "", "  ")
		p.Raw = string(raw)
	}
	return p
}

func (s *Shop) buy(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	v := s.basket(r.PostForm)
	if r.PostForm.Get("do") == "total" {
		s.render(w, http.StatusOK, v)
		return
	}
	if v.Total == 0 {
		v.Error = &problem{Title: "The basket is empty", Detail: "Put something in first."}
		s.render(w, http.StatusUnprocessableEntity, v)
		return
	}
	address, err := s.create(r.Context(), v)
	if err != nil {
		v.Error = problemOf(err)
		s.render(w, http.StatusBadGateway, v)
		return
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
}

func (s *Shop) orderID() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := make([]byte, 5)
	if _, err := io.ReadFull(s.o.Rand, b); err != nil {
		return "", err
	}
	return "shop-" + strings.ToLower(base32.StdEncoding.EncodeToString(b)), nil
}

// create opens the checkout session and returns the address to send the shopper to.
func (s *Shop) create(ctx context.Context, v *basketView) (string, error) {
	order, err := s.orderID()
	if err != nil {
		return "", err
	}
	var names []string
	for _, l := range v.Lines {
		if l.Quantity > 0 {
			names = append(names, fmt.Sprintf("%s x %d", l.Name, l.Quantity))
		}
	}
	made, err := s.tollgate.CreateSessionWithResponse(ctx, &client.CreateSessionParams{IdempotencyKey: &order}, client.NewSession{
		Account: v.Account, Amount: v.Total, Currency: v.Currency, OrderID: order, Capture: client.CaptureMode(v.Capture),
		Locale:      client.Locale(v.Language),
		Look:        s.o.Look,
		Description: strings.Join(names, ", "),
		SuccessURL:  s.o.BaseURL + "/shop/done", CancelURL: s.o.BaseURL + "/shop/done?cancelled=1",
	})
	if err != nil {
		return "", err
	}
	if made.JSON201 == nil {
		return "", errors.New("the answer is not a session")
	}
	if u, err := url.Parse(made.JSON201.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", errors.New("the session has no usable url")
	}
	return made.JSON201.URL, nil
}

type attemptRow struct {
	N                                    int
	State                                client.AttemptState
	Tone, Reference, Instrument, Decline string
}

type doneView struct {
	page.Frame
	Session        *client.Session
	Tone, Headline string
	Attempts       []attemptRow
	Entries        []ledger.Entry
	Verdict        string
	VerdictTone    string
	Error          *problem
}

var sessionID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// headlines say how a session ended; what is missing here is still under way.
var headlines = map[client.SessionStatus][2]string{
	client.SessionStatusPaid:              {"good", "Paid. Thank you!"},
	client.SessionStatusAuthorized:        {"good", "Reserved. The shop takes the money when it ships."},
	client.SessionStatusRefunded:          {"waiting", "Refunded"},
	client.SessionStatusPartiallyRefunded: {"waiting", "Partly refunded"},
	client.SessionStatusVoided:            {"waiting", "The reservation was released"},
	client.SessionStatusDeclined:          {"bad", "Not paid: the card was declined"},
	client.SessionStatusExpired:           {"bad", "Not paid: the checkout expired"},
	client.SessionStatusCancelled:         {"bad", "Not paid: the checkout was cancelled"},
}

// done shows how the payment ended, as the merchant API says, beside what the gateway's ledger says. What the browser brings
// along proves nothing, so nothing of it is shown.
func (s *Shop) done(w http.ResponseWriter, r *http.Request) {
	v := &doneView{Frame: page.Frame{Title: "Your order", Section: "shop"}}
	id := r.URL.Query().Get("session")
	if !sessionID.MatchString(id) {
		v.Error = &problem{Title: "No such order", Detail: "The address does not name a checkout session."}
		page.Render(w, http.StatusNotFound, pages, "done.html", v)
		return
	}
	got, err := s.tollgate.GetSessionWithResponse(r.Context(), id)
	if err == nil && got.JSON200 == nil {
		err = errors.New("the answer is not a session")
	}
	if err != nil {
		v.Error = problemOf(err)
		page.Render(w, http.StatusBadGateway, pages, "done.html", v)
		return
	}
	s.fill(v, got.JSON200)
	page.Render(w, http.StatusOK, pages, "done.html", v)
}

func (s *Shop) fill(v *doneView, got *client.Session) {
	v.Session = got
	end, ended := headlines[got.Status]
	if !ended {
		end = [2]string{"waiting", "We are waiting for the payment"}
		if got.Status == client.SessionStatusOpen {
			end[1] = "Not paid yet"
		}
	}
	v.Tone, v.Headline = end[0], end[1]
	if !ended || !got.OutcomeKnown {
		v.Refresh = 3
	}
	for _, a := range got.Attempts {
		row := attemptRow{N: a.N, State: a.State, Reference: a.Reference, Instrument: string(a.Instrument), Tone: "waiting"}
		switch a.State {
		case client.AttemptStatePaid, client.AttemptStateAuthorized:
			row.Tone = "good"
		case client.AttemptStateDeclined, client.AttemptStateFailed, client.AttemptStateAbandoned:
			row.Tone = "bad"
		}
		if a.Decline != nil {
			row.Decline = strings.ReplaceAll(string(a.Decline.Reason), "_", " ")
		}
		if a.Card != nil {
			row.Instrument = strings.TrimSpace(a.Card.Brand + " " + a.Card.First6 + "••••••" + a.Card.Last4)
		}
		v.Attempts = append(v.Attempts, row)
	}
	var authorized, captured, refunded int64
	charges := 0
	for _, e := range s.o.Ledger.All() {
		if n, ok := strings.CutPrefix(e.Reference, got.OrderID+"-"); !ok || !number.MatchString(n) {
			continue
		}
		v.Entries = append(v.Entries, e)
		authorized, captured, refunded, charges = authorized+e.Authorized, captured+e.Captured, refunded+e.Refunded, charges+e.Charges
	}
	if len(v.Entries) == 0 {
		return
	}
	agrees := charges == 0
	switch got.Status {
	case client.SessionStatusAuthorized:
		agrees = charges == 1 && authorized == got.Amount
	case client.SessionStatusPaid, client.SessionStatusRefunded, client.SessionStatusPartiallyRefunded, client.SessionStatusVoided:
		agrees = got.Payment != nil && charges == 1 && captured == got.Payment.AmountCaptured && refunded == got.Payment.AmountRefunded
	}
	switch {
	case agrees:
		v.Verdict, v.VerdictTone = "The gateway's ledger agrees.", "good"
	case ended:
		v.Verdict, v.VerdictTone = "The gateway's ledger says something else.", "bad"
	default:
		v.Verdict, v.VerdictTone = "The gateway's ledger is ahead: the answer is on its way.", "waiting"
	}
}

var number = regexp.MustCompile(`^[0-9]+$`)
