package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tollgate/internal/merchant"
	"tollgate/internal/money"
	"tollgate/internal/webhook"
	"tollgate/providers"
	"tollgate/session"
)

// api is the merchant's side.
type api struct{ Options }

const merchantKey = "merchant"

func (a api) authenticated(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		m, key, err := a.Merchants.ByKey(c.Request().Header.Get(echo.HeaderAuthorization), a.Now())
		if err != nil {
			return err
		}
		c.Set(merchantKey, m)
		c.Set(keyKey, key)
		return next(c)
	}
}

func merchantOf(c echo.Context) merchant.Merchant { return c.Get(merchantKey).(merchant.Merchant) }

// mine loads a session of the caller's; of another merchant it is as if it did not exist.
func (a api) mine(c echo.Context) (*session.Session, error) {
	s, err := a.Store.Load(c.Request().Context(), c.Param("session"))
	if err == nil && s.Merchant != merchantOf(c).ID {
		err = session.ErrNotFound
	}
	return s, err
}

// newSession is the body of POST /v1/sessions.
type newSession struct {
	Account     string             `json:"account"`
	Amount      *int64             `json:"amount"`
	Currency    string             `json:"currency"`
	OrderID     string             `json:"order_id"`
	SuccessURL  string             `json:"success_url"`
	CancelURL   string             `json:"cancel_url"`
	Kind        string             `json:"kind"`
	Method      string             `json:"payment_method"`
	Capture     string             `json:"capture"`
	Fee         int64              `json:"fee"`
	Description string             `json:"description"`
	Locale      string             `json:"locale"`
	Customer    providers.Customer `json:"customer"`
	Billing     providers.Billing  `json:"billing"`
	SaveCard    bool               `json:"save_card"`
	SavedCard   string             `json:"saved_card"`
	Transfer    *newTransfer       `json:"transfer"`
	ExpiresIn   *int64             `json:"expires_in"`
	Metadata    map[string]string  `json:"metadata"`
	WebhookURL  string             `json:"webhook_url"`
}

// newTransfer is where a transfer goes.
type newTransfer struct {
	SavedCard string `json:"saved_card"`
}

