package rbs

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/wire"
)

// Checksum signs a callback as a gateway does: written apart from the code that checks it.
func Checksum(key string, v url.Values) string {
	var pairs []string
	for name := range v {
		if name != "checksum" && name != "sign_alias" {
			pairs = append(pairs, name+";"+v.Get(name)+";")
		}
	}
	slices.Sort(pairs)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(strings.Join(pairs, "")))
	return strings.ToUpper(hex.EncodeToString(mac.Sum(nil)))
}

func seeds(f *testing.F) (out [][]byte) {
	names, err := filepath.Glob("testdata/answers/*.json")
	if err != nil || len(names) == 0 {
		f.Fatal("no answers to start from")
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// Whatever a gateway answers, the reader neither breaks nor says more than the answer does.
func FuzzAnswer(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	eur, err := money.ParseCurrency("EUR")
	if err != nil {
		f.Fatal(err)
	}
	g := &provider{threeDS1: ThreeDS1Gateway, threeDS2: ThreeDS2Finish, languages: []string{"en"}}
	p := providers.Payment{Ref: providers.Ref{Reference: "A-1", OrderID: "o-1"}, Amount: money.Amount{Minor: 2000, Currency: eur}}
	f.Fuzz(func(t *testing.T, body []byte) {
		members, err := wire.Decode(body)
		if err != nil {
			return
		}
		o := object{Members: members, Hide: []string{"4000001111111118"}}
		if code, refused := refused(o); refused && (code == "" || len(code) > 16) {
			t.Fatalf("refused with code %q", code)
		}
		st, err := standing(p, o)
		if err == nil {
			switch st.Outcome {
			case providers.Paid, providers.Authorized:
				if s := o.Text("orderStatus"); strings.Trim(s, "0124") != "" {
					t.Fatalf("orderStatus %q is %s", s, st.Outcome)
				}
			case providers.Refused:
				if strings.TrimLeft(o.Text("orderStatus"), "0") != "6" || st.Decline == nil {
					t.Fatalf("orderStatus %q is %s %v", o.Text("orderStatus"), st.Outcome, st.Decline)
				}
			case "":
				t.Fatal("no outcome")
			}
			if st.Captured < 0 || st.Refunded < 0 || st.Held < 0 || st.Amount.Minor < 0 {
				t.Fatalf("negative sums: %+v", st)
			}
		}
		if isDecline(o) && o.Text("acsUrl", "acsURL") == "" && methodServer(o) == "" {
			return // would ask the gateway
		}
		s, err := g.step(t.Context(), p, opPay, o)
		if err != nil {
			return
		}
		for _, form := range s.Forms {
			if u, err := url.Parse(form.Action); err != nil || u.Scheme != "https" || u.Host == "" {
				t.Fatalf("a form goes to %q", form.Action)
			}
		}
		if !slices.Contains([]providers.Kind{providers.Method, providers.Challenge, providers.PayerPage, providers.Finished}, s.Kind) {
			t.Fatalf("step %s", s.Kind)
		}
		if w := o.Words("errorMessage"); !utf8.ValidString(w) || len([]rune(w)) > 5*wire.MaxWords || strings.Contains(w, "4000001111111118") {
			t.Fatalf("words %q", w)
		}
	})
}

// No callback without the key's checksum is taken, and none breaks the reader.
func FuzzCallback(f *testing.F) {
	f.Add("GET", "mdOrder=a&operation=deposited&orderNumber=1&status=1&checksum=AA", "")
	f.Add("POST", "", "mdOrder=a&checksum=EAF2FB72CAB99FD5067F4BA493DD84F4D79C1589FDE8ED29622F0F07215AA972")
	g := &provider{secret: providers.NewSecret("a key that nobody guesses")}
	f.Fuzz(func(t *testing.T, method, query, body string) {
		r := httptest.NewRequest(http.MethodPost, "/callbacks/rbs", strings.NewReader(body))
		r.Method, r.URL.RawQuery = method, query
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if n, err := g.Notified(r); err != providers.ErrForged || n != (providers.Notice{}) {
			t.Fatalf("taken: %+v, %v", n, err)
		}
		if method != http.MethodGet {
			return
		}
		// The same with a good checksum is taken, whatever else is in it, unless it is ambiguous.
		v, err := url.ParseQuery(query)
		if err != nil || len(query) > maxCallback/2 || len(v) > maxParams/2 {
			return
		}
		for name, values := range v {
			if len(values) != 1 || strings.Contains(name, ";") {
				return
			}
		}
		v.Del("checksum")
		sum := Checksum("a key that nobody guesses", v)
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		if slices.ContainsFunc(names, func(n string) bool { return strings.ContainsFunc(n, func(r rune) bool { return r < ';' }) }) {
			return // sorting "name;value;" and sorting names differ there
		}
		v.Set("checksum", sum)
		r = httptest.NewRequest(http.MethodGet, "/callbacks/rbs", nil)
		r.URL.RawQuery = v.Encode()
		if _, err := g.Notified(r); err != nil && len(r.URL.RawQuery) <= maxCallback {
			t.Fatalf("%q refused: %v", r.URL.RawQuery, err)
		}
	})
}

// Every answer that is known of this family of gateways, of all its calls: whether the gateway handled the request, and
// if not, its code. The list is kept whole: a file that it does not name fails.
func TestEveryKnownAnswer(t *testing.T) {
	want := map[string]string{}
	for code, names := range map[string][]string{
		"ok": {
			"alfa_finish3dsPayment_ok", "alfa_getBindings_ok", "alfa_getReceiptStatus_ok", "alfa_sbp_getBindings_ok",
			"alfa_sbp_qr_reject_ok", "alfa_template_create_ok", "alfa_template_details_ok", "alfa_template_update_ok",
			"bpc_applepay_direct_ok", "bpc_continue_fail_ares", "bpc_continue_fail_authorization", "bpc_continue_frictionless",
			"bpc_createBindingNoPayment_ok", "bpc_decline_ok", "bpc_extendBinding_ok", "bpc_finish3dsVer2Payment_ok",
			"bpc_industry_practice_ok", "bpc_installmentPayment_ok", "bpc_instantRefund_ok_status_failed", "bpc_paymentorder_challenge",
			"bpc_recurrentPayment_ok", "bpc_recurring_task_create_ok", "bpc_recurring_task_info_ok", "bpc_recurring_task_modify_ok",
			"bpc_recurring_tasks_terminate_ok", "bpc_register_ok", "bpc_reverse_ok", "bpc_samsungpay_ok", "bpc_tokenized_payment_ok",
			"constructed_status_3_reversed", "constructed_status_4_refunded_with_refunds", "constructed_status_5_acs",
			"ecom_bindCard_200_success", "ecom_finish3dsMethod_200_finished", "ecom_finish3dsMethod_200_requested3ds2Challenge",
			"ecom_getBindingsByCardOrId_200_success", "ecom_getBindings_200_success", "ecom_getReceiptStatus_200_successfulReceipt",
			"ecom_paymentDirectMirPay_200_success", "ecom_paymentOrderBinding_200_finished",
			"ecom_paymentOrderBinding_200_requested3ds1Challenge", "ecom_paymentOrderBinding_200_requested3ds2Challenge",
			"ecom_paymentOrder_200_requested3ds2Challenge", "ecom_recurrentPayment_200_success", "ecom_register_200_orderSberQR",
			"ecom_reverse_200_success", "ecom_unbindCard_200_success", "mock_alewon_status_2_partial_refund", "mock_laravel_status_2",
			"mock_ok_number_empty_message", "omnipay_BindCardRequestSuccess", "omnipay_ExtendedBindCardRequestSuccess",
			"omnipay_GetBindingsRequestSuccess", "omnipay_OrderStatusRequestSuccess", "omnipay_Purchase3dsRequestSuccess",
			"omnipay_PurchaseSslRequestSuccess", "omnipay_RefundRequestSuccess", "omnipay_VerifyEnrollmentRequestSuccess",
			"omnipay_VoidRequestSuccess", "rec_credibanco_min_status_2", "rec_getOrderStatus_old_caps", "rec_sdk_finished_info_approved",
			"rec_sdk_processform_ssl_ok", "rec_status_6_expired_no_attempt", "seed_finish3dsVer2Payment_ok",
			"seed_paymentOrderBinding_ok", "seed_paymentorder_3ds1", "seed_paymentorder_3ds2_method", "seed_registerPreAuth_ok",
			"seed_register_autopayment_ok", "seed_status_1_held_binding", "seed_status_2_deposited_binding",
		},
		"1": {
			"alfa_register_err_duplicate", "bpc_applepay_direct_err", "bpc_register_err_duplicate_order_number",
			"omnipay_AuthorizeRequestError",
		},
		"2": {
			"alfa_sbp_unBind_ok_code2", "bpc_bindCard_err_active", "bpc_unBindCard_err_inactive", "omnipay_GetBindingsRequestError",
		},
		"3": {
			"omnipay_ExtendedOrderStatusRequestError",
		},
		"5": {
			"bpc_industry_practice_declined", "bpc_industry_practice_err", "bpc_paymentOrderBinding_err", "ecom_decline_200_error",
			"ecom_deposit_200_error", "ecom_finish3dsMethod_200_error", "ecom_getBindingsByCardOrId_200_error",
			"ecom_getBindings_200_error", "ecom_getOrderStatusExtended_200_error", "ecom_paymentOrderBySubscription_200_error",
			"ecom_paymentOrder_200_error", "ecom_paymentSberPay_200_error", "ecom_recurrentPayment_200_error",
			"ecom_registerPreAuth_200_error", "ecom_reverse_200_error", "mock_error_string", "omnipay_BindCardRequestError",
			"omnipay_ExtendedBindCardRequestError", "omnipay_PurchaseRequestError", "omnipay_VerifyEnrollmentRequestError",
		},
		"6": {
			"omnipay_CaptureRequestError", "rec_status_not_found",
		},
		"10": {
			"bpc_recurrentPayment_err",
		},
		"20": {
			"mock_laravel_register_err_with_url",
		},
	} {
		for _, n := range names {
			want[n] = code
		}
	}
	files, err := filepath.Glob("testdata/answers/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(want) {
		t.Errorf("%d files, %d names", len(files), len(want))
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		members, err := wire.Decode(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		code, refused := refused(object{Members: members})
		if !refused {
			code = "ok"
		}
		if code != want[name] {
			t.Errorf("%s %s, want %q", name, code, want[name])
		}
	}
}
