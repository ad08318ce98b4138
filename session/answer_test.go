package session

import (
	"slices"
	"testing"

	"tollgate/providers"
)

// Which answers of a browser can end which step. A step kind that is added has to take its place here, and in fits.
var answersOf = map[providers.Kind][]providers.AnswerKind{
	providers.Method:    {}, // its answer has an entrance of its own: Arrivals.MethodDone
	providers.Challenge: {providers.Challenged, providers.Returned},
	providers.PayerPage: {providers.PayerAuth, providers.Returned},
	providers.Page:      {providers.Challenged, providers.PayerAuth, providers.Returned},
	providers.Redirect:  {providers.Challenged, providers.PayerAuth, providers.Returned},
	providers.Scan:      {providers.Challenged, providers.PayerAuth, providers.Returned},
	providers.AskCard:   {},
	providers.Wait:      {},
	providers.Resend:    {},
	providers.Finished:  {},
	providers.Declined:  {},
}

func TestEveryStepKindTakesTheAnswersThatABrowserCanBringToIt(t *testing.T) {
	for name, kind := range constants(t, "../providers/providers.go", "Kind") {
		answers, ok := answersOf[providers.Kind(kind)]
		if !ok {
			t.Errorf("providers.%s is a step kind that nobody has thought of: fits in session/answer.go, and answersOf here", name)
			continue
		}
		for _, answer := range []providers.AnswerKind{providers.Challenged, providers.PayerAuth, providers.Returned} {
			if got, want := fits(providers.Kind(kind), answer), slices.Contains(answers, answer); got != want {
				t.Errorf("an answer %q to a step %q: taken is %v, not %v", answer, kind, got, want)
			}
		}
	}
}
