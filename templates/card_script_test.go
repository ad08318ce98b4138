package templates_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"tollgate/templates"
)

// fillIn is a browser, a password manager or the clipboard that sets a field at once; row is {field, what is set, how, what stands there then,
// and what is said of it when the field is left}.
const fillIn = `(function (rows) {
	return rows.map(function (r) {
		["number", "expiry", "cvc", "name"].forEach(function (id) { document.getElementById(id).value = ""; document.getElementById(id).dispatchEvent(new Event("input")) })
		if (r[0] === "cvc") { var n = document.getElementById("number"), both = r[1].split("|"); n.value = both[0]; n.dispatchEvent(new Event("input")); r = [r[0], both[1], r[2]] }
		var f = document.getElementById(r[0])
		f.value = r[1]
		f.dispatchEvent(new InputEvent("input", {inputType: r[2]}))
		f.dispatchEvent(new Event("change"))
		return [f.value, document.getElementById(r[0] + "-error").textContent]
	})
})`

func TestTheCardFormTakesWhatIsPastedAndFilledIn(t *testing.T) {
	f := newFront(t)
	f.page("GET /pay/s1", cardPolicy, templates.Card(cardPage(t, "en")))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	const (
		n    = "4000 0199 0005 0008"
		slip = "Check the card number: there seems to be a mistake in it"
		date = "Enter the month and year like this: 08/29"
		code = "The code has 3 digits, or 4 on American Express"
		kind = "Cards of this kind are not accepted here. Please use another one"
	)
	rows := [][5]string{
		{"number", "    4000 - 0199 - 0005 - 0008", "insertFromPaste", n}, {"number", "Card: 4000 0199 0005 0008", "insertFromPaste", n},
		{"number", "4000 0199 0002 0720 12/30", "insertFromPaste", "4000 0199 0002 0720"}, {"number", "４０００ ０１９９ ０００５ ０００８", "", n},
		{"number", "٤٠٠٠ ٠١٩٩ ٠٠٠٥ ٠٠٠٨", "", n}, {"number", "۴۰۰۰۰۱۹۹۰۰۰۵۰۰۰۸", "", n}, {"number", "\u202a4000 0199\u200e 0005\u202f0008\u202c", "", n},
		{"number", "4000\u20090199\u20110005\u20110008", "", n}, {"number", "номер 4000019900050008, 12 / 30", "", n}, {"number", "4000 0199 0005 0009", "", "4000 0199 0005 0009", slip},
		{"number", "4000 0199 0005 0008 1", "", "4000 0199 0005 0008 1", slip}, {"number", "6200000000000001", "", "6200 0000 0000 0001"}, {"number", "3782 822463 10005", "", "3782 822463 10005"},
		{"number", "3528000000000007", "", "3528 0000 0000 0007", kind}, {"number", "8600000000000007", "", "8600 0000 0000 0007", kind}, {"number", "9860000000000000", "", "9860 0000 0000 0000", kind},
		{"expiry", "2030-12", "", "12/30"}, {"expiry", "203012", "", "12/30"}, {"expiry", "2030/12", "insertReplacementText", "12/30"}, {"expiry", "30-12", "insertFromPaste", "12/30"},
		{"expiry", "12 / 2030", "insertFromPaste", "12/30"}, {"expiry", "１２／３０", "", "12/30"}, {"expiry", "130", "", "01/30"}, {"expiry", "12.2030", "", "12/30"}, {"expiry", "13/30", "", "13/30", date},
		{"expiry", "01/20", "", "01/20", "This date is past. Check it or use another card"},
		{"cvc", "4000019900050008|123", "", "123"}, {"cvc", "4000019900050008|1234", "", "1234", code}, {"cvc", "378282246310005|1234", "", "1234"}, {"cvc", "378282246310005|123", "", "123", code},
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	got := js[[][2]string](t, ctx, fillIn+"("+string(raw)+")")
	for i, row := range rows {
		if got[i] != [2]string{row[3], row[4]} {
			t.Errorf("%s %q (%s) reads %q, want %q and %q", row[0], row[1], row[2], got[i], row[3], row[4])
		}
	}
	if hint := js[string](t, ctx, `document.getElementById("cvc-hint").textContent`); hint != "4 digits on the front" {
		t.Errorf("beside the code of American Express stands %q", hint)
	}
}

func TestTheCardFormIsTypedInAsPeopleType(t *testing.T) {
	f := newFront(t)
	f.page("GET /pay/s1", cardPolicy, templates.Card(cardPage(t, "en")))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	number := func() string { return js[string](t, ctx, `document.getElementById("number").value`) }

	// One growing composition, as a keyboard of a phone makes it.
	js[any](t, ctx, `document.getElementById("number").focus()`)
	const digits = "4000019900050008"
	for i := range digits {
		if _, err := chromedp.Call(ctx, input.ImeSetComposition, input.ImeSetCompositionParams{Text: digits[:i+1], SelectionStart: int64(i + 1), SelectionEnd: int64(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.ReplaceAll(number(), " ", ""); got != digits {
		t.Errorf("while it is composed the number reads %q", got)
	}
	if _, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: digits}); err != nil {
		t.Fatal(err)
	}
	if got := number(); got != "4000 0199 0005 0008" {
		t.Errorf("composed, the number reads %q", got)
	}

	for field, words := range map[string][2]string{"expiry": {"1230", "12/30"}, "cvc": {"123", "123"}} {
		js[any](t, ctx, `document.getElementById("`+field+`").focus()`)
		for i := range words[0] {
			if _, err := chromedp.Call(ctx, input.ImeSetComposition, input.ImeSetCompositionParams{Text: words[0][:i+1], SelectionStart: int64(i + 1), SelectionEnd: int64(i + 1)}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: words[0]}); err != nil {
			t.Fatal(err)
		}
		if got := js[string](t, ctx, `document.getElementById("`+field+`").value`); got != words[1] {
			t.Errorf("composed, %s reads %q", field, got)
		}
	}

	// Keys that meet a gap take the digit behind it, or before it.
	js[any](t, ctx, `document.getElementById("number").focus()`)
	js[any](t, ctx, `document.getElementById("number").setSelectionRange(4, 4)`)
	do(t, ctx, chromedp.KeyEvent("\u007f"))
	if got := number(); got != "4000 1990 0050 008" {
		t.Errorf("Delete before a gap leaves %q", got)
	}
	js[any](t, ctx, `document.getElementById("number").setSelectionRange(5, 5)`)
	do(t, ctx, chromedp.KeyEvent("\b"))
	if got := number() + js[string](t, ctx, `"|" + document.getElementById("number").selectionStart`); got != "4001 9900 0500 08|3" {
		t.Errorf("Backspace behind a gap leaves %q", got)
	}

	do(t, ctx, chromedp.Click(chromedp.ID("pay")))
	if title := js[string](t, ctx, "document.title"); !strings.HasPrefix(title, "Please check: ") {
		t.Errorf("with errors the title is %q", title)
	}
}

// What comes after the first paint takes no place that something else had.
func TestNothingOfTheCardPageMovesOnceItIsShown(t *testing.T) {
	f := newFront(t)
	f.page("GET /pay/s1", cardPolicy, templates.Card(cardPage(t, "en")))
	ctx := browser(t)
	const observe = `(function () {
		window.shift = 0
		new PerformanceObserver(function (l) { l.getEntries().forEach(function (e) { if (!e.hadRecentInput) shift += e.value }) }).observe({type: "layout-shift", buffered: true})
	})()`
	if _, err := chromedp.Call(ctx, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: observe}); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	waitFor(t, ctx, `document.querySelectorAll("#test button").length === 3`)
	typed(t, ctx, "number", "4000019900050008\t1230\t123\tA SERIK")
	js[any](t, ctx, `new Promise(function (done) { requestAnimationFrame(function () { requestAnimationFrame(done) }) })`)
	if shift := js[float64](t, ctx, "shift"); shift != 0 {
		t.Errorf("the page moved by %v", shift)
	}
}
