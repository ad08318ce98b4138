// Package config reads Tollgate's settings: defaults, then one TOML file, then the environment, then flags. All faults
// are reported at once.
package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/pelletier/go-toml/v2"

	"tollgate/internal/mail"
	"tollgate/internal/merchant"
)

// Config is everything a start needs.
type Config struct {
	Listen        string `toml:"listen" env:"LISTEN"`                   // address of the front
	SandboxListen string `toml:"sandbox_listen" env:"SANDBOX_LISTEN"`   // address of the sandbox
	Data          string `toml:"data" env:"DATA"`                       // folder of the SQLite file, sealing keys, sandbox journal
	DatabaseURL   string `toml:"database_url" env:"DATABASE_URL"`       // "": SQLite in Data; postgres://…: PostgreSQL
	PublicURL     string `toml:"public_url" env:"PUBLIC_URL"`           // how browsers and gateways reach the front
	Metrics       string `toml:"metrics_listen" env:"METRICS_LISTEN"`   // address of /metrics; "": none
	KeysFile      string `toml:"keys_file" env:"KEYS_FILE"`             // the first one seals; "": Data/keys, made at the first start
	LogLevel      string `toml:"log_level" env:"LOG_LEVEL"`             // debug, info, warn, error
	MaxStreams    int    `toml:"max_streams" env:"MAX_STREAMS"`         // live waits of browsers open at once
	MaxConns      int    `toml:"max_connections" env:"MAX_CONNECTIONS"` // of clients, open at once; 0: ConnectionCap
	SecurityLog   string `toml:"security_log" env:"SECURITY_LOG"`       // file of the security log; "": standard error
	// AllowReadableKeys lets files of secrets be readable by others than their owner.
	AllowReadableKeys bool `toml:"allow_readable_keys" env:"ALLOW_READABLE_KEYS"`
	// TestMode lets a configured front work with the sandbox; every page says that no money moves.
	TestMode bool `toml:"test_mode" env:"TEST_MODE"`
	// WebhookNetworks are the private networks (CIDR) that webhooks may be sent to.
	WebhookNetworks []string `toml:"webhook_networks" env:"WEBHOOK_NETWORKS"`
	// TrustedProxies are the networks (CIDR) whose X-Forwarded-For is believed.
	TrustedProxies []string `toml:"trusted_proxies" env:"TRUSTED_PROXIES"`

	Limits    *Limits            `toml:"limits"`
	Mail      *Mail              `toml:"mail"` // nil: no mail is sent
	Merchants []Merchant         `toml:"merchant"`
	Accounts  map[string]Account `toml:"account"`

	// Sandbox is true without any configuration file: simulated gateways, a demo merchant, test cards only.
	Sandbox bool `toml:"-"`
	// SandboxAnywhere lets the sandbox listen for other machines.
	SandboxAnywhere bool `toml:"-"`

	src source
	env map[string]string
}

