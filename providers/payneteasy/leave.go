package payneteasy

import "tollgate/providers"

var _ providers.Leaver = (*provider)(nil)

// stopPaReq: the gateway gets the PaRes from nobody but us.
var stopPaReq = providers.Stop{Name: "PaReqForm", Withholdable: true}

// Stops are all of them.
func (p *provider) Stops() []providers.Stop {
	return []providers.Stop{
		{Name: "MethodUrlFrame"},
		{Name: "MethodUrlFrame (`withhold_uploads = true`)", Withholdable: true},
		{Name: "CReqForm"},
		{Name: "CReqForm (`withhold_uploads = true`)", Withholdable: true},
		stopPaReq,
		{Name: "html"}, {Name: "redirect-to"}, {Name: "the gateway's own page"},
	}
}
