package rbs_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/providers/rbs"
	"tollgate/threeds"
)

const packed = "eyJ0aHJlZURTTWV0aG9kTm90aWZpY2F0aW9uVVJMIjoiaHR0cHM6Ly9jb21tb24wMy50c3QucmJzdGVzdC5ydS8zZHNzZXJ2ZXIvYXBpL3YxL2Fjcy9ub3RpZmljYXRpb24_dGhyZWVEU1NlcnZlclRyYW5zSUQ9NTgwMjc0NmUtMzM5My00MGMzLTkyOWEtZGM5NjZlYmYwOGM2IiwidGhyZWVEU1NlcnZlclRyYW5zSUQiOiI1ODAyNzQ2ZS0zMzkzLTQwYzMtOTI5YS1kYzk2NmViZjA4YzYifQ"

const packedCReq = "eyJ0aHJlZURTU2VydmVyVHJhbnNJRCI6IjU4MDI3NDZlLTMzOTMtNDBjMy05MjlhLWRjOTY2ZWJmMDhjNiIsIm1lc3NhZ2VUeXBlIjoiQ1JlcSIsIm1lc3NhZ2VWZXJzaW9uIjoiMi4xLjAiLCJhY3NUcmFuc0lEIjoiODFmZTU1ODUtZmZhOS00Y2NkLTljMjAtY2QzYWFiZDQwNTllIiwiY2hhbGxlbmdlV2luZG93U2l6ZSI6IjA1In0"

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %+v\nwant %+v", what, got, want)
	}
}

// The seed's method answer: two frames in order, the first to an address without scheme and with an empty form, the
// second with the packed data byte for byte.
func TestMethodStep(t *testing.T) {
	f := newFake(t).on("paymentorder.do", answer(t, "seed_paymentorder_3ds2_method.json"))
	s, err := pay(t, f.open(), registered(t))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "method step", s, providers.Step{
		V: 1, Kind: providers.Method, Withholdable: true,
		Ref: providers.Ref{Reference: "A-17-1", OrderID: mdOrder, More: map[string]string{"threeDSServerTransID": transID}},
		Forms: []threeds.Form{
			{Action: "https://example.com/3dsserver/api/v1/client/gather?threeDSServerTransID=" + transID, Fields: []threeds.Field{}},
			{Action: "https://example.com/acs2/acs/3dsMethod", Fields: []threeds.Field{{Name: "threeDSMethodData", Value: packed}}},
		},
		Deadline: 10 * time.Second,
		// The notification carries the id that was packed, which in the documentation's sample is another one.
		ThreeDS: threeds.IDs{ThreeDSServerTransID: transID2},
	})
}

