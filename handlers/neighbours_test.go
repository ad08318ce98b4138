package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/clock"
	"tollgate/internal/merchant"
	"tollgate/internal/sqlstore"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

// as sends a request of another merchant's.
func (m *machine) as(key, method, path, body string) reply {
	m.key = key
	defer func() { m.key = shopKey }()
	return m.call(method, path, body)
}

func TestNoAnswerNamesASessionOfAnotherMerchantOfTheAccount(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		m := bootWithEverything(t, at)
		mine := m.call(http.MethodPost, "/v1/sessions", order("order-1"))
		mine.is(http.StatusCreated, "")
		theirs := m.as(otherKey, http.MethodPost, "/v1/sessions", order("order-1"))
		theirs.is(http.StatusCreated, "")
		for key, want := range map[string]string{shopKey: mine.field("id"), otherKey: theirs.field("id")} {
			again := m.as(key, http.MethodPost, "/v1/sessions", order("order-1"))
			again.is(http.StatusConflict, "order-in-use")
			if again.field("session") != want {
				t.Errorf("told of %s, want its own %s", again.field("session"), want)
			}
		}
		for _, path := range []string{"", "/cancel", "/inquire"} {
			method := http.MethodPost
			if path == "" {
				method = http.MethodGet
			}
			m.as(otherKey, method, "/v1/sessions/"+mine.field("id")+path, "").is(http.StatusNotFound, "not-found")
		}
	})
}

func TestMerchantsOfASharedAccountNeverUseTheSameReference(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		m := bootWithEverything(t, at)
		seen := map[string]string{}
		for _, key := range []string{shopKey, otherKey} {
			for _, id := range []string{"order-1", "order-2"} {
				made := m.as(key, http.MethodPost, "/v1/sessions", order(id)).field("id")
				if err := m.flow.Submit(t.Context(), made, flow.Submission{}); err != nil {
					t.Fatal(err)
				}
				s, err := m.flow.Wait(t.Context(), made, func(s *session.Session) bool { return s.Last() != nil })
				if err != nil {
					t.Fatal(err)
				}
				reference := s.Last().Ref.Reference
				if !regexp.MustCompile(`^[0-9a-z]{4}`+id+`-1$`).MatchString(reference) || seen[reference] != "" {
					t.Errorf("reference %s, which is %q's", reference, seen[reference])
				}
				seen[reference] = made
				if found, _, err := m.store.FindReference(t.Context(), "acc", reference); err != nil || found != made {
					t.Errorf("%s leads to %s, %v", reference, found, err)
				}
				if got := m.as(key, http.MethodGet, "/v1/sessions/"+made, ""); !strings.Contains(got.Body.String(), `"reference":"`+reference+`"`) || got.field("order_id") != id {
					t.Errorf("shown %s", got.Body)
				}
			}
		}
	})
}

func TestInASharedAccountReferencesHaveTwentyEightCharacters(t *testing.T) {
	shared := bootWithEverything(t, sqlstore.Options{Dir: t.TempDir()})
	alone := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{
		provider: func(g *gateway) providers.Provider { return fullGateway{g} }, merchants: []merchant.Merchant{theShop},
	})
	for path, body := range map[string]func(string) string{
		"/v1/sessions": order,
		"/v1/invoices": func(s string) string { return invoice("acc", s) },
		"/v1/payouts": func(s string) string {
			return `{"account":"acc","amount":1500,"currency":"KZT","reference":"` + s + `","to":{"phone":"79010000000"}}`
		},
		"/v1/charges": func(s string) string {
			return `{"saved_card":"sc_1","amount":1500,"currency":"KZT","reference":"` + s + `"}`
		},
		"/v1/virtual_cards":       func(s string) string { return virtualCardBody("c-1", s) },
		"/v1/customers/c-1/cards": func(s string) string { return registrationBody(s, "4000019900020720") },
	} {
		long := (strings.NewReplacer("/", "_").Replace(path) + strings.Repeat("x", 29))[:29] // of a charge, another than of a payout
		shared.savedCard("sc_1")
		alone.savedCard("sc_1")
		got := shared.call(http.MethodPost, path, body(long))
		got.is(http.StatusUnprocessableEntity, "invalid")
		if told := got.faults(); len(told) != 1 || !strings.Contains(told[0][0], "order_id") && told[0][0] != "/reference" || !strings.Contains(told[0][1], "28") {
			t.Errorf("%s: %v", path, told)
		}
		shared.call(http.MethodPost, path, body(long[:28])).is(http.StatusCreated, "")
		alone.call(http.MethodPost, path, body(long+"yyy")).is(http.StatusCreated, "")
		alone.call(http.MethodPost, path, body(long+"yyyy")).is(http.StatusUnprocessableEntity, "invalid")
	}
}

