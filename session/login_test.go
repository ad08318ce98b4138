package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/session"
)

// counter is a gateway that wants the customer before the card: the customer of a phone is called as the phone, and the
// code is what the challenge ends in.
type counter struct {
	*gateway
	at *counterState
}

type counterState struct {
	sent     int
	tokens   int
	exchange func() // while the code is being looked at
}

const codeLife = time.Minute

func withLogin(at *counterState) func(*house) {
	return func(h *house) { h.acc.Provider = counter{h.gw, at} }
}

func (c counter) FindCustomer(_ context.Context, phone string) (string, error) {
	if strings.HasSuffix(phone, "00") {
		return "", providers.ErrNoCustomer
	}
	return "of-" + phone, nil
}

func (c counter) SendCode(_ context.Context, customer string) (string, error) {
	c.at.sent++
	return customer + " 1234", nil
}

func (c counter) Exchange(_ context.Context, challenge, code string) (providers.Credential, error) {
	if c.at.exchange != nil {
		c.at.exchange()
	}
	if !strings.HasSuffix(challenge, " "+code) {
		return providers.Credential{}, providers.ErrWrongCode
	}
	c.at.tokens++
	return providers.Credential{Token: providers.NewSecret(token(c.at.tokens)), ExpiresAt: c.now().Add(30 * 24 * time.Hour)}, nil
}

func token(n int) string { return "token-" + strings.Repeat("x", n) }

func (c counter) CodeLife() time.Duration { return codeLife }

func newCounter(t *testing.T) (*house, *counterState) {
	t.Helper()
	at := &counterState{}
	return newHouse(t, withLogin(at)), at
}

const (
	phone    = "79171131231"
	stranger = "79171131232"
)

func (h *house) asks(browser, phone string) error {
	return h.flow.LoginPhone(context.Background(), h.id, browser, phone)
}

func (h *house) enters(browser, code string) error {
	return h.flow.LoginCode(context.Background(), h.id, browser, code)
}

// logsIn passes the login of the present session.
func (h *house) logsIn(browser, phone string) {
	h.t.Helper()
	if err := h.asks(browser, phone); err != nil {
		h.t.Fatalf("%v", err)
	}
	if err := h.enters(browser, "1234"); err != nil {
		h.t.Fatalf("%v", err)
	}
	if h.flow.NeedsLogin(h.session()) {
		h.t.Fatalf("nobody is logged in")
	}
}

func TestACodeIsTakenInTheBrowserThatAskedForItOnly(t *testing.T) {
	h, _ := newCounter(t)
	if err := h.asks("first", phone); err != nil {
		t.Fatal(err)
	}
	if err := h.enters("second", "1234"); !errors.Is(err, session.ErrStale) || !h.flow.NeedsLogin(h.session()) {
		t.Errorf("another browser: %v", err)
	}
	if err := h.asks("second", stranger); err != nil {
		t.Fatal(err)
	}
	if err := h.enters("first", "1234"); !errors.Is(err, session.ErrStale) || !h.flow.NeedsLogin(h.session()) {
		t.Errorf("a browser whose code was followed by another's: %v", err)
	}
	if err := h.enters("second", "1234"); err != nil || h.session().Login.Browser != "second" {
		t.Errorf("the browser that asked last: %v", err)
	}
}

func TestACodeProvesThePhoneThatItWasSentToAndNoOther(t *testing.T) {
	h, at := newCounter(t)
	if err := h.asks("b", stranger); err != nil {
		t.Fatal(err)
	}
	at.exchange = func() { // the stranger's own code is on its way when a code for somebody else's phone is asked for
		if err := h.asks("b", phone); err != nil {
			t.Error(err)
		}
	}
	if err := h.enters("b", "1234"); !errors.Is(err, session.ErrStale) {
		t.Errorf("%v", err)
	}
	if s := h.session(); !h.flow.NeedsLogin(s) {
		t.Errorf("the stranger is logged in as %s", s.Login.Customer)
	}
}

func TestACodeEndsAfterSixtySecondsAndAnotherIsAskedFor(t *testing.T) {
	h, at := newCounter(t)
	if err := h.asks("b", phone); err != nil {
		t.Fatal(err)
	}
	h.forward(codeLife - time.Second)
	if h.flow.CodeExpired(h.session()) {
		t.Error("too old after 59 s")
	}
	h.forward(time.Second)
	if !h.flow.CodeExpired(h.session()) {
		t.Error("still good after 60 s")
	}
	if err := h.enters("b", "1234"); !errors.Is(err, providers.ErrWrongCode) || at.tokens != 0 {
		t.Errorf("an old code: %v", err)
	}
	h.logsIn("b", phone)
}

