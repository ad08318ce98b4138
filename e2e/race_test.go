package e2e_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/app"
	"tollgate/internal/config"
)

// Cards by what they do.
const (
	cardPlain        = "4000019900050008" // no 3-D Secure
	cardFrictionless = "4000019900020001"
	cardChallenge    = "4000019900020704" // passes by itself
	cardByHand       = "4000019900020720" // the bank's own page
	cardSoft         = "4000019900020902" // soft decline, then challenge
)

// shortDeadlines gives the accounts short deadlines, so that a silent gateway costs seconds and not minutes of real time.
func shortDeadlines(o *app.Options) {
	o.Tune = func(c *config.Config) {
		for name, a := range c.Accounts {
			a.CallTimeout, a.SettleAfter = config.Duration(1500*time.Millisecond), config.Duration(2*time.Second)
			c.Accounts[name] = a
		}
	}
}

// crowd runs n shoppers, a few at a time.
func crowd(t *testing.T, n, atOnce int, shopper func(i int)) {
	t.Helper()
	var all sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for i := range n {
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			shopper(i)
		})
	}
	all.Wait()
}

// each runs a test for every name, all at once: they wait more than they work, however few the cores.
func each(t *testing.T, names []string, test func(t *testing.T, name string)) {
	t.Helper()
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() { t.Run(name, func(t *testing.T) { test(t, name) }) })
	}
	all.Wait()
}

func gatewayOf(i int) string { return []string{"rbs", "payneteasy"}[i%2] }

func TestPayPressedTwiceIsOneAttemptAndOneCharge(t *testing.T) {
	t.Parallel()
	w := start(t)
	for name, later := range map[string]func(i int) time.Duration{
		"in two tabs at once":       func(int) time.Duration { return 0 },
		"on one page, within 20 ms": func(i int) time.Duration { return time.Duration(i%21) * time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			crowd(t, 100, 8, func(i int) {
				s := w.create(t, gatewayOf(i), nil)
				v := newVisitor(t)
				page, err := v.get(s.URL)
				if err != nil {
					t.Error(err)
					return
				}
				tab := page
				if later(i) == 0 {
					if tab, err = v.get(s.URL); err != nil {
						t.Error(err)
						return
					}
				}
				var presses sync.WaitGroup
				for n, p := range []*sheet{page, tab} {
					presses.Go(func() {
						if n == 1 {
							pause(later(i))
						}
						got, err := v.pay(p, cardPlain)
						if err != nil {
							t.Error(err)
						} else if k := got.kind(); got.Status != http.StatusOK || k != "wait" && k != "end" {
							t.Errorf("press %d shows %d, a page of kind %s", n+1, got.Status, k)
						}
					})
				}
				presses.Wait()
				if end := v.walk(t, s.URL, cardPlain, func() { w.nudge(4 * time.Second) }); !end.paid() {
					t.Error("not paid")
				}
				if got := settled(t, w, s.ID, s.OrderID); len(got.Attempts) != 1 || got.Status != "paid" {
					t.Errorf("%d attempts, session %s", len(got.Attempts), got.Status)
				}
				v.calm(t)
			})
		})
	}
}

func TestCallbackReturnAndPollAtOnceAreOnePayment(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.fault(t, map[string]any{"call": "callback", "do": "twice", "times": -1})
	crowd(t, 100, 6, func(i int) {
		s := w.create(t, gatewayOf(i), nil)
		v := newVisitor(t)
		atBank, ok := v.toReturn(t, w, s.URL)
		if !ok {
			t.Errorf("%s: the shopper never got to the bank", s.OrderID)
			return
		}
		var all sync.WaitGroup
		for range 3 { // the callbacks come by themselves as soon as the first of these is forwarded
			all.Go(func() {
				if got, err := v.submit(atBank, atBank.Doc.Find("form").Last(), nil); err != nil || got.Status != http.StatusOK {
					t.Errorf("return: %v", err)
				}
			})
			all.Go(func() { w.api(t, "POST", "/v1/sessions/"+s.ID+"/inquire", nil, nil) })
			all.Go(func() { _, _ = v.get(s.URL) })
		}
		all.Wait()
		v.walk(t, s.URL, cardChallenge, func() { w.nudge(2 * time.Second) })
		if got := settled(t, w, s.ID, s.OrderID); got.Status != "paid" || len(got.Attempts) != 1 {
			t.Errorf("session %s, %d attempts", got.Status, len(got.Attempts))
		}
		v.calm(t)
	})
}

