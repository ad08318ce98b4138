package sber

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tollgate/internal/sandbox/faults"
)

const (
	frictionless = "4000019900020001"
	refusedN     = "4000019900020100"
	unavailableU = "4000019900020506"
	challengeOK  = "4000019900020704"
	erro         = "4000019900020753"
	soft         = "4000019900020902"
	legacyOK     = "4000019900040702"
	legacyNo     = "4000019900040710"
	noTDS        = "4000019900050008"
	noFunds      = "4000019900050107"
	noHonor      = "4000019900060700"
)

func TestAPhoneIsACustomerOrTheAnswerHasNoClient(t *testing.T) {
	w := newWorld(t)
	first := w.as("", "clients/find", object{"phone": "9991234567"})
	again := w.as("", "clients/find", object{"phone": "9991234567"})
	id := text(first, "client", "uuid")
	if !regexp.MustCompile(`^[0-9A-F]{32}$`).MatchString(id) || text(again, "client", "uuid") != id || text(first, "client", "createdDate") != "21.11.2026 15:00:00.000" {
		t.Fatalf("%v, then %v", first, again)
	}
	for _, phone := range []string{"9991234500", "79991234567", "+79991234567", "1234567890", "999123456x"} {
		out := w.as("", "clients/find", object{"phone": phone})
		if _, there := out["client"]; there || text(out, "status") != "SUCCESS" {
			t.Errorf("%s: %v", phone, out)
		}
	}
	w.refused("4", "clients/find", object{})
	w.refused("4", "clients/find", object{"phone": "9991234567", "email": "a@b.example"})
	w.Restart()
	if out := w.as("", "clients/find", object{"phone": "9991234567"}); text(out, "client", "uuid") != id {
		t.Errorf("forgotten: %v", out)
	}
}

func TestTheCodeIsGoodForSixtySecondsAndThreeTries(t *testing.T) {
	w := newWorld(t)
	uuid := text(w.as("", "clients/find", object{"phone": "9990000001"}), "client", "uuid")
	ask := func() string {
		return text(w.as("", "auth/otp", object{"merchantLogin": "tollgate", "uuid": uuid}), "accessCode")
	}
	try := func(code, otp string) string {
		return text(w.as("", "auth/token", object{"accessCode": code, "otp": otp}), "accessToken")
	}
	late := ask()
	w.Pass(60 * time.Second)
	if try(late, DemoCode) != "" {
		t.Error("taken after 60 s")
	}
	justInTime := ask()
	w.Pass(59 * time.Second)
	w.Restart()
	if try(justInTime, DemoCode) == "" {
		t.Error("refused after 59 s and a restart")
	}
	if try(justInTime, DemoCode) != "" {
		t.Error("taken twice")
	}
	old, young := ask(), ask()
	if try(old, DemoCode) != "" || try(young, DemoCode) == "" {
		t.Error("a new code does not end the one before")
	}
	guessed := ask()
	for range 3 {
		try(guessed, "222222")
	}
	if try(guessed, DemoCode) != "" {
		t.Error("taken after three wrong tries")
	}
	w.refused("5", "auth/otp", object{"merchantLogin": "nobody", "uuid": uuid})
	w.refused("6", "auth/otp", object{"merchantLogin": "tollgate", "uuid": strings.Repeat("0", 32)})
}

func TestATokenLivesThirtyDaysAndUntilTheNextLogin(t *testing.T) {
	w := newWorld(t)
	dead := func(token string) bool {
		body, _ := json.Marshal(object{"transactionNumber": "none"})
		status, out := w.raw("transactions/find", token, "application/json", body)
		if status == http.StatusUnauthorized && (text(out, "status") != "ERROR" || text(out, "errorCode") != "5") {
			t.Errorf("401 without the gateway's words: %v", out)
		}
		return status == http.StatusUnauthorized
	}
	for _, token := range []string{"", "x", "Bearer " + w.token, w.token + "0"} {
		if !dead(token) {
			t.Errorf("%q opens the API", token)
		}
	}
	other := w.login(DemoPhone, "other")
	if dead(w.token) || dead(other) {
		t.Error("a login at another merchant ends this one's token")
	}
	next := w.login(DemoPhone, "tollgate")
	if !dead(w.token) || dead(next) || dead(other) {
		t.Error("a new token must end the one before, and no other")
	}
	w.Pass(30*24*time.Hour - time.Second)
	w.Restart()
	if dead(next) {
		t.Error("dead before 30 days")
	}
	w.Pass(time.Second)
	if !dead(next) {
		t.Error("alive after 30 days")
	}
}

