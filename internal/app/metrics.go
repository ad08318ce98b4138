package app

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tollgate/internal/brake"
	"tollgate/internal/clock"
	"tollgate/internal/jobs"
	"tollgate/internal/sqlstore"
	"tollgate/session/flow"
)

// metrics are numbers only: no label comes from outside.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	calls    *prometheus.HistogramVec
	limited  *prometheus.CounterVec
	attacks  *prometheus.CounterVec
	refused  *prometheus.CounterVec
	events   *prometheus.CounterVec
	breakers *prometheus.GaugeVec

	violations               *prometheus.CounterVec
	pageDrift, pagesCompared prometheus.Gauge
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tollgate_http_request_seconds", Help: "Requests to the front by route, method and status.",
			Buckets: prometheus.DefBuckets,
		}, []string{"route", "method", "code"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tollgate_gateway_call_seconds", Help: "Calls to gateways by gateway, call and whether they were answered.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"gateway", "call", "result"}),
	}
	m.limited = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tollgate_limited_total", Help: "Limits that were met, by limit and whether it holds (on) or only reports.",
	}, []string{"limit", "mode"})
	m.attacks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tollgate_account_attacks_total", Help: "Attacks that began, by merchant and account: nearly every card is declined.",
	}, []string{"merchant", "account"})
	m.events = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tollgate_events_total",
		Help: "What sessions lived through, by account and type: payment.paid, payment.declined, refund.failed and all others.",
	}, []string{"account", "type"})
	m.breakers = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "tollgate_gateway_held_back",
		Help: "1 while calls to an account's gateway are not sent because it has not answered the last twenty, by account.",
	}, []string{"account"})
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tollgate_connections_refused_total",
		Help: "Connections that were closed: all places taken (full), the address has its share (address), to make room (idle).",
	}, []string{"why"})
	m.violations = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tollgate_page_violations_total",
		Help: "What browsers report that a page's policy stopped, by directive and kind of page.",
	}, []string{"directive", "page"})
	m.pageDrift = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tollgate_page_drift",
		Help: "Differences between the pages that the public address serves and the inventory; -1 when it cannot be reached.",
	})
	m.pagesCompared = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tollgate_pages_compared_timestamp_seconds", Help: "When that was looked at; 0: not yet.",
	})
	build := BuildOf()
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tollgate_build_info", Help: "1, with what this program was made from.",
		ConstLabels: prometheus.Labels{"version": build.Version, "revision": build.Revision, "go": build.Go},
	}, func() float64 { return 1 }))
	m.registry.MustRegister(m.requests, m.calls, m.limited, m.attacks, m.refused, m.events, m.breakers, m.violations, m.pageDrift,
		m.pagesCompared, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) lived(account, event string) { m.events.WithLabelValues(account, event).Inc() }

func (m *metrics) observe(route, method string, code int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(code)).Observe(took.Seconds())
}

// Called is account.CallWatcher.
func (m *metrics) Called(gateway, call, result string, took time.Duration) {
	m.calls.WithLabelValues(gateway, call, result).Observe(took.Seconds())
}

// heldBack notes that an account's breaker holds calls back, or has let them go.
func (m *metrics) heldBack(account string, back bool) {
	value := 0.0
	if back {
		value = 1
	}
	m.breakers.WithLabelValues(account).Set(value)
}

// logs counts the lines that were left out of the logs.
func (m *metrics) logs(lost func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "tollgate_log_lines_lost_total", Help: "Lines left out of log and security log because their stream stalled.",
	}, func() float64 { return float64(lost()) }))
}

// watch adds what is read at each scrape.
func (m *metrics) watch(store *sqlstore.Store, flow *flow.Flow, runner *jobs.Runner) {
	gauge := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
	}
	gauge("tollgate_cards_in_memory", "Cards held in memory now.", func() float64 { return float64(flow.CardsHeld()) })
	gauge("tollgate_jobs_running", "Jobs being done by this process.", func() float64 { return float64(runner.Stats().Running) })
	counter := func(name, help string, read func() int64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(read()) }))
	}
	counter("tollgate_store_changes_total", "Changes that this process has stored.",
		func() int64 { changes, _ := store.Written(); return changes })
	counter("tollgate_store_commits_total", "Commits that stored them. Changes that come at the same time share one on SQLite.",
		func() int64 { _, commits := store.Written(); return commits })
	gauge("tollgate_webhook_endpoints_waiting", "Webhook endpoints that have something to be sent to; -1 when the store does not answer.",
		func() float64 {
			ctx, done := context.WithTimeout(context.Background(), 2*time.Second)
			defer done()
			n, err := store.Webhooks().Waiting(ctx)
			if err != nil {
				return -1
			}
			return float64(n)
		})
	reviews := func() (needsReview, held int) {
		ctx, done := context.WithTimeout(context.Background(), 2*time.Second)
		defer done()
		needsReview, held, err := store.Reviews(ctx)
		if err != nil {
			return -1, -1
		}
		return needsReview, held
	}
	gauge("tollgate_sessions_needing_review", "Sessions that a person has to look at; -1 when the store does not answer.",
		func() float64 { n, _ := reviews(); return float64(n) })
	gauge("tollgate_sessions_held", "Sessions of which the gateway tells another amount, currency or order; -1 likewise.",
		func() float64 { _, n := reviews(); return float64(n) })
	backlog := func() jobs.Backlog {
		ctx, done := context.WithTimeout(context.Background(), 2*time.Second)
		defer done()
		b, err := store.Backlog(ctx)
		if err != nil {
			return jobs.Backlog{Due: -1}
		}
		return b
	}
	gauge("tollgate_jobs_due", "Jobs whose time has come and that nobody does yet; -1 when the store does not answer.",
		func() float64 { return float64(backlog().Due) })
	gauge("tollgate_jobs_oldest_seconds", "How long the oldest due job has been due.",
		func() float64 { return backlog().Oldest.Seconds() })
}

// clock adds how far the machine's clock is from the one that fronts go by.
func (m *metrics) clock(c *clock.Clock) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tollgate_database_clock_ahead_seconds",
		Help: "How far the database's clock is before this machine's, as of the last look, at most a minute ago; 0 with SQLite. Fronts go by the database's.",
	}, func() float64 {
		ahead, _ := c.Apart()
		return ahead.Seconds()
	}))
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tollgate_clock_sure", Help: "1 while the database's time is known; else nothing is decided until it is.",
	}, func() float64 {
		if c.Sure() {
			return 1
		}
		return 0
	}))
}

// brake adds how much that is new is taken on.
func (m *metrics) brake(b *brake.Brake) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tollgate_admitted_share",
			Help: "The share of new sessions that is taken on; less than 1 while changes or workers are late."},
			func() float64 { share, _ := b.State(); return share }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "tollgate_braked_total",
			Help: "New sessions and attempts that were told to come back later."},
			func() float64 { _, refused := b.State(); return float64(refused) }))
}

func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}
