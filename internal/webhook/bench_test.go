package webhook_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"tollgate/internal/webhook"
)

// BenchmarkHangingEndpoint writes 100 events a second of several merchants; one of five endpoints never answers. It
// reports how long after its commit an event arrived at the others: p50-ms and p95-ms. T53 asks for a p95 under a
// second. Run it with -benchtime=1000x for ten seconds.
func BenchmarkHangingEndpoint(b *testing.B) {
	h := newHouse(b)
	h.clock.Set(time.Now())
	released := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		select {
		case <-released:
		case <-req.Context().Done():
		}
	}))
	defer hanging.Close()
	defer close(released)
	var mu sync.Mutex
	committed := map[string]time.Time{}
	var took []time.Duration
	all := make(chan struct{})
	quick := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		took = append(took, time.Since(committed[req.Header.Get("webhook-id")]))
		if len(took) == b.N {
			close(all)
		}
	}))
	defer quick.Close()
	h.create("m0", hanging.URL)
	for i := range 4 {
		h.create(fmt.Sprint("m", i), quick.URL)
	}
	h.run()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	b.ResetTimer()
	for i := range b.N {
		<-tick.C
		h.clock.Set(time.Now())
		id := fmt.Sprint("cs_", i%40)
		mu.Lock()
		committed[webhook.EventID(id, i/40+1, "")] = time.Now()
		mu.Unlock()
		h.happen(id, fmt.Sprint("m", i%4), "", "x")
	}
	<-all
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
}
