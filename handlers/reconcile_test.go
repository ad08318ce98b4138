package handlers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/merchant"
	"tollgate/internal/money"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/threeds"
)

// bookkeeper is a gateway with a list and an answer for each reference.
type bookkeeper struct {
	*gateway
	lines []providers.HistoryLine
	says  map[string]providers.Standing
	asked int
	lists int
	pays  int // calls that can move money
}

func (b *bookkeeper) Pay(ctx context.Context, p providers.Payment, in providers.Instrument, d threeds.BrowserData) (providers.Step, error) {
	b.pays++
	return b.gateway.Pay(ctx, p, in, d)
}

func (b *bookkeeper) Status(_ context.Context, p providers.Payment) (providers.Standing, error) {
	b.asked++
	st, known := b.says[p.Ref.Reference]
	if !known {
		return providers.Standing{Outcome: providers.NotFound, Ref: p.Ref}, nil
	}
	st.Ref, st.Reference = p.Ref, p.Ref.Reference
	return st, nil
}

// listing is a bookkeeper that can list.
type listing struct{ *bookkeeper }

func (b listing) History(_ context.Context, q providers.HistoryQuery) ([]providers.HistoryLine, string, error) {
	b.lists++
	at, err := q.Places(1)
	if err != nil {
		return nil, "", err
	}
	next, to := "", min(at[0]+q.Limit, len(b.lines))
	if to < len(b.lines) {
		next = providers.Cursor(to)
	}
	return b.lines[min(at[0], to):to], next, nil
}

func paidStanding(minor int64) providers.Standing {
	kzt, err := money.ParseCurrency("KZT")
	if err != nil {
		panic(err)
	}
	return providers.Standing{Outcome: providers.Paid, Amount: money.Amount{Minor: minor, Currency: kzt}, Held: minor, Captured: minor, Stated: true}
}

func lineOf(reference string, st providers.Standing) providers.HistoryLine {
	return providers.HistoryLine{Reference: reference, OrderID: "g-" + reference, Kind: "payment", Outcome: st.Outcome, Amount: st.Amount,
		Held: st.Held, Captured: st.Captured, Refunded: st.Refunded, Stated: st.Stated}
}

func bootWithBooks(t *testing.T, lists bool, merchants ...merchant.Merchant) (*machine, *bookkeeper) {
	t.Helper()
	return bootWithBooksOn(t, sqlstore.Options{Dir: t.TempDir()}, lists, merchants...)
}

func bootWithBooksOn(t *testing.T, where sqlstore.Options, lists bool, merchants ...merchant.Merchant) (*machine, *bookkeeper) {
	t.Helper()
	if merchants == nil {
		merchants = []merchant.Merchant{theShop}
	}
	b := &bookkeeper{says: map[string]providers.Standing{}}
	m := boot(t, &clock.Clock{}, where, tune{merchants: merchants, provider: func(g *gateway) providers.Provider {
		if b.gateway = g; lists {
			return listing{b}
		}
		return b
	}})
	return m, b
}

type differences struct {
	Source      string
	Complete    bool
	Differences []struct {
		Kind, Reference, Session string
		Repaired                 bool
	}
}

