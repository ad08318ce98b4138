package webhook

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sendTo makes one request to a receiver that is handed the connection, in a bubble where time is not waited for.
func sendTo(t *testing.T, receiver func(c net.Conn)) (try Try, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k, _, err := newKey(HMAC, "e", "", plain{}, &counting{}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var receiving sync.WaitGroup
		defer receiving.Wait()
		client := (&Guard{Sandbox: true}).Client()
		client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			receiving.Go(func() {
				defer theirs.Close()
				receiver(theirs)
			})
			return ours, nil
		}
		s := &Service{Options: Options{Sealer: plain{}, Guard: &Guard{Sandbox: true}, Client: client, Now: time.Now, Sent: time.Now}}
		begun := time.Now()
		d := Delivery{ID: "wd_1", Event: "evt_s_1", Body: []byte(`{"id":"evt_s_1"}`)}
		if try, err = s.send(t.Context(), d, Endpoint{ID: "e", URL: "http://127.0.0.1:1/hook"}, []Key{k}); err != nil {
			t.Fatal(err)
		}
		took = time.Since(begun)
		client.CloseIdleConnections()
	})
	return try, took
}

func read(c net.Conn) *http.Request {
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err == nil {
		_, err = io.Copy(io.Discard, req.Body)
	}
	if err != nil {
		return nil
	}
	return req
}

func answer(text string) func(net.Conn) {
	return func(c net.Conn) {
		read(c)
		_, _ = io.WriteString(c, text)
	}
}

func TestAReceiverThatHangsIsCutAfterTenSeconds(t *testing.T) {
	for name, receiver := range map[string]func(net.Conn){
		"does not read": func(net.Conn) { time.Sleep(time.Hour) },
		"does not answer": func(c net.Conn) {
			read(c)
			time.Sleep(time.Hour)
		},
		"sends a byte of its headers per second": func(c net.Conn) {
			read(c)
			for _, b := range []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") {
				time.Sleep(time.Second)
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
			}
		},
	} {
		try, took := sendTo(t, receiver)
		if try.OK() || try.Status != 0 || took != 10*time.Second || try.Took != took || try.Error != "no answer within 10s" {
			t.Errorf("%s: after %v %+v", name, took, try)
		}
	}
}

