package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"tollgate/internal/app"
)

// errBraked says that the front takes nothing new just now.
var errBraked = errors.New("told to come back later")

// shopper has a browser without script: it follows redirects, sends forms, opens frames, and looks again while it waits.
type shopper struct {
	w       *world
	cookies map[string]string        // of the front
	own     func(took time.Duration) // told what each request to the front took
	from    string                   // the address that a proxy names; "": none
}

type page struct {
	at   *url.URL
	code int
	body []byte
}

// get is one request, with the redirects that follow it.
func (b *shopper) send(ctx context.Context, method, to string, form url.Values) (page, error) {
	for range 10 {
		var body io.Reader
		if method == http.MethodPost {
			body = strings.NewReader(form.Encode())
		}
		r, err := http.NewRequestWithContext(ctx, method, to, body)
		if err != nil {
			return page{}, err
		}
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r.Header.Set("Accept-Language", "en")
		r.Header.Set("User-Agent", "Mozilla/5.0 (bench)")
		front := b.atFront(r.URL)
		if front {
			if b.from != "" {
				r.Header.Set("X-Forwarded-For", b.from)
			}
			for name, value := range b.cookies {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
		}
		begun := time.Now()
		res, err := b.w.client.Do(r)
		if err != nil {
			return page{}, err
		}
		raw, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			return page{}, err
		}
		if front {
			if b.own != nil {
				b.own(time.Since(begun))
			}
			for _, c := range res.Cookies() {
				b.cookies[c.Name] = c.Value
			}
		}
		if res.StatusCode == http.StatusServiceUnavailable {
			return page{}, errBraked
		}
		if res.StatusCode < 300 || res.StatusCode > 399 {
			if res.StatusCode >= 400 && (res.StatusCode != http.StatusTooManyRequests || !bytes.Contains(raw, []byte(`data-bits="`))) {
				return page{}, fmt.Errorf("%s %s: %d", method, to, res.StatusCode)
			}
			return page{r.URL, res.StatusCode, raw}, nil
		}
		next, err := r.URL.Parse(res.Header.Get("Location"))
		if err != nil {
			return page{}, err
		}
		method, to = http.MethodGet, next.String()
	}
	return page{}, errors.New("too many redirects")
}

func (b *shopper) atFront(u *url.URL) bool {
	for _, f := range b.w.fronts {
		if f.said["url"] == u.Scheme+"://"+u.Host {
			return true
		}
	}
	return false
}

// form reads the form that follows a mark in a page, with the values of its inputs.
func (p page) form(mark string) (action string, values url.Values, ok bool) {
	text := string(p.body)
	at := strings.Index(text, mark)
	if at < 0 {
		return "", nil, false
	}
	begin := strings.LastIndex(text[:at+len(mark)], "<form")
	if begin < 0 {
		return "", nil, false
	}
	text = text[begin:]
	if end := strings.Index(text, "</form>"); end >= 0 {
		text = text[:end]
	}
	action = attribute(text[:strings.IndexByte(text, '>')], "action")
	values = url.Values{}
	for {
		i := strings.Index(text, "<input")
		if i < 0 {
			break
		}
		text = text[i+len("<input"):]
		end := strings.IndexByte(text, '>')
		if end < 0 {
			break
		}
		// Of what may be chosen, what is chosen already.
		kind := attribute(text[:end], "type")
		left := (kind == "radio" || kind == "checkbox") && !strings.Contains(text[:end], " checked")
		if name := attribute(text[:end], "name"); name != "" && !left {
			values.Set(name, attribute(text[:end], "value"))
		}
	}
	to, err := p.at.Parse(action)
	if err != nil {
		return "", nil, false
	}
	return to.String(), values, true
}

func attribute(tag, name string) string {
	_, rest, ok := strings.Cut(tag, " "+name+`="`)
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, `"`)
	return html.UnescapeString(value)
}

func (p page) has(mark string) bool { return bytes.Contains(p.body, []byte(mark)) }

// challenged is a card that the bank asks a code for.
const challenged = "4000019900020704"

