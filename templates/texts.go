package templates

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
)

// declineTexts is the vocabulary of declines and what the shopper reads. It says what to do next, not which check failed
// where that would help somebody who tries stolen cards.
var declineTexts = map[string]string{
	"insufficient_funds":    "decline_insufficient_funds",
	"expired_card":          "decline_expired_card",
	"wrong_cvc":             "decline_wrong_cvc",
	"do_not_honor":          "decline_do_not_honor",
	"authentication_failed": "decline_authentication_failed",
	"limit":                 "decline_limit",
	"fraud":                 "decline_fraud",
	"card_not_supported":    "decline_card_not_supported",
	"try_again_later":       "decline_try_again_later",
	"misconfigured":         "decline_misconfigured",
	"other":                 "decline_other",
}

// DeclineReasons are the reasons that have words of their own, in order.
func DeclineReasons() []string { return slices.Sorted(maps.Keys(declineTexts)) }

func declineText(reason string) string {
	if id, ok := declineTexts[reason]; ok {
		return id
	}
	return declineTexts["other"]
}

var cardErrorTexts = map[CardError]string{
	NumberMissing:     "error_number_missing",
	NumberInvalid:     "error_number_invalid",
	NumberUnsupported: "error_number_unsupported",
	NumberDifferent:   "error_number_different",
	ExpiryMissing:     "error_expiry_missing",
	ExpiryInvalid:     "error_expiry_invalid",
	ExpiryPast:        "error_expiry_past",
	CVCMissing:        "error_cvc_missing",
	CVCInvalid:        "error_cvc_invalid",
	NameMissing:       "error_name_missing",
	NameInvalid:       "error_name_invalid",
	ToMissing:         "error_to_missing",
	ToInvalid:         "error_to_invalid",
	ToSame:            "error_to_same",
}

var loginErrorTexts = map[LoginError]string{
	LoginStale:   "error_login_stale",
	PhoneMissing: "error_phone_missing",
	PhoneInvalid: "error_phone_invalid",
	PhoneUnknown: "error_phone_unknown",
	PhoneOther:   "error_phone_other",
	PhoneMany:    "error_phone_many",
	PhoneDown:    "error_login_down",
	CodeMissing:  "error_code_missing",
	CodeWrong:    "error_code_wrong",
	CodeExpired:  "error_code_expired",
	CodeUsedUp:   "error_code_used_up",
	CodeDown:     "error_login_down",
}

// transferTexts are the texts that a transfer has words of its own for.
var transferTexts = map[string]string{
	"card_title":                    "transfer_title",
	"card_not_charged":              "transfer_not_charged",
	"number":                        "transfer_number",
	"pay":                           "transfer",
	"pay_amount":                    "transfer_amount",
	"saved_title":                   "transfer_saved_title",
	"decline_do_not_honor":          "transfer_do_not_honor",
	"decline_authentication_failed": "transfer_authentication_failed",
	"decline_limit":                 "transfer_limit",
	"decline_fraud":                 "transfer_fraud",
	"decline_card_not_supported":    "transfer_card_not_supported",
	"decline_other":                 "transfer_other",
	"bank_title":                    "transfer_bank_title",
	"bank_text":                     "transfer_bank_text",
	"wait_processing":               "transfer_processing",
	"wait_processing_text":          "transfer_processing_text",
	"wait_checking":                 "transfer_checking",
	"wait_checking_text":            "transfer_checking_text",
	"result_paid":                   "transfer_paid",
	"result_paid_text":              "transfer_paid_text",
	"result_declined":               "transfer_declined",
	"result_declined_text":          "transfer_declined_text",
	"result_cancelled":              "transfer_cancelled",
	"result_expired":                "transfer_expired",
	"result_expired_text":           "transfer_expired_text",
	"result_refunded_text":          "transfer_refunded_text",
	"result_voided":                 "transfer_voided",
	"result_voided_text":            "transfer_voided_text",
	"result_over":                   "transfer_over",
	"exit_other":                    "transfer_exit_other",
	"exit_until":                    "transfer_exit_until",
}

