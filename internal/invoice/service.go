package invoice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/jobs"
	"tollgate/providers"
)

// Options is what a Service needs.
type Options struct {
	Store    Store
	Accounts account.Accounts
	Now      func() time.Time
	Sure     func(context.Context) error // see flow.Options
	BaseURL  string                      // the front's public address, no slash at the end
	Token    func() (string, error)      // makes what is unguessable in an id
	Log      *slog.Logger
}

// Service is the only thing that changes an invoice. It may run on many machines at once over one store.
type Service struct{ Options }

// New makes a Service.
func New(o Options) *Service { return &Service{o} }

// sure is Sure, where there is one.
func (s *Service) sure(ctx context.Context) error {
	if s.Sure == nil {
		return nil
	}
	return s.Sure(ctx)
}

// account finds one that bills. account.ErrCannot for one that does not.
func (s *Service) account(name string) (account.Account, error) {
	acc, err := s.Accounts.Find(name)
	if err == nil && !acc.Bills() {
		err = account.ErrCannot
	}
	return acc, err
}

// Create makes an invoice at the gateway. The row is written first: repeated with the same reference and terms it finds that
// one and, where it is not known whether the gateway has it, asks before it makes it again. Other terms are ErrReference.
// A gateway without a clear answer leaves the invoice Unknown, which is no error.
func (s *Service) Create(ctx context.Context, in Invoice) (Invoice, error) {
	acc, err := s.account(in.Account)
	if err != nil {
		return in, err
	}
	if err := s.sure(ctx); err != nil {
		return in, err
	}
	token, err := s.Token()
	if err != nil {
		return in, err
	}
	in.ID, in.CreatedAt = "inv_"+token, s.Now()
	in.reserve(acc, in.CreatedAt)
	err = s.Store.AddInvoice(ctx, &in, in.schedule(Change{}, in.CreatedAt))
	if err == nil {
		return s.send(ctx, in)
	}
	if !errors.Is(err, ErrReference) {
		return in, err
	}
	earlier, err := s.Store.InvoiceOf(ctx, in.Account, in.Reference)
	if err != nil {
		return in, err
	}
	if earlier.Merchant != in.Merchant || earlier.Amount != in.Amount || earlier.Description != in.Description ||
		earlier.Customer != in.Customer || earlier.ReturnURL != in.ReturnURL {
		return in, ErrReference
	}
	if earlier.GatewayID == "" {
		if earlier, err = s.recover(ctx, earlier); err != nil {
			return earlier, err
		}
	}
	if earlier.Status == Open && earlier.URL == "" && !s.Now().Before(earlier.Deadline) { // the answer with its address was lost
		return s.renew(ctx, earlier)
	}
	return earlier, nil
}

// Inquire asks the gateway how an invoice stands, unless that cannot change any more. Without a clear answer it stands as
// before.
func (s *Service) Inquire(ctx context.Context, merchant, id string) (Invoice, error) {
	in, err := s.Store.Invoice(ctx, merchant, id)
	if err != nil || in.Status == Paid {
		return in, err
	}
	return s.inquire(ctx, in)
}

// Renew gives an invoice a new address, where it is not paid; the old one dies. ErrPaid for one that is paid. What the gateway
// does not have is made.
func (s *Service) Renew(ctx context.Context, merchant, id string) (Invoice, error) {
	in, err := s.Inquire(ctx, merchant, id)
	if err != nil {
		return in, err
	}
	if in.Status == Paid {
		return in, ErrPaid
	}
	if in.GatewayID == "" {
		return s.recover(ctx, in)
	}
	return s.renew(ctx, in)
}

func (s *Service) renew(ctx context.Context, in Invoice) (Invoice, error) {
	said, err := s.call(ctx, in, "invoice", func(call context.Context, gateway providers.Invoicer, of providers.Invoice) (
		providers.Invoice, error,
	) {
		return gateway.RenewInvoice(call, of)
	})
	if err != nil {
		return in, err
	}
	return s.record(ctx, in, said)
}

// recover makes an invoice that the gateway may not have. Nobody does so before the deadline of the call that was to make it.
func (s *Service) recover(ctx context.Context, in Invoice) (Invoice, error) {
	in, err := s.inquire(ctx, in)
	if err != nil || in.Status != Failed {
		return in, err
	}
	acc, err := s.account(in.Account)
	if err != nil {
		return in, err
	}
	now := s.Now()
	in.reserve(acc, now)
	if err := s.Store.SaveInvoice(ctx, &in, in.schedule(Change{}, now)); err != nil { // ErrConflict: somebody else makes it
		return in, err
	}
	return s.send(ctx, in)
}

// send makes the call that an invoice's row permits, unless it comes too late for that.
func (s *Service) send(ctx context.Context, in Invoice) (Invoice, error) {
	if acc, err := s.account(in.Account); err != nil || !s.Now().Before(in.Deadline.Add(-acc.CallTimeout)) {
		return in, err
	}
	said, err := s.call(ctx, in, "invoice", func(call context.Context, gateway providers.Invoicer, of providers.Invoice) (
		providers.Invoice, error,
	) {
		return gateway.CreateInvoice(call, of)
	})
	if refusal, ok := errors.AsType[*providers.Refusal](err); ok { // before any call
		return in, errors.Join(refusal, s.Store.DropInvoice(context.WithoutCancel(ctx), &in))
	}
	if err != nil {
		s.Log.Warn("an invoice has no clear answer", "invoice", in.ID, "error", err)
		return in, nil
	}
	return s.record(ctx, in, said)
}

