package e2e_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// scenario is one payment from the card form to its end, whatever drives the browser. In each, the page, the API's
// answer and the gateway's ledger have to agree.
type scenario struct {
	name    string
	account string
	card    string         // the number decides what gateway and bank do
	cvc     string         // "" is 123
	session map[string]any // beside, or in place of, what every session is created with
	visit   visit
	want    ending
}

// visit is what shopper and browser do beyond filling the card form and pressing Pay. The zero value is a browser in
// which all runs as it should.
type visit struct {
	noFrames bool          // nobody submits what stands in the Method frames: no script, and nobody presses in a hidden frame
	bank     []string      // on the bank's own page, in order: a one-time code that is typed, or the name of a button that is pressed
	lost     time.Duration // the shopper never comes back from the bank, and the clock moves on by this; in a world of its own
	slow     bool          // takes ten seconds and more by the real clock
}

// shown is the kind of page that the payment's address shows.
type shown string

const (
	cardForm   shown = "the card form"
	sameCard   shown = "the card form, for the same card"
	methodPage shown = "the Method frames"
	bankPage   shown = "the way to the bank"
	waitPage   shown = "the waiting page"
	resultPage shown = "the result"
	lostPage   shown = "no such payment"
)

// ending is how a payment stands when the shopper's page has come to rest.
type ending struct {
	page    shown
	says    string // words of the page
	status  string // of the session
	state   string // of its last attempt
	decline string // of its last attempt; "" none
	runs    int    // authentications of the last attempt
	compInd string // their completion indicators, one letter each; "-" where none was sent
	threeDS threeDS
	charges int // what the gateway's ledger counts
}

// threeDS is how the cardholder was authenticated, as the API tells the merchant; zero where it tells nothing.
type threeDS struct{ version, transStatus, eci string }

// What the shopper reads.
const (
	saysPaid       = "The payment went through"
	saysAuthorized = "The amount is held on your card"
	saysNotYou     = "could not confirm that it was you"
	saysNoMoney    = "not enough money on the card"
	saysRefused    = "refused the payment and gave no reason"
	saysNotCharged = "You were not charged"
	saysPayByCard  = "Pay by card"

	saysTransferred = "The transfer went through"
)

// recipient is the card that transfers go to, where the page asks.
const recipient = "4000019900021009"

// paid is the end of a payment that went through at the first try.
func paid(runs int, compInd string, how threeDS) ending {
	return ending{page: resultPage, says: saysPaid, status: "paid", state: "paid", runs: runs, compInd: compInd, threeDS: how, charges: 1}
}

// declined is a try that the gateway refused; the shopper may try again.
func declined(reason, says string, runs int, compInd string) ending {
	return ending{page: cardForm, says: says, status: "open", state: "declined", decline: reason, runs: runs, compInd: compInd}
}

// told is what an account's gateway tells of an authentication: RBS all of it, PaynetEasy only the outcome.
func told(account, version, transStatus, eci string) threeDS {
	if account == "payneteasy" {
		return threeDS{transStatus: map[string]string{"A": "Y", "I": ""}[transStatus] + map[bool]string{true: transStatus}[transStatus != "A" && transStatus != "I"]}
	}
	return threeDS{version, transStatus, eci}
}

// scenarios is the table. Two drivers walk it: a browser without script (walker_test.go) and Chromium (chromium_test.go).
func scenarios() []scenario {
	var all []scenario
	for _, account := range []string{"rbs", "payneteasy"} {
		all = append(all, everywhere(account)...)
	}
	all = slices.Concat(all, onlyRBS(), onlyPaynetEasy(), otherContracts())
	for _, account := range []string{"sber", "cashier", "transactworld"} {
		all = append(all, withoutMethods(account)...)
	}
	return all
}

