package flow

import (
	"context"
	"errors"
	"sync"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/card"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/threeds"
)

// Submission is a filled card form, or the choice of another way to pay.
type Submission struct {
	Kind    string // "" is "card"; else saved_card, qr, sberpay, hosted, google_pay (its token is Card.Sealed)
	Card    card.Card
	Saved   *wallet.SavedCard // saved_card; its CVC, where the gateway asks, is in Card.Code
	Phone   string            // sberpay
	Browser threeds.BrowserData
	IP      string
	Locale  string // the language of the page that the shopper pays on; "": the session's

	BrowserID         string // of the browser that pays; "" where it has none
	NotKept           bool   // the shopper did not agree that the card is kept
	MerchantInitiated bool   // the merchant pays with a saved card while the customer is away

	To *providers.Destination // of a payout, or of a transfer where the shopper chooses it; a card of it is in memory only
}

func (in Submission) instrument(initial bool) providers.Instrument {
	i := providers.Instrument{Kind: in.Kind, Card: in.Card, Phone: in.Phone, Merchant: in.MerchantInitiated, Initial: initial}
	if in.Saved != nil {
		i.Card = card.Card{}
		i.Saved, i.Code, i.First = in.Saved.GatewayID, in.Card.Code, in.Saved.SeriesID
	}
	return i
}

// beginsSeries tells whether later charges without the customer are to name this payment: it saves the card, or it is made
// with a saved card of which no payment began a series yet.
func (in Submission) beginsSeries(s *session.Session) bool {
	if in.Saved != nil {
		return in.Saved.SeriesID == ""
	}
	return in.Kind == "card" && s.SaveCard && !in.NotKept && s.Owner() != ""
}

// Submit begins an attempt and returns once it is written down; the gateway is called in the background.
// session.ErrBusy where an attempt lives (a second click, another tab), ErrEnded where none may begin any more.
func (f *Flow) Submit(ctx context.Context, id string, in Submission) error {
	return f.submit(ctx, nil, id, in)
}

func (f *Flow) submit(ctx context.Context, claim *session.Claim, id string, in Submission) error {
	if in.Kind == "" {
		in.Kind = "card"
	}
	var a *session.Attempt
	done := f.inFlight.begin(id)
	s, err := f.update(ctx, id, under(claim, func(t *session.Turn) error {
		if err := t.Attempts().MayBegin(); err != nil {
			return err
		}
		begin := session.NewAttempt{
			Instrument: in.Kind, Card: in.Card.Number.Masked(), Browser: in.Browser, BrowserID: in.BrowserID, IP: in.IP,
			Locale:            in.Locale,
			MerchantInitiated: in.MerchantInitiated, NotKept: in.NotKept,
		}
		if in.Saved != nil {
			begin.Saved, begin.Card, begin.GatewayCustomer = in.Saved.ID, in.Saved.Card, in.Saved.Owner()
		}
		if err := setDestination(f.Sealer, t.S, &begin, &in); err != nil {
			return err
		}
		acc, err := f.account(t.S)
		if err != nil {
			return err
		}
		begin.BeginsSeries = acc.KeepsSeries() && in.beginsSeries(t.S)
		a, err = t.Attempts().Begin(begin)
		return err
	}))
	if err != nil {
		done()
		return err
	}
	f.At("attempt.written")
	if in.Kind == "card" && in.Card.Number.Reveal() != "" {
		f.vault.put(attemptKey(s.ID, a.N), in.Card)
	}
	f.calls.run(func(ctx context.Context) {
		defer done()
		f.begin(ctx, s, a, in)
	})
	return nil
}

// maxSkips bounds how many references that another system used are skipped in one attempt.
const maxSkips = 50

