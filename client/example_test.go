package client_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"tollgate/client"
)

// A shop's first payment: make a session, send the shopper to it, look when they come back.
func Example() {
	ctx := context.Background()
	tollgate, err := client.New("https://pay.example", os.Getenv("TOLLGATE_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	made, err := tollgate.CreateSessionWithResponse(ctx, &client.CreateSessionParams{IdempotencyKey: new("order-1001-create")}, client.NewSession{
		Account: "rbs", Amount: 1500, Currency: "KZT", OrderID: "order-1001",
		SuccessURL: "https://shop.example/thanks", CancelURL: "https://shop.example/cart",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("send the shopper to", made.JSON201.URL)

	now, err := tollgate.GetSessionWithResponse(ctx, made.JSON201.ID)
	if err != nil {
		log.Fatal(err)
	}
	if s := now.JSON200; s.OutcomeKnown && s.Status == client.SessionStatusPaid {
		fmt.Println("ship", s.OrderID)
	}
}

// A refusal says by its type what to do.
func ExampleIsProblem() {
	ctx := context.Background()
	tollgate, err := client.New("https://pay.example", os.Getenv("TOLLGATE_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	refund, err := tollgate.RefundPaymentWithResponse(ctx, "cs_3nV7c0m2Yp1xQe5kT9wZbA", &client.RefundPaymentParams{IdempotencyKey: new("return-17")},
		client.NewOperation{Amount: 500})
	switch {
	case client.IsProblem(err, client.ProblemTypeOutcomeUnknown):
		fmt.Println("try again when the next event has come")
	case err != nil:
		log.Fatal(err)
	default:
		fmt.Println("the refund is", refund.JSON201.State)
	}
}

// A receiver believes nothing before its signature is verified.
func ExampleVerifyWebhook() {
	http.HandleFunc("POST /hooks/tollgate", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			return
		}
		event, err := client.VerifyWebhook(body, r.Header, os.Getenv("TOLLGATE_WEBHOOK_SECRET"))
		if err != nil {
			http.Error(w, "not signed", http.StatusUnauthorized)
			return
		}
		if event.Type == "payment.paid" {
			fmt.Println("ship", event.Data.OrderID)
		}
	})
}