// withoutMethods are the payments of the gateways that have no 3DS 2 of their own: a challenge card runs 3DS 1.0.2 or the
// gateway's own page, a frictionless card runs without 3DS. Sber's begin with a login, by phone and code.
func withoutMethods(account string) []scenario {
	session := map[string]any{}
	if account == "cashier" {
		session["currency"] = "RUB" // what its customers pay in
	}
	// Sber takes a payment without 3DS in two calls of ours; no browser stands between them.
	plain := "-"
	if account == "sber" {
		plain = "U"
	}
	// The two others tell the ECI, and nothing more; Sber tells nothing.
	known, frictionless := threeDS{eci: "05"}, threeDS{}
	switch account {
	case "sber":
		known = threeDS{}
	case "cashier":
		frictionless = known
	}
	rows := []scenario{
		{name: "no 3DS", card: "4000019900050008", want: paid(1, plain, threeDS{})},
		{name: "frictionless card", card: "4000019900020001", want: paid(1, plain, frictionless)},
		{name: "challenge card passes", card: "4000019900020704", want: paid(1, "-", known)},
		{name: "challenge card fails", card: "4000019900020712", want: declined("authentication_failed", saysNotYou, 1, "-")},
		{name: "challenge by hand", card: "4000019900020720", visit: visit{bank: []string{"1234"}}, want: paid(1, "-", known)},
		{name: "3DS 1.0.2 Y", card: "4000019900040702", want: paid(1, "-", known)},
		{name: "3DS 1.0.2 N", card: "4000019900040710", want: declined("authentication_failed", saysNotYou, 1, "-")},
		{name: "declined for funds", card: "4000019900050107", want: declined("insufficient_funds", saysNoMoney, 1, plain)},
		{name: "declined by the bank after authentication", card: "4000019900060700", want: declined("do_not_honor", saysRefused, 1, "-")},
	}
	if account != "sber" {
		rows = append(rows, scenario{name: "held for a later capture", card: "4000019900050008", session: map[string]any{"capture": "manual"},
			want: ending{page: resultPage, says: saysAuthorized, status: "authorized", state: "authorized", runs: 1, compInd: "-", charges: 1}})
	}
	if account == "sber" {
		rows = append(rows, transfers()...)
	}
	for i := range rows {
		rows[i].name, rows[i].account = account+": "+rows[i].name, account
		if rows[i].session == nil {
			rows[i].session = map[string]any{}
		}
		for k, v := range session {
			rows[i].session[k] = v
		}
	}
	return rows
}

// transfers go from card to card.
func transfers() []scenario {
	went := func(compInd string) ending {
		e := paid(1, compInd, threeDS{})
		e.says = saysTransferred
		return e
	}
	rows := []scenario{
		{name: "no 3DS", card: "4000019900050008", want: went("U")},
		{name: "no 3DS, with a fee", card: "4000019900050008", session: map[string]any{"fee": 5000}, want: went("U")},
		{name: "challenge card passes", card: "4000019900020704", want: went("-")},
		{name: "challenge card fails", card: "4000019900020712", want: declined("authentication_failed", saysNotYou, 1, "-")},
		{name: "challenge by hand", card: "4000019900020720", visit: visit{bank: []string{"1234"}}, want: went("-")},
		{name: "declined for funds", card: "4000019900050107", want: declined("insufficient_funds", saysNoMoney, 1, "U")},
		{name: "declined by the bank after authentication", card: "4000019900060700", want: declined("do_not_honor", "refused the transfer and gave no reason", 1, "-")},
		// Nothing closes an order of this gateway: it ends by itself, twenty minutes after its start.
		{name: "the bank never returns", card: "4000019900020746", session: map[string]any{"expires_in": 3600}, visit: visit{lost: 20*time.Minute + 30*time.Second},
			want: declined("other", "The transfer was refused", 1, "-")},
	}
	for i := range rows {
		if rows[i].session == nil {
			rows[i].session = map[string]any{}
		}
		rows[i].name, rows[i].session["kind"] = "transfer, "+rows[i].name, "transfer"
	}
	return rows
}

