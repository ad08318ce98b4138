package rbs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/providers/rbs"
)

// Silence and garbage are errors, or unclear; never paid, never declined.
func TestHostileAnswers(t *testing.T) {
	reply := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = c.Write([]byte(text))
				_ = c.Close()
			}
		}
	}
	paid := answer(t, "seed_status_2_deposited_binding.json")
	for name, h := range map[string]http.HandlerFunc{
		"empty":                 reply(200, ""),
		"spaces":                reply(200, " \r\n "),
		"html":                  reply(200, "<html><body>paid</body></html>"),
		"cut JSON":              reply(200, paid[:len(paid)/2]),
		"cut in the last brace": reply(200, strings.TrimSpace(paid)[:len(strings.TrimSpace(paid))-1]),
		"two objects":           reply(200, paid+paid),
		"10 MB":                 reply(200, `{"x":"`+strings.Repeat("a", 10<<20)+`"}`),
		"array":                 reply(200, "["+paid+"]"),
		"text":                  reply(200, `"ok"`),
		"null":                  reply(200, "null"),
		"empty object":          reply(200, "{}"),
		"a name twice":          reply(200, `{"errorCode":"0","orderStatus":0,"orderStatus":2,"redirect":"https://a.example/"}`),
		"deep":                  reply(200, strings.Repeat(`{"a":`, 10000)+"1"+strings.Repeat("}", 10000)),
		"UTF-16":                reply(200, "\xff\xfe{\x00\"\x00o\x00\"\x00:\x002\x00}\x00"),
		"orderStatus an object": reply(200, `{"errorCode":"0","orderStatus":{"a":2},"redirect":{"a":1},"acsUrl":["x"]}`),
		"orderStatus words":     reply(200, `{"errorCode":"0","orderStatus":"paid"}`),
		"orderStatus fraction":  reply(200, `{"errorCode":"0","orderStatus":2.0}`),
		"orderStatus huge":      reply(200, `{"errorCode":"0","orderStatus":99999999999999999999}`),
		"amount negative":       reply(200, `{"errorCode":"0","orderStatus":2,"amount":-2000}`),
		"amount with a point":   reply(200, `{"errorCode":"0","orderStatus":2,"amount":"20.00"}`),
		"sums words":            reply(200, `{"errorCode":"0","orderStatus":2,"paymentAmountInfo":{"depositedAmount":"all"}}`),
		"currency an object":    reply(200, `{"errorCode":"0","orderStatus":2,"amount":2000,"currency":{}}`),
		"errorCode words":       reply(200, `{"errorCode":"none","orderStatus":2,"redirect":"https://a.example/"}`),
		"errorCode an object":   reply(200, `{"errorCode":{},"orderStatus":2,"redirect":"https://a.example/"}`),
		"success false":         reply(200, `{"success":false,"orderStatus":2,"redirect":"https://a.example/","error":{"code":"10","message":"no"}}`),
		"unknown orderStatus":   reply(200, `{"errorCode":"0","orderStatus":17}`),
		"400":                   reply(400, paid), "404": reply(404, "not found"), "429": reply(429, paid), "500": reply(500, paid), "502": reply(502, "<html>"),
		"204": reply(204, ""), "302 elsewhere": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Location", "/x"); w.WriteHeader(302) },
		"cut connection": raw(""), "cut headers": raw("HTTP/1.1 200 OK\r\nContent-Le"),
		"cut body": raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"orderStatus\":2"), "not HTTP": raw("2,paid\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.handler = h
			g := f.open()
			step, err := pay(t, g, registered(t))
			noStep(t, "paymentorder.do", step, err)
			step, err = g.Resume(t.Context(), registered(t), providers.Answer{Kind: providers.MethodDone})
			noStep(t, "3ds/continue.do", step, err)
			if ref, err := g.Register(t.Context(), payment(t)); err == nil {
				t.Errorf("register.do: %+v", ref)
			}
			st, err := g.Status(t.Context(), registered(t))
			if err == nil && st.Outcome != providers.Unclear {
				t.Errorf("getOrderStatusExtended.do: %+v", st)
			}
			for _, k := range []providers.OpKind{providers.Capture, providers.Void, providers.Refund} {
				op := providers.Op{Kind: k, Amount: amount(t, 100, "EUR")}
				if res, err := g.(providers.Operator).Inquire(t.Context(), registered(t), op); err == nil && res.State != providers.OpPending {
					t.Errorf("%s inquired: %+v", k, res)
				}
			}
		})
	}
}

func noStep(t *testing.T, op string, s providers.Step, err error) {
	t.Helper()
	if _, ok := errors.AsType[*providers.Failure](err); !ok {
		t.Errorf("%s: step %+v, error %v; want a Failure", op, s, err)
	}
}

// An address that the shopper's browser must not be sent to is no step.
func TestHostileAddresses(t *testing.T) {
	for _, url := range []string{"javascript:alert(1)", "data:text/html,x", "http://acs.example/", "https://bank.example@evil.example/", "/acs", "https://a.example/\"onload=", " "} {
		for _, body := range []map[string]any{
			{"errorCode": 0, "acsUrl": url, "packedCReq": packedCReq},
			{"errorCode": 0, "acsUrl": url, "paReq": "eJx", "termUrl": "https://gate.example/finish3ds.do"},
			{"errorCode": 0, "acsUrl": "https://acs.example/", "paReq": "eJx", "termUrl": url},
		} {
			b, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			s, err := pay(t, newFake(t).on("paymentorder.do", string(b)).on("decline.do", `{"errorCode":"7"}`).open(), registered(t))
			noStep(t, url, s, err)
			// Nobody gets to such a page: the order is closed, and the try over.
			f := newFake(t).on("paymentorder.do", string(b)).on("decline.do", `{"errorCode":"0"}`).
				on("getOrderStatusExtended.do", `{"errorCode":"0","orderNumber":"A-17-1","amount":2000,"currency":"978","orderStatus":6,"actionCode":4005}`)
			if s, err = pay(t, f.open(), registered(t)); err != nil || s.Kind != providers.Declined || len(s.Forms) != 0 || s.Decline == nil {
				t.Errorf("%s: %+v %v", url, s, err)
			}
		}
	}
}

