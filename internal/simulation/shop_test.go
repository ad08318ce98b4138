package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"tollgate/internal/app"
)

// orderPrefix begins every order id; the shopper's name follows. There are no digits, which could look like a card's.
const orderPrefix = "order."

// order is what the shop asks for; it repeats what was not answered, under the same key.
func (s *shopper) order() (url string, ok bool) {
	w := s.w
	capture := "automatic"
	if s.hold {
		capture = "manual"
	}
	body, err := json.Marshal(map[string]any{
		"capture": capture, "account": s.account, "amount": price, "currency": currencies[s.account], "order_id": s.orderID,
		"webhook_url": "http://" + receiverAddr + "/hook", "expires_in": []int{600, 1800, 86400}[s.pick(3, "expires in")],
		"success_url": sandboxURL + "/shop/done?from=shop", "cancel_url": sandboxURL + "/shop/done",
	})
	if err != nil {
		panic(err)
	}
	out := &http.Transport{DialContext: w.net.dialer("shop "+s.name, nil), DisableKeepAlives: true}
	client := &http.Client{Timeout: 30 * time.Second, Transport: out}
	for range 60 {
		var made struct{ ID, URL string }
		status, err := ask(client, http.MethodPost, frontURL+"/v1/sessions", s.orderID, body, &made)
		if err == nil && status == http.StatusCreated {
			s.id = made.ID
			w.owns(made.ID, s.name)
			return made.URL, true
		}
		time.Sleep(time.Second + time.Duration(s.pick(2000, "order again"))*time.Millisecond)
	}
	return "", false
}

const price = 1234500

var currencies = map[string]string{"rbs": "KZT", "payneteasy": "KZT", "sber": "KZT", "cashier": "RUB", "transactworld": "KZT"}

// ask calls an API with the demo merchant's key.
func ask(client *http.Client, method, url, key string, body []byte, answer any) (int, error) {
	ctx, done := context.WithTimeout(context.Background(), 20*time.Second)
	defer done()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+app.DemoKey)
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
	d.taken = r.w.Profile.Kills == 0 || !r.w.troubled() || !r.w.chance(0.1, "webhook not taken", "")
	r.mu.Lock()
	r.got[event.Data.Session] = append(r.got[event.Data.Session], d)
	r.mu.Unlock()
	if !d.taken {
		rw.WriteHeader(http.StatusServiceUnavailable)
	}
}
