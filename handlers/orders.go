package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"

	"tollgate/internal/i18n"
	"tollgate/internal/merchant"
	"tollgate/internal/money"
	"tollgate/internal/webhook"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

// orders holds the checks that all requests that take or send money share.
type orders struct{ Options }

var (
	orderID = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	phone   = regexp.MustCompile(`^\+?[0-9]{5,15}$`)
	country = regexp.MustCompile(`^[A-Z]{2}$`)
)

// maxOrderID is the length of an order id: with a hyphen and three digits a reference is 36 characters, which every gateway
// takes.
const maxOrderID = 32

// MaxAmount is the largest amount of a session in minor units: twelve digits, as 3-D Secure writes them.
const MaxAmount = 999_999_999_999

// flowUnderClaim is the flow whose changes are saved together with the request's idempotency claim.
func (a orders) flowUnderClaim(ctx context.Context) flow.Claimed {
	claim := claimOf(ctx)
	if claim == nil {
		return a.Flow.Under(nil)
	}
	return a.Flow.Under(&session.Claim{Merchant: claim.Merchant, Key: claim.Key, Token: claim.Token})
}

// createdUnderClaim is the session that an earlier run of the same idempotent request made before its process died, or nil.
func (a orders) createdUnderClaim(ctx context.Context) (*session.Session, error) {
	claim := claimOf(ctx)
	if claim == nil || claim.Effect.Session == "" {
		return nil, nil
	}
	return a.Store.Load(ctx, claim.Effect.Session)
}

// fieldErrors collects what is wrong with a request.
type fieldErrors []FieldError

func (f *fieldErrors) add(field, detail string) {
	*f = append(*f, FieldError{Pointer: "/" + field, Detail: detail})
}

// oneOf is the value, or first where there is none.
func (f *fieldErrors) oneOf(field, value, first string, others ...string) string {
	if value == "" {
		return first
	}
	if value != first && !slices.Contains(others, value) {
		f.add(field, "must be one of "+strings.Join(append([]string{first}, others...), ", "))
	}
	return value
}

func (f *fieldErrors) text(field, value string, most int) {
	if len([]rune(value)) > most {
		f.add(field, fmt.Sprintf("must be at most %d characters", most))
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
		f.add(field, "must not hold control characters")
	}
}

// session checks everything that is Tollgate's to check, all faults at once.
func (a orders) session(ctx context.Context, in NewSession) (*session.Session, error) {
	m := merchantOf(ctx)
	var bad fieldErrors
	now := a.Now()
	s := &session.Session{
		Merchant: m.ID, Account: in.Account, OrderID: in.OrderID, Fee: in.Fee,
		ManualCapture: in.Capture == CaptureModeManual, Description: in.Description, Locale: string(in.Locale),
		Customer: providers.Customer{ID: in.Customer.ID, Email: in.Customer.Email, Phone: in.Customer.Phone},
		Billing:  billing(in.Billing),
		SaveCard: in.SaveCard, SavedCard: in.SavedCard, SuccessURL: in.SuccessURL, CancelURL: in.CancelURL,
		WebhookURL: in.WebhookURL, Metadata: in.Metadata, CreatedAt: now, ExpiresAt: now.Add(30 * time.Minute),
	}
	if !m.May(in.Account) {
		bad.add("account", "is not one of the merchant's accounts")
	}
	currency, err := money.ParseCurrency(in.Currency)
	if err != nil {
		bad.add("currency", "must be a currency of ISO 4217, such as KZT")
	}
	if in.Amount <= 0 || in.Amount > MaxAmount {
		bad.add("amount", fmt.Sprintf("must be from 1 to %d minor units", int64(MaxAmount)))
	} else {
		s.Amount = money.Amount{Minor: in.Amount, Currency: currency}
	}
	if in.Fee < 0 || in.Fee > MaxAmount {
		bad.add("fee", "must not be negative")
	}
	if wrong := a.checkReference(in.Account, in.OrderID); wrong != "" {
		bad.add("order_id", wrong)
	}
	for _, u := range []struct{ field, value string }{{"success_url", in.SuccessURL}, {"cancel_url", in.CancelURL}} {
		if err := merchant.CheckReturnURL(u.value, m.ReturnOrigins, a.Sandbox); err != nil {
			bad.add(u.field, err.Error())
		}
	}
	if s.EmbedOrigin = in.EmbedOrigin; s.EmbedOrigin != "" && !slices.Contains(m.ReturnOrigins, s.EmbedOrigin) {
		bad.add("embed_origin", "must be exactly one of the merchant's return_origins")
	}
	if s.Look = in.Look; s.Look != "" && m.Look(s.Look) == nil {
		bad.add("look", "must be the name of one of the merchant's looks")
	}
	if in.WebhookURL != "" {
		var wrong *webhook.Fault
		if errors.As(a.Webhooks.CheckURL(in.WebhookURL), &wrong) {
			bad.add("webhook_url", wrong.Text)
		}
	}
	s.Kind = bad.oneOf("kind", string(in.Kind), "payment", session.KindTransfer)
	if in.Transfer != nil {
		s.Target = &session.Target{Saved: in.Transfer.SavedCard}
	}
	methods := []string{"card"}
	if acc, ok := a.Flow.Accounts[in.Account]; ok {
		methods = acc.Instruments()
	}
	s.Methods = waysIn(in.PaymentMethods, methods, &bad)
	if in.PaymentMethod == "" && len(s.Methods) > 0 && slices.Contains(methods, s.Methods[0]) {
		in.PaymentMethod = NewSessionPaymentMethod(s.Methods[0])
	}
	s.Method = bad.oneOf("payment_method", string(in.PaymentMethod), methods[0], methods[1:]...)
	if len(s.Methods) > 0 && in.PaymentMethod != "" && !slices.Contains(s.Methods, s.Method) {
		bad.add("payment_methods", "must hold payment_method, which the shopper begins with")
	}
	if in.ExpiresIn != nil {
		if *in.ExpiresIn < 60 || *in.ExpiresIn > 86400 {
			bad.add("expires_in", "must be from 60 to 86400 seconds")
		} else {
			s.ExpiresAt = now.Add(time.Duration(*in.ExpiresIn) * time.Second)
		}
	}
	checkDetails(in, &bad)
	s.Options = optionsIn(in.GatewayOptions, &bad)
	s.Cart = cartIn(in.Cart, in.Amount, &bad)
	if len(bad) > 0 {
		slices.SortFunc(bad, func(x, y FieldError) int { return strings.Compare(x.Pointer, y.Pointer) })
		return nil, &invalidRequest{bad}
	}
	s.RefTag, err = a.tag(ctx, in.Account)
	return s, err
}

