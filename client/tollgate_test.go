package client_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tollgate/client"
)

func serve(t *testing.T, answer http.HandlerFunc) *client.ClientWithResponses {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	c, err := client.New(s.URL, "sk_test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACallCarriesTheKeyAndWhatWasGivenAndNothingElse(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		want := `{"account":"rbs","amount":1500,"cancel_url":"https://s.example/c","currency":"KZT","order_id":"o","success_url":"https://s.example/s"}`
		if string(body) != want || r.Header.Get("Authorization") != "Bearer sk_test" || r.Header.Get("Idempotency-Key") != "k" || r.URL.Path != "/v1/sessions" {
			t.Errorf("%s %s %v", r.URL, body, r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":"cs_1","status":"open","outcome_known":true,"a_member_of_tomorrow":1}`)
	})
	made, err := c.CreateSessionWithResponse(t.Context(), &client.CreateSessionParams{IdempotencyKey: new("k")}, client.NewSession{
		Account: "rbs", Amount: 1500, Currency: "KZT", OrderID: "o", SuccessURL: "https://s.example/s", CancelURL: "https://s.example/c"})
	if err != nil {
		t.Fatal(err)
	}
	if made.JSON201.ID != "cs_1" || made.JSON201.Status != client.SessionStatusOpen {
		t.Errorf("%+v", made.JSON201)
	}
}

func TestParametersThatAreNotGivenAreNotSent(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" || len(r.Header.Values("Idempotency-Key")) > 0 {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"data":[],"has_more":false}`)
	})
	if _, err := c.ListSessionsWithResponse(t.Context(), &client.ListSessionsParams{}); err != nil {
		t.Error(err)
	}
	if _, err := c.InquireSessionWithResponse(t.Context(), "cs_1", &client.InquireSessionParams{}); err != nil {
		t.Error(err)
	}
}

func TestARefusalIsAnError(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"type":"urn:tollgate:problem:order-in-use","title":"In use.","status":409,"session":"cs_2","errors":[{"pointer":"/order_id","detail":"is taken"}],"request_id":"r1"}`)
	})
	_, err := c.GetSessionWithResponse(t.Context(), "cs_1")
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Problem.Session != "cs_2" || refused.RetryAfter != time.Second {
		t.Fatalf("%v", err)
	}
	if !client.IsProblem(err, client.ProblemTypeOrderInUse) || client.IsProblem(err, client.ProblemTypeNotFound) {
		t.Error("the type is not told apart")
	}
	if text := err.Error(); !strings.Contains(text, "/order_id is taken") || !strings.Contains(text, "r1") || strings.Contains(text, "sk_test") {
		t.Error(text)
	}
}

func TestAnAnswerOfSomebodyElseIsAnErrorToo(t *testing.T) {
	for _, code := range []int{http.StatusBadGateway, http.StatusFound, http.StatusNotFound} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(code)
			fmt.Fprint(w, "<h1>proxy</h1>")
		})
		var refused *client.Error
		if _, err := c.GetSessionWithResponse(t.Context(), "cs_1"); code != http.StatusFound && (!errors.As(err, &refused) || refused.Problem.Status != code) || err == nil {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestWithoutAKeyThereIsNoClient(t *testing.T) {
	if _, err := client.New("https://pay.example", ""); err == nil {
		t.Error("made")
	}
}

const (
	oldSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	newSecret = "whsec_FxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA"
)

// posted is a webhook as Tollgate sends it.
func posted(t *testing.T, sent time.Time, secrets ...string) ([]byte, http.Header) {
	t.Helper()
	body := []byte(`{"id":"evt_cs_1_3","type":"payment.paid","created_at":"2026-11-21T10:00:00Z","session":"cs_1","n":3,"data":{"order_id":"o-1","status":"paid","outcome_known":true}}`)
	var signatures []string
	for _, s := range secrets {
		w, err := standardwebhooks.NewWebhook(s)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := w.Sign("evt_cs_1_3", sent, body)
		if err != nil {
			t.Fatal(err)
		}
		signatures = append(signatures, signature)
	}
	h := http.Header{}
	h.Set("webhook-id", "evt_cs_1_3")
	h.Set("webhook-timestamp", strconv.FormatInt(sent.Unix(), 10))
	h.Set("webhook-signature", strings.Join(signatures, " "))
	return body, h
}

func TestASignedWebhookIsRead(t *testing.T) {
	body, h := posted(t, time.Now(), oldSecret)
	e, err := client.VerifyWebhook(body, h, oldSecret)
	if err != nil || e.ID != "evt_cs_1_3" || e.N != 3 || e.Data.OrderID != "o-1" || *e.Data.Status != client.SessionStatusPaid {
		t.Errorf("%+v %v", e, err)
	}
}

func TestDuringAKeyRotationEitherSideMayChangeFirst(t *testing.T) {
	body, h := posted(t, time.Now(), newSecret, oldSecret)
	for _, key := range []string{oldSecret, newSecret} {
		if _, err := client.VerifyWebhook(body, h, key); err != nil {
			t.Errorf("signed with both, verified with one: %v", err)
		}
	}
	body, h = posted(t, time.Now(), oldSecret)
	if _, err := client.VerifyWebhook(body, h, newSecret, oldSecret); err != nil {
		t.Errorf("signed with the old, verified with both: %v", err)
	}
}

func TestForgedAlteredAndOldWebhooksAreRefused(t *testing.T) {
	body, h := posted(t, time.Now(), oldSecret)
	for name, try := range map[string]func() error{
		"another secret": func() error { _, err := client.VerifyWebhook(body, h, newSecret); return err },
		"altered":        func() error { _, err := client.VerifyWebhook(append([]byte(" "), body...), h, oldSecret); return err },
		"six minutes old": func() error {
			body, h := posted(t, time.Now().Add(-6*time.Minute), oldSecret)
			_, err := client.VerifyWebhook(body, h, oldSecret)
			return err
		},
		"unsigned": func() error { _, err := client.VerifyWebhook(body, http.Header{}, oldSecret); return err },
		"no key":   func() error { _, err := client.VerifyWebhook(body, h); return err },
	} {
		if err := try(); !errors.Is(err, client.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, key := range []string{"", "whsec_", "whsec_c2hvcnQ=", "secret", "whpk_c2hvcnQ="} {
		if _, err := client.VerifyWebhook(body, h, key); !errors.Is(err, client.ErrKey) {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

func TestAPublicKeyVerifiesAsWell(t *testing.T) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	key := "whpk_" + base64.StdEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	for age, want := range map[time.Duration]error{0: nil, 6 * time.Minute: client.ErrSignature, -6 * time.Minute: client.ErrSignature} {
		sent := time.Now().Add(-age)
		body, h := posted(t, sent, oldSecret)
		message := append([]byte("evt_cs_1_3."+strconv.FormatInt(sent.Unix(), 10)+"."), body...)
		h.Set("webhook-signature", h.Get("webhook-signature")+" v1a,"+base64.StdEncoding.EncodeToString(ed25519.Sign(private, message)))
		if _, err := client.VerifyWebhook(body, h, key); !errors.Is(err, want) {
			t.Errorf("%s old: %v", age, err)
		}
		h.Set("webhook-id", "evt_cs_1_4")
		if _, err := client.VerifyWebhook(body, h, key); !errors.Is(err, client.ErrSignature) {
			t.Errorf("another id: %v", err)
		}
	}
}
