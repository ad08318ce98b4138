package transactworld

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/threeds"
)

// pay lets the gateway answer a payment with a body.
func pay(t testing.TB, status int, body string, change ...func(*Config)) (providers.Step, error) {
	t.Helper()
	p := testProvider(t, &gatewayLine{answer: says(status, body)}, change...)
	return p.Pay(t.Context(), payment(t), providers.Instrument{Kind: "card", Card: parse(t, "4111110000000021", "123", 2030)}, browser())
}

func ask(t testing.TB, p providers.Payment, status int, body string) (providers.Standing, error) {
	t.Helper()
	return testProvider(t, &gatewayLine{answer: says(status, body)}).Status(t.Context(), p)
}

// The answers of the fixtures, each with its meaning. Only the token's, the inquiry's and the notifications are the platform's own;
// the payments are put together from what clients read.
func TestAnswersToAPayment(t *testing.T) {
	mine := func(name, reference string) string { // as an answer to our payment 00001
		return strings.ReplaceAll(fixture(t, name), `"`+reference+`"`, `"00001"`)
	}
	step, err := pay(t, 200, mine("constructed/payment_sync_approved.json", "00003"))
	if err != nil || step.Kind != providers.Finished || step.Ref.OrderID != "54312" || step.Ref.More[keyRegistration] != "kGuadVKOymeTYkuAYoxon2vKUzu88Po1" {
		t.Errorf("success, with a token: %+v %v", step, err)
	}
	step, err = pay(t, 200, mine("constructed/payment_failed.json", "00004"))
	if err != nil || step.Kind != providers.Declined || step.Decline.Code != "10001" || step.Decline.Message != "Declined" || step.Ref.OrderID != "54313" {
		t.Errorf("declined: %+v %v", step, err)
	}
	step, err = pay(t, 200, fixture(t, "constructed/payment_rejected_dash_id.json"))
	if err != nil || step.Kind != providers.Declined || step.Decline.Code != "20007" || step.Ref.OrderID != "" {
		t.Errorf("rejected, no payment: %+v %v", step, err)
	}
	local := strings.ReplaceAll(mine("constructed/payment_3d_redirect_no_method_no_parameters.json", "00002"), "http://127.0.0.1", "https://bank.example")
	step, err = pay(t, 200, local)
	if err != nil || step.Kind != providers.Redirect || step.Link != "https://bank.example/pay?x=1" || step.Ref.OrderID != "54311" || step.Ref.More[keyRedirected] == "" {
		t.Errorf("redirect: %+v %v", step, err)
	}
	for _, name := range []string{"constructed/payment_sync_approved.json", "constructed/payment_failed.json"} {
		if step, err := pay(t, 200, fixture(t, name)); err == nil {
			t.Errorf("%s is of another payment: %+v", name, step)
		}
	}
}

// A token as the documents show it (of a partner, which differs in the role alone).
func TestATokenAnswer(t *testing.T) {
	a, err := decode(200, []byte(fixture(t, "documented/auth_token_partner_TOKEN_SHORTENED.json")))
	if err != nil || a.code() != codeToken || !strings.HasPrefix(a.text("AuthToken"), "eyJ0eXAi") || !tokenText(a.text("AuthToken")) || a.text("LoginName") != "testdoc" {
		t.Errorf("%+v %v", a, err)
	}
}

func TestRedirects(t *testing.T) {
	const head = `{"paymentId":"54289","merchantTransactionId":"00001","transactionStatus":"3D","status":"3D Authstarted","result":{"code":"00100"},"redirect":`
	const params = `"parameters":[{"name":"PaReq","value":"eJx +/=\n"},{"name":"MD","value":""},{"name":"TermUrl","value":"https://gate.example/3ds?a=1&b=2"}]`
	want := []threeds.Field{{Name: "PaReq", Value: "eJx +/=\n"}, {Name: "MD", Value: ""}, {Name: "TermUrl", Value: "https://gate.example/3ds?a=1&b=2"}}
	for name, c := range map[string]struct {
		redirect string
		kind     providers.Kind // "" an error
		link     string
		fields   []threeds.Field
	}{
		"POST with parameters":      {`{"url":"https://acs.example/p","method":"POST",` + params + `}`, providers.PayerPage, "", want},
		"post in small letters":     {`{"url":"https://acs.example/p","method":"post",` + params + `}`, providers.PayerPage, "", want},
		"parameters alone":          {`{"url":"https://acs.example/p",` + params + `}`, providers.PayerPage, "", want},
		"POST without parameters":   {`{"url":"https://acs.example/p","method":"POST"}`, providers.PayerPage, "", []threeds.Field{}},
		"one parameter, no list":    {`{"url":"https://acs.example/p","parameters":{"name":"creq","value":"eyJ"}}`, providers.PayerPage, "", []threeds.Field{{Name: "creq", Value: "eyJ"}}},
		"a url alone":               {`{"url":"https://acs.example/p?x=1"}`, providers.Redirect, "https://acs.example/p?x=1", nil},
		"GET with parameters":       {`{"url":"https://acs.example/p?x=1","method":"GET","parameters":[{"name":"a b","value":"&"}]}`, providers.Redirect, "https://acs.example/p?a+b=%26&x=1", nil},
		"an empty list of them":     {`{"url":"https://acs.example/p","parameters":[]}`, providers.Redirect, "https://acs.example/p", nil},
		"no url":                    {`{"method":"POST",` + params + `}`, "", "", nil},
		"script":                    {`{"url":"javascript:alert(1)"}`, "", "", nil},
		"plain http":                {`{"url":"http://acs.example/p"}`, "", "", nil},
		"another method":            {`{"url":"https://acs.example/p","method":"PUT"}`, "", "", nil},
		"a parameter without name":  {`{"url":"https://acs.example/p","parameters":[{"value":"x"}]}`, "", "", nil},
		"more than anybody has":     {`{"url":"https://acs.example/p","parameters":[` + strings.Repeat(`{"name":"a","value":"b"},`, 64) + `{"name":"a","value":"b"}]}`, "", "", nil},
		"a text, which is no place": {`"https://acs.example/p"`, "", "", nil},
	} {
		step, err := pay(t, 200, head+c.redirect+"}")
		if c.kind == "" {
			if err == nil {
				t.Errorf("%s: %+v", name, step)
			}
			continue
		}
		if err != nil || step.Kind != c.kind || step.Link != c.link || c.fields != nil && (step.Forms[0].Action != "https://acs.example/p" || !slices.Equal(step.Forms[0].Fields, c.fields)) {
			t.Errorf("%s: %+v %v", name, step, err)
		}
	}
	xml := `<?xml version="1.0"?><r><paymentId>54289</paymentId><transactionStatus>3D</transactionStatus><result><code>00100</code></result><redirect><url>https://acs.example/p</url>%s</redirect></r>`
	for _, list := range []string{
		`<parameters><name>a</name><value>1</value></parameters><parameters><name>b</name><value>2</value></parameters>`,
		`<parameters><parameter><name>a</name><value>1</value></parameter><parameter><name>b</name><value>2</value></parameter></parameters>`,
	} {
		step, err := pay(t, 200, fmt.Sprintf(xml, list))
		if err != nil || step.Kind != providers.PayerPage || !slices.Equal(step.Forms[0].Fields, []threeds.Field{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}) {
			t.Errorf("%s: %+v %v", list, step, err)
		}
	}
}

