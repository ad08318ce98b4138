package session

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/threeds"
)

var writeDecisions = flag.Bool("decisions", false, "write testdata/decisions anew; read the difference as you would read a change of the specification")

// The tables of testdata/decisions say of each situation and each piece of news what is decided: what changes in the session,
// which events are told, what is asked when, what may be sent. A line that changes is a change of what Tollgate does.
type table struct {
	t     *testing.T
	name  string
	want  map[string]string
	lines []string
	names map[string]bool
	wrong int
}

func decisions(t *testing.T, name string, fill func(*table)) {
	t.Helper()
	d := &table{t: t, name: name, names: map[string]bool{}, want: map[string]string{}}
	file := "testdata/decisions/" + name + ".txt"
	if !*writeDecisions {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			situation, decided, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " => ")
			d.want[situation] = decided
		}
	}
	fill(d)
	if *writeDecisions {
		slices.Sort(d.lines)
		if err := os.WriteFile(file, []byte(strings.Join(d.lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, situation := range slices.Sorted(maps.Keys(d.want)) {
		if !d.names[situation] {
			t.Errorf("%s: nobody tries %s", name, situation)
		}
	}
}

// is compares one line of a table: what a decision makes of a situation.
func (d *table) is(situation string, turn *Turn, decide func(*Turn) (string, error)) {
	d.t.Helper()
	if d.names[situation] {
		d.t.Errorf("%s: %s is tried twice", d.name, situation)
	}
	d.names[situation] = true
	got := decided(d.t, turn, decide)
	if *writeDecisions {
		d.lines = append(d.lines, situation+" => "+got)
		return
	}
	want, ok := d.want[situation]
	switch {
	case !ok:
		d.t.Errorf("%s: %s is not in the table: %s", d.name, situation, got)
	case want != got:
		d.t.Errorf("%s: %s\n  decided %s\n  want    %s", d.name, situation, got, want)
	default:
		return
	}
	if d.wrong++; d.wrong > 5 {
		d.t.Fatalf("%s: and perhaps others", d.name)
	}
}

// decided says in one line what a decision did.
func decided(t *testing.T, turn *Turn, decide func(*Turn) (string, error)) string {
	t.Helper()
	before := flat(t, turn)
	answer, err := decide(turn)
	after := flat(t, turn)
	var said []string
	if answer != "" {
		said = append(said, answer)
	}
	switch {
	case errors.Is(err, ErrNothing):
		said = append(said, "nothing to save")
	case err != nil:
		said = append(said, "error "+err.Error())
	}
	for _, name := range slices.Sorted(maps.Keys(merged(before, after))) {
		if before[name] != after[name] {
			said = append(said, fmt.Sprintf("%s %s→%s", name, cmp.Or(before[name], "-"), cmp.Or(after[name], "-")))
		}
	}
	for _, e := range turn.Change.Events {
		var data struct{ Status Status }
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatal(err)
		}
		if !e.At.Equal(turn.Now) {
			t.Errorf("event %s is told of %s", e.Type, e.At)
		}
		said = append(said, fmt.Sprintf("event %s (%s)", e.Type, data.Status))
	}
	for _, c := range turn.Change.Calls {
		said = append(said, fmt.Sprintf("permission %s %d/%d", c.Kind, c.Attempt, c.Round))
	}
	for _, c := range turn.Change.Answered {
		said = append(said, fmt.Sprintf("answered %s %d/%d %s", c.Kind, c.Attempt, c.Round, c.Result))
	}
	for _, j := range turn.Change.Jobs {
		var task Task
		if err := json.Unmarshal(j.Payload, &task); err != nil || task.Session != turn.S.ID {
			t.Fatalf("%s: %s, %v", j.Kind, j.Payload, err)
		}
		look := ""
		if task.Look {
			look = " look"
		}
		said = append(said, fmt.Sprintf("job %s%s%s in %s", strings.TrimPrefix(j.Kind, "session."), strings.TrimPrefix(j.Key, turn.S.ID), look, j.RunAt.Sub(turn.Now)))
		want := map[string]string{
			JobInquire: fmt.Sprintf("/%d", task.Attempt), JobRemember: fmt.Sprintf("/%d", task.Attempt), JobResume: fmt.Sprintf("/%d/%d", task.Attempt, task.StepN),
			JobOperate: fmt.Sprintf("/op%d", task.Operation), JobExpire: "",
		}
		if task.Look && strings.Contains(j.Key, "callback") {
			want[JobInquire] = fmt.Sprintf("/%d/callback%d", task.Attempt, j.RunAt.UnixMilli())
		}
		if key, known := want[j.Kind]; !known || j.Key != turn.S.ID+key {
			t.Errorf("the job %s %s has the key %s", j.Kind, j.Payload, j.Key)
		}
	}
	if n := turn.Change.Notice; n != nil {
		said = append(said, fmt.Sprintf("notice to %s of %s at %s, once in %s: %s %s", n.Merchant, n.Subject, n.At.Sub(turn.Now), n.Quiet, n.Type, n.Data))
	}
	for _, j := range turn.Change.Drop {
		said = append(said, fmt.Sprintf("no job %s%s", strings.TrimPrefix(j.Kind, "session."), strings.TrimPrefix(j.Key, turn.S.ID)))
	}
	for _, e := range turn.After {
		said = append(said, strings.TrimPrefix(fmt.Sprintf("then %T%v", e, e), "session."))
	}
	for _, n := range turn.Notes {
		level := "warning"
		if n.Error {
			level = "alarm"
		}
		said = append(said, strings.TrimSpace(fmt.Sprintln(append([]any{level, n.Text}, n.Args...)...)))
	}
	return strings.ReplaceAll(strings.ReplaceAll(cmp.Or(strings.Join(said, "; "), "no change"), "session.", ""), "\n", " ")
}

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// flat is all of a session that lasts, by name; times are told from now.
func flat(t *testing.T, turn *Turn) map[string]string {
	t.Helper()
	all := map[string]string{}
	var add func(name string, v any)
	add = func(name string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for n, one := range v {
				add(strings.TrimPrefix(name+"."+n, "."), one)
			}
		case []any:
			for i, one := range v {
				add(fmt.Sprintf("%s.%d", name, i+1), one)
			}
		case nil, bool, float64, string:
			text := fmt.Sprint(v)
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
				text = at.Sub(turn.Now).String()
			}
			if text != "false" && text != "<nil>" && text != "" && text != "0" {
				all[name] = text
			}
		}
	}
	put := func(name string, v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var members any
		if err := json.Unmarshal(raw, &members); err != nil {
			t.Fatal(err)
		}
		if m, ok := members.(map[string]any); ok {
			delete(m, "last_event")
			delete(m, "last_event_at")
			if entries, ok := m["trace"].([]any); ok {
				m["trace"] = fmt.Sprintf("%d lines", len(entries))
			}
		}
		add(name, members)
	}
	put("", turn.S)
	for _, a := range turn.S.Attempts {
		put(fmt.Sprintf("#%d", a.N), a)
		for _, c := range a.Calls {
			put(fmt.Sprintf("#%d.call %s %d", a.N, c.Kind, c.Round), c)
		}
	}
	return all
}

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

