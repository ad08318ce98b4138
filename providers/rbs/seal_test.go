package rbs_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/rbs"
)

func seals(c *rbs.Config) { c.SEToken = true }

func pemOf(t *testing.T, bits int) (string, *rsa.PublicKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), &key.PublicKey
}

func TestAnEncryptedCardIsAskedForOnceTheOrderIsKnownAndSentInPlaceOfTheCard(t *testing.T) {
	f := newFake(t).on("paymentorder.do", answer(t, "seed_paymentorder_3ds2_method.json"))
	g, p := f.open(seals), registered(t)
	step, err := g.Pay(context.Background(), p, providers.Instrument{Kind: "card"}, browser)
	if err != nil || step.Kind != providers.AskCard || !step.Withholdable || len(f.seen) != 0 {
		t.Fatalf("%+v %v %s", step, err, f.calls())
	}
	sealed := card.Card{Sealed: card.NewSealed("c2VhbGVk"), Name: "ANN LEE"}
	step, err = g.Resume(context.Background(), p, providers.Answer{Kind: providers.CardAgain, Card: &sealed, Browser: browser})
	form := f.last().form
	if err != nil || step.Kind != providers.Method || form.Get("seToken") != "c2VhbGVk" || form.Get("TEXT") != "ANN LEE" || form.Get("MDORDER") != mdOrder {
		t.Fatalf("%+v %v %v", step, err, form)
	}
	for _, name := range []string{"$PAN", "$CVC", "YYYY", "MM", "threeDSServerTransId"} {
		if form.Has(name) {
			t.Errorf("%s is sent beside it", name)
		}
	}
	// After a soft decline it is asked for again, and goes out with the new transaction.
	p.Ref = p.Ref.With("threeDSServerTransID", transID2).With("run", "soft_decline")
	step, err = g.Resume(context.Background(), p, providers.Answer{Kind: providers.MethodDone, CompInd: "Y"})
	if err != nil || step.Kind != providers.AskCard || step.Withholdable {
		t.Fatalf("%+v %v", step, err)
	}
	f.on("paymentorder.do", answer(t, "bpc_paymentorder_challenge.json"))
	step, err = g.Resume(context.Background(), p, providers.Answer{Kind: providers.CardAgain, Card: &sealed})
	if err != nil || step.Kind != providers.Challenge || f.last().form.Get("threeDSServerTransId") != transID2 || f.last().form.Get("seToken") == "" {
		t.Fatalf("%+v %v %v", step, err, f.last().form)
	}
	if _, err := g.Pay(context.Background(), registered(t), providers.Instrument{Kind: "card", Card: testCard(t)}, browser); field(err) != "card" {
		t.Errorf("a number where none may come: %v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", sealed, sealed, sealed); strings.Contains(text, "c2VhbGVk") {
		t.Errorf("an encrypted card prints itself: %s", text)
	}
}

func TestTheKeyOfEncryptedCardsIsTheNewestThatTheGatewayHandsOut(t *testing.T) {
	old, _ := pemOf(t, 2048)
	good, want := pemOf(t, 2048)
	late, _ := pemOf(t, 2048)
	short, _ := pemOf(t, 1024)
	line := func(key, version string, expires time.Time) map[string]any {
		return map[string]any{"keyValue": key, "protocolVersion": version, "keyExpiration": expires.UnixMilli()}
	}
	asked := 0
	var keys []any
	status := http.StatusOK
	f := newFake(t)
	f.handler = func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Method != http.MethodGet || r.URL.Path != "/payment/se/keys.do" {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": keys})
	}
	sealer := func(change ...func(*rbs.Config)) providers.CardSealer {
		return f.open(append(change, seals)...).(providers.CardSealer)
	}
	for name, list := range map[string][]any{
		"none":      {},
		"no key":    {line("x", "RSA", now.Add(time.Hour))},
		"expired":   {line(old, "RSA", now.Add(-time.Hour))},
		"another":   {line(old, "EC", now.Add(time.Hour))},
		"too short": {line(short, "RSA", now.Add(time.Hour))},
	} {
		keys = list
		if key, err := sealer().SealingKey(context.Background()); err == nil {
			t.Errorf("%s: %v", name, key)
		}
	}
	keys = []any{line(old, "RSA", now.Add(time.Hour)), line(good, "RSA", now.Add(48*time.Hour)), line(late, "RSA", now.Add(24*time.Hour))}
	status = http.StatusInternalServerError
	if _, err := sealer().SealingKey(context.Background()); err == nil {
		t.Error("a key that came with HTTP 500")
	}
	status = http.StatusOK
	asked = 0
	g := sealer()
	for range 3 {
		if key, err := g.SealingKey(context.Background()); err != nil || !key.Equal(want) {
			t.Fatalf("%v %v", key, err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	asked = 0
	if key, err := sealer(func(c *rbs.Config) { c.SEKey = good }).SealingKey(context.Background()); err != nil || !key.Equal(want) || asked != 0 {
		t.Errorf("the account's own: %v %v, asked %d times", key, err, asked)
	}
	if f.open().(providers.CardSealer).SealsCards() {
		t.Error("an account without the setting seals")
	}
}

func TestSettingsOfEncryptedCardsAreChecked(t *testing.T) {
	good, _ := pemOf(t, 2048)
	short, _ := pemOf(t, 1024)
	for want, change := range map[string]func(*rbs.Config){
		"se_key: is shorter": func(c *rbs.Config) { c.SEToken, c.SEKey = true, short },
		"se_key: not PEM":    func(c *rbs.Config) { c.SEToken, c.SEKey = true, "x" },
		"se_token: must":     func(c *rbs.Config) { c.SEKey = good },
		"se_key: needed":     func(c *rbs.Config) { c.SEToken, c.BaseURL = true, "https://x.example/payment/" },
	} {
		c := rbs.Config{BaseURL: "https://x.example/payment/rest/", UserName: "u", Password: providers.NewSecret("p")}
		change(&c)
		if faults := strings.Join(c.Faults(), "\n"); !strings.Contains(faults, want) {
			t.Errorf("no %s in %q", want, faults)
		}
	}
}