// waysIn are the ways to pay that the shopper may choose among.
func waysIn(named []PaymentMethod, methods []string, bad *fieldErrors) (ways []string) {
	for i, one := range named {
		way := string(one)
		switch {
		case !slices.Contains(methods, way):
			bad.add(fmt.Sprintf("payment_methods/%d", i), "must be one of "+strings.Join(methods, ", "))
		case slices.Contains(ways, way):
			bad.add(fmt.Sprintf("payment_methods/%d", i), "is named twice")
		}
		ways = append(ways, way)
	}
	if named != nil && len(named) == 0 {
		bad.add("payment_methods", "must name at least one way to pay")
	}
	if slices.Contains(ways, "saved_card") && !slices.Contains(ways, "card") {
		bad.add("payment_methods", "saved_card needs card beside it: the customer may have none yet")
	}
	return ways
}

// checkDetails checks what a session says of its pages, its customer and the merchant's own notes.
func checkDetails(in NewSession, bad *fieldErrors) {
	if in.Capture != "" && !in.Capture.Valid() {
		bad.add("capture", "must be one of automatic, manual")
	}
	if in.Locale != "" && !slices.Contains(i18n.Languages(), string(in.Locale)) {
		bad.add("locale", "must be one of "+strings.Join(i18n.Languages(), ", "))
	}
	bad.text("description", in.Description, 500)
	bad.text("customer/id", in.Customer.ID, 128)
	if in.Customer.Email != "" && checkEmail(in.Customer.Email) != nil {
		bad.add("customer/email", "must be an e-mail address")
	}
	if in.Customer.Phone != "" && !phone.MatchString(in.Customer.Phone) {
		bad.add("customer/phone", "must be digits with an optional + in front")
	}
	of := in.Billing
	for field, value := range map[string]string{
		"first_name": of.FirstName, "last_name": of.LastName, "address": of.Address, "city": of.City, "state": of.State,
		"zip":   of.Zip,
		"phone": of.Phone, "email": of.Email,
	} {
		bad.text("billing/"+field, value, 100)
	}
	if of.Country != "" && !country.MatchString(of.Country) {
		bad.add("billing/country", "must be two capital letters of ISO 3166")
	}
	if len(in.Metadata) > 20 {
		bad.add("metadata", "must have at most 20 members")
	}
	for k, v := range in.Metadata {
		if len(k) > 40 || len(v) > 500 {
			bad.add("metadata/"+pointerName(k), "names are at most 40, values at most 500 bytes long")
		}
	}
}

// checkReference says what is wrong with an order id or a reference; "" nothing. Where a tag stands in front of it there is
// room for less.
func (a orders) checkReference(account, reference string) string {
	most := maxOrderID
	if a.Merchants.Shared(account) {
		most -= merchant.TagLength
	}
	if !orderID.MatchString(reference) || len(reference) > most {
		return fmt.Sprintf("must be 1 to %d of A-Z a-z 0-9 . _ -", most)
	}
	return ""
}