// everywhere are the payments that every gateway with EMV 3DS and 3DS 1.0.2 must take alike.
func everywhere(account string) []scenario {
	const never = 15*time.Minute + 30*time.Second
	none := threeDS{}
	y := told(account, "2.2.0", "Y", "05")
	y1 := told(account, "", "Y", "05")
	if account == "rbs" {
		y1.version = "1.0.2"
	}
	notYou := func(compInd string) ending { return declined("authentication_failed", saysNotYou, 1, compInd) }
	softRuns, softInd := 2, "YY"
	if account == "payneteasy" { // asks the bank again by itself, within the same run
		softRuns, softInd = 1, "Y"
	}
	manual := func(press ...string) visit { return visit{bank: press} }
	rows := []scenario{
		{name: "no 3DS", card: "4000019900050008", want: paid(1, "-", none)},
		{name: "declined for funds, no 3DS", card: "4000019900050107", want: declined("insufficient_funds", saysNoMoney, 1, "-")},
		{name: "held for a later capture", card: "4000019900050008", session: map[string]any{"capture": "manual"},
			want: ending{page: resultPage, says: saysAuthorized, status: "authorized", state: "authorized", runs: 1, compInd: "-", charges: 1}},

		{name: "frictionless, Method answers", card: "4000019900020001", want: paid(1, "Y", y)},
		{name: "frictionless, no Method URL", card: "4000019900021009", want: paid(1, "U", y)},
		{name: "frictionless, Method silent", card: "4000019900022007", visit: visit{slow: true}, want: paid(1, "N", y)},
		{name: "frictionless, Method late", card: "4000019900023005", visit: visit{slow: true}, want: paid(1, "N", y)},
		{name: "frictionless, Method never submitted", card: "4000019900020001", visit: visit{slow: true, noFrames: true}, want: paid(1, "N", y)},
		{name: "frictionless, Method answers twice", card: "4000019900024003", want: paid(1, "Y", y)},
		{name: "frictionless, Method answers garbage", card: "4000019900025000", want: paid(1, "Y", y)},

		{name: "not authenticated N", card: "4000019900020100", want: notYou("Y")},
		{name: "attempt A", card: "4000019900020209", want: paid(1, "Y", told(account, "2.2.0", "A", "06"))},
		{name: "rejected R", card: "4000019900020308", want: notYou("Y")},
		{name: "informational I", card: "4000019900020407", want: paid(1, "Y", told(account, "2.2.0", "I", "07"))},
		{name: "unavailable U", card: "4000019900020506", want: notYou("Y")},
		{name: "directory server times out", card: "4000019900020605", want: notYou("Y")},
		{name: "decoupled D", card: "4000019900020803", visit: visit{slow: true}, want: paid(1, "Y", y)},

		{name: "challenge passed", card: "4000019900020704", want: paid(1, "Y", y)},
		{name: "challenge failed", card: "4000019900020712", want: notYou("Y")},
		{name: "challenge cancelled", card: "4000019900020738", want: notYou("Y")},
		{name: "challenge ends in Erro", card: "4000019900020753", want: notYou("Y")},
		{name: "challenge, CRes padded", card: "4000019900020761", want: paid(1, "Y", y)},
		{name: "challenge, CRes folded", card: "4000019900020779", want: paid(1, "Y", y)},
		{name: "challenge, CRes posted twice", card: "4000019900020787", want: paid(1, "Y", y)},
		{name: "challenge, CRes by GET", card: "4000019900020795", want: paid(1, "Y", y)},
		{name: "challenge passed, bank declines", card: "4000019900060700", want: declined("do_not_honor", saysRefused, 1, "Y")},
		{name: "challenge passed, held", card: "4000019900020704", session: map[string]any{"capture": "manual"},
			want: ending{page: resultPage, says: saysAuthorized, status: "authorized", state: "authorized", runs: 1, compInd: "Y", threeDS: y, charges: 1}},
		{name: "soft decline, then challenge", card: "4000019900020902", want: paid(softRuns, softInd, y)},

		{name: "bank's page 2.2.0, code passes", card: "4000019900020720", visit: manual("1234"), want: paid(1, "Y", y)},
		{name: "bank's page 2.2.0, code is an attempt", card: "4000019900020720", visit: manual("2222"), want: paid(1, "Y", told(account, "2.2.0", "A", "06"))},
		{name: "bank's page 2.2.0, code fails", card: "4000019900020720", visit: manual("3333"), want: notYou("Y")},
		{name: "bank's page 2.2.0, wrong code, then right", card: "4000019900020720", visit: manual("0000", "1234"), want: paid(1, "Y", y)},
		{name: "bank's page 2.2.0, three wrong codes", card: "4000019900020720", visit: manual("0000", "0001", "0002"), want: notYou("Y")},
		{name: "bank's page 2.2.0, Cancel", card: "4000019900020720", visit: manual("cancel"), want: notYou("Y")},
		{name: "bank's page 2.2.0, Error", card: "4000019900020720", visit: manual("error"), want: notYou("Y")},
		{name: "bank's page 2.1.0, code passes", card: "4000019900010721", visit: manual("1234"), want: paid(1, "Y", told(account, "2.1.0", "Y", "05"))},
		{name: "bank's page 2.3.1, code passes", card: "4000019900030729", visit: manual("1234"), want: paid(1, "Y", told(account, "2.3.1", "Y", "05"))},
		{name: "bank's page 2.3.1, Fail", card: "4000019900030729", visit: manual("fail"), want: notYou("Y")},

		{name: "3DS 1.0.2 Y", card: "4000019900040702", want: paid(1, "-", y1)},
		{name: "3DS 1.0.2 N", card: "4000019900040710", want: notYou("-")},
		{name: "3DS 1.0.2, bank's page, code passes", card: "4000019900040728", visit: manual("1234"), want: paid(1, "-", y1)},
		{name: "3DS 1.0.2, bank's page, Fail", card: "4000019900040728", visit: manual("fail"), want: notYou("-")},
		{name: "3DS 1.0.2, bank's page, Unable", card: "4000019900040728", visit: manual("unable"), want: notYou("-")},
	}
	// The shopper is lost at the bank. RBS closes the order for us; PaynetEasy gives it up by itself.
	lost := ending{page: cardForm, says: saysNotCharged, status: "open", state: "abandoned", runs: 1, compInd: "Y"}
	if account == "payneteasy" {
		lost = declined("authentication_failed", saysNotYou, 1, "Y")
	}
	short := lost
	short.page, short.says, short.status = resultPage, "The time to pay has run out", "expired"
	rows = append(rows,
		scenario{name: "challenge, the bank never returns", card: "4000019900020746", visit: visit{lost: never}, want: lost},
		scenario{name: "challenge, Never, in a session of 5 minutes", card: "4000019900020720", session: map[string]any{"expires_in": 300}, visit: visit{bank: []string{"never"}, lost: never}, want: short},
	)
	for i := range rows {
		rows[i].name, rows[i].account = account+": "+rows[i].name, account
	}
	return rows
}