func (d differences) String() string {
	var all []string
	for _, one := range d.Differences {
		text := one.Kind + " " + one.Reference
		if one.Repaired {
			text += " repaired"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// reconciled compares the last hour and the next.
func (m *machine) reconciled(more string) (d differences) {
	m.t.Helper()
	now := m.clock.Now()
	got := m.call(http.MethodPost, "/v1/accounts/acc/reconcile", fmt.Sprintf(`{"from":%q,"to":%q%s}`,
		now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339), more))
	got.is(http.StatusOK, "")
	if err := json.Unmarshal(got.Body.Bytes(), &d); err != nil {
		m.t.Fatal(err)
	}
	return d
}

func TestReconciliationFindsWhatIsMissingOrOtherByTheGatewaysList(t *testing.T) {
	for name, where := range map[string]sqlstore.Options{"SQLite": {Dir: t.TempDir()}, "PostgreSQL": {URL: postgres(t)}} {
		t.Run(name, func(t *testing.T) { reconcilesByList(t, where) })
	}
}

func reconcilesByList(t *testing.T, where sqlstore.Options) {
	m, b := bootWithBooksOn(t, where, true)
	for _, id := range []string{"same", "other-sum", "gone", "refused"} {
		m.paid(id)
	}
	b.says["same-1"], b.says["other-sum-1"] = paidStanding(1500), paidStanding(900)
	b.says["refused-1"] = providers.Standing{Outcome: providers.Refused}
	for _, reference := range []string{"same-1", "other-sum-1"} {
		b.lines = append(b.lines, lineOf(reference, b.says[reference]))
	}
	b.lines = append(b.lines, lineOf("lost-1", paidStanding(700)), lineOf("tried-1", providers.Standing{Outcome: providers.Refused}),
		providers.HistoryLine{Reference: "r-1", Kind: "refund", Outcome: providers.Paid})
	got := m.reconciled("")
	want := "amount other-sum-1, missing_here lost-1, missing_there gone-1, state refused-1"
	if got.String() != want || got.Source != "list" || !got.Complete {
		t.Errorf("%s by %s, want %s", got, got.Source, want)
	}
	if b.pays != 0 {
		t.Errorf("charged %d times", b.pays)
	}
}

// The only trace of a payment that the database forgot may be the gateway's callback about it.
func TestReconciliationListsWhatCallbacksToldOfAndNobodyKnows(t *testing.T) {
	for _, lists := range []bool{false, true} {
		m, b := bootWithBooks(t, lists)
		b.says["told-1"], b.says["tried-1"], b.says["listed-1"] = paidStanding(700), providers.Standing{Outcome: providers.Refused}, paidStanding(800)
		b.lines = append(b.lines, lineOf("listed-1", b.says["listed-1"]))
		for _, reference := range []string{"told-1", "tried-1", "listed-1"} {
			m.call(http.MethodPost, "/callbacks/acc?of="+reference, "").is(http.StatusOK, "")
		}
		if got := m.reconciled(""); got.String() != "missing_here listed-1, missing_here told-1" || !got.Complete {
			t.Errorf("with a list %t: %s", lists, got)
		}
	}
}

func TestReconciliationReadsALongListToItsEnd(t *testing.T) {
	m, b := bootWithBooks(t, true)
	for i := range 250 {
		b.lines = append(b.lines, lineOf(fmt.Sprintf("lost-%03d", i), paidStanding(700)))
	}
	if got := m.reconciled(""); len(got.Differences) != 250 || !got.Complete || b.lists != 3 {
		t.Errorf("%d differ, after %d pages", len(got.Differences), b.lists)
	}
}

func TestReconciliationAsksAboutEachOrderWhereThereIsNoList(t *testing.T) {
	m, b := bootWithBooks(t, false)
	m.paid("same")
	m.paid("gone")
	b.says["same-1"] = paidStanding(1500)
	if got := m.reconciled(""); got.String() != "missing_there gone-1" || got.Source != "inquiry" || b.asked != 2 {
		t.Errorf("%s by %s, asked %d", got, got.Source, b.asked)
	}
}

func TestReconciliationComparesWithTheBanksList(t *testing.T) {
	m, b := bootWithBooks(t, true)
	for _, id := range []string{"same", "other", "gone"} {
		m.paid(id)
	}
	got := m.reconciled(`,"orders":[{"reference":"same-1","amount":"15.00","currency":"KZT","status":"Deposited"},
		{"reference":"other-1","amount":"14.00","currency":"KZT"},{"reference":"lost-1","status":"approved"},{"reference":"no-1","status":"declined"}]`)
	if want := "amount other-1, missing_here lost-1, missing_there gone-1"; got.String() != want || got.Source != "orders" {
		t.Errorf("%s by %s, want %s", got, got.Source, want)
	}
	if b.asked+b.lists != 0 {
		t.Error("the gateway was asked")
	}
}

func TestReconciliationRepairsByAskingAndNeverCharges(t *testing.T) {
	m, b := bootWithBooks(t, true)
	id := m.paid("late")
	s, err := m.store.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	s.Attempts[0].State, s.Attempts[0].Captured, s.ClosedReason = session.Failed, 0, session.Expired
	if err := m.store.Save(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
	b.says["late-1"] = paidStanding(1500)
	b.lines = append(b.lines, lineOf("late-1", paidStanding(1500)), lineOf("lost-1", paidStanding(1)))
	if got := m.reconciled(""); got.String() != "missing_here lost-1, state late-1" {
		t.Errorf("%s", got)
	}
	if got := m.reconciled(`,"repair":true`); got.String() != "missing_here lost-1, state late-1 repaired" {
		t.Errorf("repairing: %s", got)
	}
	if got := m.reconciled(""); got.String() != "missing_here lost-1" || b.pays != 0 {
		t.Errorf("repaired: %s, charged %d times", got, b.pays)
	}
}

// In an account that several merchants use, nobody is shown another's orders.
func TestReconciliationShowsNobodyAnothersOrders(t *testing.T) {
	neighbour := merchant.Merchant{ID: "other", Name: "Other", Keys: []merchant.Key{{Hash: merchant.HashKey(otherKey)}}, Accounts: []string{"acc"}}
	m, b := bootWithBooks(t, true, theShop, neighbour)
	m.paid("mine")
	b.says["mine-1"] = paidStanding(1500)
	tag, err := m.store.Tag(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	b.lines = append(b.lines, lineOf("mine-1", paidStanding(900)), lineOf(tag+"lost-1", paidStanding(700)), lineOf("unknown-1", paidStanding(700)))
	if got := m.reconciled(""); got.String() != "missing_here "+tag+"lost-1" {
		t.Errorf("the owner sees %s", got)
	}
	m.key = otherKey
	if got := m.reconciled(""); len(got.Differences) != 0 {
		t.Errorf("the neighbour sees %s", got)
	}
}

func TestAReconciliationThatCannotBeIsRefused(t *testing.T) {
	m, _ := bootWithBooks(t, true)
	for body, says := range map[string]string{
		`{"from":"2026-11-21T00:00:00Z","to":"2026-11-20T00:00:00Z"}`:                                                                "/to",
		`{"from":"2026-10-01T00:00:00Z","to":"2026-11-20T00:00:00Z"}`:                                                                "31 days",
		`{"from":"2026-11-20T00:00:00Z","to":"2026-11-21T00:00:00Z","orders":[{"reference":"a","status":"perhaps"}]}`:                "/orders/0/status",
		`{"from":"2026-11-20T00:00:00Z","to":"2026-11-21T00:00:00Z","orders":[{"reference":"a","amount":"1.234","currency":"KZT"}]}`: "/orders/0/amount",
		`{"from":"2026-11-20T00:00:00Z","to":"2026-11-21T00:00:00Z","orders":[{}]}`:                                                  "/orders/0/reference",
	} {
		got := m.call(http.MethodPost, "/v1/accounts/acc/reconcile", body)
		if got.is(http.StatusUnprocessableEntity, "invalid"); !strings.Contains(got.Body.String(), says) {
			t.Errorf("%s: %s", body, got.Body)
		}
	}
	m.call(http.MethodPost, "/v1/accounts/nobodys/reconcile", `{"from":"2026-11-20T00:00:00Z","to":"2026-11-21T00:00:00Z"}`).
		is(http.StatusNotFound, "unknown-account")
}

// Notified takes a callback's word for the reference.
func (b *bookkeeper) Notified(r *http.Request) (providers.Notice, error) {
	return providers.Notice{Reference: r.URL.Query().Get("of")}, nil
}