func TestStartMovesNoMoneyAndFinishMovesItOnce(t *testing.T) {
	w := newWorld(t)
	started := w.good("payment/start", payment("p-1", byCard(noTDS)))
	for _, name := range []string{"info", "redirectUrl", "paReq"} {
		if _, there := started[name]; there {
			t.Errorf("SSL answers %s", name)
		}
	}
	if w.status("p-1") != "CREATED" {
		t.Error(w.status("p-1"))
	}
	w.mustLedger("p-1", 0, 0)
	done := w.good("payment/finish", finish(started))
	if text(done, "mdOrder") != text(started, "mdOrder") || text(done, "transactionNumber") != "p-1" {
		t.Errorf("%v", done)
	}
	w.mustLedger("p-1", 1, 6100)
	w.refused("5", "payment/finish", finish(started))
	w.refused("1", "payment/start", payment("p-1", byCard(noTDS)))
	w.mustLedger("p-1", 1, 6100)
	w.Restart()
	w.refused("1", "payment/start", payment("p-1", byCard(noTDS)))
	w.mustLedger("p-1", 1, 6100)
	if w.status("p-1") != "DEPOSITED" {
		t.Error(w.status("p-1"))
	}
}

func TestThreeDSecureNeedsThePaResOfItsOwnPaReq(t *testing.T) {
	w := newWorld(t)
	other := w.bank(w.good("payment/start", payment("o-1", byCard(legacyOK))))
	started := w.good("payment/start", payment("p-1", byCard(legacyOK)))
	back := w.bank(started)
	if back.Get("MD") != text(started, "mdOrder") {
		t.Errorf("MD %s", back.Get("MD"))
	}
	f := finish(started)
	w.refused("4", "payment/finish", f)
	w.refused("5", "payment/finish", with(f, "paRes", other.Get("PaRes")))
	w.refused("5", "payment/finish", with(f, "paRes", back.Get("PaRes")[1:]))
	w.mustLedger("p-1", 0, 0)
	if w.status("p-1") != "CREATED" {
		t.Fatal("a refused PaRes changed the order")
	}
	w.Restart()
	done := w.good("payment/finish", with(f, "paRes", back.Get("PaRes")))
	if _, there := done["transactionNumber"]; there || text(done, "mdOrder") != text(started, "mdOrder") {
		t.Errorf("3DS finish answers mdOrder alone: %v", done)
	}
	w.mustLedger("p-1", 1, 6100)
	ssl := w.good("payment/start", payment("s-1", byCard(noTDS)))
	w.refused("5", "payment/finish", with(finish(ssl), "paRes", other.Get("PaRes")))
}

func TestTheCardDecidesHowFinishEnds(t *testing.T) {
	w := newWorld(t)
	for i, c := range []struct {
		pan    string
		bank   bool
		action string
	}{
		{noTDS, false, ""}, {frictionless, false, ""}, {refusedN, false, "-2006"}, {unavailableU, false, "-2011"}, {noFunds, false, "116"},
		{legacyOK, true, ""}, {legacyNo, true, "-2006"}, {challengeOK, true, ""}, {soft, true, ""}, {erro, true, "-2011"}, {noHonor, true, "119"},
		{"5555555555555599", false, "111"},
	} {
		number := fmt.Sprintf("c-%d", i)
		started := w.good("payment/start", payment(number, byCard(c.pan)))
		f := finish(started)
		if _, there := started["paReq"]; there != c.bank {
			t.Errorf("%s: 3DS %v", c.pan, there)
			continue
		}
		if c.bank {
			f["paRes"] = w.bank(started).Get("PaRes")
		}
		status, charges, captured := "DEPOSITED", 1, int64(6100)
		if c.action != "" {
			w.refused(c.action, "payment/finish", f)
			status, charges, captured = "DECLINED", 0, 0
		} else {
			w.good("payment/finish", f)
		}
		if got := w.status(number); got != status {
			t.Errorf("%s: %s", c.pan, got)
		}
		w.mustLedger(number, charges, captured)
		w.refused("5", "payment/finish", f)
	}
	wrong := with(cardOf(noTDS), "cvc", "999")
	w.refused("82", "payment/finish", finish(w.good("payment/start", payment("w-1", object{"card": wrong}))))
	old := with(cardOf(noTDS), "expiryDate", "2026-10")
	w.refused("101", "payment/finish", finish(w.good("payment/start", payment("w-2", object{"card": old}))))
}

