package flow_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/jobs"
	"tollgate/internal/money"
	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
	"tollgate/internal/wallet"
	"tollgate/session"
	"tollgate/session/flow"
)

var promotions = flag.Int("promotions", 2, "how often a standby is promoted in each of the tests")

// A real server, its standby promoted while payments are under way: nobody is charged twice. A synchronous standby forgets no
// payment either; of what another has forgotten, the order comes again, and finds it.
func TestAStandbyIsPromotedUnderLoad(t *testing.T) {
	t.Parallel()
	for _, synchronous := range []bool{true, false} {
		t.Run(fmt.Sprintf("synchronous %t", synchronous), func(t *testing.T) {
			t.Parallel()
			promotedUnderLoad(t, synchronous, *promotions)
		})
	}
}

// load is a Flow on a pair of servers, and the shops that use it.
type load struct {
	t     *testing.T
	store *sqlstore.Store
	flow  *flow.Flow
	gw    *gateway
	paid  atomic.Int64
	lost  atomic.Int64 // orders that were forgotten and posted again
	over  chan struct{}
}

func promotedUnderLoad(t *testing.T, synchronous bool, times int) {
	pair := pgtest.StartPair(t, synchronous)
	l := &load{t: t, over: make(chan struct{}), gw: &gateway{orders: map[string]*order{}, now: time.Now}}
	tell := &house{gw: l.gw}
	doubting(tell)
	log := slog.New(slog.DiscardHandler)
	var runner atomic.Pointer[jobs.Runner]
	var err error
	l.store, err = sqlstore.Open(t.Context(), sqlstore.Options{URL: pair.URL(), OnJobs: func() {
		if r := runner.Load(); r != nil {
			r.Wake()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.store.Close()
	accounts := account.Accounts{shop: account.Open(account.Settings{
		Name: shop, Gateway: "fake", Provider: l.gw, CallTimeout: 2 * time.Second, SettleAfter: time.Second,
	})}
	l.flow = flow.New(flow.Options{
		Store: l.store, Accounts: accounts, Sealer: plainSeal{}, Now: time.Now, BaseURL: "https://pay.example", Log: log, Memory: l.store.Memory,
		Wallet: wallet.New(wallet.Options{Customers: l.store, Accounts: accounts, Sealer: plainSeal{}, Now: time.Now, Log: log}),
	})
	r := jobs.New(l.store, jobs.Options{Log: log})
	for kind, do := range l.flow.Jobs() {
		r.Handle(kind, do)
	}
	runner.Store(r)
	work, stop := context.WithCancel(t.Context())
	var background sync.WaitGroup
	background.Go(func() { _ = r.Run(work) })
	var shops sync.WaitGroup
	for n := range 4 {
		shops.Go(func() { l.sell(n) })
	}
	for n := range times {
		l.until(int64(5 * (2*n + 1)))
		if !synchronous {
			pair.Lag()
			l.until(int64(5 * (2*n + 2)))
		}
		pair.Promote()
	}
	l.until(int64(5 * (2*times + 1)))
	close(l.over)
	shops.Wait()
	stop()
	background.Wait()
	l.flow.Close(t.Context())
	l.gw.mu.Lock()
	charged := map[string]int{}
	for reference, o := range l.gw.orders {
		charged[reference[:len(reference)-2]] += o.charges
	}
	l.gw.mu.Unlock()
	unknown := 0
	for order, n := range charged {
		if n > 1 {
			t.Errorf("%s is charged %d times", order, n)
		}
		found, err := l.store.List(t.Context(), session.Filter{Merchant: "demo", OrderID: order})
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 && len(found) == 0 { // the shop holds it to be paid, and does not post it again
			unknown++
		}
	}
	if lost := l.lost.Load(); synchronous && lost+int64(unknown) > 0 {
		t.Errorf("%d orders were forgotten under way, %d once they were paid", lost, unknown)
	}
	t.Logf("%d promotions: %d orders paid; %d were forgotten under way and came again, %d once they were paid", times, l.paid.Load(),
		l.lost.Load(), unknown)
}

// until waits for so many payments.
func (l *load) until(n int64) {
	l.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(3 * time.Minute)
	defer end.Stop()
	for l.paid.Load() < n {
		select {
		case <-tick.C:
		case <-end.C:
			l.t.Fatalf("%d paid after three minutes, want %d", l.paid.Load(), n)
		}
	}
}

// sell pays one order after the other. An order whose session is gone is posted again.
func (l *load) sell(n int) {
	for i := 0; ; i++ {
		order := fmt.Sprintf("o%d.%d", n, i)
		again := false
		for {
			select {
			case <-l.over:
				return
			default:
			}
			paid, err := l.buy(order)
			if errors.Is(err, session.ErrNotFound) {
				again = true
			}
			if paid {
				break
			}
			select { // a shop that repeats what was not answered
			case <-l.over:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
		if again {
			l.lost.Add(1)
		}
		l.paid.Add(1)
	}
}

var kzt = func() money.Currency {
	c, err := money.ParseCurrency("KZT")
	if err != nil {
		panic(err)
	}
	return c
}()

// buy posts an order, or finds it posted, and pays it.
func (l *load) buy(orderID string) (paid bool, err error) {
	ctx, done := context.WithTimeout(context.Background(), 15*time.Second)
	defer done()
	s := &session.Session{
		Merchant: "demo", Account: shop, Kind: "payment", OrderID: orderID, Amount: money.Amount{Minor: 100, Currency: kzt}, Method: "card",
		CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	}
	err = l.flow.Create(ctx, s)
	var taken *session.OrderTaken
	id := s.ID
	switch {
	case errors.As(err, &taken):
		id = taken.SessionID
	case err != nil:
		return false, err
	}
	err = l.flow.Submit(ctx, id, flow.Submission{Card: theCard})
	if err != nil && !errors.Is(err, session.ErrBusy) && !errors.Is(err, session.ErrEnded) {
		return false, err
	}
	for range 100 {
		s, err := l.store.Load(ctx, id)
		if err != nil {
			return false, err
		}
		switch a := s.Last(); {
		case a == nil:
			return false, nil
		case a.State == session.Paid:
			return true, nil
		case !a.State.Live():
			return false, nil
		}
		waited, stop := context.WithTimeout(ctx, 500*time.Millisecond)
		_, err = l.flow.Wait(waited, id, func(s *session.Session) bool { return s.Last() == nil || !s.Last().State.Live() })
		stop()
		if err != nil {
			return false, err
		}
	}
	return false, nil
}
