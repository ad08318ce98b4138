package flow_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/session"
)

func TestTheAuthorizationIsInTheSessionItsEventsAndItsTimeline(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	told := providers.Authorization{ApprovalCode: "123456", RRN: "408012345678", At: time.Date(2026, 5, 1, 11, 59, 0, 0, time.UTC), RequestID: "r-1"}
	h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		st := h.gw.truth(p, o)
		st.Authorization = told
		return st, nil
	}
	h.submit()
	if a := h.is(session.Paid); a.Authorization != told {
		t.Errorf("%+v", a.Authorization)
	}
	all, err := h.store.Events(t.Context(), h.id, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var data struct {
		Authorization providers.Authorization `json:"authorization"`
	}
	if last := all[len(all)-1]; json.Unmarshal(last.Data, &data) != nil || last.Type != session.EventPaymentPaid || data.Authorization != told {
		t.Errorf("%s: %s", last.Type, last.Data)
	}
	entries, err := h.flow.Timeline(t.Context(), h.session(), 1)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if e.Kind == session.EntryAuthorization {
			n++
			if e.Fields["approval_code"] != "123456" || e.Fields["rrn"] != "408012345678" || e.Fields["at"] != "2026-05-01T11:59:00Z" {
				t.Errorf("%v", e.Fields)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d entries", n)
	}
}

// What belongs to another payment than ours is not kept as this one's.
func TestTheAuthorizationOfAnotherPaymentIsNotKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		st := h.gw.truth(p, o)
		st.Reference, st.Authorization = "another", providers.Authorization{ApprovalCode: "123456"}
		return st, nil
	}
	h.submit()
	if a := h.is(session.Mismatched); a.Authorization != (providers.Authorization{}) {
		t.Errorf("%+v", a.Authorization)
	}
}
