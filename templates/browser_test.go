package templates_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/a-h/templ"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"tollgate/static"
	"tollgate/templates"
)

// front serves pages as the handlers do: with the strict policies, and with no-store.
type front struct {
	*httptest.Server
	mux   *http.ServeMux
	mu    sync.Mutex
	posts []url.Values
	seen  map[string]int // requests by path
	csp   []string       // violations the browser reported
}

const (
	cardPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri /csp"
	bankPolicy = "default-src 'none'; style-src 'self'; script-src 'nonce-nonce-1'; img-src 'self'; base-uri 'none'; frame-ancestors 'self'; report-uri /csp"
)

var livePolicy = "default-src 'none'; style-src 'self'; script-src 'self' " + templates.GuardHash() + "; img-src 'self' data:; connect-src 'self'; frame-src 'self' http: https:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri /csp"

func newFront(t *testing.T) *front {
	f := &front{mux: http.NewServeMux(), seen: map[string]int{}}
	f.mux.Handle(static.Prefix, static.Handler())
	f.mux.HandleFunc("POST /csp", func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.csp = append(f.csp, string(b))
	})
	for _, path := range []string{"/start", "/next", "/shop"} {
		f.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			f.note(r)
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<!doctype html><title>"+r.URL.Path+"</title>") //nolint:errcheck
		})
	}
	f.Server = httptest.NewServer(f.mux)
	t.Cleanup(f.Close)
	t.Cleanup(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, v := range f.csp {
			t.Errorf("the page broke its policy: %s", v)
		}
	})
	return f
}

func (f *front) note(r *http.Request) {
	r.ParseForm() //nolint:errcheck // what cannot be read is missing in posts
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[r.Method+" "+r.URL.Path]++
	if r.Method == http.MethodPost {
		f.posts = append(f.posts, r.PostForm)
	}
}

func (f *front) posted() []url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.posts)
}

func (f *front) count(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[what]
}

func (f *front) page(path, policy string, c templ.Component) {
	f.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		f.note(r)
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy)
		h.Set("Cache-Control", "no-store")
		c.Render(r.Context(), w) //nolint:errcheck
	})
}

var chromium struct {
	once sync.Once
	ctx  context.Context
	err  error
	stop []func()
}

// One Chromium serves all tests of the package; it starts with the first that needs it.
func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range slices.Backward(chromium.stop) {
		stop()
	}
	os.Exit(code)
}

func startChromium() {
	dir, err := os.MkdirTemp("", "tollgate-chromium-")
	if err != nil {
		chromium.err = err
		return
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), chromedp.Headless, chromedp.NoSandbox, chromedp.UserDataDir(dir),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("no-first-run", true))
	ctx, quit := chromedp.NewContext(alloc)
	chromium.stop = []func(){func() { os.RemoveAll(dir) }, stop, quit}
	chromium.ctx, chromium.err = ctx, chromedp.Do(ctx)
}

// browser is a tab of its own.
func browser(t *testing.T) context.Context {
	t.Helper()
	chromium.once.Do(startChromium)
	if chromium.err != nil {
		t.Fatal(chromium.err)
	}
	tab, closeTab := chromedp.NewContext(chromium.ctx)
	t.Cleanup(closeTab)
	limited, cancel := context.WithTimeout(tab, time.Minute)
	t.Cleanup(cancel)
	return limited
}

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

func js[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// goes runs a script that leaves the page, which may end before it can answer; where it leads is waited for.
func goes(ctx context.Context, expression string) {
	try, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	chromedp.Run(try, chromedp.Evaluate[any]("void setTimeout(function () { "+expression+" })")) //nolint:errcheck
}

// until asks again and again, over navigations: those end a question with an error, or freeze it together with its page.
func until[T any](t *testing.T, ctx context.Context, what string, question chromedp.Action[T], good func(T) bool) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last T
	var err error
	for limited.Err() == nil {
		try, stop := context.WithTimeout(limited, time.Second)
		last, err = chromedp.Run(try, question)
		stop()
		if err == nil && good(last) {
			return
		}
		<-tick.C
	}
	t.Fatalf("%s: never; last %v, %v", what, last, err)
}

func waitFor(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	until(t, ctx, expression, chromedp.Evaluate[bool]("!!("+expression+")"), func(ok bool) bool { return ok })
}

