package e2e_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// post is what a bank, a gateway or anybody else sends to one of the addresses that need no cookie.
type post struct {
	method      string // "" is POST
	to          string
	contentType string // "" is a form; "none" sends no header
	body        string
	dest        string // Sec-Fetch-Dest
}

// answer is what came back, redirects not followed.
type answer struct {
	status   int
	location string
	body     string
	header   http.Header
}

// deliver sends it as a browser does that comes from another site and has nothing with it: no cookie, Origin null.
func (w *world) deliver(t testing.TB, p post) answer {
	t.Helper()
	if p.method == "" {
		p.method = http.MethodPost
	}
	req, err := http.NewRequest(p.method, p.to, strings.NewReader(p.body))
	if err != nil {
		t.Fatal(err)
	}
	switch p.contentType {
	case "":
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	case "none":
	default:
		req.Header.Set("Content-Type", p.contentType)
	}
	req.Header.Set("Origin", "null")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	req.Header.Set("Accept-Language", "en")
	if p.dest != "" {
		req.Header.Set("Sec-Fetch-Dest", p.dest)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", p.method, p.to, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Header["Set-Cookie"]) != 0 {
		t.Errorf("%s %.60s sets a cookie", p.method, p.to)
	}
	if res.StatusCode >= 500 {
		t.Errorf("%s %.60s: %d", p.method, p.to, res.StatusCode)
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if m := insides.FindString(doc.Text()); m != "" {
		t.Errorf("%s %.60s says %q", p.method, p.to, m)
	}
	return answer{res.StatusCode, res.Header.Get("Location"), string(raw), res.Header}
}

// returning is a payment whose shopper stands before the bank's last page: what the bank will post is known, and not
// yet sent.
type returning struct {
	*walker
	made   sessionView
	notify string     // where the Method notification went; "" without a Method
	method url.Values // what it carried
	back   string     // where the bank's answer goes
	fields url.Values // what it carries
	hop    hop        // both, as the browser would send it
}

// token is the run's, from either address.
func (r returning) token() string {
	return strings.Split(strings.TrimPrefix(r.back, r.w.Front), "/")[2]
}

// toReturn walks a payment until the bank would send the shopper back.
func (w *world) toReturn(t testing.TB, account, number string) returning {
	t.Helper()
	b, made := w.visits(t, account, nil)
	r := returning{walker: b, made: made}
	b.pay(number, "123")
	until(t, 30*time.Second, "the way to the bank", func() bool {
		if b.kind() == methodPage {
			r.collectMethod()
			b.runFrames(true)
			b.frames.Wait()
		}
		if b.kind() == bankPage {
			return true
		}
		b.again()
		return false
	})
	b.toBank()
	if number == onBankPage {
		b.goTo(formOf(b.document, b.doc.Find("form").First(), "otp=1234"))
	}
	r.hop = formOf(b.document, b.doc.Find("form").Last(), "")
	r.back, r.fields = r.hop.to, r.hop.form
	if !strings.HasPrefix(r.back, w.Front+"/3ds/") || !strings.HasSuffix(r.back, "/return") {
		t.Fatalf("the bank sends the shopper to %s", r.back)
	}
	return r
}

// collectMethod reads from the Method frames what the bank will notify us of.
func (r *returning) collectMethod() {
	r.doc.Find("iframe[src]").Each(func(_ int, f *goquery.Selection) {
		src, err := r.url.Parse(f.AttrOr("src", ""))
		if err != nil || r.opened[src.String()] {
			return
		}
		d, err := r.send(hop{method: http.MethodGet, to: src.String(), from: r.url, frame: true})
		if err != nil {
			r.t.Fatal(err)
		}
		packed := d.doc.Find("input[name=threeDSMethodData]").AttrOr("value", "")
		raw, err := base64.RawURLEncoding.DecodeString(packed)
		if packed == "" || err != nil {
			return
		}
		var data struct {
			ID     string `json:"threeDSServerTransID"`
			Notify string `json:"threeDSMethodNotificationURL"`
		}
		if err := json.Unmarshal(raw, &data); err != nil {
			r.t.Fatal(err)
		}
		r.notify = data.Notify
		r.method = url.Values{"threeDSMethodData": {encoded(map[string]string{"threeDSServerTransID": data.ID})}}
	})
}

func encoded(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// changed is a base64 JSON message with members replaced.
func changed(t testing.TB, message string, members map[string]string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(message)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	for k, v := range members {
		m[k] = v
	}
	return encoded(m)
}

// finish lets the bank's true answer go, and the payment end.
func (r returning) finish(want ending) {
	r.t.Helper()
	r.goTo(r.hop)
	r.rest(visit{})
	r.sees(want.page, want.says)
	r.w.agrees(r.t, r.made, want)
}

// movedMoney counts the calls of a reference that can move money.
func (w *world) movedMoney(t testing.TB, reference string) int {
	n := 0
	for _, c := range w.calls(t, reference) {
		if slices.Contains([]string{"paymentorder.do", "continue.do", "finish3dsVer2Payment.do", "finish3dsPayment.do", "sale", "preauth",
			"upload-method-url-result", "upload-cres-result", "upload-pares-result"}, c.Call) {
			n++
		}
	}
	return n
}

// unchanged runs f and holds it to having changed nothing of the sessions: neither state, nor history, nor calls that
// could move money.
func (w *world) unchanged(t testing.TB, what string, f func(), sessions ...returning) {
	t.Helper()
	type state struct {
		api   string
		calls int
	}
	look := func() []state {
		var all []state
		for _, r := range sessions {
			all = append(all, state{w.snapshot(t, r.made.ID), w.movedMoney(t, r.made.OrderID+"-1")})
		}
		return all
	}
	before := look()
	f()
	for i, after := range look() {
		if after != before[i] {
			t.Errorf("%s changed something:\n%+v\n%+v", what, before[i], after)
		}
	}
}

// calledBack waits until the gateway's callback about a payment that has succeeded came and the inquiry was made that it asks
// for: a payment is looked at after every proved callback, also after its success. No other inquiry is out then either.
func (w *world) calledBack(t testing.TB, made sessionView) {
	t.Helper()
	until(t, 20*time.Second, "the gateway has called back", func() bool {
		return slices.ContainsFunc(w.calls(t, made.OrderID+"-1"), func(c gatewayCall) bool { return c.Call == "callback" })
	})
	db, err := sql.Open("sqlite", w.App.DatabaseFile())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	until(t, 20*time.Second, "what callbacks ask for is asked", func() bool {
		var left int
		if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM job WHERE kind = 'session.resume' AND key GLOB $1
			OR kind = 'session.inquire' AND (key GLOB $2 OR key GLOB $1 AND worker <> '')`, made.ID+"/*", made.ID+"/*/callback*").Scan(&left); err != nil {
			t.Fatal(err)
		}
		return left == 0
	})
}

var lastChecked = regexp.MustCompile(`,"last_checked":"[^"]*"`)

// backTo holds an answer of /3ds/{run}/return to the one address.
func (a answer) backTo(t testing.TB, made sessionView) {
	t.Helper()
	if a.status != http.StatusSeeOther || a.location != "/pay/"+made.ID {
		t.Errorf("answered %d %q, want 303 to the payment's address", a.status, a.location)
	}
}

// What banks, gateways and strangers send to the addresses that need no cookie.
func TestRepeatedForgedAndLateReturnsAndCallbacks(t *testing.T) {
	sharedWorld(t)
	alongside(t, []spec{
		{"the answer of one payment changes no other", theAnswerOfOnePaymentChangesNoOther},
		{"a PaRes of another payment changes nothing", aPaResOfAnotherPaymentChangesNothing},
		{"a PaRes without its MD is judged by the gateway", aPaResWithoutItsMDIsJudgedByTheGateway},
		{"nonsense at the return address does not harm the payment", nonsenseAtTheReturnAddressDoesNotHarmThePayment},
		{"nonsense at the notification address", nonsenseAtTheNotificationAddress},
		{"a hundred repetitions change nothing", aHundredRepetitionsChangeNothing},
		{"empty returns do not make us ask the gateway often", emptyReturnsDoNotMakeUsAskTheGatewayOften},
		{"unknown tokens are all answered alike", unknownTokensAreAllAnsweredAlike},
		{"a return inside a frame opens the whole window", aReturnInsideAFrameOpensTheWholeWindow},
		{"the gateway decides, not the browser", theGatewayDecidesNotTheBrowser},
		{"an earlier run's notification is not the second's", anEarlierRunsNotificationIsNotTheSecondRuns},
		{"forged callbacks change nothing and cost no gateway call", forgedCallbacksChangeNothingAndCostNoGatewayCall},
		{"a valid callback only makes us ask", aValidCallbackOnlyMakesUsAsk},
		{"callbacks that come twice, late or never", callbacksThatComeTwiceLateOrNever},
		{"the shopper who never comes back is paid all the same", theShopperWhoNeverComesBackIsPaidAllTheSame},
	}, func(s spec) string { return s.name }, func(t *testing.T, s spec) { s.test(t) })
}

func theAnswerOfOnePaymentChangesNoOther(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, bothGateways, itself, func(t *testing.T, account string) {
		a, b := w.toReturn(t, account, challenged), w.toReturn(t, account, challenged)
		ids := changed(t, a.fields.Get("cres"), map[string]string{"acsTransID": acsTransID(t, b.fields.Get("cres"))})
		w.unchanged(t, "another payment's answer", func() {
			for name, form := range map[string]url.Values{
				"CRes of B":                         b.fields,
				"CRes of B with A's session data":   {"cres": b.fields["cres"], "threeDSSessionData": a.fields["threeDSSessionData"]},
				"A's CRes with B's session data":    {"cres": a.fields["cres"], "threeDSSessionData": b.fields["threeDSSessionData"]},
				"A's CRes with B's acsTransID":      {"cres": {ids}},
				"A's CRes with B's session as MD":   {"cres": a.fields["cres"], "MD": b.fields["threeDSSessionData"]},
				"a CRes with an invented id":        {"cres": {changed(t, a.fields.Get("cres"), map[string]string{"threeDSServerTransID": "8a880dc0-d2d2-4067-bcb1-b08d1690b26e"})}},
				"an Erro of B":                      {"cres": {encoded(map[string]string{"messageType": "Erro", "errorCode": "402", "threeDSServerTransID": serverTransID(t, b.fields.Get("cres"))})}},
				"an Erro of B in the field erro":    {"erro": {encoded(map[string]string{"messageType": "Erro", "errorCode": "402", "threeDSServerTransID": serverTransID(t, b.fields.Get("cres"))})}},
				"CRes of B, the name in other case": {"CRes": b.fields["cres"]},
			} {
				for range 2 {
					got := w.deliver(t, post{to: a.back, body: form.Encode()})
					if got.backTo(t, a.made); t.Failed() {
						t.Fatal(name)
					}
				}
			}
			if a.notify != "" {
				got := w.deliver(t, post{to: a.notify, body: b.method.Encode()})
				if got.status != http.StatusOK {
					t.Errorf("a notification of another payment: %d", got.status)
				}
			}
		}, a, b)
		y := told(account, "2.2.0", "Y", "05")
		a.finish(paid(1, "Y", y))
		b.finish(paid(1, "Y", y))
	})
}

func aPaResOfAnotherPaymentChangesNothing(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, []string{"rbs-own", "payneteasy"}, itself, func(t *testing.T, account string) {
		a, b := w.toReturn(t, account, oldThreeDS), w.toReturn(t, account, oldThreeDS)
		w.unchanged(t, "another payment's MD", func() {
			w.deliver(t, post{to: a.back, body: b.fields.Encode()}).backTo(t, a.made)
			w.deliver(t, post{to: a.back, body: url.Values{"PaRes": a.fields["PaRes"], "MD": b.fields["MD"]}.Encode()}).backTo(t, a.made)
			w.deliver(t, post{to: b.back, body: a.fields.Encode()}).backTo(t, b.made)
		}, a, b)
		y := threeDS{"1.0.2", "Y", "05"}
		if account == "payneteasy" {
			y = threeDS{transStatus: "Y"}
		}
		a.finish(paid(1, "-", y))
		b.finish(paid(1, "-", y))
	})
}

// A PaRes of another payment without its MD is forwarded, and the gateway refuses it.
func aPaResWithoutItsMDIsJudgedByTheGateway(t *testing.T) {
	w := sharedWorld(t)
	a, b := w.toReturn(t, "rbs-own", oldThreeDS), w.toReturn(t, "rbs-own", oldThreeDS)
	w.deliver(t, post{to: a.back, body: url.Values{"PaRes": b.fields["PaRes"]}.Encode()}).backTo(t, a.made)
	until(t, 10*time.Second, "the gateway has refused it", func() bool { return w.movedMoney(t, a.made.OrderID+"-1") == 2 })
	if n := w.charges(t, a.made.OrderID) + w.charges(t, b.made.OrderID); n != 0 {
		t.Errorf("%d charges", n)
	}
	a.goTo(a.hop) // the true one comes after all
	a.rest(visit{})
	a.sees(resultPage, saysPaid)
	b.finish(paid(1, "-", threeDS{"1.0.2", "Y", "05"}))
	w.onceOnly(t, a.made)
}

func member(t testing.TB, message, name string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(message)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]string
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m[name]
}

func serverTransID(t testing.TB, cres string) string { return member(t, cres, "threeDSServerTransID") }
func acsTransID(t testing.TB, cres string) string    { return member(t, cres, "acsTransID") }

// nonsense is what may come to an address that is open to the world. known are fields of the true answer.
func nonsense(t testing.TB, to string) map[string]post {
	t.Helper()
	var multi bytes.Buffer
	m := multipart.NewWriter(&multi)
	if err := m.WriteField("cres", "%%%"); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return map[string]post{
		"nothing":               {to: to},
		"no content type":       {to: to, contentType: "none"},
		"text/plain":            {to: to, contentType: "text/plain", body: "hello"},
		"JSON":                  {to: to, contentType: "application/json", body: `{"cres":null}`},
		"broken multipart":      {to: to, contentType: "multipart/form-data", body: "--x"},
		"multipart":             {to: to, contentType: m.FormDataContentType(), body: multi.String()},
		"broken escapes":        {to: to, body: "cres=%zz&&;=;&MD=%"},
		"an empty cres":         {to: to, body: "cres="},
		"MD of 100 KB":          {to: to, body: "MD=" + strings.Repeat("M", 100<<10)},
		"cres of 300 KB":        {to: to, body: "cres=" + strings.Repeat("A", 300<<10)},
		"body over the cap":     {to: to, body: "cres=" + strings.Repeat("A", 600<<10)},
		"5000 fields":           {to: to, body: strings.Repeat("a=b&", 5000)},
		"NUL and bad UTF-8":     {to: to, body: "cres=%00%ff&MD=%00&x=%ff"},
		"GET without a query":   {method: "GET", to: to},
		"GET with a query":      {method: "GET", to: to + "?a=b"},
		"HEAD":                  {method: "HEAD", to: to},
		"PUT":                   {method: "PUT", to: to, body: "cres=x"},
		"OPTIONS":               {method: "OPTIONS", to: to},
		"Method data, not JSON": {to: to, body: "threeDSMethodData=AAAA"},
	}
}

// Nonsense before, between and after: no error page, no cookie, and the payment goes its way.
func nonsenseAtTheReturnAddressDoesNotHarmThePayment(t *testing.T) {
	w := sharedWorld(t)
	type row struct{ account, card, name string }
	var rows []row
	for name := range nonsense(t, "") {
		rows = append(rows, row{"rbs", challenged, name}, row{"payneteasy", challenged, name}, row{"rbs-own", oldThreeDS, name})
	}
	alongside(t, rows, func(r row) string { return r.account + ", " + r.name }, func(t *testing.T, row row) {
		r := w.toReturn(t, row.account, row.card)
		p := nonsense(t, r.back)[row.name]
		got := w.deliver(t, p)
		switch {
		case p.method == "HEAD" && got.status == http.StatusOK, p.method == "PUT" && got.status == http.StatusMethodNotAllowed,
			p.method == "OPTIONS" && got.status == http.StatusNoContent,
			len(p.body) > 512<<10 && got.status == http.StatusRequestEntityTooLarge:
		default:
			got.backTo(t, r.made)
		}
		if n := w.charges(t, r.made.OrderID); n != 0 && row.account != "rbs" {
			t.Errorf("%d charges for nonsense", n)
		}
		r.goTo(r.hop)
		r.rest(visit{})
		r.sees(resultPage, saysPaid)
		w.onceOnly(t, r.made)
		w.calledBack(t, r.made)
		w.unchanged(t, "nonsense after the end", func() { w.deliver(t, p) }, r)
	})
}

func nonsenseAtTheNotificationAddress(t *testing.T) {
	w := sharedWorld(t)
	r := w.toReturn(t, "rbs", challenged)
	w.unchanged(t, "nonsense after the Method", func() {
		for name, p := range nonsense(t, r.notify) {
			got := w.deliver(t, p)
			switch {
			case p.method == "PUT" || p.method == "OPTIONS":
			case len(p.body) > 512<<10 && got.status == http.StatusRequestEntityTooLarge:
			case got.status != http.StatusOK:
				t.Errorf("%s: %d", name, got.status)
			}
		}
	}, r)
	r.finish(paid(1, "Y", threeDS{"2.2.0", "Y", "05"}))
}

func aHundredRepetitionsChangeNothing(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, bothGateways, itself, func(t *testing.T, account string) {
		r := w.toReturn(t, account, challenged)
		w.unchanged(t, "a repeated notification", func() {
			for range 100 {
				if got := w.deliver(t, post{to: r.notify, body: r.method.Encode()}); got.status != http.StatusOK {
					t.Fatalf("answered %d", got.status)
				}
			}
		}, r)
		var all sync.WaitGroup
		for range 10 { // the first of them is the true one
			all.Go(func() {
				for range 10 {
					w.deliver(t, post{to: r.back, body: r.fields.Encode()}).backTo(t, r.made)
				}
			})
		}
		all.Wait()
		r.open(r.made.URL)
		r.rest(visit{})
		r.sees(resultPage, saysPaid)
		w.onceOnly(t, r.made)
		if n := w.movedMoney(t, r.made.OrderID+"-1"); n != 3 { // the card, the Method, the challenge
			t.Errorf("%d calls that can move money, want 3", n)
		}
		w.calledBack(t, r.made)
		calls := len(w.calls(t, r.made.OrderID+"-1"))
		w.unchanged(t, "a repetition after the end", func() {
			for range 100 {
				w.deliver(t, post{to: r.back, body: r.fields.Encode()}).backTo(t, r.made)
				w.deliver(t, post{to: r.notify, body: r.method.Encode()})
			}
		}, r)
		if n := len(w.calls(t, r.made.OrderID+"-1")) - calls; n != 0 {
			t.Errorf("200 repetitions after the end cost %d gateway calls", n)
		}
	})
}

