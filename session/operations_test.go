package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/threeds"
)

func TestWhichOperationsAreBegun(t *testing.T) {
	decisions(t, "operate", func(d *table) {
		try := func(situation string, kind providers.OpKind, amount int64, turn *Turn) {
			d.is(situation, turn, func(t *Turn) (string, error) {
				if may, err := t.Operations().allowed(t.S.FundedAttempt(), NewOperation{Kind: kind, Amount: amount}); err != nil && may != 0 {
					d.t.Errorf("%s: refused with an amount of %d", situation, may)
				}
				op, err := t.Operations().Begin(NewOperation{Kind: kind, Amount: amount})
				if (op == nil) == (err == nil) {
					d.t.Errorf("%s: %v, %v", situation, op, err)
				}
				return "", err
			})
		}
		kinds := []providers.OpKind{providers.Capture, providers.Void, providers.Refund, providers.Payout}
		for _, state := range states {
			for _, kind := range kinds {
				try(fmt.Sprintf("%s: %s all", state, kind), kind, 0, turnOf(attemptIn(1, state)))
			}
		}
		d.is("paid: refund all, under the merchant's own reference", turnOf(attemptIn(1, Paid)), func(t *Turn) (string, error) {
			op, err := t.Operations().Begin(NewOperation{Kind: providers.Refund, Reference: "credit note 7"})
			must(d.t, err)
			differs := &SumsDiffer{Operation: op.N}
			return fmt.Sprint(string(t.Change.Events[0].Data), " ", differs, errors.Is(differs, ErrSumsDiffer), errors.Is(differs, ErrAmount)), nil
		})
		for _, disputed := range []int64{0, 400, 1000} {
			for _, expected := range []int64{0, 1, 100, 600, 999, 1000} {
				for _, once := range []bool{false, true} {
					turn := turnOf(attemptIn(1, Paid))
					turn.S.Attempts[0].Disputed = disputed
					turn.Rules.Operations = []providers.OpLimits{{Kind: providers.Refund, Partial: true, Once: once}}
					d.is(fmt.Sprintf("paid, %d in dispute, %d refunded as the merchant believes, once %v: refund all", disputed, expected, once), turn, func(t *Turn) (string, error) {
						in := NewOperation{Kind: providers.Refund, ExpectedRefunded: &expected}
						if may, err := t.Operations().allowed(t.S.FundedAttempt(), in); err != nil && may != 0 {
							d.t.Errorf("refused with an amount of %d", may)
						}
						_, err := t.Operations().Begin(in)
						return "", err
					})
				}
			}
		}
		turn := turnOf(attemptIn(1, Paid))
		turn.Rules.Operations = []providers.OpLimits{{Kind: providers.Payout, Partial: true}}
		try("a payout that is offered", providers.Payout, 100, turn)
		for _, kind := range kinds[:3] {
			state, what := Authorized, map[providers.OpKind]string{providers.Capture: "held 800, captured 100", providers.Void: "held 800", providers.Refund: "captured 900, refunded 200"}[kind]
			if kind == providers.Refund {
				state = Paid
			}
			for _, partial := range []bool{false, true} {
				for _, amount := range []int64{-1, 0, 1, 699, 700, 701, 799, 800, 801, 900} {
					a := attemptIn(1, state)
					switch kind {
					case providers.Capture:
						a.AmountAuthorized, a.Captured = 800, 100
					case providers.Void:
						a.AmountAuthorized = 800
					case providers.Refund:
						a.Captured, a.Refunded = 900, 200
					}
					turn := turnOf(a)
					turn.Rules.Operations = []providers.OpLimits{{Kind: kind, Partial: partial}}
					try(fmt.Sprintf("%s, in parts %v: %s %d", what, partial, kind, amount), kind, amount, turn)
				}
			}
			turn := turnOf(attemptIn(1, state))
			turn.Rules.Operations = []providers.OpLimits{{Kind: providers.Payout}}
			try("not offered: "+string(kind), kind, 0, turn)
			for _, earlier := range kinds[:3] {
				for _, was := range []OpState{OpNew, OpCalling, OpPending, OpUnknown, OpFailed, OpSucceeded} {
					for _, once := range []bool{false, true} {
						turn := turnOf(attemptIn(1, state))
						turn.S.Operations = []*Operation{{N: 1, Kind: earlier, State: was, Attempt: 1, Amount: 1}}
						turn.Rules.Operations = []providers.OpLimits{{Kind: kind, Once: once, Partial: true}}
						try(fmt.Sprintf("after a %s that is %s, once %v: %s", earlier, was, once, kind), kind, 0, turn)
					}
				}
			}
			a := attemptIn(1, state)
			a.Voided = true
			try("voided: "+string(kind), kind, 0, turnOf(a))
			a = attemptIn(1, state)
			a.AmountAuthorized, a.Captured = 0, 0
			try("nothing left: "+string(kind), kind, 0, turnOf(a))
			try("nothing paid: "+string(kind), kind, 0, turnOf())
			try("another unknown: "+string(kind), kind, 0, turnOf(attemptIn(1, Unknown), attemptIn(2, state)))
			late := attemptIn(1, state)
			late.PaidLate = true
			try("late money alone: "+string(kind), kind, 0, turnOf(late))
			late = attemptIn(1, state)
			late.PaidLate = true
			try("late money and money that counts: "+string(kind), kind, 0, turnOf(late, attemptIn(2, state)))
			for _, length := range []int{29, 30} {
				turn := turnOf(attemptIn(1, state))
				turn.S.Attempts[0].Ref.Reference = strings.Repeat("o", length)
				try(fmt.Sprintf("a reference of %d: %s", length, kind), kind, 0, turn)
				turn = turnOf(attemptIn(1, state))
				turn.S.Attempts[0].Ref.Reference = strings.Repeat("o", length)
				turn.Token = func() (string, error) { return "", errors.New("no randomness") }
				try(fmt.Sprintf("a reference of %d, no token to be had: %s", length, kind), kind, 0, turn)
			}
		}
	})
}

// withOperation is a turn on a payment with one operation of 300.
func withOperation(state State, kind providers.OpKind, is OpState) (*Turn, *Operation) {
	a := attemptIn(1, state)
	op := &Operation{
		N: 1, Kind: kind, State: is, Attempt: 1, Amount: 300, Reference: "o-1-x1", Deadline: noon.Add(-10 * time.Minute), CreatedAt: noon.Add(-11 * time.Minute),
		UpdatedAt: noon.Add(-10 * time.Minute), Baseline: recordedSums(a), Expected: recordedSums(a),
	}
	turn := turnOf(a)
	turn.S.Operations = []*Operation{op}
	if is != OpNew {
		a.Calls = append(a.Calls, Call{Attempt: 1, Kind: string(kind), Round: 1, SentAt: noon.Add(-time.Minute)})
	}
	return turn, op
}

