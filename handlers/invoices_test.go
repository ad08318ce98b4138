package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/merchant"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
)

// invoiceGateway is a gateway that bills, as a test wants it. It knows its bills by reference.
type invoiceGateway struct {
	fullGateway
	mu     sync.Mutex
	bills  map[string]providers.Invoice
	lost   bool // answers get lost
	silent bool // nothing arrives
	makes  int
	asks   int
	notify string // where the newest bill's notifications go
}

var errLost = &providers.Failure{Op: "generate", Err: errors.New("lost")}

func (b *invoiceGateway) CreateInvoice(_ context.Context, in providers.Invoice) (providers.Invoice, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if in.Description == "refuse" {
		return in, &providers.Refusal{Field: "currency", Text: "not this one"}
	}
	if b.silent {
		return providers.Invoice{}, errLost
	}
	b.makes++
	b.notify = in.CallbackURL
	in.GatewayID, in.URL, in.Status = "i-"+in.Reference, fmt.Sprintf("https://bills.example/%d", b.makes), providers.Waiting
	b.bills[in.Reference] = in
	if b.lost {
		return providers.Invoice{}, errLost
	}
	return in, nil
}

func (b *invoiceGateway) RenewInvoice(_ context.Context, in providers.Invoice) (providers.Invoice, error) {
	in.URL, in.Status = "https://bills.example/renewed", providers.Waiting
	return in, nil
}

func (b *invoiceGateway) InquireInvoice(_ context.Context, in providers.Invoice) (providers.Invoice, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asks++
	if b.lost {
		return providers.Invoice{}, errLost
	}
	known, ok := b.bills[in.Reference]
	in.Status = providers.NotFound
	if ok {
		in.GatewayID, in.Status, in.Amount = known.GatewayID, known.Status, known.Amount // the page's address is not told again
	}
	return in, nil
}

func bootWithInvoices(t *testing.T, at sqlstore.Options) (*machine, *invoiceGateway) {
	b := &invoiceGateway{bills: map[string]providers.Invoice{}}
	m := boot(t, &clock.Clock{}, at, tune{
		provider: func(g *gateway) providers.Provider { b.fullGateway = fullGateway{g}; return b }, merchants: []merchant.Merchant{theShop},
	})
	return m, b
}

func (m *machine) bill(reference string) reply {
	return m.call(http.MethodPost, "/v1/invoices", invoice("acc", reference))
}

func TestConcurrentEqualCreatesMakeOneInvoice(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		m, b := bootWithInvoices(t, at)
		var all sync.WaitGroup
		ids := make([]string, 20)
		for i := range ids {
			all.Go(func() { ids[i] = m.bill("one").field("id") })
		}
		all.Wait()
		for _, id := range ids {
			if id == "" || id != ids[0] {
				t.Errorf("invoices %s and %s", ids[0], id)
			}
		}
		if b.makes != 1 {
			t.Errorf("billed %d times", b.makes)
		}
		now := m.call(http.MethodGet, "/v1/invoices/"+ids[0], "")
		if now.field("status") != "open" || now.field("url") != "https://bills.example/1" {
			t.Errorf("%s", now.Body)
		}
		dearer := strings.Replace(invoice("acc", "one"), "5000", "6000", 1)
		m.call(http.MethodPost, "/v1/invoices", dearer).is(http.StatusConflict, "reference-in-use")
	})
}

func TestAnInvoiceWhoseAnswerWasLostIsFoundAgain(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		m, b := bootWithInvoices(t, at)
		b.lost = true
		made := m.bill("one")
		made.is(http.StatusCreated, "")
		if made.field("status") != "unknown" || made.field("url") != "" {
			t.Errorf("%s", made.Body)
		}
		path := "/v1/invoices/" + made.field("id")
		if still := m.call(http.MethodGet, path, ""); still.field("status") != "unknown" {
			t.Errorf("%s", still.Body)
		}
		b.lost = false
		if found := m.call(http.MethodGet, path, ""); found.field("status") != "open" || found.field("gateway_invoice_id") != "i-one" {
			t.Errorf("%s", found.Body)
		}
		m.clock.Advance(time.Minute)
		if again := m.bill("one"); again.field("id") != made.field("id") || again.field("url") != "https://bills.example/renewed" {
			t.Errorf("repeated: %s", again.Body)
		}
		if renewed := m.call(http.MethodPost, path+"/renew", ""); renewed.field("url") != "https://bills.example/renewed" {
			t.Errorf("%s", renewed.Body)
		}
		if b.makes != 1 {
			t.Errorf("billed %d times", b.makes)
		}
	})
}

