package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/app"
	"tollgate/internal/config"
)

// difference is something that browsers treat differently. Its test fails where a shopper would be worse off, and says what this
// browser did.
type difference struct {
	name string
	test func(*testing.T, *differing) string
}

// differing is where a difference is looked at.
type differing struct {
	kind browserKind
	w    *world
	tape *tape
	shop string // of another site
	show func(front, url string)
}

func (d *differing) window(t *testing.T, setup browserSetup) *window {
	return d.kind.window(t, d.w, setup)
}

// mine are the requests of this kind of browser.
func (d *differing) mine(words string) []taped {
	return slices.DeleteFunc(d.tape.requests(words), func(r taped) bool {
		agent, kind := r.UserAgent(), "WebKitGTK"
		switch {
		case strings.Contains(agent, "Firefox/"):
			kind = "Firefox"
		case strings.Contains(agent, "Chrome/"):
			kind = "Chromium"
		}
		return kind != d.kind.name
	})
}

func differences() []difference {
	return []difference{
		{"Cookies after the bank's post from another site", cookiesAfterTheBank},
		{"What a post says of its origin", originsOfPosts},
		{"Back to the card form", backToTheForm},
		{"`pagehide`", leavingTheForm},
		{"What a form without script keeps", keptWithoutScript},
		{"`form-action` after a redirect", formActionAfterRedirects},
		{"Refresh in `<noscript>`", refreshInNoscript},
		{"Eight waiting tabs", eightWaitingTabs},
		{"A private window", inPrivate},
		{"Third-party cookies blocked, in a shop's frame", framedWithoutCookies},
		{"A challenge in a shop's frame, where the bank allows it", challengeFramed},
		{"A challenge in a shop's frame, where the bank forbids frames", challengeForbidsFrames},
		{"A challenge in the whole window, third-party cookies blocked", challengeInTheWholeWindow},
		{"Script off", scriptOff},
		{"A refused form opened again", refusedFormAgain},
	}
}

