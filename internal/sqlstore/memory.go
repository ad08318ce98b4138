package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tollgate/session"
)

// A database has one history until it fails over to a standby, which may lack the last commits, or until an older copy of it
// is restored. The server itself names its history: PostgreSQL counts its timeline up with every promotion, and of a file of
// SQLite it is user_version, which tollgate restored counts up.
//
// What was done under a claim of one history must not be settled in another (queue.Done): the new one may have forgotten it.
const sqliteHistory = `(SELECT CAST(user_version AS TEXT) FROM pragma_user_version)`

// pgHistories are the ways to ask PostgreSQL for it, the exact one first. A managed server may not have that one.
var pgHistories = []string{
	`substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)`,
	`CAST(pg_postmaster_start_time() AS TEXT)`,
}

// memory is since when this process has known the database to be of one history.
type memory struct {
	history string // guarded by database.mu
	since   time.Time
}

// askHistory finds out how this database tells its history.
func (st *database) askHistory(ctx context.Context) error {
	ways := []string{sqliteHistory}
	if st.pg {
		ways = pgHistories
	}
	var failed []error
	for _, way := range ways {
		var now string
		err := st.w.QueryRowContext(ctx, `SELECT `+way).Scan(&now)
		if err == nil {
			st.historySQL = way
			return nil
		}
		failed = append(failed, err)
	}
	return fmt.Errorf("the database does not tell its history: %w", errors.Join(failed...))
}

// Memory tells what the database may have forgotten. It asks the database each time, because a failover may have been now. What
// is older than the first question may have been forgotten: before the start the database may have been restored.
func (st *database) Memory(ctx context.Context) (session.Memory, error) {
	var now, restored string
	err := st.r.QueryRowContext(ctx, `SELECT `+st.historySQL+`, COALESCE((SELECT value FROM installation WHERE name = $1), '')`,
		restoredAt).Scan(&now, &restored)
	if err != nil {
		return session.Memory{}, err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if was := st.memory; was.since.IsZero() || now != was.history {
		if !was.since.IsZero() {
			if st.o.Failed != nil {
				st.o.Failed()
			}
			st.o.Log.Warn("the database has another history than before: it failed over, or was restored", "was", was.history, "is", now)
		}
		st.memory = memory{now, st.o.Now()}
	}
	m := session.Memory{Since: st.memory.since}
	var copied, at int64
	if n, _ := fmt.Sscan(restored, &at, &copied); n == 2 {
		m.Restored, m.CopiedAt = instant(at), instant(copied)
	}
	return m, nil
}

// restoredAt names when a restore was declared, in table installation.
const restoredAt = "restored"

// DeclareRestored writes down that the database was restored from a copy that was made then, or nobody knows when (zero): from
// now on it is held to have forgotten any order.
func (st *database) DeclareRestored(ctx context.Context, copied, now time.Time) error {
	if !st.pg { // a pragma takes no parameter; the file is another history from now on
		if _, err := st.w.ExecContext(ctx, `PRAGMA user_version = `+strconv.FormatInt(now.Unix()&0x7fffffff, 10)); err != nil {
			return err
		}
	}
	return st.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(`INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
			restoredAt, fmt.Sprint(micros(now), " ", micros(copied)))
	})
}

// Durability tells, of PostgreSQL, what of its settings lets a failover or a crash lose commits; "" where nothing does.
func (st *Store) Durability(ctx context.Context) (string, error) {
	if !st.pg {
		return "", nil
	}
	return durability(ctx, st.w)
}

func durability(ctx context.Context, db *sql.DB) (string, error) {
	set := map[string]string{}
	for _, name := range []string{"synchronous_commit", "synchronous_standby_names", "fsync", "full_page_writes"} {
		var value string
		if err := db.QueryRowContext(ctx, `SHOW `+name).Scan(&value); err != nil {
			return "", err
		}
		set[name] = value
	}
	return judgeDurability(set["synchronous_commit"], set["synchronous_standby_names"], set["fsync"], set["full_page_writes"]), nil
}

func judgeDurability(commit, standbys, fsync, pages string) string {
	switch {
	case fsync != "on":
		return "fsync is off: a crash of the server may lose commits or the whole database"
	case pages != "on":
		return "full_page_writes is off: a crash of the server may damage the database"
	case commit == "off":
		return "synchronous_commit is off: a crash of the server loses the last commits"
	case standbys == "":
		return "synchronous_standby_names is empty: a standby that is promoted may lack the last commits"
	case commit == "local":
		return "synchronous_commit is local: no commit waits for a standby, and one that is promoted may lack the last commits"
	}
	return ""
}
