package flow_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/providers/cashier"
	"tollgate/providers/payneteasy"
	"tollgate/providers/rbs"
	"tollgate/providers/sber"
	"tollgate/providers/transactworld"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/threeds"
)

// wires is a gateway by its wire alone: it answers each call by its script, and keeps what was called. An answer that begins with a
// status and a blank ("429 …") has that status; "cut" is a dead connection.
type wires struct {
	mu   sync.Mutex
	says map[string]func(form url.Values) string
	seen []string
	last map[string]url.Values
}

func (w *wires) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, _ := url.ParseQuery(string(raw))
	call := callOf(r.Method, r.URL.Path)
	switch {
	case call == "payments" && form.Get("paymentType") == "IN":
		call = "inquiry"
	case call == "payments":
		call += " " + form.Get("paymentType")
	}
	w.mu.Lock()
	w.seen = append(w.seen, call)
	w.last[call] = form
	say := w.says[call]
	w.mu.Unlock()
	body := "404 "
	if say != nil {
		body = say(form)
	}
	if body == "cut" {
		return nil, errCut
	}
	status, header := http.StatusOK, http.Header{}
	if code, rest, ok := strings.Cut(body, " "); ok && len(code) == 3 {
		if n, err := strconv.Atoi(code); err == nil {
			status, body = n, rest
			if n == http.StatusTooManyRequests {
				header.Set("Retry-After", "60")
			}
		}
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)), Request: r,
	}, nil
}

// callOf is the name of a call by its path, without numbers and the account's own parts.
func callOf(method, path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	name := parts[len(parts)-1]
	for len(parts) > 1 && (strings.Trim(name, "0123456789") == "" || len(name) > 30) {
		parts = parts[:len(parts)-1]
		name = parts[len(parts)-1]
	}
	if name == "start" || name == "finish" || name == "find" {
		name = parts[len(parts)-2] + "/" + name
	}
	if method == http.MethodGet {
		return "GET " + name
	}
	return name
}

func (w *wires) on(call string, say func(form url.Values) string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.says[call] = say
}

// answers makes a call answer the same again and again.
func (w *wires) answers(call, body string) {
	w.on(call, func(url.Values) string { return body })
}

// called counts the calls of a name.
func (w *wires) called(call string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, s := range w.seen {
		if s == call {
			n++
		}
	}
	return n
}

