package simulation

import (
	"fmt"
	"html"
	"os"
	"regexp"
	"strings"
	"testing"
)

// lanes are who takes part in a story, from left to right.
var lanes = []string{"shoppers", "shop", "front 1", "front 2", "database", "gateways, bank", "receiver"}

var (
	timed     = regexp.MustCompile(`^\s*(\S+) (.*)$`)
	exchanged = regexp.MustCompile(`^(shopper|shop|front1|front2|sandbox)( \S+)?>(front|sandbox|receiver) (\S+ \S+)(?:\s+! (.*))?$`)
	onFront   = regexp.MustCompile(`^front([12])\.\d+ (commits|is at|says:|starts) ?(.*)$`)
	about     = regexp.MustCompile(`(KILLED|FAILOVER|CRASH|VIOLATION|nothing goes wrong|clock|from now on|forges)`)
)

// diagram draws a story as a page of its own: a line for each exchange, commit and fault, in the order of time.
func diagram(title string, wrong, trace []string) string {
	const lane, left, row = 170, 110, 18
	at := func(i int) int { return left + lane/2 + i*lane }
	width := left + len(lanes)*lane
	var b strings.Builder
	y := 30
	arrow := func(from, to int, text, class string) {
		x1, x2 := at(from), at(to)
		if from == to {
			x2 = x1 + 40
		}
		head := 6
		if x2 < x1 {
			head = -6
		}
		fmt.Fprintf(&b, `<g class="%s"><line x1="%d" y1="%d" x2="%d" y2="%d"/><path d="M%d %d l%d -4 v8 z"/><text x="%d" y="%d">%s</text></g>`,
			class, x1, y, x2, y, x2, y, -head, min(x1, x2)+8, y-3, html.EscapeString(short(text, 60)))
	}
	for _, line := range trace {
		m := timed.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		when, what := m[1], m[2]
		y += row
		fmt.Fprintf(&b, `<text class="time" x="4" y="%d">%s</text>`, y, html.EscapeString(when))
		if m := exchanged.FindStringSubmatch(what); m != nil {
			from := map[string]int{"shopper": 0, "shop": 1, "front1": 2, "front2": 3, "sandbox": 5}[m[1]]
			to := map[string]int{"front": 2, "sandbox": 5, "receiver": 6}[m[3]]
			class, text := "ok", strings.TrimSpace(m[2]+" "+m[4])
			if m[5] != "" {
				class, text = "bad", text+" ! "+m[5]
			}
			arrow(from, to, text, class)
			continue
		}
		if m := onFront.FindStringSubmatch(what); m != nil && !about.MatchString(what) {
			front := map[string]int{"1": 2, "2": 3}[m[1]]
			if m[2] == "commits" {
				arrow(front, 4, m[3], "commit")
			} else {
				fmt.Fprintf(&b, `<text class="note" x="%d" y="%d">%s</text>`, at(front)+4, y, html.EscapeString(short(m[2]+" "+m[3], 90)))
			}
			continue
		}
		class := "note"
		if about.MatchString(what) {
			class = "band"
			fmt.Fprintf(&b, `<rect class="band" x="%d" y="%d" width="%d" height="%d"/>`, left, y-13, width-left, row-1)
		}
		fmt.Fprintf(&b, `<text class="%s" x="%d" y="%d">%s</text>`, class, left+6, y, html.EscapeString(short(what, 190)))
	}
	height := y + 30
	var heads strings.Builder
	for i, name := range lanes {
		fmt.Fprintf(&heads, `<line class="lane" x1="%d" y1="24" x2="%d" y2="%d"/><text class="head" x="%d" y="16">%s</text>`,
			at(i), at(i), height, at(i), html.EscapeString(name))
	}
	return fmt.Sprintf(`<!doctype html><html lang="en"><meta charset="utf-8"><title>%s</title><style>
body{font:14px sans-serif;margin:1em}svg{font:11px monospace}.lane{stroke:#ccc}.head{text-anchor:middle;font-weight:bold}.time{fill:#777}
.ok line,.commit line{stroke:#357}.ok path,.commit path{fill:#357}.commit line{stroke-dasharray:3 2}.bad line{stroke:#c00}.bad path,.bad text{fill:#c00}
.note{fill:#555}text.band{font-weight:bold}rect.band{fill:#fdd}</style>
<h1>%s</h1><ul>%s</ul><svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d">%s%s</svg></html>
`, html.EscapeString(title), html.EscapeString(title), items(wrong), width, height, heads.String(), b.String())
}

func items(all []string) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "<li>%s</li>", html.EscapeString(s))
	}
	return b.String()
}

func short(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func TestAStoryIsDrawnAsADiagram(t *testing.T) {
	page := diagram("a <story>", []string{"charged twice"}, []string{
		"     514.085ms shopper c>front POST /pay/cs_a/card", "1s front1>sandbox POST /rbs/payment/rest/paymentorder.do   ! the answer is lost 0s",
		"2s front2.3 commits ~session +event of c", "3s front1.1 is KILLED at pay.answered; every front dies", "4s c types card …0008",
		"5s front1.1 is at pay.answered", "6s VIOLATION order.c is CHARGED 2 TIMES",
	})
	for _, want := range []string{"<title>a &lt;story&gt;</title>", "<li>charged twice</li>", "POST /pay/cs_a/card", `class="bad"`, `class="commit"`, "KILLED", "VIOLATION"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(page, `class="time"`); n != 7 {
		t.Errorf("%d lines are drawn", n)
	}
}

// write puts a story and its diagram beside each other.
func write(name, title string, l life) error {
	story := fmt.Sprintf("%s:\n%s\n\nfaults:\n%s\n\n%s\n", title, strings.Join(l.wrong, "\n"), strings.Join(l.struck, "\n"), strings.Join(l.trace, "\n"))
	if err := os.WriteFile(name+".txt", []byte(story), 0o600); err != nil {
		return err
	}
	return os.WriteFile(name+".html", []byte(diagram(title, l.wrong, l.trace)), 0o600)
}