// words is the id of a text as this payment's pages say it.
func (l Layout) words(id string) string {
	if own, ok := transferTexts[id]; ok && l.Transfer != nil {
		return own
	}
	return id
}

type outcomeTexts struct{ title, text, mark string }

var outcomes = map[Outcome]outcomeTexts{
	OutcomePaid:       {"result_paid", "result_paid_text", "good"},
	OutcomePartly:     {"result_partly_refunded", "result_partly_refunded_text", "back"},
	OutcomeAuthorized: {"result_authorized", "result_authorized_text", "good"},
	OutcomeDeclined:   {"result_declined", "result_declined_text", "bad"},
	OutcomeCancelled:  {"result_cancelled", "result_cancelled_text", "closed"},
	OutcomeExpired:    {"result_expired", "result_expired_text", "time"},
	OutcomeRefunded:   {"result_refunded", "result_refunded_text", "back"},
	OutcomeVoided:     {"result_voided", "result_voided_text", "closed"},
	OutcomeOver:       {"result_over", "result_over_text", "closed"},

	OutcomeUnavailable: {"result_unavailable", "result_unavailable_text", "bad"},
}

// An outcome that is not known here reads as neither success nor failure.
func (p ResultPage) texts() outcomeTexts {
	if t, ok := outcomes[p.Outcome]; ok {
		return t
	}
	return outcomeTexts{"result_over", "result_over_text", "closed"}
}

// webURL lets addresses of the web and paths through. templ would let mailto:, tel: and ftp: pass too, and does nothing
// for attributes that it does not know to be addresses.
func webURL(s string) templ.SafeURL {
	scheme, _, found := strings.Cut(s, ":")
	if found && !strings.ContainsAny(scheme, "/?#") && !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return templ.FailedSanitizationURL
	}
	return templ.SafeURL(s)
}

// appURL also lets the schemes of banks' apps through, but none that runs or shows what the address itself carries.
func appURL(s string) templ.SafeURL {
	scheme, _, found := strings.Cut(s, ":")
	for _, r := range scheme {
		if found && !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+-.", r)) {
			return templ.FailedSanitizationURL
		}
	}
	switch strings.ToLower(scheme) {
	case "javascript", "data", "vbscript", "blob", "file", "about", "filesystem", "view-source":
		return templ.FailedSanitizationURL
	}
	return templ.SafeURL(s)
}

func pngData(b []byte) string {
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b)
}

func or(n, standard int) int {
	if n > 0 {
		return n
	}
	return standard
}

// refresh is the content of a meta refresh. A semicolon or quote in the address cannot end it: browsers read to the end of
// an unquoted address.
func refresh(seconds int, url string) string {
	s := strconv.Itoa(seconds)
	if url != "" {
		s += ";url=" + string(webURL(url))
	}
	return s
}

func (p CardPage) notice() string {
	if notice := noticeText(p.Decline, p.NotCharged); notice != "" || !p.Stale {
		return notice
	}
	return "card_stale"
}

// noticeText says how the attempt before ended; "" where there was none.
func noticeText(decline string, notCharged bool) string {
	switch {
	case decline != "":
		return declineText(decline)
	case notCharged:
		return "card_not_charged"
	}
	return ""
}

// title is what a screen reader says first.
func title(l Layout, id string) string {
	t := l.T.T(l.words(id))
	if l.MerchantName != "" {
		t += " · " + l.shop()
	}
	return t
}

func (p StartPage) heading() string {
	if len(p.Choice.Ways) > 0 {
		return "ways_title"
	}
	if p.Hosted {
		return "start_hosted_title"
	}
	return "scan_title"
}

// label is what a way to pay is called in the list.
func (w Way) label(l Layout) string {
	switch w.ID {
	case "card":
		return l.T.T(l.words("card_title"))
	case "qr":
		return l.T.T("way_qr")
	case "sberpay":
		return "SberPay"
	}
	return l.T.T("way_hosted")
}

func (p StartPage) text() string {
	if p.Hosted {
		return "start_hosted_text"
	}
	return "start_app_text"
}
