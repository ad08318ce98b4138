// Package reconcile compares our books with a gateway's: by its own list of orders where it has one, by a list that the bank
// gave, or by asking about each of our orders. It never charges; to repair is to ask and to take the gateway's word.
package reconcile

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

// Bounds of one report. What lies beyond makes it incomplete, which it says.
const (
	MaxSpan  = 31 * 24 * time.Hour
	pageSize = 100
	maxPages = 100 // of the gateway's list, and of our sessions
	maxAsked = 1000
	// of callbacks about references that nobody here knows; an account may be shared with another system
	maxUnmatched = 200
	longestOpen  = 25 * time.Hour // an attempt begins at most so long after its session
)

// Where the gateway's side comes from.
const (
	ByList    = "list"
	ByInquiry = "inquiry"
	ByOrders  = "orders"
)

// Kinds of differences beside those of session.Difference.
const (
	MissingHere  = "missing_here"  // the gateway has money under a reference that we know nothing of
	MissingThere = "missing_there" // we say that money stands, and the gateway does not have the order
	Unanswered   = "unanswered"    // the gateway gave no clear answer when it was asked
)

// Difference is one order of which the books and the gateway say something else.
type Difference struct {
	Kind      string
	Reference string
	OrderID   string // the gateway's
	Session   string // ours, where there is one
	Attempt   int

	Ours, Theirs Side
	Repaired     bool // asked for and renewed: by now they agree
}

// Side is what one side says.
type Side struct {
	State                    string // ours: the attempt's; theirs: the outcome; "" nothing
	Currency                 string
	Amount                   int64
	Held, Captured, Refunded int64
}

// Report is the answer.
type Report struct {
	Account      string
	From, To     time.Time
	Source       string
	Ours, Theirs int // how many orders were compared
	Complete     bool
	Differences  []Difference
}

// Order is one line of a list that the bank gave.
type Order = providers.HistoryLine

// Query says what is compared.
type Query struct {
	Merchant, Account string
	From, To          time.Time
	Orders            []Order // the bank's list, in place of the gateway's; nil: ask the gateway
	Repair            bool
	// Ours tells whether a reference that no row has may be the merchant's, in an account that others use too.
	Ours func(ctx context.Context, reference string) (bool, error)
}

// Options is what a Reconciler needs.
type Options struct {
	Books    flow.Books
	Accounts account.Accounts
	Wallet   *wallet.Wallet
	// Known tells whether a reference is of something of ours that is no payment, such as a bill.
	Known func(ctx context.Context, account, reference string) (bool, error)
	// Unmatched lists what proved callbacks told of that no row of ours has. nil: nobody keeps it.
	Unmatched func(ctx context.Context, account string, from, to time.Time, limit int) ([]Order, error)
}

// Reconciler compares. It keeps nothing.
type Reconciler struct{ Options }

// New makes a Reconciler.
func New(o Options) *Reconciler { return &Reconciler{o} }

// run is one report being made.
type run struct {
	*Reconciler
	q      Query
	report Report
	asked  int
	seen   map[string]bool // references that were compared
}

// Report compares. The error is of our own store, or says that the account cannot be asked at all.
func (r *Reconciler) Report(ctx context.Context, q Query) (Report, error) {
	acc, err := r.Accounts.Find(q.Account)
	if err != nil {
		return Report{}, err
	}
	one := &run{Reconciler: r, q: q, seen: map[string]bool{}, report: Report{
		Account: q.Account, From: q.From, To: q.To, Source: ByInquiry, Complete: true, Differences: []Difference{},
	}}
	ours, err := one.sessions(ctx)
	if err != nil {
		return Report{}, err
	}
	theirs := q.Orders
	switch {
	case theirs != nil:
		one.report.Source = ByOrders
	case acc.ListsHistory():
		if theirs, err = one.list(ctx, acc, ours); err == nil {
			one.report.Source = ByList
		} else if !errors.Is(err, errNoList) {
			return Report{}, err
		}
	}
	if theirs, err = one.unmatched(ctx, theirs); err != nil {
		return Report{}, err
	}
	for _, line := range theirs {
		if err := one.line(ctx, line); err != nil {
			return Report{}, err
		}
	}
	for _, s := range ours {
		for _, a := range s.Attempts {
			if err := one.attempt(ctx, s, a); err != nil {
				return Report{}, err
			}
		}
	}
	slices.SortStableFunc(one.report.Differences, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Reference, b.Reference))
	})
	return one.report, nil
}

