package sber_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/sber"
	"tollgate/threeds"
)

func number(t *testing.T, pan string) card.Number {
	t.Helper()
	n, err := card.ParseNumber(pan)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func typed(t *testing.T, pan string) *card.Card {
	t.Helper()
	code, err := card.ParseCode("123")
	if err != nil {
		t.Fatal(err)
	}
	return &card.Card{Number: number(t, pan), Month: 12, Year: 2029, Code: code, Name: "AIGERIM TEST"}
}

func byCard(t *testing.T, pan string) providers.Instrument {
	t.Helper()
	return providers.Instrument{Kind: "card", Card: *typed(t, pan)}
}

func bySaved(id string) providers.Instrument {
	return providers.Instrument{Kind: "saved_card", Saved: id}
}

func amountOf(t *testing.T, minor int64, code string) money.Amount {
	t.Helper()
	c, err := money.ParseCurrency(code)
	if err != nil {
		t.Fatal(err)
	}
	return money.Amount{Minor: minor, Currency: c}
}

const mdOrder = "3ff6962a-7dcc-4283-ab50-a6d7dd3386fe"

func payment(t *testing.T, reference string) providers.Payment {
	t.Helper()
	return providers.Payment{
		Ref: providers.Ref{Reference: reference}, OrderID: reference, Amount: amountOf(t, 6100, "RUB"), Fee: 100,
		Run:        providers.Run{N: 1, ReturnURL: "https://pay.example/3ds/token/return", NotifyURL: "https://pay.example/3ds/token/notify", SessionData: "sealed"},
		Credential: providers.NewSecret("410012345678901.0123456789ABCDEF0123456789ABCDEF"),
	}
}

// started is a payment whose start was answered without 3-D Secure.
func started(t *testing.T, reference string) providers.Payment {
	t.Helper()
	p := payment(t, reference)
	p.Ref.OrderID = mdOrder
	p.Ref = p.Ref.With("finish", "payment/finish")
	return p
}

// canned answers every request with the same body and keeps what was sent.
type canned struct {
	status int
	answer string
	sent   []*http.Request
	bodies []string
}

func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.sent, c.bodies = append(c.sent, r), append(c.bodies, string(body))
	status := c.status
	if status == 0 {
		status = http.StatusOK
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(c.answer))), Request: r}, nil
}

const fixedNow = "2026-11-21T12:00:00Z"

func now() time.Time {
	t, err := time.Parse(time.RFC3339, fixedNow)
	if err != nil {
		panic(err)
	}
	return t
}

// open is a provider in front of one canned answer.
func open(t *testing.T, c *canned, change ...func(*sber.Config)) providers.Provider {
	t.Helper()
	config := sber.Config{BaseURL: "https://gateway.example/sbersafe", MerchantLogin: "merchant"}
	for _, f := range change {
		f(&config)
	}
	p, err := config.Open(providers.Env{HTTP: &http.Client{Transport: c}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func fixture(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// compact is JSON without its white space.
func compact(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(s)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// cut is a network that dies once, at one call, before or after the gateway takes it.
type cut struct {
	call  string
	after bool

	mu    sync.Mutex
	done  bool
	calls map[string]int // that reached the gateway
}

var errCut = errors.New("connection reset by peer")

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	name := callName(r)
	c.mu.Lock()
	dies := !c.done && name == c.call
	c.done = c.done || dies
	if !dies || c.after {
		if c.calls == nil {
			c.calls = map[string]int{}
		}
		c.calls[name]++
	}
	c.mu.Unlock()
	if dies && !c.after {
		return nil, errCut
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if dies && err == nil {
		res.Body.Close()
		return nil, errCut
	}
	return res, err
}

// pass goes to the bank of a step and brings back what it posts to our TermUrl.
func (w *world) pass(step providers.Step) providers.Answer {
	w.t.Helper()
	if step.Kind != providers.PayerPage || len(step.Forms) != 1 {
		w.t.Fatalf("no bank to go to: %+v", step)
	}
	return w.bank(step.Forms[0])
}

func (w *world) payment(reference string) providers.Payment {
	w.t.Helper()
	p := payment(w.t, reference)
	p.Credential = w.token
	p.Run.ReturnURL = w.site.URL + "/3ds/token/return"
	return p
}

// pays takes a payment to its end and wants it good.
func (w *world) pays(g providers.Provider, p providers.Payment, in providers.Instrument) providers.Payment {
	w.t.Helper()
	step, err := g.Pay(w.t.Context(), p, in, threeds.BrowserData{})
	if err != nil {
		w.t.Fatal(err)
	}
	p.Ref = step.Ref
	answer := providers.Answer{Kind: providers.MethodDone, CompInd: "U"}
	if step.Kind == providers.PayerPage {
		answer = w.pass(step)
	}
	if step, err = g.Resume(w.t.Context(), p, answer); err != nil || step.Kind != providers.Finished {
		w.t.Fatalf("%+v %v", step, err)
	}
	w.mustBe(g, p, providers.Paid)
	return p
}

func (w *world) mustBe(g providers.Provider, p providers.Payment, want providers.Outcome) providers.Standing {
	w.t.Helper()
	s, err := g.Status(w.t.Context(), p)
	if err != nil || s.Outcome != want {
		w.t.Fatalf("wanted %s, got %+v %v", want, s, err)
	}
	return s
}

func (w *world) mustCharge(reference string, times int) {
	w.t.Helper()
	entries := w.entries(reference)
	charges := 0
	if len(entries) > 0 {
		charges = entries[0].Charges
	}
	if len(entries) > 1 || charges != times {
		w.t.Fatalf("%s: wanted %d charges: %+v", reference, times, entries)
	}
}

// spoil lets the gateway take one call and answers something else.
type spoil struct {
	call   string
	status int
	answer func(genuine []byte) []byte
	done   bool
}

func (s *spoil) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || s.done || callName(r) != s.call {
		return res, err
	}
	s.done = true
	genuine, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: s.status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(s.answer(genuine))), Request: r}, nil
}