// wiredHouse is a house whose account is of a real provider, on wires.
func wiredHouse(t *testing.T, gateway string, tune ...func(*house)) (*house, *wires) {
	t.Helper()
	w := &wires{says: map[string]func(url.Values) string{}, last: map[string]url.Values{}}
	h := newHouse(t, append([]func(*house){func(h *house) {
		env := providers.Env{HTTP: &http.Client{Transport: w}, Now: h.now, Loopback: true}
		var config providers.Config
		switch gateway {
		case "rbs":
			config = &rbs.Config{BaseURL: "https://gate.example/payment/rest/", UserName: "u", Password: providers.NewSecret("pass-word-1")}
		case "payneteasy":
			config = &payneteasy.Config{
				BaseURL: "https://gate.example/paynet", EndpointID: "4", Login: "shop", MerchantControl: providers.NewSecret("00000000-1111-2222-3333-444444444444"),
				Billing: payneteasy.Billing{FirstName: "A", LastName: "B", Address: "Street 1", City: "Almaty", Zip: "050000", Country: "KZ", Phone: "+77000000000", Email: "a@b.example"},
			}
		case "transactworld":
			config = &transactworld.Config{BaseURL: "https://gate.example", MemberID: "12754", PartnerID: "175", Username: "doc", SecureKey: providers.NewSecret("TESTSECUREKEY0000000000000000000")}
		case "cashier":
			config = &cashier.Config{
				BaseURL: "https://gate.example/api/v1", IdentityURL: "https://id.example/api/v1", FormURL: "https://form.example", Login: "a@b.example",
				Password: providers.NewSecret("Password123"), TSPID: 1, TSPCode: "shop",
			}
		case "sber":
			config = &sber.Config{BaseURL: "https://gate.example/sbersafe", MerchantLogin: "merchant"}
		}
		p, err := config.Open(env)
		if err != nil {
			t.Fatal(err)
		}
		h.acc.Gateway, h.acc.Provider, h.coin = gateway, p, "RUB"
	}}, tune...)...)
	s := h.session()
	s.Amount.Minor = 10000
	if err := h.store.Save(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
	return h, w
}

const (
	rbsID      = "11111111-aaaa-4aaa-8aaa-111111111111"
	cashierID  = "60fbe28e-3219-448c-b792-7f6a49fe1d39"
	peAccepted = "type=async-response\n&merchant-order-id=order-1\n&paynet-order-id=77\n&serial-number=s\n"
	pePaid     = "status=approved\n&transaction-type=sale\n&amount=100.00\n&currency=RUB"
	peRepeated = "type=validation-error\n&error-message=Duplicate+client_orderid\n&error-code=8\n"
	twPaid     = `"transactionStatus":"Y","status":"capturesuccess","amount":"100.00","captureamount":"100.00","refundamount":"0.00"`
	twRepeated = `{"paymentId":"-","transactionStatus":"N","status":"failed","result":{"code":"20003","description":"Duplicate merchantTransactionId"}}`
	twOther    = `,"card":{"bin":"411111","last4Digits":"9999"}`
	twSame     = `,"card":{"bin":"400001","last4Digits":"0704"}`
	rbsPaid    = `"orderStatus":2,"actionCode":0,"paymentAmountInfo":{"approvedAmount":10000,"depositedAmount":10000,"refundedAmount":0}`
)

func rbsOrder(more string) string {
	return `{"errorCode":"0","orderNumber":"order-1","amount":10000,"currency":"643","attributes":[{"name":"mdOrder","value":"` + rbsID + `"}],` + more + `}`
}

func peOrder(more string) string {
	return "type=status-response\n&merchant-order-id=order-1\n&paynet-order-id=77\n&serial-number=s\n&" + more + "\n"
}

func twOrder(more string) string {
	return `{"paymentId":"54289","merchantTransactionId":"order-1","currency":"RUB","result":{"code":"00026","description":"found"},` + more + `}`
}

func cashierOrder(more string) string {
	return `{"success":true,"description":"","order":{"id":123456,"merchantOrderId":"order-1","externalOrderId":"` + cashierID +
		`","paymentAmount":10000,"paymentCurrency":"RUB",` + more + `}}`
}

// works makes a gateway take every payment.
func (w *wires) works() {
	w.answers("register.do", `{"orderId":"`+rbsID+`","formUrl":"https://gate.example/f"}`)
	w.answers("paymentorder.do", `{"errorCode":0,"redirect":"https://x.example","info":"ok"}`)
	w.answers("getOrderStatusExtended.do", rbsOrder(rbsPaid))
	w.answers("decline.do", `{"errorCode":0}`)
	w.answers("sale", peAccepted)
	w.answers("status", peOrder(pePaid))
	w.answers("return", strings.Replace(peAccepted, "=s", "=r1", 1))
	w.answers("authToken", `{"partnerId":"175","memberId":"12754","result":{"code":"200"},"LoginName":"doc","AuthToken":"t"}`)
	w.answers("payments DB", `{"paymentId":"54289","merchantTransactionId":"order-1","transactionStatus":"Y","status":"capturesuccess","result":{"code":"00001"}}`)
	w.answers("inquiry", twOrder(twPaid))
	w.answers("login", `{"success":true,"description":"","accessToken":"t","expiresAccess":"1999999999","refreshToken":"r","expiresRefresh":"1999999999"}`)
	w.answers("order", cashierOrder(`"status":"CREATED"`))
	w.answers("shop", `{"success":true,"id":123456,"externalOrderId":"`+cashierID+`"}`)
	w.answers("authorize", `{"Order":{"OrderId":"`+cashierID+`","MerchantOrderId":"order-1","Status":"CHARGED"},"Response":{"Success":true}}`)
	w.answers("GET order", cashierOrder(`"status":"CHARGED"`))
}

// What gateways say in their own words, and what becomes of the payment.
func TestWhatGatewaysSayBecomesWhatThePaymentIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		gateway, name string
		says          func(w *wires) // before the card is sent
		then          func(w *wires) // once it is paid
		wait          time.Duration
		status        session.Status
		state         session.State
		review        bool
		tries         int
		told          string // the last event
	}{
		{gateway: "rbs", name: "paid, approvedAmount alone", says: func(w *wires) {
			w.answers("getOrderStatusExtended.do", rbsOrder(`"orderStatus":2,"paymentAmountInfo":{"approvedAmount":10000}`))
		}, status: session.StatusPaid, state: session.Paid, tries: 4, told: "payment.paid"},
		{gateway: "rbs", name: "given back in part, refundedAmount not stated", then: func(w *wires) {
			w.answers("getOrderStatusExtended.do", rbsOrder(`"orderStatus":4,"paymentAmountInfo":{"approvedAmount":10000,"depositedAmount":5000}`))
		}, wait: 2 * time.Hour, status: session.StatusPaid, state: session.Paid, review: true, tries: 4, told: "payment.needs_review"},
		{gateway: "rbs", name: "charged back, and told as given back", then: func(w *wires) {
			w.answers("getOrderStatusExtended.do", rbsOrder(
				`"orderStatus":4,"chargeback":true,"paymentAmountInfo":{"approvedAmount":10000,"depositedAmount":0,"refundedAmount":10000}`))
		}, wait: 2 * time.Hour, status: session.StatusRefunded, state: session.Paid, tries: 4, told: "payment.chargeback"},
		{gateway: "rbs", name: "too busy to register", says: func(w *wires) { w.answers("register.do", "429 busy") },
			status: session.StatusOpen, state: session.Failed, tries: 5, told: "payment.failed"},
		{gateway: "payneteasy", name: "our address is refused", says: func(w *wires) {
			w.answers("sale", "type=validation-error\n&error-message=Request+from+not+allowed+IP\n&error-code=3\n")
		}, status: session.StatusOpen, state: session.Failed, tries: 5, told: "payment.failed"},
		{gateway: "payneteasy", name: "a chargeback, and nobody says whether what is gone was refunded before", then: func(w *wires) {
			w.answers("status", peOrder("status=approved\n&transaction-type=chargeback\n&amount=60.00\n&initial-amount=100.00\n&currency=RUB"))
		}, wait: 2 * time.Hour, status: session.StatusPaid, state: session.Paid, review: true, tries: 4, told: "payment.needs_review"},
		{gateway: "payneteasy", name: "a bank's page without an address, for as long as anyone asks", says: func(w *wires) {
			w.answers("status", peOrder("status=processing\n&transaction-type=sale\n&amount=100.00\n&currency=RUB\n&redirect-to=%2Fbank"))
		}, wait: 10 * time.Minute, status: session.StatusOpen, state: session.Declined, tries: 4, told: "payment.declined"},
		{gateway: "payneteasy", name: "a CReqForm that never has a CReq", says: func(w *wires) {
			w.answers("status", peOrder("status=processing\n&transaction-type=sale\n&amount=100.00\n&currency=RUB\n&tds_status=CReqForm"))
		}, wait: 10 * time.Minute, status: session.StatusOpen, state: session.Declined, tries: 4, told: "payment.declined"},
		{gateway: "payneteasy", name: "paid long before anybody had asked for it, with another card", says: func(w *wires) {
			w.answers("status", peOrder(pePaid+"\n&bin=411111\n&last-four-digits=9999\n&paynet-processing-date=2026-04-01+10%3A00%3A00+UTC"))
		}, status: session.StatusProcessing, state: session.Mismatched, review: true, tries: 4, told: "payment.needs_review"},
		{gateway: "payneteasy", name: "a number that was used, for our sum and with another card", says: func(w *wires) {
			w.answers("sale", peRepeated)
			w.answers("status", peOrder(pePaid+"\n&bin=411111\n&last-four-digits=9999"))
		}, status: session.StatusProcessing, state: session.Mismatched, review: true, tries: 4, told: "payment.needs_review"},
		{gateway: "payneteasy", name: "a number that was used, for our sum and with this card", says: func(w *wires) {
			w.answers("sale", peRepeated)
			w.answers("status", peOrder(pePaid+"\n&bin=400001\n&last-four-digits=0704"))
		}, status: session.StatusPaid, state: session.Paid, tries: 4, told: "payment.paid"},
		{gateway: "transactworld", name: "a number that was used, for our sum and with another card", says: func(w *wires) {
			w.answers("payments DB", twRepeated)
			w.answers("inquiry", twOrder(twPaid+twOther))
		}, status: session.StatusProcessing, state: session.Mismatched, review: true, tries: 4, told: "payment.needs_review"},
		{gateway: "transactworld", name: "a number that was used, for our sum and with this card", says: func(w *wires) {
			w.answers("payments DB", twRepeated)
			w.answers("inquiry", twOrder(twPaid+twSame))
		}, status: session.StatusPaid, state: session.Paid, tries: 4, told: "payment.paid"},
		{gateway: "transactworld", name: "no token is to be had", says: func(w *wires) { w.answers("authToken", "500 <html>") },
			status: session.StatusOpen, state: session.Failed, tries: 4, told: "payment.failed"},
		{gateway: "cashier", name: "another's order, given back, has our number", says: func(w *wires) {
			first := true
			w.on("order", func(url.Values) string {
				if first {
					first = false
					return cashierOrder(`"status":"REFUNDED"`)
				}
				w.answers("GET order", strings.ReplaceAll(cashierOrder(`"status":"CHARGED"`), "order-1", "order-2"))
				w.answers("authorize", `{"Order":{"OrderId":"`+cashierID+`","MerchantOrderId":"order-2","Status":"CHARGED"},"Response":{"Success":true}}`)
				return strings.ReplaceAll(cashierOrder(`"status":"CREATED"`), "order-1", "order-2")
			})
		}, status: session.StatusPaid, state: session.Paid, tries: 4, told: "payment.paid"},
	} {
		t.Run(c.gateway+", "+c.name, func(t *testing.T) {
			h, w := wiredHouse(t, c.gateway)
			w.works()
			if c.says != nil {
				c.says(w)
			}
			h.submit()
			if c.then != nil {
				c.then(w)
			}
			h.forward(max(c.wait, time.Minute))
			s, a, events := h.session(), h.last(), h.events()
			if s.Status() != c.status || a.State != c.state || s.NeedsReview() != c.review || s.TriesLeft() != c.tries || events[len(events)-1] != c.told {
				t.Errorf("%s, attempt %d %s (%s, %v), review %v, %d tries left; %v", s.Status(), a.N, a.State, a.Mismatch, a.Decline, s.NeedsReview(), s.TriesLeft(), events)
			}
		})
	}
}