var (
	opStates = []OpState{OpNew, OpCalling, OpPending, OpUnknown, OpSucceeded, OpFailed}
	opKinds  = []struct {
		kind  providers.OpKind
		state State
		st    providers.Outcome
	}{{providers.Capture, Authorized, providers.Authorized}, {providers.Void, Authorized, providers.Authorized}, {providers.Refund, Paid, providers.Paid}}
)

func TestWhichOperationsMayBeSent(t *testing.T) {
	wire := []TimelineEntry{{Name: "POST /status"}}
	decisions(t, "permit-operation", func(d *table) {
		try := func(situation string, turn *Turn, st providers.Standing, err error) {
			copied := turnOf()
			copied.S = cloneSession(turn.S)
			d.is("to be sent: "+situation, turn, func(t *Turn) (string, error) {
				row, ok, e := t.Operations().Permit(1, st, err, wire)
				return fmt.Sprintf("permitted %v %s %d/%d %s", ok, row.Kind, row.Attempt, row.Round, row.SentAt.Sub(noon).Truncate(24*time.Hour)), e
			})
			d.is("its process gone: "+situation, copied, func(t *Turn) (string, error) { return "", t.Operations().Orphaned(1, st, err, wire) })
		}
		for _, of := range opKinds {
			for _, is := range opStates {
				turn, _ := withOperation(of.state, of.kind, is)
				try(fmt.Sprintf("a %s that is %s", of.kind, is), turn, standing(1, of.st), nil)
			}
			for _, outcome := range outcomes {
				turn, _ := withOperation(of.state, of.kind, OpNew)
				try(fmt.Sprintf("a %s of what is %s", of.kind, outcome), turn, standing(1, outcome), nil)
			}
			turn, _ := withOperation(of.state, of.kind, OpNew)
			told := standing(1, of.st)
			told.Stated = true
			try(fmt.Sprintf("a %s of what nobody could ask", of.kind), turn, told, errors.New("cut"))
			for _, other := range strange {
				turn, _ := withOperation(of.state, of.kind, OpNew)
				st := standing(1, of.st)
				st.Stated = true
				other.make(&st)
				try(fmt.Sprintf("a %s of %s", of.kind, other.name), turn, st, nil)
			}
		}
		turn, _ := withOperation(Paid, providers.Refund, OpNew)
		turn.S.Attempts[0].Ref.OrderID = ""
		try("a refund whose order at the gateway we do not know", turn, standing(1, providers.Paid), nil)
		turn, _ = withOperation(Paid, providers.Payout, OpNew)
		try("a payout", turn, standing(1, providers.Paid), nil)
		old, op := withOperation(Paid, providers.Refund, OpNew)
		op.Expected = Baseline{}
		try("a refund that an older version wrote", old, stated(providers.Paid, 1000, 1000, 0), nil)
		again, op := withOperation(Unknown, providers.Void, OpNew)
		op.Release, op.N = true, 1
		again.S.Operations = append(again.S.Operations, &Operation{N: 2, Attempt: 1, Kind: providers.Void, State: OpFailed, Release: true})
		again.S.Settlements = []*Settlement{{N: 1, Attempt: 1, Operation: 2, Outcome: RuledFailed, Amount: 300, At: noon.Add(-time.Hour)}}
		try("a release after one that a person called failed", again, standing(1, providers.HoldLeft), nil)
		for _, outcome := range []providers.Outcome{providers.HoldLeft, providers.Authorized, providers.Voided} {
			for _, refused := range []bool{false, true} {
				turn, op := withOperation(Unknown, providers.Void, OpNew)
				op.Release = true
				st := standing(1, outcome)
				st.VoidRefused = refused
				try(fmt.Sprintf("a release of what is %s, refused %v", outcome, refused), turn, st, nil)
			}
		}
	})
}

