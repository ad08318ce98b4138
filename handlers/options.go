package handlers

import (
	"encoding/json"
	"strconv"
	"time"

	"tollgate/providers"
)

// optionsIn are a request's options of its gateway, by the gateway's name. What they mean is the gateway's to check; here only
// how long texts are, and that dates are dates.
func optionsIn(in *GatewayOptions, bad *fieldErrors) providers.Options {
	if in == nil {
		return nil
	}
	out := providers.Options{}
	keep := func(name string, of any) {
		raw, err := json.Marshal(of)
		if err != nil { // it came as JSON
			bad.add("gateway_options/"+name, "cannot be read")
		}
		out[name] = raw
	}
	if in.Rbs != nil {
		checkRBSOptions(in.Rbs, bad)
		keep("rbs", in.Rbs)
	}
	if p := in.Payneteasy; p != nil {
		at := "gateway_options/payneteasy/"
		bad.text(at+"merchant_data", p.MerchantData, 2048)
		bad.text(at+"purpose", p.Purpose, 128)
		bad.text(at+"destination", p.Destination, 128)
		if _, err := time.Parse(time.DateOnly, p.Birthday); p.Birthday != "" && err != nil {
			bad.add(at+"birthday", "must be a date, such as 1990-01-31")
		}
		keep("payneteasy", p)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func checkRBSOptions(in *RBSOptions, bad *fieldErrors) {
	for name, at := range map[string]string{"expiration_date": in.ExpirationDate, "autocompletion_date": in.AutocompletionDate,
		"auto_reverse_date": in.AutoReverseDate} {
		if _, err := time.Parse(time.RFC3339, at); at != "" && err != nil {
			bad.add("gateway_options/rbs/"+name, "must be a date and time of RFC 3339, such as 2027-01-31T12:00:00Z")
		}
	}
	at := "gateway_options/rbs/"
	bad.text(at+"merchant_login", in.MerchantLogin, 255)
	bad.text(at+"post_address", in.PostAddress, 255)
	bad.text(at+"recurring_expiry", in.RecurringExpiry, 10)
	for i, f := range in.Features {
		bad.text(at+"features/"+strconv.Itoa(i), string(f), 40)
	}
	for name, value := range in.JSONParams {
		bad.text(at+"json_params/"+pointerName(name), name+value, 255+1024)
	}
}

// optionsOut are the options of a session as they were asked for.
func optionsOut(o providers.Options) *GatewayOptions {
	var out GatewayOptions
	read := func(name string, to any) bool { // false also of a newer version's
		raw, there := o[name]
		return there && json.Unmarshal(raw, to) == nil
	}
	if rbs := new(RBSOptions); read("rbs", rbs) {
		out.Rbs = rbs
	}
	if payneteasy := new(PaynetEasyOptions); read("payneteasy", payneteasy) {
		out.Payneteasy = payneteasy
	}
	if out == (GatewayOptions{}) {
		return nil
	}
	return &out
}
