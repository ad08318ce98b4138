package handlers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/clock"
	"tollgate/internal/merchant"
	"tollgate/internal/sqlstore"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
)

// cardGateway is a gateway that makes cards, as a test wants it.
type cardGateway struct {
	fullGateway
	err   error
	calls int
}

func (d *cardGateway) RegisterCard(ctx context.Context, o providers.Owner, reference string, c card.Card, p providers.Payment) (providers.SavedCard, error) {
	d.calls++
	made, _ := d.fullGateway.RegisterCard(ctx, o, reference, c, p)
	return made, d.err
}

func (d *cardGateway) IssueVirtualCard(ctx context.Context, o providers.Owner, reference string) (providers.SavedCard, error) {
	d.calls++
	made, _ := d.fullGateway.IssueVirtualCard(ctx, o, reference)
	return made, d.err
}

func bootWithCardGateway(t *testing.T, at sqlstore.Options) (*machine, *cardGateway) {
	d := &cardGateway{}
	m := boot(t, &clock.Clock{}, at, tune{provider: func(g *gateway) providers.Provider { d.fullGateway = fullGateway{g}; return d }})
	return m, d
}

func registrationBody(reference, number string) string {
	return `{"account":"acc","reference":"` + reference + `","card":{"number":"` + number + `","expiry":"12/30","cvc":"739","name":"A B"}}`
}

func virtualCardBody(customer, reference string) string {
	return `{"account":"acc","customer":"` + customer + `","reference":"` + reference + `"}`
}

func TestACardOrderIsMadeOncePerReference(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		m, d := bootWithCardGateway(t, at)
		first := m.call(http.MethodPost, "/v1/customers/c-1/cards", registrationBody("one", "4000019900020720"))
		first.is(http.StatusCreated, "")
		m.call(http.MethodPost, "/v1/customers/c-1/cards", registrationBody("one", "4000019900020720")).same(first)
		made := m.call(http.MethodPost, "/v1/virtual_cards", virtualCardBody("c-1", "two"))
		made.is(http.StatusCreated, "")
		m.call(http.MethodPost, "/v1/virtual_cards", virtualCardBody("c-1", "two")).same(made)
		for path, body := range map[string]string{
			"/v1/customers/c-2/cards": registrationBody("one", "4000019900020720"), "/v1/customers/c-1/cards": registrationBody("one", "4000019900050008"),
			"/v1/virtual_cards": virtualCardBody("c-1", "one"),
		} {
			m.call(http.MethodPost, path, body).is(http.StatusConflict, "reference-in-use")
		}
		if d.calls != 2 {
			t.Errorf("the gateway was asked %d times for two cards", d.calls)
		}
		list := m.call(http.MethodGet, "/v1/customers/c-1/cards", "")
		for _, id := range []string{first.field("id"), made.field("id")} {
			if strings.Count(list.Body.String(), id) != 1 {
				t.Errorf("%s in %s", id, list.Body)
			}
		}
		m.call(http.MethodDelete, "/v1/cards/"+made.field("id"), "").is(http.StatusNoContent, "")
		m.call(http.MethodPost, "/v1/virtual_cards", virtualCardBody("c-1", "two")).is(http.StatusConflict, "reference-in-use")
	})
}

func TestACardOrderWhoseOutcomeIsUnknownIsNotRequestedAgain(t *testing.T) {
	m, d := bootWithCardGateway(t, sqlstore.Options{Dir: t.TempDir()})
	d.err = &providers.Failure{Op: "vcard/create", Err: context.DeadlineExceeded}
	m.call(http.MethodPost, "/v1/virtual_cards", virtualCardBody("c-1", "one"), keyHeader, "k").is(http.StatusServiceUnavailable, "unavailable")
	d.err = nil
	m.call(http.MethodPost, "/v1/virtual_cards", virtualCardBody("c-1", "one"), keyHeader, "k").is(http.StatusConflict, "outcome-unknown")
	if d.calls != 1 {
		t.Errorf("asked %d times", d.calls)
	}
	m.call(http.MethodPost, "/v1/virtual_cards", virtualCardBody("c-1", "another"), keyHeader, "k2").is(http.StatusCreated, "")
}

func TestACardOrderIsUnknownAfterItsProcessDied(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		m, d := bootWithCardGateway(t, at)
		order := wallet.CardOrder{Merchant: "shop", Account: "acc", Customer: "c-1", Reference: "one", Kind: wallet.VirtualCard, CreatedAt: m.clock.Now()}
		if earlier, err := m.store.AddCardOrder(t.Context(), order); err != nil || earlier != nil {
			t.Fatal(earlier, err)
		}
		m.call(http.MethodPost, "/v1/virtual_cards", virtualCardBody("c-1", "one")).is(http.StatusConflict, "outcome-unknown")
		if d.calls != 0 {
			t.Error("the gateway was asked")
		}
	})
}