// While a payment waits, whoever knows its address can make us ask the gateway, but no more often than we ask anyway.
func emptyReturnsDoNotMakeUsAskTheGatewayOften(t *testing.T) {
	w := sharedWorld(t)
	r := w.toReturn(t, "rbs", challenged)
	reference := r.made.OrderID + "-1"
	before, began := len(w.calls(t, reference)), time.Now()
	for range 100 {
		w.deliver(t, post{method: "GET", to: r.back}).backTo(t, r.made)
	}
	most := 3 + int(time.Since(began)/(3*time.Second)) // one at once, one that came while it ran, and the schedule's own
	if n := len(w.calls(t, reference)) - before; n > most {
		t.Errorf("100 empty returns cost %d gateway calls, want at most %d", n, most)
	}
	r.finish(paid(1, "Y", threeDS{"2.2.0", "Y", "05"}))
}

func unknownTokensAreAllAnsweredAlike(t *testing.T) {
	w := sharedWorld(t)
	r := w.toReturn(t, "rbs", challenged)
	tokens := []string{"x", "AAAAAAAAAAAAAAAAAAAAAAAAAAA", r.token()[:26] + "_", strings.Repeat("A", 4000), r.made.ID, "%00", "..%2f.."}
	bodies := map[string]bool{}
	for _, token := range tokens {
		for _, form := range []url.Values{r.fields, r.method, {}} {
			got := w.deliver(t, post{to: w.Front + "/3ds/" + token + "/return", body: form.Encode()})
			if got.status != http.StatusNotFound {
				t.Errorf("return to %.30s: %d", token, got.status)
			}
			bodies["return "+withoutChance(got.body)] = true
			got = w.deliver(t, post{to: w.Front + "/3ds/" + token + "/notify", body: form.Encode()})
			if got.status != http.StatusOK {
				t.Errorf("notification to %.30s: %d", token, got.status)
			}
			bodies["notify "+withoutChance(got.body)] = true
		}
	}
	if len(bodies) != 2 {
		t.Errorf("unknown tokens are told apart: %d different answers", len(bodies))
	}
	r.finish(paid(1, "Y", threeDS{"2.2.0", "Y", "05"}))
}

