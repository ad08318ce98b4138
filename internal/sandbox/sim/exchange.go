package sim

import "errors"

// Exchanger is a gateway whose merchant can have a credential exchanged, as in its cabinet: from then on the new one alone holds.
type Exchanger interface {
	// Exchange gives the first account another credential, which has the name that the account's setting has in a front.
	Exchange(credential, value string) error
}

// ErrNoCredential is of a name that the gateway has no credential of, or of a value that is none.
var ErrNoCredential = errors.New("the gateway has no such credential, or the value is none")

// Exchange replaces the first of a gateway's accounts by one with another credential, under the gateway's lock: whoever still works
// with the old one keeps it. The names are those of the account's settings.
func Exchange[A any](accounts []*A, fields func(*A) map[string]*string, credential, value string) error {
	next := *accounts[0]
	field, ok := fields(&next)[credential]
	if !ok || value == "" {
		return ErrNoCredential
	}
	*field = value
	accounts[0] = &next
	return nil
}
