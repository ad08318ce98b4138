package rbs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tollgate/providers"
)

func TestTheListOfOrdersIsReadByPagesWithItsSums(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	one := func(number string, status int, deposited, refunded int64) string {
		return fmt.Sprintf(`{"errorCode":"0","orderNumber":%q,"orderStatus":%d,"actionCode":0,"amount":1000,"currency":"398","date":%d,
			"attributes":[{"name":"mdOrder","value":"md-%s"}],
			"paymentAmountInfo":{"approvedAmount":1000,"depositedAmount":%d,"refundedAmount":%d}}`, number, status, at.UnixMilli(), number, deposited, refunded)
	}
	list := func(lines ...string) string {
		return `{"errorCode":"0","orderStatuses":[` + strings.Join(lines, ",") + `],"totalCount":3,"page":0,"pageSize":100}`
	}
	f := newFake(t).on("getLastOrdersForMerchants.do", list(one("a-1", 2, 1000, 0), one("b-1", 4, 600, 400), one("c-1", 1, 0, 0)))
	got, _, err := f.open().(providers.Historian).History(t.Context(), providers.HistoryQuery{From: at.Add(-time.Hour), To: at.Add(time.Hour), Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].Outcome != providers.Paid || got[0].OrderID != "md-a-1" || got[0].Amount.Currency.Code != "KZT" ||
		got[1].Refunded != 400 || got[1].Captured != 1000 || !got[1].Stated || got[2].Outcome != providers.Authorized || !got[0].At.Equal(at) {
		t.Errorf("%+v", got)
	}
	if got, _, err = f.open().(providers.Historian).History(t.Context(), providers.HistoryQuery{From: at.Add(time.Hour), To: at.Add(2 * time.Hour)}); err != nil || len(got) != 0 {
		t.Errorf("lines of another time: %v %v", got, err)
	}
	for _, bad := range []string{`{}`, `[]`, `{"errorCode":"5","errorMessage":"Access denied"}`, `<html>login</html>`} {
		f := newFake(t).on("getLastOrdersForMerchants.do", bad)
		if got, _, err := f.open().(providers.Historian).History(t.Context(), providers.HistoryQuery{From: at, To: at}); err == nil {
			t.Errorf("%s is read as %v", bad, got)
		}
	}
}

// Each part costs one request, however far down the list it is; what a part has no room for begins the next.
func TestTheListIsReadOnceFromBeginningToEnd(t *testing.T) {
	at := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	page := func(n, count int) string {
		var lines []string
		for i := range count {
			when := at
			if i%2 == 1 { // of another time than asked
				when = at.Add(-10 * time.Hour)
			}
			lines = append(lines, fmt.Sprintf(`{"errorCode":"0","orderNumber":"o-%d-%d","orderStatus":2,"actionCode":0,"amount":1000,"currency":"398","date":%d,
				"attributes":[{"name":"mdOrder","value":"md"}],"paymentAmountInfo":{"approvedAmount":1000,"depositedAmount":1000,"refundedAmount":0}}`, n, i, when.UnixMilli()))
		}
		return `{"errorCode":"0","orderStatuses":[` + strings.Join(lines, ",") + `],"totalCount":250,"page":0,"pageSize":100}`
	}
	q := providers.HistoryQuery{From: at.Add(-time.Hour), To: at.Add(time.Hour), Limit: 30}
	read, calls := map[string]bool{}, 0
	for {
		which := 0
		if q.After != "" {
			if _, err := fmt.Sscanf(q.After, "%d.", &which); err != nil {
				t.Fatal(err)
			}
		}
		f := newFake(t).on("getLastOrdersForMerchants.do", page(which, []int{100, 100, 50}[which]))
		lines, next, err := f.open().(providers.Historian).History(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if read[l.Reference] {
				t.Errorf("%s twice", l.Reference)
			}
			read[l.Reference] = true
		}
		calls++
		if q.After = next; next == "" {
			break
		}
	}
	if len(read) != 125 || calls != 5 {
		t.Errorf("%d lines after %d requests", len(read), calls)
	}
}