// TestWhatBrowsersTreatDifferently is run by make pages, and writes what it saw into docs/browsers.md.
func TestWhatBrowsersTreatDifferently(t *testing.T) {
	if !*everyLook {
		t.Log("run by make pages")
		return
	}
	shop, show := shopPage(t)
	roll := &tape{Listener: listen(t)}
	w := start(t, func(o *app.Options) {
		_ = o.FrontListener.Close()
		o.FrontListener = roll
		box := fmt.Sprintf("http://localhost:%d", o.SandboxListener.Addr().(*net.TCPAddr).Port)
		o.Tune = func(c *config.Config) {
			c.Merchants[0].ReturnOrigins = []string{shop, box}
			framed := c.Accounts["payneteasy"] // RBS's challenges are for the whole window
			framed.Framed = true
			c.Accounts["payneteasy"] = framed
		}
	})
	var mu sync.Mutex
	seen := map[string]string{}
	for _, k := range browsers() {
		for _, d := range differences() {
			t.Run(k.name+"/"+d.name, func(t *testing.T) {
				said := d.test(t, &differing{k, w, roll, shop, show})
				t.Logf("seen: %s", said)
				mu.Lock()
				defer mu.Unlock()
				seen[d.name+k.name] = said
			})
		}
	}
	if t.Failed() || len(seen) < len(browsers())*len(differences()) {
		return
	}
	table := "\n| | Chromium | Firefox | WebKitGTK |\n|---|---|---|---|\n"
	for _, d := range differences() {
		table += "| " + d.name
		for _, k := range browsers() {
			table += " | " + seen[d.name+k.name]
		}
		table += " |\n"
	}
	const from, to, page = "<!-- seen -->", "<!-- end of seen -->", "../docs/browsers.md"
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(old), from)
	_, tail, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatal(page, " has no place for the table")
	}
	if err := os.WriteFile(page, []byte(head+from+table+to+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

func yes(is bool, then, otherwise string) string {
	if is {
		return then
	}
	return otherwise
}

const fetchSite = "Sec-Fetch-Site"

// The bank's page posts from another site: that post has no cookie, and the page that it leads to is shown all the same.
func cookiesAfterTheBank(t *testing.T, d *differing) string {
	b := d.window(t, browserSetup{})
	s := d.w.create(t, "rbs", nil)
	b.pays(s)
	b.paidOnce(s)
	said := ""
	for _, r := range d.mine("/return") {
		if run := strings.Split(r.URL.Path, "/"); r.Method == http.MethodPost && len(run) > 2 {
			said = fmt.Sprintf("the post came %s", yes(r.Header.Get("Cookie") == "", "without cookie", "with the cookie"))
		}
	}
	after := d.tape.requests("/pay/" + s.ID)
	first := ""
	for _, r := range after {
		if r.Method == http.MethodGet && r.Header.Get(fetchSite) == "cross-site" && !strings.Contains(r.URL.Path, "events") {
			first = yes(r.Header.Get("Cookie") == "", "without", "with")
		}
	}
	if first == "" {
		first = "(with no word of another site) with"
	}
	receipt := yes(strings.Contains(b.last.Text, "0720"), "shows the card", "shows no card")
	if strings.Contains(receipt, "no card") {
		t.Error("the receipt in the browser that paid does not show the card")
	}
	return said + ", the page it leads to was asked for " + first + " it; the receipt " + receipt
}

// Where no Fetch Metadata comes, or the origin is null, the form's token decides.
func originsOfPosts(t *testing.T, d *differing) string {
	b := d.window(t, browserSetup{})
	s := d.w.create(t, "rbs", nil)
	b.pays(s)
	b.paidOnce(s)
	said := ""
	for _, r := range d.tape.requests("/pay/" + s.ID + "/card") {
		if r.Method == http.MethodPost {
			said = fmt.Sprintf("card form: `Origin` %s, `%s` %s", yes(r.Header.Get("Origin") == d.w.Front, "ours", r.Header.Get("Origin")+"."), fetchSite, r.Header.Get(fetchSite))
		}
	}
	for _, r := range d.mine("/return") {
		if r.Method == http.MethodPost {
			origin := r.Header.Get("Origin")
			bank := fmt.Sprintf("; bank: `Origin` %s, `%s` %s", yes(origin == d.w.Sandbox, "the bank's", origin), fetchSite, r.Header.Get(fetchSite))
			said = strings.Split(said, "; bank")[0] + bank
		}
	}
	if said == "" {
		t.Error("no post was seen")
	}
	return said
}

// typed is what stands in the four fields of the page that is there now, or is about to be.
func (b *window) typed() (f [4]string) {
	b.Helper()
	b.wait("the four fields", func(*view) bool {
		return b.run(`["number", "expiry", "cvc", "name"].map(function (id) { return document.getElementById(id).value })`, &f) == nil
	})
	return f
}

// What a browser shows again by Back has neither number nor code.
func backToTheForm(t *testing.T, d *differing) string {
	b := d.window(t, browserSetup{})
	s := d.w.create(t, "rbs", nil)
	before := b.visit(s.URL, "card")
	b.fill(cardNumber(noThreeDS))
	b.visit(d.w.Front+"/gallery", "other") // of the same site: the driver of WebKit loses sight of a page that Back takes from another process
	b.must(b.back())
	after := b.until("card")
	f := b.typed()
	if f[0] != "" || f[2] != "" {
		t.Errorf("number %q and code %q are there again", f[0], f[2])
	}
	return fmt.Sprintf("%s; number and code empty, date %s, name %s", yes(after.Doc == before.Doc, "the page itself, from memory", "loaded anew"),
		yes(f[1] == "", "empty", "kept"), yes(f[3] == "", "empty", "kept"))
}

// The number is gone from the page before the browser puts the page away.
func leavingTheForm(t *testing.T, d *differing) string {
	b := d.window(t, browserSetup{})
	s := d.w.create(t, "rbs", nil)
	b.visit(s.URL, "card")
	b.fill(cardNumber(noThreeDS))
	b.must(b.run(`void addEventListener("pagehide", function (e) {
		navigator.sendBeacon("/left?kept=" + (document.getElementById("number").value + document.getElementById("cvc").value).length + "&memory=" + e.persisted + "&of=" + location.pathname)
	})`, nil))
	b.visit(d.w.Sandbox+"/shop", "basket")
	until(t, 10*time.Second, "word of the page that is left", func() bool { return len(d.tape.requests("of=/pay/"+s.ID)) > 0 })
	q := d.tape.requests("of=/pay/" + s.ID)[0].URL.Query()
	if q.Get("kept") != "0" {
		t.Errorf("at pagehide %s digits stood in the fields", q.Get("kept"))
	}
	return fmt.Sprintf("fired, `persisted` %s; number and code were empty by then", q.Get("memory"))
}

// Without script nothing empties a field: what the browser does by itself is only told.
func keptWithoutScript(t *testing.T, d *differing) string {
	b := d.window(t, browserSetup{noScript: true})
	s := d.w.create(t, "rbs", nil)
	b.visit(s.URL, "card")
	b.fill(cardNumber(noThreeDS))
	names := []string{"number", "date", "code", "name"}
	kept := func() string {
		var k []string
		for i, v := range b.typed() {
			if v != "" {
				k = append(k, names[i])
			}
		}
		return yes(len(k) == 0, "nothing", strings.Join(k, ", "))
	}
	b.must(b.reload())
	b.until("card")
	reloaded := kept()
	for i, f := range []string{noThreeDS, "12/30", "123", "Aigerim Serik"} {
		css := "#" + []string{"number", "expiry", "cvc", "name"}[i]
		if value[string](b, fmt.Sprintf("document.querySelector(%q).value", css)) == "" {
			b.write(css, f)
		}
	}
	b.visit(d.w.Front+"/gallery", "other")
	b.must(b.back())
	b.last = b.wait("the form", func(v *view) bool { return v.Kind == "card" && !v.Moving })
	return "reload keeps " + reloaded + "; Back keeps " + kept()
}

// Why the end of a payment is a page and no redirect, and why the page that posts to the bank has no form-action.
func formActionAfterRedirects(t *testing.T, d *differing) string {
	var mu sync.Mutex
	arrived := 0
	far := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		arrived++
		mu.Unlock()
		io.WriteString(rw, "<!doctype html><title>far</title>arrived") //nolint:errcheck
	}))
	t.Cleanup(far.Close)
	near := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			http.Redirect(rw, r, strings.Replace(far.URL, "127.0.0.1", "localhost", 1)+"/", http.StatusSeeOther)
			return
		}
		rw.Header().Set("Content-Type", "text/html")
		rw.Header().Set("Content-Security-Policy", "form-action 'self'")
		io.WriteString(rw, `<!doctype html><title>near</title><form method=post><button id=go>go</button></form>`) //nolint:errcheck
	}))
	t.Cleanup(near.Close)
	b := d.window(t, browserSetup{})
	if c, ok := b.webDriver.(chromiumTab); ok {
		c.mu.Lock()
		c.foreign = append(c.foreign, near.URL, strings.Replace(far.URL, "127.0.0.1", "localhost", 1))
		c.mu.Unlock()
	}
	if f, ok := b.webDriver.(*firefoxTab); ok {
		f.known(near.URL, "Content-Security-Policy")
	}
	b.must(b.open(strings.Replace(near.URL, "127.0.0.1", "localhost", 1)))
	b.press("#go")
	deadline := time.Now().Add(2 * time.Second)
	came := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return arrived > 0
	}
	for !came() && time.Now().Before(deadline) {
		pause(50 * time.Millisecond)
	}
	return yes(came(), "followed: not applied to redirects", "stopped: applied to the redirect too")
}

