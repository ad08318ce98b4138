package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// pages measures the card page with a cookie and at first view, and the same bytes from a bare server.
func pages(ctx context.Context, w *world, s settings, t *table) error {
	address, err := w.create(ctx, nil)
	if err != nil {
		return err
	}
	b := &shopper{w: w, cookies: map[string]string{}}
	p, err := b.send(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	put, err := http.NewRequestWithContext(ctx, http.MethodPut, w.bare.said["url"], bytes.NewReader(p.body))
	if err != nil {
		return err
	}
	if _, err := w.client.Do(put); err != nil {
		return err
	}
	cookie := ""
	for name, value := range b.cookies {
		cookie += name + "=" + value + "; "
	}
	get := func(to, cookie, encoding string) func() error {
		return func() error {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
			if err != nil {
				return err
			}
			r.Header.Set("Accept-Language", "en")
			if cookie != "" {
				r.Header.Set("Cookie", cookie)
			}
			if encoding != "" {
				r.Header.Set("Accept-Encoding", encoding)
			}
			res, err := w.client.Do(r)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			_, err = io.Copy(io.Discard, res.Body)
			return err
		}
	}
	for round := range s.rounds {
		for _, kind := range []struct {
			name string
			do   func() error
			pid  int
		}{
			{"bare net/http, the same bytes: CPU per request", get(w.bare.said["url"], "", ""), w.bare.pid()},
			{"card page with a cookie: CPU per request", get(address, cookie, ""), w.fronts[0].pid()},
			{"card page, first view: CPU per request", get(address, "", ""), w.fronts[0].pid()},
			{"card page with a cookie, compressed: CPU per request", get(address, cookie, "gzip"), w.fronts[0].pid()},
		} {
			before := spent(kind.pid)
			var n int64
			window := func() (err error) { n, err = loop(ctx, 4, s.window, kind.do); return err }
			if round == 0 && kind.pid == w.fronts[0].pid() {
				err = w.profiled("page-"+strconv.Itoa(len(t.all)), s.window, window)
			} else {
				err = window()
			}
			if err != nil {
				return err
			}
			t.add(kind.name, "ms", float64(spent(kind.pid)-before)/1e6/float64(n))
		}
	}
	return nil
}

// loop does something over and over, so many at a time, and tells how often.
func loop(ctx context.Context, workers int, window time.Duration, do func() error) (int64, error) {
	var n atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	end := time.Now().Add(window)
	for range workers {
		all.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil && failed.Load() == nil {
				if err := do(); err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return n.Load(), ctx.Err()
}

// payment is one payment, from the shop's request to the end page.
func (w *world) payment(ctx context.Context, own func(time.Duration)) error {
	address, err := w.create(ctx, nil)
	if err != nil {
		return err
	}
	return (&shopper{w: w, cookies: map[string]string{}, own: own}).pay(ctx, address)
}

// closedLoop measures payments that follow each other: one shopper alone, then many at once.
func closedLoop(ctx context.Context, w *world, s settings, t *table) error {
	if _, err := loop(ctx, s.shoppers, s.window/2, func() error { return w.payment(ctx, nil) }); err != nil { // warm
		return err
	}
	for round := range s.rounds {
		if w.s.database == "" {
			rate, err := rawCommits(ctx, w.dir, s.window/2)
			if err != nil {
				return err
			}
			t.add("bare commits", "/s", rate)
		}
		for _, kind := range []struct {
			name     string
			shoppers int
		}{{"alone", 1}, {"many", s.shoppers}} {
			m := w.measure()
			wrote := w.frontWritten()
			var n int64
			window := func() (err error) {
				n, err = loop(ctx, kind.shoppers, s.window, func() error { return w.payment(ctx, nil) })
				return err
			}
			var err error
			if round == 0 {
				err = w.profiled("payment-"+kind.name, s.window, window)
			} else {
				err = window()
			}
			if err != nil {
				return err
			}
			took, front, sandbox, driver := m.took()
			each := func(v float64) float64 { return v / float64(n) }
			t.add("RBS challenge payments, "+kind.name, "/s", float64(n)/took.Seconds())
			t.add("  front CPU each, "+kind.name, "ms", each(float64(front)/1e6))
			t.add("  sandbox CPU each, "+kind.name, "ms", each(float64(sandbox)/1e6))
			t.add("  driver CPU each, "+kind.name, "ms", each(float64(driver)/1e6))
			t.add("  changes each, "+kind.name, "", each(m.counted("tollgate_store_changes_total")))
			t.add("  commits each, "+kind.name, "", each(m.counted("tollgate_store_commits_total")))
			t.add("  kB written each, "+kind.name, "kB", each(w.frontWritten()-wrote)/1024)
		}
	}
	return nil
}

// openLoop begins payments at a rate, whatever becomes of the earlier ones.
func openLoop(ctx context.Context, w *world, s settings, t *table) error {
	for range s.rounds {
		for _, rate := range []int{20, 50, 300} {
			if err := openWindow(ctx, w, s, t, rate); err != nil {
				return err
			}
		}
	}
	return nil
}

func openWindow(ctx context.Context, w *world, s settings, t *table, rate int) error {
	var mu sync.Mutex
	var requests, whole []time.Duration
	begun, paid, braked := 0, 0, 0
	fails := map[string]int{}
	var all sync.WaitGroup
	every := time.NewTicker(time.Second / time.Duration(rate))
	defer every.Stop()
	limit, done := context.WithTimeout(ctx, s.window+30*time.Second)
	defer done()
	for end := time.Now().Add(s.window); time.Now().Before(end) && ctx.Err() == nil; {
		<-every.C
		begun++
		all.Go(func() {
			since := time.Now()
			err := w.payment(limit, func(took time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				requests = append(requests, took)
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, errBraked):
				braked++
			case err != nil:
				fails[err.Error()]++
			default:
				paid++
				whole = append(whole, time.Since(since))
			}
		})
	}
	all.Wait()
	name := fmt.Sprintf("open loop, %d/s begun: ", rate)
	own, end := milliseconds(requests), milliseconds(whole)
	t.add(name+"a shopper's request, p50", "ms", quantile(own, 0.5))
	t.add(name+"a shopper's request, p99", "ms", quantile(own, 0.99))
	t.add(name+"whole payment, p99", "ms", quantile(end, 0.99))
	t.add(name+"begun", "", float64(begun))
	t.add(name+"paid", "", float64(paid))
	t.add(name+"told to come later", "", float64(braked))
	t.add(name+"failed", "", float64(begun-paid-braked))
	for text, n := range fails {
		fmt.Fprintln(os.Stderr, n, "×", text)
	}
	return ctx.Err()
}

// creates measures the shop's request alone.
func creates(ctx context.Context, w *world, s settings, t *table) error {
	for range s.rounds {
		m := w.measure()
		var mu sync.Mutex
		var times []time.Duration
		n, err := loop(ctx, 8, s.window, func() error {
			begun := time.Now()
			_, err := w.create(ctx, nil)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, time.Since(begun))
			return err
		})
		if err != nil {
			return err
		}
		took, front, _, _ := m.took()
		t.add("POST /v1/sessions", "/s", float64(n)/took.Seconds())
		t.add("  front CPU each", "ms", float64(front)/1e6/float64(n))
		t.add("  p99", "ms", quantile(milliseconds(times), 0.99))
	}
	return nil
}