func TestAnInvoiceIsCreatedAgainOnlyIfTheGatewayProvablyHasNone(t *testing.T) {
	for name, again := range map[string]func(*machine, string) reply{
		"repeated": func(m *machine, _ string) reply { return m.bill("one") },
		"renewed":  func(m *machine, id string) reply { return m.call(http.MethodPost, "/v1/invoices/"+id+"/renew", "") },
	} {
		t.Run(name, func(t *testing.T) {
			m, b := bootWithInvoices(t, sqlstore.Options{Dir: t.TempDir()})
			b.silent = true
			id := m.bill("one").field("id")
			b.silent = false
			if early := again(m, id); early.field("status") != "unknown" || b.makes != 0 {
				t.Errorf("while the first call may still arrive: %s", early.Body)
			}
			m.clock.Advance(time.Minute)
			if now := m.call(http.MethodGet, "/v1/invoices/"+id, ""); now.field("status") != "failed" || b.makes != 0 {
				t.Errorf("asked: %s", now.Body)
			}
			if late := again(m, id); late.field("status") != "open" || late.field("id") != id || b.makes != 1 {
				t.Errorf("after that: %s", late.Body)
			}
		})
	}
}

func TestAPaidInvoiceStaysPaid(t *testing.T) {
	m, b := bootWithInvoices(t, sqlstore.Options{Dir: t.TempDir()})
	path := "/v1/invoices/" + m.bill("one").field("id")
	for _, said := range []struct {
		outcome providers.Outcome
		status  string
	}{
		{providers.Processing, "open"}, {providers.Closed, "closed"}, {providers.Unclear, "unknown"}, {providers.NotFound, "unknown"},
		{providers.Waiting, "open"}, {providers.Paid, "paid"}, {providers.Waiting, "paid"},
	} {
		bill := b.bills["one"]
		bill.Status = said.outcome
		b.bills["one"] = bill
		if got := m.call(http.MethodGet, path, ""); got.field("status") != said.status {
			t.Errorf("%s: %s", said.outcome, got.Body)
		}
	}
	asks := b.asks
	m.call(http.MethodPost, path+"/renew", "").is(http.StatusConflict, "already-done")
	if b.asks != asks {
		t.Error("the gateway was asked of what is final")
	}
}

func TestAnInvoiceOfAnotherAmountIsNotPaid(t *testing.T) {
	m, b := bootWithInvoices(t, sqlstore.Options{Dir: t.TempDir()})
	path := "/v1/invoices/" + m.bill("one").field("id")
	bill := b.bills["one"]
	bill.Status, bill.Amount.Minor = providers.Paid, 1
	b.bills["one"] = bill
	if got := m.call(http.MethodGet, path, ""); got.field("status") != "unknown" {
		t.Errorf("%s", got.Body)
	}
}

func TestAnInvoiceThatTheGatewayCannotExpressIsNotStored(t *testing.T) {
	m, _ := bootWithInvoices(t, sqlstore.Options{Dir: t.TempDir()})
	refused := strings.Replace(invoice("acc", "one"), `"account"`, `"description":"refuse","account"`, 1)
	got := m.call(http.MethodPost, "/v1/invoices", refused)
	got.is(http.StatusUnprocessableEntity, "invalid")
	if !strings.Contains(got.Body.String(), `"pointer":"/currency"`) {
		t.Errorf("%s", got.Body)
	}
	m.bill("one").is(http.StatusCreated, "")
	bad := m.call(http.MethodPost, "/v1/invoices", `{"account":"x","amount":0,"currency":"kzt","reference":"","success_url":"x"}`)
	bad.is(http.StatusUnprocessableEntity, "invalid")
	for _, pointer := range []string{"/account", "/amount", "/currency", "/reference", "/success_url"} {
		if !strings.Contains(bad.Body.String(), `"pointer":"`+pointer+`"`) {
			t.Errorf("%s is not in %s", pointer, bad.Body)
		}
	}
	plain := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	plain.bill("one").is(http.StatusUnprocessableEntity, "unsupported")
}

func TestInvoicesAreListedInPages(t *testing.T) {
	m, _ := bootWithInvoices(t, sqlstore.Options{Dir: t.TempDir()})
	for i := range 5 {
		m.bill(fmt.Sprint("bill-", i))
		m.clock.Advance(time.Second)
	}
	var seen []string
	for before := ""; ; {
		r := m.call(http.MethodGet, "/v1/invoices?limit=2&before="+before, "")
		data := r.list()
		for _, one := range data {
			seen = append(seen, one["reference"].(string))
			before = one["id"].(string)
		}
		if len(data) < 2 {
			break
		}
	}
	if got := strings.Join(seen, " "); got != "bill-4 bill-3 bill-2 bill-1 bill-0" {
		t.Error(got)
	}
	if one := m.call(http.MethodGet, "/v1/invoices?reference=bill-3&status=open", "").list(); len(one) != 1 {
		t.Errorf("%v", one)
	}
	if none := m.call(http.MethodGet, "/v1/invoices?status=paid", "").list(); len(none) != 0 {
		t.Errorf("%v", none)
	}
	m.call(http.MethodGet, "/v1/invoices?status=x", "").is(http.StatusUnprocessableEntity, "invalid")
}

