package handlers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tollgate/internal/merchant"
	"tollgate/internal/webhook"
)

type newEndpoint struct {
	URL         string   `json:"url"`
	Description string   `json:"description"`
	Events      []string `json:"events"`
	Enabled     *bool    `json:"enabled"`
	Secret      string   `json:"secret"`
	Asymmetric  bool     `json:"asymmetric"`
}

type endpointChange struct {
	URL         *string   `json:"url"`
	Description *string   `json:"description"`
	Events      *[]string `json:"events"`
	Enabled     *bool     `json:"enabled"`
}

type keyRotation struct {
	OverlapSeconds *int64 `json:"overlap_seconds"`
	Secret         string `json:"secret"`
	Asymmetric     bool   `json:"asymmetric"`
}

type keyObject struct {
	Kind      string `json:"kind"`
	PublicKey string `json:"public_key,omitempty"`
	CreatedAt string `json:"created_at"`
	ExpiresAt string `json:"expires_at,omitempty"`
}

type endpointObject struct {
	ID           string      `json:"id"`
	Kind         string      `json:"kind"` // account; session: stands for the webhook_url of sessions
	URL          string      `json:"url"`
	Description  string      `json:"description,omitempty"`
	Events       []string    `json:"events"` // empty: all
	Enabled      bool        `json:"enabled"`
	Failing      bool        `json:"failing"`
	Failures     int         `json:"failures"` // in a row
	FailingSince string      `json:"failing_since,omitempty"`
	NextTryAt    string      `json:"next_try_at,omitempty"`
	Keys         []keyObject `json:"keys"`
	Secret       string      `json:"secret,omitempty"` // in the one answer that made it
	CreatedAt    string      `json:"created_at"`
	UpdatedAt    string      `json:"updated_at"`
}

type keysObject struct {
	Keys   []keyObject `json:"keys"`
	Secret string      `json:"secret,omitempty"`
}

func keysOf(keys []webhook.Key) []keyObject {
	out := []keyObject{}
	for _, k := range slices.Backward(keys) {
		out = append(out, keyObject{k.Kind, k.Public, stamp(k.CreatedAt), stamp(k.ExpiresAt)})
	}
	return out
}

func endpointOf(e webhook.Shown) endpointObject {
	kind := "account"
	if e.SessionURL {
		kind = "session"
	}
	events := e.Events
	if events == nil {
		events = []string{}
	}
	return endpointObject{
		ID: e.ID, Kind: kind, URL: e.URL, Description: e.Description, Events: events, Enabled: e.Enabled, Failing: e.Failing, Failures: e.Failures,
		FailingSince: stamp(e.FailingSince), NextTryAt: stamp(e.NextTry), Keys: keysOf(e.Keys), Secret: e.Secret.Reveal(),
		CreatedAt: stamp(e.CreatedAt), UpdatedAt: stamp(e.UpdatedAt),
	}
}

// mark names an idempotent request, the same whenever it runs again after a crash.
func mark(c echo.Context) string {
	claim, ok := merchant.ClaimOf(c.Request().Context())
	if !ok {
		return ""
	}
	sum := sha256.Sum256([]byte(claim.Key + "\n" + claim.Print))
	return hex.EncodeToString(sum[:16])
}

func (a api) createEndpoint(c echo.Context) error {
	var in newEndpoint
	if err := readJSON(c, &in); err != nil {
		return err
	}
	e, err := a.Webhooks.Create(c.Request().Context(), merchantOf(c).ID, webhook.NewEndpoint{
		URL: in.URL, Description: in.Description, Events: in.Events, Disabled: in.Enabled != nil && !*in.Enabled,
		Secret: in.Secret, Asymmetric: in.Asymmetric, Mark: mark(c),
	})
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderLocation, a.BaseURL+"/v1/webhook_endpoints/"+e.ID)
	return c.JSON(http.StatusCreated, endpointOf(e))
}