func TestWhatAnAnswerOfAnOperationDoes(t *testing.T) {
	decisions(t, "operation-answered", func(d *table) {
		answers := []struct {
			name string
			in   OperationAnswer
		}{
			{"succeeded", OperationAnswer{OpResult: providers.OpResult{State: providers.OpSucceeded, GatewayID: "g-op"}}},
			{"failed", OperationAnswer{OpResult: providers.OpResult{State: providers.OpFailed}}},
			{"failed for a limit", OperationAnswer{OpResult: providers.OpResult{State: providers.OpFailed, Decline: &providers.Decline{Reason: providers.Limit}}}},
			{"pending", OperationAnswer{OpResult: providers.OpResult{State: providers.OpPending}}},
			{"missing", OperationAnswer{OpResult: providers.OpResult{State: providers.OpMissing}}},
			{"a state of a later version", OperationAnswer{OpResult: providers.OpResult{State: "later"}}},
			{"an error", OperationAnswer{Err: errors.New("cut"), Wire: []TimelineEntry{{Name: "POST /refund"}}}},
			{"an error that proves that nothing was sent", OperationAnswer{Err: errors.New("cut"), Untaken: true}},
			{"succeeded, though it is said not to have been sent", OperationAnswer{OpResult: providers.OpResult{State: providers.OpSucceeded}, Untaken: true}},
		}
		for _, from := range opStates {
			for _, to := range opStates {
				turn, op := withOperation(Paid, providers.Refund, from)
				d.is(fmt.Sprintf("a refund that is %s becomes %s", from, to), turn, func(t *Turn) (string, error) { return "", t.Operations().move(op, to) })
			}
		}
		captured, _ := withOperation(Paid, providers.Capture, OpCalling)
		d.is("a capture of what was taken already: succeeded", captured, func(t *Turn) (string, error) { return "", t.Operations().Answered(1, answers[0].in, nil) })
		for name, err := range map[string]error{
			"throttled for an hour": &providers.Failure{Op: "refund", Err: &providers.Throttled{Status: 429, Wait: time.Hour}}, "a failure with a code": &providers.Failure{Op: "refund", Code: "96", Text: "malfunction"},
			"a failure without one": &providers.Failure{Op: "refund", Text: "malfunction"},
		} {
			for _, call := range []bool{true, false} {
				turn, _ := withOperation(Paid, providers.Refund, OpCalling)
				var row *Call
				if call {
					row = &Call{Attempt: 1, Kind: "refund", Round: 1, SentAt: noon.Add(-time.Minute)}
				}
				d.is(fmt.Sprintf("a refund that is calling, by its call %v: %s", call, name), turn, func(t *Turn) (string, error) {
					err := t.Operations().Answered(1, OperationAnswer{Err: err}, row)
					return string(t.Change.Events[0].Data), err
				})
			}
		}
		for _, is := range []OpState{OpCalling, OpUnknown} {
			for _, earlier := range []int{0, 1, 5} {
				for _, a := range []int{0, 1, 3} {
					a := answers[a]
					turn, op := withOperation(Paid, providers.Refund, is)
					op.GiveBack = true
					for n := range earlier {
						turn.S.Operations = append(turn.S.Operations, &Operation{N: n + 2, Attempt: 1, Kind: providers.Refund, State: OpFailed})
					}
					d.is(fmt.Sprintf("what gives back, that is %s, after %d others: %s", is, earlier, a.name), turn, func(t *Turn) (string, error) { return "", t.Operations().Answered(1, a.in, nil) })
				}
			}
		}
		unpaid, _ := withOperation(Failed, providers.Refund, OpUnknown)
		d.is("a refund of what turned out not to be paid: failed", unpaid, func(t *Turn) (string, error) { return "", t.Operations().Answered(1, answers[1].in, nil) })
		ahead, op := withOperation(Paid, providers.Refund, OpUnknown)
		op.NotFoundSince = noon.Add(time.Hour)
		d.is("a refund not seen since a moment that lies ahead: missing", ahead, func(t *Turn) (string, error) { return "", t.Operations().Answered(1, answers[4].in, nil) })
		old, op := withOperation(Paid, providers.Refund, OpPending)
		op.CreatedAt = noon.Add(-8 * 24 * time.Hour)
		d.is("what is told of an operation that needs review", old, func(t *Turn) (string, error) {
			err := t.Operations().Answered(1, answers[3].in, nil)
			return string(t.Change.Events[0].Data), err
		})
		for _, of := range opKinds {
			for _, is := range opStates {
				for _, a := range answers {
					for _, call := range []bool{true, false} {
						turn, op := withOperation(of.state, of.kind, is)
						op.GatewayID = "g-before"
						var row *Call
						asked := "asked"
						if call {
							row, asked = &Call{Attempt: 1, Kind: string(of.kind), Round: 1, SentAt: noon.Add(-time.Minute)}, "called"
						}
						d.is(fmt.Sprintf("a %s that is %s, %s: %s", of.kind, is, asked, a.name), turn, func(t *Turn) (string, error) {
							return "", t.Operations().Answered(1, a.in, row)
						})
					}
				}
			}
		}
		for _, amount := range []int64{999, 1000, 1001} {
			turn, op := withOperation(Authorized, providers.Void, OpCalling)
			op.Amount = amount
			d.is(fmt.Sprintf("a void of %d of 1000: succeeded", amount), turn, func(t *Turn) (string, error) { return "", t.Operations().Answered(1, answers[0].in, nil) })
		}
		for _, a := range answers {
			turn, op := withOperation(Unknown, providers.Void, OpCalling)
			op.Release = true
			d.is("a release: "+a.name, turn, func(t *Turn) (string, error) { return "", t.Operations().Answered(1, a.in, nil) })
		}
		for _, since := range []time.Duration{1, 0, -time.Second} {
			for _, dead := range []time.Duration{0, -59 * time.Second, -time.Minute} {
				turn, op := withOperation(Paid, providers.Refund, OpUnknown)
				if op.Deadline = noon.Add(dead); since <= 0 {
					op.NotFoundSince = noon.Add(since)
				}
				d.is(fmt.Sprintf("a refund not seen since %s, its deadline %s: missing", map[bool]string{true: "never", false: since.String()}[since > 0], dead), turn, func(t *Turn) (string, error) {
					return "", t.Operations().Answered(1, answers[4].in, nil)
				})
			}
		}
		for _, age := range []time.Duration{0, 30 * time.Second, 5 * time.Minute, 7*24*time.Hour - time.Second, 7 * 24 * time.Hour} {
			for _, reviewed := range []bool{false, true} {
				turn, op := withOperation(Paid, providers.Refund, OpPending)
				op.CreatedAt, op.NeedsReview = noon.Add(-age), reviewed
				d.is(fmt.Sprintf("a refund that is pending for %s, reviewed %v: pending", age, reviewed), turn, func(t *Turn) (string, error) { return "", t.Operations().Answered(1, answers[3].in, nil) })
			}
		}
		d.is("an operation that is not there: succeeded", turnOf(), func(t *Turn) (string, error) { return "", t.Operations().Answered(1, answers[0].in, nil) })
		for _, is := range opStates {
			for _, dead := range []time.Duration{time.Second, 0} {
				for _, died := range []bool{false, true} {
					turn, op := withOperation(Paid, providers.Refund, is)
					op.Deadline, turn.CallerDied = noon.Add(dead), died
					d.is(fmt.Sprintf("a refund that is %s, its deadline in %s, its caller dead %v: due", is, dead, died), turn, func(t *Turn) (string, error) {
						due, err := t.Operations().Due(1)
						return fmt.Sprint(due), err
					})
				}
			}
		}
		d.is("an operation that is not there: due", turnOf(), func(t *Turn) (string, error) { due, err := t.Operations().Due(1); return fmt.Sprint(due), err })
	})
}

// A hold that was left behind is released once, and again only where the release never reached the gateway.
func TestAHoldWhoseDebitWasRefusedIsReleased(t *testing.T) {
	decisions(t, "hold-left", func(d *table) {
		later := &providers.Decline{Reason: providers.TryAgainLater}
		for name, ops := range map[string][]*Operation{
			"never tried":                         nil,
			"tried, nothing was sent":             {{Release: true, State: OpFailed, Decline: later}},
			"tried four times, nothing was sent":  {{Release: true, State: OpFailed, Decline: later}, {Release: true, State: OpFailed, Decline: later}, {Release: true, State: OpFailed, Decline: later}, {Release: true, State: OpFailed, Decline: later}},
			"tried five times, nothing was sent":  {{Release: true, State: OpFailed, Decline: later}, {Release: true, State: OpFailed, Decline: later}, {Release: true, State: OpFailed, Decline: later}, {Release: true, State: OpFailed, Decline: later}, {Release: true, State: OpFailed, Decline: later}},
			"tried and refused":                   {{Release: true, State: OpFailed, Decline: &providers.Decline{Reason: providers.OtherReason}}},
			"tried and failed without a reason":   {{Release: true, State: OpFailed}},
			"tried and refused, then put off":     {{Release: true, State: OpFailed, Decline: &providers.Decline{Reason: providers.OtherReason}}, {Release: true, State: OpFailed, Decline: later}},
			"released":                            {{Release: true, State: OpSucceeded}},
			"released, though it was put off":     {{Release: true, State: OpSucceeded, Decline: later}},
			"a void of the merchant's":            {{State: OpSucceeded}},
			"another attempt's hold was released": {{Attempt: 2, Release: true, State: OpSucceeded}},
		} {
			for _, refused := range []bool{false, true} {
				for _, held := range []int64{0, 1000} {
					for _, state := range []State{Calling, Gateway} {
						a := attemptIn(1, state)
						a.Decline = &providers.Decline{Reason: providers.Limit}
						turn := turnOf(a)
						for i, op := range ops {
							one := *op
							one.N, one.Kind = i+1, providers.Void
							if one.Attempt == 0 {
								one.Attempt = 1
							}
							turn.S.Operations = append(turn.S.Operations, &one)
						}
						st := standing(1, providers.HoldLeft)
						st.Held, st.VoidRefused, st.Stated = held, refused, true
						st.Decline = &providers.Decline{Reason: providers.Fraud}
						d.is(fmt.Sprintf("%s, refused %v, held %d: %s", name, refused, held, state), turn, inquired(1, st))
					}
				}
			}
			for _, outcome := range []providers.Outcome{providers.Closed, providers.Voided, providers.Refused} {
				turn := turnOf(attemptIn(1, Unknown))
				for i, op := range ops {
					one := *op
					one.N, one.Kind = i+1, providers.Void
					if one.Attempt == 0 {
						one.Attempt = 1
					}
					turn.S.Operations = append(turn.S.Operations, &one)
				}
				st := standing(1, outcome)
				st.Decline = &providers.Decline{Reason: providers.Fraud}
				d.is(fmt.Sprintf("%s: %s", name, outcome), turn, inquired(1, st))
			}
		}
		a := attemptIn(1, Unknown)
		st := standing(1, providers.HoldLeft)
		st.VoidRefused, st.Decline = true, &providers.Decline{Reason: providers.Fraud}
		d.is("the debit's reason not known, the void refused", turnOf(a), inquired(1, st))
		turn := turnOf(attemptIn(1, Unknown))
		turn.S.Attempts[0].Ref.Reference, turn.Token = strings.Repeat("o", 40), func() (string, error) { return "", errors.New("none") }
		st = standing(1, providers.HoldLeft)
		st.Reference = ""
		d.is("no token to be had", turn, inquired(1, st))
	})
}

