package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tollgate/providers"
	"tollgate/threeds"
)

// Names that bind sealed values to their use: a value of one cannot pass as another.
const (
	SealedSessionData = "threeds" // threeDSSessionData and MD, where we choose them: a run's token
	SealedAnswer      = "answer"  // a BrowserAnswer
)

// BrowserAnswer is what a browser brought from the bank, sealed into the run until it is forwarded.
type BrowserAnswer struct {
	Kind   providers.AnswerKind `json:"kind"` // "": nothing came
	CRes   string               `json:"cres,omitempty"`
	PaRes  string               `json:"pares,omitempty"`
	MD     string               `json:"md,omitempty"`
	Fields map[string]string    `json:"fields,omitempty"`
}

// ReadAnswer sorts what came to a run's return address.
func ReadAnswer(in threeds.Reply) BrowserAnswer {
	b := BrowserAnswer{MD: in.MD}
	switch {
	case in.CRes != "":
		b.Kind, b.CRes = providers.Challenged, in.CRes
	case in.Erro != "":
		b.Kind, b.CRes = providers.Challenged, in.Erro
	case in.PaRes != "":
		b.Kind, b.PaRes = providers.PayerAuth, in.PaRes
	case in.Method == "POST" || len(in.Extra) > 0:
		b.Kind, b.Fields = providers.Returned, in.Extra
	}
	return b
}

// Arrivals decides about what comes from the shopper's browser.
type Arrivals struct{ *Turn }

// Arrivals is a turn that decides about what comes from the shopper's browser.
func (t *Turn) Arrivals() Arrivals { return Arrivals{t} }

// Arrival is what became of a post from outside.
type Arrival struct {
	Taken bool // false: late, repeated or contradicting; it changed nothing
	Asked bool // nothing was taken, but an inquiry is due now
}

// Notified takes what came to a run's notification address: the end of a 3DS Method. It carries no secret, anybody can post
// it, and all it can do is to turn this one run's completion indicator from waiting to Y (EMV 3DS 2.2 §5.8.1,
// docs/threeds.md). ErrContradicts for another run's id, ErrStale for an earlier run's address without an id.
func (t Arrivals) Notified(n int, token string, in threeds.Reply) (Arrival, error) {
	// An unreadable body still arrived at an address that only this run's ACS was told: the arrival is the signal.
	said, _ := threeds.DecodeMethodNotification(in.MethodData)
	a := t.S.Attempt(n)
	run := a.Run()
	if err := runSpokenOf(a, token, said); err != nil {
		return Arrival{}, err
	}
	if a.State != Shopper || a.Step == nil || a.Step.Kind != providers.Method || !run.NotifiedAt.IsZero() || run.CompInd != "" {
		return Arrival{}, ErrNothing
	}
	run.NotifiedAt = t.Now
	run.CompInd = "Y"
	a.noteNotification(run.NotifiedAt, in)
	t.queueResume(a, t.Now)
	return Arrival{Taken: true}, nil
}

// runSpokenOf tells whether a post to a run's token is about the attempt's present run. An earlier run's address may
// still be the one the gateway was given: then the id inside decides.
func runSpokenOf(a *Attempt, token, transID string) error {
	run := a.Run()
	known := run.IDs.ThreeDSServerTransID
	switch {
	case transID != "" && known != "" && !sameID(transID, known):
		return ErrContradicts
	case run.Token != token && (transID == "" || known == ""):
		return ErrStale
	}
	return nil
}

