// Package providertest is the conformance suite that every provider passes against its simulator: each test card walked
// to its end by a browser without script, and every call of a payment spoilt in every way that networks and gateways
// know. What is believed is compared with the ledger, which knows what was really charged.
package providertest

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/threeds"
)

// Harness is what the suite needs of a gateway. To add a gateway is to fill one in and call Run.
type Harness struct {
	// Open makes the provider against the simulator, which may be reached with env.HTTP only.
	Open func(env providers.Env) (providers.Provider, error)
	// Payment is one that the account takes: amount, currency, billing. The suite fills in what differs between payments.
	Payment providers.Payment
	Cards   []Card
	// Ends are the cards that end otherwise here than the card table alone says, by number.
	Ends map[string]End
	// Ledger is what the simulator recorded for one of our references.
	Ledger func(reference string) []Entry
	// Now is the simulator's clock, Advance moves it and lets it do what is due.
	Now     func() time.Time
	Advance func(time.Duration)
	// Call names a request as the gateway's documents do; Status is the name of the inquiry.
	Call   func(*http.Request) string
	Status string
	// Spoils are false answers in the gateway's own format.
	Spoils []Spoil
	// Words are those of Silences that are a proper answer in this gateway's language.
	Words []string
	// Signed are the parameters of a callback that its signature covers, the signature itself first.
	Signed []string
	// Secrets are the account's: nothing may print them.
	Secrets []string
	// NoHold and NoCallbacks say why the gateway has none; the suite then leaves that part out.
	NoHold, NoCallbacks string
	// Journeys are the cards whose walks together make every call; each call of theirs is spoilt.
	Journeys []string
}

// Card is a test card as the issuer's table lists it.
type Card struct {
	PAN       string
	Protocol  string
	Method    string
	ARes      string
	Challenge string
	Bank      string
	HTML      bool
	Alias     bool
	Title     string
}

// End is how a walk ends.
type End string

// Ends.
const (
	Good     End = "good"     // authorized or paid, as asked
	Refused  End = "refused"  // a final refusal of the try
	Open     End = "open"     // nothing came back: unpaid, and it may stay so
	NotFound End = "notfound" // the gateway does not know the order
	Unknown  End = "unknown"  // no inquiry said anything
)

// Entry is what the simulator really did, in minor units.
type Entry struct {
	Amount, Authorized, Captured int64
	Charges                      int
}

// Lie is the wrong conclusion that a falsified inquiry must not lead to.
type Lie int

// Lies.
const (
	UnknownStatus Lie = iota // a status nobody documented: no end of any kind
	OtherAmount              // the standing must show it
	OtherOrder               // the standing must show it, or there must be none
	NoProof                  // a refusal that may follow a charge ("system error"): no end of any kind
)

// Spoil changes a genuine answer, of the inquiry unless Call names another call. Edit returns nil where the answer has
// nothing to change.
type Spoil struct {
	Lie  Lie
	Call string
	Edit func(body []byte) []byte
}

// Run runs the whole suite.
func Run(t *testing.T, h Harness) {
	t.Run("cards", func(t *testing.T) { Cards(t, h) })
	t.Run("hold", func(t *testing.T) {
		held := h
		if h.NoHold != "" {
			refusesHolds(t, h)
			return
		}
		held.Payment.Hold = true
		held.Cards = pick(h.Cards, h.Journeys)
		Cards(t, held)
	})
	t.Run("browsers", func(t *testing.T) { browsers(t, h) })
	t.Run("spoilt", func(t *testing.T) { spoilt(t, h) })
	t.Run("mutants", func(t *testing.T) { mutants(t, h) })
	t.Run("orders", func(t *testing.T) { orders(t, h) })
	t.Run("operations", func(t *testing.T) { operations(t, h) })
	t.Run("callbacks", func(t *testing.T) { callbacks(t, h) })
	t.Run("secrets", func(t *testing.T) { secrets(t, h) })
}

