package providertest

import (
	"os"
	"slices"
	"strings"
	"testing"

	"tollgate/providers"
)

// TellsAuthorization compares what a provider read of its gateway's fullest answer with the gateway's column of
// docs/authorization.md.
func TellsAuthorization(t *testing.T, gateway string, told providers.Authorization) {
	t.Helper()
	page, err := os.ReadFile("../../docs/authorization.md")
	if err != nil {
		t.Fatal(err)
	}
	column := -1
	var want []string
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case len(cells) < 4, strings.HasPrefix(cells[1], "---"):
		case column < 0:
			column = slices.Index(cells, gateway)
		case cells[column] != "":
			want = append(want, cells[1])
		}
	}
	if column < 0 {
		t.Fatalf("docs/authorization.md has no column %s", gateway)
	}
	if got := told.Told(); !slices.Equal(got, want) {
		t.Errorf("%s tells %v, docs/authorization.md says %v", gateway, got, want)
	}
}