func TestHowACustomerLogsIn(t *testing.T) {
	decisions(t, "login", func(d *table) {
		login := func() *Login {
			return &Login{
				Browser: "b", Phone: "7700", Customer: "c", Challenge: "sealed", SentAt: noon.Add(-10 * time.Second), Sent: 1, Lookups: 1,
				Asking: &CodeRequest{N: 1, Browser: "b", Phone: "7700", At: noon.Add(-10 * time.Second)},
			}
		}
		for name, c := range map[string]struct {
			browser, phone string
			change         func(*Turn, *Login)
		}{
			"the first press":                        {"b", "7700", func(t *Turn, _ *Login) { t.S.Login = nil }},
			"the same press again":                   {"b", "7700", nil},
			"the same press 4.9 s later":             {"b", "7700", func(_ *Turn, l *Login) { l.Asking.At = noon.Add(-4900 * time.Millisecond) }},
			"the same press 5 s later":               {"b", "7700", func(_ *Turn, l *Login) { l.Asking.At = noon.Add(-5 * time.Second) }},
			"the same press, nobody's phone":         {"b", "7700", func(_ *Turn, l *Login) { l.Asking.At, l.Asking.Unknown, l.Challenge = noon, true, "" }},
			"the same press, its code forgotten":     {"b", "7700", func(_ *Turn, l *Login) { l.Asking.At, l.Challenge = noon, "" }},
			"the same press, a code of another":      {"b", "7700", func(_ *Turn, l *Login) { l.Asking.At, l.Phone = noon, "7701" }},
			"the same press, another browser's":      {"b", "7700", func(_ *Turn, l *Login) { l.Asking.At, l.Browser = noon, "x" }},
			"the same press, under way":              {"b", "7700", func(_ *Turn, l *Login) { l.Asking.At, l.Asking.Open = noon.Add(-29*time.Second), true }},
			"the same press, dead by now":            {"b", "7700", func(_ *Turn, l *Login) { l.Asking.At, l.Asking.Open = noon.Add(-30*time.Second), true }},
			"another browser, at once":               {"x", "7700", func(_ *Turn, l *Login) { l.Asking.At = noon }},
			"another browser, the request under way": {"x", "7700", func(_ *Turn, l *Login) { l.Asking.At, l.Asking.Open = noon, true }},
			"another phone, the request under way":   {"b", "7701", func(_ *Turn, l *Login) { l.Asking.At, l.Asking.Open = noon, true }},
			"another phone, at once":                 {"b", "7701", func(_ *Turn, l *Login) { l.Asking.At = noon }},
			"a press without a request before":       {"b", "7700", func(_ *Turn, l *Login) { l.Asking = nil }},
			"the same phone, no customer known":      {"b", "7700", func(_ *Turn, l *Login) { l.Customer = "" }},
			"the fifth code":                         {"b", "7700", func(_ *Turn, l *Login) { l.Sent = 4 }},
			"the sixth code":                         {"b", "7700", func(_ *Turn, l *Login) { l.Sent = 5 }},
			"another phone after five codes":         {"b", "7701", func(_ *Turn, l *Login) { l.Sent = 5 }},
			"the tenth phone":                        {"b", "7701", func(_ *Turn, l *Login) { l.Lookups = 9 }},
			"the eleventh phone":                     {"b", "7701", func(_ *Turn, l *Login) { l.Lookups = 10 }},
			"a known phone after ten":                {"b", "7700", func(_ *Turn, l *Login) { l.Lookups = 10 }},
			"a session that is over":                 {"b", "7700", func(t *Turn, _ *Login) { t.S.ClosedReason = Expired }},
			"an attempt under way":                   {"b", "7700", func(t *Turn, l *Login) { t.S.Attempts, l.Done = []*Attempt{attemptIn(1, Gateway)}, true }},
			"an attempt whose login was lost":        {"b", "7700", func(t *Turn, _ *Login) { t.S.Attempts = []*Attempt{attemptIn(1, Gateway)} }},
			"an attempt under way, nobody's login":   {"b", "7700", func(t *Turn, l *Login) { t.S.Attempts, l.Customer = []*Attempt{attemptIn(1, Gateway)}, "" }},
			"an attempt under way, no login":         {"b", "7700", func(t *Turn, _ *Login) { t.S.Attempts, t.S.Login = []*Attempt{attemptIn(1, Gateway)}, nil }},
		} {
			turn, l := turnOf(), login()
			if turn.S.Login = l; c.change != nil {
				c.change(turn, l)
			}
			d.is("send the code: "+name, turn, func(t *Turn) (string, error) {
				p, err := t.Logins().AskCode(c.browser, c.phone)
				return fmt.Sprintf("press %d repeated %v customer %q", p.N, p.Repeated, p.Customer), err
			})
		}
		type step struct {
			name   string
			decide func(*Turn) (string, error)
		}
		for _, s := range []step{
			{"the code is counted", func(t *Turn) (string, error) { return "", t.Logins().CountCode(1) }},
			{"the code of an earlier press is counted", func(t *Turn) (string, error) { return "", t.Logins().CountCode(0) }},
			{"the code was not sent", func(t *Turn) (string, error) { return "", t.Logins().CodeNotSent(1, false) }},
			{"the phone is nobody's", func(t *Turn) (string, error) { return "", t.Logins().CodeNotSent(1, true) }},
			{"the code of an earlier press was not sent", func(t *Turn) (string, error) { return "", t.Logins().CodeNotSent(0, false) }},
			{"the code was sent", func(t *Turn) (string, error) { return "", t.Logins().CodeSent(1, "b2", "7701", "c2", "sealed2") }},
			{"the code was sent to the customer of before", func(t *Turn) (string, error) { return "", t.Logins().CodeSent(1, "b2", "7701", "c", "sealed2") }},
			{"the code of an earlier press was sent", func(t *Turn) (string, error) { return "", t.Logins().CodeSent(0, "b2", "7701", "c2", "sealed2") }},
			{"another phone", func(t *Turn) (string, error) { return "", t.Logins().OtherPhone("b") }},
			{"another phone, in another browser", func(t *Turn) (string, error) { return "", t.Logins().OtherPhone("x") }},
			{"a code", func(t *Turn) (string, error) { return t.Logins().TryCode("b", time.Minute) }},
			{"a code in another browser", func(t *Turn) (string, error) { return t.Logins().TryCode("x", time.Minute) }},
			{"a code that lived 10.001 s", func(t *Turn) (string, error) { return t.Logins().TryCode("b", 10001*time.Millisecond) }},
			{"a code that lived 10 s", func(t *Turn) (string, error) { return t.Logins().TryCode("b", 10*time.Second) }},
			{"the code was right", func(t *Turn) (string, error) {
				err := t.Logins().LoggedIn("b", "sealed", "c")
				if err == nil && !strings.Contains(string(t.Change.Events[0].Data), `"customer":"c"`) {
					d.t.Errorf("the event says %s", t.Change.Events[0].Data)
				}
				return "", err
			}},
			{"the code of another challenge was right", func(t *Turn) (string, error) { return "", t.Logins().LoggedIn("b", "sealed9", "c") }},
			{"the login is dropped", func(t *Turn) (string, error) { return "", t.DropLogin() }},
			{"may log in, takes c, takes c2, login lost, owner", func(t *Turn) (string, error) {
				return fmt.Sprintln(t.S.MayLogIn(), t.S.TakesCustomer("c"), t.S.TakesCustomer("c2"), t.S.LoginLost(), t.S.Owner()), nil
			}},
			{"codes, phones, tries used up; time left", func(t *Turn) (string, error) {
				return fmt.Sprintln(t.S.CodesUsedUp(noon), t.S.PhonesUsedUp(noon), t.S.TriesUsedUp(), t.S.CodeLeft(noon, time.Minute), t.S.CodeLeft(noon, time.Second)), nil
			}},
		} {
			for _, in := range []struct {
				name   string
				change func(*Turn, *Login)
			}{
				{"a code is out", func(*Turn, *Login) {}},
				{"the request is open", func(_ *Turn, l *Login) { l.Asking.Open, l.Asking.Unknown = true, true }},
				{"four codes", func(_ *Turn, l *Login) { l.Sent = 4 }},
				{"five codes", func(_ *Turn, l *Login) { l.Sent = 5 }},
				{"nine phones", func(_ *Turn, l *Login) { l.Lookups = 9 }},
				{"ten phones", func(_ *Turn, l *Login) { l.Lookups = 10 }},
				{"four wrong codes", func(_ *Turn, l *Login) { l.Wrong = 4 }},
				{"five wrong codes", func(_ *Turn, l *Login) { l.Wrong = 5 }},
				{"logged in", func(_ *Turn, l *Login) { l.Done = true }},
				{"logged in, no code out", func(_ *Turn, l *Login) { l.Done, l.Challenge = true, "" }},
				{"no code out", func(_ *Turn, l *Login) { l.Challenge = "" }},
				{"nobody", func(_ *Turn, l *Login) { l.Customer = "" }},
				{"the session is over", func(t *Turn, _ *Login) { t.S.ClosedReason = Cancelled }},
				{"a transfer to c's card", func(t *Turn, _ *Login) { t.S.Target = &Target{Customer: "c"} }},
				{"a transfer to c2's card", func(t *Turn, _ *Login) { t.S.Target = &Target{Customer: "c2"} }},
				{"an attempt alive", func(t *Turn, _ *Login) { t.S.Attempts = []*Attempt{attemptIn(1, Unknown)} }},
				{"an attempt alive and logged in", func(t *Turn, l *Login) { t.S.Attempts, l.Done = []*Attempt{attemptIn(1, Unknown)}, true }},
				{"an attempt alive, nobody", func(t *Turn, l *Login) { t.S.Attempts, l.Customer = []*Attempt{attemptIn(1, Unknown)}, "" }},
				{"an attempt failed", func(t *Turn, _ *Login) { t.S.Attempts = []*Attempt{attemptIn(1, Failed)} }},
				{"an attempt abandoned", func(t *Turn, _ *Login) { t.S.Attempts = []*Attempt{attemptIn(1, Abandoned)} }},
				{"an attempt declined", func(t *Turn, _ *Login) { t.S.Attempts = []*Attempt{attemptIn(1, Declined)} }},
				{"an attempt paid", func(t *Turn, _ *Login) { t.S.Attempts = []*Attempt{attemptIn(1, Paid)} }},
				{"a customer of the merchant's", func(t *Turn, _ *Login) { t.S.Customer.ID = "m" }},
			} {
				turn, l := turnOf(), login()
				turn.S.Login = l
				in.change(turn, l)
				d.is(in.name+": "+s.name, turn, s.decide)
			}
			if strings.Contains(s.name, "phone, in") || strings.HasPrefix(s.name, "a code") || strings.Contains(s.name, "used up") || strings.Contains(s.name, "dropped") || strings.Contains(s.name, "takes") {
				d.is("no login: "+s.name, turnOf(), s.decide)
				d.is("no login, an attempt alive: "+s.name, turnOf(attemptIn(1, Gateway)), s.decide)
			}
		}
	})
}

