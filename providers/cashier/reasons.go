package cashier

import (
	"cmp"
	"strings"

	"tollgate/providers"
)

// decline maps a refusal to a Decline. The gateway's list of codes is not public: only unambiguous words are read.
func decline(o order) *providers.Decline {
	d := &providers.Decline{Reason: providers.OtherReason, Code: o.errCode, Message: o.errText}
	text := strings.ToLower(strings.ReplaceAll(o.errCode+" "+o.errText, "_", " "))
	for _, w := range declineWords {
		for _, word := range w.words {
			if strings.Contains(text, word) {
				d.Reason = w.reason
				return d
			}
		}
	}
	return d
}

// authorization is what the order shows of it, or what the answer to authorize did.
func (o order) authorization(ref providers.Ref) providers.Authorization {
	return providers.Authorization{
		ApprovalCode: cmp.Or(providers.Fact(o.authCode), ref.More[moreAuthCode]), RRN: cmp.Or(providers.Fact(o.rrn), ref.More[moreRRN]),
		CardExpiry: providers.YearMonth(o.expiry),
	}
}

// conversion adds what the order says of its two sums: orderAmount is the merchant's, paymentAmount the customer's. Of one currency
// they differ by the fee alone; of two, rate and fee are not told apart.
func (g *orders) conversion(a providers.Authorization, o order) providers.Authorization {
	if o.orderAmount == nil || o.paymentAmount == nil || o.orderCurrency == "" || *o.orderAmount <= 0 || *o.paymentAmount <= 0 {
		return a
	}
	taken := cmp.Or(o.payCurrency, g.payCurrency)
	if taken == o.orderCurrency && *o.paymentAmount >= *o.orderAmount {
		a.GatewayFee = *o.paymentAmount - *o.orderAmount
	}
	a.TakenAmount, a.TakenCurrency = *o.paymentAmount, providers.Fact(taken)
	a.CreditedAmount, a.CreditedCurrency = *o.orderAmount, providers.Fact(o.orderCurrency)
	return a
}

// refusal is the Decline of a request that was rejected.
func (r reply) refusal(op string) *providers.Decline {
	f := r.plainFailure(op, r.status)
	return decline(order{errCode: f.Code, errText: f.Text})
}

// declineWords are ordered from the most to the least specific; the first match counts.
var declineWords = []struct {
	reason providers.Reason
	words  []string
}{
	{providers.InsufficientFunds, []string{"insufficient", "not sufficient", "not enough", "недостаточно"}},
	{providers.ExpiredCard, []string{"expired card", "card expired", "card is expired", "срок действия карты"}},
	{providers.WrongCVC, []string{"cvv", "cvc", "security code"}},
	{providers.AuthenticationFailed, []string{"3ds", "3-d secure", "3d secure", "not authenticated", "authentication failed"}},
	{providers.Limit, []string{"limit exceeded", "exceeds limit", "over limit", "лимит"}},
	{providers.Fraud, []string{"fraud", "stolen", "lost card", "blacklist"}},
	{providers.DoNotHonor, []string{"do not hono"}},
	{providers.CardNotSupported, []string{"not permitted", "not supported", "restricted card", "card not found"}},
	{providers.TryAgainLater, []string{"try again later", "temporarily", "issuer unavailable"}},
}