func waitAt(t *testing.T, ctx context.Context, path string) {
	t.Helper()
	until(t, ctx, "at "+path, chromedp.Location(), func(at string) bool { return strings.HasSuffix(at, path) })
}

func typed(t *testing.T, ctx context.Context, id, keys string) string {
	t.Helper()
	do(t, ctx, chromedp.SendKeys(chromedp.ID(id), keys))
	return js[string](t, ctx, `document.getElementById("`+id+`").value`)
}

func TestTheCardFormInABrowser(t *testing.T) {
	f := newFront(t)
	f.page("GET /pay/s1", cardPolicy, templates.Card(cardPage(t, "en")))
	// The server answers only when the page has pressed again.
	arrived, pressed := make(chan struct{}, 9), make(chan struct{})
	f.mux.HandleFunc("POST /pay/s1/card", func(w http.ResponseWriter, r *http.Request) {
		f.note(r)
		arrived <- struct{}{}
		select {
		case <-pressed:
		case <-r.Context().Done():
		}
		http.Redirect(w, r, "/next", http.StatusSeeOther)
	})
	f.mux.HandleFunc("/arrived", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-arrived:
		case <-r.Context().Done():
		}
	})
	f.mux.HandleFunc("/pressed", func(http.ResponseWriter, *http.Request) { close(pressed) })
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))

	t.Run("digits are grouped and the caret stays", func(t *testing.T) {
		if got := typed(t, ctx, "number", "4000019900020001"); got != "4000 0199 0002 0001" {
			t.Errorf("the number reads %q", got)
		}
		if got := js[string](t, ctx, `document.querySelector("#brands .on svg").getAttribute("aria-label")`); got != "Visa" {
			t.Errorf("the mark shown is %q", got)
		}
		caret := func(at int) {
			js[any](t, ctx, `(function () { var n = document.getElementById("number"); n.focus(); n.setSelectionRange(`+string(rune('0'+at))+`, `+string(rune('0'+at))+`) })()`)
		}
		caret(2)
		do(t, ctx, chromedp.KeyEvent("7"))
		if got := js[string](t, ctx, `document.getElementById("number").value + "|" + document.getElementById("number").selectionStart`); got != "4070 0019 9000 2000 1|3" {
			t.Errorf("after a digit in the middle: %q", got)
		}
		do(t, ctx, chromedp.KeyEvent("\b"))
		if got := js[string](t, ctx, `document.getElementById("number").value + "|" + document.getElementById("number").selectionStart`); got != "4000 0199 0002 0001|2" {
			t.Errorf("after taking it back: %q", got)
		}
	})
	t.Run("American Express is grouped as on the card", func(t *testing.T) {
		js[any](t, ctx, `document.getElementById("number").value = ""`)
		if got := typed(t, ctx, "number", "378282246310005"); got != "3782 822463 10005" {
			t.Errorf("the number reads %q", got)
		}
	})
	t.Run("the date gets its slash", func(t *testing.T) {
		for keys, want := range map[string]string{"829": "08/29", "1229": "12/29", "12/29": "12/29", "1/29": "01/29", "122029": "12/29", "12\b\b3": "01/3", "130": "01/30", "30-12\t": "12/30", "2030-12\t": "12/30"} {
			js[any](t, ctx, `(function () { var e = document.getElementById("expiry"); e.value = ""; e.dispatchEvent(new Event("input")) })()`)
			if got := typed(t, ctx, "expiry", keys); got != want {
				t.Errorf("%q becomes %q, want %q", keys, got, want)
			}
		}
	})
	t.Run("a slip is said beside the field at once", func(t *testing.T) {
		js[any](t, ctx, `document.getElementById("number").value = ""`)
		typed(t, ctx, "number", "4000019900020002\t")
		if got := js[string](t, ctx, `document.getElementById("number-error").textContent`); got != "Check the card number: there seems to be a mistake in it" {
			t.Errorf("beside the number stands %q", got)
		}
		typed(t, ctx, "number", "\b1")
		if got := js[string](t, ctx, `document.getElementById("number-error").textContent + document.getElementById("number").getAttribute("aria-invalid")`); got != "null" {
			t.Errorf("after it was put right: %q", got)
		}
	})
	t.Run("what is missing is said before anything is sent", func(t *testing.T) {
		js[any](t, ctx, `document.getElementById("expiry").value = ""`)
		typed(t, ctx, "expiry", "1299")
		do(t, ctx, chromedp.Click(chromedp.ID("pay")))
		if got := js[string](t, ctx, `document.activeElement.id + "|" + document.getElementById("errors").innerText.replace(/\n+/g, "|")`); got != "errors|Please check what you entered|Enter the CVC / CVV code|Enter the name as it is on the card" {
			t.Errorf("the summary reads %q", got)
		}
		if f.count("POST /pay/s1/card") != 0 {
			t.Error("the form was posted")
		}
	})
	t.Run("two presses post once, with the browser's data", func(t *testing.T) {
		typed(t, ctx, "cvc", "123")
		typed(t, ctx, "name", "a serik")
		// The second press is as by the Enter key, which no disabled button stops.
		js[any](t, ctx, `(function () {
			var pay = document.getElementById("pay")
			pay.focus()
			pay.click()
			fetch("/arrived").then(function () {
				sessionStorage.setItem("button", pay.textContent + " " + pay.getAttribute("aria-busy") + " " + (document.activeElement === pay))
				document.getElementById("card").requestSubmit()
				fetch("/pressed")
			})
		})()`)
		waitAt(t, ctx, "/next")
		if n := f.count("POST /pay/s1/card"); n != 1 {
			t.Fatalf("posted %d times", n)
		}
		if got := js[string](t, ctx, `sessionStorage.getItem("button")`); got != "One moment… true true" {
			t.Errorf("while the server works the button reads %q", got)
		}
		form := f.posted()[0]
		for name, want := range map[string]string{"csrf": "token-1", "number": "4000 0199 0002 0001", "expiry": "12/99", "cvc": "123", "browserJavascriptEnabled": "true", "browserJavaEnabled": "false"} {
			if got := form.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		for _, name := range []string{"browserLanguage", "browserColorDepth", "browserScreenHeight", "browserScreenWidth", "browserTZ"} {
			if form.Get(name) == "" {
				t.Errorf("%s is empty", name)
			}
		}
	})
	t.Run("Back shows no card data and asks the server again", func(t *testing.T) {
		before := f.count("GET /pay/s1")
		goes(ctx, `history.back()`)
		waitAt(t, ctx, "/pay/s1")
		waitFor(t, ctx, `document.getElementById("number") && document.getElementById("number").value + document.getElementById("cvc").value === "" && !document.getElementById("pay").hasAttribute("aria-busy")`)
		if f.count("GET /pay/s1") == before {
			t.Error("the page was shown from the browser's memory")
		}
	})
}