// Answers to a payment that must not be read as a decline.
func TestAnAmbiguousAnswerIsNeverADecline(t *testing.T) {
	for name, body := range map[string]string{
		"a duplicate":             `{"paymentId":"54289","transactionStatus":"N","status":"failed","result":{"code":"20003","description":"Duplicate merchantTransactionId"}}`,
		"already there":           `{"paymentId":"-","transactionStatus":"N","result":{"code":"20003","description":"merchantTransactionId already exists"}}`,
		"N with a success code":   `{"paymentId":"54289","transactionStatus":"N","status":"authfailed","result":{"code":"00001"}}`,
		"N with a success status": `{"paymentId":"54289","transactionStatus":"N","status":"capturesuccess","result":{"code":"10001"}}`,
		"failed without N":        `{"paymentId":"54289","status":"failed","result":{"code":"10001"}}`,
		"a bare refusal":          `{"result":{"code":"10001","description":"Transaction failed"}}`,
		"an unknown status":       `{"paymentId":"54289","transactionStatus":"N","status":"reconciled","result":{"code":"10001"}}`,
		"success without an id":   `{"paymentId":"-","transactionStatus":"Y","status":"capturesuccess","result":{"code":"00001"}}`,
		"an id that is a path":    `{"paymentId":"../1","transactionStatus":"Y","status":"capturesuccess","result":{"code":"00001"}}`,
	} {
		if step, err := pay(t, 200, body); err == nil {
			t.Errorf("%s: %+v", name, step)
		}
	}
	if step, err := pay(t, 400, fixture(t, "constructed/payment_rejected_dash_id.json")); err == nil {
		t.Errorf("HTTP 400: %+v", step)
	}
}

func TestDeclineReasons(t *testing.T) {
	for body, want := range map[string]providers.Decline{
		`"result":{"code":"10001","description":"Transaction failed","bankCode":"51","bankDescription":"Insufficient funds"}`: {Reason: providers.InsufficientFunds, Code: "51", Message: "Insufficient funds"},
		`"remark":"Wrong CVV","result":{"code":"10001"}`:                                                                      {Reason: providers.WrongCVC, Code: "10001", Message: "Wrong CVV"},
		`"remark":"3-D Secure authentication failed","result":{"code":"10001"}`:                                               {Reason: providers.AuthenticationFailed, Code: "10001", Message: "3-D Secure authentication failed"},
		`"result":{"code":"10001","description":"Transaction failed"}`:                                                        {Reason: providers.OtherReason, Code: "10001", Message: "Transaction failed"},
		`"remark":"Card 4111 1100 0000 0021 code 123 refused","result":{"code":"10001"}`:                                      {Reason: providers.OtherReason, Code: "10001", Message: "Card … code … refused"},
		`"result":{"code":"10001","bankCode":"54","description":"Transaction failed"}`:                                        {Reason: providers.ExpiredCard, Code: "54", Message: "Transaction failed"},
		`"remark":"Transaction is not permitted","result":{"code":"10001","bankCode":"?"}`:                                    {Reason: providers.CardNotSupported, Code: "10001", Message: "Transaction is not permitted"},
	} {
		step, err := pay(t, 200, `{"paymentId":"1","transactionStatus":"N","status":"authfailed",`+body+`}`)
		if err != nil || step.Decline == nil || *step.Decline != want {
			t.Errorf("%s: %+v %v", body, step.Decline, err)
		}
	}
}

