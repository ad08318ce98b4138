package faults

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const jsonAnswer = `{"errorCode":"0","orderStatus":2,"inner":{"amount":100}}`

// rig is a gateway behind a script, on a real socket.
type rig struct {
	*Script
	url   string
	calls atomic.Int64 // that the simulator saw
}

func newRig(t *testing.T, answer string) *rig {
	t.Helper()
	r := &rig{Script: New(time.Now)}
	gateway := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.calls.Add(1)
		body, _ := io.ReadAll(req.Body)
		SetReference(req, "order-"+string(body))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	})
	srv := httptest.NewServer(r.Wrap("rbs", gateway))
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

func (r *rig) add(t *testing.T, f Fault) {
	t.Helper()
	if err := r.Add(f); err != nil {
		t.Fatal(err)
	}
}

// post returns status and body; status 0 means that the answer did not arrive whole.
func (r *rig) post(t *testing.T, path string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+path, strings.NewReader("1"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, string(body)
	}
	return res.StatusCode, string(body)
}

func TestEachFaultDoesWhatItSays(t *testing.T) {
	for name, c := range map[string]struct {
		fault  Fault
		seen   int64 // calls that reached the simulator
		status int
		body   string
	}{
		"close before":   {Fault{Do: "close"}, 0, 0, ""},
		"close after":    {Fault{Do: "close", When: "after"}, 1, 0, ""},
		"cut":            {Fault{Do: "cut"}, 1, 0, jsonAnswer[:len(jsonAnswer)/2]},
		"hang before":    {Fault{Do: "hang", HoldMS: 1}, 0, 0, ""},
		"hang after":     {Fault{Do: "hang", HoldMS: 1, When: "after"}, 1, 0, ""},
		"slow":           {Fault{Do: "slow", HoldMS: 1}, 1, 200, jsonAnswer},
		"slow before":    {Fault{Do: "slow", HoldMS: 1, When: "before"}, 1, 200, jsonAnswer},
		"status before":  {Fault{Do: "status", Status: 502, Body: "<html>", ContentType: "text/html"}, 0, 502, "<html>"},
		"status after":   {Fault{Do: "status", Status: 500, When: "after"}, 1, 500, ""},
		"body":           {Fault{Do: "body", Body: "{"}, 0, 200, "{"},
		"set":            {Fault{Do: "set", Set: map[string]string{"orderStatus": "6", "errorCode": "5", "inner.amount": "1", "extra": "x"}}, 1, 200, `{"errorCode":"5","extra":"x","inner":{"amount":1},"orderStatus":6}`},
		"set removes":    {Fault{Do: "set", Set: map[string]string{"inner": "", "errorCode": ""}}, 1, 200, `{"orderStatus":2}`},
		"header":         {Fault{Do: "header", Set: map[string]string{"Content-Type": "text/plain"}}, 1, 200, jsonAnswer},
		"other gateway":  {Fault{Do: "close", Gateway: "payneteasy"}, 1, 200, jsonAnswer},
		"other call":     {Fault{Do: "close", Call: "refund.do"}, 1, 200, jsonAnswer},
		"this call":      {Fault{Do: "close", Gateway: "rbs", Call: "paymentorder.do"}, 0, 0, ""},
		"callback fault": {Fault{Do: "drop", Call: "callback"}, 1, 200, jsonAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, jsonAnswer)
			r.add(t, c.fault)
			status, body := r.post(t, "/payment/rest/paymentorder.do")
			if status != c.status || body != c.body {
				t.Errorf("answer %d %q, want %d %q", status, body, c.status, c.body)
			}
			if got := r.calls.Load(); got != c.seen {
				t.Errorf("the simulator saw %d calls, want %d", got, c.seen)
			}
		})
	}
}

