// Package storetest says how a flow.Store, wallet.Customers, invoice.Store and jobs.Queue must behave, whatever is underneath.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tollgate/internal/invoice"
	"tollgate/internal/money"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"

	"tollgate/internal/jobs"
)

// Store is what the suite needs of a store.
type Store interface {
	flow.Store
	wallet.Customers
	invoice.Store
	jobs.Queue
	// Reopen closes the store and opens it again on the same data.
	Reopen(t *testing.T) Store
}

// Run runs the suite. open gives an empty store and closes it when the test ends.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for name, test := range map[string]func(*testing.T, Store){
		"every field comes back":                                           everyFieldComesBack,
		"times are kept to the microsecond":                                timesToTheMicrosecond,
		"large and odd texts come back byte for byte":                      largeAndOddTexts,
		"what is not there is not found":                                   notFound,
		"a save of an old version is a conflict":                           compareAndSwap,
		"versions are read of many sessions at once":                       versions,
		"of two saves at once one wins":                                    oneOfTwoWins,
		"a session that exists is not created again":                       createdOnce,
		"a session has one live attempt":                                   oneLiveAttempt,
		"the live attempt may give way in one save":                        liveGivesWay,
		"a call is permitted once":                                         callOnce,
		"calls come back in the order of their permission":                 callsInOrder,
		"an answer belongs to a call in the book":                          answerNeedsACall,
		"an order id belongs to one session":                               orderTaken,
		"an order id belongs to an account":                                orderPerAccount,
		"an order id belongs to a merchant":                                orderPerMerchant,
		"an order that was paid late is its merchant's alone":              disputePerMerchant,
		"of creates at once with one order id one wins":                    orderRace,
		"an order id is free when its session ended unpaid":                orderReleased,
		"a late approval is saved though the order id is taken":            lateApproval,
		"references are counted on from earlier sessions":                  referenceBase,
		"a reference is an account's only once":                            referenceOnce,
		"attempts are counted for each merchant":                           referencePerMerchant,
		"references that are taken are passed over":                        referenceTaken,
		"runs are found by their token":                                    findRun,
		"a run's token never leads elsewhere":                              runTokenStays,
		"events are numbered without gap under writers at once":            eventsWithoutGap,
		"an event number is taken once":                                    eventOnce,
		"events of no session are numbered, and told once in a quiet time": accountEvents,
		"a failed save leaves nothing":                                     failedSaveLeavesNothing,
		"a job of the same kind and key replaces the waiting one":          jobReplaced,
		"a job enqueued while its like is done waits beside it":            jobBeside,
		"a change drops a waiting job":                                     jobDropped,
		"due jobs are claimed oldest first":                                oldestFirst,
		"a job is leased to one worker":                                    leasedToOne,
		"workers claiming at once share the jobs":                          claimAtOnce,
		"an extended lease holds, another's lapses":                        extend,
		"only the holder of the lease can settle a job":                    fence,
		"a replaced job is not settled by who held its forerunner":         fenceOfForerunner,
		"a job given back counts its attempts":                             retryCounts,
		"a job given back yields to a newer one":                           retryYields,
		"freeing all ends every lease":                                     freeAll,
		"lists are filtered":                                               listFilters,
		"what a person has to look at is listed":                           listReviews,
		"lists are paged, newest first":                                    listPages,
		"a customer has one credential, the newest":                        newestCredential,
		"a credential ends with its time":                                  credentialEnds,
		"a credential is dropped if it is still that one":                  credentialDropped,
		"a saved card is one customer's and keeps its id":                  savedCards,
		"a card is imported by one customer, and refreshed in its turn":    importedCards,
		"a gateway's card has an id of each merchant's own":                savedCardPerMerchant,
		"a cancelled context changes nothing":                              cancelled,
		"an invoice comes back whole":                                      invoiceComesBack,
		"an invoice's reference is an account's only once":                 invoiceOnce,
		"an invoice is saved with its events and its inquiry":              invoiceTells,
		"an invoice is saved by compare-and-swap":                          invoiceSwap,
		"invoices are filtered and paged, newest first":                    invoiceLists,
		"a card order is written once":                                     cardOrderOnce,
		"a card order without a card can be forgotten":                     cardOrderDropped,
		"a card ordered before an account was shared is found":             cardOrderBeforeSharing,
		"a customer is met by the merchant they logged in with":            customerMet,
		"a reopened store has everything":                                  reopened,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// noon is when the tests happen.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// asStored compares sessions; no attempt and an empty list of them are the same.
var asStored = cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(session.Session{}, "Newer")}

func newSession(id string) *session.Session {
	return &session.Session{
		ID: id, Merchant: "shop", Account: "acc", Kind: "payment", OrderID: "order-" + id,
		Amount:    money.Amount{Minor: 12345, Currency: money.Currency{Code: "KZT", Numeric: "398", Digits: 2}},
		CreatedAt: noon, ExpiresAt: noon.Add(30 * time.Minute),
	}
}

