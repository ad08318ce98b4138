package security_test

import (
	"os"
	"strings"
	"testing"

	"tollgate/internal/security"
)

func TestEveryKindIsExplainedToWhoeverReadsTheLog(t *testing.T) {
	manual, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range security.Kinds() {
		if row := "| `" + string(k.Kind) + "` | " + k.Doc + " |"; !strings.Contains(string(manual), row) {
			t.Errorf("docs/operations.md has no line %s", row)
		}
	}
}