func (b *invoiceGateway) Notified(r *http.Request) (providers.Notice, error) {
	return providers.Notice{Reference: r.URL.Query().Get("of"), OrderID: "p-1"}, nil
}

// becomes is what happens to a bill at the gateway.
func (b *invoiceGateway) becomes(reference string, status providers.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bill := b.bills[reference]
	bill.Status = status
	b.bills[reference] = bill
}

// invoiceJobs moves the clock and runs what is due on the way.
func (m *machine) invoiceJobs(d time.Duration) (ran int) {
	m.t.Helper()
	until := m.clock.Now().Add(d)
	m.clock.Advance(d)
	for {
		due, err := m.store.Claim(m.t.Context(), "w", until, time.Second, 1)
		if err != nil {
			m.t.Fatal(err)
		}
		if len(due) == 0 {
			return ran
		}
		if do := m.bills.Jobs()[due[0].Kind]; do != nil {
			if err := do(m.t.Context(), due[0]); err != nil {
				m.t.Fatal(err)
			}
			ran++
		}
		if err := m.store.Done(m.t.Context(), due[0]); err != nil {
			m.t.Fatal(err)
		}
	}
}

// bills told of, by type, in their order.
func (m *machine) billEvents() (types []string) {
	m.t.Helper()
	for _, e := range m.events("").Data {
		if strings.HasPrefix(e.Type, "invoice.") {
			types = append(types, strings.TrimPrefix(e.Type, "invoice."))
		}
	}
	return types
}

func TestAPaidInvoiceIsToldByItsNotificationWithoutAnyoneReadingIt(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		for _, of := range []string{"one", "one-2"} { // the gateway numbers later tries to pay
			m, b := bootWithInvoices(t, at)
			at.Dir = t.TempDir()
			m.bill("one")
			if b.notify != "https://pay.example/callbacks/acc" {
				t.Fatalf("notifications go to %q", b.notify)
			}
			b.becomes("one", providers.Paid)
			m.call(http.MethodPost, "/callbacks/acc?of="+of, "").is(http.StatusOK, "")
			if m.invoiceJobs(0) != 1 {
				t.Error("nobody asked")
			}
			if found := m.call(http.MethodGet, "/v1/invoices?status=paid", "").list(); len(found) != 1 {
				t.Errorf("the list has %v", found)
			}
			if got := fmt.Sprint(m.billEvents()); got != "[created paid]" {
				t.Errorf("told %s", got)
			}
			if at.URL != "" {
				return
			}
		}
	})
}

func TestInvoicesEndByTheScheduleAndTheListIsTrue(t *testing.T) {
	m, b := bootWithInvoices(t, sqlstore.Options{Dir: t.TempDir()})
	for _, reference := range []string{"paid", "expired", "cancelled", "waits"} {
		m.bill(reference)
	}
	b.becomes("paid", providers.Paid)
	b.becomes("expired", providers.Closed)
	b.becomes("cancelled", providers.Voided)
	m.invoiceJobs(time.Hour)
	for status, want := range map[string]int{"paid": 1, "closed": 2, "open": 1} {
		if found := m.call(http.MethodGet, "/v1/invoices?status="+status, "").list(); len(found) != want {
			t.Errorf("%s: %v", status, found)
		}
	}
	told := fmt.Sprint(m.billEvents())
	for _, want := range []string{"paid", "expired", "cancelled"} {
		if strings.Count(told, want) != 1 {
			t.Errorf("told %s", told)
		}
	}
}

// A gateway that cannot be asked for a while changes nothing, and is asked again.
func TestAnInvoiceWhoseInquiriesFailIsAskedAboutAgain(t *testing.T) {
	m, b := bootWithInvoices(t, sqlstore.Options{Dir: t.TempDir()})
	m.bill("one")
	b.lost = true
	m.invoiceJobs(2 * time.Hour)
	b.lost = false
	b.becomes("one", providers.Paid)
	m.invoiceJobs(2 * time.Hour)
	if got := fmt.Sprint(m.billEvents()); got != "[created paid]" {
		t.Errorf("told %s", got)
	}
}

func TestACallbackOfNothingOfOursIsAnsweredAndChangesNothing(t *testing.T) {
	m, b := bootWithInvoices(t, sqlstore.Options{Dir: t.TempDir()})
	asked := b.asks
	m.call(http.MethodPost, "/callbacks/acc?of=nobody-2", "").is(http.StatusOK, "")
	if m.invoiceJobs(0) != 0 || b.asks != asked {
		t.Error("somebody was asked")
	}
}
