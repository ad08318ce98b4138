package providers

import (
	"net/http"
	"time"
)

// Config is one account's contract with a gateway, as the configuration file has it, and its constructor. Every
// providers/NAME/config.go has one, with toml tags.
type Config interface {
	// Faults names all that is wrong with the settings, "key: what"; it dials nobody.
	Faults() []string
	// Open makes the provider. It is called only when Faults is empty.
	Open(Env) (Provider, error)
}

// Env is what an account gets from the house.
type Env struct {
	HTTP     *http.Client     // breaker and metrics wrap its transport; it never retries and follows no redirect
	Now      func() time.Time // the one clock
	Loopback bool             // the sandbox: http addresses on loopback are allowed where a gateway names one
}