// otherContracts are other contracts that one can have with the gateways: all that an account can have otherwise.
func otherContracts() []scenario {
	rows := []scenario{
		{name: "frictionless", account: "payneteasy-other", card: "4000019900020001", want: paid(1, "Y", told("payneteasy", "2.2.0", "Y", "05"))},
		{name: "challenge passed", account: "payneteasy-other", card: "4000019900020704",
			session: map[string]any{"gateway_options": map[string]any{"payneteasy": map[string]any{"merchant_data": "m", "purpose": "p", "destination": "d", "birthday": "1990-01-31"}}},
			want:    paid(1, "Y", told("payneteasy", "2.2.0", "Y", "05"))},
		{name: "3DS 1.0.2 N", account: "payneteasy-other", card: "4000019900040710", want: declined("authentication_failed", saysNotYou, 1, "-")},
		{name: "an order of its own amount", account: "cashier-order", card: "4000019900050008", session: map[string]any{"currency": "USD"}, want: paid(1, "-", threeDS{})},
		{name: "an order in tenge", account: "cashier-kzt", card: "4000019900050008", session: map[string]any{"currency": "KZT"}, want: paid(1, "-", threeDS{})},
		{name: "declined", account: "cashier-order", card: "4000019900050107", session: map[string]any{"currency": "EUR"}, want: declined("insufficient_funds", saysNoMoney, 1, "-")},
	}
	for i := range rows {
		rows[i].name = rows[i].account + ": " + rows[i].name
	}
	return rows
}

