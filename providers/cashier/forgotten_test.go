package cashier_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/cashier"
)

// longList is a gateway with so many orders; it refuses the pages after some of them until it is told not to.
type longList struct {
	orders int
	upTo   int
	pages  int
}

func (l *longList) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := func(body string) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	if !strings.HasSuffix(r.URL.Path, "/orders") {
		return answer(loginAnswer)
	}
	l.pages++
	at, err := strconv.Atoi(r.URL.Query().Get("offset"))
	if err != nil {
		return nil, err
	}
	if l.upTo > 0 && at >= l.upTo {
		return nil, io.ErrUnexpectedEOF
	}
	var all []string
	for i := at; i < min(at+100, l.orders); i++ {
		all = append(all, fmt.Sprintf(`{"id":"%d","merchantOrderId":"o-%d-1","status":"CHARGED","paymentAmount":5000,"paymentCurrency":"RUB","orderCurrency":"RUB"}`, i+1, i))
	}
	return answer(`{"success":true,"orders":[` + strings.Join(all, ",") + `]}`)
}

// After a restore from a copy of unknown age any order may be forgotten. A list that is too long to be read for each payment is read
// once, going on where a question before had to stop.
func TestAListOfManyOrdersIsReadOnceForAllThatMayBeForgotten(t *testing.T) {
	l := &longList{orders: 30_050, upTo: 20_000}
	c := config()
	p, err := c.Open(providers.Env{HTTP: &http.Client{Transport: l}, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(reference string) (providers.Standing, error) {
		return p.(*cashier.Provider).Status(t.Context(), providers.Payment{
			Ref: providers.Ref{Reference: reference}, Amount: money.Amount{Minor: 5000, Currency: currency(t, "RUB")}, Forgotten: &providers.Forgotten{Until: noon},
		})
	}
	if st, err := ask("o-30049-1"); err == nil {
		t.Errorf("before the list was read: %+v", st)
	}
	l.upTo = 0
	before := l.pages
	if st, err := ask("o-30049-1"); err != nil || st.Outcome != providers.Paid || st.Ref.OrderID != "30050" {
		t.Errorf("the last of the list: %+v %v", st, err)
	}
	if read := l.pages - before; read > 110 {
		t.Errorf("%d pages for what was left of the list", read)
	}
	for reference, want := range map[string]providers.Outcome{"o-12345-1": providers.Paid, "other-1": providers.NotFound} {
		before := l.pages
		if st, err := ask(reference); err != nil || st.Outcome != want || l.pages-before > 6 {
			t.Errorf("%s: %+v %v after %d pages", reference, st, err, l.pages-before)
		}
	}
}
