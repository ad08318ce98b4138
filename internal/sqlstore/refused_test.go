package sqlstore_test

import (
	"net/url"
	"strings"
	"testing"

	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
)

// A connection is tried with TLS and without it; what counts is what the server says to the one that reached it.
func TestARefusedConnectionLeadsWithTheServersOwnWords(t *testing.T) {
	u, err := url.Parse(pgtest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/nowhere"
	q := u.Query()
	q.Set("sslmode", "prefer")
	u.RawQuery = q.Encode()
	_, opened := sqlstore.Open(t.Context(), sqlstore.Options{URL: u.String()})
	_, examined := sqlstore.Examine(t.Context(), sqlstore.Options{URL: u.String()})
	for _, err := range []error{opened, examined} {
		if err == nil || !strings.Contains(err.Error(), `database "nowhere" does not exist (SQLSTATE 3D000)`) || strings.Contains(err.Error(), "TLS") {
			t.Errorf("%v", err)
		}
	}
}
