package handlers

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"tollgate/internal/account"
	"tollgate/internal/invoice"
	"tollgate/internal/limit"
	"tollgate/internal/merchant"
	"tollgate/internal/wallet"
	"tollgate/internal/webhook"
	"tollgate/providers"
	"tollgate/session"
)

// kind is an error as clients see it: a stable type, a status and a public text.
type kind struct {
	status int
	name   string // the last part of the problem's type
	title  string
}

// kinds maps errors to their kinds; the first match counts.
var kinds = []struct {
	is   error
	kind kind
}{
	{session.ErrNotFound, kind{http.StatusNotFound, "not-found", "There is no such object."}},
	{session.ErrOrderTaken, kind{http.StatusConflict, "order-in-use", "Another session has this order_id or reference."}},
	{&session.EventLost{}, kind{http.StatusGone, "event-lost",
		"The event is not there any more: the database was restored or failed over. Go on with after, or from the first event."}},
	{session.ErrBusy, kind{http.StatusConflict, "attempt-under-way", "An attempt to pay is under way."}},
	{session.ErrEnded, kind{http.StatusConflict, "session-ended", "The session has ended."}},
	{session.ErrStale, kind{http.StatusConflict, "step-over", "That step is over."}},
	{session.ErrConflict, kind{http.StatusConflict, "conflict", "The session was changed by somebody else."}},
	{wallet.ErrNotFound, kind{http.StatusNotFound, "not-found", "There is no such object."}},
	{invoice.ErrNotFound, kind{http.StatusNotFound, "not-found", "There is no such object."}},
	{invoice.ErrConflict, kind{http.StatusConflict, "conflict", "The session was changed by somebody else."}},
	{account.ErrNotConfigured, kind{http.StatusNotFound, "unknown-account", "There is no such account."}},
	{session.ErrOperation, kind{http.StatusUnprocessableEntity, "unsupported", "The account's gateway cannot do this."}},
	{account.ErrCannot, kind{http.StatusUnprocessableEntity, "unsupported", "The account's gateway cannot do this."}},
	{session.ErrAmount, kind{http.StatusUnprocessableEntity, "amount",
		"The amount is more than is left, or a part where only the whole is possible."}},
	{session.ErrNoPayment, kind{http.StatusConflict, "no-payment",
		"There is no money for this: a capture or void wants a hold, a refund a payment that was taken."}},
	{session.ErrOpenOp, kind{http.StatusConflict, "operation-under-way", "Another operation on this payment is under way."}},
	{session.ErrDone, kind{http.StatusConflict, "already-done", "The payment was captured, voided or refunded already."}},
	{session.ErrSumsDiffer, kind{http.StatusConflict, "sums-differ",
		"The gateway states other sums of this payment than were expected: nothing was sent. Look at them and ask again."}},
	{invoice.ErrPaid, kind{http.StatusConflict, "already-done", "The payment was captured, voided or refunded already."}},
	{session.ErrNoReview, kind{http.StatusConflict, "nothing-to-settle", "Nothing of this session waits for a person."}},
	{session.ErrRuling, kind{http.StatusUnprocessableEntity, "unfit-settlement", "That outcome does not fit what is to be settled."}},
	{session.ErrUnsettled, kind{http.StatusConflict, "outcome-unknown", "The outcome is not known yet."}},
	{wallet.ErrUnsettled, kind{http.StatusConflict, "outcome-unknown", "The outcome is not known yet."}},
	{wallet.ErrReference, kind{http.StatusConflict, "reference-in-use", "The reference was used for something else."}},
	{invoice.ErrReference, kind{http.StatusConflict, "reference-in-use", "The reference was used for something else."}},
	{wallet.ErrLogin, kind{http.StatusConflict, "login-needed", "The customer has to log in to a session first."}},
	{providers.ErrCredential, kind{http.StatusConflict, "login-needed", "The customer has to log in to a session first."}},
	{wallet.ErrNotYours, kind{http.StatusConflict, "not-yours", "The card is not one that this customer may be given."}},
	{wallet.ErrRefused, kind{http.StatusUnprocessableEntity, "refused", "The gateway refused."}},
	{session.ErrContradicts, kind{http.StatusBadRequest, "contradiction", "The answer is of another authentication."}},
	{webhook.ErrNotFound, kind{http.StatusNotFound, "not-found", "There is no such object."}},
	{webhook.ErrTooMany, kind{http.StatusConflict, "too-many-endpoints", "The merchant has as many webhook endpoints as it may."}},
	{webhook.ErrDisabled, kind{http.StatusConflict, "endpoint-disabled", "The webhook endpoint is disabled."}},
	{webhook.ErrDone, kind{http.StatusConflict, "delivery-ended", "The delivery has ended."}},
	{merchant.ErrKey, kind{http.StatusUnauthorized, "unauthorized", "The API key is missing or not known."}},
	{merchant.ErrScope, kind{http.StatusForbidden, "scope", "The API key is not for this call."}},
	{merchant.ErrIdempotencyKey, kind{http.StatusBadRequest, "idempotency-key",
		"An Idempotency-Key is 1 to 255 printable ASCII characters, once, and holds no number of a card."}},
	{merchant.ErrKeyReused, kind{http.StatusUnprocessableEntity, "idempotency-key-reused",
		"The Idempotency-Key was used for another request."}},
	{merchant.ErrInFlight, kind{http.StatusConflict, "request-in-flight", "The request with this Idempotency-Key is under way."}},
	{session.ErrClaimLost, kind{http.StatusConflict, "request-in-flight", "The request with this Idempotency-Key is under way."}},
	{providers.ErrForged, kind{http.StatusForbidden, "forged", "The signature does not fit."}},
	{errInvalid, kind{http.StatusUnprocessableEntity, "invalid", "Some fields are not valid."}},
	{errBadJSON, kind{http.StatusBadRequest, "bad-json", "The body is not the JSON object that was expected."}},
	{errOverloaded, kind{http.StatusServiceUnavailable, "unavailable", "Temporarily unavailable."}},
	{context.DeadlineExceeded, kind{http.StatusServiceUnavailable, "unavailable", "Temporarily unavailable."}},
}

