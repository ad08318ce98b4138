package session

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/threeds"
)

func TestWhoMayBeginAnAttempt(t *testing.T) {
	decisions(t, "begin", func(d *table) {
		try := func(name string, make func(*Turn)) {
			turn := turnOf()
			turn.S.EarlierAttempts, turn.S.RefTag = 3, "m-"
			make(turn)
			d.is(name+": may begin", turn, func(t *Turn) (string, error) { return "", t.Attempts().MayBegin() })
			d.is(name+": begins", turn, func(t *Turn) (string, error) {
				a, err := t.Attempts().Begin(NewAttempt{
					Instrument: "saved_card", Saved: "sc_1", Card: card.Masked{Last4: "4242"}, To: card.Masked{Last4: "1111"}, ToFingerprint: "f",
					Browser: threeds.BrowserData{UserAgent: "Lynx"}, BrowserID: "b", IP: "192.0.2.1", Locale: "kk", MerchantInitiated: true,
				})
				if a != t.S.Last() && err == nil {
					d.t.Errorf("%s: begun is %v", name, a)
				}
				return "", err
			})
		}
		try("the first", func(*Turn) {})
		try("no token to be had", func(t *Turn) { t.Token = func() (string, error) { return "", errors.New("no randomness") } })
		for _, state := range states {
			try("after one that is "+string(state), func(t *Turn) { t.S.Attempts = []*Attempt{attemptIn(1, state)} })
		}
		try("beside late money", func(t *Turn) { t.S.Attempts = []*Attempt{attemptIn(1, Paid)}; t.S.Attempts[0].PaidLate = true })
		try("the fifth", func(t *Turn) {
			for n := 1; n <= 4; n++ {
				t.S.Attempts = append(t.S.Attempts, attemptIn(n, Declined))
			}
		})
		try("the sixth", func(t *Turn) {
			for n := 1; n <= 5; n++ {
				t.S.Attempts = append(t.S.Attempts, attemptIn(n, Declined))
			}
		})
		try("of a customer", func(t *Turn) { t.S.Customer.ID = "c" })
		turn := turnOf()
		turn.S.Customer.ID = "c"
		d.is("of a customer, with another's saved card: begins", turn, func(t *Turn) (string, error) {
			_, err := t.Attempts().Begin(NewAttempt{Instrument: "saved_card", GatewayCustomer: "c2", NotKept: true, BeginsSeries: true})
			return "", err
		})
		try("a second before the end", func(t *Turn) { t.S.ExpiresAt = noon.Add(time.Second) })
		try("at the end", func(t *Turn) { t.S.ExpiresAt = noon })
		try("after the end", func(t *Turn) { t.S.ExpiresAt = noon.Add(-time.Second) })
		for _, end := range []ClosedReason{Expired, Cancelled, UsedUp} {
			try("ended as "+string(end), func(t *Turn) { t.S.ClosedReason = end })
		}
	})
}

// A try is the shopper's: what the gateway refuses the account, and what could not even be registered, costs none.
func TestWhichAttemptsCostATry(t *testing.T) {
	decisions(t, "tries", func(d *table) {
		for _, state := range states {
			for name, why := range map[string]*providers.Decline{
				"no reason known": nil, "refused to the account": {Reason: providers.Misconfigured}, "refused to the card": {Reason: providers.Limit},
			} {
				for _, calls := range []int{0, 1} {
					a := attemptIn(1, state)
					if a.Decline, a.Calls = why, nil; calls > 0 {
						a.Calls = []Call{{Attempt: 1, Kind: CallPay, Round: 1}}
					}
					turn := turnOf(a)
					d.is(fmt.Sprintf("%s, %d calls, %s: misconfigured, costs no try, left", state, calls, name), turn, func(t *Turn) (string, error) {
						return fmt.Sprint(a.Misconfigured(), a.BurnsNoTry(), t.S.TriesLeft()), nil
					})
				}
			}
		}
		for _, n := range []struct{ declined, misconfigured int }{{0, 0}, {1, 0}, {4, 0}, {5, 0}, {6, 0}, {0, 5}, {1, 14}, {1, 15}, {1, 16}, {0, 19}, {1, 18}, {0, 20}, {0, 21}} {
			turn := turnOf()
			for i := range n.declined + n.misconfigured {
				a := attemptIn(i+1, Declined)
				if i >= n.declined {
					a.Decline = &providers.Decline{Reason: providers.Misconfigured}
				}
				turn.S.Attempts = append(turn.S.Attempts, a)
			}
			d.is(fmt.Sprintf("%d that cost a try and %d that cost none: left", n.declined, n.misconfigured), turn, func(t *Turn) (string, error) {
				return fmt.Sprint(t.S.TriesLeft()), nil
			})
		}
	})
}

// forwardedNow permits what was taken in the same turn.
func forwardedNow(t *Turn, err error) (string, error) {
	if err != nil {
		return "", err
	}
	_, answer, sent := t.Arrivals().ForwardNow(1)
	return fmt.Sprintf("sent %v %s", sent, answer.Kind), nil
}