// The gateway has an order of another system under our number, which is about another sum: the next number is taken with the same
// card, and the shopper notices nothing.
func TestANumberOfAnotherSystemsIsPassedOverWithTheSameCard(t *testing.T) {
	t.Parallel()
	for gateway, says := range map[string]func(w *wires){
		"payneteasy": func(w *wires) {
			w.on("sale", func(form url.Values) string {
				if form.Get("client_orderid") == "order-1" {
					return peRepeated
				}
				return strings.ReplaceAll(peAccepted, "order-1", "order-2")
			})
			w.on("status", func(form url.Values) string {
				if form.Get("client_orderid") == "order-1" {
					return peOrder(strings.Replace(pePaid, "100.00", "55.00", 1))
				}
				return strings.ReplaceAll(peOrder(pePaid), "order-1", "order-2")
			})
		},
		"transactworld": func(w *wires) {
			w.on("payments DB", func(form url.Values) string {
				if form.Get("merchantTransactionId") == "order-1" {
					return twRepeated
				}
				w.answers("inquiry", strings.ReplaceAll(twOrder(twPaid), "order-1", "order-2"))
				return `{"paymentId":"54289","merchantTransactionId":"order-2","transactionStatus":"Y","status":"capturesuccess","result":{"code":"00001"}}`
			})
			w.answers("inquiry", twOrder(`"transactionStatus":"Y","status":"capturesuccess","amount":"55.00"`))
		},
	} {
		t.Run(gateway, func(t *testing.T) {
			h, w := wiredHouse(t, gateway)
			w.works()
			says(w)
			h.submitOnly()
			h.await(1, "pay.stored")
			if a := h.is(session.Paid); a.N != 2 || a.Ref.Reference != "order-2" || h.session().TriesLeft() != session.MaxAttempts-1 {
				t.Errorf("attempt %d, %s, %d tries left", a.N, a.Ref.Reference, h.session().TriesLeft())
			}
			h.forward(72 * time.Hour)
			if s := h.session(); s.Status() != session.StatusPaid || s.NeedsReview() {
				t.Errorf("later: %s, review %v; %v", s.Status(), s.NeedsReview(), h.events())
			}
		})
	}
}

