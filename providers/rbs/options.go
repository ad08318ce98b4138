package rbs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tollgate/providers"
	"tollgate/providers/wire"
)

// gatewayName is what gateway_options calls this gateway.
const gatewayName = "rbs"

// wireTime is how the gateway writes a date; the time zone of autocompletionDate and autoReverseDate is UTC.
const wireTime = "2006-01-02T15:04:05"

// options are what a merchant asks for one payment alone.
type options struct {
	Features           []string          `json:"features"`
	JSONParams         map[string]string `json:"json_params"`
	RecurringFrequency int               `json:"recurring_frequency"`
	RecurringExpiry    string            `json:"recurring_expiry"` // 2027-12-31
	ExpirationDate     time.Time         `json:"expiration_date"`
	AutocompletionDate time.Time         `json:"autocompletion_date"`
	AutoReverseDate    time.Time         `json:"auto_reverse_date"`
	MerchantLogin      string            `json:"merchant_login"`
	PostAddress        string            `json:"post_address"`
}

// Longest values of the options.
const (
	maxJSONParams   = 20
	maxParam        = 1024
	maxFrequency    = 9999
	maxFee          = 99_999_999 // eight digits
	maxAddress      = 50
	createBinding   = "FORCE_CREATE_BINDING"
	recurringEvery  = "recurringFrequency"
	recurringUntil  = "recurringExpiry"
	payerPhone      = "phone"
	payerOrder      = "order_payer"
	payerBilling    = "billing_payer"
	expiryOfCharges = "2006-01-02"
)

// payerParts are what payer_data may name.
var payerParts = []string{payerPhone, payerOrder, payerBilling}

