package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tollgate/internal/app"
	"tollgate/internal/config"
)

// shopPage is a page of a shop's, on another site than the front's, that shows a payment page by embed.js.
func shopPage(t *testing.T) (origin string, show func(front, url string)) {
	t.Helper()
	var body string
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		io.WriteString(rw, body) //nolint:errcheck
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "localhost", 1), func(front, url string) {
		body = fmt.Sprintf(`<!doctype html><title>shop</title><div id="here"></div><script src="%s/embed.js"></script><script>
			var told = {height: 0, ended: 0, foreign: 0}
			Tollgate.mount(document.getElementById("here"), "%s", {height: function (h) { told.height = h }, ended: function () { told.ended++ }})
			</script>`, front, url)
	}
}

func TestAPaymentPageInAFrameOfTheShops(t *testing.T) {
	t.Parallel()
	origin, show := shopPage(t)
	stranger, showThere := shopPage(t)
	w := start(t, func(o *app.Options) {
		o.Tune = func(c *config.Config) { c.Merchants[0].ReturnOrigins = []string{origin, "http://localhost:1"} }
	})
	made := w.create(t, "rbs", map[string]any{"embed_origin": origin, "success_url": origin + "/thanks", "cancel_url": origin + "/basket"})
	b := open(t, w)
	b.mu.Lock()
	b.foreign = []string{origin, stranger}
	b.mu.Unlock()

	show(w.Front, made.URL)
	b.do(chromedp.Navigate(origin))
	until(t, 20*time.Second, "the height of the page in the frame", func() bool { return ask[float64](b, "told.height") > 300 })
	if ask[int](b, "told.ended") != 0 {
		t.Error("an open payment is said to have ended")
	}
	if href := ask[string](b, `document.querySelector("#here a").href + " " + document.querySelector("#here a").target`); href != made.URL+" _top" {
		t.Errorf("the way to the whole page is %s", href)
	}

	payer := newWalker(t, w)
	payer.embedder = origin
	payer.open(made.URL)
	payer.id, payer.order = made.ID, made.OrderID
	payer.pay(noThreeDS, "123")
	payer.rest(visit{})
	b.do(chromedp.Navigate(origin))
	until(t, 20*time.Second, "the end", func() bool { return ask[int](b, "told.ended") == 1 })

	// A page of another origin is shown nothing, and told nothing.
	showThere(w.Front, made.URL)
	b.do(chromedp.Navigate(stranger))
	until(t, 20*time.Second, "the refusal", func() bool { return len(b.troubles()) > 0 })
	b.forgive("frame-ancestors")
	b.forgive("Framing")
	if ask[float64](b, "told.height") != 0 || ask[int](b, "told.ended") != 0 {
		t.Error("another site is told of the payment")
	}
	b.forgive("chrome-error")
}

// The bank is asked in the whole window: until then the challenge is not begun.
func TestAChallengeInAFrameGoesToTheWholeWindow(t *testing.T) {
	t.Parallel()
	const origin = "http://localhost:1"
	for _, allowed := range []bool{false, true} {
		w := start(t, func(o *app.Options) {
			o.Tune = func(c *config.Config) {
				c.Merchants[0].ReturnOrigins = []string{origin}
				rbs := c.Accounts["rbs"]
				rbs.Framed = allowed
				c.Accounts["rbs"] = rbs
			}
		})
		s := w.create(t, "rbs", map[string]any{"embed_origin": origin, "success_url": origin + "/a", "cancel_url": origin + "/b"})
		payer := newWalker(t, w)
		payer.embedder = origin
		payer.open(s.URL)
		payer.id, payer.order = s.ID, s.OrderID
		payer.goTo(payer.fill(cardByHand, "123"))
		w.sandbox(t, "POST", "/clock/advance", map[string]any{"seconds": 12}, nil) // the Method is not answered
		page := ""
		until(t, 20*time.Second, "the challenge", func() bool {
			req, err := http.NewRequest(http.MethodGet, s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Sec-Fetch-Dest", "iframe")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(res.Body)
			res.Body.Close()
			page = string(raw)
			return err == nil && !strings.Contains(page, `class="unseen"`) && !strings.Contains(page, `class="spinner"`)
		})
		top, bank := strings.Contains(page, `target="_top"`), strings.Contains(page, `id="bank"`)
		if top == allowed || bank != allowed {
			t.Errorf("frames allowed %v: leads out %v, to the bank %v", allowed, top, bank)
		}
	}
}