// toReturn walks until the bank's page that is about to send the shopper back.
func (v *visitor) toReturn(t *testing.T, w *world, payURL string) (*sheet, bool) {
	t.Helper()
	stuck := time.Now()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		page, err := v.get(payURL)
		if err != nil {
			t.Error(err)
			return nil, false
		}
		if page.kind() == "bank" {
			bank, err := v.submit(page, page.Doc.Find("form#bank"), nil)
			if err != nil {
				t.Error(err)
			}
			return bank, err == nil && bank.Doc.Find("form").Length() > 0
		}
		if next, err := v.act(page, cardChallenge); err != nil {
			t.Error(err)
			return nil, false
		} else if next != nil {
			continue
		}
		if time.Since(stuck) > 300*time.Millisecond {
			w.nudge(2 * time.Second)
			stuck = time.Now()
		}
		pause(25 * time.Millisecond)
	}
	return nil, false
}

// chargingCalls are the calls that can move money, with a card for which each does.
var chargingCalls = []struct{ gateway, call, card string }{
	{"rbs", "paymentorder.do", cardPlain},
	{"rbs", "continue.do", cardFrictionless},
	{"rbs", "finish3dsVer2Payment.do", cardChallenge},
	{"payneteasy", "sale", cardPlain},
	{"payneteasy", "upload-method-url-result", cardFrictionless},
	{"payneteasy", "upload-cres-result", cardChallenge},
	{"sber", "payment/start", cardChallenge},
	{"sber", "payment/finish", cardPlain},
	{"sber", "payment/finish", cardChallenge},
	{"cashier", "authorize", cardPlain},
	{"cashier", "authorize", cardChallenge},
	{"transactworld", "payments", cardPlain},
	{"transactworld", "payments", cardChallenge},
}

// outliving is a patience that in the end outlives an order, where a gateway can neither close it nor repeat its way to the
// bank.
func (w *world) outliving() func() {
	moved := time.Duration(0)
	return func() {
		step := 2 * time.Second
		if moved > 20*time.Second {
			step = 5 * time.Minute
		}
		moved += step
		w.Clock.Advance(step)
	}
}

// inDoubt runs a test for each charging call, the gateways at once.
func inDoubt(t *testing.T, test func(t *testing.T, w *world, gateway, call, card string, fields map[string]any)) {
	t.Helper()
	var gateways []string
	for _, c := range chargingCalls {
		if !slices.Contains(gateways, c.gateway) {
			gateways = append(gateways, c.gateway)
		}
	}
	each(t, gateways, func(t *testing.T, gateway string) {
		w := start(t, shortDeadlines)
		for _, c := range chargingCalls {
			if c.gateway != gateway {
				continue
			}
			fields := map[string]any{"expires_in": 86400, "currency": operatorOf(gateway).currency}
			t.Run(c.call+" "+c.card, func(t *testing.T) { test(t, w, gateway, c.call, c.card, fields) })
		}
	})
}

// seconds is a patience that lets time run faster, a little.
func (w *world) seconds(d time.Duration) func() { return func() { w.Clock.Advance(d) } }

