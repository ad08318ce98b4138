package threeds

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// Caps on a whole reply. The largest honest one is a CRes of 128 KiB with every character escaped.
const (
	MaxReply      = 512 << 10 // body or query, in bytes
	MaxExtra      = 64        // fields we have no name for
	MaxExtraName  = 64        // bytes
	MaxExtraValue = 4 << 10   // bytes
	maxPairs      = 1024      // fields read at all
)

// Reply is what a browser brought from an ACS, from a gateway's page or from a 3DS Method. Field names are matched in
// any case (docs spell it cres and CRes, clients post md and pares); 3DSMethodData is the 2.0 name of threeDSMethodData.
//
// Values are as received, for forwarding byte for byte; only in the five base64 fields a space is put back to the '+'
// that a form decoder made of it. MD is free text and left alone. A value over its cap, or one with a NUL or bytes that
// are no UTF-8 (which no honest value has and no database takes), is left out and noted in Faults.
//
// A Reply proves nothing. It may hold a card number (inside PaRes), so printing and logging show names and lengths only.
type Reply struct {
	Method      string // of the request; GET happens, by design or by a redirect that changed the method
	CRes        string // cres; may carry an Erro, PeekCRes tells
	Erro        string // erro
	SessionData string // threeDSSessionData
	PaRes       string
	MD          string
	MethodData  string            // threeDSMethodData
	Extra       map[string]string // other fields, names as received, the first of equal names; bounded; never nil after ReadReply
	Faults      []string          // reasons, each once, in the order found

	came uint8 // bit per known field that came, empty ones included
}

const (
	fCRes = iota
	fErro
	fSessionData
	fPaRes
	fMD
	fMethodData
)

var knownFields = [...]struct {
	name   string
	base64 bool
	limit  int
}{
	fCRes:        {"cres", true, MaxChallenge},
	fErro:        {"erro", true, MaxChallenge},
	fSessionData: {"threeDSSessionData", true, MaxSessionData},
	fPaRes:       {"PaRes", true, MaxPayerAuth},
	fMD:          {"MD", false, MaxMD},
	fMethodData:  {"threeDSMethodData", true, MaxMethodData},
}

// fieldIndex returns -1 for a name that is not ours.
func fieldIndex(name string) int {
	for i, f := range knownFields {
		if strings.EqualFold(name, f.name) {
			return i
		}
	}
	if strings.EqualFold(name, "3DSMethodData") {
		return fMethodData
	}
	return -1
}

func (r *Reply) field(i int) *string {
	return [...]*string{&r.CRes, &r.Erro, &r.SessionData, &r.PaRes, &r.MD, &r.MethodData}[i]
}

// Has reports whether a field came, by its canonical name and be it empty: cres, erro, threeDSSessionData, PaRes, MD or
// threeDSMethodData.
func (r Reply) Has(name string) bool {
	i := fieldIndex(name)
	return i >= 0 && (r.came&(1<<i) != 0 || *r.field(i) != "")
}

// Session decodes threeDSSessionData. Its absence is reason missing and no fault of the payment.
func (r Reply) Session() ([]byte, error) {
	if !r.Has("threeDSSessionData") {
		return nil, fail(ReasonMissing, "threeDSSessionData")
	}
	return DecodeSessionData(r.SessionData)
}

func (r Reply) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "threeds.Reply{%s", r.Method)
	for i, f := range knownFields {
		if r.Has(f.name) {
			fmt.Fprintf(&b, " %s:%d", f.name, len(*r.field(i)))
		}
	}
	fmt.Fprintf(&b, " extra:%d faults:%v}", len(r.Extra), r.Faults)
	return b.String()
}

// Format prints names and lengths under every verb.
func (r Reply) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, r.summary()) }

// LogValue logs names and lengths.
func (r Reply) LogValue() slog.Value { return slog.StringValue(r.summary()) }

func (r *Reply) fault(reason string) {
	if !slices.Contains(r.Faults, reason) {
		r.Faults = append(r.Faults, reason)
	}
}

// add takes one field in. The first value of a name that is not empty stays; a different later one is a fault.
func (r *Reply) add(name, value string) {
	name = strings.TrimSpace(name)
	i := fieldIndex(name)
	if i < 0 {
		r.addExtra(name, value)
		return
	}
	f := knownFields[i]
	first := r.came&(1<<i) == 0
	r.came |= 1 << i
	if len(value) > f.limit {
		r.fault(ReasonTooLarge)
		return
	}
	if !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
		r.fault(ReasonBadForm)
		return
	}
	if f.base64 {
		value = strings.ReplaceAll(value, " ", "+")
	}
	have := r.field(i)
	if !first && *have != value {
		r.fault(ReasonAmbiguousField)
	}
	if *have == "" {
		*have = strings.Clone(value) // a short value must not hold a whole body in memory
	}
}

