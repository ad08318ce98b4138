package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tollgate/internal/app"
)

// solve does the work that a try of a card costs.
func solve(task, want string) string {
	need, _ := strconv.Atoi(want)
	for i := 0; ; i++ {
		n := strconv.Itoa(i)
		sum := sha256.Sum256([]byte(task + "." + n))
		zeros := 0
		for _, b := range sum {
			zeros += bits.LeadingZeros8(b)
			if b != 0 {
				break
			}
		}
		if zeros >= need {
			return n
		}
	}
}

// attack makes one request of a kind; n tells it apart from all others.
type attack struct {
	name string
	make func(n int) (method, path, body string, header map[string]string)
}

func noise(n, length int) string {
	return strings.Repeat(fmt.Sprintf("%x-", n*2654435761), length/8+1)[:length]
}

// luhn is a number that passes for a card's, another each time.
func luhn(n int) string {
	digits := fmt.Sprintf("400123%09d", n%1_000_000_000)
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return digits + strconv.Itoa((10-sum%10)%10)
}

// attacks are the hostile kinds. sessions are pay pages that the bot knows, logins such that ask for a phone.
func attacks(sessions, logins []string) []attack {
	get := func(path string) (string, string, string, map[string]string) { return http.MethodGet, path, "", nil }
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
	post := func(path, body string) (string, string, string, map[string]string) {
		return http.MethodPost, path, body, form
	}
	return []attack{
		{"methods", func(n int) (string, string, string, map[string]string) {
			return "M" + strings.ReplaceAll(noise(n, 3000), "-", "X"), "/pay/x", "", nil
		}},
		{"paths", func(n int) (string, string, string, map[string]string) { return get("/" + noise(n, 2000)) }},
		{"headers", func(n int) (string, string, string, map[string]string) {
			return http.MethodGet, "/healthz", "", map[string]string{
				"X-Request-Id": noise(n, 20_000), "X-" + strings.ReplaceAll(noise(n, 30), "-", "z"): "1",
				"User-Agent": noise(n, 500), "Origin": noise(n, 100),
			}
		}},
		{"ids", func(n int) (string, string, string, map[string]string) { return get("/pay/cs_" + noise(n, 40)) }},
		{"looks without a cookie", func(n int) (string, string, string, map[string]string) { return get(sessions[n%len(sessions)]) }},
		{"posts of another site", func(n int) (string, string, string, map[string]string) {
			return http.MethodPost, sessions[n%len(sessions)] + "/card", "number=1", map[string]string{
				"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site",
			}
		}},
		{"returns of nobody's", func(n int) (string, string, string, map[string]string) {
			return post("/3ds/"+noise(n, 43)+"/return", "cres="+noise(n, 4000))
		}},
		{"callbacks that are forged", func(n int) (string, string, string, map[string]string) {
			return get("/callbacks/rbs?mdOrder=" + noise(n, 36) + "&checksum=" + noise(n, 64))
		}},
		{"wrong keys", func(n int) (string, string, string, map[string]string) {
			return http.MethodGet, "/v1/sessions", "", map[string]string{"Authorization": "Bearer sk_" + noise(n, 40)}
		}},
		{"large bodies", func(n int) (string, string, string, map[string]string) {
			return http.MethodPost, "/v1/sessions", "{" + strings.Repeat(`"a`+noise(n, 8)+`":1,`, 500) + `"b":1}`, map[string]string{
				"Authorization": "Bearer " + app.DemoKey, "Content-Type": "application/json",
			}
		}},
		{"reports", func(n int) (string, string, string, map[string]string) {
			report := `{"csp-report":{"effective-directive":"script-src","blocked-uri":"https://` + noise(n, 30) +
				`/","document-uri":"https://x/pay/x"}}`
			return http.MethodPost, "/reports/csp", report, map[string]string{"Content-Type": "application/csp-report"}
		}},
		{"phones", func(n int) (string, string, string, map[string]string) {
			return post(logins[n%len(logins)]+"/phone", fmt.Sprintf("phone=7701%07d", n%10_000_000))
		}},
		{"cards", func(n int) (string, string, string, map[string]string) {
			return post(sessions[n%len(sessions)]+"/card", url.Values{
				"number": {luhn(n)}, "expiry": {time.Now().AddDate(2, 0, 0).Format("01/06")}, "cvc": {"123"}, "name": {"TEST BOT"},
			}.Encode())
		}},
	}
}

// heap is what the front has in use after a forced collection.
func (w *world) heap(ctx context.Context) (mb float64, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.fronts[0].said["inside"]+"/debug/pprof/heap?gc=1&debug=1", nil)
	if err != nil {
		return 0, err
	}
	res, err := w.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(raw), "# HeapInuse = ")
	rest, _, _ = strings.Cut(rest, "\n")
	n, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
	return n / (1 << 20), err
}