func TestAGatewayThatTakesTheMoneyAndHangsIsNeverAskedForItAgain(t *testing.T) {
	t.Parallel()
	inDoubt(t, func(t *testing.T, w *world, gateway, call, card string, fields map[string]any) {
		w.fault(t, map[string]any{"gateway": gateway, "call": call, "do": "hang", "when": "after", "hold_ms": 60_000})
		w.fault(t, map[string]any{"gateway": gateway, "call": "callback", "do": "drop", "times": 3}) // as many as tell of one payment
		s := w.create(t, gateway, fields)
		v := newVisitor(t)
		if end := v.walk(t, s.URL, card, w.outliving()); !end.paid() {
			t.Error("not paid")
		}
		if !hangs(t, w, s.OrderID+"-1", call) {
			t.Error("the gateway did not hang")
		}
		got := settled(t, w, s.ID, s.OrderID)
		// The way to the bank was in the answer, and cannot be had again: then a second order is paid once the first is dead.
		if got.Status != "paid" || len(got.Attempts) > 1 && (card != cardChallenge || !lostWay[call]) {
			t.Errorf("session %s, %d attempts", got.Status, len(got.Attempts))
		}
		for _, a := range got.Attempts {
			if n := w.count(t, a.Reference, call); n != 1 {
				t.Errorf("%s was called %d times", call, n)
			}
		}
		v.calm(t)
	})
}

// lostWay are the calls whose answer is the way to the bank, which no inquiry repeats.
var lostWay = map[string]bool{"payment/start": true, "payments": true}

func TestACallThatNeverArrivedChargesNothingAndTheShopperPaysAfterAll(t *testing.T) {
	t.Parallel()
	inDoubt(t, func(t *testing.T, w *world, gateway, call, card string, fields map[string]any) {
		w.fault(t, map[string]any{"gateway": gateway, "call": call, "do": "close", "when": "before"})
		s := w.create(t, gateway, fields)
		v := newVisitor(t)
		if end := v.walk(t, s.URL, card, w.outliving()); !end.paid() {
			t.Error("not paid in the end")
		}
		got := settled(t, w, s.ID, s.OrderID)
		if got.Status != "paid" || w.charges(t, s.OrderID) != 1 {
			t.Errorf("session %s, charges %d", got.Status, w.charges(t, s.OrderID))
		}
		for _, a := range got.Attempts {
			if a.State == "declined" {
				t.Error("silence was read as a decline")
			}
		}
		v.calm(t)
	})
}

// Whatever is wrong with an answer, it is neither a decline nor money, and no page of ours breaks.
func TestNonsenseInPlaceOfAnAnswerIsNeverADeclineNorAPayment(t *testing.T) {
	t.Parallel()
	kinds := []map[string]any{
		{"do": "status", "status": 500, "body": `{"error":"oops"}`, "content_type": "application/json"},
		{"do": "status", "status": 502, "body": "<html><h1>Bad Gateway</h1></html>"},
		{"do": "body", "body": ""},
		{"do": "body", "body": "<html>maintenance</html>"},
		{"do": "cut", "when": "after"},
		{"do": "huge"},
	}
	calls := map[string][]string{
		"rbs":        {"register.do", "paymentorder.do", "continue.do", "finish3dsVer2Payment.do", "getOrderStatusExtended.do"},
		"payneteasy": {"sale", "upload-method-url-result", "upload-cres-result", "status"},
	}
	each(t, []string{"rbs", "payneteasy"}, func(t *testing.T, gateway string) {
		calls := calls[gateway]
		w := start(t, shortDeadlines)
		var faults []map[string]any
		for _, call := range calls {
			for _, k := range kinds {
				for _, when := range []string{"before", "after"} {
					f := map[string]any{"gateway": gateway, "call": call, "when": when}
					for key, val := range k {
						f[key] = val
					}
					if k["do"] == "cut" && when == "before" {
						continue
					}
					faults = append(faults, f)
				}
			}
		}
		// Real time: a clock that all shoppers pushed would run out on the bank's.
		crowd(t, len(faults), 28, func(i int) {
			w.fault(t, faults[i])
			s := w.create(t, gateway, nil)
			v := newVisitor(t)
			end := v.walk(t, s.URL, cardChallenge, func() {})
			got := settled(t, w, s.ID, s.OrderID)
			if !end.paid() || got.Status != "paid" {
				t.Errorf("with %v about: session %s", faults[i], got.Status)
			}
			for _, a := range got.Attempts {
				if a.State == "declined" {
					t.Errorf("with %v about: attempt %d declined", faults[i], a.N)
				}
			}
			v.calm(t)
		})
		var left []map[string]any
		w.sandbox(t, "GET", "/faults", nil, &left)
		if len(left) > 0 {
			t.Errorf("%d faults were not played: %v", len(left), left)
		}
	})
}