// unmatched adds what callbacks told of under references that no row of ours has, where the list has them not.
func (r *run) unmatched(ctx context.Context, lines []Order) ([]Order, error) {
	if r.Unmatched == nil {
		return lines, nil
	}
	told, err := r.Unmatched(ctx, r.q.Account, r.q.From, r.q.To, maxUnmatched)
	if err != nil {
		return nil, err
	}
	if len(told) == maxUnmatched {
		r.report.Complete = false
	}
	for _, one := range told {
		if !slices.ContainsFunc(lines, func(l Order) bool { return l.Reference == one.Reference }) {
			lines = append(slices.Clip(lines), one)
		}
	}
	return lines, nil
}

// errNoList says that the gateway's list could not be read for want of a customer.
var errNoList = errors.New("reconcile: no list")

// sessions are ours whose attempts may lie in the span.
func (r *run) sessions(ctx context.Context) (all []*session.Session, err error) {
	before := ""
	for range maxPages {
		page, err := r.Books.Sessions(ctx, r.q.Merchant, r.q.Account, r.q.From.Add(-longestOpen), r.q.To, before)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < pageSize {
			return all, nil
		}
		before = page[len(page)-1].ID
	}
	r.report.Complete = false
	return all, nil
}

// list reads the gateway's list: the account's, or each customer's who logged in to one of the sessions.
func (r *run) list(ctx context.Context, acc account.Account, ours []*session.Session) (lines []Order, err error) {
	owners := []string{""}
	if acc.LogsIn() {
		owners = nil
		for _, s := range ours {
			if owner := s.Owner(); owner != "" && !slices.Contains(owners, owner) {
				owners = append(owners, owner)
			}
		}
		if len(owners) == 0 {
			return nil, errNoList
		}
	}
	read := 0
	for _, owner := range owners {
		of := wallet.Holder{Merchant: r.q.Merchant, Account: r.q.Account, Customer: owner}
		err := r.pages(ctx, of, &lines)
		switch {
		case errors.Is(err, wallet.ErrLogin), errors.Is(err, wallet.ErrNotFound): // their orders are asked about one by one
		case err != nil:
			return nil, err
		default:
			read++
		}
	}
	if read == 0 {
		return nil, errNoList
	}
	return lines, nil
}

// pages reads one list to its end.
func (r *run) pages(ctx context.Context, of wallet.Holder, lines *[]Order) error {
	q := providers.HistoryQuery{From: r.q.From, To: r.q.To, Limit: pageSize}
	for range maxPages {
		page, next, err := r.Wallet.History(ctx, of, q)
		if err != nil {
			return err
		}
		*lines = append(*lines, page...)
		if q.After = next; next == "" {
			return nil
		}
	}
	r.report.Complete = false
	return nil
}

// line compares one line of the gateway's list.
func (r *run) line(ctx context.Context, line Order) error {
	if line.Reference == "" || line.Kind == "refund" || line.Kind == "other" || r.seen[line.Reference] {
		return nil
	}
	s, a, err := r.Books.Find(ctx, r.q.Account, line.Reference)
	switch {
	case errors.Is(err, session.ErrNotFound):
		return r.missingHere(ctx, line)
	case err != nil:
		return err
	case s.Merchant != r.q.Merchant:
		return nil
	}
	r.report.Theirs++
	if line.Outcome == providers.Unclear { // the list tells no outcome: ours is asked about
		return nil
	}
	st := providers.Standing{
		Outcome: line.Outcome, Reference: line.Reference, Ref: providers.Ref{OrderID: line.OrderID}, Amount: line.Amount,
		Held: line.Held, Captured: line.Captured, Refunded: line.Refunded, Stated: line.Stated,
	}
	if session.Difference(s, a, st) == "" {
		r.seen[line.Reference] = true
		r.report.Ours++
		return nil
	}
	if r.q.Orders != nil { // the bank's list is the other side, whatever the gateway says
		r.seen[line.Reference] = true
		r.report.Ours++
		return r.differ(ctx, session.Difference(s, a, st), s, a, st)
	}
	return nil // a list's words are coarse: the order itself is asked about below
}

