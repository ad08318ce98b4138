package payneteasy

import (
	"net/url"
	"time"

	"tollgate/providers"
)

// gatewayName is what gateway_options calls this gateway.
const gatewayName = "payneteasy"

// options are what a merchant asks for one payment alone.
type options struct {
	MerchantData string `json:"merchant_data"`
	Purpose      string `json:"purpose"`
	Destination  string `json:"destination"`
	Birthday     string `json:"birthday"` // 1990-01-31
}

// readOptions reads and checks the payment's options.
func readOptions(pay providers.Payment) (o options, err error) {
	if err := pay.Options.Read(gatewayName, &o); err != nil || o.Birthday == "" {
		return o, err
	}
	at, err := time.Parse(time.DateOnly, o.Birthday)
	if err != nil || at.Year() < 1900 || !pay.CreatedAt.IsZero() && at.After(pay.CreatedAt) {
		return o, providers.Refuse(providers.OptionField(gatewayName, "birthday"), "no day on which a customer can have been born")
	}
	return o, nil
}

// tellOptions says of the payment what the merchant asked to be said, and in which language the shopper reads.
func tellOptions(form url.Values, pay providers.Payment) error {
	o, err := readOptions(pay)
	if err != nil {
		return err
	}
	birthday := ""
	if at, err := time.Parse(time.DateOnly, o.Birthday); err == nil {
		birthday = at.Format("20060102")
	}
	for name, value := range map[string]string{"merchant_data": o.MerchantData, "purpose": o.Purpose, "destination": o.Destination,
		"birthday": birthday, "preferred_language": pay.Locale} {
		if value != "" {
			form.Set(name, value)
		}
	}
	return nil
}
