package handlers

import (
	"encoding/json"
	"strconv"
	"time"

	"tollgate/providers"
)

// optionsIn are a request's options of its gateway, by the gateway's name. What they mean is the gateway's to check; here only
// that dates are dates.
func optionsIn(in *GatewayOptions, bad *fieldErrors) providers.Options {
	if in == nil || in.Rbs == nil {
		return nil
	}
	for name, at := range map[string]string{"expiration_date": in.Rbs.ExpirationDate, "autocompletion_date": in.Rbs.AutocompletionDate,
		"auto_reverse_date": in.Rbs.AutoReverseDate} {
		if _, err := time.Parse(time.RFC3339, at); at != "" && err != nil {
			bad.add("gateway_options/rbs/"+name, "must be a date and time of RFC 3339, such as 2027-01-31T12:00:00Z")
		}
	}
	at := "gateway_options/rbs/"
	bad.text(at+"merchant_login", in.Rbs.MerchantLogin, 255)
	bad.text(at+"post_address", in.Rbs.PostAddress, 255)
	bad.text(at+"recurring_expiry", in.Rbs.RecurringExpiry, 10)
	for i, f := range in.Rbs.Features {
		bad.text(at+"features/"+strconv.Itoa(i), string(f), 40)
	}
	for name, value := range in.Rbs.JSONParams {
		bad.text(at+"json_params/"+pointerName(name), name+value, 255+1024)
	}
	raw, err := json.Marshal(in.Rbs)
	if err != nil { // it came as JSON
		bad.add("gateway_options/rbs", "cannot be read")
	}
	return providers.Options{"rbs": raw}
}

// optionsOut are the options of a session as they were asked for.
func optionsOut(o providers.Options) *GatewayOptions {
	raw, there := o["rbs"]
	if !there {
		return nil
	}
	out := &GatewayOptions{Rbs: &RBSOptions{}}
	if json.Unmarshal(raw, out.Rbs) != nil { // of a newer version
		return nil
	}
	return out
}
