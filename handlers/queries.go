package handlers

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// queries says what may stand in the query of each list of the API.
func queries() map[string]any {
	none := struct{}{}
	return map[string]any{
		"/v1/accounts":                               none,
		"/v1/accounts/:account/banks":                none,
		"/v1/sessions/:session/refunds":              none,
		"/v1/sessions/:session/operations":           none,
		"/v1/sessions/:session/attempts/:n/timeline": none,
		"/v1/webhook_keys":                           none,
		"/v1/accounts/:account/history":              ListHistoryParams{},
		"/v1/customers/:customer/cards":              ListSavedCardsParams{},
		"/v1/events":                                 ListEventsParams{},
		"/v1/invoices":                               ListInvoicesParams{},
		"/v1/sessions":                               ListSessionsParams{},
		"/v1/sessions/:session/events":               ListSessionEventsParams{},
		"/v1/webhook_deliveries":                     ListWebhookDeliveriesParams{},
		"/v1/webhook_endpoints":                      ListWebhookEndpointsParams{},
	}
}

// filtersOf are the names that a query may have.
func filtersOf(params any) (names []string) {
	for f := range reflect.TypeOf(params).Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("form"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// knownFilters refuses a query that a list does not know: misspelt, it would be a list of everything. What lists know is read once;
// echo puts the middleware of a group together for each request.
func knownFilters() echo.MiddlewareFunc {
	known := map[string][]string{}
	for path, params := range queries() {
		known[path] = filtersOf(params)
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			may, list := known[c.Path()]
			if r.Method != http.MethodGet && r.Method != http.MethodHead || r.URL.RawQuery == "" || !list {
				return next(c)
			}
			bad := fieldErrors{}
			for _, name := range slices.Sorted(maps.Keys(r.URL.Query())) {
				if !slices.Contains(may, name) {
					detail := "is not known here"
					if len(may) > 0 {
						detail = fmt.Sprintf("is not known here, where there are %s", strings.Join(may, ", "))
					}
					bad.add(pointerName(name), detail)
				}
			}
			if len(bad) > 0 {
				return &invalidRequest{bad}
			}
			return next(c)
		}
	}
}
