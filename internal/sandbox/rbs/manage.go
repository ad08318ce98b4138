package rbs

import (
	"cmp"
	"strconv"
)

// deposit captures a hold, wholly (amount 0) or in part; the rest of the hold is released.
func (g *Gateway) deposit(c *call) (body, *fault) {
	o, bad := g.orderOf(c)
	if bad != nil {
		return nil, bad
	}
	amount, bad := parseAmount(c.form.Get("amount"))
	if bad != nil {
		return nil, bad
	}
	switch {
	case o.Approved == 0 && o.Status != statusReversed:
		return nil, errNoHold
	case o.Status != statusHeld:
		return nil, errState
	case amount > o.Approved:
		return nil, errAmount
	}
	if amount == 0 {
		amount = o.Approved
	}
	items, bad := readParts(o, cmp.Or(c.form.Get("depositItems"), c.form.Get("orderBundle")), amount, o.Amount, o.unrefunded())
	if bad != nil {
		return nil, bad
	}
	g.issue(o, false, amount, items)
	o.Status, o.Deposited, o.DepositedAt = statusDeposited, amount, g.now()
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	c.notify(o, "deposited", true, amount)
	return done(), nil
}

// reverse gives a hold back, or undoes a deposit of the last 24 hours. It can be asked for once, whole or in part.
func (g *Gateway) reverse(c *call) (body, *fault) {
	o, bad := g.orderOf(c)
	if bad != nil {
		return nil, bad
	}
	taken := o.Approved
	if o.Status == statusDeposited {
		taken = o.Deposited
	}
	amount := taken
	if s := c.form.Get("amount"); s != "" && s != "0" {
		if amount, bad = parseAmount(s); bad != nil {
			return nil, bad
		}
	}
	switch {
	case o.Approved == 0 && o.Status != statusReversed:
		return nil, errNoDeposit
	case o.ReverseTried:
		return nil, refuse(5, "Reversal was already requested")
	case o.Status != statusHeld && o.Status != statusDeposited || o.Refunded > 0:
		return nil, errState
	case o.Status == statusDeposited && g.now().Sub(o.DepositedAt) > reverseWindow:
		return nil, refuse(5, "Time for reversal has passed")
	}
	o.ReverseTried = true
	if amount > taken {
		if bad := g.save(o); bad != nil { // a failed reversal blocks later ones
			return nil, bad
		}
		return nil, errAmount
	}
	o.Reversed += amount
	o.ReversedAt = g.now()
	switch {
	case amount == taken:
		o.Status, o.Approved, o.Deposited = statusReversed, 0, 0
	case o.Status == statusDeposited:
		o.Approved, o.Deposited = o.Approved-amount, o.Deposited-amount
	default:
		o.Approved -= amount
	}
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	c.notify(o, "reversed", true, amount)
	return done(), nil
}

// refund gives deposited money back, in as many parts as the merchant likes. A known externalRefundId answers as the
// first time and moves nothing; expectedDepositedAmount is compared with what is left of the deposit.
func (g *Gateway) refund(c *call) (body, *fault) {
	o, bad := g.orderOf(c)
	if bad != nil {
		return nil, bad
	}
	amount, bad := parseAmount(c.form.Get("amount"))
	if bad != nil {
		return nil, bad
	}
	external := c.form.Get("externalRefundId")
	if len(external) > 32 {
		return nil, refuse(4, "[externalRefundId] is longer than 32")
	}
	if external != "" {
		for _, r := range o.Refunds {
			if r.ExternalID == external {
				return done(), nil
			}
		}
	}
	left := o.Deposited - o.Refunded
	switch {
	case o.Deposited == 0:
		return nil, errNoDeposit
	case o.Status != statusDeposited && o.Status != statusRefunded:
		return nil, errState
	}
	if s := c.form.Get("expectedDepositedAmount"); s != "" {
		if want, err := strconv.ParseInt(s, 10, 64); err != nil || want != left {
			return nil, refuse(5, "Deposited amount differs from the expected one")
		}
	}
	if amount == 0 {
		amount = left
	}
	if amount > left || left == 0 {
		return nil, refuse(5, "Refund amount exceeds deposited amount")
	}
	items, bad := readParts(o, cmp.Or(c.form.Get("refundItems"), c.form.Get("orderBundle")), amount, left, o.unrefunded())
	if bad != nil {
		return nil, bad
	}
	g.issue(o, true, amount, items)
	o.Refunded += amount
	o.RefundedAt = g.now()
	o.Refunds = append(o.Refunds, refund{o.RefundedAt, external, amount, g.env.Digits(12), g.env.Digits(6)})
	if o.Refunded == o.Deposited {
		o.Status = statusRefunded
	}
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	c.notify(o, "refunded", true, amount)
	return done(), nil
}

// decline makes an unpaid order unpayable.
func (g *Gateway) decline(c *call) (body, *fault) {
	o, bad := g.orderOf(c)
	if bad != nil {
		return nil, bad
	}
	if !o.unpaid() {
		return nil, errState
	}
	o.Status = statusDeclined
	if o.Try != nil {
		o.Try.Step = stepNone
	}
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	return done(), nil
}

func done() body { return body{}.With("errorCode", "0").With("errorMessage", "Success") }
