package transactworld

import (
	"crypto/sha256"
	"net/http"
)

// partnerAuthToken gives a partner a token for its members' calls. Like authToken it answers 200 whatever the result.
func (g *Gateway) partnerAuthToken(w http.ResponseWriter, r *http.Request) {
	in, err := readParams(r)
	if err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	for _, a := range g.accounts {
		if a.PartnerUser == "" || in.get("partner.userName") != a.PartnerUser || in.get("authentication.partnerId") != a.PartnerID ||
			!sameChecksum(in.get("authentication.sKey"), a.PartnerKey) {
			continue
		}
		g.mu.Lock()
		id := g.random(12)
		g.mu.Unlock()
		write(w, r, http.StatusOK, object{}.With("partnerId", a.PartnerID).
			With("result", result("200", "Token generated successfully")).With("timestamp", g.stamp()).
			With("LoginName", a.PartnerUser).With("AuthToken", signToken(partnerTokenKey(a), claims{a.PartnerUser, "partner", "PZ",
			g.now().Add(tokenLife).Unix(), id})))
		return
	}
	g.refused(w, r, nil, errLogin)
}

func partnerTokenKey(a *Account) []byte {
	sum := sha256.Sum256([]byte("sandbox partner token|" + a.PartnerID + "|" + a.PartnerKey))
	return sum[:]
}

// caller is the account that a call's token speaks for; a partner's names the member in the request. Nil: the token is refused.
func (g *Gateway) caller(in params, text string) *Account {
	for _, a := range g.accounts {
		if tokenGood(a, text, g.now()) {
			return a
		}
	}
	for _, a := range g.accounts {
		if a.PartnerUser != "" && a.MemberID == in.get("authentication.memberId") &&
			goodToken(partnerTokenKey(a), a.PartnerUser, text, g.now()) {
			return a
		}
	}
	return nil
}

// cardsAndAccounts is POST /getCardsAndAccounts: the member's registrations, or one customer's of them.
func (g *Gateway) cardsAndAccounts(c *call) (object, *fault) {
	if bad := c.signed(c.a.MemberID, c.a.SecureKey); bad != nil {
		return nil, bad
	}
	customer := c.get("customer.customerId")
	if customer == "" {
		customer = c.get("customerId")
	}
	var cards []object
	for reg := range g.registrations.All() {
		if reg.Deleted || reg.Member != c.a.MemberID || customer != "" && reg.Customer != customer {
			continue
		}
		cards = append(cards, object{}.With("registrationId", reg.ID).With("paymentBrand", reg.Brand).
			With("card", object{}.With("bin", reg.Bin).With("lastFourDigits", reg.Last4).With("last4Digits", reg.Last4).
				With("expiryMonth", reg.Month).With("expiryYear", reg.Year)).
			With("customer", object{}.With("id", reg.Customer)))
	}
	if len(cards) == 0 {
		return nil, errNone
	}
	return object{}.With("result", result("00026", "Record found")).With("cards", cards).With("timestamp", g.stamp()), nil
}

// as is a call of the back office that names its operation in the path, as some clients do: /capture/{id}, /refund/{id},
// /cancel/{id}, /getStatus/{id}.
func as(typ string) command {
	return func(g *Gateway, c *call) (object, *fault) {
		if said := c.get("paymentType"); said != "" && said != typ {
			return nil, errMode
		}
		c.params["paymentType"] = typ
		return g.backOffice(c)
	}
}
