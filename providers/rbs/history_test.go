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
	got, err := f.open().(providers.Historian).History(t.Context(), providers.HistoryQuery{From: at.Add(-time.Hour), To: at.Add(time.Hour), Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].Outcome != providers.Paid || got[0].OrderID != "md-a-1" || got[0].Amount.Currency.Code != "KZT" ||
		got[1].Refunded != 400 || got[1].Captured != 1000 || !got[1].Stated || got[2].Outcome != providers.Authorized || !got[0].At.Equal(at) {
		t.Errorf("%+v", got)
	}
	if got, err = f.open().(providers.Historian).History(t.Context(), providers.HistoryQuery{From: at.Add(time.Hour), To: at.Add(2 * time.Hour)}); err != nil || len(got) != 0 {
		t.Errorf("lines of another time: %v %v", got, err)
	}
	for _, bad := range []string{`{}`, `[]`, `{"errorCode":"5","errorMessage":"Access denied"}`, `<html>login</html>`} {
		f := newFake(t).on("getLastOrdersForMerchants.do", bad)
		if got, err := f.open().(providers.Historian).History(t.Context(), providers.HistoryQuery{From: at, To: at}); err == nil {
			t.Errorf("%s is read as %v", bad, got)
		}
	}
}