// normal looks at its pay page, as a shopper does, until ctx ends, and answers how long that took.
func (w *world) normal(ctx context.Context, address string) (took []time.Duration, failed int) {
	b := &shopper{w: w, cookies: map[string]string{}, from: "192.0.2.77", own: func(d time.Duration) { took = append(took, d) }}
	for ctx.Err() == nil {
		if _, err := b.send(ctx, http.MethodGet, address, nil); err != nil && ctx.Err() == nil {
			failed++
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	return took, failed
}

func percentile(all []time.Duration, of float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(of*float64(len(all))))]
}

// assault sends one kind from so many addresses, and says what became of it and of the shopper beside it. It answers after how long the
// alarm was given.
func (w *world) assault(
	ctx context.Context, s settings, client *http.Client, kind attack, addresses int, own string,
) (alarm time.Duration) {
	counted := w.counters()["tollgate_http_request_seconds_count"]
	beside, stop := context.WithCancel(ctx)
	var shoppers sync.WaitGroup
	var took []time.Duration
	var failed int
	shoppers.Go(func() { took, failed = w.normal(beside, own) })
	var answers [600]atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for n := range s.hostile {
		if wait := time.Until(begun.Add(time.Duration(float64(n) / s.rate * float64(time.Second)))); wait > 0 {
			time.Sleep(wait)
		}
		all.Go(func() {
			method, path, body, header := kind.make(n + 1_000_000*addresses)
			r, err := http.NewRequestWithContext(ctx, method, w.front(0)+path, strings.NewReader(body))
			if err != nil {
				answers[1].Add(1)
				return
			}
			for name, value := range header {
				r.Header.Set(name, value)
			}
			from := 7 + rand.IntN(addresses)
			if addresses == 1 {
				from = 7
			}
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("203.0.%d.%d", 113+from/250, from%250))
			res, err := client.Do(r)
			if err != nil {
				answers[0].Add(1)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			answers[res.StatusCode].Add(1)
		})
		if kind.name == "cards" && alarm == 0 && n%100 == 0 && w.counters()["tollgate_account_attacks_total"] > 0 {
			alarm = time.Since(begun)
		}
	}
	all.Wait()
	stop()
	shoppers.Wait()
	words := ""
	for code := range answers {
		if n := answers[code].Load(); n > 0 {
			words += fmt.Sprintf(" %d:%d", code, n)
		}
	}
	if failed > 0 {
		words += fmt.Sprintf("  %d LOOKS OF THE SHOPPER FAILED", failed)
	}
	fmt.Printf("%-28s %-10d %8d %8.0f %9v %9v %s\n", kind.name, addresses, s.hostile,
		w.counters()["tollgate_http_request_seconds_count"]-counted-float64(len(took)), percentile(took, 0.5).Round(10*time.Microsecond),
		percentile(took, 0.99).Round(10*time.Microsecond), words)
	return alarm
}

// hostile sends requests of every hostile kind, in an open loop, from one address and from a thousand, beside a normal shopper; then
// honest shoppers pay from the bot's own address.
func hostile(ctx context.Context, w *world, s settings, _ *table) error {
	var sessions, logins []string
	for range 200 {
		at, err := w.create(ctx, nil)
		if err != nil {
			return err
		}
		sessions = append(sessions, strings.TrimPrefix(at, w.front(0)))
		if at, err = w.create(ctx, map[string]any{"account": "sber"}); err != nil {
			return err
		}
		logins = append(logins, strings.TrimPrefix(at, w.front(0)))
	}
	own, err := w.create(ctx, nil)
	if err != nil {
		return err
	}
	calm, done := context.WithTimeout(ctx, 10*time.Second)
	before, _ := w.normal(calm, own)
	done()
	usual := percentile(before, 0.99)
	first, err := w.heap(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("before: heap %.1f MB, a shopper's page p50 %v p99 %v (%d looks)\n\n%-28s %-10s %8s %8s %9s %9s  %s\n", first,
		percentile(before, 0.5).Round(10*time.Microsecond), usual.Round(10*time.Microsecond), len(before), "kind", "addresses", "sent", "counted", "p50", "p99", "answers")
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256, MaxConnsPerHost: 256},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var alarm time.Duration
	for _, kind := range attacks(sessions, logins) {
		for _, addresses := range []int{1, 1000} {
			if at := w.assault(ctx, s, client, kind, addresses, own); kind.name == "cards" && alarm == 0 {
				alarm = at
			}
		}
	}
	last, err := w.heap(ctx)
	if err != nil {
		return err
	}
	paid, refused := 0, map[string]int{}
	for range 50 {
		at, err := w.create(ctx, nil)
		if err == nil {
			b := &shopper{w: w, cookies: map[string]string{}, from: "203.0.113.7"}
			err = b.pay(ctx, at)
		}
		if err == nil {
			paid++
		} else {
			refused[err.Error()]++
		}
	}
	fmt.Printf("\nheap after a forced collection: %.1f MB before, %.1f MB after: %+.1f\nthe alarm of the cards came after %v\n"+
		"%d of 50 honest shoppers behind the bot's address paid %v\n", first, last, last-first, alarm.Round(time.Second), paid, refused)
	return nil
}