var byChance = regexp.MustCompile(`nonce="[^"]*"`)

// withoutChance takes out of a page what differs each time.
func withoutChance(body string) string { return byChance.ReplaceAllString(body, "") }

func aReturnInsideAFrameOpensTheWholeWindow(t *testing.T) {
	w := sharedWorld(t)
	r := w.toReturn(t, "payneteasy", challenged)
	got := w.deliver(t, post{to: r.back, body: r.fields.Encode(), dest: "iframe"})
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(got.body))
	if err != nil {
		t.Fatal(err)
	}
	link := doc.Find("a[target=_top]")
	if got.status != http.StatusOK || link.AttrOr("href", "") != "/pay/"+r.made.ID {
		t.Errorf("answered %d: %s", got.status, got.body)
	}
	if policy := got.header.Get("Content-Security-Policy"); strings.Contains(policy, "frame-ancestors") || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy of a page in the bank's frame is %q", policy)
	}
	r.open(w.Front + link.AttrOr("href", ""))
	r.rest(visit{})
	r.sees(resultPage, saysPaid)
	w.onceOnly(t, r.made)
}

// What the browser brings decides nothing: the gateway is asked.
func theGatewayDecidesNotTheBrowser(t *testing.T) {
	w := sharedWorld(t)
	type row struct {
		name, account, card string
		forge               func(t *testing.T, true url.Values) url.Values
		want                ending
	}
	alongside(t, []row{
		{"CRes says Y, the bank said N", "rbs", challengeLost, says("Y"), declined("authentication_failed", saysNotYou, 1, "Y")},
		{"CRes says Y, the bank said N", "payneteasy", challengeLost, says("Y"), declined("authentication_failed", saysNotYou, 1, "Y")},
		{"CRes says N, the bank said Y", "rbs", challenged, says("N"), paid(1, "Y", threeDS{"2.2.0", "Y", "05"})},
		{"CRes says N, the bank said Y", "payneteasy", challenged, says("N"), paid(1, "Y", threeDS{transStatus: "Y"})},
		{"CRes is garbage, the bank said Y", "rbs", challenged, func(*testing.T, url.Values) url.Values { return url.Values{"cres": {"%%% garbage {]"}} }, paid(1, "Y", threeDS{"2.2.0", "Y", "05"})},
		{"CRes is garbage, the bank said N", "rbs", challengeLost, func(*testing.T, url.Values) url.Values { return url.Values{"cres": {"%%% garbage {]"}} }, declined("authentication_failed", saysNotYou, 1, "Y")},
		{"an Erro, the bank said Y", "rbs", challenged, func(t *testing.T, v url.Values) url.Values {
			return url.Values{"erro": {encoded(map[string]string{"messageType": "Erro", "messageVersion": "2.2.0", "errorCode": "402", "errorComponent": "A",
				"threeDSServerTransID": serverTransID(t, v.Get("cres"))})}}
		}, paid(1, "Y", threeDS{"2.2.0", "Y", "05"})},
	}, func(c row) string { return c.account + ", " + c.name }, func(t *testing.T, c row) {
		r := w.toReturn(t, c.account, c.card)
		r.hop.form = c.forge(t, r.fields)
		r.finish(c.want)
	})
}