func TestFormsWithoutACardTellOfTheBrowserToo(t *testing.T) {
	f := newFront(t)
	f.page("GET /pay/s1", cardPolicy, templates.Start(templates.StartPage{Layout: cardPage(t, "en").Layout, Action: "/pay/s1/start", CSRF: "token-1", Hosted: true}))
	f.mux.HandleFunc("POST /pay/s1/start", func(w http.ResponseWriter, r *http.Request) {
		f.note(r)
		http.Redirect(w, r, "/next", http.StatusSeeOther)
	})
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	goes(ctx, `document.querySelector("form button").click()`)
	waitAt(t, ctx, "/next")
	form := f.posted()[0]
	if form.Get("browserJavascriptEnabled") != "true" || form.Get("browserJavaEnabled") != "false" {
		t.Errorf("posted %v", form)
	}
	for _, name := range []string{"browserLanguage", "browserColorDepth", "browserScreenHeight", "browserScreenWidth", "browserTZ"} {
		if form.Get(name) == "" {
			t.Errorf("%s is empty", name)
		}
	}
}

// bank is a server on another site: localhost against 127.0.0.1.
func bank(t *testing.T, answer func(f *front) string) (*front, string) {
	t.Helper()
	b := newFront(t)
	b.mux.HandleFunc("/acs", func(w http.ResponseWriter, r *http.Request) {
		b.note(r)
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, answer(b)) //nolint:errcheck
	})
	return b, strings.Replace(b.URL, "127.0.0.1", "localhost", 1) + "/acs"
}

