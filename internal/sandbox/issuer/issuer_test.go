package issuer

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tollgate/internal/sandbox/journal"
)

func luhn(pan string) bool {
	sum := 0
	for i := range pan {
		d := int(pan[len(pan)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func TestEveryTestCardPassesLuhnAndIsListedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Table() {
		if len(c.PAN) != 16 || !luhn(c.PAN) {
			t.Errorf("%s fails Luhn", c.PAN)
		}
		if seen[c.PAN] {
			t.Errorf("%s is listed twice", c.PAN)
		}
		seen[c.PAN] = true
		if c.Title == "" {
			t.Errorf("%s does not say what it does", c.PAN)
		}
		if got, ok := Find(c.PAN); !ok || got != c {
			t.Errorf("%s is not found", c.PAN)
		}
	}
	if len(seen) != 33+24 {
		t.Errorf("%d cards", len(seen))
	}
	if _, ok := Find("4000019900020002"); ok {
		t.Error("an unlisted number is taken")
	}
}

func TestACardDoesNotPrintItsNumber(t *testing.T) {
	c := card(t, "4000019900020720")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "card", c)
	raw, _ := json.Marshal(c)
	for _, text := range []string{log.String(), string(raw), c.String(), fmt.Sprintf("%v %+v %#v %s", c, c, c, c)} {
		if strings.Contains(text, c.PAN) {
			t.Errorf("the number is in %s", text)
		}
	}
}

func TestFrictionlessAnswers(t *testing.T) {
	b := newBank(t)
	for pan, want := range map[string]ARes{
		"4000019900020001": {TransStatus: "Y", ECI: "05"},
		"4000019900020100": {TransStatus: "N", TransStatusReason: "01", ECI: "07"},
		"4000019900020209": {TransStatus: "A", ECI: "06"},
		"4000019900020308": {TransStatus: "R", TransStatusReason: "11", ECI: "07"},
		"4000019900020407": {TransStatus: "I", ECI: "07"},
		"4000019900020506": {TransStatus: "U", TransStatusReason: "22", ECI: "07"},
		"4000019900020902": {TransStatus: "Y", ECI: "05"}, // soft: the bank says no later
		"4000000000001000": {TransStatus: "Y", ECI: "05"},
		"4000000000002313": {TransStatus: "U", TransStatusReason: "22", ECI: "07"},
		"4000000000001034": {TransStatus: "U", TransStatusReason: "06", ECI: "07"}, // 22 does not exist in 2.1
	} {
		a, got := b.begin(pan)
		if got.TransStatus != want.TransStatus || got.TransStatusReason != want.TransStatusReason || got.ECI != want.ECI || got.ACSURL != "" {
			t.Errorf("%s: %+v, want %+v", pan, got, want)
		}
		proof, err := base64.StdEncoding.DecodeString(got.AuthenticationValue)
		if proved := want.TransStatus == "Y" || want.TransStatus == "A"; err != nil || proved != (len(proof) == 20) {
			t.Errorf("%s: authentication value %q", pan, got.AuthenticationValue)
		}
		r := b.result(a)
		if !r.Done || r.TransStatus != want.TransStatus || r.AuthenticationValue != got.AuthenticationValue {
			t.Errorf("%s: result %+v", pan, r)
		}
	}
}

func TestTheDirectoryServerTimesOut(t *testing.T) {
	b := newBank(t)
	_, res := b.begin("4000019900020605")
	if diff := cmp.Diff(ARes{Timeout: true}, res); diff != "" {
		t.Error(diff)
	}
}

func TestARepeatedAReqGetsTheFirstAnswer(t *testing.T) {
	b := newBank(t)
	a, first := b.begin("4000019900020704")
	again, err := b.Authenticate(AReq{ServerTransID: a.ServerTransID, CompInd: "N", NotificationURL: "https://other.example/"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error(diff)
	}
}

func TestMalformedAReqIsRefused(t *testing.T) {
	b := newBank(t)
	for name, change := range map[string]func(*AReq){
		"comp ind":          func(a *AReq) { a.CompInd = "" },
		"notification":      func(a *AReq) { a.NotificationURL = "javascript:alert(1)" },
		"long notification": func(a *AReq) { a.NotificationURL += "/" + strings.Repeat("x", 256) },
		"window":            func(a *AReq) { a.WindowSize = "6" },
		"colour depth":      func(a *AReq) { a.Browser = map[string]string{"browserColorDepth": "30"} },
		"time zone":         func(a *AReq) { a.Browser = map[string]string{"browserTZ": "Asia/Almaty"} },
		"language":          func(a *AReq) { a.Browser = map[string]string{"browserLanguage": "zh-Hans-CN"} },
		"java":              func(a *AReq) { a.Browser = map[string]string{"browserJavaEnabled": "undefined"} },
	} {
		a, err := b.Begin(card(t, "4000019900020001"), false)
		if err != nil {
			t.Fatal(err)
		}
		q := AReq{ServerTransID: a.ServerTransID, CompInd: "Y", NotificationURL: "http://127.0.0.1/x", Browser: map[string]string{"browserTZ": "-300", "browserLanguage": "kk-KZ"}}
		change(&q)
		if _, err := b.Authenticate(q); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := b.Authenticate(AReq{ServerTransID: "unknown"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown transaction: %v", err)
	}
}

func methodData(b *bank, id string) url.Values {
	return url.Values{"threeDSMethodData": {encode(`{"threeDSServerTransID":"` + id + `","threeDSMethodNotificationURL":"` + b.shop.URL + `/notify/token"}`)}}
}

func TestTheMethodPageAnswersAsTheCardSays(t *testing.T) {
	for pan, want := range map[string]int{"4000019900020001": 1, "4000019900022007": 0, "4000019900023005": 1, "4000019900024003": 2, "4000019900025000": 1} {
		b := newBank(t, func(o *Options) { o.LateMethod = time.Millisecond })
		a, err := b.Begin(card(t, pan), false)
		if err != nil {
			t.Fatal(err)
		}
		if _, seen := b.MethodSeen(a.ServerTransID); seen {
			t.Error("seen before it was opened")
		}
		doc, res := b.browse(a.MethodURL, methodData(b, a.ServerTransID))
		if res.StatusCode != 200 {
			t.Fatalf("%s: %d", pan, res.StatusCode)
		}
		b.submit(doc)
		if at, seen := b.MethodSeen(a.ServerTransID); !seen || !at.Equal(b.clock()) {
			t.Errorf("%s: seen %v at %v", pan, seen, at)
		}
		got := b.arrivals()
		if len(got) != want {
			t.Errorf("%s: %d notifications, want %d", pan, len(got), want)
		}
		for _, g := range got {
			value := g.form.Get("threeDSMethodData")
			if pan == "4000019900025000" {
				if _, ok := decode64(value); ok {
					t.Errorf("garbage is readable: %q", value)
				}
				continue
			}
			if diff := cmp.Diff(map[string]string{"threeDSServerTransID": a.ServerTransID}, message(t, value)); diff != "" || g.path != "/notify/token" {
				t.Errorf("%s: %s %s", pan, g.path, diff)
			}
		}
	}
}

func TestALateMethodIsHeldTwelveSecondsAndNoLongerThanTheBrowserStays(t *testing.T) {
	b := newBank(t)
	if b.o.LateMethod != 12*time.Second {
		t.Errorf("held %v", b.o.LateMethod)
	}
	a, err := b.Begin(card(t, "4000019900023005"), false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, "POST", "/acs/method", strings.NewReader(methodData(b, a.ServerTransID).Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	b.Handler().ServeHTTP(w, r) // returns at once
	if w.Body.Len() != 0 {
		t.Errorf("answered a browser that is gone: %s", w.Body)
	}
}

func TestNoMethodURLForCardsWithoutOne(t *testing.T) {
	b := newBank(t)
	a, err := b.Begin(card(t, "4000019900021009"), false)
	if err != nil || a.MethodURL != "" {
		t.Errorf("method URL %q, %v", a.MethodURL, err)
	}
}

func TestTheMethodPageRefusesWhatItCannotAnswer(t *testing.T) {
	b := newBank(t)
	a, err := b.Begin(card(t, "4000019900020001"), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{
		"", "%%%", encode("[]"), encode(`{"threeDSServerTransID":"` + a.ServerTransID + `"}`),
		encode(`{"threeDSServerTransID":"x","threeDSMethodNotificationURL":"http://127.0.0.1/"}`),
		encode(`{"threeDSServerTransID":"` + a.ServerTransID + `","threeDSMethodNotificationURL":"javascript:alert(1)"}`),
	} {
		doc, res := b.browse(b.acs.URL+"/acs/method", url.Values{"threeDSMethodData": {data}})
		if res.StatusCode != 400 || doc.Find("form").Length() != 0 {
			t.Errorf("%q: %d, %d forms", data, res.StatusCode, doc.Find("form").Length())
		}
	}
}

func TestEachChallengeCardReturnsAsItSays(t *testing.T) {
	plain := regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	for name, c := range map[string]struct {
		pan    string
		want   Result
		cres   string // transStatus the browser brings; "" none
		copies int
		shape  *regexp.Regexp
	}{
		"pass":        {"4000019900020704", Result{TransStatus: "Y", ECI: "05", Done: true}, "Y", 1, plain},
		"fail":        {"4000019900020712", Result{TransStatus: "N", TransStatusReason: "01", ECI: "07", Done: true}, "N", 1, plain},
		"cancel":      {"4000019900020738", Result{TransStatus: "N", TransStatusReason: "01", ECI: "07", ChallengeCancel: "01", Done: true}, "N", 1, plain},
		"never":       {"4000019900020746", Result{}, "", 0, nil},
		"padded":      {"4000019900020761", Result{TransStatus: "Y", ECI: "05", Done: true}, "Y", 1, regexp.MustCompile(`^[A-Za-z0-9+/]+={1,2}$`)},
		"folded":      {"4000019900020779", Result{TransStatus: "Y", ECI: "05", Done: true}, "Y", 1, regexp.MustCompile(`^([A-Za-z0-9_-]{76}\r\n)+[A-Za-z0-9_-]{1,76}$`)},
		"twice":       {"4000019900020787", Result{TransStatus: "Y", ECI: "05", Done: true}, "Y", 2, plain},
		"get":         {"4000019900020795", Result{TransStatus: "Y", ECI: "05", Done: true}, "Y", 1, plain},
		"bank later":  {"4000019900060700", Result{TransStatus: "Y", ECI: "05", Done: true}, "Y", 1, plain},
		"unavailable": {"4000000000001117", Result{TransStatus: "U", TransStatusReason: "06", ECI: "07", Done: true}, "N", 1, plain},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBank(t)
			a, res := b.begin(c.pan)
			if res.TransStatus != "C" || res.ACSURL != b.acs.URL+"/acs/challenge" {
				t.Fatalf("%+v", res)
			}
			told := 0
			b.OnResult(func(id string, r Result) {
				told++
				if id != a.ServerTransID || len(b.arrivals()) != 0 {
					t.Errorf("told of %s with %d arrivals", id, len(b.arrivals()))
				}
			})
			doc, _ := b.browse(res.ACSURL, url.Values{"creq": {res.CReq}, "threeDSSessionData": {"c2Vzc2lvbi1fZGF0YQ"}})
			got := b.result(a)
			if proof := got.AuthenticationValue; (c.want.TransStatus == "Y") != (len(proof) == 28) {
				t.Errorf("authentication value %q", proof)
			}
			got.AuthenticationValue = ""
			if diff := cmp.Diff(c.want, got); diff != "" { // already, before the browser has moved
				t.Error(diff)
			}
			if want := map[bool]int{true: 1, false: 0}[c.want.Done]; told != want {
				t.Errorf("subscribers heard %d results, want %d", told, want)
			}
			b.submit(doc)
			arrived := b.arrivals()
			if len(arrived) != c.copies {
				t.Fatalf("%d arrivals, want %d", len(arrived), c.copies)
			}
			for _, g := range arrived {
				in := g.form
				if name == "get" {
					if in = g.query; g.method != "GET" {
						t.Errorf("method %s", g.method)
					}
				}
				if g.query.Get("keep") != "1" {
					t.Error("the notification URL lost its query")
				}
				if got := in.Get("threeDSSessionData"); got != "c2Vzc2lvbi1fZGF0YQ" {
					t.Errorf("threeDSSessionData %q", got)
				}
				value := in.Get("cres")
				if !c.shape.MatchString(value) {
					t.Errorf("shape of %q", value)
				}
				m := message(t, value)
				want := map[string]string{"messageType": "CRes", "messageVersion": a.Version, "threeDSServerTransID": a.ServerTransID, "acsTransID": a.ACSTransID, "transStatus": c.cres, "challengeCompletionInd": "Y"}
				if diff := cmp.Diff(want, m); diff != "" {
					t.Error(diff)
				}
				if err := b.CheckCRes(a.ServerTransID, value); err != nil {
					t.Error(err)
				}
				if err := b.CheckCRes(a.ServerTransID, value+"="); !errors.Is(err, ErrRefused) {
					t.Errorf("a changed CRes: %v", err)
				}
			}
		})
	}
}

func TestTheErroCardReturns402(t *testing.T) {
	b := newBank(t)
	a, res := b.begin("4000019900020753")
	doc, _ := b.browse(res.ACSURL, url.Values{"creq": {res.CReq}})
	if r := b.result(a); r.TransStatus != "U" || r.ChallengeCancel != "04" {
		t.Errorf("%+v", r)
	}
	b.submit(doc)
	got := b.arrivals()[0].form
	m := message(t, got.Get("erro"))
	if m["messageType"] != "Erro" || m["errorCode"] != "402" || m["errorComponent"] != "A" || m["threeDSServerTransID"] != a.ServerTransID || got.Has("cres") {
		t.Errorf("%v %v", m, got)
	}
	if got.Has("threeDSSessionData") {
		t.Error("threeDSSessionData came back although none was sent")
	}
}

func TestSessionDataComesBackOnlyIfItCameAndUnchanged(t *testing.T) {
	for _, sent := range [][]string{nil, {""}, {"{braces} & \"quotes\" +/="}} {
		b := newBank(t)
		_, res := b.begin("4000019900020704")
		in := url.Values{"creq": {res.CReq}}
		if sent != nil {
			in["threeDSSessionData"] = sent
		}
		doc, _ := b.browse(res.ACSURL, in)
		b.submit(doc)
		if diff := cmp.Diff(sent, b.arrivals()[0].form["threeDSSessionData"]); diff != "" {
			t.Error(diff)
		}
	}
}

func TestACReqIsTakenPaddedFoldedAndInTheStandardAlphabet(t *testing.T) {
	for _, enc := range []func(string) string{
		func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
		func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s + "\n")) },
		func(s string) string { v := encode(s); return v[:76] + "\r\n" + v[76:] },
	} {
		b := newBank(t)
		a, res := b.begin("4000019900020704")
		b.browse(res.ACSURL, url.Values{"creq": {enc(decode(t, res.CReq))}})
		if !b.result(a).Done {
			t.Errorf("refused: %s", enc(decode(t, res.CReq)))
		}
	}
}

func TestABadCReqIsAnsweredWithTheRightErro(t *testing.T) {
	for name, c := range map[string]struct {
		change func(string) string
		code   string
	}{
		"element missing": {func(s string) string { return strings.Replace(s, `,"challengeWindowSize":"03"`, "", 1) }, "201"},
		"type missing":    {func(s string) string { return strings.Replace(s, `"messageType":"CReq",`, "", 1) }, "201"},
		"server id missing": {func(s string) string {
			return regexp.MustCompile(`"threeDSServerTransID":"[^"]*",`).ReplaceAllString(s, "")
		}, "201"},
		"bad window size":      {func(s string) string { return strings.Replace(s, `"03"`, `"7"`, 1) }, "203"},
		"window size a number": {func(s string) string { return strings.Replace(s, `"03"`, `3`, 1) }, "203"},
		"id not a uuid": {func(s string) string {
			return regexp.MustCompile(`"threeDSServerTransID":"[^"]*"`).ReplaceAllString(s, `"threeDSServerTransID":"17"`)
		}, "203"},
		"wrong message":      {func(s string) string { return strings.Replace(s, `"CReq"`, `"CRes"`, 1) }, "101"},
		"version not known":  {func(s string) string { return strings.Replace(s, `"2.2.0"`, `"2.0.1"`, 1) }, "102"},
		"version of another": {func(s string) string { return strings.Replace(s, `"2.2.0"`, `"2.1.0"`, 1) }, "102"},
		"duplicate element":  {func(s string) string { return strings.Replace(s, "{", `{"messageType":"CReq",`, 1) }, "204"},
		"critical extension": {func(s string) string {
			return strings.Replace(s, "}", `,"messageExtension":[{"id":"x","criticalityIndicator":true}]}`, 1)
		}, "202"},
		"ids of two challenges": {func(s string) string {
			return regexp.MustCompile(`("threeDSServerTransID":")[0-9a-f]{8}`).ReplaceAllString(s, "${1}00000000")
		}, "301"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBank(t)
			a, res := b.begin("4000019900020720")
			bad := c.change(decode(t, res.CReq))
			doc, _ := b.browse(res.ACSURL, url.Values{"creq": {encode(bad)}, "threeDSSessionData": {"abc"}})
			b.submit(doc)
			got := b.arrivals()
			if len(got) != 1 {
				t.Fatalf("%d arrivals", len(got))
			}
			m := message(t, got[0].form.Get("erro"))
			if m["errorCode"] != c.code || m["messageType"] != "Erro" || m["errorMessageType"] != "CReq" || m["errorDetail"] == "" {
				t.Errorf("%v, want code %s", m, c.code)
			}
			if got[0].form.Get("threeDSSessionData") != "abc" {
				t.Error("threeDSSessionData lost")
			}
			if r := b.result(a); c.code != "301" && (!r.Done || r.TransStatus != "U" || r.ChallengeCancel != "06") {
				t.Errorf("result %+v", r)
			}
		})
	}
}

func TestACReqOfAnUnknownTransactionIsAnsweredOnThePage(t *testing.T) {
	b := newBank(t)
	for creq, code := range map[string]string{
		"%%%": "101", encode("[1]"): "101", encode("{}"): "201",
		encode(`{"messageType":"CReq","messageVersion":"2.2.0","threeDSServerTransID":"0b1c8a9e-0000-4000-8000-000000000001","acsTransID":"0b1c8a9e-0000-4000-8000-000000000002","challengeWindowSize":"05"}`): "301",
	} {
		doc, res := b.browse(b.acs.URL+"/acs/challenge", url.Values{"creq": {creq}})
		if res.StatusCode != 400 || doc.Find("form").Length() != 0 || !strings.Contains(doc.Find("pre").Text(), `"errorCode":"`+code+`"`) {
			t.Errorf("%q: %d %s", creq, res.StatusCode, doc.Text())
		}
	}
	if _, res := b.browse(b.acs.URL+"/acs/challenge", nil); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", res.StatusCode)
	}
}

func TestAnIdenticalCReqMayComeOnceMore(t *testing.T) {
	b := newBank(t)
	a, res := b.begin("4000019900020720")
	in := url.Values{"creq": {res.CReq}}
	for range 2 {
		if doc, _ := b.browse(res.ACSURL, in); doc.Find("input[name=otp]").Length() != 1 {
			t.Fatal("no challenge page")
		}
	}
	doc, _ := b.browse(res.ACSURL, in)
	b.submit(doc)
	if m := message(t, b.arrivals()[0].form.Get("erro")); m["errorCode"] != "103" {
		t.Errorf("third: %v", m)
	}
	other := strings.Replace(decode(t, res.CReq), `"03"`, `"05"`, 1)
	doc, _ = b.browse(res.ACSURL, url.Values{"creq": {encode(other)}})
	b.submit(doc)
	if m := message(t, b.arrivals()[1].form.Get("erro")); m["errorCode"] != "305" {
		t.Errorf("another one: %v", m)
	}
	if b.result(a).Done {
		t.Error("a refused repetition ended the challenge that runs")
	}
}

func TestARepeatedCReqAfterTheResultBringsTheSameCRes(t *testing.T) {
	b := newBank(t)
	_, res := b.begin("4000019900020704")
	for range 2 {
		doc, _ := b.browse(res.ACSURL, url.Values{"creq": {res.CReq}})
		b.submit(doc)
	}
	got := b.arrivals()
	if got[0].form.Get("cres") != got[1].form.Get("cres") {
		t.Error("two different CRes")
	}
}

func TestTheFirstCReqMustComeWithinThirtySeconds(t *testing.T) {
	b := newBank(t)
	inTime, res := b.begin("4000019900020704")
	b.pass(30 * time.Second)
	b.browse(res.ACSURL, url.Values{"creq": {res.CReq}})
	if r := b.result(inTime); r.TransStatus != "Y" {
		t.Errorf("after 30 s: %+v", r)
	}
	late, res := b.begin("4000019900020704")
	b.pass(30*time.Second + time.Millisecond)
	doc, _ := b.browse(res.ACSURL, url.Values{"creq": {res.CReq}})
	if r := b.result(late); r.TransStatus != "U" || r.ChallengeCancel != "05" || r.TransStatusReason != "14" {
		t.Errorf("after more: %+v", r)
	}
	b.submit(doc)
	if m := message(t, b.arrivals()[0].form.Get("erro")); m["errorCode"] != "402" {
		t.Errorf("the browser brings %v", m)
	}
}

func TestExpiredTransactionsAreReportedWithoutARequest(t *testing.T) {
	b := newBank(t)
	var heard []string
	b.OnResult(func(_ string, r Result) { heard = append(heard, r.TransStatus+r.ChallengeCancel) })
	b.begin("4000019900020704")
	_, res := b.begin("4000019900020746")
	b.browse(res.ACSURL, url.Values{"creq": {res.CReq}})
	b.begin("4000019900020803")
	b.Sweep()
	if heard != nil {
		t.Fatalf("too early: %v", heard)
	}
	b.pass(5 * time.Second)
	b.Sweep() // decoupled
	b.pass(26 * time.Second)
	b.Sweep() // first CReq
	b.pass(10 * time.Minute)
	b.Sweep() // interaction
	b.Sweep()
	if diff := cmp.Diff([]string{"Y", "U05", "U04"}, heard); diff != "" {
		t.Error(diff)
	}
}

func TestTheCardholderHasTenMinutesForEachStep(t *testing.T) {
	b := newBank(t)
	a, res := b.begin("4000019900020720")
	b.browse(res.ACSURL, url.Values{"creq": {res.CReq}})
	b.pass(9 * time.Minute)
	b.browse(b.acs.URL+"/acs/"+a.ACSTransID, url.Values{"otp": {"0000"}})
	b.pass(9 * time.Minute)
	if r := b.result(a); r.Done {
		t.Fatalf("ended early: %+v", r)
	}
	b.pass(time.Minute + time.Second)
	if r := b.result(a); r.TransStatus != "U" || r.ChallengeCancel != "04" {
		t.Errorf("%+v", r)
	}
	doc, _ := b.browse(b.acs.URL+"/acs/"+a.ACSTransID, url.Values{"otp": {"1234"}})
	b.submit(doc)
	if m := message(t, b.arrivals()[0].form.Get("erro")); m["errorCode"] != "402" {
		t.Errorf("a code after the end: %v", m)
	}
}

func TestTheManualPageTakesCodesAndButtons(t *testing.T) {
	for name, c := range map[string]struct {
		form   url.Values
		status string
		cancel string
		cres   string
		field  string
	}{
		"code 1234": {url.Values{"otp": {"1234"}}, "Y", "", "Y", "cres"},
		"code 2222": {url.Values{"otp": {" 2222 "}}, "A", "", "Y", "cres"},
		"code 3333": {url.Values{"otp": {"3333"}}, "N", "", "N", "cres"},
		"pass":      {url.Values{"outcome": {"pass"}}, "Y", "", "Y", "cres"},
		"attempt":   {url.Values{"outcome": {"attempt"}}, "A", "", "Y", "cres"},
		"fail":      {url.Values{"outcome": {"fail"}}, "N", "", "N", "cres"},
		"cancel":    {url.Values{"outcome": {"cancel"}}, "N", "01", "N", "cres"},
		"error":     {url.Values{"outcome": {"error"}}, "U", "04", "", "erro"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBank(t)
			a, res := b.begin("4000019900030729")
			doc, _ := b.browse(res.ACSURL, url.Values{"creq": {res.CReq}})
			if got := doc.Find("dd").Text(); !strings.Contains(got, "20.00\u00a0KZT") {
				t.Errorf("the page shows %q", got)
			}
			action := doc.Find("form").First().AttrOr("action", "")
			doc, _ = b.browse(b.acs.URL+action, c.form)
			if r := b.result(a); r.TransStatus != c.status || r.ChallengeCancel != c.cancel {
				t.Errorf("%+v", r)
			}
			b.submit(doc)
			m := message(t, b.arrivals()[0].form.Get(c.field))
			if m["transStatus"] != c.cres || m["messageVersion"] != "2.3.1" {
				t.Errorf("%v", m)
			}
		})
	}
}

