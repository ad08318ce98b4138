package issuer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// fault is an error the ACS finds in a message, in the words of an Error Message.
type fault struct{ code, description, detail string }

var (
	uuidRule    = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	versionRule = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`)
)

func missing(name string) *fault { return &fault{"201", "Required element missing", name} }
func format(name string) *fault  { return &fault{"203", "Format of element is invalid", name} }

// decode64 reads base64 in either alphabet, padded or not; line breaks are dropped.
func decode64(s string) ([]byte, bool) {
	s = strings.NewReplacer("\r", "", "\n", "", "+", "-", "/", "_").Replace(s)
	if n := len(strings.TrimRight(s, "=")); len(s)-n <= 2 {
		s = s[:n]
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return raw, err == nil
}

// object reads one JSON object with unique, case-sensitive names and nothing behind it.
func object(raw []byte) (map[string]json.RawMessage, *fault) {
	invalid := &fault{"101", "Message received invalid", "not a JSON object"}
	if !utf8.Valid(raw) {
		return nil, invalid
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, invalid
	}
	out := map[string]json.RawMessage{}
	var twice string
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, invalid
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, invalid
		}
		key := name.(string) // names of an object are strings
		if _, ok := out[key]; ok {
			twice = key
		}
		out[key] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, invalid
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, invalid
	}
	if twice != "" {
		return out, &fault{"204", "Duplicate data element", twice}
	}
	return out, nil
}

// creq is a decoded challenge request.
type creq struct {
	text                     []byte // the JSON as it came
	serverID, acsID, version string
	names                    map[string]json.RawMessage
}

// parseCReq reads as much as it can: ids are filled even when the message is refused, so that the Erro finds its way.
func parseCReq(value string) (creq, *fault) {
	raw, ok := decode64(value)
	if !ok || len(raw) == 0 {
		return creq{}, &fault{"101", "Message received invalid", "creq is not base64url"}
	}
	m := creq{text: raw}
	var f *fault
	if m.names, f = object(raw); m.names == nil {
		return m, f
	}
	m.serverID, _ = m.str("threeDSServerTransID")
	m.acsID, _ = m.str("acsTransID")
	m.version, _ = m.str("messageVersion")
	if f != nil {
		return m, f
	}
	return m, m.check()
}

func (m creq) str(name string) (string, bool) {
	var s string
	err := json.Unmarshal(m.names[name], &s)
	return s, err == nil && s != ""
}

func (m creq) check() *fault {
	kind, ok := m.str("messageType")
	if _, there := m.names["messageType"]; !there {
		return missing("messageType")
	}
	if !ok || kind != "CReq" {
		return &fault{"101", "Message received invalid", "messageType"}
	}
	for _, e := range []struct {
		name string
		rule *regexp.Regexp
	}{{"messageVersion", versionRule}, {"threeDSServerTransID", uuidRule}, {"acsTransID", uuidRule},
		{"challengeWindowSize", windowSize}} {
		if _, there := m.names[e.name]; !there {
			return missing(e.name)
		}
		v, ok := m.str(e.name)
		if !ok || !e.rule.MatchString(v) {
			return format(e.name)
		}
	}
	if m.version != "2.1.0" && m.version != "2.2.0" && m.version != "2.3.0" && m.version != "2.3.1" {
		return &fault{"102", "Message version number not supported", "messageVersion"}
	}
	raw, there := m.names["messageExtension"]
	if !there {
		return nil
	}
	var extensions []struct {
		ID       string `json:"id"`
		Critical bool   `json:"criticalityIndicator"`
	}
	if json.Unmarshal(raw, &extensions) != nil || len(extensions) > 15 {
		return format("messageExtension")
	}
	for _, x := range extensions {
		if x.Critical {
			return &fault{"202", "Critical message extension not recognised", x.ID}
		}
	}
	return nil
}
