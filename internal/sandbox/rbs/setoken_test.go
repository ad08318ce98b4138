package rbs

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sealing is the key that the gateway hands out.
func (w *world) sealing() *rsa.PublicKey {
	w.T.Helper()
	res, err := http.Get(w.Server.URL + "/rbs/payment/se/keys.do")
	if err != nil {
		w.T.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	var answer struct {
		Keys []struct {
			KeyValue, ProtocolVersion string
			KeyExpiration             int64
		}
	}
	if err := json.Unmarshal(raw, &answer); err != nil || len(answer.Keys) != 1 || answer.Keys[0].ProtocolVersion != "RSA" {
		w.T.Fatalf("%v %s", err, raw)
	}
	block, _ := pem.Decode([]byte(answer.Keys[0].KeyValue))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil || answer.Keys[0].KeyExpiration < w.Clock().UnixMilli() {
		w.T.Fatal(err, answer)
	}
	return key.(*rsa.PublicKey)
}

func seal(t *testing.T, key *rsa.PublicKey, parts ...string) string {
	t.Helper()
	//lint:ignore SA1019 the encryption of seToken is RSAES-PKCS1-v1_5 (docs/decisions/2026-11-27-encrypted-cards.md)
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, key, []byte(strings.Join(parts, "/")))
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sealed)
}

func TestAnEncryptedCardIsTakenOnceInTimeAndForItsOrderAlone(t *testing.T) {
	w := newWorld(t, nil)
	key := w.sealing()
	const id1, id2, id3 = "0a72fe5e-ffb7-44f6-92df-8787e8a8f440", "0a72fe5e-ffb7-44f6-92df-8787e8a8f441", "0a72fe5e-ffb7-44f6-92df-8787e8a8f442"
	at := func(d time.Duration) string { return w.Clock().Add(d).UTC().Format("2006-01-02T15:04:05+00:00") }
	pay := func(order, token string, more ...string) answer {
		return w.call("paymentorder.do", append([]string{"MDORDER", order, "seToken", token, "TEXT", "A B", "language", "en"}, more...)...)
	}
	one, two := w.register("register.do", "1"), w.register("register.do", "2")
	good := seal(t, key, at(0), id1, noTDS, "123", "203012", one)
	for name, got := range map[string]answer{
		"of another order":       pay(two, good),
		"no base64":              pay(one, "…"),
		"of another key":         pay(one, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 256))),
		"too old":                pay(one, seal(t, key, at(-11*time.Minute), id2, noTDS, "123", "203012", one)),
		"too new":                pay(one, seal(t, key, at(11*time.Minute), id2, noTDS, "123", "203012", one)),
		"without an order":       pay(one, seal(t, key, at(0), id2, noTDS, "123", "203012")),
		"no time":                pay(one, seal(t, key, "now", id2, noTDS, "123", "203012", one)),
		"beside a card":          pay(one, good, "$PAN", noTDS, "$CVC", "123", "YYYY", "2030", "MM", "12"),
		"an order of nobody's":   pay("none", good),
		"a number that is wrong": pay(one, seal(t, key, at(0), id3, "4000019900050009", "123", "203012", one)),
	} {
		if got.code() == "0" || got.code() == "" {
			t.Errorf("%s: %v", name, got)
		}
	}
	w.mustStatus(one, 0, -100)
	if got := pay(one, good); got.code() != "0" || got.text("redirect") == "" {
		t.Fatalf("%v", got)
	}
	w.mustLedger(one, 1, 2000, 2000, 0)
	if s := w.status(one); s.in("cardAuthInfo").text("maskedPan") != "400001**0008" {
		t.Errorf("%v", s)
	}
	three := w.register("register.do", "3")
	w.restart()
	if got := pay(three, seal(t, w.sealing(), at(0), id1, noTDS, "123", "203012", three)); got.code() != "5" || !strings.Contains(got.text("errorMessage"), "used already") {
		t.Errorf("a used one, after a restart: %v", got)
	}
}
