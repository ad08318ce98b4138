package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"time"

	"tollgate/internal/security"
	"tollgate/internal/webhook"
)

// webhookAPI is what a merchant does with webhook endpoints, keys and deliveries.
type webhookAPI struct{ Options }

func keysOf(keys []webhook.Key) []WebhookKey {
	out := []WebhookKey{}
	for _, k := range slices.Backward(keys) {
		out = append(out, WebhookKey{
			Kind: WebhookKeyKind(k.Kind), PublicKey: k.Public, CreatedAt: k.CreatedAt.UTC(), ExpiresAt: k.ExpiresAt.UTC(),
		})
	}
	return out
}

func endpointOf(e webhook.Shown) WebhookEndpoint {
	o := WebhookEndpoint{
		ID: e.ID, Kind: WebhookEndpointKindAccount, URL: e.URL, Description: e.Description, Events: e.Events,
		Enabled: e.Enabled, Failing: e.Failing,
		Failures: e.Failures, FailingSince: e.FailingSince.UTC(), NextTryAt: e.NextTry.UTC(), Keys: keysOf(e.Keys),
		Secret:    e.Secret.Reveal(),
		CreatedAt: e.CreatedAt.UTC(), UpdatedAt: e.UpdatedAt.UTC(),
	}
	if e.SessionURL {
		o.Kind = WebhookEndpointKindSession
	}
	if o.Events == nil {
		o.Events = []string{}
	}
	return o
}

// mark names an idempotent request, the same whenever it runs again after a crash.
func mark(ctx context.Context) string {
	claim := claimOf(ctx)
	if claim == nil {
		return ""
	}
	sum := sha256.Sum256([]byte(claim.Key + "\n" + claim.Print))
	return hex.EncodeToString(sum[:16])
}

// CreateWebhookEndpoint is POST /v1/webhook_endpoints.
func (a webhookAPI) CreateWebhookEndpoint(
	ctx context.Context, r CreateWebhookEndpointRequestObject,
) (CreateWebhookEndpointResponseObject, error) {
	in := r.Body
	e, err := a.Webhooks.Create(ctx, merchantOf(ctx).ID, webhook.NewEndpoint{
		URL: in.URL, Description: in.Description, Events: in.Events, Disabled: in.Enabled != nil && !*in.Enabled,
		Secret: in.Secret, Asymmetric: in.Asymmetric, RequestID: mark(ctx),
	})
	if err != nil {
		return nil, err
	}
	a.recordKey(ctx, security.WebhookChanged, "", "webhook endpoint "+e.ID+" made")
	return CreateWebhookEndpoint201JSONResponse{
		Body:    endpointOf(e),
		Headers: CreateWebhookEndpoint201ResponseHeaders{Location: a.BaseURL + "/v1/webhook_endpoints/" + e.ID},
	}, nil
}

// ListWebhookEndpoints is GET /v1/webhook_endpoints: the merchant's own, or with kind=session those that its sessions named.
func (a webhookAPI) ListWebhookEndpoints(
	ctx context.Context, r ListWebhookEndpointsRequestObject,
) (ListWebhookEndpointsResponseObject, error) {
	kind := r.Params.Kind
	if kind != "" && !kind.Valid() {
		return nil, fieldError("kind", "must be account or session")
	}
	found, err := a.Webhooks.List(ctx, merchantOf(ctx).ID, kind == ListWebhookEndpointsParamsKindSession)
	if err != nil {
		return nil, err
	}
	out := ListWebhookEndpoints200JSONResponse{Data: []WebhookEndpoint{}}
	for _, e := range found {
		out.Data = append(out.Data, endpointOf(e))
	}
	return out, nil
}

// GetWebhookEndpoint is GET /v1/webhook_endpoints/{endpoint}.
func (a webhookAPI) GetWebhookEndpoint(
	ctx context.Context, r GetWebhookEndpointRequestObject,
) (GetWebhookEndpointResponseObject, error) {
	e, err := a.Webhooks.Read(ctx, merchantOf(ctx).ID, r.Endpoint)
	return GetWebhookEndpoint200JSONResponse(endpointOf(e)), err
}