// begin registers the order and pays. It is never repeated: the card is in memory only.
func (f *Flow) begin(ctx context.Context, s *session.Session, a *session.Attempt, in Submission) {
	acc, err := f.account(s)
	if err != nil {
		f.Log.Error("attempt without an account", "session", s.ID, "error", err)
		return
	}
	log := f.Log.With("session", s.ID, "attempt", a.N, "account", acc.Name)
	credential := f.credential(ctx, s)
	asksOfForms(ctx, f, s, a)
	if err := f.recall.beforeItBegins(ctx, s, a); err != nil {
		defer f.At("register.stored")
		if !errors.Is(err, errLaterAttempt) {
			notRegistered(ctx, f, s, a, credential, err, nil)
		}
		return
	}
	var ref providers.Ref
	var wire []session.TimelineEntry
	forgotten := f.recall.forgotten(ctx, s)
	for skipped, lost := 0, 0; ; skipped++ {
		var made []session.TimelineEntry
		ref, made, err = f.recall.register(ctx, acc, s, a, in, forgotten)
		wire = append(wire, made...)
		if noAnswer(err) && lost < maxLost && ctx.Err() == nil { // repeated with the same number it recovers the order
			lost++
			skipped--
			continue
		}
		if !errors.Is(err, providers.ErrReferenceTaken) || skipped == maxSkips {
			break
		}
		if s, a, err = f.nextReference(ctx, s.ID, a.N); err != nil {
			log.Error("cannot write down another reference", "error", err)
			return
		}
	}
	f.At("register.answered")
	if err != nil {
		defer f.At("register.stored")
		if taken, ok := errors.AsType[*providers.AlreadyPaid](err); ok {
			f.alreadyPaid(ctx, s.ID, a.N, taken, wire)
			return
		}
		notRegistered(ctx, f, s, a, credential, err, wire)
		return
	}
	ref.Reference = a.Ref.Reference
	out := session.Outgoing{Kind: session.CallPay, From: session.New, Ref: &ref, Wire: wire}
	f.call(ctx, s.ID, a.N, out, func(ctx context.Context, acc account.Account, p providers.Payment) (
		providers.Step, []account.Request, error,
	) {
		return pay(ctx, acc, p, in)
	})
	byNextNumber(ctx, f, s.ID, a.N, in)
}

// byNextNumber makes a further attempt with the same card where the gateway knows the number of one as another system's order, and nothing
// was tried with the card.
func byNextNumber(ctx context.Context, f *Flow, id string, n int, in Submission) {
	s, err := f.Store.Load(ctx, id)
	if err != nil || in.MerchantInitiated || in.Kind == session.KindPayout || s.Last().N != n || !s.Last().NumberIsAnothers() {
		return
	}
	if err := f.submit(ctx, nil, id, in); err != nil && !errors.Is(err, session.ErrBusy) && !errors.Is(err, session.ErrEnded) {
		f.Log.Warn("the next number could not be tried", "session", id, "error", err)
	}
}

// notRegistered writes down that an attempt's order was not made known, and why. Nothing can be charged by it.
func notRegistered(
	ctx context.Context, f *Flow, s *session.Session, a *session.Attempt, credential providers.Secret, cause error, wire []session.TimelineEntry,
) {
	log := f.Log.With("session", s.ID, "attempt", a.N, "account", s.Account)
	log.Warn("order was not registered", "error", cause)
	_, loginLost := f.loginRefused(ctx, s, credential, cause)
	if _, err := f.update(ctx, s.ID, func(t *session.Turn) error {
		return t.Attempts().NotRegistered(a.N, cause, loginLost, wire)
	}); err != nil {
		log.Error("cannot write that the order was not registered", "error", err)
	}
}

// asksOfForms asks once more about the session's earlier attempts on the gateway's own form before another one sends anything: the
// form may have taken a second card after it refused one. What it took pays the session, and the new attempt is not sent.
func asksOfForms(ctx context.Context, f *Flow, s *session.Session, a *session.Attempt) {
	for _, earlier := range s.Attempts {
		if earlier.N >= a.N || earlier.Instrument != "hosted" || earlier.State.Live() || earlier.State.Funded() {
			continue
		}
		if err := f.inquire(ctx, s.ID, earlier.N); err != nil {
			f.Log.Warn("the gateway's form could not be asked about", "session", s.ID, "attempt", earlier.N, "error", err)
		}
	}
}

// maxLost bounds how often a registration is repeated whose answer was lost. It moves no money.
const maxLost = 2

// noAnswer tells that a registration was sent and has no answer in the gateway's own words. One that is too busy to answer is left
// alone, as it asks for.
func noAnswer(err error) bool {
	f, ok := errors.AsType[*providers.Failure](err)
	return ok && f.Code == "" && providers.RetryAfter(err) == 0 && !errors.Is(err, providers.ErrUnsent) && !errors.Is(err, providers.ErrCredential) &&
		!errors.Is(err, providers.ErrReferenceTaken) && !errors.Is(err, providers.ErrAlreadyPaid) && providers.RefusalOfUs(err) == nil
}

