package e2e_test

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/md5"
	cryptorand "crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/client"
	"tollgate/internal/app"
	"tollgate/internal/config"
	"tollgate/internal/pgtest"
)

// fleet is machines behind a proxy that takes one out before it is restarted, and lets requests wait while there is none.
type fleet struct {
	t           *testing.T
	w           *world
	database    string
	data        []string
	keys        []string // files; the first machine's is the one that is worked on
	mu          sync.Mutex
	freed       *sync.Cond
	at          []*machine // nil while it restarts
	busy        []int
	credentials []exchanged
	keyNow      string               // the API key that shops use
	tune        func(*config.Config) // what the configuration file says by now
}

// The API keys that are exchanged.
const oldAPIKey, newAPIKey = "sk_old_0123456789abcdef0123456789", "sk_new_0123456789abcdef0123456789"

// exchanged are the credentials of an account: what its settings say before and after, and what the gateway is told, where that is not
// the setting.
type exchanged struct {
	account, currency string
	was, is           map[string]any
	atGateway         map[string]string // credential and new value
}

// everyCredential is what each gateway that has credentials exchanges. Sber has none: a login of the customer's stands in their place.
func everyCredential(t *testing.T, w *world) []exchanged {
	t.Helper()
	key, err := rsa.GenerateKey(cryptorand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, raw []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
	}
	all := w.App.Credentials()
	return []exchanged{
		{"rbs", "KZT", map[string]any{"password": all["rbs"]["password"], "callback_secret": all["rbs"]["callbackKey"]},
			map[string]any{"password": "the password of afterwards", "callback_secret": "the callback secret of afterwards"},
			map[string]string{"password": "the password of afterwards", "callback_secret": "the callback secret of afterwards"}},
		{"payneteasy", "RUB", map[string]any{"merchant_control": all["payneteasy"]["merchant_control"]},
			map[string]any{"merchant_control": "00000000-7A9E-4D0C-8F0B-2B9B0F6F3C11"},
			map[string]string{"merchant_control": "00000000-7A9E-4D0C-8F0B-2B9B0F6F3C11"}},
		{"cashier", "RUB", map[string]any{"password": all["cashier"]["password"]},
			map[string]any{"password": "the password of afterwards", "callback_public_key": text("PUBLIC KEY", public)},
			map[string]string{"password": "the password of afterwards", "callback_key": text("PRIVATE KEY", private)}},
		{"transactworld", "EUR", map[string]any{"secure_key": all["transactworld"]["secureKey"]},
			map[string]any{"secure_key": "AfterwardsE0bH8sNrYk5LmUo7PdGa00"},
			map[string]string{"secure_key": "AfterwardsE0bH8sNrYk5LmUo7PdGa00"}},
	}
}

// exchange tells the gateways.
func (f *fleet) exchange() {
	f.t.Helper()
	for _, x := range f.credentials {
		for credential, value := range x.atGateway {
			body, err := json.Marshal(map[string]string{"gateway": x.account, "credential": credential, "value": value})
			if err != nil {
				f.t.Fatal(err)
			}
			res, err := http.Post(f.w.Sandbox+"/credentials", "application/json", bytes.NewReader(body))
			if err != nil {
				f.t.Fatal(err)
			}
			if res.Body.Close(); res.StatusCode != http.StatusNoContent {
				f.t.Fatalf("%s: %s is not exchanged: %d", x.account, credential, res.StatusCode)
			}
		}
	}
}

// The credentials that a configuration has, in the order in which they are tried.
const (
	oldAlone = "old"
	oldFirst = "old, new"
	newFirst = "new, old"
	newAlone = "new"
)

