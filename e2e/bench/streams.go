package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"
)

// waiting opens many streams of waiting pages, each of a session of its own, and measures what they cost while nothing happens.
func waiting(ctx context.Context, w *world, s settings, t *table) error {
	pid := w.fronts[0].pid()
	var addresses []string
	var mu sync.Mutex
	for len(addresses) < s.streams {
		if _, err := loop(ctx, 8, time.Second, func() error {
			a, err := w.create(ctx, nil)
			mu.Lock()
			defer mu.Unlock()
			addresses = append(addresses, a)
			return err
		}); err != nil {
			return err
		}
	}
	addresses = addresses[:s.streams]
	before := resident(pid)
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for i, a := range addresses {
		u, err := url.Parse(a)
		if err != nil {
			return err
		}
		// Loopback has many addresses, and each its own ports.
		dial := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i/10000))}}
		c, err := dial.DialContext(ctx, "tcp", u.Host)
		if err != nil {
			return err
		}
		conns = append(conns, c)
		fmt.Fprintf(c, "GET %s/events?view=end+open+0 HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", u.Path, u.Host)
		line, err := bufio.NewReaderSize(c, 256).ReadString('\n')
		if err != nil || !strings.Contains(line, "200") {
			return fmt.Errorf("stream %d: %s %w", i, strings.TrimSpace(line), err)
		}
	}
	for range s.rounds {
		cpu, begun := spent(pid), time.Now()
		timer := time.NewTimer(s.window)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		t.add(fmt.Sprintf("%d streams: of a core while nothing happens", s.streams), "%",
			100*float64(spent(pid)-cpu)/float64(time.Since(begun)))
		t.add(fmt.Sprintf("%d streams: memory each", s.streams), "kB", (resident(pid)-before)*1024/float64(s.streams))
	}
	return changes(ctx, w, s, t, addresses, conns)
}

// changes cancels sessions at a rate and measures how long it takes until their waiting pages are told.
func changes(ctx context.Context, w *world, s settings, t *table, addresses []string, conns []net.Conn) error {
	const rate = 100
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var all sync.WaitGroup
	every := time.NewTicker(time.Second / rate)
	defer every.Stop()
	n := min(len(addresses), int(s.window.Seconds()*rate))
	for i := range n {
		<-every.C
		all.Go(func() {
			begun := time.Now()
			err := w.cancel(ctx, addresses[i])
			lines := bufio.NewScanner(conns[i])
			for err == nil && lines.Scan() && lines.Text() != "event: change" {
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(begun))
			if err != nil {
				failed = err
			}
		})
	}
	all.Wait()
	v := milliseconds(took)
	t.add(fmt.Sprintf("%d streams, %d changes/s: told after, p50", s.streams, rate), "ms", quantile(v, 0.5))
	t.add(fmt.Sprintf("%d streams, %d changes/s: told after, p99", s.streams, rate), "ms", quantile(v, 0.99))
	return failed
}