func TestHowASessionBeginsAndEnds(t *testing.T) {
	decisions(t, "sessions", func(d *table) {
		made := func(change func(*Turn)) *Turn {
			turn := turnOf()
			change(turn)
			return turn
		}
		unheard := func(name string, turn *Turn, over time.Duration) {
			turn.S.ExpiresAt = noon.Add(-over)
			d.is(fmt.Sprintf("%s, over for %s: the gateway does not answer", name, over), turn, func(t *Turn) (string, error) {
				return fmt.Sprint(t.S.EndsUnasked(noon)), Asking{Turn: t}.ExpireUnheard()
			})
		}
		situations := map[string]func() *Turn{"nothing": func() *Turn { return turnOf() }}
		for _, end := range []ClosedReason{Expired, Cancelled, UsedUp} {
			situations["ended as "+string(end)] = func() *Turn { return made(func(t *Turn) { t.S.ClosedReason = end }) }
		}
		for _, state := range states {
			situations["one "+string(state)] = func() *Turn { return turnOf(attemptIn(1, state)) }
			situations["one "+string(state)+" too late"] = func() *Turn {
				return made(func(t *Turn) {
					a := attemptIn(1, state)
					a.PaidLate = true
					t.S.Attempts, t.S.ClosedReason = []*Attempt{a}, Expired
				})
			}
			situations["one "+string(state)+" before a declined one"] = func() *Turn { return turnOf(attemptIn(1, state), attemptIn(2, Declined)) }
		}
		for _, c := range []struct{ captured, refunded int64 }{{1000, 1}, {1000, 999}, {1000, 1000}, {1000, 1001}, {0, 1}, {0, 0}} {
			situations[fmt.Sprintf("captured %d, refunded %d", c.captured, c.refunded)] = func() *Turn {
				return made(func(t *Turn) {
					a := attemptIn(1, Paid)
					a.Captured, a.Refunded = c.captured, c.refunded
					t.S.Attempts = []*Attempt{a}
				})
			}
		}
		situations["voided"] = func() *Turn {
			return made(func(t *Turn) { a := attemptIn(1, Authorized); a.Voided = true; t.S.Attempts = []*Attempt{a} })
		}
		for _, is := range opStates {
			situations["an operation that is "+string(is)] = func() *Turn { turn, _ := withOperation(Paid, providers.Refund, is); return turn }
		}
		situations["late money before the money that counts"] = func() *Turn {
			return made(func(t *Turn) {
				a := attemptIn(1, Paid)
				a.PaidLate = true
				t.S.Attempts = []*Attempt{a, attemptIn(2, Authorized)}
			})
		}
		situations["the money that counts before late money"] = func() *Turn {
			return made(func(t *Turn) {
				a := attemptIn(2, Paid)
				a.PaidLate = true
				t.S.Attempts = []*Attempt{attemptIn(1, Authorized), a}
			})
		}
		for name, make := range situations {
			d.is(name+": status, outcome known, claims its order; live, last, good", make(), func(t *Turn) (string, error) {
				n := func(a *Attempt) int {
					if a == nil {
						return 0
					}
					return a.N
				}
				return fmt.Sprint(t.S.Status(), t.S.OutcomeKnown(), t.S.ClaimsOrder(), n(t.S.Live()), n(t.S.Last()), n(t.S.FundedAttempt())), nil
			})
			d.is(name+": cancelled", make(), func(t *Turn) (string, error) { return "", t.Cancel() })
			for _, left := range []time.Duration{time.Second, 0, -time.Second} {
				turn := make()
				turn.S.ExpiresAt = noon.Add(left)
				d.is(fmt.Sprintf("%s, %s left: expires", name, left), turn, func(t *Turn) (string, error) { return t.S.Remaining(noon).String(), t.Expire() })
			}
			unheard(name, make(), 20*time.Minute)
		}
		for _, over := range []time.Duration{-time.Second, 0, time.Minute, 23*time.Hour + 30*time.Minute, endsUnasked} {
			unheard("open", turnOf(), over)
		}
		for _, state := range states {
			d.is(string(state)+": live, good", turnOf(), func(*Turn) (string, error) { return fmt.Sprint(state.Live(), state.Funded()), nil })
		}
		d.is("created", turnOf(), func(t *Turn) (string, error) { t.Created(); return "", nil })
		d.is("opened in a browser", turnOf(), func(t *Turn) (string, error) { return "", t.OpenIn("b") })
		d.is("opened in another browser", made(func(t *Turn) { t.S.FirstBrowser = "a" }), func(t *Turn) (string, error) { return "", t.OpenIn("b") })
		d.is("a card was saved", turnOf(), func(t *Turn) (string, error) { t.CardSaved(2, "4242"); return string(t.Change.Events[0].Data), nil })
		for _, kind := range []string{"payment", KindTransfer, KindPayout} {
			for _, target := range []*Target{nil, {Saved: "sc_1", GatewayID: "g-card"}} {
				d.is(fmt.Sprintf("a %s with a target %v: asks for it, goes to", kind, target != nil), made(func(t *Turn) { t.S.Kind, t.S.Target = kind, target }), func(t *Turn) (string, error) {
					raw, err := json.Marshal(t.S.Destination())
					return fmt.Sprint(t.S.AsksTarget(), " ", string(raw)), err
				})
			}
		}
		d.is("its mark", turnOf(), func(t *Turn) (string, error) { return t.S.OwnershipMark(), nil })
		d.is("another's mark", made(func(t *Turn) { t.S.ID = "cs_2" }), func(t *Turn) (string, error) { return t.S.OwnershipMark(), nil })
		d.is("its third reference", made(func(t *Turn) { t.S.EarlierAttempts, t.S.RefTag = 4, "abc-" }), func(t *Turn) (string, error) { return t.S.Reference(3), nil })
		for name, committed := range map[string]time.Time{"a crash": noon.Add(-time.Second), "a crash, the clock back by an hour": noon.Add(time.Hour)} {
			d.is("the jobs that are due after "+name, turnOf(), func(*Turn) (string, error) {
				kinds, by := DueAtStart(noon, committed)
				return fmt.Sprint(kinds, by.Sub(noon)), nil
			})
		}
		taken := &OrderTaken{SessionID: "cs_9"}
		d.is("an order that is taken", turnOf(), func(*Turn) (string, error) {
			return fmt.Sprint(taken, errors.Is(taken, ErrOrderTaken), errors.Is(taken, ErrNotFound)), nil
		})
		d.is("a pair that is not in the table", turnOf(attemptIn(1, Paid)), func(t *Turn) (string, error) { return "", t.move(t.S.Attempts[0], Decline) })
	})
}

