package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"tollgate/internal/config"
	"tollgate/session"
)

// served is a front of the sandbox behind a proxy that may change what it answers.
func served(t *testing.T) (a *App, base string, tamper func(func(*http.Response, []byte) []byte)) {
	t.Helper()
	c, err := config.Load(config.Flags{Listen: "127.0.0.1:0", SandboxListen: "127.0.0.1:0", Data: t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	if a, err = New(ctx, Options{Config: c, NoBrake: true}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	var change func(*http.Response, []byte) []byte
	to, err := url.Parse(a.FrontURL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.Out.Header.Del("Accept-Encoding") // who changes a page wants to read it
	}}
	proxy.ModifyResponse = func(res *http.Response) error {
		if change == nil {
			return nil
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		body = change(res, body)
		res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		res.Header.Del("Content-Length")
		return nil
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return a, s.URL, func(f func(*http.Response, []byte) []byte) { change = f }
}

func TestWhatIsServedIsComparedWithTheInventory(t *testing.T) {
	a, base, tamper := served(t)
	r, err := http.NewRequest(http.MethodPost, a.FrontURL+"/v1/sessions", strings.NewReader(`{"account":"rbs","amount":1500,"currency":"KZT",
		"order_id":"pages-1","success_url":"https://shop.example/ok","cancel_url":"https://shop.example/no"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+DemoKey)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ ID string }
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil || made.ID == "" {
		t.Fatalf("%s, %v", res.Status, err)
	}
	res.Body.Close()
	open := openPayments(t.Context(), a.store, a.o.Config)
	if len(open) != 1 || open[0].ID != made.ID {
		t.Fatalf("open: %+v", open)
	}
	compare := func(f func(*http.Response, []byte) []byte) *servedPages {
		t.Helper()
		tamper(f)
		p := &servedPages{client: pageClient(nil), base: base, testing: true}
		if err := p.compare(t.Context(), open); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := compare(nil); len(p.faults) > 0 || p.pages != 3 {
		t.Fatalf("as it is served, %d pages: %q", p.pages, p.faults)
	}
	pageOnly := func(f func(*http.Response, []byte) []byte) func(*http.Response, []byte) []byte {
		return func(res *http.Response, body []byte) []byte {
			if res.Request.URL.Path == "/pay/"+made.ID {
				return f(res, body)
			}
			return body
		}
	}
	in := func(what string) func(*http.Response, []byte) []byte {
		return pageOnly(func(_ *http.Response, body []byte) []byte {
			return bytes.Replace(body, []byte("</main>"), []byte(what+"</main>"), 1)
		})
	}
	for what, f := range map[string]func(*http.Response, []byte) []byte{
		"a script of somebody's":   in(`<script src="https://evil.example/x.js"></script>`),
		"a script in the page":     in(`<script>document.forms[0].number.value</script>`),
		"a handler in a tag":       in(`<img src="/x" onerror="alert(1)">`),
		"a javascript address":     in(`<a href=" JavaScript:alert(1)">x</a>`),
		"an embedded object":       in(`<object data="/x"></object>`),
		"another base":             in(`<base href="https://evil.example/">`),
		"a header that is missing": pageOnly(func(r *http.Response, b []byte) []byte { r.Header.Del("X-Content-Type-Options"); return b }),
		"a header that is weaker":  pageOnly(func(r *http.Response, b []byte) []byte { r.Header.Set("Referrer-Policy", "unsafe-url"); return b }),
		"a policy that is weaker": pageOnly(func(r *http.Response, b []byte) []byte {
			p := r.Header.Get("Content-Security-Policy")
			r.Header.Set("Content-Security-Policy", strings.Replace(p, "script-src 'self'", "script-src 'self' https://evil.example", 1))
			return b
		}),
		"a frame of somebody's": pageOnly(func(r *http.Response, b []byte) []byte {
			p := r.Header.Get("Content-Security-Policy")
			r.Header.Set("Content-Security-Policy", strings.Replace(p, "frame-ancestors 'none'", "frame-ancestors https://evil.example", 1))
			return b
		}),
		"a policy more": pageOnly(func(r *http.Response, b []byte) []byte {
			r.Header.Add("Content-Security-Policy", "default-src *")
			return b
		}),
		"a link header": pageOnly(func(r *http.Response, b []byte) []byte {
			r.Header.Set("Link", "<https://evil.example>; rel=preload")
			return b
		}),
		"one script's text": func(r *http.Response, b []byte) []byte {
			if strings.Contains(r.Request.URL.Path, "/card.") {
				return append(b, ' ')
			}
			return b
		},
		"the shops' script": func(r *http.Response, b []byte) []byte {
			if r.Request.URL.Path == "/embed.js" {
				return append(b, ' ')
			}
			return b
		},
		"a script that is gone": func(r *http.Response, b []byte) []byte {
			if strings.Contains(r.Request.URL.Path, "/live.") {
				r.StatusCode, r.Status = 404, "404 Not Found"
			}
			return b
		},
	} {
		p := compare(f)
		if len(p.faults) == 0 {
			t.Errorf("%s: nothing is wrong", what)
		}
		for _, fault := range p.faults {
			if strings.Contains(fault, made.ID) {
				t.Errorf("%s: a pay link is told: %s", what, fault)
			}
		}
	}
	var s *session.Session
	if s, err = a.store.Load(t.Context(), made.ID); err != nil || s.Version != open[0].Version {
		t.Errorf("the looks changed the session: %v", err)
	}
}