// nextReference gives an attempt that was not sent yet the next reference that no attempt of ours has in the account.
func (ts *turns) nextReference(ctx context.Context, id string, n int) (s *session.Session, a *session.Attempt, err error) {
	for ahead := 1; ahead <= maxSkips; ahead++ {
		s, err = ts.update(ctx, id, func(t *session.Turn) error {
			a = t.S.Attempt(n)
			return t.Attempts().NextReference(n, ahead)
		})
		if !errors.Is(err, session.ErrConflict) { // an attempt of ours has that reference
			break
		}
	}
	return s, a, err
}

// alreadyPaid writes down that the order has money already, and asks about it.
func (f *Flow) alreadyPaid(ctx context.Context, id string, n int, taken *providers.AlreadyPaid, wire []session.TimelineEntry) {
	_, err := f.update(ctx, id, func(t *session.Turn) error { return t.Attempts().AlreadyPaid(n, taken, wire) })
	if err != nil {
		f.Log.Error("cannot write that an order has money already", "session", id, "attempt", n, "error", err)
		return
	}
	if err := f.inquire(ctx, id, n); err != nil {
		f.Log.Warn("the first inquiry failed", "session", id, "attempt", n, "error", err)
	}
}

// sender makes a call that can move money: one, under the name of its line in the call book.
type sender func(ctx context.Context, acc account.Account, p providers.Payment) (providers.Step, []account.Request, error)

// call is the only way a call that can move money leaves: its row in the call book, the new state and the inquiry that
// settles it after a crash are committed first, and inserting the row is the permission. Where another process has the
// permission, or the step is over, nothing is sent.
func (f *Flow) call(ctx context.Context, id string, n int, out session.Outgoing, send sender) {
	allowed := false
	p := permitted{kind: out.Kind, attempt: n, done: f.inFlight.begin(id)}
	defer p.done()
	var err error
	p.s, err = f.update(ctx, id, func(t *session.Turn) (err error) {
		allowed = false
		if p.acc, err = f.account(t.S); err != nil {
			return err
		}
		p.row, err = t.Attempts().Permit(n, out)
		allowed = err == nil
		return err
	})
	switch {
	case errors.Is(err, session.ErrCallExists):
		return // the process that has the permission sends it; the queued inquiry settles it
	case err != nil:
		f.Log.Error("cannot write down a call", "session", id, "attempt", n, "call", out.Kind, "error", err)
		return
	case !allowed:
		return
	}
	f.send(ctx, p, send)
}

// permitted is a call whose row in the call book is stored.
type permitted struct {
	s       *session.Session // as it was stored with the row
	acc     account.Account
	kind    string
	attempt int
	row     session.Call
	done    func() // ends that it counts as in flight
}

// send makes a permitted call and stores what it brought.
func (f *Flow) send(ctx context.Context, out permitted, send sender) {
	id, n := out.s.ID, out.attempt
	f.At(out.kind + ".permitted")
	p := f.payment(ctx, out.s, out.s.Attempt(n))
	var in session.CallAnswer
	var made []account.Request
	in.Step, made, in.Err = send(ctx, out.acc, p)
	in.Wire = entries(made)
	f.At(out.kind + ".answered")
	ctx = context.WithoutCancel(ctx)
	if in.Err != nil {
		f.Log.Warn("a gateway call has no clear answer", "session", id, "attempt", n, "call", out.kind, "error", in.Err)
		var refusal *providers.Refusal
		in.Untaken = errors.As(in.Err, &refusal) ||
			out.kind == session.CallPay && errors.Is(in.Err, providers.ErrUnsent) && len(in.Wire) == 0 ||
			out.kind == session.CallPay && untaken(in.Err)
		in.NumberTaken = out.kind == session.CallPay && errors.Is(in.Err, providers.ErrReferenceTaken)
		in.Refused = out.kind == session.CallResume && refused(in.Err)
		in.LoginRefused, in.LoginLost = f.loginRefused(ctx, out.s, p.Credential, in.Err)
	}
	f.answered(ctx, id, out.row, in)
	f.At(out.kind + ".stored")
}

// untaken tells that the gateway refused the account itself, or that the call was not sent, and that this proves that it did nothing.
func untaken(err error) bool {
	f, ok := errors.AsType[*providers.Failure](err)
	return ok && f.Untaken
}

// refused tells that the gateway refused in words what was sent, and that they prove that the call did nothing.
func refused(err error) bool {
	f, ok := errors.AsType[*providers.Failure](err)
	return ok && f.Untaken && (f.Code != "" || f.Text != "")
}

// answerWaits is how long an answer that decides nothing waits for the inquiry that does, to be stored with it.
const answerWaits = time.Second