// configured is a configuration: the API keys, and the accounts' credentials.
func (f *fleet) configured(apiKeys []string, credentials string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tune = func(c *config.Config) {
		c.Merchants[0].APIKeys = append(c.Merchants[0].APIKeys, apiKeys...)
		for _, x := range f.credentials {
			first, other := x.was, x.is
			if credentials == newFirst || credentials == newAlone {
				first, other = x.is, x.was
			}
			acc := c.Accounts[x.account]
			plain := acc.Settings
			acc.Settings = maps.Clone(plain)
			maps.Copy(acc.Settings, first)
			if credentials == oldFirst || credentials == newFirst {
				acc.Other = map[string]any{}
				for name := range x.is { // what the other has not changed stands as in the plain account
					acc.Other[name] = plain[name]
				}
				maps.Copy(acc.Other, other)
			}
			c.Accounts[x.account] = acc
		}
	}
}

func newFleet(t *testing.T, database string, size int) *fleet {
	f := &fleet{t: t, database: database, at: make([]*machine, size), busy: make([]int, size)}
	f.freed = sync.NewCond(&f.mu)
	f.w = start(t, func(o *app.Options) {
		o.FrontListener.Close()
		o.FrontListener, o.Role = nil, app.Sandbox
	})
	f.credentials, f.keyNow = everyCredential(t, f.w), oldAPIKey
	f.configured([]string{oldAPIKey}, oldAlone)
	for range size {
		f.data = append(f.data, t.TempDir())
		f.keys = append(f.keys, filepath.Join(t.TempDir(), "keys"))
	}
	f.at[0] = f.boot(0)
	f.copyKeys()
	for i := 1; i < size; i++ {
		f.at[i] = f.boot(i)
	}
	return f
}

func (f *fleet) boot(i int) *machine {
	return joinFrom(f.t, f.w, f.database, f.data[i], f.keys[i], f.tune)
}

// with lends a machine, this one if it runs, else any.
func (f *fleet) with(wanted int, do func(*machine)) {
	f.mu.Lock()
	i := wanted % len(f.at)
	for f.at[i] == nil {
		found := false
		for j := range f.at {
			if f.at[j] != nil {
				i, found = j, true
				break
			}
		}
		if !found {
			f.freed.Wait()
		}
	}
	m := f.at[i]
	f.busy[i]++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.busy[i]--
		f.mu.Unlock()
		f.freed.Broadcast()
	}()
	do(m)
}

// copyKeys gives every machine the key file of the first.
func (f *fleet) copyKeys() {
	raw, err := os.ReadFile(f.keys[0])
	if err != nil {
		f.t.Fatal(err)
	}
	for _, name := range f.keys[1:] {
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
}

// roll gives every machine the key file and restarts one after the other.
func (f *fleet) roll(step string) {
	f.t.Helper()
	f.copyKeys()
	for i := range f.at {
		f.mu.Lock()
		old := f.at[i]
		f.at[i] = nil
		for f.busy[i] > 0 {
			f.freed.Wait()
		}
		f.mu.Unlock()
		old.stop()
		next := f.boot(i)
		until(f.t, 20*time.Second, "the machine is ready after "+step, func() bool {
			res, err := http.Get(next.Front + "/readyz")
			if err != nil {
				return false
			}
			res.Body.Close()
			return res.StatusCode == http.StatusOK
		})
		f.mu.Lock()
		f.at[i] = next
		f.mu.Unlock()
		f.freed.Broadcast()
	}
}

func (f *fleet) config() config.Config {
	return config.Config{DatabaseURL: f.database, Data: f.data[0], KeysFile: f.keys[0]}
}

// made is a session that was created under an Idempotency-Key.
type made struct {
	key, body string
	sessionView
}

// trade is what shops and shoppers do meanwhile.
type trade struct {
	f    *fleet
	next atomic.Int64 // whose turn it is of the accounts
	mu   sync.Mutex
	all  []made
	paid int
	bad  []string
	n    int // requests
}

func (d *trade) failed(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bad = append(d.bad, fmt.Sprintf(format, args...))
}

func (d *trade) post(m *machine, key, body string) (s sessionView, err error) {
	req, err := http.NewRequest(http.MethodPost, m.Front+"/v1/sessions", strings.NewReader(body))
	if err != nil {
		return s, err
	}
	d.f.mu.Lock()
	req.Header.Set("Authorization", "Bearer "+d.f.keyNow)
	d.f.mu.Unlock()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	d.mu.Lock()
	d.n++
	d.mu.Unlock()
	if err == nil && res.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%d %s", res.StatusCode, raw)
	}
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(raw, &s)
}