func (s *Service) inquire(ctx context.Context, in Invoice) (Invoice, error) {
	said, err := s.call(ctx, in, "inquire", func(call context.Context, gateway providers.Invoicer, of providers.Invoice) (
		providers.Invoice, error,
	) {
		return gateway.InquireInvoice(call, of)
	})
	if err != nil {
		s.Log.Warn("an invoice has no clear answer", "invoice", in.ID, "error", err)
		return in, nil
	}
	return s.record(ctx, in, said)
}

// call makes one call about an invoice.
func (s *Service) call(ctx context.Context, in Invoice, name string,
	do func(context.Context, providers.Invoicer, providers.Invoice) (providers.Invoice, error),
) (said providers.Invoice, err error) {
	acc, err := s.account(in.Account)
	if err != nil {
		return said, err
	}
	ctx, done := account.Detached(ctx)
	defer done()
	customer := in.Customer
	if customer.ID != "" { // a neighbour who shares the account may call another the same
		customer.ID = in.RefTag + customer.ID
	}
	_, err = account.Call(ctx, acc, name, func(call context.Context, gateway providers.Invoicer) (err error) {
		said, err = do(call, gateway, providers.Invoice{
			Reference: in.Reference, GatewayID: in.GatewayID, Amount: in.Amount, Description: in.Description, Customer: customer,
			ReturnURL: in.ReturnURL, URL: in.URL, CallbackURL: s.BaseURL + "/callbacks/" + in.Account,
		})
		return err
	})
	return said, err
}

// record stores what the gateway said. Where somebody else stored something meanwhile, it is said of that.
func (s *Service) record(ctx context.Context, in Invoice, said providers.Invoice) (Invoice, error) {
	ctx = context.WithoutCancel(ctx)
	for {
		if err := s.sure(ctx); err != nil {
			return in, err
		}
		before, now := in, s.Now()
		if !in.apply(said, now) {
			return in, nil
		}
		err := s.Store.SaveInvoice(ctx, &in, in.changed(before, said.Status, now))
		if !errors.Is(err, ErrConflict) {
			return in, err
		}
		if in, err = s.Store.Invoice(ctx, in.Merchant, in.ID); err != nil {
			return in, err
		}
	}
}

// CalledBack takes a proved notification of a gateway that is of none of our payments: it may be of an invoice, whose later tries
// to pay the gateway may number reference-2, reference-3, …. It is a hint: an inquiry is queued, stored before this returns.
// known tells whether it is of an invoice of ours.
func (s *Service) CalledBack(ctx context.Context, account string, n providers.Notice) (known bool, err error) {
	for _, reference := range []string{n.Reference, WithoutTry(n.Reference)} {
		if reference == "" {
			continue
		}
		in, err := s.Store.InvoiceOf(ctx, account, reference)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err == nil && in.Status != Paid {
			err = s.queueNow(ctx, in)
		}
		if known = true; err != nil {
			return known, err
		}
	}
	return known, nil
}

// WithoutTry is a reference without the number of a try at its end; "" where it has none.
func WithoutTry(reference string) string {
	i := strings.LastIndexByte(reference, '-')
	if i < 1 {
		return ""
	}
	if n, err := strconv.Atoi(reference[i+1:]); err != nil || n < 2 {
		return ""
	}
	return reference[:i]
}

// queueNow has an invoice asked about at once.
func (s *Service) queueNow(ctx context.Context, in Invoice) error {
	for {
		err := s.Store.SaveInvoice(ctx, &in, Change{Inquire: s.Now()})
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if in, err = s.Store.Invoice(ctx, in.Merchant, in.ID); err != nil || in.Status == Paid {
			return err
		}
	}
}

// Jobs is what the queue has to run; each is idempotent.
func (s *Service) Jobs() map[string]func(context.Context, jobs.Job) error {
	return map[string]func(context.Context, jobs.Job) error{JobInquire: func(ctx context.Context, j jobs.Job) error {
		var task Task
		if err := json.Unmarshal(j.Payload, &task); err != nil {
			return fmt.Errorf("invoice: job %s: %w", j.Kind, err)
		}
		return s.inquireDue(ctx, task)
	}}
}

// inquireDue asks how an invoice stands. Without an answer it is asked again by the schedule.
func (s *Service) inquireDue(ctx context.Context, task Task) error {
	in, err := s.Store.Invoice(ctx, task.Merchant, task.Invoice)
	if errors.Is(err, ErrNotFound) || err == nil && in.Status == Paid {
		return nil
	}
	if err != nil {
		return err
	}
	asked := in.Version
	if in, err = s.inquire(ctx, in); err != nil || in.Version != asked { // what was said is stored, with the next inquiry
		return err
	}
	now := s.Now()
	err = s.Store.SaveInvoice(ctx, &in, in.schedule(Change{}, now))
	if errors.Is(err, ErrConflict) { // somebody else has news, and has queued the next inquiry
		return nil
	}
	return err
}