func TestWhatHappensBeforeAnythingIsSent(t *testing.T) {
	wire := []TimelineEntry{{Kind: EntryHTTP, Name: "POST /register"}}
	decisions(t, "unsent", func(d *table) {
		for _, state := range []State{New, Calling, Unknown, Failed} {
			for _, lost := range []bool{false, true} {
				turn := turnOf(attemptIn(1, state))
				turn.S.Login = &Login{Customer: "c", Done: true, Sent: 2, Challenge: "x"}
				d.is(fmt.Sprintf("%s: not registered, login lost %v", state, lost), turn, func(t *Turn) (string, error) {
					return "", t.Attempts().NotRegistered(1, &providers.Failure{Code: "17"}, lost, wire)
				})
			}
			d.is(fmt.Sprintf("%s: two numbers ahead", state), turnOf(attemptIn(1, state)), func(t *Turn) (string, error) { return "", t.Attempts().NextReference(1, 2) })
			for _, ours := range []bool{false, true} {
				taken := &providers.AlreadyPaid{Ours: ours, Ref: providers.Ref{Reference: "o-1", OrderID: "g-9"}}
				d.is(fmt.Sprintf("%s: its order has money already, ours %v", state, ours), turnOf(attemptIn(1, state)), func(t *Turn) (string, error) {
					return "", t.Attempts().AlreadyPaid(1, taken, wire)
				})
			}
		}
		for _, known := range []string{"", "g-1"} {
			a := attemptIn(1, New)
			a.Ref = providers.Ref{Reference: "o-1", OrderID: known}
			d.is(fmt.Sprintf("new, its order known as %q: its order has money already, ours", known), turnOf(a), func(t *Turn) (string, error) {
				return "", t.Attempts().AlreadyPaid(1, &providers.AlreadyPaid{Ours: true, Ref: providers.Ref{Reference: "theirs", OrderID: "g-9", More: map[string]string{"k": "v"}}}, wire)
			})
		}
		for name, call := range map[string]func(*Turn) error{
			"not registered": func(t *Turn) error { return t.Attempts().NotRegistered(2, nil, false, nil) },
			"next number":    func(t *Turn) error { return t.Attempts().NextReference(2, 1) },
			"money already":  func(t *Turn) error { return t.Attempts().AlreadyPaid(2, &providers.AlreadyPaid{}, nil) },
		} {
			d.is("an attempt that is not there: "+name, turnOf(), func(t *Turn) (string, error) { return "", call(t) })
		}
	})
}

// The row in the call book is the only permission to send; it is given once, for one step, in one state.
func TestWhenACallIsPermitted(t *testing.T) {
	decisions(t, "permit", func(d *table) {
		ref := &providers.Ref{Reference: "o-1", OrderID: "g-7"}
		for _, state := range states {
			for _, out := range []Outgoing{
				{Kind: CallPay, From: New, Ref: ref, Wire: []TimelineEntry{{Name: "POST /register"}}},
				{Kind: CallResume, From: Shopper, StepN: 1}, {Kind: CallResume, From: Shopper, StepN: 0}, {Kind: CallResume, From: Shopper, StepN: 2},
				{Kind: CallResume, From: Gateway, StepN: 0}, {Kind: CallResume, From: state, StepN: 0},
			} {
				situation := fmt.Sprintf("%s: %s from %s at step %d", state, out.Kind, out.From, out.StepN)
				if !d.names[situation] {
					d.is(situation, turnOf(attemptIn(1, state)), func(t *Turn) (string, error) {
						row, err := t.Attempts().Permit(1, out)
						return fmt.Sprintf("%s %d/%d", row.Kind, row.Attempt, row.Round), err
					})
				}
			}
		}
		for _, other := range states {
			d.is(fmt.Sprintf("new, beside another that is %s: pay", other), turnOf(attemptIn(1, New), attemptIn(2, other)), func(t *Turn) (string, error) {
				_, err := t.Attempts().Permit(1, Outgoing{Kind: CallPay, From: New, Ref: ref})
				return "", err
			})
		}
		withheld := attemptIn(1, New)
		withheld.Withheld = true
		d.is("new, and left: pay", turnOf(withheld), func(t *Turn) (string, error) {
			_, err := t.Attempts().Permit(1, Outgoing{Kind: CallPay, From: New})
			return "", err
		})
		d.is("an attempt that is not there: pay", turnOf(), func(t *Turn) (string, error) {
			_, err := t.Attempts().Permit(1, Outgoing{Kind: CallPay, From: New})
			return "", err
		})
	})
}

func TestWhatAnAnswerOfACallDoes(t *testing.T) {
	decisions(t, "answered", func(d *table) {
		row := Call{Attempt: 1, Kind: CallPay, Round: 1, SentAt: noon.Add(-time.Second)}
		wait := providers.Step{V: providers.StepVersion, Kind: providers.Wait}
		answers := []struct {
			name string
			in   CallAnswer
		}{
			{"wait", CallAnswer{Step: wait}},
			{"an error", CallAnswer{Err: errors.New("cut"), Wire: []TimelineEntry{{Name: "POST /pay"}}}},
			{"an error that proves that nothing was sent", CallAnswer{Err: errors.New("cut"), Untaken: true}},
			{"refused in words", CallAnswer{Err: &providers.Failure{Text: "malformed"}, Refused: true}},
			{"a failure with a code", CallAnswer{Err: &providers.Failure{Code: "96", Text: "system malfunction"}}},
			{"throttled for an hour", CallAnswer{Err: &providers.Failure{Err: &providers.Throttled{Status: 429, Wait: time.Hour}}}},
			{"the login refused", CallAnswer{Err: errors.New("401"), LoginRefused: true}},
			{"the login refused and lost", CallAnswer{Err: errors.New("401"), LoginRefused: true, LoginLost: true}},
			{"declined", CallAnswer{Step: providers.Step{V: providers.StepVersion, Kind: providers.Declined}}},
		}
		earlier := map[string][]Call{
			"its first call":             {row},
			"an earlier call answered":   {{Attempt: 1, Kind: CallResume, Round: 2, AnsweredAt: noon, Result: "wait"}, row},
			"an earlier call unanswered": {{Attempt: 1, Kind: CallResume, Round: 2}, row},
			"an earlier call failed":     {{Attempt: 1, Kind: CallResume, Round: 2, AnsweredAt: noon, Result: "error"}, row},
			"its call forgotten":         {{Attempt: 1, Kind: CallResume, Round: 1, AnsweredAt: noon, Result: "wait"}},
		}
		for _, state := range states {
			for _, before := range []string{"its first call", "an earlier call answered", "an earlier call unanswered", "an earlier call failed", "its call forgotten"} {
				if before != "its first call" && before != "its call forgotten" && state != Calling && state != Unknown {
					continue
				}
				for _, a := range answers {
					one := attemptIn(1, state)
					one.Calls = slices.Clone(earlier[before])
					turn := turnOf(one)
					turn.S.Login = &Login{Customer: "c", Done: true, Sent: 2}
					d.is(fmt.Sprintf("%s, %s: %s", state, before, a.name), turn, func(t *Turn) (string, error) {
						ask, err := t.Attempts().Answered(row, a.in)
						return fmt.Sprintf("ask at once %v", ask), err
					})
				}
			}
		}
		d.is("an attempt that is not there: wait", turnOf(), func(t *Turn) (string, error) {
			ask, err := t.Attempts().Answered(row, answers[0].in)
			return fmt.Sprintf("ask at once %v", ask), err
		})
	})
}