// Returned takes what came to a run's return address: CRes, Erro, PaRes, or the shopper coming back from a gateway's page.
// It is stored, sealed by the caller, with the job that forwards it; nothing of it is believed. An empty one (a reopened
// address, a link scanner) only queues an inquiry.
func (t Arrivals) Returned(n int, token string, in threeds.Reply, sealed string) (Arrival, error) {
	a := t.S.Attempt(n)
	run := a.Run()
	err := t.contradiction(a, run, token, in)
	if err != nil && !errors.Is(err, ErrStale) {
		return Arrival{}, err
	}
	if !a.State.Live() {
		return Arrival{}, t.lateReply(a, func() { a.noteReply(t.Now, in) })
	}
	b, taken := ReadAnswer(in), !run.ReturnedAt.IsZero()
	if err == nil && b.Kind == "" && a.State == Shopper && !taken && t.cameBack(a.Step) {
		// The bank's answer went to the gateway, and the shopper returns without CRes or PaRes: an inquiry decides whether the
		// challenge is shown again.
		run.ReturnedAt, run.EmptyReturn = t.Now, true
		a.noteReply(t.Now, in)
		t.inquireSoon(a)
		return Arrival{Taken: true}, nil
	}
	if err != nil || a.Step == nil || b.Kind == "" || !fits(a.Step.Kind, b.Kind) ||
		!taken && a.State != Shopper || taken && !t.better(a, run, b) {
		// There is no answer to store, but the shopper may have been at the bank: the gateway is asked.
		if !t.inquireSoon(a) {
			return Arrival{}, ErrNothing
		}
		return Arrival{Asked: !a.NextInquiry.After(t.Now)}, nil
	}
	run.Sealed = sealed
	a.noteReply(t.Now, in)
	if taken {
		run.LaterAnswer = true
		t.inquireSoon(a)
		return Arrival{Taken: true}, nil
	}
	run.ReturnedAt = t.Now
	run.UnreadableAnswer = t.unreadable(a.Step, b)
	t.queueResume(a, t.Now)
	return Arrival{Taken: true}, nil
}

// Named takes the gateway's id of an order under attempt n's reference, which the browser brought and the gateway has signed. It
// tells whether that was news; then the gateway is asked, ended or not.
func (t Arrivals) Named(n int, order string) bool {
	a := t.S.Attempt(n)
	if a == nil || !gatewayOrders(t).name(a, order) {
		return false
	}
	if at, due := a.callbackTurn(t.Now); due {
		t.askAt(a, at)
	}
	return true
}

// inquireSoon moves the next inquiry forward, but not closer to the last one than fastFirst: anybody who has a run's address
// can cause this. It tells whether that changed anything.
func (t Arrivals) inquireSoon(a *Attempt) bool {
	if a.State != Shopper && a.State != Gateway && a.State != Unknown {
		return false
	}
	at := a.InquiredAt.Add(fastFirst)
	if at.Before(t.Now) || at.After(t.Now.Add(fastFirst)) { // the latter where the clock has gone back
		at = t.Now
	}
	if !a.NextInquiry.IsZero() && !a.NextInquiry.After(at) && a.NextInquiry.After(t.Now) {
		return false
	}
	a.NextInquiry = at
	t.queueInquiry(a, at)
	return true
}

// fits tells whether an answer of that kind can end a step of that kind.
func fits(step providers.Kind, answer providers.AnswerKind) bool {
	switch step {
	case providers.Challenge:
		return answer == providers.Challenged || answer == providers.Returned
	case providers.PayerPage:
		return answer == providers.PayerAuth || answer == providers.Returned
	case providers.Page, providers.Redirect, providers.Scan:
		return true
	}
	return false
}

// cameBack tells whether an empty return may be the shopper's, back from a step whose answer went to the gateway.
func (t Arrivals) cameBack(step *providers.Step) bool {
	return step != nil && fits(step.Kind, providers.Returned) && !t.answerIsOurs(step)
}

// answerIsOurs tells whether the bank's answer to a step comes to us, and not to the gateway, which then only sends the
// shopper back.
func (t Arrivals) answerIsOurs(step *providers.Step) bool {
	for _, form := range step.Forms {
		for _, field := range form.Fields {
			switch {
			case step.Kind == providers.Challenge && field.Name == "threeDSSessionData",
				step.Kind == providers.PayerPage && field.Name == "TermUrl" && strings.HasPrefix(field.Value, t.Rules.OwnURL+"/"):
				return true
			}
		}
	}
	return false
}

// unreadable tells that what came cannot be read as the answer that the bank owes us: an empty post, a reopened address,
// garbage. It is forwarded, because the gateway may know more, but a readable answer still replaces it (better).
func (t Arrivals) unreadable(step *providers.Step, b BrowserAnswer) bool {
	if !t.answerIsOurs(step) {
		return false
	}
	var err error
	switch b.Kind {
	case providers.Challenged:
		var erro *threeds.Erro
		if _, erro, err = threeds.PeekCRes(b.CRes); erro != nil {
			return true // the bank would not go on: whether the challenge is over, only the gateway knows
		}
	case providers.PayerAuth:
		_, err = threeds.PeekPaRes(b.PaRes)
	default:
		return true
	}
	return err != nil
}

