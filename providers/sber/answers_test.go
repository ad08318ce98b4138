package sber_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/threeds"
)

func TestStartWithoutABankGoesOnByItself(t *testing.T) {
	g := open(t, &canned{answer: fixture(t, "vendor/payment_start_ssl.json")})
	s, err := g.Pay(t.Context(), payment(t, "1000003"), bySaved(binding), threeds.BrowserData{})
	if err != nil || s.Kind != providers.Method || len(s.Forms) != 0 || s.Info != "" || s.Ref.OrderID != mdOrder || s.Ref.Reference != "1000003" {
		t.Fatalf("%+v %v", s, err)
	}
}

func TestStartWithABankShowsInfoAndThePaReqGoesUntouched(t *testing.T) {
	g := open(t, &canned{answer: fixture(t, "vendor/payment_start_3ds1.json")})
	s, err := g.Pay(t.Context(), payment(t, "7654321DS"), byCard(t, "4111111111111111"), threeds.BrowserData{})
	want := threeds.Form{Action: "https://acs.example/acs/auth/start.do", Fields: []threeds.Field{
		{Name: "PaReq", Value: "eJxVUtFu4jAQ/BWU92DHcSCpFle946ryAEd7FKl9OZl4"}, {Name: "TermUrl", Value: "https://pay.example/3ds/token/return"}, {Name: "MD", Value: mdOrder}}}
	if err != nil || s.Kind != providers.PayerPage || s.Info != "Your order is proceeded, redirecting..." || len(s.Forms) != 1 || fmt.Sprint(s.Forms[0]) != fmt.Sprint(want) {
		t.Fatalf("%+v %v", s, err)
	}
	// A started order that waits is asked for again in the same words: only the inquiry's Ref is needed.
	p := payment(t, "7654321DS")
	p.Ref = s.Ref
	created := `{"mdOrder":"` + mdOrder + `","mdOrderStatus":"CREATED","transactionNumber":"7654321DS","amount":{"transactionAmount":6100,"transactionFee":100,"currency":"643"},"status":"SUCCESS"}`
	st, err := open(t, &canned{answer: created}).Status(t.Context(), p)
	if err != nil || st.Outcome != providers.Waiting || st.Next == nil || fmt.Sprint(*st.Next) != fmt.Sprint(s) {
		t.Errorf("%+v %v", st, err)
	}
}

func TestAStartThatCannotBeReadIsNoStep(t *testing.T) {
	for what, answer := range map[string]string{
		"no mdOrder":                `{"transactionNumber":"1000003","requestId":"1","status":"SUCCESS"}`,
		"another transaction":       strings.Replace(sslStarted, `"1000003"`, `"1000004"`, 1),
		"redirectUrl without paReq": `{"mdOrder":"` + mdOrder + `","redirectUrl":"https://acs.example/","status":"SUCCESS"}`,
		"paReq without redirectUrl": `{"mdOrder":"` + mdOrder + `","paReq":"eJx","status":"SUCCESS"}`,
		"javascript":                `{"mdOrder":"` + mdOrder + `","redirectUrl":"javascript:alert(1)","paReq":"eJx","status":"SUCCESS"}`,
		"plain http":                `{"mdOrder":"` + mdOrder + `","redirectUrl":"http://acs.example/","paReq":"eJx","status":"SUCCESS"}`,
		"no status":                 `{"mdOrder":"` + mdOrder + `"}`,
		"an error beside SUCCESS":   `{"mdOrder":"` + mdOrder + `","status":"SUCCESS","errorCode":"7"}`,
		"a name twice":              `{"mdOrder":"` + mdOrder + `","mdOrder":"` + mdOrder + `","status":"SUCCESS"}`,
		"two objects":               sslStarted + sslStarted,
		"an array":                  `[` + sslStarted + `]`,
	} {
		s, err := open(t, &canned{answer: answer}).Pay(t.Context(), payment(t, "1000003"), bySaved(binding), threeds.BrowserData{})
		var failure *providers.Failure
		if !errors.As(err, &failure) || s.Kind != "" {
			t.Errorf("%s: %+v %v", what, s, err)
		}
	}
	s, err := open(t, &canned{status: 201, answer: sslStarted}).Pay(t.Context(), payment(t, "1000003"), bySaved(binding), threeds.BrowserData{})
	if err == nil {
		t.Errorf("HTTP 201: %+v", s)
	}
}

