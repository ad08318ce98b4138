package providertest

import (
	"slices"
	"strings"
	"testing"

	"tollgate/providers"
)

// Silences are answers with HTTP 200 that say nothing of the call they answer: maintenance, a login page, nothing at all, and
// words for success in some dialect that is not this call's. A gateway in whose language one of them is a proper answer
// lists it in Harness.Words.
var Silences = []string{
	"", "{}", "[]", "null", "OK",
	`{"status":"maintenance","retryAfter":60}`,
	"<!DOCTYPE html><html><body><form action=\"/login\" method=\"post\"><input name=\"user\"></form></body></html>",
	`{"success":true}`,
	`{"success":true,"description":"","order":{}}`,
	`{"errorCode":"0","errorMessage":"Success"}`,
	`{"orderStatus":2}`,
	`{"status":"SUCCESS","requestId":"1"}`,
	`{"status":"approved"}`,
	`{"Response":{"Success":true},"Order":{"Status":"CHARGED"}}`,
	`{"result":{"code":"00026","description":"Record found"}}`,
	`{"AuthToken":"x","result":{"code":"200","description":"Token generated successfully"}}`,
	"type=async-response\n&serial-number=00000000-0000-0000-0000-000000000001\n",
	"type=status-response\n&status=approved\n",
	"[{}]", "true", "0", "1", `""`, `"OK"`, "success", "SUCCESS", "Y", "\n", "{", "undefined",
	`{"status":"OK"}`,
	`{"status":200}`,
	`{"status":0,"message":"Success"}`,
	`{"code":0,"message":"OK"}`,
	`{"code":"0","data":{}}`,
	`{"result":null}`,
	`{"result":"ok"}`,
	`{"result":{}}`,
	`{"result":true,"error":null}`,
	`{"data":{"success":true}}`,
	`{"error":null}`,
	`{"errors":[]}`,
	`{"success":"true"}`,
	`{"success":true,"order":null}`,
	`{"success":true,"description":"","orders":[]}`,
	`{"message":"The service is temporarily unavailable","retryAfter":60}`,
	`{"error":"invalid_token","error_description":"Token expired"}`,
	`{"login":"https://bank.example/login"}`,
	`{"transactionStatus":"Y"}`,
	`{"status":"capturesuccess"}`,
	`{"status":"APPROVED","amount":"1.00"}`,
	`{"order":{"status":"CHARGED"}}`,
	`{"Order":{"Status":"VOIDED"}}`,
	`{"operations":[]}`,
	`{"mdOrderStatus":"DEPOSITED"}`,
	"<response/>",
	"<response><status>Y</status></response>",
	"<?xml version=\"1.0\"?><error>maintenance</error>",
	"status=approved",
	"type=async-response\n",
	"type=async-response\n&status=approved\n",
	"type=status-response\n&serial-number=00000000-0000-0000-0000-000000000001\n",
	"result=ok\n&code=0\n",
}

// silences are the faults made of them.
func silences(h Harness) []fault {
	var list []fault
	for _, body := range Silences {
		if !slices.Contains(h.Words, body) {
			name := "200 saying " + strings.ReplaceAll(body[:min(len(body), 40)], "\n", " ")
			say := func([]byte) []byte { return []byte(body) }
			list = append(list, fault{name: name, do: rewrite, status: 200, after: true, edit: say})
		}
	}
	return list
}

// operations asks for every operation, every payout and the closing of an order, and gets an answer that says nothing.
// Whether the request was executed is then unknown, and the result has to be unknown too.
func operations(t *testing.T, h Harness) {
	c := pick(h.Cards, h.Journeys)
	plain := c[len(c)-1]
	for _, candidate := range c {
		if usual(candidate) == Good && candidate.Protocol == "" {
			plain = candidate
		}
	}
	probe := begin(t, h, nil)
	if operator, ok := probe.probe.p.(providers.Operator); ok {
		for _, limits := range operator.Kinds() {
			for _, f := range silences(h) {
				t.Run(string(limits.Kind)+" "+f.name, func(t *testing.T) {
					w := begin(t, h, nil)
					w.p.Hold = limits.Kind != providers.Refund
					if end := w.pay(plain); end != Good {
						t.Fatal(end, w.story)
					}
					op := providers.Op{Kind: limits.Kind, Reference: "op-1", Amount: w.p.Amount, Standing: w.last}
					w.spoil(f)
					r, err := w.probe.p.(providers.Operator).Do(t.Context(), w.p, op)
					if err == nil || r.State == providers.OpSucceeded || r.State == providers.OpFailed || r.Decline != nil {
						t.Errorf("%+v, %v", r, err)
					}
					r, err = w.probe.p.(providers.Operator).Inquire(t.Context(), w.p, op)
					if err == nil {
						t.Errorf("the inquiry: %+v", r)
					}
				})
			}
		}
	}
	if _, ok := probe.probe.p.(providers.Closer); ok {
		for _, f := range silences(h) {
			t.Run("close "+f.name, func(t *testing.T) {
				w := begin(t, h, nil)
				ref, err := w.probe.Register(t.Context(), w.p)
				if err != nil {
					t.Fatal(err)
				}
				w.p.Ref = ref
				w.spoil(f)
				if w.probe.p.(providers.Closer).Close(t.Context(), w.p) == nil {
					t.Error("closed")
				}
			})
		}
	}
	if _, ok := probe.probe.p.(providers.Payer); ok {
		for _, f := range silences(h) {
			t.Run("payout "+f.name, func(t *testing.T) {
				w := begin(t, h, nil)
				in := w.instrument(plain)
				w.probe.p.(providers.Payer).Payout(t.Context(), w.p, providers.Destination{Card: &in.Card}) // with the token fetched
				w = begin(t, h, w.spoiler)
				w.spoil(f)
				r, err := w.probe.p.(providers.Payer).Payout(t.Context(), w.p, providers.Destination{Card: &in.Card})
				if err == nil || r.State == providers.OpSucceeded || r.State == providers.OpFailed || r.Decline != nil {
					t.Errorf("%+v, %v", r, err)
				}
			})
		}
	}
}

// spoil lets every call from now on go wrong.
func (w *walk) spoil(f fault) {
	w.spoiler.mu.Lock()
	defer w.spoiler.mu.Unlock()
	w.spoiler.fault, w.spoiler.every = f, true
}