var (
	errInvalid = errors.New("handlers: invalid input")
	errBadJSON = errors.New("handlers: bad json")

	tooMany  = kind{http.StatusTooManyRequests, "too-many-requests", "Too many tries. Wait as long as Retry-After says."}
	internal = kind{http.StatusInternalServerError, "internal", "Something went wrong on our side."}
)

func kindOf(err error) kind {
	for _, k := range kinds {
		if errors.Is(err, k.is) {
			return k.kind
		}
	}
	if _, limited := limit.WaitOf(err); limited {
		return tooMany
	}
	var refusal *providers.Refusal
	var fault *webhook.Fault
	if errors.As(err, &refusal) || errors.As(err, &fault) {
		return kind{http.StatusUnprocessableEntity, "invalid", "Some fields are not valid."}
	}
	var failure *providers.Failure
	if errors.As(err, &failure) {
		return kind{http.StatusServiceUnavailable, "unavailable", "The gateway gave no clear answer. Try again later."}
	}
	var he *echo.HTTPError
	if errors.As(err, &he) && he.Code >= 400 && he.Code < 500 {
		return kind{he.Code, statusName(he.Code), http.StatusText(he.Code) + "."}
	}
	return internal
}

func statusName(code int) string {
	switch code {
	case http.StatusNotFound:
		return "not-found"
	case http.StatusMethodNotAllowed:
		return "method-not-allowed"
	case http.StatusRequestEntityTooLarge:
		return "too-large"
	case http.StatusUnsupportedMediaType:
		return "unsupported-media-type"
	}
	return "bad-request"
}

// invalidRequest is errInvalid with its fields.
type invalidRequest struct{ fields []FieldError }

func (*invalidRequest) Error() string        { return errInvalid.Error() }
func (*invalidRequest) Is(target error) bool { return target == errInvalid }

// fieldError is errInvalid of one field, by JSON pointer without its first slash.
func fieldError(field, detail string) error {
	return &invalidRequest{[]FieldError{{Pointer: "/" + field, Detail: detail}}}
}

// problemTypes is the prefix of every problem's type; it is a name, not an address that must answer.
const problemTypes = "urn:tollgate:problem:"

func writeProblem(c echo.Context, k kind, err error) error {
	p := Problem{
		Type: ProblemType(problemTypes + k.name), Title: k.title, Status: k.status,
		RequestID: c.Response().Header().Get(echo.HeaderXRequestID),
	}
	var bad *invalidRequest
	if errors.As(err, &bad) {
		p.Errors = bad.fields
	}
	var refusal *providers.Refusal
	if errors.As(err, &refusal) {
		p.Errors = []FieldError{{Pointer: "/" + strings.ReplaceAll(refusal.Field, ".", "/"), Detail: refusal.Text}}
	}
	var fault *webhook.Fault
	if errors.As(err, &fault) {
		p.Errors = []FieldError{{Pointer: "/" + fault.Field, Detail: fault.Text}}
	}
	p.Errors, p.ErrorsLeft = boundErrors(p.Errors)
	var taken *session.OrderTaken
	if errors.As(err, &taken) {
		p.Session = taken.SessionID
	}
	if busy, ok := errors.AsType[*session.CannotLeave](err); ok {
		p.Until = busy.Until.UTC()
	}
	var lost *session.EventLost
	if errors.As(err, &lost) {
		p.After = lost.After
	}
	var differs *session.SumsDiffer
	if errors.As(err, &differs) {
		p.Operation = differs.Operation
		p.Payment = paymentOf(differs.Payment)
	}
	switch k.status {
	case http.StatusUnauthorized:
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="tollgate"`)
	case http.StatusServiceUnavailable:
		c.Response().Header().Set("Retry-After", "5")
	}
	rateHeaders(c.Response().Header(), err)
	c.Response().Header().Set(echo.HeaderContentType, "application/problem+json")
	c.Response().WriteHeader(k.status)
	return c.Echo().JSONSerializer.Serialize(c, p, "")
}
