package sim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tollgate/internal/sandbox/faults"
)

// target is a merchant that answers from memory, so that tests can run on synctest's clock.
type target struct {
	mu     sync.Mutex
	start  time.Time
	got    []string        // "second path"
	answer func(n int) int // status of the n-th request; nil: 200
	block  chan struct{}   // when set, requests wait for it or for their context
}

func (t *target) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	t.got = append(t.got, strings.TrimPrefix(time.Since(t.start).String(), "0s")+" "+r.URL.Path)
	n := len(t.got)
	t.mu.Unlock()
	if t.block != nil {
		select {
		case <-t.block:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	status := 200
	if t.answer != nil {
		status = t.answer(n)
	}
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("OK"))}, nil
}

// world runs f in a bubble with an Env whose callbacks go to the target.
func world(t *testing.T, f func(t *testing.T, e *Env, to *target, run func() (stop func()))) {
	synctest.Test(t, func(t *testing.T) {
		to := &target{start: time.Now()}
		e, err := New(Options{BaseURL: "http://localhost:8081", Client: &http.Client{Transport: to}})
		if err != nil {
			t.Fatal(err)
		}
		run := func() func() {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { e.Callbacks.Run(ctx); close(done) }()
			return func() { cancel(); <-done }
		}
		f(t, e, to, run)
	})
}

func send(t *testing.T, e *Env, reference, path string, retry ...time.Duration) {
	t.Helper()
	err := e.Callbacks.Send(Callback{Gateway: "rbs", Reference: reference, Method: "GET", URL: "http://127.0.0.1:8080" + path, Retry: retry})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCallbacksOfOneOrderGoOutInOrderAndOthersDoNotWait(t *testing.T) {
	world(t, func(t *testing.T, e *Env, to *target, run func() func()) {
		to.answer = func(n int) int {
			if n == 1 {
				return 500
			}
			return 200
		}
		send(t, e, "a-1", "/first", 10*time.Second)
		send(t, e, "a-1", "/second")
		stop := run()
		synctest.Wait()
		send(t, e, "b-1", "/other")
		time.Sleep(15 * time.Second)
		stop()
		if diff := cmp.Diff([]string{" /first", " /other", "10s /first", "10s /second"}, to.got); diff != "" {
			t.Error(diff)
		}
		if n := e.Callbacks.Waiting(); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}

func TestACallbackIsGivenUpAfterItsLastRetry(t *testing.T) {
	world(t, func(t *testing.T, e *Env, to *target, run func() func()) {
		to.answer = func(int) int { return 0 }
		send(t, e, "a-1", "/x", time.Second, time.Minute)
		stop := run()
		time.Sleep(time.Hour)
		stop()
		if diff := cmp.Diff([]string{" /x", "1s /x", "1m1s /x"}, to.got); diff != "" {
			t.Error(diff)
		}
		if n := e.Callbacks.Waiting(); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}

func TestACallbackIsRepeatedUntilTheRequiredStatus(t *testing.T) {
	world(t, func(t *testing.T, e *Env, to *target, run func() func()) {
		to.answer = func(n int) int { return 200 + 3*(2-min(n, 2)) } // 203, then 200
		err := e.Callbacks.Send(Callback{Gateway: "payneteasy", Reference: "a", Method: "GET", URL: "http://127.0.0.1/x", OK: 200, Retry: []time.Duration{time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		stop := run()
		time.Sleep(time.Minute)
		stop()
		if diff := cmp.Diff([]string{" /x", "1s /x"}, to.got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestScriptedCallbacksAreDroppedDoubledAndDelayed(t *testing.T) {
	world(t, func(t *testing.T, e *Env, to *target, run func() func()) {
		stop := run()
		_ = e.Faults.Add(faults.Fault{Gateway: "rbs", Call: "callback", Do: "drop"})
		send(t, e, "a", "/dropped")
		_ = e.Faults.Add(faults.Fault{Gateway: "rbs", Call: "callback", Do: "twice", HoldMS: 30_000})
		send(t, e, "a", "/twice")
		_ = e.Faults.Add(faults.Fault{Gateway: "rbs", Call: "callback", Do: "late", HoldMS: 60_000})
		send(t, e, "a", "/late")
		send(t, e, "a", "/plain")
		time.Sleep(2 * time.Minute)
		stop()
		want := []string{" /twice", " /plain", "30s /twice", "1m0s /late"}
		if diff := cmp.Diff(want, to.got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAKilledSandboxSendsTheRestAfterItsNextStart(t *testing.T) {
	dir := t.TempDir()
	open := func(to *target) *Env {
		e, err := New(Options{BaseURL: "http://localhost:8081", Dir: dir, Client: &http.Client{Transport: to}})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	synctest.Test(t, func(t *testing.T) {
		to := &target{start: time.Now(), block: make(chan struct{})}
		e := open(to)
		send(t, e, "a", "/sending")
		send(t, e, "a", "/queued")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { e.Callbacks.Run(ctx); close(done) }()
		synctest.Wait() // the first hangs at the merchant
		cancel()
		<-done
		e.Close()

		to = &target{start: time.Now()}
		e = open(to)
		defer e.Close()
		ctx, cancel = context.WithCancel(t.Context())
		done = make(chan struct{})
		go func() { e.Callbacks.Run(ctx); close(done) }()
		time.Sleep(time.Second)
		cancel()
		<-done
		if diff := cmp.Diff([]string{" /sending", " /queued"}, to.got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEveryTryIsInTheLogOfCalls(t *testing.T) {
	world(t, func(t *testing.T, e *Env, to *target, run func() func()) {
		to.answer = func(n int) int { return []int{503, 200}[n-1] }
		send(t, e, "a-1", "/x", time.Second)
		stop := run()
		time.Sleep(time.Minute)
		stop()
		var got []int
		for _, c := range e.Faults.Log.Calls("a-1", "callback") {
			got = append(got, c.Status)
		}
		if diff := cmp.Diff([]int{503, 200}, got); diff != "" {
			t.Error(diff)
		}
	})
}
