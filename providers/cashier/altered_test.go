package cashier_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"tollgate/providers/cashier"
	"tollgate/providers/providertest"
)

// The answers of the document and of its sister, in the shapes that serializers, proxies and dialects give them.
func TestRecordedAnswersInOtherShapes(t *testing.T) {
	files, err := os.ReadDir("testdata/answers")
	if err != nil || len(files) < 20 {
		t.Fatal(len(files), err)
	}
	for _, f := range files {
		body := read(t, "answers/"+f.Name())
		p := payment(t, true)
		p.Hold = true
		p.Amount.Currency = currency(t, "EUR")
		card := p
		card.Amount.Currency = currency(t, "RUB")
		methods := map[string]func(body []byte) (any, error){
			"read": func(body []byte) (any, error) {
				return newFake(map[string][]said{"read": {{0, string(body)}}}).open(t, func(c *cashier.Config) { c.AmountMode = cashier.ModeOrder }).Status(context.Background(), p)
			},
		}
		if !strings.HasPrefix(f.Name(), "status_") {
			methods["authorize"] = func(body []byte) (any, error) {
				fake := newFake(map[string][]said{"authorize": {{0, string(body)}}, "read": {{0, orderAnswer(t)}}})
				return fake.open(t, nil).Pay(context.Background(), card, instrument(t), browser())
			}
		}
		for call, do := range methods {
			providertest.Altered(t, f.Name()+" to "+call, []byte(body), p, do)
		}
	}
}