// better tells whether a later answer replaces the one that was forwarded: it can be read, and differs. It is sent only if an
// inquiry shows that the gateway still waits.
func (t Arrivals) better(a *Attempt, run *Run, b BrowserAnswer) bool {
	if !t.answerIsOurs(a.Step) || t.unreadable(a.Step, b) || len(a.Calls) >= maxCalls {
		return false
	}
	before, err := t.opened(run)
	return err != nil || b.Kind != before.Kind || b.CRes != before.CRes || b.PaRes != before.PaRes
}

// contradiction refuses ids that are not this run's; absent ones pass, and so do values that cannot be read, which are for
// the gateway to refuse.
func (t Arrivals) contradiction(a *Attempt, run *Run, token string, in threeds.Reply) error {
	said := ""
	for _, value := range []string{in.CRes, in.Erro} {
		if value == "" {
			continue
		}
		cres, erro, err := threeds.PeekCRes(value)
		switch {
		case err != nil:
			if threeds.ReasonOf(err) == threeds.ReasonIDMismatch {
				return ErrContradicts
			}
		case cres != nil:
			said = cres.ThreeDSServerTransID
			if contradicts(cres.ThreeDSServerTransID, run.IDs.ThreeDSServerTransID) || contradicts(cres.ACSTransID, run.IDs.ACSTransID) {
				return ErrContradicts
			}
		case erro != nil:
			said = erro.ThreeDSServerTransID
			if contradicts(erro.ThreeDSServerTransID, run.IDs.ThreeDSServerTransID) || contradicts(erro.ACSTransID, run.IDs.ACSTransID) {
				return ErrContradicts
			}
		}
	}
	for _, sealed := range []string{in.SessionData, in.MD} {
		if raw, ok := t.ownData(sealed); ok && raw != token && raw != run.Token {
			return ErrContradicts
		}
	}
	md := formMD(a.Step)
	if _, own := t.ownData(md); in.MD != "" && md != "" && !own && in.MD != md {
		return ErrContradicts // a prescribed MD (RBS: mdOrder) that names another order
	}
	return runSpokenOf(a, token, said)
}

func contradicts(said, known string) bool { return said != "" && known != "" && !sameID(said, known) }

// sameID compares two UUIDs; their letters may come in either case.
func sameID(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if x|0x20 != y|0x20 || (x != y && (x|0x20 < 'a' || x|0x20 > 'z')) {
			return false
		}
	}
	return true
}

// formMD is the MD of the form that the browser was given.
func formMD(step *providers.Step) string {
	if step == nil {
		return ""
	}
	for _, form := range step.Forms {
		for _, field := range form.Fields {
			if field.Name == "MD" {
				return field.Value
			}
		}
	}
	return ""
}

// ownData is the run's token inside session data that we sealed.
func (t Arrivals) ownData(sealed string) (token string, ok bool) {
	if sealed == "" {
		return "", false
	}
	raw, err := t.Open(SealedSessionData, sealed)
	return string(raw), err == nil
}

// opened is the stored answer of a run, unsealed.
func (t Arrivals) opened(run *Run) (b BrowserAnswer, err error) {
	raw, err := t.Open(SealedAnswer, run.Sealed)
	if err != nil {
		return b, fmt.Errorf("session: a stored answer cannot be opened: %w", err)
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return b, fmt.Errorf("session: a stored answer cannot be read: %w", err)
	}
	return b, nil
}

// waitsAt tells whether the attempt is at that step and its answer may go out.
func (a *Attempt) waitsAt(stepN int) bool {
	return a.Step != nil && a.StepN == stepN && (a.State == Shopper || a.State == Gateway && noBrowser(*a.Step))
}

// Forward writes down what has to be stored before an answer of the browser, or its silence, is sent to the gateway. ready is
// false where that step is over, or its time has not come; then nothing is sent. ErrNothing: nothing has to be stored.
func (t Arrivals) Forward(n, stepN int) (ready bool, err error) {
	a := t.S.Attempt(n)
	if a == nil || !a.waitsAt(stepN) {
		return false, ErrNothing
	}
	run := a.Run()
	switch {
	case a.Step.Kind == providers.Method && run.CompInd == "":
		return t.methodSilent(a)
	case run.LaterAnswer:
		// Sealed holds the later answer, and that is sent now. It can be read: better took no other.
		run.LaterAnswer, run.UnreadableAnswer = false, false
		return true, nil
	}
	return true, ErrNothing
}

