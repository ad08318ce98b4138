package e2e_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
)

var writeSpoken = flag.Bool("spoken", false, "write docs/spoken.md anew")

// speech is the accessibility tree of the page in its order, a line for each thing that a screen reader stops at.
func (b *tab) speech() string {
	b.Helper()
	tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		b.Fatal(err)
	}
	nodes := map[accessibility.NodeID]*accessibility.Node{}
	for _, n := range tree.Nodes {
		nodes[n.NodeID] = n
	}
	var out []string
	said := func(v *accessibility.Value) string {
		if v == nil {
			return ""
		}
		var s any
		if json.Unmarshal(v.Value, &s) != nil || s == nil {
			return ""
		}
		return strings.Join(strings.Fields(fmt.Sprint(s)), " ")
	}
	var walk func(n *accessibility.Node, within string)
	walk = func(n *accessibility.Node, within string) {
		role, name := said(n.Role), said(n.Name)
		line, inner := "", within
		switch role {
		case "StaticText":
			if !strings.Contains(strings.ToLower(within), strings.ToLower(name)) { // a control has said its name or what it holds
				line = name
			}
		case "heading", "link", "button", "textbox", "combobox", "listbox", "checkbox", "radio", "img", "image", "alert", "status", "main", "navigation", "banner", "contentinfo",
			"complementary", "region", "group", "form", "search", "list", "timer", "progressbar", "spinbutton", "details", "DisclosureTriangle", "RootWebArea":
			if role == "RootWebArea" {
				role = "page"
			}
			if n.Ignored || name == "" && (role == "group" || role == "region" || role == "form" || role == "list" || role == "image" || role == "img") {
				break
			}
			line = strings.TrimSpace(role + " " + name)
			for _, p := range n.Properties {
				switch value := said(p.Value); {
				case p.Name == "level":
					line = strings.Replace(line, "heading", "heading "+value, 1)
				case (p.Name == "required" || p.Name == "disabled" || p.Name == "busy" || p.Name == "focused") && value == "true",
					p.Name == "invalid" && value != "false":
					line += ", " + string(p.Name)
				case p.Name == "checked" || p.Name == "expanded":
					line += ", " + string(p.Name) + " " + value
				}
			}
			if v := said(n.Value); v != "" {
				line += ", holds " + v
			}
			if d := said(n.Description); d != "" {
				line += " (" + d + ")"
			}
			if role != "page" && role != "main" && name != "" {
				inner = within + "\n" + name + "\n" + said(n.Value)
			}
		}
		if line != "" && (len(out) == 0 || out[len(out)-1] != line) {
			out = append(out, line)
		}
		for _, id := range n.ChildIDs {
			if child := nodes[id]; child != nil {
				walk(child, inner)
			}
		}
	}
	i := slices.IndexFunc(tree.Nodes, func(n *accessibility.Node) bool { return said(n.Role) == "RootWebArea" })
	if i < 0 {
		b.Fatal("the page has no accessibility tree")
	}
	walk(tree.Nodes[i], "")
	return strings.Join(out, "\n")
}

// varying is what is another at each payment.
var varying = []struct {
	is  *regexp.Regexp
	say string
}{
	{regexp.MustCompile(`order-[a-j]+-[a-j]+(-\d)?`), "order-a$1"},
	{regexp.MustCompile(`\b[A-Z][a-z]+ \d{1,2}, \d{4} at \d{1,2}:\d\d [AP]M|\d{1,2} [A-Z][a-z]+ \d{4},? (at )?\d{1,2}:\d\d( [AP]M)?( UTC)?`), "November 27, 2026 at 3:00 PM"},
	{regexp.MustCompile(`\b(29|28|30):\d\d\b`), "29:50"},
	{regexp.MustCompile(`(?m)^\d{1,2}\ns$`), "10\ns"},
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f-]{27}\b`), "0b1c2d3e-0000-4000-8000-000000000000"},
	{regexp.MustCompile(`(?m)^\d{6}$`), "123456"},
	{regexp.MustCompile(`(127\.0\.0\.1|localhost):\d+`), "pay.example"},
}

const spokenHead = `# A payment, as it is read aloud

What a screen reader comes to on each page of a payment whose bank asks for a code, in order: Chromium's accessibility tree, with what the shopper types
between. A test compares this page with the program; ` + "`go test ./e2e -run Spoken -args -spoken`" + ` writes it anew.
`

func TestTheSpokenPaymentIsAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	w := start(t) // a fault is scripted
	b := open(t, w)
	text := spokenHead
	page := func(title string) {
		t.Helper()
		until(t, 10*time.Second, "the page is whole", func() bool { return ask[string](b, "document.readyState") == "complete" })
		said := b.speech()
		for _, v := range varying {
			said = v.is.ReplaceAllString(said, v.say)
		}
		text += "\n## " + title + "\n\n```\n" + said + "\n```\n"
	}
	s := w.create(t, "rbs", map[string]any{"description": "The way of Abai, two volumes"})
	b.goTo(s.URL)
	page("The card page")
	b.fill(typedCard{Number: "4000019900020002", Expiry: "1230", Name: "Aigerim Serik"})
	b.press("#pay")
	b.find(10*time.Second, "the mistakes", func(v *view) bool { return v.Errors != "" })
	page("Pay was pressed with a wrong number and no code")
	drive := open(t, w)
	drive.pay(s, withoutMoney)
	drive.until("card")
	b.goTo(s.URL)
	page("The card was declined")
	w.fault(t, map[string]any{"gateway": "rbs", "call": "paymentorder.do", "do": "slow", "hold_ms": 4000})
	b.fill(cardNumber(cardByHand))
	b.press("#pay")
	b.until("wait")
	page("The gateway takes its time")
	b.until("acs")
	page("The bank's page")
	b.do(chromedp.SendKeys(chromedp.ID("otp"), "1234"))
	b.press("button.main")
	b.until("result")
	page("Paid")
	const file = "../docs/spoken.md"
	if *writeSpoken {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != text {
		was, is := strings.Split(string(kept), "\n"), strings.Split(text, "\n")
		for i := range is {
			if i >= len(was) || was[i] != is[i] {
				old := "nothing"
				if i < len(was) {
					old = was[i]
				}
				t.Fatalf("line %d says %q, the program %q: if that is right, go test ./e2e -run Spoken -args -spoken", i+1, old, is[i])
			}
		}
		t.Fatal("the document says more than the program")
	}
}