var tenge = money.Currency{Code: "KZT", Numeric: "398", Digits: 2}

// turnOf is a turn at noon on a session that was created an hour ago.
func turnOf(attempts ...*Attempt) *Turn {
	tokens := 0
	return &Turn{
		S: &Session{
			ID: "cs_1", Merchant: "shop", Account: "acc", Kind: "payment", OrderID: "o", Method: "card",
			Amount: money.Amount{Minor: 1000, Currency: tenge}, CreatedAt: noon.Add(-time.Hour), ExpiresAt: noon.Add(time.Hour), Version: 1,
			Attempts: attempts,
		},
		Now:   noon,
		Token: func() (string, error) { tokens++; return fmt.Sprintf("new-token-%d", tokens), nil },
		Open: func(name, sealed string) ([]byte, error) {
			v, ours := strings.CutPrefix(sealed, name+":")
			if !ours {
				return nil, errors.New("not sealed by us")
			}
			return []byte(v), nil
		},
		Rules: Rules{
			CallTimeout: 30 * time.Second, SettleAfter: time.Minute, OrderLife: 24 * time.Hour, OwnURL: "https://pay.example", FollowFor: followForDefault,
			Operations: []providers.OpLimits{{Kind: providers.Capture, Partial: true}, {Kind: providers.Void}, {Kind: providers.Refund, Partial: true}},
		},
	}
}

// attemptIn is an attempt that began 20 minutes ago and whose only call was answered 10 minutes ago.
func attemptIn(n int, state State) *Attempt {
	a := &Attempt{
		N: n, State: state, Ref: providers.Ref{Reference: fmt.Sprintf("o-%d", n), OrderID: fmt.Sprintf("g-%d", n)}, Instrument: "card",
		CreatedAt: noon.Add(-20 * time.Minute), UpdatedAt: noon.Add(-10 * time.Minute), NewsAt: noon.Add(-10 * time.Minute), Deadline: noon.Add(-10 * time.Minute),
		Runs: []*Run{{N: 1, Token: fmt.Sprintf("run-%d", n)}},
	}
	if state != New {
		a.Calls = []Call{{Attempt: n, Kind: CallPay, Round: 1, SentAt: noon.Add(-11 * time.Minute), AnsweredAt: noon.Add(-10 * time.Minute), Result: "wait"}}
	}
	switch state {
	case Shopper:
		step := challenge("c")
		a.Step, a.StepN, a.StepAt = &step, 1, noon.Add(-10*time.Minute)
	case Authorized:
		a.AmountAuthorized = 1000
	case Paid:
		a.AmountAuthorized, a.Captured = 1000, 1000
	}
	return a
}

func challenge(creq string) providers.Step {
	return providers.Step{
		V: providers.StepVersion, Kind: providers.Challenge,
		Forms: []threeds.Form{{Action: "https://bank.example/acs", Fields: []threeds.Field{{Name: "creq", Value: creq}, {Name: "threeDSSessionData", Value: "threeds:run-1"}}}},
	}
}

// standing is what an honest gateway says of attempt n.
func standing(n int, outcome providers.Outcome) providers.Standing {
	st := providers.Standing{
		Outcome: outcome, Reference: fmt.Sprintf("o-%d", n), Ref: providers.Ref{Reference: fmt.Sprintf("o-%d", n), OrderID: fmt.Sprintf("g-%d", n)},
		Amount: money.Amount{Minor: 1000, Currency: tenge},
	}
	switch outcome {
	case providers.Paid:
		st.Held, st.Captured = 1000, 1000
	case providers.Authorized, providers.HoldLeft:
		st.Held = 1000
	}
	return st
}

