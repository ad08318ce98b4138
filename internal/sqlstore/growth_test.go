package sqlstore_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
	"tollgate/internal/webhook"
	"tollgate/session"
)

// BenchmarkGrowth does the same things with a small store and with a big one, in turns, and prints the median of each and
// how many times as long it takes with the big one: wanted is at most twice. Run it with -benchtime=1x; GROWTH names other
// sizes than "1000 100000". Nothing is analyzed before. The server of pgtest does not wait for the disk; SQLite does.
func BenchmarkGrowth(b *testing.B) {
	sizes := []int{1000, 100_000}
	for i, text := range strings.Fields(os.Getenv("GROWTH")) {
		var err error
		if sizes[i], err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for _, engine := range []struct {
		name    string
		options func() sqlstore.Options
	}{
		{"SQLite", func() sqlstore.Options { return sqlstore.Options{Dir: b.TempDir()} }},
		{"PostgreSQL", func() sqlstore.Options { return sqlstore.Options{URL: pgtest.Start(b)} }},
	} {
		b.Run(engine.name, func(b *testing.B) {
			var stores []*sqlstore.Store
			for _, size := range sizes {
				st := open(b, engine.options())
				fill(b, st, size)
				if _, err := st.LatestEvent(b.Context(), "shop"); err != nil { // nothing is left to be placed
					b.Fatal(err)
				}
				stores = append(stores, st)
			}
			b.ResetTimer()
			for range b.N {
				growth(b, stores)
			}
		})
	}
}

func growth(b *testing.B, stores []*sqlstore.Store) {
	ctx := b.Context()
	last := time.Now().UnixNano()
	text := ""
	made := func(st *sqlstore.Store) error {
		last++
		id := strconv.FormatInt(last, 36)
		return st.Create(ctx, &session.Session{
			ID: "cs_" + id, Merchant: "shop", Account: "acc", OrderID: id, CreatedAt: noon.Add(time.Hour * 24 * 365), ExpiresAt: noon,
			WebhookURL: "https://shop.example/" + id,
		}, session.Change{Events: []session.Event{{N: 1, Type: "session.created", At: noon}}})
	}
	list := func(f session.Filter) func(*sqlstore.Store) error {
		return func(st *sqlstore.Store) error {
			if f.Merchant == "" {
				f.Merchant = "shop"
			}
			f.Limit = 20
			_, err := st.List(ctx, f)
			return err
		}
	}
	for _, do := range []struct {
		name string
		run  func(*sqlstore.Store) error
	}{
		{"list", list(session.Filter{})},
		{"list after a cursor", list(session.Filter{Before: "f600"})},
		{"list by order id", list(session.Filter{OrderID: "order-600"})},
		{"list by order id, none", list(session.Filter{OrderID: "none"})},
		{"list by status, none", list(session.Filter{Status: session.StatusRefunded})},
		{"list by status, none, big", list(session.Filter{Merchant: "big", Status: session.StatusRefunded})},
		{"list by account, none", list(session.Filter{Merchant: "big", Account: "acc-3"})},
		{"events, first page", func(st *sqlstore.Store) error { _, err := st.EventsAfter(ctx, "shop", "", 20); return err }},
		{"events after a cursor", func(st *sqlstore.Store) error { _, err := st.EventsAfter(ctx, "shop", "evt_f600_1", 20); return err }},
		{"events of the big merchant", func(st *sqlstore.Store) error { _, err := st.EventsAfter(ctx, "big", "", 20); return err }},
		{"latest event", func(st *sqlstore.Store) error { _, err := st.LatestEvent(ctx, "shop"); return err }},
		{"deliveries given up, none", func(st *sqlstore.Store) error {
			_, err := st.Webhooks().Deliveries(ctx, webhook.Filter{Merchant: "big", State: webhook.GivenUp})
			return err
		}},
		{"load", func(st *sqlstore.Store) error { _, err := st.Load(ctx, "f600"); return err }},
		{"create", made},
		{"feed of one event", func(st *sqlstore.Store) error { _, err := st.Webhooks().Feed(ctx, noon, 1); return err }},
	} {
		took := make([][]time.Duration, len(stores))
		for round := range 110 {
			for i, st := range stores {
				begun := time.Now()
				if err := do.run(st); err != nil {
					b.Fatal(do.name, err)
				}
				if round >= 10 {
					took[i] = append(took[i], time.Since(begun))
				}
			}
		}
		line := fmt.Sprintf("%-28s", do.name)
		var medians []float64
		for i := range took {
			slices.Sort(took[i])
			medians = append(medians, float64(took[i][len(took[i])/2].Microseconds())/1000)
			line += fmt.Sprintf("%10.3f ms", medians[i])
		}
		text += fmt.Sprintf("\n%s   × %.2f", line, medians[1]/max(medians[0], 0.001))
	}
	fmt.Println(text) // b.Log would cut it
}