func (r *Reply) addExtra(name, value string) {
	name, value = clean(name), clean(value)
	if _, ok := r.Extra[name]; ok || name == "" {
		return
	}
	if len(r.Extra) == MaxExtra || len(name) > MaxExtraName || len(value) > MaxExtraValue {
		r.fault(ReasonDroppedField)
		return
	}
	r.Extra[strings.Clone(name)] = strings.Clone(value)
}

// clean makes text of a foreign charset storable.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// ReadReply reads the form that came, from a POST's body or a GET's query and never from both: on a POST the query is
// whatever somebody put into the link. It reads application/x-www-form-urlencoded, multipart/form-data and text/plain,
// also under a missing, broken or wrong Content-Type.
//
// There are two verdicts, on purpose. The strict one is in Faults: wrong_content_type for anything not declared as one
// of the two form types, ambiguous_field for a field with different values, bad_form for ';' between pairs, broken
// escapes and parts, too_large for a field over its cap, empty for a POST without a body. The lenient one is the values,
// which are there all the same, because a bank's odd form must not cost a payment that the gateway knows is good: text in
// text/plain is read, the first of different values is kept, ';' stays part of its value. This is safe because
// nothing here is believed: ids that contradict the run are refused, and the gateway is asked.
//
// An error means that there are no fields to be had, with the reason in Faults as well: too_large (over [MaxReply]),
// wrong_content_type (not a form at all, such as JSON), bad_form (the body broke off), timeout. The reply then still says
// how it came; with a valid path token the arrival is a signal in itself.
//
// It returns when the request's context ends, whatever the sender does. net/http still waits for the rest of such a
// body before it writes an answer on a connection that is to be kept: answer a timeout with "Connection: close".
func ReadReply(req *http.Request) (Reply, error) {
	r := Reply{Method: req.Method, Extra: map[string]string{}}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	err := r.read(req)
	if err != nil {
		r.fault(ReasonOf(err))
	}
	return r, err
}

func (r *Reply) read(req *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if req.URL == nil {
			return nil
		}
		if len(req.URL.RawQuery) > MaxReply {
			return fail(ReasonTooLarge, "query")
		}
		r.urlencoded(req.URL.RawQuery)
		return nil
	}
	// A middleware may have parsed the form, and so emptied the body, before us.
	if len(req.PostForm) > 0 {
		r.values(req.PostForm)
		return nil
	}
	if req.MultipartForm != nil {
		r.values(req.MultipartForm.Value)
		return nil
	}
	if req.ContentLength > MaxReply {
		return fail(ReasonTooLarge, "body")
	}
	body, err := readBody(req)
	if err != nil {
		return err
	}
	return r.parse(body, req.Header.Get("Content-Type"))
}

func (r *Reply) values(form map[string][]string) {
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	pairs := 0
	for _, name := range names {
		for _, v := range form[name] {
			if pairs++; pairs > maxPairs {
				r.fault(ReasonTooLarge)
				return
			}
			r.add(name, v)
		}
	}
}

// readBody reads at most MaxReply bytes, and not longer than the request's context lives.
func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	type result struct {
		body []byte
		err  error
	}
	read := func() result {
		b, err := io.ReadAll(io.LimitReader(req.Body, MaxReply+1))
		return result{b, err}
	}
	ctx := req.Context()
	var got result
	if ctx.Done() == nil {
		got = read()
	} else {
		done := make(chan result, 1) // so that an abandoned reader ends as soon as the server closes the body
		go func() { done <- read() }()
		select {
		case got = <-done:
		case <-ctx.Done():
			return nil, failf(ReasonTimeout, "body", ctx.Err().Error())
		}
	}
	var tooBig *http.MaxBytesError
	switch {
	case len(got.body) > MaxReply || errors.As(got.err, &tooBig):
		return nil, fail(ReasonTooLarge, "body")
	case errors.Is(got.err, os.ErrDeadlineExceeded) || errors.Is(got.err, context.DeadlineExceeded) ||
		errors.Is(got.err, context.Canceled):
		return nil, fail(ReasonTimeout, "body")
	case got.err != nil:
		return nil, failf(ReasonBadForm, "body", "broke off")
	}
	return got.body, nil
}

func (r *Reply) parse(body []byte, contentType string) error {
	if len(body) == 0 {
		r.fault(ReasonEmpty)
		return nil
	}
	// Only the type itself: parameters may be broken ("; charset") and proxies append a second type.
	kind, _, _ := strings.Cut(contentType, ";")
	kind, _, _ = strings.Cut(kind, ",")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/x-www-form-urlencoded":
		r.urlencoded(string(body))
	case "multipart/form-data":
		_, params, _ := mime.ParseMediaType(contentType)
		r.multipart(body, params["boundary"])
	case "text/plain":
		r.fault(ReasonWrongContentType)
		r.textPlain(string(body))
	default:
		return r.detect(body)
	}
	return nil
}