// Inquiries that bring no answer make the outcome of a payment unknown, in whatever state it is; of one that has ended they do not.
func TestAnOutcomeIsUnknownWhileInquiriesAboutALivePaymentBringNoAnswer(t *testing.T) {
	for _, state := range states {
		a := attemptIn(1, state)
		a.Blind = true
		if turnOf(a).S.OutcomeKnown() == state.Live() {
			t.Errorf("%s: known %v", state, !state.Live())
		}
	}
}

// Where two attempts have money, what is done to one is not done to the other.
func TestAnOperationIsOfItsOwnAttempt(t *testing.T) {
	one, two := attemptIn(1, Paid), attemptIn(2, Authorized)
	s := turnOf(one, two).S
	s.Operations = []*Operation{
		{N: 1, Attempt: 2, Kind: providers.Void, State: OpSucceeded, Release: true, Unconfirmed: true}, {N: 2, Attempt: 2, Kind: providers.Void, State: OpPending},
	}
	if s.openOn(one) != nil || s.unconfirmedOn(one) != nil || s.released(one) {
		t.Error("the first attempt has an operation")
	}
	if op := s.openOn(two); op == nil || op.N != 2 {
		t.Errorf("open is %+v", op)
	}
	if op := s.unconfirmedOn(two); op == nil || op.N != 1 || !s.released(two) {
		t.Errorf("not seen in the sums is %+v; released %v", op, s.released(two))
	}
}

