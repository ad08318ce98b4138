package providertest

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
	"strconv"
	"strings"
	"sync"
	"testing"

	"tollgate/providers"
	"tollgate/threeds"
)

// mutants gives every call of the journeys its genuine answer again, altered as gateways alter theirs: a member is missing, null,
// empty, in a list, spelt in capitals; numbers come as text and text as numbers; other characters, a byte order mark, members that
// nobody knows. What says the same has to be read as the same; of what does not, no success and no refusal may come.
func mutants(t *testing.T, h Harness) {
	seen := map[string]bool{}
	run := func(t *testing.T, tape *tape, a act) {
		for i, answer := range a.answers {
			for _, m := range append(sameAnswer(answer.body), brokenMembers(answer.body)...) {
				id := a.name + " " + answer.call + " " + m.name + " (" + a.want.kind() + ")"
				if seen[id] {
					continue
				}
				seen[id] = true
				tape.play(a.answers, i, m.body)
				got := a.do()
				switch {
				case got.fault != "":
					t.Errorf("%s: %s\n%.600s", id, got.fault, m.body)
				case m.same && got.short() != a.want.short():
					t.Errorf("%s: read as %s, not %s\n%.600s", id, got.short(), a.want.short(), m.body)
				case !m.same:
					if fault := wrong(a.want, got, a.payment); fault != "" {
						t.Errorf("%s: %s: %s, where the answer said %s\n%.600s", id, fault, got.short(), a.want.short(), m.body)
					}
				}
			}
		}
	}
	for _, c := range pick(h.Cards, h.Journeys) {
		t.Run(c.PAN, func(t *testing.T) {
			w := begin(t, h, nil)
			tape := &tape{}
			w.spoiler.tape = tape
			noting := &noting{Provider: w.probe.p, tape: tape}
			w.probe.p = noting
			w.pay(c)
			if o, ok := noting.Provider.(providers.Operator); ok && w.last.Outcome == providers.Paid {
				noting.operate(t.Context(), o, w)
			}
			for _, a := range noting.acts {
				run(t, tape, a)
			}
		})
	}
}

// taped is an answer as it came.
type taped struct {
	call   string
	status int
	header http.Header
	body   []byte
}

// tape notes answers, and later plays them in place of the gateway.
type tape struct {
	mu      sync.Mutex
	noted   []taped
	playing bool
	left    []taped
}

func (t *tape) play(answers []taped, i int, body []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.playing, t.left = true, slices.Clone(answers)
	t.left[i].body = body
}

// answer is the next taped one of a call; a call that the tape has not gets none.
func (t *tape) answer(r *http.Request, call string) (res *http.Response, err error, played bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.playing {
		return nil, nil, false
	}
	for i, a := range t.left {
		if a.call == call {
			t.left = slices.Delete(t.left, i, i+1)
			return &http.Response{StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.header.Clone(), Request: r,
				ContentLength: -1, Body: io.NopCloser(bytes.NewReader(a.body))}, nil, true
		}
	}
	return nil, errCut, true
}

func (t *tape) note(call string, res *http.Response) error {
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	t.mu.Lock()
	defer t.mu.Unlock()
	header := res.Header.Clone()
	header.Del("Content-Length")
	t.noted = append(t.noted, taped{call, res.StatusCode, header, body})
	return nil
}

// said is what a method made of its answers.
type said struct {
	ref    *providers.Ref
	step   *providers.Step
	stands *providers.Standing
	result *providers.OpResult
	err    error
	fault  string // it panicked
}

// short is what has to be the same where the answer says the same.
func (s said) short() string {
	switch {
	case s.err != nil:
		return "error"
	case s.ref != nil:
		return "order " + s.ref.OrderID
	case s.step != nil:
		forms := ""
		for _, f := range s.step.Forms {
			forms += fmt.Sprintf(" %v", f)
		}
		return fmt.Sprintf("step %s%s %s %s %v", s.step.Kind, forms, s.step.HTML, s.step.Link, s.step.Decline != nil)
	case s.stands != nil:
		x := s.stands
		return fmt.Sprintf("%s held %d captured %d refunded %d stated %v last try %v next %v", x.Outcome, x.Held, x.Captured, x.Refunded,
			x.Stated, x.LastTry != nil, x.Next != nil)
	case s.result != nil:
		return fmt.Sprintf("operation %s decline %v", s.result.State, s.result.Decline != nil)
	}
	return "nothing"
}