var paramName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,255}$`)

// terms are an account's settings about what is registered.
type terms struct {
	now                               func() time.Time
	timeout                           int // longest lifetime of an order, in seconds
	features                          []string
	recurringFrequency, recurringDays int
	feeInput                          bool
	payer                             []string
	merchantLogin                     string
	utcOffset                         time.Duration // of the zone that expirationDate is written in
}

// readOptions reads and checks the payment's options.
func (g *terms) readOptions(p providers.Payment) (o options, err error) {
	if err := p.Options.Read(gatewayName, &o); err != nil {
		return o, err
	}
	refuse := func(name, text string) error { return providers.Refuse(providers.OptionField(gatewayName, name), text) }
	for i, f := range o.Features {
		if !slices.Contains(features, f) {
			return o, refuse("features."+strconv.Itoa(i), "is none of "+strings.Join(features, ", "))
		}
	}
	if slices.Contains(o.Features, createBinding) && p.Customer.ID == "" {
		return o, providers.Refuse("customer.id", "needed to save a card")
	}
	if len(o.JSONParams) > maxJSONParams {
		return o, refuse("json_params", fmt.Sprintf("has more than %d members", maxJSONParams))
	}
	for name, value := range o.JSONParams {
		switch {
		case !paramName.MatchString(name):
			return o, refuse("json_params", "names are 1 to 255 of A-Z a-z 0-9 . _ -")
		case slices.Contains([]string{recurringEvery, recurringUntil, markName}, name):
			return o, refuse("json_params."+name, "is Tollgate's own")
		case len([]rune(value)) > maxParam:
			return o, refuse("json_params."+name, fmt.Sprintf("is longer than %d characters", maxParam))
		}
	}
	last, badDay := time.Parse(expiryOfCharges, o.RecurringExpiry)
	switch {
	case o.RecurringFrequency < 0 || o.RecurringFrequency > maxFrequency:
		return o, refuse("recurring_frequency", fmt.Sprintf("must be from 1 to %d days", maxFrequency))
	case o.RecurringFrequency == 0 && o.RecurringExpiry != "":
		return o, refuse("recurring_frequency", "needed with recurring_expiry")
	case o.RecurringFrequency > 0 && o.RecurringExpiry == "":
		return o, refuse("recurring_expiry", "needed with recurring_frequency")
	case o.RecurringExpiry != "" && badDay != nil:
		return o, refuse("recurring_expiry", "must be a day, such as 2027-12-31")
	case o.RecurringExpiry != "" && p.Run.N == 0 && !last.After(g.now()): // when the session is made, not at each of its tries
		return o, refuse("recurring_expiry", "must be in the future")
	}
	return o, checkDates(p, o, refuse)
}

func checkDates(p providers.Payment, o options, refuse func(name, text string) error) error {
	if at := o.ExpirationDate; !at.IsZero() && at.Before(p.ExpiresAt) {
		return refuse("expiration_date", "must not be before the session ends")
	}
	for name, at := range map[string]time.Time{"autocompletion_date": o.AutocompletionDate, "auto_reverse_date": o.AutoReverseDate} {
		switch {
		case at.IsZero():
		case !p.Hold:
			return refuse(name, "needs capture manual")
		case !at.After(p.ExpiresAt):
			return refuse(name, "must be after the session ends")
		}
	}
	if len(o.MerchantLogin) > 255 {
		return refuse("merchant_login", "is longer than 255 characters")
	}
	if len([]rune(o.PostAddress)) > 255 {
		return refuse("post_address", "is longer than 255 characters")
	}
	return nil
}

// setOptions writes what the payment's options and the account's settings add to a registration.
func (g *terms) setOptions(form url.Values, p providers.Payment, o options) {
	asked := g.features
	if len(o.Features) > 0 {
		asked = o.Features
	}
	for _, f := range asked {
		form.Add("features", f)
	}
	if p.Merchant {
		form.Add("features", featureAuto)
	}
	if p.SaveCard || p.Instrument == "saved_card" || slices.Contains(asked, createBinding) {
		set(form, "clientId", p.Customer.ID)
	}
	set(form, "jsonParams", g.jsonParams(p, o))
	if !o.ExpirationDate.IsZero() {
		form.Set("expirationDate", o.ExpirationDate.UTC().Add(g.utcOffset).Format(wireTime))
	} else if secs := g.lifetime(p); secs > 0 {
		form.Set("sessionTimeoutSecs", strconv.Itoa(secs))
	}
	g.setDates(form, o)
	if p.Fee > 0 {
		form.Set("feeInput", strconv.FormatInt(p.Fee, 10))
	}
	set(form, "merchantLogin", g.merchant(o))
	set(form, "postAddress", wire.Line(o.PostAddress, 255))
	g.setPayer(form, p)
}

// setDates writes when a hold ends by itself.
func (g *terms) setDates(form url.Values, o options) {
	for name, at := range map[string]time.Time{"autocompletionDate": o.AutocompletionDate, "autoReverseDate": o.AutoReverseDate} {
		if !at.IsZero() {
			form.Set(name, at.UTC().Format(wireTime))
		}
	}
}

// merchant is on whose behalf an order is registered: the payment's, or the account's.
func (g *terms) merchant(o options) string { return cmp.Or(o.MerchantLogin, g.merchantLogin) }

// setPayer writes what the account's gateway is to learn of the payer beside the e-mail address.
func (g *terms) setPayer(form url.Values, p providers.Payment) {
	phone := wirePhone(cmp.Or(p.Customer.Phone, p.Billing.Phone))
	block := func(name string, members map[string]string) {
		for k, v := range members {
			if v == "" {
				delete(members, k)
			}
		}
		if text, err := json.Marshal(members); err == nil && len(members) > 0 {
			form.Set(name, string(text))
		}
	}
	if slices.Contains(g.payer, payerPhone) {
		set(form, "phone", phone)
	}
	if slices.Contains(g.payer, payerOrder) {
		block("orderPayerData", map[string]string{"mobilePhone": phone})
	}
	if b := p.Billing; slices.Contains(g.payer, payerBilling) {
		block("billingPayerData", map[string]string{
			"billingCity": wire.Line(b.City, maxAddress), "billingCountry": b.Country,
			"billingAddressLine1": wire.Line(b.Address, maxAddress), "billingPostalCode": wire.Line(b.Zip, 9),
			"billingState": wire.Line(b.State, maxAddress), "payerLastName": wire.Line(b.LastName, 64),
			"payerFirstName": wire.Line(b.FirstName, 35),
		})
	}
}

// wirePhone is a telephone number of 7 to 15 digits with its country's code, "" where it is none.
func wirePhone(s string) string {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
	if len(digits) < 7 || len(digits) > 15 {
		return ""
	}
	return "+" + digits
}

// jsonParams are the order's own parameters; "" where it has none.
func (g *terms) jsonParams(p providers.Payment, o options) string {
	params := map[string]string{}
	for name, value := range o.JSONParams {
		params[name] = value
	}
	switch {
	case o.RecurringFrequency > 0:
		params[recurringEvery] = strconv.Itoa(o.RecurringFrequency)
		params[recurringUntil] = strings.ReplaceAll(o.RecurringExpiry, "-", "")
	case p.SaveCard && g.recurringDays > 0:
		params[recurringEvery], params[recurringUntil] = strconv.Itoa(g.recurringFrequency), g.now().AddDate(0, 0, g.recurringDays).Format("20060102")
	}
	if p.OwnershipMark != "" {
		params[markName] = p.OwnershipMark
	}
	text, err := json.Marshal(params)
	if err != nil || len(params) == 0 {
		return ""
	}
	return string(text)
}

// lifetime is the order's, in seconds: as long as the session may still be paid and the time a shopper may then take at
// the bank, within the account's bounds. An order that ends under a running challenge would lose the payment.
func (g *terms) lifetime(p providers.Payment) int {
	if p.ExpiresAt.IsZero() {
		return 0
	}
	left := max(0, p.ExpiresAt.Sub(g.now())) + defaultLifetime
	return min(max(int((left+time.Second-1)/time.Second), minSessionTimeout), g.timeout)
}
