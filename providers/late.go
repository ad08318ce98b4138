package providers

// What follows is how a gateway behaves, not an ability that a merchant can ask for.

// LateApprover is a gateway whose documents say that a status called final may still change: what it refused is asked about
// again.
type LateApprover interface{ ApprovesLate() }
