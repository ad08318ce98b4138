package invoice

import (
	"strings"
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/money"
	"tollgate/providers"
)

func TestAnOpenInvoiceIsAskedAboutUntilItEndsOrAPersonIsCalled(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	in := Invoice{ID: "inv_1", Reference: "one", Status: Open, NewsAt: now}
	asked, last, told := 0, now, 0
	for at := now; ; {
		c := in.schedule(Change{}, at)
		told += len(c.Events)
		if c.Inquire.IsZero() {
			break
		}
		if gap := c.Inquire.Sub(at); gap > 12*time.Hour || gap <= 0 {
			t.Fatalf("after %s it is asked in %s", at.Sub(now), gap)
		}
		at, last = c.Inquire, c.Inquire
		if asked++; asked > 2000 {
			t.Fatal("it is asked without an end")
		}
	}
	if last.Sub(now) < 59*24*time.Hour || told != 1 || !in.NeedsReview {
		t.Errorf("the last inquiry is after %s, %d told, review %t", last.Sub(now), told, in.NeedsReview)
	}
	if c := in.schedule(Change{}, last.Add(time.Hour)); len(c.Events) != 0 {
		t.Error("a person is called twice")
	}
}

func TestAnInvoiceThatHasEndedIsLookedAtTwiceMoreAndAPaidOneNever(t *testing.T) {
	for status, want := range map[Status]int{Closed: 2, Failed: 2, Paid: 0} {
		since, looks := time.Duration(0), 0
		for {
			wait, more := nextInquiry(status, since)
			if !more {
				break
			}
			since += wait
			if looks++; looks > 9 {
				t.Fatal("without an end")
			}
		}
		if looks != want {
			t.Errorf("%s: looked at %d times, want %d", status, looks, want)
		}
	}
}

func TestWhichEventsAnInvoiceTells(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	acc := account.Open(account.Settings{})
	amount := money.Amount{Minor: 700, Currency: money.Currency{Code: "EUR", Numeric: "978", Digits: 2}}
	in := Invoice{ID: "inv_1", Reference: "tag.one", RefTag: "tag.", Amount: amount, Metadata: map[string]string{"lesson": "7"}}
	in.reserve(acc, now)
	for _, c := range []struct {
		said providers.Outcome
		url  string
		want string
	}{
		{providers.Waiting, "https://bills.example/1", CreatedEvent},
		{providers.Waiting, "https://bills.example/1", ""},
		{providers.Closed, "", ExpiredEvent},
		{providers.Closed, "", ""},
		{providers.Waiting, "https://bills.example/2", RenewedEvent},
		{providers.Waiting, "https://bills.example/3", RenewedEvent},
		{providers.Voided, "", CancelledEvent},
		{providers.Unclear, "", UnknownEvent},
		{providers.Paid, "", PaidEvent},
	} {
		before := in
		in.apply(providers.Invoice{Status: c.said, Amount: amount, URL: c.url, GatewayID: "g"}, now)
		change := in.changed(before, c.said, now)
		got := ""
		for _, e := range change.Events {
			got += e.Type
			if data := string(e.Data); !strings.Contains(data, `"reference":"one"`) || !strings.Contains(data, `"lesson":"7"`) ||
				!strings.Contains(data, `"invoice_status":"`+string(in.Status)+`"`) {
				t.Error(data)
			}
		}
		if got != c.want || change.Inquire.IsZero() != (in.Status == Paid) {
			t.Errorf("%s %s: told %q, want %q; asked again %s", c.said, c.url, got, c.want, change.Inquire)
		}
	}
}

func TestTheNumberOfATryIsTakenOffAReference(t *testing.T) {
	for reference, want := range map[string]string{"one-2": "one", "a-1-12": "a-1", "one": "", "one-1": "", "one-x": "", "-2": "", "": ""} {
		if got := WithoutTry(reference); got != want {
			t.Errorf("%q: %q, want %q", reference, got, want)
		}
	}
}
