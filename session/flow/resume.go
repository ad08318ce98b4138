package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"tollgate/internal/account"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/threeds"
)

// Page is what a post from outside needs to know to answer: where the shopper belongs.
type Page struct {
	Session string
	session.Arrival
}

// Notified takes what came to /3ds/{run}/notify: the end of a 3DS Method (session.Arrivals.Notified). session.ErrNotFound for an
// unknown token, ErrContradicts for another run's id.
func (f *Flow) Notified(ctx context.Context, token string, in threeds.Reply) (Page, error) {
	return f.arrived(ctx, token, "notified.stored", func(t *session.Turn, n int) (session.Arrival, error) {
		return t.Arrivals().Notified(n, token, in)
	})
}

// Returned takes what came to /3ds/{run}/return: CRes, Erro, PaRes, or the shopper coming back from a gateway's page
// (session.Arrivals.Returned).
func (f *Flow) Returned(ctx context.Context, token string, in threeds.Reply) (Page, error) {
	sealed, err := sealAnswer(f.Sealer, session.ReadAnswer(in))
	if err != nil {
		return Page{}, err
	}
	return f.arrived(ctx, token, "returned.stored", func(t *session.Turn, n int) (session.Arrival, error) {
		arrival, err := t.Arrivals().Returned(n, token, in, sealed)
		if order := f.provedOrder(t.S, n, in); order != "" && (err == nil || errors.Is(err, session.ErrNothing)) {
			if t.Arrivals().Named(n, order) {
				err = nil
			}
		}
		return arrival, err
	})
}

// provedOrder is the gateway's order that a return to attempt n names, where it is proved as a callback is: some gateways send the
// browser back with the same signed fields. "" where it names none.
func (f *Flow) provedOrder(s *session.Session, n int, in threeds.Reply) string {
	acc, err := f.account(s)
	if err != nil || len(in.Extra) == 0 {
		return ""
	}
	fields := url.Values{}
	for name, value := range in.Extra {
		fields.Set(name, value)
	}
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{RawQuery: fields.Encode()}, Header: http.Header{}, Body: http.NoBody}
	notice, err := acc.Notified(r)
	if a := s.Attempt(n); err != nil || a == nil || notice.Reference != a.Ref.Reference {
		return ""
	}
	return notice.OrderID
}

// arrived finds the run of a token and lets its session decide about a post from outside. What is to be forwarded is permitted in
// the save that stores it, and goes out at once; where that cannot be, the job that was stored forwards it.
func (f *Flow) arrived(
	ctx context.Context, token, place string, decide func(t *session.Turn, n int) (session.Arrival, error),
) (Page, error) {
	id, n, err := f.Store.FindRun(ctx, token)
	if err != nil {
		return Page{}, err
	}
	page := Page{Session: id}
	out := permitted{kind: session.CallResume, attempt: n, done: f.inFlight.begin(id)}
	var answer providers.Answer
	for atOnce := !f.Queued; ; atOnce = false {
		sent := false
		out.s, err = f.update(ctx, id, func(t *session.Turn) (err error) {
			sent = false
			if page.Arrival, err = decide(t, n); err != nil || !atOnce {
				return err
			}
			a := t.S.Attempt(n)
			if out.acc, err = f.account(t.S); err != nil || a == nil || f.recall.memory(ctx).After(a.CreatedAt) {
				return nil // later attempts are asked about first
			}
			out.row, answer, sent = t.Arrivals().ForwardNow(n)
			return nil
		})
		switch {
		case atOnce && errors.Is(err, session.ErrCallExists): // another process has the permission; what came is stored all the same
			continue
		case err != nil || !sent:
			out.done()
			f.At(place)
			return page, err
		}
		break
	}
	f.At(place)
	answer.Card = f.vault.get(attemptKey(id, n))
	f.calls.run(func(ctx context.Context) {
		defer out.done()
		f.send(ctx, out, forwards(answer))
	})
	return page, nil
}

// forwards sends the browser's answer.
func forwards(answer providers.Answer) sender {
	return func(ctx context.Context, acc account.Account, p providers.Payment) (step providers.Step, made []account.Request, err error) {
		made, err = account.Call(ctx, acc, session.CallResume, func(call context.Context, gateway providers.Provider) (err error) {
			step, err = gateway.Resume(call, p, answer)
			return err
		})
		return step, made, err
	}
}

func sealAnswer(sealer Sealer, b session.BrowserAnswer) (string, error) {
	raw, err := json.Marshal(b)
	if err != nil {
		return "", err
	}
	sealed, err := sealer.Seal(session.SealedAnswer, raw)
	if err != nil {
		return "", fmt.Errorf("session: cannot seal an answer: %w", err)
	}
	return sealed, nil
}

// resumeDue is the job that forwards an answer of the browser, or that a 3DS Method was not notified in time.
func (f *Flow) resumeDue(ctx context.Context, task session.Task) error {
	ready := false
	s, err := f.update(ctx, task.Session, func(t *session.Turn) (err error) {
		ready, err = t.Arrivals().Forward(task.Attempt, task.StepN)
		return err
	})
	if err != nil || !ready {
		return err
	}
	if _, err := f.account(s); err != nil {
		return err
	}
	a := s.Attempt(task.Attempt)
	answer, err := f.newTurn(s).Arrivals().ToForward(a)
	if err != nil {
		return err
	}
	answer.Card = f.vault.get(attemptKey(s.ID, a.N))
	return f.resume(ctx, s, a, answer)
}
