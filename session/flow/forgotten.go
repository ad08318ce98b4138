package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"

	"tollgate/internal/account"
	"tollgate/providers"
	"tollgate/session"
)

// recall asks a gateway about what the store may have forgotten.
type recall struct{ *turns }

// memory is what the store may have forgotten.
func (f recall) memory(ctx context.Context) session.Memory {
	if f.Memory == nil {
		return session.Memory{}
	}
	m, err := f.Memory(ctx)
	if err != nil {
		f.Log.Warn("the database does not say whether it has forgotten anything", "error", err)
		return session.Memory{Since: f.Now(), Restored: f.Now()}
	}
	return m
}

// forgotten tells of when orders may be that were forgotten under the number of a session's order; nil: there are none.
func (f recall) forgotten(ctx context.Context, s *session.Session) *providers.Forgotten {
	m := f.memory(ctx)
	if !m.Order(s.CreatedAt) {
		return nil
	}
	return window(m)
}

func window(m session.Memory) *providers.Forgotten {
	from, until := m.Window()
	return &providers.Forgotten{From: from, Until: until}
}

// register makes an order known. Where the database may have forgotten an earlier use of the reference, a gateway without a
// registration of its own is asked about it first: providers.ErrReferenceTaken, or a *providers.AlreadyPaid, as of Register.
func (f recall) register(
	ctx context.Context, acc account.Account, s *session.Session, a *session.Attempt, in Submission, forgotten *providers.Forgotten,
) (ref providers.Ref, wire []session.TimelineEntry, err error) {
	unmatched, err := f.Store.Unmatched(ctx, acc.Name, a.Ref.Reference)
	if err != nil {
		return ref, nil, err
	}
	if unmatched {
		if forgotten == nil {
			forgotten = &providers.Forgotten{Until: f.Now()}
		}
		defer func() {
			if err == nil || errors.Is(err, providers.ErrReferenceTaken) || errors.Is(err, providers.ErrAlreadyPaid) {
				err = cmp.Or(f.Store.UnmatchedAsked(ctx, acc.Name, a.Ref.Reference, f.Now()), err)
			}
		}()
	}
	defer func() {
		if taken, ok := errors.AsType[*providers.AlreadyPaid](err); ok && forgotten != nil {
			taken.Ours = taken.Ours || forThisOrder(s, a, taken)
		}
	}()
	if forgotten != nil && (in.Kind == session.KindPayout || !acc.RecoversOrders()) {
		p := f.payment(ctx, s, a)
		p.Forgotten = forgotten
		if wire, err = f.askFirst(ctx, acc, s.Kind, p); err != nil {
			return ref, wire, err
		}
	}
	if in.Kind == session.KindPayout { // it has no order
		return a.Ref, wire, nil
	}
	made, err := account.Call(ctx, acc, "register", func(call context.Context, gateway providers.Provider) (err error) {
		p := f.payment(call, s, a)
		p.Forgotten = forgotten
		ref, err = gateway.Register(call, p)
		return err
	})
	return ref, append(wire, entries(made)...), err
}

// askFirst asks what stands under a reference that was never used as far as the database knows.
func (f recall) askFirst(ctx context.Context, acc account.Account, kind string, p providers.Payment) ([]session.TimelineEntry, error) {
	p.Ref = providers.Ref{Reference: p.Ref.Reference}
	st, wire, err := f.statusOf(ctx, acc, kind, p)
	switch {
	case err != nil:
		return wire, fmt.Errorf("asked before paying: %w", err)
	case st.Outcome == providers.NotFound:
		return wire, nil
	case st.Outcome == providers.Refused, st.Outcome == providers.Closed, st.OtherAmount(p.Amount):
		return wire, &providers.Failure{Op: "status", Err: fmt.Errorf("%w: %s", providers.ErrReferenceTaken, st.Outcome)}
	}
	return wire, &providers.AlreadyPaid{Ref: st.Ref, Ours: unpaid(st), Standing: st}
}

// unpaid tells that no money stands under a reference yet: whoever goes on with it loses nothing that is another's.
func unpaid(st providers.Standing) bool {
	return st.Outcome == providers.Waiting || st.Outcome == providers.Processing || st.Outcome == providers.Unclear
}

// forThisOrder tells whether money that stands under an attempt's number was taken for its order, by a call that the database has
// forgotten: the card is the one that the shopper gave now, or the number is the merchant's own and is used once (a payout, a
// charge while the customer is away). Where the gateway keeps a mark of ours, only that proves it: another system may have used the
// number, for the same customer.
func forThisOrder(s *session.Session, a *session.Attempt, taken *providers.AlreadyPaid) bool {
	st := taken.Standing
	return s.Kind == session.KindPayout || a.MerchantInitiated ||
		!taken.Marks && a.Card.Last4 != "" && st.Card.Last4 == a.Card.Last4 && st.Card.First6 == a.Card.First6
}

