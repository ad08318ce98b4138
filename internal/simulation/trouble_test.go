package simulation

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tollgate/internal/config"
)

// draw switches off, for a world of a swarm, what its seed does not have: what many faults at once would hide, few show.
func (w *World) draw() {
	p := &w.Profile
	if !p.Swarm {
		return
	}
	off := func(what string) bool { return w.hash("swarm", what, 0)%2 == 0 }
	for _, f := range []struct {
		what string
		none func()
	}{
		{"network", func() { p.NetRate = 0 }},
		{"kills", func() { p.Kills = 0 }},
		{"lost answers of commits", func() { p.LoseAnswer = 0 }},
		{"lost commits", func() { p.Lose = 0 }},
		{"gateways", func() { p.Gateways = false }},
		{"lies", func() { p.Lies = false }},
		{"forged callbacks", func() { p.Forged = false }},
		{"sandbox", func() { p.Crashes = 0 }},
		{"receiver", func() { p.Receiver = false }},
		{"clocks", func() { p.Skew = 0 }},
		{"people", func() { p.People = 0.3 }},
	} {
		if off(f.what) {
			f.none()
		} else {
			w.reach("a swarm with " + f.what)
		}
	}
	if p.Lose > 0 { // what is forgotten leaves Sber's payments to a person
		p.Accounts = rememberedAccounts
	}
}

// skew is how far the clock of a machine is from the true time, anew at each start of the front: before and after.
func (w *World) skew(p *Proc) time.Duration {
	most := int(w.Profile.Skew / time.Millisecond)
	if most == 0 || !w.troubled() {
		return 0
	}
	key := fmt.Sprint("front", p.place+1)
	n := w.nth("skew", key)
	if !w.lets(fmt.Sprintf("skew|%s|%d", key, n)) {
		return 0
	}
	d := time.Duration(w.between("skew", key, n, -most, most)) * time.Millisecond
	w.tracef("the clock of %s is wrong by %s", p.name, d)
	w.reach("a clock that is wrong")
	return d
}

// wrongServer is by how much the clock of the nth database server is wrong, where clocks are: servers are kept together.
func (w *World) wrongServer(n int) time.Duration {
	if w.Profile.Skew == 0 {
		return 0
	}
	const most = int(500 * time.Millisecond)
	return time.Duration(w.between("skew", "server", n, -most, most))
}

// trouble is what goes wrong at times of its own: gateways, the bank, machines' clocks, forged callbacks.
func (w *World) trouble() {
	p := w.Profile
	for _, kind := range []struct {
		name       string
		on         bool
		every, but time.Duration // between two
		do         func(n int)
	}{
		{"gateway", p.Gateways, 10 * time.Second, 2 * time.Minute, w.spoil},
		{"lie", p.Lies, 10 * time.Second, time.Minute, w.lie},
		{"forged", p.Forged, 5 * time.Second, time.Minute, w.forge},
		{"sandbox", p.Crashes > 0, 20 * time.Second, 4 * time.Minute, w.crashSandbox},
		{"clock", p.Skew > 0, 30 * time.Second, 5 * time.Minute, w.jump},
	} {
		if !kind.on {
			continue
		}
		w.running.Go(func() {
			for n := 1; n <= 60; n++ {
				wait := time.Duration(w.between("wait "+kind.name, "", n, int(kind.every), int(kind.but)))
				timer := time.NewTimer(wait)
				select {
				case <-w.stop:
					timer.Stop()
					return
				case <-timer.C:
				}
				if !w.troubled() {
					return
				}
				if w.lets(fmt.Sprintf("%s||%d", kind.name, n)) {
					kind.do(n)
				}
			}
		})
	}
}

// mend ends what trouble began.
func (w *World) mend() {
	for range 100 { // the gateways may be about to start again
		if status, err := ask(w.observer, http.MethodDelete, sandboxURL+"/faults", "", nil, &struct{}{}); err == nil || status == http.StatusNoContent {
			break
		}
		time.Sleep(time.Second)
	}
	for _, p := range w.alive() {
		p.wrong.Store(0)
	}
}

