package sber

import "tollgate/providers"

var _ providers.Leaver = (*provider)(nil)

// stopFinish is where start has answered and payment/finish or transfer/finish was not sent: only that call moves money.
var stopFinish = providers.Stop{Name: "PaReq and info, before `payment/finish` or `transfer/finish`", Withholdable: true}

// Stops is the one step at which the shopper is awaited.
func (g *provider) Stops() []providers.Stop { return []providers.Stop{stopFinish} }