func TestWhatEveryStepDoes(t *testing.T) {
	kinds := []providers.Kind{
		providers.Method, providers.Challenge, providers.PayerPage, providers.Page, providers.Redirect, providers.Scan, providers.AskCard, providers.Wait, providers.Finished,
		providers.Declined, "a kind of a later version",
	}
	full := func(kind providers.Kind) providers.Step {
		step := challenge("c")
		step.Kind, step.Ref = kind, providers.Ref{Reference: "theirs", OrderID: "g-5", More: map[string]string{"k": "v"}}
		return step
	}
	decisions(t, "steps", func(d *table) {
		answer := func(situation string, state State, step providers.Step, make ...func(*Turn, *Attempt)) {
			a := attemptIn(1, state)
			*a.Runs[0] = Run{
				N: 1, Token: "run-1", CompInd: "Y", MethodAt: noon.Add(-1), ShownAt: noon.Add(-2), NotifiedAt: noon.Add(-3), ReturnedAt: noon.Add(-4), Sealed: "s", EmptyReturn: true,
				IDs: threeds.IDs{ThreeDSServerTransID: "old"},
			}
			a.Calls, a.Unclear = []Call{{Attempt: 1, Kind: CallPay, Round: 1}}, true
			turn := turnOf(a)
			for _, m := range make {
				m(turn, a)
			}
			d.is(situation, turn, func(t *Turn) (string, error) {
				ask, err := t.Attempts().Answered(Call{Attempt: 1, Kind: CallPay, Round: 1}, CallAnswer{Step: step})
				return fmt.Sprintf("ask at once %v", ask), err
			})
		}
		for _, state := range []State{Calling, Unknown} {
			for _, kind := range kinds {
				step := full(kind)
				answer(fmt.Sprintf("%s: %s", state, kind), state, step)
				step.V++
				answer(fmt.Sprintf("%s: %s of a later version", state, kind), state, step)
			}
		}
		again := providers.NewStep(providers.Resend, providers.Ref{Reference: "theirs", More: map[string]string{"k": "v"}})
		answered := func(calls int) func(*Turn, *Attempt) {
			return func(_ *Turn, a *Attempt) {
				step := challenge("c")
				step.Kind, step.NewRun = providers.Method, true
				a.Step, a.StepN = &step, 1
				for len(a.Calls) < calls {
					a.Calls = append(a.Calls, Call{Attempt: 1, Kind: CallResume, Round: len(a.Calls) + 1, AnsweredAt: noon, Result: "resend"})
				}
			}
		}
		answer("the same answer otherwise", Calling, again, answered(1))
		answer("the same answer otherwise, the twelfth time", Calling, again, answered(12))
		answer("the same answer otherwise, of no step", Calling, again)
		step := full(providers.Challenge)
		step.NewRun, step.ThreeDS = true, threeds.IDs{ThreeDSServerTransID: "new"}
		answer("a challenge of a new run", Calling, step)
		answer("a challenge after a decline", Calling, full(providers.Challenge), func(_ *Turn, a *Attempt) { a.Decline = &providers.Decline{Reason: providers.Limit} })
		answer("a challenge of a new run, no token to be had", Calling, step, func(t *Turn, _ *Attempt) { t.Token = func() (string, error) { return "", errors.New("none") } })
		step.NewRun = false
		answer("a challenge with ids", Calling, step)
		step.Ref = providers.Ref{OrderID: "g-6"}
		answer("a challenge whose reference is empty", Calling, step)
		step = full(providers.Method)
		answer("a Method", Calling, step)
		step.Forms = nil
		answer("a Method without frames", Calling, step)
		step = full(providers.Challenge)
		step.Forms = nil
		answer("a challenge without forms", Calling, step)
		step = full(providers.Declined)
		step.Decline = &providers.Decline{Reason: providers.Limit}
		answer("declined for a limit", Calling, step)
		answer("wait, long after the last news", Calling, full(providers.Wait), func(_ *Turn, a *Attempt) { a.NewsAt = noon.Add(-time.Hour) })
		for _, wait := range []time.Duration{0, 1, -time.Second, 5 * time.Second, 10*time.Second - 1, 10 * time.Second, 10*time.Second + 1, time.Minute} {
			for _, shown := range []time.Duration{-1, 3 * time.Second} {
				step, a := full(providers.Method), attemptIn(1, Shopper)
				step.Deadline = wait
				if a.Step, a.StepAt = &step, noon.Add(-7*time.Second); shown >= 0 {
					a.Runs[0].MethodAt = noon.Add(-shown)
				}
				d.is(fmt.Sprintf("a Method that may take %s, given 7s ago, shown %s ago: its deadline", wait, shown), turnOf(a), func(t *Turn) (string, error) {
					return a.MethodDeadline().Sub(noon).String(), nil
				})
			}
		}
		for name, change := range map[string]func(*providers.Step){
			"nothing": func(*providers.Step) {}, "kind": func(s *providers.Step) { s.Kind = providers.Page }, "page": func(s *providers.Step) { s.HTML = "x" },
			"link": func(s *providers.Step) { s.Link = "x" }, "a form more": func(s *providers.Step) { s.Forms = append(slices.Clone(s.Forms), threeds.Form{}) },
			"ids":    func(s *providers.Step) { s.ThreeDS.ACSTransID = "x" },
			"action": func(s *providers.Step) { s.Forms = []threeds.Form{{Action: "x", Fields: s.Forms[0].Fields}} },
			"a field less": func(s *providers.Step) {
				s.Forms = []threeds.Form{{Action: s.Forms[0].Action, Fields: s.Forms[0].Fields[:1]}}
			},
			"a field's name": func(s *providers.Step) {
				s.Forms = []threeds.Form{{Action: s.Forms[0].Action, Fields: []threeds.Field{{Name: "CReq", Value: "c"}, s.Forms[0].Fields[1]}}}
			},
			"creq": func(s *providers.Step) {
				s.Forms = []threeds.Form{{Action: s.Forms[0].Action, Fields: []threeds.Field{{Name: "creq", Value: "d"}, s.Forms[0].Fields[1]}}}
			},
			"our session data": func(s *providers.Step) {
				s.Forms = []threeds.Form{{Action: s.Forms[0].Action, Fields: []threeds.Field{s.Forms[0].Fields[0], {Name: "threeDSSessionData", Value: "other"}}}}
			},
		} {
			a, b := challenge("c"), challenge("c")
			change(&b)
			d.is("a step that differs in "+name+": the same", turnOf(), func(*Turn) (string, error) { return fmt.Sprint(sameStep(a, b)), nil })
		}
		for _, name := range []string{"threeDSSessionData", "MD", "TermUrl", "threeDSMethodData", "PaReq", "md"} {
			form := func(v string) providers.Step {
				return providers.Step{Forms: []threeds.Form{{Fields: []threeds.Field{{Name: name, Value: v}}}}}
			}
			d.is("a step that differs in the field "+name+": the same", turnOf(), func(*Turn) (string, error) { return fmt.Sprint(sameStep(form("a"), form("b"))), nil })
		}
	})
}

