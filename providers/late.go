package providers

// What follows is how a gateway behaves, not an ability that a merchant can ask for.

// Converter is a gateway that takes another sum than a payment's amount: in a currency of its own, its fee on top.
type Converter interface {
	// Converts is the currency in which money is taken; "" where the account's payments are taken as they are.
	Converts() string
}

// LateApprover is a gateway whose documents say that a status called final may still change: what it refused is asked about
// again.
type LateApprover interface{ ApprovesLate() }

// Recoverer is a Provider whose Register finds an order of ours again, however long ago it was made (Payment.Forgotten). Of
// another gateway, Status is asked for the reference before its first call that can move money.
type Recoverer interface{ RecoversOrders() }
