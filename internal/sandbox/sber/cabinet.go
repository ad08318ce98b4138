package sber

import "tollgate/internal/sandbox/sim"

// Words of mdOrderStatus for money that went back, as the vendor's other gateway has them. Neither has a sum.
const (
	refunded = "REFUNDED"
	reversed = "REVERSED"
)

// Acts are what the order's status can show, of the whole only. The gateway has no callbacks.
func (g *Gateway) Acts() []sim.Act { return []sim.Act{sim.ActRefund, sim.ActVoid} }

// Act does something to an order in the bank's cabinet.
func (g *Gateway) Act(id string, act sim.Act, amount int64) error {
	if err := sim.CheckAct(g.Acts(), act, amount); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.orders.Get(id)
	switch {
	case o == nil:
		return sim.ErrNoOrder
	case o.Status != deposited || o.Type != purchase:
		return sim.ErrActState
	case amount != 0 && amount != o.Taken:
		return sim.ErrActAmount
	case act == sim.ActVoid:
		o.Status, o.Taken = reversed, 0
	default:
		o.Status, o.Back = refunded, o.Taken
	}
	if bad := g.save(o); bad != nil {
		return bad
	}
	return nil
}
