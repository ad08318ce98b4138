package payneteasy

import (
	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/sim"
)

// Acts are what the newest transaction of an order can show.
func (g *Gateway) Acts() []sim.Act {
	return []sim.Act{sim.ActRefund, sim.ActCapture, sim.ActVoid, sim.ActChargebackOpened, sim.ActChargebackWon, sim.ActChargebackLost}
}

// Act does something to an order in the gateway's cabinet. Of a chargeback that is only being looked into no callback tells.
func (g *Gateway) Act(id string, act sim.Act, minor int64) error {
	if err := sim.CheckAct(g.Acts(), act, minor); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.orders.Get(id)
	if o == nil {
		return sim.ErrNoOrder
	}
	if o.Status != approved {
		return sim.ErrActState
	}
	sum, err := amount.ToHundredths(minor, o.Currency)
	if err != nil {
		return sim.ErrActAmount
	}
	r := request{Serial: g.serial()}
	switch {
	case act == sim.ActRefund && o.Captured > 0:
		if r.Amount, err = sim.Part(sum, o.Captured-o.Refunded); err == nil {
			r.Type, r.Stage, o.Refunded = "reversal", "reversal_approved", o.Refunded+r.Amount
		}
	case act == sim.ActCapture && o.Type == "preauth" && o.Captured == 0:
		if r.Amount, err = sim.Part(sum, o.Held); err == nil {
			r.Type, r.Stage, o.Captured = "capture", "capture_approved", r.Amount
		}
	case act == sim.ActVoid && o.Type == "preauth" && o.Captured == 0:
		if r.Amount, err = sim.Part(sum, o.Held); err == nil && r.Amount != o.Held {
			err = sim.ErrActAmount
		}
		r.Type, r.Stage, o.Held = "cancel", "cancel_approved", o.Held-r.Amount
	case o.Captured > o.Refunded && (act == sim.ActChargebackOpened || act == sim.ActChargebackWon || act == sim.ActChargebackLost):
		status := map[sim.Act]string{sim.ActChargebackOpened: processing, sim.ActChargebackWon: declined, sim.ActChargebackLost: approved}[act]
		r.Type, r.Status, r.Stage, r.Amount = "chargeback", status, "chargeback_"+status, o.Captured-o.Refunded
		if sum != 0 && sum != r.Amount {
			err = sim.ErrActAmount
		}
	default:
		err = sim.ErrActState
	}
	if err != nil {
		return err
	}
	o.Requests, o.Stage = append(o.Requests, r), r.Stage
	if bad := g.save(o); bad != nil {
		return bad
	}
	if r.Status != processing {
		g.notify(g.accountOf(o), o, r.Type, r.status(), r.Amount, false)
	}
	return nil
}
