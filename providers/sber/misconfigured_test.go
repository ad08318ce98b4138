package sber_test

import (
	"errors"
	"testing"

	"tollgate/providers"
	"tollgate/threeds"
)

const denied = `{"requestId":"1","status":"ERROR","errorCode":"5","errorMessage":"Access denied"}`

func TestARefusalOfTheMerchantIsMisconfigured(t *testing.T) {
	for name, c := range map[string]canned{"by a code": {answer: denied}, "by HTTP 403": {status: 403, answer: denied},
		"by a wall before the gateway": {status: 403, answer: "<html>forbidden</html>"}} {
		g := open(t, &c)
		_, find := g.(providers.Login).FindCustomer(t.Context(), "79171131231")
		_, send := g.(providers.Login).SendCode(t.Context(), "87414E0F13AB4542AA9D10E81F74A6E3")
		_, status := g.Status(t.Context(), payment(t, "A-1"))
		_, start := g.Pay(t.Context(), payment(t, "A-1"), byCard(t, "4000001111111118"), threeds.BrowserData{})
		all := map[string]error{"clients/find": find, "auth/otp": send, "find": status, "payment/start": start}
		if c.status == 0 { // to a customer's token that may be what a dead one is told
			delete(all, "find")
			delete(all, "payment/start")
			if !errors.Is(status, providers.ErrCredential) || !errors.Is(start, providers.ErrCredential) {
				t.Errorf("%s: %v, %v", name, status, start)
			}
		}
		for call, err := range all {
			if f := providers.RefusalOfUs(err); f == nil || f.Code == "" {
				t.Errorf("%s, %s: %v", name, call, err)
			}
		}
	}
}

// A 401 to a customer's token is the customer's, who logs in again; one to a call without a token is ours.
func TestACustomersDeadTokenIsNotOursToMend(t *testing.T) {
	g := open(t, &canned{status: 401, answer: denied})
	if _, err := g.Status(t.Context(), payment(t, "A-1")); providers.RefusalOfUs(err) != nil || !errors.Is(err, providers.ErrCredential) {
		t.Error(err)
	}
	if _, err := g.(providers.Login).SendCode(t.Context(), "87414E0F13AB4542AA9D10E81F74A6E3"); providers.RefusalOfUs(err) == nil {
		t.Error(err)
	}
	if _, err := open(t, &canned{answer: denied}).(providers.Login).Exchange(t.Context(), "c", "111111"); !errors.Is(err, providers.ErrWrongCode) {
		t.Errorf("a wrong code: %v", err)
	}
}

func TestARefusedStartForWhatIsOursToMendIsMisconfiguredAndProved(t *testing.T) {
	for _, code := range []string{"3", "4", "8", "14"} {
		g := open(t, &canned{answer: `{"status":"ERROR","errorCode":"` + code + `","errorMessage":"Words"}`})
		_, err := g.Pay(t.Context(), payment(t, "A-1"), byCard(t, "4000001111111118"), threeds.BrowserData{})
		if f := providers.RefusalOfUs(err); f == nil || f.Code != code || f.Text != "Words" || !f.Untaken {
			t.Errorf("%s: %v", code, err)
		}
	}
}