// Every long status of the platform's page, for a payment taken at once and for one that is held.
func TestStatuses(t *testing.T) {
	type row struct {
		status, short string
		db, pa        providers.Outcome
	}
	for _, r := range []row{
		{"begun", "P", providers.Waiting, providers.Waiting},
		{"authstarted", "P", providers.Processing, providers.Processing},
		{"authsuccessful", "Y", providers.Processing, providers.Authorized},
		{"authfailed", "N", providers.Refused, providers.Refused},
		{"authcancelled", "C", providers.Refused, providers.Voided},
		{"cancelstarted", "P", providers.Processing, providers.Authorized},
		{"cancelled", "C", providers.Refused, providers.Voided},
		{"capturestarted", "P", providers.Processing, providers.Authorized},
		{"capturesuccess", "Y", providers.Paid, providers.Paid},
		{"capturefailed", "N", providers.HoldLeft, providers.Authorized},
		{"settled", "Y", providers.Paid, providers.Paid},
		{"markedforreversal", "Y", providers.Paid, providers.Paid},
		{"reversed", "Y", providers.Paid, providers.Paid},
		{"chargeback", "N", providers.Paid, providers.Paid},
		{"failed", "N", providers.Refused, providers.Refused},
		{"payoutstarted", "P", providers.Unclear, providers.Unclear},
		{"payoutsuccessful", "Y", providers.Unclear, providers.Unclear},
		{"payoutfailed", "N", providers.Unclear, providers.Unclear},
		{"3D Authstarted", "3D", providers.Waiting, providers.Waiting},
		{"", "Y", providers.Paid, providers.Authorized},
		{"", "N", providers.Refused, providers.Refused},
		{"", "P", providers.Processing, providers.Processing},
		{"", "3D", providers.Waiting, providers.Waiting},
		{"", "C", providers.Refused, providers.Voided},
		{"CaptureSuccess", "", providers.Paid, providers.Paid},
		{"capturesuccess", "N", providers.Unclear, providers.Unclear},
		{"capturesuccess", "P", providers.Unclear, providers.Unclear},
		{"authfailed", "Y", providers.Unclear, providers.Unclear},
		{"authsuccessful", "3D", providers.Unclear, providers.Unclear},
		{"capturesuccess", "yes", providers.Unclear, providers.Unclear},
		{"somethingnew", "Y", providers.Unclear, providers.Unclear},
	} {
		for _, hold := range []bool{false, true} {
			p := known(payment(t), "54289")
			p.Hold = hold
			s, err := ask(t, p, 200, fmt.Sprintf(`{"paymentId":54289,"merchantTransactionId":"00001","status":%q,"transactionStatus":%q,"amount":50.0,"currency":"EUR","result":{"code":"00026"}}`, r.status, r.short))
			want := r.db
			if hold {
				want = r.pa
			}
			if err != nil || s.Outcome != want || s.Amount != eur(t, 5000) {
				t.Errorf("%q %q hold %v: %+v %v, want %s", r.status, r.short, hold, s, err, want)
			}
		}
	}
	sent := known(payment(t), "54289")
	sent.Ref = sent.Ref.With(keyRedirected, "1")
	if s, err := ask(t, sent, 200, `{"paymentId":"54289","status":"authstarted","transactionStatus":"P","result":{"code":"00026"}}`); err != nil || s.Outcome != providers.Waiting {
		t.Errorf("a payment whose shopper was sent away waits for them: %+v %v", s, err)
	}
	// There is no registration: what the gateway knows was sent, whatever the database has of it.
	sent.Forgotten = &providers.Forgotten{Arrived: true}
	if s, err := ask(t, sent, 200, `{"paymentId":"54289","status":"begun","transactionStatus":"P","result":{"code":"00026"}}`); err != nil || !s.Unproven {
		t.Errorf("a payment that may have been forgotten: %+v %v", s, err)
	}
}