// tag stands in front of the caller's references in an account that other merchants use too; "" elsewhere.
func (a orders) tag(ctx context.Context, account string) (string, error) {
	if !a.Merchants.Shared(account) {
		return "", nil
	}
	return a.Tags.Tag(ctx, merchantOf(ctx).ID)
}

func checkEmail(text string) error {
	addr, err := mail.ParseAddress(text)
	if err == nil && (addr.Address != text || len(text) > 100) {
		err = errInvalid
	}
	return err
}

func billing(b Billing) providers.Billing {
	return providers.Billing{
		FirstName: b.FirstName, LastName: b.LastName, Address: b.Address, City: b.City, State: b.State, Zip: b.Zip,
		Country: b.Country,
		Phone:   b.Phone, Email: b.Email,
	}
}

func (a orders) object(s *session.Session) Session {
	o := Session{
		ID: s.ID, URL: a.BaseURL + payPath(s.ID), Kind: SessionKind(s.Kind), Status: SessionStatus(s.Status()),
		OutcomeKnown: s.OutcomeKnown(),
		Account:      s.Account, Amount: s.Amount.Minor, Currency: s.Amount.Currency.Code, Fee: s.Fee, OrderID: s.OrderID,
		PaymentMethod: Instrument(s.Method), Capture: CaptureModeAutomatic, Description: s.Description, SuccessURL: s.SuccessURL,
		CancelURL: s.CancelURL, Locale: Locale(s.Locale), Customer: customerOf(s.Customer), EmbedOrigin: s.EmbedOrigin, Look: s.Look,
		SaveCard:   s.SaveCard,
		SavedCard:  s.SavedCard,
		WebhookURL: s.WebhookURL, Metadata: s.Metadata, CreatedAt: s.CreatedAt.UTC(), ExpiresAt: s.ExpiresAt.UTC(),
		PaymentMethods: waysOut(s.Methods),
		Attempts:       []Attempt{}, NeedsReview: s.NeedsReview(), Held: s.Held(), Reviews: reviewsOf(s), Settlements: settlementsOf(s),
	}
	o.GatewayOptions, o.Cart = optionsOut(s.Options), cartOut(s.Cart)
	if s.Target != nil && s.Target.Saved != "" {
		o.Transfer = &NewTransfer{SavedCard: s.Target.Saved}
	}
	if s.ManualCapture {
		o.Capture = CaptureModeManual
	}
	for _, op := range s.Operations {
		o.Operations = append(o.Operations, operationOf(s, op))
	}
	for _, at := range s.Attempts {
		view := Attempt{
			N: at.N, State: AttemptState(at.State), Reference: at.Ref.Reference, Instrument: Instrument(at.Instrument),
			Card: masked(at.Card), To: targetOf(at),
			Decline: declineOfAttempt(at), PaidLate: at.PaidLate, CreatedAt: at.CreatedAt.UTC(), Runs: []Run{},
			HeldFor: at.Mismatch, NeedsReview: at.NeedsReview,
		}
		for _, r := range at.Runs {
			view.Runs = append(view.Runs, Run{
				N: r.N, ThreeDsServerTransID: r.IDs.ThreeDSServerTransID, CompInd: RunCompInd(r.CompInd),
				MethodAt:   r.MethodAt.UTC(),
				NotifiedAt: r.NotifiedAt.UTC(), ShownAt: r.ShownAt.UTC(), ReturnedAt: r.ReturnedAt.UTC(),
			})
		}
		o.Attempts = append(o.Attempts, view)
		if at.State.Funded() {
			o.Payment = paymentOf(at)
		}
	}
	return o
}

func waysOut(ways []string) (out []PaymentMethod) {
	for _, way := range ways {
		out = append(out, PaymentMethod(way))
	}
	return out
}

// paymentOf is the money of an attempt.
func paymentOf(a *session.Attempt) *Payment {
	p := &Payment{
		AmountAuthorized: a.AmountAuthorized, AmountCaptured: a.Captured, AmountRefunded: a.Refunded, AmountDisputed: a.Disputed,
		Dispute: PaymentDispute(a.Dispute), GatewayOrderID: a.Ref.OrderID,
	}
	if !a.InquiredAt.IsZero() {
		p.LastChecked = a.InquiredAt.UTC()
	}
	if t := a.ThreeDS; t != (providers.ThreeDS{}) {
		p.ThreeDs = &ThreeDS{Version: t.Version, TransStatus: t.TransStatus, Eci: t.ECI}
	}
	p.Authorization, p.Receipts = authorizationOf(a.Authorization), receiptsOf(a)
	return p
}
