package payneteasy

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"tollgate/providers"
	"tollgate/providers/providertest"
)

// The answers that gateways and the vendor's tests recorded, in the shapes that serializers, proxies and dialects give them.
func TestRecordedAnswersInOtherShapes(t *testing.T) {
	n := 0
	for _, pattern := range []string{"recorded", "public_tests", "constructed", "v4_json"} {
		files, err := filepath.Glob("testdata/" + pattern + "/*")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			if strings.Contains(file, "callback") {
				continue
			}
			n++
			name := filepath.Base(file)
			body := fixture(t, pattern+"/"+name)
			status := ""
			if strings.Contains(name, ".400.") {
				status = "400 "
			}
			known := payment()
			if a, err := decode(200, []byte(body), true); err == nil {
				if known.Ref.OrderID = a["paynet-order-id"]; a["merchant-order-id"] != "" {
					known.Ref.Reference = a["merchant-order-id"]
				}
			}
			fresh := known
			fresh.Ref = providers.Ref{Reference: known.Ref.Reference}
			for call, do := range map[string]func(*provider) (any, error){
				"status": func(p *provider) (any, error) { return p.Status(context.Background(), known) },
				"sale": func(p *provider) (any, error) {
					return p.Pay(context.Background(), fresh, providers.Instrument{Kind: "card", Card: testCard(t)}, browser())
				},
			} {
				providertest.Altered(t, name+" to "+call, []byte(body), known, func(body []byte) (any, error) {
					return do(testProvider(t, &gateway{answers: []string{status + string(body)}}))
				})
			}
		}
	}
	if n < 14 {
		t.Errorf("%d answers", n)
	}
}

// Servers leave the texts for people unescaped, some of them in windows-1251; what decides stands beside them.
func TestAnUnescapedTextForPeopleSpoilsNoAnswer(t *testing.T) {
	const head = "type=status-response\n&serial-number=00000000-0000-0000-0000-0000005b5eec\n&merchant-order-id=902B4FF5\n&paynet-order-id=1\n"
	for name, c := range map[string]struct {
		pairs   string
		outcome providers.Outcome
	}{
		"a bank's name":            {"&status=approved\n&amount=10.42\n&currency=EUR\n&bank-name=СБЕРБАНК РОССИИ\n", providers.Paid},
		"in windows-1251":          {"&status=approved\n&amount=10.42\n&currency=EUR\n&bank-name=\xd1\xc1\xc5\xd0\xc1\xc0\xcd\xca\n", providers.Paid},
		"a reason with blanks":     {"&status=declined\n&amount=10.42\n&currency=EUR\n&error-code=3\n&error-message=Decline, refer to card issuer (5% fee)\n", providers.Refused},
		"a name, all on one line":  {"&status=approved&amount=10.42&currency=EUR&cardholder-name=JOSÉ ÁLVAREZ&last-four-digits=1111\n", providers.Paid},
		"a name with a plus in it": {"&status=approved\n&amount=10.42\n&currency=EUR\n&name=A+B C\n", providers.Paid},
	} {
		g := &gateway{answers: []string{head + c.pairs}}
		if s, err := testProvider(t, g).Status(t.Context(), payment()); err != nil || s.Outcome != c.outcome {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	for name, pairs := range map[string]string{
		"a browser's ¤cy":   "&status=approved\n&amount=10.42¤cy=EUR\n",
		"¤cy after a name":  "&status=approved\n&amount=10.42\n&name=A B¤cy=USD\n",
		"a status in words": "&status=approved and well\n&amount=10.42\n&currency=EUR\n",
	} {
		g := &gateway{answers: []string{head + pairs}}
		if s, err := testProvider(t, g).Status(t.Context(), payment()); err == nil && s.Outcome == providers.Paid {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
