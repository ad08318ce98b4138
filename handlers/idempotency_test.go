package handlers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/merchant"
	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
	"tollgate/session"
	"tollgate/session/flow"
)

func postgres(t *testing.T) string { return pgtest.Start(t) }

const keyHeader = "Idempotency-Key"

func TestFiftyEqualCreatesInParallelMakeOneSession(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, many bool) {
		c := &clock.Clock{}
		machines := []*machine{boot(t, c, at, tune{})}
		if many {
			machines = append(machines, boot(t, c, at, tune{}))
		}
		replies := make([]reply, 50)
		var all sync.WaitGroup
		for i := range replies {
			all.Go(func() {
				replies[i] = machines[i%len(machines)].call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k")
			})
		}
		all.Wait()
		first := machines[0].call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k")
		first.is(http.StatusCreated, "")
		created := 0
		for _, r := range replies {
			if r.Code == http.StatusConflict {
				r.is(http.StatusConflict, "request-in-flight")
				if r.Header().Get("Retry-After") == "" {
					t.Error("409 without Retry-After")
				}
				continue
			}
			created++
			r.same(first)
		}
		if created == 0 {
			t.Error("nobody was answered")
		}
		if n := machines[0].sessions(); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

func TestAnAnswerIsRepeatedAfterARestartAndOnAnotherMachine(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, many bool) {
		c := &clock.Clock{}
		a := boot(t, c, at, tune{})
		first := a.call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k")
		first.is(http.StatusCreated, "")
		if first.Header().Get("Idempotency-Replayed") != "" {
			t.Error("the first answer calls itself a repetition")
		}
		if !many {
			a.stop()
		}
		b := boot(t, c, at, tune{})
		c.Advance(47 * time.Hour)
		again := b.call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k")
		again.same(first)
		if again.Header().Get("Idempotency-Replayed") != "true" {
			t.Error("a repetition does not say so")
		}
		if first.Header().Get("Location") == "" || !strings.HasPrefix(first.Header().Get("Content-Type"), "application/json") {
			t.Errorf("headers: %v", first.Header())
		}
	})
}

func TestAKeyIsForgottenAfterTwoDays(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		m := boot(t, &clock.Clock{}, at, tune{})
		first := m.call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k")
		first.is(http.StatusCreated, "")
		m.call(http.MethodPost, "/v1/sessions/"+first.field("id")+"/cancel", "").is(http.StatusOK, "")
		m.clock.Advance(49 * time.Hour)
		second := m.call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k")
		second.is(http.StatusCreated, "")
		if second.field("id") == first.field("id") {
			t.Error("49 hours later it is still the same session")
		}
	})
}

func TestAKeyBelongsToOneRequestOfOneMerchant(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	first := m.call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k")
	first.is(http.StatusCreated, "")
	m.call(http.MethodPost, "/v1/sessions", order("two"), keyHeader, "k").is(http.StatusUnprocessableEntity, "idempotency-key-reused")
	m.call(http.MethodPost, "/v1/sessions?x=1", order("one"), keyHeader, "k").is(http.StatusUnprocessableEntity, "idempotency-key-reused")
	m.call(http.MethodPost, "/v1/sessions/"+first.field("id")+"/cancel", order("one"), keyHeader, "k").is(http.StatusUnprocessableEntity, "idempotency-key-reused")
	m.key = otherKey
	theirs := m.call(http.MethodPost, "/v1/sessions", order("three"), keyHeader, "k")
	theirs.is(http.StatusCreated, "")
	if theirs.field("id") == first.field("id") {
		t.Error("two merchants share a key")
	}
}

