package sqlstore_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
	"tollgate/session"
)

// A save as a challenge payment makes it: one attempt with a step and a run, an event, a call, a job. The server of
// pgtest does not wait for the disk; SQLite does (synchronous=FULL).
func BenchmarkSave(b *testing.B) {
	for name, options := range map[string]func() sqlstore.Options{
		"SQLite":     func() sqlstore.Options { return sqlstore.Options{Dir: b.TempDir()} },
		"PostgreSQL": func() sqlstore.Options { return sqlstore.Options{URL: pgtest.Start(b)} },
	} {
		for _, writers := range []int{1, 8} {
			b.Run(name+"/"+strconv.Itoa(writers), func(b *testing.B) {
				st := open(b, options())
				var next atomic.Int64
				b.SetParallelism(writers) // per processor
				one := func(more func() bool) {
					s := create(b, st, strconv.FormatInt(next.Add(1), 10))
					s.Attempts = []*session.Attempt{{
						N: 1, State: session.Calling, Ref: providers.Ref{Reference: s.ID}, CreatedAt: noon,
						Step: &providers.Step{V: 1, Kind: providers.Challenge, HTML: strings.Repeat("x", 2048)},
						Runs: []*session.Run{{N: 1, Token: s.ID}},
					}}
					for more() {
						s.LastEvent++
						s.Attempts[0].StepN++
						if err := st.Save(b.Context(), s, session.Change{
							Events: []session.Event{{N: s.LastEvent, Type: "payment.submitted", At: noon, Data: json.RawMessage(`{"status":"processing"}`)}},
							Calls:  []session.Call{{Attempt: 1, Kind: "resume", Round: s.LastEvent, SentAt: noon}},
							Jobs:   []session.Job{{Kind: "inquire", Key: s.ID, Payload: json.RawMessage(`{}`), RunAt: noon}},
						}); err != nil {
							b.Error(err)
							return
						}
					}
				}
				if writers == 1 {
					one(b.Loop)
				} else {
					b.RunParallel(func(pb *testing.PB) { one(pb.Next) })
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "saves/s")
			})
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for name, options := range map[string]func() sqlstore.Options{
		"SQLite":     func() sqlstore.Options { return sqlstore.Options{Dir: b.TempDir()} },
		"PostgreSQL": func() sqlstore.Options { return sqlstore.Options{URL: pgtest.Start(b)} },
	} {
		b.Run(name, func(b *testing.B) {
			st := open(b, options())
			s := create(b, st, "a")
			s.Attempts = []*session.Attempt{{N: 1, State: session.Calling, Ref: providers.Ref{Reference: "a"}}}
			if err := st.Save(b.Context(), s, session.Change{Calls: []session.Call{{Attempt: 1, Kind: "pay", SentAt: noon}}}); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := st.Load(b.Context(), "a"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
