package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"tollgate/internal/app"
	"tollgate/internal/i18n"
)

const sessionsCreateHelp = `Creates a checkout session and prints the address to send the shopper to. An answer that got lost on the way is asked for
again with the same Idempotency-Key, so that there is one session in any case.

  tollgate sessions create -account rbs -amount 150000 -currency KZT`

const sessionsShowHelp = `Shows a session: how far it is, its attempts and operations.`

const sessionsListHelp = `Lists sessions, newest first.`

const sessionsSettleHelp = `Says what became of a payment that needs review or is held, where no inquiry could tell: paid or not_paid; or of a capture,
void or refund that needs review: succeeded or failed. The gateway is asked once more before, and its word counts, now and
later. It is kept with your reason. The key needs the scope settle.

  tollgate sessions list -needs-review
  tollgate sessions settle -outcome not_paid -reason "not in the bank's register of 4 March" cs_…`

// An answer that is lost is asked for so often, so far apart.
const (
	createTries = 3
	tryPause    = time.Second
)

func sessionsCreate(ctx context.Context, p process, set *flag.FlagSet) int {
	body := map[string]any{}
	text := func(name, field, value, usage string) {
		if value != "" {
			body[field] = value
		}
		set.Func(name, usage, func(s string) error { body[field] = s; return nil })
	}
	body["amount"] = int64(150000)
	number := func(name, field, usage, must string) {
		set.Func(name, usage, func(s string) error {
			n, err := strconv.ParseInt(s, 10, 64)
			body[field] = n
			if err != nil {
				return errors.New(must)
			}
			return nil
		})
	}
	number("amount", "amount", "`MINOR` units: 150000 is 1500.00 (default 150000)", "must be a whole number of minor units")
	number("expires-in", "expires_in", "`SECONDS` until it expires, 60 to 86400", "must be a whole number of seconds")
	text("account", "account", "rbs", "`NAME` of the account to be paid on (default rbs)")
	text("currency", "currency", "KZT", "`CODE` of ISO 4217 (default KZT)")
	text("order", "order_id", "cli-"+strings.ToLower(rand.Text()[:10]), "the shop's order `NUMBER` (default: a new one)")
	text("success-url", "success_url", "http://localhost:8081/shop/done",
		"`URL` the shopper goes on to when it is paid (default: the sandbox's shop)")
	text("cancel-url", "cancel_url", "http://localhost:8081/shop/done",
		"`URL` the shopper goes back to otherwise (default: the sandbox's shop)")
	text("method", "payment_method", "", "`METHOD`: card, saved_card, qr, sberpay, hosted")
	text("capture", "capture", "", "`WHEN`: automatic or manual")
	text("description", "description", "", "`TEXT` for the shopper")
	text("locale", "locale", "", "`LANGUAGE` of the pages: "+strings.Join(i18n.Languages(), ", "))
	text("webhook-url", "webhook_url", "", "`URL` that this session's events are posted to")
	set.Func("customer", "the shop's `ID` of the customer", func(s string) error {
		body["customer"] = map[string]string{"id": s}
		return nil
	})
	raw := set.Bool("json", false, "print the answer as it came")
	api, code, ok := p.connect(set, 0)
	if !ok {
		return code
	}
	sent, err := json.Marshal(body)
	if err != nil {
		return p.fail(set.Name(), err)
	}
	header := http.Header{"Idempotency-Key": {"cli-" + rand.Text()}}
	var answer []byte
	for try := 1; ; try++ {
		answer, err = api.call(ctx, http.MethodPost, "/v1/sessions", header, sent)
		if !retryable(err) || try == createTries || !pause(ctx, tryPause) {
			break
		}
	}
	if err != nil {
		return p.fail(set.Name(), err)
	}
	return p.session(set.Name(), answer, *raw)
}

func sessionsShow(ctx context.Context, p process, set *flag.FlagSet) int {
	raw := set.Bool("json", false, "print the answer as it came")
	api, code, ok := p.connect(set, 1)
	if !ok {
		return code
	}
	answer, err := api.call(ctx, http.MethodGet, "/v1/sessions/"+url.PathEscape(set.Arg(0)), nil, nil)
	if err != nil {
		return p.fail(set.Name(), err)
	}
	return p.session(set.Name(), answer, *raw)
}