var (
	orderID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`)
	phone   = regexp.MustCompile(`^\+?[0-9]{5,15}$`)
	country = regexp.MustCompile(`^[A-Z]{2}$`)
)

// MaxAmount is the largest amount of a session in minor units: twelve digits, as 3-D Secure writes them.
const MaxAmount = 999_999_999_999

func (a api) create(c echo.Context) error {
	var in newSession
	if err := readJSON(c, &in); err != nil {
		return err
	}
	s, err := a.session(merchantOf(c), in)
	if err != nil {
		return err
	}
	if err := a.Flow.Create(c.Request().Context(), s); err != nil {
		return err
	}
	return a.created(c, s)
}

func (a api) created(c echo.Context, s *session.Session) error {
	c.Response().Header().Set(echo.HeaderLocation, a.BaseURL+"/v1/sessions/"+s.ID)
	return c.JSON(http.StatusCreated, a.object(s))
}

// readJSON reads one JSON object; unknown members are refused, so that a misspelt one is not silently lost. So is the
// character NUL, wherever it stands: PostgreSQL stores no text with it.
func readJSON[T any](c echo.Context, v *T) error {
	body, err := io.ReadAll(c.Request().Body)
	var he *echo.HTTPError
	if errors.As(err, &he) { // too large
		return he
	}
	if err != nil || holdsNUL(body) {
		return errBadJSON
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
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return &invalid{[]fieldError{{"/" + strings.ReplaceAll(wrong.Field, ".", "/"), "is not of the type that is expected"}}}
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return &invalid{[]fieldError{{"/" + strings.Trim(name, `"`), "is not known"}}}
	}
	return errBadJSON
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
func (a api) session(m merchant.Merchant, in newSession) (*session.Session, error) {
	var bad []fieldError
	fault := func(field, detail string) { bad = append(bad, fieldError{"/" + field, detail}) }
	now := a.Now()
	s := &session.Session{
		Merchant: m.ID, Account: in.Account, OrderID: in.OrderID, Kind: in.Kind, Method: in.Method, Fee: in.Fee,
		Hold: in.Capture == "manual", Description: in.Description, Locale: in.Locale, Customer: in.Customer, Billing: in.Billing,
		SaveCard: in.SaveCard, SavedCard: in.SavedCard, SuccessURL: in.SuccessURL, CancelURL: in.CancelURL,
		WebhookURL: in.WebhookURL, Metadata: in.Metadata, CreatedAt: now, ExpiresAt: now.Add(30 * time.Minute),
	}
	if !m.May(in.Account) {
		fault("account", "is not one of the merchant's accounts")
	}
	currency, err := money.ParseCurrency(in.Currency)
	if err != nil {
		fault("currency", "must be three capital letters of ISO 4217")
	}
	switch {
	case in.Amount == nil:
		fault("amount", "is required: an integer of minor units")
	case *in.Amount <= 0 || *in.Amount > MaxAmount:
		fault("amount", fmt.Sprintf("must be from 1 to %d minor units", int64(MaxAmount)))
	default:
		s.Amount = money.Amount{Minor: *in.Amount, Currency: currency}
	}
	if in.Fee < 0 || in.Fee > MaxAmount {
		fault("fee", "must not be negative")
	}
	if !orderID.MatchString(in.OrderID) {
		fault("order_id", "must be 1 to 32 of A-Z a-z 0-9 . _ -")
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
	s.Kind = oneOf("kind", in.Kind, "payment", session.KindTransfer)
	if in.Transfer != nil {
		s.Target = &session.Target{Saved: in.Transfer.SavedCard}
	}
	methods := []string{"card"}
	if acc, ok := a.Flow.Accounts[in.Account]; ok {
		methods = providers.Instruments(acc.Provider)
	}
	s.Method = oneOf("payment_method", in.Method, methods[0], methods[1:]...)
	oneOf("capture", in.Capture, "automatic", "manual")
	if in.Locale != "" {
		oneOf("locale", in.Locale, "en", "ru", "kk")
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
		if addr, err := mail.ParseAddress(in.Customer.Email); err != nil || addr.Address != in.Customer.Email || len(in.Customer.Email) > 100 {
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
			fault("metadata/"+k, "names are at most 40, values at most 500 bytes long")
		}
	}
	if len(bad) > 0 {
		slices.SortFunc(bad, func(x, y fieldError) int { return strings.Compare(x.Pointer, y.Pointer) })
		return nil, &invalid{bad}
	}
	return s, nil
}

// sessionObject is a session as merchants see it.
type sessionObject struct {
	ID           string            `json:"id"`
	URL          string            `json:"url"`
	Kind         string            `json:"kind"`
	Status       session.Status    `json:"status"`
	OutcomeKnown bool              `json:"outcome_known"`
	Account      string            `json:"account"`
	Amount       int64             `json:"amount"`
	Currency     string            `json:"currency"`
	Fee          int64             `json:"fee,omitempty"`
	OrderID      string            `json:"order_id"`
	Method       string            `json:"payment_method"`
	Capture      string            `json:"capture"`
	Description  string            `json:"description,omitempty"`
	SuccessURL   string            `json:"success_url"`
	CancelURL    string            `json:"cancel_url"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	CreatedAt    string            `json:"created_at"`
	ExpiresAt    string            `json:"expires_at"`
	Attempts     []attemptObject   `json:"attempts"`
	Payment      *paymentObject    `json:"payment,omitempty"`
	Operations   []operationObject `json:"operations,omitempty"`
}

type attemptObject struct {
	N          int                `json:"n"`
	State      session.State      `json:"state"`
	Reference  string             `json:"reference"`
	Instrument string             `json:"instrument"`
	Card       *cardObject        `json:"card,omitempty"`
	To         *cardObject        `json:"to,omitempty"` // of a transfer
	Runs       []runObject        `json:"runs"`
	Decline    *providers.Decline `json:"decline,omitempty"`
	PaidLate   bool               `json:"paid_late,omitempty"`
	CreatedAt  string             `json:"created_at"`
}

type cardObject struct {
	Brand  string `json:"brand,omitempty"`
	First6 string `json:"first6"`
	Last4  string `json:"last4"`
}

type runObject struct {
	N             int    `json:"n"`
	ServerTransID string `json:"three_ds_server_trans_id,omitempty"`
	CompInd       string `json:"comp_ind,omitempty"`
	MethodAt      string `json:"method_at,omitempty"`
	NotifiedAt    string `json:"notified_at,omitempty"`
	ShownAt       string `json:"shown_at,omitempty"`
	ReturnedAt    string `json:"returned_at,omitempty"`
}

type paymentObject struct {
	AmountAuthorized int64              `json:"amount_authorized"`
	AmountCaptured   int64              `json:"amount_captured"`
	AmountRefunded   int64              `json:"amount_refunded"`
	GatewayOrderID   string             `json:"gateway_order_id,omitempty"`
	ThreeDS          *providers.ThreeDS `json:"three_ds,omitempty"`
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (a api) object(s *session.Session) sessionObject {
	o := sessionObject{
		ID: s.ID, URL: a.BaseURL + payPath(s.ID), Kind: s.Kind, Status: s.Status(), OutcomeKnown: s.OutcomeKnown(), Account: s.Account,
		Amount: s.Amount.Minor, Currency: s.Amount.Currency.Code, Fee: s.Fee, OrderID: s.OrderID, Method: s.Method, Capture: "automatic",
		Description: s.Description, SuccessURL: s.SuccessURL, CancelURL: s.CancelURL, Metadata: s.Metadata,
		CreatedAt: stamp(s.CreatedAt), ExpiresAt: stamp(s.ExpiresAt), Attempts: []attemptObject{},
	}
	if s.Hold {
		o.Capture = "manual"
	}
	for _, op := range s.Operations {
		o.Operations = append(o.Operations, operationOf(s, op))
	}
	for _, at := range s.Attempts {
		view := attemptObject{N: at.N, State: at.State, Reference: at.Ref.Reference, Instrument: at.Instrument, Decline: at.Decline,
			PaidLate: at.PaidLate, CreatedAt: stamp(at.CreatedAt), Runs: []runObject{}}
		if at.Card.Last4 != "" {
			view.Card = &cardObject{at.Card.Brand, at.Card.First6, at.Card.Last4}
		}
		if at.To.Last4 != "" {
			view.To = &cardObject{at.To.Brand, at.To.First6, at.To.Last4}
		}
		for _, r := range at.Runs {
			view.Runs = append(view.Runs, runObject{r.N, r.IDs.ThreeDSServerTransID, r.CompInd, stamp(r.MethodAt), stamp(r.NotifiedAt), stamp(r.ShownAt), stamp(r.ReturnedAt)})
		}
		o.Attempts = append(o.Attempts, view)
		if at.State.Good() {
			o.Payment = &paymentObject{at.Held, at.Captured, at.Refunded, at.Ref.OrderID, nil}
			if at.ThreeDS != (providers.ThreeDS{}) {
				o.Payment.ThreeDS = &at.ThreeDS
			}
		}
	}
	return o
}

func (a api) read(c echo.Context) error {
	s, err := a.mine(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, a.object(s))
}

type page[T any] struct {
	Data    []T  `json:"data"`
	HasMore bool `json:"has_more"`
}

// statuses are those a list can be asked for: a misspelt one must not look as if there were no such sessions.
var statuses = []session.Status{
	session.StatusOpen, session.StatusActionRequired, session.StatusProcessing, session.StatusAuthorized, session.StatusPaid,
	session.StatusPartiallyRefunded, session.StatusRefunded, session.StatusVoided, session.StatusDeclined, session.StatusExpired, session.StatusCancelled,
}

func (a api) list(c echo.Context) error {
	limit := 20
	if v := c.QueryParam("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 100 {
			return &invalid{[]fieldError{{"/limit", "must be from 1 to 100"}}}
		}
		limit = n
	}
	status := session.Status(c.QueryParam("status"))
	if status != "" && !slices.Contains(statuses, status) {
		return &invalid{[]fieldError{{"/status", "must be one of the statuses of a session"}}}
	}
	found, err := a.Store.List(c.Request().Context(), session.Filter{
		Merchant: merchantOf(c).ID, Account: c.QueryParam("account"), OrderID: c.QueryParam("order_id"),
		Status: status, Before: c.QueryParam("before"), Limit: limit,
	})
	if err != nil {
		return err
	}
	out := page[sessionObject]{Data: []sessionObject{}, HasMore: len(found) == limit}
	for _, s := range found {
		out.Data = append(out.Data, a.object(s))
	}
	return c.JSON(http.StatusOK, out)
}

func (a api) cancel(c echo.Context) error {
	s, err := a.mine(c)
	if err == nil {
		s, err = a.Flow.Cancel(c.Request().Context(), s.ID)
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, a.object(s))
}

func (a api) inquire(c echo.Context) error {
	s, err := a.mine(c)
	if err == nil {
		s, err = a.Flow.Inquire(c.Request().Context(), s.ID)
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, a.object(s))
}

type eventObject struct {
	N    int             `json:"n"`
	Type string          `json:"type"`
	At   string          `json:"at"`
	Data json.RawMessage `json:"data"`
}

func (a api) events(c echo.Context) error {
	s, err := a.mine(c)
	if err != nil {
		return err
	}
	after, err := strconv.Atoi(c.QueryParam("after"))
	if c.QueryParam("after") == "" {
		after = 0
	} else if err != nil || after < 0 {
		return &invalid{[]fieldError{{"/after", "must be the number of an event"}}}
	}
	const most = 100
	found, err := a.Store.Events(c.Request().Context(), s.ID, after, most)
	if err != nil {
		return err
	}
	out := page[eventObject]{Data: []eventObject{}, HasMore: len(found) == most}
	for _, e := range found {
		out.Data = append(out.Data, eventObject{e.N, e.Type, stamp(e.At), e.Data})
	}
	return c.JSON(http.StatusOK, out)
}

type accountObject struct {
	Name         string   `json:"name"`
	Gateway      string   `json:"gateway"`
	Capabilities []string `json:"capabilities"`
}

func (a api) accounts(c echo.Context) error {
	m := merchantOf(c)
	out := page[accountObject]{Data: []accountObject{}}
	for _, name := range m.Accounts {
		if acc, ok := a.Flow.Accounts[name]; ok {
			out.Data = append(out.Data, accountObject{acc.Name, acc.Gateway, providers.Capabilities(acc.Provider)})
		}
	}
	return c.JSON(http.StatusOK, out)
}
