package cashier

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"tollgate/internal/sandbox/sim"
)

// body is an answer in the order in which the gateway writes it.
type body = sim.Object

// reply is an answer before it is written.
type reply struct {
	status int
	body   body
}

func ok(b body) reply { return reply{http.StatusOK, b} }

// fault is a refusal: the order keeps its state.
type fault struct {
	status int
	code   string // ErrCode of the payment calls
	text   string
}

func (f *fault) Error() string { return f.code + " " + f.text }

func refuse(status int, code, text string) *fault { return &fault{status, code, text} }

func missing(name string) *fault {
	return refuse(http.StatusBadRequest, "VALIDATION_ERROR", name+" is required")
}
func malformed(name string) *fault {
	return refuse(http.StatusBadRequest, "VALIDATION_ERROR", name+" is invalid")
}

var (
	errLogin   = refuse(http.StatusUnauthorized, "ACCESS_DENIED", "wrong login or password")
	errToken   = refuse(http.StatusUnauthorized, "ACCESS_DENIED", "token is invalid or expired")
	errNoOrder = refuse(http.StatusNotFound, "ORDER_NOT_FOUND", "order not found")
	errReused  = refuse(http.StatusConflict, "X_REQ_ID_ERROR", "x-req-id was used for another request")
	errState   = refuse(http.StatusBadRequest, "STATUS_ERROR", "operation is not possible in the current status of the order")
	errType    = refuse(http.StatusBadRequest, "TYPE_ERROR", "order has another type")
	errSystem  = refuse(http.StatusInternalServerError, "SYSTEM_ERROR", "internal error")
	errCard    = refuse(http.StatusBadRequest, "CARD_NOT_FOUND", "card not found")
)

// refusal is the fault in the shape of the layer that the call belongs to.
func refusal(payment bool, f *fault) reply {
	if payment && f.status != http.StatusUnauthorized {
		return reply{http.StatusOK, body{}.With("Response", body{}.With("Success", false).With("ErrCode", f.code).
			With("ErrMessage", f.text))}
	}
	return reply{f.status, body{}.With("success", false).With("description", f.text)}
}

func write(w http.ResponseWriter, status int, raw []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // a failed write means that the client is gone
}

// input is a request body: one JSON object whose members are read under their names, or in any case of letters, because
// the document's samples disagree with its tables.
type input map[string]json.RawMessage

func (in input) raw(name string) json.RawMessage {
	if v, ok := in[name]; ok {
		return v
	}
	for k, v := range in {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}

// text reads a string or a number as text; the document's samples have either.
func (in input) text(name string) string {
	raw := in.raw(name)
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

func (in input) has(name string) bool {
	raw := in.raw(name)
	return len(raw) > 0 && string(raw) != "null"
}

// number reads a whole positive number. Amounts are JSON integers: text is refused.
func (in input) number(name string) (int64, *fault) {
	raw := in.raw(name)
	if len(raw) == 0 || string(raw) == "null" {
		return 0, missing(name)
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n <= 0 {
		return 0, malformed(name)
	}
	return n, nil
}

func (in input) object(name string) (input, bool) {
	var o input
	if raw := in.raw(name); len(raw) == 0 || json.Unmarshal(raw, &o) != nil || o == nil {
		return nil, false
	}
	return o, true
}