func TestHostileOrderID(t *testing.T) {
	for _, id := range []string{"", "a b", "a&b", "<b>", strings.Repeat("a", 65), "a\nb"} {
		b, err := json.Marshal(map[string]string{"orderId": id})
		if err != nil {
			t.Fatal(err)
		}
		if ref, err := newFake(t).on("register.do", string(b)).on("getOrderStatusExtended.do", `{"errorCode":"6"}`).open().Register(t.Context(), payment(t)); err == nil {
			t.Errorf("orderId %q was taken: %+v", id, ref)
		}
	}
}

// A gateway that repeats what it was sent, in every place where text can come back: none of our texts holds it.
func TestErrorsRepeatNoSecret(t *testing.T) {
	spaced := pan[:4] + " " + pan[4:8] + "-" + pan[8:12] + " " + pan[12:]
	echo := fmt.Sprintf("card %s / %s, code %s, by %s with tok-en-1", pan, spaced, cvc, password)
	quoted, err := json.Marshal(echo)
	if err != nil {
		t.Fatal(err)
	}
	q := string(quoted)
	for name, body := range map[string]string{
		"error text":  `{"errorCode":5,"errorMessage":` + q + `,"error":` + q + `}`,
		"error code":  `{"errorCode":` + q + `,"errorMessage":"x"}`,
		"nested":      `{"success":false,"error":{"code":` + q + `,"message":` + q + `}}`,
		"decline":     `{"errorCode":0,"redirect":"https://a.example/","error":` + q + `,"errorMessage":` + q + `,"errorTypeName":` + q + `,"processingErrorType":` + q + `}`,
		"addresses":   `{"errorCode":0,"acsUrl":` + q + `,"paReq":"x"}`,
		"ids":         `{"errorCode":0,"is3DSVer2":true,"threeDSServerTransId":` + q + `,"threeDSMethodURLServer":"https://a.example/"}`,
		"not JSON":    echo,
		"cut":         `{"errorCode":` + q,
		"status text": `{"errorCode":0,"orderStatus":6,"actionCode":` + q + `,"actionCodeDescription":` + q + `,"cardAuthInfo":{"pan":"` + pan + `","secureAuthInfo":{"eci":` + q + `,"threeDSProtocolVersion":` + q + `}},"redirect":"x","error":` + q + `}`,
		"not HTTP":    "raw:" + echo + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.handler = func(w http.ResponseWriter, r *http.Request) {
				if text, ok := strings.CutPrefix(body, "raw:"); ok {
					if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
						_, _ = c.Write([]byte(text))
						_ = c.Close()
					}
					return
				}
				_, _ = w.Write([]byte(body))
			}
			g := f.open()
			var log bytes.Buffer
			for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
				l := slog.New(h)
				step, err := pay(t, g, registered(t))
				l.Info("paid", "step", step, "error", err, "provider", g)
				st, err := g.Status(t.Context(), registered(t))
				l.Info("asked", "standing", st, "error", err)
				ref, err := g.Register(t.Context(), payment(t))
				l.Info("registered", "ref", ref, "error", err)
				l.Info("closed", "error", g.(providers.Closer).Close(t.Context(), registered(t)))
				fmt.Fprintf(&log, "%v %+v %#v %v %+v", step, step, step, st, g)
				for e := err; e != nil; e = errors.Unwrap(e) {
					if _, ok := e.(*providers.Failure); ok {
						fmt.Fprintf(&log, "%v %+v %s", e, e, e)
					}
				}
			}
			for what, secret := range map[string]string{"card number": pan, "spaced card number": spaced, "code": "code " + cvc, "password": password} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("the %s comes out:\n%s", what, log.String())
				}
			}
		})
	}
}

// A deadline stays recognisable behind the scrubbed text.
func TestDeadline(t *testing.T) {
	f := newFake(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	f.handler = func(w http.ResponseWriter, r *http.Request) { <-release }
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := f.open().Status(ctx, registered(t))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// Credentials show that they are there and no more, whatever prints or marshals them.
func TestTheConfigPrintsNoSecret(t *testing.T) {
	c := rbs.Config{UserName: "u", Password: providers.NewSecret(password), Token: providers.NewSecret("tok-en-1"), CallbackSecret: providers.NewSecret("call-back-1")}
	marshalled, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", c, "secret", c.Password)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c, "secret", c.Password)
	type wrapped struct{ c rbs.Config } // fmt calls no methods behind an unexported field
	all := string(marshalled) + log.String() + fmt.Sprintf("%v %+v %#v %s %q %x %d %v %+v %#v", c, c, c, c.Password, c.Password, c.Password, c.Password,
		wrapped{c}, wrapped{c}, wrapped{c}) + strings.Join(c.Faults(), " ")
	for _, secret := range []string{password, "tok-en-1", "call-back-1", fmt.Sprintf("%x", password)} {
		if strings.Contains(all, secret) {
			t.Errorf("%q comes out: %s", secret, all)
		}
	}
}