// says forges the transStatus of a CRes.
func says(transStatus string) func(*testing.T, url.Values) url.Values {
	return func(t *testing.T, v url.Values) url.Values {
		return url.Values{"cres": {changed(t, v.Get("cres"), map[string]string{"transStatus": transStatus})}, "threeDSSessionData": v["threeDSSessionData"]}
	}
}

// In the second run of a soft decline, what belongs to the first changes nothing.
func anEarlierRunsNotificationIsNotTheSecondRuns(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "rbs", nil)
	r := returning{walker: b, made: made}
	b.pay(softDeclined, "123")
	var first post
	until(t, 20*time.Second, "the second run's Method", func() bool {
		r.collectMethod()
		if first.to != "" && r.notify != "" && r.method.Encode() != first.body {
			return true
		}
		first = post{to: r.notify, body: r.method.Encode()}
		b.runFrames(true)
		b.frames.Wait()
		b.again()
		return false
	})
	w.unchanged(t, "the first run's notification", func() {
		for range 10 {
			w.deliver(t, first)
			w.deliver(t, post{to: r.notify, body: first.body})
			w.deliver(t, post{to: first.to})
		}
	}, r)
	b.rest(visit{})
	b.sees(resultPage, saysPaid)
	w.agrees(t, made, paid(2, "YY", threeDS{"2.2.0", "Y", "05"}))
}

