package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tollgate/internal/card"
	"tollgate/internal/i18n"
	"tollgate/internal/merchant"
	"tollgate/internal/money"
	"tollgate/internal/wallet"
	"tollgate/internal/webhook"
	"tollgate/providers"
	"tollgate/session"
)

// api is the merchant's side: the operations of the contract. Refusals are errors, which errors.go tells.
type api struct{ Options }

var _ StrictServerInterface = api{}

type (
	merchantKey struct{}
	callerKey   struct{}
	sessionKey  struct{}
	claimKey    struct{}
)

func (a api) authenticated(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		m, key, err := a.Merchants.ByKey(r.Header.Get(echo.HeaderAuthorization), a.Now())
		if err != nil {
			return err
		}
		revoked, err := a.Revocations.Revoked(r.Context(), key.Hash)
		if err != nil {
			return err
		}
		if revoked {
			return merchant.ErrKey
		}
		ctx := context.WithValue(r.Context(), merchantKey{}, m)
		c.SetRequest(r.WithContext(context.WithValue(ctx, callerKey{}, key)))
		return next(c)
	}
}

func merchantOf(ctx context.Context) merchant.Merchant {
	return ctx.Value(merchantKey{}).(merchant.Merchant)
}

// keyOf is the key that the caller showed.
func keyOf(ctx context.Context) merchant.Key {
	return ctx.Value(callerKey{}).(merchant.Key)
}

// owned refuses what is another merchant's, as if it did not exist, before anything is said of the body. The session that
// a path names is loaded here; sessionOf has it.
func (a api) owned(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		m := merchantOf(r.Context()).ID
		if id := c.Param("session"); id != "" {
			s, err := a.Store.Load(r.Context(), id)
			if err != nil {
				return err
			}
			if s.Merchant != m {
				return session.ErrNotFound
			}
			c.SetRequest(r.WithContext(context.WithValue(r.Context(), sessionKey{}, s)))
		}
		if id := c.Param("endpoint"); id != "" {
			if _, err := a.Webhooks.Read(r.Context(), m, id); err != nil {
				return err
			}
		}
		return next(c)
	}
}

// sessionOf is the session that the request's path names, the caller's own.
func sessionOf(ctx context.Context) *session.Session {
	return ctx.Value(sessionKey{}).(*session.Session)
}

// under registers the contract's routes, whose paths are whole, in the group of their common prefix.
type under struct {
	*echo.Group
	prefix string
}

func (u under) GET(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	return u.Group.GET(strings.TrimPrefix(path, u.prefix), h, m...)
}

func (u under) POST(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	return u.Group.POST(strings.TrimPrefix(path, u.prefix), h, m...)
}

func (u under) PATCH(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	return u.Group.PATCH(strings.TrimPrefix(path, u.prefix), h, m...)
}

func (u under) DELETE(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	return u.Group.DELETE(strings.TrimPrefix(path, u.prefix), h, m...)
}

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

// CreateSession is POST /v1/sessions.
func (a api) CreateSession(ctx context.Context, r CreateSessionRequestObject) (CreateSessionResponseObject, error) {
	s, err := a.created(ctx)
	if s == nil && err == nil {
		if s, err = a.session(ctx, *r.Body); err == nil {
			err = a.beginsWith(ctx, s)
		}
		if err == nil {
			err = a.claimed(ctx).Create(ctx, s)
		}
	}
	if err != nil {
		return nil, err
	}
	return CreateSession201JSONResponse{Body: a.object(s), Headers: CreateSession201ResponseHeaders{Location: a.BaseURL + "/v1/sessions/" + s.ID}}, nil
}

// beginsWith checks the saved card that a new session names. Where customers log in, whose it is turns out then.
func (a api) beginsWith(ctx context.Context, s *session.Session) error {
	if s.SavedCard == "" {
		return nil
	}
	saved, err := a.Customers.SavedCard(ctx, s.Merchant, s.SavedCard)
	if err != nil && !errors.Is(err, wallet.ErrNotFound) {
		return err
	}
	logsIn := a.Flow.Accounts[s.Account].LogsIn()
	if err != nil || saved.Account != s.Account || !logsIn && saved.Customer != s.Customer.ID {
		return faulty("saved_card", "is not one of the customer's saved cards in this account")
	}
	return nil
}

