package sber

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/threeds"
)

func TestMaskedNumbers(t *testing.T) {
	for s, want := range map[string]card.Masked{
		"4111111199":       {Brand: "visa", First6: "411111", Last4: "1199"},
		"411111**1199":     {Brand: "visa", First6: "411111", Last4: "1199"},
		"4111111111111199": {Brand: "visa", First6: "411111", Last4: "1199"},
		"411111199":        {}, "**1199": {}, "": {}, strings.Repeat("4", 33): {},
	} {
		if got := mask(s); got != want {
			t.Errorf("%q: %+v", s, got)
		}
	}
}

// echo answers with what it was sent, dressed as the gateway's refusal.
type echo struct{ status int }

func (e echo) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	said := strings.ReplaceAll(string(body), `"`, `'`) + " " + r.Header.Get("Authorization")
	answer := fmt.Sprintf(`{"status":"ERROR","errorCode":"4","errorMessage":%q}`, said)
	return &http.Response{StatusCode: e.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

// loud fails with a text that quotes the request, as net/http does with an answer that is not HTTP.
type loud struct{}

func (loud) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	return nil, errors.New("malformed HTTP response " + string(body) + r.Header.Get("Authorization"))
}

func TestErrorsHoldNoCardCodeOrToken(t *testing.T) {
	const pan, cvc, otp, token = "4000019900050008", "9074", "735192", "410012345678901.CANARYTOKEN"
	number, err := card.ParseNumber(pan)
	if err != nil {
		t.Fatal(err)
	}
	code, err := card.ParseCode(cvc)
	if err != nil {
		t.Fatal(err)
	}
	rub, err := money.ParseCurrency("RUB")
	if err != nil {
		t.Fatal(err)
	}
	for _, transport := range []http.RoundTripper{echo{200}, echo{400}, echo{401}, echo{500}, loud{}} {
		g, err := (&Config{BaseURL: "https://gateway.example/sbersafe", MerchantLogin: "m"}).Open(providers.Env{HTTP: &http.Client{Transport: transport}, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		c := card.Card{Number: number, Month: 12, Year: 2029, Code: code, Name: "A"}
		p := providers.Payment{Ref: providers.Ref{Reference: "a-1"}, Amount: money.Amount{Minor: 1, Currency: rub}, Credential: providers.NewSecret(token)}
		in := providers.Instrument{Kind: "card", Card: c}
		var said []any
		step, err := g.Pay(t.Context(), p, in, threeds.BrowserData{})
		said = append(said, step, err)
		p.Transfer = &providers.Destination{Card: &c}
		step, err = g.Pay(t.Context(), p, in, threeds.BrowserData{})
		said = append(said, step, err)
		p.Ref.OrderID = "1"
		p.Ref = p.Ref.With(moreFinish, opPaymentFinish)
		step, err = g.Resume(t.Context(), p, providers.Answer{Kind: providers.MethodDone})
		said = append(said, step, err)
		standing, err := g.Status(t.Context(), p)
		said = append(said, standing, err)
		credential, err := g.(providers.Login).Exchange(t.Context(), "CANARYCHALLENGE", otp)
		said = append(said, credential, err)
		_, err = g.(providers.CardKeeper).Cards(t.Context(), providers.Owner{Credential: p.Credential})
		said = append(said, err, g, p)
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		for _, v := range said {
			logger.Info("said", "it", v)
			fmt.Fprintf(&log, "%v %+v %#v\n", v, v, v)
		}
		for _, secret := range []string{pan, cvc, otp, token, "CANARY"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("%T %v: %s is said: %s", transport, transport, secret, log.String())
			}
		}
	}
}

// Whatever a gateway answers: no panic, and money is believed only for our number, amount and currency, once we finished.
func FuzzAnswer(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil || len(files) < 10 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, 200)
	}
	f.Add([]byte(`{"status":"SUCCESS","mdOrder":"m","mdOrderStatus":"DEPOSITED","transactionNumber":"a-1","amount":{"transactionAmount":"6100","transactionFee":9223372036854775807,"currency":"643"}}`), 200)
	rub, err := money.ParseCurrency("RUB")
	if err != nil {
		f.Fatal(err)
	}
	ours := money.Amount{Minor: 6100, Currency: rub}
	f.Fuzz(func(t *testing.T, raw []byte, status int) {
		o, err := readAnswer("find", status, raw, nil)
		if err != nil {
			if o.Members != nil {
				t.Error("an error beside an answer")
			}
			return
		}
		g := &provider{find: FindNested}
		p := providers.Payment{Ref: providers.Ref{Reference: "a-1"}, Amount: ours, Fee: 100}
		for _, started := range []bool{false, true} {
			if started {
				p.Ref.OrderID = "m"
				p.Ref = p.Ref.With(moreFinish, opPaymentFinish)
			}
			st, err := g.standing(p, o)
			if err != nil {
				continue
			}
			if (st.Outcome == providers.Paid || st.Captured != 0) && (st.Unproven == (started && o.Text("transactionType") != "TRANSFER") || st.Reference == "" || st.Amount.Currency.Code == "" || st.Captured != st.Amount.Minor) {
				t.Errorf("%+v", st)
			}
			if st.Outcome == providers.NotFound && (started || len(o.Text("mdOrder")) > 0) {
				t.Errorf("%+v", st)
			}
		}
		sourceParty(o)
		savedCard(o.Child("binding"), o.Child("card"))
		for _, l := range o.List("transactions") {
			_, _ = historyLine(l)
		}
	})
}