// With script the refresh is dead text; without script it goes on.
func refreshInNoscript(t *testing.T, d *differing) string {
	b := d.window(t, browserSetup{noScript: true})
	s := d.w.create(t, "rbs", nil)
	b.visit(s.URL, "card")
	b.fill(cardNumber(unchallenged))
	b.press("#pay")
	b.throughBank()
	b.paidOnce(s)
	n := 0
	for _, r := range d.tape.requests("/pay/" + s.ID) {
		if r.Method == http.MethodGet {
			n++
		}
	}
	return fmt.Sprintf("the waiting pages went on by themselves; the payment took %d pages", n)
}

// A browser has six connections to a host: waiting pages leave room.
func eightWaitingTabs(t *testing.T, d *differing) string {
	d.w.fault(t, map[string]any{"gateway": "rbs", "call": "paymentorder.do", "do": "hang", "when": "before", "hold_ms": 20000})
	b := d.window(t, browserSetup{})
	s := d.w.create(t, "rbs", nil)
	b.visit(s.URL, "card")
	b.fill(cardNumber(noThreeDS))
	b.press("#pay")
	b.until("wait")
	for n := range 7 {
		next, err := b.another()
		b.must(err)
		tab := &window{TB: t, webDriver: next, w: d.w}
		began := time.Now()
		b.must(tab.open(s.URL))
		tab.wait("a waiting page", func(v *view) bool { return v.Kind == "wait" })
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("tab %d took %s", n+2, took)
		}
	}
	d.w.sandbox(t, "DELETE", "/faults", nil, nil)
	return fmt.Sprintf("all eight loaded, %d event streams for them", len(d.tape.requests("/pay/"+s.ID+"/events")))
}