// answered stores what a call brought. Where only an inquiry tells what that means, the gateway is asked first, and both are
// stored in one save: until then the call has no answer in the book, and the inquiry that is queued for its deadline asks. An
// inquiry that takes long does not keep the answer from being stored.
func (f *Flow) answered(ctx context.Context, id string, row session.Call, in session.CallAnswer) {
	log := f.Log.With("session", id, "attempt", row.Attempt)
	var mu sync.Mutex
	stored, asks := false, false
	store := func(with *session.InquiryAnswer) (ask bool) { // ask: it is stored, and the gateway is still to be heard
		mu.Lock()
		defer mu.Unlock()
		if stored {
			return asks
		}
		_, effects, err := f.turn(ctx, id, func(t *session.Turn) (err error) {
			if asks, err = t.Attempts().Answered(row, in); err != nil || with == nil {
				return err
			}
			asks = false
			if err = t.Inquired(row.Attempt, *with); errors.Is(err, session.ErrNothing) {
				err = nil
			}
			return err
		})
		if err != nil {
			log.Error("cannot store a gateway's answer; the inquiry will ask again", "error", err)
			return false
		}
		stored = true
		if with != nil {
			f.At("status.stored")
		}
		release(ctx, f, id, effects)
		return asks
	}
	s, a := f.decidedByInquiry(ctx, id, row, in)
	var err error
	if a == nil { // the gateway is asked at once; the queued inquiry follows if this one fails
		if store(nil) {
			err = f.inquire(ctx, id, row.Attempt)
		}
	} else {
		late := time.AfterFunc(answerWaits, func() {
			f.At("answer.waited")
			store(nil)
		})
		begun := f.called.asking()
		heard := asking{f}.hear(ctx, s, a)
		late.Stop()
		if store(&heard) {
			err = f.heard(ctx, s, a, heard, begun)
		} else if heard.Err == nil {
			f.called.asked(id, row.Attempt, begun)
		}
	}
	if err != nil {
		log.Warn("the first inquiry failed", "error", err)
	}
}

// decidedByInquiry is the attempt as a call's answer leaves it, where that answer decides nothing and an inquiry may be made; nil
// where the answer is to be stored first.
func (f *Flow) decidedByInquiry(ctx context.Context, id string, row session.Call, in session.CallAnswer) (
	*session.Session, *session.Attempt,
) {
	s, err := f.Store.Load(ctx, id)
	if err != nil || in.Err != nil {
		return nil, nil
	}
	t := f.newTurn(s)
	ask, err := t.Attempts().Answered(row, in)
	a := s.Attempt(row.Attempt)
	if err != nil || !ask || a.State != session.Gateway || !(session.Asking{Turn: t}).MayAsk(a) {
		return nil, nil
	}
	return s, a
}

// CardAgain takes the attempt's card, typed once more because it is no longer in memory. session.ErrOtherCard where first six or
// last four digits differ; ErrStale where the step is over.
func (f *Flow) CardAgain(ctx context.Context, id string, in Submission) error {
	s, err := f.Store.Load(ctx, id)
	if err != nil {
		return err
	}
	a := s.NeedsCardAgain()
	if a == nil {
		return session.ErrStale
	}
	if in.Card.Sealed.Zero() { // of an encrypted one nobody here knows the digits, and it is good for one call
		if !a.Card.Same(in.Card.Number) {
			return session.ErrOtherCard
		}
		f.vault.put(attemptKey(s.ID, a.N), in.Card)
	}
	if _, err := f.account(s); err != nil {
		return err
	}
	answer := providers.Answer{Kind: providers.CardAgain, Browser: a.Browser, Card: &in.Card, CompInd: a.Run().CompInd}
	f.calls.run(func(ctx context.Context) {
		if err := f.resume(ctx, s, a, answer); err != nil {
			f.Log.Warn("a card that was typed again was not sent", "session", s.ID, "attempt", a.N, "error", err)
		}
	})
	return nil
}

// resume sends the browser's answer, if the attempt is still as it was loaded. Nothing is read between the permission and the
// call: a failure there would leave a permission without a call.
func (f *Flow) resume(ctx context.Context, s *session.Session, a *session.Attempt, answer providers.Answer) error {
	if err := f.recall.laterAttempts(ctx, s, a); err != nil {
		return err
	}
	f.call(ctx, s.ID, a.N, session.Outgoing{Kind: session.CallResume, From: a.State, StepN: a.StepN}, forwards(answer))
	return nil
}