// ChangeWebhookEndpoint is PATCH /v1/webhook_endpoints/{endpoint}.
func (a webhookAPI) ChangeWebhookEndpoint(
	ctx context.Context, r ChangeWebhookEndpointRequestObject,
) (ChangeWebhookEndpointResponseObject, error) {
	in := r.Body
	e, err := a.Webhooks.Change(ctx, merchantOf(ctx).ID, r.Endpoint, webhook.Update{
		URL: in.URL, Description: in.Description, Events: in.Events, Enabled: in.Enabled,
	})
	if err == nil {
		a.recordKey(ctx, security.WebhookChanged, "", "webhook endpoint "+r.Endpoint+" changed")
	}
	return ChangeWebhookEndpoint200JSONResponse(endpointOf(e)), err
}

// DeleteWebhookEndpoint is DELETE /v1/webhook_endpoints/{endpoint}.
func (a webhookAPI) DeleteWebhookEndpoint(
	ctx context.Context, r DeleteWebhookEndpointRequestObject,
) (DeleteWebhookEndpointResponseObject, error) {
	err := a.Webhooks.Delete(ctx, merchantOf(ctx).ID, r.Endpoint)
	if err == nil {
		a.recordKey(ctx, security.WebhookChanged, "", "webhook endpoint "+r.Endpoint+" deleted")
	}
	return DeleteWebhookEndpoint204Response{}, err
}

// defaultOverlap is how long a replaced key signs on unless the merchant says otherwise.
const defaultOverlap = 24 * time.Hour

func rotation(ctx context.Context, in *KeyRotation) (webhook.Rotation, error) {
	r := webhook.Rotation{Overlap: defaultOverlap, RequestID: mark(ctx)}
	if in == nil {
		return r, nil
	}
	r.Secret, r.Asymmetric = in.Secret, in.Asymmetric
	if s := in.OverlapSeconds; s != nil {
		if *s < 0 || *s > int64(webhook.MaxOverlap/time.Second) {
			return r, fieldError("overlap_seconds", "must be from 0 to "+strconv.FormatInt(int64(webhook.MaxOverlap/time.Second), 10))
		}
		r.Overlap = time.Duration(*s) * time.Second
	}
	return r, nil
}

// RotateWebhookEndpoint is POST /v1/webhook_endpoints/{endpoint}/rotate.
func (a webhookAPI) RotateWebhookEndpoint(
	ctx context.Context, r RotateWebhookEndpointRequestObject,
) (RotateWebhookEndpointResponseObject, error) {
	to, err := rotation(ctx, r.Body)
	if err != nil {
		return nil, err
	}
	e, err := a.Webhooks.Rotate(ctx, merchantOf(ctx).ID, r.Endpoint, to)
	if err == nil {
		a.recordKey(ctx, security.WebhookRotated, "", "webhook endpoint "+r.Endpoint)
	}
	return RotateWebhookEndpoint200JSONResponse(endpointOf(e)), err
}

// ListWebhookKeys is GET /v1/webhook_keys.
func (a webhookAPI) ListWebhookKeys(ctx context.Context, _ ListWebhookKeysRequestObject) (ListWebhookKeysResponseObject, error) {
	keys, err := a.Webhooks.DefaultKeys(ctx, merchantOf(ctx).ID)
	return ListWebhookKeys200JSONResponse{Keys: keysOf(keys)}, err
}

// RotateWebhookKeys is POST /v1/webhook_keys/rotate.
func (a webhookAPI) RotateWebhookKeys(
	ctx context.Context, r RotateWebhookKeysRequestObject,
) (RotateWebhookKeysResponseObject, error) {
	to, err := rotation(ctx, r.Body)
	if err != nil {
		return nil, err
	}
	keys, secret, err := a.Webhooks.RotateDefault(ctx, merchantOf(ctx).ID, to)
	if err == nil {
		a.recordKey(ctx, security.WebhookRotated, "", "webhook keys")
	}
	return RotateWebhookKeys200JSONResponse{Keys: keysOf(keys), Secret: secret.Reveal()}, err
}

func deliveryOf(d webhook.Delivery) Delivery {
	return Delivery{
		ID: d.ID, Endpoint: d.Endpoint, Event: d.Event, Type: d.Type, Session: d.Session, N: d.N,
		State: DeliveryState(d.State), Resend: d.Resend,
		TryCount: d.Tries, CreatedAt: d.CreatedAt.UTC(), EndedAt: d.EndedAt.UTC(),
	}
}

