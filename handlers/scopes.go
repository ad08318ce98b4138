package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"tollgate/internal/merchant"
	"tollgate/internal/security"
)

// scopes says which keys a call of the API takes: those with one of its scopes. Every route under /v1 has its line; one
// that is missing here would be for keys without a list of scopes only.
func scopes() map[string][]merchant.Scope {
	const (
		sessions = merchant.Sessions
		refunds  = merchant.Refunds
		payouts  = merchant.Payouts
		settle   = merchant.Settle
		imports  = merchant.Import
		read     = merchant.Read
	)
	return map[string][]merchant.Scope{
		"GET /v1/accounts":                     {sessions, refunds, payouts, read},
		"GET /v1/accounts/:account/banks":      {sessions, payouts, read},
		"GET /v1/accounts/:account/history":    {read},
		"POST /v1/accounts/:account/reconcile": {sessions},

		"DELETE /v1/api_keys/:key": {sessions, refunds, payouts},

		"GET /v1/events": {sessions, read},

		"POST /v1/charges":                           {sessions},
		"POST /v1/payouts":                           {payouts},
		"GET /v1/customers/:customer/cards":          {sessions, read},
		"POST /v1/customers/:customer/cards":         {sessions},
		"POST /v1/customers/:customer/cards/import":  {imports},
		"POST /v1/customers/:customer/cards/refresh": {sessions},
		"POST /v1/virtual_cards":                     {sessions},
		"PATCH /v1/cards/:card":                      {sessions},
		"DELETE /v1/cards/:card":                     {sessions},

		"POST /v1/sessions":                  {sessions},
		"GET /v1/sessions":                   {sessions, refunds, payouts, settle, read},
		"GET /v1/sessions/:session":          {sessions, refunds, payouts, settle, read},
		"POST /v1/sessions/:session/cancel":  {sessions},
		"POST /v1/sessions/:session/inquire": {sessions},
		"POST /v1/sessions/:session/settle":  {settle},
		"GET /v1/sessions/:session/events":   {sessions, refunds, payouts, settle, read},

		"POST /v1/invoices":                {sessions},
		"GET /v1/invoices":                 {sessions, read},
		"GET /v1/invoices/:invoice":        {sessions, read},
		"POST /v1/invoices/:invoice/renew": {sessions},

		"POST /v1/webhook_endpoints":                   {sessions},
		"GET /v1/webhook_endpoints":                    {sessions, read},
		"GET /v1/webhook_endpoints/:endpoint":          {sessions, read},
		"PATCH /v1/webhook_endpoints/:endpoint":        {sessions},
		"DELETE /v1/webhook_endpoints/:endpoint":       {sessions},
		"POST /v1/webhook_endpoints/:endpoint/rotate":  {sessions},
		"POST /v1/webhook_endpoints/:endpoint/resend":  {sessions},
		"GET /v1/webhook_keys":                         {sessions, read},
		"POST /v1/webhook_keys/rotate":                 {sessions},
		"GET /v1/webhook_deliveries":                   {sessions, read},
		"GET /v1/webhook_deliveries/:delivery":         {sessions, read},
		"POST /v1/webhook_deliveries/:delivery/resend": {sessions},
		"POST /v1/webhook_deliveries/:delivery/cancel": {sessions},

		"POST /v1/sessions/:session/capture":             {refunds},
		"POST /v1/sessions/:session/void":                {refunds},
		"POST /v1/sessions/:session/refunds":             {refunds},
		"GET /v1/sessions/:session/refunds":              {sessions, refunds, payouts, read},
		"GET /v1/sessions/:session/refunds/:n":           {sessions, refunds, payouts, read},
		"GET /v1/sessions/:session/attempts/:n/timeline": {sessions, refunds, read},
		"GET /v1/sessions/:session/operations":           {sessions, refunds, payouts, read},
		"GET /v1/sessions/:session/operations/:n":        {sessions, refunds, payouts, read},
	}
}

// requireScope refuses a key that does not reach as far as the route: merchant.ErrScope. The table is made once, as that of
// knownFilters.
func (a admission) requireScope() echo.MiddlewareFunc {
	table := scopes()
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			// A path without a route is answered 404 by next, whatever the key.
			method := c.Request().Method
			if method == http.MethodHead {
				method = http.MethodGet
			}
			need, known := table[method+" "+c.Path()]
			if key := keyOf(c.Request().Context()); !key.May(need...) && (known || routed(c)) {
				m := merchantOf(c.Request().Context()).ID
				a.record(c, security.Entry{Kind: security.ScopeRefused, Outcome: refused, Key: shortKey(key), Merchant: m})
				return merchant.ErrScope
			}
			return next(c)
		}
	}
}

// routed tells whether the request has a route of its own.
func routed(c echo.Context) bool {
	for _, r := range c.Echo().Routes() {
		if r.Method == c.Request().Method && r.Path == c.Path() {
			return true
		}
	}
	return false
}