func TestMethodStepVariants(t *testing.T) {
	const head = `{"errorCode":"0","is3DSVer2":"true","threeDSServerTransID":"` + transID + `"`
	for _, tt := range []struct {
		name, body string
		actions    []string
		wait       time.Duration
	}{
		{"the tables' spelling", head + `,"threeDSMethodUrlServer":"https://3ds.example/g","threeDSMethodUrl":"https://acs.example/m","threeDSMethodDataPacked":"` + packed + `"}`,
			[]string{"https://3ds.example/g", "https://acs.example/m"}, 10 * time.Second},
		{"no Method of the bank's", head + `,"threeDSMethodURLServer":"https://3ds.example/g"}`, []string{"https://3ds.example/g"}, 3 * time.Second},
		{"no data for the bank's Method", head + `,"threeDSMethodURLServer":"https://3ds.example/g","threeDSMethodURL":"https://acs.example/m"}`,
			[]string{"https://3ds.example/g"}, 3 * time.Second},
		{"no Method at all", head + `}`, nil, 0},
		{"an address for a script", head + `,"threeDSMethodURLServer":"javascript:alert(1)","threeDSMethodURL":"https://acs.example/m","threeDSMethodDataPacked":"` + packed + `"}`,
			[]string{"https://acs.example/m"}, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := pay(t, newFake(t).on("paymentorder.do", tt.body).open(), registered(t))
			if err != nil {
				t.Fatal(err)
			}
			var actions []string
			for _, form := range s.Forms {
				actions = append(actions, form.Action)
			}
			same(t, "frames", actions, tt.actions)
			if s.Kind != providers.Method || s.Deadline != tt.wait || s.Ref.More["threeDSServerTransID"] != transID {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// The challenge: the CReq as packed; session data of ours only where the CRes comes to us.
func TestChallengeStep(t *testing.T) {
	for mode, session := range map[string]string{rbs.ThreeDS2Finish: "c2VhbGVk", rbs.ThreeDS2Gateway: ""} {
		t.Run(mode, func(t *testing.T) {
			f := newFake(t).on("3ds/continue.do", answer(t, "bpc_paymentorder_challenge.json"))
			p := registered(t)
			p.Ref = p.Ref.With("threeDSServerTransID", transID)
			s, err := f.open(func(c *rbs.Config) { c.ThreeDS2 = mode }).Resume(t.Context(), p, providers.Answer{Kind: providers.MethodDone, CompInd: "Y"})
			if err != nil {
				t.Fatal(err)
			}
			fields := []threeds.Field{{Name: "creq", Value: packedCReq}}
			if session != "" {
				fields = append(fields, threeds.Field{Name: "threeDSSessionData", Value: session})
			}
			same(t, "forms", s.Forms, []threeds.Form{{Action: "https://example.com/acs2/acs/creq", Fields: fields}})
			same(t, "ids", s.ThreeDS, threeds.IDs{ThreeDSServerTransID: transID2, ACSTransID: "81fe5585-ffa9-4ccd-9c20-cd3aabd4059e", MessageVersion: "2.1.0"})
			if s.Kind != providers.Challenge || s.NewRun || s.Info != "" || s.Ref.More["threeDSServerTransID"] != transID {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// 3-D Secure 1.0.2 in its three ways; info is noise and not shown.
func TestPayerAuthStep(t *testing.T) {
	var seed struct{ AcsURL, PaReq, TermURL string }
	if err := json.Unmarshal([]byte(answer(t, "seed_paymentorder_3ds1.json")), &seed); err != nil {
		t.Fatal(err)
	}
	run := func(mode string) (providers.Step, *fake) {
		f := newFake(t).on("paymentorder.do", answer(t, "seed_paymentorder_3ds1.json"))
		s, err := pay(t, f.open(func(c *rbs.Config) { c.ThreeDS1 = mode }), registered(t))
		if err != nil {
			t.Fatal(err)
		}
		if s.Info != "" {
			t.Errorf("%s: info %q would make the shopper press a button", mode, s.Info)
		}
		return s, f
	}
	s, _ := run(rbs.ThreeDS1Gateway)
	if s.Kind != providers.PayerPage {
		t.Errorf("kind %s", s.Kind)
	}
	same(t, "the gateway's TermUrl", s.Forms, []threeds.Form{threeds.PayerAuthForm(seed.AcsURL, seed.PaReq, seed.TermURL, mdOrder)})
	s, _ = run(rbs.ThreeDS1Own)
	same(t, "our TermUrl", s.Forms, []threeds.Form{threeds.PayerAuthForm(seed.AcsURL, seed.PaReq, "https://pay.example/3ds/tok1/return", "c2VhbGVk")})
	s, f := run(rbs.ThreeDS1Redirect)
	if want := strings.Replace(f.url, "/rest/", "/acsRedirect.do", 1) + "?orderId=" + mdOrder; s.Kind != providers.Redirect || s.Link != want || s.Forms != nil {
		t.Errorf("got %s %s, want a redirect to %s", s.Kind, s.Link, want)
	}
}

// A redirect without an error is an end, whether well or not: the inquiry decides.
func TestFinishedStep(t *testing.T) {
	for _, body := range []string{
		answer(t, "omnipay_PurchaseSslRequestSuccess.json"),
		answer(t, "rec_sdk_processform_ssl_ok.json"), // a relative redirect
		answer(t, "seed_paymentOrderBinding_ok.json"),
		`{"redirect":"https://shop.example/","errorCode":0,"errorMessage":"Success","processingErrorType":"NO_ERROR"}`,
		`{"redirect":"https://shop.example/","success":true,"errorCode":"0"}`,
		`{"redirect":"https://shop.example/","errorCode":"0","error":"Success"}`, // words for success, in the place of those for a refusal
		answer(t, "ecom_paymentOrderBinding_200_finished.json"),
	} {
		f := newFake(t).on("paymentorder.do", body)
		s, err := pay(t, f.open(), registered(t))
		if err != nil || s.Kind != providers.Finished || s.Link != "" || s.Decline != nil {
			t.Errorf("%s: %+v, %v", body, s, err)
		}
	}
}

// Declined although errorCode is 0. The order is asked once for the reason, and it has the last word.
func TestDeclinedStep(t *testing.T) {
	status := func(order int, action string) string {
		return `{"errorCode":"0","orderNumber":"A-17-1","amount":2000,"currency":"978","orderStatus":` + string(rune('0'+order)) + `,"actionCode":` + action + `,"actionCodeDescription":"bank's words"}`
	}
	for _, tt := range []struct {
		name, body, status string
		kind               providers.Kind
		reason             providers.Reason
		code               string
	}{
		{"funds, order stays open", "bpc_continue_fail_authorization.json", status(0, "116"), providers.Declined, providers.InsufficientFunds, "116"},
		{"final", "bpc_continue_fail_authorization.json", status(6, `"101"`), providers.Declined, providers.ExpiredCard, "101"},
		{"3-D Secure", "bpc_continue_fail_ares.json", status(0, "-2006"), providers.Declined, providers.AuthenticationFailed, "-2006"},
		{"no code yet", "bpc_continue_fail_ares.json", status(0, "-100"), providers.Declined, providers.AuthenticationFailed, "TDS_UNKNOWN_ARES_STATUS"},
		{"inquiry fails", "bpc_continue_fail_authorization.json", "<html>", providers.Declined, providers.OtherReason, "DATA_INPUT_ERROR"},
		{"but the order is paid", "bpc_continue_fail_authorization.json", status(2, "0"), providers.Wait, "", ""},
		{"but the order is held", "bpc_continue_fail_authorization.json", status(1, "0"), providers.Wait, "", ""},
		{"but the order is pending", "bpc_continue_fail_authorization.json", status(7, "-30001"), providers.Wait, "", ""},
		{"but the order is unknown", "bpc_continue_fail_authorization.json", answer(t, "rec_status_not_found.json"), providers.Wait, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t).on("3ds/continue.do", answer(t, tt.body)).on("getOrderStatusExtended.do", tt.status)
			s, err := f.open().Resume(t.Context(), registered(t), providers.Answer{Kind: providers.MethodDone, CompInd: "U"})
			if err != nil || s.Kind != tt.kind {
				t.Fatalf("got %+v, %v", s, err)
			}
			if s.Decline != nil && (s.Decline.Reason != tt.reason || s.Decline.Code != tt.code || s.Decline.Message == "") {
				t.Errorf("declined as %+v", *s.Decline)
			}
			if (s.Decline == nil) != (tt.kind != providers.Declined) {
				t.Errorf("decline %v in a %s step", s.Decline, s.Kind)
			}
			if f.calls() != "3ds/continue.do getOrderStatusExtended.do" {
				t.Errorf("called %s", f.calls())
			}
		})
	}
}

// An error code is an error and no decline, also beside an orderId or under another name of success.
func TestErrorCodes(t *testing.T) {
	for _, tt := range []struct{ name, code string }{
		{"omnipay_PurchaseRequestError.json", "5"},
		{"mock_error_string.json", "5"},
		{"mock_laravel_register_err_with_url.json", "20"},
		{"bpc_paymentOrderBinding_err.json", "5"},
		{"bpc_industry_practice_declined.json", "5"},
		{"bpc_industry_practice_err.json", "5"},
		{"ecom_decline_200_error.json", "5"},
		{"ecom_deposit_200_error.json", "5"},
		{"ecom_reverse_200_error.json", "5"},
		{"omnipay_CaptureRequestError.json", "6"},
	} {
		f := newFake(t).on("paymentorder.do", answer(t, tt.name)).on("register.do", answer(t, tt.name)).on("decline.do", answer(t, tt.name)).
			on("getOrderStatusExtended.do", answer(t, "mock_error_string.json"))
		g := f.open()
		_, payErr := pay(t, g, registered(t))
		_, regErr := g.Register(t.Context(), payment(t))
		for _, err := range []error{payErr, regErr, g.(providers.Closer).Close(t.Context(), registered(t))} {
			if failure, ok := errors.AsType[*providers.Failure](err); !ok || failure.Code != tt.code || failure.Text == "" {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	}
}

// Handled, in every spelling of it.
func TestHandled(t *testing.T) {
	for _, name := range []string{"mock_ok_number_empty_message.json", "omnipay_RefundRequestSuccess.json", "omnipay_VoidRequestSuccess.json",
		"bpc_decline_ok.json", "bpc_reverse_ok.json", "bpc_industry_practice_ok.json"} {
		f := newFake(t).on("decline.do", answer(t, name))
		if err := f.open().(providers.Closer).Close(t.Context(), registered(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRegistered(t *testing.T) {
	for name, want := range map[string]string{
		"bpc_register_ok.json":              "01491d0b-c848-7dd6-a20d-e96900a7d8c0",
		"seed_registerPreAuth_ok.json":      "017908cc-57c6-739a-ad25-df0d00a7d8c0",
		"seed_register_autopayment_ok.json": "01791274-d9ca-7103-b148-7dc000a7d8c0",
	} {
		ref, err := newFake(t).on("register.do", answer(t, name)).open().Register(t.Context(), payment(t))
		if err != nil || ref.OrderID != want || ref.Reference != "A-17-1" {
			t.Errorf("%s: %+v, %v", name, ref, err)
		}
	}
}

// A number that is taken: our own order, whose registration was not answered, is used; another's number is passed over; an
// order with money of our sum on it is neither paid again nor passed over, and our mark tells whose it is.
func TestAnOrderNumberThatIsAlreadyUsed(t *testing.T) {
	const ours = `{"errorCode":"0","orderNumber":"A-17-1","orderStatus":0,"actionCode":-100,"amount":2000,"currency":"978","attributes":[{"name":"mdOrder","value":"` + mdOrder + `"}]}`
	state := func(status, action string) string {
		return strings.Replace(ours, `"orderStatus":0,"actionCode":-100`, `"orderStatus":`+status+`,"actionCode":`+action, 1)
	}
	marked := func(body, mark string) string {
		return strings.Replace(body, `"attributes"`, `"merchantOrderParams":[{"name":"browser_language_param"},{"name":"tollgate_session","value":"`+mark+`"}],"attributes"`, 1)
	}
	const used, next, paid, paidOurs, unknown = "used", "the next number", "money, whose nobody knows", "our money", "unknown"
	for _, tt := range []struct{ name, status, want string }{
		{"our order, untouched", ours, used},
		{"our order, marked", marked(ours, "s_1"), used},
		{"our order, marked, at the bank", marked(state("5", "-100"), "s_1"), used},
		{"an order at its bank that nothing proves to be ours", state("5", "-100"), next},
		{"another session's order", marked(ours, "s_2"), next},
		{"another amount", strings.Replace(ours, "2000", "2001", 1), next},
		{"another currency", strings.Replace(ours, "978", "398", 1), next},
		{"another amount, paid", strings.Replace(state("2", "0"), "2000", "2001", 1), next},
		{"another amount, paid, yet our mark", marked(strings.Replace(state("2", "0"), "2000", "2001", 1), "s_1"), paidOurs},
		{"tried already", strings.Replace(ours, "-100", "116", 1), next},
		{"declined", state("6", "116"), next},
		{"expired", state("6", "-2007"), next},
		{"paid", state("2", "0"), paid},
		{"paid by another session", marked(state("2", "0"), "s_2"), paid},
		{"paid by us", marked(state("2", "0"), "s_1"), paidOurs},
		{"given back to us", marked(state("4", "0"), "s_1"), paidOurs},
		{"held", state("1", "0"), paid},
		{"held by us", marked(state("1", "0"), "s_1"), paidOurs},
		{"reversed", state("3", "0"), next},
		{"reversed, ours", marked(state("3", "0"), "s_1"), paidOurs},
		{"all given back", strings.Replace(state("4", "0"), `"attributes"`, `"paymentAmountInfo":{"depositedAmount":0,"refundedAmount":2000},"attributes"`, 1), next},
		{"given back, nobody says how much", state("4", "0"), paid},
		{"being worked on", state("7", "-30001"), paid},
		{"a state nobody knows, ours", marked(state("99", "0"), "s_1"), paidOurs},
		{"another number", strings.Replace(ours, "A-17-1", "A-17-2", 1), unknown},
		{"no id", strings.Replace(ours, "mdOrder", "other", 1), unknown},
		{"not there", `{"errorCode":"6","errorMessage":"no"}`, unknown},
		{"no answer", ``, unknown},
	} {
		for _, taken := range []string{"bpc_register_err_duplicate_order_number.json", "alfa_register_err_duplicate.json", "omnipay_AuthorizeRequestError.json"} {
			f := newFake(t).on("register.do", answer(t, taken)).on("getOrderStatusExtended.do", tt.status)
			p := payment(t)
			p.OwnershipMark = "s_1"
			ref, err := f.open().Register(t.Context(), p)
			got := unknown
			var already *providers.AlreadyPaid
			switch {
			case err == nil && ref.OrderID == mdOrder:
				got = used
			case errors.As(err, &already) && already.Ours:
				got = paidOurs
			case already != nil:
				got = paid
			case errors.Is(err, providers.ErrReferenceTaken):
				got = next
			}
			if got != tt.want || err == nil && tt.want != used {
				t.Errorf("%s: %s, want %s: %+v, %v", tt.name, got, tt.want, ref, err)
			}
			if already != nil && (!errors.Is(err, providers.ErrAlreadyPaid) || errors.Is(err, providers.ErrReferenceTaken) || already.Ref.OrderID != mdOrder || already.Standing.Outcome == "") {
				t.Errorf("%s: %+v", tt.name, already)
			}
			if form := f.last().form; form.Get("orderNumber") != "A-17-1" || form.Has("orderId") || f.calls() != "register.do getOrderStatusExtended.do" {
				t.Errorf("%s: asked by %v, called %s", tt.name, form, f.calls())
			}
		}
	}
}

// Where the database may have forgotten our own use of the number, an order without our mark may be ours all the same: it is neither
// passed over nor paid again.
func TestAnOrderThatMayBeForgottenIsNotPassedOver(t *testing.T) {
	for state, used := range map[string]bool{`"orderStatus":5`: true, `"orderStatus":3`: false, `"orderStatus":4`: false} {
		body := `{"errorCode":"0","orderNumber":"A-17-1",` + state + `,"amount":2000,"currency":"978","attributes":[{"name":"mdOrder","value":"` + mdOrder + `"}],` +
			`"paymentAmountInfo":{"depositedAmount":0,"refundedAmount":2000}}`
		f := newFake(t).on("register.do", answer(t, "bpc_register_err_duplicate_order_number.json")).on("getOrderStatusExtended.do", body)
		p := payment(t)
		p.OwnershipMark, p.Forgotten = "s_1", &providers.Forgotten{Until: now}
		ref, err := f.open().Register(t.Context(), p)
		if used && ref.OrderID != mdOrder || !used && !errors.Is(err, providers.ErrAlreadyPaid) {
			t.Errorf("%s: %+v, %v", state, ref, err)
		}
	}
}

// Members of paymentAmountInfo may be missing one by one: what is stated counts, and what is not is neither 0 nor believed.
func TestSumsThatAreStatedInPart(t *testing.T) {
	for _, c := range []struct {
		status, info       string
		captured, refunded int64
		stated             bool
	}{
		{"2", `"approvedAmount":2000`, 2000, 0, false},
		{"2", `"refundedAmount":0`, 2000, 0, false},
		{"2", `"paymentState":"DEPOSITED"`, 2000, 0, false},
		{"2", `"depositedAmount":null,"refundedAmount":null`, 2000, 0, false},
		{"2", `"depositedAmount":1500`, 1500, 0, false},
		{"2", `"depositedAmount":2000,"refundedAmount":0`, 2000, 0, true},
		{"4", `"approvedAmount":2000`, 2000, 2000, false},
		{"4", `"refundedAmount":500`, 2000, 500, false},
		{"4", `"depositedAmount":1500`, 2000, 500, false},
		{"4", `"depositedAmount":1500,"refundedAmount":500`, 2000, 500, true},
	} {
		f := newFake(t).on("getOrderStatusExtended.do", `{"errorCode":"0","orderNumber":"A-17-1","orderStatus":`+c.status+
			`,"amount":2000,"currency":"978","paymentAmountInfo":{`+c.info+`}}`)
		st, err := f.open().Status(t.Context(), registered(t))
		if err != nil || st.Outcome != providers.Paid || st.Captured != c.captured || st.Refunded != c.refunded || st.Stated != c.stated ||
			st.Returned != (c.status == "4" && !c.stated) {
			t.Errorf("%s %s: %+v, %v", c.status, c.info, st, err)
		}
	}
}

// A gateway that is too busy to register is not asked again at once.
func TestABusyRegistrationIsLeftAlone(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		f, calls := newFake(t), 0
		f.handler = func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(status)
		}
		if _, err := f.open().Register(t.Context(), payment(t)); calls != 1 || providers.RetryAfter(err) != time.Minute {
			t.Errorf("%d: %d calls, %v", status, calls, err)
		}
	}
}

// The address of the gateway's page came with an answer that was lost: its order is closed, and the next number is used.
func TestAnOrderWhosePageIsNotKnownIsClosed(t *testing.T) {
	const ours = `{"errorCode":"0","orderNumber":"A-17-1","orderStatus":0,"actionCode":-100,"amount":2000,"currency":"978","attributes":[{"name":"mdOrder","value":"` + mdOrder + `"}]}`
	f := newFake(t).on("register.do", answer(t, "bpc_register_err_duplicate_order_number.json")).on("getOrderStatusExtended.do", ours).on("decline.do", answer(t, "bpc_decline_ok.json"))
	p := payment(t)
	p.Instrument = "hosted"
	if _, err := f.open().Register(t.Context(), p); !errors.Is(err, providers.ErrReferenceTaken) || f.last().form.Get("orderId") != mdOrder {
		t.Errorf("%v, called %s", err, f.calls())
	}
}

// A registration whose answer was lost is looked for by its number, and sent once more where there is none.
func TestARegistrationWithoutAnAnswerIsLookedFor(t *testing.T) {
	const ours = `{"errorCode":"0","orderNumber":"A-17-1","orderStatus":0,"actionCode":-100,"amount":2000,"currency":"978","attributes":[{"name":"mdOrder","value":"` + mdOrder + `"}]}`
	const none = `{"errorCode":"6","errorMessage":"no"}`
	good := strings.ReplaceAll(answer(t, "seed_registerPreAuth_ok.json"), "\n", " ")
	for _, tt := range []struct {
		name     string
		register []string
		status   []string
		ok       bool
		calls    string
	}{
		{"it is there", []string{"<html>"}, []string{ours}, true, "register.do getOrderStatusExtended.do"},
		{"it is not", []string{"<html>", good}, []string{none}, true, "register.do getOrderStatusExtended.do register.do"},
		{"lost again", []string{"<html>", ""}, []string{none}, false, "register.do getOrderStatusExtended.do register.do"},
		{"it came late", []string{"", answer(t, "bpc_register_err_duplicate_order_number.json")}, []string{none, ours}, true,
			"register.do getOrderStatusExtended.do register.do getOrderStatusExtended.do"},
		{"nobody knows", []string{"<html>"}, []string{"<html>"}, false, "register.do getOrderStatusExtended.do"},
		{"refused in words", []string{`{"errorCode":"5","errorMessage":"Access denied"}`}, nil, false, "register.do"},
	} {
		f := newFake(t).on("register.do", tt.register...).on("getOrderStatusExtended.do", tt.status...)
		ref, err := f.open().Register(t.Context(), payment(t))
		if (err == nil) != tt.ok || tt.ok && ref.OrderID == "" || f.calls() != tt.calls {
			t.Errorf("%s: %+v %v, called %s", tt.name, ref, err, f.calls())
		}
	}
}

// The soft decline: a second Method under a new id begins a new run; it ends with the payment call repeated, which
// needs the card.
func TestSoftDecline(t *testing.T) {
	second := strings.ReplaceAll(answer(t, "seed_paymentorder_3ds2_method.json"), transID, "aaaaaaaa-3393-40c3-929a-dc966ebf08c6")
	f := newFake(t).on("3ds/continue.do", second).on("paymentorder.do", answer(t, "bpc_paymentorder_challenge.json"))
	g := f.open()
	p := registered(t)
	p.Ref = p.Ref.With("threeDSServerTransID", transID)

	s, err := g.Resume(t.Context(), p, providers.Answer{Kind: providers.MethodDone, CompInd: "Y"})
	if err != nil || s.Kind != providers.Method || !s.NewRun || len(s.Forms) != 2 || s.Ref.More["threeDSServerTransID"] != "aaaaaaaa-3393-40c3-929a-dc966ebf08c6" {
		t.Fatalf("soft decline: %+v, %v", s, err)
	}
	p.Ref = s.Ref
	p.Run = providers.Run{N: 2, NotifyURL: "https://pay.example/3ds/tok2/notify", ReturnURL: "https://pay.example/3ds/tok2/return", SessionData: "c2Vjb25k"}

	s, err = g.Resume(t.Context(), p, providers.Answer{Kind: providers.MethodDone, CompInd: "N"})
	if err != nil || s.Kind != providers.AskCard || f.calls() != "3ds/continue.do" {
		t.Fatalf("without the card: %+v, %v, called %s", s, err, f.calls())
	}
	same(t, "what is remembered", s.Ref, p.Ref)

	c := testCard(t)
	s, err = g.Resume(t.Context(), p, providers.Answer{Kind: providers.CardAgain, Card: &c, Browser: browser})
	if err != nil || s.Kind != providers.Challenge || s.NewRun {
		t.Fatalf("with the card: %+v, %v", s, err)
	}
	if form := f.last().form; form.Get("threeDSServerTransId") != "aaaaaaaa-3393-40c3-929a-dc966ebf08c6" || form.Get("$PAN") != pan || form.Get("threeDSVer2FinishUrl") != p.Run.ReturnURL {
		t.Errorf("repeated with %v", form)
	}
	if got := s.Forms[0].Fields[1].Value; got != "c2Vjb25k" {
		t.Errorf("session data %q is not the second run's", got)
	}

	// While the second run goes on, the order shows the first one's refusal.
	f.on("getOrderStatusExtended.do", `{"errorCode":"0","orderNumber":"A-17-1","orderStatus":0,"actionCode":1434,"amount":2000,"currency":"978"}`)
	p.Ref = s.Ref
	if st, err := g.Status(t.Context(), p); err != nil || st.Outcome != providers.Waiting || st.LastTry != nil {
		t.Errorf("during the second run: %+v, %v", st, err)
	}
	if st, err := g.Status(t.Context(), registered(t)); err != nil || st.LastTry == nil || st.LastTry.Reason != providers.AuthenticationFailed {
		t.Errorf("1434 without a second run: %+v, %v", st, err)
	}
}

// A Method in answer to 3ds/continue.do without a new id is the same once more, in a run of its own; a third one goes in
// circles: the order is closed, and the try is over unless the order says otherwise.
func TestNoEndlessMethods(t *testing.T) {
	c := testCard(t)
	same := answer(t, "seed_paymentorder_3ds2_method.json")
	nameless := strings.Replace(same, `"threeDSServerTransId"`, `"x"`, 1)
	closed := `{"errorCode":"0","orderNumber":"A-17-1","amount":2000,"currency":"978","orderStatus":6,"actionCode":4005}`
	paid := `{"errorCode":"0","orderNumber":"A-17-1","amount":2000,"currency":"978","orderStatus":2,"actionCode":0}`
	for name, body := range map[string]string{"the same id": same, "no id": nameless} {
		f := newFake(t).on("3ds/continue.do", body).on("decline.do", answer(t, "bpc_decline_ok.json")).on("getOrderStatusExtended.do", closed)
		p := registered(t)
		p.Ref = p.Ref.With("threeDSServerTransID", transID)
		s, err := f.open().Resume(t.Context(), p, providers.Answer{Kind: providers.MethodDone})
		if err != nil || s.Kind != providers.Method || !s.NewRun || s.Ref.More["threeDSServerTransID"] != transID || f.calls() != "3ds/continue.do" {
			t.Fatalf("%s: %+v %v, called %s", name, s, err, f.calls())
		}
		p.Ref = s.Ref
		if s, err = f.open().Resume(t.Context(), p, providers.Answer{Kind: providers.MethodDone}); err != nil || s.Kind != providers.Declined || s.Decline == nil {
			t.Errorf("%s, a third: %+v %v", name, s, err)
		}
		if f.calls() != "3ds/continue.do 3ds/continue.do decline.do getOrderStatusExtended.do" {
			t.Errorf("%s: called %s", name, f.calls())
		}
	}
	p := registered(t)
	p.Ref = p.Ref.With("threeDSServerTransID", transID2).With("run", "soft_decline")
	again := providers.Answer{Kind: providers.MethodDone, Card: &c}
	f := newFake(t).on("paymentorder.do", same).on("decline.do", answer(t, "bpc_decline_ok.json")).on("getOrderStatusExtended.do", paid)
	if s, err := f.open().Resume(t.Context(), p, again); err != nil || s.Kind != providers.Wait {
		t.Errorf("paid all the same: %+v %v", s, err)
	}
	f = newFake(t).on("paymentorder.do", same).on("decline.do", `{"errorCode":"5"}`)
	if s, err := f.open().Resume(t.Context(), p, again); err == nil {
		t.Errorf("not closed: %+v", s)
	}
}

// What the browser brings leads to the one call that is waited for, or to none.
func TestResume(t *testing.T) {
	finish := func(kv ...string) func(p *providers.Payment) {
		return func(p *providers.Payment) {
			for i := 0; i < len(kv); i += 2 {
				p.Ref = p.Ref.With(kv[i], kv[i+1])
			}
		}
	}
	for _, tt := range []struct {
		name  string
		more  func(*providers.Payment)
		in    providers.Answer
		kind  providers.Kind // "" is an error
		calls string
	}{
		{"CRes to our finish URL", finish("threeDSServerTransID", transID, "expect", "cres"), providers.Answer{Kind: providers.Challenged, CRes: "x"}, providers.Finished, "finish3dsVer2Payment.do"},
		{"finish URL without a CRes", finish("threeDSServerTransID", transID, "expect", "cres"), providers.Answer{Kind: providers.Returned}, providers.Finished, "finish3dsVer2Payment.do"},
		{"finish URL, id never known", finish("expect", "cres"), providers.Answer{Kind: providers.Challenged}, "", ""},
		{"back from the gateway that finished", finish("expect", "nothing"), providers.Answer{Kind: providers.Returned, Fields: map[string]string{"orderId": mdOrder}}, providers.Finished, ""},
		{"a CRes where the gateway finishes", finish("expect", "nothing"), providers.Answer{Kind: providers.Challenged, CRes: "x"}, providers.Wait, ""},
		{"PaRes to our TermUrl", finish("expect", "pares"), providers.Answer{Kind: providers.PayerAuth, PaRes: "x"}, providers.Finished, "finish3dsPayment.do"},
		{"our TermUrl without a PaRes", finish("expect", "pares"), providers.Answer{Kind: providers.Returned}, providers.Wait, ""},
		{"a PaRes where the gateway finishes", finish("expect", "nothing"), providers.Answer{Kind: providers.PayerAuth, PaRes: "x"}, providers.Wait, ""},
		{"a Method after its challenge began", finish("threeDSServerTransID", transID, "expect", "cres"), providers.Answer{Kind: providers.MethodDone}, providers.Wait, ""},
		{"a card nobody asked for", finish("threeDSServerTransID", transID), providers.Answer{Kind: providers.CardAgain}, "", ""},
		{"an answer of a kind to come", nil, providers.Answer{Kind: "voice"}, providers.Wait, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t).on("finish3dsVer2Payment.do", answer(t, "bpc_finish3dsVer2Payment_ok.json")).on("finish3dsPayment.do", answer(t, "alfa_finish3dsPayment_ok.json"))
			p := registered(t)
			if tt.more != nil {
				tt.more(&p)
			}
			s, err := f.open().Resume(t.Context(), p, tt.in)
			if (err != nil) != (tt.kind == "") || s.Kind != tt.kind || f.calls() != tt.calls {
				t.Errorf("got %s, %v, called %q; want %s, %q", s.Kind, err, f.calls(), tt.kind, tt.calls)
			}
		})
	}
}

func TestOnlyCards(t *testing.T) {
	_, err := newFake(t).open().Pay(t.Context(), registered(t), providers.Instrument{Kind: "qr"}, browser)
	if _, ok := errors.AsType[*providers.Refusal](err); !ok {
		t.Errorf("a QR payment: %v", err)
	}
	p := payment(t)
	if _, err := pay(t, newFake(t).open(), p); err == nil {
		t.Error("a card went out for an order that the gateway does not know")
	}
}

// The JSON dialect of a sister product has the same ideas under other names: an answer of it is no step.
func TestAnswersInTheDialectOfTheSisterProductAreNoStep(t *testing.T) {
	for _, name := range []string{"ecom_paymentOrder_200_requested3ds2Challenge.json", "ecom_finish3dsMethod_200_requested3ds2Challenge.json",
		"ecom_paymentOrderBinding_200_requested3ds2Challenge.json"} {
		s, err := pay(t, newFake(t).on("paymentorder.do", answer(t, name)).open(), registered(t))
		noStep(t, name, s, err)
	}
}