// ConnectionCap is how many connections of clients a listener holds.
func (c Config) ConnectionCap() int {
	if c.MaxConns > 0 {
		return c.MaxConns
	}
	return max(10_000, c.MaxStreams+4_000)
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
	Looks         []Look   `toml:"look"` // how its pages may look; a session picks one
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
	Framed      bool           `toml:"framed_challenge"` // its banks' pages may be shown in a frame
	Cards       []string       `toml:"cards"`            // payment systems that the contract covers; none: the usual ones
	Limits      *Limits        `toml:"limits"`
	FollowFor   Duration       `toml:"follow_for"`
	CardCalls   int            `toml:"card_calls"` // a second, to import and refresh saved cards
	Settings    map[string]any `toml:"settings"`
	Proxy       string         `toml:"proxy"`              // http://host:port that calls to the gateway go through; "": none
	CAFile      string         `toml:"ca_file"`            // PEM: who may have signed the gateway's certificate; "": the system's
	CertFile    string         `toml:"client_certificate"` // PEM, with KeyFile: what we show the gateway
	KeyFile     string         `toml:"client_key"`
	Other       map[string]any `toml:"other"` // credentials that hold beside those of Settings
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

// Faults is all that is wrong with a configuration, each with the line, variable or flag it comes from.
type Faults []string

func (f Faults) Error() string {
	return "configuration:\n  - " + strings.Join(f, "\n  - ")
}

// Fault words what is wrong with the setting at a path such as account.NAME.settings.base_url.
func (c Config) Fault(path, text string) string { return c.src.at(path) + ": " + text }

// AccountFault words what a gateway finds wrong with its settings: "key: what".
func (c Config) AccountFault(account, text string) string {
	key, what, ok := strings.Cut(text, ": ")
	if !ok || strings.ContainsAny(key, " \"") {
		return c.Fault("account."+account, text)
	}
	return c.Fault("account."+account+".settings."+key, what)
}

// Flags are the settings of the command line; empty ones say nothing.
type Flags struct {
	Listen, SandboxListen, Data, Config string
	SandboxAnywhere                     bool
}

// EnvPrefix stands before every setting in the environment.
const EnvPrefix = "TOLLGATE_"

// Load reads file, environment and flags. The error is Faults; the Config is then as far as it could be read.
func Load(flags Flags, environ []string) (Config, error) {
	c := Config{Listen: "127.0.0.1:8080", SandboxListen: "localhost:8081", Data: "./data", LogLevel: "info", MaxStreams: 2000,
		env: env.ToMap(environ)}
	name := flags.Config
	if name == "" {
		name = c.env[EnvPrefix+"CONFIG"]
	}
	c.SandboxAnywhere = flags.SandboxAnywhere
	var faults Faults
	readable := true
	if name == "" {
		c.Sandbox = true
	} else {
		faults, readable = c.file(name)
	}
	if err := env.ParseWithOptions(&c, env.Options{Prefix: EnvPrefix, Environment: c.env}); err != nil {
		faults = append(faults, "environment: "+err.Error())
	}
	c.src.variables(c.env)
	for _, f := range []struct {
		flag, name string
		to         *string
	}{{flags.Listen, "listen", &c.Listen}, {flags.SandboxListen, "sandbox_listen", &c.SandboxListen},
		{flags.Data, "data", &c.Data}} {
		if f.flag != "" {
			*f.to = f.flag
			c.src.say(f.name, "-"+strings.ReplaceAll(f.name, "_", "-"))
		}
	}
	if c.KeysFile == "" {
		c.KeysFile = filepath.Join(c.Data, "keys")
	}
	if readable { // else every setting behind the fault would seem to be missing
		told := faults
		for _, f := range slices.Concat(c.misspelt(c.src.text), c.ownFile(name), c.secrets(), c.check()) {
			if !slices.ContainsFunc(told, func(t string) bool { return samePlace(t, f) }) { // what could not be read seems to be missing
				faults = append(faults, f)
			}
		}
	}
	if len(faults) > 0 {
		return c, faults
	}
	return c, nil
}

// samePlace tells whether two faults begin with the same file and line.
func samePlace(a, b string) bool {
	place := func(fault string) string {
		parts := strings.SplitN(fault, ":", 3)
		return strings.Join(parts[:min(2, len(parts))], ":")
	}
	return place(a) == place(b)
}

// file reads the TOML file strictly; a misspelt key is named with its line. readable tells whether all else was read.
func (c *Config) file(name string) (faults Faults, readable bool) {
	doc, err := os.ReadFile(name)
	if err != nil {
		return Faults{err.Error()}, false
	}
	c.src = read(name, doc)
	lines := bytes.Split(doc, []byte("\n"))
	for {
		next := *c
		err := toml.NewDecoder(bytes.NewReader(bytes.Join(lines, []byte("\n")))).DisallowUnknownFields().Decode(&next)
		strict, misspelt := errors.AsType[*toml.StrictMissingError](err) // holds a DecodeError for each
		if bad, ok := errors.AsType[*toml.DecodeError](err); ok && !misspelt {
			row, col := bad.Position()
			if len(bad.Key()) == 0 || len(lines[row-1]) == 0 { // no TOML
				return append(faults, fmt.Sprintf("%s:%d:%d: %s", name, row, col, bad.Error())), false
			}
			// A value of the wrong type: read on without its line.
			faults = append(faults, fmt.Sprintf("%s:%d: %s %s", name, row, strings.Join(bad.Key(), "."), misfit(bad, reflect.TypeFor[Config]())))
			lines[row-1] = nil
			continue
		}
		*c = next
		if misspelt {
			for i := range strict.Errors {
				row, _ := strict.Errors[i].Position()
				faults = append(faults, fmt.Sprintf("%s:%d: %s is not a setting", name, row, strings.Join(strict.Errors[i].Key(), ".")))
			}
			err = nil
		}
		if err != nil {
			return append(faults, fmt.Sprintf("%s: %v", name, err)), false
		}
		return faults, true
	}
}

// misfit says what is wrong with a value, without Go's words for its type.
func misfit(bad *toml.DecodeError, root reflect.Type) string {
	text := strings.TrimPrefix(bad.Error(), "toml: ")
	if strings.Contains(text, "cannot ") || strings.Contains(text, "incompatible") {
		return "is not of the type that is wanted" + wanted(root, bad.Key())
	}
	return "is not valid: " + text
}

// wanted words the type that a setting has; "" where there is no such setting.
func wanted(root reflect.Type, key []string) string {
	t := root
	for _, name := range key {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() == reflect.Map { // its names are the file's own
			t = t.Elem()
			continue
		}
		if t.Kind() != reflect.Struct {
			return ""
		}
		found := false
		for f := range t.Fields() {
			if tag, _, _ := strings.Cut(f.Tag.Get("toml"), ","); tag == name {
				t, found = f.Type, true
				break
			}
		}
		if !found {
			return ""
		}
	}
	switch t {
	case reflect.TypeFor[Duration]():
		return `: a duration in quotes, as "90s"`
	case reflect.TypeFor[time.Time]():
		return ": a date and time, as 2030-01-01T00:00:00Z"
	case reflect.TypeFor[[]string]():
		return `: a list of texts, as ["one", "two"]`
	}
	switch t.Kind() {
	case reflect.String:
		return ": a text in quotes"
	case reflect.Bool:
		return ": true or false, without quotes"
	case reflect.Int, reflect.Int64:
		return ": a whole number, without quotes"
	case reflect.Map, reflect.Struct:
		return ": a table, in lines of its own below [" + strings.Join(key, ".") + "]"
	case reflect.Slice:
		return ": a table for each, below [[" + strings.Join(key, ".") + "]]"
	}
	return ""
}

// secrets puts what "file:NAME" and "env:NAME" stand for in their place, in the database's address and in the settings of
// every account.
func (c *Config) secrets() (faults Faults) {
	var resolve func(path string, v any) any
	resolve = func(path string, v any) any {
		switch v := v.(type) {
		case string:
			s, err := c.secret(v)
			if err != nil {
				faults = append(faults, c.Fault(path, err.Error()))
				return v // there is something: nobody need say that the setting is missing
			}
			return s
		case map[string]any:
			out := make(map[string]any, len(v))
			for _, k := range slices.Sorted(maps.Keys(v)) {
				out[k] = resolve(path+"."+k, v[k])
			}
			return out
		}
		return v
	}
	c.DatabaseURL = resolve("database_url", c.DatabaseURL).(string)
	if c.Mail != nil {
		c.Mail.Password = mail.Password(resolve("mail.password", string(c.Mail.Password)).(string))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Accounts)) {
		a := c.Accounts[name]
		if a.Settings != nil {
			a.Settings = resolve("account."+name+".settings", a.Settings).(map[string]any)
		}
		if a.Other != nil {
			a.Other = resolve("account."+name+".other", a.Other).(map[string]any)
		}
		c.Accounts[name] = a
	}
	return faults
}