func TestAReferenceUsedByAnotherMerchantOfTheAccountIsAvailable(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		m := bootWithEverything(t, at)
		for path, body := range map[string]string{
			"/v1/sessions": order("one"), "/v1/invoices": invoice("acc", "two"), "/v1/virtual_cards": virtualCardBody("c-1", "three"),
			"/v1/customers/c-1/cards": registrationBody("four", "4000019900020720"),
			"/v1/payouts":             `{"account":"acc","amount":1500,"currency":"KZT","reference":"five","to":{"phone":"79010000000"}}`,
		} {
			theirs := m.as(otherKey, http.MethodPost, path, body)
			theirs.is(http.StatusCreated, "")
			mine := m.call(http.MethodPost, path, body)
			mine.is(http.StatusCreated, "")
			if theirs.field("id") == mine.field("id") {
				t.Errorf("%s: both have %s", path, mine.field("id"))
			}
		}
		bill := m.call(http.MethodPost, "/v1/invoices", invoice("acc", "two")) // repeated it is the same
		if bill.field("reference") != "two" || len(m.call(http.MethodGet, "/v1/invoices?reference=two", "").list()) != 1 {
			t.Errorf("an invoice is shown as %s", bill.Body)
		}
	})
}

// What was made before an account was shared keeps its reference, and is not made again under another.
func TestAnAccountMayBecomeSharedLater(t *testing.T) {
	dir := t.TempDir()
	with := tune{provider: func(g *gateway) providers.Provider { return fullGateway{g} }, merchants: []merchant.Merchant{theShop}}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: dir}, with)
	before := m.call(http.MethodPost, "/v1/sessions", order("one")).field("id")
	bill := m.call(http.MethodPost, "/v1/invoices", invoice("acc", "two")).field("id")
	card := m.call(http.MethodPost, "/v1/virtual_cards", virtualCardBody("c-1", "three")).field("id")
	m.stop()
	m = bootWithEverything(t, sqlstore.Options{Dir: dir})
	again := m.call(http.MethodPost, "/v1/sessions", order("one"))
	again.is(http.StatusConflict, "order-in-use")
	if again.field("session") != before {
		t.Errorf("told of %s", again.Body)
	}
	if err := m.flow.Submit(t.Context(), before, flow.Submission{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.store.FindReference(t.Context(), "acc", "one-1"); err != nil {
		t.Errorf("the session's reference changed: %v", err)
	}
	if got := m.call(http.MethodPost, "/v1/invoices", invoice("acc", "two")); got.field("id") != bill {
		t.Errorf("billed again: %s", got.Body)
	}
	if got := m.call(http.MethodPost, "/v1/virtual_cards", virtualCardBody("c-1", "three")); got.field("id") != card {
		t.Errorf("ordered again: %s", got.Body)
	}
	if got := m.as(otherKey, http.MethodPost, "/v1/invoices", invoice("acc", "two")); got.Code != http.StatusCreated || got.field("id") == bill {
		t.Errorf("a neighbour is answered %s", got.Body)
	}
}

// ledger is a gateway whose list holds the given references.
type ledger struct {
	fullGateway
	references []string
	asked      int
}

func (l *ledger) History(_ context.Context, q providers.HistoryQuery) (lines []providers.HistoryLine, next string, err error) {
	at, err := q.Places(1)
	if err != nil {
		return nil, "", err
	}
	l.asked++
	to := min(at[0]+q.Limit, len(l.references))
	if to < len(l.references) {
		next = providers.Cursor(to)
	}
	for _, reference := range l.references[min(at[0], to):to] {
		lines = append(lines, providers.HistoryLine{Reference: reference, Kind: "payment", Outcome: providers.Paid, At: time.Now()})
	}
	return lines, next, nil
}

// Whoever follows next reads each page of the gateway's list once or twice, however long it is.
func TestALongHistoryIsReadPageByPage(t *testing.T) {
	l := &ledger{}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{
		merchants: []merchant.Merchant{theShop}, provider: func(g *gateway) providers.Provider { l.fullGateway = fullGateway{g}; return l },
	})
	for i := range 1234 {
		l.references = append(l.references, fmt.Sprint("r-", i))
	}
	var got []string
	for after := ""; ; {
		page := m.call(http.MethodGet, "/v1/accounts/acc/history?limit=70&after="+after, "")
		page.is(http.StatusOK, "")
		for _, line := range page.list() {
			got = append(got, line["reference"].(string))
		}
		if after = page.field("next"); after == "" {
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(l.references) || l.asked > 45 {
		t.Errorf("%d lines read with %d requests", len(got), l.asked)
	}
	for _, bad := range []string{"after=x", "after=1~-1", "after=0~x", "after=0&offset=1", "offset=3000&limit=1"} {
		if bad == "offset=3000&limit=1" {
			l.references = append(l.references, make([]string, 3000)...)
		}
		m.call(http.MethodGet, "/v1/accounts/acc/history?"+bad, "").is(http.StatusUnprocessableEntity, "")
	}
}

func TestTheListOfASharedAccountShowsTheMerchantsOwnLines(t *testing.T) {
	l := &ledger{}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: func(g *gateway) providers.Provider { l.fullGateway = fullGateway{g}; return l }})
	var mine []string
	for i := range 130 {
		m.paid(fmt.Sprint("order-", i))
		if i%13 > 0 {
			l.references = append(l.references, fmt.Sprint("a-neighbours-", i), "")
			continue
		}
		mine = append(mine, fmt.Sprint("order-", i, "-1"))
		l.references = append(l.references, mine[len(mine)-1])
	}
	var got []string
	for {
		page := m.call(http.MethodGet, fmt.Sprint("/v1/accounts/acc/history?limit=3&offset=", len(got)), "")
		for _, line := range page.list() {
			got = append(got, line["reference"].(string))
		}
		if strings.Contains(page.Body.String(), `"has_more":false`) {
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(mine) {
		t.Errorf("the shop reads %v, want %v", got, mine)
	}
	if theirs := m.as(otherKey, http.MethodGet, "/v1/accounts/acc/history", "").list(); len(theirs) != 0 {
		t.Errorf("its neighbour reads %v", theirs)
	}
}

// namedCustomers is a gateway that writes down by which names customers are known to it.
type namedCustomers struct {
	fullGateway
	mu    sync.Mutex
	named []string
}

func (g *namedCustomers) name(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.named = append(g.named, id)
}

// told is what was written down since it was last asked.
func (g *namedCustomers) told() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	told := g.named
	g.named = nil
	return told
}

func (g *namedCustomers) Register(ctx context.Context, p providers.Payment) (providers.Ref, error) {
	g.name(p.Customer.ID)
	return g.fullGateway.Register(ctx, p)
}

func (g *namedCustomers) RegisterCard(ctx context.Context, o providers.Owner, reference string, c card.Card, p providers.Payment,
) (providers.SavedCard, error) {
	g.name(o.CustomerID)
	g.name(p.Customer.ID)
	return g.fullGateway.RegisterCard(ctx, o, reference, c, p)
}

func (g *namedCustomers) CreateInvoice(ctx context.Context, in providers.Invoice) (providers.Invoice, error) {
	g.name(in.Customer.ID)
	return g.fullGateway.CreateInvoice(ctx, in)
}

// Where a gateway keeps cards by the customer's id, equal ids of two merchants would lead to one customer's cards.
func TestEqualCustomerIDsOfTwoMerchantsAreTwoCustomersAtTheGateway(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		g := &namedCustomers{}
		m := boot(t, &clock.Clock{}, at, tune{provider: func(real *gateway) providers.Provider { g.fullGateway = fullGateway{real}; return g }})
		with := func(body string) string { return strings.TrimSuffix(body, "}") + `,"customer":{"id":"c-1"}}` }
		names := map[string]string{}
		for _, key := range []string{shopKey, otherKey} {
			id := m.as(key, http.MethodPost, "/v1/sessions", with(order("one"))).field("id")
			if err := m.flow.Submit(t.Context(), id, flow.Submission{}); err != nil {
				t.Fatal(err)
			}
			if _, err := m.flow.Wait(t.Context(), id, func(s *session.Session) bool { return s.Last() != nil && !s.Last().State.Live() }); err != nil {
				t.Fatal(err)
			}
			registered := m.as(key, http.MethodPost, "/v1/customers/c-1/cards", registrationBody("two", "4000019900020720"))
			registered.is(http.StatusCreated, "")
			if registered.field("customer") != "c-1" {
				t.Errorf("the merchant is shown %s", registered.Body)
			}
			m.as(key, http.MethodPost, "/v1/invoices", with(invoice("acc", "three"))).is(http.StatusCreated, "")
			m.as(key, http.MethodPost, "/v1/charges",
				`{"saved_card":"`+registered.field("id")+`","amount":1500,"currency":"KZT","reference":"four"}`).is(http.StatusCreated, "")
			told := g.told()
			for _, name := range told {
				if name != told[0] || !strings.HasSuffix(name, "c-1") || name == "c-1" {
					t.Errorf("told %q", told)
				}
			}
			if len(told) != 5 {
				t.Errorf("told %d times: %q", len(told), told)
			}
			names[told[0]] = key
		}
		if len(names) != 2 {
			t.Errorf("one customer at the gateway: %v", names)
		}
		// A card that was kept before the account was shared, or by a version that told the merchant's own word, stays usable.
		saved := m.savedCard("sc_1")
		m.call(http.MethodPost, "/v1/charges", `{"saved_card":"`+saved+`","amount":1500,"currency":"KZT","reference":"five"}`).is(http.StatusCreated, "")
		if told := g.told(); len(told) != 1 || told[0] != "c-1" {
			t.Errorf("of an older card told %q", told)
		}
	})
}