// created is the session that an earlier run of the same idempotent request made before its process died, or nil.
func (a api) created(ctx context.Context) (*session.Session, error) {
	claim := claimOf(ctx)
	if claim == nil || claim.Effect.Session == "" {
		return nil, nil
	}
	return a.Store.Load(ctx, claim.Effect.Session)
}

// strictJSON reads one JSON object; unknown members are refused, so that a misspelt one is not silently lost. So is the
// character NUL, wherever it stands: PostgreSQL stores no text with it. No body at all is io.EOF as well, for operations
// that can do without.
type strictJSON struct{}

// Bind is errBadJSON, or *invalid where a member is at fault.
func (strictJSON) Bind(v any, c echo.Context) error {
	body, err := io.ReadAll(c.Request().Body)
	var he *echo.HTTPError
	if errors.As(err, &he) { // too large
		return he
	}
	if err != nil || holdsNUL(body) {
		return errBadJSON
	}
	if len(body) == 0 {
		return fmt.Errorf("%w: %w", errBadJSON, io.EOF)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err = d.Decode(&v)
	if err == nil && v == nil { // null is no object
		return errBadJSON
	}
	if err == nil {
		if _, trailing := d.Token(); trailing != io.EOF {
			err = errBadJSON
		}
	}
	if err == nil {
		return nil
	}
	if bad := misfits(body, reflect.TypeOf(v)); len(bad) > 0 {
		return &invalid{bad}
	}
	return errBadJSON
}

// pointed says of a parameter that cannot be read what is said of any field; generated code knows it as a 400. A number in
// the path that is none finds nothing.
func pointed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		he, ok := errors.AsType[*echo.HTTPError](err)
		if !ok {
			return err
		}
		name, ok := strings.CutPrefix(fmt.Sprint(he.Message), "Invalid format for parameter ")
		if !ok {
			return err
		}
		name, _, _ = strings.Cut(name, ":")
		if slices.Contains(c.ParamNames(), name) {
			return session.ErrNotFound
		}
		return faulty(name, "must be a whole number") // all others are text
	}
}

func holdsNUL(body []byte) bool {
	if !bytes.Contains(body, []byte(`\u0000`)) {
		return false
	}
	for d := json.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if err != nil { // the end, or no JSON: that is found elsewhere
			return false
		}
		if text, _ := token.(string); strings.Contains(text, "\x00") {
			return true
		}
	}
}

