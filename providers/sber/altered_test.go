package sber_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"tollgate/providers"
	"tollgate/providers/providertest"
	"tollgate/threeds"
)

// The answers of the vendor's pages, in the shapes that serializers, proxies and dialects give them.
func TestRecordedAnswersInOtherShapes(t *testing.T) {
	n := 0
	for _, folder := range []string{"vendor", "constructed"} {
		files, err := os.ReadDir("testdata/" + folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.Contains(f.Name(), "request") {
				continue
			}
			n++
			body := fixture(t, folder+"/"+f.Name())
			p := started(t, "1000003")
			var told struct {
				MdOrder           string `json:"mdOrder"`
				TransactionNumber string `json:"transactionNumber"`
				Amount            struct {
					TransactionAmount int64 `json:"transactionAmount"`
				} `json:"amount"`
			}
			if json.Unmarshal([]byte(body), &told) == nil && told.MdOrder != "" && told.TransactionNumber != "" {
				p.Ref.OrderID, p.Ref.Reference, p.Fee = told.MdOrder, told.TransactionNumber, 0
				p.Amount.Minor = max(told.Amount.TransactionAmount, 1)
			}
			for call, do := range map[string]func(providers.Provider) (any, error){
				"find": func(g providers.Provider) (any, error) { return g.Status(context.Background(), p) },
				"start": func(g providers.Provider) (any, error) {
					fresh := p
					fresh.Ref = providers.Ref{Reference: p.Ref.Reference}
					return g.Pay(context.Background(), fresh, bySaved(binding), threeds.BrowserData{})
				},
				"finish": func(g providers.Provider) (any, error) {
					return g.Resume(context.Background(), p, providers.Answer{Kind: providers.MethodDone})
				},
			} {
				providertest.Altered(t, f.Name()+" to "+call, []byte(body), p, func(body []byte) (any, error) {
					return do(open(t, &canned{answer: string(body)}))
				})
			}
		}
	}
	if n < 14 {
		t.Errorf("%d answers", n)
	}
}
