package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"tollgate/client"
	"tollgate/internal/app"
)

// A shop's server written with the Go client: a payment, its timeline, a refund, and the events as signed webhooks.
func TestAShopWrittenWithTheGoClient(t *testing.T) {
	t.Parallel()
	w, ctx := start(t), t.Context()
	tollgate, err := client.New(w.Front, app.DemoKey)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := tollgate.RotateWebhookKeysWithResponse(ctx, &client.RotateWebhookKeysParams{}, client.KeyRotation{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var told []string
	hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		event, err := client.VerifyWebhook(body, r.Header, secret.JSON200.Secret)
		if err != nil {
			t.Errorf("%v: %s", err, body)
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		told = append(told, event.Type)
	}))
	defer hook.Close()

	reference := order()
	made, err := tollgate.CreateSessionWithResponse(ctx, &client.CreateSessionParams{IdempotencyKey: &reference}, client.NewSession{
		Account: "rbs", Amount: 1500, Currency: "KZT", OrderID: reference, SuccessURL: w.Sandbox + "/shop/done", CancelURL: w.Sandbox + "/shop/done", WebhookURL: hook.URL,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := made.JSON201
	b := newWalker(t, w)
	b.order, b.id = s.OrderID, s.ID
	b.open(s.URL)
	b.pay(cardChallenge, "123")
	b.rest(visit{})

	now, err := tollgate.GetSessionWithResponse(ctx, s.ID)
	if err != nil || now.JSON200.Status != client.SessionStatusPaid || now.JSON200.Payment.AmountCaptured != 1500 {
		t.Fatalf("%v %s", err, now.Body)
	}
	timeline, err := tollgate.GetTimelineWithResponse(ctx, s.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	var messages []string
	for _, e := range timeline.JSON200.Data {
		if e.Kind == client.TimelineEntryKindMessage {
			messages = append(messages, e.Name)
		}
	}
	if want := []string{"threeDSMethodData", "threeDSMethodData", "CReq", "CRes"}; !slices.Equal(messages, want) {
		t.Errorf("the timeline tells of the messages %v, want %v", messages, want)
	}

	refund, err := tollgate.RefundPaymentWithResponse(ctx, s.ID, &client.RefundPaymentParams{}, client.NewOperation{Amount: 500})
	if err != nil || refund.JSON201.State != client.OperationStateSucceeded {
		t.Fatalf("%v %s", err, refund.Body)
	}
	_, err = tollgate.RefundPaymentWithResponse(ctx, s.ID, &client.RefundPaymentParams{}, client.NewOperation{Amount: 1001})
	if !client.IsProblem(err, client.ProblemTypeAmount) {
		t.Errorf("more than is left: %v", err)
	}
	until(t, 20*time.Second, "the last event is told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Contains(told, "refund.succeeded")
	})
	history, err := tollgate.ListSessionEventsWithResponse(ctx, s.ID, &client.ListSessionEventsParams{})
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range history.JSON200.Data {
		types = append(types, e.Type)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(told, types) {
		t.Errorf("told %v; the history is %v", told, types)
	}
}