// endpoints lists the merchant's own, or with kind=session those that its sessions named.
func (a api) endpoints(c echo.Context) error {
	kind := c.QueryParam("kind")
	if kind != "" && kind != "account" && kind != "session" {
		return &invalid{[]fieldError{{"/kind", "must be account or session"}}}
	}
	found, err := a.Webhooks.List(c.Request().Context(), merchantOf(c).ID, kind == "session")
	if err != nil {
		return err
	}
	out := page[endpointObject]{Data: []endpointObject{}}
	for _, e := range found {
		out.Data = append(out.Data, endpointOf(e))
	}
	return c.JSON(http.StatusOK, out)
}

func (a api) endpoint(c echo.Context) error {
	e, err := a.Webhooks.Read(c.Request().Context(), merchantOf(c).ID, c.Param("endpoint"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, endpointOf(e))
}

// myEndpoint refuses an endpoint that is not the merchant's before anything is said of the body.
func (a api) myEndpoint(c echo.Context) error {
	_, err := a.Webhooks.Read(c.Request().Context(), merchantOf(c).ID, c.Param("endpoint"))
	return err
}

func (a api) changeEndpoint(c echo.Context) error {
	if err := a.myEndpoint(c); err != nil {
		return err
	}
	var in endpointChange
	if err := readJSON(c, &in); err != nil {
		return err
	}
	e, err := a.Webhooks.Change(c.Request().Context(), merchantOf(c).ID, c.Param("endpoint"), webhook.Update(in))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, endpointOf(e))
}