// kind is short without what differs between two payments.
func (s said) kind() string {
	switch {
	case s.err != nil:
		return "error"
	case s.step != nil:
		return "step " + string(s.step.Kind)
	case s.stands != nil:
		return string(s.stands.Outcome) + " " + strconv.FormatBool(s.stands.Next != nil)
	case s.result != nil:
		return string(s.result.State)
	}
	return ""
}

// wrong says what a method believes that the broken answer does not say.
func wrong(want, got said, p providers.Payment) string {
	switch {
	case got.err != nil:
		return ""
	case got.ref != nil && got.ref.OrderID == "" && want.ref != nil && want.ref.OrderID != "":
		return "an order without a name"
	case got.step != nil && got.step.Kind == providers.Declined && want.step != nil && want.step.Kind != providers.Declined:
		return "a false refusal"
	case got.result != nil && want.result != nil && got.result.State != want.result.State &&
		(got.result.State == providers.OpSucceeded || got.result.State == providers.OpFailed):
		return "a false end of an operation"
	case got.stands == nil || want.stands == nil:
		return ""
	}
	s := got.stands
	if s.Reference != "" && s.Reference != p.Ref.Reference || s.OtherAmount(p.Amount) ||
		s.Ref.OrderID != "" && p.Ref.OrderID != "" && s.Ref.OrderID != p.Ref.OrderID {
		return "" // it is seen that this is something else
	}
	good := func(o providers.Outcome) bool { return o == providers.Paid || o == providers.Authorized }
	over := func(o providers.Outcome) bool {
		return slices.Contains([]providers.Outcome{providers.Refused, providers.Closed, providers.NotFound, providers.Voided}, o)
	}
	switch was := want.stands.Outcome; {
	case good(s.Outcome) && !good(was):
		return "a false success"
	case over(s.Outcome) && !over(was):
		return "a false refusal"
	case s.LastTry != nil && want.stands.LastTry == nil:
		return "a false refusal of the try"
	case s.Outcome == providers.Paid && was == providers.Authorized, s.Held > want.stands.Held && !good(was),
		s.Captured > want.stands.Captured && s.Stated, s.Refunded > want.stands.Refunded && s.Stated:
		return "false sums"
	}
	return ""
}

// act is a method that was called, with the answers that it got.
type act struct {
	name    string
	payment providers.Payment
	do      func() said
	answers []taped
	want    said
}

// noting keeps what was called.
type noting struct {
	providers.Provider
	tape *tape
	acts []act
}

func (n *noting) note(name string, p providers.Payment, do func() said) said {
	from := len(n.tape.noted)
	safe := func() (s said) {
		defer func() {
			if v := recover(); v != nil {
				s = said{fault: fmt.Sprintf("panic: %v", v)}
			}
		}()
		return do()
	}
	want := do()
	n.acts = append(n.acts, act{name, p, safe, slices.Clone(n.tape.noted[from:]), want})
	return want
}

func (n *noting) Register(ctx context.Context, p providers.Payment) (providers.Ref, error) {
	s := n.note("Register", p, func() said {
		ref, err := n.Provider.Register(context.WithoutCancel(ctx), p)
		return said{ref: &ref, err: err}
	})
	return *s.ref, s.err
}

func (n *noting) Pay(ctx context.Context, p providers.Payment, in providers.Instrument, b threeds.BrowserData) (providers.Step, error) {
	s := n.note("Pay", p, func() said {
		step, err := n.Provider.Pay(context.WithoutCancel(ctx), p, in, b)
		return said{step: &step, err: err}
	})
	return *s.step, s.err
}

func (n *noting) Resume(ctx context.Context, p providers.Payment, a providers.Answer) (providers.Step, error) {
	s := n.note("Resume "+string(a.Kind), p, func() said {
		step, err := n.Provider.Resume(context.WithoutCancel(ctx), p, a)
		return said{step: &step, err: err}
	})
	return *s.step, s.err
}