// cutter stands between front and sandbox and resets connections at random bytes.
type cutter struct {
	to   string
	mu   sync.Mutex
	rand *rand.Rand
	cuts int
	off  bool
}

func newCutter(t *testing.T, seed uint64) (*cutter, string) {
	t.Helper()
	c := &cutter{rand: rand.New(rand.NewPCG(seed, seed))}
	l := listen(t)
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { c.carry(conn.(*net.TCPConn)) })
		}
	})
	return c, "http://" + l.Addr().String()
}

// fate draws after how many bytes of which direction a connection is reset; -1 means never.
func (c *cutter) fate() (request, answer int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off || c.cuts >= 45 { // in the end the network is well again
		return -1, -1
	}
	// A connection carries several calls, of some 700 bytes each way.
	if c.rand.IntN(2) == 0 {
		return c.rand.IntN(6000), -1
	}
	return -1, c.rand.IntN(6000)
}

func (c *cutter) heal() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = true
	return c.cuts
}

func (c *cutter) carry(in *net.TCPConn) {
	out, err := net.Dial("tcp", c.to)
	if err != nil {
		in.Close()
		return
	}
	reset := func() {
		c.mu.Lock()
		c.cuts++
		c.mu.Unlock()
		_ = in.SetLinger(0)
		_ = out.(*net.TCPConn).SetLinger(0)
		in.Close()
		out.Close()
	}
	request, answer := c.fate()
	var both sync.WaitGroup
	for _, way := range []struct {
		from, to net.Conn
		limit    int
	}{{in, out, request}, {out, in, answer}} {
		both.Go(func() {
			if way.limit < 0 {
				_, _ = io.Copy(way.to, way.from)
			} else if n, _ := io.CopyN(way.to, way.from, int64(way.limit)); n == int64(way.limit) {
				reset()
				return
			}
			in.Close()
			out.Close()
		})
	}
	both.Wait()
}

func TestConnectionsResetAtAnyByteLoseNoMoneyAndChargeNobodyTwice(t *testing.T) {
	t.Parallel()
	const payments, seed = 60, 20261121
	each(t, []string{"rbs", "payneteasy"}, func(t *testing.T, gateway string) {
		c, proxy := newCutter(t, seed)
		w := start(t, func(o *app.Options) {
			c.to = o.SandboxListener.Addr().String()
			shortDeadlines(o)
			short := o.Tune
			o.Tune = func(cfg *config.Config) {
				short(cfg)
				a := cfg.Accounts[gateway]
				base := a.Settings["base_url"].(string)
				u, err := url.Parse(base)
				if err != nil {
					t.Fatal(err)
				}
				a.Settings["base_url"] = proxy + u.Path
				cfg.Accounts[gateway] = a
			}
		})
		made := make([]sessionView, payments)
		crowd(t, payments, 30, func(i int) {
			s := w.create(t, gateway, nil)
			made[i] = s
			v := newVisitor(t)
			number := []string{cardPlain, cardFrictionless, cardChallenge}[i%3]
			v.walk(t, s.URL, number, func() {})
			v.calm(t)
		})
		cuts := c.heal()
		w.Clock.Advance(10 * time.Minute)
		paid := int64(0)
		for _, s := range made {
			until(t, 20*time.Second, s.OrderID+" is known", func() bool { return w.session(t, s.ID).OutcomeKnown })
			if got := settled(t, w, s.ID, s.OrderID); got.Payment != nil {
				paid += got.Payment.Captured
			}
		}
		truth := int64(0)
		var all []ledgerEntry
		w.sandbox(t, "GET", "/ledger", nil, &all)
		for _, e := range all {
			truth += e.Captured - e.Refunded
			if e.Charges > 1 {
				t.Errorf("%s charged %d times", e.Reference, e.Charges)
			}
		}
		if paid != truth || cuts < payments/4 {
			t.Errorf("we say %d, the ledger says %d; %d connections were cut", paid, truth, cuts)
		}
		t.Logf("%d connections cut, %d orders for %d payments", cuts, len(all), payments)
	})
}

