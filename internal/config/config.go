// Package config reads Tollgate's settings: defaults, then one TOML file, then the environment, then flags. All faults
// are reported at once.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/pelletier/go-toml/v2"

	"tollgate/internal/merchant"
)

// Config is everything a start needs.
type Config struct {
	Listen        string `toml:"listen" env:"LISTEN"`                 // address of the front
	SandboxListen string `toml:"sandbox_listen" env:"SANDBOX_LISTEN"` // address of the sandbox
	Data          string `toml:"data" env:"DATA"`                     // folder of the SQLite file, the sealing keys and the sandbox's journal
	DatabaseURL   string `toml:"database_url" env:"DATABASE_URL"`     // "": SQLite in Data; postgres://…: PostgreSQL
	PublicURL     string `toml:"public_url" env:"PUBLIC_URL"`         // how browsers and gateways reach the front
	Metrics       string `toml:"metrics_listen" env:"METRICS_LISTEN"` // address of /metrics; "": none
	KeysFile      string `toml:"keys_file" env:"KEYS_FILE"`           // sealing keys, newest first; "": Data/keys, made at the first start
	LogLevel      string `toml:"log_level" env:"LOG_LEVEL"`           // debug, info, warn, error
	// TrustedProxies are the networks (CIDR) whose X-Forwarded-For is believed.
	TrustedProxies []string `toml:"trusted_proxies" env:"TRUSTED_PROXIES"`

	Merchants []Merchant         `toml:"merchant"`
	Accounts  map[string]Account `toml:"account"`

	// Sandbox is true without any configuration file: simulated gateways, a demo merchant, test cards only.
	Sandbox bool `toml:"-"`
}

// Merchant is one shop.
type Merchant struct {
	ID            string   `toml:"id"`
	Name          string   `toml:"name"`
	APIKeys       []string `toml:"api_keys"`       // in the clear; better as api_key_hashes or api_key_files
	APIKeyHashes  []string `toml:"api_key_hashes"` // SHA-256, hex
	APIKeyFiles   []string `toml:"api_key_files"`
	Keys          []Key    `toml:"key"` // keys that do not reach everything, or not for ever
	Accounts      []string `toml:"accounts"`
	ReturnOrigins []string `toml:"return_origins"`
}

// Key is one API key of a merchant: exactly one of File, Hash and Env says where it is.
type Key struct {
	File    string    `toml:"file"`
	Hash    string    `toml:"hash"` // SHA-256, hex
	Env     string    `toml:"env"`
	Scopes  []string  `toml:"scopes"`  // of merchant.Scopes; none: all
	Expires time.Time `toml:"expires"` // from then on it is refused; none: never
}

// minKey is the least length of an API key: a plain hash keeps only what cannot be guessed.
const minKey = 24

// Account is a contract with one gateway. The gateway's own settings stand in the table "settings".
type Account struct {
	Gateway     string         `toml:"gateway"`
	SettleAfter Duration       `toml:"settle_after"`
	CallTimeout Duration       `toml:"call_timeout"`
	OrderLife   Duration       `toml:"order_lifetime"`
	Settings    map[string]any `toml:"settings"`
}

// Duration is written "90s", "15m", "24h".
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err == nil && v < 0 {
		err = errors.New("negative")
	}
	*d = Duration(v)
	return err
}

// Faults is all that is wrong with a configuration.
type Faults []string

func (c Config) fault(path, text string) string { return path + ": " + text }

func (f Faults) Error() string {
	return "configuration:\n  - " + strings.Join(f, "\n  - ")
}

// Flags are the settings of the command line; empty ones say nothing.
type Flags struct{ Listen, SandboxListen, Data, Config string }

// EnvPrefix stands before every setting in the environment.
const EnvPrefix = "TOLLGATE_"

