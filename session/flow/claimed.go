package flow

import (
	"context"

	"tollgate/session"
)

// Claimed is what a merchant's request may change under its idempotency claim: each method is the Flow's of the same name, and
// session.ErrClaimLost where the claim was taken over before the change was saved. What follows in the background is not under
// the claim: an answer of a gateway is stored whoever holds it.
type Claimed struct {
	flow  *Flow
	claim *session.Claim
}

// Under is for changes under a claim; nil: under none.
func (f *Flow) Under(claim *session.Claim) Claimed { return Claimed{f, claim} }

// under makes a decision one of a claim's.
func under(claim *session.Claim, decide func(*session.Turn) error) func(*session.Turn) error {
	return func(t *session.Turn) error {
		t.Change.Claim = claim
		return decide(t)
	}
}

// Create is Flow.Create.
func (c Claimed) Create(ctx context.Context, s *session.Session) error {
	return c.flow.create(ctx, c.claim, s)
}

// Submit is Flow.Submit.
func (c Claimed) Submit(ctx context.Context, id string, in Submission) error {
	return c.flow.submit(ctx, c.claim, id, in)
}

// Operate is Flow.Operate.
func (c Claimed) Operate(ctx context.Context, id string, in session.NewOperation) (*session.Session, int, error) {
	return c.flow.startOperation(ctx, c.claim, id, in)
}

// Cancel is Flow.Cancel.
func (c Claimed) Cancel(ctx context.Context, id string) (*session.Session, error) {
	return c.flow.cancel(ctx, c.claim, id)
}

// Settle takes a person's ruling on what no inquiry could tell.
func (c Claimed) Settle(ctx context.Context, id string, in session.NewSettlement) (*session.Session, error) {
	return settling{c.flow}.settle(ctx, c.claim, id, in)
}