func TestTheChallengePageAddsNoHistoryEntry(t *testing.T) {
	f := newFront(t)
	acs, address := bank(t, func(*front) string { return "<!doctype html><title>bank</title>" })
	f.page("/pay/s1", bankPolicy, templates.Challenge(templates.ChallengePage{
		Layout: layout(t, "en"), Action: address, AutoSubmit: true, Fields: []templates.Field{{Name: "creq", Value: "e30"}, {Name: "submit", Value: "x"}},
	}))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/start"))
	goes(ctx, `location.href = "/pay/s1"`)
	waitAt(t, ctx, "/acs")
	if got := acs.posted(); len(got) != 1 || got[0].Get("creq") != "e30" {
		t.Fatalf("the bank got %v", got)
	}
	goes(ctx, `history.back()`)
	waitAt(t, ctx, "/start")
	if n := f.count("GET /pay/s1"); n != 1 {
		t.Errorf("the challenge page was shown %d times", n)
	}
}

func TestTheMethodPageContinuesOnTheMessageOfItsOwnFrame(t *testing.T) {
	f := newFront(t)
	_, address := bank(t, func(*front) string {
		return `<!doctype html><form method=post action="` + f.URL + `/3ds/r/notify"><input name=threeDSMethodData value=e30></form><script>document.forms[0].submit()</script>`
	})
	method := templates.MethodPage{Layout: layout(t, "en"), Frames: []string{"/3ds/r/frame"}, ID: "r", EventsURL: "/gone", Next: "/next", Deadline: 3600}
	f.page("/pay/s1", livePolicy, templates.Method(method))
	f.page("/3ds/r/frame", bankPolicy, templates.MethodFrame(templates.MethodFramePage{T: method.T, Nonce: "nonce-1", Action: address}))
	f.page("/3ds/r/notify", bankPolicy, templates.MethodDone(templates.MethodDonePage{Nonce: "nonce-1", ID: "r", Origin: f.URL}))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	waitAt(t, ctx, "/next")
	if n := f.count("POST /3ds/r/notify"); n != 1 {
		t.Errorf("the notification came %d times", n)
	}
}

func TestTheMethodPageIgnoresMessagesOfOtherFrames(t *testing.T) {
	f := newFront(t)
	method := templates.MethodPage{Layout: layout(t, "en"), Frames: []string{"/3ds/r/frame"}, ID: "r", Next: "/next", Deadline: 3600}
	f.page("/pay/s1", livePolicy, templates.Method(method))
	// A page of ours in our frame, but of another run.
	f.page("/3ds/r/frame", bankPolicy, templates.MethodDone(templates.MethodDonePage{Nonce: "nonce-1", ID: "other", Origin: f.URL}))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	// The right words from the window itself; null and plain text, which sloppy listeners stumble over. The last message
	// comes back to the test when those before it have been heard.
	js[any](t, ctx, `(function () {
		addEventListener("message", function (e) { if (e.data === "last") document.title = "heard" })
		;[{tollgate: "method", id: "r"}, null, "method", "last"].forEach(function (m) { postMessage(m, "*") })
	})()`)
	waitFor(t, ctx, `document.title === "heard"`)
	if at := js[string](t, ctx, "location.pathname"); at != "/pay/s1" || f.count("GET /next") != 0 {
		t.Errorf("the page went to %s", at)
	}
}

func TestWaitingEndsWhenTheServerSaysThatSomethingChanged(t *testing.T) {
	f := newFront(t)
	changed := make(chan struct{})
	f.mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		select {
		case <-changed:
			io.WriteString(w, "event: change\ndata: 2\n\n") //nolint:errcheck
		case <-r.Context().Done():
		}
	})
	f.page("/pay/s1", livePolicy, templates.Wait(templates.WaitPage{Layout: layout(t, "en"), EventsURL: "/events", Next: "/next"}))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/start"), chromedp.Navigate(f.URL+"/pay/s1"))
	close(changed)
	waitAt(t, ctx, "/next")
	goes(ctx, `history.back()`)
	waitAt(t, ctx, "/start")
}

func TestTheWaitingPageReloadsWhereEventStreamsFail(t *testing.T) {
	f := newFront(t)
	p := templates.WaitPage{Layout: layout(t, "en"), EventsURL: "/no-events", Next: "/next"}
	p.Refresh = 1
	f.page("/pay/s1", livePolicy, templates.Wait(p))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	waitAt(t, ctx, "/next")
}

func TestTheResultPageGoesOnToTheShop(t *testing.T) {
	f := newFront(t)
	f.page("/pay/s1", livePolicy, templates.Result(templates.ResultPage{Layout: layout(t, "en"), Outcome: templates.OutcomePaid, ContinueURL: "/shop", Delay: 1}))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	waitAt(t, ctx, "/shop")
}