func TestStartRefusesWhatIsMissingOrMalformed(t *testing.T) {
	w := newWorld(t)
	ok := payment("n", byCard(noTDS))
	amount := ok["amount"].(object)
	for what, bad := range map[string]object{
		"no number":          without(ok, "transactionNumber"),
		"long number":        with(ok, "transactionNumber", strings.Repeat("9", 37)),
		"no source":          without(ok, "source"),
		"card and binding":   with(ok, "source", object{"card": cardOf(noTDS), "binding": strings.Repeat("A", 32)}),
		"no pan":             with(ok, "source", object{"card": without(cardOf(noTDS), "pan")}),
		"no cvc":             with(ok, "source", object{"card": without(cardOf(noTDS), "cvc")}),
		"no holder":          with(ok, "source", object{"card": without(cardOf(noTDS), "cardholderName")}),
		"no expiry":          with(ok, "source", object{"card": without(cardOf(noTDS), "expiryDate")}),
		"expiry MM/YY":       with(ok, "source", object{"card": with(cardOf(noTDS), "expiryDate", "12/29")}),
		"Luhn":               with(ok, "source", byCard("4000019900050009")),
		"no amount":          with(ok, "amount", without(amount, "transactionAmount")),
		"zero":               with(ok, "amount", with(amount, "transactionAmount", 0)),
		"negative":           with(ok, "amount", with(amount, "transactionAmount", -1)),
		"major units":        with(ok, "amount", with(amount, "transactionAmount", "61.00")),
		"return url":         with(ok, "returnUrl", object{"success": "nowhere"}),
		"amount of an order": with(ok, "amount", 6100),
	} {
		if out := w.call("payment/start", bad); text(out, "errorCode") != "4" {
			t.Errorf("%s: %v", what, out)
		}
	}
	w.refused("3", "payment/start", with(ok, "amount", with(amount, "currency", "RUB")))
	w.refused("3", "payment/start", with(ok, "amount", with(amount, "currency", "999")))
	w.refused("2", "payment/start", with(ok, "source", byBinding(strings.Repeat("A", 32))))
	if len(w.Env.Ledger.All()) != 0 {
		t.Error("a refused start made an order")
	}
	w.good("payment/start", with(ok, "amount", with(amount, "transactionAmount", "6100")))
	for contentType, body := range map[string]string{"application/x-www-form-urlencoded": "{}", "application/json": "{"} {
		if status, _ := w.raw("payment/start", w.token, contentType, []byte(body)); status != http.StatusBadRequest {
			t.Errorf("%s %s: %d", contentType, body, status)
		}
	}
}

func TestAnOrderBelongsToItsCustomerAndMerchant(t *testing.T) {
	w := newWorld(t)
	started := w.good("payment/start", payment("p-1", byCard(noTDS)))
	for _, token := range []string{w.login("9990000001", "tollgate"), w.login(DemoPhone, "other")} {
		if out := w.as(token, "transactions/find", object{"mdOrder": text(started, "mdOrder")}); text(out, "status") != "SUCCESS" || text(out, "mdOrder") != "" {
			t.Errorf("found: %v", out)
		}
		if out := w.as(token, "payment/finish", finish(started)); text(out, "errorCode") != "6" {
			t.Errorf("finished: %v", out)
		}
	}
	w.refused("6", "payment/finish", with(finish(started), "transactionNumber", "p-2"))
	w.refused("6", "transfer/finish", finish(started))
	w.mustLedger("p-1", 0, 0)
	w.token = w.login(DemoPhone, "tollgate") // the newest token of the same customer sees it
	w.good("payment/finish", finish(started))
}

