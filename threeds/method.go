package threeds

import (
	"net/url"
)

// MaxNotificationURL is EMV's limit for notificationURL and threeDSMethodNotificationURL, in characters.
const MaxNotificationURL = 256

// MethodData is what the requestor tells the ACS in a 3DS Method request.
type MethodData struct {
	ThreeDSServerTransID         string `json:"threeDSServerTransID"`
	ThreeDSMethodNotificationURL string `json:"threeDSMethodNotificationURL"`
}

// check keeps addresses like javascript: out; which hosts are acceptable is the caller's matter.
func (d MethodData) check() error {
	if err := checkUUID(d.ThreeDSServerTransID, "threeDSServerTransID"); err != nil {
		return err
	}
	const field = "threeDSMethodNotificationURL"
	if d.ThreeDSMethodNotificationURL == "" {
		return fail(ReasonMissingField, field)
	}
	if len(d.ThreeDSMethodNotificationURL) > MaxNotificationURL {
		return fail(ReasonTooLarge, field)
	}
	u, err := url.Parse(d.ThreeDSMethodNotificationURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fail(ReasonBadURL, field)
	}
	return nil
}

// EncodeMethodData builds the value of the form field threeDSMethodData. Put the run's token in the path of the
// notification URL: some ACSs do not call back when it has a query string.
func EncodeMethodData(d MethodData) (string, error) {
	if err := d.check(); err != nil {
		return "", err
	}
	return encodeMessage(d)
}

// DecodeMethodData reads a value that we or a gateway packed. It is a look inside: post the value itself on.
func DecodeMethodData(value string) (MethodData, error) {
	o, err := decodeMessage(value, "threeDSMethodData", MaxMethodData)
	if err != nil {
		return MethodData{}, err
	}
	d := MethodData{
		ThreeDSServerTransID:         o.text("threeDSServerTransID"),
		ThreeDSMethodNotificationURL: o.text("threeDSMethodNotificationURL"),
	}
	if err := d.check(); err != nil {
		return MethodData{}, err
	}
	return d, nil
}

// DecodeMethodNotification reads the threeDSMethodData that the ACS posts to the notification URL. Nothing in it is
// signed or secret: it may only turn one run's Method from waiting to done. When the path token is right but the value
// is not readable, the arrival alone still counts; a documented sample of a public 3DS Server has the wrong member name.
func DecodeMethodNotification(value string) (threeDSServerTransID string, err error) {
	o, err := decodeMessage(value, "threeDSMethodData", MaxMethodData)
	if err != nil {
		return "", err
	}
	id := o.text("threeDSServerTransID")
	if err := checkUUID(id, "threeDSServerTransID"); err != nil {
		return "", err
	}
	return id, nil
}