// spoilt is what gateways and the bank may do to their answers and callbacks.
var spoilt = []struct {
	what string
	json string
}{
	{"a gateway answers 500 and did it", `{"call": "*", "do": "status", "status": 500, "when": "after", "body": "<html>Sorry</html>"}`},
	{"a gateway answers 503 and did not", `{"call": "*", "do": "status", "status": 503, "when": "before", "body": "later"}`},
	{"a gateway answers 429", `{"call": "*", "do": "status", "status": 429, "when": "before", "body": "slow down"}`},
	{"a gateway answers a page", `{"call": "*", "do": "body", "when": "after", "content_type": "text/html", "body": "<html><body>Maintenance</body></html>"}`},
	{"a gateway answers nothing", `{"call": "*", "do": "body", "when": "after", "body": ""}`},
	{"a gateway answers late", `{"call": "*", "do": "slow", "when": "after", "hold_ms": 12000}`},
	{"a gateway works late", `{"call": "*", "do": "slow", "when": "before", "hold_ms": 25000}`},
	{"a gateway answers after the deadline", `{"call": "*", "do": "slow", "when": "after", "hold_ms": 95000}`},
	{"a gateway hangs", `{"call": "*", "do": "hang", "when": "before", "hold_ms": 50000}`},
	{"a gateway hangs and did it", `{"call": "*", "do": "hang", "when": "after", "hold_ms": 50000}`},
	{"a gateway hangs up", `{"call": "*", "do": "close", "when": "before"}`},
	{"a gateway hangs up and did it", `{"call": "*", "do": "close", "when": "after"}`},
	{"a gateway stops within its answer", `{"call": "*", "do": "cut"}`},
	{"a callback comes twice", `{"call": "callback", "do": "twice", "hold_ms": 2000, "times": 3}`},
	{"a callback comes late", `{"call": "callback", "do": "late", "hold_ms": 300000, "times": 3}`},
	{"a callback comes late and twice", `{"call": "callback", "do": "twice", "hold_ms": 600000, "times": 3}`},
	{"a callback does not come", `{"call": "callback", "do": "drop", "times": 3}`},
	{"the bank hangs up", `{"gateway": "acs", "call": "*", "do": "close", "when": "after"}`},
	{"the bank answers 500", `{"gateway": "acs", "call": "*", "do": "status", "status": 500, "body": "sorry"}`},
	{"the bank never returns", `{"gateway": "acs", "call": "*", "do": "hang", "hold_ms": 300000}`},
}

func (w *World) spoil(n int) {
	f := spoilt[w.between("spoilt", "", n, 0, len(spoilt)-1)]
	w.script(f.what, f.json)
}

// lies are answers to inquiries that speak of other money than ours: for a while, then the truth. PaynetEasy's are of more: of less it
// tells truly where a part of a hold was captured, and of a payment that is given back meanwhile nothing it says later tells the two apart.
var lies = []struct{ what, json string }{
	{"rbs lies about the amount", `{"gateway": "rbs", "call": "getOrderStatusExtended.do", "set": {"amount": "1"}}`},
	{"rbs lies about the currency", `{"gateway": "rbs", "call": "getOrderStatusExtended.do", "set": {"currency": "840"}}`},
	{"rbs lies about the order", `{"gateway": "rbs", "call": "getOrderStatusExtended.do", "set": {"orderNumber": "somebody-else-1"}}`},
	{"rbs has a new status", `{"gateway": "rbs", "call": "getOrderStatusExtended.do", "set": {"orderStatus": "99"}}`},
	{"rbs tells of another order, which was paid", `{"gateway": "rbs", "call": "getOrderStatusExtended.do", "set": {"orderNumber": "somebody-else-1", "orderStatus": "2"}}`},
	{"rbs tells of another amount, which was paid", `{"gateway": "rbs", "call": "getOrderStatusExtended.do", "set": {"amount": "1", "orderStatus": "2"}}`},
	{"payneteasy tells of another amount, which was paid", `{"gateway": "payneteasy", "call": "status", "set": {"amount": "99999.00", "status": "approved"}}`},
	{"payneteasy lies about the amount", `{"gateway": "payneteasy", "call": "status", "set": {"amount": "99999.00"}}`},
	{"payneteasy lies about the currency", `{"gateway": "payneteasy", "call": "status", "set": {"currency": "USD"}}`},
	{"payneteasy has a new status", `{"gateway": "payneteasy", "call": "status", "set": {"status": "wonderful"}}`},
	{"cashier lies about the amount", `{"gateway": "cashier", "call": "read", "set": {"order.paymentAmount": "1", "order.orderAmount": "1", "order.amount": "1"}}`},
	{"cashier has a new status", `{"gateway": "cashier", "call": "read", "set": {"order.status": "WONDERFUL"}}`},
	{"transactworld lies about the amount", `{"gateway": "transactworld", "call": "payments-id", "set": {"amount": "1.00"}}`},
	{"transactworld has a new status", `{"gateway": "transactworld", "call": "payments-id", "set": {"status": "wonderful", "transactionStatus": "W"}}`},
	{"sber has a new status", `{"gateway": "sber", "call": "transactions/find", "set": {"status": "WONDERFUL"}}`},
}

