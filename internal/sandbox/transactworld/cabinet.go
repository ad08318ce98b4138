package transactworld

import (
	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/sim"
)

// Acts are what the payment's status and sums can show. The platform has one word for a chargeback.
func (g *Gateway) Acts() []sim.Act {
	return []sim.Act{sim.ActRefund, sim.ActRefundUndo, sim.ActCapture, sim.ActVoid, sim.ActHoldExpired, sim.ActChargebackLost,
		sim.ActChargebackWon}
}

// Act does something to a payment in the platform's back office. Every change of status is told by a notification.
func (g *Gateway) Act(id string, act sim.Act, minor int64) error {
	if err := sim.CheckAct(g.Acts(), act, minor); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.payments.Get(id)
	if p == nil {
		return sim.ErrNoOrder
	}
	sum, err := amount.ToHundredths(minor, p.Currency)
	if err != nil {
		return sim.ErrActAmount
	}
	if p.Op != nil {
		return sim.ErrActState
	}
	held, taken := p.Type == "PA" && p.Status == authSuccessful, p.Status == captureSuccess
	switch {
	case act == sim.ActRefund && taken:
		if sum, err = sim.Part(sum, p.Captured); err == nil {
			p.Refunded, p.Status, p.Remark = sum, reversed, "Refunded in the back office"
		}
	case act == sim.ActRefundUndo && p.Status == reversed:
		if sum, err = sim.Part(sum, p.Refunded); err == nil {
			if p.Refunded -= sum; p.Refunded == 0 {
				p.Status = captureSuccess
			}
		}
	case act == sim.ActCapture && held:
		if sum, err = sim.Part(sum, p.Held); err == nil {
			p.Captured, p.Status = sum, captureSuccess
		}
	case (act == sim.ActVoid || act == sim.ActHoldExpired) && held:
		if sum != 0 && sum != p.Held {
			return sim.ErrActAmount
		}
		if p.Held, p.Status = 0, cancelled; act == sim.ActHoldExpired {
			p.Status = authCancelled
		}
	case act == sim.ActChargebackLost && taken:
		if sum, err = sim.Part(sum, p.Captured-p.Refunded); err == nil {
			p.Disputed, p.Status = sum, chargeback
		}
	case act == sim.ActChargebackWon && p.Status == chargeback:
		p.Disputed, p.Status = 0, captureSuccess
	default:
		err = sim.ErrActState
	}
	if err != nil {
		return err
	}
	if bad := g.save(p); bad != nil {
		return bad
	}
	g.notify(g.accountOf(p), p)
	return nil
}
