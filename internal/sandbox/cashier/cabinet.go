package cashier

import (
	"slices"
	"strconv"

	"tollgate/internal/sandbox/sim"
)

// Acts are what the order's status can show.
func (g *Gateway) Acts() []sim.Act {
	return []sim.Act{sim.ActRefund, sim.ActRefundUndo, sim.ActCapture, sim.ActVoid, sim.ActHoldExpired}
}

// Act does something to an order in the gateway's cabinet. Every change of status is told by a callback.
func (g *Gateway) Act(id string, act sim.Act, minor int64) error {
	if err := sim.CheckAct(g.Acts(), act, minor); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	n, _ := strconv.ParseInt(id, 10, 64)
	o := g.orders.Get(n)
	if o == nil {
		return sim.ErrNoOrder
	}
	sum := minor
	if o.ByOrder && o.OrderAmount > 0 {
		sum = minor * o.Amount / o.OrderAmount
	}
	var err error
	switch {
	case act == sim.ActRefund && slices.Contains([]string{charged, ipsAccepted, partlyRefunded}, o.Status):
		if sum, err = sim.Part(sum, o.Captured-o.Refunded); err == nil {
			o.Refunded += sum
			o.setRefunded()
		}
	case act == sim.ActRefundUndo && o.Refunded > 0:
		if sum, err = sim.Part(sum, o.Refunded); err == nil {
			o.Refunded -= sum
			o.setRefunded()
		}
	case o.Status != authorized:
		err = sim.ErrActState
	case sum != 0 && sum != o.Held:
		err = sim.ErrActAmount
	case act == sim.ActCapture:
		g.settle(o, charged)
	case act == sim.ActVoid:
		o.Held = 0
		o.set(voided)
	case act == sim.ActHoldExpired:
		o.Held = 0
		o.set(expired)
	default:
		err = sim.ErrActState
	}
	if err != nil {
		return err
	}
	if bad := g.save(o); bad != nil {
		return bad
	}
	return nil
}

// setRefunded sets the status that what was given back makes; each is told, also where it is the one before.
func (o *order) setRefunded() {
	o.Status = ""
	switch o.Refunded {
	case 0:
		o.set(charged)
	case o.Captured:
		o.set(refunded)
	default:
		o.set(partlyRefunded)
	}
}