// repeat makes a request again, which has to be answered as it was.
func (d *trade) repeat(wanted int, m made) {
	d.f.with(wanted, func(at *machine) {
		again, err := d.post(at, m.key, m.body)
		if err != nil || again.ID != m.ID {
			d.failed("a repeat of %s: session %q in place of %q, %v", m.key, again.ID, m.ID, err)
		}
	})
}

// round is one session: made, made again elsewhere, paid elsewhere.
func (d *trade) round(v *visitor, i int) {
	at := d.f.credentials[d.next.Add(1)%int64(len(d.f.credentials))]
	body, _ := json.Marshal(map[string]any{
		"account": at.account, "amount": 1234500, "currency": at.currency, "order_id": order(),
		"success_url": d.f.w.Sandbox + "/shop/done?from=shop", "cancel_url": d.f.w.Sandbox + "/shop/done",
	})
	m := made{key: order(), body: string(body)}
	d.f.with(i, func(at *machine) {
		s, err := d.post(at, m.key, m.body)
		if err != nil {
			d.failed("a create: %v", err)
		}
		m.sessionView = s
	})
	if m.ID == "" {
		return
	}
	d.mu.Lock()
	d.all = append(d.all, m)
	earlier := d.all[rand.IntN(len(d.all))]
	d.mu.Unlock()
	d.repeat(i+1, m)
	d.repeat(i+2, earlier)
	d.f.with(i+1, func(at *machine) {
		page, err := v.get(at.at(d.f.t, m.URL))
		if err == nil && page.kind() == "card" {
			page, err = v.pay(page, cardPlain)
		}
		if err != nil || page.kind() == "card" {
			d.failed("a payment: %v", err)
		}
	})
	d.mu.Lock()
	d.n += 2
	d.mu.Unlock()
	for range 200 {
		paid := false
		d.f.with(i+2, func(at *machine) {
			page, err := v.get(at.at(d.f.t, m.URL))
			if err != nil || page.Status >= 400 {
				d.failed("a page: %v", err)
			}
			paid = err == nil && page.paid()
		})
		if d.mu.Lock(); paid {
			d.paid++
		}
		d.n++
		d.mu.Unlock()
		if paid {
			return
		}
		pause(50 * time.Millisecond)
	}
	d.failed("%s was never paid", m.ID)
}

// The page "Sealing keys" of docs/operations.md, word for word, while shops and shoppers go on; with the same restarts the API key,
// the webhooks' secret, and every gateway's password, control key and callback key are exchanged.
func TestEveryKindOfKeyIsRotatedUnderLoadAndNothingFails(t *testing.T) {
	t.Run("one machine on SQLite", func(t *testing.T) { rotateUnderLoad(t, "", 1) })
	t.Run("three machines on PostgreSQL", func(t *testing.T) { rotateUnderLoad(t, pgtest.Start(t), 3) })
}

// overlap is how many seconds a webhook's replaced secret signs on: less than what a receiver takes of a clock that is fast.
const overlap = 120

// settledSession makes a session of which a webhook tells, and answers its id.
func settledSession(t *testing.T, m *machine) string {
	t.Helper()
	var s sessionView
	if code := m.api(t, "POST", "/v1/sessions", map[string]any{"account": "rbs", "amount": 100, "currency": "KZT", "order_id": order(),
		"success_url": m.Sandbox + "/shop/done", "cancel_url": m.Sandbox + "/shop/done"}, &s); code != http.StatusCreated {
		t.Fatalf("a session after the rotation: %d", code)
	}
	return s.ID
}

