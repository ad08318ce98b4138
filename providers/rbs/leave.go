package rbs

import "tollgate/providers"

var _ providers.Leaver = (*provider)(nil)

// The stops. Before 3ds/continue.do, before finish3dsVer2Payment.do where the finish URL is ours, and before
// finish3dsPayment.do with a TermUrl of ours the gateway waits for that call. Elsewhere it finishes by itself; a saved card's
// paymentOrderBinding.do has no documented finish URL.
var (
	stopMethod     = providers.Stop{Name: "3DS Method, before `3ds/continue.do`", Withholdable: true}
	stopFinishURL  = providers.Stop{Name: "challenge, our finish URL (`three_ds2 = finish`)", Withholdable: true}
	stopSealed     = providers.Stop{Name: "card form of an order (`se_token`)", Withholdable: true}
	stopOwnTermURL = providers.Stop{Name: "PaReq, our TermUrl (`three_ds1 = own`)", Withholdable: true}
)

// Stops are all of them.
func (g *provider) Stops() []providers.Stop {
	return []providers.Stop{
		stopMethod, stopFinishURL,
		{Name: "challenge of a saved card"},
		{Name: "challenge, the gateway finishes (`three_ds2 = gateway`)"},
		stopOwnTermURL,
		{Name: "PaReq, the gateway's TermUrl (`three_ds1 = gateway`)"},
		{Name: "acsRedirect.do (`three_ds1 = redirect`)"},
		{Name: "the gateway's own page"},
		stopSealed,
	}
}