func (n *noting) Status(ctx context.Context, p providers.Payment) (providers.Standing, error) {
	s := n.note("Status", p, func() said {
		standing, err := n.Provider.Status(context.WithoutCancel(ctx), p)
		return said{stands: &standing, err: err}
	})
	return *s.stands, s.err
}

// operate gives a part of the payment back, and asks what became of that.
func (n *noting) operate(ctx context.Context, o providers.Operator, w *walk) {
	if !slices.ContainsFunc(o.Kinds(), func(l providers.OpLimits) bool { return l.Kind == providers.Refund }) {
		return
	}
	op := providers.Op{Kind: providers.Refund, Reference: "op-1", Amount: w.p.Amount, Standing: w.last}
	n.note("Do refund", w.p, func() said {
		r, err := o.Do(ctx, w.p, op)
		return said{result: &r, err: err}
	})
	n.note("Inquire refund", w.p, func() said {
		r, err := o.Inquire(ctx, w.p, op)
		return said{result: &r, err: err}
	})
	w.h.Advance(0)
	_, _ = n.Status(ctx, w.p)
}

// mutant is a body in place of the genuine one.
type mutant struct {
	name string
	body []byte
	same bool // it says the same
}

func object(body []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) != nil {
		return nil
	}
	return m
}

// sameAnswer is what says the same in other bytes.
func sameAnswer(body []byte) (all []mutant) {
	add := func(name string, b []byte) { all = append(all, mutant{name, b, true}) }
	m := object(body)
	if m == nil {
		if strings.HasPrefix(strings.TrimSpace(string(body)), "<") {
			add("blank lines after it", append(slices.Clone(body), "\r\n\r\n"...))
		} else if v, err := url.ParseQuery(strings.TrimSpace(string(body))); err == nil && len(v) > 1 {
			add("line feeds after each value", []byte(strings.ReplaceAll(strings.TrimSpace(string(body)), "&", "\n&")+"\n"))
			v.Set("x-new-member", "ИВАН [1] {2}")
			add("a member that nobody knows, in another order", []byte(v.Encode()))
		}
		return all
	}
	marshal := func(m any) []byte {
		raw, err := json.Marshal(m)
		if err != nil {
			panic(err)
		}
		return raw
	}
	add("a byte order mark", append([]byte("\ufeff"), body...))
	add("blanks around it", append(append([]byte(" \r\n\t"), body...), " \r\n\r\n  "...))
	indented, _ := json.MarshalIndent(m, "\t", "    ")
	add("indented, in another order", indented)
	more := maps.Clone(m)
	more["xNew"], more["0"], more["яNew"] = map[string]any{"a": []any{nil, 1.5, true}}, nil, []any{[]any{}}
	add("members that nobody knows", marshal(more))
	more = maps.Clone(m)
	more["xText"] = "@@"
	add("a text in another encoding", bytes.Replace(marshal(more), []byte("@@"), []byte{0xc8, 0xe2, 0xe0, 0xed, 0x20, 0xff}, 1))
	add("line feeds as on Windows", bytes.ReplaceAll(indented, []byte("\n"), []byte("\r\n")))
	for name, to := range map[string]func(string) string{"capitals": strings.ToUpper, "small letters": strings.ToLower,
		"a capital at its beginning": func(s string) string { return strings.ToUpper(s[:1]) + s[1:] }} {
		add("every name in "+name, marshal(renamed(m, to)))
	}
	var escaped strings.Builder
	for _, r := range string(marshal(m)) {
		if r > 126 && r < 0x10000 {
			fmt.Fprintf(&escaped, `\u%04x`, r)
		} else {
			escaped.WriteRune(r)
		}
	}
	add("escaped", []byte(strings.ReplaceAll(escaped.String(), "/", `\/`)))
	return all
}

// renamed is a value whose members' names are written otherwise.
func renamed(v any, to func(string) string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			if name != "" {
				out[to(name)] = renamed(value, to)
			}
		}
		if len(out) < len(v) { // two names differ in nothing else
			return v
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = renamed(v[i], to)
		}
		return out
	}
	return v
}