// Cards walks every card to its end. It is the part to repeat for an account's other options.
func Cards(t *testing.T, h Harness) {
	for _, c := range h.Cards {
		t.Run(c.PAN+" "+c.Title, func(t *testing.T) {
			w := begin(t, h, nil)
			end := w.pay(c)
			want, ok := h.Ends[c.PAN]
			if !ok {
				want = usual(c)
			}
			if end != want {
				t.Fatalf("ended %s, want %s; last standing %+v; %v", end, want, w.last, w.story)
			}
			w.agree(end)
		})
	}
}

// usual is what the card table promises of a gateway with 3DS 2.
func usual(c Card) End {
	switch {
	case c.Challenge == "never":
		return Open
	case c.Bank != "":
		return Refused
	case c.Protocol == "":
		return Good
	}
	switch c.ARes {
	case "N", "R", "U", "timeout":
		return Refused
	}
	switch c.Challenge {
	case "fail", "cancel", "erro", "unable":
		return Refused
	}
	return Good
}

func pick(cards []Card, pans []string) []Card {
	var out []Card
	for _, pan := range pans {
		for _, c := range cards {
			if c.PAN == pan {
				out = append(out, c)
			}
		}
	}
	return out
}

// spoilt repeats the journeys with each of their calls spoilt in each way.
func spoilt(t *testing.T, h Harness) {
	silenced := map[string]bool{} // once for each call is enough
	for _, c := range pick(h.Cards, h.Journeys) {
		clean := begin(t, h, nil)
		end := clean.pay(c)
		clean.agree(end)
		for _, call := range clean.calls() {
			all := faults(h, call)
			if !silenced[call] {
				silenced[call], all = true, append(all, silences(h)...)
			}
			for _, f := range all {
				t.Run(c.PAN+" "+call+" "+f.name, func(t *testing.T) {
					w := begin(t, h, &spoiler{fault: f, call: call})
					end := w.pay(c)
					if !w.spoiler.played {
						t.Fatalf("%s was never called", call)
					}
					w.agree(end)
				})
			}
		}
	}
}

// forgotten pays an order and asks for its number as for one that was never used.
func forgotten(t *testing.T, h Harness, c Card) {
	for _, later := range []time.Duration{0, 3 * time.Hour, 48 * time.Hour} {
		w := begin(t, h, nil)
		if end := w.pay(c); end != Good {
			t.Fatal(end, w.story)
		}
		h.Advance(later)
		asked := w.p
		asked.Ref, asked.CreatedAt, asked.ExpiresAt = providers.Ref{Reference: w.p.Ref.Reference}, h.Now(), h.Now().Add(time.Hour)
		asked.Forgotten = &providers.Forgotten{From: h.Now().Add(-later - time.Hour), Until: h.Now()}
		if _, recovers := w.probe.p.(providers.Recoverer); recovers {
			if _, err := w.probe.p.Register(t.Context(), asked); !errors.Is(err, providers.ErrAlreadyPaid) {
				t.Errorf("after %s Register says %v", later, err)
			}
		} else if s, err := w.probe.Status(t.Context(), asked); err != nil || s.Outcome != providers.Paid {
			t.Errorf("after %s the inquiry says %+v %v", later, s, err)
		}
		if e := h.Ledger(w.p.Ref.Reference); len(e) != 1 || e[0].Charges != 1 {
			t.Errorf("after %s: %+v", later, e)
		}
	}
}