// callbacks are what each gateway calls back with, signed with its credentials of before or of after the exchange.
func (f *fleet) callbacks(after bool) map[string]*http.Request {
	f.t.Helper()
	credential := func(account, name string) string {
		for _, x := range f.credentials {
			if x.account == account && after {
				return x.is[name].(string)
			} else if x.account == account {
				return x.was[name].(string)
			}
		}
		return ""
	}
	request := func(method, query, body, kind string) *http.Request {
		r, err := http.NewRequest(method, "/?"+query, strings.NewReader(body))
		if err != nil {
			f.t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		return r
	}
	mac := hmac.New(sha256.New, []byte(credential("rbs", "callback_secret")))
	mac.Write([]byte("mdOrder;m-1;orderNumber;none-1;status;1;"))
	control := sha1.Sum([]byte("approved" + "12345" + "none-1" + credential("payneteasy", "merchant_control")))
	sum := md5.Sum([]byte("99|none-1|1.00|Y|" + credential("transactworld", "secure_key")))

	key := []byte(read(f.t, "../internal/sandbox/cashier/demo_callback_key.pem"))
	if after {
		key = []byte(f.credentials[2].atGateway["callback_key"])
	}
	block, _ := pem.Decode(key)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		f.t.Fatal(err)
	}
	body := `{"order":{"id":"1","merchantOrderId":"none-1","status":"CHARGED"}}`
	hash := sha1.Sum([]byte(body))
	sign, err := rsa.SignPKCS1v15(nil, private.(*rsa.PrivateKey), crypto.SHA1, hash[:])
	if err != nil {
		f.t.Fatal(err)
	}
	all := map[string]*http.Request{
		"rbs":        request("GET", "mdOrder=m-1&orderNumber=none-1&status=1&checksum="+hex.EncodeToString(mac.Sum(nil)), "", ""),
		"payneteasy": request("GET", "status=approved&orderid=12345&client_orderid=none-1&control="+hex.EncodeToString(control[:]), "", ""),
		"transactworld": request("POST", "", "paymentId=99&merchantTransactionId=none-1&amount=1.00&transactionStatus=Y&checksum="+hex.EncodeToString(sum[:]),
			"application/x-www-form-urlencoded"),
		"cashier": request("POST", "", body, "application/json"),
	}
	all["cashier"].Header.Set("Payment-Sign", base64.StdEncoding.EncodeToString(sign))
	return all
}