func newAttempt(s *session.Session, state session.State) *session.Attempt {
	n := len(s.Attempts) + 1
	a := &session.Attempt{
		N: n, State: state, Ref: providers.Ref{Reference: s.Reference(n)},
		CreatedAt: noon, UpdatedAt: noon,
	}
	s.Attempts = append(s.Attempts, a)
	return a
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("error %v, want %v", got, want)
	}
}

func create(t *testing.T, st Store, s *session.Session) *session.Session {
	t.Helper()
	must(t, st.Create(t.Context(), s, session.Change{}))
	return s
}

func save(t *testing.T, st Store, s *session.Session) {
	t.Helper()
	must(t, st.Save(t.Context(), s, session.Change{}))
}

func load(t *testing.T, st Store, id string) *session.Session {
	t.Helper()
	s, err := st.Load(t.Context(), id)
	must(t, err)
	return s
}

func claim(t *testing.T, st Store, worker string, now time.Time, n int) []jobs.Job {
	t.Helper()
	js, err := st.Claim(t.Context(), worker, now, 10*time.Second, n)
	must(t, err)
	return js
}

// everyFieldComesBack fills whatever fields the types have, so that a field nobody stores is found here.
func everyFieldComesBack(t *testing.T, st Store) {
	s := new(session.Session)
	fill(t, s)
	s.Version, s.EarlierAttempts, s.Attempts = 0, 0, nil
	create(t, st, s)
	a := new(session.Attempt)
	fill(t, a)
	a.State = session.Unknown
	s.Attempts = []*session.Attempt{a}
	for i := range a.Calls {
		a.Calls[i].Attempt = a.N
	}
	must(t, st.Save(t.Context(), s, session.Change{Calls: a.Calls}))
	if diff := cmp.Diff(s, load(t, st, s.ID), asStored); diff != "" {
		t.Error(diff)
	}

	e := new(session.Event)
	fill(t, e)
	must(t, st.Save(t.Context(), s, session.Change{Events: []session.Event{*e}}))
	events, err := st.Events(t.Context(), s.ID, 0, 10)
	must(t, err)
	if diff := cmp.Diff([]session.Event{*e}, events); diff != "" {
		t.Error(diff)
	}

	j := new(jobs.Job)
	fill(t, j)
	must(t, st.Enqueue(t.Context(), *j))
	got := claim(t, st, "w", j.RunAt, 1)
	if len(got) != 1 || got[0].ID == 0 {
		t.Fatalf("claimed %+v", got)
	}
	j.ID, j.Worker, j.Attempt, j.History = got[0].ID, "w", 1, got[0].History
	if diff := cmp.Diff(*j, got[0]); diff != "" {
		t.Error(diff)
	}
}

func timesToTheMicrosecond(t *testing.T, st Store) {
	at := time.Date(2026, 12, 31, 23, 59, 59, 999_999_000, time.FixedZone("", 5*3600))
	s := newSession("a")
	s.CreatedAt, s.ExpiresAt = at, at.Add(time.Microsecond)
	a := newAttempt(s, session.Calling)
	call := session.Call{Attempt: a.N, Kind: "pay", Round: 1, SentAt: at}
	must(t, st.Create(t.Context(), s, session.Change{
		Calls:  []session.Call{call},
		Events: []session.Event{{N: 1, Type: "x", At: at}},
		Jobs:   []session.Job{{Kind: "k", Key: "a", RunAt: at}},
	}))
	got := load(t, st, "a")
	if !got.CreatedAt.Equal(at) || !got.ExpiresAt.Equal(at.Add(time.Microsecond)) || !got.Attempts[0].Calls[0].SentAt.Equal(at) {
		t.Errorf("got %v, %v, %v", got.CreatedAt, got.ExpiresAt, got.Attempts[0].Calls[0].SentAt)
	}
	if !got.Attempts[0].Calls[0].AnsweredAt.IsZero() {
		t.Errorf("a call without answer was answered at %v", got.Attempts[0].Calls[0].AnsweredAt)
	}
	events, err := st.Events(t.Context(), "a", 0, 1)
	must(t, err)
	if !events[0].At.Equal(at) || events[0].At.Location() != time.UTC {
		t.Errorf("event at %v", events[0].At)
	}
	if js := claim(t, st, "w", at.Add(-time.Microsecond), 1); len(js) != 0 {
		t.Error("claimed a microsecond early")
	}
	if js := claim(t, st, "w", at, 1); len(js) != 1 || !js[0].RunAt.Equal(at) {
		t.Errorf("claimed %+v", js)
	}
}

