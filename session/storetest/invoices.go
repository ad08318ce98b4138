package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tollgate/internal/invoice"
	"tollgate/internal/money"
	"tollgate/session"
)

func newInvoice(reference string) *invoice.Invoice {
	return &invoice.Invoice{
		ID: "inv_" + reference, Merchant: "shop", Account: "acc", Reference: reference, Status: invoice.Unknown,
		Amount: money.Amount{Minor: 5000, Currency: money.Currency{Code: "EUR", Numeric: "978", Digits: 2}}, CreatedAt: noon,
	}
}

func add(t *testing.T, st Store, in *invoice.Invoice) *invoice.Invoice {
	t.Helper()
	must(t, st.AddInvoice(t.Context(), in, invoice.Change{}))
	return in
}

func invoiceComesBack(t *testing.T, st Store) {
	want := &invoice.Invoice{}
	fill(t, want)
	want.Customer.IP, want.Version = "", 0 // is not kept; is the store's
	add(t, st, want)
	byID, err := st.Invoice(t.Context(), want.Merchant, want.ID)
	must(t, err)
	byReference, err := st.InvoiceOf(t.Context(), want.Account, want.Reference)
	must(t, err)
	listed, err := st.ListInvoices(t.Context(), invoice.Filter{Merchant: want.Merchant})
	must(t, err)
	for _, got := range append(listed, byID, byReference) {
		if diff := cmp.Diff(*want, got); diff != "" {
			t.Error(diff)
		}
	}
	_, err = st.Invoice(t.Context(), "another", want.ID)
	wantErr(t, err, invoice.ErrNotFound)
	_, err = st.InvoiceOf(t.Context(), want.Account, "never")
	wantErr(t, err, invoice.ErrNotFound)
}

func invoiceOnce(t *testing.T, st Store) {
	add(t, st, newInvoice("one"))
	again := newInvoice("one")
	again.ID, again.Merchant = "inv_again", "another"
	wantErr(t, st.AddInvoice(t.Context(), again, invoice.Change{}), invoice.ErrReference)
	again.Account = "acc-2"
	add(t, st, again)
}

func invoiceSwap(t *testing.T, st Store) {
	mine := add(t, st, newInvoice("one"))
	theirs := *mine
	mine.Status = invoice.Open
	must(t, st.SaveInvoice(t.Context(), mine, invoice.Change{}))
	wantErr(t, st.SaveInvoice(t.Context(), &theirs, invoice.Change{}), invoice.ErrConflict)
	wantErr(t, st.DropInvoice(t.Context(), &theirs), invoice.ErrNotFound)
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
			in.Account, in.Status = "acc-2", invoice.Paid
		}
		add(t, st, in)
	}
	theirs := newInvoice("e")
	theirs.Merchant = "another"
	add(t, st, theirs)
	for want, f := range map[string]invoice.Filter{
		"d c b a": {}, "d c": {Limit: 2}, "b a": {Before: "inv_c"}, "c": {Account: "acc-2"}, "b": {Reference: "b"},
		"d b a": {Status: invoice.Unknown}, "": {Before: "inv_e"},
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

func invoiceTells(t *testing.T, st Store) {
	in := newInvoice("one")
	must(t, st.AddInvoice(t.Context(), in, invoice.Change{Inquire: noon}))
	stale := *in
	paid := invoice.Change{Events: []invoice.Event{{Type: invoice.PaidEvent, At: noon}}, Inquire: noon.Add(time.Hour)}
	in.Status = invoice.Paid
	must(t, st.SaveInvoice(t.Context(), in, paid))
	wantErr(t, st.SaveInvoice(t.Context(), &stale, invoice.Change{Events: paid.Events, Inquire: noon.Add(time.Minute)}), invoice.ErrConflict)
	if told, err := st.Tell(t.Context(), session.AccountEvent{
		Merchant: "shop", Subject: in.ID, Type: invoice.PaidEvent, At: noon,
	}, time.Hour); err != nil || told {
		t.Errorf("the event was not written with the invoice: %v", err)
	}
	for i, after := range []time.Duration{59 * time.Minute, time.Hour} { // the newer job replaced the older
		claimed, err := st.Claim(t.Context(), "w", noon.Add(after), time.Second, 10)
		must(t, err)
		if len(claimed) != i || i == 1 && (claimed[0].Kind != invoice.JobInquire || claimed[0].Key != in.ID) {
			t.Errorf("after %s: %+v", after, claimed)
		}
	}
}