// loginBank is a gateway with logins, which keeps a card for a customer and does what the customer's credential allows.
type loginBank struct {
	fullGateway
	mu   sync.Mutex
	lent []string // what was done with a credential
}

func (b *loginBank) did(what string, o providers.Owner) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.Credential.Empty() {
		return providers.ErrCredential
	}
	b.lent = append(b.lent, what)
	return nil
}

func (b *loginBank) FindCustomer(context.Context, string) (string, error) { return "client-1", nil }
func (b *loginBank) SendCode(context.Context, string) (string, error)     { return "challenge", nil }
func (b *loginBank) CodeLife() time.Duration                              { return time.Minute }
func (b *loginBank) Exchange(context.Context, string, string) (providers.Credential, error) {
	return providers.Credential{Token: providers.NewSecret("t")}, nil
}

func (b *loginBank) Cards(_ context.Context, o providers.Owner) ([]providers.SavedCard, error) {
	return []providers.SavedCard{{ID: "binding-1", Card: card.Masked{Brand: "visa", First6: "400001", Last4: "0720"}}}, b.did("list", o)
}

func (b *loginBank) Forget(_ context.Context, o providers.Owner, _, _ string) error {
	return b.did("forget", o)
}
func (b *loginBank) RenameCard(_ context.Context, o providers.Owner, _, _, _ string) error {
	return b.did("rename", o)
}

