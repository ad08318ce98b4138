package sber_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/providers/sber"
	"tollgate/threeds"
)

const (
	noTDS    = "4000019900050008"
	legacyOK = "4000019900040702"
	legacyNo = "4000019900040710"
	noFunds  = "4000019900050107"
)

var goOn = providers.Answer{Kind: providers.MethodDone, CompInd: "U"}

// reopened is a Ref as it comes back from a store after a crash.
func reopened(t *testing.T, r providers.Ref) (out providers.Ref) {
	t.Helper()
	raw, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPayMovesNoMoneyAndNeverFinishes(t *testing.T) {
	w := newWorld(t, sber.Config{})
	net := &cut{}
	g, p := w.open(net), w.payment("a-1")
	step, err := g.Pay(t.Context(), p, byCard(t, noTDS), threeds.BrowserData{})
	if err != nil || step.Kind != providers.Method || len(step.Forms) != 0 {
		t.Fatalf("%+v %v", step, err)
	}
	if net.calls["payment/start"] != 1 || net.calls["payment/finish"] != 0 {
		t.Fatalf("%v", net.calls)
	}
	w.mustCharge("a-1", 0)
	// A crash here: another process goes on with what was stored, and the inquiry says the same.
	p.Ref = reopened(t, step.Ref)
	g = w.open(http.DefaultTransport)
	if s := w.mustBe(g, p, providers.Waiting); s.Next == nil || s.Next.Kind != providers.Method {
		t.Fatalf("%+v", s)
	}
	if step, err = g.Resume(t.Context(), p, goOn); err != nil || step.Kind != providers.Finished {
		t.Fatalf("%+v %v", step, err)
	}
	w.mustBe(g, p, providers.Paid)
	w.mustCharge("a-1", 1)
}

func TestAStartWithoutAnAnswerLeavesNothingThatCouldBeCharged(t *testing.T) {
	w := newWorld(t, sber.Config{})
	for reference, c := range map[string]struct {
		after bool
		want  providers.Outcome
	}{"a-1": {true, providers.Closed}, "b-1": {false, providers.NotFound}} {
		net := &cut{call: "payment/start", after: c.after}
		g, p := w.open(net), w.payment(reference)
		if step, err := g.Pay(t.Context(), p, byCard(t, noTDS), threeds.BrowserData{}); err == nil {
			t.Fatalf("%+v", step)
		}
		s := w.mustBe(g, p, c.want)
		p.Ref = s.Ref // what the caller learns must not make it finishable
		if step, err := g.Resume(t.Context(), p, goOn); err == nil {
			t.Errorf("finished: %+v", step)
		}
		if c.after {
			w.mustBe(g, p, providers.Closed)
		}
		w.mustCharge(reference, 0)
		if net.calls["payment/finish"] != 0 {
			t.Errorf("%v", net.calls)
		}
	}
}

func TestAFinishWithoutAnAnswerIsSettledByTheInquiry(t *testing.T) {
	w := newWorld(t, sber.Config{})
	for reference, pan := range map[string]string{"s": noTDS, "t": legacyOK} {
		for _, after := range []bool{true, false} {
			p := w.payment(reference + map[bool]string{true: "-1", false: "-2"}[after])
			net := &cut{call: "payment/finish", after: after}
			g := w.open(net)
			step, err := g.Pay(t.Context(), p, byCard(t, pan), threeds.BrowserData{})
			if err != nil {
				t.Fatal(err)
			}
			p.Ref = reopened(t, step.Ref)
			answer := goOn
			if pan == legacyOK {
				answer = w.pass(step)
			}
			if step, err := g.Resume(t.Context(), p, answer); err == nil || net.calls["payment/finish"] > 1 {
				t.Fatalf("%+v, %v", step, net.calls)
			}
			if !after { // it never arrived: the gateway says that it still waits, with the same step
				if s := w.mustBe(g, p, providers.Waiting); s.Next == nil || s.Next.Kind != step.Kind {
					t.Fatalf("%+v", s)
				}
				w.mustCharge(p.Ref.Reference, 0)
				if _, err := g.Resume(t.Context(), p, answer); err != nil {
					t.Fatal(err)
				}
			}
			w.mustBe(g, p, providers.Paid)
			w.mustCharge(p.Ref.Reference, 1)
			// Sent once more, against all rules: refused, and no end is made up.
			if step, err := g.Resume(t.Context(), p, answer); err == nil {
				t.Errorf("%+v", step)
			}
			w.mustBe(g, p, providers.Paid)
			w.mustCharge(p.Ref.Reference, 1)
		}
	}
}

func TestADeclineIsAStepWithItsReason(t *testing.T) {
	w := newWorld(t, sber.Config{})
	g := w.open(http.DefaultTransport)
	for pan, want := range map[string]providers.Reason{
		noFunds: providers.InsufficientFunds, legacyNo: providers.AuthenticationFailed, "4000019900060700": providers.DoNotHonor, "5555555555555599": providers.CardNotSupported,
	} {
		p := w.payment("d-" + pan[12:])
		step, err := g.Pay(t.Context(), p, byCard(t, pan), threeds.BrowserData{})
		if err != nil {
			t.Fatal(err)
		}
		p.Ref = step.Ref
		answer := goOn
		if step.Kind == providers.PayerPage {
			answer = w.pass(step)
		}
		step, err = g.Resume(t.Context(), p, answer)
		if err != nil || step.Kind != providers.Declined || step.Decline.Reason != want {
			t.Errorf("%s: %+v %v", pan, step, err)
		}
		w.mustBe(g, p, providers.Refused)
		w.mustCharge(p.Ref.Reference, 0)
	}
}

func TestAStartThatTheGatewayRefusesIsADecline(t *testing.T) {
	w := newWorld(t, sber.Config{})
	g := w.open(http.DefaultTransport)
	step, err := g.Pay(t.Context(), w.payment("x-1"), bySaved(binding), threeds.BrowserData{})
	if err != nil || step.Kind != providers.Declined || step.Decline.Code != "2" {
		t.Errorf("an unknown binding: %+v %v", step, err)
	}
	w.mustCharge("x-1", 0)
	// A number that is taken by a payment is no decline: that payment may be good.
	w.pays(g, w.payment("x-2"), byCard(t, noTDS))
	if step, err := g.Pay(t.Context(), w.payment("x-2"), byCard(t, noTDS), threeds.BrowserData{}); err == nil {
		t.Errorf("%+v", step)
	}
	if st, err := g.Status(t.Context(), w.payment("x-2")); err != nil || st.Outcome != providers.Paid || !st.Unproven {
		t.Errorf("%+v %v", st, err)
	}
	w.mustCharge("x-2", 1)
}

func TestAPaResThatIsNotTheAnswerChangesNothing(t *testing.T) {
	w := newWorld(t, sber.Config{})
	g, p := w.open(http.DefaultTransport), w.payment("p-1")
	step, err := g.Pay(t.Context(), p, byCard(t, legacyOK), threeds.BrowserData{})
	if err != nil {
		t.Fatal(err)
	}
	p.Ref = step.Ref
	answer := w.pass(step)
	if answer.MD != p.Ref.OrderID {
		t.Errorf("MD %s", answer.MD)
	}
	forged := answer
	forged.PaRes = answer.PaRes[4:]
	if step, err := g.Resume(t.Context(), p, forged); err == nil {
		t.Errorf("%+v", step)
	}
	w.mustBe(g, p, providers.Waiting)
	w.mustCharge("p-1", 0)
	if _, err := g.Resume(t.Context(), p, answer); err != nil {
		t.Fatal(err)
	}
	w.mustCharge("p-1", 1)
}

func TestAnOrderThatNobodyFinishesEndsByItself(t *testing.T) {
	w := newWorld(t, sber.Config{})
	g, p := w.open(http.DefaultTransport), w.payment("p-1")
	step, err := g.Pay(t.Context(), p, byCard(t, legacyOK), threeds.BrowserData{})
	if err != nil {
		t.Fatal(err)
	}
	p.Ref = step.Ref
	w.now.Advance(20 * time.Minute)
	w.mustBe(g, p, providers.Refused)
}

func TestARefusedTokenProvesThatNothingWasTakenAndTheNewestOneSeesTheOrder(t *testing.T) {
	w := newWorld(t, sber.Config{})
	g := w.open(http.DefaultTransport)
	p := w.payment("p-1")
	step, err := g.Pay(t.Context(), p, byCard(t, noTDS), threeds.BrowserData{})
	if err != nil {
		t.Fatal(err)
	}
	p.Ref = step.Ref
	newest := w.logIn(demoPhone) // on another device: the old token is dead
	_, resumed := g.Resume(t.Context(), p, goOn)
	_, asked := g.Status(t.Context(), p)
	_, paid := g.Pay(t.Context(), w.payment("p-2"), byCard(t, noTDS), threeds.BrowserData{})
	_, listed := g.(providers.CardKeeper).Cards(t.Context(), providers.Owner{Credential: w.token})
	bare := w.payment("p-3")
	bare.Credential = providers.Secret{}
	_, registered := g.Register(t.Context(), bare)
	_, without := g.Pay(t.Context(), bare, byCard(t, noTDS), threeds.BrowserData{})
	for what, err := range map[string]error{"finish": resumed, "inquiry": asked, "start": paid, "cards": listed, "register without": registered, "start without": without} {
		if !errors.Is(err, providers.ErrCredential) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, reference := range []string{"p-1", "p-2", "p-3"} {
		w.mustCharge(reference, 0)
	}
	p.Credential = newest
	w.mustBe(g, p, providers.Waiting)
	if _, err := g.Resume(t.Context(), p, goOn); err != nil {
		t.Fatal(err)
	}
	w.mustBe(g, p, providers.Paid)
	w.mustCharge("p-1", 1)
}

func TestTheLoginExpiresByTheClock(t *testing.T) {
	w := newWorld(t, sber.Config{})
	if _, err := w.login.FindCustomer(t.Context(), "79991234500"); !errors.Is(err, providers.ErrNoCustomer) {
		t.Errorf("%v", err)
	}
	customer, err := w.login.FindCustomer(t.Context(), "79991234567")
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := w.login.SendCode(t.Context(), customer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.login.Exchange(t.Context(), challenge, "222222"); !errors.Is(err, providers.ErrWrongCode) {
		t.Errorf("%v", err)
	}
	w.now.Advance(w.login.CodeLife())
	if _, err := w.login.Exchange(t.Context(), challenge, "111111"); !errors.Is(err, providers.ErrWrongCode) {
		t.Errorf("%v", err)
	}
	if challenge, err = w.login.SendCode(t.Context(), customer); err != nil {
		t.Fatal(err)
	}
	if c, err := w.login.Exchange(t.Context(), challenge, "111111"); err != nil || c.Token.Empty() || !c.ExpiresAt.After(w.now.Now().Add(29*24*time.Hour)) {
		t.Errorf("%+v %v", c, err)
	}
}

func TestACardIsSavedListedNamedPaidWithAndForgotten(t *testing.T) {
	w := newWorld(t, sber.Config{})
	g := w.open(http.DefaultTransport)
	keeper, o := g.(providers.CardKeeper), providers.Owner{Credential: w.token}
	p := w.payment("s-1")
	p.SaveCard = true
	p = w.pays(g, p, byCard(t, legacyOK))
	card, err := keeper.Remember(t.Context(), p, w.mustBe(g, p, providers.Paid))
	if err != nil || card.Card.First6 != "400001" || card.Card.Last4 != "0702" {
		t.Fatalf("%+v %v", card, err)
	}
	if err := g.(providers.CardRenamer).RenameCard(t.Context(), o, "r-1", card.ID, "Kaspi"); err != nil {
		t.Fatal(err)
	}
	cards, err := keeper.Cards(t.Context(), o)
	if err != nil || len(cards) != 1 || cards[0].ID != card.ID || cards[0].Name != "Kaspi" || cards[0].Expiry != "12/29" || cards[0].Card != card.Card || !cards[0].Active || keeper.AsksCode() {
		t.Fatalf("%+v %v", cards, err)
	}
	w.pays(g, w.payment("s-2"), bySaved(card.ID)) // through 3-D Secure again
	w.mustCharge("s-2", 1)
	for range 2 { // forgetting one that is gone is no error
		if err := keeper.Forget(t.Context(), o, "f-1", card.ID); err != nil {
			t.Fatal(err)
		}
	}
	if cards, err = keeper.Cards(t.Context(), o); err != nil || len(cards) != 0 {
		t.Errorf("%+v %v", cards, err)
	}
	if err := g.(providers.CardRenamer).RenameCard(t.Context(), o, "r-2", card.ID, "gone"); err == nil {
		t.Error("a card that is gone was renamed")
	}
	unsaved := w.pays(g, w.payment("s-3"), byCard(t, noTDS))
	if card, err := keeper.Remember(t.Context(), unsaved, providers.Standing{}); err == nil {
		t.Errorf("remembered: %+v", card)
	}
	own := newWorld(t, sber.Config{SavedCards: sber.CardsOwn})
	if _, err := own.open(http.DefaultTransport).(providers.CardKeeper).Cards(t.Context(), providers.Owner{Credential: own.token}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

func TestMoneyGoesToAVirtualCardFromCardsAndSavedCards(t *testing.T) {
	w := newWorld(t, sber.Config{})
	g := w.open(http.DefaultTransport)
	o := providers.Owner{Credential: w.token}
	virtual, err := g.(providers.VirtualCardIssuer).IssueVirtualCard(t.Context(), o, "v-1")
	if err != nil || virtual.ID == "" || virtual.Card.Last4 == "" {
		t.Fatalf("%+v %v", virtual, err)
	}
	if _, err := g.(providers.VirtualCardIssuer).IssueVirtualCard(t.Context(), o, "v-1"); err == nil {
		t.Error("a second card under one number")
	}
	to := func(reference string, d providers.Destination) providers.Payment {
		p := w.payment(reference)
		p.Transfer = &d
		return p
	}
	save := to("t-1", providers.Destination{Saved: virtual.ID})
	save.SaveCard = true
	save = w.pays(g, save, byCard(t, legacyOK)) // with 3-D Secure
	saved, err := g.(providers.CardKeeper).Remember(t.Context(), save, providers.Standing{})
	if err != nil {
		t.Fatal(err)
	}
	w.pays(g, to("t-2", providers.Destination{Saved: virtual.ID}), bySaved(saved.ID))       // binding to binding, with
	w.pays(g, to("t-3", providers.Destination{Saved: virtual.ID}), byCard(t, noTDS))        // card to binding, without
	w.pays(g, to("t-4", providers.Destination{Card: typed(t, legacyOK)}), byCard(t, noTDS)) // card to card, without
	w.pays(g, to("t-5", providers.Destination{Card: typed(t, noTDS)}), byCard(t, legacyOK)) // with
	w.pays(g, to("t-6", providers.Destination{Card: typed(t, noTDS)}), bySaved(virtual.ID)) // out of the virtual card
	for _, reference := range []string{"t-1", "t-2", "t-3", "t-4", "t-5", "t-6"} {
		w.mustCharge(reference, 1)
	}
	cards, err := g.(providers.CardKeeper).Cards(t.Context(), o)
	if err != nil || len(cards) != 2 {
		t.Errorf("%+v %v", cards, err)
	}
}

func TestHistoryListsWhatWasDone(t *testing.T) {
	w := newWorld(t, sber.Config{})
	g := w.open(http.DefaultTransport)
	began := w.now.Now().Add(-time.Second)
	w.pays(g, w.payment("p-1"), byCard(t, noTDS))
	w.now.Advance(time.Second)
	transfer := w.payment("t-1")
	transfer.Transfer = &providers.Destination{Card: typed(t, noTDS)}
	w.pays(g, transfer, byCard(t, noTDS))
	w.now.Advance(time.Second)
	if _, err := g.(providers.VirtualCardIssuer).IssueVirtualCard(t.Context(), providers.Owner{Credential: w.token}, "v-1"); err != nil {
		t.Fatal(err)
	}
	w.now.Advance(time.Second)
	query := providers.HistoryQuery{From: began, To: w.now.Now(), Owner: providers.Owner{Credential: w.token}}
	list, _, err := g.(providers.Historian).History(t.Context(), query)
	if err != nil || len(list) != 3 || list[0].Reference != "p-1" || list[0].Kind != "payment" || list[0].Amount != amountOf(t, 6100, "RUB") || list[0].OrderID == "" ||
		list[1].Reference != "t-1" || list[1].Kind != "transfer" || list[2].Kind != "other" {
		t.Fatalf("%+v %v", list, err)
	}
	query.After, query.Limit = "1", 1
	list, next, err := g.(providers.Historian).History(t.Context(), query)
	if err != nil || len(list) != 1 || list[0].Reference != "t-1" || next != "2" {
		t.Errorf("%+v %q %v", list, next, err)
	}
	query.After = "9"
	if list, _, err = g.(providers.Historian).History(t.Context(), query); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
}

func TestTheCallsThatMoveNoMoneyFailClearly(t *testing.T) {
	w := newWorld(t, sber.Config{})
	for _, call := range []string{"clients/", "delete", "change", "vcard/create", "transactions/", "transactions/find"} {
		g := w.open(&cut{call: call})
		o := providers.Owner{Credential: w.token}
		p := w.payment("none")
		var failure *providers.Failure
		var err error
		switch call {
		case "clients/":
			_, err = g.(providers.CardKeeper).Cards(t.Context(), o)
		case "delete":
			err = g.(providers.CardKeeper).Forget(t.Context(), o, "f-1", binding)
		case "change":
			err = g.(providers.CardRenamer).RenameCard(t.Context(), o, "r-1", binding, "x")
		case "vcard/create":
			_, err = g.(providers.VirtualCardIssuer).IssueVirtualCard(t.Context(), o, "v-1")
		case "transactions/":
			_, _, err = g.(providers.Historian).History(t.Context(), providers.HistoryQuery{From: w.now.Now(), To: w.now.Now(), Owner: o})
		case "transactions/find":
			_, err = g.Status(t.Context(), p)
		}
		if !errors.As(err, &failure) || failure.Code != "" || !errors.Is(err, errCut) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// A call that was taken and answered with something that is no answer: start leaves nothing to charge, finish is paid.
func TestAnUnreadableAnswerIsSettledByTheInquiry(t *testing.T) {
	w := newWorld(t, sber.Config{})
	fixed := func(s string) func([]byte) []byte { return func([]byte) []byte { return []byte(s) } }
	n := 0
	for what, c := range map[string]struct {
		status int
		answer func([]byte) []byte
	}{
		"500 page":             {500, fixed("<html>status SUCCESS</html>")},
		"502 genuine":          {502, func(b []byte) []byte { return b }},
		"200 page":             {200, fixed("<html>status SUCCESS</html>")},
		"404 page":             {404, fixed("<html></html>")},
		"401 page":             {401, fixed("<html></html>")},
		"204":                  {204, fixed("")},
		"200 empty":            {200, fixed("")},
		"200 empty object":     {200, fixed("{}")},
		"half":                 {200, func(b []byte) []byte { return b[:len(b)/2] }},
		"twice":                {200, func(b []byte) []byte { return append(append([]byte{}, b...), b...) }},
		"bytes":                {200, fixed("\xff\xfe\x00{\x80")},
		"ten megabytes":        {200, func([]byte) []byte { return make([]byte, 10<<20) }},
		"a failure of its own": {200, refusal},
	} {
		for _, call := range []string{"payment/start", "payment/finish"} {
			n++
			p := w.payment(fmt.Sprintf("z-%d", n))
			g := w.open(&spoil{call: call, status: c.status, answer: c.answer})
			step, err := g.Pay(t.Context(), p, byCard(t, noTDS), threeds.BrowserData{})
			if call == "payment/start" {
				// A start that is refused in words is a decline, since nothing can come of it any more.
				if err == nil && (step.Kind != providers.Declined || what != "a failure of its own") {
					t.Errorf("start, %s: %+v", what, step)
				}
				w.mustBe(g, p, providers.Closed)
				w.mustCharge(p.Ref.Reference, 0)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			p.Ref = step.Ref
			if step, err := g.Resume(t.Context(), p, goOn); err == nil {
				t.Errorf("finish, %s: %+v", what, step)
			}
			w.mustBe(g, p, providers.Paid)
			w.mustCharge(p.Ref.Reference, 1)
		}
	}
}

func TestAFailureOfTheGatewaysOwnIsNoDeclineWhateverTheOrderSays(t *testing.T) {
	w := newWorld(t, sber.Config{})
	g := w.open(&spoil{call: "payment/finish", status: 200, answer: refusal})
	p := w.payment("f-1")
	step, err := g.Pay(t.Context(), p, byCard(t, noFunds), threeds.BrowserData{})
	if err != nil {
		t.Fatal(err)
	}
	p.Ref = step.Ref
	if step, err := g.Resume(t.Context(), p, goOn); err == nil {
		t.Errorf("%+v", step)
	}
	w.mustBe(g, p, providers.Refused) // the inquiry's word
}
