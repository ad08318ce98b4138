package providers

// Exit says by what proof a payment can be left while the shopper or the bank is awaited.
type Exit string

// The exits.
const (
	Closes    Exit = "closes"    // the order is made unpayable at the gateway, and is then still unpaid (Closer)
	Withholds Exit = "withholds" // the permission for the one call without which no money moves is used up, and nothing is sent
	Outlives  Exit = "outlives"  // neither: the bank may still take it until the gateway's own end
)

// Stop is a step at which a payment can wait for the shopper, for the table of exits.
type Stop struct {
	Name         string // in Markdown: what the gateway calls it, and the account's setting where it depends on one
	Withholdable bool   // as in Step
}

// Leaver lists the steps at which a gateway's payments wait for the shopper, those of all settings of an account.
type Leaver interface {
	Stops() []Stop
}

// Exits are the ways to leave a payment at a stop, the better proof first.
func (s Stop) Exits(closes bool) []Exit {
	var all []Exit
	if s.Withholdable {
		all = append(all, Withholds)
	}
	if closes {
		all = append(all, Closes)
	}
	if len(all) == 0 {
		all = append(all, Outlives)
	}
	return all
}