// session checks everything that is Tollgate's to check, all faults at once.
func (a api) session(ctx context.Context, in NewSession) (*session.Session, error) {
	m := merchantOf(ctx)
	var bad []FieldError
	fault := func(field, detail string) { bad = append(bad, FieldError{Pointer: "/" + field, Detail: detail}) }
	now := a.Now()
	s := &session.Session{
		Merchant: m.ID, Account: in.Account, OrderID: in.OrderID, Fee: in.Fee,
		Hold: in.Capture == CaptureModeManual, Description: in.Description, Locale: string(in.Locale),
		Customer: providers.Customer{ID: in.Customer.ID, Email: in.Customer.Email, Phone: in.Customer.Phone}, Billing: billing(in.Billing),
		SaveCard: in.SaveCard, SavedCard: in.SavedCard, SuccessURL: in.SuccessURL, CancelURL: in.CancelURL,
		WebhookURL: in.WebhookURL, Metadata: in.Metadata, CreatedAt: now, ExpiresAt: now.Add(30 * time.Minute),
	}
	if !m.May(in.Account) {
		fault("account", "is not one of the merchant's accounts")
	}
	currency, err := money.ParseCurrency(in.Currency)
	if err != nil {
		fault("currency", "must be a currency of ISO 4217, such as KZT")
	}
	if in.Amount <= 0 || in.Amount > MaxAmount {
		fault("amount", fmt.Sprintf("must be from 1 to %d minor units", int64(MaxAmount)))
	} else {
		s.Amount = money.Amount{Minor: in.Amount, Currency: currency}
	}
	if in.Fee < 0 || in.Fee > MaxAmount {
		fault("fee", "must not be negative")
	}
	if wrong := a.checkReference(in.Account, in.OrderID); wrong != "" {
		fault("order_id", wrong)
	}
	for _, u := range []struct{ field, value string }{{"success_url", in.SuccessURL}, {"cancel_url", in.CancelURL}} {
		if err := merchant.CheckReturnURL(u.value, m.ReturnOrigins, a.Sandbox); err != nil {
			fault(u.field, err.Error())
		}
	}
	if in.WebhookURL != "" {
		var wrong *webhook.Fault
		if errors.As(a.Webhooks.CheckURL(in.WebhookURL), &wrong) {
			fault("webhook_url", wrong.Text)
		}
	}
	oneOf := func(field, value, first string, others ...string) string {
		if value == "" {
			return first
		}
		if value != first && !slices.Contains(others, value) {
			fault(field, "must be one of "+strings.Join(append([]string{first}, others...), ", "))
		}
		return value
	}
	s.Kind = oneOf("kind", string(in.Kind), "payment", session.KindTransfer)
	if in.Transfer != nil {
		s.Target = &session.Target{Saved: in.Transfer.SavedCard}
	}
	methods := []string{"card"}
	if acc, ok := a.Flow.Accounts[in.Account]; ok {
		methods = acc.Instruments()
	}
	s.Method = oneOf("payment_method", string(in.PaymentMethod), methods[0], methods[1:]...)
	if in.Capture != "" && !in.Capture.Valid() {
		fault("capture", "must be one of automatic, manual")
	}
	if in.Locale != "" && !slices.Contains(i18n.Languages(), string(in.Locale)) {
		fault("locale", "must be one of "+strings.Join(i18n.Languages(), ", "))
	}
	if in.ExpiresIn != nil {
		if *in.ExpiresIn < 60 || *in.ExpiresIn > 86400 {
			fault("expires_in", "must be from 60 to 86400 seconds")
		} else {
			s.ExpiresAt = now.Add(time.Duration(*in.ExpiresIn) * time.Second)
		}
	}
	length := func(field, value string, most int) {
		if len([]rune(value)) > most {
			fault(field, fmt.Sprintf("must be at most %d characters", most))
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
			fault(field, "must not hold control characters")
		}
	}
	length("description", in.Description, 500)
	length("customer/id", in.Customer.ID, 128)
	if in.Customer.Email != "" {
		if checkEmail(in.Customer.Email) != nil {
			fault("customer/email", "must be an e-mail address")
		}
	}
	if in.Customer.Phone != "" && !phone.MatchString(in.Customer.Phone) {
		fault("customer/phone", "must be digits with an optional + in front")
	}
	for field, value := range map[string]string{"first_name": in.Billing.FirstName, "last_name": in.Billing.LastName, "address": in.Billing.Address,
		"city": in.Billing.City, "state": in.Billing.State, "zip": in.Billing.Zip, "phone": in.Billing.Phone, "email": in.Billing.Email} {
		length("billing/"+field, value, 100)
	}
	if in.Billing.Country != "" && !country.MatchString(in.Billing.Country) {
		fault("billing/country", "must be two capital letters of ISO 3166")
	}
	if len(in.Metadata) > 20 {
		fault("metadata", "must have at most 20 members")
	}
	for k, v := range in.Metadata {
		if len(k) > 40 || len(v) > 500 {
			fault("metadata/"+pointerName(k), "names are at most 40, values at most 500 bytes long")
		}
	}
	if len(bad) > 0 {
		slices.SortFunc(bad, func(x, y FieldError) int { return strings.Compare(x.Pointer, y.Pointer) })
		return nil, &invalid{bad}
	}
	s.RefTag, err = a.tag(ctx, in.Account)
	return s, err
}

// checkReference says what is wrong with an order id or a reference; "" nothing. Where a tag stands in front of it there is
// room for less.
func (a api) checkReference(account, reference string) string {
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
func (a api) tag(ctx context.Context, account string) (string, error) {
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
		FirstName: b.FirstName, LastName: b.LastName, Address: b.Address, City: b.City, State: b.State, Zip: b.Zip, Country: b.Country,
		Phone: b.Phone, Email: b.Email,
	}
}

func masked(c card.Masked) *MaskedCard {
	if c.Last4 == "" {
		return nil
	}
	return &MaskedCard{Brand: c.Brand, First6: c.First6, Last4: c.Last4}
}

