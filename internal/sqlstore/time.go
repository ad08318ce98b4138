package sqlstore

import (
	"context"
	"database/sql"
	"time"
)

// A server's time, in microseconds.
const (
	pgTime     = `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`
	sqliteTime = `CAST(unixepoch('subsec') * 1000000 AS INTEGER)`
)

// FollowTime gives follow, which is clock.Clock's, a way to ask the server for its time, over one connection: to wait for one is no part
// of the answer. A store that no other process uses has no time of its own, and nothing is done.
func (st *database) FollowTime(
	ctx context.Context, follow func(context.Context, func(context.Context) (time.Time, error)) error,
) error {
	if st.Alone() {
		return nil
	}
	conn, err := st.r.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	way := sqliteTime
	if st.pg {
		way = pgTime
	}
	return follow(ctx, func(ctx context.Context) (time.Time, error) {
		return readTime(conn.QueryRowContext(ctx, `SELECT `+way))
	})
}

func readTime(row *sql.Row) (time.Time, error) {
	var micros int64
	err := row.Scan(&micros)
	return instant(micros), err
}