func (b *loginBank) IssueVirtualCard(_ context.Context, o providers.Owner, _ string) (providers.SavedCard, error) {
	return providers.SavedCard{ID: "virtual-1"}, b.did("issue", o)
}

func (b *loginBank) History(_ context.Context, q providers.HistoryQuery) ([]providers.HistoryLine, string, error) {
	return nil, "", b.did("history", q.Owner)
}

// Merchants of a shared account with logins have the gateway's customers in common. What a customer's login opens is for those to whom
// the customer has logged in: another merchant that knows the customer's number does nothing with it.
func TestACustomersLoginIsNotLentToAnotherMerchantOfTheAccount(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		b := &loginBank{}
		m := boot(t, &clock.Clock{}, at, tune{provider: func(g *gateway) providers.Provider { b.fullGateway = fullGateway{g}; return b }})
		err := m.options.Wallet.KeepCredential(t.Context(), wallet.Holder{Merchant: "shop", Account: "acc", Customer: "client-1"},
			providers.Credential{Token: providers.NewSecret("t"), ExpiresAt: m.clock.Now().Add(time.Hour)}, m.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		body := `{"account":"acc","gateway_id":"binding-1","card":{"first6":"400001","last4":"9999"}}`
		taken := m.as(otherKey, http.MethodPost, "/v1/customers/client-1/cards/import", body)
		taken.is(http.StatusCreated, "") // unchecked, as of any customer who has not logged in
		id := taken.field("id")
		for _, r := range [][3]string{
			{http.MethodPatch, "/v1/cards/" + id, `{"name":"mine"}`},
			{http.MethodDelete, "/v1/cards/" + id, ""},
			{http.MethodPost, "/v1/customers/client-1/cards/refresh", `{"account":"acc"}`},
			{http.MethodPost, "/v1/virtual_cards", virtualCardBody("client-1", "v-1")},
			{http.MethodGet, "/v1/accounts/acc/history?customer=client-1", ""},
		} {
			if got := m.as(otherKey, r[0], r[1], r[2]); got.Code < 400 {
				t.Errorf("%s %s: %d %s", r[0], r[1], got.Code, got.Body)
			}
		}
		unknown := m.as(otherKey, http.MethodPost, "/v1/customers/client-2/cards/import", strings.Replace(body, "binding-1", "binding-2", 1))
		if unknown.is(http.StatusCreated, ""); strings.Contains(taken.Body.String(), "0720") || len(b.lent) > 0 {
			t.Errorf("lent for %q, answered %s", b.lent, taken.Body)
		}
		m.call(http.MethodGet, "/v1/accounts/acc/history?customer=client-1", "").is(http.StatusOK, "")
		if len(b.lent) != 1 {
			t.Errorf("to the merchant to whom the customer logged in it is lent for %q", b.lent)
		}
	})
}
