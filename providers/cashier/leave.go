package cashier

import "tollgate/providers"

var _ providers.Leaver = (*provider)(nil)

// Stops are all of them. The gateway has what it needs before the shopper is awaited, and nothing closes an order.
func (g *provider) Stops() []providers.Stop {
	return []providers.Stop{
		{Name: "form for 3-D Secure (PRE_AUTHORIZED_3DS)"}, {Name: "hosted form"}, {Name: "QR code"}, {Name: "SberPay"},
	}
}
