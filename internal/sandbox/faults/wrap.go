package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

type callKey struct{}

type current struct {
	log  *Log
	call *Call
}

// SetReference tells the log which order the call is about. Simulators call it as soon as they have read the order's
// number; outside a wrapped handler it does nothing.
func SetReference(r *http.Request, reference string) {
	if c, ok := r.Context().Value(callKey{}).(current); ok {
		c.log.change(func() { c.call.Reference = reference })
	}
}

// A Namer is a handler that knows better than its paths what a call is called.
type Namer interface {
	CallName(r *http.Request) string
}

// callName is the last path element that is a word: PaynetEasy ends its paths with the endpoint's number, others with ids.
func callName(h http.Handler, r *http.Request) string {
	if n, ok := h.(Namer); ok {
		if name := n.CallName(r); name != "" {
			return name
		}
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	for _, p := range slices.Backward(parts) {
		if p != "" && p != "group" && !isID(p) {
			return p
		}
	}
	return "/"
}

func isID(s string) bool {
	digits := strings.Count(s, "-")
	for _, c := range s {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	return digits == len(s) || len(s) == 36 && strings.Count(s, "-") == 4
}

// answer holds back what the simulator says, so that it can be spoilt.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(code int) {
	if a.status == 0 {
		a.status = code
	}
}
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// textOf is what a call can be told by: its address and its body, which stays to be read.
func textOf(r *http.Request) string {
	raw, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20)) // whoever handles it meets what is wrong with it
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(raw), r.Body), r.Body}
	return r.URL.RequestURI() + "\n" + string(raw)
}

// Wrap logs every call to the gateway and plays the faults. A cut connection is a panic with http.ErrAbortHandler, which
// the server turns into a closed socket: no recovering middleware may stand outside. The simulator's answer is held back
// until it is complete, so wrapped handlers cannot stream.
func (s *Script) Wrap(gateway string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := callName(next, r)
		c := s.Log.begin(gateway, name)
		status := func(code int) { s.Log.change(func() { c.Status = code }) }
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, current{s.Log, c}))
		var f Fault
		text := ""
		if s.aims() {
			text = textOf(r)
		}
		if got := s.take(gateway, name, text, false); len(got) == 1 {
			f = got[0]
			s.Log.change(func() { c.Fault = f.Do })
		}
		a := &answer{header: http.Header{}}
		if f.Do == "" || f.after() || f.Do == "slow" {
			if f.Do == "slow" && !f.after() {
				if !wait(r.Context(), f.hold()) {
					panic(http.ErrAbortHandler)
				}
			}
			next.ServeHTTP(a, r)
			if a.status == 0 {
				a.status = http.StatusOK
			}
		} else {
			_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20)) // taken off the wire, seen by nobody
		}
		switch f.Do {
		case "close":
			panic(http.ErrAbortHandler)
		case "hang":
			wait(r.Context(), f.hold())
			panic(http.ErrAbortHandler)
		case "slow":
			if f.after() && !wait(r.Context(), f.hold()) {
				panic(http.ErrAbortHandler)
			}
		case "status", "body":
			a = faultAnswer(f)
		case "huge":
			a = faultAnswer(Fault{Status: http.StatusOK, ContentType: a.header.Get("Content-Type"),
				Body: strings.Repeat("0123456789abcdef", 10<<20/16)})
		case "set":
			a.header.Del("Content-Length")
			setFields(a, f.Set)
		case "header": // a bank that forbids frames, say
			for name, value := range f.Set {
				a.header.Set(name, value)
			}
		}
		maps.Copy(w.Header(), a.header)
		w.Header().Set("Content-Length", fmt.Sprint(a.body.Len()))
		w.WriteHeader(a.status)
		if f.Do == "cut" {
			part := a.body.Len() / 2
			if f.Bytes > 0 {
				part = min(f.Bytes, a.body.Len())
			}
			_, _ = w.Write(a.body.Bytes()[:part])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		status(a.status)
		if r.Method != http.MethodHead {
			_, _ = w.Write(a.body.Bytes())
		}
	})
}

func faultAnswer(f Fault) *answer {
	a := &answer{header: http.Header{}, status: http.StatusOK}
	if f.Do == "status" {
		a.status = f.Status
	}
	kind := f.ContentType
	if kind == "" {
		kind = "text/html; charset=utf-8"
	}
	a.header.Set("Content-Type", kind)
	a.body.WriteString(f.Body)
	return a
}

// wait holds for d, or until the caller is gone, which it answers with false.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// setFields changes fields of a JSON object, or of a form-encoded answer, which otherwise stays byte for byte.
func setFields(a *answer, fields map[string]string) {
	body := a.body.Bytes()
	var object map[string]json.RawMessage
	var out []byte
	if json.Unmarshal(body, &object) == nil && object != nil {
		for _, k := range slices.Sorted(maps.Keys(fields)) {
			setJSON(object, strings.Split(k, "."), fields[k])
		}
		out, _ = json.Marshal(object) // raw messages of valid JSON marshal
	} else {
		out = setForm(string(body), fields)
	}
	a.body.Reset()
	a.body.Write(out)
}

// setJSON keeps the type of the field it replaces: a string stays a string; otherwise a value that is JSON goes in as it is.
func setJSON(object map[string]json.RawMessage, path []string, value string) {
	key := path[0]
	if len(path) > 1 {
		inner := map[string]json.RawMessage{}
		if old, ok := object[key]; ok && json.Unmarshal(old, &inner) != nil {
			return // not an object: nothing to reach into
		}
		if inner == nil {
			inner = map[string]json.RawMessage{}
		}
		setJSON(inner, path[1:], value)
		object[key], _ = json.Marshal(inner)
		return
	}
	if value == "" {
		delete(object, key)
		return
	}
	old, known := object[key]
	if known && !bytes.HasPrefix(bytes.TrimSpace(old), []byte(`"`)) && json.Valid([]byte(value)) {
		object[key] = json.RawMessage(value)
		return
	}
	object[key], _ = json.Marshal(value)
}

func setForm(body string, fields map[string]string) []byte {
	left := maps.Clone(fields)
	var out []string
	for _, pair := range strings.Split(body, "&") {
		raw, value, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(strings.TrimSpace(raw))
		want, ok := left[key]
		if err != nil || !ok {
			out = append(out, pair)
			continue
		}
		delete(left, key)
		tail := value[len(strings.TrimRight(value, "\r\n")):] // PaynetEasy ends its values with a line feed
		if want != "" {
			out = append(out, raw+"="+url.QueryEscape(want)+tail)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(left)) {
		if left[key] != "" {
			out = append(out, url.QueryEscape(key)+"="+url.QueryEscape(left[key]))
		}
	}
	return []byte(strings.Join(out, "&"))
}
