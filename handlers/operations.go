package handlers

import (
	"context"
	"regexp"
	"time"

	"tollgate/providers"
	"tollgate/session"
)

// operationAPI captures, voids and refunds.
type operationAPI struct{ orders }

// operationWait is how long a POST of an operation waits for its end; after that the answer says how far it is.
const operationWait = 8 * time.Second

func operationOf(s *session.Session, op *session.Operation) Operation {
	reference := op.Reference
	if op.Merchant != "" {
		reference = op.Merchant
	}
	return Operation{
		GatewayReference: op.Reference, SumsUnconfirmed: op.Unconfirmed,
		N: op.N, Kind: OperationKind(op.Kind), State: stateOf(op.State), Attempt: op.Attempt, Amount: op.Amount,
		Currency: s.Amount.Currency.Code, Reference: reference, Decline: declineOfOperation(op), Items: itemsOut(op.Items),
		CreatedAt: op.CreatedAt.UTC(), UpdatedAt: op.UpdatedAt.UTC(),
	}
}

// stateOf does not tell whether a call is out: for merchants that is pending too.
func stateOf(s session.OpState) OperationState {
	if s == session.OpNew || s == session.OpCalling {
		return OperationStatePending
	}
	return OperationState(s)
}

// operate starts an operation of one kind, unless an earlier run of the same idempotent request did, and waits a while for
// its end.
func (a operationAPI) operate(ctx context.Context, kind providers.OpKind, in *NewOperation) (OperationNowJSONResponse, error) {
	var none OperationNowJSONResponse
	id := sessionOf(ctx).ID
	if claim := claimOf(ctx); claim != nil && claim.Effect.Session == id && claim.Effect.Operation != 0 {
		return a.operated(ctx, id, claim.Effect.Operation)
	}
	op, err := operationAskedFor(kind, in)
	if err != nil {
		return none, err
	}
	_, n, err := a.flowUnderClaim(ctx).Operate(ctx, id, op)
	if err != nil {
		return none, err
	}
	return a.operated(ctx, id, n)
}

// operationReference is what a merchant may call an operation.
var operationReference = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// operationAskedFor reads the body of a request, which may be absent.
func operationAskedFor(kind providers.OpKind, in *NewOperation) (session.NewOperation, error) {
	op := session.NewOperation{Kind: kind}
	if in == nil {
		return op, nil
	}
	if in.Amount != nil {
		if op.Amount = *in.Amount; op.Amount <= 0 {
			return op, fieldError("amount", "must be positive; leave it out for all that is left")
		}
	}
	var err error
	if op.Items, err = itemsIn(in.Items); err != nil {
		return op, err
	}
	if op.ExpectedRefunded = in.ExpectedRefunded; op.ExpectedRefunded != nil && *op.ExpectedRefunded < 0 {
		return op, fieldError("expected_refunded", "must not be negative")
	}
	if op.Reference = in.Reference; op.Reference != "" && !operationReference.MatchString(op.Reference) {
		return op, fieldError("reference", "must be 1 to 64 of A-Z a-z 0-9 . _ -")
	}
	return op, nil
}

// operated waits a while for an operation's end, and for the gateway's sums to show it, and answers with it. That nobody knows
// what became of it is answered at once.
func (a operationAPI) operated(ctx context.Context, id string, n int) (OperationNowJSONResponse, error) {
	limited, done := context.WithTimeout(ctx, operationWait)
	defer done()
	s, err := a.Flow.Wait(limited, id, func(s *session.Session) bool {
		op := s.Operation(n)
		return op.State == session.OpUnknown || !op.State.Open() && !op.Unconfirmed
	})
	if err == nil {
		err = s.Differed(s.Operation(n))
	}
	if err != nil {
		return OperationNowJSONResponse{}, err
	}
	return OperationNowJSONResponse(operationOf(s, s.Operation(n))), nil
}

// CapturePayment is POST /v1/sessions/{session}/capture.
func (a operationAPI) CapturePayment(ctx context.Context, r CapturePaymentRequestObject) (CapturePaymentResponseObject, error) {
	op, err := a.operate(ctx, providers.Capture, r.Body)
	return CapturePayment201JSONResponse{op}, err
}

// VoidPayment is POST /v1/sessions/{session}/void.
func (a operationAPI) VoidPayment(ctx context.Context, r VoidPaymentRequestObject) (VoidPaymentResponseObject, error) {
	op, err := a.operate(ctx, providers.Void, r.Body)
	return VoidPayment201JSONResponse{op}, err
}

// RefundPayment is POST /v1/sessions/{session}/refunds.
func (a operationAPI) RefundPayment(ctx context.Context, r RefundPaymentRequestObject) (RefundPaymentResponseObject, error) {
	op, err := a.operate(ctx, providers.Refund, r.Body)
	return RefundPayment201JSONResponse{op}, err
}

// ListOperations is GET /v1/sessions/{session}/operations.
func (a operationAPI) ListOperations(ctx context.Context, _ ListOperationsRequestObject) (ListOperationsResponseObject, error) {
	return ListOperations200JSONResponse(operationsOf(sessionOf(ctx), "")), nil
}

// operationsOf lists a session's operations of one kind; "" means all.
func operationsOf(s *session.Session, kind providers.OpKind) OperationPage {
	out := OperationPage{Data: []Operation{}}
	for _, op := range s.Operations {
		if kind == "" || op.Kind == kind {
			out.Data = append(out.Data, operationOf(s, op))
		}
	}
	return out
}

// GetOperation is GET /v1/sessions/{session}/operations/{n}.
func (a operationAPI) GetOperation(ctx context.Context, r GetOperationRequestObject) (GetOperationResponseObject, error) {
	s := sessionOf(ctx)
	op := s.Operation(r.N)
	if op == nil {
		return nil, session.ErrNotFound
	}
	return GetOperation200JSONResponse(operationOf(s, op)), nil
}

// ListRefunds is GET /v1/sessions/{session}/refunds.
func (a operationAPI) ListRefunds(ctx context.Context, _ ListRefundsRequestObject) (ListRefundsResponseObject, error) {
	return ListRefunds200JSONResponse(operationsOf(sessionOf(ctx), providers.Refund)), nil
}

// GetRefund is GET /v1/sessions/{session}/refunds/{n}.
func (a operationAPI) GetRefund(ctx context.Context, r GetRefundRequestObject) (GetRefundResponseObject, error) {
	s := sessionOf(ctx)
	op := s.Operation(r.N)
	if op == nil || op.Kind != providers.Refund {
		return nil, session.ErrNotFound
	}
	return GetRefund200JSONResponse(operationOf(s, op)), nil
}