// The status is the receiver's word; what it says after it is its own affair and costs no more than the limit.
func TestAReceiverThatAnswersOKAndThenHangsHasTheEvent(t *testing.T) {
	try, took := sendTo(t, func(c net.Conn) {
		read(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok")
		for {
			time.Sleep(time.Second)
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
		}
	})
	if !try.OK() || !try.Cut || !strings.HasPrefix(try.Answer, "ok") || took != 10*time.Second {
		t.Errorf("after %v %+v", took, try)
	}
}

func TestOfAnAnswerOnlyTheBeginningIsReadAndKept(t *testing.T) {
	sent := 0
	try, _ := sendTo(t, func(c net.Conn) {
		read(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
		for {
			n, err := c.Write(make([]byte, 1024))
			sent += n
			if err != nil {
				return
			}
		}
	})
	if !try.OK() || !try.Cut || len(try.Answer) > keepAnswer || sent > 3*maxAnswer {
		t.Errorf("of %d bytes %d were kept: %+v", sent, len(try.Answer), try)
	}
	try, _ = sendTo(t, answer("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 64<<10)+"\r\n\r\n"))
	if try.OK() || try.Error != "the connection failed" {
		t.Errorf("headers without end: %+v", try)
	}
	many := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: secret\r\n"
	for i := range 50 {
		many += fmt.Sprintf("X-%d: %s\r\n", i, strings.Repeat("y", 300))
	}
	try, _ = sendTo(t, answer(many+"\r\n"))
	if !try.OK() || len(try.AnswerHeaders) != keepHeaders {
		t.Errorf("many headers: %+v", try)
	}
	if raw, err := json.Marshal(try); err != nil || strings.Contains(string(raw), "secret") || len(raw) > 10<<10 {
		t.Errorf("%d bytes kept: %s", len(raw), raw)
	}
}

func TestOnlyTwoHundredsCountAndRedirectsAreNotFollowed(t *testing.T) {
	for status, want := range map[int]string{
		200: "", 201: "", 204: "", 299: "",
		301: "redirects are not followed", 302: "redirects are not followed", 307: "redirects are not followed", 308: "redirects are not followed",
		400: "answered 400", 404: "answered 404", 410: "answered 410", 429: "answered 429", 500: "answered 500", 503: "answered 503",
	} {
		connections := 0
		try, _ := sendTo(t, func(c net.Conn) {
			connections++
			read(c)
			fmt.Fprintf(c, "HTTP/1.1 %d X\r\nLocation: http://127.0.0.1:1/other\r\nContent-Length: 0\r\n\r\n", status)
		})
		if try.OK() != (want == "") || try.Error != want || try.Status != status || connections != 1 {
			t.Errorf("%d over %d connections: %+v", status, connections, try)
		}
	}
}

func TestARequestIsSignedAndSaysNothingOfUs(t *testing.T) {
	var got *http.Request
	try, _ := sendTo(t, func(c net.Conn) {
		got = read(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	if !try.OK() || got.Method != http.MethodPost || got.URL.Path != "/hook" || got.Header.Get("Content-Type") != "application/json" ||
		got.Header.Get("webhook-id") != "evt_s_1" || got.ContentLength != 16 || got.Header.Get("Accept-Encoding") != "" {
		t.Errorf("%+v", got)
	}
	for name, value := range try.RequestHeaders {
		if got.Header.Get(name) != value {
			t.Errorf("%s: kept %q, sent %q", name, value, got.Header.Get(name))
		}
	}
	if len(got.Header) != len(try.RequestHeaders)+1 { // and Content-Length
		t.Errorf("sent %v", got.Header)
	}
}

func TestACardNumberInAnAnswerIsNotKept(t *testing.T) {
	body := "card 4000019900050107, 4000 0199 0005 0107 or 4000-0199-0005-0107; \x00\xff order 123456789012"
	try, _ := sendTo(t, answer(fmt.Sprintf("HTTP/1.1 400 Bad Request\r\nX-Card: 4000019900050107\r\nContent-Length: %d\r\n\r\n%s", len(body), body)))
	if want := "card •••, ••• or •••; \uFFFD order 123456789012"; try.Answer != want || try.AnswerHeaders["X-Card"] != "•••" {
		t.Errorf("kept %q and %v", try.Answer, try.AnswerHeaders)
	}
}

func TestAnErrorTellsNothingOfOurNetwork(t *testing.T) {
	g := &Guard{Sandbox: true, Lookup: names{"inside.example": {{"10.0.0.1"}}}.lookup}
	k, _, err := newKey(HMAC, "e", "", plain{}, &counting{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	s := &Service{Options: Options{Sealer: plain{}, Guard: g, Client: g.Client(), Now: time.Now, Sent: time.Now}}
	for url, want := range map[string]string{
		"http://inside.example/":  "the host is not on the public internet",
		"http://unknown.example/": "the host's name is not known",
		"http://10.0.0.1/":        "the host is not on the public internet",
		"http://" + closed:        "the connection was refused",
	} {
		try, err := s.send(t.Context(), Delivery{Body: []byte("{}")}, Endpoint{ID: "e", URL: url}, []Key{k})
		if err != nil || try.Error != want {
			t.Errorf("%s: %q, %v", url, try.Error, err)
		}
	}
}

func TestAProcessThatStopsHasNotTried(t *testing.T) {
	k, _, err := newKey(HMAC, "e", "", plain{}, &counting{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	g := &Guard{Sandbox: true}
	s := &Service{Options: Options{Sealer: plain{}, Guard: g, Client: g.Client(), Now: time.Now, Sent: time.Now}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if try, err := s.send(ctx, Delivery{Body: []byte("{}")}, Endpoint{ID: "e", URL: "http://127.0.0.1:1/"}, []Key{k}); err == nil {
		t.Errorf("counted as a try: %+v", try)
	}
}