func TestAnOrderThatNobodyFinishesIsDeclinedAfterTwentyMinutes(t *testing.T) {
	w := newWorld(t)
	started := w.good("payment/start", payment("p-1", byCard(noTDS)))
	w.Pass(orderLife - time.Second)
	if w.status("p-1") != "CREATED" {
		t.Fatal(w.status("p-1"))
	}
	w.Pass(time.Second)
	w.refused("5", "payment/finish", finish(started))
	if w.status("p-1") != "DECLINED" {
		t.Error(w.status("p-1"))
	}
	w.mustLedger("p-1", 0, 0)
}

func TestTheInquiryHasTwoShapes(t *testing.T) {
	w := newWorld(t)
	w.pays("p-1", byCard(noTDS))
	nested := w.good("transactions/find", object{"transactionNumber": "p-1"})
	flat := w.good("find", object{"mdOrder": text(nested, "mdOrder")})
	if text(nested, "transactionDetails", "source", "card", "maskedPan") != "4000010008" || text(flat, "source", "maskedPan") != "4000010008" {
		t.Errorf("%v\n%v", nested, flat)
	}
	for _, out := range []object{nested, flat} {
		if text(out, "mdOrderStatus") != "DEPOSITED" || text(out, "transactionType") != "PURCHASE" || text(out, "transactionNumber") != "p-1" ||
			in(out, "amount", "transactionAmount") != 6100.0 || in(out, "amount", "transactionFee") != 100.0 || text(out, "amount", "currency") != "643" ||
			text(out, "transactionDate") != "21.11.2026 15:00:00.000" {
			t.Errorf("%v", out)
		}
	}
	w.refused("4", "find", object{})
	w.refused("4", "find", object{"mdOrder": text(nested, "mdOrder"), "transactionNumber": "p-1"})
	if out := w.good("find", object{"transactionNumber": "nobody"}); len(out) != 2 {
		t.Errorf("an unknown order: %v", out)
	}
}

func (w *world) cards() []any {
	return lines(w.good("clients/", object{"responseType": "bindings,contacts"})["bindings"])
}

func TestACardIsSavedPaidWithRenamedAndDeleted(t *testing.T) {
	w := newWorld(t)
	w.pays("p-0", byCard(noTDS))
	if len(w.cards()) != 0 {
		t.Fatal("saved without being asked")
	}
	save := object{"card": with(cardOf(noTDS), "saveCard", true)}
	w.pays("p-1", save)
	w.pays("p-2", save)
	id := text(w.good("transactions/find", object{"transactionNumber": "p-2"}), "transactionDetails", "source", "binding")
	if cards := w.cards(); len(cards) != 1 || text(cards[0], "uuid") != id || text(cards[0], "card", "maskedPan") != "4000010008" || text(cards[0], "paymentSystem") != "VISA" {
		t.Fatalf("%v", cards)
	}
	w.Restart()
	w.pays("p-3", byBinding(id))
	w.mustLedger("p-3", 1, 6100)
	w.good("change", object{"transactionNumber": "r-1", "binding": object{"uuid": id, "mnemonic": "Моя карта"}})
	if text(w.cards()[0], "mnemonic") != "Моя карта" {
		t.Errorf("%v", w.cards())
	}
	stranger := w.login("9990000001", "tollgate")
	for path, v := range map[string]object{
		"payment/start": payment("x", byBinding(id)),
		"change":        {"transactionNumber": "x", "binding": object{"uuid": id, "mnemonic": "mine"}},
		"delete":        {"transactionNumber": "x", "type": "binding", "uuid": id},
	} {
		if out := w.as(stranger, path, v); text(out, "errorCode") != "2" {
			t.Errorf("a stranger's %s: %v", path, out)
		}
	}
	w.refused("4", "delete", object{"type": "card", "uuid": id})
	w.good("delete", object{"transactionNumber": "d-1", "type": "binding", "uuid": id})
	w.refused("2", "delete", object{"transactionNumber": "d-2", "type": "binding", "uuid": id})
	w.refused("2", "payment/start", payment("p-4", byBinding(id)))
	w.Restart()
	if len(w.cards()) != 0 {
		t.Error("deleted and still there")
	}
}