func TestAReturnInsideAFrameOpensTheWholeWindow(t *testing.T) {
	f := newFront(t)
	f.mux.HandleFunc("/shell", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<!doctype html><iframe src="/3ds/r/return"></iframe>`) //nolint:errcheck
	})
	f.page("/3ds/r/return", bankPolicy, templates.ReturnTop(templates.ReturnTopPage{T: texts(t, "en"), Nonce: "nonce-1", PayURL: "/next"}))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/shell"))
	waitAt(t, ctx, "/next")
}

func TestTheRedirectPageAddsNoHistoryEntry(t *testing.T) {
	f := newFront(t)
	_, address := bank(t, func(*front) string { return "<!doctype html><title>bank</title>" })
	f.page("/pay/s1", bankPolicy, templates.Leave(templates.LeavePage{Layout: layout(t, "en"), URL: address, Auto: true}))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/start"))
	goes(ctx, `location.href = "/pay/s1"`)
	waitAt(t, ctx, "/acs")
	goes(ctx, `history.back()`)
	waitAt(t, ctx, "/start")
}

func TestPagesThatWaitContinueWithoutTheLiveScript(t *testing.T) {
	wait := templates.WaitPage{Layout: layout(t, "en"), EventsURL: "/no-events", Next: "/next"}
	wait.Refresh = 1
	scan := templates.ScanPage{Layout: layout(t, "en"), EventsURL: "/no-events", Next: "/next"}
	scan.Refresh = 1
	for name, page := range map[string]templ.Component{
		"wait":   templates.Wait(wait),
		"scan":   templates.Scan(scan),
		"method": templates.Method(templates.MethodPage{Layout: layout(t, "en"), EventsURL: "/no-events", Next: "/next", Deadline: 2}),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t)
			f.page("/pay/s1", livePolicy, page)
			f.mux.Handle(static.URL("live.js"), http.NotFoundHandler())
			ctx := browser(t)
			do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
			waitAt(t, ctx, "/next")
		})
	}
}

// The lines in the page would reload it in the middle of what live.js waits for.
func TestTheLiveScriptStopsTheInlineFallback(t *testing.T) {
	f := newFront(t)
	p := templates.WaitPage{Layout: layout(t, "en"), EventsURL: "/events", Next: "/next"}
	p.Refresh = 1
	open := make(chan struct{})
	f.mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "event: here\ndata: 1\n\n") //nolint:errcheck
		w.(http.Flusher).Flush()
		close(open)
		<-r.Context().Done()
	})
	f.page("/pay/s1", livePolicy, templates.Wait(p))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	<-open
	// A timer that was set later, for longer, is over: so would that of the page be.
	over, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`new Promise(function (done) { setTimeout(function () { done(true) }, 3500) })`, chromedp.EvalAwaitPromise))
	if err != nil || !over || f.count("GET /next") != 0 {
		t.Error("the page was left")
	}
}

// A browser has six connections to a host for all its tabs. Pages that wait leave some of them free.
func TestEightTabsThatWaitLeaveRoomForTheNinth(t *testing.T) {
	f := newFront(t)
	f.mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "event: here\ndata: 1\n\n") //nolint:errcheck
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	f.page("/pay/s1", livePolicy, templates.Wait(templates.WaitPage{Layout: layout(t, "en"), EventsURL: "/events", Next: "/next"}))
	first := browser(t)
	do(t, first, chromedp.Navigate(f.URL+"/pay/s1"))
	for range 8 {
		ctx, closeTab := chromedp.NewContext(first)
		t.Cleanup(closeTab)
		do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
		waitFor(t, ctx, `document.readyState === "complete" && document.querySelector("h1")`)
	}
}

// Nobody is sent on against their will: the countdown can be stopped, and a page that is opened again stays.
func TestAResultThatIsStoppedOrOpenedAgainStays(t *testing.T) {
	f := newFront(t)
	f.page("/pay/s1", livePolicy, templates.Result(templates.ResultPage{Layout: layout(t, "en"), Outcome: templates.OutcomeCancelled, ContinueURL: "/shop", Delay: 3600}))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	waitFor(t, ctx, `!document.getElementById("stay").hidden`)
	do(t, ctx, chromedp.Click(chromedp.ID("stay")))
	if got := js[string](t, ctx, `document.getElementById("clock").textContent + "|" + document.getElementById("stay").hidden + "|" + document.activeElement.id`); got != "You stay on this page.|true|continue" {
		t.Errorf("after it was stopped: %q", got)
	}
	do(t, ctx, chromedp.Navigate(f.URL+"/start"), chromedp.Navigate(f.URL+"/pay/s1"))
	if got := js[bool](t, ctx, `document.getElementById("clock").hidden && document.getElementById("stay").hidden`); !got {
		t.Error("a page that is opened again counts down")
	}
}

// Every form says that it was sent, and keeps the focus where it is.
func TestEveryFormSaysThatItWasSentAndKeepsTheFocus(t *testing.T) {
	l := layout(t, "en")
	for name, page := range map[string]templ.Component{
		"phone":  templates.LoginPhone(templates.LoginPhonePage{Layout: l, Action: "/sent", CSRF: "t", Phone: "+77011234567"}),
		"code":   templates.LoginCode(templates.LoginCodePage{Layout: l, Action: "/sent", CSRF: "t", PhoneText: "+7"}),
		"saved":  templates.SavedCards(templates.SavedCardsPage{Layout: l, Action: "/sent", CSRF: "t", Cards: []templates.SavedCard{{ID: "1", Last4: "1234"}}}),
		"offer":  templates.SavedOffer(templates.SavedOfferPage{Layout: l, Action: "/sent", CSRF: "t", NewCard: "/new"}),
		"hosted": templates.Start(templates.StartPage{Layout: l, Action: "/sent", CSRF: "t", Hosted: true}),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t)
			f.page("/pay/s1", cardPolicy, page)
			ctx := browser(t)
			do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
			js[any](t, ctx, `(function () {
				var form = document.querySelector("form[action='/sent']"), b = form.querySelector("button")
				window.sends = 0
				form.addEventListener("submit", function (e) { if (!e.defaultPrevented) window.sends++; e.preventDefault() })
				b.focus()
				b.click()
				b.click()
			})()`)
			waitFor(t, ctx, `document.querySelector("form[action='/sent'] button").getAttribute("aria-busy") === "true"`)
			if got := js[string](t, ctx, `document.activeElement.textContent + "|" + document.activeElement.disabled + "|" + window.sends`); got != "One moment…|false|1" {
				t.Errorf("the focus is on %q", got)
			}
		})
	}
}

func TestTheCodeIsTypedWithoutAPress(t *testing.T) {
	f := newFront(t)
	f.page("/pay/s1", cardPolicy, templates.LoginCode(templates.LoginCodePage{Layout: layout(t, "en"), Action: "/code", CSRF: "t", PhoneText: "+7", AgainAction: "/again"}))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	waitFor(t, ctx, `document.activeElement.id === "code"`)
}

// A stream that falls silent is not waited for: the page looks again by itself.
func TestAStreamThatFallsSilentIsNotWaitedFor(t *testing.T) {
	f := newFront(t)
	f.mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "event: here\ndata: 1\n\n") //nolint:errcheck
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	f.page("/pay/s1", livePolicy, templates.Wait(templates.WaitPage{Layout: layout(t, "en"), EventsURL: "/events", Next: "/next"}))
	ctx := browser(t)
	// Ten seconds pass in one.
	do(t, ctx)
	if _, err := chromedp.Call(ctx, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{
		Source: `window.setTimeout = function (st) { return function (f, ms) { return st(f, ms / 10) } }(window.setTimeout)`,
	}); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	waitAt(t, ctx, "/next")
}

// In test mode one press fills in a card of the sandbox; a page that takes money has nothing of it.
func TestInTestModeOnePressFillsInATestCard(t *testing.T) {
	p := cardPage(t, "en")
	p.SandboxNotice = false
	if n := doc(t, templates.Card(p)).Find("#test, [data-test]").Length(); n > 0 {
		t.Error("a page that takes money helps with test cards")
	}
	p.SandboxNotice = true
	f := newFront(t)
	f.page("GET /pay/s1", cardPolicy, templates.Card(p))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	waitFor(t, ctx, `document.querySelectorAll("#test button").length === 3`)
	do(t, ctx, chromedp.Click(chromedp.CSS(".test summary")), chromedp.Click(chromedp.CSS(".test button")))
	want := "4000 0199 0005 0008|12/" + time.Now().AddDate(3, 0, 0).Format("06") + "|123|TEST SHOPPER|pay|false"
	if got := js[string](t, ctx, `["number", "expiry", "cvc", "name"].map(function (id) { return document.getElementById(id).value }).concat(document.activeElement.id, document.querySelector(".test").open).join("|")`); got != want {
		t.Errorf("the form reads %q, want %q", got, want)
	}
}

// The time of a code is counted where it is seen and not read out each second; the sentences beside it stay as they are.
func TestACodesTimeIsCountedAndAtItsEndThePageLooksAgain(t *testing.T) {
	f := newFront(t)
	l := layout(t, "en")
	l.Exit = &templates.Exit{ShopURL: "/shop", Until: time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC), Left: 25 * time.Minute}
	for path, left := range map[string]time.Duration{"/long": 14*time.Minute + 40*time.Second, "/short": time.Second} {
		f.page(path, livePolicy, templates.Scan(templates.ScanPage{Layout: l, Link: "https://qr.example/1", Next: "/next", EventsURL: "/events",
			Good: templates.Good{Until: time.Date(2026, 11, 27, 10, 14, 40, 0, time.UTC), Left: left}}))
	}
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/long"))
	waitFor(t, ctx, `/^The code is good for 14:[34]\d$/.test(document.querySelector("#clock[role=timer]").textContent.trim())`)
	if js[bool](t, ctx, `!!document.querySelector("#clock").closest("[aria-live], [role=status], [role=alert]")`) {
		t.Error("every second is read out")
	}
	if text := js[string](t, ctx, `document.querySelector("#exit p").textContent`); !strings.Contains(text, "cannot be stopped now") {
		t.Errorf("the way out says %q", text)
	}
	do(t, ctx, chromedp.Navigate(f.URL+"/short"))
	waitAt(t, ctx, "/next")
}

// A way that needs no card is chosen and paid with one press; no field of the card is asked for.
func TestAWayWithoutACardIsPaidWithOnePress(t *testing.T) {
	f := newFront(t)
	p := cardPage(t, "en")
	p.Action, p.Choice = "/start", templates.Choice{AskPhone: true, PhoneField: "sberpay_phone"}
	for _, way := range []string{"card", "qr", "sberpay"} {
		p.Choice.Ways = append(p.Choice.Ways, templates.Way{ID: way, Chosen: way == "card"})
	}
	f.page("/pay/s1", cardPolicy, templates.Card(p))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(f.URL+"/pay/s1"))
	const seen = `function seen(id) { return document.getElementById(id).offsetParent !== null } `
	if !js[bool](t, ctx, seen+`seen("number") && !seen("sberpay_phone")`) {
		t.Error("with a card chosen its fields are not seen, or the phone is")
	}
	do(t, ctx, chromedp.Click("label[for=way-sberpay]"))
	if !js[bool](t, ctx, seen+`!seen("number") && seen("sberpay_phone")`) {
		t.Error("with SberPay chosen its phone is not seen, or the card is")
	}
	do(t, ctx, chromedp.Click("label[for=way-qr]"), chromedp.Click("#pay"))
	waitAt(t, ctx, "/start")
	if posts := f.posted(); len(posts) != 1 || posts[0].Get("way") != "qr" {
		t.Errorf("posted: %v", posts)
	}
}

func TestWithoutScriptACodeSaysUntilWhenItIsGood(t *testing.T) {
	for lang, want := range map[string]string{"en": "until 10:14 UTC (14\u00a0min from now)", "ru": "до 10:14 UTC (ещё 14\u00a0мин)", "uz-Cyrl": "10:14 UTC"} {
		d := doc(t, templates.Scan(templates.ScanPage{Layout: layout(t, lang), Link: "https://qr.example/1", Next: "/next",
			Good: templates.Good{Until: time.Date(2026, 11, 27, 10, 14, 40, 0, time.UTC), Left: 14*time.Minute + 40*time.Second}}))
		if text := one(t, d, "#clock").Text(); !strings.Contains(text, want) {
			t.Errorf("%s: %q", lang, text)
		}
	}
	d := doc(t, templates.Scan(templates.ScanPage{Layout: layout(t, "en"), Link: "https://qr.example/1", PNG: []byte("png"), Next: "/next", Over: true}))
	if d.Find("img, a.button").Length() != 0 || !strings.Contains(d.Find("h1").Text(), "run out") {
		t.Errorf("a code that has run out is still shown: %s", d.Text())
	}
}