// onlyRBS are the other contracts one can have with that gateway.
func onlyRBS() []scenario {
	y, y1 := threeDS{"2.2.0", "Y", "05"}, threeDS{"1.0.2", "Y", "05"}
	notYou := func(compInd string) ending { return declined("authentication_failed", saysNotYou, 1, compInd) }
	var rows []scenario
	for _, account := range []string{"rbs-own", "rbs-redirect"} { // our own TermUrl; by acsRedirect.do
		rows = append(rows,
			scenario{name: "3DS 1.0.2 Y", account: account, card: "4000019900040702", want: paid(1, "-", y1)},
			scenario{name: "3DS 1.0.2 N", account: account, card: "4000019900040710", want: notYou("-")},
			scenario{name: "3DS 1.0.2, bank's page", account: account, card: "4000019900040728", visit: visit{bank: []string{"1234"}}, want: paid(1, "-", y1)},
		)
	}
	rows = append(rows,
		scenario{name: "a fee for a child merchant, 3DS switched off by a feature", account: "rbs-terms", card: "4000019900020704",
			session: map[string]any{"fee": 150, "customer": map[string]any{"id": "c-1", "phone": "+77010000000"}},
			want:    paid(1, "-", threeDS{})},
		scenario{name: "features of the session alone", account: "rbs-terms", card: "4000019900021009",
			session: map[string]any{"gateway_options": map[string]any{"rbs": map[string]any{"features": []string{"FORCE_TDS"}}}},
			want:    paid(1, "U", y)},
		scenario{name: "by token, without notification and browser data", account: "rbs-bare", card: "4000019900021009", want: paid(1, "U", y)},
	)
	// No finish URL of ours: the gateway finishes the challenge and sends the shopper back.
	for _, c := range []struct {
		name, card string
		want       ending
	}{
		{"challenge passed", "4000019900020704", paid(1, "Y", y)},
		{"challenge failed", "4000019900020712", notYou("Y")},
		{"challenge ends in Erro", "4000019900020753", notYou("Y")},
		{"challenge, CRes padded", "4000019900020761", paid(1, "Y", y)},
		{"challenge, CRes posted twice", "4000019900020787", paid(1, "Y", y)},
		{"challenge passed, bank declines", "4000019900060700", declined("do_not_honor", saysRefused, 1, "Y")},
		{"frictionless, Method answers", "4000019900020001", paid(1, "Y", y)},
		{"soft decline, then challenge", "4000019900020902", paid(2, "YY", y)},
	} {
		rows = append(rows, scenario{name: c.name, account: "rbs-gateway", card: c.card, want: c.want})
	}
	for i := range rows {
		rows[i].name = rows[i].account + ": " + rows[i].name
	}
	return rows
}

// onlyPaynetEasy are its simplified flow, where 3-D Secure runs behind the gateway's own page (html and redirect-to), and
// what it decides by CVV2.
func onlyPaynetEasy() []scenario {
	y := threeDS{transStatus: "Y"}
	rows := []scenario{
		{name: "html, bank's page passes", card: "4000019900070006", visit: visit{bank: []string{"1234"}}, want: paid(1, "-", y)},
		{name: "html, bank's page fails", card: "4000019900070006", visit: visit{bank: []string{"3333"}}, want: declined("authentication_failed", saysNotYou, 1, "-")},
		{name: "html by CVV2, no 3DS", card: "4000019900050008", cvc: "321", want: paid(1, "-", threeDS{})},
		{name: "html by CVV2, frictionless", card: "4000019900020001", cvc: "321", want: paid(1, "-", y)},
		{name: "html by CVV2, challenge passes", card: "4000019900020704", cvc: "321", want: paid(1, "-", y)},
		{name: "html by CVV2, 3DS 1.0.2", card: "4000019900040702", cvc: "321", want: paid(1, "-", y)},
		{name: "approved without 3DS by CVV2", card: "4000019900020704", cvc: "111", want: paid(1, "-", threeDS{})},
		{name: "declined by CVV2, stolen", card: "4000019900020704", cvc: "209", want: declined("fraud", "The payment was refused", 1, "-")},
	}
	for i := range rows {
		rows[i].name, rows[i].account = "payneteasy: "+rows[i].name, "payneteasy"
	}
	return rows
}

