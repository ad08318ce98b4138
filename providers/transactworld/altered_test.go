package transactworld

import (
	"context"
	"path/filepath"
	"testing"

	"tollgate/providers"
	"tollgate/providers/providertest"
)

// The answers that are published, in the shapes that serializers, proxies and dialects give them.
func TestRecordedAnswersInOtherShapes(t *testing.T) {
	n := 0
	for _, folder := range []string{"documented", "constructed"} {
		files, err := filepath.Glob("testdata/" + folder + "/*.json")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			n++
			name := filepath.Base(file)
			body := fixture(t, folder+"/"+name)
			p := payment(t)
			if a, err := decode(200, []byte(body)); err == nil {
				if said := a.text("merchantTransactionId"); said != "" {
					p.Ref.Reference = said
				}
				if sum, err := a.amount("amount", p.Amount.Currency); err == nil && sum.Minor > 0 {
					p.Amount = sum
				}
			}
			if name == "notification_card_success.json" {
				continue // of a payout: beside its own word for that, what it says is no answer about a payment
			}
			for call, do := range map[string]func(*provider) (any, error){
				"IN": func(g *provider) (any, error) { return g.Status(context.Background(), p) },
				"DB": func(g *provider) (any, error) {
					return g.Pay(context.Background(), p, providers.Instrument{Kind: "card", Card: parse(t, "4000000000000051", "745", 2030)}, browser())
				},
			} {
				providertest.Altered(t, name+" to "+call, []byte(body), p, func(body []byte) (any, error) {
					return do(testProvider(t, &gatewayLine{answer: says(200, string(body))}))
				})
			}
		}
	}
	if n < 6 {
		t.Errorf("%d answers", n)
	}
}
