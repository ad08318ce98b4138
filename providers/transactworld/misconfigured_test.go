package transactworld

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/providers"
)

func rejected(code, text string) string {
	return fmt.Sprintf(`{"paymentId":"-","transactionStatus":"N","status":"failed","result":{"code":"%s","description":"%s"}}`, code, text)
}

func TestARejectionForWhatIsOursToMendIsMisconfiguredAndNoDecline(t *testing.T) {
	for _, c := range [][2]string{{"20002", "Checksum does not match"}, {"20002", "memberId does not belong to the AuthToken"},
		{"20001", "Parameter authentication.terminalId is missing"}, {"20011", "Merchant account is blocked"},
		{"10001", "Invalid checksum"}, {"20012", "Currency is not supported"}} {
		p := testProvider(t, &gatewayLine{answer: says(200, rejected(c[0], c[1]))})
		in := providers.Instrument{Kind: "card", Card: parse(t, "4111110000000021", "123", 2030)}
		_, card := p.Pay(t.Context(), payment(t), in, browser())
		_, saved := p.Pay(t.Context(), payment(t), providers.Instrument{Kind: "saved_card", Saved: "token1"}, browser())
		_, refund := p.Do(t.Context(), known(payment(t), "54289"), providers.Op{Kind: providers.Refund, Amount: eur(t, 5000)})
		_, payout := p.Payout(t.Context(), payment(t), providers.Destination{PaymentID: "54289"})
		for call, err := range map[string]error{"DB": card, "paywithtoken": saved, "RF": refund, "PO": payout} {
			if f := providers.RefusalOfUs(err); f == nil || f.Code != c[0] || f.Text != c[1] || !f.Untaken {
				t.Errorf("%s, %s: %v, %+v", c[1], call, err, f)
			}
		}
		p = testProvider(t, &gatewayLine{answer: says(200, fmt.Sprintf(`{"result":{"code":"%s","description":"%s"}}`, c[0], c[1]))})
		if _, err := p.Status(t.Context(), payment(t)); providers.RefusalOfUs(err) == nil {
			t.Errorf("%s, IN: %v", c[1], err)
		}
	}
}

func TestACardsRefusalIsNotOursToMend(t *testing.T) {
	for _, c := range [][2]string{{"10001", "Transaction failed"}, {"20001", "Parameter card.cvv is missing"}, {"20021", "Card is not supported"},
		{"20003", "merchantTransactionId already exists"}} {
		p := testProvider(t, &gatewayLine{answer: says(200, rejected(c[0], c[1]))})
		in := providers.Instrument{Kind: "card", Card: parse(t, "4111110000000021", "123", 2030)}
		if _, err := p.Pay(t.Context(), payment(t), in, browser()); providers.RefusalOfUs(err) != nil {
			t.Errorf("%s: %v", c[1], err)
		}
	}
}

// noToken answers authToken alone, with a refusal.
type noToken struct{ body string }

func (n noToken) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(n.body)), Request: r}, nil
}

func TestRefusedCredentialsAreMisconfiguredAndNothingWasSent(t *testing.T) {
	c := Config{BaseURL: "https://gate.example", MemberID: "12754", PartnerID: "175", Username: "testdoc", SecureKey: providers.NewSecret(testKey)}
	for body, us := range map[string]bool{
		`{"result":{"code":"401","description":"Authentication failed"}}`: true,
		`{"result":{"code":"30000","description":"Internal error"}}`:      false,
	} {
		p, err := c.Open(providers.Env{HTTP: &http.Client{Transport: noToken{body}}, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		in := providers.Instrument{Kind: "card", Card: parse(t, "4111110000000021", "123", 2030)}
		_, err = p.Pay(t.Context(), payment(t), in, browser())
		if f := providers.RefusalOfUs(err); (f != nil) != us || us && !f.Untaken || err == nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}
