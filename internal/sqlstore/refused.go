package sqlstore

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// refused leads with what the server itself says: a connection is tried in several ways, with TLS and without, and the driver's words
// list them all.
func refused(err error) error {
	connect, ok := errors.AsType[*pgconn.ConnectError](err)
	if !ok {
		return err
	}
	said, ok := errors.AsType[*pgconn.PgError](connect)
	if !ok {
		return err
	}
	return &serverRefused{fmt.Sprintf("the server says: %s (SQLSTATE %s)", said.Message, said.Code), err}
}

// serverRefused replaces an error's text and keeps its identity.
type serverRefused struct {
	text string
	err  error
}

func (e *serverRefused) Error() string { return e.text }
func (e *serverRefused) Unwrap() error { return e.err }