func (c *Config) secret(s string) (string, error) {
	if name, ok := strings.CutPrefix(s, "file:"); ok {
		return c.readSecret(name)
	}
	if name, ok := strings.CutPrefix(s, "env:"); ok {
		v := c.env[name]
		if v == "" {
			return "", fmt.Errorf("the environment has no %s", name)
		}
		return v, nil
	}
	return s, nil
}

// check finds what is wrong, in the order of the file. It stays in one piece because each check is a line or two and none needs
// another's result.
func (c *Config) check() Faults {
	var faults Faults
	fault := func(path, format string, args ...any) {
		faults = append(faults, c.Fault(path, fmt.Sprintf(format, args...)))
	}
	for _, l := range []struct{ name, addr string }{{"listen", c.Listen}, {"sandbox_listen", c.SandboxListen},
		{"metrics_listen", c.Metrics}} {
		if _, _, err := net.SplitHostPort(l.addr); err != nil && (l.addr != "" || l.name != "metrics_listen") {
			fault(l.name, "%q is not host:port", l.addr)
		}
	}
	if text := databaseFault(c.DatabaseURL); text != "" {
		fault("database_url", "%s", text)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		fault("log_level", "must be debug, info, warn or error")
	}
	if c.MaxStreams < 1 {
		fault("max_streams", "must be at least 1")
	}
	if c.MaxConns != 0 && c.MaxConns < max(100, c.MaxStreams+100) {
		fault("max_connections", "must be at least 100 more than max_streams, which hold a connection each")
	}
	for _, p := range c.TrustedProxies {
		if _, _, err := net.ParseCIDR(p); err != nil {
			hint := ""
			if ip := net.ParseIP(p); ip != nil {
				hint = map[bool]string{true: "; " + p + "/32 is one", false: "; " + p + "/128 is one"}[ip.To4() != nil]
			}
			fault("trusted_proxies", "%q is not a network such as 10.0.0.0/8%s", p, hint)
		}
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || (u.Scheme != "https" && !c.plainAddress(u)) || u.User != nil ||
			u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
			fault("public_url", "must be https://host[:port] and nothing more")
		}
		c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	} else if !c.Sandbox {
		fault("public_url", "is required: the address that browsers, banks and gateways reach this front at")
	}
	c.checkPlaces(fault)
	if c.Sandbox {
		return faults
	}
	c.checkOrigins(fault)
	c.checkLimits(fault)
	c.checkMail(fault)
	if len(c.Merchants) == 0 {
		fault("merchant", "at least one [[merchant]] is required")
	}
	if len(c.Accounts) == 0 {
		fault("account", "at least one [account.NAME] is required")
	}
	ids := map[string]bool{}
	for i, m := range c.Merchants {
		at := fmt.Sprintf("merchant[%d]", i)
		if m.ID == "" || ids[m.ID] {
			fault(at+".id", "must be given and be the only one of its name")
		}
		ids[m.ID] = true
		if m.Name == "" {
			fault(at+".name", "is what shoppers read and must be given")
		}
		if len(m.APIKeys)+len(m.APIKeyHashes)+len(m.APIKeyFiles)+len(m.Keys) == 0 {
			fault(at, "an API key is required: [[merchant.key]], api_key_files, api_key_hashes or api_keys")
		}
		for _, name := range m.Accounts {
			if _, ok := c.Accounts[name]; !ok {
				fault(at+".accounts", "account %q is not configured", name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Accounts)) {
		a := c.Accounts[name]
		if a.Gateway == "" {
			fault("account."+name+".gateway", "is required")
		}
		if a.CardCalls < 0 || a.CardCalls > 1000 {
			fault("account."+name+".card_calls", "must be from 1 to 1000")
		}
		for key, d := range map[string]Duration{"settle_after": a.SettleAfter, "call_timeout": a.CallTimeout,
			"order_lifetime": a.OrderLife, "follow_for": a.FollowFor} {
			if d > 0 && time.Duration(d) < time.Millisecond { // TOML has a bare number for nanoseconds
				fault("account."+name+"."+key, `needs quotes and a unit, as "90s"`)
			}
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			fault("account."+name, "the name stands in addresses: a-z 0-9 _ - only")
		}
	}
	if _, err := c.Directory(); err != nil {
		faults = append(faults, err.(Faults)...)
	}
	return faults
}

// plainAddress tells whether a public address without TLS will do: the sandbox's, or one of this machine in test mode.
func (c *Config) plainAddress(u *url.URL) bool {
	return u.Scheme == "http" && (c.Sandbox || c.TestMode && isLoopback(u.Hostname()))
}

// Directory makes the merchants; key files are read here. The error is Faults.
func (c Config) Directory() (*merchant.Directory, error) {
	var all []merchant.Merchant
	var faults Faults
	owners := map[string]string{}
	for i, m := range c.Merchants {
		one := merchant.Merchant{ID: m.ID, Name: m.Name, Accounts: m.Accounts, ReturnOrigins: m.ReturnOrigins}
		looks, wrong := c.looks(i, m)
		one.Looks, faults = looks, append(faults, wrong...)
		for _, k := range m.keys() {
			path := fmt.Sprintf("merchant[%d].%s", i, k.at)
			key, err := k.key(&c)
			switch owner, taken := owners[key.Hash]; {
			case err != nil:
				faults = append(faults, c.Fault(path, fmt.Sprintf("of merchant %q: %v", m.ID, err)))
			case taken && owner != m.ID:
				faults = append(faults, c.Fault(path, fmt.Sprintf("merchant %q has the same key", owner)))
			}
			if err == nil {
				owners[key.Hash] = m.ID
				one.Keys = append(one.Keys, key)
			}
		}
		all = append(all, one)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return merchant.NewDirectory(all...), nil
}

// placed is a key with where it stands in the file.
type placed struct {
	Key
	clear string
	at    string
}

// keys is every key of a merchant, the short forms as well.
func (m Merchant) keys() (all []placed) {
	for _, k := range m.APIKeys {
		all = append(all, placed{clear: k, at: "api_keys"})
	}
	for _, h := range m.APIKeyHashes {
		all = append(all, placed{Key: Key{Hash: h}, at: "api_key_hashes"})
	}
	for _, name := range m.APIKeyFiles {
		all = append(all, placed{Key: Key{File: name}, at: "api_key_files"})
	}
	for i, k := range m.Keys {
		all = append(all, placed{Key: k, at: fmt.Sprintf("key[%d]", i)})
	}
	return all
}

// key reads the key where it is kept, if that is not its hash. The demo key of the sandbox is short.
func (p placed) key(c *Config) (merchant.Key, error) {
	out := merchant.Key{Hash: p.Hash, Expires: p.Expires}
	for _, s := range p.Scopes {
		if !slices.Contains(merchant.Scopes(), merchant.Scope(s)) {
			return out, fmt.Errorf("scopes: %q is none of %v", s, merchant.Scopes())
		}
		out.Scopes = append(out.Scopes, merchant.Scope(s))
	}
	if p.Scopes != nil && len(p.Scopes) == 0 {
		return out, errors.New("scopes: an empty list would be a key for nothing; leave it out for a key for everything")
	}
	ways := 0
	for _, w := range []string{p.clear, p.Hash, p.File, p.Env} {
		if w != "" {
			ways++
		}
	}
	if ways != 1 {
		return out, errors.New("exactly one of file, hash and env says what the key is")
	}
	key, from := p.clear, ""
	switch {
	case p.Hash != "":
		if len(p.Hash) != 64 || strings.Trim(p.Hash, "0123456789abcdef") != "" {
			return out, errors.New("a hash is 64 small hex digits (SHA-256); tollgate keys hash makes one")
		}
		return out, nil
	case p.File != "":
		raw, err := c.readSecret(p.File)
		if err != nil {
			return out, err
		}
		key, from = raw, p.File+": "
	case p.Env != "":
		if key, from = c.env[p.Env], p.Env+": "; key == "" {
			return out, fmt.Errorf("the environment has no %s", p.Env)
		}
	}
	if len(key) < minKey && !c.Testing() {
		return out, fmt.Errorf("%san API key must have at least %d characters; tollgate keys new makes one", from, minKey)
	}
	if !LooksRandom([]byte(key), keyKinds) {
		return out, fmt.Errorf("%sthe API key is not random: somebody would guess it; tollgate keys new makes one", from)
	}
	out.Hash = merchant.HashKey(key)
	return out, nil
}

// NewKey makes an API key and its hash.
func NewKey(random io.Reader) (key, hash string, err error) {
	var b [24]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", "", err
	}
	key = "sk_" + base64.RawURLEncoding.EncodeToString(b[:])
	return key, merchant.HashKey(key), nil
}

// HashKey is how the file may hold a key. Short ones are refused: their hash could be guessed.
func HashKey(key string) (string, error) {
	k, err := placed{clear: key}.key(&Config{})
	return k.Hash, err
}

// Unknown is settings that a gateway does not have. All others were read.
type Unknown []string

func (u Unknown) Error() string { return "not settings of this gateway: " + strings.Join(u, ", ") }

// Into decodes an account's own settings into its gateway's Config, strictly. Unknown, or another error of reading.
func (a Account) Into(v any) error {
	settings := a.Settings
	if settings == nil {
		settings = map[string]any{}
	}
	raw, err := toml.Marshal(settings)
	if err != nil {
		return err
	}
	err = toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(v)
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var names []string
		for i := range strict.Errors {
			names = append(names, strings.Join(strict.Errors[i].Key(), "."))
		}
		return Unknown(names)
	}
	if bad, ok := errors.AsType[*toml.DecodeError](err); ok {
		return fmt.Errorf("%s: %s", strings.Join(bad.Key(), "."), misfit(bad, reflect.TypeOf(v)))
	}
	return err
}
