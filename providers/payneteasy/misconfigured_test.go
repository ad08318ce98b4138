package payneteasy

import (
	"net/url"
	"testing"

	"tollgate/providers"
)

func rejection(kind, code, text string) string {
	return "type=" + kind + "\n&serial-number=sn-1\n&error-code=" + code + "\n&error-message=" + url.QueryEscape(text) + "\n"
}

func TestARejectionForWhatIsOursToMendIsMisconfiguredAndNoDecline(t *testing.T) {
	for _, c := range []struct {
		kind, text string
		untaken    bool
	}{
		{"validation-error", "Invalid control code", true},
		{"error", "Invalid control code", true},
		{"validation-error", "Login is unknown for this end point", true},
		{"error", "End point is not found", true},
		{"error", "Access denied", true},
		{"validation-error", "Parameter control is required", true},
		{"validation-error", "Parameter receipt_items is required", true},
		{"validation-error", "Currency USD is not supported", true},
		{"error", "Merchant is blocked", false},
		{"error", "Terminal is not configured", false},
	} {
		g := &gateway{answers: []string{rejection(c.kind, "2", c.text), rejection(c.kind, "2", c.text), rejection(c.kind, "2", c.text),
			rejection(c.kind, "2", c.text), rejection(c.kind, "2", c.text)}}
		p := testProvider(t, g)
		known := payment()
		known.Ref.OrderID = "6684127"
		_, card := p.Pay(t.Context(), payment(), providers.Instrument{Kind: "card", Card: testCard(t)}, browser())
		_, saved := p.Pay(t.Context(), payment(), providers.Instrument{Kind: "saved_card", Saved: "12"}, browser())
		_, hosted := p.Pay(t.Context(), payment(), providers.Instrument{Kind: "hosted"}, browser())
		_, refund := p.Do(t.Context(), known, providers.Op{Kind: providers.Refund, Amount: eur(1042)})
		_, status := p.Status(t.Context(), payment())
		for call, err := range map[string]error{"sale": card, "rebill": saved, "sale-form": hosted, "return": refund, "status": status} {
			f := providers.RefusalOfUs(err)
			if f == nil || f.Code != "2" || f.Text != c.text || f.Untaken != c.untaken {
				t.Errorf("%s, %s: %v, %+v", c.text, call, err, f)
			}
		}
	}
}

func TestAnAnswerThatNamesAnOrderIsNoProofThatNothingWasDone(t *testing.T) {
	g := &gateway{answers: []string{rejection("error", "2", "Invalid control code") + "&paynet-order-id=17\n"}}
	_, err := testProvider(t, g).Pay(t.Context(), payment(), providers.Instrument{Kind: "card", Card: testCard(t)}, browser())
	if f := providers.RefusalOfUs(err); f == nil || f.Untaken {
		t.Error(err)
	}
}

func TestWhatTheShopperTypedIsNotOursToMend(t *testing.T) {
	for _, text := range []string{"Parameter credit_card_number is required", "Parameter cvv2 is required", "Card is not supported by this merchant",
		"Insufficient funds", "Card number is invalid", "Order with this client_orderid already exists"} {
		g := &gateway{answers: []string{rejection("validation-error", "1", text)}}
		_, err := testProvider(t, g).Pay(t.Context(), payment(), providers.Instrument{Kind: "card", Card: testCard(t)}, browser())
		if providers.RefusalOfUs(err) != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
