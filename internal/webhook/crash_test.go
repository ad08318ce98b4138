package webhook_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tollgate/internal/sqlstore"
	"tollgate/internal/webhook"
	"tollgate/session"
)

const crashDir = "WEBHOOK_CRASH_DIR" // set in the child: where to write events and send them until killed

// T24. The child is this test itself in another process. It writes events and delivers them, and says the id of each
// that was committed. It is killed at any moment: between commit and feed, feed and send, send and record.
func TestWhatWasCommittedIsSentAfterKill9UnderTheSameID(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		writeUntilKilled(t, dir)
		return
	}
	h, r := newHouse(t), newReceiver(t)
	e := h.create("shop", r.URL)
	h.close()
	var committed []string
	for range 5 {
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), crashDir+"="+h.dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for left := 20 + rand.IntN(60); lines.Scan(); left-- {
			if id := lines.Text(); strings.HasPrefix(id, "evt_") {
				committed = append(committed, id)
			} else {
				t.Log(id)
			}
			if left == 0 {
				_ = child.Process.Kill() // and read on: what it still said counts
			}
		}
		_ = child.Wait()
	}
	if len(committed) < 100 {
		t.Fatalf("the child committed only %v", committed)
	}
	before := len(r.messages())
	h.open()
	h.clock.Set(time.Now().Add(time.Minute)) // past the retries of requests that died with the child
	h.run()
	h.until("an empty line", func() bool {
		waiting, err := h.Deliveries(t.Context(), webhook.Filter{Merchant: "shop", State: webhook.Pending})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, id := range r.ids() {
			seen[id] = true
		}
		for _, id := range committed {
			if !seen[id] {
				return false
			}
		}
		return len(waiting) == 0
	})
	last, repeated := map[string]int{}, 0
	bodies := map[string]string{}
	for _, m := range r.messages() {
		if err := verifies(t, e.Secret.Reveal(), m); err != nil {
			t.Fatal(err)
		}
		var got struct {
			ID, Session string
			N           int
		}
		if err := json.Unmarshal(m.body, &got); err != nil || got.ID != m.id() || got.ID != webhook.EventID(got.Session, got.N, "") {
			t.Fatalf("%s under %s, %v", m.body, m.id(), err)
		}
		if old, known := bodies[got.ID]; known {
			repeated++
			if old != string(m.body) {
				t.Errorf("%s is told in two ways: %s and %s", got.ID, old, m.body)
			}
			continue
		}
		bodies[got.ID] = string(m.body)
		if got.N != last[got.Session]+1 {
			t.Errorf("%s after number %d", got.ID, last[got.Session])
		}
		last[got.Session] = got.N
	}
	t.Logf("%d events committed, %d requests before the last start, %d after, %d events told twice under one id",
		len(committed), before, len(r.messages())-before, repeated)
}

func writeUntilKilled(t *testing.T, dir string) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // should nobody kill it
	defer cancel()
	db, err := sqlstore.Open(ctx, sqlstore.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s := webhook.New(webhook.Options{Store: db.Webhooks(), Sealer: sealer{}, Guard: &webhook.Guard{Sandbox: true}})
	go func() { _ = s.Run(ctx) }()
	say := make(chan string)
	for range 3 {
		go func() {
			p := &session.Session{ID: fmt.Sprintf("cs_%d", rand.Uint64()), Merchant: "shop", Account: "acc", LastEvent: 1}
			p.OrderID = p.ID
			event := func() session.Change {
				return session.Change{Events: []session.Event{{N: p.LastEvent, Type: "x", At: time.Now()}}}
			}
			err := db.Create(ctx, p, event())
			for err == nil {
				s.Wake()
				say <- webhook.EventID(p.ID, p.LastEvent, "")
				p.LastEvent++
				err = db.Save(ctx, p, event())
			}
			say <- err.Error()
		}()
	}
	for ctx.Err() == nil {
		select {
		case line := <-say:
			fmt.Println(line)
		case <-ctx.Done():
		}
	}
}