// create makes a session, as the shop does.
func (w *world) create(ctx context.Context, more map[string]any) (address string, err error) {
	n := atomic.AddInt64(&w.orders, 1)
	body := map[string]any{
		"account": "rbs", "amount": 1990, "currency": "RUB", "order_id": fmt.Sprintf("b%d-%d", w.begun, n),
		"success_url": "https://shop.example/ok", "cancel_url": "https://shop.example/no",
	}
	for k, v := range more {
		body[k] = v
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.front(n)+"/v1/sessions", bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+app.DemoKey)
	r.Header.Set("Content-Type", "application/json")
	res, err := w.client.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode == http.StatusServiceUnavailable {
		return "", errBraked
	}
	if res.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("create: %d %s", res.StatusCode, answer)
	}
	var made struct{ URL string }
	if err := json.Unmarshal(answer, &made); err != nil {
		return "", err
	}
	to, err := url.Parse(made.URL)
	if err != nil {
		return "", err
	}
	return w.front(n) + to.Path, nil
}

// cancel ends a session, as the shop may.
func (w *world) cancel(ctx context.Context, address string) error {
	id := address[strings.LastIndexByte(address, '/')+1:]
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.front(0)+"/v1/sessions/"+id+"/cancel", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+app.DemoKey)
	res, err := w.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("cancel: %d %w", res.StatusCode, err)
	}
	return nil
}

// pay takes a payment from its card page to its end.
func (b *shopper) pay(ctx context.Context, address string) error {
	p, err := b.send(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	framed := map[string]bool{}
	for looks := 0; looks < 400; looks++ {
		wait := 50 * time.Millisecond
		switch {
		case p.has(`id="continue"`):
			if !p.has(`mark good`) {
				return errors.New("the payment failed")
			}
			return nil
		case p.has(`id="card"`):
			action, form, ok := p.form(`id="card"`)
			if !ok {
				return errors.New("the card form cannot be read")
			}
			for name, value := range map[string]string{
				"number": challenged, "expiry": time.Now().AddDate(2, 0, 0).Format("01/06"), "cvc": "123", "name": "TEST SHOPPER",
				"browserLanguage": "en", "browserColorDepth": "24", "browserScreenHeight": "900", "browserScreenWidth": "1440", "browserTZ": "-300",
			} {
				form.Set(name, value)
			}
			if task := form.Get("task"); task != "" { // the browser's work
				_, bits, _ := strings.Cut(string(p.body), `data-bits="`)
				bits, _, _ = strings.Cut(bits, `"`)
				form.Set("task_number", solve(task, bits))
			}
			if p, err = b.send(ctx, http.MethodPost, action, form); err != nil {
				return err
			}
			continue
		case p.has(`class="unseen"`):
			again, err := b.frames(ctx, p, framed)
			if err != nil {
				return err
			}
			if again {
				wait = 0
			}
		case p.has(`id="bank"`):
			for p.has(`<form`) && (p.has(`id="bank"`) || !b.atFront(p.at)) {
				mark := "<form"
				if i := bytes.LastIndex(p.body, []byte("<form")); i >= 0 && !b.atFront(p.at) {
					mark = string(p.body[i:min(len(p.body), i+60)])
				}
				action, form, ok := p.form(mark)
				if !ok {
					return errors.New("the bank's form cannot be read")
				}
				if p, err = b.send(ctx, http.MethodPost, action, form); err != nil {
					return err
				}
			}
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if p, err = b.send(ctx, http.MethodGet, address, nil); err != nil {
			return err
		}
	}
	return errors.New("the payment does not end")
}

// frames opens the hidden frames that were not opened yet.
func (b *shopper) frames(ctx context.Context, p page, opened map[string]bool) (any bool, err error) {
	rest := string(p.body)
	for {
		_, after, ok := strings.Cut(rest, `<iframe class="unseen"`)
		if !ok {
			return any, nil
		}
		rest = after
		src := attribute(rest[:strings.IndexByte(rest, '>')], "src")
		if opened[src] {
			continue
		}
		opened[src], any = true, true
		to, err := p.at.Parse(src)
		if err != nil {
			return any, err
		}
		in, err := b.send(ctx, http.MethodGet, to.String(), nil)
		for err == nil && in.has("<form") {
			action, form, ok := in.form("<form")
			if !ok {
				break
			}
			in, err = b.send(ctx, http.MethodPost, action, form)
		}
		if err != nil {
			return any, err
		}
	}
}
