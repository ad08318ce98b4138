package cashier

import "tollgate/providers"

// Provider is what Config.Open makes.
type Provider = provider

// Notice reads a callback's body as if it were signed.
func Notice(body []byte) (providers.Notice, error) {
	o, err := decode(body)
	if err != nil {
		return providers.Notice{}, err
	}
	return notice(o), nil
}
