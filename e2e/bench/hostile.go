package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
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
			one := kind.make(n + 1_000_000*addresses)
			holds := ctx
			if kind.hold > 0 {
				var over context.CancelFunc
				holds, over = context.WithTimeout(ctx, kind.hold)
				defer over()
			}
			r, err := http.NewRequestWithContext(holds, one.method, w.front(0)+one.path, strings.NewReader(one.body))
			if err != nil {
				answers[1].Add(1)
				return
			}
			for name, value := range one.header {
				r.Header.Set(name, value)
			}
			r.Host = one.header["Host"] // "": the address's own
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
		if kind.name == cardsKind && alarm == 0 && n%100 == 0 && w.counters()["tollgate_account_attacks_total"] > 0 {
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
	bot := &targets{}
	for range 200 {
		card, err := w.victim(ctx, "rbs")
		if err != nil {
			return err
		}
		login, err := w.victim(ctx, "sber")
		if err != nil {
			return err
		}
		bot.sessions, bot.logins = append(bot.sessions, card), append(bot.logins, login)
	}
	kinds, err := chosen(bot.attacks(), s.kinds)
	if err != nil {
		return err
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
	for _, kind := range kinds {
		for _, addresses := range []int{1, 1000} {
			if at := w.assault(ctx, s, client, kind, addresses, own); kind.name == cardsKind && alarm == 0 {
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
