package sqlstore_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"tollgate/internal/sqlstore"
	"tollgate/session"
)

const crashDir = "SQLSTORE_CRASH_DIR" // set in the child: where to save until killed

// The child is this test itself in another process. It saves one session per goroutine, on and on, and writes
// "session version" for every save that was acknowledged.
func TestWhatWasAcknowledgedIsThereAfterKill9(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(crashDir); dir != "" {
		saveUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	acknowledged := map[string]int64{}
	for range 5 {
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for left := 50 + rand.IntN(200); lines.Scan(); left-- {
			id, version, ok := strings.Cut(lines.Text(), " ")
			if n, err := strconv.ParseInt(version, 10, 64); ok && err == nil {
				acknowledged[id] = n
			} else {
				t.Log(lines.Text())
			}
			if left == 0 {
				_ = child.Process.Kill() // and read on: what it still said counts
			}
		}
		_ = child.Wait()

		st, err := sqlstore.Open(t.Context(), sqlstore.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for id, version := range acknowledged {
			s, err := st.Load(t.Context(), id)
			if err != nil {
				t.Fatalf("%s, acknowledged with version %d: %v", id, version, err)
			}
			if s.Version < version || s.Version > version+1 { // one more may have been stored and not said
				t.Errorf("%s: stored version %d, acknowledged %d", id, s.Version, version)
			}
			// All that belongs to a save is there, and nothing of a save that is not.
			events, err := st.Events(t.Context(), id, 0, 1e6)
			if err != nil {
				t.Fatal(err)
			}
			if s.LastEvent != len(events) || int64(len(events)) != s.Version {
				t.Errorf("%s: version %d with %d events, newest %d", id, s.Version, len(events), s.LastEvent)
			}
			if s.Version > 1 && len(s.Attempts[0].Calls) != int(s.Version)-1 {
				t.Errorf("%s: version %d with %d calls", id, s.Version, len(s.Attempts[0].Calls))
			}
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	total := int64(0)
	for _, version := range acknowledged {
		total += version
	}
	t.Logf("%d acknowledged changes of %d sessions", total, len(acknowledged))
	if total < 250 {
		t.Error("the child hardly saved")
	}
}

func saveUntilKilled(t *testing.T, dir string) {
	st := open(t, sqlstore.Options{Dir: dir})
	say := make(chan string)
	for range 4 {
		go func() {
			id := strconv.FormatUint(rand.Uint64(), 36)
			s := &session.Session{ID: id, Merchant: "shop", Account: "acc", OrderID: id, LastEvent: 1}
			err := st.Create(t.Context(), s, session.Change{Events: []session.Event{{N: 1, Type: "x", At: noon}}})
			s.Attempts = []*session.Attempt{{N: 1, State: session.Calling}}
			s.Attempts[0].Ref.Reference = id
			for err == nil {
				say <- fmt.Sprintf("%s %d", id, s.Version)
				s.LastEvent++
				err = st.Save(t.Context(), s, session.Change{
					Events: []session.Event{{N: s.LastEvent, Type: "x", At: noon}},
					Calls:  []session.Call{{Attempt: 1, Kind: "resume", Round: s.LastEvent, SentAt: noon}},
					Jobs:   []session.Job{{Kind: "k", Key: id, RunAt: noon}},
				})
			}
			say <- "error: " + err.Error()
		}()
	}
	limit := time.After(time.Minute) // should nobody kill it
	for {
		select {
		case line := <-say:
			fmt.Println(line)
		case <-limit:
			return
		}
	}
}
