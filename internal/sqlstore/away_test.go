package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"tollgate/internal/sqlstore"
	"tollgate/session"
)

func TestTheDatabasesOwnStateIsToldFromFaultsOfOurs(t *testing.T) {
	for code, away := range map[string]bool{
		"57P01": true, "57P03": true, "53100": true, "53300": true, "08006": true, "25006": true, "58030": true, "55P03": true,
		"23505": false, "42601": false, "22001": false,
	} {
		if err := fmt.Errorf("change: %w", &pgconn.PgError{Code: code}); sqlstore.Unavailable(err) != away {
			t.Errorf("%s: %v", code, !away)
		}
	}
	if !sqlstore.Unavailable(&net.OpError{Op: "dial", Err: errors.New("refused")}) || !sqlstore.Unavailable(sqlstore.ErrNewer) {
		t.Error("a database that cannot be reached, or must not be written to")
	}
	for _, err := range []error{nil, errors.New("a fault"), session.ErrNotFound, session.ErrConflict, context.Canceled} {
		if sqlstore.Unavailable(err) {
			t.Errorf("%v is said to be the database's", err)
		}
	}
}