func TestACrashBeforeTheAnswerWasStoredMakesNoSecondCardOrInvoice(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, many bool) {
		c, d := &clock.Clock{}, &cardGateway{}
		gate := func(g *gateway) providers.Provider { d.fullGateway = fullGateway{g}; return d }
		dies := (&killed{}).tune()
		dies.provider = gate
		dying := boot(t, c, at, dies)
		calls := [][2]string{
			{"/v1/customers/c-1/cards", registrationBody("one", "4000019900020720")}, {"/v1/virtual_cards", virtualCardBody("c-1", "two")}, {"/v1/invoices", invoice("acc", "three")},
		}
		made := map[string]string{}
		for i, call := range calls {
			made[call[0]] = dying.call(http.MethodPost, call[0], call[1], keyHeader, fmt.Sprint("k", i)).field("id")
		}
		if !many {
			dying.stop()
		}
		next := boot(t, c, at, tune{provider: gate})
		c.Advance(merchant.ClaimLease + time.Second)
		for i, call := range calls {
			r := next.call(http.MethodPost, call[0], call[1], keyHeader, fmt.Sprint("k", i))
			r.is(http.StatusCreated, "")
			if r.field("id") != made[call[0]] {
				t.Errorf("%s: %s, and %s before the crash", call[0], r.field("id"), made[call[0]])
			}
		}
		if d.calls != 2 {
			t.Errorf("the gateway was asked %d times for two cards", d.calls)
		}
	})
}

func TestAReferenceIsReusableWhereNoCardWasMade(t *testing.T) {
	m, d := bootWithCardGateway(t, sqlstore.Options{Dir: t.TempDir()})
	for _, c := range []struct {
		err     error
		code    int
		problem string
	}{
		{&providers.Refusal{Field: "card", Text: "not this brand"}, http.StatusUnprocessableEntity, "invalid"},
		{&providers.Failure{Op: "registrations", Code: "20002", Text: "declined"}, http.StatusUnprocessableEntity, "refused"},
		{&providers.Failure{Op: "registrations", Err: providers.ErrCredential}, http.StatusConflict, "login-needed"},
	} {
		d.err = c.err
		got := m.call(http.MethodPost, "/v1/customers/c-1/cards", registrationBody("one", "4000019900020720"))
		got.is(c.code, c.problem)
		if c.problem == "invalid" && !strings.Contains(got.Body.String(), `"pointer":"/card/number"`) {
			t.Errorf("%s", got.Body)
		}
	}
	d.err = nil
	m.call(http.MethodPost, "/v1/customers/c-1/cards", registrationBody("one", "4000019900020720")).is(http.StatusCreated, "")
}

// The number that money is sent to is kept as a mask and a fingerprint: enough to see that two payouts went to one card.
func TestAPayoutsTargetIsKnownByItsFingerprint(t *testing.T) {
	m := bootWithEverything(t, sqlstore.Options{Dir: t.TempDir()})
	to := func(reference, number string) (last4, fingerprint string) {
		r := m.call(http.MethodPost, "/v1/payouts", `{"account":"acc","amount":700,"currency":"KZT","reference":"`+reference+`","to":{"card":{"number":"`+number+`"}}}`)
		r.is(http.StatusCreated, "")
		var s struct {
			Attempts []struct {
				Card any
				To   struct{ Last4, Fingerprint string }
			}
		}
		if err := json.Unmarshal(r.Body.Bytes(), &s); err != nil || len(s.Attempts) != 1 || s.Attempts[0].Card != nil {
			t.Fatalf("%v %s", err, r.Body)
		}
		return s.Attempts[0].To.Last4, s.Attempts[0].To.Fingerprint
	}
	last4, first := to("one", "4000 0199 0002 0720")
	if _, second := to("two", "4000019900020720"); last4 != "0720" || first == "" || second != first {
		t.Errorf("to %s: %q, then %q", last4, first, second)
	}
	if _, other := to("three", "4000019900020704"); other == first {
		t.Error("another card has the same fingerprint")
	}
}

func TestACardsNumberAndCodeAreStoredNowhere(t *testing.T) {
	dir := t.TempDir()
	m, d := bootWithCardGateway(t, sqlstore.Options{Dir: dir})
	m.call(http.MethodPost, "/v1/customers/c-1/cards", registrationBody("one", "4000019900020720"), keyHeader, "k1").is(http.StatusCreated, "")
	d.err = &providers.Failure{Op: "registrations", Err: context.DeadlineExceeded}
	m.call(http.MethodPost, "/v1/customers/c-1/cards", registrationBody("two", "4000019900020720"), keyHeader, "k2").is(http.StatusServiceUnavailable, "")
	m.call(http.MethodPost, "/v1/customers/c-1/cards", registrationBody("two", "4000 0199 0002 0721"), keyHeader, "k3").is(http.StatusUnprocessableEntity, "invalid")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		seen = seen || bytes.Contains(raw, []byte("reg-"))
		for _, secret := range []string{"4000019900020720", "4000 0199 0002 072", `"739"`} {
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%s holds %s", f.Name(), secret)
			}
		}
	}
	if !seen {
		t.Error("the card is in no file: this test shows nothing")
	}
}

