package app

import (
	"context"
	"encoding/json"
	"time"

	"tollgate/internal/config"
	"tollgate/internal/limit"
	"tollgate/internal/security"
	"tollgate/session"
	"tollgate/session/flow"
)

// limiter counts in memory where one machine has the database to itself, and in the database where several share it.
func (a *App) limiter(c config.Config) *limit.Limiter {
	var buckets limit.Buckets = limit.NewMemory(0)
	if !a.store.Alone() {
		buckets = a.store.Limits()
	}
	return limit.New(limit.Options{
		Buckets: buckets, Print: a.keys.Fingerprint, Now: a.o.Clock.Now, Rand: a.o.Rand, Log: a.log,
		Settings: func(account string) limit.Settings { return c.LimitsOf(account) },
		Met:      func(kind string, mode limit.Mode) { a.metrics.limited.WithLabelValues(kind, string(mode)).Inc() },
		Attack:   a.underAttack,
	})
}

// quietAttack is how long nobody is told again of an account that is under attack.
const quietAttack = time.Hour

// underAttack tells the merchant and the operator. It is called by a shopper's request, which does not wait for it.
func (a *App) underAttack(merchant, account string, seen limit.Attack) {
	a.log.Warn("account under attack: nearly every card is declined", "merchant", merchant, "account", account, "tries", seen.Tries,
		"declines", seen.Declines, "new_cards", seen.NewCards, "stopped", seen.Stopped)
	a.security.Record(security.Entry{Kind: security.AttackSeen, Outcome: "ok", Merchant: merchant, Resource: "account " + account})
	a.metrics.attacks.WithLabelValues(merchant, account).Inc()
	data, err := json.Marshal(map[string]any{
		"account": account, "tries": seen.Tries, "declines": seen.Declines, "new_cards": seen.NewCards, "stopped": seen.Stopped,
		"since": seen.Since.UTC().Format(time.RFC3339),
	})
	if err != nil {
		a.log.Error("account under attack", "error", err)
		return
	}
	a.alarms.Go(func() {
		ctx, done := context.WithTimeout(context.Background(), 20*time.Second)
		defer done()
		_, err := a.store.Tell(ctx, session.AccountEvent{
			Merchant: merchant, Subject: merchant + "." + account, Type: session.EventAccountUnderAttack, At: a.o.Clock.Now(), Data: data,
		}, quietAttack)
		if err != nil {
			a.log.Error("the merchant could not be told of the attack", "merchant", merchant, "account", account, "error", err)
		}
	})
}

// outcomes is the store of sessions; the limiter hears from it how each try ended, whoever found out.
type outcomes struct {
	flow.Store
	limits *limit.Limiter
}

func (o outcomes) Save(ctx context.Context, s *session.Session, c session.Change) error {
	err := o.Store.Save(ctx, s, c)
	if err != nil {
		return err
	}
	for _, e := range c.Events {
		approved := e.Type == session.EventPaymentPaid || e.Type == session.EventPaymentAuthorized
		if a := s.Last(); a != nil && !a.MerchantInitiated && (approved || e.Type == session.EventPaymentDeclined) {
			o.limits.Ended(ctx, limit.Outcome{
				Merchant: s.Merchant, Account: s.Account, Address: a.IP, BIN: a.Card.First6, Approved: approved,
			})
			break
		}
	}
	return nil
}