// missingHere is an order of theirs that no row has. One without money is no loss.
func (r *run) missingHere(ctx context.Context, line Order) error {
	switch line.Outcome {
	case providers.Refused, providers.Closed, providers.Voided, providers.NotFound, providers.Waiting:
		return nil
	}
	if r.Known != nil {
		if known, err := r.Known(ctx, r.q.Account, line.Reference); err != nil || known {
			return err
		}
	}
	if r.q.Ours != nil {
		if ours, err := r.q.Ours(ctx, line.Reference); err != nil || !ours {
			return err
		}
	}
	r.seen[line.Reference] = true
	r.report.Theirs++
	r.report.Differences = append(r.report.Differences, Difference{
		Kind: MissingHere, Reference: line.Reference, OrderID: line.OrderID, Theirs: Side{
			State: string(line.Outcome), Currency: line.Amount.Currency.Code, Amount: line.Amount.Minor,
			Held: line.Held, Captured: line.Captured, Refunded: line.Refunded,
		},
	})
	return nil
}

// attempt asks about one of ours that no line agreed with.
func (r *run) attempt(ctx context.Context, s *session.Session, a *session.Attempt) error {
	if a.CreatedAt.Before(r.q.From) || !a.CreatedAt.Before(r.q.To) || r.seen[a.Ref.Reference] || a.State == session.New {
		return nil
	}
	r.seen[a.Ref.Reference] = true
	r.report.Ours++
	if r.q.Orders != nil {
		if a.State.Funded() && !a.Voided {
			return r.differ(ctx, MissingThere, s, a, providers.Standing{})
		}
		return nil
	}
	if r.asked++; r.asked > maxAsked {
		r.report.Complete = false
		return nil
	}
	st, err := r.Books.Ask(ctx, s, a)
	switch kind := session.Difference(s, a, st); {
	case err != nil:
		return r.differ(ctx, Unanswered, s, a, providers.Standing{})
	case kind != "" && st.Outcome == providers.NotFound:
		return r.differ(ctx, MissingThere, s, a, st)
	case kind != "" && st.Outcome == providers.Unclear:
		return r.differ(ctx, Unanswered, s, a, st)
	case kind != "":
		return r.differ(ctx, kind, s, a, st)
	}
	return nil
}

// differ adds a difference of an attempt of ours, renewed first where that is asked for.
func (r *run) differ(ctx context.Context, kind string, s *session.Session, a *session.Attempt, st providers.Standing) error {
	d := Difference{
		Kind: kind, Reference: a.Ref.Reference, OrderID: cmp.Or(a.Ref.OrderID, st.Ref.OrderID), Session: s.ID, Attempt: a.N,
		Ours: sideOf(s, a),
		Theirs: Side{
			State: string(st.Outcome), Currency: st.Amount.Currency.Code, Amount: st.Amount.Minor, Held: st.Held, Captured: st.Captured,
			Refunded: st.Refunded,
		},
	}
	if r.q.Repair {
		now, renewed, err := r.Books.Renew(ctx, s, a)
		if err == nil && st.Outcome != "" && session.Difference(now, renewed, st) == "" {
			d.Ours, d.Repaired = sideOf(now, renewed), true
		}
	}
	r.report.Differences = append(r.report.Differences, d)
	return nil
}

func sideOf(s *session.Session, a *session.Attempt) Side {
	return Side{
		State: string(a.State), Currency: s.Amount.Currency.Code, Amount: s.Amount.Minor, Held: a.AmountAuthorized, Captured: a.Captured,
		Refunded: a.Refunded,
	}
}