// orders is what must hold of orders without a payment.
func orders(t *testing.T, h Harness) {
	c := pick(h.Cards, h.Journeys)[0]
	t.Run("an order nobody registered is not found, and asking makes none", func(t *testing.T) {
		w := begin(t, h, nil)
		s, err := w.probe.Status(t.Context(), w.p)
		if err != nil || s.Outcome != providers.NotFound {
			t.Fatalf("%+v %v", s, err)
		}
		if e := h.Ledger(w.p.Ref.Reference); len(e) != 0 {
			t.Fatalf("%+v", e)
		}
	})
	t.Run("registering again recovers the order", func(t *testing.T) {
		w := begin(t, h, nil)
		first, err := w.probe.Register(t.Context(), w.p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.probe.Register(t.Context(), w.p)
		if err != nil || again.OrderID != first.OrderID || again.Reference != first.Reference || first.Reference != w.p.Ref.Reference {
			t.Fatalf("%+v, then %+v %v", first, again, err)
		}
		if e := h.Ledger(w.p.Ref.Reference); len(e) > 1 {
			t.Fatalf("%d orders", len(e))
		}
		w.agree(w.pay(c))
	})
	t.Run("a paid order stays paid", func(t *testing.T) {
		w := begin(t, h, nil)
		if end := w.pay(c); end != Good {
			t.Fatal(end, w.story)
		}
		if closer, ok := w.probe.p.(providers.Closer); ok {
			w.probe.note(closer.Close(t.Context(), w.p))
		}
		for range 3 {
			if s, err := w.probe.Status(t.Context(), w.p); err != nil || s.Outcome != providers.Paid {
				t.Fatalf("%+v %v", s, err)
			}
		}
		w.agree(Good)
	})
	t.Run("the number of a paid order that our database forgot is found before it is paid again", func(t *testing.T) { forgotten(t, h, c) })
	t.Run("a closed order cannot be paid", func(t *testing.T) {
		w := begin(t, h, nil)
		closer, ok := w.probe.p.(providers.Closer)
		if !ok {
			return // this gateway has no such call; its orders are outlived
		}
		ref, err := w.probe.Register(t.Context(), w.p)
		if err != nil {
			t.Fatal(err)
		}
		w.p.Ref = ref
		if err := closer.Close(t.Context(), w.p); err != nil {
			t.Fatal(err)
		}
		_, err = w.probe.Pay(t.Context(), w.p, w.instrument(c), browserData())
		s, askErr := w.probe.Status(t.Context(), w.p)
		if err == nil && s.Outcome == providers.Waiting || askErr != nil || s.Outcome == providers.Paid ||
			s.Outcome == providers.Authorized {
			t.Fatalf("%v; %+v %v", err, s, askErr)
		}
		w.agree(Open)
	})
}

// callbacks lets the simulator send a genuine one, then changes it.
func callbacks(t *testing.T, h Harness) {
	w := begin(t, h, nil)
	n, ok := w.probe.p.(providers.Notifier)
	if h.NoCallbacks != "" {
		if ok {
			t.Fatalf("reads callbacks although there are none: %s", h.NoCallbacks)
		}
		return
	}
	if !ok {
		t.Fatal("no provider of ours goes without callbacks; add the exception with its reason")
	}
	if end := w.pay(pick(h.Cards, h.Journeys)[0]); end != Good {
		t.Fatal(end, w.story)
	}
	genuine := w.site.callback(t, w.p.Ref.Reference)
	notice, err := n.Notified(genuine.request())
	if err != nil || notice.Reference != w.p.Ref.Reference {
		t.Fatalf("the genuine one: %+v %v", notice, err)
	}
	if notice.OrderID != "" && notice.OrderID != w.p.Ref.OrderID {
		t.Errorf("order id %s, want %s", notice.OrderID, w.p.Ref.OrderID)
	}
	for i, name := range h.Signed {
		for what, change := range map[string]func(string) []string{
			"altered":  func(v string) []string { return []string{alter(v)} },
			"doubled":  func(v string) []string { return []string{v, alter(v)} },
			"shadowed": func(v string) []string { return []string{alter(v), v} },
			"emptied":  func(string) []string { return []string{""} },
			"missing":  func(string) []string { return nil },
		} {
			forged, ok := genuine.with(name, change)
			if !ok {
				t.Fatalf("the genuine callback has no %s", name)
			}
			notice, err := n.Notified(forged.request())
			if !errors.Is(err, providers.ErrForged) || notice != (providers.Notice{}) {
				t.Errorf("%s %s (%d): %+v %v", name, what, i, notice, err)
			}
		}
	}
	w.agree(Good)
}

func alter(v string) string {
	if v == "" {
		return "1"
	}
	last := v[len(v)-1]
	if last == '0' {
		return v[:len(v)-1] + "1"
	}
	return v[:len(v)-1] + "0"
}

const wrongCode = "9074" // no card of the table has it; it is looked for in everything that is printed

// secrets walks a card whose code is refused, and lets the gateway echo what it was sent.
func secrets(t *testing.T, h Harness) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&lockedWriter{w: &log}, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer slog.SetDefault(before)
	cards := pick(h.Cards, h.Journeys)
	var printed []string
	for _, f := range []fault{{}, {name: "echo", do: echo, status: 200, after: true},
		{name: "echo", do: echo, status: 500, after: true}, {name: "echo", do: echo, status: 400}} {
		for _, c := range cards {
			w := begin(t, h, nil)
			if f.name != "" {
				w = begin(t, h, &spoiler{fault: f, every: true})
			}
			w.code = wrongCode
			w.pay(c)
			slog.Debug("the provider", "provider", w.probe.p, "payment", w.p, "instrument", w.instrument(c))
			printed = append(printed, w.probe.said...)
			printed = append(printed, fmt.Sprintf("%v %+v %#v", w.probe.p, w.probe.p, w.probe.p))
		}
	}
	all := log.String() + strings.Join(printed, "\n")
	if len(printed) < 20 || !strings.Contains(all, "the provider") {
		t.Fatal("nothing was printed; the test sees nothing")
	}
	for _, c := range cards {
		if strings.Contains(all, c.PAN) {
			t.Errorf("the number of %s is printed", c.PAN)
		}
	}
	for _, s := range h.Secrets {
		if strings.Contains(all, s) {
			t.Errorf("a secret of %d characters is printed", len(s))
		}
	}
	if at := regexp.MustCompile(`\b` + wrongCode + `\b`).FindStringIndex(all); at != nil {
		t.Errorf("the code is printed: %.200s", all[max(0, at[0]-100):])
	}
}

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func browserData() threeds.BrowserData {
	return threeds.BrowserData{
		AcceptHeader: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", UserAgent: "Mozilla/5.0 (X11; Linux x86_64)", IP: "127.0.0.1",
		Language: "en-GB", JavascriptEnabled: true, ColorDepth: "24", ScreenHeight: "1080", ScreenWidth: "1920", TZ: "-300",
		AcceptLanguage: []string{"en-GB", "en"},
	}
}

