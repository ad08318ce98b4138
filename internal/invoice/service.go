package invoice

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"tollgate/internal/account"
	"tollgate/providers"
)

// Options is what a Service needs.
type Options struct {
	Store    Store
	Accounts account.Accounts
	Now      func() time.Time
	Token    func() (string, error) // makes what is unguessable in an id
	Log      *slog.Logger
}

// Service is the only thing that changes an invoice. It may run on many machines at once over one store.
type Service struct{ Options }

// New makes a Service.
func New(o Options) *Service { return &Service{o} }

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
	token, err := s.Token()
	if err != nil {
		return in, err
	}
	in.ID, in.CreatedAt = "inv_"+token, s.Now()
	in.reserve(acc, in.CreatedAt)
	err = s.Store.AddInvoice(ctx, &in)
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
	in.reserve(acc, s.Now())
	if err := s.Store.SaveInvoice(ctx, &in); err != nil { // ErrConflict: somebody else makes it
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
	_, err = account.Call(ctx, acc, name, func(call context.Context, gateway providers.Invoicer) (err error) {
		said, err = do(call, gateway, providers.Invoice{
			Reference: in.Reference, GatewayID: in.GatewayID, Amount: in.Amount, Description: in.Description, Customer: in.Customer,
			ReturnURL: in.ReturnURL, URL: in.URL,
		})
		return err
	})
	return said, err
}

// record stores what the gateway said. Where somebody else stored something meanwhile, it is said of that.
func (s *Service) record(ctx context.Context, in Invoice, said providers.Invoice) (Invoice, error) {
	ctx = context.WithoutCancel(ctx)
	for {
		if !in.apply(said, s.Now()) {
			return in, nil
		}
		err := s.Store.SaveInvoice(ctx, &in)
		if !errors.Is(err, ErrConflict) {
			return in, err
		}
		if in, err = s.Store.Invoice(ctx, in.Merchant, in.ID); err != nil {
			return in, err
		}
	}
}
