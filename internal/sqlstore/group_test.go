package sqlstore

import (
	"bufio"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tollgate/session"
)

func openGroup(t *testing.T, o Options) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	st, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// put is a change that writes a row whose key says which change it was.
func put(key string) func(*tx) error {
	return func(tx *tx) error {
		return tx.exec(`INSERT INTO browser_session (token, data, expires_at) VALUES ($1, '', 1)`, key)
	}
}

// kept are the keys of the changes that were made, in order.
func kept(t *testing.T, st *Store) string {
	t.Helper()
	rows, err := st.r.QueryContext(t.Context(), `SELECT token FROM browser_session ORDER BY token`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := scanAll(rows, func() (s string, err error) { err = rows.Scan(&s); return s, err })
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// batch commits changes as if they had waited together.
func batch(st *Store, changes ...func(*tx) error) []*grouped {
	var all []*grouped
	for _, f := range changes {
		all = append(all, &grouped{f: f})
	}
	st.group.commit(all)
	return all
}

func TestChangesThatWaitShareOneCommitAndNobodyIsToldBeforeIt(t *testing.T) {
	t.Parallel()
	st := openGroup(t, Options{NoSync: true})
	_, before := st.Written()
	begun, release, waits := make(chan bool), make(chan bool), make(chan bool)
	var all sync.WaitGroup
	var told atomic.Int64
	st.group.at = func(place string) {
		if place == "batch.waits" {
			waits <- true
		}
		if n := told.Load(); place == "batch.before" && n > 0 {
			t.Errorf("%d changes were told before the commit", n)
		}
	}
	all.Go(func() {
		if err := st.change(t.Context(), notice{}, func(tx *tx) error { close(begun); <-release; return put("first")(tx) }); err != nil {
			t.Error(err)
		}
	})
	<-begun
	for i := range 10 {
		all.Go(func() {
			if err := st.change(t.Context(), notice{}, put(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
			told.Add(1)
		})
	}
	for range 10 {
		<-waits
	}
	gone, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- st.change(gone, notice{}, put("left")) }()
	<-waits
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left while waiting was told %v", err)
	}
	close(release)
	all.Wait()
	if _, after := st.Written(); after-before != 2 {
		t.Errorf("11 changes took %d commits", after-before)
	}
	if got := kept(t, st); got != "0 1 2 3 4 5 6 7 8 9 first" {
		t.Error(got)
	}
}

func TestAChangeThatChangesNothingIsNotCommitted(t *testing.T) {
	t.Parallel()
	st := openGroup(t, Options{NoSync: true})
	_, before := st.Written()
	if err := st.change(t.Context(), notice{}, func(tx *tx) error { return tx.exec(`DELETE FROM browser_session`) }); err != nil {
		t.Fatal(err)
	}
	if _, after := st.Written(); after != before {
		t.Errorf("%d commits", after-before)
	}
}

func TestAChangeThatConflictsOrFailsOrPanicsTakesNoOtherWithIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		bad  func(*tx) error
		want string
	}{
		{"lost compare-and-swap", func(tx *tx) error { return errors.Join(put("c")(tx), session.ErrConflict) }, "session: changed"},
		{"violated constraint", func(tx *tx) error { return errors.Join(put("c")(tx), put("a")(tx)) }, "UNIQUE"},
		{"failing statement", func(tx *tx) error { return errors.Join(put("c")(tx), tx.exec(`INSERT INTO nowhere VALUES (1)`)) }, "nowhere"},
		{"error of its own", func(tx *tx) error { return errors.Join(put("c")(tx), errors.New("no")) }, "no"},
		{"failing statement that it does not tell of", func(tx *tx) error { _ = tx.exec(`INSERT INTO nowhere VALUES (1)`); return put("c")(tx) }, "nowhere"},
		{"panic", func(tx *tx) error { _ = put("c")(tx); panic("the change is wrong") }, "panic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			st := openGroup(t, Options{NoSync: true})
			all := batch(st, put("a"), put("b"), c.bad, put("d"))
			for i, g := range all {
				switch {
				case i != 2 && (g.err != nil || g.panicked != nil):
					t.Errorf("change %d was told %v %v", i, g.err, g.panicked)
				case i == 2 && c.want == "panic":
					if s, _ := g.panicked.(string); !strings.Contains(s, "the change is wrong") {
						t.Errorf("the panic is told as %v", g.panicked)
					}
				case i == 2 && (g.err == nil || !strings.Contains(g.err.Error(), c.want)):
					t.Errorf("it was told %v", g.err)
				}
			}
			if got := kept(t, st); got != "a b d" {
				t.Errorf("stored: %s", got)
			}
		})
	}
}