// ourReference is the form of an attempt's reference; accounts that are shared with other systems hear of their orders too.
var ourReference = regexp.MustCompile(`^[A-Za-z0-9._-]{1,33}-[1-9][0-9]{0,3}$`)

// unmatched keeps a callback about a reference that no attempt has: the database may have forgotten it. Its merchant is told, and
// before the reference is used the gateway is asked.
func (f recall) unmatched(ctx context.Context, name string, notice providers.Notice) error {
	if !ourReference.MatchString(notice.Reference) {
		return session.ErrNotFound
	}
	now := f.Now()
	u := session.Unmatched{
		Account: name, Reference: notice.Reference, GatewayOrder: notice.OrderID, Event: notice.Event, Times: 1, FirstAt: now, LastAt: now,
	}
	var owners []string
	var err error
	if f.Owners != nil {
		if owners, err = f.Owners(ctx, name, notice.Reference); err != nil {
			return err
		}
	}
	var tell []session.AccountEvent
	for _, merchant := range owners {
		suffix, err := newSuffix(f.Rand)
		if err != nil {
			return err
		}
		tell = append(tell, u.Told(merchant, suffix))
	}
	f.Log.Warn("a callback for a reference that no attempt has", "account", name, "reference", notice.Reference)
	return f.Store.AddUnmatched(ctx, u, tell)
}

// errLaterAttempt says that a later attempt of the session is under way at the gateway.
var errLaterAttempt = errors.New("session: a later attempt, which the database has forgotten, is under way at the gateway")

// errUnheard says that a gateway did not answer whether it knows of later attempts.
var errUnheard = errors.New("asked for later attempts")

// laterAttempts asks, before an answer that can move money goes out for an attempt, whether later attempts of its order are
// known to the gateway: the database may have forgotten that the shopper paid otherwise meanwhile. What is found is written
// down; an error says that nothing may be sent now.
func (f recall) laterAttempts(ctx context.Context, s *session.Session, a *session.Attempt) error {
	m := f.memory(ctx)
	if s.Kind == session.KindPayout || !m.After(a.CreatedAt) {
		return nil
	}
	return f.findAfter(ctx, s, a, m)
}

// beforeItBegins asks, before an attempt of a session that is older than what the database may have forgotten sends anything, whether
// the gateway knows of later ones: the shopper may have left the order under its number, and paid by another. What is found is
// written down in its place: errLaterAttempt.
func (f recall) beforeItBegins(ctx context.Context, s *session.Session, a *session.Attempt) error {
	m := f.memory(ctx)
	if s.Kind == session.KindPayout || !m.After(s.CreatedAt) {
		return nil
	}
	return f.findAfter(ctx, s, a, m)
}

// beforeItEnds asks, before a session ends that nobody is paying, whether the gateway knows of an attempt that the database has
// forgotten: the shopper may have been charged, and have gone. errLaterAttempt where it does.
func (f recall) beforeItEnds(ctx context.Context, s *session.Session) error {
	m := f.memory(ctx)
	a := s.Last()
	if a == nil {
		a = &session.Attempt{CreatedAt: s.CreatedAt, Instrument: s.Method}
	}
	if s.Kind == session.KindPayout || s.Status() != session.StatusOpen || !m.After(a.CreatedAt) {
		return nil
	}
	return f.findAfter(ctx, s, a, m)
}

// findAfter looks for the attempts after one at the gateway. Any of them may never have reached it: while the gateway took no
// orders, or refused the account, the shopper may have tried again and again.
func (f recall) findAfter(ctx context.Context, s *session.Session, a *session.Attempt, m session.Memory) error {
	acc, err := f.account(s)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnheard, err)
	}
	for n := a.N + 1; n <= session.MostAttempts; n++ {
		p := f.payment(ctx, s, a)
		p.Ref, p.Forgotten = providers.Ref{Reference: s.Reference(n)}, window(m)
		st, wire, err := f.statusOf(ctx, acc, s.Kind, p)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", errUnheard, err)
		case st.Outcome == providers.NotFound:
			continue
		case st.Outcome == providers.Refused, st.Outcome == providers.Closed, st.Outcome == providers.Voided, st.OtherAmount(p.Amount):
			continue // it moves no money any more, or is not this order's
		}
		if _, err = f.update(ctx, s.ID, func(t *session.Turn) error { return t.Attempts().FoundAttempt(n, st, wire) }); err != nil {
			return err
		}
		return errLaterAttempt
	}
	return nil
}

// statusOf is status of a payment that need not be an attempt's.
func (f recall) statusOf(ctx context.Context, acc account.Account, kind string, p providers.Payment) (
	standing providers.Standing, wire []session.TimelineEntry, err error,
) {
	var made []account.Request
	if kind == session.KindPayout {
		standing, made, err = payoutStatus(ctx, acc, p)
	} else {
		made, err = account.Call(ctx, acc, "status", func(call context.Context, gateway providers.Provider) (err error) {
			standing, err = gateway.Status(call, p)
			return err
		})
	}
	f.At("status.answered")
	return standing, entries(made), err
}
