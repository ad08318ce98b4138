package transactworld

import (
	"strconv"
	"sync"
	"time"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/ledger"
	"tollgate/internal/sandbox/sim"
)

// books are what the gateway keeps: payments, registrations, invoices, how they are found, and whose they are. One lock orders
// all changes.
type books struct {
	env      *sim.Env
	accounts []*Account

	mu            sync.Mutex
	payments      *sim.Records[string, payment] // by paymentId
	registrations *sim.Records[string, registration]
	invoices      *sim.Records[string, invoice]
	references    map[[2]string]string // member and merchantTransactionId to paymentId
	tokens        map[string]string    // page token to paymentId
	bills         map[[2]string]string // member and merchantInvoiceId to invoice id
	lastPayment   int64
	lastInvoice   int64
}

func (g *books) clear() {
	g.references, g.tokens, g.bills = map[[2]string]string{}, map[string]string{}, map[[2]string]string{}
	g.lastPayment, g.lastInvoice = firstPayment-1, firstInvoice-1
}

func (g *books) now() time.Time { return g.env.Now() }

func (g *books) stamp() string { return g.now().UTC().Format("2006-01-02 15:04:05") }

func (g *books) url(path string) string { return g.env.BaseURL + "/" + gatewayName + path }

// random is n characters; the alphabet has 64, so that none is likelier than another but for 0 and 1.
func (g *books) random(n int) string {
	b := g.env.Random(n)
	for i := range b {
		b[i] = alphabet[b[i]%64]
	}
	return string(b)
}

// onSave is called with every new state of a payment.
func (g *books) onSave(_, p *payment) {
	if p.Reference != "" {
		g.references[[2]string{p.Member, p.Reference}] = p.ID
	}
	g.tokens[p.Token] = p.ID
	if n, err := strconv.ParseInt(p.ID, 10, 64); err == nil {
		g.lastPayment = max(g.lastPayment, n)
	}
	g.env.Ledger.Put(ledger.Entry{
		Gateway: gatewayName, Reference: p.Reference, GatewayOrderID: p.ID, Currency: p.Currency, Charges: p.Charges,
		Amount: amount.FromHundredths(p.Amount, p.Currency), Authorized: amount.FromHundredths(p.Held, p.Currency),
		Captured: amount.FromHundredths(p.Captured, p.Currency),
		Refunded: amount.FromHundredths(p.Refunded+p.PaidOut, p.Currency), // what a payout sent counts as given
	})
}

func (g *books) save(p *payment) *fault {
	if g.payments.Save(p) != nil {
		return errSystem
	}
	return nil
}

func (g *books) onSaveInvoice(_, v *invoice) {
	g.bills[[2]string{v.Member, v.Reference}] = v.ID
	if n, err := strconv.ParseInt(v.ID, 10, 64); err == nil {
		g.lastInvoice = max(g.lastInvoice, n)
	}
}

func (g *books) accountOf(p *payment) *Account {
	for _, a := range g.accounts {
		if a.MemberID == p.Member {
			return a
		}
	}
	return &Account{MemberID: p.Member}
}

func (g *books) saveInvoice(v *invoice) *fault {
	if g.invoices.Save(v) != nil {
		return errSystem
	}
	return nil
}

func (g *books) saveRegistration(r *registration) *fault {
	if g.registrations.Save(r) != nil {
		return errSystem
	}
	return nil
}