func TestSums(t *testing.T) {
	body := func(status, more string) string {
		return `{"paymentId":"54289","merchantTransactionId":"00001","status":"` + status + `","amount":"50.00","currency":"EUR","result":{"code":"00026"}` + more + `}`
	}
	for name, c := range map[string]struct {
		hold                     bool
		body                     string
		held, captured, refunded int64
	}{
		"taken":                            {false, body("capturesuccess", ""), 0, 5000, 0},
		"held":                             {true, body("authsuccessful", ""), 5000, 0, 0},
		"captured in part":                 {true, body("capturesuccess", `,"captureamount":"30.00"`), 5000, 3000, 0},
		"refunded in part":                 {false, body("reversed", `,"captureAmount":50,"refundAmount":"12.34"`), 0, 5000, 1234},
		"refunded, nobody says how much":   {false, body("reversed", ""), 0, 5000, 5000},
		"a refund that is only asked for":  {false, body("markedforreversal", ""), 0, 5000, 0},
		"no sums at all: ours are assumed": {false, `{"paymentId":"54289","status":"settled","result":{"code":"00026"}}`, 0, 5000, 0},
	} {
		p := known(payment(t), "54289")
		p.Hold = c.hold
		s, err := ask(t, p, 200, c.body)
		if err != nil || s.Held != c.held || s.Captured != c.captured || s.Refunded != c.refunded {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
	for _, bad := range []string{`"amount":"-50.00"`, `"amount":"50.001"`, `"amount":"5e1"`, `"amount":"50,00"`, `"currency":"XXQ"`} {
		if s, err := ask(t, payment(t), 200, `{"paymentId":"1","merchantTransactionId":"00001","status":"settled",`+bad+`,"result":{"code":"00026"}}`); err == nil {
			t.Errorf("%s: %+v", bad, s)
		}
	}
}

func TestAnInquiryThatShowsAnotherPayment(t *testing.T) {
	paid := `{"paymentId":"%s","merchantTransactionId":"%s","status":"settled","transactionStatus":"Y","result":{"code":"00026"}}`
	for name, c := range map[string]struct {
		known, id, reference string
		fine                 bool
	}{
		"ours, by number":           {"", "54289", "00001", true},
		"ours, by id":               {"54289", "54289", "", true},
		"nobody's":                  {"54289", "", "", false},
		"by number, no number back": {"", "54289", "", false},
		"another id":                {"54289", "54290", "00001", false},
		"a dash":                    {"54289", "-", "00001", true},
	} {
		s, err := ask(t, known(payment(t), c.known), 200, fmt.Sprintf(paid, c.id, c.reference))
		if (err == nil) != c.fine || c.fine && s.Outcome != providers.Paid {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
	if s, err := ask(t, known(payment(t), "54289"), 200, fmt.Sprintf(paid, "54289", "00002")); err != nil || s.Outcome != providers.Unclear || s.Reference != "00002" {
		t.Errorf("another number: %+v %v", s, err)
	}
	// A payment that the gateway once knew cannot be unknown to it.
	missing := fixture(t, "documented/inquiry_record_not_found_public_test.json")
	if s, err := ask(t, payment(t), 200, missing); err != nil || s.Outcome != providers.NotFound {
		t.Errorf("%+v %v", s, err)
	}
	if s, err := ask(t, known(payment(t), "54289"), 200, missing); err == nil {
		t.Errorf("%+v", s)
	}
}

// Silence and garbage are errors or unclear; never paid, never declined, never not found.
func TestHostileAnswers(t *testing.T) {
	paid := strings.ReplaceAll(fixture(t, "constructed/payment_sync_approved.json"), "00003", "00001")
	xml := `<?xml version="1.0" encoding="UTF-8"?><r><paymentId>1</paymentId><merchantTransactionId>00001</merchantTransactionId><status>settled</status><transactionStatus>Y</transactionStatus><result><code>00001</code></result></r>`
	if s, err := ask(t, payment(t), 200, xml); err != nil || s.Outcome != providers.Paid {
		t.Fatalf("the good one: %+v %v", s, err)
	}
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"empty": {200, ""}, "spaces": {200, " \r\n"}, "html": {200, "<html><body>paid</body></html>"}, "cut": {200, paid[:len(paid)/2]},
		"cut in the last brace": {200, strings.TrimSuffix(strings.TrimSpace(paid), "}")}, "two objects": {200, paid + paid}, "array": {200, "[" + paid + "]"}, "null": {200, "null"},
		"no result": {200, `{"paymentId":"1","status":"settled","transactionStatus":"Y"}`}, "result a text": {200, `{"transactionStatus":"Y","result":"00001"}`},
		"a name twice":              {200, `{"transactionStatus":"N","merchantTransactionId":"00001","status":"settled","transactionStatus":"Y","result":{"code":"00001"}}`},
		"a name twice in two cases": {200, `{"TransactionStatus":"N","merchantTransactionId":"00001","status":"settled","transactionStatus":"Y","result":{"code":"00001"}}`},
		"deep":                      {200, strings.Repeat(`{"a":`, 50) + "1" + strings.Repeat("}", 50)}, "UTF-16": {200, "{\x00\"\x00r\x00\"\x00:\x001\x00}\x00"},
		"form": {200, "transactionStatus=Y&result.code=00001"}, "5xx": {500, paid}, "201": {201, paid}, "302": {302, paid}, "400": {400, paid}, "404": {404, paid},
		"XML cut": {200, xml[:len(xml)-4]}, "XML twice": {200, xml + xml}, "XML and more": {200, xml + "paid"}, "XML of two minds": {200, strings.ReplaceAll(xml, "<status>", "<transactionStatus>N</transactionStatus><status>")},
		"XML comment": {200, strings.ReplaceAll(xml, "<status>", "<!-- --><status>")}, "XML text between": {200, strings.ReplaceAll(xml, "<status>", "Y<status>")},
		"XML doctype": {200, strings.ReplaceAll(xml, "<r>", `<!DOCTYPE r [<!ENTITY a "b">]><r>`)}, "XML in another charset": {200, strings.ReplaceAll(xml, "UTF-8", "ISO-8859-1")},
		"XML entity": {200, strings.ReplaceAll(xml, "settled", "&settled;")}, "XML deep": {200, strings.Repeat("<a>", 50) + strings.Repeat("</a>", 50)},
	} {
		if step, err := pay(t, c.status, c.body); err == nil {
			t.Errorf("%s: %+v", name, step)
		}
		s, err := ask(t, payment(t), c.status, c.body)
		if err == nil && s.Outcome != providers.Unclear {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// A shopper brings nothing that is believed, except whose payment it is, if that is proved.
func TestReturns(t *testing.T) {
	p := testProvider(t, nil)
	fields := map[string]string{"paymentId": "54289", "merchantTransactionId": "00001", "amount": "50.00", "status": "N", "currency": "EUR"}
	fields["checksum"] = p.client.signResult("54289", "00001", "50.00", "N")
	step, err := p.Resume(t.Context(), payment(t), providers.Answer{Kind: providers.Returned, Fields: fields})
	if err != nil || step.Kind != providers.Wait || step.Ref.OrderID != "54289" || step.Decline != nil {
		t.Errorf("%+v %v", step, err)
	}
	other := map[string]string{"trackingid": "54289", "desc": "00001", "amount": "50.00", "status": "Y", "checksum": p.client.signResult("54289", "00001", "50.00", "Y")}
	if step, err = p.Resume(t.Context(), payment(t), providers.Answer{Kind: providers.Returned, Fields: other}); err != nil || step.Ref.OrderID != "54289" {
		t.Errorf("by the older names: %+v %v", step, err)
	}
	for name, value := range map[string]string{"paymentId": "54290", "merchantTransactionId": "00002", "amount": "51.00", "status": "Y", "checksum": strings.Repeat("0", 32), "PaymentID": "54290"} {
		forged := map[string]string{}
		for k, v := range fields {
			forged[k] = v
		}
		forged[name] = value
		if step, err := p.Resume(t.Context(), payment(t), providers.Answer{Kind: providers.Returned, Fields: forged}); err != nil || step.Kind != providers.Wait || step.Ref.OrderID != "" {
			t.Errorf("%s: %+v %v", name, step, err)
		}
	}
	if step, err := p.Resume(t.Context(), known(payment(t), "7"), providers.Answer{Kind: providers.Returned, Fields: fields}); err != nil || step.Ref.OrderID != "7" {
		t.Errorf("%+v %v", step, err)
	}
	for _, kind := range []providers.AnswerKind{providers.Challenged, providers.PayerAuth} {
		if step, err := p.Resume(t.Context(), payment(t), providers.Answer{Kind: kind}); err != nil || step.Kind != providers.Wait {
			t.Errorf("%s: %+v %v", kind, step, err)
		}
	}
	for _, kind := range []providers.AnswerKind{providers.MethodDone, providers.CardAgain} {
		if step, err := p.Resume(t.Context(), payment(t), providers.Answer{Kind: kind}); err == nil {
			t.Errorf("%s: %+v", kind, step)
		}
	}
}

func notice(kind, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://pay.example/callbacks/tw", strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	return r
}

// The documented notifications; their keys are not public, so they are signed again with ours.
func TestDocumentedNotifications(t *testing.T) {
	p := testProvider(t, nil)
	for name, want := range map[string]providers.Notice{
		"documented/notification_card_success.json":         {Reference: "Payout-JPY-1", OrderID: "18608029", Event: "payoutsuccessful"},
		"documented/notification_banktransfer_success.json": {Reference: "Payout-BT-3", OrderID: "18000392", Event: "payoutsuccessful"},
	} {
		body := fixture(t, name)
		if _, err := p.Notified(notice("application/json", body)); !errors.Is(err, providers.ErrForged) {
			t.Errorf("%s with another's key: %v", name, err)
		}
		o, err := readObject([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		signed := strings.ReplaceAll(body, text(o, "checksum"), p.client.signResult(want.OrderID, want.Reference, text(o, "amount"), "Y"))
		long := strings.ReplaceAll(body, text(o, "checksum"), p.client.signResult(want.OrderID, want.Reference, text(o, "amount"), "payoutsuccessful"))
		if n, err := p.Notified(notice("application/json", signed)); err != nil || n != want {
			t.Errorf("%s: %+v %v", name, n, err)
		}
		if _, err := p.Notified(notice("application/json", long)); !errors.Is(err, providers.ErrForged) {
			t.Errorf("%s signed with the long status: %v", name, err)
		}
	}
}

func TestForgedNotifications(t *testing.T) {
	p := testProvider(t, nil)
	sum := p.client.signResult("54289", "00001", "50.00", "Y")
	want := providers.Notice{Reference: "00001", OrderID: "54289", Event: "capturesuccess"}
	object := `{"paymentId":"54289","merchantTransactionId":"00001","amount":"50.00","transactionStatus":"Y","status":"capturesuccess","checksum":"` + sum + `","card":{"bin":""}}`
	xml := `<r><paymentId>54289</paymentId><merchantTransactionId>00001</merchantTransactionId><amount>50.00</amount><transactionStatus>Y</transactionStatus><status>capturesuccess</status><checksum>` + sum + `</checksum></r>`
	form := "paymentId=54289&merchantTransactionId=00001&amount=50.00&transactionStatus=Y&status=capturesuccess&checksum=" + sum
	for _, good := range [][2]string{
		{"application/json", object}, {"text/plain", object}, {"application/xml", xml}, {"application/x-www-form-urlencoded", form},
		{"application/json", strings.NewReplacer(`"54289"`, "54289", `"50.00"`, "50").Replace(object)}, {"application/json", strings.ReplaceAll(object, `"50.00"`, "50.0")},
		{"application/json", strings.ReplaceAll(object, sum, strings.ToUpper(sum))},
	} {
		if n, err := p.Notified(notice(good[0], good[1])); err != nil || n != want {
			t.Fatalf("%s: %+v %v", good[1], n, err)
		}
	}
	for name, bad := range map[string][2]string{
		"another id":          {"application/json", strings.ReplaceAll(object, "54289", "54290")},
		"another number":      {"application/json", strings.ReplaceAll(object, "00001", "00002")},
		"another amount":      {"application/json", strings.ReplaceAll(object, "50.00", "50.01")},
		"another status":      {"application/json", strings.ReplaceAll(object, `"Y"`, `"N"`)},
		"no checksum":         {"application/json", strings.ReplaceAll(object, sum, "")},
		"half a checksum":     {"application/json", strings.ReplaceAll(object, sum, sum[:16])},
		"not hex":             {"application/json", strings.ReplaceAll(object, sum, strings.Repeat("z", 32))},
		"a name twice":        {"application/json", strings.Replace(object, `{`, `{"transactionStatus":"N",`, 1)},
		"two numbers":         {"application/json", strings.Replace(object, `{`, `{"desc":"00002",`, 1)},
		"XML, another amount": {"text/xml", strings.ReplaceAll(xml, "50.00", "500.0")},
		"a form of two minds": {"application/x-www-form-urlencoded", form + "&amount=51.00"},
		"a bar in the amount": {"application/x-www-form-urlencoded", "paymentId=54289&merchantTransactionId=00001&amount=50.00%7C1.00&transactionStatus=Y&checksum=" + p.client.signResult("54289", "00001", "50.00|1.00", "Y")},
		"a bar in the number": {"application/x-www-form-urlencoded", "paymentId=54289&merchantTransactionId=00001%7C1&amount=50.00&transactionStatus=Y&checksum=" + p.client.signResult("54289", "00001|1", "50.00", "Y")},
		"an empty body":       {"application/json", ""},
		"half":                {"application/json", object[:len(object)/2]},
		"too long":            {"application/json", strings.Replace(object, `{`, `{"a":"`+strings.Repeat("x", 64<<10)+`",`, 1)},
	} {
		if n, err := p.Notified(notice(bad[0], bad[1])); !errors.Is(err, providers.ErrForged) || n != (providers.Notice{}) {
			t.Errorf("%s: %+v %v", name, n, err)
		}
	}
	get := httptest.NewRequest(http.MethodGet, "https://pay.example/callbacks/tw?"+form, nil)
	if _, err := p.Notified(get); !errors.Is(err, providers.ErrForged) {
		t.Error("a GET is no notification")
	}
}

func TestAnOperationWithoutAReadableAnswerIsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		kind providers.OpKind
		body string
		want providers.OpState // "" unknown
	}{
		"captured, as clients saw it":  {providers.Capture, `{"result":{"code":"00004","description":"Transaction captured"}}`, providers.OpSucceeded},
		"captured":                     {providers.Capture, `{"paymentId":"54289","status":"capturesuccess","transactionStatus":"Y","result":{"code":"00004"}}`, providers.OpSucceeded},
		"capture under way":            {providers.Capture, `{"paymentId":"54289","status":"capturestarted","transactionStatus":"P","result":{"code":"00004"}}`, providers.OpPending},
		"capture failed":               {providers.Capture, `{"status":"capturefailed","transactionStatus":"N","result":{"code":"10001"}}`, providers.OpFailed},
		"refund asked for":             {providers.Refund, `{"paymentId":"54289","status":"markedforreversal","transactionStatus":"P","result":{"code":"00007"}}`, providers.OpPending},
		"refunded":                     {providers.Refund, `{"paymentId":"54289","status":"reversed","transactionStatus":"Y","result":{"code":"00006"}}`, providers.OpSucceeded},
		"cancelled":                    {providers.Void, `{"paymentId":"54289","status":"cancelled","transactionStatus":"C","result":{"code":"00005"}}`, providers.OpSucceeded},
		"refused":                      {providers.Refund, `{"paymentId":"-","transactionStatus":"N","status":"failed","result":{"code":"20005","description":"Amount exceeds the amount available"}}`, providers.OpFailed},
		"refused in few words":         {providers.Refund, `{"result":{"code":"10001","description":"Transaction failed"}}`, providers.OpFailed},
		"done before":                  {providers.Refund, `{"transactionStatus":"N","result":{"code":"20004","description":"Transaction already refunded"}}`, ""},
		"a fault of its own":           {providers.Refund, `{"result":{"code":"30000","description":"Internal error"}}`, ""},
		"success with a failure code":  {providers.Refund, `{"paymentId":"54289","status":"reversed","transactionStatus":"Y","result":{"code":"10001"}}`, ""},
		"success and N at once":        {providers.Refund, `{"paymentId":"54289","status":"reversed","transactionStatus":"N","result":{"code":"00006"}}`, ""},
		"failure with a success code":  {providers.Capture, `{"status":"capturefailed","transactionStatus":"N","result":{"code":"00004"}}`, ""},
		"a status of something else":   {providers.Refund, `{"status":"capturesuccess","transactionStatus":"N","result":{"code":"10001"}}`, ""},
		"captured, 00001 and unnamed":  {providers.Capture, `{"result":{"code":"00001","description":"Transaction succeeded"}}`, ""},
		"refunded, unnamed":            {providers.Refund, `{"status":"reversed","transactionStatus":"Y","result":{"code":"00006"}}`, ""},
		"a refund found, unnamed":      {providers.Refund, `{"result":{"code":"00026","description":"Record found"}}`, ""},
		"a void found, unnamed":        {providers.Void, `{"result":{"code":"00026","description":"Record found"}}`, ""},
		"a capture found, unnamed":     {providers.Capture, `{"result":{"code":"00026","description":"Record found"}}`, ""},
		"found and Y":                  {providers.Refund, `{"paymentId":"54289","transactionStatus":"Y","result":{"code":"00026"}}`, ""},
		"found as it was":              {providers.Refund, `{"paymentId":"54289","status":"capturesuccess","transactionStatus":"Y","result":{"code":"00026"}}`, ""},
		"found still held":             {providers.Capture, `{"paymentId":"54289","status":"authsuccessful","transactionStatus":"Y","result":{"code":"00026"}}`, ""},
		"captured bare, asked to void": {providers.Void, `{"result":{"code":"00004","description":"Transaction captured"}}`, ""},
		"a token was made":             {providers.Refund, `{"AuthToken":"x","memberId":"1","result":{"code":"200","description":"Token generated successfully"}}`, ""},
		"maintenance":                  {providers.Refund, `{"status":"maintenance","retryAfter":60}`, ""},
		"an answer of another payment": {providers.Refund, `{"paymentId":"7","status":"reversed","transactionStatus":"Y","result":{"code":"00006"}}`, ""},
		"an answer of another number":  {providers.Refund, `{"merchantTransactionId":"7","status":"reversed","transactionStatus":"Y","result":{"code":"00006"}}`, ""},
	} {
		p := testProvider(t, &gatewayLine{answer: says(200, c.body)})
		r, err := p.Do(t.Context(), known(payment(t), "54289"), providers.Op{Kind: c.kind, Amount: eur(t, 5000)})
		if r.State != c.want || (err == nil) != (c.want != "") || (r.Decline != nil) != (c.want == providers.OpFailed) {
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}
}

// What the gateway would refuse is refused before the call.
func TestOperationsRefusedUnsent(t *testing.T) {
	w := &gatewayLine{}
	p := testProvider(t, w)
	for name, op := range map[string]providers.Op{
		"a second refund":   {Kind: providers.Refund, Amount: eur(t, 100), Standing: providers.Standing{Refunded: 100}},
		"a second capture":  {Kind: providers.Capture, Amount: eur(t, 100), Standing: providers.Standing{Captured: 100}},
		"more than it was":  {Kind: providers.Refund, Amount: eur(t, 5001)},
		"another currency":  {Kind: providers.Refund, Amount: money.Amount{Minor: 100, Currency: coin(t, "USD")}},
		"nothing":           {Kind: providers.Refund, Amount: eur(t, 0)},
		"a payout in there": {Kind: providers.Payout, Amount: eur(t, 1)},
	} {
		var refusal *providers.Refusal
		if r, err := p.Do(t.Context(), known(payment(t), "54289"), op); !errors.As(err, &refusal) || len(w.all) != 0 {
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}
	if _, err := p.Do(t.Context(), payment(t), providers.Op{Kind: providers.Refund, Amount: eur(t, 1)}); err == nil || len(w.all) != 0 {
		t.Error("an operation on a payment without an id")
	}
	if k := p.Kinds(); !k[1].Partial || !k[2].Once || !k[2].Partial {
		t.Errorf("%+v", k)
	}
	whole := testProvider(t, w, func(c *Config) { c.PartialVoid = new(bool) })
	if k := whole.Kinds(); k[1].Partial {
		t.Errorf("%+v", k)
	}
	if _, err := whole.Do(t.Context(), known(payment(t), "54289"), providers.Op{Kind: providers.Void, Amount: eur(t, 100), Standing: providers.Standing{Held: 5000}}); err == nil || len(w.all) != 0 {
		t.Error("a part of a hold is given back where the account may not")
	}
	part := p
	w.answer = says(200, `{"paymentId":"54289","status":"authsuccessful","transactionStatus":"Y","result":{"code":"00005"}}`)
	r, err := part.Do(t.Context(), known(payment(t), "54289"), providers.Op{Kind: providers.Void, Amount: eur(t, 100), Standing: providers.Standing{Held: 5000}})
	if err != nil || r.State != providers.OpSucceeded || !part.Kinds()[1].Partial || w.last().form.Get("amount") != "1.00" || w.last().form.Get("authentication.checksum") != p.client.signID("54289") {
		t.Errorf("%+v %v %s", r, err, w.last().body)
	}
}

func TestACardIsForgottenOnlyOnAnExplicitAnswer(t *testing.T) {
	for body, fine := range map[string]bool{
		`{"result":{"code":"00031"}}`: true, `{"result":{"code":"20006","description":"Registration not found"}}`: true, `{"result":{"code":"10009"}}`: true,
		`{"result":{"code":"30000","description":"Internal error"}}`: false, `{"result":{"code":"20002","description":"Checksum does not match"}}`: false,
	} {
		if err := testProvider(t, &gatewayLine{answer: says(200, body)}).Forget(t.Context(), providers.Owner{}, "f-1", "tok1"); (err == nil) != fine {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestAPayoutInquiryThatShowsAnotherPayout(t *testing.T) {
	good := `{"paymentId":"7","merchantTransactionId":"00001","status":"payoutsuccessful","transactionStatus":"Y","amount":"50.00","currency":"EUR","result":{"code":"00026"}}`
	for change, want := range map[string]providers.OpState{
		`"x":"x"`: providers.OpSucceeded, `"status":"payoutfailed"`: "", `"status":"payoutfailed","transactionStatus":"N"`: providers.OpFailed, `"status":"payoutstarted","transactionStatus":"P"`: providers.OpPending,
		`"merchantTransactionId":"00002"`: "", `"merchantTransactionId":""`: "", `"amount":"51.00"`: "", `"currency":"USD"`: "", `"transactionStatus":"N"`: "", `"status":"capturesuccess"`: "",
	} {
		body := good
		for _, c := range strings.Split(change, ",") {
			name, _, _ := strings.Cut(c, ":")
			if at := strings.Index(body, name); at >= 0 {
				end := at + strings.IndexByte(body[at:], ',')
				body = body[:at] + c + body[end:]
			}
		}
		r, err := testProvider(t, &gatewayLine{answer: says(200, body)}).InquirePayout(t.Context(), payment(t), providers.OpResult{GatewayID: "7"})
		if r.State != want || (err == nil) != (want != "") {
			t.Errorf("%s: %+v %v", body, r, err)
		}
	}
}

func TestHistoryAcrossPages(t *testing.T) {
	w := &gatewayLine{}
	w.answer = func(s sent) (int, string) {
		n := map[string]string{"1": "a", "2": "b"}[s.form.Get("pagination.pageno")]
		if n == "" {
			return 200, `{"result":{"code":"10009","description":"Record not found"}}`
		}
		line := `{"systemPaymentId":1,"merchantTransactionId":"%s%d","transactionStatus":"settled","amount":"1.00","currency":"EUR","transactionDate":"2026-11-21 10:00:00","card":{"bin":"411111","last4Digits":"0021"}}`
		var all []string
		for i := range 2 {
			all = append(all, fmt.Sprintf(line, n, i))
		}
		return 200, `{"result":{"code":"00026"},"transaction":[` + strings.Join(all, ",") + `]}`
	}
	p := testProvider(t, w, func(c *Config) { c.TimeZone = "Asia/Almaty" })
	after := ""
	for page, want := range []string{"a0 a1 ", "b0 b1 ", ""} {
		got := ""
		lines, next, err := p.History(t.Context(), providers.HistoryQuery{Limit: 2, After: after})
		if after = next; (next == "") != (want == "") {
			t.Errorf("after page %d: %q", page, next)
		}
		for _, l := range lines {
			got += l.Reference + " "
			if l.Outcome != providers.Paid || l.Kind != "payment" || l.Amount != eur(t, 100) || l.OrderID != "1" || l.Card.First6 != "411111" || !l.At.Equal(time.Date(2026, 11, 21, 5, 0, 0, 0, time.UTC)) {
				t.Errorf("%+v", l)
			}
		}
		if err != nil || got != want {
			t.Errorf("page %d: %q %v, want %q", page, got, err, want)
		}
	}
	if lines, _, err := p.History(t.Context(), providers.HistoryQuery{From: w.now.Add(-time.Hour), Limit: 2}); err != nil || len(lines) != 0 {
		t.Errorf("earlier than asked: %+v %v", lines, err)
	}
	w.answer = says(200, `{"result":{"code":"20002","description":"Checksum does not match"}}`)
	if _, _, err := p.History(t.Context(), providers.HistoryQuery{After: "x"}); err == nil {
		t.Errorf("a place that is none: %v", err)
	}
	if _, _, err := p.History(t.Context(), providers.HistoryQuery{}); err == nil {
		t.Error("a refusal is no empty list")
	}
	w.answer = says(200, `{"result":{"code":"00026"},"transaction":{"systemPaymentId":"18000392","status":"payoutsuccessful","amount":"100000.65","currency":"VND","date":"yesterday"}}`)
	lines, _, err := p.History(t.Context(), providers.HistoryQuery{})
	if err != nil || len(lines) != 1 || lines[0].Kind != "payout" || lines[0].Outcome != providers.Paid || lines[0].Amount != (money.Amount{}) || !lines[0].At.IsZero() {
		t.Errorf("one line, no list, an amount that the dong has not: %+v %v", lines, err)
	}
}

func TestPrintingShowsNoSecret(t *testing.T) {
	w := &gatewayLine{answer: says(200, `{"paymentId":"1","transactionStatus":"N","remark":"4111110000000021/123","result":{"code":"10001","description":"`+testKey[:4]+`"}}`)}
	p := testProvider(t, w)
	in := providers.Instrument{Kind: "card", Card: parse(t, "4111110000000021", "123", 2030)}
	step, err := p.Pay(t.Context(), payment(t), in, browser())
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "p", p, "step", step, "err", err, "in", in)
	all := b.String() + fmt.Sprintf("%v %+v %#v %+v %#v %+v", p, p, p, p.client, p.client, step.Decline)
	for _, secret := range []string{testKey, "token-1", "4111110000000021"} {
		if strings.Contains(all, secret) {
			t.Errorf("%s is printed", secret)
		}
	}
	if step.Decline == nil || step.Decline.Message != "…/…" {
		t.Errorf("%+v", step.Decline)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"constructed/payment_sync_approved.json", "constructed/payment_failed.json", "constructed/payment_3d_redirect_no_method_no_parameters.json", "documented/inquiry_record_not_found_public_test.json", "documented/notification_card_success.json"} {
		f.Add(200, []byte(fixture(f, name)))
	}
	f.Add(200, []byte(`<r><paymentId>1</paymentId><result><code>00001</code></result><redirect><url>https://a.example</url><parameters><name>a</name><value>b</value></parameters></redirect></r>`))
	p := testProvider(f, nil)
	ours := payment(f)
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		a, err := decode(status, body)
		if err != nil {
			return
		}
		if a.code() == "" {
			t.Fatal("an answer without a result")
		}
		if step, err := p.step("DB", ours.Ref, a, card.Code{}); err == nil {
			switch step.Kind {
			case providers.Finished:
				if step.Ref.OrderID == "" {
					t.Fatal("success without a payment")
				}
			case providers.Declined:
				if short, _ := a.statuses(); short != "N" {
					t.Fatal("declined without an N")
				}
			case providers.Redirect:
				if !strings.HasPrefix(step.Link, "https://") {
					t.Fatal(step.Link)
				}
			case providers.PayerPage:
				if !strings.HasPrefix(step.Forms[0].Action, "https://") {
					t.Fatal(step.Forms)
				}
			case providers.Wait:
			default:
				t.Fatal(step.Kind)
			}
		}
		if s, err := p.standing(ours, a); err == nil && (s.Captured < 0 || s.Refunded < 0 || s.Held < 0 || s.Outcome == "") {
			t.Fatalf("%+v", s)
		}
	})
}

func FuzzNotification(f *testing.F) {
	p := testProvider(f, nil)
	good := `{"paymentId":"54289","merchantTransactionId":"00001","amount":"50.00","transactionStatus":"Y","checksum":"` + p.client.signResult("54289", "00001", "50.00", "Y") + `"}`
	f.Add("application/json", good)
	f.Add("application/x-www-form-urlencoded", "paymentId=1&status=Y")
	f.Add("text/xml", "<r><paymentId>1</paymentId></r>")
	f.Fuzz(func(t *testing.T, kind, body string) {
		r := httptest.NewRequest(http.MethodPost, "/callbacks/tw", strings.NewReader(body))
		r.Header["Content-Type"] = []string{kind}
		n, err := p.Notified(r)
		if err == nil && (n.Reference != "00001" || n.OrderID != "54289") { // nobody here has the key
			t.Fatalf("%+v", n)
		}
		if err != nil && (n != providers.Notice{} || !errors.Is(err, providers.ErrForged)) {
			t.Fatalf("%+v %v", n, err)
		}
	})
}
