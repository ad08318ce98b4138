package e2e_test

import (
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// BenchmarkPayment measures payments in a browser; docs and notes quote its medians:
//
//	go test ./e2e -run '^$' -bench Payment -benchtime 50x
//
// last-word-ms is the time from the last call that the gateway received before the end, by the sandbox's clock, to the
// moment at which the browser paints the result page. requests counts what the browser sends to the front without the
// static files, which it keeps; gateway-calls what the gateway receives from the front.
func BenchmarkPayment(b *testing.B) {
	for _, row := range []struct{ name, account, card string }{
		{"rbs/frictionless", "rbs", "4000019900020001"},
		{"rbs/challenge", "rbs", "4000019900020704"},
		{"payneteasy/frictionless", "payneteasy", "4000019900020001"},
		{"payneteasy/challenge", "payneteasy", "4000019900020704"},
	} {
		b.Run(row.name, func(b *testing.B) {
			w := sharedWorld(b)
			c := open(b, w)
			var word, whole, requests, calls []float64
			for b.Loop() {
				s := w.create(b, row.account, nil)
				before := c.toFront()
				c.pay(s, row.card)
				pressed := time.Now()
				if v := c.until("result"); v.Mark != "good" {
					b.Fatalf("the payment ends so: %s", v.Text)
				}
				painted := time.UnixMicro(int64(1000 * ask[float64](c, `performance.timeOrigin + performance.getEntriesByName("first-contentful-paint").concat(performance.getEntriesByType("navigation")).map(function (e) { return e.name === "first-contentful-paint" ? e.startTime : e.domContentLoadedEventEnd })[0]`)))
				requests = append(requests, float64(c.toFront()-before))
				whole = append(whole, float64(painted.Sub(pressed))/1e6)
				n, last := 0, time.Time{}
				for _, call := range w.calls(b, s.OrderID+"-1") {
					if call.Call == "callback" || call.Gateway == "acs" {
						continue
					}
					n++
					if call.Time.Before(painted) && call.Time.After(last) {
						last = call.Time
					}
				}
				calls = append(calls, float64(n))
				word = append(word, float64(painted.Sub(last))/1e6)
				c.do(chromedp.Navigate("about:blank"))
				c.last = nil
			}
			b.ReportMetric(median(word), "last-word-ms")
			b.ReportMetric(median(whole), "pay-to-result-ms")
			b.ReportMetric(median(requests), "requests")
			b.ReportMetric(median(calls), "gateway-calls")
		})
	}
}

// toFront counts the requests to the front so far, static files left out.
func (b *tab) toFront() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, r := range b.sent {
		if strings.HasPrefix(r.URL, b.w.Front+"/") && !strings.HasPrefix(r.URL, b.w.Front+"/static/") {
			n++
		}
	}
	return n
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// mostCommits is what a challenge payment by RBS may cost where one shopper pays alone: each commit waits for the disk. They are: the
// session; the attempt; its permission and what the call brought; the shopper's browser; that the Method's frames were shown; its
// end with the permission to go on; the challenge; that it was shown; the bank's answer with the permission to forward it; what
// that brought, with the inquiry; the gateway's callback, its inquiry, and the end of that. Count it down when one goes, never up.
const mostCommits = 13

func TestAChallengePaymentAloneMakesFewCommits(t *testing.T) {
	t.Parallel()
	w := start(t)
	committed := func() float64 {
		recorder := httptest.NewRecorder()
		w.App.Metrics().ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
		for line := range strings.Lines(recorder.Body.String()) {
			if rest, ok := strings.CutPrefix(line, "tollgate_store_commits_total "); ok {
				n, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
		t.Fatal("the metrics do not count commits")
		return 0
	}
	const payments = 6
	before, begun := committed(), time.Now()
	for range payments {
		b, _ := w.visits(t, "rbs", nil)
		b.pay(cardChallenge, "123")
		b.rest(visit{})
		b.frames.Wait()
	}
	feeds := time.Since(begun).Seconds() + 1 // events get their places once a second, whoever pays
	each := (committed() - before - feeds) / payments
	t.Logf("%.1f commits each", each)
	if each > mostCommits {
		t.Errorf("%.1f commits, more than %d", each, mostCommits)
	}
}