// A session by which no call that moves money was ever permitted cannot have been paid, whatever the gateway is asked.
func TestASessionWasNeverSentWhereEveryAttemptFailedWithoutACall(t *testing.T) {
	for _, state := range states {
		for _, calls := range []int{0, 1} {
			a, failed := attemptIn(1, state), attemptIn(2, Failed)
			if failed.Calls, a.Calls = nil, nil; calls > 0 {
				a.Calls = []Call{{Attempt: 1, Kind: CallPay, Round: 1}}
			}
			if never := turnOf(a, failed).S.NeverSent(); never != (state == Failed && calls == 0) {
				t.Errorf("%s with %d calls: never sent %v", state, calls, never)
			}
		}
	}
	if !turnOf().S.NeverSent() {
		t.Error("nobody began to pay")
	}
}

func TestACallbackAboutAReferenceOfNoAttemptIsToldToTheMerchantOfTheAccount(t *testing.T) {
	u := Unmatched{Account: "acc", Reference: "o-9", GatewayOrder: "g-9", Event: "paid", Times: 3, FirstAt: noon, LastAt: noon.Add(time.Hour)}
	e := u.Told("shop", "x7")
	if e.Merchant != "shop" || e.Subject != "shop.acc" || e.Type != EventCallbackUnmatched || !e.At.Equal(noon) || e.Suffix != "x7" ||
		string(e.Data) != `{"account":"acc","event":"paid","gateway_order_id":"g-9","reference":"o-9"}` {
		t.Errorf("%+v %s", e, e.Data)
	}
}

func TestEveryLostEventIsTheSameErrorAndNoOther(t *testing.T) {
	lost := fmt.Errorf("reading: %w", &EventLost{After: "cs_1.7"})
	if !errors.Is(lost, &EventLost{}) || errors.Is(lost, ErrNotFound) || errors.Is(ErrNotFound, &EventLost{}) || (&EventLost{}).Error() != "session: the event is lost" {
		t.Error(lost)
	}
}

// The clock of a machine may go back, or that of the next one lag behind: the history goes on all the same.
func TestTheTimesOfASessionsEventsNeverGoBack(t *testing.T) {
	turn := turnOf()
	turn.Created()
	turn.Now = turn.Now.Add(-time.Hour)
	if err := turn.Cancel(); err != nil {
		t.Fatal(err)
	}
	turn.S.ClosedReason, turn.Now = "", turn.Now.Add(2*time.Hour)
	if err := turn.Cancel(); err != nil {
		t.Fatal(err)
	}
	want := []time.Time{noon, noon, noon.Add(time.Hour)}
	for i, e := range turn.Change.Events {
		if !e.At.Equal(want[i]) {
			t.Errorf("event %d is of %s, want %s", e.N, e.At, want[i])
		}
	}
}

func TestEventsCarryTheSessionsMetadata(t *testing.T) {
	turn := turnOf()
	turn.S.Metadata = map[string]string{"basket": "88"}
	turn.Created()
	if data := string(turn.Change.Events[0].Data); !strings.Contains(data, `"metadata":{"basket":"88"}`) {
		t.Error(data)
	}
}

func TestWhatEventsSay(t *testing.T) {
	decisions(t, "events", func(d *table) {
		for _, state := range states {
			for _, order := range []string{"", "g-1"} {
				a := attemptIn(1, state)
				a.Ref.OrderID, a.Mismatch, a.Decline = order, "amount", &providers.Decline{Reason: providers.Limit, Code: "51"}
				a.Refunded = 7
				turn := turnOf(a)
				turn.S.LastEvent = 4
				d.is(fmt.Sprintf("an attempt that is %s, the gateway's order %q", state, order), turn, func(t *Turn) (string, error) {
					t.recordAttempt(a, "payment.x")
					return fmt.Sprint(t.Change.Events[0].N, t.S.LastEvent, string(t.Change.Events[0].Data)), nil
				})
			}
		}
		for _, state := range []State{Declined, Failed} {
			d.is(fmt.Sprintf("an attempt that is %s, why is not known", state), turnOf(attemptIn(1, state)), func(t *Turn) (string, error) {
				t.recordAttempt(t.S.Attempts[0], "payment.x")
				return string(t.Change.Events[0].Data), nil
			})
		}
		plain := turnOf(attemptIn(1, Gateway))
		d.is("an attempt without a decline or a reason", plain, func(t *Turn) (string, error) {
			t.recordAttempt(t.S.Attempts[0], "payment.x")
			t.record("session.x", nil)
			return fmt.Sprint(string(t.Change.Events[0].Data), t.Change.Events[1].N, string(t.Change.Events[1].Data)), nil
		})
		for _, is := range opStates {
			for _, decline := range []*providers.Decline{nil, {Reason: providers.Fraud}} {
				turn, op := withOperation(Paid, providers.Refund, is)
				op.Decline = decline
				d.is(fmt.Sprintf("an operation that is %s, declined %v", is, decline != nil), turn, func(t *Turn) (string, error) {
					t.Operations().recordState(op)
					return string(t.Change.Events[0].Data), nil
				})
				turn, op = withOperation(Paid, providers.Refund, is)
				op.GatewayID, op.Baseline.Stated, op.Baseline.Refunded = "g-op", true, 5
				d.is(fmt.Sprintf("an operation that is %s, declined %v, at the provider", is, decline != nil), turn, func(t *Turn) (string, error) {
					raw, err := json.Marshal(t.S.AtProvider(op))
					return string(raw), err
				})
			}
		}
	})
}

// The proof of an authentication opens a door: it is not kept, what stands beside it is.
func TestTheTimelineKeepsNoProofOfAnAuthentication(t *testing.T) {
	a := attemptIn(1, Shopper)
	a.noteReply(noon, threeds.Reply{PaRes: paRes(t, "<status>Y</status><cavv>AAABBJg0VhI0VniQEjRWAAAAAAA=</cavv><eci>05</eci>")})
	e := a.Trace[0]
	if e.Fields["tx.eci"] != "05" || strings.Contains(fmt.Sprint(e), "AAABBJg0") {
		t.Errorf("kept is %+v", e)
	}
}