// signed is a callback as the gateway signs it.
func (w *world) signed(account string, s sessionView, orderID, status string) url.Values {
	reference := s.Attempts[0].Reference
	if account == "payneteasy" {
		v := url.Values{"status": {status}, "orderid": {orderID}, "client_orderid": {reference}, "merchant_order": {reference}, "type": {"sale"}, "amount": {"12345.00"}}
		sum := sha1.Sum([]byte(status + orderID + reference + w.App.Credentials()["payneteasy"]["merchant_control"]))
		v.Set("control", hex.EncodeToString(sum[:]))
		return v
	}
	v := url.Values{"mdOrder": {orderID}, "orderNumber": {reference}, "operation": {"deposited"}, "status": {status}, "amount": {"1234500"}}
	text := ""
	for _, name := range []string{"amount", "mdOrder", "operation", "orderNumber", "status"} {
		text += name + ";" + v.Get(name) + ";"
	}
	m := hmac.New(sha256.New, []byte(w.App.Credentials()["rbs"]["callbackKey"]))
	m.Write([]byte(text))
	v.Set("checksum", strings.ToUpper(hex.EncodeToString(m.Sum(nil))))
	return v
}

func forgedCallbacksChangeNothingAndCostNoGatewayCall(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, bothGateways, itself, func(t *testing.T, account string) {
		r := w.toReturn(t, account, challenged)
		s := w.session(t, r.made.ID)
		reference := s.Attempts[0].Reference
		id := w.ledger(t, r.made.OrderID)[0].GatewayOrderID
		status := map[string]string{"rbs": "1", "payneteasy": "approved"}[account]
		good := w.signed(account, s, id, status)
		to := w.Front + "/callbacks/" + account
		calls := len(w.calls(t, reference))
		w.unchanged(t, "a forged callback", func() {
			for name, change := range map[string]func(url.Values){
				"no checksum":  func(v url.Values) { v.Del("checksum"); v.Del("control") },
				"an empty one": func(v url.Values) { v.Set("checksum", ""); v.Set("control", "") },
				"an invented one": func(v url.Values) {
					v.Set("checksum", strings.Repeat("A", 64))
					v.Set("control", strings.Repeat("a", 40))
				},
				"another status": func(v url.Values) { v.Set("status", "0") },
				"another order":  func(v url.Values) { v.Set("mdOrder", "x"); v.Set("orderid", "77") },
				"another reference": func(v url.Values) {
					v.Set("orderNumber", "x-1")
					v.Set("client_orderid", "x-1")
					v.Set("merchant_order", "x-1")
				},
				"a field twice": func(v url.Values) { v.Add("status", "x") },
			} {
				v := url.Values{}
				for k, vs := range good {
					v[k] = slices.Clone(vs)
				}
				change(v)
				for _, p := range []post{{method: "GET", to: to + "?" + v.Encode()}, {to: to, body: v.Encode()}, {to: to + "?" + v.Encode()}} {
					if got := w.deliver(t, p); got.status != http.StatusForbidden {
						t.Errorf("%s (%s): %d", name, p.method, got.status)
					}
				}
			}
			for name, p := range nonsense(t, to) {
				if got := w.deliver(t, p); got.status < 400 && p.method != "HEAD" && p.method != "OPTIONS" {
					t.Errorf("%s: %d", name, got.status)
				}
			}
			if got := w.deliver(t, post{method: "GET", to: w.Front + "/callbacks/nobody?" + good.Encode()}); got.status != http.StatusNotFound {
				t.Errorf("an unknown account: %d", got.status)
			}
		}, r)
		if n := len(w.calls(t, reference)) - calls; n > 0 {
			t.Errorf("forged callbacks cost %d gateway calls", n)
		}
		r.finish(paid(1, "Y", told(account, "2.2.0", "Y", "05")))
	})
}