const (
	serverID = "8a880dc0-d2d2-4067-bcb1-b08d1690b26e"
	acsID    = "d7c1ee99-9478-44a6-b1f2-391e29c6b340"
	otherID  = "11111111-2222-4333-8444-555555555555"
)

func b64(v string) string { return base64.RawURLEncoding.EncodeToString([]byte(v)) }

func cresOf(server, acs string) string {
	return b64(fmt.Sprintf(`{"threeDSServerTransID":%q,"acsTransID":%q,"messageType":"CRes","messageVersion":"2.2.0","transStatus":"Y"}`, server, acs))
}

func erroOf(server, acs string) string {
	return b64(fmt.Sprintf(`{"threeDSServerTransID":%q,"acsTransID":%q,"messageType":"Erro","errorCode":"402","messageVersion":"2.2.0"}`, server, acs))
}

// atBank is an attempt whose shopper is at the bank, in its second run.
func atBank(step providers.Step) *Attempt {
	a := attemptIn(1, Shopper)
	a.Step = &step
	a.Runs = []*Run{{N: 1, Token: "run-0"}, {N: 2, Token: "run-1", IDs: threeds.IDs{ThreeDSServerTransID: serverID, ACSTransID: acsID}}}
	return a
}

func payerPage(fields ...threeds.Field) providers.Step {
	return providers.Step{V: providers.StepVersion, Kind: providers.PayerPage, Forms: []threeds.Form{{Action: "https://bank.example", Fields: fields}}}
}