// The documents disagree about what finish answers; none of it is an outcome.
func TestFinishIsOverInEveryShape(t *testing.T) {
	for _, answer := range []string{
		fixture(t, "vendor/payment_finish_ok_seed.json"), fixture(t, "vendor/transfer_finish_ok_empty.json"),
		`{"transactionNumber":"1000003","requestId":"1","status":"SUCCESS"}`, sslStarted,
	} {
		s, err := open(t, &canned{answer: answer}).Resume(t.Context(), started(t, "1000003"), providers.Answer{Kind: providers.MethodDone})
		if err != nil || s.Kind != providers.Finished || s.Ref.OrderID != mdOrder {
			t.Errorf("%s: %+v %v", answer, s, err)
		}
	}
}

func TestFinishIsSentForItsOwnAnswerOnly(t *testing.T) {
	tds := started(t, "1000003")
	tds.Ref = tds.Ref.With("pareq", "eJx").With("acs", "https://acs.example/")
	for what, c := range map[string]struct {
		p providers.Payment
		a providers.Answer
	}{
		"back from the bank without a PaRes": {tds, providers.Answer{Kind: providers.Returned, Fields: map[string]string{"x": "y"}}},
		"an empty PaRes":                     {tds, providers.Answer{Kind: providers.PayerAuth}},
		"a CRes":                             {tds, providers.Answer{Kind: providers.Challenged, CRes: "eyJ"}},
		"a Method while a PaRes is due":      {tds, providers.Answer{Kind: providers.MethodDone}},
		"a PaRes where none is due":          {started(t, "1000003"), providers.Answer{Kind: providers.PayerAuth, PaRes: "eJx"}},
	} {
		net := &canned{answer: handled}
		s, err := open(t, net).Resume(t.Context(), c.p, c.a)
		if err != nil || s.Kind != providers.Wait || len(net.sent) != 0 {
			t.Errorf("%s: %+v %v, %d requests", what, s, err, len(net.sent))
		}
	}
	net := &canned{answer: handled}
	if s, err := open(t, net).Resume(t.Context(), payment(t, "1000003"), providers.Answer{Kind: providers.MethodDone}); err == nil || len(net.sent) != 0 {
		t.Errorf("an order that was not started: %+v", s)
	}
}

func found(status string) string {
	return `{"mdOrder":"` + mdOrder + `","mdOrderStatus":"` + status + `","transactionNumber":"1000003","transactionType":"PURCHASE","amount":{"transactionAmount":"6100","transactionFee":"100","currency":"643"},"requestId":"1","status":"SUCCESS"}`
}

func TestWhatAStatusMeans(t *testing.T) {
	for word, want := range map[string]providers.Outcome{
		"CREATED": providers.Waiting, "DEPOSITED": providers.Paid, "DECLINED": providers.Refused, "REVERSED": providers.Voided, "REFUNDED": providers.Paid,
		"APPROVED": providers.Processing, "IN_PROGRESS": providers.Processing, "deposited": providers.Processing, "": providers.Unclear,
	} {
		s, err := open(t, &canned{answer: found(word)}).Status(t.Context(), started(t, "1000003"))
		if err != nil || s.Outcome != want || s.Reference != "1000003" || s.Amount != amountOf(t, 6100, "RUB") || s.Ref.OrderID != mdOrder {
			t.Errorf("%q: %+v %v", word, s, err)
		}
		held, captured, refunded := int64(0), int64(0), int64(0)
		if want == providers.Paid {
			held, captured = 6100, 6100
		}
		if word == "REFUNDED" {
			refunded = 6100
		}
		if s.Held != held || s.Captured != captured || s.Refunded != refunded || (s.Decline != nil) != (want == providers.Refused) {
			t.Errorf("%q: %+v", word, s)
		}
	}
}

// Only our own finish moves money, and it is sent only after a start whose answer was stored. A database that is older than
// the truth may have forgotten that answer, so money is not denied: it is not proved to be ours, and a person has to look.
func TestAnOrderWhoseStartGotNoAnswerIsOver(t *testing.T) {
	for word, want := range map[string]providers.Outcome{
		"CREATED": providers.Closed, "DECLINED": providers.Refused,
		"DEPOSITED": providers.Paid, "REVERSED": providers.Unclear, "REFUNDED": providers.Unclear,
		"APPROVED": providers.Processing,
	} {
		s, err := open(t, &canned{answer: found(word)}).Status(t.Context(), payment(t, "1000003"))
		if err != nil || s.Outcome != want || s.Next != nil || s.Unproven != (s.Captured != 0) || s.Unproven != (want == providers.Paid) {
			t.Errorf("%s: %+v %v", word, s, err)
		}
	}
}

