package session

import (
	"crypto/sha256"
	"encoding/hex"

	"tollgate/internal/card"
	"tollgate/providers"
)

// Kinds of sessions beside payments.
const (
	KindTransfer = "transfer" // moves money from the customer's card to another card
	KindPayout   = "payout"   // sends money out; it has no page and is paid by a call, under the same rules of certainty
)

// Target is where a transfer goes, where the merchant named it: a saved or virtual card of the customer's. Only Saved has
// to be set by who creates a session.
type Target struct {
	Saved     string      `json:"saved"` // ours: sc_…
	GatewayID string      `json:"gateway_id"`
	Customer  string      `json:"customer"` // whose card it is: SavedCard.Customer
	Card      card.Masked `json:"card"`
}

// AsksTarget tells whether the shopper has to say where the money goes.
func (s *Session) AsksTarget() bool { return s.Kind == KindTransfer && s.Target == nil }

// Destination is where the merchant sends a transfer; nil where the shopper says it.
func (s *Session) Destination() *providers.Destination {
	if s.Target == nil {
		return nil
	}
	return &providers.Destination{Saved: s.Target.GatewayID}
}

// OwnershipMark proves an order at the gateway to be this session's: 128 bits of a digest of the session's id. It is no secret.
func (s *Session) OwnershipMark() string {
	sum := sha256.Sum256([]byte("mark " + s.ID))
	return hex.EncodeToString(sum[:16])
}