func targetOf(a *session.Attempt) *Target {
	if a.To.Last4 == "" {
		return nil
	}
	return &Target{Brand: a.To.Brand, First6: a.To.First6, Last4: a.To.Last4, Fingerprint: a.ToFingerprint}
}

func declineOf(d *providers.Decline) *Decline {
	if d == nil {
		return nil
	}
	return &Decline{Reason: DeclineReason(d.Reason), Code: d.Code, Message: d.Message}
}

func customerOf(c providers.Customer) Customer {
	return Customer{ID: c.ID, Email: c.Email, Phone: c.Phone}
}

func (a api) object(s *session.Session) Session {
	o := Session{
		ID: s.ID, URL: a.BaseURL + payPath(s.ID), Kind: SessionKind(s.Kind), Status: SessionStatus(s.Status()), OutcomeKnown: s.OutcomeKnown(),
		Account: s.Account, Amount: s.Amount.Minor, Currency: s.Amount.Currency.Code, Fee: s.Fee, OrderID: s.OrderID,
		PaymentMethod: Instrument(s.Method), Capture: CaptureModeAutomatic, Description: s.Description, SuccessURL: s.SuccessURL,
		CancelURL: s.CancelURL, Locale: Locale(s.Locale), Customer: customerOf(s.Customer), SaveCard: s.SaveCard, SavedCard: s.SavedCard,
		WebhookURL: s.WebhookURL, Metadata: s.Metadata, CreatedAt: s.CreatedAt.UTC(), ExpiresAt: s.ExpiresAt.UTC(), Attempts: []Attempt{},
	}
	if s.Target != nil && s.Target.Saved != "" {
		o.Transfer = &NewTransfer{SavedCard: s.Target.Saved}
	}
	if s.Hold {
		o.Capture = CaptureModeManual
	}
	for _, op := range s.Operations {
		o.Operations = append(o.Operations, operationOf(s, op))
	}
	for _, at := range s.Attempts {
		view := Attempt{
			N: at.N, State: AttemptState(at.State), Reference: at.Ref.Reference, Instrument: Instrument(at.Instrument), Card: masked(at.Card), To: targetOf(at),
			Decline: declineOf(at.Decline), PaidLate: at.PaidLate, CreatedAt: at.CreatedAt.UTC(), Runs: []Run{},
		}
		for _, r := range at.Runs {
			view.Runs = append(view.Runs, Run{
				N: r.N, ThreeDsServerTransID: r.IDs.ThreeDSServerTransID, CompInd: RunCompInd(r.CompInd), MethodAt: r.MethodAt.UTC(),
				NotifiedAt: r.NotifiedAt.UTC(), ShownAt: r.ShownAt.UTC(), ReturnedAt: r.ReturnedAt.UTC(),
			})
		}
		o.Attempts = append(o.Attempts, view)
		if at.State.Good() {
			o.Payment = &Payment{AmountAuthorized: at.Held, AmountCaptured: at.Captured, AmountRefunded: at.Refunded, GatewayOrderID: at.Ref.OrderID}
			if t := at.ThreeDS; t != (providers.ThreeDS{}) {
				o.Payment.ThreeDs = &ThreeDS{Version: t.Version, TransStatus: t.TransStatus, Eci: t.ECI}
			}
		}
	}
	return o
}

// GetSession is GET /v1/sessions/{session}.
func (a api) GetSession(ctx context.Context, _ GetSessionRequestObject) (GetSessionResponseObject, error) {
	return GetSession200JSONResponse(a.object(sessionOf(ctx))), nil
}

// limit is how long a page may be.
func limit(asked *int, usual int) (int, error) {
	if asked == nil {
		return usual, nil
	}
	if *asked < 1 || *asked > 100 {
		return 0, faulty("limit", "must be from 1 to 100")
	}
	return *asked, nil
}