// A page of the gateway's that can be left by no proof is outlived: until the order's life is over no second card begins and nobody may
// cancel; then the second card pays, once, and what the first page brings late is asked about and changes nothing.
func TestARedirectToIsOutlivedAndTheSecondCardPaysOnce(t *testing.T) {
	t.Parallel()
	h, w := wiredHouse(t, "payneteasy")
	w.works()
	s := h.session()
	s.ExpiresAt = h.now().Add(72 * time.Hour)
	if err := h.store.Save(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
	w.answers("status", peOrder("status=processing\n&transaction-type=sale\n&amount=100.00\n&currency=RUB\n&redirect-to=https%3A%2F%2Fbank.example%2Fpage"))
	h.submit()
	h.forward(time.Minute)
	a := h.is(session.Shopper)
	first := a.Run().Token
	if a.Step.Kind != providers.Redirect || a.Step.Link != "https://bank.example/page" {
		t.Fatalf("%+v", a.Step)
	}
	for range 2 { // Back, and Back again
		_, _ = h.returned(first, threeds.Reply{Method: "GET"})
		h.forward(10 * time.Minute)
		if err := h.leave(); !errors.Is(err, session.ErrBusy) {
			t.Errorf("another card: %v", err)
		}
		if err := h.cancel(); !errors.Is(err, session.ErrBusy) {
			t.Errorf("cancel: %v", err)
		}
	}
	if err := h.flow.Submit(t.Context(), h.id, flow.Submission{Card: theCard}); !errors.Is(err, session.ErrBusy) {
		t.Errorf("a second card: %v", err)
	}
	h.forward(26 * time.Hour)
	if a := h.last(); a.N != 1 || a.State.Live() || a.State.Funded() {
		t.Fatalf("attempt %d is %s; %v", a.N, a.State, h.events())
	}
	w.on("status", func(form url.Values) string {
		if form.Get("client_orderid") == "order-1" {
			return peOrder("status=declined\n&transaction-type=sale\n&amount=100.00\n&currency=RUB")
		}
		return strings.ReplaceAll(peOrder(pePaid), "order-1", "order-2")
	})
	w.answers("sale", strings.ReplaceAll(peAccepted, "order-1", "order-2"))
	h.submit()
	h.forward(time.Minute)
	_, _ = h.returned(first, threeds.Reply{Method: "POST", Extra: map[string]string{"status": "approved"}})
	h.forward(time.Hour)
	if a := h.is(session.Paid); a.N != 2 || h.session().Status() != session.StatusPaid || w.called("sale") != 2 {
		t.Errorf("attempt %d, %s, %d sales", a.N, h.session().Status(), w.called("sale"))
	}
}