func (w *World) lie(n int) {
	var mine []struct{ what, json string } // of gateways that somebody pays with
	for _, l := range lies {
		if gateway, _, _ := strings.Cut(l.what, " "); slices.Contains(w.Profile.Accounts, gateway) {
			mine = append(mine, l)
		}
	}
	f := mine[w.between("lies", "", n, 0, len(mine)-1)]
	w.script(f.what, strings.TrimSuffix(f.json, "}")+fmt.Sprintf(`, "do": "set", "times": %d}`, 1+w.between("lies for", "", n, 0, 3)))
	time.Sleep(time.Duration(w.between("lies until", "", n, int(20*time.Second), int(3*time.Minute))))
	_, _ = ask(w.observer, http.MethodDelete, sandboxURL+"/faults", "", nil, &struct{}{}) // what nobody asked for is not told a day later
}

func (w *World) script(what, json string) {
	w.tracef("from now on, once: %s", what)
	if _, err := ask(w.observer, http.MethodPost, sandboxURL+"/faults", "", []byte(json), &[]any{}); err != nil {
		w.tracef("the gateways are not there: %v", err)
		return
	}
	w.reach(what)
}

// forge posts what looks like a gateway's callback and is not signed by it: of a payment that somebody makes, with news that is wrong.
func (w *World) forge(n int) {
	w.mu.Lock()
	name := ""
	for _, who := range w.owners { // any of them: which one is decided below
		if name == "" || who < name {
			name = who
		}
	}
	w.mu.Unlock()
	if name == "" {
		return
	}
	account := w.Profile.Accounts[w.between("forged for", "", n, 0, len(w.Profile.Accounts)-1)]
	reference := fmt.Sprintf("%s%s-%d", orderPrefix, name, w.between("forged attempt", "", n, 1, 2))
	forms := map[string]string{
		"rbs":        "mdOrder=00000000-0000-0000-0000-000000000000&orderNumber=" + reference + "&operation=deposited&status=1&checksum=00AA",
		"payneteasy": "status=approved&merchant_order=" + reference + "&client_orderid=" + reference + "&orderid=1&type=sale&amount=12345.00&control=00aa",
		"cashier":    `{"order":{"number":"` + reference + `","status":"AUTHORIZED"}}`,
		"transactworld": `{"merchantTransactionId":"` + reference + `","status":"authsuccess","transactionStatus":"Y","checksum":"00aa",` +
			`"amount":"12345.00","paymentId":"1"}`,
		"sber": "status=DEPOSITED&orderNumber=" + reference,
	}
	body := forms[account]
	url := frontURL + "/callbacks/" + account
	method := http.MethodPost
	if account == "rbs" || account == "payneteasy" {
		method, url, body = http.MethodGet, url+"?"+body, ""
	}
	req, err := http.NewRequest(method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Payment-Sign", "AAAA")
	w.tracef("somebody forges a callback to %s about %s", account, reference)
	res, err := w.observer.Do(req)
	if err != nil {
		return
	}
	_ = res.Body.Close()
	w.reach("a forged callback")
}

// crashSandbox cuts the gateways and the bank off in the middle of whatever they do. They come back with what they had written
// down; what they had answered and was on its way arrives.
func (w *World) crashSandbox(n int) {
	if n > w.Profile.Crashes {
		return
	}
	w.mu.Lock()
	p := w.sandbox
	w.mu.Unlock()
	w.tracef("the gateways and the bank CRASH")
	w.reach("a crash of the gateways")
	w.mu.Lock()
	w.tally.Crashes++
	w.mu.Unlock()
	p.die()
	<-p.ended
	time.Sleep(time.Duration(w.between("gateways away", "", n, 100, 30_000)) * time.Millisecond)
	w.mu.Lock()
	over := w.over
	w.mu.Unlock()
	if !over {
		w.startSandbox()
		w.tracef("the gateways and the bank are back")
	}
}

// jump sets the clock of a running front to another wrong time, as its operator or a time server may.
func (w *World) jump(n int) {
	all := w.alive()
	if len(all) == 0 {
		return
	}
	p := all[w.between("jumps", "", n, 0, len(all)-1)]
	most := int(w.Profile.Skew / time.Millisecond)
	to := time.Duration(w.between("jumps to", "", n, -most, most)) * time.Millisecond
	w.tracef("the clock of %s jumps by %s", p.name, to-time.Duration(p.wrong.Load()))
	w.reach("a clock that jumps")
	p.wrong.Store(int64(to))
}

// otherKey is the key of a second merchant, who sells nothing: whatever it is told is a leak.
const otherKey = "sk_simulation_of_another_merchant"

func (w *World) withOtherMerchant(c *config.Config) {
	c.Merchants = append(c.Merchants, config.Merchant{ID: "other", Name: "Other shop", APIKeys: []string{otherKey}, Accounts: []string{"rbs-own"}})
}
