package session

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/threeds"
)

// news is what an inquiry can bring; the table of states and standings has a column for each.
type news struct {
	name string
	make func(a *Attempt, sum money.Amount) InquiryAnswer
}

// everyNews lists all that an inquiry can bring: every outcome, money of another amount, and every class of error.
func everyNews() []news {
	standing := func(outcome providers.Outcome) func(*Attempt, money.Amount) InquiryAnswer {
		return func(a *Attempt, sum money.Amount) InquiryAnswer {
			st := providers.Standing{Outcome: outcome, Ref: a.Ref, Reference: a.Ref.Reference, Amount: sum}
			switch outcome {
			case providers.Paid:
				st.Held, st.Captured = sum.Minor, sum.Minor
			case providers.Authorized, providers.HoldLeft:
				st.Held = sum.Minor
			}
			return InquiryAnswer{Standing: st}
		}
	}
	fails := func(err error) func(*Attempt, money.Amount) InquiryAnswer {
		return func(*Attempt, money.Amount) InquiryAnswer { return InquiryAnswer{Err: err} }
	}
	all := []news{}
	for _, outcome := range []providers.Outcome{
		providers.Paid, providers.Authorized, providers.HoldLeft, providers.Refused, providers.Voided, providers.Closed,
		providers.Waiting, providers.Processing, providers.NotFound,
	} {
		all = append(all, news{strings.ReplaceAll(string(outcome), "_", " "), standing(outcome)})
	}
	return append(all,
		news{"waiting, the step repeated", func(a *Attempt, sum money.Amount) InquiryAnswer {
			in, step := standing(providers.Waiting)(a, sum), sampleStep("c")
			in.Standing.Next = &step
			return in
		}},
		news{"waiting, another step", func(a *Attempt, sum money.Amount) InquiryAnswer {
			in, step := standing(providers.Waiting)(a, sum), sampleStep(fmt.Sprint("c", a.StepN))
			in.Standing.Next = &step
			return in
		}},
		news{"paid, another amount", func(a *Attempt, sum money.Amount) InquiryAnswer {
			in := standing(providers.Paid)(a, sum)
			in.Standing.Amount.Minor++
			return in
		}},
		news{"unclear, or words that are not known", standing(providers.Unclear)},
		news{"unreadable", fails(&providers.Failure{Op: "status", Err: providers.ErrUnreadable})},
		news{"refused to us", fails(&providers.Failure{Op: "status", Code: "5", Text: "access denied"})},
		news{"429, wait an hour", fails(&providers.Failure{Op: "status", Err: &providers.Throttled{Status: 429, Wait: time.Hour}})},
		news{"no answer", fails(errNoAnswer)},
	)
}

var errNoAnswer = errors.New("no answer")

func sampleStep(creq string) providers.Step {
	s := providers.NewStep(providers.Challenge, providers.Ref{})
	s.Forms = []threeds.Form{{Action: "https://bank.example", Fields: []threeds.Field{{Name: "creq", Value: creq}}}}
	return s
}

// course is one session with one attempt that nobody but the gateway's answers moves: what becomes of it, in memory.
type course struct {
	s     *Session
	start time.Time
	now   time.Time
	due   map[string]Job
	rules Rules
	runs  int
}

// courseFrom begins with an attempt in a state.
func courseFrom(state State) *course {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	sum := money.Amount{Minor: 1000, Currency: money.Currency{Code: "KZT", Numeric: "398", Digits: 2}}
	a := &Attempt{
		N: 1, State: state, Instrument: "card", Ref: providers.Ref{Reference: "o-1", OrderID: "g-1"}, CreatedAt: start, UpdatedAt: start,
		NewsAt: start, Deadline: start.Add(30 * time.Second), Runs: []*Run{{N: 1, Token: "run-1"}},
	}
	row := Call{Attempt: 1, Kind: CallPay, Round: 1, SentAt: start, AnsweredAt: start, Result: string(providers.Wait)}
	switch state {
	case New:
		row = Call{}
	case Calling:
		row.AnsweredAt, row.Result = time.Time{}, ""
	case Shopper:
		step := sampleStep("c")
		a.Step, a.StepN, a.StepAt = &step, 1, start
	case Unknown:
		row.Result = resultError
	case Authorized:
		a.AmountAuthorized = sum.Minor
	case Paid:
		a.AmountAuthorized, a.Captured = sum.Minor, sum.Minor
	}
	if row.Kind != "" {
		a.Calls = []Call{row}
	}
	c := &course{
		s: &Session{
			ID: "cs_1", Kind: "payment", OrderID: "o", Amount: sum, CreatedAt: start, ExpiresAt: start.Add(30 * time.Minute), Attempts: []*Attempt{a},
		},
		start: start, now: start, due: map[string]Job{},
		rules: Rules{CallTimeout: 30 * time.Second, SettleAfter: time.Minute, OrderLife: 24 * time.Hour},
	}
	c.do(func(t *Turn) error { t.queueRecheck(a, start.Add(time.Second)); return nil })
	return c
}

