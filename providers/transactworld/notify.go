package transactworld

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/wire"
)

const maxNotice = 64 << 10

// Notified verifies a notification: a POST whose body is JSON (as documented), XML, or a form (as public clients also take it).
// The checksum covers paymentId, merchantTransactionId, amount and the short status. A callback is a hint only.
func (p *provider) Notified(r *http.Request) (providers.Notice, error) {
	if r.Method != http.MethodPost {
		return providers.Notice{}, providers.ErrForged
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxNotice+1))
	if err != nil || len(body) > maxNotice {
		return providers.Notice{}, providers.ErrForged
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	fields, ok := readNotice(kind, body)
	if !ok {
		return providers.Notice{}, providers.ErrForged
	}
	n, ok := p.checksumValid(fields)
	if !ok {
		return providers.Notice{}, providers.ErrForged
	}
	return n, nil
}

// readNotice reads the members on the first level. What the content type says is not relied on beyond forms.
func readNotice(kind string, body []byte) (map[string]string, bool) {
	fields := map[string]string{}
	if text := strings.TrimSpace(string(body)); kind != "application/x-www-form-urlencoded" && text != "" &&
		(text[0] == '{' || text[0] == '<') {
		o, err := readObject(body)
		if err != nil {
			return nil, false
		}
		for name, v := range o {
			if s, ok := v.(string); ok {
				fields[name] = s
			}
		}
		return fields, true
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, false
	}
	for name, all := range values {
		name = strings.ToLower(name)
		for _, v := range all {
			v = strings.TrimSpace(v)
			if old, twice := fields[name]; twice && old != v {
				return nil, false
			}
			fields[name] = v
		}
	}
	return fields, true
}

// checksumValid checks the checksum of a notification or of what the browser brought back. A field that the checksum covers may
// come under two names, but then both say the same; a bar inside one could move the borders between them.
func (p *provider) checksumValid(given map[string]string) (providers.Notice, bool) {
	fields := make(map[string]string, len(given))
	for name, v := range given {
		name, v = strings.ToLower(name), strings.TrimSpace(v)
		if old, twice := fields[name]; twice && old != v {
			return providers.Notice{}, false
		}
		fields[name] = v
	}
	one := func(names ...string) (string, bool) {
		out := ""
		for _, name := range names {
			v := fields[name]
			if out != "" && v != "" && v != out || strings.Contains(v, "|") {
				return "", false
			}
			if out == "" {
				out = v
			}
		}
		return out, out != ""
	}
	id, ok := one("paymentid", "trackingid")
	reference, named := one("merchanttransactionid", "desc")
	total, sum := fields["amount"], fields["checksum"]
	short := fields["transactionstatus"]
	if short == "" {
		short = fields["status"] // the browser brings the short one under this name
	}
	if !named && fields["merchanttransactionid"]+fields["desc"] != "" { // two that contradict each other
		return providers.Notice{}, false
	}
	if !ok || !identifier.MatchString(id) || strings.Contains(total, "|") ||
		!strings.Contains(" Y N P 3D C ", " "+short+" ") || short == "" {
		return providers.Notice{}, false
	}
	got, err := hex.DecodeString(sum)
	if err != nil || len(got) != md5.Size {
		return providers.Notice{}, false
	}
	fits := 0
	for _, written := range []string{total, twoDecimals(total)} {
		want, _ := hex.DecodeString(p.client.signResult(id, reference, written, short))
		fits |= subtle.ConstantTimeCompare(got, want)
	}
	if fits != 1 {
		return providers.Notice{}, false
	}
	event := fields["status"]
	if event == "" || event == short {
		event = short
	}
	return providers.Notice{Reference: reference, OrderID: id, Event: clean(wire.Cut(event, 50))}, true
}

// twoDecimals writes an amount the way it is signed, where the notification has it as a number (50, 50.5).
func twoDecimals(s string) string {
	m, err := money.ParseDecimal(s, money.Currency{Digits: 2})
	if err != nil {
		return s
	}
	return m.Decimal()
}