var outcomes = []providers.Outcome{
	providers.NotFound, providers.Waiting, providers.Processing, providers.Authorized, providers.Paid, providers.Refused, providers.Voided, providers.Closed,
	providers.Unclear, providers.HoldLeft, "news of a later version",
}

// inquired is an inquiry about attempt n that saw it as it is.
func inquired(n int, st providers.Standing) func(*Turn) (string, error) {
	return func(t *Turn) (string, error) {
		return "", t.Inquired(n, InquiryAnswer{Seen: t.S.Attempt(n).Seen(), Standing: st})
	}
}

// situations of an attempt in which the same news may mean something else.
var situations = []struct {
	name  string
	make  func(*Turn, *Attempt)
	call  bool // matters only while the attempt lives
	ended bool // matters only when it has ended
}{
	{"its call answered", func(*Turn, *Attempt) {}, false, false},
	{"its call unanswered and past every doubt", func(_ *Turn, a *Attempt) { unanswer(a) }, true, false},
	{"its call unanswered, a minute not yet over", func(_ *Turn, a *Attempt) { unanswer(a); a.Deadline = noon.Add(-59 * time.Second) }, true, false},
	{"its call under way", func(_ *Turn, a *Attempt) { unanswer(a); a.Deadline = noon.Add(time.Second) }, true, false},
	{"its call answered before the deadline", func(_ *Turn, a *Attempt) { a.Deadline = noon.Add(20 * time.Second) }, true, false},
	{"its deadline at this moment", func(_ *Turn, a *Attempt) { unanswer(a); a.Deadline = noon }, true, false},
	{"its caller dead before the deadline", func(t *Turn, a *Attempt) { unanswer(a); a.Deadline = noon.Add(time.Second); t.CallerDied = true }, true, false},
	{"its session over meanwhile", func(t *Turn, _ *Attempt) { t.S.ExpiresAt = noon }, true, false},
	{"its session cancelled", func(t *Turn, _ *Attempt) { t.S.ClosedReason = Cancelled }, false, false},
	{"its session cancelled, its time over", func(t *Turn, _ *Attempt) { t.S.ClosedReason, t.S.ExpiresAt = Cancelled, noon }, true, false},
	{"the last that is allowed", func(t *Turn, _ *Attempt) {
		for n := 1; n < MaxAttempts; n++ {
			t.S.Attempts = append(t.S.Attempts, attemptIn(n+10, Declined))
		}
	}, true, false},
	{"other money there", func(t *Turn, _ *Attempt) { t.S.Attempts = append(t.S.Attempts, attemptIn(2, Paid)) }, false, false},
	{"another alive", func(t *Turn, _ *Attempt) {
		t.S.Attempts = append(t.S.Attempts, attemptIn(2, Shopper))
	}, false, true},
	{"unproven before", func(_ *Turn, a *Attempt) { a.Unproven = true }, false, false},
	{"reviewed before", func(_ *Turn, a *Attempt) { a.NeedsReview = true }, false, false},
	{"unclear before, a week ago", func(_ *Turn, a *Attempt) {
		a.Unclear, a.NewsAt, a.UpdatedAt = true, time.Time{}, noon.Add(-7*24*time.Hour)
	}, true, false},
	{"not found before", func(_ *Turn, a *Attempt) { a.NotFoundSince = noon.Add(-time.Hour) }, true, false},
	{"an hour after the news", func(_ *Turn, a *Attempt) { a.NewsAt = noon.Add(-time.Hour) }, false, false},
	{"its card to be saved", func(t *Turn, _ *Attempt) { t.S.SaveCard = true }, false, false},
	{"its card to be saved, paid with a saved one", func(t *Turn, a *Attempt) { t.S.SaveCard, a.Saved = true, "sc_1" }, false, false},
	{"declined before", func(_ *Turn, a *Attempt) {
		a.Decline, a.Mismatch = &providers.Decline{Reason: providers.Limit}, "amount"
	}, false, false},
	{"a payout", func(t *Turn, _ *Attempt) { t.S.Kind = KindPayout }, true, false},
}

func unanswer(a *Attempt) {
	for i := range a.Calls {
		a.Calls[i].AnsweredAt, a.Calls[i].Result = time.Time{}, ""
	}
}

func TestWhatEveryStandingDoesInEveryState(t *testing.T) {
	decisions(t, "standings", func(d *table) {
		for _, state := range states {
			for _, outcome := range outcomes {
				for _, in := range situations {
					if in.call && !state.Live() || in.ended && state.Live() {
						continue
					}
					a := attemptIn(1, state)
					turn := turnOf(a)
					in.make(turn, a)
					d.is(fmt.Sprintf("%s, %s: %s", state, in.name, outcome), turn, inquired(1, standing(1, outcome)))
				}
			}
		}
	})
}