func largeAndOddTexts(t *testing.T, st Store) {
	s := create(t, st, newSession("a"))
	odd := "Қазақ тілі, ≠ \u0000 \u2028 <b>&amp;</b> \"'\\ 🏦 %s $1 ?"
	s.Description = odd
	s.Metadata = map[string]string{odd: odd, "": ""}
	a := newAttempt(s, session.Shopper)
	a.Step = &providers.Step{V: 1, Kind: providers.Page, HTML: strings.Repeat("<p>Төлем</p>", 300<<10/16),
		Info: strings.Repeat("eJx+/=", 64<<10/6)}
	data := json.RawMessage(`{"b": 1.50,  "a": "ё"}`) // as it came: spaces, order, digits
	must(t, st.Save(t.Context(), s, session.Change{
		Events: []session.Event{{N: 1, Type: "x", At: noon, Data: data}},
		Jobs:   []session.Job{{Kind: "k", Key: "қ", Payload: data, RunAt: noon}},
	}))
	if diff := cmp.Diff(s, load(t, st, "a"), asStored); diff != "" {
		t.Error(diff)
	}
	events, err := st.Events(t.Context(), "a", 0, 1)
	must(t, err)
	if string(events[0].Data) != string(data) {
		t.Errorf("event data %s", events[0].Data)
	}
	if js := claim(t, st, "w", noon, 1); string(js[0].Payload) != string(data) || js[0].Key != "қ" {
		t.Errorf("job %+v", js[0])
	}
}

func notFound(t *testing.T, st Store) {
	_, err := st.Load(t.Context(), "nobody")
	wantErr(t, err, session.ErrNotFound)
	_, _, err = st.FindRun(t.Context(), "nothing")
	wantErr(t, err, session.ErrNotFound)
	_, _, err = st.FindReference(t.Context(), "acc", "nothing")
	wantErr(t, err, session.ErrNotFound)
	if events, err := st.Events(t.Context(), "nobody", 0, 10); err != nil || len(events) != 0 {
		t.Errorf("events of nobody: %v, %v", events, err)
	}
	if list, err := st.List(t.Context(), session.Filter{Merchant: "nobody"}); err != nil || len(list) != 0 {
		t.Errorf("sessions of nobody: %v, %v", list, err)
	}
	wantErr(t, st.Save(t.Context(), newSession("never-created"), session.Change{}), session.ErrConflict)
}

