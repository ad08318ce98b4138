package transactworld

import "tollgate/internal/sandbox/issuer"

// maskOf is the mask under which the issuer's table lists the number; "" for a number that it has not.
func maskOf(pan string) string {
	if card, ok := issuer.Find(pan); ok {
		return card.Masked()
	}
	return ""
}

// register is POST /registrations: a card without a payment. It answers the registration's own id.
func (g *Gateway) register(c *call) (object, *fault) {
	values := []string{c.a.MemberID, c.a.SecureKey}
	if v := c.get("merchantTransactionId"); v != "" {
		values = append(values, v)
	}
	if bad := c.signed(values...); bad != nil {
		return nil, bad
	}
	if c.get("createRegistration") != "true" {
		return nil, malformed("createRegistration")
	}
	if m := c.get("paymentMode"); m != "CC" && m != "DC" || !brands[c.get("paymentBrand")] {
		return nil, errMode
	}
	in, bad := c.card()
	if bad != nil {
		return nil, bad
	}
	reg := &registration{ID: g.random(32), Member: c.a.MemberID, Customer: c.get("customer.customerId"), Card: maskOf(in.pan),
		Bin: in.pan[:6], Last4: in.pan[len(in.pan)-4:], Month: in.month, Year: in.year, Brand: c.get("paymentBrand")}
	if reg.Card == "" || in.cvv != "123" || in.year+in.month < g.now().Format("200601") {
		return nil, refuse("10001", "Registration failed")
	}
	if bad := g.saveRegistration(reg); bad != nil {
		return nil, bad
	}
	return object{}.With("id", reg.ID).With("registrationId", reg.ID).
		With("result", result("00030", "Card registered successfully")).
		With("card", object{}.With("bin", reg.Bin).With("lastFourDigits", reg.Last4).With("last4Digits", reg.Last4).
			With("expiryMonth", reg.Month).With("expiryYear", reg.Year)).
		With("customer", object{}.With("email", c.get("customer.email")).With("id", reg.Customer)).With("timestamp", g.stamp()), nil
}

// unregister is POST /registrations/{id} with paymentType=DL.
func (g *Gateway) unregister(c *call) (object, *fault) {
	id := c.r.PathValue("id")
	if bad := c.signed(c.a.MemberID, c.a.SecureKey, id); bad != nil {
		return nil, bad
	}
	if c.get("paymentType") != "DL" {
		return nil, errMode
	}
	reg := g.registrations.Get(id)
	if reg == nil || reg.Deleted || reg.Member != c.a.MemberID {
		return nil, errNoCard
	}
	reg.Deleted = true
	if bad := g.saveRegistration(reg); bad != nil {
		return nil, bad
	}
	return object{}.With("registrationId", id).With("result", result("00031", "Registration deleted successfully")).
		With("timestamp", g.stamp()), nil
}