func sessionsSettle(ctx context.Context, p process, set *flag.FlagSet) int {
	body := map[string]any{}
	text := func(name, field, usage string) {
		set.Func(name, usage, func(s string) error { body[field] = s; return nil })
	}
	text("outcome", "outcome", "`OUTCOME`: paid or not_paid; of an operation succeeded or failed")
	text("reason", "reason", "`TEXT`: how you know; it is kept")
	for name, usage := range map[string]string{
		"amount": "of paid: what was paid, in `MINOR` units (default: the session's amount)", "operation": "the `NUMBER` of the operation",
	} {
		set.Func(name, usage, func(s string) error {
			n, err := strconv.ParseInt(s, 10, 64)
			if body[name] = n; err != nil || n < 1 {
				return errors.New("must be a whole number above 0")
			}
			return nil
		})
	}
	raw := set.Bool("json", false, "print the answer as it came")
	api, code, ok := p.connect(set, 1)
	if !ok {
		return code
	}
	if body["outcome"] == nil || body["reason"] == nil {
		fmt.Fprintf(p.err, "tollgate %s: -outcome and -reason must be given\n", set.Name())
		return exitAsked
	}
	sent, err := json.Marshal(body)
	if err != nil {
		return p.fail(set.Name(), err)
	}
	answer, err := api.call(ctx, http.MethodPost, "/v1/sessions/"+url.PathEscape(set.Arg(0))+"/settle", nil, sent)
	if err != nil {
		return p.fail(set.Name(), err)
	}
	return p.session(set.Name(), answer, *raw)
}

func sessionsList(ctx context.Context, p process, set *flag.FlagSet) int {
	query := url.Values{}
	for _, f := range [][3]string{
		{"status", "status", "only those of this `STATUS`"}, {"account", "account", "only those of this account `NAME`"},
		{"order", "order_id", "only those of this order `NUMBER`"}, {"limit", "limit", "at most so many: `N` from 1 to 100"},
		{"before", "before", "those older than this `SESSION`: the next page"},
	} {
		set.Func(f[0], f[2], func(s string) error { query.Set(f[1], s); return nil })
	}
	for _, f := range [][3]string{
		{"needs-review", "needs_review", "only those that a person has to look at"},
		{"held", "held", "only those of which the gateway tells another amount, currency or order"},
	} {
		set.BoolFunc(f[0], f[2], func(s string) error { query.Set(f[1], s); return nil })
	}
	logged := set.String("logged", "", "only the one that log lines name by this `FINGERPRINT`, among the newest 10000")
	raw := set.Bool("json", false, "print the answer as it came")
	api, code, ok := p.connect(set, 0)
	if !ok {
		return code
	}
	if *logged != "" {
		return p.loggedSession(ctx, set.Name(), api, *logged, query, *raw)
	}
	answer, err := api.call(ctx, http.MethodGet, "/v1/sessions?"+query.Encode(), nil, nil)
	if err != nil {
		return p.fail(set.Name(), err)
	}
	if *raw {
		return p.raw(answer)
	}
	var page sessionPage
	if err := json.Unmarshal(answer, &page); err != nil {
		return p.fail(set.Name(), err)
	}
	t := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, s := range page.Data {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", s.ID, s.status(), s.sum(), s.OrderID, s.CreatedAt)
		for _, r := range s.Reviews {
			fmt.Fprintf(t, "\t%s\n", r)
		}
	}
	if err := t.Flush(); err != nil {
		return p.fail(set.Name(), err)
	}
	if page.HasMore {
		fmt.Fprintf(p.out, "more: tollgate sessions list -before %s\n", page.Data[len(page.Data)-1].ID)
	}
	return exitDone
}

// sessionPage is a part of the list of sessions.
type sessionPage struct {
	Data    []sessionView
	HasMore bool `json:"has_more"`
}

// loggedSession shows the session that log lines name by a fingerprint.
func (p process) loggedSession(ctx context.Context, name string, api *merchantAPI, logged string, query url.Values, raw bool) int {
	query.Set("limit", "100")
	for range 100 {
		answer, err := api.call(ctx, http.MethodGet, "/v1/sessions?"+query.Encode(), nil, nil)
		var page sessionPage
		if err == nil {
			err = json.Unmarshal(answer, &page)
		}
		if err != nil {
			return p.fail(name, err)
		}
		for _, s := range page.Data {
			if app.LoggedSession(s.ID) != logged {
				continue
			}
			if answer, err = api.call(ctx, http.MethodGet, "/v1/sessions/"+s.ID, nil, nil); err != nil {
				return p.fail(name, err)
			}
			return p.session(name, answer, raw)
		}
		if !page.HasMore || len(page.Data) == 0 {
			break
		}
		query.Set("before", page.Data[len(page.Data)-1].ID)
	}
	return p.fail(name, fmt.Errorf("no session of this key's merchant is named %s in logs", logged))
}