func versions(t *testing.T, st Store) {
	var ids []string
	for i := range 450 {
		s := newSession(fmt.Sprint("v", i))
		if err := st.Create(t.Context(), s, session.Change{}); err != nil {
			t.Fatal(err)
		}
		if ids = append(ids, s.ID, "none"+s.ID); i == 7 {
			if err := st.Save(t.Context(), s, session.Change{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	found, err := st.Versions(t.Context(), ids)
	if err != nil || len(found) != 450 || found[ids[0]] != 1 || found[ids[14]] != 2 {
		t.Errorf("%d versions, %d, %d, %v", len(found), found[ids[0]], found[ids[14]], err)
	}
	if none, err := st.Versions(t.Context(), nil); err != nil || len(none) != 0 {
		t.Error(none, err)
	}
}

func compareAndSwap(t *testing.T, st Store) {
	create(t, st, newSession("a"))
	mine, theirs := load(t, st, "a"), load(t, st, "a")
	mine.Description = "mine"
	save(t, st, mine)
	theirs.Description = "theirs"
	before := theirs.Version
	wantErr(t, st.Save(t.Context(), theirs, session.Change{}), session.ErrConflict)
	if theirs.Version != before {
		t.Errorf("a failed save moved the version to %d", theirs.Version)
	}
	save(t, st, mine) // the version it was given is the stored one
	if got := load(t, st, "a"); got.Description != "mine" || got.Version != mine.Version {
		t.Errorf("stored %q, version %d; want version %d", got.Description, got.Version, mine.Version)
	}
}

func oneOfTwoWins(t *testing.T, st Store) {
	create(t, st, newSession("a"))
	for round := range 20 {
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 2 {
			s := load(t, st, "a")
			s.LastEvent = round + 1
			wg.Go(func() {
				switch err := st.Save(t.Context(), s, session.Change{Events: []session.Event{{N: round + 1, Type: "x", At: noon}}}); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, session.ErrConflict):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d of two saves won", won.Load())
		}
	}
}

func createdOnce(t *testing.T, st Store) {
	create(t, st, newSession("a"))
	again := newSession("a")
	again.OrderID = "another"
	wantErr(t, st.Create(t.Context(), again, session.Change{}), session.ErrConflict)
	if got := load(t, st, "a"); got.OrderID != "order-a" {
		t.Errorf("order id became %s", got.OrderID)
	}
	if again.Version != 0 {
		t.Errorf("version became %d", again.Version)
	}
}

func oneLiveAttempt(t *testing.T, st Store) {
	s := create(t, st, newSession("a"))
	newAttempt(s, session.Unknown)
	save(t, st, s)
	newAttempt(s, session.New)
	wantErr(t, st.Save(t.Context(), s, session.Change{}), session.ErrConflict)
	if got := load(t, st, "a"); len(got.Attempts) != 1 {
		t.Errorf("%d attempts are stored", len(got.Attempts))
	}
}

func liveGivesWay(t *testing.T, st Store) {
	s := create(t, st, newSession("a"))
	newAttempt(s, session.Declined)
	newAttempt(s, session.Calling)
	save(t, st, s)
	s.Attempts[0].State, s.Attempts[1].State = session.Mismatched, session.Failed // the news is about the earlier one
	save(t, st, s)
	s.Attempts[0].State, s.Attempts[1].State = session.Declined, session.Gateway
	save(t, st, s)
	if diff := cmp.Diff(s, load(t, st, "a"), asStored); diff != "" {
		t.Error(diff)
	}
}

func callOnce(t *testing.T, st Store) {
	s := create(t, st, newSession("a"))
	newAttempt(s, session.Calling)
	call := session.Call{Attempt: 1, Kind: "resume", Round: 1, SentAt: noon}
	must(t, st.Save(t.Context(), s, session.Change{Calls: []session.Call{call}}))
	version := s.Version
	again := session.Change{
		Calls:  []session.Call{call},
		Events: []session.Event{{N: 1, Type: "x", At: noon}},
		Jobs:   []session.Job{{Kind: "k", Key: "a", RunAt: noon}},
	}
	wantErr(t, st.Save(t.Context(), s, again), session.ErrCallExists)
	if got := load(t, st, "a"); got.Version != version || s.Version != version {
		t.Errorf("version moved: stored %d, in hand %d, was %d", got.Version, s.Version, version)
	}
	if js := claim(t, st, "w", noon, 1); len(js) != 0 {
		t.Error("the job of a refused change was enqueued")
	}
	other := call
	other.Round = 2
	must(t, st.Save(t.Context(), s, session.Change{Calls: []session.Call{other}}))

	answered := call
	answered.AnsweredAt, answered.Result = noon.Add(time.Second), "wait"
	must(t, st.Save(t.Context(), s, session.Change{Answered: []session.Call{answered}}))
	if diff := cmp.Diff([]session.Call{answered, other}, load(t, st, "a").Attempts[0].Calls); diff != "" {
		t.Error(diff)
	}
}

func callsInOrder(t *testing.T, st Store) {
	s := create(t, st, newSession("a"))
	newAttempt(s, session.Calling)
	var want []session.Call
	for i, kind := range []string{"resume", "pay", "resume", "again"} {
		call := session.Call{Attempt: 1, Kind: kind, Round: i,
			SentAt: noon.Add(-time.Duration(i) * time.Hour)} // a clock that goes back
		must(t, st.Save(t.Context(), s, session.Change{Calls: []session.Call{call}}))
		want = append(want, call)
	}
	if diff := cmp.Diff(want, load(t, st, "a").Attempts[0].Calls); diff != "" {
		t.Error(diff)
	}
}

func answerNeedsACall(t *testing.T, st Store) {
	s := create(t, st, newSession("a"))
	newAttempt(s, session.Calling)
	if err := st.Save(t.Context(), s, session.Change{Answered: []session.Call{{Attempt: 1, Kind: "pay",
		AnsweredAt: noon}}}); err == nil {
		t.Error("an answer without a call was taken")
	}
	if got := load(t, st, "a"); got.Version != 1 || len(got.Attempts) != 0 {
		t.Errorf("version %d and %d attempts were left behind", got.Version, len(got.Attempts))
	}
}

func orderTaken(t *testing.T, st Store) {
	create(t, st, newSession("first"))
	second := newSession("second")
	second.OrderID = "order-first"
	err := st.Create(t.Context(), second, session.Change{})
	wantErr(t, err, session.ErrOrderTaken)
	var taken *session.OrderTaken
	if !errors.As(err, &taken) || taken.SessionID != "first" {
		t.Errorf("%v does not name the session", err)
	}
	_, err = st.Load(t.Context(), "second")
	wantErr(t, err, session.ErrNotFound)
}

func orderPerAccount(t *testing.T, st Store) {
	create(t, st, newSession("first"))
	second := newSession("second")
	second.OrderID, second.Account = "order-first", "another"
	create(t, st, second)
}

func orderPerMerchant(t *testing.T, st Store) {
	create(t, st, newSession("first"))
	theirs := newSession("theirs")
	theirs.OrderID, theirs.Merchant = "order-first", "rival"
	create(t, st, theirs)
	for owner, want := range map[string]string{"shop": "first", "rival": "theirs"} {
		again := newSession("again")
		again.OrderID, again.Merchant = "order-first", owner
		var taken *session.OrderTaken
		if err := st.Create(t.Context(), again, session.Change{}); !errors.As(err, &taken) || taken.SessionID != want {
			t.Errorf("%s is told of %v, want %s", owner, err, want)
		}
	}
	theirs.ClosedReason = session.Cancelled
	save(t, st, theirs)
	if got := load(t, st, "first"); got.Status() != session.StatusOpen {
		t.Errorf("the shop's session became %s", got.Status())
	}
}

// disputePerMerchant: a late approval of one merchant's finds a neighbour's session with the same order id, which is no
// dispute, and does not keep the neighbour from the id.
func disputePerMerchant(t *testing.T, st Store) {
	late := create(t, st, newSession("late"))
	newAttempt(late, session.Abandoned)
	late.ClosedReason = session.Expired
	save(t, st, late)
	theirs := newSession("theirs")
	theirs.OrderID, theirs.Merchant = late.OrderID, "rival"
	create(t, st, theirs)
	late.Attempts[0].State, late.Attempts[0].PaidLate = session.Paid, true
	save(t, st, late)
	theirs.ClosedReason = session.Cancelled
	save(t, st, theirs)
	next := newSession("next")
	next.OrderID, next.Merchant = late.OrderID, "rival"
	create(t, st, next)
	again := newSession("again")
	again.OrderID = late.OrderID
	wantErr(t, st.Create(t.Context(), again, session.Change{}), session.ErrOrderTaken)
}

func orderRace(t *testing.T, st Store) {
	for round := range 5 {
		order := fmt.Sprintf("order-%d", round)
		var won, taken atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				s := newSession(fmt.Sprintf("s-%d-%d", round, i))
				s.OrderID = order
				switch err := st.Create(t.Context(), s, session.Change{}); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, session.ErrOrderTaken):
					taken.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || taken.Load() != 7 {
			t.Fatalf("%d created, %d refused", won.Load(), taken.Load())
		}
	}
}

func orderReleased(t *testing.T, st Store) {
	first := create(t, st, newSession("first"))
	newAttempt(first, session.Unknown)
	first.ClosedReason = session.Expired
	save(t, st, first)
	second := newSession("second")
	second.OrderID = first.OrderID
	wantErr(t, st.Create(t.Context(), second, session.Change{}), session.ErrOrderTaken) // unknown is not unpaid
	first.Attempts[0].State = session.Failed
	save(t, st, first)
	create(t, st, second)
}

func lateApproval(t *testing.T, st Store) {
	first := create(t, st, newSession("first"))
	newAttempt(first, session.Abandoned)
	first.ClosedReason = session.Expired
	save(t, st, first)
	second := newSession("second")
	second.OrderID = first.OrderID
	create(t, st, second)

	first.Attempts[0].State, first.Attempts[0].PaidLate = session.Paid, true
	save(t, st, first)
	if got := load(t, st, "first"); got.Attempts[0].State != session.Paid {
		t.Fatalf("the approval is not stored: %s", got.Attempts[0].State)
	}
	save(t, st, first) // and the session can go on being saved
	save(t, st, second)

	second.ClosedReason = session.Cancelled
	save(t, st, second)
	third := newSession("third")
	third.OrderID = first.OrderID
	err := st.Create(t.Context(), third, session.Change{})
	var taken *session.OrderTaken
	if !errors.As(err, &taken) || taken.SessionID != "first" {
		t.Fatalf("a paid order's id was given away: %v", err)
	}
	save(t, st, first) // now it has the order id to itself
	wantErr(t, st.Create(t.Context(), third, session.Change{}), session.ErrOrderTaken)
}

func referenceBase(t *testing.T, st Store) {
	first := create(t, st, newSession("first"))
	newAttempt(first, session.Declined)
	newAttempt(first, session.Failed)
	first.ClosedReason = session.Expired
	save(t, st, first)
	elsewhere := newSession("elsewhere")
	elsewhere.OrderID, elsewhere.Account = first.OrderID, "another"
	if create(t, st, elsewhere); elsewhere.EarlierAttempts != 0 {
		t.Errorf("another account's attempts were counted: %d", elsewhere.EarlierAttempts)
	}
	second := newSession("second")
	second.OrderID = first.OrderID
	if create(t, st, second); second.EarlierAttempts != 2 {
		t.Errorf("EarlierAttempts %d, want 2", second.EarlierAttempts)
	}
	if got := load(t, st, "second"); got.EarlierAttempts != 2 {
		t.Errorf("stored EarlierAttempts %d, want 2", got.EarlierAttempts)
	}
	newAttempt(second, session.Calling)
	save(t, st, second)
	id, n, err := st.FindReference(t.Context(), "acc", "order-first-3")
	must(t, err)
	if id != "second" || n != 1 {
		t.Errorf("found %s, attempt %d", id, n)
	}
}

func referenceOnce(t *testing.T, st Store) {
	first := create(t, st, newSession("first"))
	newAttempt(first, session.Calling)
	save(t, st, first)
	second := create(t, st, newSession("second"))
	newAttempt(second, session.Calling).Ref.Reference = first.Attempts[0].Ref.Reference
	wantErr(t, st.Save(t.Context(), second, session.Change{}), session.ErrConflict)
	other := newSession("other")
	other.Account = "another"
	create(t, st, other)
	newAttempt(other, session.Calling).Ref.Reference = first.Attempts[0].Ref.Reference
	save(t, st, other)
	id, _, err := st.FindReference(t.Context(), "another", first.Attempts[0].Ref.Reference)
	must(t, err)
	if id != "other" {
		t.Errorf("found %s", id)
	}
}

func referencePerMerchant(t *testing.T, st Store) {
	for _, m := range []struct{ merchant, tag string }{{"shop", "ab1c"}, {"rival", "zz9z"}} {
		s := newSession("of-" + m.merchant)
		s.Merchant, s.RefTag, s.OrderID = m.merchant, m.tag, "order"
		if create(t, st, s); s.EarlierAttempts != 0 {
			t.Errorf("%s begins at %d", m.merchant, s.EarlierAttempts)
		}
		newAttempt(s, session.Calling)
		save(t, st, s)
		id, n, err := st.FindReference(t.Context(), "acc", m.tag+"order-1")
		must(t, err)
		if id != s.ID || n != 1 {
			t.Errorf("%sorder-1 is %s, attempt %d", m.tag, id, n)
		}
	}
}

func referenceTaken(t *testing.T, st Store) {
	earlier := newSession("earlier") // another merchant's who used the account before
	earlier.Merchant, earlier.OrderID = "rival", "ab1corder"
	create(t, st, earlier)
	newAttempt(earlier, session.Declined)
	newAttempt(earlier, session.Declined)
	newAttempt(earlier, session.Failed).Ref.Reference = "ab1corder-8"
	earlier.ClosedReason = session.Expired
	save(t, st, earlier)
	s := newSession("s")
	s.RefTag, s.OrderID = "ab1c", "order"
	if create(t, st, s); s.EarlierAttempts != 2 {
		t.Errorf("begins after %d", s.EarlierAttempts)
	}
	newAttempt(s, session.Calling)
	save(t, st, s)
	again := newSession("again")
	again.Merchant, again.OrderID = "rival", "ab1corder"
	if create(t, st, again); again.EarlierAttempts != 8 { // three of its own, and the fifth after them is taken
		t.Errorf("begins after %d", again.EarlierAttempts)
	}
}

func findRun(t *testing.T, st Store) {
	s := create(t, st, newSession("a"))
	newAttempt(s, session.Declined)
	a := newAttempt(s, session.Shopper)
	a.Runs = []*session.Run{{N: 1, Token: "token-1"}}
	save(t, st, s)
	a.Runs = append(a.Runs, &session.Run{N: 2, Token: "token-2"}) // a soft decline
	save(t, st, s)
	save(t, st, s)
	for _, token := range []string{"token-1", "token-2"} {
		id, n, err := st.FindRun(t.Context(), token)
		must(t, err)
		if id != "a" || n != 2 {
			t.Errorf("%s leads to %s, attempt %d", token, id, n)
		}
	}
}

func runTokenStays(t *testing.T, st Store) {
	first := create(t, st, newSession("first"))
	newAttempt(first, session.Shopper).Runs = []*session.Run{{N: 1, Token: "token"}}
	save(t, st, first)
	second := create(t, st, newSession("second"))
	newAttempt(second, session.Shopper).Runs = []*session.Run{{N: 1, Token: "token"}}
	wantErr(t, st.Save(t.Context(), second, session.Change{}), session.ErrConflict)
	if id, _, err := st.FindRun(t.Context(), "token"); err != nil || id != "first" {
		t.Errorf("the token leads to %s, %v", id, err)
	}
}

func eventsWithoutGap(t *testing.T, st Store) {
	const writers, each = 8, 10
	create(t, st, newSession("a"))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := 0; i < each; {
				s, err := st.Load(t.Context(), "a")
				if err != nil {
					t.Error(err)
					return
				}
				s.LastEvent++
				e := session.Event{N: s.LastEvent, Type: "x", At: noon, Data: json.RawMessage(fmt.Sprintf(`{"writer":%d,"i":%d}`, w, i))}
				switch err := st.Save(t.Context(), s, session.Change{Events: []session.Event{e}}); {
				case err == nil:
					i++
				case !errors.Is(err, session.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	var all []session.Event
	for {
		page, err := st.Events(t.Context(), "a", len(all), 7)
		must(t, err)
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
	}
	if len(all) != writers*each {
		t.Fatalf("%d events, want %d", len(all), writers*each)
	}
	next := map[int]int{}
	for i, e := range all {
		var from struct{ Writer, I int }
		must(t, json.Unmarshal(e.Data, &from))
		if e.N != i+1 || from.I != next[from.Writer] {
			t.Fatalf("event %d has number %d, is %d of writer %d, want %d", i+1, e.N, from.I, from.Writer, next[from.Writer])
		}
		next[from.Writer]++
	}
}

func eventOnce(t *testing.T, st Store) {
	s := create(t, st, newSession("a"))
	first := session.Event{N: 1, Type: "first", At: noon}
	must(t, st.Save(t.Context(), s, session.Change{Events: []session.Event{first}}))
	wantErr(t, st.Save(t.Context(), s, session.Change{Events: []session.Event{{N: 1, Type: "second", At: noon}}}),
		session.ErrConflict)
	events, err := st.Events(t.Context(), "a", 0, 10)
	must(t, err)
	if diff := cmp.Diff([]session.Event{first}, events); diff != "" {
		t.Error(diff)
	}
}

func failedSaveLeavesNothing(t *testing.T, st Store) {
	s := create(t, st, newSession("a"))
	want := load(t, st, "a")
	newAttempt(s, session.Calling).Runs = []*session.Run{{N: 1, Token: "token"}}
	old := *s
	old.Version--
	change := session.Change{
		Events: []session.Event{{N: 1, Type: "x", At: noon}},
		Calls:  []session.Call{{Attempt: 1, Kind: "pay", SentAt: noon}},
		Jobs:   []session.Job{{Kind: "k", Key: "a", RunAt: noon}},
	}
	wantErr(t, st.Save(t.Context(), &old, change), session.ErrConflict)
	// The same with the fault in the last part but one.
	change.Events = []session.Event{{N: 1, Type: "x", At: noon}, {N: 1, Type: "y", At: noon}}
	wantErr(t, st.Save(t.Context(), s, change), session.ErrConflict)

	if diff := cmp.Diff(want, load(t, st, "a"), asStored); diff != "" {
		t.Error(diff)
	}
	if js := claim(t, st, "w", noon, 10); len(js) != 0 {
		t.Errorf("jobs were left: %v", js)
	}
	if events, err := st.Events(t.Context(), "a", 0, 10); err != nil || len(events) != 0 {
		t.Errorf("events were left: %v, %v", events, err)
	}
	_, _, err := st.FindRun(t.Context(), "token")
	wantErr(t, err, session.ErrNotFound)

	taken := newSession("b")
	taken.OrderID = "order-a"
	wantErr(t, st.Create(t.Context(), taken, session.Change{Jobs: change.Jobs}), session.ErrOrderTaken)
	if js := claim(t, st, "w", noon, 10); len(js) != 0 {
		t.Errorf("jobs of a refused session were left: %v", js)
	}
}

func listReviews(t *testing.T, st Store) {
	for id, state := range map[string]session.State{"0": session.Mismatched, "1": session.Unknown, "2": session.Mismatched} {
		s := newSession(id)
		create(t, st, s)
		newAttempt(s, state).NeedsReview = id == "2"
		must(t, st.Save(t.Context(), s, session.Change{}))
	}
	yes, no := true, false
	for name, c := range map[string]struct {
		filter session.Filter
		want   string
	}{
		"needs review":             {session.Filter{NeedsReview: &yes}, "2"},
		"needs none":               {session.Filter{NeedsReview: &no}, "1 0"},
		"held":                     {session.Filter{Held: &yes}, "2 0"},
		"not held":                 {session.Filter{Held: &no}, "1"},
		"held, no review":          {session.Filter{Held: &yes, NeedsReview: &no}, "0"},
		"held, of an order":        {session.Filter{Held: &yes, OrderID: "order-0"}, "0"},
		"held, of another account": {session.Filter{Held: &yes, Account: "another"}, ""},
	} {
		c.filter.Merchant = "shop"
		list, err := st.List(t.Context(), c.filter)
		must(t, err)
		if got := ids(list); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	s := load(t, st, "2")
	s.Attempts[0].State, s.Attempts[0].NeedsReview = session.Failed, false
	must(t, st.Save(t.Context(), s, session.Change{}))
	if list, err := st.List(t.Context(), session.Filter{Merchant: "shop", NeedsReview: &yes}); err != nil || len(list) != 0 {
		t.Errorf("settled: %s %v", ids(list), err)
	}
}

func listFilters(t *testing.T, st Store) {
	for i, change := range []func(*session.Session){
		func(s *session.Session) {},
		func(s *session.Session) { s.Account = "another" },
		func(s *session.Session) { s.ClosedReason = session.Cancelled },
		func(s *session.Session) { s.Merchant = "rival" },
	} {
		s := newSession(fmt.Sprint(i))
		s.CreatedAt = noon.Add(time.Duration(i) * time.Minute)
		change(s)
		create(t, st, s)
	}
	one := load(t, st, "1")
	newAttempt(one, session.Shopper)
	must(t, st.Save(t.Context(), one, session.Change{Calls: []session.Call{{Attempt: 1, Kind: "pay", SentAt: noon}}}))
	for name, c := range map[string]struct {
		filter session.Filter
		want   string
	}{
		"a merchant's own":  {session.Filter{}, "2 1 0"},
		"account":           {session.Filter{Account: "another"}, "1"},
		"order id":          {session.Filter{OrderID: "order-0"}, "0"},
		"status as changed": {session.Filter{Status: session.StatusActionRequired}, "1"},
		"status from start": {session.Filter{Status: session.StatusCancelled}, "2"},
		"since, inclusive":  {session.Filter{Since: noon.Add(time.Minute)}, "2 1"},
		"until, exclusive":  {session.Filter{Until: noon.Add(time.Minute)}, "0"},
		"order and account": {session.Filter{OrderID: "order-1", Account: "another"}, "1"},
		"another account":   {session.Filter{OrderID: "order-1", Account: "acc"}, ""},
		"all at once":       {session.Filter{OrderID: "order-1", Account: "another", Status: session.StatusActionRequired}, "1"},
		"together":          {session.Filter{Account: "acc", Since: noon.Add(time.Minute), Status: session.StatusCancelled}, "2"},
		"rival's order id":  {session.Filter{OrderID: "order-3"}, ""},
		"rival's place":     {session.Filter{Before: "3"}, ""},
		"limit":             {session.Filter{Limit: 2}, "2 1"},
	} {
		c.filter.Merchant = "shop"
		list, err := st.List(t.Context(), c.filter)
		must(t, err)
		if got := ids(list); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	list, err := st.List(t.Context(), session.Filter{Merchant: "shop", Account: "another"})
	must(t, err)
	if diff := cmp.Diff(load(t, st, "1"), list[0], asStored); diff != "" || len(list[0].Attempts[0].Calls) != 1 {
		t.Errorf("a listed session is not whole: %s", diff)
	}
}

func listPages(t *testing.T, st Store) {
	const sessions = 25
	for i := range sessions {
		s := newSession(fmt.Sprintf("%02d", i))
		s.CreatedAt = noon.Add(time.Duration(i/3) * time.Microsecond) // three at a time at one moment
		create(t, st, s)
	}
	var got, want []string
	for i := range sessions {
		want = append(want, fmt.Sprintf("%02d", sessions-1-i))
	}
	f := session.Filter{Merchant: "shop", Limit: 4}
	for {
		page, err := st.List(t.Context(), f)
		must(t, err)
		if len(page) == 0 {
			break
		}
		for _, s := range page {
			got = append(got, s.ID)
		}
		f.Before = page[len(page)-1].ID
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func ids(list []*session.Session) string {
	var s []string
	for _, x := range list {
		s = append(s, x.ID)
	}
	return strings.Join(s, " ")
}

func cancelled(t *testing.T, st Store) {
	s := create(t, st, newSession("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, st.Save(ctx, s, session.Change{Jobs: []session.Job{{Kind: "k", Key: "a", RunAt: noon}}}), context.Canceled)
	wantErr(t, st.Create(ctx, newSession("b"), session.Change{}), context.Canceled)
	wantErr(t, st.Enqueue(ctx, jobs.Job{Kind: "k", Key: "b", RunAt: noon}), context.Canceled)
	_, err := st.Load(ctx, "a")
	wantErr(t, err, context.Canceled)
	if js := claim(t, st, "w", noon, 10); len(js) != 0 {
		t.Errorf("jobs were left: %v", js)
	}
	save(t, st, s) // the version in hand is still the stored one
}

func reopened(t *testing.T, st Store) {
	s := create(t, st, newSession("a"))
	newAttempt(s, session.Shopper).Runs = []*session.Run{{N: 1, Token: "token"}}
	must(t, st.Save(t.Context(), s, session.Change{
		Events: []session.Event{{N: 1, Type: "x", At: noon, Data: json.RawMessage(`{}`)}},
		Calls:  []session.Call{{Attempt: 1, Kind: "pay", SentAt: noon}},
		Jobs:   []session.Job{{Kind: "k", Key: "a", RunAt: noon}},
	}))
	want := load(t, st, "a")
	st = st.Reopen(t)
	if diff := cmp.Diff(want, load(t, st, "a"), asStored); diff != "" {
		t.Error(diff)
	}
	if events, err := st.Events(t.Context(), "a", 0, 10); err != nil || len(events) != 1 {
		t.Errorf("events: %v, %v", events, err)
	}
	if id, _, err := st.FindRun(t.Context(), "token"); err != nil || id != "a" {
		t.Errorf("run: %s, %v", id, err)
	}
	if js := claim(t, st, "w", noon, 10); len(js) != 1 {
		t.Errorf("jobs: %v", js)
	}
	save(t, st, load(t, st, "a")) // with its call book, as whoever saves a session has loaded it
}
