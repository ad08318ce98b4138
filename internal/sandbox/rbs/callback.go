package rbs

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/sandbox/sim"
)

// sign adds checksum, and sign_alias where the account has one. An account without a key sends neither.
func sign(a *Account, v url.Values) error {
	switch {
	case a.CallbackRSA != nil:
		sum, err := asymmetricChecksum(a.CallbackRSA, v)
		if err != nil {
			return err
		}
		v.Set("checksum", sum)
	case a.CallbackKey != "":
		v.Set("checksum", symmetricChecksum(a.CallbackKey, v))
	}
	if a.CallbackAlias != "" {
		v.Set("sign_alias", a.CallbackAlias)
	}
	return nil
}

// notify queues the callback of an operation: to the order's own address, else to the account's. It is repeated twice,
// 30 s apart, until it is answered with 200.
func (g *books) notify(a *Account, o *order, operation string, ok bool, amount int64) {
	to := o.CallbackURL
	if to == "" {
		to = a.CallbackURL
	}
	if to == "" {
		return
	}
	v := url.Values{
		"mdOrder":              {o.ID},
		"orderNumber":          {o.Number},
		"operation":            {operation},
		"status":               {"0"},
		"callbackCreationDate": {g.now().UTC().Format("Mon Jan 02 15:04:05 UTC 2006")},
	}
	if ok {
		v.Set("status", "1")
	}
	if amount > 0 {
		v.Set("amount", strconv.FormatInt(amount, 10))
	}
	if operation == "bindingCreated" && o.Try != nil {
		v.Set("bindingId", o.Try.Binding)
		v.Set("clientId", o.ClientID)
		v.Set("enabled", "true")
	}
	if err := sign(a, v); err != nil {
		g.env.Log.Error("callback not signed", "gateway", gatewayName, "err", err)
		return
	}
	cb := sim.Callback{
		Gateway: gatewayName, Reference: o.Number, Method: http.MethodGet, URL: to,
		Retry: []time.Duration{30 * time.Second, 30 * time.Second}, OK: http.StatusOK,
	}
	if a.CallbackPOST {
		cb.Method, cb.Body = http.MethodPost, []byte(v.Encode())
		cb.Header = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	} else {
		sep := "?"
		if strings.Contains(to, "?") {
			sep = "&"
		}
		cb.URL += sep + v.Encode()
	}
	if err := g.env.Callbacks.Send(cb); err != nil {
		g.env.Log.Error("callback not queued", "gateway", gatewayName, "err", err)
	}
}
