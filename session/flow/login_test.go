package flow_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
	"tollgate/internal/sqlstore/sqlitetest"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

// counter is a gateway that wants the customer before the card: the customer of a phone is called as the phone, and the
// code is what the challenge ends in.
type counter struct {
	*gateway
	at *counterState
}

type counterState struct {
	mu       sync.Mutex
	looked   int // phones looked up
	sent     int
	tried    int // codes that were looked at
	tokens   int
	down     error  // what it answers to "send a code"
	exchange func() // while the code is being looked at
	sending  func() // while the code is being sent
}

// counts adds one, and tells how many there are now.
func (at *counterState) counts(n *int) int {
	at.mu.Lock()
	defer at.mu.Unlock()
	*n++
	return *n
}

const codeLife = time.Minute

func withLogin(at *counterState) func(*house) {
	return func(h *house) { h.acc.Provider = counter{h.gw, at} }
}

func (c counter) FindCustomer(_ context.Context, phone string) (string, error) {
	c.at.counts(&c.at.looked)
	if strings.HasSuffix(phone, "00") {
		return "", providers.ErrNoCustomer
	}
	return "of-" + phone, nil
}

func (c counter) SendCode(_ context.Context, customer string) (string, error) {
	n := c.at.counts(&c.at.sent)
	if c.at.sending != nil {
		c.at.sending()
	}
	if c.at.down != nil {
		return "", c.at.down
	}
	return fmt.Sprintf("%s #%d 1234", customer, n), nil
}

func (c counter) Exchange(_ context.Context, challenge, code string) (providers.Credential, error) {
	c.at.counts(&c.at.tried)
	if c.at.exchange != nil {
		c.at.exchange()
	}
	if !strings.HasSuffix(challenge, " "+code) {
		return providers.Credential{}, providers.ErrWrongCode
	}
	return providers.Credential{Token: providers.NewSecret(token(c.at.counts(&c.at.tokens))), ExpiresAt: c.now().Add(30 * 24 * time.Hour)}, nil
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
	return h.flow.Logins.Phone(context.Background(), h.id, browser, phone)
}

func (h *house) enters(browser, code string) error {
	return h.flow.Logins.Code(context.Background(), h.id, browser, code)
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
	if h.flow.Logins.Needed(h.session()) {
		h.t.Fatalf("nobody is logged in")
	}
}

func TestACodeIsTakenInTheBrowserThatAskedForItOnly(t *testing.T) {
	t.Parallel()
	h, _ := newCounter(t)
	if err := h.asks("first", phone); err != nil {
		t.Fatal(err)
	}
	if err := h.enters("second", "1234"); !errors.Is(err, session.ErrStale) || !h.flow.Logins.Needed(h.session()) {
		t.Errorf("another browser: %v", err)
	}
	if err := h.asks("second", stranger); err != nil {
		t.Fatal(err)
	}
	if err := h.enters("second", "1234"); err != nil || h.session().Login.Browser != "second" {
		t.Errorf("the browser that asked last: %v", err)
	}
	if err := h.enters("first", "1234"); !errors.Is(err, session.ErrStale) || h.session().Login.Browser != "second" {
		t.Errorf("a code after somebody is logged in: %v", err)
	}
}

func TestAStrangerWithTheLinkSpoilsNobodysCode(t *testing.T) {
	t.Parallel()
	h, at := newCounter(t)
	if err := h.asks("shopper", phone); err != nil {
		t.Fatal(err)
	}
	for i := range 5 { // with a new browser each time, and every one of them wrong five times
		_ = h.asks(fmt.Sprint("robot ", i), stranger)
		for range 5 {
			_ = h.enters(fmt.Sprint("robot ", i), "0000")
		}
	}
	if at.sent != 5 {
		t.Fatalf("%d codes were sent", at.sent)
	}
	if err := h.enters("shopper", "1234"); err != nil || h.session().Login.Browser != "shopper" || h.session().Login.Phone != phone {
		t.Errorf("the shopper's code: %v, logged in is %+v", err, h.session().Login)
	}
}