func (a api) deleteEndpoint(c echo.Context) error {
	if err := a.Webhooks.Delete(c.Request().Context(), merchantOf(c).ID, c.Param("endpoint")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// defaultOverlap is how long a replaced key signs on unless the merchant says otherwise.
const defaultOverlap = 24 * time.Hour

func rotation(c echo.Context) (webhook.Rotation, error) {
	var in keyRotation
	if c.Request().ContentLength != 0 {
		if err := readJSON(c, &in); err != nil {
			return webhook.Rotation{}, err
		}
	}
	r := webhook.Rotation{Overlap: defaultOverlap, Secret: in.Secret, Asymmetric: in.Asymmetric, Mark: mark(c)}
	if s := in.OverlapSeconds; s != nil {
		if *s < 0 || *s > int64(webhook.MaxOverlap/time.Second) {
			return r, &invalid{[]fieldError{{"/overlap_seconds", "must be from 0 to " + strconv.FormatInt(int64(webhook.MaxOverlap/time.Second), 10)}}}
		}
		r.Overlap = time.Duration(*s) * time.Second
	}
	return r, nil
}

func (a api) rotateEndpoint(c echo.Context) error {
	if err := a.myEndpoint(c); err != nil {
		return err
	}
	r, err := rotation(c)
	if err != nil {
		return err
	}
	e, err := a.Webhooks.Rotate(c.Request().Context(), merchantOf(c).ID, c.Param("endpoint"), r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, endpointOf(e))
}

func (a api) defaultKeys(c echo.Context) error {
	keys, err := a.Webhooks.DefaultKeys(c.Request().Context(), merchantOf(c).ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, keysObject{Keys: keysOf(keys)})
}

func (a api) rotateDefault(c echo.Context) error {
	r, err := rotation(c)
	if err != nil {
		return err
	}
	keys, secret, err := a.Webhooks.RotateDefault(c.Request().Context(), merchantOf(c).ID, r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, keysObject{keysOf(keys), secret.Reveal()})
}

type deliveryObject struct {
	ID        string          `json:"id"`
	Endpoint  string          `json:"endpoint"`
	Event     string          `json:"event"`
	Type      string          `json:"type"`
	Session   string          `json:"session,omitempty"`
	N         int             `json:"n"`
	State     webhook.State   `json:"state"`
	Resend    bool            `json:"resend"`
	TryCount  int             `json:"try_count"`
	CreatedAt string          `json:"created_at"`
	EndedAt   string          `json:"ended_at,omitempty"`
	Body      json.RawMessage `json:"body,omitempty"`  // of a delivery read alone: what is posted
	Tries     []tryObject     `json:"tries,omitempty"` // the same, oldest first
}

type tryObject struct {
	N               int               `json:"n"`
	At              string            `json:"at"`
	TookMS          int64             `json:"took_ms"`
	URL             string            `json:"url"`
	RequestHeaders  map[string]string `json:"request_headers"`
	Status          int               `json:"status,omitempty"` // absent: no answer
	ResponseHeaders map[string]string `json:"response_headers,omitempty"`
	ResponseBody    string            `json:"response_body,omitempty"` // the first 4 KiB
	Truncated       bool              `json:"truncated,omitempty"`
	Error           string            `json:"error,omitempty"`
}

func deliveryOf(d webhook.Delivery) deliveryObject {
	return deliveryObject{
		ID: d.ID, Endpoint: d.Endpoint, Event: d.Event, Type: d.Type, Session: d.Session, N: d.N, State: d.State, Resend: d.Resend,
		TryCount: d.Tries, CreatedAt: stamp(d.CreatedAt), EndedAt: stamp(d.EndedAt),
	}
}

func (a api) deliveries(c echo.Context) error {
	f := webhook.Filter{
		Merchant: merchantOf(c).ID, Endpoint: c.QueryParam("endpoint"), Event: c.QueryParam("event"), State: webhook.State(c.QueryParam("state")),
		Before: c.QueryParam("before"), Limit: 20,
	}
	if v := c.QueryParam("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 100 {
			return &invalid{[]fieldError{{"/limit", "must be from 1 to 100"}}}
		}
		f.Limit = n
	}
	if f.State != "" && !slices.Contains([]webhook.State{webhook.Pending, webhook.Delivered, webhook.GivenUp, webhook.Cancelled}, f.State) {
		return &invalid{[]fieldError{{"/state", "must be pending, delivered, given_up or cancelled"}}}
	}
	found, err := a.Webhooks.Deliveries(c.Request().Context(), f)
	if err != nil {
		return err
	}
	out := page[deliveryObject]{Data: []deliveryObject{}, HasMore: len(found) == f.Limit}
	for _, d := range found {
		out.Data = append(out.Data, deliveryOf(d))
	}
	return c.JSON(http.StatusOK, out)
}

func (a api) delivery(c echo.Context) error {
	d, tries, err := a.Webhooks.Delivery(c.Request().Context(), merchantOf(c).ID, c.Param("delivery"))
	if err != nil {
		return err
	}
	out := deliveryOf(d)
	out.Body = d.Body
	for _, t := range tries {
		out.Tries = append(out.Tries, tryObject{
			N: t.N, At: stamp(t.At), TookMS: t.Took.Milliseconds(), URL: t.URL, RequestHeaders: t.RequestHeaders, Status: t.Status,
			ResponseHeaders: t.AnswerHeaders, ResponseBody: t.Answer, Truncated: t.Cut, Error: t.Error,
		})
	}
	return c.JSON(http.StatusOK, out)
}

func (a api) resend(c echo.Context) error {
	d, err := a.Webhooks.Resend(c.Request().Context(), merchantOf(c).ID, c.Param("delivery"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, deliveryOf(d))
}

func (a api) cancelDelivery(c echo.Context) error {
	d, err := a.Webhooks.Cancel(c.Request().Context(), merchantOf(c).ID, c.Param("delivery"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, deliveryOf(d))
}

type resendSpan struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type resentObject struct {
	Events int `json:"events"`
}

func (a api) resendRange(c echo.Context) error {
	if err := a.myEndpoint(c); err != nil {
		return err
	}
	var in resendSpan
	if err := readJSON(c, &in); err != nil {
		return err
	}
	var bad []fieldError
	instant := func(field, text string) time.Time {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			bad = append(bad, fieldError{"/" + field, "must be a time of RFC 3339, such as 2026-03-04T12:00:00Z"})
		}
		return t
	}
	from, to := instant("from", in.From), instant("to", in.To)
	if len(bad) > 0 {
		return &invalid{bad}
	}
	n, err := a.Webhooks.ResendRange(c.Request().Context(), merchantOf(c).ID, c.Param("endpoint"), from, to)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, resentObject{n})
}
