package transactworld

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// checkout is the platform's own page, to which a shop's form sends the browser: POST /transaction/Checkout. It asks for the card, and
// keeps nothing before that: everything stands in its form, signed by the shop.
func (g *Gateway) checkout(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	_ = r.ParseForm()
	in := params{}
	for name, v := range r.PostForm {
		in[name] = v[0]
	}
	g.mu.Lock()
	v := g.checkoutPage(r, in)
	g.mu.Unlock()
	show(w, v)
}

func (g *Gateway) checkoutPage(r *http.Request, in params) view {
	wrong := func(text string) view { return view{Title: "Checkout", Text: text} }
	var a *Account
	for _, one := range g.accounts {
		if one.MemberID == in.get("memberId") {
			a = one
		}
	}
	reference := in.get("merchantTransactionId")
	if a == nil || !sameChecksum(in.get("checksum"), checksum(a.MemberID, in.get("totype"), in.get("amount"), reference,
		in.get("merchantRedirectUrl"), a.SecureKey)) {
		return wrong("The checksum does not match.")
	}
	if p := g.open(g.references[[2]string{a.MemberID, reference}]); p != nil && (p.waiting() || p.Charges > 0) {
		return g.currentPage(a, p)
	}
	typ := in.get("transactionType")
	if typ == "" {
		typ = "DB"
	}
	if reference == "" || typ != "DB" && typ != "PA" {
		return wrong("merchantTransactionId or transactionType is not valid.")
	}
	form := view{Title: "Checkout", Amount: in.get("amount") + " " + in.get("currency"), Action: g.url("/transaction/Checkout"), Button: "Pay"}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if !strings.HasPrefix(name, "card.") {
			form.Fields = append(form.Fields, field{Name: name, Value: in[name]})
		}
	}
	form.Fields = append(form.Fields, field{"card.number", "", "Card number"}, field{"card.expiryMonth", "", "Month"},
		field{"card.expiryYear", "", "Year"}, field{"card.cvv", "", "CVV"})
	if in.get("card.number") == "" {
		return form
	}
	in = maps.Clone(in)
	in["paymentMode"], in["paymentBrand"] = "CC", "VISA"
	if n := len(in.get("lang")); n > 0 { // what the page is asked, a payment is not
		delete(in, "lang")
	}
	c := &call{params: in, a: a, r: r}
	p, bad := g.begin(c, typ)
	if bad == nil {
		bad = c.check(p)
	}
	var card cardInput
	if bad == nil {
		card, bad = in.card()
	}
	if bad == nil {
		if bad = g.charge(a, p, card, ""); bad == nil {
			return g.currentPage(a, p)
		}
	}
	form.Text = bad.text
	return form
}
