package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/app"
)

// attack is one hostile kind. Its requests differ in n, each from all others.
type attack struct {
	name string
	make func(n int) request
	hold time.Duration // how long a client stays, where the answer does not end
}

type request struct {
	method, path, body string
	header             map[string]string
}

func noise(n, length int) string {
	return strings.Repeat(fmt.Sprintf("%x-", n*2654435761), length/8+1)[:length]
}

// luhn is a number that passes for a card's, another each time.
func luhn(n int) string {
	digits := fmt.Sprintf("400123%09d", n%1_000_000_000)
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return digits + strconv.Itoa((10-sum%10)%10)
}

// cardsKind is the kind after which the alarm is waited for.
const cardsKind = "cards"

// victim is a payment page whose address the bot knows, and what the page gave to the bot's browser.
type victim struct{ path, cookies, csrf string }

// victim makes one, and looks at it once.
func (w *world) victim(ctx context.Context, account string) (v victim, err error) {
	at, err := w.create(ctx, map[string]any{"account": account})
	if err != nil {
		return v, err
	}
	b := &shopper{w: w, cookies: map[string]string{}, from: "203.0.113.7"}
	p, err := b.send(ctx, http.MethodGet, at, nil)
	if err != nil {
		return v, err
	}
	for name, value := range b.cookies {
		v.cookies += name + "=" + value + "; "
	}
	if _, values, ok := p.form(`name="csrf"`); ok {
		v.csrf = values.Get("csrf")
	}
	v.path = strings.TrimPrefix(at, w.front(0))
	return v, nil
}

// targets are the pages that the bot knows: such that take a card, and such that ask for a phone first.
type targets struct{ sessions, logins []victim }

// post is a form that the bot's own browser sends.
func (v victim) post(to string, form url.Values) request {
	form.Set("csrf", v.csrf)
	return request{http.MethodPost, v.path + to, form.Encode(), map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin", "Cookie": v.cookies,
	}}
}

func get(path string) request { return request{method: http.MethodGet, path: path} }

// ofMerchant is a request with a key that holds: a neighbour may be hostile as well.
func ofMerchant(method, path, body string, more map[string]string) request {
	header := map[string]string{"Authorization": "Bearer " + app.DemoKey, "Content-Type": "application/json"}
	for name, value := range more {
		header[name] = value
	}
	return request{method, path, body, header}
}

// attacks are the hostile kinds.
func (t *targets) attacks() []attack {
	return slices.Concat(t.names(), t.looks(), t.forgeries(), t.merchants(), t.forms())
}

// names are kinds in which a stranger chooses what a metric, a log line or a table could be kept under.
func (t *targets) names() []attack {
	return []attack{
		{name: "methods", make: func(n int) request {
			return request{method: "M" + strings.ReplaceAll(noise(n, 3000), "-", "X"), path: "/pay/x"}
		}},
		{name: "paths", make: func(n int) request { return get("/" + noise(n, 2000)) }},
		{name: "labels", make: func(n int) request {
			return get([]string{"/callbacks/", "/static/", "/look/", "/docs/", "/pay/x/", "/3ds/x/", "/gallery/"}[n%7] + noise(n, 60))
		}},
		{name: "headers", make: func(n int) request {
			return request{method: http.MethodGet, path: "/healthz", header: map[string]string{
				"X-Request-Id": noise(n, 20_000), "X-" + strings.ReplaceAll(noise(n, 30), "-", "z"): "1",
				"User-Agent": noise(n, 500), "Origin": noise(n, 100),
			}}
		}},
		{name: "hosts", make: func(n int) request {
			host := strings.Trim(noise(n, 60), "-") + ".example"
			return request{method: http.MethodGet, path: t.session(n).path, header: map[string]string{
				"Host": host, "X-Forwarded-Host": host, "X-Forwarded-Proto": noise(n, 8), "Forwarded": "host=" + host,
			}}
		}},
		{name: "languages", make: func(n int) request {
			return request{method: http.MethodGet, path: t.session(n).path, header: map[string]string{
				"Accept-Language": fmt.Sprintf("%s,ru;q=0.%d,kk-%s;q=0.1", noise(n, 8), n%10, noise(n, 6)), "Accept-Encoding": "gzip",
			}}
		}},
		{name: "cookies", make: func(n int) request {
			own := t.session(n).cookies
			return request{method: http.MethodGet, path: t.session(n).path, header: map[string]string{
				"Cookie": own[:min(len(own), 12)] + noise(n, 80) + "; a" + noise(n, 12) + "=" + noise(n, 2000),
			}}
		}},
		{name: "queries", make: func(n int) request {
			query := "?" + noise(n, 30) + "=" + noise(n, 500) + "&view=" + noise(n, 20)
			if n%2 == 0 {
				return ofMerchant(http.MethodGet, "/v1/sessions"+query, "", nil)
			}
			return get(t.session(n).path + query)
		}},
	}
}

func (t *targets) session(n int) victim { return t.sessions[n%len(t.sessions)] }
func (t *targets) login(n int) victim   { return t.logins[n%len(t.logins)] }

