package providers

import (
	"net/http"
	"net/url"
	"time"
	"tollgate/threeds"
)

// Config is one account's contract with a gateway, as the configuration file has it, and its constructor. Every
// providers/NAME/config.go has one, with toml tags.
type Config interface {
	// Faults names all that is wrong with the settings, "key: what"; it makes no network call.
	Faults() []string
	// Open makes the provider. It is called only when Faults is empty.
	Open(Env) (Provider, error)
}

// ParseAddress reads the root address of an API in an account's settings. It names all that is wrong with it; the address is
// nil where it is none.
func ParseAddress(text string) (u *url.URL, faults []string) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, []string{"not an http(s) address"}
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		faults = append(faults, "must be scheme, host and path only")
	}
	if _, err := threeds.CheckURL(text, true); err != nil {
		faults = append(faults, "must be https (http on loopback only)")
	}
	return u, faults
}

// Env is what Open gets from the program.
type Env struct {
	HTTP     *http.Client     // breaker and metrics wrap its transport; it never retries and follows no redirect
	Now      func() time.Time // the one clock
	Loopback bool             // the sandbox: http addresses on loopback are allowed where a gateway names one
}
