package handlers

import (
	"context"
	"errors"

	"tollgate/internal/card"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
)

// sessionAPI is what a merchant does with sessions.
type sessionAPI struct{ orders }

// CreateSession is POST /v1/sessions.
func (a sessionAPI) CreateSession(ctx context.Context, r CreateSessionRequestObject) (CreateSessionResponseObject, error) {
	s, err := a.createdUnderClaim(ctx)
	if s == nil && err == nil {
		if s, err = a.session(ctx, *r.Body); err == nil {
			err = a.checkSavedCard(ctx, s)
		}
		if err == nil {
			err = a.flowUnderClaim(ctx).Create(ctx, s)
		}
	}
	if err != nil {
		return nil, err
	}
	return CreateSession201JSONResponse{
		Body: a.object(s), Headers: CreateSession201ResponseHeaders{Location: a.BaseURL + "/v1/sessions/" + s.ID},
	}, nil
}

// checkSavedCard checks the saved card that a new session names. Where customers log in, whose it is turns out then.
func (a sessionAPI) checkSavedCard(ctx context.Context, s *session.Session) error {
	if s.SavedCard == "" {
		return nil
	}
	saved, err := a.Customers.SavedCard(ctx, s.Merchant, s.SavedCard)
	if err != nil && !errors.Is(err, wallet.ErrNotFound) {
		return err
	}
	logsIn := a.Flow.Accounts[s.Account].LogsIn()
	if err != nil || saved.Account != s.Account || !logsIn && saved.Customer != s.Customer.ID {
		return fieldError("saved_card", "is not one of the customer's saved cards in this account")
	}
	return nil
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

func authorizationOf(a providers.Authorization) Authorization {
	return Authorization{
		ApprovalCode: a.ApprovalCode, Rrn: a.RRN, At: a.At, Terminal: a.Terminal, BankName: a.BankName, BankCountry: a.BankCountry,
		CardExpiry: a.CardExpiry, CardHolder: a.CardHolder, PaymentSystem: a.PaymentSystem, ProcessorID: a.ProcessorID,
		BankReference: a.BankReference, ReceiptID: a.ReceiptID, Descriptor: a.Descriptor, RequestID: a.RequestID,
		Kind: a.Kind, Way: a.Way,
		TakenAmount: a.TakenAmount, TakenCurrency: a.TakenCurrency, GatewayFee: a.GatewayFee,
		CreditedAmount: a.CreditedAmount, CreditedCurrency: a.CreditedCurrency,
	}
}

// declineOfAttempt is why an attempt ended. What a gateway said to a call whose outcome is not known yet is no verdict.
func declineOfAttempt(a *session.Attempt) *Decline {
	if a.State.Live() || a.State.Funded() {
		return nil
	}
	return declineOf(a.Decline)
}

func declineOfOperation(op *session.Operation) *Decline {
	if op.State != session.OpFailed {
		return nil
	}
	return declineOf(op.Decline)
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

// GetSession is GET /v1/sessions/{session}.
func (a sessionAPI) GetSession(ctx context.Context, _ GetSessionRequestObject) (GetSessionResponseObject, error) {
	return GetSession200JSONResponse(a.object(sessionOf(ctx))), nil
}

// limit is how long a page may be.
func pageLimit(asked *int, usual int) (int, error) {
	if asked == nil {
		return usual, nil
	}
	if *asked < 1 || *asked > 100 {
		return 0, fieldError("limit", "must be from 1 to 100")
	}
	return *asked, nil
}

// ListSessions is GET /v1/sessions.
func (a sessionAPI) ListSessions(ctx context.Context, r ListSessionsRequestObject) (ListSessionsResponseObject, error) {
	most, err := pageLimit(r.Params.Limit, 20)
	if err != nil {
		return nil, err
	}
	// A misspelt status must not look as if there were no such sessions.
	if status := r.Params.Status; status != "" && !status.Valid() {
		detail := "must be one of the statuses of a session"
		if status == "held" || status == "needs_review" {
			detail += "; " + string(status) + " is a filter of its own: " + string(status) + "=true"
		}
		return nil, fieldError("status", detail)
	}
	f := session.Filter{
		Merchant: merchantOf(ctx).ID, Account: r.Params.Account, OrderID: r.Params.OrderID,
		Status: session.Status(r.Params.Status), Before: r.Params.Before, Limit: most,
		NeedsReview: r.Params.NeedsReview, Held: r.Params.Held,
	}
	var bad []FieldError
	if at := r.Params.CreatedAfter; at != "" {
		f.Since = instant("created_after", at, &bad)
	}
	if at := r.Params.CreatedBefore; at != "" {
		f.Until = instant("created_before", at, &bad)
	}
	if len(bad) > 0 {
		return nil, &invalidRequest{bad}
	}
	if f.Before != "" {
		last, err := a.Store.Load(ctx, f.Before)
		if errors.Is(err, session.ErrNotFound) || err == nil && last.Merchant != f.Merchant {
			return nil, fieldError("before", "must be the id of a session")
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
func (a sessionAPI) CancelSession(ctx context.Context, r CancelSessionRequestObject) (CancelSessionResponseObject, error) {
	s, err := a.flowUnderClaim(ctx).Cancel(ctx, r.Session)
	if err != nil {
		return nil, err
	}
	return CancelSession200JSONResponse{SessionNowJSONResponse(a.object(s))}, nil
}

// InquireSession is POST /v1/sessions/{session}/inquire.
func (a sessionAPI) InquireSession(ctx context.Context, r InquireSessionRequestObject) (InquireSessionResponseObject, error) {
	ask := a.Flow.Inquire
	if !a.Limits.Inquiry(ctx, r.Session) { // the gateway was asked a moment ago
		ask = a.Store.Load
	}
	s, err := ask(ctx, r.Session)
	if err != nil {
		return nil, err
	}
	return InquireSession200JSONResponse{SessionNowJSONResponse(a.object(s))}, nil
}

// ListSessionEvents is GET /v1/sessions/{session}/events.
func (a sessionAPI) ListSessionEvents(
	ctx context.Context, r ListSessionEventsRequestObject,
) (ListSessionEventsResponseObject, error) {
	if r.Params.After < 0 {
		return nil, fieldError("after", "must be the number of an event")
	}
	const most = 100
	found, err := a.Store.Events(ctx, r.Session, r.Params.After, most)
	if err != nil {
		return nil, err
	}
	out := ListSessionEvents200JSONResponse{Data: []SessionEvent{}, HasMore: len(found) == most}
	for _, e := range found {
		out.Data = append(out.Data, SessionEvent{N: e.N, Type: string(e.Type), At: eventTime(e.At), Data: e.Data})
	}
	return out, nil
}

// GetTimeline is GET /v1/sessions/{session}/attempts/{n}/timeline.
func (a sessionAPI) GetTimeline(ctx context.Context, r GetTimelineRequestObject) (GetTimelineResponseObject, error) {
	entries, err := a.Flow.Timeline(ctx, sessionOf(ctx), r.N)
	out := GetTimeline200JSONResponse{Data: []TimelineEntry{}}
	for _, e := range entries {
		out.Data = append(out.Data, TimelineEntry{
			At: e.At.UTC(), Kind: TimelineEntryKind(e.Kind), Name: e.Name, Direction: TimelineEntryDirection(e.Direction),
			Run:    e.Run,
			TookMs: e.Took.Milliseconds(), Result: e.Result, Times: e.Times, Until: e.Until.UTC(), Fields: e.Fields,
		})
	}
	return out, err
}
