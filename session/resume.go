package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tollgate/providers"
	"tollgate/threeds"
)

// brought is what a browser brought from the bank, sealed into the run until it is forwarded.
type brought struct {
	Kind   providers.AnswerKind `json:"kind"`
	CRes   string               `json:"cres,omitempty"`
	PaRes  string               `json:"pares,omitempty"`
	MD     string               `json:"md,omitempty"`
	Fields map[string]string    `json:"fields,omitempty"`
}

// Page is what a post from outside needs to know to answer: where the shopper belongs.
type Page struct {
	Session string
	Taken   bool // false: late, repeated or contradicting; it changed nothing
	Asked   bool // nothing was taken, but the gateway is being asked at this moment
}

// Notified takes what came to /3ds/{run}/notify: the end of a 3DS Method. It carries no secret, anybody can post it, and
// all it can do is to turn this one run's completion indicator from waiting to Y (facts/threeds.md §1.2, §1.6).
// ErrNotFound for an unknown token, ErrContradicts for another run's id.
func (f *Flow) Notified(ctx context.Context, token string, in threeds.Reply) (Page, error) {
	id, n, err := f.Store.FindRun(ctx, token)
	if err != nil {
		return Page{}, err
	}
	page := Page{Session: id}
	// An unreadable body still arrived at an address that only this run's ACS was told: the arrival is the signal.
	said, _ := threeds.DecodeMethodNotification(in.MethodData)
	_, err = f.update(ctx, id, func(s *Session, c *Change) error {
		page.Taken = false
		a := s.Attempt(n)
		run := a.Run()
		if err := runSpokenOf(a, token, said); err != nil {
			return err
		}
		if a.State != Shopper || a.Step == nil || a.Step.Kind != providers.Method || !run.NotifiedAt.IsZero() || run.CompInd != "" {
			return errNothing
		}
		run.NotifiedAt = f.Now()
		run.CompInd = "Y"
		a.noteNotification(run.NotifiedAt, in)
		page.Taken = true
		c.Jobs = append(c.Jobs, f.resumeJob(s, a, f.Now()))
		return nil
	})
	f.At("notified.stored")
	return page, err
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

// Returned takes what came to /3ds/{run}/return: CRes, Erro, PaRes, or the shopper coming back from a gateway's page.
// It is stored with the job that acts on it; nothing of it is believed. bare says that nothing came at all (a reopened
// address, a link scanner): that only makes us ask the gateway.
func (f *Flow) Returned(ctx context.Context, token string, in threeds.Reply) (Page, error) {
	id, n, err := f.Store.FindRun(ctx, token)
	if err != nil {
		return Page{}, err
	}
	page := Page{Session: id}
	_, err = f.update(ctx, id, func(s *Session, c *Change) error {
		page.Taken, page.Asked = false, false
		a := s.Attempt(n)
		run := a.Run()
		err := f.contradiction(a, run, token, in)
		if err != nil && !errors.Is(err, ErrStale) {
			return err
		}
		if !a.State.Live() {
			return errNothing
		}
		b, taken := readBrought(in), !run.ReturnedAt.IsZero()
		if err == nil && b.Kind == "" && a.State == Shopper && !taken && f.cameBack(a.Step) {
			// The gateway has the answer and sends the shopper back with nothing in hand: the way to the bank is not shown
			// again before the gateway has said that it still waits.
			run.ReturnedAt, run.Bare, page.Taken = f.Now(), true, true
			a.noteReply(run.ReturnedAt, in)
			if err := f.askSoon(s, a, c); !errors.Is(err, errNothing) {
				return err
			}
			return nil
		}
		if err != nil || a.Step == nil || b.Kind == "" || !fits(a.Step.Kind, b.Kind) || !taken && a.State != Shopper || taken && !f.better(a, run, b) {
			// Nothing to take, but somebody came back: the gateway may know more than we do.
			err := f.askSoon(s, a, c)
			page.Asked = err == nil && !a.NextAsk.After(f.Now())
			return err
		}
		sealed, err := f.seal(b)
		if err != nil {
			return err
		}
		run.Sealed = sealed
		page.Taken = true
		a.noteReply(f.Now(), in)
		if taken {
			run.Unsent = true
			if err := f.askSoon(s, a, c); !errors.Is(err, errNothing) {
				return err
			}
			return nil
		}
		run.ReturnedAt = f.Now()
		run.Weak = f.weak(a.Step, b)
		c.Jobs = append(c.Jobs, f.resumeJob(s, a, f.Now()))
		return nil
	})
	f.At("returned.stored")
	return page, err
}

// askSoon moves the next inquiry forward, but not closer than the fast loop to the one before: anybody who has a run's
// address can make us do this.
func (f *Flow) askSoon(s *Session, a *Attempt, c *Change) error {
	if a.State != Shopper && a.State != Gateway && a.State != Unknown {
		return errNothing
	}
	now := f.Now()
	at := a.AskedAt.Add(fastFirst)
	if at.Before(now) {
		at = now
	}
	if !a.NextAsk.IsZero() && !a.NextAsk.After(at) && a.NextAsk.After(now) {
		return errNothing
	}
	a.NextAsk = at
	c.Jobs = append(c.Jobs, f.inquireJob(s, a, at))
	return nil
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

// cameBack tells whether somebody at the return address without anything in hand may be the shopper coming back from a step
// that ends at the gateway.
func (f *Flow) cameBack(step *providers.Step) bool {
	return step != nil && fits(step.Kind, providers.Returned) && !f.answerIsOurs(step)
}

// answerIsOurs tells whether the bank's answer to a step comes to us, and not to the gateway, which then only sends the
// shopper back.
func (f *Flow) answerIsOurs(step *providers.Step) bool {
	for _, form := range step.Forms {
		for _, field := range form.Fields {
			switch {
			case step.Kind == providers.Challenge && field.Name == "threeDSSessionData",
				step.Kind == providers.PayerPage && field.Name == "TermUrl" && strings.HasPrefix(field.Value, f.BaseURL+"/"):
				return true
			}
		}
	}
	return false
}

// weak tells that what came cannot be read as the answer that the bank owes us: an empty post, a reopened address,
// garbage. It is forwarded, because the gateway may know more, but it does not stand in the true answer's way.
func (f *Flow) weak(step *providers.Step, b brought) bool {
	if !f.answerIsOurs(step) {
		return false
	}
	var err error
	switch b.Kind {
	case providers.Challenged:
		_, _, err = threeds.PeekCRes(b.CRes)
	case providers.PayerAuth:
		_, err = threeds.PeekPaRes(b.PaRes)
	default:
		return true
	}
	return err != nil
}

// better tells whether a later answer is kept in place of the one that was forwarded: it can be read, and says something
// else. It goes out only if the gateway, asked, still waits.
func (f *Flow) better(a *Attempt, run *Run, b brought) bool {
	if !f.answerIsOurs(a.Step) || f.weak(a.Step, b) || len(a.Calls) >= maxCalls {
		return false
	}
	before, err := f.opened(run)
	return err != nil || b.Kind != before.Kind || b.CRes != before.CRes || b.PaRes != before.PaRes
}

// maxCalls bounds what can be provoked with answers that are none.
const maxCalls = 12

// readBrought sorts what came; Kind "" means nothing did.
func readBrought(in threeds.Reply) brought {
	b := brought{MD: in.MD}
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

// contradiction refuses ids that are not this run's; absent ones pass, and so do values that cannot be read: the
// gateway will judge those.
func (f *Flow) contradiction(a *Attempt, run *Run, token string, in threeds.Reply) error {
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
		if sealed == "" {
			continue
		}
		if raw, err := f.Sealer.Unseal(sessionDataName, sealed); err == nil && string(raw) != token && string(raw) != run.Token {
			return ErrContradicts
		}
	}
	if md, own := formMD(a.Step), f.ours(formMD(a.Step)); in.MD != "" && md != "" && !own && in.MD != md {
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

func (f *Flow) ours(md string) bool {
	_, err := f.Sealer.Unseal(sessionDataName, md)
	return md != "" && err == nil
}

func (f *Flow) seal(b brought) (string, error) {
	raw, err := json.Marshal(b)
	if err != nil {
		return "", err
	}
	sealed, err := f.Sealer.Seal(answerName, raw)
	if err != nil {
		return "", fmt.Errorf("session: cannot seal an answer: %w", err)
	}
	return sealed, nil
}

// resumeDue is the job that forwards what the browser brought, or its silence.
func (f *Flow) resumeDue(ctx context.Context, p jobPayload) error {
	s, err := f.Store.Load(ctx, p.Session)
	if err != nil {
		return err
	}
	a := s.Attempt(p.Attempt)
	if a == nil || !a.waitsAt(p.StepN) {
		return nil // that step is over
	}
	if a.Step.Kind == providers.Method && a.Run().CompInd == "" {
		if s, err = f.methodSilent(ctx, p); err != nil {
			return err
		}
		if a = s.Attempt(p.Attempt); !a.waitsAt(p.StepN) || a.Run().CompInd == "" {
			return nil
		}
	}
	if a.Run().Unsent {
		if s, err = f.newestAnswer(ctx, p); err != nil {
			return err
		}
		if a = s.Attempt(p.Attempt); !a.waitsAt(p.StepN) {
			return nil
		}
	}
	answer, err := f.answer(s, a)
	if err != nil {
		return err
	}
	f.resume(ctx, s.ID, a.N, a.StepN, a.State, answer)
	return nil
}

// waitsAt tells whether the attempt is at that step and its answer may go out.
func (a *Attempt) waitsAt(stepN int) bool {
	return a.Step != nil && a.StepN == stepN && (a.State == Shopper || a.State == Gateway && noBrowser(*a.Step))
}

// methodSilent writes down that nobody reported the Method's end, before the gateway is told: a notification that comes
// from now on is late. N, or U where the bank has no Method and only the gateway's own frame ran.
func (f *Flow) methodSilent(ctx context.Context, p jobPayload) (*Session, error) {
	return f.update(ctx, p.Session, func(s *Session, c *Change) error {
		a := s.Attempt(p.Attempt)
		if a.State != Shopper || a.Step == nil || a.StepN != p.StepN || a.Run().CompInd != "" {
			return errNothing
		}
		if at := a.MethodDeadline(); f.Now().Before(at) { // the frames were shown only just now
			c.Jobs = append(c.Jobs, f.resumeJob(s, a, at))
			return nil
		}
		a.note(TimelineEntry{At: f.Now(), Kind: EntryBrowser, Name: "method silent", Run: a.Run().N})
		a.Run().CompInd = "U"
		for _, form := range a.Step.Forms {
			if slices.ContainsFunc(form.Fields, func(f threeds.Field) bool { return f.Name == "threeDSMethodData" }) {
				a.Run().CompInd = "N"
			}
		}
		return nil
	})
}

// newestAnswer writes down that the newest answer is the one that goes out now.
func (f *Flow) newestAnswer(ctx context.Context, p jobPayload) (*Session, error) {
	return f.update(ctx, p.Session, func(s *Session, c *Change) error {
		a := s.Attempt(p.Attempt)
		if a.State != Shopper || a.Step == nil || a.StepN != p.StepN || !a.Run().Unsent {
			return errNothing
		}
		a.Run().Unsent, a.Run().Weak = false, false // a weak one never takes another's place
		return nil
	})
}

// answer puts together what goes to the gateway.
func (f *Flow) answer(s *Session, a *Attempt) (providers.Answer, error) {
	run := a.Run()
	answer := providers.Answer{Browser: a.Browser, Card: f.vault.get(vaultKey(s, a)), CompInd: run.CompInd}
	if a.Step.Kind == providers.Method {
		answer.Kind = providers.MethodDone
		return answer, nil
	}
	if run.Sealed == "" {
		answer.Kind = providers.Returned
		return answer, nil
	}
	b, err := f.opened(run)
	if err != nil {
		return answer, err
	}
	answer.Kind, answer.CRes, answer.PaRes, answer.MD, answer.Fields = b.Kind, b.CRes, b.PaRes, b.MD, b.Fields
	return answer, nil
}

// opened is what a run has sealed.
func (f *Flow) opened(run *Run) (b brought, err error) {
	raw, err := f.Sealer.Unseal(answerName, run.Sealed)
	if err != nil {
		return b, fmt.Errorf("session: a stored answer cannot be opened: %w", err)
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return b, fmt.Errorf("session: a stored answer cannot be read: %w", err)
	}
	return b, nil
}

// Shown marks that a page was shown, and tells whether this was the first time: only the first page posts by itself.
// For a 3DS Method it starts the ten seconds.
func (f *Flow) Shown(ctx context.Context, id string, stepN int) (first bool, err error) {
	_, err = f.update(ctx, id, func(s *Session, c *Change) error {
		first = false
		a := s.Live()
		if a == nil || a.State != Shopper || a.Step == nil || a.StepN != stepN {
			return errNothing
		}
		run, now := a.Run(), f.Now()
		if a.Step.Kind == providers.Method {
			if !run.MethodAt.IsZero() || !run.NotifiedAt.IsZero() {
				return errNothing
			}
			run.MethodAt = now
			c.Jobs = append(c.Jobs, f.resumeJob(s, a, a.MethodDeadline()))
		} else {
			if !run.ShownAt.IsZero() {
				return errNothing
			}
			run.ShownAt = now
		}
		first = true
		a.note(TimelineEntry{At: now, Kind: EntryBrowser, Name: "shown " + string(a.Step.Kind), Run: run.N})
		return nil
	})
	return first, err
}

// MethodDeadline is when a 3DS Method is given up. The attempt is at a Method step.
func (a *Attempt) MethodDeadline() time.Time {
	wait := MethodWait
	if d := a.Step.Deadline; d > 0 && d+methodLoads < MethodWait { // nobody would report its end
		wait = d + methodLoads
	}
	if at := a.Run().MethodAt; !at.IsZero() {
		return at.Add(wait)
	}
	return a.StepAt.Add(wait)
}