func TestCodesThatAStrangerUsedUpComeBackSlowlyAndNoMoreThanOnce(t *testing.T) {
	t.Parallel()
	h, at := newCounter(t)
	for i := range 6 {
		_ = h.asks(fmt.Sprint("robot ", i), stranger)
	}
	if err := h.asks("shopper", phone); !errors.Is(err, session.ErrTooMany) || at.sent != 5 {
		t.Errorf("a sixth code at once: %v", err)
	}
	h.forward(5 * time.Minute)
	if err := h.asks("shopper", phone); err != nil {
		t.Errorf("five minutes later: %v", err)
	}
	if err := h.enters("shopper", "1234"); err != nil {
		t.Errorf("%v", err)
	}
	h, at = newCounter(t)
	s := h.session()
	s.ExpiresAt = s.ExpiresAt.Add(24 * time.Hour)
	if err := h.store.Save(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		_ = h.asks(fmt.Sprint("robot ", i), fmt.Sprintf("791711312%02d", i))
		h.forward(5 * time.Minute)
	}
	if at.sent != 10 {
		t.Errorf("%d codes in three hours", at.sent)
	}
}

func TestACodeProvesThePhoneThatItWasSentToAndNoOther(t *testing.T) {
	t.Parallel()
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
	if s := h.session(); !h.flow.Logins.Needed(s) {
		t.Errorf("the stranger is logged in as %s", s.Login.Customer)
	}
}

func TestACodeExpiresAfterSixtySecondsAndAnotherIsAskedFor(t *testing.T) {
	t.Parallel()
	h, at := newCounter(t)
	if err := h.asks("b", phone); err != nil {
		t.Fatal(err)
	}
	h.forward(codeLife - time.Second)
	if h.flow.Logins.CodeExpired(h.session()) {
		t.Error("too old after 59 s")
	}
	h.forward(time.Second)
	if !h.flow.Logins.CodeExpired(h.session()) {
		t.Error("still good after 60 s")
	}
	if err := h.enters("b", "1234"); !errors.Is(err, providers.ErrWrongCode) || at.tokens != 0 {
		t.Errorf("an old code: %v", err)
	}
	h.logsIn("b", phone)
}

func TestCodesAndTriesAreBounded(t *testing.T) {
	t.Parallel()
	h, at := newCounter(t)
	for range 5 {
		h.forward(5 * time.Second) // at once it would be the same press
		if err := h.asks("b", phone); err != nil {
			t.Fatal(err)
		}
	}
	h.forward(5 * time.Second)
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

func TestAPhoneWithoutACustomerGetsNoCode(t *testing.T) {
	t.Parallel()
	h, at := newCounter(t)
	if err := h.asks("b", "79171131200"); !errors.Is(err, providers.ErrNoCustomer) || at.sent != 0 {
		t.Errorf("%v, %d codes", err, at.sent)
	}
}

// A new login ends the credential before. So there is one for each customer, and every session's inquiries use it.
func TestInquiriesUseTheNewestCredentialOfTheCustomer(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	if _, err := h.store.Credential(t.Context(), shop, "of-"+phone); !errors.Is(err, wallet.ErrNotFound) {
		t.Errorf("after thirty days: %v", err)
	}
	if _, err := h.store.Credential(t.Context(), shop, "of-"+stranger); !errors.Is(err, wallet.ErrNotFound) {
		t.Errorf("somebody else's: %v", err)
	}
}

func TestARefusedCredentialAsksForTheLoginAgainAndChargesNothing(t *testing.T) {
	t.Parallel()
	h, _ := newCounter(t)
	h.logsIn("b", phone)
	h.gw.pay = func(context.Context, providers.Payment, *order) (providers.Step, error) {
		return providers.Step{}, &providers.Failure{Op: "start", Err: providers.ErrCredential}
	}
	h.submit()
	h.is(session.Failed)
	if !h.flow.Logins.Needed(h.session()) || h.charges() != 0 {
		t.Error("the shopper is not asked to log in again")
	}
	h.gw.pay = nil
	h.logsIn("b", phone)
	h.submit()
	h.is(session.Paid)
}

// A transfer to a saved card is its owner's: nobody else gets a code for it.
func TestATransferToASavedCardIsLoggedInToByItsOwnerOnly(t *testing.T) {
	t.Parallel()
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

// onBoth runs a test on both engines, with two machines over one store on PostgreSQL. A machine hears of changes.
func onBoth(t *testing.T, test func(t *testing.T, h *house, at *counterState, machines []*flow.Flow)) {
	for name, options := range map[string]func(t *testing.T) sqlstore.Options{
		"SQLite":     func(t *testing.T) sqlstore.Options { return sqlstore.Options{Dir: t.TempDir()} },
		"PostgreSQL": func(t *testing.T) sqlstore.Options { return sqlstore.Options{URL: pgtest.Start(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			var h *house
			var machines []*flow.Flow
			o, at := options(t), &counterState{}
			o.Now = func() time.Time { return h.now() }
			o.OnSession = func(id string) {
				for _, m := range machines {
					m.Hub.Changed(id)
				}
			}
			st, err := sqlitetest.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = st.Close() })
			houseOn(t, st, "order", func(made *house) { h = made }, withLogin(at))
			both := []*flow.Flow{h.flow, h.flow}
			if o.URL != "" {
				h.start()
				both[1] = h.flow
			}
			machines = both
			test(t, h, at, machines)
		})
	}
}

// atOnce does sixty things at the same time and tells their errors.
func atOnce(do func(i int) error) []error {
	var wg sync.WaitGroup
	begin, errs := make(chan struct{}), make([]error, 60)
	for i := range errs {
		wg.Go(func() {
			<-begin
			errs[i] = do(i)
		})
	}
	close(begin)
	wg.Wait()
	return errs
}

func TestOfSixtyCodesAtOnceFiveReachTheGateway(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house, at *counterState, machines []*flow.Flow) {
		if err := h.asks("b", phone); err != nil {
			t.Fatal(err)
		}
		for _, err := range atOnce(func(i int) error { return machines[i%2].Logins.Code(t.Context(), h.id, "b", "0000") }) {
			if !errors.Is(err, providers.ErrWrongCode) {
				t.Errorf("%v", err)
			}
		}
		if at.tried != 5 {
			t.Errorf("%d codes reached the gateway", at.tried)
		}
		if err := h.enters("b", "1234"); !errors.Is(err, providers.ErrWrongCode) || at.tokens != 0 {
			t.Errorf("the right code after them: %v", err)
		}
	})
}