func TestAPanicReachesWhoAskedForTheChange(t *testing.T) {
	t.Parallel()
	st := openGroup(t, Options{NoSync: true})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = st.change(t.Context(), notice{}, func(*tx) error { panic("x") })
	}()
	if err := st.change(t.Context(), notice{}, put("a")); err != nil || kept(t, st) != "a" {
		t.Error("after a panic nothing can be stored:", err)
	}
}

// unsure makes commits end with an error: some are made all the same.
type unsure struct {
	driver.Connector
	next func() string // "": goes well; "lost": not made; "made": made
}

var errCommit = errors.New("the disk does not say")

func (u unsure) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := u.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &unsureConn{c.(*preparedConn), u.next}, nil
}

type unsureConn struct {
	*preparedConn
	next func() string
}

func (c *unsureConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.preparedConn.BeginTx(ctx, o)
	return unsureTx{tx, c}, err
}

type unsureTx struct {
	driver.Tx
	c *unsureConn
}

func (t unsureTx) Commit() error {
	end := t.c.next()
	if end == "" {
		return t.Tx.Commit()
	}
	t.c.broken = true
	if end == "lost" {
		return errors.Join(errCommit, t.Rollback())
	}
	return errors.Join(errCommit, t.Tx.Commit())
}

func TestAnUnknownCommitIsReadBackBeforeAnybodyIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		commits []string // how the next ones end
		told    bool     // that the changes were made
	}{
		{"made", []string{"made"}, true},
		{"lost, then each by itself", []string{"lost"}, true},
		{"lost, and each by itself as well", []string{"lost", "", "lost", "", "lost", ""}, false},
		{"made, and the reading back is lost once", []string{"made", "lost"}, true},
		{"made, and the reading back is made and not told", []string{"made", "made", "lost"}, true},
		{"lost, and the reading back is made and not told", []string{"lost", "made", "", "", ""}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var left []string
			o := Options{NoSync: true, wrap: func(inner driver.Connector) driver.Connector {
				return unsure{inner, func() (end string) {
					if len(left) > 0 {
						end, left = left[0], left[1:]
					}
					return end
				}}
			}}
			st := openGroup(t, o)
			left = slices.Clone(c.commits)
			all := batch(st, put("a"), put("b"))
			for i, g := range all {
				if made := g.err == nil; made != c.told || errors.Is(g.err, errUnsettled) {
					t.Errorf("change %d was told %v", i, g.err)
				}
			}
			want := map[bool]string{true: "a b", false: ""}[c.told]
			if got := kept(t, st); got != want {
				t.Errorf("stored: %q, told: %v", got, c.told)
			}
			if err := st.change(t.Context(), notice{}, put("z")); err != nil {
				t.Error("nothing can be stored afterwards:", err)
			}
		})
	}
}

// limited makes connections to a file that may have so many pages.
type limited struct {
	driver.Connector
	pages *int
}

func (l limited) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := l.Connector.Connect(ctx)
	if err == nil && *l.pages > 0 {
		_, err = c.(*preparedConn).ExecContext(ctx, fmt.Sprintf(`PRAGMA max_page_count = %d`, *l.pages), nil)
	}
	return c, err
}

func TestOnAFullDiskTheChangesThatFitAreMade(t *testing.T) {
	t.Parallel()
	pages := 0
	o := Options{NoSync: true, Dir: t.TempDir(), wrap: func(c driver.Connector) driver.Connector { return limited{c, &pages} }}
	st := openGroup(t, o)
	var used int
	if err := errors.Join(st.w.QueryRow(`PRAGMA page_count`).Scan(&used), st.Close()); err != nil {
		t.Fatal(err)
	}
	pages = used + 4
	st = openGroup(t, o)
	big := func(tx *tx) error {
		return tx.exec(`INSERT INTO browser_session (token, data, expires_at) VALUES ('big', zeroblob(1000000), 1)`)
	}
	all := batch(st, put("a"), big, put("b"))
	if all[0].err != nil || all[2].err != nil || all[1].err == nil || !strings.Contains(all[1].err.Error(), "full") {
		t.Error(all[0].err, all[1].err, all[2].err)
	}
	if got := kept(t, st); got != "a b" {
		t.Errorf("stored: %s", got)
	}
}

const groupChild = "SQLSTORE_GROUP_CHILD" // in a child: the folder, and what to do there

// child runs this test in a process of its own.
func child(t *testing.T, what ...string) (lines []string) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	c.Env = append(os.Environ(), groupChild+"="+strings.Join(what, " "))
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(out); s.Scan(); {
		lines = append(lines, s.Text())
	}
	_ = c.Wait()
	return lines
}

// The file may grow no further in the middle of a commit: SQLite writes a part of the batch to its log and is told that the rest
// does not fit. When there is room again the same store goes on.
func TestAWriteThatWasInterruptedIsNotToldAsMade(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(groupChild); dir != "" {
		interrupted(t, dir)
		return
	}
	for _, line := range child(t, t.TempDir()) {
		if strings.HasPrefix(line, "wrong: ") {
			t.Error(line)
		}
		if line == "told" {
			return
		}
	}
	t.Error("the child did not get to its end")
}