// looks are kinds that only look.
func (t *targets) looks() []attack {
	return []attack{
		{name: "ids", make: func(n int) request { return get("/pay/cs_" + noise(n, 40)) }},
		{name: "looks", make: func(n int) request { return get(t.session(n).path) }}, // without a cookie
		{name: "steps", make: func(n int) request {
			return get(fmt.Sprintf("%s/%s/%d", t.session(n).path, []string{"frame/1", "page", "new", noise(n, 20)}[n%4], n))
		}},
		{name: "streams", hold: 400 * time.Millisecond, make: func(n int) request { return get(t.session(n).path + "/events?view=" + noise(n, 16)) }},
	}
}

// forgeries are kinds that pass for somebody else's.
func (t *targets) forgeries() []attack {
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
	return []attack{
		{name: "sites", make: func(n int) request { // another site's page posts
			return request{http.MethodPost, t.session(n).path + "/card", "number=1", map[string]string{
				"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site",
			}}
		}},
		{name: "returns", make: func(n int) request {
			return request{http.MethodPost, "/3ds/" + noise(n, 43) + "/" + []string{"return", "notify"}[n%2], "cres=" + noise(n, 4000), form}
		}},
		{name: "callbacks", make: func(n int) request {
			switch n % 4 {
			case 0:
				return get("/callbacks/rbs?mdOrder=" + noise(n, 36) + "&checksum=" + noise(n, 64))
			case 1:
				return get("/callbacks/payneteasy?status=approved&orderid=" + fmt.Sprint(n) + "&client_orderid=" + noise(n, 20) + "&control=" + noise(n, 40))
			case 2:
				return request{http.MethodPost, "/callbacks/transactworld", "paymentId=" + fmt.Sprint(n) + "&merchantTransactionId=" + noise(n, 20) +
					"&amount=1.00&transactionStatus=Y&checksum=" + noise(n, 32), form}
			}
			return request{http.MethodPost, "/callbacks/cashier", `{"order":{"id":"` + noise(n, 30) + `"}}`, map[string]string{
				"Content-Type": "application/json", "Payment-Sign": noise(n, 344),
			}}
		}},
		{name: "keys", make: func(n int) request {
			return request{method: http.MethodGet, path: "/v1/sessions", header: map[string]string{"Authorization": "Bearer sk_" + noise(n, 40)}}
		}},
		{name: "reports", make: func(n int) request {
			return request{http.MethodPost, "/reports/csp", `{"csp-report":{"effective-directive":"script-src","blocked-uri":"https://` + noise(n, 30) +
				`/","document-uri":"https://x/pay/x"}}`, map[string]string{"Content-Type": "application/csp-report"}}
		}},
	}
}

// merchants are kinds of a merchant whose key holds.
func (t *targets) merchants() []attack {
	return []attack{
		{name: "members", make: func(n int) request {
			return ofMerchant(http.MethodPost, "/v1/sessions", "{"+strings.Repeat(`"a`+noise(n, 8)+`":1,`, 500)+`"b":1}`, nil)
		}},
		{name: "idempotency", make: func(n int) request {
			return ofMerchant(http.MethodPost, "/v1/sessions", `{"order_id":"`+noise(n, 8)+`"}`, map[string]string{"Idempotency-Key": noise(n, 200)})
		}},
	}
}

// forms are kinds of a bot that has the page's cookie and token, as a browser has.
func (t *targets) forms() []attack {
	expiry := time.Now().AddDate(2, 0, 0).Format("01/06")
	return []attack{
		{name: "mistakes", make: func(n int) request { // each set of mistakes is a page of its own
			pick := func(of ...string) string { v := of[n%len(of)]; n /= len(of); return v }
			r := t.session(n).post("/card", url.Values{
				"number": {pick("", "1", "4000019900020721", "9417000000000001")}, "expiry": {pick("", "13/13", "01/01", expiry)},
				"cvc": {pick("", "1", "x")}, "name": {pick("", "<b>", "1234567")}, "save_card": {pick("", "on")}, "to_number": {pick("", "2")},
			})
			r.header["Accept-Language"] = pick("en", "ru", "kk")
			return r
		}},
		{name: "receipts", make: func(n int) request {
			return t.session(n).post("/receipt", url.Values{"email": {noise(n, 20) + "@shop.example"}})
		}},
		{name: "phones", make: func(n int) request {
			return t.login(n).post("/phone", url.Values{"phone": {fmt.Sprintf("7701%07d", n%10_000_000)}})
		}},
		{name: "codes", make: func(n int) request {
			return t.login(n).post("/code", url.Values{"code": {fmt.Sprintf("%06d", n%1_000_000)}})
		}},
		{name: cardsKind, make: func(n int) request {
			return t.session(n).post("/card", url.Values{"number": {luhn(n)}, "expiry": {expiry}, "cvc": {"123"}, "name": {"TEST BOT"}})
		}},
	}
}

// chosen are the kinds of those names; all where there are none.
func chosen(all []attack, names []string) (some []attack, err error) {
	var known []string
	for _, kind := range all {
		known = append(known, kind.name)
		if len(names) == 0 || slices.Contains(names, kind.name) {
			some = append(some, kind)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, errors.New("-kinds: " + name + " is none of " + strings.Join(known, ", "))
		}
	}
	return some, nil
}
