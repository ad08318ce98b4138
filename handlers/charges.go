package handlers

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

// chargeAPI moves money without a page.
type chargeAPI struct{ orders }

// chargeWait is how long a charge or payout waits for its end; after that the answer says how far it is.
const chargeWait = 8 * time.Second

// CreateCharge is POST /v1/charges: it pays with a saved card while the customer is away, or with a wallet's token. Where the bank wants
// the customer after all, the answer is action_required with the url to send them to.
func (a chargeAPI) CreateCharge(ctx context.Context, r CreateChargeRequestObject) (CreateChargeResponseObject, error) {
	in, m := r.Body, merchantOf(ctx)
	if (in.SavedCard == "") == (in.GooglePay.Token == "") {
		return nil, fieldError("saved_card", "either this or google_pay is needed, and not both")
	}
	ip, err := addressOf(in.IP)
	if err != nil {
		return nil, err
	}
	if in.GooglePay.Token != "" {
		return a.payWithGoogle(ctx, in, ip)
	}
	saved, err := a.Customers.SavedCard(ctx, m.ID, in.SavedCard)
	if errors.Is(err, wallet.ErrNotFound) {
		return nil, fieldError("saved_card", "is not one of the merchant's saved cards")
	}
	if err != nil {
		return nil, err
	}
	if a.Flow.Accounts[saved.Account].LogsIn() {
		return nil, fieldError("saved_card", "is of a gateway that wants the customer logged in for every payment: it takes no charges")
	}
	if in.Customer.ID != "" && in.Customer.ID != saved.Customer {
		return nil, fieldError("customer/id", "is not the saved card's customer")
	}
	if in.Account != "" && in.Account != saved.Account {
		return nil, fieldError("account", "is not the saved card's account")
	}
	in.Customer.ID, in.Account = saved.Customer, saved.Account
	s, err := a.charged(ctx, in, NewSessionPaymentMethodSavedCard, saved.ID)
	if err != nil {
		return nil, err
	}
	now, err := a.submitAndWait(ctx, s, flow.Submission{Kind: "saved_card", Saved: &saved, MerchantInitiated: true, IP: ip})
	if refusal, ok := errors.AsType[*providers.Refusal](err); ok && refusal.Field == "payment_method" { // a charge names none
		err = providers.Refuse("saved_card", refusal.Text)
	}
	return CreateCharge201JSONResponse{now}, err
}

// charged is the session of a charge.
func (a chargeAPI) charged(ctx context.Context, in *NewCharge, method NewSessionPaymentMethod, saved string) (*session.Session, error) {
	s, err := a.session(ctx, NewSession{
		Account: in.Account, Amount: in.Amount, Currency: in.Currency, OrderID: in.Reference,
		SuccessURL: orShop(in.SuccessURL, a.BaseURL),
		CancelURL:  orShop(in.CancelURL, a.BaseURL), PaymentMethod: method, Capture: in.Capture,
		Description: in.Description,
		Customer:    in.Customer, Locale: in.Locale, Billing: in.Billing, Metadata: in.Metadata, WebhookURL: in.WebhookURL,
		SavedCard: saved, Fee: in.Fee, GatewayOptions: in.GatewayOptions, Cart: in.Cart,
	})
	return s, renameField(err, "order_id", "reference")
}

// addressOf is an IP address of a request, "" where it names none.
func addressOf(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return "", fieldError("ip", "must be an IPv4 or IPv6 address")
	}
	return ip.Unmap().String(), nil
}

// payWithGoogle pays with a token of Google Pay, which is in memory only. The session that is made for it takes cards like any where the
// wallet's is declined.
func (a chargeAPI) payWithGoogle(ctx context.Context, in *NewCharge, ip string) (CreateChargeResponseObject, error) {
	if in.Account == "" {
		return nil, fieldError("account", "needed with google_pay")
	}
	s, err := a.charged(ctx, in, "", "")
	if err != nil {
		return nil, err
	}
	if err := flow.CheckGooglePay(a.Flow.Accounts, s, in.GooglePay.Token); err != nil {
		return nil, err
	}
	if ip == "" {
		return nil, fieldError("ip", "needed with google_pay")
	}
	now, err := a.submitAndWait(ctx, s, flow.Submission{Kind: providers.GooglePay, IP: ip,
		Card: card.Card{Sealed: card.NewSealed(in.GooglePay.Token)}})
	return CreateCharge201JSONResponse{now}, err
}

// orShop is the given URL, or the front's own address where none was given.
func orShop(url, front string) string {
	if url == "" {
		return front + "/"
	}
	return url
}

// renameField gives a field the name that the caller knows it by.
func renameField(err error, from, to string) error {
	if bad, ok := err.(*invalidRequest); ok {
		for i := range bad.fields {
			if bad.fields[i].Pointer == "/"+from {
				bad.fields[i].Pointer = "/" + to
			}
		}
	}
	return err
}