func inPrivate(t *testing.T, d *differing) string {
	b := d.window(t, browserSetup{private: true})
	s := d.w.create(t, "rbs", nil)
	b.pays(s)
	b.paidOnce(s)
	return "paid; the receipt " + yes(strings.Contains(b.last.Text, "0720"), "shows the card", "shows no card")
}

// inShop opens a session in a frame of the shop's, in a browser that keeps no third-party cookies.
func (d *differing) inShop(t *testing.T, account string) (*window, sessionView) {
	t.Helper()
	s := d.w.create(t, account, map[string]any{"embed_origin": d.shop, "success_url": d.shop + "/thanks", "cancel_url": d.shop + "/basket"})
	d.show(d.w.Front, s.URL)
	b := d.window(t, browserSetup{noThirdParty: true})
	if c, ok := b.webDriver.(chromiumTab); ok {
		c.mu.Lock()
		c.foreign = append(c.foreign, d.shop)
		c.mu.Unlock()
	}
	b.must(b.open(d.shop))
	return b, s
}

// inFrame waits for a page of ours in the shop's frame.
func (b *window) inFrame(what string, cond func(*view) bool) webDriver {
	b.Helper()
	var inner webDriver
	var v view
	until(b, 40*time.Second, what, func() bool {
		var err error
		if inner, err = b.frame(); err != nil {
			return false
		}
		err = inner.run(strings.Replace(kindOf, "FRONT", b.w.Front, 1)+"(true)", &v)
		return err == nil && strings.HasPrefix(v.URL, b.w.Front) && cond(&v)
	})
	return inner
}

// payInFrame fills in the card form in a frame and presses Pay.
func (b *window) payInFrame(number string) {
	b.Helper()
	inner := b.inFrame("the card form in the frame", func(v *view) bool { return v.Kind == "card" && !v.Moving })
	b.must(inner.run(fmt.Sprintf(`(function () {
		[["number", %q], ["expiry", "12/30"], ["cvc", "123"], ["name", "Aigerim Serik"]].forEach(function (f) {
			document.getElementById(f[0]).value = f[1]
			document.getElementById(f[0]).dispatchEvent(new Event("input", {bubbles: true}))
		})
		setTimeout(function () { document.getElementById("pay").click() })
	})()`, number), nil))
}

// In a shop's frame, where a browser may keep no cookie of ours.
func framedWithoutCookies(t *testing.T, d *differing) string {
	b, s := d.inShop(t, "rbs")
	b.payInFrame(noThreeDS)
	b.inFrame("the result in the frame", func(v *view) bool { return v.Kind == "result" && v.Mark == "good" })
	cookie := ""
	for _, r := range d.tape.requests("/pay/" + s.ID + "/card") {
		cookie = yes(r.Header.Get("Cookie") == "", "without cookie", "with a cookie")
	}
	return "paid in the frame, " + cookie
}