// leaves calls do with a copy of the body for each member, to be edited in its object.
func leaves(body []byte, do func(path string, in map[string]any, name string, root map[string]any)) {
	var walk func(at []string, m map[string]any)
	walk = func(at []string, m map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			root := object(body)
			in := root
			for _, step := range at {
				in = in[step].(map[string]any)
			}
			do(strings.Join(append(slices.Clone(at), name), "."), in, name, root)
			if child, ok := m[name].(map[string]any); ok && len(at) < 3 {
				walk(append(slices.Clone(at), name), child)
			}
		}
	}
	walk(nil, object(body))
}

// change gives a member another shape, and tells whether that is one that such a member can have.
type change struct {
	name string
	same bool // it says the same
	to   func(v any, in map[string]any, name string) bool
}

// memberChanges are the shapes that gateways were seen to give a member.
func memberChanges() []change {
	set := func(to any) func(any, map[string]any, string) bool {
		return func(_ any, in map[string]any, name string) bool { in[name] = to; return true }
	}
	rename := func(to func(string) string) func(any, map[string]any, string) bool {
		return func(v any, in map[string]any, name string) bool {
			if to(name) == name {
				return false
			}
			delete(in, name)
			in[to(name)] = v
			return true
		}
	}
	return []change{
		{"is missing", false, func(_ any, in map[string]any, name string) bool { delete(in, name); return true }},
		{"is null", false, set(nil)},
		{"is empty", false, set("")},
		{"is blank", false, set(" \n")},
		{"is an empty list", false, set([]any{})},
		{"is an empty object", false, set(map[string]any{})},
		{"is the word null", false, set("null")},
		{"is negative", false, set(json.Number("-1"))},
		{"is huge", false, set(json.Number("1e30"))},
		{"is true", false, set(true)},
		{"is in a list", false, func(v any, in map[string]any, name string) bool {
			_, list := v.([]any)
			in[name] = []any{v}
			return list
		}},
		{"is alone in a list", true, func(v any, in map[string]any, name string) bool {
			_, list := v.([]any)
			in[name] = []any{v}
			return !list && v != nil
		}},
		{"is true as a text", true, func(v any, in map[string]any, name string) bool {
			yes, ok := v.(bool)
			in[name] = map[bool]string{true: "True", false: "False"}[yes]
			return ok
		}},
		{"has blanks around it", false, func(v any, in map[string]any, name string) bool {
			text, ok := v.(string)
			in[name] = " " + text + "\r\n"
			return ok
		}},
		{"is in an object", false, func(v any, in map[string]any, name string) bool { in[name] = map[string]any{"value": v}; return true }},
		{"is in capitals", false, rename(strings.ToUpper)},
		{"is in small letters", false, rename(strings.ToLower)},
		{"has a blank after its name", false, rename(func(s string) string { return s + " " })},
		{"is a number with a fraction", false, func(v any, in map[string]any, name string) bool {
			n, ok := v.(json.Number)
			in[name] = json.Number(n + ".5")
			return ok && !strings.ContainsAny(string(n), ".eE")
		}},
		{"is a number as text", true, func(v any, in map[string]any, name string) bool {
			n, ok := v.(json.Number)
			in[name] = string(n)
			return ok
		}},
		{"is a text as number", true, func(v any, in map[string]any, name string) bool {
			text, ok := v.(string)
			n, err := strconv.ParseInt(text, 10, 53)
			in[name] = json.Number(text)
			return ok && err == nil && strconv.FormatInt(n, 10) == text
		}},
	}
}

// brokenMembers has each member in every shape; numbers as text and text as numbers say the same.
func brokenMembers(body []byte) (all []mutant) {
	if object(body) == nil {
		return brokenFields(body)
	}
	changes := memberChanges()
	for i := range changes {
		leaves(body, func(path string, in map[string]any, name string, root map[string]any) {
			if c := changes[i]; c.to(in[name], in, name) {
				raw, err := json.Marshal(root)
				if err != nil {
					panic(err)
				}
				all = append(all, mutant{path + " " + c.name, raw, c.same})
			}
		})
	}
	return append(all, wholeAnswers...)
}