// ListSessions is GET /v1/sessions.
func (a api) ListSessions(ctx context.Context, r ListSessionsRequestObject) (ListSessionsResponseObject, error) {
	most, err := limit(r.Params.Limit, 20)
	if err != nil {
		return nil, err
	}
	// A misspelt status must not look as if there were no such sessions.
	if status := r.Params.Status; status != "" && !status.Valid() {
		return nil, faulty("status", "must be one of the statuses of a session")
	}
	f := session.Filter{
		Merchant: merchantOf(ctx).ID, Account: r.Params.Account, OrderID: r.Params.OrderID,
		Status: session.Status(r.Params.Status), Before: r.Params.Before, Limit: most,
	}
	var bad []FieldError
	if at := r.Params.CreatedAfter; at != "" {
		f.Since = instant("created_after", at, &bad)
	}
	if at := r.Params.CreatedBefore; at != "" {
		f.Until = instant("created_before", at, &bad)
	}
	if len(bad) > 0 {
		return nil, &invalid{bad}
	}
	if f.Before != "" {
		last, err := a.Store.Load(ctx, f.Before)
		if errors.Is(err, session.ErrNotFound) || err == nil && last.Merchant != f.Merchant {
			return nil, faulty("before", "must be the id of a session")
		}
		if err != nil {
			return nil, err
		}
	}
	found, err := a.Store.List(ctx, f)
	if err != nil {
		return nil, err
	}
	out := ListSessions200JSONResponse{Data: []Session{}, HasMore: len(found) == most}
	for _, s := range found {
		out.Data = append(out.Data, a.object(s))
	}
	return out, nil
}

// CancelSession is POST /v1/sessions/{session}/cancel.
func (a api) CancelSession(ctx context.Context, r CancelSessionRequestObject) (CancelSessionResponseObject, error) {
	s, err := a.claimed(ctx).Cancel(ctx, r.Session)
	if err != nil {
		return nil, err
	}
	return CancelSession200JSONResponse{SessionNowJSONResponse(a.object(s))}, nil
}

// InquireSession is POST /v1/sessions/{session}/inquire.
func (a api) InquireSession(ctx context.Context, r InquireSessionRequestObject) (InquireSessionResponseObject, error) {
	s, err := a.Flow.Inquire(ctx, r.Session)
	if err != nil {
		return nil, err
	}
	return InquireSession200JSONResponse{SessionNowJSONResponse(a.object(s))}, nil
}

// ListSessionEvents is GET /v1/sessions/{session}/events.
func (a api) ListSessionEvents(ctx context.Context, r ListSessionEventsRequestObject) (ListSessionEventsResponseObject, error) {
	if r.Params.After < 0 {
		return nil, faulty("after", "must be the number of an event")
	}
	const most = 100
	found, err := a.Store.Events(ctx, r.Session, r.Params.After, most)
	if err != nil {
		return nil, err
	}
	out := ListSessionEvents200JSONResponse{Data: []SessionEvent{}, HasMore: len(found) == most}
	for _, e := range found {
		out.Data = append(out.Data, SessionEvent{N: e.N, Type: string(e.Type), At: e.At.UTC(), Data: e.Data})
	}
	return out, nil
}

// GetTimeline is GET /v1/sessions/{session}/attempts/{n}/timeline.
func (a api) GetTimeline(ctx context.Context, r GetTimelineRequestObject) (GetTimelineResponseObject, error) {
	entries, err := a.Flow.Timeline(ctx, sessionOf(ctx), r.N)
	out := GetTimeline200JSONResponse{Data: []TimelineEntry{}}
	for _, e := range entries {
		out.Data = append(out.Data, TimelineEntry{
			At: e.At.UTC(), Kind: TimelineEntryKind(e.Kind), Name: e.Name, Direction: TimelineEntryDirection(e.Direction), Run: e.Run,
			TookMs: e.Took.Milliseconds(), Result: e.Result, Times: e.Times, Until: e.Until.UTC(), Fields: e.Fields,
		})
	}
	return out, err
}

// ListAccounts is GET /v1/accounts.
func (a api) ListAccounts(ctx context.Context, _ ListAccountsRequestObject) (ListAccountsResponseObject, error) {
	out := ListAccounts200JSONResponse{Data: []Account{}}
	for _, name := range merchantOf(ctx).Accounts {
		if acc, ok := a.Flow.Accounts[name]; ok {
			out.Data = append(out.Data, Account{Name: acc.Name, Gateway: acc.Gateway, Capabilities: acc.Capabilities()})
		}
	}
	return out, nil
}
