package handlers

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"tollgate/internal/card"
	"tollgate/internal/merchant"
)

// A text of a merchant's is stored, shown to shoppers, written to logs and sent to gateways and webhooks. None may hold the number
// of a card: what may not be kept is not taken. What shoppers type is read by card.Holds and card.Resembles where each form is read.

// numberDetail says what is wrong, and repeats nothing.
const numberDetail = "holds what may be the number of a card, which is not kept here"

// withoutCardNumbers refuses a body of which any text or name holds the number of a card, but for the members that ask for one.
func withoutCardNumbers(body []byte, to any) error {
	if _, compared := to.(*ReconcileJSONRequestBody); compared { // the bank's list; nothing of it is stored, and its orders' numbers are the bank's
		return nil
	}
	if card.Digits(string(body)) < card.Shortest { // escapes have digits of their own
		return nil
	}
	var all any
	if err := json.Unmarshal(body, &all); err != nil { // it was read before
		return errBadJSON
	}
	var bad fieldErrors
	findCardNumbers("", all, &bad)
	if len(bad) > 0 {
		return &invalidRequest{bad}
	}
	return nil
}

func findCardNumbers(at string, value any, bad *fieldErrors) {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			pointer := at + "/" + pointerName(name)
			if card.Holds(name) {
				*bad = append(*bad, FieldError{Pointer: pointer, Detail: numberDetail})
			}
			findCardNumbers(pointer, value[name], bad)
		}
	case []any:
		for i, one := range value {
			findCardNumbers(fmt.Sprintf("%s/%d", at, i), one, bad)
		}
	case string:
		asked := strings.EqualFold(at, "/card/number") || strings.EqualFold(at, "/to/card/number")
		if !asked && card.Holds(value) {
			*bad = append(*bad, FieldError{Pointer: at, Detail: numberDetail})
		}
	}
}

// plainTarget refuses the number of a card in the path or the idempotency key of a request that may store it. What an earlier
// version stored can still be read, and deleted.
func plainTarget(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method != http.MethodPost && r.Method != http.MethodPatch {
			return next(c)
		}
		if slices.ContainsFunc(r.Header.Values(headerIdempotencyKey), card.Holds) {
			return merchant.ErrIdempotencyKey
		}
		for i, value := range c.ParamValues() {
			if card.Holds(value) {
				return fieldError(c.ParamNames()[i], numberDetail)
			}
		}
		return next(c)
	}
}