func (c *course) attempt() *Attempt { return c.s.Attempts[0] }

func (c *course) turn() *Turn {
	return &Turn{
		S: c.s, Now: c.now, Rules: c.rules,
		Token: func() (string, error) { c.runs++; return fmt.Sprint("token-", c.runs), nil },
		Open:  func(string, string) ([]byte, error) { return nil, errNoAnswer },
	}
}

func (c *course) do(decide func(*Turn) error) {
	t := c.turn()
	if err := decide(t); err != nil && !errors.Is(err, ErrNothing) {
		panic(err) // the table does not allow what was decided
	}
	for _, j := range t.Change.Jobs {
		c.due[j.Kind+j.Key] = j
	}
}

// next runs the inquiry that is due first, about the attempt or an operation of Tollgate's own, and lets the gateway answer. It
// tells false where nothing will be asked any more, or not until a time.
func (c *course) next(until time.Time, answers news, operation OperationAnswer) bool {
	first := ""
	for key, j := range c.due {
		asks := j.Kind == JobInquire || j.Kind == JobOperate
		if asks && !j.RunAt.After(until) && (first == "" || j.RunAt.Before(c.due[first].RunAt) || j.RunAt.Equal(c.due[first].RunAt) && key < first) {
			first = key
		}
	}
	if first == "" {
		return false
	}
	j := c.due[first]
	delete(c.due, first)
	if c.now.Before(j.RunAt) {
		c.now = j.RunAt
	}
	a := c.attempt()
	in := answers.make(a, c.s.Amount)
	if j.Kind == JobOperate {
		c.operation(len(c.s.Operations), in, operation)
		return true
	}
	if !(Asking{c.turn()}).MayAsk(a) {
		c.do(func(t *Turn) error { return Asking{t}.NotAsked(1) })
		return true
	}
	in.Seen = a.Seen()
	if t := c.turn(); in.Err == nil && in.Standing.Outcome == providers.Waiting && t.LostStep(a) && t.Outlived(a, in.Standing) {
		in.Standing.Outcome = providers.Closed
	}
	c.do(func(t *Turn) error { return t.Inquired(1, in) })
	return true
}

func (c *course) operation(n int, in InquiryAnswer, answer OperationAnswer) {
	due := false
	c.do(func(t *Turn) (err error) { due, err = t.Operations().Due(n); return err })
	if !due {
		return
	}
	if c.s.Operation(n).State == OpNew {
		c.do(func(t *Turn) error { return t.Operations().Orphaned(n, in.Standing, in.Err, nil) })
	}
	c.do(func(t *Turn) error { return t.Operations().Answered(n, answer, nil) })
}

// over tells whether the attempt has ended, or a person has it in hands.
func (c *course) over() bool {
	a := c.attempt()
	for _, op := range c.s.Operations {
		if op.NeedsReview {
			return true
		}
	}
	return !a.State.Live() || a.NeedsReview
}

// standingsTable is the table of every state and all that an inquiry can bring: what the first such answer does, and how it
// ends if every later inquiry brings the same.
func standingsTable() string {
	var b strings.Builder
	b.WriteString("\n# What an inquiry can bring\n\nWhat the first such answer makes of an attempt, and how it ends where every later inquiry brings " +
		"the same; the gateway cannot close orders, and nobody comes. `needs_review` is a person's. No pair stays without an end.\n\n| brings |")
	for _, s := range states {
		fmt.Fprintf(&b, " `%s` |", s)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(states)) + "\n")
	for _, n := range everyNews() {
		fmt.Fprintf(&b, "| %s |", n.name)
		for _, s := range states {
			fmt.Fprintf(&b, " %s |", endOf(s, n))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// endOf is one cell of the table.
func endOf(state State, n news) string {
	c := courseFrom(state)
	until := c.start.Add(9 * 24 * time.Hour)
	missing := OperationAnswer{OpResult: providers.OpResult{State: providers.OpMissing}}
	c.next(until, n, missing)
	first := c.attempt().State
	if !state.Live() {
		if first == state {
			return "stays"
		}
		return "`" + string(first) + "`"
	}
	for !c.over() && c.next(until, n, missing) {
	}
	said := ""
	if first != state && first != c.attempt().State {
		said = "`" + string(first) + "`, then "
	}
	took := c.now.Sub(c.start)
	switch {
	case !c.over():
		return said + "NO END"
	case c.attempt().State.Live():
		return said + "`needs_review` after " + about(took)
	case took < time.Minute:
		return said + "`" + string(c.attempt().State) + "`"
	}
	return said + "`" + string(c.attempt().State) + "` after " + about(took)
}

// about is a time in the largest unit of which there are two at least.
func about(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d d", d.Round(24*time.Hour)/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", d.Round(time.Hour)/time.Hour)
	}
	return fmt.Sprintf("%d min", d.Round(time.Minute)/time.Minute)
}
