package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/session"
	"tollgate/session/flow"
)

func newInvoice(reference string) *flow.Invoice {
	return &flow.Invoice{
		ID: "inv_" + reference, Merchant: "shop", Account: "acc", Reference: reference, Status: flow.InvoiceUnknown,
		Amount: money.Amount{Minor: 5000, Currency: money.Currency{Code: "EUR", Numeric: "978", Digits: 2}}, CreatedAt: noon,
	}
}

func add(t *testing.T, st Store, in *flow.Invoice) *flow.Invoice {
	t.Helper()
	must(t, st.AddInvoice(t.Context(), in))
	return in
}

func invoiceComesBack(t *testing.T, st Store) {
	want := &flow.Invoice{}
	fill(t, want)
	want.Customer.IP, want.Version = "", 0 // is not kept; is the store's
	add(t, st, want)
	byID, err := st.Invoice(t.Context(), want.Merchant, want.ID)
	must(t, err)
	byReference, err := st.InvoiceOf(t.Context(), want.Account, want.Reference)
	must(t, err)
	listed, err := st.ListInvoices(t.Context(), flow.InvoiceFilter{Merchant: want.Merchant})
	must(t, err)
	for _, got := range append(listed, byID, byReference) {
		if diff := cmp.Diff(*want, got); diff != "" {
			t.Error(diff)
		}
	}
	_, err = st.Invoice(t.Context(), "another", want.ID)
	wantErr(t, err, session.ErrNotFound)
	_, err = st.InvoiceOf(t.Context(), want.Account, "never")
	wantErr(t, err, session.ErrNotFound)
}

func invoiceOnce(t *testing.T, st Store) {
	add(t, st, newInvoice("one"))
	again := newInvoice("one")
	again.ID, again.Merchant = "inv_again", "another"
	wantErr(t, st.AddInvoice(t.Context(), again), flow.ErrReference)
	again.Account = "acc-2"
	add(t, st, again)
}

func invoiceSwap(t *testing.T, st Store) {
	mine := add(t, st, newInvoice("one"))
	theirs := *mine
	mine.Status = flow.InvoiceOpen
	must(t, st.SaveInvoice(t.Context(), mine))
	wantErr(t, st.SaveInvoice(t.Context(), &theirs), session.ErrConflict)
	wantErr(t, st.DropInvoice(t.Context(), &theirs), session.ErrNotFound)
	now, err := st.Invoice(t.Context(), "shop", mine.ID)
	must(t, err)
	if diff := cmp.Diff(*mine, now); diff != "" {
		t.Error(diff)
	}
	must(t, st.DropInvoice(t.Context(), mine))
	add(t, st, newInvoice("one"))
}

func invoiceLists(t *testing.T, st Store) {
	for i, reference := range []string{"a", "b", "c", "d"} {
		in := newInvoice(reference)
		in.CreatedAt = noon.Add(time.Duration(i/2) * time.Minute) // two at the same moment
		if reference == "c" {
			in.Account, in.Status = "acc-2", flow.InvoicePaid
		}
		add(t, st, in)
	}
	theirs := newInvoice("e")
	theirs.Merchant = "another"
	add(t, st, theirs)
	for want, f := range map[string]flow.InvoiceFilter{
		"d c b a": {}, "d c": {Limit: 2}, "b a": {Before: "inv_c"}, "c": {Account: "acc-2"}, "b": {Reference: "b"},
		"d b a": {Status: flow.InvoiceUnknown}, "": {Before: "inv_e"},
	} {
		f.Merchant = "shop"
		list, err := st.ListInvoices(t.Context(), f)
		must(t, err)
		got := ""
		for i, in := range list {
			if i > 0 {
				got += " "
			}
			got += in.Reference
		}
		if got != want {
			t.Errorf("%+v: %q, want %q", f, got, want)
		}
	}
}

// cardOrderBeforeSharing: a card that was ordered before others used the account too is not ordered again.
func cardOrderBeforeSharing(t *testing.T, st Store) {
	_, err := st.AddCardOrder(t.Context(), order)
	must(t, err)
	tagged := order
	tagged.RefTag, tagged.Reference = "ab1c", "ab1c"+order.Reference
	earlier, err := st.AddCardOrder(t.Context(), tagged)
	must(t, err)
	if earlier == nil || earlier.Reference != order.Reference || earlier.Merchant != "shop" {
		t.Errorf("of the shop: %+v", earlier)
	}
	tagged.Merchant, tagged.RefTag, tagged.Reference = "rival", "zz9z", "zz9z"+order.Reference
	if earlier, err = st.AddCardOrder(t.Context(), tagged); err != nil || earlier != nil {
		t.Errorf("a neighbour is told of %+v, %v", earlier, err)
	}
}

var order = flow.CardOrder{Merchant: "shop", Account: "acc", Reference: "one", Customer: "c-1", Kind: flow.VirtualCard, CreatedAt: noon}

func cardOrderOnce(t *testing.T, st Store) {
	var all sync.WaitGroup
	var written atomic.Int64
	for range 8 {
		all.Go(func() {
			earlier, err := st.AddCardOrder(t.Context(), order)
			if err != nil {
				t.Error(err)
			} else if earlier == nil {
				written.Add(1)
			}
		})
	}
	all.Wait()
	if written.Load() != 1 {
		t.Errorf("written %d times", written.Load())
	}
	made := flow.SavedCard{
		ID: "sc_1", Merchant: "shop", Account: "acc", Customer: "c-1", GatewayID: "g", Card: card.Masked{Brand: "visa", First6: "400001", Last4: "0720"},
		Expiry: "12/30", Name: "n", CreatedAt: noon,
	}
	must(t, st.FillCardOrder(t.Context(), order, &made))
	want := order
	want.Card = made.ID
	earlier, err := st.AddCardOrder(t.Context(), flow.CardOrder{Merchant: "another", Account: "acc", Reference: "one", Kind: flow.Registered})
	must(t, err)
	if diff := cmp.Diff(&want, earlier); diff != "" {
		t.Error(diff)
	}
	kept, err := st.SavedCard(t.Context(), "shop", made.ID)
	must(t, err)
	if diff := cmp.Diff(made, kept); diff != "" {
		t.Error(diff)
	}
}

func cardOrderDropped(t *testing.T, st Store) {
	taken := func() bool {
		t.Helper()
		earlier, err := st.AddCardOrder(t.Context(), order)
		must(t, err)
		return earlier != nil
	}
	taken()
	must(t, st.DropCardOrder(t.Context(), order))
	if taken() {
		t.Error("forgotten, and still there")
	}
	must(t, st.FillCardOrder(t.Context(), order, &flow.SavedCard{ID: "sc_1", Merchant: "shop", Account: "acc", Customer: "c-1", GatewayID: "g", CreatedAt: noon}))
	must(t, st.DropCardOrder(t.Context(), order))
	if !taken() {
		t.Error("an order with a card was forgotten")
	}
}

func customerMet(t *testing.T, st Store) {
	must(t, st.SaveCredential(t.Context(), "shop", "acc", "c-1", "sealed", noon, noon))
	must(t, st.SaveCredential(t.Context(), "shop", "acc", "c-1", "newer", noon, noon))
	for _, c := range []struct {
		merchant, account, customer string
		want                        bool
	}{{"shop", "acc", "c-1", true}, {"another", "acc", "c-1", false}, {"shop", "acc-2", "c-1", false}, {"shop", "acc", "c-2", false}} {
		got, err := st.Met(t.Context(), c.merchant, c.account, c.customer)
		must(t, err)
		if got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
