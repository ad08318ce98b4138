package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// script is a change whose statements are all known beforehand. PostgreSQL gets them in one message and answers in one: they are one
// transaction, committed at its end, and the first that fails undoes all. SQLite runs them one after the other.
type script []step

// step is one statement of a script.
type step struct {
	query string
	args  []any
	// missing is the error of the change where the statement changed no row; nil: it may change none.
	missing error
	// returns is a column of the one row that it changed, read into into; "": none.
	returns string
	into    any
	// taken is the error of the change where a unique index has the row already; nil: that is no answer.
	taken error
}

// text is the statement as SQLite runs it.
func (s step) text() string {
	if s.returns == "" {
		return s.query
	}
	return s.query + " RETURNING " + s.returns
}

// guarded is the statement as PostgreSQL runs it where nothing looks at its answer before the next one runs: it fails, by a
// division, where it changed no row.
func (s step) guarded() string {
	if s.missing == nil {
		return s.text()
	}
	column := s.returns
	if column == "" {
		column = "1"
	}
	return strings.Join([]string{"WITH", "changed AS (", s.query, "RETURNING", column,
		"AS it)", "SELECT", "(SELECT it FROM changed),", "1 / (SELECT COUNT(*) FROM changed)"}, " ")
}

// answer is where the columns of a guarded statement's row go.
func (s step) answer() []any {
	var it any = new(any)
	if s.into != nil {
		it = s.into
	}
	return []any{it, new(int64)}
}

// means is what an error of the statement says to whoever wants the change.
func (s step) means(err error) error {
	switch {
	case err == nil:
		return nil
	case s.missing != nil && (errors.Is(err, sql.ErrNoRows) || guardFailed(err)):
		return s.missing
	case s.taken != nil && (unique(err) || movesRun(err)):
		return s.taken
	}
	return err
}

// guardFailed tells that a guarded statement changed no row.
func guardFailed(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pe.Code == "22012"
}

// run runs a statement by itself.
func (s step) run(tx *tx) error {
	switch {
	case tx.guard && s.missing != nil:
		return s.means(tx.QueryRowContext(tx.ctx, s.guarded(), s.args...).Scan(s.answer()...))
	case s.into != nil:
		return s.means(tx.QueryRowContext(tx.ctx, s.text(), s.args...).Scan(s.into))
	case s.missing != nil:
		n, err := tx.affected(s.query, s.args...)
		if err == nil && n == 0 {
			err = sql.ErrNoRows
		}
		return s.means(err)
	}
	return s.means(tx.exec(s.query, s.args...))
}

// run runs the statements one after the other, until one fails.
func (sc script) run(tx *tx) error {
	for _, s := range sc {
		if err := s.run(tx); err != nil {
			return err
		}
	}
	return nil
}

// scripted is change for a script. write makes it anew for each try.
func (st *database) scripted(ctx context.Context, n notice, write func() (script, error)) error {
	if !st.pg {
		return st.change(ctx, n, func(tx *tx) error {
			steps, err := write()
			if err != nil {
				return err
			}
			return steps.run(tx)
		})
	}
	return st.tries(ctx, n, func() error {
		steps, err := write()
		if err != nil {
			return err
		}
		if n != (notice{}) {
			steps = append(steps, step{query: notifies, args: []any{pgChannel, n.encode(st.instance)}})
		}
		return st.send(ctx, steps)
	})
}

// light is scripted for what a crash of the server may undo: leases, which lapse; the pulse; browser sessions, which begin anew.
// PostgreSQL does not wait for the disk with them.
func (st *database) light(ctx context.Context, steps ...step) error {
	if st.pg {
		steps = append(script{{query: unsynced}}, steps...)
	}
	return st.scripted(ctx, notice{}, func() (script, error) { return steps, nil })
}

// unsynced lets the commit of its transaction not wait for the disk.
const unsynced = "SELECT set_config('synchronous_commit', 'off', true)"

// notifies tells other processes of a change once it is committed.
const notifies = `SELECT pg_notify($1, $2)`

// send runs a script on PostgreSQL, in one exchange.
func (st *database) send(ctx context.Context, steps script) error {
	conn, own, done, err := st.onConn(ctx)
	if err != nil {
		return err
	}
	defer done()
	st.commits.Add(1)
	plain := false
	err = conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if plain = !ok; plain { // of tests that read every statement
			return nil
		}
		return sendBatch(own, c.Conn(), steps)
	})
	if !plain {
		return err
	}
	begun, err := conn.BeginTx(own, nil)
	if err != nil {
		return err
	}
	defer func() { _ = begun.Rollback() }() // nothing after a commit
	if err := steps.run(&tx{Tx: begun, ctx: own, guard: true}); err != nil {
		return err
	}
	return begun.Commit()
}

func sendBatch(ctx context.Context, conn *pgx.Conn, steps script) (err error) {
	batch := &pgx.Batch{}
	for _, s := range steps {
		batch.Queue(s.guarded(), s.args...)
	}
	answers := conn.SendBatch(ctx, batch)
	defer func() { // the end of the exchange is the commit
		if closing := answers.Close(); err == nil {
			err = closing
		}
	}()
	for i, s := range steps {
		if s.missing == nil {
			_, err = answers.Exec()
		} else {
			err = answers.QueryRow().Scan(s.answer()...)
		}
		if err = s.means(err); err != nil {
			return fmt.Errorf("statement %d of %d: %w", i+1, len(steps), err)
		}
	}
	return nil
}
