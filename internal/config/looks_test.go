package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tollgate/internal/config"
)

// What is wrong with a look is told at the start, with its line.
func TestALookThatIsWrongStopsTheStartWithItsLine(t *testing.T) {
	dir := t.TempDir()
	logo := filepath.Join(dir, "logo.svg")
	if err := os.WriteFile(logo, []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><script/></svg>`), 0o644); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "tollgate.toml")
	text := `public_url = "https://pay.example"
[[merchant]]
id = "shop"
name = "Shop"
api_key_hashes = ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
[[merchant.look]]
name = "pale"
accent = "#ffcc00"
logo = "` + logo + `"
[merchant.look.text.xx]
note = "?"
[[merchant.look]]
name = "lost"
logo = "` + dir + `/nowhere.png"
[[merchant.look]]
name = "good"
[[merchant.look]]
name = "good"
`
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(config.Flags{Config: name}, nil)
	for _, want := range []string{
		":8: merchant.look.accent: a link on the sheet (#ffcc00 on #ffffff) has a contrast of 1.5 : 1; at least 4.5 : 1 can be read",
		":9: merchant.look.logo: is an SVG with <script>, which is not allowed",
		":10: merchant.look.text.xx: the pages have no such language",
		":14: merchant.look.logo: ",
		`:18: merchant.look.name: "good" is the name of another look of the merchant`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the faults lack %q: %v", want, err)
		}
	}
}