func TestKeysArePrintableASCII(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	for i, key := range []string{"", strings.Repeat("x", 256), "tab\there", "ключ", "nul\x00"} {
		m.call(http.MethodPost, "/v1/sessions", order(fmt.Sprint("bad-", i)), keyHeader, key).is(http.StatusBadRequest, "idempotency-key")
	}
	m.call(http.MethodPost, "/v1/sessions", order("twice"), keyHeader, "a", keyHeader, "b").is(http.StatusBadRequest, "idempotency-key")
	m.call(http.MethodPost, "/v1/sessions", order("longest"), keyHeader, strings.Repeat("~", 255)).is(http.StatusCreated, "")
	if n := m.sessions(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestAnIdempotentRefusalIsRepeatedAndATemporaryErrorIsNot(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	bad := m.call(http.MethodPost, "/v1/sessions", `{"account":"acc"}`, keyHeader, "bad")
	bad.is(http.StatusUnprocessableEntity, "invalid")
	again := m.call(http.MethodPost, "/v1/sessions", `{"account":"acc"}`, keyHeader, "bad")
	again.same(bad)
	if again.Header().Get("Idempotency-Replayed") != "true" {
		t.Error("a refusal was judged twice")
	}

	holder := m.call(http.MethodPost, "/v1/sessions", order("taken"))
	holder.is(http.StatusCreated, "")
	m.call(http.MethodPost, "/v1/sessions", order("taken"), keyHeader, "later").is(http.StatusConflict, "order-in-use")
	m.call(http.MethodPost, "/v1/sessions/"+holder.field("id")+"/cancel", "").is(http.StatusOK, "")
	m.call(http.MethodPost, "/v1/sessions", order("taken"), keyHeader, "later").is(http.StatusCreated, "")
}

// killed is a store or a book whose process dies at a place: from then on nothing of it reaches the database.
type killed struct {
	flow.Store
	merchant.Book
	before bool // dies before the session is created; else after it
}

var errKilled = errors.New("killed")

type killedStore struct{ *killed }

func (k killedStore) Create(ctx context.Context, s *session.Session, c session.Change) error {
	if k.before {
		return errKilled
	}
	return k.Store.Create(ctx, s, c)
}

// The flow.Store of killedStore and the merchant.Book of killedBook share no method names.
type killedBook struct{ *killed }

func (killedBook) Answer(context.Context, merchant.Entry, merchant.Answer) error { return errKilled }
func (killedBook) Release(context.Context, merchant.Entry) error                 { return errKilled }

func (k *killed) tune() tune {
	return tune{
		store: func(s flow.Store) flow.Store { k.Store = s; return killedStore{k} },
		book:  func(b merchant.Book) merchant.Book { k.Book = b; return killedBook{k} },
	}
}

func TestACrashDuringACreateNeverMakesTwoSessions(t *testing.T) {
	for _, place := range []string{"before the session is stored", "after it, before the answer is"} {
		t.Run(place, func(t *testing.T) {
			scenario(t, func(t *testing.T, at sqlstore.Options, many bool) {
				c := &clock.Clock{}
				dying := boot(t, c, at, (&killed{before: place == "before the session is stored"}).tune())
				_ = dying.call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k") // nobody reads it
				stored := dying.sessions()
				if !many {
					dying.stop()
				}
				next := boot(t, c, at, tune{})
				next.call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k").is(http.StatusConflict, "request-in-flight")
				next.call(http.MethodPost, "/v1/sessions", order("two"), keyHeader, "k").is(http.StatusUnprocessableEntity, "idempotency-key-reused")
				c.Advance(merchant.ClaimLease + time.Second)
				r := next.call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k")
				r.is(http.StatusCreated, "")
				if n := next.sessions(); n != 1 {
					t.Errorf("%d sessions, %d before the repetition", n, stored)
				}
				if r.Header().Get("Location") != "https://pay.example/v1/sessions/"+r.field("id") {
					t.Errorf("Location: %s", r.Header().Get("Location"))
				}
				next.call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k").same(r)
			})
		})
	}
}

func TestACrashAfterARefundWasWrittenDoesNotRefundTwice(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, many bool) {
		c := &clock.Clock{}
		dying := boot(t, c, at, (&killed{}).tune())
		path := "/v1/sessions/" + dying.paid("one") + "/refunds"
		dying.call(http.MethodPost, path, `{"amount":500}`, keyHeader, "k").is(http.StatusCreated, "")
		if !many {
			dying.stop()
		}
		c.Advance(merchant.ClaimLease + time.Second)
		next := boot(t, c, at, tune{})
		r := next.call(http.MethodPost, path, `{"amount":500}`, keyHeader, "k")
		r.is(http.StatusCreated, "")
		if r.field("kind") != "refund" || r.field("state") != "succeeded" {
			t.Errorf("answer: %s", r.Body)
		}
		if n := dying.gateway.refunds.Load() + next.gateway.refunds.Load(); n != 1 {
			t.Errorf("%d refunds reached the gateway", n)
		}
	})
}

func TestARequestWhoseIdempotencyClaimWasTakenOverDoesNothing(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, many bool) {
		c := &clock.Clock{}
		m := boot(t, c, at, tune{})
		other := m
		if many {
			other = boot(t, c, at, tune{})
		}
		var second reply
		m.gateway.check = func() { // between the claim and the session: the process stops for as long as the lease
			m.gateway.check = nil
			c.Advance(merchant.ClaimLease + time.Second)
			second = other.call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k")
		}
		first := m.call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k")
		second.is(http.StatusCreated, "")
		first.is(http.StatusConflict, "") // of its claim or of its order id, whichever it meets first
		if n := m.sessions(); n != 1 {
			t.Errorf("%d sessions", n)
		}
		m.call(http.MethodPost, "/v1/sessions", order("one"), keyHeader, "k").same(second)
	})
}

func TestWithoutAnIdempotencyKeyNoAnswerIsStored(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	m.call(http.MethodPost, "/v1/sessions", order("one")).is(http.StatusCreated, "")
	m.call(http.MethodPost, "/v1/sessions", order("one")).is(http.StatusConflict, "order-in-use")
}

func TestAStoredAnswerWithASecretIsSealed(t *testing.T) {
	dir := t.TempDir()
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: dir}, tune{})
	body := `{"secret":"whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5"}`
	first := m.call(http.MethodPost, "/v1/webhook_keys/rotate", body, keyHeader, "k")
	first.is(http.StatusOK, "")
	if !strings.Contains(first.Body.String(), "whsec_Y2FuYXJ5") {
		t.Fatalf("the answer tells no secret, so this test shows nothing: %s", first.Body)
	}
	m.call(http.MethodPost, "/v1/webhook_keys/rotate", body, keyHeader, "k").same(first)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte("whsec_Y2FuYXJ5")) {
			t.Errorf("%s holds the secret", f.Name())
		}
	}
}