func (w *walk) instrument(c Card) providers.Instrument {
	w.t.Helper()
	number, err := card.ParseNumber(c.PAN)
	if err != nil {
		w.t.Fatal(err)
	}
	code, err := card.ParseCode(w.code)
	if err != nil {
		w.t.Fatal(err)
	}
	return providers.Instrument{Kind: "card", Card: card.Card{Number: number, Month: 12, Year: w.h.Now().Year() + 3, Code: code,
		Name: "AIGERIM TEST"}}
}

// InDoubt pays with a card whose outcome the gateway itself does not know, and expects the result to stay unknown.
func InDoubt(t *testing.T, h Harness, pan, code string) {
	w := begin(t, h, nil)
	w.code = code
	if end := w.pay(pick(h.Cards, []string{pan})[0]); end != Open || w.last.Outcome != providers.Unclear || w.last.Next != nil {
		t.Fatalf("ended %s, last %+v", end, w.last)
	}
	w.agree(Open)
}

// refusesHolds is for gateways that take money at once: a hold must be refused when the session is made.
func refusesHolds(t *testing.T, h Harness) {
	w := begin(t, h, nil)
	w.p.Hold = true
	var refusal *providers.Refusal
	if err := w.probe.p.Check(w.p); !errors.As(err, &refusal) {
		t.Fatalf("%s, yet a hold is not refused: %v", h.NoHold, err)
	}
}