// refusesTheOld tries each credential that was exchanged at every door of every machine, beside the one that holds now.
func (f *fleet) refusesTheOld(sealing string) {
	t := f.t
	t.Helper()
	status := func(r *http.Request) int {
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	for i, m := range f.at {
		for key, want := range map[string]int{oldAPIKey: http.StatusUnauthorized, newAPIKey: http.StatusOK} {
			r, err := http.NewRequest("GET", m.Front+"/v1/accounts", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+key)
			if got := status(r); got != want {
				t.Errorf("machine %d answers %.6s… with %d, want %d", i, key, got, want)
			}
		}
		for _, after := range []bool{false, true} {
			for account, r := range f.callbacks(after) {
				want := map[bool]int{false: http.StatusForbidden, true: http.StatusOK}[after]
				to, err := url.Parse(m.Front + "/callbacks/" + account + "?" + r.URL.RawQuery)
				if err != nil {
					t.Fatal(err)
				}
				r.URL, r.Host = to, to.Host
				if got := status(r); got != want {
					t.Errorf("machine %d answers a callback of %s, signed after the exchange: %v, with %d, want %d", i, account, after, got, want)
				}
			}
		}
	}
	// What the gateways took before they take no more, so that no call of ours can have been made with it.
	for what, call := range map[string]func() string{
		"rbs": func() string {
			res, err := http.PostForm(f.w.Sandbox+"/rbs/payment/rest/getOrderStatusExtended.do", url.Values{"orderNumber": {"none"},
				"userName": {f.w.App.Credentials()["rbs"]["userName"]}, "password": {f.credentials[0].was["password"].(string)}})
			return answered(t, res, err)
		},
		"cashier": func() string {
			login, err := json.Marshal(map[string]string{"login": f.w.App.Credentials()["cashier"]["login"], "password": f.credentials[2].was["password"].(string)})
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.Post(f.w.App.Credentials()["cashier"]["identity_url"]+"/public/login", "application/json", bytes.NewReader(login))
			return answered(t, res, err)
		},
	} {
		if answer := call(); strings.Contains(answer, "accessToken") || strings.Contains(answer, `"errorCode":"6"`) {
			t.Errorf("%s takes the old password: %s", what, answer)
		}
	}
	// A machine that still has the old sealing key joins no more.
	old := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(old, []byte(sealing+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := f.config()
	c.KeysFile = old
	if s, err := app.LookAtSeals(t.Context(), c); err == nil && s.Fault == nil {
		t.Errorf("with the old key alone there is nothing wrong: %+v", s)
	}
}

// answered is what a gateway answered.
func answered(t *testing.T, res *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func rotateUnderLoad(t *testing.T, database string, size int) {
	f := newFleet(t, database, size)
	before := strings.TrimSpace(read(t, f.keys[0]))

	var hooks sync.Mutex
	told, secrets, signedWithOld := map[string]int{}, []string(nil), false
	var replaced string // the secret that was rotated away
	hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		hooks.Lock()
		defer hooks.Unlock()
		if _, err := client.VerifyWebhook(body, r.Header, secrets...); err != nil {
			t.Errorf("a webhook: %v", err)
		}
		if replaced != "" {
			_, err := client.VerifyWebhook(body, r.Header, replaced)
			signedWithOld = err == nil
		}
		id := r.Header.Get("webhook-id")
		if end := strings.LastIndex(id, "-"); end > 0 { // a session's event, without its random end
			id = id[:end]
		}
		told[id]++
	}))
	defer hook.Close()
	var endpoint struct{ ID, Secret string }
	if code := f.at[0].api(t, "POST", "/v1/webhook_endpoints", map[string]any{"url": hook.URL},
		&endpoint); code != http.StatusCreated {
		t.Fatalf("the endpoint is not made: %d", code)
	}
	hooks.Lock()
	secrets = []string{endpoint.Secret}
	hooks.Unlock()

	d := &trade{f: f}
	over := make(chan struct{})
	var shoppers sync.WaitGroup
	for n := range 3 {
		v := newVisitor(t)
		shoppers.Go(func() {
			for i := n; ; i++ {
				select {
				case <-over:
					return
				default:
					d.round(v, i)
				}
			}
		})
	}
	during := func(what string, rounds int) { // so many payments happen before the next step
		t.Helper()
		d.mu.Lock()
		from := d.paid
		d.mu.Unlock()
		until(t, 60*time.Second, what, func() bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.paid >= from+rounds
		})
	}
	during("payments before the rotation", 8)

	fresh, err := app.AddSealingKey(f.config())
	if err != nil {
		t.Fatal(err)
	}
	f.configured([]string{oldAPIKey, newAPIKey}, oldFirst)
	f.roll("the key is added")
	f.exchange()
	f.mu.Lock()
	f.keyNow = newAPIKey
	f.mu.Unlock()
	var rotated struct{ Secret string }
	if code := f.at[0].api(t, "POST", "/v1/webhook_endpoints/"+endpoint.ID+"/rotate", map[string]any{"overlap_seconds": overlap},
		&rotated); code != http.StatusOK || rotated.Secret == "" {
		t.Fatalf("the webhook's secret is not rotated: %d", code)
	}
	hooks.Lock()
	secrets, replaced = []string{rotated.Secret}, endpoint.Secret // while they overlap both sign
	hooks.Unlock()
	during("payments while it opens only", 8)
	if err := app.PromoteSealingKey(f.config(), fresh); err != nil {
		t.Fatal(err)
	}
	f.configured([]string{oldAPIKey, newAPIKey}, newFirst)
	f.roll("the key is promoted")
	during("payments while it seals", 5)
	var old string
	until(t, 60*time.Second, "nothing is sealed with the old key", func() bool {
		s, err := app.LookAtSeals(t.Context(), f.config())
		if err != nil || s.Lost > 0 || s.Fault != nil {
			t.Fatalf("%+v, %v", s, err)
		}
		for _, k := range s.Keys {
			if k.Clean() && k.ID != fresh {
				old = k.ID
			}
		}
		return old != ""
	})
	if err := app.RetireSealingKey(t.Context(), f.config(), old, f.w.Clock.Now(), false); err == nil ||
		!strings.Contains(err.Error(), "may still come back") {
		t.Errorf("retired although cookies and forms are out that are sealed with it: %v", err)
	}
	if err := app.RetireSealingKey(t.Context(), f.config(), old, f.w.Clock.Now().Add(26*time.Hour), false); err != nil {
		t.Fatal(err)
	}
	f.configured([]string{newAPIKey}, newAlone)
	f.roll("the old key is retired")
	if text := read(t, f.keys[0]); strings.Contains(text, before) || strings.Count(text, "\n") != 1 {
		t.Error("the old key is still in the key file")
	}
	during("payments with the new key alone", 8)
	close(over)
	shoppers.Wait()
	for i, m := range d.all { // what was answered before the rotation is still answered so
		d.repeat(i, m)
	}

	for _, text := range d.bad {
		t.Error(text)
	}
	if d.paid != len(d.all) {
		t.Errorf("%d sessions, %d paid", len(d.all), d.paid)
	}
	want := map[string]bool{}
	for _, m := range d.all {
		s := settled(t, f.at[0].world, m.ID, m.OrderID)
		if s.Status != "paid" {
			t.Errorf("%s is %s", s.ID, s.Status)
		}
		for _, e := range f.at[0].events(t, m.ID) {
			want[fmt.Sprintf("evt_%s_%d", m.ID, e.N)] = true
		}
	}
	until(t, 30*time.Second, "every webhook", func() bool {
		hooks.Lock()
		defer hooks.Unlock()
		for id := range want {
			if told[id] == 0 {
				return false
			}
		}
		return true
	})
	for _, m := range f.at {
		if log := m.Log.String(); strings.Contains(log, `"route":"/callbacks/:account","status":403`) {
			t.Error("a callback counted as forged")
		}
		if log := m.Log.String(); strings.Contains(log, `"level":"ERROR"`) {
			t.Errorf("a machine's log has errors: %s", firstLine(log, `"level":"ERROR"`))
		}
	}
	hooks.Lock()
	if !signedWithOld {
		t.Error("the replaced secret did not sign while the two overlap")
	}
	hooks.Unlock()
	f.refusesTheOld(before)
	f.w.Clock.Advance((overlap + 1) * time.Second)
	alone := settledSession(t, f.at[0])
	until(t, 30*time.Second, "a webhook after the overlap", func() bool {
		hooks.Lock()
		defer hooks.Unlock()
		return told["evt_"+alone+"_1"] > 0
	})
	hooks.Lock()
	if signedWithOld {
		t.Error("the replaced secret signs after the overlap")
	}
	hooks.Unlock()
	t.Logf("%d sessions, %d paid, %d requests, %d failed; %d webhooks wanted, %d came",
		len(d.all), d.paid, d.n, len(d.bad), len(want), len(told))
}

func read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func firstLine(text, with string) string {
	for line := range bytes.Lines([]byte(text)) {
		if bytes.Contains(line, []byte(with)) {
			return string(line)
		}
	}
	return ""
}