// mostUnsent is how many sessions that never sent anything one reference may have.
const mostUnsent = 50

// submitAndWait creates a session under whose order id nothing was ever sent, pays it without a page, and waits a while for its end. Where
// an earlier run of the same idempotent request created it, that one is paid, unless it was already.
func (a chargeAPI) submitAndWait(ctx context.Context, s *session.Session, in flow.Submission) (SessionNowJSONResponse, error) {
	var none SessionNowJSONResponse
	earlier, err := a.createdUnderClaim(ctx)
	if err != nil {
		return none, err
	}
	if earlier != nil {
		s = earlier
	} else {
		used, err := a.Store.List(ctx, session.Filter{Merchant: s.Merchant, Account: s.Account, OrderID: s.OrderID, Limit: mostUnsent})
		if err != nil {
			return none, err
		}
		for _, one := range used { // a reference is used up by what was sent, and not by what never was
			if !one.NeverSent() || len(used) == mostUnsent {
				return none, &session.OrderTaken{SessionID: one.ID}
			}
		}
		if err := a.flowUnderClaim(ctx).Create(ctx, s); err != nil {
			return none, err
		}
	}
	if len(s.Attempts) == 0 {
		if err := a.flowUnderClaim(ctx).Submit(ctx, s.ID, in); err != nil {
			return none, err
		}
	}
	limited, done := context.WithTimeout(ctx, chargeWait)
	defer done()
	s, err = a.Flow.Wait(limited, s.ID, func(s *session.Session) bool {
		return s.Live() == nil || s.Live().State == session.Shopper || s.Live().State == session.Unknown
	})
	if err != nil {
		return none, err
	}
	return SessionNowJSONResponse(a.object(s)), nil
}

// CreatePayout is POST /v1/payouts: it sends money out. The card number of a destination is in memory only.
func (a chargeAPI) CreatePayout(ctx context.Context, r CreatePayoutRequestObject) (CreatePayoutResponseObject, error) {
	in, m := r.Body, merchantOf(ctx)
	s, err := a.session(ctx, NewSession{
		Account: in.Account, Amount: in.Amount, Currency: in.Currency, OrderID: in.Reference, SuccessURL: a.BaseURL + "/",
		CancelURL:   a.BaseURL + "/",
		Description: in.Description, Metadata: in.Metadata, WebhookURL: in.WebhookURL,
	})
	if err != nil {
		return nil, renameField(err, "order_id", "reference")
	}
	to, err := a.destination(ctx, m.ID, in)
	if err != nil {
		return nil, err
	}
	s.Kind, s.Method = session.KindPayout, session.KindPayout
	if err := a.Flow.CheckPayout(s, *to); err != nil {
		return nil, err
	}
	now, err := a.submitAndWait(ctx, s, flow.Submission{Kind: session.KindPayout, To: to})
	return CreatePayout201JSONResponse{now}, err
}

func (a chargeAPI) destination(ctx context.Context, owner string, in *NewPayout) (*providers.Destination, error) {
	to := &providers.Destination{BankID: in.To.BankID, First: in.To.FirstName, Middle: in.To.MiddleName, Last: in.To.LastName}
	bad := func(field, detail string) error { return fieldError("to"+field, detail) }
	ways := 0
	if in.To.Card != nil {
		ways++
		number, err := card.ParseNumber(in.To.Card.Number)
		if err != nil {
			return nil, bad("/card/number", "is not a card number")
		}
		to.Card = &card.Card{Number: number, Name: in.To.Card.Holder}
	}
	if in.To.SavedCard != "" {
		ways++
		saved, err := a.Customers.SavedCard(ctx, owner, in.To.SavedCard)
		if err != nil && !errors.Is(err, wallet.ErrNotFound) {
			return nil, err
		}
		if err != nil || saved.Account != in.Account {
			return nil, bad("/saved_card", "is not one of the merchant's saved cards in this account")
		}
		to.Saved = saved.GatewayID
	}
	if in.To.Phone != "" {
		if in.To.Card == nil { // beside a card it is the card holder's
			ways++
		}
		if !phone.MatchString(in.To.Phone) {
			return nil, bad("/phone", "must be digits with an optional + in front")
		}
		to.Phone = card.OnlyDigits(in.To.Phone)
	}
	if in.To.Payment != "" {
		ways++
		paid, err := a.Store.Load(ctx, in.To.Payment)
		if err != nil && !errors.Is(err, session.ErrNotFound) {
			return nil, err
		}
		if err != nil || paid.Merchant != owner || paid.Account != in.Account || paid.FundedAttempt() == nil {
			return nil, bad("/payment", "is not a payment of this account")
		}
		to.PaymentID = paid.FundedAttempt().Ref.OrderID
	}
	if ways != 1 {
		return nil, bad("", "must name exactly one of card, saved_card, phone and payment; beside a card a phone is its holder's")
	}
	return to, nil
}
