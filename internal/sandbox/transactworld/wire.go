package transactworld

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"tollgate/internal/sandbox/sim"
)

const maxBody = 1 << 20

// params are a request's parameters by their dotted names, however they were written.
type params map[string]string

func (p params) get(name string) string { return strings.TrimSpace(p[name]) }

var errRequest = errors.New("the request cannot be read")

func readParams(r *http.Request) (params, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, errRequest
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	p := params{}
	switch kind {
	case "application/json":
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil || d.More() {
			return nil, errRequest
		}
		object, ok := v.(map[string]any)
		if !ok {
			return nil, errRequest
		}
		p.object("", object)
	case "application/xml", "text/xml":
		if err := p.xml(body); err != nil {
			return nil, errRequest
		}
	default:
		v, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, errRequest
		}
		for name, all := range v {
			p[name] = all[0]
		}
	}
	return p, nil
}

func (p params) object(prefix string, o map[string]any) {
	for name, v := range o {
		switch v := v.(type) {
		case map[string]any:
			p.object(prefix+name+".", v)
		case nil, []any: // no parameter is a list
		case string:
			p[prefix+name] = v
		default:
			p[prefix+name] = fmt.Sprint(v)
		}
	}
}

// xml reads the leaves of a document; the root's name says nothing.
func (p params) xml(body []byte) error {
	d := xml.NewDecoder(bytes.NewReader(body))
	var path []string
	text := ""
	leaf := false
	for {
		t, err := d.Token()
		if err == io.EOF && len(path) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			path, text, leaf = append(path, t.Name.Local), "", true
		case xml.CharData:
			text += string(t)
		case xml.EndElement:
			if leaf && len(path) > 1 {
				p[strings.Join(path[1:], ".")] = strings.TrimSpace(text)
			}
			path, leaf = path[:len(path)-1], false
		case xml.Directive:
			return errRequest
		}
	}
}

// object is an answer in the order in which the gateway writes it.
type object = sim.Object

// writeXML writes the members as elements; a list is its element repeated. A value is a text, a number, an object or a list
// of objects.
func writeXML(b *strings.Builder, o object) {
	for _, m := range o {
		values := []any{m.Value}
		if list, ok := m.Value.([]object); ok {
			values = nil
			for _, v := range list {
				values = append(values, v)
			}
		}
		for _, v := range values {
			b.WriteString("<" + m.Name + ">")
			if inner, ok := v.(object); ok {
				writeXML(b, inner)
			} else {
				_ = xml.EscapeText(b, []byte(fmt.Sprint(v))) // a builder does not fail
			}
			b.WriteString("</" + m.Name + ">")
		}
	}
}

// flatten lists the members by dotted names, for notifications that go as a form.
func flatten(o object, prefix string, v url.Values) {
	for _, m := range o {
		if inner, ok := m.Value.(object); ok {
			flatten(inner, prefix+m.Name+".", v)
			continue
		}
		v.Set(prefix+m.Name, fmt.Sprint(m.Value))
	}
}

func write(w http.ResponseWriter, r *http.Request, status int, o object) {
	accept := r.Header.Get("Accept")
	if strings.Contains(accept, "application/xml") && !strings.Contains(accept, "text/html") ||
		strings.HasPrefix(accept, "text/xml") {
		var b strings.Builder
		b.WriteString(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?><response>`)
		writeXML(&b, o)
		b.WriteString("</response>")
		w.Header().Set("Content-Type", "application/xml;charset=UTF-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, b.String()) // a failed write means that the client is gone
		return
	}
	raw, err := json.Marshal(o)
	if err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}

// parseAmount reads [0-9]{1,10}\.[0-9]{2} as hundredths.
func parseAmount(s string) (int64, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	if len(whole) < 1 || len(whole) > 10 || len(frac) != 2 || !sim.AllDigits(whole+frac) {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+frac, 10, 64)
	return n, err == nil
}

func formatAmount(hundredths int64) string {
	return fmt.Sprintf("%d.%02d", hundredths/100, hundredths%100)
}
