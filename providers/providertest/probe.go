package providertest

import (
	"context"
	"fmt"
	"testing"

	"tollgate/providers"
	"tollgate/threeds"
)

// probe calls the provider and judges what comes of a spoilt call: silence and garbage are never the end of a payment.
type probe struct {
	t    testing.TB
	p    providers.Provider
	s    *spoiler
	h    Harness
	said []string // everything that came out, printed
}

func (p *probe) note(values ...any) {
	for _, v := range values {
		p.said = append(p.said, fmt.Sprintf("%v %+v %#v", v, v, v))
		if err, ok := v.(error); ok && err != nil {
			p.said = append(p.said, err.Error())
		}
	}
}

func (p *probe) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	p.s.begin(cancel)
	return ctx, cancel
}

// broke tells whether the method's own call was spoilt (and not an inquiry that it made beside).
func (p *probe) broke() bool {
	return p.s.hit() && p.s.fault.name != "" && (p.s.every || p.s.call != p.h.Status)
}

func (p *probe) Register(ctx context.Context, pay providers.Payment) (providers.Ref, error) {
	ctx, cancel := p.patience(ctx)
	defer cancel()
	ref, err := p.p.Register(ctx, pay)
	p.note(ref, err)
	// It may find out by itself what the spoilt answer did not tell; then there is one order, and it has the gateway's name.
	if n := len(p.h.Ledger(pay.Ref.Reference)); p.broke() && err == nil && (ref.OrderID == "" || n != 1) {
		p.t.Errorf("a spoilt Register answered %+v with %d orders", ref, n)
	}
	if err == nil && ref.Reference != pay.Ref.Reference {
		p.t.Errorf("Register lost our reference: %+v", ref)
	}
	return ref, err
}

func (p *probe) Pay(ctx context.Context, pay providers.Payment, in providers.Instrument,
	b threeds.BrowserData) (providers.Step, error) {
	ctx, cancel := p.patience(ctx)
	defer cancel()
	step, err := p.p.Pay(ctx, pay, in, b)
	return p.step("Pay", pay, step, err)
}

func (p *probe) Resume(ctx context.Context, pay providers.Payment, a providers.Answer) (providers.Step, error) {
	ctx, cancel := p.patience(ctx)
	defer cancel()
	step, err := p.p.Resume(ctx, pay, a)
	return p.step("Resume "+string(a.Kind), pay, step, err)
}

func (p *probe) step(method string, pay providers.Payment, step providers.Step, err error) (providers.Step, error) {
	p.note(step, err)
	if call := p.s.twice(); call != "" {
		p.t.Errorf("%s sent %s again by itself", method, call)
	}
	switch {
	case p.broke() && err == nil && p.s.lie != nil && step.Kind != providers.Declined: // left to the inquiry
		p.sound(method, pay, step)
	case p.broke() && err == nil:
		p.t.Errorf("%s spoilt by %q answered %+v", method, p.s.fault.name, step)
	case err == nil:
		p.sound(method, pay, step)
	}
	return step, err
}

// sound is what every step owes to the flow.
func (p *probe) sound(method string, pay providers.Payment, step providers.Step) {
	p.t.Helper()
	if step.V != providers.StepVersion {
		p.t.Errorf("%s: version %d", method, step.V)
	}
	if step.Ref.Reference != pay.Ref.Reference || pay.Ref.OrderID != "" && step.Ref.OrderID != pay.Ref.OrderID {
		p.t.Errorf("%s: %+v is not the payment's %+v", method, step.Ref, pay.Ref)
	}
	forms := map[providers.Kind][2]int{providers.Method: {0, 2}, providers.Challenge: {1, 1}, providers.PayerPage: {1, 1}}[step.Kind]
	if n := len(step.Forms); n < forms[0] || n > forms[1] {
		p.t.Errorf("%s: %s with %d forms", method, step.Kind, n)
	}
	bad := false
	switch step.Kind {
	case providers.Method:
		bad = len(step.Forms) > 0 && step.Deadline <= 0
	case providers.Challenge, providers.PayerPage, providers.AskCard, providers.Wait, providers.Finished:
	case providers.Page:
		bad = step.HTML == ""
	case providers.Redirect, providers.Scan:
		bad = step.Link == ""
	case providers.Declined:
		bad = step.Decline == nil || step.Decline.Reason == ""
	default:
		bad = true
	}
	if bad || (step.Decline != nil) != (step.Kind == providers.Declined) {
		p.t.Errorf("%s: %+v", method, step)
	}
}

func (p *probe) Status(ctx context.Context, pay providers.Payment) (providers.Standing, error) {
	ctx, cancel := p.patience(ctx)
	defer cancel()
	s, err := p.p.Status(ctx, pay)
	p.note(s, err)
	if s.Next != nil {
		p.note(*s.Next)
	}
	if !p.s.hit() {
		if err == nil && s.Next != nil {
			p.sound("Status", pay, *s.Next)
		}
		return s, err
	}
	end := false
	switch s.Outcome {
	case providers.Paid, providers.Authorized, providers.Refused, providers.Voided, providers.Closed, providers.NotFound:
		end = true
	}
	switch lie := p.s.lie; {
	case err != nil:
	case lie == nil:
		p.t.Errorf("Status spoilt by %q answered %+v", p.s.fault.name, s)
	case (*lie == UnknownStatus || *lie == NoProof) && end:
		p.t.Errorf("what proves nothing became %s", s.Outcome)
	case *lie == OtherAmount && s.Amount == pay.Amount:
		p.t.Errorf("another amount is not shown: %+v", s)
	case *lie == OtherOrder && (s.Reference == "" || s.Reference == pay.Ref.Reference) && (s.Ref.OrderID == "" ||
		s.Ref.OrderID == pay.Ref.OrderID):
		p.t.Errorf("another order is not shown: %+v", s)
	}
	return s, err
}