// A valid callback is a hint: early, twice, late or of the other outcome, it only makes us ask.
func aValidCallbackOnlyMakesUsAsk(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, bothGateways, itself, func(t *testing.T, account string) {
		r := w.toReturn(t, account, challenged)
		s := w.session(t, r.made.ID)
		id := w.ledger(t, r.made.OrderID)[0].GatewayOrderID
		yes, no := "1", "0"
		if account == "payneteasy" {
			yes, no = "approved", "declined"
		}
		to := w.Front + "/callbacks/" + account
		send := func(status string) {
			t.Helper()
			if got := w.deliver(t, post{method: "GET", to: to + "?" + w.signed(account, s, id, status).Encode()}); got.status != http.StatusOK {
				t.Errorf("a valid callback: %d", got.status)
			}
		}
		reference := s.Attempts[0].Reference
		asked := func() int { return len(w.calls(t, reference)) }
		before := asked()
		send(yes) // early: nothing is paid
		until(t, 5*time.Second, "we have asked", func() bool { return asked() > before })
		if got := w.session(t, r.made.ID); got.Status != "action_required" {
			t.Errorf("an early callback made the session %s", got.Status)
		}
		send(no)
		r.finish(paid(1, "Y", told(account, "2.2.0", "Y", "05")))
		// A late one makes us look at the payment again: of what is told, the time of the look is all that changes.
		w.calledBack(t, r.made)
		told := func() string { return lastChecked.ReplaceAllString(w.snapshot(t, r.made.ID), "") }
		was, moved, began := told(), w.movedMoney(t, reference), time.Now()
		before = asked()
		for range 5 {
			send(yes)
			send(no)
		}
		w.calledBack(t, r.made)
		most := 2 + int(time.Since(began)/(3*time.Second)) // one at once, and one every three seconds
		if n := asked() - before; n < 1 || n > most {
			t.Errorf("ten late callbacks cost %d inquiries, want 1 to %d", n, most)
		}
		if now := told(); now != was || w.movedMoney(t, reference) != moved {
			t.Errorf("a late callback changed something:\n%s\n%s", was, now)
		}
		w.onceOnly(t, r.made)
	})
}