// strange are standings that are not of our payment, or cannot be.
var strange = []struct {
	name string
	make func(*providers.Standing)
	is   bool // not ours, in whatever state
}{
	{"another reference", func(st *providers.Standing) { st.Reference = "o-2" }, true},
	{"no reference", func(st *providers.Standing) { st.Reference = "" }, false},
	{"another order of the gateway's", func(st *providers.Standing) { st.Ref.OrderID = "g-2" }, true},
	{"no order of the gateway's", func(st *providers.Standing) { st.Ref.OrderID = "" }, false},
	{"another currency", func(st *providers.Standing) { st.Amount.Currency = money.Currency{Code: "USD", Digits: 2} }, true},
	{"no amount", func(st *providers.Standing) { st.Amount = money.Amount{} }, false},
	{"a larger amount", func(st *providers.Standing) { st.Amount.Minor = 1001 }, true},
	{"a smaller amount", func(st *providers.Standing) { st.Amount.Minor = 999 }, true},
	{"an amount of nothing", func(st *providers.Standing) { st.Amount.Minor = 0 }, true},
	{"more held", func(st *providers.Standing) { st.Held = 1001 }, true},
	{"less held", func(st *providers.Standing) { st.Held = 999 }, false},
	{"held not stated", func(st *providers.Standing) { st.Held = 0 }, false},
	{"a negative hold", func(st *providers.Standing) { st.Held = -1000 }, true},
	{"more captured", func(st *providers.Standing) { st.Captured = 1001 }, true},
	{"less captured", func(st *providers.Standing) { st.Captured = 999 }, false},
	{"captured not stated", func(st *providers.Standing) { st.Captured = 0 }, false},
	{"a negative capture", func(st *providers.Standing) { st.Captured = -1 }, true},
	{"captured more than held", func(st *providers.Standing) { st.Held, st.Captured = 900, 901 }, true},
	{"captured what is held, less than asked", func(st *providers.Standing) { st.Held, st.Captured = 900, 900 }, false},
	{"refunded in part", func(st *providers.Standing) { st.Refunded = 400 }, false},
	{"refunded in part and told less it", func(st *providers.Standing) { st.Captured, st.Refunded = 600, 400 }, false},
	{"refunded wholly", func(st *providers.Standing) { st.Refunded = st.Captured }, false},
	{"refunded more than taken", func(st *providers.Standing) { st.Refunded = 1001 }, true},
	{"refunded more than the hold, the capture not stated", func(st *providers.Standing) { st.Held, st.Captured, st.Refunded = 900, 0, 901 }, true},
	{"refunded more than was captured in part", func(st *providers.Standing) { st.Captured, st.Refunded = 500, 501 }, true},
	{"a negative refund", func(st *providers.Standing) { st.Refunded = -1 }, true},
	{"the capture not stated, refunded in part", func(st *providers.Standing) { st.Captured, st.Refunded = 0, 400 }, false},
	{"another amount of an order that nothing proves to be ours", func(st *providers.Standing) { st.Amount.Minor, st.Unproven = 999, true }, true},
	{"an order that nothing proves to be ours", func(st *providers.Standing) { st.Unproven = true }, false},
}

func TestAStandingOfAnotherOrderAmountOrCurrencyIsNeverBelieved(t *testing.T) {
	decisions(t, "mismatches", func(d *table) {
		for _, state := range states {
			for _, outcome := range []providers.Outcome{providers.Paid, providers.Authorized, providers.Refused, providers.NotFound} {
				if outcome != providers.Paid && outcome != providers.Authorized && state != Gateway && state != Shopper && state != Declined {
					continue
				}
				for _, other := range strange {
					a := attemptIn(1, state)
					st := standing(1, outcome)
					other.make(&st)
					turn := turnOf(a)
					d.is(fmt.Sprintf("%s: %s, %s", state, outcome, other.name), turn, inquired(1, st))
					if other.is && a.State != state && (a.State.Funded() || !a.State.Live()) {
						t.Errorf("%s in %s with %s leads to %s", outcome, state, other.name, a.State)
					}
				}
			}
		}
		for _, state := range []State{Declined, Failed, Authorized, Paid} {
			a := attemptIn(1, state)
			a.NeedsReview = true
			st := standing(1, providers.Paid)
			st.Amount.Minor = 999
			d.is(fmt.Sprintf("%s and reviewed before: paid, a smaller amount", state), turnOf(a), inquired(1, st))
		}
		for _, left := range []struct {
			name  string
			state State
			was   func(*Attempt)
			st    func(*providers.Standing)
		}{
			{"authorized of which a part was voided: the rest is held", Authorized, func(a *Attempt) { a.AmountAuthorized = 700 }, func(st *providers.Standing) { st.Outcome, st.Held, st.Captured = providers.Authorized, 700, 0 }},
			{"authorized of which a part was voided: all is held", Authorized, func(a *Attempt) { a.AmountAuthorized = 700 }, func(st *providers.Standing) { st.Outcome, st.Captured = providers.Authorized, 0 }},
			{"authorized of which a part was voided: the rest is taken", Authorized, func(a *Attempt) { a.AmountAuthorized = 700 }, func(st *providers.Standing) { st.Captured = 700 }},
			{"authorized of which a part was voided: more than the rest is taken", Authorized, func(a *Attempt) { a.AmountAuthorized = 700 }, func(st *providers.Standing) { st.Captured = 701 }},
			{"paid in part: the part", Paid, func(a *Attempt) { a.Captured = 300 }, func(st *providers.Standing) { st.Captured = 300 }},
			{"paid in part: more than it", Paid, func(a *Attempt) { a.Captured = 300 }, func(st *providers.Standing) { st.Captured = 301 }},
			{"paid of a smaller hold: the hold", Paid, func(a *Attempt) { a.AmountAuthorized, a.Captured = 700, 700 }, func(st *providers.Standing) { st.Held, st.Captured = 700, 700 }},
			{"paid of a smaller hold: authorized so", Paid, func(a *Attempt) { a.AmountAuthorized, a.Captured = 700, 700 }, func(st *providers.Standing) { st.Outcome, st.Held, st.Captured = providers.Authorized, 700, 0 }},
			{"paid of a smaller hold: authorized otherwise", Paid, func(a *Attempt) { a.AmountAuthorized, a.Captured = 700, 700 }, func(st *providers.Standing) { st.Outcome, st.Held, st.Captured = providers.Authorized, 701, 0 }},
		} {
			a := attemptIn(1, left.state)
			left.was(a)
			st := standing(1, providers.Paid)
			left.st(&st)
			d.is(left.name, turnOf(a), inquired(1, st))
		}
	})
}