// ListWebhookDeliveries is GET /v1/webhook_deliveries.
func (a webhookAPI) ListWebhookDeliveries(
	ctx context.Context, r ListWebhookDeliveriesRequestObject,
) (ListWebhookDeliveriesResponseObject, error) {
	most, err := pageLimit(r.Params.Limit, 20)
	if err != nil {
		return nil, err
	}
	if state := r.Params.State; state != "" && !state.Valid() {
		return nil, fieldError("state", "must be pending, delivered, given_up or cancelled")
	}
	m := merchantOf(ctx).ID
	if r.Params.Before != "" {
		_, _, err := a.Webhooks.Delivery(ctx, m, r.Params.Before)
		if errors.Is(err, webhook.ErrNotFound) {
			return nil, fieldError("before", "must be the id of a delivery")
		}
		if err != nil {
			return nil, err
		}
	}
	found, err := a.Webhooks.Deliveries(ctx, webhook.Filter{
		Merchant: m, Endpoint: r.Params.Endpoint, Event: r.Params.Event, State: webhook.State(r.Params.State),
		Before: r.Params.Before, Limit: most,
	})
	if err != nil {
		return nil, err
	}
	out := ListWebhookDeliveries200JSONResponse{Data: []Delivery{}, HasMore: len(found) == most}
	for _, d := range found {
		out.Data = append(out.Data, deliveryOf(d))
	}
	return out, nil
}

// GetWebhookDelivery is GET /v1/webhook_deliveries/{delivery}.
func (a webhookAPI) GetWebhookDelivery(
	ctx context.Context, r GetWebhookDeliveryRequestObject,
) (GetWebhookDeliveryResponseObject, error) {
	d, tries, err := a.Webhooks.Delivery(ctx, merchantOf(ctx).ID, r.Delivery)
	if err != nil {
		return nil, err
	}
	out := deliveryOf(d)
	out.Body = d.Body
	for _, t := range tries {
		out.Tries = append(out.Tries, DeliveryTry{
			N: t.N, At: t.At.UTC(), TookMs: t.Took.Milliseconds(), URL: t.URL, RequestHeaders: t.RequestHeaders, Status: t.Status,
			ResponseHeaders: t.AnswerHeaders, ResponseBody: t.Answer, Truncated: t.Cut, Error: t.Error,
		})
	}
	return GetWebhookDelivery200JSONResponse(out), nil
}

// ResendWebhookDelivery is POST /v1/webhook_deliveries/{delivery}/resend.
func (a webhookAPI) ResendWebhookDelivery(
	ctx context.Context, r ResendWebhookDeliveryRequestObject,
) (ResendWebhookDeliveryResponseObject, error) {
	d, err := a.Webhooks.Resend(ctx, merchantOf(ctx).ID, r.Delivery)
	return ResendWebhookDelivery202JSONResponse(deliveryOf(d)), err
}

// CancelWebhookDelivery is POST /v1/webhook_deliveries/{delivery}/cancel.
func (a webhookAPI) CancelWebhookDelivery(
	ctx context.Context, r CancelWebhookDeliveryRequestObject,
) (CancelWebhookDeliveryResponseObject, error) {
	d, err := a.Webhooks.Cancel(ctx, merchantOf(ctx).ID, r.Delivery)
	return CancelWebhookDelivery200JSONResponse(deliveryOf(d)), err
}

// ResendWebhookEvents is POST /v1/webhook_endpoints/{endpoint}/resend.
func (a webhookAPI) ResendWebhookEvents(
	ctx context.Context, r ResendWebhookEventsRequestObject,
) (ResendWebhookEventsResponseObject, error) {
	var bad []FieldError
	from, to := instant("from", r.Body.From, &bad), instant("to", r.Body.To, &bad)
	if len(bad) > 0 {
		return nil, &invalidRequest{bad}
	}
	n, err := a.Webhooks.ResendRange(ctx, merchantOf(ctx).ID, r.Endpoint, from, to)
	return ResendWebhookEvents202JSONResponse{Events: n}, err
}
