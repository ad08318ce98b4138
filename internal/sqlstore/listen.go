package sqlstore

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// longestName bounds what a notice carries: PostgreSQL takes 8,000 bytes at most, and each listener reads them all.
const longestName = 200

// encode writes a notice for the other processes: who speaks, the session, whether there are jobs. The subject of an account's
// events may have a long name: nobody waits for it by name, but there is something to tell.
func (n notice) encode(instance string) string {
	if len(n.session) > longestName {
		n.session = "-"
	}
	s := instance + " " + n.session
	if n.jobs {
		s += " jobs"
	}
	return s
}

func decodeNotice(s string) (instance string, n notice) {
	instance, s, _ = strings.Cut(s, " ")
	id, rest, _ := strings.Cut(s, " ")
	return instance, notice{session: id, jobs: rest == "jobs"}
}

// listener hears what other processes committed, over a connection of its own.
type listener struct {
	stop context.CancelFunc
	done sync.WaitGroup
}

func (l *listener) close() {
	l.stop()
	l.done.Wait()
}

const (
	firstReconnect = 250 * time.Millisecond
	lastReconnect  = 5 * time.Second
)

func (st *Store) listen(config *pgx.ConnConfig) *listener {
	ctx, stop := context.WithCancel(context.Background())
	l := &listener{stop: stop}
	l.done.Go(func() {
		wait := firstReconnect
		for ctx.Err() == nil {
			heard := st.receiveNotices(ctx, config)
			if ctx.Err() != nil {
				return
			}
			if heard {
				wait = firstReconnect
			}
			st.o.Log.Warn("notices from other processes interrupted", "again_in", wait)
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				timer.Stop()
			case <-timer.C:
			}
			wait = min(2*wait, lastReconnect)
		}
	})
	return l
}

// receiveNotices passes notices on until the connection breaks, and tells whether it ever stood.
func (st *Store) receiveNotices(ctx context.Context, config *pgx.ConnConfig) (connected bool) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false
	}
	defer func() {
		c, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(c)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgChannel); err != nil {
		return false
	}
	st.notify(notice{jobs: true}) // some may have come while nobody listened
	for {
		said, err := conn.WaitForNotification(ctx)
		if err != nil {
			return true
		}
		if instance, n := decodeNotice(said.Payload); instance != st.instance {
			st.notify(n)
		}
	}
}
