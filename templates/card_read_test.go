package templates_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"tollgate/internal/card"
)

// What the script reads in a field is what the server reads there: else one of them would refuse what the other took.
func TestTheScriptReadsCardsAsTheServerDoes(t *testing.T) {
	script, err := os.ReadFile("../static/parts/read.js")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("../internal/card/testdata/typed.json")
	if err != nil {
		t.Fatal(err)
	}
	var table, got struct{ Numbers, Dates, Codes [][2]string }
	if err := json.Unmarshal(raw, &table); err != nil {
		t.Fatal(err)
	}
	asked, err := json.Marshal(map[string]any{"script": string(script), "systems": card.Table(), "table": table})
	if err != nil {
		t.Fatal(err)
	}
	const run = `
var asked = JSON.parse(require("fs").readFileSync(0)), is = new Function(asked.script + ";return reader")()(asked.systems)
function each(rows, read) { return rows.map(function (r) { return [r[0], read(r[0])] }) }
console.log(JSON.stringify({
  Numbers: each(asked.table.Numbers, is.number), Codes: each(asked.table.Codes, is.code),
  Dates: each(asked.table.Dates, function (s) { var d = is.date(s); return d ? d.month + "/" + d.year : "" })
}))`
	cmd := exec.Command("node", "-e", run)
	var out, failed bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(asked), &out, &failed
	if err := cmd.Run(); err != nil {
		t.Fatalf("node: %v\n%s", err, failed.String())
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for what, rows := range map[string][2][][2]string{"number": {table.Numbers, got.Numbers}, "date": {table.Dates, got.Dates}, "code": {table.Codes, got.Codes}} {
		if len(rows[0]) == 0 {
			t.Errorf("no %s was read", what)
		}
		for i, want := range rows[0] {
			if rows[1][i] != want {
				t.Errorf("the %s in %q is read as %q, want %q", what, want[0], rows[1][i][1], want[1])
			}
		}
	}
}