func TestOfSixtyPressesAtOnceOneCodeIsSent(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house, at *counterState, machines []*flow.Flow) {
		for _, err := range atOnce(func(i int) error { return machines[i%2].Logins.Phone(t.Context(), h.id, "b", phone) }) {
			if err != nil {
				t.Errorf("%v", err)
			}
		}
		if at.sent != 1 || at.looked != 1 {
			t.Errorf("%d codes were sent, %d phones looked up", at.sent, at.looked)
		}
		if err := h.enters("b", "1234"); err != nil {
			t.Errorf("the code that was sent: %v", err)
		}
	})
}

func TestOfSixtyBrowsersAndPhonesAtOnceFiveCodesAreSent(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house, at *counterState, machines []*flow.Flow) {
		atOnce(func(i int) error {
			return machines[i%2].Logins.Phone(t.Context(), h.id, fmt.Sprint("browser ", i), fmt.Sprintf("7917113%02d11", i))
		})
		if at.sent > 5 || at.looked > 10 {
			t.Errorf("%d codes were sent, %d phones looked up", at.sent, at.looked)
		}
	})
}

func TestTenPhonesWithoutACustomerAreLookedUpInASession(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house, at *counterState, machines []*flow.Flow) {
		unknown, tooMany := 0, 0
		for _, err := range atOnce(func(i int) error {
			return machines[i%2].Logins.Phone(t.Context(), h.id, "b", fmt.Sprintf("7917113%02d00", i))
		}) {
			switch {
			case errors.Is(err, providers.ErrNoCustomer):
				unknown++
			case errors.Is(err, session.ErrTooMany):
				tooMany++
			default:
				t.Errorf("%v", err)
			}
		}
		if at.looked != 10 || unknown != 10 || tooMany != 50 {
			t.Errorf("%d were looked up, %d said to be nobody's, %d refused", at.looked, unknown, tooMany)
		}
		if err := h.asks("b", phone); !errors.Is(err, session.ErrTooMany) || at.looked != 10 {
			t.Errorf("one more: %v", err)
		}
	})
}