// News that was on its way while the attempt moved on decides nothing; money is believed whenever it comes.
func TestAnInquiryFromBeforeTheAttemptMovedOnDecidesNothing(t *testing.T) {
	decisions(t, "stale", func(d *table) {
		for _, outcome := range outcomes {
			for _, seen := range []Seen{{State: Gateway, StepN: 1}, {State: Unknown}, {State: Unknown, StepN: 2}} {
				a := attemptIn(1, Unknown)
				a.StepN = 1
				st := standing(1, outcome)
				d.is(fmt.Sprintf("unknown at step 1: %s, asked when it was %s at step %d", outcome, seen.State, seen.StepN), turnOf(a), func(t *Turn) (string, error) {
					return "", t.Inquired(1, InquiryAnswer{Seen: seen, Standing: st})
				})
			}
		}
	})
}

func TestWhatAnInquiryStoresBesideTheOutcome(t *testing.T) {
	decisions(t, "inquiries", func(d *table) {
		st := standing(1, providers.Processing)
		st.Card.Last4, st.ThreeDS.ECI = "4242", "05"
		a := attemptIn(1, Gateway)
		a.Ref.OrderID, a.NextInquiry = "", noon.Add(time.Second)
		d.is("the gateway's order, the card and the authentication are learned", turnOf(a), inquired(1, st))
		a = attemptIn(1, Gateway)
		a.Card.Last4, a.ThreeDS.ECI = "1111", "06"
		d.is("a card that is known stays, an authentication is newer", turnOf(a), inquired(1, st))
		a = attemptIn(1, Gateway)
		a.ThreeDS.ECI = "06"
		d.is("no authentication told, the known one stays", turnOf(a), inquired(1, standing(1, providers.Processing)))
		for _, state := range []State{Gateway, Unknown, Shopper, Mismatched, Declined, Failed} {
			for name, in := range map[string]InquiryAnswer{
				"no answer": {}, "the login refused": {LoginRefused: true}, "the login refused and lost": {LoginRefused: true, LoginLost: true},
			} {
				in.Err, in.Wire = errors.New("cut"), []TimelineEntry{{Kind: EntryHTTP, Name: "POST /status"}}
				turn := turnOf(attemptIn(1, state))
				turn.S.Login = &Login{Customer: "c", Done: true, Challenge: "x", Sent: 3}
				d.is(fmt.Sprintf("%s: %s", state, name), turn, func(t *Turn) (string, error) { return "", t.Inquired(1, in) })
			}
		}
		for _, state := range []State{New, Calling, Gateway, Unknown} {
			for _, left := range []time.Duration{time.Second, 0} {
				for _, died := range []bool{false, true} {
					a := attemptIn(1, state)
					a.Deadline = noon.Add(left)
					turn := turnOf(a)
					turn.CallerDied = died
					d.is(fmt.Sprintf("%s, its deadline in %s, its caller dead %v: no answer", state, left, died), turn, func(t *Turn) (string, error) {
						return "", t.Inquired(1, InquiryAnswer{Err: errors.New("cut")})
					})
				}
			}
		}
		step := challenge("another")
		step.Ref = providers.Ref{Reference: "theirs", OrderID: "g-1", More: map[string]string{"k": "v"}}
		st = standing(1, providers.Waiting)
		st.Next = &step
		d.is("what the next step says of the order is learned", turnOf(attemptIn(1, Gateway)), inquired(1, st))
		for _, state := range []State{Authorized, Paid, Unknown} {
			for _, op := range []OpState{OpNew, OpUnknown, OpSucceeded, OpFailed} {
				turn := turnOf(attemptIn(1, state))
				turn.S.Operations = []*Operation{{N: 1, Attempt: 1, Kind: providers.Void, State: op}, {N: 2, Attempt: 2, Kind: providers.Void, State: OpPending}}
				d.is(fmt.Sprintf("%s with an operation that is %s: paid", state, op), turn, inquired(1, standing(1, providers.Paid)))
				turn = turnOf(attemptIn(1, state))
				turn.S.Operations = []*Operation{{N: 1, Attempt: 1, Kind: providers.Void, State: op}}
				d.is(fmt.Sprintf("%s with an operation that is %s: a callback", state, op), turn, func(t *Turn) (string, error) { return "", t.Arrivals().CalledBack(1, "g-1") })
			}
		}
		for _, state := range []State{New, Gateway, Declined} {
			for _, known := range []string{"", "g-0"} {
				for _, told := range []string{"", "g-1"} {
					a := attemptIn(1, state)
					a.Ref.OrderID = known
					d.is(fmt.Sprintf("%s, the gateway's order known as %q: a callback of %q", state, known, told), turnOf(a), func(t *Turn) (string, error) { return "", t.Arrivals().CalledBack(1, told) })
				}
			}
		}
	})
}

