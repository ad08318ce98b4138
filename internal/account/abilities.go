package account

import (
	"time"

	"tollgate/providers"
)

// This file is the one place where an account is asked what its gateway can do. None of these questions calls the gateway.

// can tells whether an account's gateway has an ability.
func can[T any](a Account) bool {
	_, ok := a.provider.(T)
	return ok
}

// Closes tells whether an unpaid order can be made unpayable.
func (a Account) Closes() bool { return can[providers.Closer](a) }

// RecoversOrders tells whether the gateway's registration finds an order of ours again, whenever it was made.
func (a Account) RecoversOrders() bool { return can[providers.Recoverer](a) }

// Stops are the steps at which a payment can wait for the shopper, under all settings that an account may have.
func (a Account) Stops() []providers.Stop {
	if leaver, ok := a.provider.(providers.Leaver); ok {
		return leaver.Stops()
	}
	return nil
}

// Operations is what the gateway can do to a payment; empty where it can do nothing.
func (a Account) Operations() []providers.OpLimits {
	if operator, ok := a.provider.(providers.Operator); ok {
		return operator.Kinds()
	}
	return nil
}

// Converts is the currency in which the gateway takes payments, with its fee on top; "" where it takes them as they are.
func (a Account) Converts() string {
	if converter, ok := a.provider.(providers.Converter); ok {
		return converter.Converts()
	}
	return ""
}

// Carts is what the gateway does with what is bought.
func (a Account) Carts() providers.CartUse {
	if taker, ok := a.provider.(providers.CartTaker); ok {
		return taker.Carts()
	}
	return providers.CartUse{}
}

// SealsCards tells whether the shopper's browser encrypts the card for the gateway.
func (a Account) SealsCards() bool {
	sealer, ok := a.provider.(providers.CardSealer)
	return ok && sealer.SealsCards()
}

// TakesGooglePay tells whether the account pays with tokens of Google Pay.
func (a Account) TakesGooglePay() bool {
	wallet, ok := a.provider.(providers.GooglePayer)
	return ok && wallet.TakesGooglePay()
}

// CheckGoogleToken refuses what is no token of Google Pay's.
func (a Account) CheckGoogleToken(token string) error {
	if wallet, ok := a.provider.(providers.GooglePayer); ok {
		return wallet.CheckGoogleToken(token)
	}
	return nil
}

// DeclinesMayChange tells whether the gateway says that a final refusal may still turn into an approval.
func (a Account) DeclinesMayChange() bool { return can[providers.LateApprover](a) }

// LogsIn tells whether the gateway wants the customer before the card.
func (a Account) LogsIn() bool { return can[providers.Login](a) }

// CodeLife is how long a login's code is good; 0 where there are no logins.
func (a Account) CodeLife() time.Duration {
	if login, ok := a.provider.(providers.Login); ok {
		return login.CodeLife()
	}
	return 0
}

// KeepsCards tells whether the gateway keeps cards.
func (a Account) KeepsCards() bool { return can[providers.CardKeeper](a) }

// AsksCode tells whether paying with a saved card needs the CVC.
func (a Account) AsksCode() bool {
	keeper, ok := a.provider.(providers.CardKeeper)
	return ok && keeper.AsksCode()
}

// ChecksCards tells whether the gateway tells of one saved card.
func (a Account) ChecksCards() bool { return can[providers.CardChecker](a) }

// KeepsSeries tells whether a charge without the customer has to name the payment that began its series.
func (a Account) KeepsSeries() bool {
	keeper, ok := a.provider.(providers.SeriesKeeper)
	return ok && keeper.KeepsSeries()
}

// RenamesCards tells whether the gateway knows names of saved cards.
func (a Account) RenamesCards() bool { return can[providers.CardRenamer](a) }

// RegistersCards tells whether a card can be saved without a payment.
func (a Account) RegistersCards() bool { return can[providers.CardRegistrar](a) }

// IssuesVirtualCards tells whether the gateway makes virtual cards.
func (a Account) IssuesVirtualCards() bool { return can[providers.VirtualCardIssuer](a) }

// TransfersTo is what a transfer can go to; false where the gateway makes no transfers.
func (a Account) TransfersTo() ([]string, bool) {
	if transferrer, ok := a.provider.(providers.Transferrer); ok {
		return transferrer.TransfersTo(), true
	}
	return nil, false
}

// PaysOut tells whether the gateway sends money out.
func (a Account) PaysOut() bool { return can[providers.Payer](a) }

// CheckPayout refuses a payout that the gateway cannot make. The error is a *providers.Refusal, ErrCannot where it makes none.
func (a Account) CheckPayout(p providers.Payment, to providers.Destination) error {
	payer, ok := a.provider.(providers.Payer)
	if !ok {
		return ErrCannot
	}
	if err := a.provider.Check(p); err != nil {
		return err
	}
	return payer.CheckPayout(p, to)
}

// Bills tells whether the gateway makes invoices.
func (a Account) Bills() bool { return can[providers.Invoicer](a) }

// ListsHistory tells whether the gateway has a list of transactions.
func (a Account) ListsHistory() bool { return can[providers.Historian](a) }

// Instruments names everything that a payment can be made with.
func (a Account) Instruments() []string { return providers.Instruments(a.provider) }

// Capabilities names everything that the gateway can do, in a fixed order.
func (a Account) Capabilities() []string { return providers.Capabilities(a.provider) }

// Check refuses a payment that the gateway cannot express. The error is a *providers.Refusal.
func (a Account) Check(p providers.Payment) error { return a.provider.Check(p) }
