package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tollgate/internal/security"
)

// stalling is a pipe that nobody reads until it is opened.
type stalling struct {
	open chan struct{}
	mu   sync.Mutex
	got  bytes.Buffer
}

func (s *stalling) Write(p []byte) (int, error) {
	<-s.open
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(p)
}

func (s *stalling) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSuffix(s.got.String(), "\n"), "\n")
}

func TestALogThatStallsHoldsRequestsUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := &stalling{open: make(chan struct{})}
		stream := NewStream(pipe)
		events := security.New(stream, "one", time.Now, func(err error) { t.Error(err) })
		log := slog.New(slog.NewJSONHandler(stream, nil))
		began := time.Now()
		for i := range 300 {
			log.Info("a request")
			events.Record(security.Entry{Kind: security.AuthRefused, Address: fmt.Sprint(i)})
		}
		if took := time.Since(began); took > patience {
			t.Errorf("300 requests waited %s", took)
		}
		began = time.Now()
		for range 10_000 {
			log.Info("a later request")
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("later requests wait %s", took)
		}
		if len(stream.waiting) > maxLines || stream.Lost() == 0 {
			t.Errorf("%d lines wait, %d are lost", len(stream.waiting), stream.Lost())
		}
		close(pipe.open)
		synctest.Wait()
	})
}

func TestWhatAStalledLogLostIsToldWhenItFlowsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := &stalling{open: make(chan struct{})}
		stream := NewStream(pipe)
		events := security.New(stream, "one", time.Now, nil)
		stream.onResume(func(lines int) {
			events.Record(security.Entry{Kind: security.LinesLost, Outcome: "refused", Repeated: lines})
		})
		const all = maxLines + 500
		for i := range all {
			if _, err := fmt.Fprintf(stream, "{\"n\":%d}\n", i); err != nil {
				t.Fatal(err)
			}
		}
		close(pipe.open)
		synctest.Wait()
		lines := pipe.lines()
		for i, line := range lines[:len(lines)-1] {
			if line != fmt.Sprintf(`{"n":%d}`, i) {
				t.Fatalf("line %d is %s", i, line)
			}
		}
		var last security.Entry
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
			t.Fatal(err)
		}
		if last.Kind != security.LinesLost || len(lines)-1+last.Repeated != all || int(stream.Lost()) != last.Repeated {
			t.Errorf("%d lines came, %+v, lost %d", len(lines)-1, last, stream.Lost())
		}
		fmt.Fprintln(stream, "and on")
		if lines := pipe.lines(); lines[len(lines)-1] != "and on" {
			t.Errorf("a line is not there when its writer goes on: %s", lines[len(lines)-1])
		}
	})
}

func TestALineThatCannotBeWrittenIsAnErrorOfItsWriter(t *testing.T) {
	stream := NewStream(fullDisk{})
	if _, err := stream.Write([]byte("x\n")); err == nil {
		t.Error("no error")
	}
	stream.Drain(time.Minute)
}

func TestAnEndThatNobodyReadsIsNotWaitedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := &stalling{open: make(chan struct{})}
		stream := NewStream(pipe)
		fmt.Fprintln(stream, "the end")
		began := time.Now()
		if stream.Drain(2 * time.Second); time.Since(began) != 2*time.Second {
			t.Errorf("%s", time.Since(began))
		}
		close(pipe.open)
		synctest.Wait()
	})
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }
