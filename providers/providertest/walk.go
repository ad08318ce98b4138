package providertest

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/threeds"
)

// walk is one payment, driven the way the flow drives it: after every wait, end or error the inquiry is asked and it
// alone counts; a call is repeated only when the inquiry says that the gateway still waits for it.
type walk struct {
	t       *testing.T
	h       Harness
	site    *site
	probe   *probe
	spoiler *spoiler
	p       providers.Payment
	code    string
	browser threeds.BrowserData
	last    providers.Standing
	story   []string
}

var payments atomic.Int64 // order numbers of one process must differ: simulators refuse a number twice

func begin(t *testing.T, h Harness, s *spoiler) *walk {
	t.Helper()
	if s == nil {
		s = &spoiler{}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	s.name, s.next = h.Call, transport
	client := &http.Client{
		Transport:     s,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	provider, err := h.Open(providers.Env{HTTP: client, Now: h.Now, Loopback: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &walk{t: t, h: h, spoiler: s, site: newSite(t), probe: &probe{t: t, p: provider, s: s, h: h}, p: h.Payment, code: "123",
		browser: browserData()}
	w.p.OrderID = fmt.Sprintf("S%d", payments.Add(1))
	w.p.Ref = providers.Ref{Reference: w.p.OrderID + "-1"}
	w.p.CreatedAt, w.p.ExpiresAt = h.Now(), h.Now().Add(30*time.Minute)
	w.p.Customer.IP = "127.0.0.1"
	w.p.CallbackURL = w.site.server.URL + "/callbacks/account"
	w.newRun()
	if err := provider.Check(w.p); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *walk) newRun() {
	w.p.Run.N++
	base := fmt.Sprintf("%s/3ds/%s-%d", w.site.server.URL, w.p.OrderID, w.p.Run.N)
	w.p.Run.NotifyURL, w.p.Run.ReturnURL, w.p.Run.SessionData = base+"/notify", base+"/return",
		fmt.Sprintf("c2VhbGVkLTE2LWJ5dGVz%02d", w.p.Run.N)
}

func (w *walk) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
}

// calls are the names of the calls made, each once.
func (w *walk) calls() []string {
	var out []string
	for _, c := range w.spoiler.seen {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// pay takes the payment from Register to an end.
func (w *walk) pay(c Card) End {
	w.t.Helper()
	if w.p.Ref.OrderID == "" {
		ref, err := w.probe.Register(w.t.Context(), w.p)
		if err != nil { // moves no money: asked again, it recovers the order
			w.tell("register: %v", err)
			if ref, err = w.probe.Register(w.t.Context(), w.p); err != nil {
				if w.spoiler.every {
					return Unknown
				}
				w.t.Fatalf("Register does not recover: %v", err)
			}
		}
		w.p.Ref = ref
	}
	in := w.instrument(c)
	step, err := w.probe.Pay(w.t.Context(), w.p, in, w.browser)
	var answer providers.Answer
	var asked *providers.Step // the browser's step that was answered last
	repeats := 0
	for range 24 {
		w.tell("step %s err %v", step.Kind, err)
		if err == nil {
			w.p.Ref = step.Ref
		}
		switch {
		case err == nil && step.Kind == providers.Declined:
			return Refused
		case err == nil && step.Kind == providers.Resend:
			step, err = w.probe.Resume(w.t.Context(), w.p, answer)
			continue
		case err != nil, step.Kind == providers.Wait, step.Kind == providers.Finished:
			next, end := w.inquire(asked, err != nil && asked != nil && repeats == 0)
			if end != "" {
				return end
			}
			if next == nil { // the gateway waits for the answer that was lost on the way
				repeats++
				step, err = w.probe.Resume(w.t.Context(), w.p, answer)
				continue
			}
			step, err = *next, nil
			continue
		}
		if step.NewRun {
			w.newRun()
		}
		var came bool
		if answer, came = w.site.play(w.t, c, w.p, step); !came {
			_, end := w.inquire(&step, false)
			if end == "" || end == Unknown {
				end = Open
			}
			return end
		}
		answer.Browser = w.browser
		answer.Card = &in.Card
		repeats = 0
		done := step
		asked = &done
		step, err = w.probe.Resume(w.t.Context(), w.p, answer)
	}
	w.t.Fatalf("no end: %v", w.story)
	return Unknown
}

// inquire asks until there is an end, or a step that was not answered yet. lost: the last answer may not have arrived;
// then a nil step says that the gateway still waits for it.
func (w *walk) inquire(asked *providers.Step, lost bool) (*providers.Step, End) {
	w.t.Helper()
	heard := false
	for range 6 {
		s, err := w.probe.Status(w.t.Context(), w.p)
		if err != nil {
			w.tell("status: %v", err)
			continue
		}
		heard = true
		w.last = s
		w.tell("status %s next %v", s.Outcome, s.Next != nil)
		if s.Reference != "" && s.Reference != w.p.Ref.Reference || s.Amount.Currency.Code != "" && s.Amount != w.p.Amount ||
			s.Ref.OrderID != "" && w.p.Ref.OrderID != "" && s.Ref.OrderID != w.p.Ref.OrderID {
			continue // of something else: asked again
		}
		if s.Ref.OrderID != "" {
			w.p.Ref.OrderID = s.Ref.OrderID
		}
		switch s.Outcome {
		case providers.Paid, providers.Authorized:
			return nil, Good
		case providers.Refused, providers.Closed:
			return nil, Refused
		case providers.NotFound:
			return nil, NotFound
		case providers.Waiting:
			switch {
			case s.Next != nil && (asked == nil || !same(*asked, *s.Next)):
				w.p.Ref = s.Next.Ref
				return s.Next, ""
			case s.LastTry != nil:
				return nil, Refused
			case lost:
				return nil, ""
			}
		}
		w.h.Advance(5 * time.Second)
	}
	if !heard {
		return nil, Unknown
	}
	return nil, Open
}

// same is how a repeated step is known: what the gateway asks for, whatever we put into the forms ourselves.
func same(a, b providers.Step) bool {
	return a.Kind == b.Kind && a.ThreeDS == b.ThreeDS && a.HTML == b.HTML && a.Link == b.Link
}

// agree compares the provider's result with what was charged, once the network works again.
func (w *walk) agree(end End) {
	w.t.Helper()
	w.spoiler.mu.Lock()
	w.spoiler.fault, w.spoiler.every = fault{}, false
	w.spoiler.mu.Unlock()
	entries := w.h.Ledger(w.p.Ref.Reference)
	if len(entries) > 1 {
		w.t.Fatalf("%d orders at the gateway: %+v; %v", len(entries), entries, w.story)
	}
	var truth Entry
	if len(entries) == 1 {
		truth = entries[0]
	}
	want := 0
	if end == Good {
		want = 1
	}
	if truth.Charges != want {
		w.t.Fatalf("ended %s with %d charges: %+v; %v", end, truth.Charges, truth, w.story)
	}
	s, err := w.probe.Status(w.t.Context(), w.p)
	if err != nil {
		w.t.Fatalf("the inquiry does not recover: %v; %v", err, w.story)
	}
	good := s.Outcome == providers.Paid || s.Outcome == providers.Authorized
	if good != (truth.Charges == 1) {
		w.t.Fatalf("the inquiry says %s, the ledger %+v; %v", s.Outcome, truth, w.story)
	}
	if !good {
		if s.Held+s.Captured != 0 {
			w.t.Errorf("%s, yet money: %+v", s.Outcome, s)
		}
		return
	}
	outcome, held, captured := providers.Paid, truth.Authorized, truth.Captured
	if w.p.Hold {
		outcome = providers.Authorized
		if s.Held != held {
			w.t.Errorf("held %d, the ledger %d", s.Held, held)
		}
	}
	if s.Outcome != outcome || s.Captured != captured || s.Refunded != 0 || truth.Amount != w.p.Amount.Minor ||
		s.Reference != "" && s.Reference != w.p.Ref.Reference || s.Amount.Currency.Code != "" && s.Amount != w.p.Amount ||
		s.Next != nil {
		w.t.Errorf("%+v, the ledger %+v", s, truth)
	}
}
