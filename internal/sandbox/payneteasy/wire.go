package payneteasy

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// reply is an answer of the API in the order in which the gateway writes it.
type reply struct {
	pairs    [][2]string
	rejected bool // validation-error or error: HTTP 200 in the form dialect, 4xx in JSON
}

func newReply(typ string) *reply { return (&reply{}).add("type", typ) }

func (r *reply) add(name, value string) *reply {
	r.pairs = append(r.pairs, [2]string{name, value})
	return r
}

// opt adds the pair only if there is something to say.
func (r *reply) opt(name, value string) *reply {
	if value == "" {
		return r
	}
	return r.add(name, value)
}

func (r *reply) get(name string) string {
	for _, p := range r.pairs {
		if p[0] == name {
			return p[1]
		}
	}
	return ""
}

// form is the body as the gateway prints it: url-encoded pairs, a line feed at the end of each value, then "&".
func (r *reply) form() string {
	var b strings.Builder
	for i, p := range r.pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p[0] + "=" + url.QueryEscape(p[1]) + "\n")
	}
	return b.String()
}

// json is the same answer for Accept: application/vnd.pay+json. The order id is a number in the answer to a
// request and a string in a status, an error code is a number where it is one.
func (r *reply) json() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range r.pairs {
		if i > 0 {
			b.WriteString(", ")
		}
		name, _ := json.Marshal(p[0])
		value, _ := json.Marshal(p[1])
		if n, err := strconv.ParseInt(p[1], 10, 64); err == nil && strconv.FormatInt(n, 10) == p[1] &&
			(p[0] == "error-code" || p[0] == "paynet-order-id" && r.get("type") != "status-response") {
			value = []byte(p[1])
		}
		b.Write(name)
		b.WriteString(": ")
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

func (r *reply) write(w http.ResponseWriter, asJSON bool) {
	if asJSON {
		w.Header().Set("Content-Type", "application/vnd.pay+json;charset=utf-8")
		if r.rejected {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = w.Write(r.json())
		return
	}
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	_, _ = w.Write([]byte(r.form()))
}