func TestAHeaderOfAnAnswerIsSet(t *testing.T) {
	r := newRig(t, jsonAnswer)
	r.add(t, Fault{Do: "header", Set: map[string]string{"X-Frame-Options": "DENY"}})
	res, err := http.Post(r.url+"/acs/challenge", "application/x-www-form-urlencoded", strings.NewReader("a=b"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("X-Frame-Options"); got != "DENY" {
		t.Errorf("the header reads %q", got)
	}
}

func TestAHugeAnswerIsTenMegabytes(t *testing.T) {
	r := newRig(t, jsonAnswer)
	r.add(t, Fault{Do: "huge"})
	if _, body := r.post(t, "/x"); len(body) != 10<<20 {
		t.Errorf("%d bytes", len(body))
	}
}

func TestSetLeavesTheRestOfAFormByteForByte(t *testing.T) {
	r := newRig(t, "type=status-response\n&serial-number=00+1%2f\n&status=approved\n&amount=1.00\n")
	r.add(t, Fault{Do: "set", Set: map[string]string{"status": "processing", "amount": "", "tds_status": "CReqForm"}})
	_, body := r.post(t, "/paynet/api/v2/status/1")
	if diff := cmp.Diff("type=status-response\n&serial-number=00+1%2f\n&status=processing\n&tds_status=CReqForm", body); diff != "" {
		t.Error(diff)
	}
}

func TestTimesAndSkipCountMatchingCalls(t *testing.T) {
	r := newRig(t, jsonAnswer)
	r.add(t, Fault{Do: "status", Status: 503, Call: "status", Skip: 1, Times: 2})
	var got []int
	for _, path := range []string{"/status", "/sale", "/status", "/status", "/status"} {
		status, _ := r.post(t, path)
		got = append(got, status)
	}
	if diff := cmp.Diff([]int{200, 200, 503, 503, 200}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAFaultWithoutEndStaysUntilCleared(t *testing.T) {
	r := newRig(t, jsonAnswer)
	r.add(t, Fault{Do: "status", Status: 503, Times: -1})
	for range 3 {
		if status, _ := r.post(t, "/x"); status != 503 {
			t.Fatalf("status %d", status)
		}
	}
	r.Clear()
	if status, _ := r.post(t, "/x"); status != 200 {
		t.Errorf("status %d after Clear", status)
	}
}

func TestHoldingEndsWhenTheCallerIsGone(t *testing.T) {
	r := newRig(t, jsonAnswer)
	r.add(t, Fault{Do: "hang", HoldMS: 60_000})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/x", nil)
	if _, err := http.DefaultClient.Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	} // the server's Close at the end of the test waits for the handler: a hold that goes on would hang it
}

func TestContradictoryFaultsAreRefused(t *testing.T) {
	s := New(time.Now)
	for _, f := range []Fault{
		{}, {Do: "explode"}, {Do: "cut", When: "before"}, {Do: "set"}, {Do: "header"}, {Do: "status"}, {Do: "close", When: "later"}, {Do: "close", Times: -2},
		{Do: "close", Skip: -1}, {Do: "hang", HoldMS: -1}, {Do: "twice"}, {Do: "close", Call: "callback"},
	} {
		if s.Add(f) == nil {
			t.Errorf("taken: %+v", f)
		}
	}
}

func TestTheLogNamesCallsAndTheirOrders(t *testing.T) {
	r := newRig(t, jsonAnswer)
	for _, path := range []string{"/payment/rest/paymentorder.do", "/paynet/api/v2/sale/group/17", "/api/v2/order/0b1c8a9e-0000-4000-8000-000000000001", "/"} {
		r.post(t, path)
	}
	r.add(t, Fault{Do: "close"})
	r.post(t, "/status")
	var got [][3]any
	for _, c := range r.Log.Calls("", "") {
		got = append(got, [3]any{c.Call, c.Reference, c.Status})
	}
	want := [][3]any{{"paymentorder.do", "order-1", 200}, {"sale", "order-1", 200}, {"order", "order-1", 200}, {"/", "order-1", 200}, {"status", "", 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := len(r.Log.Calls("order-1", "sale")); n != 1 {
		t.Errorf("%d calls selected, want 1", n)
	}
}

func TestTheLogIsBoundedAndKeepsTheNewest(t *testing.T) {
	s := New(func() time.Time { return time.Unix(0, 0) })
	for range MaxCalls {
		s.Log.Note("rbs", "old", "", 200)
	}
	s.Log.Note("rbs", "new", "", 200)
	calls := s.Log.Calls("", "")
	if len(calls) != MaxCalls || calls[MaxCalls-1].Call != "new" {
		t.Errorf("%d calls, the last is %q", len(calls), calls[len(calls)-1].Call)
	}
}

func serve(s *Script, method, body string) (int, string) {
	w := httptest.NewRecorder()
	s.ServeFaults(w, httptest.NewRequest(method, "/faults", strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestFaultsAreSetListedAndClearedOverHTTP(t *testing.T) {
	s := New(time.Now)
	if code, body := serve(s, "POST", `{"gateway":"rbs","call":"register.do","do":"hang","hold_ms":10,"when":"after"}`); code != 200 {
		t.Fatal(code, body)
	}
	if code, body := serve(s, "POST", `[{"do":"close"},{"do":"cut","times":3}]`); code != 200 {
		t.Fatal(code, body)
	}
	_, body := serve(s, "GET", "")
	var list []Fault
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	want := []Fault{{Gateway: "rbs", Call: "register.do", Do: "hang", HoldMS: 10, When: "after", Times: 1}, {Do: "close", Times: 1}, {Do: "cut", Times: 3}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{`{"do":"close","HoldMs2":1}`, `[{"do":"close"},{"do":"nothing"}]`, `nonsense`} {
		if code, _ := serve(s, "POST", bad); code != 400 {
			t.Errorf("%s: %d, want 400", bad, code)
		}
	}
	if n := len(s.List()); n != 3 {
		t.Errorf("a refused list left %d faults, want 3", n)
	}
	if code, _ := serve(s, "DELETE", ""); code != 204 || len(s.List()) != 0 {
		t.Errorf("DELETE: %d, %d left", code, len(s.List()))
	}
}

func TestFaultsReachTheBanksPagesOnlyIfNamed(t *testing.T) {
	s := New(time.Now)
	acs := s.Wrap("acs", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	status := func() int {
		w := httptest.NewRecorder()
		acs.ServeHTTP(w, httptest.NewRequest("POST", "/acs/challenge", nil))
		return w.Code
	}
	_ = s.Add(Fault{Do: "status", Status: 500})
	if got := status(); got != 200 {
		t.Errorf("a fault for any gateway hit the bank: %d", got)
	}
	_ = s.Add(Fault{Gateway: "acs", Do: "status", Status: 500})
	if got := status(); got != 500 {
		t.Errorf("a fault for the bank missed it: %d", got)
	}
}

// A fault is aimed at one order by what its calls hold, in address or body, and meets no other.
func TestAFaultIsAimedAtOneOrder(t *testing.T) {
	r := newRig(t, jsonAnswer)
	post := func(path, body string) (int, string) {
		t.Helper()
		res, err := http.Post(r.url+path, "application/x-www-form-urlencoded", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(raw)
	}
	r.add(t, Fault{Gateway: "rbs", Match: "order-7-1", Times: -1, Do: "status", Status: 503})
	for path, body := range map[string]string{"/pay.do": "orderNumber=order-7-1&amount=1", "/status.do?orderNumber=order-7-1": ""} {
		if code, _ := post(path, body); code != http.StatusServiceUnavailable {
			t.Errorf("%s %s: %d", path, body, code)
		}
	}
	if code, _ := post("/pay.do", "orderNumber=order-8-1"); code != http.StatusOK {
		t.Errorf("another order: %d", code)
	}
	if got := r.Log.Calls("order-orderNumber=order-8-1", ""); len(got) != 1 {
		t.Errorf("the simulator did not read the body that was looked at: %+v", got)
	}
	r.add(t, Fault{Call: "callback", Match: "order-9-1", Do: "drop"})
	if c := r.Callback("rbs", "order-8-1"); c.Drop {
		t.Error("another order's callback is dropped")
	}
	if c := r.Callback("rbs", "order-9-1\nhttps://shop.example"); !c.Drop {
		t.Error("the callback is not dropped")
	}
}

// An answer is cut where the fault says, to the byte.
func TestAnAnswerIsCutAtTheByteThatTheFaultNames(t *testing.T) {
	for bytes, want := range map[int]int{1: 1, 10: 10, 0: len(jsonAnswer) / 2, 10_000: len(jsonAnswer)} {
		r := newRig(t, jsonAnswer)
		r.add(t, Fault{Do: "cut", Bytes: bytes})
		res, err := http.Post(r.url+"/x.do", "text/plain", strings.NewReader("1"))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if len(got) != want {
			t.Errorf("%d bytes: %d came", bytes, len(got))
		}
	}
	for _, bad := range []Fault{{Do: "cut", Bytes: -1}, {Do: "close", Bytes: 3}} {
		if New(time.Now).Add(bad) == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
