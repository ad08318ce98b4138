package session

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestEveryStateAndTriggerIsDecided(t *testing.T) {
	for _, s := range states {
		if _, ok := transitions[s]; !ok {
			t.Errorf("state %s is not in the table", s)
		}
		for _, tr := range triggers {
			to, err := next(s, tr)
			want, allowed := transitions[s][tr]
			var refused *NotAllowed
			switch {
			case allowed && (err != nil || to != want):
				t.Errorf("%s on %s leads to %s, %v", s, tr, to, err)
			case !allowed && (!errors.As(err, &refused) || to != s):
				t.Errorf("%s on %s is not in the table and must be refused, got %s, %v", s, tr, to, err)
			}
		}
	}
	for s, row := range transitions {
		for tr, to := range row {
			if transitions[to] == nil {
				t.Errorf("%s on %s leads to %s, which is no state", s, tr, to)
			}
		}
	}
}

func TestAnApprovalIsAppliedInEveryStateButNew(t *testing.T) {
	for _, s := range states {
		_, pays := transitions[s][Pay]
		if want := s != New && s != Paid; pays != want {
			t.Errorf("state %s: pay allowed %v, want %v", s, pays, want)
		}
	}
}

// Only where it was a person's word that it is paid.
func TestPaidIsFinalUnlessTheGatewayContradictsAPersonsWord(t *testing.T) {
	if to := transitions[Paid][Contradict]; to != Failed || len(transitions[Paid]) != 1 {
		t.Errorf("paid can be left: %v", transitions[Paid])
	}
}

func TestFinalStatesAreLeftOnlyForMoneyThatWasTaken(t *testing.T) {
	for _, s := range states {
		if s.Live() {
			continue
		}
		for tr := range transitions[s] {
			if tr != Pay && tr != Authorize && tr != SettlePaid && tr != Contradict {
				t.Errorf("%s can be left by %s", s, tr)
			}
		}
	}
}

// A call that can move money goes out only with a new permission: no other trigger leads to calling.
func TestOnlyAPermissionLeadsToCalling(t *testing.T) {
	for _, tr := range Transitions() {
		if tr.To == Calling && tr.Trigger != Send {
			t.Errorf("%s leads from %s to calling", tr.Trigger, tr.From)
		}
	}
}

// Doubt never ends an attempt by itself.
func TestAnAttemptOfUnknownOutcomeStaysLive(t *testing.T) {
	for _, tr := range Transitions() {
		if (tr.Trigger == Overdue || tr.Trigger == Work || tr.Trigger == Mismatch) && !tr.To.Live() {
			t.Errorf("%s on %s ends the attempt", tr.From, tr.Trigger)
		}
	}
}

func TestTheDiagramIsTheTable(t *testing.T) {
	doc, err := os.ReadFile("../docs/transitions.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	if err := WriteDocs(&want); err != nil {
		t.Fatal(err)
	}
	if string(doc) != want.String() {
		t.Error("docs/transitions.md is not what go generate would write")
	}
	for _, tr := range Transitions() {
		if line := fmt.Sprintf("%s --> %s: %s", tr.From, tr.To, tr.Trigger); !strings.Contains(string(doc), line) {
			t.Errorf("the diagram lacks %q", line)
		}
	}
}

func TestTheInquiryScheduleIsFastForFiveMinutesAndEndsAfterSevenDays(t *testing.T) {
	var at time.Duration
	longest := time.Duration(0)
	for {
		wait, more := inquiryAfter(at, false)
		if !more {
			break
		}
		if at < 5*time.Minute && (wait < 3*time.Second || wait > 5*time.Second) {
			t.Fatalf("after %s the wait is %s", at, wait)
		}
		if wait < longest && at > 5*time.Minute {
			t.Fatalf("the waits get shorter again after %s", at)
		}
		longest = max(longest, wait)
		at += wait
	}
	if at < 7*24*time.Hour || at > 7*24*time.Hour+2*time.Hour {
		t.Errorf("the schedule ends after %s", at)
	}
	if longest != time.Hour {
		t.Errorf("the longest wait is %s", longest)
	}
}

func TestAGatewayThatDoesNotKnowLeavesTheFastLoop(t *testing.T) {
	if wait, more := inquiryAfter(0, true); !more || wait < time.Minute {
		t.Errorf("wait %s, %v", wait, more)
	}
}

// What the documents promise of time: a shopper's wait after the press, and at the bank.
func TestTheDeadlinesAreAsDocumented(t *testing.T) {
	if SubmitWait != 2*time.Second || ChallengeWait != 15*time.Minute {
		t.Error(SubmitWait, ChallengeWait)
	}
	if wait, more := recheckAfter(48 * time.Hour); wait != 0 || more {
		t.Errorf("two days after its end an attempt is looked at in %s, %v", wait, more)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestAnErrorOfWritingTheDiagramIsReturned(t *testing.T) {
	if err := WriteDocs(full{}); err == nil {
		t.Error("nobody is told")
	}
}

// Most payments that a gateway is working on are decided a moment later: nobody waits three seconds to be told.
func TestAGatewayThatIsWorkingIsFirstAskedAMomentAfterTheCall(t *testing.T) {
	for since, want := range map[time.Duration]time.Duration{
		0: firstLook, 100 * time.Millisecond: firstLook - 100*time.Millisecond, firstLook: fastFirst, 20 * time.Second: fastFirst, time.Minute: fastLater,
	} {
		now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
		a := &Attempt{N: 1, State: Gateway, UpdatedAt: now.Add(-since), CreatedAt: now.Add(-time.Hour)}
		turn := &Turn{S: &Session{ID: "s", Attempts: []*Attempt{a}}, Now: now}
		if err := (verdict{turn}).inquireLater(a); err != nil {
			t.Fatal(err)
		}
		if jobs := turn.Change.Jobs; len(jobs) != 1 || jobs[0].RunAt.Sub(now) != want {
			t.Errorf("%s after the news: %+v, want in %s", since, jobs, want)
		}
	}
}
