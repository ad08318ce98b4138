package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// npmClients is where other people's clients are installed, as package-lock.json pins them.
const npmClients = "testdata/npm"

var installNPM = sync.OnceValues(func() ([]byte, error) {
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--prefer-offline")
	cmd.Dir = npmClients
	return cmd.CombinedOutput()
})

// node runs one of the scripts beside the packages with in on its standard input, and decodes what it prints into said.
func node(t testing.TB, script string, in, said any) {
	t.Helper()
	if out, err := installNPM(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	asked, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out, failed bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", script)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = npmClients, bytes.NewReader(asked), &out, &failed
	if err := cmd.Run(); err != nil {
		t.Fatalf("node %s: %v\n%s", script, err, failed.String())
	}
	if err := json.Unmarshal(out.Bytes(), said); err != nil {
		t.Fatalf("node %s prints %s: %v", script, out.String(), err)
	}
}

// steps tells how many steps of a client worked: those of which the test has nothing to say.
func steps(t *testing.T, client string, all int) (failed func(format string, args ...any)) {
	t.Helper()
	wrong := 0
	t.Cleanup(func() { t.Logf("%s: %d of %d steps worked", client, all-wrong, all) })
	return func(format string, args ...any) {
		t.Helper()
		wrong++
		t.Errorf(format, args...)
	}
}

// libraryView is what sberbank-acquiring or alfabank made of an answer.
type libraryView struct {
	Refused      any            `json:"refused"` // sberErrorCode of what it threw; a number from the payment calls
	ErrorCode    any            `json:"errorCode"`
	OrderID      string         `json:"orderId"`
	FormURL      string         `json:"formUrl"`
	Redirect     string         `json:"redirect"`
	OrderStatus  *int           `json:"orderStatus"`
	Amount       int64          `json:"amount"`
	Currency     string         `json:"currency"`
	Paid         bool           `json:"paid"`
	Params       map[string]any `json:"params"`
	BindingInfo  struct{ BindingID, ClientID string }
	CardAuthInfo struct{ MaskedPAN string }
	Bindings     []struct{ BindingID, MaskedPAN, ExpiryDate string }
}

// The library's hosts are overridden by its own property entry; nothing of it is changed.
func TestAPublicRBSClientWorksAgainstTheSandbox(t *testing.T) {
	w := sharedWorld(t)
	credentials, order := w.App.Credentials()["rbs"], order()
	raw := map[string]json.RawMessage{}
	node(t, "rbs.js", map[string]string{
		"entry": w.Sandbox + "/rbs/payment/rest/", "userName": credentials["userName"], "password": credentials["password"], "order": order,
	}, &raw)
	view := func(call string) (v libraryView) {
		t.Helper()
		if err := json.Unmarshal(raw[call], &v); err != nil {
			t.Fatalf("%s: %s: %v", call, raw[call], err)
		}
		return v
	}

	failed := steps(t, "sberbank-acquiring 1.2.2", len(raw))
	for call, want := range map[string]string{
		"status unpaid": "0", "status unknown": "null", "status by number": "2", "status repeat": "2", "status reversed": "3", "status refunded": "4",
	} {
		if got := string(raw[call]); got != want {
			failed("%s: %s, want %s", call, got, want)
		}
	}
	for call, code := range map[string]string{
		"register again": "1", "refund unpaid": "7", "refund too much": "5", "reverse again": "5", "unbind again": "2", "bindings none": "2",
		"pay by dead binding": "2", "wrong password": "5",
	} {
		if v := view(call); fmt.Sprint(v.Refused) != code {
			failed("%s: %s, want the library to throw code %s", call, raw[call], code)
		}
	}
	for _, call := range []string{"register", "pay", "refund", "bindings", "pay by binding", "reverse", "unbind", "refund the rest"} {
		if v := view(call); v.Refused != nil {
			failed("%s: %s", call, raw[call])
		}
	}

	if v := view("register"); v.OrderID == "" || !strings.Contains(v.FormURL, v.OrderID) {
		t.Errorf("register: %s", raw["register"])
	}
	if v := view("pay"); !strings.HasPrefix(v.Redirect, "https://shop.example/done/"+order+"-1?") {
		t.Errorf("the shopper is sent to %s", v.Redirect)
	}
	paid := view("get")
	if paid.Amount != 12345 || paid.Currency != "643" || paid.BindingInfo.ClientID != order+"-customer" || paid.CardAuthInfo.MaskedPAN != "400001**0001" {
		t.Errorf("get: %s", raw["get"])
	}
	if v := view("bindings"); len(v.Bindings) != 1 || v.Bindings[0].BindingID != paid.BindingInfo.BindingID || v.Bindings[0].ExpiryDate != "203012" {
		t.Errorf("bindings: %s", raw["bindings"])
	}

	found := map[string]ledgerEntry{}
	for _, e := range w.ledger(t, order) {
		found[strings.TrimPrefix(e.Reference, order)] = ledgerEntry{Amount: e.Amount, Currency: e.Currency, Captured: e.Captured, Refunded: e.Refunded, Charges: e.Charges}
	}
	for n, want := range map[string]ledgerEntry{
		"-1": {Amount: 12345, Currency: "RUB", Captured: 12345, Refunded: 12345, Charges: 1},
		"-2": {Amount: 5000, Currency: "RUB", Charges: 1}, // and reversed
		"-3": {Amount: 5000, Currency: "RUB"},
	} {
		if found[n] != want {
			t.Errorf("order %s: the ledger has %+v, want %+v", n, found[n], want)
		}
	}
}

// A second library, of another bank's merchants: it logs in by token and reads getOrderStatus.do, with its capitalised names.
func TestAPublicClientOfAnotherRBSBankWorksByToken(t *testing.T) {
	w, order := sharedWorld(t), order()
	var said struct {
		Register, Unpaid libraryView
		Again            libraryView `json:"register again"`
		Old, Unknown     struct {
			ErrorCode    string `json:"ErrorCode"`
			OrderStatus  int    `json:"OrderStatus"`
			OrderNumber  string `json:"OrderNumber"`
			Amount       int64  `json:"Amount"`
			DepositTotal int64  `json:"depositAmount"`
		}
	}
	node(t, "alfabank.js", map[string]string{"entry": w.Sandbox + "/rbs/payment/rest/", "token": w.App.Credentials()["rbs"]["token"], "order": order}, &said)
	failed := steps(t, "alfabank 1.0.0-alpha.14", 5)
	if said.Register.OrderID == "" || said.Again.ErrorCode != "1" {
		failed("registered %+v, again %+v", said.Register, said.Again)
	}
	if u := said.Unpaid; u.OrderStatus == nil || *u.OrderStatus != 0 || u.Paid || u.Amount != 1050 || u.Currency != "933" || u.Params["email"] != "shopper@example.com" {
		failed("unpaid: %+v", u)
	}
	if o := said.Old; o.ErrorCode != "0" || o.OrderStatus != 2 || o.OrderNumber != order+"-1" || o.Amount != 1050 || o.DepositTotal != 1050 {
		failed("paid: %+v", o)
	}
	if said.Unknown.ErrorCode != "6" {
		failed("unknown: %+v", said.Unknown)
	}
	if l := w.ledger(t, order); len(l) != 1 || l[0].Captured != 1050 || l[0].Currency != "BYN" || l[0].Charges != 1 {
		t.Errorf("the ledger has %+v", l)
	}
}

// The examples of docs/clients.md, as whoever reads them types them.
func TestTheExamplesOfOnesOwnClientWork(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	page, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(page), "```sh\n")[1:]
	failed := steps(t, "docs/clients.md", len(parts)-1)
	script := "set -eu -o pipefail\n"
	for n, part := range parts {
		block, _, _ := strings.Cut(part, "```")
		script += block
		if n == 0 {
			continue
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(script, "localhost:8081", "nowhere.invalid"))
		cmd.Env = append(os.Environ(), "SANDBOX="+w.Sandbox)
		if out, err := cmd.CombinedOutput(); err != nil {
			failed("example %d: %v\n%s", n, err, out)
		}
		first, _, _ := strings.Cut(parts[0], "```")
		script = "set -eu -o pipefail\n" + first
	}
}

