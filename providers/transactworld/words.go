package transactworld

import (
	"strings"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/wire"
)

const reversed = "reversed"

// meaning is what a long status says of a payment, taken at once (db) or held first (pa). The short status beside it must be
// one of shorts; none are listed where the platform may write any.
type meaning struct {
	db, pa providers.Outcome
	shorts string
}

// longStatus are the platform's words in lower case and without blanks; docs/gateways/transactworld.md shows the table.
// Payouts have words of their own, which say nothing of a payment.
var longStatus = map[string]meaning{
	"begun":             {providers.Waiting, providers.Waiting, "P 3D"},
	"authstarted":       {providers.Processing, providers.Processing, "P 3D"},
	"3dauthstarted":     {providers.Waiting, providers.Waiting, "P 3D"},
	"authsuccessful":    {providers.Processing, providers.Authorized, "Y"}, // a debit's capture is still to come
	"authfailed":        {providers.Refused, providers.Refused, "N"},
	"authcancelled":     {providers.Refused, providers.Voided, ""},
	"cancelstarted":     {providers.Processing, providers.Authorized, ""},
	"cancelled":         {providers.Refused, providers.Voided, ""},
	"capturestarted":    {providers.Processing, providers.Authorized, "P Y"},
	"capturesuccess":    {providers.Paid, providers.Paid, "Y"},
	"capturefailed":     {providers.HoldLeft, providers.Authorized, "N"},
	"settled":           {providers.Paid, providers.Paid, "Y"},
	"markedforreversal": {providers.Paid, providers.Paid, ""},
	reversed:            {providers.Paid, providers.Paid, ""},
	"chargeback":        {providers.Paid, providers.Paid, ""},
	"failed":            {providers.Refused, providers.Refused, "N"},
}

// outcome reads both statuses; where they contradict each other, or one is not known, the gateway is unclear.
func outcome(a answer, hold, redirected bool) providers.Outcome {
	short, long := a.statuses()
	switch short {
	case "", "Y", "N", "P", "3D", "C":
	default:
		return providers.Unclear
	}
	if long == "" {
		switch short {
		case "Y":
			if hold {
				return providers.Authorized
			}
			return providers.Paid
		case "N":
			return providers.Refused
		case "3D":
			return providers.Waiting
		case "C":
			long = "cancelled"
		case "P":
			long = "authstarted"
		default:
			return providers.Unclear
		}
	}
	m, known := longStatus[long]
	if !known || short != "" && m.shorts != "" && !strings.Contains(" "+m.shorts+" ", " "+short+" ") {
		return providers.Unclear
	}
	out := m.db
	if hold {
		out = m.pa
	}
	if long == "authstarted" && (redirected || short == "3D") {
		return providers.Waiting
	}
	return out
}

type verdict int

const (
	unclear verdict = iota
	fine
	refused
	pending
)

// paymentVerdict is what the answer to a payment says of it.
func paymentVerdict(a answer, hold bool) verdict {
	short, _ := a.statuses()
	switch outcome(a, hold, false) {
	case providers.Paid, providers.Authorized:
		return fine
	case providers.Refused:
		if short == "N" { // in so many words
			return refused
		}
	case providers.Waiting, providers.Processing:
		return pending
	}
	return unclear
}

// isDuplicate tells whether a refusal is about an earlier payment with our number: that one may have gone well.
func isDuplicate(a answer) bool {
	said := strings.ToLower(a.text("result", "description") + " " + a.text("remark"))
	return wire.ContainsAny(said, "duplicate", "already", "exist", "unique", "in progress", "being processed")
}

// repeatsNumber tells whether a request was refused because our number was used before.
func repeatsNumber(a answer) bool {
	said := strings.ToLower(a.text("result", "description") + " " + a.text("remark"))
	return wire.ContainsAny(said, "duplicate", "already", "exists", "unique") &&
		wire.ContainsAny(said, "transaction", "merchanttransactionid", "order") && !wire.ContainsAny(said, "in progress", "being processed")
}

// decline puts a refusal into our words. result.code is too coarse (10001: failed); the bank's own code tells more where it
// is there, then words that leave no doubt.
func (a answer) decline(code card.Code) *providers.Decline {
	bank := a.text("result", "bankCode")
	d := &providers.Decline{Reason: providers.OtherReason, Code: a.code()}
	for _, words := range []string{a.text("remark"), a.text("result", "bankDescription"), a.text("result", "description")} {
		if words != "" && d.Message == "" {
			d.Message = clean(words, code)
		}
	}
	if r, ok := bankCodes[strings.ToUpper(bank)]; ok {
		d.Reason, d.Code = r, bank
		return d
	}
	said := strings.ToLower(a.text("remark") + " " + a.text("result", "bankDescription") + " " + a.text("result", "description"))
	for _, w := range declineWords {
		if wire.ContainsAny(said, w.words...) {
			d.Reason = w.reason
			break
		}
	}
	return d
}

// bankCodes are ISO 8583 response codes, as card schemes use them.
var bankCodes = map[string]providers.Reason{
	"05": providers.DoNotHonor, "5": providers.DoNotHonor, "51": providers.InsufficientFunds, "54": providers.ExpiredCard,
	"33": providers.ExpiredCard,
	"N7": providers.WrongCVC, "82": providers.WrongCVC, "61": providers.Limit, "65": providers.Limit,
	"34": providers.Fraud, "41": providers.Fraud, "43": providers.Fraud, "59": providers.Fraud,
	"14": providers.CardNotSupported, "57": providers.CardNotSupported, "62": providers.CardNotSupported,
	"91": providers.TryAgainLater, "96": providers.TryAgainLater,
}

// declineWords are ordered from the most to the least specific; the first match counts.
var declineWords = []struct {
	reason providers.Reason
	words  []string
}{
	{providers.InsufficientFunds, []string{"insufficient", "not sufficient", "not enough"}},
	{providers.ExpiredCard, []string{"expired card", "card expired", "card is expired"}},
	{providers.WrongCVC, []string{"cvv", "cvc", "security code"}},
	{providers.AuthenticationFailed, []string{"3-d secure", "3d secure", "3ds", "3d authentication", "authentication failed",
		"customer authentication", "not enrolled"}},
	{providers.Limit, []string{"limit exceeded", "exceeds limit", "exceeds amount limit"}},
	{providers.Fraud, []string{"fraud", "stolen", "lost card", "blacklist", "blocked"}},
	{providers.DoNotHonor, []string{"do not hono"}},
	{providers.CardNotSupported, []string{"not permitted", "not supported", "restricted card"}},
	{providers.TryAgainLater, []string{"try again later", "temporarily", "issuer unavailable"}},
}