// sessionView is what the commands show of a session.
type sessionView struct {
	ID           string
	URL          string
	Status       string
	OutcomeKnown bool `json:"outcome_known"`
	Account      string
	Amount       int64
	Currency     string
	OrderID      string `json:"order_id"`
	CreatedAt    string `json:"created_at"`
	ExpiresAt    string `json:"expires_at"`
	Attempts     []struct {
		N          int
		State      string
		Reference  string
		Instrument string
		Card       *struct{ Brand, First6, Last4 string }
		Decline    *struct{ Reason, Code string }
	}
	Operations []struct {
		N           int
		Kind, State string
		Amount      int64
	}
	Reviews     []reviewView
	Settlements []struct {
		Outcome, Reason, At string
		Attempt, Operation  int
		Amount              int64
		ContradictedAt      string `json:"contradicted_at"`
	}
}

// reviewView is what a person has to look at.
type reviewView struct {
	Attempt, Operation int
	Reason             string
	Gateway            *struct {
		Outcome, Currency string
		GatewayOrderID    string `json:"gateway_order_id"`
		Amount            int64
		Authorized        int64 `json:"amount_authorized"`
		Captured          int64 `json:"amount_captured"`
		Refunded          int64 `json:"amount_refunded"`
	}
}

func (r reviewView) String() string {
	text := fmt.Sprintf("attempt %d to be reviewed: %s", r.Attempt, r.Reason)
	if r.Operation != 0 {
		text = fmt.Sprintf("operation %d to be reviewed: %s", r.Operation, r.Reason)
	}
	if g := r.Gateway; g != nil {
		text += fmt.Sprintf("; the gateway says %s, order %s of %d %s, authorized %d, captured %d, refunded %d",
			g.Outcome, g.GatewayOrderID, g.Amount, g.Currency, g.Authorized, g.Captured, g.Refunded)
	}
	return text
}

func (s sessionView) status() string {
	if !s.OutcomeKnown {
		return s.Status + " (outcome unknown)"
	}
	return s.Status
}

// sum is in minor units, as the API has it: how many digits a currency has is not this command's to know.
func (s sessionView) sum() string { return fmt.Sprintf("%d %s", s.Amount, s.Currency) }

func (p process) raw(answer []byte) int {
	fmt.Fprintf(p.out, "%s\n", bytes.TrimSpace(answer))
	return exitDone
}

func (p process) session(command string, answer []byte, raw bool) int {
	if raw {
		return p.raw(answer)
	}
	var s sessionView
	if err := json.Unmarshal(answer, &s); err != nil {
		return p.fail(command, err)
	}
	if err := s.print(p.out); err != nil {
		return p.fail(command, err)
	}
	return exitDone
}

func (s sessionView) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "session\t%s\nstatus\t%s\namount\t%s (minor units)\norder\t%s\naccount\t%s\ncreated\t%s\nexpires\t%s\npay at\t%s\n",
		s.ID, s.status(), s.sum(), s.OrderID, s.Account, s.CreatedAt, s.ExpiresAt, s.URL)
	for _, a := range s.Attempts {
		fmt.Fprintf(t, "attempt %d\t%s, %s, reference %s", a.N, a.State, a.Instrument, a.Reference)
		if a.Card != nil {
			fmt.Fprintf(t, ", %s %s…%s", a.Card.Brand, a.Card.First6, a.Card.Last4)
		}
		if a.Decline != nil {
			fmt.Fprintf(t, ", %s %s", a.Decline.Reason, a.Decline.Code)
		}
		fmt.Fprintln(t)
	}
	for _, o := range s.Operations {
		fmt.Fprintf(t, "operation %d\t%s %d, %s\n", o.N, o.Kind, o.Amount, o.State)
	}
	for _, r := range s.Reviews {
		fmt.Fprintf(t, "review\t%s\n", r)
	}
	for _, r := range s.Settlements {
		fmt.Fprintf(t, "settled\t%s %d, %s: %s", r.Outcome, r.Amount, r.At, r.Reason)
		if r.ContradictedAt != "" {
			fmt.Fprintf(t, " (the gateway said otherwise at %s)", r.ContradictedAt)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}