// "Not found" is proof only the second time, and only where no call can be under way any more.
func TestNotFoundIsProofOnlyWhenItCanBe(t *testing.T) {
	decisions(t, "not-found", func(d *table) {
		for _, state := range []State{New, Calling, Unknown, Gateway, Shopper, Mismatched} {
			for _, deadline := range []time.Duration{time.Second, 0, -59 * time.Second, -60 * time.Second} {
				for _, since := range []time.Duration{1, 0, -time.Nanosecond} {
					for _, book := range []string{"a call in the book", "no call in the book"} {
						for _, age := range []time.Duration{119 * time.Second, 120 * time.Second} {
							if book == "a call in the book" && age == 119*time.Second {
								continue
							}
							a := attemptIn(1, state)
							a.Deadline, a.CreatedAt = noon.Add(deadline), noon.Add(-age)
							if since <= 0 {
								a.NotFoundSince = noon.Add(since)
							}
							if a.Calls = []Call{{Attempt: 1, Kind: CallPay, Round: 1}}; book == "no call in the book" {
								a.Calls = nil
							}
							turn := turnOf(a)
							turn.CallerDied = true
							d.is(fmt.Sprintf("%s, deadline in %s, not found since %s, %s, begun %s ago", state, deadline, map[bool]string{true: "never", false: since.String()}[since > 0], book, age),
								turn, inquired(1, standing(1, providers.NotFound)))
						}
					}
				}
			}
		}
	})
}

func TestWhenAnOrderIsToBeClosedOrIsOutlived(t *testing.T) {
	decisions(t, "lost", func(d *table) {
		for _, state := range states {
			for _, ago := range []time.Duration{59 * time.Second, time.Minute, 14*time.Minute + 59*time.Second, 15 * time.Minute} {
				for _, other := range []string{"nothing else", "other money"} {
					a := attemptIn(1, state)
					a.StepAt, a.UpdatedAt, a.Deadline = noon.Add(-ago), noon.Add(-ago), noon.Add(-ago)
					turn := turnOf(a)
					if other == "other money" {
						turn.S.Attempts = append(turn.S.Attempts, attemptIn(2, Authorized))
					}
					d.is(fmt.Sprintf("%s for %s, %s: its step is lost", state, ago, other), turn, func(t *Turn) (string, error) { return fmt.Sprint(t.LostStep(a)), nil })
				}
			}
		}
		a := attemptIn(1, Unknown)
		a.UpdatedAt, a.Deadline = noon.Add(-time.Minute), noon.Add(-59*time.Second)
		d.is("unknown for 1m0s, its call not settled: its step is lost", turnOf(a), func(t *Turn) (string, error) { return fmt.Sprint(t.LostStep(a)), nil })
		b := attemptIn(1, Unknown)
		b.UpdatedAt, b.Deadline = noon.Add(-59*time.Second), noon.Add(-time.Minute)
		d.is("unknown for 59s, its call settled: its step is lost", turnOf(b), func(t *Turn) (string, error) { return fmt.Sprint(t.LostStep(b)), nil })
		next := challenge("c")
		for _, unproven := range []bool{false, true} {
			a := attemptIn(1, Unknown)
			a.Calls = nil
			st := providers.Standing{Outcome: providers.Waiting, Unproven: unproven}
			d.is(fmt.Sprintf("a card, no call, waiting, not proved to be ours %v: outlived", unproven), turnOf(a), func(t *Turn) (string, error) { return fmt.Sprint(t.Outlived(a, st)), nil })
		}
		for name, of := range map[string]struct {
			instrument string
			calls      bool
			age        time.Duration
			st         providers.Standing
		}{
			"a card, no call, waiting":                 {"card", false, time.Hour, providers.Standing{Outcome: providers.Waiting}},
			"a saved card, no call, waiting":           {"saved_card", false, time.Hour, providers.Standing{Outcome: providers.Waiting}},
			"a QR code, no call, waiting":              {"qr", false, time.Hour, providers.Standing{Outcome: providers.Waiting}},
			"a card, a call, waiting":                  {"card", true, time.Hour, providers.Standing{Outcome: providers.Waiting}},
			"a card, no call, processing":              {"card", false, time.Hour, providers.Standing{Outcome: providers.Processing}},
			"a card, no call, waiting for a challenge": {"card", false, time.Hour, providers.Standing{Outcome: providers.Waiting, Next: &next}},
			"a card, no call, waiting after a try":     {"card", false, time.Hour, providers.Standing{Outcome: providers.Waiting, LastTry: &providers.Decline{}}},
			"a card, a call, a second before a day":    {"card", true, 24*time.Hour - time.Second, providers.Standing{Outcome: providers.Waiting}},
			"a card, a call, a day old":                {"card", true, 24 * time.Hour, providers.Standing{Outcome: providers.Waiting}},
		} {
			a := attemptIn(1, Unknown)
			a.Instrument, a.CreatedAt = of.instrument, noon.Add(-of.age)
			if !of.calls {
				a.Calls = nil
			}
			d.is(name+": outlived", turnOf(a), func(t *Turn) (string, error) { return fmt.Sprint(t.Outlived(a, of.st)), nil })
		}
	})
}

