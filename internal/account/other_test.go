package account_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tollgate/internal/account"
	"tollgate/providers"
)

// desk is a gateway that takes a password and callbacks signed with it.
type desk struct {
	providers.Provider
	shows string
	taken *string
	calls *[]string
	proof bool
	again bool
}

func (d desk) Banks(context.Context) ([]providers.Bank, error) {
	*d.calls = append(*d.calls, d.shows)
	if d.shows != *d.taken {
		refused := providers.Failure{Op: "banks", Code: "5"}.Misconfigured(d.proof)
		refused.Again = d.again
		return nil, refused
	}
	return nil, nil
}

func (d desk) Notified(r *http.Request) (providers.Notice, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != "signed with "+d.shows {
		return providers.Notice{}, providers.ErrForged
	}
	return providers.Notice{Reference: "one"}, nil
}

func TestWhileAPasswordIsExchangedEitherOpensTheGateway(t *testing.T) {
	taken, calls := "old", []string(nil)
	with := func(shows string, proof bool) desk {
		return desk{shows: shows, taken: &taken, calls: &calls, proof: proof}
	}
	acc := account.Open(account.Settings{Name: "a", Provider: with("old", true)}).Beside(with("new", true))
	for _, step := range []struct{ taken, want string }{
		{"old", "old"}, {"new", "old new"}, {"new", "new"}, {"old", "new old"}, {"old", "old"},
	} {
		taken, calls = step.taken, nil
		if _, err := acc.Banks(t.Context()); err != nil || strings.Join(calls, " ") != step.want {
			t.Errorf("while %s is taken: %v, %v", step.taken, calls, err)
		}
	}
	taken, calls = "neither", nil
	if _, err := acc.Banks(t.Context()); providers.RefusalOfUs(err) == nil || len(calls) != 2 {
		t.Errorf("%v, %v", calls, err)
	}
	acc = account.Open(account.Settings{Name: "a", Provider: with("old", false)}).Beside(with("new", false))
	taken, calls = "new", nil
	if _, err := acc.Banks(t.Context()); providers.RefusalOfUs(err) == nil || len(calls) != 1 {
		t.Errorf("a call that may have done something was repeated: %v, %v", calls, err)
	}
	harmless := with("new", false)
	harmless.shows, harmless.again = "old", true
	acc = account.Open(account.Settings{Name: "a", Provider: harmless}).Beside(with("new", false))
	taken, calls = "new", nil
	if _, err := acc.Banks(t.Context()); err != nil || strings.Join(calls, " ") != "old new" {
		t.Errorf("a call that is harmless twice was not repeated: %v, %v", calls, err)
	}
}

func TestCallbacksSignedWithEitherOfTwoSecretsAreTaken(t *testing.T) {
	taken, calls := "old", []string(nil)
	acc := account.Open(account.Settings{Name: "a", Provider: desk{shows: "old", taken: &taken, calls: &calls}}).
		Beside(desk{shows: "new", taken: &taken, calls: &calls})
	for body, forged := range map[string]bool{"signed with old": false, "signed with new": false, "signed with": true, "": true} {
		n, err := acc.Notified(httptest.NewRequest(http.MethodPost, "/callbacks/a", strings.NewReader(body)))
		if errors.Is(err, providers.ErrForged) != forged || !forged && n.Reference != "one" {
			t.Errorf("%q: %+v, %v", body, n, err)
		}
	}
}