// Where the database may have forgotten the start's answer, it may have forgotten the finish too: it may be on its way, until it has
// arrived or never will.
func TestAnOrderWhoseFinishMayBeForgottenIsNotOver(t *testing.T) {
	p := payment(t, "1000003")
	p.Forgotten = &providers.Forgotten{}
	for word, want := range map[string]providers.Outcome{
		"CREATED": providers.Waiting, "DECLINED": providers.Refused, "DEPOSITED": providers.Paid,
	} {
		s, err := open(t, &canned{answer: found(word)}).Status(t.Context(), p)
		if err != nil || s.Outcome != want || s.Next != nil || s.Unproven != (want != providers.Refused) {
			t.Errorf("%s: %+v %v", word, s, err)
		}
	}
	p.Forgotten.Arrived = true
	if s, err := open(t, &canned{answer: found("CREATED")}).Status(t.Context(), p); err != nil || s.Outcome != providers.Closed || s.Unproven {
		t.Errorf("long after every call: %+v %v", s, err)
	}
}

func TestBothShapesOfTheInquiryAreRead(t *testing.T) {
	flat := started(t, "7654321DS")
	s, err := open(t, &canned{answer: fixture(t, "constructed/find_flat_seed_shape.json")}).Status(t.Context(), flat)
	if err != nil || s.Outcome != providers.Paid || s.Card != (card.Masked{Brand: "visa", First6: "411111", Last4: "1199"}) || s.Captured != 6100 {
		t.Errorf("flat: %+v %v", s, err)
	}
	nested := started(t, "1000004")
	net := &canned{answer: fixture(t, "vendor/transactions_find_transfer_deposited.json")}
	s, err = open(t, net).Status(t.Context(), nested)
	if err != nil || s.Outcome != providers.Paid || s.Card != (card.Masked{Brand: "visa", First6: "411111", Last4: "1199"}) || s.Amount != nested.Amount {
		t.Errorf("nested: %+v %v", s, err)
	}
	c, err := open(t, net).(providers.CardKeeper).Remember(t.Context(), nested, s)
	if err != nil || c.ID != binding || c.Card != s.Card || !c.Active {
		t.Errorf("%+v %v", c, err)
	}
	if c, err := open(t, net).(providers.CardKeeper).Remember(t.Context(), started(t, "1000005"), s); err == nil {
		t.Errorf("another payment's card: %+v", c)
	}
}

func TestAnotherOrderAmountCurrencyOrFeeIsReported(t *testing.T) {
	ours := amountOf(t, 6100, "RUB")
	for what, c := range map[string]struct{ from, to string }{
		"amount":           {`"6100"`, `"6101"`},
		"fee":              {`"100"`, `"101"`},
		"no fee":           {`"100"`, `"0"`},
		"currency":         {`"643"`, `"840"`},
		"unknown currency": {`"643"`, `"000"`},
	} {
		s, err := open(t, &canned{answer: strings.Replace(found("DEPOSITED"), c.from, c.to, 1)}).Status(t.Context(), started(t, "1000003"))
		if err != nil || s.Amount == ours {
			t.Errorf("%s: %+v %v", what, s, err)
		}
	}
	s, err := open(t, &canned{answer: strings.Replace(found("CREATED"), mdOrder, "00000000-0000-4000-8000-000000000000", 1)}).Status(t.Context(), started(t, "1000003"))
	if err != nil || s.Ref.OrderID == mdOrder || s.Next != nil {
		t.Errorf("order: %+v %v", s, err)
	}
}

func TestAMissingMemberProvesNothing(t *testing.T) {
	whole := found("DEPOSITED")
	for _, part := range []string{`"mdOrder":"` + mdOrder + `",`, `"transactionNumber":"1000003",`, `"transactionAmount":"6100",`, `,"currency":"643"`} {
		answer := strings.Replace(whole, part, "", 1)
		if answer == whole {
			t.Fatal(part)
		}
		if s, err := open(t, &canned{answer: answer}).Status(t.Context(), started(t, "1000003")); err != nil || s.Outcome != providers.Unclear {
			t.Errorf("without %s: %+v %v", part, s, err)
		}
	}
	for _, bad := range []string{`"-6100"`, `"61.00"`, `"99999999999999999999"`, `{}`, `true`} {
		if s, err := open(t, &canned{answer: strings.Replace(whole, `"6100"`, bad, 1)}).Status(t.Context(), started(t, "1000003")); err == nil {
			t.Errorf("amount %s: %+v", bad, s)
		}
	}
}