// A gateway that waits is shown the way again, sent the answer again, or given time.
func TestWhatIsDoneForAGatewayThatWaits(t *testing.T) {
	decisions(t, "waiting", func(d *table) {
		same, other, method := challenge("c"), challenge("another"), providers.Step{V: providers.StepVersion, Kind: providers.Method}
		calls := func(results ...string) (all []Call) {
			for i, r := range results {
				c := Call{Attempt: 1, Kind: CallResume, Round: i + 1, SentAt: noon.Add(-time.Minute), AnsweredAt: noon.Add(-time.Minute), Result: r}
				if r == "" {
					c.AnsweredAt = time.Time{}
				}
				all = append(all, c)
			}
			return all
		}
		recent := func(c []Call, ago time.Duration) []Call { c[len(c)-1].AnsweredAt = noon.Add(-ago); return c }
		cases := []struct {
			name  string
			calls []Call
			run   Run
			dead  time.Duration
		}{
			{"its answer was taken", calls("wait"), Run{}, 0},
			{"its answer got an error long ago", calls("wait", "error"), Run{}, 0},
			{"its answer got an error 2.9 s ago", recent(calls("wait", "error"), 2900*time.Millisecond), Run{}, 0},
			{"its answer got an error 3 s ago", recent(calls("wait", "error"), 3*time.Second), Run{}, 0},
			{"its answer got two errors, 5.9 s ago", recent(calls("wait", "error", "error"), 5900*time.Millisecond), Run{}, 0},
			{"its answer got two errors, 6 s ago", recent(calls("wait", "error", "error"), 6*time.Second), Run{}, 0},
			{"its answer was refused twice", calls("wait", "refused", "refused"), Run{}, 0},
			{"its answer was refused three times", calls("wait", "refused", "refused", "refused"), Run{}, 0},
			{"its answer was refused three times, with an error between", calls("refused", "refused", "error", "refused"), Run{}, 0},
			{"its answer got no answer", calls("wait", ""), Run{}, -5 * time.Second},
			{"its answer got no answer, a second after the deadline", calls("wait", ""), Run{}, -time.Second},
			{"nothing was sent", nil, Run{}, -10 * time.Second},
			{"a later answer came, the first was taken", calls("wait"), Run{LaterAnswer: true, Sealed: "s"}, 0},
			{"a later answer came, the first got an error", calls("error"), Run{LaterAnswer: true, Sealed: "s"}, 0},
			{"a later answer came, the first got an error now", recent(calls("error"), 0), Run{LaterAnswer: true, Sealed: "s"}, 0},
			{"a later answer came, the first could not be read", calls("wait"), Run{LaterAnswer: true, UnreadableAnswer: true, Sealed: "s"}, 0},
			{"a later answer came, the first could not be read and got an error now", recent(calls("error"), 0), Run{LaterAnswer: true, UnreadableAnswer: true, Sealed: "s"}, 0},
			{"what was sent could not be read", calls("wait"), Run{UnreadableAnswer: true, Sealed: "s", ShownAt: noon.Add(-8 * time.Minute), ReturnedAt: noon.Add(-7 * time.Minute)}, 0},
			{"what was sent could not be read, the eleventh time", calls(strings.Fields(strings.Repeat("wait ", 11))...), Run{UnreadableAnswer: true}, 0},
			{"what was sent could not be read, the twelfth time", calls(strings.Fields(strings.Repeat("wait ", 12))...), Run{UnreadableAnswer: true}, 0},
			{"somebody came back with nothing", calls("wait"), Run{EmptyReturn: true, ReturnedAt: noon.Add(-time.Minute)}, 0},
			{"it was shown, notified and brought an answer that got an error", calls("error"),
				Run{CompInd: "Y", NotifiedAt: noon.Add(-9 * time.Minute), MethodAt: noon.Add(-8 * time.Minute), ShownAt: noon.Add(-7 * time.Minute), ReturnedAt: noon.Add(-6 * time.Minute), Sealed: "s"}, 0},
		}
		for _, n := range []int{maxCalls - 1, maxCalls} {
			for _, later := range []bool{false, true} {
				a := attemptIn(1, Unknown)
				step := challenge("c")
				a.Step, a.StepN, a.StepAt, a.Calls = &step, 1, noon.Add(-10*time.Minute), calls(strings.Fields(strings.Repeat("error ", n))...)
				a.Runs = []*Run{{N: 1, Token: "run-1", LaterAnswer: later, Sealed: "s"}}
				d.is(fmt.Sprintf("unknown, %d calls got an error, a later answer came %v: the same step", n, later), turnOf(a), inquired(1, withNext(standing(1, providers.Waiting), same)))
			}
		}
		for _, state := range []State{New, Calling, Shopper, Gateway, Unknown, Mismatched} {
			for _, c := range cases {
				for _, next := range []struct {
					name string
					step *providers.Step
				}{{"the same step", &same}, {"another step", &other}, {"a Method", &method}, {"no step", nil}} {
					a := attemptIn(1, state)
					if a.Step == nil {
						step := challenge("c")
						a.Step, a.StepN, a.StepAt = &step, 1, noon.Add(-10*time.Minute)
					}
					a.NotFoundSince, a.Unclear = noon.Add(-time.Hour), true
					a.Calls, a.Deadline = slices.Clone(c.calls), noon.Add(-5*time.Minute)
					if c.dead != 0 {
						a.Deadline = noon.Add(c.dead)
					}
					run := c.run
					run.N, run.Token = 1, "run-1"
					a.Runs = []*Run{&run}
					st := standing(1, providers.Waiting)
					st.Next = next.step
					d.is(fmt.Sprintf("%s, %s: %s", state, c.name, next.name), turnOf(a), inquired(1, st))
				}
			}
			for _, unread := range []bool{false, true} {
				step := challenge("c")
				step.Kind, step.NewRun = providers.Method, true
				a := attemptIn(1, state)
				a.Step, a.StepN, a.StepAt, a.Calls = &step, 1, noon.Add(-10*time.Minute), calls("error")
				*a.Runs[0] = Run{
					N: 1, Token: "run-1", CompInd: "Y", NotifiedAt: noon.Add(-9 * time.Minute), MethodAt: noon.Add(-8 * time.Minute), ShownAt: noon.Add(-7 * time.Minute), Sealed: "s",
					UnreadableAnswer: unread,
				}
				st := standing(1, providers.Waiting)
				again := step
				st.Next = &again
				d.is(fmt.Sprintf("%s, a Method of a new run that was answered, unreadably %v: the same step", state, unread), turnOf(a), inquired(1, st))
			}
			none := attemptIn(1, state)
			none.Step, none.Runs = nil, nil
			d.is(fmt.Sprintf("%s, no run: no step", state), turnOf(none), inquired(1, standing(1, providers.Waiting)))
			for _, next := range []*providers.Step{nil, &same} {
				a := attemptIn(1, state)
				a.Step = nil
				st := standing(1, providers.Waiting)
				st.Next = next
				d.is(fmt.Sprintf("%s, nothing was shown: a step %v", state, next != nil), turnOf(a), inquired(1, st))
				st.LastTry = &providers.Decline{Reason: providers.Limit}
				d.is(fmt.Sprintf("%s, nothing was shown: a refused try, a step %v", state, next != nil), turnOf(attemptIn(1, state)), inquired(1, st))
			}
		}
	})
}

