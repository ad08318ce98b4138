package flow_test

import (
	"context"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/session"
)

// uploading asks for a Method without a frame, and repeats that to inquiries until something was taken.
func uploading(h *house) {
	step := func(p providers.Payment) providers.Step {
		s := method(p, trans1)
		s.Forms = nil
		return s
	}
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		next := step(p)
		o.next = &next
		return next, nil
	}
}

func TestAnAnswerWhoseContentIsRefusedIsMendedAndSentAsACallOfItsOwn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	uploading(h)
	h.gw.resume = func(_ context.Context, p providers.Payment, a providers.Answer, o *order) (providers.Step, error) {
		if p.Ref.More["plain"] == "" {
			return providers.NewStep(providers.Resend, p.Ref.With("plain", "browserLanguage")), nil
		}
		if p.Ref.More["plain"] != "browserLanguage" || a.CompInd != "U" {
			t.Errorf("sent again with %v, indicator %s", p.Ref.More, a.CompInd)
		}
		return h.gw.take(p, o), nil
	}
	h.submit()
	h.forward(time.Second)
	h.is(session.Paid)
	var rounds []int
	for _, c := range h.last().Calls {
		if c.Kind == session.CallResume {
			rounds = append(rounds, c.Round)
		}
	}
	if len(rounds) != 2 || rounds[0] == rounds[1] {
		t.Errorf("rounds of the call book: %v", rounds)
	}
}

func TestAnAnswerThatIsRefusedInWordsAgainAndAgainEndsTheTryWithThoseWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		fails   providers.Failure
		sent    int
		ends    bool
		reason  providers.Reason
		message string
	}{
		{"its content", providers.Failure{Code: "1", Text: "Parameter browserLanguage is malformed", Untaken: true}, 3, true,
			providers.AuthenticationFailed, "Parameter browserLanguage is malformed"},
		{"no code", providers.Failure{Text: "malformed", Untaken: true}, 3, true, providers.AuthenticationFailed, "malformed"},
		{"our account", *providers.Failure{Code: "2", Text: "control"}.Misconfigured(true), 3, true, providers.Misconfigured, "control"},
		{"no proof", providers.Failure{Code: "7", Text: "system error"}, 11, false, "", ""},
		{"no words", providers.Failure{Untaken: true}, 11, false, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			uploading(h)
			h.gw.resume = func(context.Context, providers.Payment, providers.Answer, *order) (providers.Step, error) {
				return providers.Step{}, &c.fails
			}
			h.submit()
			h.forward(20 * time.Minute)
			a := h.last()
			if sent := h.gw.orders[a.Ref.Reference].sent["method U"]; sent != c.sent {
				t.Errorf("sent %d times", sent)
			}
			if !c.ends {
				h.is(session.Unknown)
				return
			}
			h.is(session.Declined)
			if a.Decline.Reason != c.reason || a.Decline.Message != c.message || !a.Withheld || h.session().TriesLeft() == 0 {
				t.Errorf("%+v, withheld %v", a.Decline, a.Withheld)
			}
		})
	}
}
