package inventory_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tollgate/internal/inventory"
)

func TestEveryScriptOfTheTemplatesIsInTheInventoryWithItsPurpose(t *testing.T) {
	all, err := inventory.Scripts()
	if err != nil {
		t.Fatal(err)
	}
	files, inPage := map[string]bool{}, map[string]bool{}
	for _, s := range all {
		if s.Purpose == "" || s.Hash == "" || len(s.Pages) == 0 {
			t.Errorf("%s (%s) has no purpose, or no page has it: %q", s.Name, s.Hash, s.Pages)
		}
		if s.Inline {
			inPage[s.Hash] = true
		} else {
			files[s.Name] = true
		}
	}
	templates, err := filepath.Glob("../../templates/*.templ")
	if err != nil || len(templates) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	found := 0
	for _, name := range templates {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?s)<script([^>]*)>(.*?)</script>`).FindAllStringSubmatch(string(raw), -1) {
			found++
			src := regexp.MustCompile(`static\.URL\("([^"]+)"\)`).FindStringSubmatch(m[1])
			switch {
			case src != nil && !files[src[1]]:
				t.Errorf("%s: %s is not in the inventory", name, src[1])
			case src == nil && !strings.Contains(m[2], "{ ") && !inPage[inventory.Hash([]byte(m[2]))]:
				t.Errorf("%s: the inventory lacks %s", name, m[2])
			}
		}
	}
	if found < 8 {
		t.Errorf("only %d scripts were found in the templates", found)
	}
}