// The gateway's own callbacks, twice, late or dropped: one end, told once.
func callbacksThatComeTwiceLateOrNever(t *testing.T) {
	type row struct {
		account, do string
		callbacks   int
	}
	var rows []row
	for _, account := range bothGateways {
		rows = append(rows, row{account, "twice", 2}, row{account, "late", 1}, row{account, "drop", 0})
	}
	alongside(t, rows, func(r row) string { return r.account + ", " + r.do }, func(t *testing.T, r row) {
		w := start(t)
		f := map[string]any{"gateway": r.account, "call": "callback", "do": r.do, "times": -1}
		if r.callbacks > 0 {
			f["hold_ms"] = 1500
		}
		w.fault(t, f)
		b, made := w.visits(t, r.account, nil)
		b.pay(unchallenged, "123")
		b.rest(visit{})
		b.sees(resultPage, saysPaid)
		w.advance(t, time.Minute)
		until(t, 10*time.Second, "the callbacks came", func() bool {
			n := 0
			for _, c := range w.calls(t, made.OrderID+"-1") {
				if c.Call == "callback" {
					n++
				}
			}
			return n >= r.callbacks
		})
		b.open(made.URL)
		b.sees(resultPage, saysPaid)
		w.onceOnly(t, made)
	})
}

// The shopper closes the page once the bank has approved: the callback and our own inquiry finish the payment.
func theShopperWhoNeverComesBackIsPaidAllTheSame(t *testing.T) {
	w := start(t)
	b, made := w.visits(t, "rbs-gateway", nil) // the gateway finishes it; only the shopper's way back is missing
	b.pay(challenged, "123")
	until(t, 20*time.Second, "the way to the bank", func() bool {
		if b.kind() == bankPage {
			return true
		}
		b.runFrames(true)
		b.again()
		return false
	})
	b.toBank()
	r := formOf(b.document, b.doc.Find("form").Last(), "")
	d, err := b.once(r) // the bank's post to the gateway; its redirect to us is not followed
	if err != nil || d.status < 300 || d.status > 399 {
		t.Fatalf("the gateway does not send the shopper back: %v", err)
	}
	until(t, 10*time.Second, "paid", func() bool { return w.session(t, made.ID).Status == "paid" })
	b.open(made.URL)
	b.sees(resultPage, saysPaid)
	w.onceOnly(t, made)
}
