package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Unavailable tells whether an error is the database's own state, and not that of what was asked: it cannot be reached, it takes no
// writes, its disk is full, too many use it. The same may succeed later.
func Unavailable(err error) bool {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		for _, class := range []string{"08", "25006", "53", "55P03", "57P", "58"} {
			if strings.HasPrefix(pe.Code, class) {
				return true
			}
		}
		return false
	}
	if se, ok := errors.AsType[*sqlite.Error](err); ok {
		switch se.Code() & 0xff {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
			return true
		}
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, is := range []error{driver.ErrBadConn, sql.ErrConnDone, errUnsettled, ErrNewer, context.DeadlineExceeded, io.ErrUnexpectedEOF} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}