func TestASavedCardRunsTheThreeDSecureOfItsBank(t *testing.T) {
	w := newWorld(t)
	first := w.good("payment/start", payment("p-1", object{"card": with(cardOf(legacyOK), "saveCard", true)}))
	w.good("payment/finish", with(finish(first), "paRes", w.bank(first).Get("PaRes")))
	id := text(w.cards()[0], "uuid")
	again := w.good("payment/start", payment("p-2", byBinding(id)))
	w.good("payment/finish", with(finish(again), "paRes", w.bank(again).Get("PaRes")))
	w.mustLedger("p-2", 1, 6100)
}

func TestTransfersGoToCardsSavedCardsAndVirtualCards(t *testing.T) {
	w := newWorld(t)
	w.pays("p-1", object{"card": with(cardOf(noTDS), "saveCard", true)})
	saved := text(w.cards()[0], "uuid")
	made := w.good("vcard/create", object{"transactionNumber": "v-1"})
	virtual := text(made, "binding", "uuid")
	if text(made, "transactionNumber") != "v-1" || text(made, "binding", "paymentSystem") != "VISA" || text(made, "binding", "createdDate") == "" || len(text(made, "card", "maskedPan")) != 10 {
		t.Fatalf("%v", made)
	}
	w.refused("1", "vcard/create", object{"transactionNumber": "v-1"})
	w.refused("1", "payment/start", payment("v-1", byCard(noTDS)))
	go1 := func(number string, source, target object) object {
		return with(payment(number, source), "target", target)
	}
	ssl := w.good("transfer/start", go1("t-1", byBinding(saved), byBinding(virtual)))
	if out := w.good("transfer/finish", finish(ssl)); len(out) != 2 {
		t.Errorf("an SSL transfer answers the common members only: %v", out)
	}
	tds := w.good("transfer/start", go1("t-2", byCard(legacyOK), object{"card": object{"pan": noTDS}}))
	if out := w.good("transfer/finish", with(finish(tds), "paRes", w.bank(tds).Get("PaRes"))); text(out, "mdOrder") == "" {
		t.Errorf("%v", out)
	}
	slip := w.good("transfer/start", go1("t-3", byCard(legacyOK), byBinding(virtual)))
	w.good("payment/finish", with(finish(slip), "paRes", w.bank(slip).Get("PaRes"))) // one table of the documents
	for _, n := range []string{"t-1", "t-2", "t-3"} {
		w.mustLedger(n, 1, 6100)
	}
	found := w.good("transactions/find", object{"transactionNumber": "t-1"})
	if text(found, "transactionType") != "TRANSFER" || text(found, "transactionDetails", "source", "binding") != saved || text(found, "transactionDetails", "target", "binding") != virtual {
		t.Errorf("%v", found)
	}
	w.refused("4", "transfer/start", payment("t-4", byBinding(saved)))
	w.refused("4", "transfer/start", go1("t-4", byBinding(saved), byBinding(saved)))
	w.refused("2", "transfer/start", go1("t-4", byBinding(saved), byBinding(strings.Repeat("B", 32))))

	// 12200 lie on the virtual card: two payments, then no more.
	w.Restart()
	w.pays("b-1", byBinding(virtual))
	w.pays("b-2", byBinding(virtual))
	w.refused("116", "payment/finish", finish(w.good("payment/start", payment("b-3", byBinding(virtual)))))
}

