package payneteasy

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"tollgate/providers"
)

// Notified verifies a callback: a GET whose query carries status, orderid, client_orderid and their control. White labels
// that post it as a form are read as well. The control covers a concatenation without separators, so a digit may be
// moved between orderid and client_orderid without breaking it; a callback is a hint only, and costs an inquiry.
func (p *provider) Notified(r *http.Request) (providers.Notice, error) {
	query := r.URL.RawQuery
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			return providers.Notice{}, providers.ErrForged
		}
		query = r.PostForm.Encode()
	} else if r.Method != http.MethodGet {
		return providers.Notice{}, providers.ErrForged
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return providers.Notice{}, providers.ErrForged
	}
	fields := make(map[string]string, len(values))
	for name, all := range values {
		for _, v := range all[1:] {
			if v != all[0] {
				return providers.Notice{}, providers.ErrForged
			}
		}
		fields[name] = strings.TrimSpace(all[0])
	}
	reference, ok := p.controlValid(fields)
	if !ok {
		return providers.Notice{}, providers.ErrForged
	}
	return providers.Notice{
		Reference: reference,
		OrderID:   fields["orderid"],
		Event:     strings.TrimSpace(fields["type"] + " " + fields["status"]),
	}, nil
}

// controlValid checks the control of a callback or of the final redirect and gives our order number, which both spell
// client_orderid and merchant_order.
func (p *provider) controlValid(fields map[string]string) (reference string, ok bool) {
	reference = fields["client_orderid"]
	if other := fields["merchant_order"]; reference == "" {
		reference = other
	} else if other != "" && other != reference {
		return "", false // the control covers one of them; the other was written by somebody else
	}
	got, err := hex.DecodeString(fields["control"])
	if err != nil || len(got) != sha1.Size {
		return "", false
	}
	want, _ := hex.DecodeString(p.client.sign(fields["status"], fields["orderid"], reference))
	return reference, hmac.Equal(got, want)
}