// brokenFields does the same for an answer of fields.
func brokenFields(body []byte) (all []mutant) {
	v, err := url.ParseQuery(strings.TrimSpace(string(body)))
	if err != nil || len(v) < 2 || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) {
		return wholeAnswers
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		for what, values := range map[string][]string{
			"is missing": nil, "is empty": {""}, "is blank": {" \n"}, "is the word null": {"null"}, "is negative": {"-1"},
			"is huge": {"1e30"}, "comes twice": {v.Get(name), "x"},
		} {
			edited := maps.Clone(v)
			if edited[name] = values; values == nil {
				delete(edited, name)
			}
			all = append(all, mutant{name + " " + what, []byte(edited.Encode()), false})
		}
		for what, to := range map[string]string{
			"is in capitals": strings.ToUpper(name), "has a blank after its name": name + " ",
			"is spelt with an underscore": strings.ReplaceAll(name, "-", "_"),
		} {
			if to != name {
				edited := maps.Clone(v)
				delete(edited, name)
				edited[to] = v[name]
				all = append(all, mutant{name + " " + what, []byte(edited.Encode()), false})
			}
		}
	}
	return append(all, wholeAnswers...)
}

// wholeAnswers stand in the place of any answer.
var wholeAnswers = []mutant{
	{"nothing at all", nil, false},
	{"blanks", []byte(" \r\n"), false},
	{"null", []byte("null"), false},
	{"a list", []byte("[]"), false},
	{"a list of lists", []byte("[[[]]]"), false},
	{"a text", []byte(`"OK"`), false},
	{"OK", []byte("OK"), false},
	{"true", []byte("true"), false},
	{"an empty object", []byte("{}"), false},
	{"a maintenance page", []byte("<!DOCTYPE html><html><body>Технические работы. success=true&status=approved</body></html>"), false},
	{"a page in another encoding", append([]byte("<html><meta charset=windows-1251>"), 0xd0, 0xe0, 0xe1, 0xee, 0xf2, 0xfb), false},
	{"a page of a login", []byte("\n\n<html><head><title>Sign in</title></head><form method=post action=/login></form></html>"), false},
	{"UTF-16", []byte("\xff\xfe{\x00}\x00"), false},
	{"a stack trace", []byte("java.lang.NullPointerException\n\tat ru.bpc.phoenix.Payment.do(Payment.java:123)\n"), false},
	{"an envelope of another product", []byte(`{"data":{"orderStatus":2,"status":"approved"},"meta":{"code":"00001"}}`), false},
}

// Altered reads a recorded answer as it is, then altered in every way of mutants: what says the same has to be read as the same, and of
// what does not no success and no refusal may come. read is one method of a provider on one answer.
func Altered(t *testing.T, name string, body []byte, p providers.Payment, read func(body []byte) (any, error)) {
	t.Helper()
	said := func(body []byte) (s said) {
		defer func() {
			if v := recover(); v != nil {
				s.fault = fmt.Sprintf("panic: %v", v)
			}
		}()
		got, err := read(body)
		s.err = err
		switch got := got.(type) {
		case providers.Ref:
			s.ref = &got
		case providers.Step:
			s.step = &got
		case providers.Standing:
			s.stands = &got
		case providers.OpResult:
			s.result = &got
		}
		return s
	}
	want := said(body)
	for _, m := range append(sameAnswer(body), brokenMembers(body)...) {
		got := said(m.body)
		switch {
		case got.fault != "":
			t.Errorf("%s, %s: %s\n%.600s", name, m.name, got.fault, m.body)
		case m.same && got.short() != want.short():
			t.Errorf("%s, %s: read as %s (%v), not %s\n%.600s", name, m.name, got.short(), got.err, want.short(), m.body)
		case !m.same:
			if fault := wrong(want, got, p); fault != "" {
				t.Errorf("%s, %s: %s: %s, where the answer said %s\n%.600s", name, m.name, fault, got.short(), want.short(), m.body)
			}
		}
	}
}
