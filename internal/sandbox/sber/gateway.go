package sber

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/sim"
)

const (
	gatewayName    = "sber"
	clientsBucket  = "sber.clients"
	ordersBucket   = "sber.orders"
	bindingsBucket = "sber.bindings"

	root    = "/sbersafe/api/"
	maxBody = 1 << 20
)

// Account is one merchant. The API knows merchants by their login alone; what proves a caller is the customer's token.
type Account struct {
	MerchantLogin string
	Info          string // merchantInfo in lists of operations
}

// Config of the gateway. Without accounts there is the demo account alone.
type Config struct {
	Accounts  []Account
	TokenLife time.Duration // default 30 days
}

// DemoAccount is the account of a sandbox without configuration.
func DemoAccount() Account { return Account{MerchantLogin: "tollgate", Info: "Demo shop"} }

// DemoPhone is a customer's, as the API wants it: ten digits without the country's 7.
const DemoPhone = "9171131231"

// DemoCode is the one-time code of everybody.
const DemoCode = "111111"

// Gateway is the simulator. It is safe for concurrent use: one lock orders all changes.
type Gateway struct{ books }

// New loads everything from the journal and puts every order into the ledger. It fails when the journal cannot be read.
func New(env *sim.Env, cfg Config) (*Gateway, error) {
	if len(cfg.Accounts) == 0 {
		cfg.Accounts = []Account{DemoAccount()}
	}
	if cfg.TokenLife == 0 {
		cfg.TokenLife = 30 * 24 * time.Hour
	}
	g := &Gateway{books{env: env, accounts: cfg.Accounts, tokenLife: cfg.TokenLife}}
	g.clear()
	var err error
	if g.clients, err = (sim.Kind[string, client]{
		Bucket: clientsBucket, ID: func(c *client) string { return c.UUID }, Clone: (*client).clone, Kept: g.onSaveClient,
	}).Load(env); err != nil {
		return nil, err
	}
	if g.bindings, err = (sim.Kind[string, binding]{Bucket: bindingsBucket, ID: func(b *binding) string { return b.UUID },
		Kept: g.onSaveBinding}).Load(env); err != nil {
		return nil, err
	}
	if g.orders, err = (sim.Kind[string, order]{Bucket: ordersBucket, ID: func(o *order) string { return o.ID },
		Kept: g.onSave}).Load(env); err != nil {
		return nil, err
	}
	return g, nil
}

// Name is the first path element of everything the gateway serves.
func (g *Gateway) Name() string { return gatewayName }

// Credentials are the first account's, and what a shopper needs to log in.
func (g *Gateway) Credentials() map[string]string {
	return map[string]string{"merchantLogin": g.accounts[0].MerchantLogin, "phone": DemoPhone, "otp": DemoCode,
		"base_url": g.env.BaseURL + "/sber/sbersafe"}
}

// Reset forgets every customer, card and order.
func (g *Gateway) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.clients.Reset()
	g.bindings.Reset()
	g.orders.Reset()
	g.clear()
}

func written(err error) *fault {
	if err != nil {
		return errSystem
	}
	return nil
}

// call is one API call. Client and merchant are known where the call needs a token.
type call struct {
	raw      []byte
	r        *http.Request
	client   *client
	merchant Account
}

// read decodes the request; members that nobody knows are ignored, as the gateway's documents show more than one generation.
func (c *call) read(v any) *fault {
	if json.Unmarshal(c.raw, v) != nil { // it is JSON: a member has another type
		return malformed("request")
	}
	return nil
}

// reference tells the log which order the call is about.
func (c *call) reference(number string) { faults.SetReference(c.r, number) }

type method struct {
	run   func(*Gateway, *call) (body, *fault)
	token bool
}

var methods = map[string]method{
	"clients/find":      {(*Gateway).clientsFind, false},
	"clients/create":    {(*Gateway).clientsCreate, true},
	"clients/":          {(*Gateway).clientData, true},
	"auth/otp":          {(*Gateway).authOTP, false},
	"auth/token":        {(*Gateway).authToken, false},
	"payment/start":     {(*Gateway).paymentStart, true},
	"payment/finish":    {(*Gateway).paymentFinish, true},
	"transfer/start":    {(*Gateway).transferStart, true},
	"transfer/finish":   {(*Gateway).transferFinish, true},
	"vcard/create":      {(*Gateway).vcardCreate, true},
	"transactions/":     {(*Gateway).transactions, true},
	"transactions/find": {(*Gateway).findNested, true},
	"find":              {(*Gateway).findFlat, true},
	"change":            {(*Gateway).change, true},
	"delete":            {(*Gateway).remove, true},
}

// handler names the calls by their path: two of them are called start.
type handler struct{ *http.ServeMux }

func (handler) CallName(r *http.Request) string { return callName(r.URL.Path) }

func callName(path string) string {
	name, _ := strings.CutPrefix(path, root)
	if _, ok := methods[name+"/"]; ok {
		name += "/"
	}
	return name
}

// Handler serves the gateway with /sber stripped from the path.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(root, func(w http.ResponseWriter, r *http.Request) {
		m, ok := methods[callName(r.URL.Path)]
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		default:
			g.serve(w, r, m)
		}
	})
	return handler{mux}
}

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, m method) {
	answer, bad := g.do(w, r, m)
	status, word := http.StatusOK, "SUCCESS"
	if bad != nil {
		status, word = bad.http, "ERROR"
	}
	answer = answer.With("requestId", g.requestID()).With("status", word)
	if bad != nil {
		answer = answer.With("errorCode", bad.code).With("errorMessage", bad.message)
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(answer) // a failed write means that the client is gone
}

func (g *Gateway) do(w http.ResponseWriter, r *http.Request, m method) (body, *fault) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return nil, errJSON
	}
	c := &call{r: r}
	if c.raw, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil || !json.Valid(c.raw) {
		return nil, errJSON
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.token {
		var ok bool
		if c.client, c.merchant, ok = g.tokenOf(r.Header.Get("Authorization")); !ok {
			return nil, errToken
		}
	}
	return m.run(g, c)
}
