package e2e_test

import (
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// googleToken is a token of the sandbox's Google Pay, as the shop's app would get it.
func (w *world) googleToken(t testing.TB, number, auth string) string {
	t.Helper()
	res, err := http.Get(w.Sandbox + "/rbs/wallet/google/token?pan=" + number + "&auth=" + auth)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s %v", res.StatusCode, raw, err)
	}
	return string(raw)
}

// A merchant's app pays with a token of Google Pay: at once where the telephone proved its owner, else by way of the bank; a token that
// was used is declined, and the shopper may type a card. The token is in nothing that the front wrote.
func TestATokenOfGooglePayIsPaidAndKeptNowhere(t *testing.T) {
	t.Parallel()
	w := start(t)
	var tokens []string
	charge := func(token string, more map[string]any) (sessionView, int) {
		body := map[string]any{"account": "rbs", "google_pay": map[string]any{"token": token}, "amount": 99900, "currency": "KZT", "reference": order(),
			"ip": "192.0.2.7", "locale": "en", "success_url": w.Sandbox + "/shop/success", "cancel_url": w.Sandbox + "/shop/cancel"}
		for name, v := range more {
			body[name] = v
		}
		tokens = append(tokens, token)
		var s sessionView
		if more != nil { // refused
			return s, w.api(t, http.MethodPost, "/v1/charges", body, nil)
		}
		code := w.api(t, http.MethodPost, "/v1/charges", body, &s)
		return s, code
	}
	send := func(token string) sessionView {
		t.Helper()
		s, code := charge(token, nil)
		if code != http.StatusCreated {
			t.Fatalf("%d %+v", code, s)
		}
		return s
	}
	const challenge = "4000019900020704"

	used := w.googleToken(t, challenge, "CRYPTOGRAM_3DS")
	if s := send(used); s.Status != "paid" || s.Attempts[0].Card.Last4 != "0704" || w.charges(t, s.OrderID) != 1 {
		t.Errorf("%+v", s)
	}

	s := send(w.googleToken(t, challenge, "PAN_ONLY"))
	if s.Status != "action_required" {
		t.Fatalf("%+v", s)
	}
	b := newWalker(t, w)
	b.open(s.URL)
	b.rest(visit{bank: []string{"pass"}})
	b.frames.Wait()
	if now := w.session(t, s.ID); now.Status != "paid" || w.charges(t, s.OrderID) != 1 {
		t.Errorf("%+v", now)
	}

	s = send(used)
	if s.Status != "open" || len(s.Attempts) != 1 || s.Attempts[0].State != "declined" {
		t.Fatalf("a token twice: %+v", s)
	}
	b = newWalker(t, w)
	b.open(s.URL)
	b.pay(cardPlain, "123")
	b.rest(visit{})
	if now := w.session(t, s.ID); now.Status != "paid" || w.charges(t, s.OrderID) != 1 {
		t.Errorf("another way: %+v", now)
	}

	for _, c := range []map[string]any{
		{"account": "payneteasy"}, {"account": "sber"}, {"account": "cashier", "currency": "RUB"}, {"account": "transactworld"}, {"account": "rbs-own"},
		{"account": ""}, {"ip": ""}, {"ip": "x"}, {"saved_card": "sc_x"}, {"google_pay": map[string]any{"token": "x"}}, {"google_pay": map[string]any{}},
	} {
		c["reference"] = "refused-before"
		if _, code := charge(used, c); code != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", c, code)
		}
	}

	if _, code := charge(w.googleToken(t, cardPlain, "PAN_ONLY"), map[string]any{"reference": "refused-before"}); code != http.StatusCreated {
		t.Errorf("a reference under which nothing was sent: %d", code)
	}

	nowhere := func(what, text string) {
		for _, token := range tokens {
			sealed := base64.StdEncoding.EncodeToString([]byte(token))
			for _, part := range []string{token[len(token)/2:], sealed[40:120], strings.ReplaceAll(token, `"`, `\"`)[len(token)/2:]} {
				if strings.Contains(text, part) {
					t.Errorf("%s holds a token", what)
				}
			}
		}
	}
	nowhere("the log", w.Log.String())
	w.stop()
	read := 0
	err := filepath.WalkDir(w.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(filepath.Base(path), "sandbox") {
			return err
		}
		raw, err := os.ReadFile(path)
		read += len(raw)
		nowhere(filepath.Base(path), string(raw))
		return err
	})
	if err != nil || read == 0 {
		t.Fatal(err, read)
	}
}