func TestNotFoundIsAnAnswerWithoutAnOrderOrTheCodeForIt(t *testing.T) {
	unknown := `{"requestId":"1","status":"ERROR","errorCode":"6","errorMessage":"Order not found"}`
	for _, answer := range []string{handled, unknown} {
		if s, err := open(t, &canned{answer: answer}).Status(t.Context(), payment(t, "1000003")); err != nil || s.Outcome != providers.NotFound {
			t.Errorf("%s: %+v %v", answer, s, err)
		}
		// Of an order that the gateway gave us that is not believable.
		if s, err := open(t, &canned{answer: answer}).Status(t.Context(), started(t, "1000003")); err == nil && s.Outcome != providers.Unclear {
			t.Errorf("%s: %+v", answer, s)
		}
	}
	for _, answer := range []string{`{}`, ``, `{"status":"ERROR","errorCode":"5"}`, `<html></html>`} {
		if s, err := open(t, &canned{answer: answer}).Status(t.Context(), payment(t, "1000003")); err == nil {
			t.Errorf("%q: %+v", answer, s)
		}
	}
}

func TestARefusalIsAFailureAndAnExpiredTokenIsReported(t *testing.T) {
	body := fixture(t, "constructed/constructed_error.json")
	_, err := open(t, &canned{answer: body}).Status(t.Context(), started(t, "1000003"))
	var f *providers.Failure
	if !errors.As(err, &f) || f.Code != "5" || f.Text != "Access denied" || !errors.Is(err, providers.ErrCredential) {
		t.Errorf("%v", err)
	}
	_, _, err = open(t, &canned{answer: body}).(providers.Historian).History(t.Context(), providers.HistoryQuery{From: now(), To: now(), Owner: owner()})
	if !errors.Is(err, providers.ErrCredential) {
		t.Errorf("the customer's list: %v", err)
	}
	if _, err = open(t, &canned{status: 401, answer: body}).Status(t.Context(), started(t, "1000003")); !errors.Is(err, providers.ErrCredential) {
		t.Errorf("401: %v", err)
	}
	// A page of somebody's in between is no word of the gateway about the token.
	for status, answer := range map[int]string{401: "<html>401</html>", 403: body, 500: body} {
		if _, err = open(t, &canned{status: status, answer: answer}).Status(t.Context(), started(t, "1000003")); err == nil || errors.Is(err, providers.ErrCredential) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestTheLoginReadsTheVendorsAnswers(t *testing.T) {
	login := func(answer string) providers.Login { return open(t, &canned{answer: answer}).(providers.Login) }
	if id, err := login(fixture(t, "vendor/clients_find_ok.json")).FindCustomer(t.Context(), "9171131231"); err != nil || id != customer {
		t.Errorf("%s %v", id, err)
	}
	for _, nobody := range []string{handled, `{"client":null,"status":"SUCCESS"}`, `{"requestId":"1","status":"NOT_FOUND"}`} {
		if _, err := login(nobody).FindCustomer(t.Context(), "9171131231"); !errors.Is(err, providers.ErrNoCustomer) {
			t.Errorf("%s: %v", nobody, err)
		}
	}
	for _, broken := range []string{`{}`, `{"client":{},"status":"SUCCESS"}`, `{"status":"ERROR","errorCode":"7"}`, `{"client":{"uuid":"../x"},"status":"SUCCESS"}`} {
		if _, err := login(broken).FindCustomer(t.Context(), "9171131231"); err == nil || errors.Is(err, providers.ErrNoCustomer) {
			t.Errorf("%s: %v", broken, err)
		}
	}
	if challenge, err := login(fixture(t, "vendor/auth_otp_ok.json")).SendCode(t.Context(), customer); err != nil || challenge != "i1WsRn1uB1ehfbb37" {
		t.Errorf("%s %v", challenge, err)
	}
	c, err := login(fixture(t, "vendor/auth_token_ok.json")).Exchange(t.Context(), "i1WsRn1uB1ehfbb37", "111111")
	if err != nil || c.Token.Reveal() != "410012345678901.0123456789ABCDEF0123456789ABCDEF" || !c.ExpiresAt.Equal(now().Add(30*24*time.Hour)) {
		t.Errorf("%+v %v", c, err)
	}
	if _, err := login(`{"status":"ERROR","errorCode":"5"}`).Exchange(t.Context(), "x", "000000"); !errors.Is(err, providers.ErrWrongCode) {
		t.Errorf("%v", err)
	}
	for _, broken := range []string{handled, `{"status":"ERROR","errorCode":"7"}`, `{"accessToken":"a\nb","status":"SUCCESS"}`, ``} {
		if _, err := login(broken).Exchange(t.Context(), "x", "111111"); err == nil || errors.Is(err, providers.ErrWrongCode) {
			t.Errorf("%s: %v", broken, err)
		}
	}
	if life := login("").CodeLife(); life != time.Minute {
		t.Error(life)
	}
}

func TestPhonesGoWithoutTheCountrysDigit(t *testing.T) {
	for phone, want := range map[string]string{"79171131231": "9171131231", "89171131231": "9171131231", "9171131231": "9171131231", "447700900123": "447700900123"} {
		net := &canned{answer: handled}
		_, _ = open(t, net).(providers.Login).FindCustomer(t.Context(), phone)
		if net.bodies[0] != `{"phone":"`+want+`"}` {
			t.Errorf("%s: %s", phone, net.bodies[0])
		}
	}
}

func TestCardsAndListsReadTheVendorsAnswers(t *testing.T) {
	c, err := open(t, &canned{answer: fixture(t, "constructed/vcard_create_ok_seed_fields.json")}).(providers.VirtualCardIssuer).IssueVirtualCard(t.Context(), owner(), "1000007")
	if err != nil || c.ID != binding || c.Card != (card.Masked{Brand: "visa", First6: "411111", Last4: "1199"}) || !c.Active {
		t.Errorf("%+v %v", c, err)
	}
	if c.Kind != "CARD" || c.System != "VISA" || !c.IssuedAt.Equal(time.Date(2017, 9, 7, 14, 43, 57, 768e6, time.UTC)) || c.Info != "" {
		t.Errorf("of the binding is told %+v", c)
	}
	net := &canned{answer: `{"requestId":"r-1","status":"SUCCESS","transactionNumber":"1","binding":{"uuid":"` + binding + `"},
		"card":{"maskedPan":"4111111199","extendedInfo":{"design":"blue","pan":"4111111111111111","limit":"5"}}}`}
	if c, err = open(t, net).(providers.VirtualCardIssuer).IssueVirtualCard(t.Context(), owner(), "1"); err != nil || c.Info != `{"design":"blue","limit":"5"}` {
		t.Errorf("%+v %v", c, err)
	}
	query := providers.HistoryQuery{From: now().AddDate(0, -1, 0), To: now(), Owner: owner()}
	list, _, err := open(t, &canned{answer: fixture(t, "vendor/transactions_ok.json")}).(providers.Historian).History(t.Context(), query)
	want := providers.HistoryLine{Reference: "7654321DS", OrderID: mdOrder, At: time.Date(2017, 9, 7, 14, 43, 57, 768e6, time.UTC), Kind: "payment", Outcome: providers.Unclear, Amount: amountOf(t, 6100, "RUB")}
	want.Authorization = providers.Authorization{At: want.At, Kind: "PURCHASE", Way: "Apple Pay"}
	want.Partner = providers.Partner{Login: "merchant", Info: "Shop"}
	if err != nil || len(list) != 1 || list[0] != want {
		t.Errorf("%+v %v", list, err)
	}
	list, _, err = open(t, &canned{answer: fixture(t, "vendor/transactions_empty.json")}).(providers.Historian).History(t.Context(), query)
	if err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
	for _, kinds := range []string{"payments", "payment,", ",", "payment,x"} {
		query.Kinds = kinds
		if _, _, err := open(t, &canned{}).(providers.Historian).History(t.Context(), query); err == nil {
			t.Errorf("kinds %q pass", kinds)
		}
	}
	net = &canned{answer: fixture(t, "vendor/transactions_empty.json")}
	query.Kinds, query.Everywhere = "vcard,change", true
	if _, _, err := open(t, net).(providers.Historian).History(t.Context(), query); err != nil || !strings.Contains(net.bodies[0], `"responseType":"vcard,change","local":false`) {
		t.Errorf("%v %v", err, net.bodies)
	}
	query.Kinds, query.Everywhere = "", false
	query.Status = "DEPOSITED"
	if _, _, err := open(t, &canned{}).(providers.Historian).History(t.Context(), query); err == nil {
		t.Error("a filter that the gateway does not have was taken")
	}
}
