package rbs

import (
	"fmt"

	"tollgate/internal/sandbox/sim"
)

// Acts are what the order's status can show. A chargeback is there a yes or no, without a sum.
func (g *Gateway) Acts() []sim.Act {
	return []sim.Act{sim.ActRefund, sim.ActRefundUndo, sim.ActCapture, sim.ActVoid, sim.ActHoldExpired, sim.ActChargebackLost,
		sim.ActChargebackWon}
}

// Act does something to an order in the bank's cabinet.
func (g *Gateway) Act(id string, act sim.Act, amount int64) error {
	if err := sim.CheckAct(g.Acts(), act, amount); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.orders.Get(id)
	if o == nil {
		return sim.ErrNoOrder
	}
	sum, operation, err := g.act(o, act, amount)
	if err != nil {
		return err
	}
	if bad := g.save(o); bad != nil {
		return bad
	}
	if operation != "" {
		g.notify(g.accountOf(o), o, operation, act != sim.ActRefundUndo, sum)
	}
	return nil
}

// act changes the order and names the callback of it: "" where the gateway has none.
func (g *Gateway) act(o *order, act sim.Act, amount int64) (sum int64, operation string, err error) {
	held, taken := o.Status == statusHeld, o.Status == statusDeposited || o.Status == statusRefunded
	switch {
	case act == sim.ActRefund && taken:
		if sum, err = sim.Part(amount, o.Deposited-o.Refunded); err != nil {
			return 0, "", err
		}
		o.Refunded, o.RefundedAt = o.Refunded+sum, g.now()
		name := fmt.Sprintf("cabinet-%d", len(o.Refunds)+1)
		o.Refunds = append(o.Refunds, refund{o.RefundedAt, name, sum, g.env.Digits(12), g.env.Digits(6)})
		if o.Refunded == o.Deposited {
			o.Status = statusRefunded
		}
		return sum, "refunded", nil
	case act == sim.ActRefundUndo && taken:
		if sum, err = sim.Part(amount, o.Refunded); err != nil {
			return 0, "", err
		}
		o.Refunded, o.Status = o.Refunded-sum, statusDeposited
		for left := sum; left > 0; {
			last := &o.Refunds[len(o.Refunds)-1]
			part := min(left, last.Amount)
			left, last.Amount = left-part, last.Amount-part
			if last.Amount == 0 {
				o.Refunds = o.Refunds[:len(o.Refunds)-1]
			}
		}
		return sum, "refunded", nil
	case act == sim.ActCapture && held:
		if sum, err = sim.Part(amount, o.Approved); err != nil {
			return 0, "", err
		}
		o.Status, o.Deposited, o.DepositedAt = statusDeposited, sum, g.now()
		return sum, "deposited", nil
	case act == sim.ActVoid && held:
		if sum, err = sim.Part(amount, o.Approved); err != nil {
			return 0, "", err
		}
		o.Approved, o.Reversed, o.ReversedAt = o.Approved-sum, o.Reversed+sum, g.now()
		if o.Approved == 0 {
			o.Status = statusReversed
		}
		return sum, "reversed", nil
	case act == sim.ActVoid && taken && o.Refunded == 0:
		if sum, err = sim.Part(amount, o.Deposited); err != nil {
			return 0, "", err
		}
		if sum != o.Deposited {
			return 0, "", sim.ErrActAmount
		}
		o.Status, o.Approved, o.Deposited, o.Reversed, o.ReversedAt = statusReversed, 0, 0, sum, g.now()
		return sum, "reversed", nil
	case act == sim.ActHoldExpired && held:
		sum, o.Status, o.Approved = o.Approved, statusReversed, 0
		return sum, "reversed", nil
	case act == sim.ActChargebackLost && taken, act == sim.ActChargebackWon && o.Chargeback != nil:
		lost := act == sim.ActChargebackLost
		o.Chargeback = &lost
		return 0, "", nil
	}
	return 0, "", sim.ErrActState
}