// posted is a webhook as the receiver got it.
type posted struct {
	headers map[string]string
	body    string
}

func TestWebhooksVerifyWithTheStandardsJavaScriptLibrary(t *testing.T) {
	w := start(t)
	got := make(chan posted, 16)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		p := posted{map[string]string{}, string(body)}
		for name := range r.Header {
			p.headers[name] = r.Header.Get(name)
		}
		got <- p
	}))
	t.Cleanup(receiver.Close)
	next := func() posted {
		t.Helper()
		select {
		case p := <-got:
			return p
		case <-time.After(20 * time.Second):
			t.Fatal("no webhook arrives")
			panic("unreachable")
		}
	}

	var endpoint struct{ ID, Secret string }
	if code := w.api(t, "POST", "/v1/webhook_endpoints", map[string]any{"url": receiver.URL, "events": []string{"session.created"}}, &endpoint); code != http.StatusCreated {
		t.Fatalf("the endpoint is not made: %d", code)
	}
	old := endpoint.Secret
	w.create(t, "rbs", nil)
	first := next()
	if code := w.api(t, "POST", "/v1/webhook_endpoints/"+endpoint.ID+"/rotate", map[string]any{"overlap_seconds": 3600, "asymmetric": true}, &endpoint); code != http.StatusOK {
		t.Fatalf("the secret is not rotated: %d", code)
	}
	w.create(t, "rbs", nil)
	second := next()

	type question struct {
		Name    string            `json:"name"`
		Secret  string            `json:"secret"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
		Later   int               `json:"later"`
	}
	var asked []question
	want := map[string]string{}
	ask := func(name, secret string, p posted, later int, verdict string) {
		asked = append(asked, question{name, secret, p.headers, p.body, later})
		want[name] = verdict
	}
	const noMatch = "No matching signature found"
	ask("as it came", old, first, 0, first.headers["Webhook-Id"])
	ask("four minutes late", old, first, 4*60, first.headers["Webhook-Id"])
	ask("a replay after six minutes", old, first, 6*60, "Message timestamp too old")
	ask("another body", old, posted{first.headers, strings.Replace(first.body, "session.created", "payment.succeeded", 1)}, 0, noMatch)
	ask("the new secret for the old message", endpoint.Secret, first, 0, noMatch)
	ask("the old secret during the rotation", old, second, 0, second.headers["Webhook-Id"])
	ask("the new secret during the rotation", endpoint.Secret, second, 0, second.headers["Webhook-Id"])

	// The library knows shared secrets alone: it passes over the v1a signature beside them, and has nothing to check it with.
	asymmetric := posted{map[string]string{}, second.body}
	for name, value := range second.headers {
		asymmetric.headers[name] = value
	}
	for _, s := range strings.Fields(second.headers["Webhook-Signature"]) {
		if strings.HasPrefix(s, "v1a,") {
			asymmetric.headers["Webhook-Signature"] = s
		}
	}
	if asymmetric.headers["Webhook-Signature"] == second.headers["Webhook-Signature"] {
		t.Fatalf("no v1a signature among %s", second.headers["Webhook-Signature"])
	}
	ask("v1a alone", endpoint.Secret, asymmetric, 0, noMatch)

	said := map[string]string{}
	node(t, "webhooks.js", asked, &said)
	for name, verdict := range want {
		if verdict == "" || said[name] != verdict {
			t.Errorf("%s: the library says %q, want %q", name, said[name], verdict)
		}
	}
}
