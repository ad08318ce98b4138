package handlers_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/jobs"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
	"tollgate/session"
)

// slowOffice takes an operation and says later how it ended.
type slowOffice struct {
	*gateway
	taken chan struct{}
	over  atomic.Bool
}

func (g *slowOffice) Do(context.Context, providers.Payment, providers.Op) (providers.OpResult, error) {
	close(g.taken)
	return providers.OpResult{State: providers.OpPending}, nil
}

func (g *slowOffice) Inquire(context.Context, providers.Payment, providers.Op) (providers.OpResult, error) {
	if g.over.Load() {
		return providers.OpResult{State: providers.OpSucceeded}, nil
	}
	return providers.OpResult{State: providers.OpPending}, nil
}

func TestTheAnswerToARefundTellsItsEndWhereTheGatewayOnlyTakesIt(t *testing.T) {
	g := &slowOffice{taken: make(chan struct{})}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: func(inner *gateway) providers.Provider { g.gateway = inner; return g }})
	id := m.paid("one")
	due := jobs.Job{Kind: session.JobOperate, Payload: []byte(`{"session":"` + id + `","operation":1}`)}
	answer := make(chan reply, 1)
	go func() { answer <- m.call(http.MethodPost, "/v1/sessions/"+id+"/refunds", `{"amount":500}`) }()
	<-g.taken
	g.over.Store(true)
	for {
		select {
		case got := <-answer:
			if got.Code != http.StatusCreated || got.field("state") != "succeeded" {
				t.Errorf("%d %s", got.Code, got.Body)
			}
			return
		default:
			if err := m.flow.Jobs()[session.JobOperate](t.Context(), due); err != nil {
				t.Fatal(err)
			}
		}
	}
}
