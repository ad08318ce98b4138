package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"tollgate/internal/app"
)

// orderPrefix begins every order id; the shopper's name follows. There are no digits, which could look like a card's.
const orderPrefix = "order."

// order is what the shop asks for; it repeats what was not answered, under the same key.
func (s *shopper) order() (url string, ok bool) {
	w := s.w
	order := map[string]any{
		"account": s.account, "amount": price, "currency": currencies[s.account], "order_id": s.orderID,
		"webhook_url": "http://" + receiverAddr + "/hook", "expires_in": []int{600, 1800, 86400}[s.pick(3, "expires in")],
		"success_url": sandboxURL + "/shop/done?from=shop", "cancel_url": sandboxURL + "/shop/done",
	}
	if s.honest {
		order["expires_in"] = 86400
	}
	if s.hold {
		order["capture"] = "manual"
	}
	customer := map[string]any{"id": s.customer(), "email": "shopper@example.com"}
	switch s.story {
	case onHosted:
		order["payment_method"] = "hosted"
	case byQR:
		order["payment_method"] = "qr"
	case bySberPay:
		order["payment_method"] = "sberpay"
	case saving:
		order["save_card"] = true
		order["customer"] = customer
	case bySaved:
		order["payment_method"] = "saved_card"
		order["customer"] = customer
	case transfer:
		order["kind"] = "transfer"
	}
	if s.account == "sber" {
		delete(order, "customer") // its customers log in
	}
	for k, v := range s.more {
		order[k] = v
	}
	body, err := json.Marshal(order)
	if err != nil {
		panic(err)
	}
	out := &http.Transport{DialContext: w.net.dialer("shop "+s.name, nil), DisableKeepAlives: true}
	client := &http.Client{Timeout: 30 * time.Second, Transport: out}
	w.reach("an order of " + s.account)
	for range 60 {
		var made struct{ ID, URL string }
		status, err := ask(client, http.MethodPost, frontURL+"/v1/sessions", s.orderID, body, &made)
		if err == nil && status == http.StatusCreated {
			s.id = made.ID
			w.owns(made.ID, s.name)
			return made.URL, true
		}
		w.tracef("%s's order is answered %d %v", s.name, status, err)
		if status == http.StatusUnprocessableEntity || status == http.StatusBadRequest {
			w.violation("%s's order is refused: %s", s.name, body)
			return "", false
		}
		time.Sleep(time.Second + time.Duration(s.pick(2000, "order again"))*time.Millisecond)
	}
	return "", false
}

// customer is how the shop calls whoever orders.
func (s *shopper) customer() string {
	name, _, _ := strings.Cut(s.name, ".")
	return "customer-" + name
}

const price = 1234500

var currencies = map[string]string{"rbs": "KZT", "payneteasy": "KZT", "sber": "KZT", "cashier": "RUB", "transactworld": "KZT"}

// ask calls an API with the demo merchant's key.
func ask(client *http.Client, method, url, key string, body []byte, answer any) (int, error) {
	return askAs(client, app.DemoKey, method, url, key, body, answer)
}

func askAs(client *http.Client, secret, method, url, key string, body []byte, answer any) (int, error) {
	ctx, done := context.WithTimeout(context.Background(), 20*time.Second)
	defer done()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode < 300 {
		err = json.Unmarshal(raw, answer)
	}
	return res.StatusCode, err
}

// observe is ask without trouble or delay.
func (w *World) observe(url string, answer any) error {
	status, err := ask(w.observer, http.MethodGet, url, "", nil, answer)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s answered %d", url, status)
	}
	return err
}

// receiver is the merchant's webhook endpoint. While there is trouble, it fails now and then.
type receiver struct {
	w      *World
	server *http.Server

	mu  sync.Mutex
	got map[string][]delivery // by session, in order of arrival
}

type delivery struct {
	id, body string
	n        int
	taken    bool
}

func newReceiver(w *World) *receiver {
	r := &receiver{w: w, got: map[string][]delivery{}}
	r.server = &http.Server{Handler: r}
	l := w.net.listen(receiverAddr, nil)
	w.running.Go(func() { _ = r.server.Serve(l) })
	return r
}

func (r *receiver) close() { _ = r.server.Close() }

func (r *receiver) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return // cut off
	}
	var event struct {
		N    int
		Data struct{ Session string }
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		r.w.violation("a webhook that is none: %v", err)
		return
	}
	d := delivery{id: req.Header.Get("Webhook-Id"), body: string(raw), n: event.N}
	d.taken = true
	if does := r.feels(); does != takes {
		r.w.reach("a receiver that " + string(does))
		switch does {
		case isSlow:
			time.Sleep(8 * time.Second)
		case hangs:
			time.Sleep(40 * time.Second)
			d.taken = false
		case takesAndFails: // it has the event, and says that it has not
		default:
			d.taken = false
		}
		defer rw.WriteHeader(map[mood]int{isDown: 503, refuses: 400, takesAndFails: 500, hangs: 504, isSlow: 200}[does])
	}
	r.mu.Lock()
	r.got[event.Data.Session] = append(r.got[event.Data.Session], d)
	r.mu.Unlock()
}

// mood is what the receiver does with a webhook.
type mood string

const (
	takes         mood = ""
	isDown        mood = "is down"
	isSlow        mood = "is slow"
	hangs         mood = "hangs"
	refuses       mood = "refuses"
	takesAndFails mood = "takes and fails"
)

// feels changes now and then: a receiver that is down is so for a while.
func (r *receiver) feels() mood {
	w := r.w
	if !w.troubled() {
		return takes
	}
	if w.Profile.Receiver {
		minute := int(time.Since(w.began) / (3 * time.Minute))
		if w.strikes(0.3, "receiver", "down", minute) {
			return []mood{isDown, refuses, hangs, isDown}[w.between("receiver does", "", minute, 0, 3)]
		}
	}
	if (w.Profile.Receiver || w.Profile.Kills > 0) && w.chance(0.1, "webhook not taken", "") {
		return []mood{isDown, takesAndFails, isSlow}[w.pick(3, "webhook", "not taken")]
	}
	return takes
}