func interrupted(t *testing.T, dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	st := openGroup(t, Options{Dir: dir})
	var usual syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &usual); err != nil {
		t.Fatal(err)
	}
	limit := func(l syscall.Rlimit) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			fmt.Println("wrong:", err)
		}
	}
	log, err := os.Stat(filepath.Join(dir, fileName+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	wide := func(key string) func(*tx) error { // some pages
		return func(tx *tx) error {
			return tx.exec(`INSERT INTO browser_session (token, data, expires_at) VALUES ($1, zeroblob(20000), 1)`, key)
		}
	}
	limit(syscall.Rlimit{Cur: uint64(log.Size()) + 15000, Max: usual.Max})
	lifted := time.AfterFunc(300*time.Millisecond, func() { limit(usual) })
	defer lifted.Stop()
	all := batch(st, wide("a"), wide("b"))
	limit(usual)
	var made []string
	for i, g := range all {
		if g.err == nil {
			made = append(made, []string{"a", "b"}[i])
		} else if errors.Is(g.err, errUnsettled) {
			fmt.Println("wrong: not settled:", g.err)
		}
	}
	if got := kept(t, st); got != strings.Join(made, " ") {
		fmt.Printf("wrong: stored %q, told %q\n", got, made)
	}
	if err := st.change(t.Context(), notice{}, put("z")); err != nil {
		fmt.Println("wrong: nothing can be stored afterwards:", err)
	}
	fmt.Println("told")
}

// KILLS says how often; more is for a night.
func TestWhoIsKilledInBetweenOrAfterABatchHasWhatWasToldAndNoHalfChange(t *testing.T) {
	t.Parallel()
	if what := os.Getenv(groupChild); what != "" {
		dir, at, _ := strings.Cut(what, " ")
		changeUntilKilled(t, dir, at)
		return
	}
	kills := 24
	if n, err := strconv.Atoi(os.Getenv("KILLS")); err == nil {
		kills = n
	}
	dir, acknowledged := t.TempDir(), map[string]bool{}
	places := []string{"batch.change", "batch.before", "batch.committed"}
	for kill := range kills {
		for _, line := range child(t, dir, places[kill%len(places)]+"/"+strconv.Itoa(1+kill*7%60)+"/"+strconv.Itoa(kill)) {
			if key, ok := strings.CutPrefix(line, "made "); ok {
				acknowledged[key] = true
			} else if strings.HasPrefix(line, "wrong: ") {
				t.Error(line)
			}
		}
	}
	st := openGroup(t, Options{Dir: dir, NoSync: true})
	stored := map[string]int{}
	for key := range strings.FieldsSeq(kept(t, st)) {
		name, _, _ := strings.Cut(key, "+")
		stored[name]++
	}
	for key := range acknowledged {
		if stored[key] == 0 {
			t.Errorf("%s was told and is not there", key)
		}
	}
	for key, rows := range stored {
		if rows != 2 {
			t.Errorf("half a change is there: %s", key)
		}
	}
	if len(acknowledged) < kills {
		t.Errorf("only %d changes were told", len(acknowledged))
	}
}

// changeUntilKilled makes changes of two rows each, several at a time, and is killed at the n-th time at a place.
func changeUntilKilled(t *testing.T, dir, at string) {
	part := strings.Split(at, "/")
	place, name := part[0], part[2]
	left, err := strconv.Atoi(part[1])
	if err != nil {
		t.Fatal(err)
	}
	st := openGroup(t, Options{Dir: dir})
	if err := st.change(t.Context(), notice{}, func(tx *tx) error { return errors.Join(put(name+"/0+1")(tx), put(name+"/0+2")(tx)) }); err != nil {
		fmt.Println("wrong:", err)
	}
	fmt.Println("made", name+"/0")
	st.group.at = func(here string) {
		if here != place {
			return
		}
		if left--; left <= 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	var n atomic.Int64
	var out sync.Mutex
	for range 6 {
		go func() {
			for {
				key := fmt.Sprintf("%s/%d", name, n.Add(1))
				riding := key + "r"
				st.group.ride(func(tx *tx) error { return errors.Join(put(riding+"+1")(tx), put(riding+"+2")(tx)) }, func(err error) {
					if err == nil {
						fmt.Println("made", riding)
					}
				})
				err := st.change(t.Context(), notice{}, func(tx *tx) error { return errors.Join(put(key+"+1")(tx), put(key+"+2")(tx)) })
				out.Lock()
				if err == nil {
					fmt.Println("made", key)
				} else {
					fmt.Println("wrong:", err)
				}
				out.Unlock()
			}
		}()
	}
	<-time.After(time.Minute) // should nobody kill it
}