func TestWhatIsWrongWithACardIsNamedByItsPointer(t *testing.T) {
	m, d := bootWithCardGateway(t, sqlstore.Options{Dir: t.TempDir()})
	got := m.call(http.MethodPost, "/v1/customers/c-1/cards", `{"account":"x","reference":"","email":"x","card":{"number":"1","expiry":"13/30","cvc":"x","name":""}}`)
	got.is(http.StatusUnprocessableEntity, "invalid")
	for _, pointer := range []string{"/account", "/reference", "/email", "/card/number", "/card/expiry", "/card/cvc", "/card/name"} {
		if !strings.Contains(got.Body.String(), `"pointer":"`+pointer+`"`) {
			t.Errorf("%s is not in %s", pointer, got.Body)
		}
	}
	if d.calls != 0 {
		t.Error("the gateway was asked")
	}
	plain := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	plain.call(http.MethodPost, "/v1/customers/c-1/cards", registrationBody("one", "4000019900020720")).is(http.StatusUnprocessableEntity, "unsupported")
	plain.call(http.MethodPost, "/v1/virtual_cards", virtualCardBody("c-1", "one")).is(http.StatusUnprocessableEntity, "unsupported")
}

// bankCardGateway is one whose customers log in.
type bankCardGateway struct{ *cardGateway }

func (bankCardGateway) FindCustomer(context.Context, string) (string, error) { return "c-1", nil }
func (bankCardGateway) SendCode(context.Context, string) (string, error)     { return "x", nil }
func (bankCardGateway) CodeLife() time.Duration                              { return time.Minute }

func (bankCardGateway) Exchange(context.Context, string, string) (providers.Credential, error) {
	return providers.Credential{}, providers.ErrWrongCode
}

func TestAVirtualCardRequiresACustomerWhoLoggedInToASessionOfTheMerchant(t *testing.T) {
	d := &cardGateway{}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: func(g *gateway) providers.Provider { d.fullGateway = fullGateway{g}; return bankCardGateway{d} }})
	issue := func() reply { return m.call(http.MethodPost, "/v1/virtual_cards", virtualCardBody("c-1", "one")) }
	issue().is(http.StatusConflict, "login-needed")
	if err := m.store.SaveCredential(t.Context(), "shop", "acc", "c-1", m.seal("credential", "token"), m.clock.Now(), m.clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	m.key = otherKey
	issue().is(http.StatusConflict, "login-needed")
	m.key = shopKey
	issue().is(http.StatusCreated, "")
	m.clock.Advance(time.Hour)
	m.call(http.MethodPost, "/v1/virtual_cards", virtualCardBody("c-1", "two")).is(http.StatusConflict, "login-needed")
	if d.calls != 1 {
		t.Errorf("the gateway was asked %d times", d.calls)
	}
}

func TestACustomersHistoryRequiresACustomerOfTheMerchant(t *testing.T) {
	d := &cardGateway{}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: func(g *gateway) providers.Provider { d.fullGateway = fullGateway{g}; return bankCardGateway{d} }})
	for _, query := range []string{"", "?customer=nobody"} {
		got := m.call(http.MethodGet, "/v1/accounts/acc/history"+query, "")
		got.is(http.StatusUnprocessableEntity, "invalid")
		if told := got.faults(); len(told) != 1 || told[0][0] != "/customer" {
			t.Errorf("%q: %v", query, told)
		}
	}
}

func (m *machine) seal(name, text string) string {
	m.t.Helper()
	sealed, err := m.flow.Sealer.Seal(name, []byte(text))
	if err != nil {
		m.t.Fatal(err)
	}
	return sealed
}

func TestARefundThatIsBeingProcessedIsPending(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	id := m.paid("one")
	s, err := m.store.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for i, state := range []session.OpState{session.OpFailed, session.OpNew, session.OpCalling, session.OpPending, session.OpUnknown, session.OpSucceeded} {
		kind := providers.Refund
		if i == 0 {
			kind = providers.Capture
		}
		s.Operations = append(s.Operations, &session.Operation{N: i + 1, Kind: kind, State: state, Attempt: 1, Reference: "r", CreatedAt: m.clock.Now(), UpdatedAt: m.clock.Now()})
	}
	if err := m.store.Save(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[string]string{"2": "pending", "3": "pending", "4": "pending", "5": "unknown", "6": "succeeded"} {
		if got := m.call(http.MethodGet, "/v1/sessions/"+id+"/refunds/"+n, ""); got.field("state") != want {
			t.Errorf("refund %s: %s", n, got.Body)
		}
	}
	m.call(http.MethodGet, "/v1/sessions/"+id+"/refunds/1", "").is(http.StatusNotFound, "not-found") // a capture
	m.call(http.MethodGet, "/v1/sessions/"+id+"/refunds/7", "").is(http.StatusNotFound, "not-found")
	if list := m.call(http.MethodGet, "/v1/sessions/"+id+"/refunds", ""); strings.Count(list.Body.String(), `"kind":"refund"`) != 5 || strings.Contains(list.Body.String(), "capture") {
		t.Errorf("%s", list.Body)
	}
}