func TestTheListHoldsWhatWasPerformedInTheTimeAskedFor(t *testing.T) {
	w := newWorld(t)
	w.pays("p-1", byCard(noTDS))
	w.good("payment/start", payment("p-2", byCard(noTDS)))
	w.Pass(time.Minute)
	w.good("vcard/create", object{"transactionNumber": "v-1"})
	w.Pass(time.Second)
	other := w.login(DemoPhone, "other")
	started := w.as(other, "payment/start", payment("o-1", byCard(noTDS)))
	w.as(other, "payment/finish", finish(started))
	list := func(from, to, kinds string, local bool) (out []string) {
		v := w.good("transactions/", object{"dateFrom": from, "dateTo": to, "responseType": kinds, "local": local})
		for _, l := range lines(v["transactions"]) {
			out = append(out, text(l, "transactionNumber")+" "+text(l, "partner", "merchantLogin"))
		}
		return out
	}
	day, all := "21.11.2026 00:00:00.000", "payment,transfer,vcard,loyalty,change"
	for want, got := range map[string][]string{
		"[p-1 tollgate v-1 tollgate]":           list(day, "21.11.2026 23:59:59.999", all, true),
		"[p-1 tollgate v-1 tollgate o-1 other]": list(day, "21.11.2026 23:59:59.999", all, false),
		"[p-1 tollgate]":                        list(day, "21.11.2026 15:00:30.000", all, true),
		"[v-1 tollgate]":                        list(day, "21.11.2026 23:59:59.999", "vcard", true),
		"[]":                                    list("22.11.2026 00:00:00.000", "22.11.2026 23:59:59.999", all, false),
	} {
		if fmt.Sprint(got) != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	w.refused("4", "transactions/", object{"dateFrom": "2026-11-21", "dateTo": day})
	w.refused("4", "transactions/", object{"dateFrom": day, "dateTo": day, "responseType": "all"})
}

func TestACustomerCanBeMadeAndDeleted(t *testing.T) {
	w := newWorld(t)
	made := w.good("clients/create", object{"transactionNumber": "1000001", "merchantLogin": "tollgate",
		"contacts": []object{{"type": "MPHONE", "value": "9991112200"}, {"type": "EMAIL", "value": "client@example.com"}}})
	token := text(w.as("", "auth/token", object{"accessCode": text(made, "accessCode"), "otp": DemoCode}), "accessToken")
	if token == "" {
		t.Fatal("the code that came with a new customer opens nothing")
	}
	found := w.as("", "clients/find", object{"email": "client@example.com"})
	if text(found, "client", "uuid") != text(made, "client", "uuid") {
		t.Errorf("%v", found)
	}
	w.refused("1", "clients/create", object{"transactionNumber": "1000002", "merchantLogin": "tollgate", "contacts": []object{{"type": "EMAIL", "value": "client@example.com"}}})
	w.refused("6", "delete", object{"type": "client", "uuid": text(made, "client", "uuid")})
	w.as(token, "delete", object{"type": "client", "uuid": text(made, "client", "uuid")})
	w.Restart()
	if out := w.as(token, "transactions/find", object{"transactionNumber": "x"}); text(out, "errorCode") != "5" {
		t.Errorf("a deleted customer's token lives: %v", out)
	}
	if out := w.as("", "clients/find", object{"email": "client@example.com"}); in(out, "client") != nil {
		t.Errorf("still found: %v", out)
	}
}

func TestNothingOnDiskHoldsACardNumberOrAToken(t *testing.T) {
	w := newWorld(t)
	w.pays("p-1", object{"card": with(cardOf(noTDS), "saveCard", true)})
	w.good("transfer/start", with(payment("t-1", byCard(legacyOK)), "target", object{"card": object{"pan": noFunds}}))
	files, _ := filepath.Glob(filepath.Join(w.Dir, "*"))
	all := ""
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all += string(raw)
	}
	if !strings.Contains(all, "p-1") {
		t.Fatal("nothing was journalled")
	}
	hasNoPAN(t, "the journal", all)
	if strings.Contains(all, w.token) {
		t.Error("the journal holds a token")
	}
}

func TestFaultsAndTheLogNameCallsByTheirPath(t *testing.T) {
	w := newWorld(t)
	if err := w.Env.Faults.Add(faults.Fault{Gateway: "sber", Call: "payment/finish", Do: "status", Status: 500, When: "after"}); err != nil {
		t.Fatal(err)
	}
	started := w.good("payment/start", payment("p-1", byCard(noTDS)))
	res, err := http.DefaultClient.Do(func() *http.Request {
		body, _ := json.Marshal(finish(started))
		r, _ := http.NewRequest(http.MethodPost, w.Server.URL+"/sber/sbersafe/api/payment/finish", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", w.token)
		return r
	}())
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 500 || w.status("p-1") != "DEPOSITED" {
		t.Errorf("%s, %s", res.Status, w.status("p-1"))
	}
	w.mustLedger("p-1", 1, 6100)
}

func TestOnlyTheDocumentedPathsAndMethod(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]int{"payment/start": 405, "payment/refund": 404, "": 404} {
		res, err := http.Get(w.Server.URL + "/sber/sbersafe/api/" + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("GET %s: %d", path, res.StatusCode)
		}
	}
	w.g.Reset()
	if out := w.call("transactions/find", object{"transactionNumber": "x"}); text(out, "errorCode") != "5" {
		t.Errorf("a reset keeps tokens: %v", out)
	}
}
