package payneteasy

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"tollgate/internal/sandbox/sim"
)

// retries of a callback: 30 over 14 days, with growing gaps.
func retries() []time.Duration {
	var out []time.Duration
	for i := range 30 {
		out = append(out, min(time.Duration(i+1)*time.Duration(i+1)*time.Minute, 16*time.Hour))
	}
	return out
}

// callbackParams are the parameters that callback and final redirect share. control signs status, orderid and client_orderid.
func (g *books) callbackParams(a *Account, o *order, typ, status string, sum int64) url.Values {
	v := url.Values{
		"status": {status}, "orderid": {o.ID}, "merchant_order": {o.Client}, "client_orderid": {o.Client}, "type": {typ},
		"amount": {formatAmount(sum)}, "descriptor": {"Sandbox"}, "error_code": {o.ErrorCode}, "error_message": {o.ErrorText},
		"processor-tx-id": {processorID(o)}, "bin": {o.Bin}, "last-four-digits": {o.Last4}, "card-type": {o.CardType},
		"card-holder-name": {o.Holder}, "phone": {o.Phone}, "gate-partial-reversal": {"enabled"}, "gate-partial-capture": {"enabled"},
		"control": {control(status, o.ID, o.Client, a.Control)},
	}
	return v
}

// notify queues a callback. first is the one about the order itself: server_callback_url takes it, and with it all that
// could come later; notify_url takes everything.
func (g *books) notify(a *Account, o *order, typ, status string, sum int64, first bool) {
	to := a.CallbackURL
	switch {
	case o.CallbackURL != "" && first:
		to = o.CallbackURL
	case o.CallbackURL != "":
		return
	case o.NotifyURL != "":
		to = o.NotifyURL
	}
	if to == "" {
		return
	}
	v := g.callbackParams(a, o, typ, status, sum)
	v.Set("name", o.Holder)
	v.Set("email", o.Email)
	v.Set("approval-code", o.Approval)
	v.Set("processor-rrn", o.RRN)
	if o.Data != "" {
		v.Set("merchantdata", o.Data)
	}
	sep := "?"
	if strings.Contains(to, "?") {
		sep = "&"
	}
	err := g.env.Callbacks.Send(sim.Callback{
		Gateway: gatewayName, Reference: o.Client, Method: http.MethodGet, URL: to + sep + v.Encode(), Retry: retries(),
		OK: http.StatusOK,
	})
	if err != nil {
		g.env.Log.Error("callback not queued", "gateway", gatewayName, "err", err)
	}
}