func TestATryOfACodeCountsThoughItsCallFails(t *testing.T) {
	t.Parallel()
	h, at := newCounter(t)
	at.down = errCut
	for range 5 {
		if err := h.asks("b", phone); !errors.Is(err, errCut) {
			t.Fatal(err)
		}
	}
	at.down = nil
	if err := h.asks("b", phone); !errors.Is(err, session.ErrTooMany) || at.sent != 5 {
		t.Errorf("after five calls that failed: %v", err)
	}
}

func TestTheSamePressASecondTimeSendsNothing(t *testing.T) {
	t.Parallel()
	h, at := newCounter(t)
	var meanwhile sync.WaitGroup
	at.sending = func() {
		at.sending = nil
		meanwhile.Go(func() {
			if err := h.asks("b", phone); err != nil {
				t.Error(err)
			}
		})
		for !flow.Awaited(h.flow.Hub, h.id) { // it waits for what comes of the first
			runtime.Gosched()
		}
	}
	for range 2 {
		if err := h.asks("b", phone); err != nil {
			t.Fatal(err)
		}
		meanwhile.Wait()
	}
	if at.sent != 1 {
		t.Errorf("%d codes were sent", at.sent)
	}
	h.forward(5 * time.Second)
	if err := h.asks("b", phone); err != nil || at.sent != 2 || at.looked != 1 {
		t.Errorf("later on: %v, %d codes, %d phones looked up", err, at.sent, at.looked)
	}
	if err := h.enters("b", "1234"); err != nil {
		t.Error(err)
	}
}

func TestOfTwoRequestsForACodeTheLaterCounts(t *testing.T) {
	t.Parallel()
	h, at := newCounter(t)
	at.sending = func() {
		at.sending = nil
		if err := h.asks("b", stranger); err != nil {
			t.Error(err)
		}
	}
	if err := h.asks("b", phone); !errors.Is(err, session.ErrStale) {
		t.Errorf("the earlier one: %v", err)
	}
	if l := h.session().Login; l.Phone != stranger || !strings.Contains(l.Challenge, ".") {
		t.Errorf("the code is of %s", l.Phone)
	}
}

func TestAnotherPhoneMayBeGivenAndRefundsNothing(t *testing.T) {
	t.Parallel()
	h, at := newCounter(t)
	if err := h.asks("b", stranger); err != nil {
		t.Fatal(err)
	}
	if err := h.flow.Logins.OtherPhone(t.Context(), h.id, "c"); err != nil || h.session().Login.Challenge == "" {
		t.Errorf("another browser takes the code away: %v", err)
	}
	if err := h.flow.Logins.OtherPhone(t.Context(), h.id, "b"); err != nil || h.session().Login.Challenge != "" {
		t.Errorf("the code is still asked for: %v", err)
	}
	if err := h.enters("b", "1234"); !errors.Is(err, session.ErrStale) {
		t.Errorf("the code of the phone that was given up: %v", err)
	}
	h.logsIn("b", phone)
	if l := h.session().Login; l.Sent != 2 || l.Lookups != 2 || at.sent != 2 {
		t.Errorf("%d codes and %d phones are counted", l.Sent, l.Lookups)
	}
}

func TestTheRightCodePressedTwiceIsNotWrong(t *testing.T) {
	t.Parallel()
	h, at := newCounter(t)
	if err := h.asks("b", phone); err != nil {
		t.Fatal(err)
	}
	at.exchange = func() { // the first press is through when the gateway refuses the second, whose code is used up
		at.exchange = nil
		if err := h.enters("b", "1234"); err != nil {
			t.Error(err)
		}
	}
	if err := h.enters("b", "used"); err != nil {
		t.Errorf("the second press: %v", err)
	}
}

// revoking is the counter's gateway whose tokens can die: an inquiry with another than the newest is refused.
func (h *house) revoking(at *counterState) (valid func() string) {
	valid = func() string {
		at.mu.Lock()
		defer at.mu.Unlock()
		return token(at.tokens)
	}
	h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		if p.Credential.Empty() || p.Credential.Reveal() != valid() {
			return providers.Standing{}, &providers.Failure{Op: "find", Code: "5", Err: providers.ErrCredential}
		}
		return h.gw.truth(p, o), nil
	}
	return valid
}