// detect reads a body by its looks.
func (r *Reply) detect(body []byte) error {
	r.fault(ReasonWrongContentType)
	text := strings.TrimLeft(string(body), " \t\r\n")
	switch {
	case strings.HasPrefix(text, "--") && strings.Contains(strings.ToLower(text), "form-data"):
		r.multipart([]byte(text), "")
	case text == "" || strings.IndexByte("{[<\"", text[0]) >= 0 || !strings.Contains(text, "="):
		return fail(ReasonWrongContentType, "body")
	default:
		r.urlencoded(strings.TrimRight(text, " \t\r\n"))
	}
	return nil
}

func (r *Reply) urlencoded(s string) {
	pairs := 0
	for pair := range strings.SplitSeq(s, "&") {
		if pair == "" {
			continue
		}
		if pairs++; pairs > maxPairs {
			r.fault(ReasonTooLarge)
			return
		}
		if strings.Contains(pair, ";") {
			r.fault(ReasonBadForm)
		}
		name, value, _ := strings.Cut(pair, "=")
		r.add(r.unescape(name), r.unescape(value))
	}
}

// unescape leaves broken escapes as they are, which is what browsers do.
func (r *Reply) unescape(s string) string {
	if out, err := url.QueryUnescape(s); err == nil {
		return out
	}
	r.fault(ReasonBadForm)
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			b = append(b, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// multipart takes the boundary from the first line where the header has none.
func (r *Reply) multipart(body []byte, boundary string) {
	if boundary == "" {
		r.fault(ReasonBadForm)
		line, _, _ := bytes.Cut(bytes.TrimLeft(body, " \t\r\n"), []byte{'\n'})
		b, ok := strings.CutPrefix(strings.TrimRight(string(line), " \t\r"), "--")
		if !ok || b == "" || len(b) > 200 {
			return
		}
		boundary = b
	}
	mr := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxPairs {
		part, err := mr.NextPart()
		if err == io.EOF {
			return
		}
		if err != nil {
			r.fault(ReasonBadForm)
			return
		}
		value, err := io.ReadAll(part)
		if err != nil {
			r.fault(ReasonBadForm)
			return
		}
		if name := part.FormName(); name != "" {
			r.add(name, string(value))
		}
	}
	r.fault(ReasonTooLarge)
}

// textPlain reads what a form with enctype=text/plain sends: name=value lines, nothing escaped. A folded base64 value
// goes on in the following lines. Some clients label an urlencoded body text/plain; '&' and '%' give those away, since
// base64 has neither.
func (r *Reply) textPlain(body string) {
	type pair struct {
		name  string
		known int
		value []byte
		last  string // the last line of the value
	}
	var pairs []pair
	for line := range strings.SplitSeq(strings.TrimRight(body, "\r\n"), "\n") {
		line = strings.TrimSuffix(line, "\r")
		name, value, ok := strings.Cut(line, "=")
		known := fieldIndex(strings.TrimSpace(name))
		if n := len(pairs) - 1; n >= 0 && known < 0 {
			p := &pairs[n]
			if !ok || p.known >= 0 && knownFields[p.known].base64 && looksFolded(p.last) && base64Line(line) {
				if len(p.value) <= MaxChallenge { // more is too large whatever follows
					p.value = append(append(p.value, "\r\n"...), line...)
				}
				p.last = line
				continue
			}
		}
		if len(pairs) == maxPairs {
			r.fault(ReasonTooLarge)
			break
		}
		pairs = append(pairs, pair{name, known, []byte(value), value})
	}
	for _, p := range pairs {
		if p.known >= 0 && knownFields[p.known].base64 && bytes.ContainsAny(p.value, "&%") {
			r.urlencoded(p.name + "=" + string(p.value))
		} else {
			r.add(p.name, string(p.value))
		}
	}
}

// looksFolded reports whether a line looks cut by a base64 folder (64 and 76 are usual), so that the value may go on below.
// Without this the line "status=" after a whole value would be taken for more of it.
func looksFolded(line string) bool {
	return len(line) >= 48 && len(line) <= 80 && len(line)%4 == 0 && !strings.HasSuffix(line, "=")
}

// base64Line reports whether a line can be the next of a folded base64 value.
func base64Line(s string) bool {
	s = strings.TrimRight(s, "= \t")
	s = strings.NewReplacer("-", "+", "_", "/", " ", "+").Replace(s)
	for len(s)%4 != 0 {
		s += "A"
	}
	_, err := base64.StdEncoding.DecodeString(s)
	return err == nil
}