// Load reads file, environment and flags. The error is Faults.
func Load(flags Flags, environ []string) (Config, error) {
	c := Config{Listen: "127.0.0.1:8080", SandboxListen: "localhost:8081", Data: "./data", LogLevel: "info"}
	vars := env.ToMap(environ)
	var faults Faults
	name := flags.Config
	if name == "" {
		name = vars[EnvPrefix+"CONFIG"]
	}
	if name == "" {
		c.Sandbox = true
	} else {
		faults = append(faults, c.file(name)...)
	}
	if err := env.ParseWithOptions(&c, env.Options{Prefix: EnvPrefix, Environment: vars}); err != nil {
		faults = append(faults, "environment: "+err.Error())
	}
	for _, f := range []struct {
		flag string
		to   *string
	}{{flags.Listen, &c.Listen}, {flags.SandboxListen, &c.SandboxListen}, {flags.Data, &c.Data}} {
		if f.flag != "" {
			*f.to = f.flag
		}
	}
	if c.KeysFile == "" {
		c.KeysFile = filepath.Join(c.Data, "keys")
	}
	faults = append(faults, c.check()...)
	if len(faults) > 0 {
		return c, faults
	}
	return c, nil
}

// file reads the TOML file strictly; a misspelt key is named with its line.
func (c *Config) file(name string) Faults {
	f, err := os.Open(name)
	if err != nil {
		return Faults{err.Error()}
	}
	defer f.Close()
	err = toml.NewDecoder(f).DisallowUnknownFields().Decode(c)
	var strict *toml.StrictMissingError
	var bad *toml.DecodeError
	switch {
	case errors.As(err, &strict):
		var faults Faults
		for i := range strict.Errors {
			row, _ := strict.Errors[i].Position()
			faults = append(faults, fmt.Sprintf("%s:%d: %s is not a setting", name, row, strings.Join(strict.Errors[i].Key(), ".")))
		}
		return faults
	case errors.As(err, &bad):
		row, col := bad.Position()
		return Faults{fmt.Sprintf("%s:%d:%d: %s", name, row, col, bad.Error())}
	case err != nil:
		return Faults{fmt.Sprintf("%s: %v", name, err)}
	}
	return nil
}

func (c *Config) check() Faults {
	var faults Faults
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for _, l := range []struct{ name, addr string }{{"listen", c.Listen}, {"sandbox_listen", c.SandboxListen}} {
		if _, _, err := net.SplitHostPort(l.addr); err != nil {
			fault("%s: %q is not host:port", l.name, l.addr)
		}
	}
	if c.Metrics != "" {
		if _, _, err := net.SplitHostPort(c.Metrics); err != nil {
			fault("metrics_listen: %q is not host:port", c.Metrics)
		}
	}
	if c.DatabaseURL != "" && !strings.HasPrefix(c.DatabaseURL, "postgres://") && !strings.HasPrefix(c.DatabaseURL, "postgresql://") {
		fault("database_url: must be empty or begin with postgres://")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		fault("log_level: must be debug, info, warn or error")
	}
	for _, p := range c.TrustedProxies {
		if _, _, err := net.ParseCIDR(p); err != nil {
			fault("trusted_proxies: %q is not a network such as 10.0.0.0/8", p)
		}
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || (u.Scheme != "https" && (!c.Sandbox || u.Scheme != "http")) || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
			fault("public_url: must be https://host[:port] and nothing more")
		}
		c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	} else if !c.Sandbox {
		fault("public_url: is required: the address that browsers, banks and gateways reach this front at")
	}
	if c.Sandbox {
		return faults
	}
	if len(c.Merchants) == 0 {
		fault("merchant: at least one [[merchant]] is required")
	}
	if len(c.Accounts) == 0 {
		fault("account: at least one [account.NAME] is required")
	}
	ids := map[string]bool{}
	for i, m := range c.Merchants {
		at := fmt.Sprintf("merchant %d", i+1)
		if m.ID == "" || ids[m.ID] {
			fault("%s: id must be given and be the only one of its name", at)
		}
		ids[m.ID] = true
		if m.Name == "" {
			fault("%s: name is what shoppers read and must be given", at)
		}
		if len(m.APIKeys)+len(m.APIKeyHashes)+len(m.APIKeyFiles)+len(m.Keys) == 0 {
			fault("%s: an API key is required: api_key_files, api_key_hashes or api_keys", at)
		}
		for _, k := range m.APIKeys {
			if len(k) < minKey {
				fault("%s: an API key must have at least %d characters", at, minKey)
			}
		}
		for _, h := range m.APIKeyHashes {
			if len(h) != 64 || strings.Trim(h, "0123456789abcdef") != "" {
				fault("%s: an API key hash is 64 hex digits (SHA-256)", at)
			}
		}
		for _, name := range m.Accounts {
			if _, ok := c.Accounts[name]; !ok {
				fault("%s: account %q is not configured", at, name)
			}
		}
	}
	for name, a := range c.Accounts {
		if a.Gateway == "" {
			fault("account.%s: gateway is required", name)
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			fault("account.%s: the name stands in addresses: a-z 0-9 _ - only", name)
		}
	}
	slices.Sort(faults)
	return faults
}