// agrees holds the API's answer and the gateway's ledger against the ending; the driver has looked at the page.
func (w *world) agrees(t testing.TB, made sessionView, want ending) {
	t.Helper()
	s := w.session(t, made.ID)
	if s.Status != want.status || !s.OutcomeKnown {
		t.Errorf("the session is %s (outcome known: %v), want %s", s.Status, s.OutcomeKnown, want.status)
	}
	if len(s.Attempts) != 1 {
		t.Fatalf("%d attempts, want 1", len(s.Attempts))
	}
	a := s.Attempts[0]
	reason := ""
	if a.Decline != nil {
		reason = a.Decline.Reason
	}
	if a.State != want.state || reason != want.decline {
		t.Errorf("the attempt is %s %q, want %s %q", a.State, reason, want.state, want.decline)
	}
	ind := ""
	for _, r := range a.Runs {
		if r.CompInd == "" {
			r.CompInd = "-"
		}
		ind += r.CompInd
	}
	if len(a.Runs) != want.runs || ind != want.compInd {
		t.Errorf("%d runs with completion indicators %s, want %d with %s", len(a.Runs), ind, want.runs, want.compInd)
	}

	entries := w.ledger(t, s.OrderID)
	if len(entries) != 1 {
		t.Fatalf("the gateway knows %d orders, want 1: %+v", len(entries), entries)
	}
	truth := entries[0]
	held, captured := int64(0), int64(0)
	if want.charges == 1 {
		held = s.Amount
		if want.status == "paid" {
			captured = s.Amount
		}
	}
	if truth.Charges != want.charges || truth.Authorized != held || truth.Captured != captured || truth.Refunded != 0 ||
		truth.Reference != a.Reference || truth.Amount != s.Amount || truth.Currency != s.Currency {
		t.Errorf("the ledger says %+v, want %d charges, %d authorized, %d captured of %s", truth, want.charges, held, captured, a.Reference)
	}
	switch p := s.Payment; {
	case (p != nil) != (want.charges == 1):
		t.Errorf("the API tells of a payment: %v", p != nil)
	case p != nil:
		if p.Authorized != held || p.Captured != captured || p.Refunded != 0 || p.GatewayOrderID != truth.GatewayOrderID {
			t.Errorf("the API says %+v, the ledger %+v", *p, truth)
		}
		got := threeDS{}
		if p.ThreeDS != nil {
			got = threeDS{p.ThreeDS.Version, p.ThreeDS.TransStatus, p.ThreeDS.ECI}
		}
		if got != want.threeDS {
			t.Errorf("authenticated as %+v, want %+v", got, want.threeDS)
		}
	}
	w.history(t, made.ID)
}

// history holds a session's events against what events promise: numbered without a gap, no state told twice in a row,
// at most one end in money.
func (w *world) history(t testing.TB, id string) []string {
	t.Helper()
	var types []string
	told := map[string]int{}
	for i, e := range w.events(t, id) {
		if e.N != i+1 {
			t.Errorf("event %d has the number %d", i+1, e.N)
		}
		told[e.Type]++
		types = append(types, e.Type)
	}
	held, taken := told["payment.authorized"], told["payment.paid"]
	if held > 1 || taken > 1 || held+taken > 1 && told["capture.started"]+told["capture.elsewhere"] == 0 {
		t.Errorf("money is told of more than once: %v", types)
	}
	return types
}

// advance moves the clock that front and sandbox share.
func (w *world) advance(t testing.TB, d time.Duration) {
	t.Helper()
	w.sandbox(t, "POST", "/clock/advance", map[string]any{"seconds": d.Seconds()}, nil)
}

// snapshot is all that the API tells of a session and its history, to see whether anything changed.
func (w *world) snapshot(t testing.TB, id string) string {
	t.Helper()
	var s, events json.RawMessage
	w.api(t, "GET", "/v1/sessions/"+id, nil, &s)
	w.api(t, "GET", "/v1/sessions/"+id+"/events", nil, &events)
	return string(s) + "\n" + string(events)
}
