package providers

// Capabilities names what a provider can do, found by type assertion; the order is fixed.
func Capabilities(p Provider) []string {
	var all []string
	for _, i := range Instruments(p) {
		all = append(all, "pay_"+i)
	}
	if wallet, ok := p.(GooglePayer); ok && wallet.TakesGooglePay() {
		all = append(all, "google_pay")
	}
	if _, ok := p.(Closer); ok {
		all = append(all, "close")
	}
	if _, ok := p.(Notifier); ok {
		all = append(all, "callbacks")
	}
	if o, ok := p.(Operator); ok {
		for _, k := range o.Kinds() {
			all = append(all, string(k.Kind))
		}
	}
	if t, ok := p.(CartTaker); ok && t.Carts().Sent {
		all = append(all, "carts")
		if t.Carts().Receipts {
			all = append(all, "receipts")
		}
	}
	if sealer, ok := p.(CardSealer); ok && sealer.SealsCards() {
		all = append(all, "sealed_cards")
	}
	if _, ok := p.(Login); ok {
		all = append(all, "login")
	}
	if _, ok := p.(CardKeeper); ok {
		all = append(all, "saved_cards")
	}
	if _, ok := p.(CardChecker); ok {
		all = append(all, "check_card")
	}
	if k, ok := p.(SeriesKeeper); ok && k.KeepsSeries() {
		all = append(all, "series")
	}
	if _, ok := p.(CardRegistrar); ok {
		all = append(all, "register_card")
	}
	if _, ok := p.(CardRenamer); ok {
		all = append(all, "rename_card")
	}
	if _, ok := p.(VirtualCardIssuer); ok {
		all = append(all, "virtual_cards")
	}
	if _, ok := p.(Transferrer); ok {
		all = append(all, "transfers")
	}
	if _, ok := p.(Payer); ok {
		all = append(all, "payouts")
	}
	if _, ok := p.(Invoicer); ok {
		all = append(all, "invoices")
	}
	if _, ok := p.(Historian); ok {
		all = append(all, "history")
	}
	if _, ok := p.(BankLister); ok {
		all = append(all, "banks")
	}
	return all
}