func TestAGatewayThatHangsDoesNotHoldUpAnother(t *testing.T) {
	t.Parallel()
	w := start(t, shortDeadlines)
	w.fault(t, map[string]any{"gateway": "rbs", "do": "hang", "hold_ms": 60_000, "times": -1})
	one := func(gateway string) time.Duration {
		s := w.create(t, gateway, nil)
		v := newVisitor(t)
		page, err := v.get(s.URL)
		if err != nil {
			t.Error(err)
			return 0
		}
		began := time.Now()
		if _, err := v.pay(page, cardPlain); err != nil {
			t.Error(err)
		}
		if gateway == "payneteasy" {
			if end := v.walk(t, s.URL, cardPlain, func() {}); !end.paid() {
				t.Error("not paid")
			}
		}
		v.calm(t)
		return time.Since(began)
	}
	var hanging sync.WaitGroup
	for range 40 {
		hanging.Go(func() { one("rbs") })
	}
	for range 5 {
		// Two turns of the inquiry's fast loop and room for a busy machine.
		if took := one("payneteasy"); took > 10*time.Second {
			t.Errorf("a payment elsewhere took %s", took)
		}
	}
	hanging.Wait()
}

func TestAStoppingProcessFinishesWhatItBegan(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.fault(t, map[string]any{"gateway": "rbs", "call": "paymentorder.do", "do": "slow", "when": "after", "hold_ms": 1000})
	s := w.create(t, "rbs", nil)
	v := newVisitor(t)
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	page, err := v.get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		got, err := v.pay(page, cardPlain)
		if err == nil && got.Status != http.StatusSeeOther {
			err = fmt.Errorf("answered %d", got.Status)
		}
		answered <- err
	}()
	until(t, 10*time.Second, "the gateway has the card", func() bool {
		for _, c := range w.calls(t, s.OrderID+"-1") {
			if c.Call == "paymentorder.do" {
				return true
			}
		}
		return false
	})
	w.stop()
	if err := <-answered; err != nil {
		t.Errorf("the shopper's request was cut: %v", err)
	}
	again := start(t, func(o *app.Options) {
		o.Config.Data, o.Config.KeysFile = w.Data, w.Data+"/keys"
	})
	if got := settled(t, again, s.ID, s.OrderID); got.Status != "paid" {
		t.Errorf("after the restart the session is %s", got.Status)
	}
}

// A request that a stopping front no longer takes is refused, not cut in the middle of its answer.
func TestAShutdownUnderLoadTruncatesNoAnswer(t *testing.T) {
	t.Parallel()
	w := start(t)
	var s []sessionView
	for i := range 10 {
		s = append(s, w.create(t, gatewayOf(i), nil))
	}
	ctx, done := context.WithTimeout(t.Context(), 30*time.Second)
	defer done()
	var mu sync.Mutex
	whole, cut := 0, 0
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				res, err := client.Get(s[i].URL)
				if err != nil {
					if strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "reset") {
						return // nothing of an answer came
					}
					t.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				mu.Lock()
				if err == nil && res.StatusCode == http.StatusOK {
					whole++
				} else {
					cut++
				}
				mu.Unlock()
			}
		})
	}
	until(t, 20*time.Second, "there is load", func() bool { mu.Lock(); defer mu.Unlock(); return whole > 100 })
	w.stop()
	all.Wait()
	if cut > 0 {
		t.Errorf("%d answers were cut, %d whole", cut, whole)
	}
}