// paRes is a PaRes as a bank sends it.
func paRes(t *testing.T, tx string) string {
	t.Helper()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	fmt.Fprintf(z, `<ThreeDSecure><Message id="m"><PARes id="p"><version>1.0.2</version><TX>%s</TX></PARes></Message></ThreeDSecure>`, tx)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	v := base64.StdEncoding.EncodeToString(b.Bytes())
	if _, err := threeds.PeekPaRes(v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatABrowserDidIsKeptForTheTimeline(t *testing.T) {
	a := atBank(challenge("c"))
	if err := turnOf(a).Arrivals().Shown(1); err != nil {
		t.Fatal(err)
	}
	method := atBank(providers.Step{Kind: providers.Method, Forms: []threeds.Form{{}}})
	if _, err := turnOf(method).Arrivals().Forward(1, 1); err != nil {
		t.Fatal(err)
	}
	for name, entry := range map[string]TimelineEntry{"shown challenge": a.Trace[0], "method silent": method.Trace[0]} {
		if entry.Kind != EntryBrowser || entry.Name != name || entry.Run != 2 || !entry.At.Equal(noon) {
			t.Errorf("%s is kept as %+v", name, entry)
		}
	}
}

func TestWhichAnswersOfABrowserAreTaken(t *testing.T) {
	ours := payerPage(threeds.Field{Name: "PaReq", Value: "p"}, threeds.Field{Name: "TermUrl", Value: "https://pay.example/3ds/run-1/return"}, threeds.Field{Name: "MD", Value: "threeds:run-1"})
	prescribed := payerPage(threeds.Field{Name: "MD", Value: "md-order"}, threeds.Field{Name: "TermUrl", Value: "https://gate.example/finish"})
	elsewhere := challenge("c")
	elsewhere.Forms[0].Fields = elsewhere.Forms[0].Fields[:1] // its answer goes to the gateway
	good := cresOf(serverID, acsID)
	pares := paRes(t, "<status>Y</status>")
	mixed := payerPage(threeds.Field{Name: "returnUrl", Value: "https://pay.example/back"}, threeds.Field{Name: "threeDSSessionData", Value: "x"}, threeds.Field{Name: "TermUrl", Value: "https://pay.example.evil/"})
	odd := elsewhere
	odd.Forms = []threeds.Form{{Fields: []threeds.Field{{Name: "creq", Value: "c"}, {Name: "TermUrl", Value: "https://pay.example/back"}}}}
	decisions(t, "answers", func(d *table) {
		returned := func(situation string, a *Attempt, token string, in threeds.Reply, make ...func(*Turn, *Attempt)) {
			turn := turnOf(a)
			for _, m := range make {
				m(turn, a)
			}
			if in.Method == "" {
				in.Method = "POST"
			}
			d.is(situation, turn, func(t *Turn) (string, error) {
				got, err := t.Arrivals().Returned(1, token, in, "sealed")
				return fmt.Sprintf("taken %v asked %v", got.Taken, got.Asked), err
			})
			d.is(situation+", forwarded at once", turn, func(t *Turn) (string, error) {
				_, err := t.Arrivals().Returned(1, token, in, `answer:{"kind":"cres","cres":"x"}`)
				return forwardedNow(t, err)
			})
		}
		for name, in := range map[string]threeds.Reply{
			"its CRes": {CRes: good}, "its CRes with ids in capitals": {CRes: cresOf(strings.ToUpper(serverID), strings.ToUpper(acsID))}, "its Erro": {Erro: erroOf(serverID, acsID)},
			"an Erro in the field of the CRes": {CRes: erroOf(serverID, acsID)},
			"another's server id":              {CRes: cresOf(otherID, acsID)}, "another's ACS id": {CRes: cresOf(serverID, otherID)}, "both another's": {CRes: cresOf(otherID, otherID)},
			"another's server id in an Erro": {Erro: erroOf(otherID, acsID)}, "another's ACS id in an Erro": {Erro: erroOf(serverID, otherID)},
			"its CRes beside another's Erro": {CRes: good, Erro: erroOf(otherID, acsID)},
			"a CRes without ids":             {CRes: cresOf("", "")}, "an id that is shorter": {CRes: cresOf(serverID[:35], acsID)},
			"garbage": {CRes: "%%%"}, "an empty object": {CRes: "e30"}, "its CRes with our session data": {CRes: good, SessionData: "threeds:run-1"},
			"its CRes with the data of the run before": {CRes: good, SessionData: "threeds:run-0"}, "its CRes with another's data": {CRes: good, SessionData: "threeds:run-9"},
			"its CRes with another's MD": {CRes: good, MD: "threeds:run-9"}, "its CRes with data sealed for another use": {CRes: good, SessionData: "answer:run-9"},
			"its CRes with data that is not ours": {CRes: good, SessionData: "zzz"}, "nothing": {}, "nothing by GET": {Method: "GET"}, "a PaRes": {PaRes: "eJx"},
			"other fields": {Extra: map[string]string{"a": "b"}}, "other fields by GET": {Method: "GET", Extra: map[string]string{"a": "b"}},
		} {
			returned("at a challenge: "+name, atBank(challenge("c")), "run-1", in)
			returned("at a challenge that answers the gateway: "+name, atBank(elsewhere), "run-1", in)
			returned("at a challenge, at the address of the run before: "+name, atBank(challenge("c")), "run-0", in)
			after := atBank(challenge("c"))
			after.State, after.Runs[1].ReturnedAt, after.Runs[1].Sealed = Unknown, noon.Add(-time.Minute), `answer:{"kind":"cres","cres":"e30"}`
			returned("after an answer: "+name, after, "run-1", in)
			returned("at a challenge that answers the gateway, at the address of the run before: "+name, atBank(elsewhere), "run-0", in)
		}
		for name, in := range map[string]threeds.Reply{
			"a PaRes": {PaRes: "eJx", MD: "threeds:run-1"}, "a PaRes with the MD of the run before": {PaRes: "eJx", MD: "threeds:run-0"}, "a PaRes with another's MD": {PaRes: "eJx", MD: "threeds:run-9"},
			"a PaRes with an MD that is not ours": {PaRes: "eJx", MD: "x"}, "a PaRes without MD": {PaRes: "eJx"}, "a PaRes with the prescribed MD": {PaRes: "eJx", MD: "md-order"},
			"a CRes": {CRes: good}, "nothing by GET": {Method: "GET"}, "nothing": {},
		} {
			returned("at a payer's page of ours: "+name, atBank(ours), "run-1", in)
			returned("at a payer's page with a prescribed MD: "+name, atBank(prescribed), "run-1", in)
			returned("at a payer's page without forms: "+name, atBank(providers.Step{Kind: providers.PayerPage}), "run-1", in)
		}
		for _, kind := range []providers.Kind{providers.Method, providers.Page, providers.Redirect, providers.Scan, providers.AskCard} {
			for name, in := range map[string]threeds.Reply{"nothing by GET": {Method: "GET"}, "nothing": {}, "a CRes": {CRes: good}} {
				returned(fmt.Sprintf("at a %s: %s", kind, name), atBank(providers.Step{Kind: kind}), "run-1", in)
			}
		}
		for _, state := range states {
			a := atBank(challenge("c"))
			a.State = state
			returned(fmt.Sprintf("%s: its CRes", state), a, "run-1", threeds.Reply{CRes: good})
			a = atBank(elsewhere)
			a.State = state
			returned(fmt.Sprintf("%s: nothing by GET", state), a, "run-1", threeds.Reply{Method: "GET"})
		}
		for _, state := range []State{Failed, Declined, Paid, Mismatched, New, Calling} {
			a := atBank(challenge("c"))
			a.State, a.Runs[1].ReturnedAt, a.Runs[1].Sealed = state, noon.Add(-time.Minute), `answer:{"kind":"cres","cres":"x"}`
			returned(fmt.Sprintf("%s after an answer: its CRes", state), a, "run-1", threeds.Reply{CRes: good})
		}
		for name, step := range map[string]providers.Step{"ours": ours, "a prescribed MD": prescribed, "fields of another kind": mixed} {
			returned("at a payer's page, "+name+": a PaRes that can be read", atBank(step), "run-1", threeds.Reply{PaRes: pares})
			returned("at a payer's page, "+name+": what is no PaRes", atBank(step), "run-1", threeds.Reply{PaRes: "eJx"})
		}
		returned("at a challenge with a field of another kind: garbage", atBank(odd), "run-1", threeds.Reply{CRes: "%%%"})
		gone := atBank(elsewhere)
		gone.State, gone.Runs[1].ReturnedAt, gone.Runs[1].Sealed = Unknown, noon.Add(-time.Minute), `answer:{"kind":"cres","cres":"x"}`
		returned("after an answer, at a challenge that answers the gateway: another CRes", gone, "run-1", threeds.Reply{CRes: good})
		returned("at a challenge: another's CRes beside an Erro that names no server", atBank(challenge("c")), "run-1", threeds.Reply{CRes: cresOf(otherID, acsID), Erro: erroOf("", acsID)})
		a := atBank(elsewhere)
		a.Step = nil
		returned("no step: nothing by GET", a, "run-1", threeds.Reply{Method: "GET"})
		a = atBank(elsewhere)
		a.Step = nil
		returned("no step: its CRes", a, "run-1", threeds.Reply{CRes: good, MD: "x"})
		a = atBank(elsewhere)
		a.Runs[1].ReturnedAt = noon.Add(-time.Second)
		returned("came back before: nothing by GET", a, "run-1", threeds.Reply{Method: "GET"})
		unread := atBank(ours)
		unread.Runs[1].IDs = threeds.IDs{}
		returned("a run whose ids are not known: another's id at the address of the run before", unread, "run-0", threeds.Reply{CRes: cresOf(otherID, "")})
		for _, asked := range []time.Duration{-time.Hour, -3 * time.Second, -2 * time.Second, 0} {
			for _, next := range []time.Duration{-time.Second, 0, time.Second, 2 * time.Second, time.Hour, 99 * time.Hour} {
				a := atBank(challenge("c"))
				if a.InquiredAt = noon.Add(asked); next != 99*time.Hour {
					a.NextInquiry = noon.Add(next)
				}
				returned(fmt.Sprintf("asked %s ago, to be asked in %s: nothing by GET", -asked, next), a, "run-1", threeds.Reply{Method: "GET"})
			}
		}
		for i, before := range []string{`answer:{"kind":"cres","cres":"` + good + `"}`, `answer:{"kind":"cres","cres":"x"}`, `answer:{"kind":"pares","cres":"` + good + `"}`, `answer:{"kind":"cres","cres":"` + good + `","pares":"x"}`, "answer:x", "threeds:x"} {
			for _, n := range []int{11, 12} {
				a := atBank(challenge("c"))
				a.State, a.Runs[1].ReturnedAt, a.Runs[1].Sealed = Gateway, noon.Add(-time.Minute), before
				a.Calls = make([]Call, n)
				for i := range a.Calls {
					a.Calls[i] = Call{Attempt: 1, Kind: CallResume, Round: i + 1}
				}
				returned(fmt.Sprintf("after %s, %d calls: its CRes",
					[]string{"the same answer", "another answer", "an answer of another kind", "an answer with a PaRes beside it", "what cannot be read", "what another use sealed"}[i], n), a, "run-1", threeds.Reply{CRes: good})
			}
		}
	})
}

func TestWhatABrowserBringsAndWhatGoesToTheGateway(t *testing.T) {
	method := providers.Step{V: providers.StepVersion, Kind: providers.Method, Forms: []threeds.Form{{Fields: []threeds.Field{{Name: "threeDSMethodData", Value: "x"}}}}}
	frame := providers.Step{V: providers.StepVersion, Kind: providers.Method, Forms: []threeds.Form{{Fields: []threeds.Field{{Name: "theirs", Value: "x"}}}}}
	none := providers.Step{V: providers.StepVersion, Kind: providers.Method}
	said := func(id string) string { return b64(fmt.Sprintf(`{"threeDSServerTransID":%q}`, id)) }
	decisions(t, "browser", func(d *table) {
		for name, c := range map[string]struct {
			token, data string
			change      func(*Attempt)
		}{
			"its run, its id": {"run-1", said(serverID), nil}, "its run, its id in capitals": {"run-1", said(strings.ToUpper(serverID)), nil}, "its run, another's id": {"run-1", said(otherID), nil}, "its run, garbage": {"run-1", "%%%", nil},
			"the run before, its id": {"run-0", said(serverID), nil}, "the run before, another's id": {"run-0", said(otherID), nil}, "the run before, garbage": {"run-0", "%%%", nil},
			"the run before, no id known":     {"run-0", said(serverID), func(a *Attempt) { a.Run().IDs = threeds.IDs{} }},
			"its run, no id known":            {"run-1", said(serverID), func(a *Attempt) { a.Run().IDs = threeds.IDs{} }},
			"its run, at a challenge":         {"run-1", said(serverID), func(a *Attempt) { s := challenge("c"); a.Step = &s }},
			"its run, no step":                {"run-1", said(serverID), func(a *Attempt) { a.Step = nil }},
			"its run, notified before":        {"run-1", said(serverID), func(a *Attempt) { a.Run().NotifiedAt = noon }},
			"its run, given up":               {"run-1", said(serverID), func(a *Attempt) { a.Run().CompInd = "N" }},
			"its run, the gateway has it":     {"run-1", said(serverID), func(a *Attempt) { a.State = Calling }},
			"its run, and nothing but a mark": {"run-1", "", nil},
		} {
			a := atBank(method)
			if c.change != nil {
				c.change(a)
			}
			d.is("a notification: "+name, turnOf(a), func(t *Turn) (string, error) {
				got, err := t.Arrivals().Notified(1, c.token, threeds.Reply{MethodData: c.data})
				return fmt.Sprintf("taken %v", got.Taken), err
			})
			d.is("a notification: "+name+", forwarded at once", turnOf(a), func(t *Turn) (string, error) {
				_, err := t.Arrivals().Notified(1, c.token, threeds.Reply{MethodData: c.data})
				return forwardedNow(t, err)
			})
		}
		for name, c := range map[string]struct {
			step   providers.Step
			stepN  int
			change func(*Attempt)
		}{
			"an answer": {challenge("c"), 1, nil}, "an answer of another step": {challenge("c"), 2, nil}, "a later answer": {challenge("c"), 1, func(a *Attempt) { a.Run().LaterAnswer, a.Run().UnreadableAnswer = true, true }},
			"a notified Method": {method, 1, func(a *Attempt) { a.Run().CompInd = "Y" }}, "a Method, its time over": {method, 1, nil}, "a Method of the gateway's own frame, its time over": {frame, 1, nil},
			"a Method, its time not over":               {method, 1, func(a *Attempt) { a.Run().MethodAt = noon.Add(-10*time.Second - 499*time.Millisecond) }},
			"a Method, its time as long as it may be":   {method, 1, func(a *Attempt) { a.Run().MethodAt = noon }},
			"a Method, shown in a time that is to come": {method, 1, func(a *Attempt) { a.Run().MethodAt = noon.Add(1) }},
			"a Method, its time over just now":          {method, 1, func(a *Attempt) { a.Run().MethodAt = noon.Add(-10*time.Second - 500*time.Millisecond) }},
			"a Method without frames":                   {none, 1, func(a *Attempt) { a.State = Gateway; a.Run().CompInd = "U" }}, "a Method without frames, no mark": {none, 1, func(a *Attempt) { a.State = Gateway }},
			"a Method without frames, while the call is out": {none, 1, func(a *Attempt) { a.State = Calling; a.Run().CompInd = "U" }},
			"a Method with the gateway":                      {method, 1, func(a *Attempt) { a.State = Gateway }},
			"a challenge with the gateway":                   {challenge("c"), 1, func(a *Attempt) { a.State = Gateway }}, "no step": {challenge("c"), 1, func(a *Attempt) { a.Step = nil }},
			"while the call is out": {challenge("c"), 1, func(a *Attempt) { a.State = Calling }},
		} {
			a := atBank(c.step)
			if c.change != nil {
				c.change(a)
			}
			d.is("to be forwarded: "+name, turnOf(a), func(t *Turn) (string, error) {
				ready, err := t.Arrivals().Forward(1, c.stepN)
				return fmt.Sprintf("ready %v", ready), err
			})
		}
		d.is("to be forwarded: an attempt that is not there", turnOf(), func(t *Turn) (string, error) { _, err := t.Arrivals().Forward(1, 1); return "", err })
		for name, c := range map[string]struct {
			step   providers.Step
			sealed string
		}{
			"a Method": {method, `answer:{"kind":"cres"}`}, "silence": {challenge("c"), ""}, "an answer": {challenge("c"), `answer:{"kind":"cres","cres":"c","pares":"p","md":"m","fields":{"a":"b"}}`},
			"what another use sealed": {challenge("c"), "threeds:run-1"}, "what cannot be read": {challenge("c"), "answer:x"},
		} {
			a := atBank(c.step)
			a.Run().Sealed, a.Run().CompInd, a.Browser.UserAgent = c.sealed, "Y", "Lynx"
			d.is("goes to the gateway: "+name, turnOf(a), func(t *Turn) (string, error) {
				got, err := t.Arrivals().ToForward(a)
				return fmt.Sprintf("%s %s %s %s %s %v %s", got.Kind, got.CompInd, got.CRes, got.PaRes, got.MD, got.Fields, got.Browser.UserAgent), err
			})
		}
		for name, c := range map[string]struct {
			step   providers.Step
			stepN  int
			change func(*Attempt)
		}{
			"a challenge": {challenge("c"), 1, nil}, "a challenge again": {challenge("c"), 1, func(a *Attempt) { a.Run().ShownAt = noon }}, "a challenge after its Method": {challenge("c"), 1, func(a *Attempt) { a.Run().MethodAt = noon }},
			"a Method": {method, 1, nil}, "a Method again": {method, 1, func(a *Attempt) { a.Run().MethodAt = noon }}, "a Method that was notified": {method, 1, func(a *Attempt) { a.Run().NotifiedAt = noon }},
			"another step": {challenge("c"), 2, nil}, "no step": {challenge("c"), 1, func(a *Attempt) { a.Step = nil }}, "nobody at the bank": {challenge("c"), 1, func(a *Attempt) { a.State = Gateway }}, "nobody": {challenge("c"), 1, func(a *Attempt) { a.State = Failed }},
		} {
			a := atBank(c.step)
			if c.change != nil {
				c.change(a)
			}
			d.is("shown: "+name, turnOf(a), func(t *Turn) (string, error) { return "", t.Arrivals().Shown(c.stepN) })
		}
		for _, state := range states {
			for _, kind := range []providers.Kind{providers.AskCard, providers.Challenge} {
				a := atBank(providers.Step{Kind: kind})
				a.State = state
				d.is(fmt.Sprintf("%s, %s: needs its card again", state, kind), turnOf(a), func(t *Turn) (string, error) { return fmt.Sprint(t.S.NeedsCardAgain() == a), nil })
			}
		}
		a := atBank(challenge("c"))
		a.Step = nil
		d.is("shopper, no step: needs its card again", turnOf(a), func(t *Turn) (string, error) { return fmt.Sprint(t.S.NeedsCardAgain() == a), nil })
		d.is("nothing: needs its card again", turnOf(), func(t *Turn) (string, error) { return fmt.Sprint(t.S.NeedsCardAgain() != nil), nil })
		for name, in := range map[string]threeds.Reply{
			"a CRes": {CRes: "c", Erro: "e", PaRes: "p", MD: "m", Method: "POST"}, "an Erro": {Erro: "e", PaRes: "p"}, "a PaRes": {PaRes: "p", MD: "m", Extra: map[string]string{"a": "b"}},
			"a post": {Method: "POST"}, "fields": {Method: "GET", Extra: map[string]string{"a": "b"}}, "nothing": {Method: "GET", MD: "m"},
		} {
			d.is("read as an answer: "+name, turnOf(), func(*Turn) (string, error) { raw, err := json.Marshal(ReadAnswer(in)); return string(raw), err })
		}
		for _, pair := range [][2]string{{"abc", "ABC"}, {"ab", "ac"}, {"ab", "bb"}, {"a-1", "A-1"}, {"a1", "a2"}, {"ab", "abc"}, {"a@", "a`"}, {"a-", "a\r"}, {"zZ", "Zz"}, {"[", "{"}, {"", ""}} {
			d.is(fmt.Sprintf("the ids %q and %q: the same", pair[0], pair[1]), turnOf(), func(*Turn) (string, error) { return fmt.Sprint(sameID(pair[0], pair[1])), nil })
		}
	})
}

// That one call was not sent says nothing of the calls before it, whose requests may have arrived: the gateway is asked.
func TestACallThatWasNotSentDisprovesNoEarlierOne(t *testing.T) {
	for name, earlier := range map[string]Call{
		"without an answer": {Attempt: 1, Kind: CallPay, Round: 1}, "that broke": {Attempt: 1, Kind: CallPay, Round: 1, AnsweredAt: noon, Result: resultError},
	} {
		row := Call{Attempt: 1, Kind: CallResume, Round: 2}
		a := attemptIn(1, Calling)
		a.Calls = []Call{earlier, row}
		turn := turnOf(a)
		ask, err := turn.Attempts().Answered(row, CallAnswer{Err: errors.New("not sent"), Untaken: true})
		if err != nil || a.State != Unknown || !ask || turn.Attempts().MayBegin() == nil {
			t.Errorf("after a call %s the attempt is %s, asked at once %v, %v", name, a.State, ask, err)
		}
	}
}

func TestAnInquiryRemembersWhatItSaw(t *testing.T) {
	a := attemptIn(1, Shopper)
	if got := a.Seen(); got != (Seen{State: Shopper, StepN: 1}) {
		t.Errorf("it saw %+v", got)
	}
}

// Money that is not of our payment stands under the number of an attempt that is held: no answer of a shopper's goes there,
// and no step is shown, but the gateway is asked again.
func TestAMismatchedAttemptIsInquiredAboutAndGivenNoStep(t *testing.T) {
	next, method := challenge("another"), providers.Step{V: providers.StepVersion, Kind: providers.Method}
	for _, step := range []*providers.Step{nil, &next, &method} {
		for _, result := range []string{"wait", resultError} {
			a := attemptIn(1, Mismatched)
			same := challenge("c")
			a.Step, a.StepN, a.Calls[0].Result = &same, 1, result
			turn := turnOf(a)
			st := standing(1, providers.Waiting)
			st.Next = step
			_, err := inquired(1, st)(turn)
			if err != nil || a.State != Mismatched || a.StepN != 1 || len(turn.Change.Jobs) != 1 || turn.Change.Jobs[0].Kind != JobInquire {
				t.Errorf("its call %s, the gateway waits for %v: %s, step %d, %+v, %v", result, step, a.State, a.StepN, turn.Change.Jobs, err)
			}
		}
	}
}

// A clock that has gone back by an hour makes nobody wait for that hour.
func TestAClockThatGoesBackPutsNothingOff(t *testing.T) {
	for name, wait := range map[string]time.Duration{
		"shopper": shopperAfter(-time.Hour), "slow": nextOf(slowSchedule, hourly, -time.Hour),
	} {
		if wait > time.Minute {
			t.Errorf("%s: asked in %s", name, wait)
		}
	}
	if wait, _ := recheckAfter(-time.Hour); wait != recheckSchedule[0] {
		t.Errorf("after an end: asked in %s", wait)
	}
	a := attemptIn(1, Gateway)
	a.CalledBackAt, a.InquiredAt = noon.Add(time.Hour), noon.Add(time.Hour)
	turn := turnOf(a)
	must(t, turn.Arrivals().CalledBack(1, ""))
	if !turn.Arrivals().inquireSoon(a) || a.NextInquiry.After(noon.Add(fastFirst)) {
		t.Errorf("a visitor asks at %s", a.NextInquiry)
	}
	for _, j := range turn.Change.Jobs {
		if j.RunAt.After(noon.Add(fastFirst)) {
			t.Errorf("%s runs at %s", j.Kind, j.RunAt)
		}
	}
	a.NotFoundSince = noon.Add(time.Hour)
	must(t, turn.Inquired(1, InquiryAnswer{Seen: a.Seen(), Standing: standing(1, providers.NotFound)}))
	if a.NotFoundSince.After(noon) {
		t.Errorf("not found since %s", a.NotFoundSince)
	}
}

// A database that was lost has no call of an attempt that the gateway knows: where the gateway waits at a bank's page, or names a
// card, a call was sent all the same.
func TestAnOrderWithACardIsNotOutlivedAlthoughNoCallIsInTheBook(t *testing.T) {
	a := attemptIn(1, Unknown)
	a.Calls = nil
	plain := standing(1, providers.Waiting)
	atBank, withCard := plain, plain
	atBank.AwaitsPage, withCard.Card.Last4 = true, "0704"
	for want, list := range map[bool][]providers.Standing{true: {plain}, false: {atBank, withCard}} {
		for _, st := range list {
			if got := turnOf(a).Outlived(a, st); got != want {
				t.Errorf("%+v: outlived %t", st, got)
			}
		}
	}
}