// The place in the schedule is the time since the last news, whoever asked meanwhile.
func TestWhenTheGatewayIsAskedNext(t *testing.T) {
	decisions(t, "schedule", func(d *table) {
		s := time.Second
		moments := []time.Duration{
			0, 29*s + 999*time.Millisecond, 30 * s, 299 * s, 300 * s, 359 * s, 360 * s, 659 * s, 660 * s, 1559 * s, 1560 * s, 1560*s + time.Hour,
			7*24*time.Hour - s, 7 * 24 * time.Hour,
		}
		for _, since := range moments {
			for _, of := range []struct {
				name string
				make func(*Attempt)
			}{
				{"unknown", func(*Attempt) {}},
				{"unknown, without a mark of news", func(a *Attempt) { a.UpdatedAt, a.NewsAt = a.NewsAt, time.Time{} }},
				{"unknown and unclear", func(a *Attempt) { a.Unclear = true }},
				{"held", func(a *Attempt) { a.State = Mismatched }},
				{"gateway", func(a *Attempt) { a.State = Gateway }},
				{"gateway and unclear", func(a *Attempt) { a.State, a.Unclear = Gateway, true }},
				{"calling past its deadline", func(a *Attempt) { a.State = Calling }},
				{"shopper", func(a *Attempt) { a.State, a.StepAt = Shopper, a.NewsAt }},
				{"shopper who came back with nothing", func(a *Attempt) { a.State, a.Runs[0].EmptyReturn, a.Runs[0].ReturnedAt = Shopper, true, a.NewsAt }},
				{"failed", func(a *Attempt) { a.State = Failed }},
				{"abandoned", func(a *Attempt) { a.State = Abandoned }},
				{"declined", func(a *Attempt) { a.State = Declined }},
			} {
				a := attemptIn(1, Unknown)
				a.NewsAt = noon.Add(-since)
				of.make(a)
				d.is(fmt.Sprintf("%s, %s after the news: no answer", of.name, since), turnOf(a), func(t *Turn) (string, error) {
					return "", t.Inquired(1, InquiryAnswer{Err: errors.New("cut")})
				})
			}
		}
		for _, since := range []time.Duration{14 * s, 15 * s, 44 * s, 45 * s, 104 * s, 105 * s, 224 * s, 225 * s, 464 * s, 465 * s, 465*s + 30*s, 899 * s, 900*s - 1, 900 * s, 901 * s, 1799 * s, 1800 * s, 5 * time.Hour} {
			a := attemptIn(1, Shopper)
			a.StepAt = noon.Add(-since)
			d.is(fmt.Sprintf("shopper at the bank for %s: no answer", since), turnOf(a), func(t *Turn) (string, error) {
				return "", t.Inquired(1, InquiryAnswer{Err: errors.New("cut")})
			})
		}
		for _, since := range []time.Duration{14 * s, 15 * s, 465 * s, 899 * s, 900 * s, 1799 * s, 1800 * s, 5 * time.Hour} {
			for _, stepN := range []int{1, maxCalls, maxCalls + 1} {
				a := attemptIn(1, Shopper)
				a.StepAt, a.StepN = noon.Add(-since), stepN
				d.is(fmt.Sprintf("shopper at the bank for %s, at step %d: it works", since, stepN), turnOf(a), inquired(1, standing(1, providers.Processing)))
			}
		}
		for _, since := range []time.Duration{0, 10*time.Minute - s, 10 * time.Minute, 70*time.Minute - s, 70 * time.Minute, 430*time.Minute - s, 430 * time.Minute, 1870*time.Minute - s, 1870 * time.Minute} {
			a := attemptIn(1, Failed)
			a.NewsAt = noon.Add(-since)
			d.is(fmt.Sprintf("failed %s ago: no answer", since), turnOf(a), func(t *Turn) (string, error) { return "", t.Inquired(1, InquiryAnswer{Err: errors.New("cut")}) })
		}
		for n := 1; n <= 13; n++ {
			d.is(fmt.Sprintf("sent again after %d failures", n), turnOf(), func(*Turn) (string, error) { return resendAfter(n).String(), nil })
		}
	})
}