// The account's bank is known to allow frames: the challenge stays in the shop's page.
func challengeFramed(t *testing.T, d *differing) string {
	b, s := d.inShop(t, "payneteasy")
	b.payInFrame(cardChallenge)
	b.inFrame("the result in the frame", func(v *view) bool { return v.Kind == "result" && v.Mark == "good" })
	now := d.w.session(t, s.ID)
	if n := d.w.charges(t, s.OrderID); n != 1 || len(now.Attempts) != 1 || len(now.Attempts[0].Runs) != 1 || now.Attempts[0].Runs[0].CompInd != "Y" {
		t.Errorf("%d charges; %+v", n, now.Attempts) // the Method's frames stand in a frame of the shop's, too
	}
	return "paid in the frame, with the Method"
}

// The bank answers that it is shown in no frame, and the account says otherwise: the way to the whole window, which the shop's page has
// beside the frame, leads to the bank.
func challengeForbidsFrames(t *testing.T, d *differing) string {
	d.w.fault(t, map[string]any{"gateway": "acs", "call": "challenge", "do": "header", "set": map[string]string{"X-Frame-Options": "DENY"}, "times": -1})
	defer d.w.sandbox(t, "DELETE", "/faults", nil, nil)
	asked := func() (n int) {
		for _, c := range d.w.calls(t, "") {
			if c.Gateway == "acs" && c.Call == "challenge" {
				n++
			}
		}
		return n
	}
	before := asked()
	b, s := d.inShop(t, "payneteasy")
	b.payInFrame(cardByHand)
	until(t, 40*time.Second, "the challenge is posted in the frame", func() bool { return asked() > before })
	b.press("#here a")
	b.last = nil
	b.until("bank")
	b.press("#bank button")
	b.until("acs")
	b.write("#otp", "1234")
	b.press("button.main")
	b.until("result")
	b.paidOnce(s)
	return "the way beside the frame leads to the bank; paid"
}

// Nothing says that the account's bank allows frames: before the challenge the frame leads to the whole window.
func challengeInTheWholeWindow(t *testing.T, d *differing) string {
	b, s := d.inShop(t, "rbs")
	b.payInFrame(cardByHand)
	inner := b.inFrame("the way out of the frame", func(v *view) bool { return strings.Contains(v.Head, "whole window") })
	out := ""
	b.must(inner.run(`document.querySelector("a#top[target=_top]").href`, &out))
	b.must(b.open(out))
	b.last = nil
	b.throughBank()
	b.paidOnce(s)
	if to := value[string](b, `document.getElementById("continue").href`); !strings.HasPrefix(to, d.shop+"/thanks") {
		t.Errorf("the end leads to %s", to)
	}
	return "the frame offers the whole window, there the bank is asked; paid"
}

func scriptOff(t *testing.T, d *differing) string {
	b := d.window(t, browserSetup{noScript: true})
	s := d.w.create(t, "rbs", nil)
	b.pays(s)
	b.paidOnce(s)
	return "paid with the bank's page; the receipt " + yes(strings.Contains(b.last.Text, "0720"), "shows the card", "shows no card")
}

// A tab that is restored, or opened by its address, after the server refused a field.
func refusedFormAgain(t *testing.T, d *differing) string {
	b := d.window(t, browserSetup{noScript: true})
	s := d.w.create(t, "rbs", nil)
	b.visit(s.URL, "card")
	c := cardNumber(noThreeDS)
	c.Expiry = "0126"
	b.fill(c)
	b.press("#pay")
	b.until("card")
	at := value[string](b, "location.pathname")
	kept := b.typed()
	b.must(b.open(d.w.Front + at))
	if v := b.until("card"); v.URL != s.URL {
		t.Errorf("the restored tab shows %s", v.URL)
	}
	return "refused at `" + strings.Replace(at, s.ID, "{id}", 1) + "` with " + yes(kept[0] == "" && kept[2] == "", "number and code empty", "number or code") +
		"; opened again it leads to `/pay/{id}`"
}