// The answer to a second login is lost, and its token is the only one that is good.
func TestAfterALoginWhoseAnswerWasLostTheShopperLogsInAgainAndTheAttemptEnds(t *testing.T) {
	t.Parallel()
	h, at := newCounter(t)
	h.revoking(at)
	h.logsIn("b", phone)
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		h.gw.take(p, o)
		at.counts(&at.tokens) // a login elsewhere
		return said(providers.Wait, p), nil
	}
	h.submit()
	h.forward(8 * 24 * time.Hour)
	h.is(session.Unknown)
	s := h.session()
	if !s.LoginLost() || s.OutcomeKnown() || s.Status() != session.StatusProcessing {
		t.Fatalf("login lost: %t; %s, known: %t", s.LoginLost(), s.Status(), s.OutcomeKnown())
	}
	if _, err := h.store.Credential(t.Context(), shop, "of-"+phone); !errors.Is(err, wallet.ErrNotFound) {
		t.Errorf("the dead credential is kept: %v", err)
	}
	if err := h.asks("b", stranger); !errors.Is(err, providers.ErrNoCustomer) {
		t.Errorf("another customer's login while the payment is under way: %v", err)
	}
	h.logsIn("b", phone)
	h.is(session.Paid) // without a turn through the queue
	if s := h.session(); h.charges() != 1 || !s.OutcomeKnown() {
		t.Errorf("%d charges, known: %t", h.charges(), s.OutcomeKnown())
	}
}

// A refusal that comes late is of the token before: the customer who logged in meanwhile stays so.
func TestALateRefusalOfAnEarlierCredentialEndsNoLogin(t *testing.T) {
	t.Parallel()
	h, at := newCounter(t)
	h.logsIn("b", phone)
	first := h.id
	h.gw.pay = func(_ context.Context, p providers.Payment, _ *order) (providers.Step, error) {
		return said(providers.Wait, p), nil
	}
	h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		if p.Credential.Reveal() == token(1) {
			h.gw.status = nil
			h.id = h.another("order-b")
			h.logsIn("c", phone)
			h.id = first
			return providers.Standing{}, &providers.Failure{Op: "find", Code: "5", Err: providers.ErrCredential}
		}
		return h.gw.truth(p, o), nil
	}
	h.submit()
	if s := h.session(); s.LoginLost() || at.tokens != 2 {
		t.Errorf("login lost: %t, %d tokens", s.LoginLost(), at.tokens)
	}
	if _, err := h.store.Credential(t.Context(), shop, "of-"+phone); err != nil {
		t.Errorf("the newer credential is gone: %v", err)
	}
}

// A call with a dead credential takes nothing; one before it that got no answer may have.
func TestARefusedCredentialDoesNotDisproveAnEarlierCall(t *testing.T) {
	t.Parallel()
	h, at := newCounter(t)
	valid := h.revoking(at)
	h.logsIn("b", phone)
	ask := func(p providers.Payment) providers.Step {
		s := said(providers.Method, p) // without frames: only our going on is missing
		return s
	}
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		s := ask(p)
		o.next = &s
		return s, nil
	}
	tries := 0
	h.gw.resume = func(_ context.Context, p providers.Payment, _ providers.Answer, o *order) (providers.Step, error) {
		if tries++; tries == 1 {
			return providers.Step{}, errCut // the gateway has it, and is slow
		}
		h.gw.mu.Lock()
		o.charges++
		h.gw.mu.Unlock()
		at.counts(&at.tokens)
		return providers.Step{}, &providers.Failure{Op: "finish", Code: "5", Err: providers.ErrCredential}
	}
	h.submit()
	h.forward(10 * time.Minute)
	if a := h.last(); !a.State.Live() || tries < 2 {
		t.Fatalf("after %d tries, last with token %q, the attempt is %s", tries, valid(), a.State)
	}
	h.logsIn("b", phone)
	h.is(session.Paid)
	if h.charges() != 1 {
		t.Errorf("%d charges", h.charges())
	}
}

// The credential of a customer is gone when the card is sent: no try is lost twice.
func TestWithoutACredentialTheShopperIsAskedToLogIn(t *testing.T) {
	t.Parallel()
	h, _ := newCounter(t)
	h.logsIn("b", phone)
	h.gw.register = func() error { return &providers.Failure{Op: "start", Err: providers.ErrCredential} }
	h.submit()
	h.is(session.Failed)
	if !h.flow.Logins.Needed(h.session()) {
		t.Error("the shopper is not asked to log in again")
	}
}
