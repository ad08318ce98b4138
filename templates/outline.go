package templates

import (
	"bytes"
	"context"
	"html"
	"io"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/a-h/templ"
)

// page is a page with its view model.
type page[M any] struct {
	model M
	draw  func(M) templ.Component
}

func pageOf[M any](m M, draw func(M) templ.Component) templ.Component { return &page[M]{m, draw} }

// Render draws the page.
func (p *page[M]) Render(ctx context.Context, w io.Writer) error {
	return p.draw(p.model).Render(ctx, w)
}

func (p *page[M]) view() reflect.Value { return reflect.ValueOf(&p.model).Elem() }

func (p *page[M]) with(model reflect.Value) templ.Component { return p.draw(model.Interface().(M)) }

// viewed is a page whose view model can be read, and which can be drawn from another.
type viewed interface {
	templ.Component
	view() reflect.Value
	with(model reflect.Value) templ.Component
}

// Outlines draws each page once for all who are shown the same, and then only fills in what belongs to one payment or one
// browser. An outline is drawn from a view model without any of that: no token, nonce, address, amount or typed value is ever
// in it. The zero value is ready.
type Outlines struct {
	mu     sync.RWMutex
	recent map[string]*outline
	before map[string]*outline // what was recent until there were too many
	types  map[reflect.Type]*fields
	memory sync.Pool // *reading
}

// mostOutlines is how many make a generation. What is not asked for while a whole one goes by is forgotten. One takes about 20 kB.
const mostOutlines = 64

// Append appends a page as its templ draws it. With gzip it is compressed where it can be, and then true is returned: what is the
// same for everybody is deflated, everything else stands in it as it is, so that the length of an answer does not tell how much
// a secret in it resembles what somebody else has put there.
func (o *Outlines) Append(to []byte, c templ.Component, gzip bool) (out []byte, packed bool, err error) {
	p, ok := c.(viewed)
	if !ok {
		return Draw(to, c)
	}
	r, _ := o.memory.Get().(*reading)
	if r == nil {
		r = &reading{}
	}
	defer func() {
		clear(r.own)
		o.memory.Put(r)
	}()
	view := p.view()
	of := o.fieldsOf(view.Type())
	if !r.read(of, view) {
		return Draw(to, c)
	}
	one, err := o.outline(p, of, r)
	if err != nil {
		return to, false, err
	}
	switch {
	case one.unfit:
		return Draw(to, c)
	case gzip:
		if out, ok := one.compressed(to, r.own); ok {
			return out, true, nil
		}
	}
	return one.filled(to, r.own), false, nil
}

// Draw appends a page as its templ draws it, for one visitor alone and without an outline: so are pages of which strangers could make
// as many kinds as they like.
func Draw(to []byte, c templ.Component) ([]byte, bool, error) {
	b := bytes.NewBuffer(to)
	err := c.Render(context.Background(), b)
	return b.Bytes(), false, err
}

func (o *Outlines) fieldsOf(t reflect.Type) *fields {
	o.mu.RLock()
	of := o.types[t]
	o.mu.RUnlock()
	if of != nil {
		return of
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.types == nil {
		o.types = map[reflect.Type]*fields{}
	}
	if o.types[t] == nil {
		o.types[t] = newFields(t)
		o.types[t].id = byte(len(o.types)) //nolint:gosec // there are some twenty pages
	}
	return o.types[t]
}

// outline finds the outline of a page, or draws it.
func (o *Outlines) outline(p viewed, of *fields, r *reading) (*outline, error) {
	o.mu.RLock()
	one, isRecent := o.recent[string(r.same)]
	if !isRecent {
		one = o.before[string(r.same)]
	}
	o.mu.RUnlock()
	if isRecent {
		return one, nil
	}
	if one == nil {
		var err error
		if one, err = r.outline(p, of); err != nil {
			return nil, err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.recent == nil || len(o.recent) >= mostOutlines {
		o.recent, o.before = map[string]*outline{}, o.recent
	}
	o.recent[string(r.same)] = one
	return one, nil
}

// outline is a page but for what belongs to one payment or one browser.
type outline struct {
	parts []part
	unfit bool // it does not give the page that templ draws: a template does more with a value than to write it

	pack     sync.Once
	segments []segment
}

// part is a piece of an outline: text, or the place of a value.
type part struct {
	text  string
	place int // of a value, where there is no text
}

// Values stand between these runes in a page that is drawn for its outline. They are of nobody's alphabet, and texts that have them
// make no outlines.
const (
	placeBegin, placeEnd = '\ue000', '\ue001'
	placeLonger          = '\ue002' // stands in the place of a long text, which pages show in another way
)

// outline draws the outline of a page whose view model was read.
func (r *reading) outline(p viewed, of *fields) (*outline, error) {
	model := reflect.New(p.view().Type()).Elem()
	model.Set(p.view())
	if strings.ContainsRune(string(r.same), placeBegin) {
		return &outline{unfit: true}, nil
	}
	n := 0
	of.open(model, &n)
	var open, whole bytes.Buffer
	if err := p.with(model).Render(context.Background(), &open); err != nil {
		return nil, err
	}
	if err := p.Render(context.Background(), &whole); err != nil {
		return nil, err
	}
	o := &outline{parts: split(open.String())}
	for _, part := range o.parts {
		if part.text == "" && part.place >= len(r.own) {
			return &outline{unfit: true}, nil
		}
	}
	o.unfit = n != len(r.own) || !bytes.Equal(o.filled(nil, r.own), whole.Bytes())
	return o, nil
}

// split cuts a page at its places.
func split(s string) (parts []part) {
	for s != "" {
		text, rest, found := strings.Cut(s, string(placeBegin))
		if text != "" {
			parts = append(parts, part{text: strings.Clone(text)})
		}
		if !found {
			break
		}
		place := 0
		for rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			place = place*10 + int(rest[0]-'0')
			rest = rest[1:]
		}
		rest = strings.TrimLeft(rest, string(placeLonger))
		s = strings.TrimPrefix(rest, string(placeEnd))
		parts = append(parts, part{place: place})
	}
	return parts
}

// filled appends the page with its values.
func (o *outline) filled(to []byte, own []string) []byte {
	for _, p := range o.parts {
		to = p.append(to, own)
	}
	return to
}

func (p part) append(to []byte, own []string) []byte {
	if p.text != "" {
		return append(to, p.text...)
	}
	return append(to, escaped(own[p.place])...)
}

// escaped is what templ makes of a text, between tags and in an attribute alike.
func escaped(s string) string {
	if !strings.ContainsAny(s, `&'<>"`) {
		return s
	}
	return html.EscapeString(s)
}

// isLong tells whether a description would push the form off a phone's first screen.
func isLong(s string) bool {
	return len(s) > longText && utf8.RuneCountInString(s) > longText || strings.Count(s, "\n") > 1
}

const longText = 90