// ForwardNow permits at once what this turn has taken, in the save that stores it: what came and the permission are durable
// together before it goes out, and no job is needed. sent is false where the answer is left to its job. What goes out is
// made before the permission: nothing may fail between it and the call.
func (t Arrivals) ForwardNow(n int) (row Call, answer providers.Answer, sent bool) {
	a := t.S.Attempt(n)
	due := slices.IndexFunc(t.Change.Jobs, func(j Job) bool {
		return a != nil && j.Kind == JobResume && j.Key == t.S.ID+resumeKey(a) && !j.RunAt.After(t.Now)
	})
	asks := slices.ContainsFunc(t.Change.Jobs, func(j Job) bool { return j.Kind == JobInquire && !j.RunAt.After(t.Now) })
	if due < 0 || asks || !a.waitsAt(a.StepN) || a.Run().LaterAnswer { // another order that was named is asked about first
		return Call{}, answer, false
	}
	answer, err := t.ToForward(a)
	if err != nil {
		return Call{}, answer, false
	}
	row, err = t.Attempts().Permit(n, Outgoing{Kind: CallResume, From: a.State, StepN: a.StepN})
	if err != nil {
		return Call{}, answer, false
	}
	t.Change.Drop = append(t.Change.Drop, t.Change.Jobs[due]) // of a Method one waits for its deadline
	t.Change.Jobs = slices.Delete(t.Change.Jobs, due, due+1)
	return row, answer, true
}

// methodSilent writes down that nobody reported the Method's end, before the gateway is told: a notification that comes
// from now on is late. N, or U where the bank has no Method and only the gateway's own frame ran.
func (t Arrivals) methodSilent(a *Attempt) (over bool, err error) {
	if a.State != Shopper {
		return false, ErrNothing
	}
	if at := a.MethodDeadline(); t.Now.Before(at) && at.Sub(t.Now) <= a.methodWait() { // shown only just now, and the clock has not gone back
		t.queueResume(a, at)
		return false, nil
	}
	run := a.Run()
	a.Note(TimelineEntry{At: t.Now, Kind: EntryBrowser, Name: "method silent", Run: run.N})
	run.CompInd = "U"
	for _, form := range a.Step.Forms {
		if slices.ContainsFunc(form.Fields, func(f threeds.Field) bool { return f.Name == "threeDSMethodData" }) {
			run.CompInd = "N"
		}
	}
	return true, nil
}

// ToForward is what goes to the gateway for the attempt's present step.
func (t Arrivals) ToForward(a *Attempt) (providers.Answer, error) {
	run := a.Run()
	answer := providers.Answer{Browser: a.Browser, CompInd: run.CompInd}
	switch {
	case a.Step.Kind == providers.Method:
		answer.Kind = providers.MethodDone
		return answer, nil
	case run.Sealed == "":
		answer.Kind = providers.Returned
		return answer, nil
	}
	b, err := t.opened(run)
	if err != nil {
		return answer, err
	}
	answer.Kind, answer.CRes, answer.PaRes, answer.MD, answer.Fields = b.Kind, b.CRes, b.PaRes, b.MD, b.Fields
	return answer, nil
}

// Shown marks that a page was shown. ErrNothing where it was shown before, or is not the page any more: only the first page
// posts by itself. For a 3DS Method it starts the ten seconds.
func (t Arrivals) Shown(stepN int) error {
	a := t.S.Live()
	if a == nil || a.State != Shopper || a.Step == nil || a.StepN != stepN {
		return ErrNothing
	}
	run := a.Run()
	if a.Step.Kind == providers.Method {
		if !run.MethodAt.IsZero() || !run.NotifiedAt.IsZero() {
			return ErrNothing
		}
		run.MethodAt = t.Now
		t.queueResume(a, a.MethodDeadline())
	} else {
		if !run.ShownAt.IsZero() {
			return ErrNothing
		}
		run.ShownAt = t.Now
	}
	a.Note(TimelineEntry{At: t.Now, Kind: EntryBrowser, Name: "shown " + string(a.Step.Kind), Run: run.N})
	return nil
}

// ShownMayWait tells whether what Shown marks may be stored with the session's next change instead of at once: nothing is concluded
// from its absence. Of an attempt with a call that had no clear answer something is (unreached).
func (t Arrivals) ShownMayWait() bool {
	a := t.S.Live()
	return a != nil && len(a.Calls) > 0 && a.allAnswered(Call{})
}
