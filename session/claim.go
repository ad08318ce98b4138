package session

import "errors"

// Claim names the idempotency claim of the merchant's request that a change is made for. A Store marks in the claim's row, in
// the transaction of the change itself, what was changed, so that whoever takes the claim over knows it.
type Claim struct{ Merchant, Key, Token string }

// ErrClaimLost says that the claim is another's by now. Nothing was changed.
var ErrClaimLost = errors.New("session: the claim was taken over by another process")