func TestCodesAndTriesAreBounded(t *testing.T) {
	h, at := newCounter(t)
	for range 5 {
		if err := h.asks("b", phone); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.asks("b", phone); !errors.Is(err, session.ErrTooMany) || at.sent != 5 {
		t.Errorf("a sixth code: %v", err)
	}
	for range 5 {
		if err := h.enters("b", "0000"); !errors.Is(err, providers.ErrWrongCode) {
			t.Fatal(err)
		}
	}
	if err := h.enters("b", "1234"); !errors.Is(err, providers.ErrWrongCode) || at.tokens != 0 {
		t.Errorf("the right code after five wrong ones: %v", err)
	}
}

func TestAPhoneThatIsNobodysGetsNoCode(t *testing.T) {
	h, at := newCounter(t)
	if err := h.asks("b", "79171131200"); !errors.Is(err, providers.ErrNoCustomer) || at.sent != 0 {
		t.Errorf("%v, %d codes", err, at.sent)
	}
}

// A new login ends the credential before. So there is one for each customer, and every session's inquiries use it.
func TestInquiriesUseTheNewestCredentialOfTheCustomer(t *testing.T) {
	h, _ := newCounter(t)
	var used []string
	open := true
	h.gw.pay = func(_ context.Context, p providers.Payment, _ *order) (providers.Step, error) {
		return said(providers.Wait, p), nil
	}
	h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		used = append(used, p.Credential.Reveal())
		if open {
			return providers.Standing{Outcome: providers.Processing, Ref: p.Ref}, nil
		}
		o.charges = 1
		return h.gw.truth(p, o), nil
	}
	h.logsIn("b", phone)
	h.submit()
	first := h.id
	h.id = h.another("order-b")
	h.logsIn("c", phone)
	h.id = first
	open, used = false, nil
	h.forward(10 * time.Second)
	h.is(session.Paid)
	if len(used) != 1 || used[0] != token(2) {
		t.Errorf("the inquiry showed %q, want the newest", used)
	}
}

// another makes a session like the present one.
func (h *house) another(orderID string) string {
	h.t.Helper()
	s := *h.session()
	s.ID, s.Version, s.LastEvent, s.OrderID, s.Login, s.Attempts = "", 0, 0, orderID, nil, nil
	if err := h.flow.Create(context.Background(), &s); err != nil {
		h.t.Fatalf("%v", err)
	}
	return s.ID
}

func TestACredentialIsSealedOneForEachCustomerAndGoneAfterThirtyDays(t *testing.T) {
	h, _ := newCounter(t)
	h.logsIn("b", phone)
	before, err := h.store.Credential(t.Context(), shop, "of-"+phone)
	if err != nil || strings.Contains(before, token(1)) || !strings.HasPrefix(before, "credential.") {
		t.Fatalf("kept as %q: %v", before, err)
	}
	h.id = h.another("order-b")
	h.logsIn("b", phone)
	if after, err := h.store.Credential(t.Context(), shop, "of-"+phone); err != nil || after == before {
		t.Errorf("the earlier one is still there: %v", err)
	}
	h.forward(30 * 24 * time.Hour)
	if _, err := h.store.Credential(t.Context(), shop, "of-"+phone); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("after thirty days: %v", err)
	}
	if _, err := h.store.Credential(t.Context(), shop, "of-"+stranger); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("somebody else's: %v", err)
	}
}

func TestARefusedCredentialAsksForTheLoginAgainAndChargesNothing(t *testing.T) {
	h, _ := newCounter(t)
	h.logsIn("b", phone)
	h.gw.pay = func(context.Context, providers.Payment, *order) (providers.Step, error) {
		return providers.Step{}, &providers.Failure{Op: "start", Err: providers.ErrCredential}
	}
	h.submit()
	h.is(session.Failed)
	if !h.flow.NeedsLogin(h.session()) || h.charges() != 0 {
		t.Error("the shopper is not asked to log in again")
	}
	h.gw.pay = nil
	h.logsIn("b", phone)
	h.submit()
	h.is(session.Paid)
}

// A transfer to a saved card is its owner's: nobody else gets a code for it.
func TestATransferToASavedCardIsLoggedInToByItsOwnerOnly(t *testing.T) {
	at := &counterState{}
	h := newHouse(t, func(h *house) {
		h.acc.Provider = struct {
			counter
			transfersTo
		}{counter: counter{h.gw, at}, transfersTo: transfersTo{"saved_card"}}
	})
	h.saveCard("sc_1", shop, "demo", "of-"+phone)
	s := h.wish()
	s.Target = &session.Target{Saved: "sc_1"}
	if err := h.flow.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	h.id = s.ID
	if err := h.asks("b", stranger); !errors.Is(err, providers.ErrNoCustomer) || at.sent != 0 {
		t.Errorf("%v, %d codes", err, at.sent)
	}
	h.logsIn("b", phone)
}
