package rbs_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/providertest"
	"tollgate/providers/rbs"
	"tollgate/threeds"
)

// told answers one call with a body and every other with an order that nobody tried to pay.
type told struct{ op, body string }

func (g told) RoundTrip(r *http.Request) (*http.Response, error) {
	body := `{"errorCode":"0","orderNumber":"A-17-1","orderStatus":0,"actionCode":-100,"amount":2000,"currency":"978"}`
	if strings.HasSuffix(r.URL.Path, "/"+g.op) {
		body = g.body
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (g told) open(t *testing.T) providers.Provider {
	t.Helper()
	c := &rbs.Config{BaseURL: "https://gate.example/payment/rest/", UserName: "test_user", Password: providers.NewSecret(password)}
	p, err := c.Open(providers.Env{HTTP: &http.Client{Transport: g}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ofAnswer is the payment that an answer speaks of, as far as it names one.
func ofAnswer(t *testing.T, body string) providers.Payment {
	p := registered(t)
	var told struct {
		OrderNumber string `json:"orderNumber"`
		Amount      any    `json:"amount"`
		Currency    string `json:"currency"`
		Attributes  []struct{ Name, Value string }
	}
	if json.Unmarshal([]byte(body), &told) != nil {
		return p
	}
	if told.OrderNumber != "" {
		p.Ref.Reference = told.OrderNumber
	}
	for _, a := range told.Attributes {
		if a.Name == "mdOrder" {
			p.Ref.OrderID = a.Value
		}
	}
	if c, err := money.ParseNumeric(told.Currency); err == nil {
		p.Amount.Currency = c
	}
	if n, ok := told.Amount.(float64); ok {
		p.Amount.Minor = int64(n)
	}
	p.Hold = true // so that a hold is told as one
	return p
}

// The answers that banks and public packages recorded, in the shapes that serializers, proxies and dialects give them.
func TestRecordedAnswersInOtherShapes(t *testing.T) {
	files, err := os.ReadDir("testdata/answers")
	if err != nil || len(files) < 80 {
		t.Fatal(len(files), err)
	}
	read := 0
	for _, f := range files {
		body := answer(t, f.Name())
		p := ofAnswer(t, body)
		methods := map[string]func(providers.Provider) (any, error){}
		isOrder := strings.Contains(strings.ToLower(body), `"orderstatus"`)
		if isOrder || strings.Contains(f.Name(), "rror") || strings.HasPrefix(f.Name(), "rec_") {
			methods["getOrderStatusExtended.do"] = func(g providers.Provider) (any, error) { return g.Status(context.Background(), p) }
		}
		if !isOrder {
			methods["paymentorder.do"] = func(g providers.Provider) (any, error) {
				return g.Pay(context.Background(), p, providers.Instrument{Kind: "card", Card: testCard(t)}, threeds.BrowserData{})
			}
		}
		if strings.Contains(f.Name(), "egister") {
			methods["register.do"] = func(g providers.Provider) (any, error) { return g.Register(context.Background(), payment(t)) }
		}
		for op, do := range methods {
			read++
			providertest.Altered(t, f.Name()+" to "+op, []byte(body), p, func(body []byte) (any, error) {
				return do(told{op, string(body)}.open(t))
			})
		}
	}
	if read < 100 {
		t.Errorf("%d answers", read)
	}
}

// Sums and currencies as banks leave them out, or write them.
func TestAnOrderIsKnownHoweverItsSumsAreWritten(t *testing.T) {
	const order = `"errorCode":"0","orderNumber":"A-17-1","orderStatus":2,"amount":2000`
	for name, c := range map[string]struct {
		body     string
		captured int64
	}{
		"only what was approved":       {`{` + order + `,"currency":"978","paymentAmountInfo":{"approvedAmount":2000}}`, 2000},
		"a blank sum":                  {`{` + order + `,"currency":"978","paymentAmountInfo":{"approvedAmount":2000,"depositedAmount":"","refundedAmount":null}}`, 2000},
		"letters for the currency":     {`{` + order + `,"currency":"EUR"}`, 2000},
		"small letters":                {`{` + order + `,"currency":"eur"}`, 2000},
		"a blank currency":             {`{` + order + `,"currency":""}`, 2000},
		"a blank errorCode":            {`{"errorCode":"","errorMessage":"","orderNumber":"A-17-1","orderStatus":"2","amount":"2000","currency":978}`, 2000},
		"success as a number":          {`{"success":1,"orderNumber":"A-17-1","orderStatus":2,"amount":2000,"currency":"978"}`, 2000},
		"success in capitals":          {`{"success":"TRUE","orderNumber":"A-17-1","orderStatus":2,"amount":2000,"currency":"978"}`, 2000},
		"errorCode zero with a blank":  {`{"errorCode":" 0","orderNumber":"A-17-1","orderStatus":2,"amount":2000,"currency":"978"}`, 2000},
		"sums as text with line feeds": {`{` + order + `,"currency":"978","paymentAmountInfo":{"depositedAmount":"2000\n","refundedAmount":" 0"}}`, 2000},
	} {
		s, err := told{"getOrderStatusExtended.do", c.body}.open(t).Status(t.Context(), registered(t))
		if err != nil || s.Outcome != providers.Paid || s.Captured != c.captured || s.Amount != registered(t).Amount && s.Amount.Currency.Code != "" {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// The Algerian dinar is 012: as a number it has lost its first digit.
func TestACurrencyWhoseNumberBeginsWithNoughtIsKnown(t *testing.T) {
	p := registered(t)
	p.Amount = amount(t, 2000, "DZD")
	for _, currency := range []string{`"012"`, `12`, `"12"`, `"DZD"`} {
		s, err := told{"getOrderStatusExtended.do", `{"errorCode":0,"orderNumber":"A-17-1","orderStatus":2,"amount":2000,"currency":` + currency + `}`}.open(t).
			Status(t.Context(), p)
		if err != nil || s.Outcome != providers.Paid || s.Amount != p.Amount {
			t.Errorf("%s: %+v, %v", currency, s, err)
		}
	}
}