func TestWhatIsKeptForTheTimeline(t *testing.T) {
	pareq := "eJwDAAAAAAE"
	method := b64(fmt.Sprintf(`{"threeDSServerTransID":%q,"threeDSMethodNotificationURL":"https://pay.example/3ds/secret/notify"}`, serverID))
	creq := b64(fmt.Sprintf(`{"threeDSServerTransID":%q,"acsTransID":%q,"messageType":"CReq","messageVersion":"2.2.0","challengeWindowSize":"05"}`, serverID, acsID))
	ext := b64(fmt.Sprintf(`{"threeDSServerTransID":%q,"acsTransID":%q,"messageType":"CRes","messageVersion":"2.2.0","transStatus":"Y","messageExtension":[{"name":"a"},{"name":"b"}]}`, serverID, acsID))
	decisions(t, "timeline", func(d *table) {
		noted := func(situation string, note func(*Attempt)) {
			a := attemptIn(1, Shopper)
			d.is(situation, turnOf(a), func(*Turn) (string, error) { note(a); raw, err := json.Marshal(a.Trace); return string(raw), err })
		}
		for _, field := range []threeds.Field{{Name: "creq", Value: creq}, {Name: "creq", Value: "%"}, {Name: "PaReq", Value: pareq}, {Name: "threeDSMethodData", Value: method}, {Name: "MD", Value: "x"}} {
			for _, action := range []string{"https://acs.example/path/x", "http://acs.example/", "acs.example", "https://acs.example"} {
				noted(fmt.Sprintf("sent %s %.8s to %s", field.Name, field.Value, action), func(a *Attempt) {
					a.noteForms(noon, []threeds.Form{{Action: action, Fields: []threeds.Field{{Name: "other"}, field}}})
				})
			}
		}
		for name, in := range map[string]threeds.Reply{
			"a CRes": {CRes: cresOf(serverID, acsID)}, "an Erro": {Erro: erroOf(serverID, acsID)}, "an Erro as CRes": {CRes: erroOf(serverID, acsID)}, "garbage": {CRes: "%"}, "a PaRes": {PaRes: pareq}, "nothing": {},
			"a CRes with extensions": {CRes: ext}, "a CRes with a long value": {CRes: b64(fmt.Sprintf(`{"threeDSServerTransID":%q,"messageType":"CRes","transStatus":%q}`, strings.Repeat("a", 199)+"éé", strings.Repeat("b", 200)))},
		} {
			noted("received "+name, func(a *Attempt) { a.noteReply(noon, in) })
		}
		noted("notified", func(a *Attempt) { a.noteNotification(noon, threeds.Reply{MethodData: method}) })
		noted("notified of garbage", func(a *Attempt) { a.noteNotification(noon, threeds.Reply{MethodData: "%"}) })
		base := TimelineEntry{At: noon, Kind: "k", Name: "n", Direction: "d", Run: 1, Result: "r", Fields: map[string]string{"a": "b"}}
		for name, change := range map[string]func(*TimelineEntry){
			"nothing": func(e *TimelineEntry) { e.At = noon.Add(time.Second) }, "kind": func(e *TimelineEntry) { e.Kind = "x" }, "name": func(e *TimelineEntry) { e.Name = "x" }, "direction": func(e *TimelineEntry) { e.Direction = "x" },
			"run": func(e *TimelineEntry) { e.Run = 2 }, "result": func(e *TimelineEntry) { e.Result = "x" }, "fields": func(e *TimelineEntry) { e.Fields = nil },
		} {
			noted("three in a row that differ in "+name, func(a *Attempt) { e := base; change(&e); a.Note(base, e, e) })
		}
		told := func(a *Attempt, authorizations ...providers.Authorization) {
			for i, told := range authorizations {
				a.rememberAuthorization(noon.Add(time.Duration(i)*time.Minute), told)
			}
		}
		bank := providers.Authorization{ApprovalCode: "123456", RRN: "987", TakenAmount: 1000, RequestID: "r-1", At: noon}
		noted("nothing told of the authorization", func(a *Attempt) { told(a, providers.Authorization{}) })
		noted("the authorization told", func(a *Attempt) { told(a, bank) })
		noted("the authorization told twice", func(a *Attempt) { told(a, bank, bank) })
		noted("the authorization told twice, in another answer", func(a *Attempt) {
			again := bank
			again.RequestID = "r-2"
			told(a, bank, again)
		})
		noted("the authorization told, then more", func(a *Attempt) { told(a, bank, providers.Authorization{BankName: "Bank", RequestID: "r-2"}, bank) })
		noted("a part of the authorization told again", func(a *Attempt) { told(a, bank, providers.Authorization{RRN: "987"}) })
		noted("an answer's id alone", func(a *Attempt) {
			told(a, providers.Authorization{RequestID: "r-1"}, providers.Authorization{RequestID: "r-2"})
		})
		flat := map[string]string{}
		flatten(flat, "a.", map[string]any{"nothing": nil, "deep": map[string]any{"x": "y", "list": []any{1, 2}}, "bad": "\xff!", "long": "a" + strings.Repeat("é", 100)})
		d.is("members, flat", turnOf(), func(*Turn) (string, error) { raw, err := json.Marshal(flat); return string(raw), err })
		a := attemptIn(1, Shopper)
		d.is("how many are kept of 300", turnOf(a), func(*Turn) (string, error) {
			for i := range 300 {
				a.Note(TimelineEntry{Run: i + 1})
			}
			return fmt.Sprint(len(a.Trace)), nil
		})
	})
}

// The guard against doing an operation twice compares every sum that the gateway states.
func TestABaselineDisagreesWithEverySumThatChanged(t *testing.T) {
	base := Baseline{Outcome: providers.Paid, Held: 1000, Captured: 800, Refunded: 100}
	same := providers.Standing{Outcome: providers.Paid, Held: 1000, Captured: 800, Refunded: 100}
	for name, c := range map[string]struct {
		change func(*providers.Standing)
		agrees bool
	}{
		"nothing": {func(*providers.Standing) {}, true}, "the outcome": {func(s *providers.Standing) { s.Outcome = providers.Authorized }, false},
		"the hold": {func(s *providers.Standing) { s.Held = 999 }, false}, "the hold, not stated": {func(s *providers.Standing) { s.Held = 0 }, true},
		"the capture": {func(s *providers.Standing) { s.Captured = 801 }, false}, "the capture, not stated": {func(s *providers.Standing) { s.Captured = 0 }, true},
		"the refund": {func(s *providers.Standing) { s.Refunded = 101 }, false}, "the refund, gone": {func(s *providers.Standing) { s.Refunded = 0 }, false},
	} {
		st := same
		c.change(&st)
		if base.agrees(st) != c.agrees {
			t.Errorf("%s moved: agrees %v", name, !c.agrees)
		}
	}
}

func TestALineOfTheCallBookIsItsAttemptItsKindAndItsRound(t *testing.T) {
	line := Call{Attempt: 1, Kind: CallPay, Round: 2}
	if !line.is(Call{Attempt: 1, Kind: CallPay, Round: 2, Result: "wait", SentAt: noon}) {
		t.Error("an answer makes it no other line")
	}
	for _, other := range []Call{{Attempt: 2, Kind: CallPay, Round: 2}, {Attempt: 1, Kind: CallResume, Round: 2}, {Attempt: 1, Kind: CallPay, Round: 3}} {
		if line.is(other) {
			t.Errorf("%+v is another line", other)
		}
	}
}