// Directory makes the merchants. The error is Faults.
func (c Config) Directory() (*merchant.Directory, error) {
	var all []merchant.Merchant
	var faults Faults
	for i, m := range c.Merchants {
		one := merchant.Merchant{ID: m.ID, Name: m.Name, Accounts: m.Accounts, ReturnOrigins: m.ReturnOrigins}
		for _, h := range m.APIKeyHashes {
			one.Keys = append(one.Keys, merchant.Key{Hash: h})
		}
		for _, k := range m.APIKeys {
			one.Keys = append(one.Keys, merchant.Key{Hash: merchant.HashKey(k)})
		}
		for _, name := range m.APIKeyFiles {
			hash, err := Key{File: name}.hash()
			if err != nil {
				faults = append(faults, c.fault(fmt.Sprintf("merchant[%d].api_key_files", i), err.Error()))
			}
			one.Keys = append(one.Keys, merchant.Key{Hash: hash})
		}
		for n, k := range m.Keys {
			hash, err := k.hash()
			if err != nil {
				faults = append(faults, c.fault(fmt.Sprintf("merchant[%d].key[%d]", i, n), err.Error()))
			}
			key := merchant.Key{Hash: hash, Expires: k.Expires}
			for _, s := range k.Scopes {
				key.Scopes = append(key.Scopes, merchant.Scope(s))
			}
			one.Keys = append(one.Keys, key)
		}
		all = append(all, one)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return merchant.NewDirectory(all...), nil
}

// hash reads the key where it is kept, if that is not its hash.
func (k Key) hash() (string, error) {
	key := ""
	switch {
	case k.Hash != "":
		return k.Hash, nil
	case k.File != "":
		raw, err := os.ReadFile(k.File)
		if err != nil {
			return "", err
		}
		if key = strings.TrimSpace(string(raw)); len(key) < minKey {
			return "", fmt.Errorf("%s: an API key must have at least %d characters", k.File, minKey)
		}
	default:
		if key = os.Getenv(k.Env); len(key) < minKey {
			return "", fmt.Errorf("the environment's %s: an API key must have at least %d characters", k.Env, minKey)
		}
	}
	return merchant.HashKey(key), nil
}

// Into decodes an account's own settings into its gateway's Config, strictly. A value "file:NAME" is read from that
// file, "env:NAME" from the environment: credentials need not stand in the file.
func (a Account) Into(v any) error {
	settings := make(map[string]any, len(a.Settings))
	for k, val := range a.Settings {
		s, ok := val.(string)
		if !ok {
			settings[k] = val
			continue
		}
		if name, isFile := strings.CutPrefix(s, "file:"); isFile {
			raw, err := os.ReadFile(name)
			if err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
			s = strings.TrimSpace(string(raw))
		} else if name, isEnv := strings.CutPrefix(s, "env:"); isEnv {
			if s = os.Getenv(name); s == "" {
				return fmt.Errorf("%s: the environment has no %s", k, name)
			}
		}
		settings[k] = s
	}
	raw, err := toml.Marshal(settings)
	if err != nil {
		return err
	}
	err = toml.NewDecoder(strings.NewReader(string(raw))).DisallowUnknownFields().Decode(v)
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var names []string
		for i := range strict.Errors {
			names = append(names, strings.Join(strict.Errors[i].Key(), "."))
		}
		return fmt.Errorf("not settings of this gateway: %s", strings.Join(names, ", "))
	}
	return err
}
