package session

import (
	"slices"
	"time"

	"tollgate/providers"
	"tollgate/threeds"
)

// applyStep applies the step that a gateway's answer names. ask tells that an inquiry is to be made now.
func (t *Turn) applyStep(a *Attempt, step providers.Step) (ask bool, err error) {
	t.rememberRef(a, step.Ref)
	kind := step.Kind
	if step.V != providers.StepVersion {
		kind = "" // a step of a newer Tollgate
	}
	switch kind {
	case providers.Declined:
		a.Decline = orOther(step.Decline)
		return false, t.move(a, Decline)
	case providers.Method, providers.Challenge, providers.PayerPage, providers.Page, providers.Redirect, providers.Scan,
		providers.AskCard:
		return false, t.giveStep(a, step)
	case providers.Resend:
		if a.Step != nil && len(a.Calls) < maxCalls {
			same := *a.Step
			same.Ref = a.Ref
			a.Step = &same
			return false, t.sendAnswerAgain(a)
		}
	}
	// Wait, Finished, and whatever we do not know: the inquiry decides.
	a.NewsAt = t.Now
	t.queueInquiry(a, t.Now.Add(fastFirst))
	return true, t.move(a, Work)
}

// rememberRef keeps the gateway's ids of the attempt. Our own reference is never changed by an answer, nor is the gateway's order
// that is known already: another is one beside it.
func (t *Turn) rememberRef(a *Attempt, ref providers.Ref) {
	if ref.Reference == "" {
		return
	}
	if was := a.Ref.OrderID; was != "" && ref.OrderID != was {
		gatewayOrders{t}.name(a, ref.OrderID)
		ref.OrderID = was
	}
	ref.Reference = a.Ref.Reference
	a.Ref = ref
}

// giveStep stores a step for the browser.
func (t *Turn) giveStep(a *Attempt, step providers.Step) error {
	t.rememberRef(a, step.Ref)
	if step.NewRun {
		if err := t.newRun(a, step.ThreeDS); err != nil {
			return err
		}
	}
	run := a.Run()
	if step.ThreeDS != (threeds.IDs{}) {
		run.IDs = step.ThreeDS
	}
	switch step.Kind {
	case providers.Method:
		run.CompInd, run.NotifiedAt, run.MethodAt = "", time.Time{}, time.Time{}
	case providers.AskCard:
	default:
		run.ShownAt, run.ReturnedAt, run.Sealed, run.EmptyReturn = time.Time{}, time.Time{}, "", false
	}
	a.Decline = nil // of an earlier call
	a.Step = &step
	a.noteForms(t.Now, step.Forms)
	a.StepN++
	a.StepAt = t.Now
	a.NewsAt = t.Now
	a.Unclear = false
	if noBrowser(step) {
		// Nothing for the browser to do: the gateway waits for the completion indicator only.
		run.CompInd = "U"
		t.queueResume(a, t.Now)
		t.queueInquiry(a, t.Now.Add(fastFirst))
		return t.move(a, Work)
	}
	if err := t.move(a, Ask); err != nil {
		return err
	}
	if step.Kind == providers.Method {
		t.queueResume(a, a.MethodDeadline())
	}
	t.queueInquiry(a, t.Now.Add(a.shopperAfter(t.Now)))
	return nil
}

// noBrowser is a 3DS Method without frames: there is no Method URL, and the next call is ours (completion indicator U).
func noBrowser(step providers.Step) bool {
	return step.Kind == providers.Method && len(step.Forms) == 0
}

// methodWait is how long the Method may take: shorter where its end is not notified, longer where the account says so.
func (a *Attempt) methodWait() time.Duration {
	if d := a.Step.Deadline; d > 0 {
		return min(d, methodLongest) + methodLoads
	}
	return MethodWait
}

// MethodDeadline is when a 3DS Method counts as silent.
func (a *Attempt) MethodDeadline() time.Time {
	wait := a.methodWait()
	if at := a.Run().MethodAt; !at.IsZero() {
		return at.Add(wait)
	}
	return a.StepAt.Add(wait)
}

// sameStep compares what the gateway asks for, without ownFields: their values differ at each inquiry.
func sameStep(a, b providers.Step) bool {
	if a.Kind != b.Kind || a.HTML != b.HTML || a.Link != b.Link || len(a.Forms) != len(b.Forms) {
		return false
	}
	if a.ThreeDS != b.ThreeDS {
		return false
	}
	return slices.EqualFunc(a.Forms, b.Forms, func(x, y threeds.Form) bool {
		return x.Action == y.Action && slices.EqualFunc(x.Fields, y.Fields, func(p, q threeds.Field) bool {
			return p.Name == q.Name && (p.Value == q.Value || slices.Contains(ownFields, p.Name))
		})
	})
}

// ownFields hold addresses and tokens of Tollgate's.
var ownFields = []string{"threeDSSessionData", "MD", "TermUrl", "threeDSMethodData"}

func orOther(d *providers.Decline) *providers.Decline {
	if d == nil {
		return &providers.Decline{Reason: providers.OtherReason}
	}
	return d
}