func TestThreeWrongCodesEndTheChallenge(t *testing.T) {
	b := newBank(t)
	a, res := b.begin("4000019900020720")
	b.browse(res.ACSURL, url.Values{"creq": {res.CReq}})
	for n := range 2 {
		doc, _ := b.browse(b.acs.URL+"/acs/"+a.ACSTransID, url.Values{"otp": {"9999"}})
		if got := doc.Find("#otp-error").Text(); !strings.Contains(got, fmt.Sprint(2-n)) {
			t.Errorf("message %q", got)
		}
	}
	b.browse(b.acs.URL+"/acs/"+a.ACSTransID, url.Values{"otp": {"9999"}})
	if r := b.result(a); r.TransStatus != "N" || r.TransStatusReason != "19" {
		t.Errorf("%+v", r)
	}
}

func TestADecisionThroughTheAPIAdvancesTheWaitingPage(t *testing.T) {
	b := newBank(t)
	a, res := b.begin("4000019900020720")
	if code, body := press(b, a.ServerTransID, "pass"); code != 409 {
		t.Errorf("before the CReq: %d %s", code, body)
	}
	b.browse(res.ACSURL, url.Values{"creq": {res.CReq}})
	if code, body := press(b, a.ServerTransID, "dance"); code != 400 {
		t.Errorf("%d %s", code, body)
	}
	if code, body := press(b, a.ServerTransID, "pass"); code != 200 || !strings.Contains(body, `"done":true,"trans_status":"Y"`) {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := press(b, a.ACSTransID, "pass"); code != 200 {
		t.Errorf("the same again: %d", code)
	}
	if code, _ := press(b, a.ServerTransID, "fail"); code != 409 {
		t.Errorf("another decision: %d", code)
	}
	if code, _ := press(b, "0b1c8a9e-0000-4000-8000-000000000001", "pass"); code != 404 {
		t.Errorf("unknown: %d", code)
	}
	doc, _ := b.browse(b.acs.URL+"/acs/"+a.ACSTransID, nil) // where the page's script, or its link, goes
	b.submit(doc)
	if m := message(t, b.arrivals()[0].form.Get("cres")); m["transStatus"] != "Y" {
		t.Errorf("%v", m)
	}
}

func TestTheNeverButtonOfTheManualPageSendsNothingBack(t *testing.T) {
	b := newBank(t)
	a, res := b.begin("4000019900020720")
	b.browse(res.ACSURL, url.Values{"creq": {res.CReq}})
	doc, _ := b.browse(b.acs.URL+"/acs/"+a.ACSTransID, url.Values{"outcome": {"never"}})
	if doc.Find("form").Length() != 0 || b.result(a).Done {
		t.Error("something comes back")
	}
	b.pass(11 * time.Minute)
	if r := b.result(a); r.TransStatus != "U" || r.ChallengeCancel != "04" {
		t.Errorf("%+v", r)
	}
}

func TestADecoupledAuthenticationIsDecidedWithoutABrowser(t *testing.T) {
	b := newBank(t)
	a, res := b.begin("4000019900020803")
	if res.TransStatus != "D" || res.CardholderInfo == "" || b.result(a).Done {
		t.Errorf("%+v", res)
	}
	if code, _ := press(b, a.ServerTransID, "fail"); code != 200 {
		t.Errorf("press: %d", code)
	}
	if r := b.result(a); r.TransStatus != "N" {
		t.Errorf("%+v", r)
	}
}

func TestTheSecondRunOfASoftDeclineIsAChallenge(t *testing.T) {
	b := newBank(t)
	first, res := b.begin("4000019900020902")
	if res.TransStatus != "Y" {
		t.Fatalf("%+v", res)
	}
	second, res := b.run("4000019900020902", true)
	if res.TransStatus != "C" || second.ServerTransID == first.ServerTransID || second.MethodURL == "" {
		t.Errorf("%+v", res)
	}
	b.browse(res.ACSURL, url.Values{"creq": {res.CReq}})
	if r := b.result(second); r.TransStatus != "Y" {
		t.Errorf("%+v", r)
	}
}

func TestCardsWithout3DSStartNoAuthentication(t *testing.T) {
	b := newBank(t)
	for _, pan := range []string{"4000019900050008", "4000019900040702"} {
		if _, err := b.Begin(card(t, pan), false); !errors.Is(err, ErrNotEnrolled) {
			t.Errorf("%s: %v", pan, err)
		}
	}
}

func TestTheBanksPagesCanBeFramedAndPostAnywhere(t *testing.T) {
	b := newBank(t)
	_, res := b.begin("4000019900020704")
	_, page := b.browse(res.ACSURL, url.Values{"creq": {res.CReq}})
	csp := page.Header.Get("Content-Security-Policy")
	if page.Header.Get("X-Frame-Options") != "" || strings.Contains(csp, "frame-ancestors") || strings.Contains(csp, "form-action") || csp == "" {
		t.Errorf("policy %q", csp)
	}
	if page.Header.Get("Cache-Control") != "no-store" {
		t.Error("the page is cached")
	}
}

func TestAKillLosesNothingThatWasAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	b := newBank(t, func(o *Options) { o.Journal = j })
	waiting, res := b.begin("4000019900020720")
	b.browse(res.ACSURL, url.Values{"creq": {res.CReq}, "threeDSSessionData": {"abc"}})
	passed, res2 := b.begin("4000019900020704")
	b.browse(res2.ACSURL, url.Values{"creq": {res2.CReq}})
	xid := b.NewXID()
	_, paReq, err := b.PaReq(card(t, "4000019900040702"), Purchase{XID: xid, Amount: 1, Currency: "KZT", Exponent: 2})
	if err != nil {
		t.Fatal(err)
	}
	paRes := b.payer(paReq, "md")

	i := b.restarted(path)
	if r, err := i.Result(passed.ServerTransID); err != nil || r != b.result(passed) {
		t.Errorf("%+v, %v", r, err)
	}
	if got, err := i.CheckPaRes(paRes); err != nil || got.Status != "Y" {
		t.Errorf("PaRes after the restart: %+v, %v", got, err)
	}
	var heard int
	i.OnResult(func(string, Result) { heard++ })
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/acs/"+waiting.ACSTransID, strings.NewReader("otp=1234"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	i.Handler().ServeHTTP(w, r)
	if heard != 1 || !strings.Contains(w.Body.String(), `name="threeDSSessionData" value="abc"`) {
		t.Errorf("heard %d: %s", heard, w.Body)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Table() {
		if bytes.Contains(raw, []byte(c.PAN)) {
			t.Errorf("the journal holds the number %s", c.PAN)
		}
	}
}

func TestResetForgetsEveryTransaction(t *testing.T) {
	b := newBank(t)
	a, _ := b.begin("4000019900020704")
	_, paReq, err := b.PaReq(card(t, "4000019900040702"), Purchase{XID: b.NewXID(), Amount: 1, Currency: "KZT", Exponent: 2})
	if err != nil {
		t.Fatal(err)
	}
	paRes := b.payer(paReq, "md")
	if err := b.Reset(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Result(a.ServerTransID); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
	if _, err := b.CheckPaRes(paRes); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
}

// payer walks 3DS 1.0.2 with a card that decides by itself and returns the PaRes that the browser brings.
func (b *bank) payer(paReq, md string) string {
	b.t.Helper()
	doc, res := b.browse(b.acs.URL+"/acs/pareq", url.Values{"PaReq": {paReq}, "TermUrl": {b.shop.URL + "/term?x=1"}, "MD": {md}})
	if res.StatusCode != 200 {
		b.t.Fatalf("%d %s", res.StatusCode, doc.Text())
	}
	b.submit(doc)
	got := b.arrivals()[len(b.arrivals())-1]
	if got.path != "/term" || got.form.Get("MD") != md {
		b.t.Errorf("%s with MD %q", got.path, got.form.Get("MD"))
	}
	return got.form.Get("PaRes")
}

func inflate(t *testing.T, value string) string {
	t.Helper()
	raw, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPaReqSaysWhatIsBought(t *testing.T) {
	b := newBank(t)
	xid := b.NewXID()
	address, paReq, err := b.PaReq(card(t, "4000019900040702"), Purchase{XID: xid, MerchantName: "Tea & <Sweets> of a very long name", Amount: 2000, Currency: "398", Exponent: 2})
	if err != nil || address != b.acs.URL+"/acs/pareq" {
		t.Fatal(address, err)
	}
	var doc struct {
		PAReq struct {
			Version  string `xml:"version"`
			Name     string `xml:"Merchant>name"`
			Purchase struct {
				XID      string `xml:"xid"`
				Date     string `xml:"date"`
				Amount   string `xml:"amount"`
				Minor    string `xml:"purchAmount"`
				Currency string `xml:"currency"`
				Exponent string `xml:"exponent"`
			}
			Acct string `xml:"CH>acctID"`
		} `xml:"Message>PAReq"`
	}
	if err := xml.Unmarshal([]byte(inflate(t, paReq)), &doc); err != nil {
		t.Fatal(err)
	}
	p := doc.PAReq.Purchase
	if doc.PAReq.Version != "1.0.2" || doc.PAReq.Name != "Tea & <Sweets> of a very " || p.XID != xid || p.Date != "20261121 12:00:00" || p.Amount != "KZT 20.00" || p.Minor != "2000" || p.Currency != "398" || p.Exponent != "2" || len(doc.PAReq.Acct) > 28 {
		t.Errorf("%+v", doc.PAReq)
	}
	_, again, err := b.PaReq(card(t, "4000019900040702"), Purchase{XID: xid, MerchantName: "Tea & <Sweets> of a very long name", Amount: 2000, Currency: "398", Exponent: 2})
	if err != nil || again != paReq {
		t.Errorf("the same purchase again: %v", err)
	}
	if _, _, err := b.PaReq(card(t, "4000019900040702"), Purchase{XID: xid, Amount: 1, Currency: "398", Exponent: 2}); !errors.Is(err, ErrRefused) {
		t.Errorf("another purchase with the same xid: %v", err)
	}
}

func TestPaResOfEachCard(t *testing.T) {
	b := newBank(t)
	for pan, c := range map[string]struct{ status, eci, pan string }{
		"4000019900040702": {"Y", "05", "0000000000000702"},
		"4000019900040710": {"N", "", "0000000000000000"},
		"4000019900020704": {"Y", "05", "0000000000000704"}, // a challenge card at a gateway without EMV 3DS
		"4000019900020712": {"N", "", "0000000000000000"},
	} {
		xid := b.NewXID()
		_, paReq, err := b.PaReq(card(t, pan), Purchase{XID: xid, Amount: 100, Currency: "RUB", Exponent: 2})
		if err != nil {
			t.Fatal(err)
		}
		paRes := b.payer(paReq, "order-1")
		got, err := b.CheckPaRes(paRes)
		if err != nil || got.XID != xid || got.Status != c.status || got.ECI != c.eci || (len(got.CAVV) == 28) != (c.status == "Y") {
			t.Errorf("%s: %+v, %v", pan, got, err)
		}
		var doc struct {
			PARes struct {
				ID     string `xml:"id,attr"`
				Minor  string `xml:"Purchase>purchAmount"`
				PAN    string `xml:"pan"`
				Status string `xml:"TX>status"`
				CAVV   string `xml:"TX>cavv"`
			} `xml:"Message>PARes"`
			Signature string `xml:"Message>Signature>SignatureValue"`
		}
		if err := xml.Unmarshal([]byte(inflate(t, paRes)), &doc); err != nil {
			t.Fatal(err)
		}
		if doc.PARes.PAN != c.pan || doc.PARes.Status != c.status || doc.PARes.CAVV != got.CAVV || doc.PARes.Minor != "100" || doc.Signature == "" {
			t.Errorf("%s: %+v", pan, doc)
		}
	}
	if _, _, err := b.PaReq(card(t, "4000019900050008"), Purchase{XID: b.NewXID(), Amount: 1, Currency: "RUB", Exponent: 2}); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("not enrolled: %v", err)
	}
}

func TestAPaResAlteredByOneByteIsRefused(t *testing.T) {
	b := newBank(t)
	_, paReq, err := b.PaReq(card(t, "4000019900040710"), Purchase{XID: b.NewXID(), Amount: 100, Currency: "RUB", Exponent: 2})
	if err != nil {
		t.Fatal(err)
	}
	paRes := b.payer(paReq, "")
	for n := range len(paRes) {
		for _, c := range []byte("AQgw/=\n") {
			if paRes[n] == c {
				continue
			}
			changed := paRes[:n] + string(c) + paRes[n+1:]
			if got, err := b.CheckPaRes(changed); !errors.Is(err, ErrRefused) {
				t.Fatalf("byte %d as %q: %+v, %v", n, c, got, err)
			}
		}
	}
	// The same, with the XML changed and packed again.
	text := inflate(t, paRes)
	for name, forged := range map[string]string{
		"status":      strings.Replace(text, "<status>N", "<status>Y", 1),
		"amount":      strings.Replace(text, "<purchAmount>100", "<purchAmount>101", 1),
		"white space": strings.Replace(text, "</Message>", "</Message> ", 1),
		"signature":   regexp.MustCompile(`<SignatureValue>[^<]*`).ReplaceAllString(text, "<SignatureValue>"),
		"unchanged":   text + "",
	} {
		packed, err := pack(forged)
		if err != nil {
			t.Fatal(err)
		}
		if name == "unchanged" {
			packed = strings.TrimRight(packed, "=") // the same XML, encoded otherwise
			if packed == paRes {
				packed += "\n"
			}
		}
		if _, err := b.CheckPaRes(packed); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.CheckPaRes(paRes); err != nil {
		t.Errorf("the true one: %v", err)
	}
}

func TestThe3DS1PageReturnsThePaResOfTheChosenOutcome(t *testing.T) {
	for outcome, status := range map[string]string{"pass": "Y", "attempt": "A", "fail": "N", "unable": "U"} {
		b := newBank(t)
		_, paReq, err := b.PaReq(card(t, "4000019900040728"), Purchase{XID: b.NewXID(), MerchantName: "Tea", Amount: 1500, Currency: "JPY", Exponent: 0})
		if err != nil {
			t.Fatal(err)
		}
		md := "md;with\"everything\"&" + strings.Repeat("x", 4000)
		in := url.Values{"PaReq": {paReq[:76] + "\r\n" + paReq[76:]}, "TermUrl": {b.shop.URL + "/term"}, "MD": {md}}
		doc, _ := b.browse(b.acs.URL+"/acs/pareq", in)
		if got := doc.Find("dl").Text(); !strings.Contains(got, "1\u00a0500\u00a0JPY") || !strings.Contains(got, "Tea") || !strings.Contains(got, "0728") {
			t.Errorf("the page shows %q", got)
		}
		action := b.acs.URL + doc.Find("form").First().AttrOr("action", "")
		doc, _ = b.browse(action, url.Values{"outcome": {outcome}})
		b.submit(doc)
		doc, _ = b.browse(action, url.Values{"otp": {"1234"}}) // too late to change it
		b.submit(doc)
		got := b.arrivals()
		if got[0].form.Get("PaRes") != got[1].form.Get("PaRes") || got[0].form.Get("MD") != md {
			t.Errorf("%s: the answer changed, or MD did", outcome)
		}
		if r, err := b.CheckPaRes(got[0].form.Get("PaRes")); err != nil || r.Status != status {
			t.Errorf("%s: %+v, %v", outcome, r, err)
		}
	}
}

func TestTheLegacyACSNeedsItsThreeFields(t *testing.T) {
	b := newBank(t)
	_, paReq, err := b.PaReq(card(t, "4000019900040702"), Purchase{XID: b.NewXID(), Amount: 1, Currency: "RUB", Exponent: 2})
	if err != nil {
		t.Fatal(err)
	}
	full := url.Values{"PaReq": {paReq}, "TermUrl": {b.shop.URL}, "MD": {""}}
	for name, change := range map[string]func(url.Values){
		"TermUrl":       func(v url.Values) { v.Del("TermUrl") },
		"MD":            func(v url.Values) { v.Del("MD") },
		"PaReq":         func(v url.Values) { v.Del("PaReq") },
		"lower case":    func(v url.Values) { v["termurl"] = v["TermUrl"]; v.Del("TermUrl") },
		"evil TermUrl":  func(v url.Values) { v.Set("TermUrl", "javascript:alert(1)") },
		"foreign PaReq": func(v url.Values) { v.Set("PaReq", paReq[:40]+"A"+paReq[41:]) },
	} {
		v := url.Values{}
		for k, vs := range full {
			v[k] = vs
		}
		change(v)
		doc, res := b.browse(b.acs.URL+"/acs/pareq", v)
		if res.StatusCode != 400 || doc.Find("form").Length() != 0 {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	if b.submit(firstPage(b, full)); len(b.arrivals()) != 1 {
		t.Error("an empty MD is refused")
	}
}

func TestAnOversizedPaReqIsNotInflated(t *testing.T) {
	bomb, err := pack(strings.Repeat("<", 16<<20))
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := unpack(bomb); len(text) > 1<<16 {
		t.Errorf("%d bytes", len(text))
	}
}
