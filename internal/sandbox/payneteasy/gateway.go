package payneteasy

import (
	"crypto/rsa"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

const (
	gatewayName  = "payneteasy"
	ordersBucket = "payneteasy.orders"
	cardsBucket  = "payneteasy.cards"

	stepLife = 15 * time.Minute
	formLife = 30 * time.Minute
	maxBody  = 1 << 20

	firstOrder = 6684127
	firstCard  = 1326586
)

// Account is one merchant: a login and a control key, with the endpoints that belong to it.
type Account struct {
	Login     string
	Control   string   // merchant_control, the key of every signature
	Endpoints []string // ENDPOINTID
	Groups    []string // ENDPOINTGROUPID, under /group/

	CallbackURL string // used when an order names neither server_callback_url nor notify_url; told everything
	// Processing is how many statuses say "processing", without 3DS fields, after an accepted upload. 0 means 1; negative none.
	Processing int
	// SaleProcessing is the same after a new order. 0 means none.
	SaleProcessing int
	// HyphenStatus spells tds-status, as all its siblings; tds_status otherwise.
	HyphenStatus bool
	// V4Key checks the signatures of /api/v4; nil: the demo key's, whose other half the sandbox hands out.
	V4Key *rsa.PublicKey
	// Rebill3DS sends cards of repeated payments through 3-D Secure too, as some acquirers want.
	Rebill3DS bool
	// SameAnswer answers a request that repeats a client_orderid with the first order's answer, where it asks for the same; else it
	// is refused (code 8), as every repetition is without it.
	SameAnswer bool
}

// Config of the gateway. Without accounts there is the demo account alone.
type Config struct {
	Accounts []Account
}

// DemoAccount is the account of a sandbox without configuration.
func DemoAccount() Account {
	return Account{Login: "tollgate-sandbox", Control: "5a4db0c5-7a9e-4d0c-8f0b-2b9b0f6f3c11", Endpoints: []string{"39529"},
		Groups: []string{"2545"}}
}

// OtherAccount is a second account of such a sandbox, where everything is done the other way: 3-D Secure on repeated payments,
// tds-status with a hyphen, the same answer again to a repeated client_orderid, and slow acquirers.
func OtherAccount() Account {
	return Account{Login: "tollgate-other", Control: "0c7be0f1-3d0e-4f5c-9a55-6d7c9c1f8e02", Endpoints: []string{"39530"},
		Groups: []string{"2546"}, Rebill3DS: true, HyphenStatus: true, SameAnswer: true, Processing: 2, SaleProcessing: 1}
}

// Gateway is the simulator. It is safe for concurrent use: one lock orders all changes.
type Gateway struct{ acquirer }

// New loads every order from the journal and puts it into the ledger. It fails when the journal cannot be read.
func New(env *sim.Env, cfg Config) (*Gateway, error) {
	if len(cfg.Accounts) == 0 {
		cfg.Accounts = []Account{DemoAccount(), OtherAccount()}
	}
	g := &Gateway{acquirer{books{env: env}}}
	for _, a := range cfg.Accounts {
		switch {
		case a.Processing == 0:
			a.Processing = 1
		case a.Processing < 0:
			a.Processing = 0
		}
		g.accounts = append(g.accounts, &a)
	}
	g.clear()
	var err error
	if g.orders, err = (sim.Kind[string, order]{
		Bucket: ordersBucket, ID: func(o *order) string { return o.ID }, Clone: (*order).clone, Kept: g.onSave,
	}).Load(env); err != nil {
		return nil, err
	}
	if g.cards, err = (sim.Kind[string, cardRef]{Bucket: cardsBucket, ID: func(c *cardRef) string { return c.ID },
		Kept: g.onSaveCard}).Load(env); err != nil {
		return nil, err
	}
	// The issuer may call from inside a call of ours, so the subscriber must not wait for our lock.
	env.Issuer.OnResult(func(id string, _ issuer.Result) { go g.decoupledResult(id) })
	return g, nil
}

// Name is the first path element of everything the gateway serves.
func (g *Gateway) Name() string { return gatewayName }

// Credentials are the first account's, by the names the documents give them.
func (g *Gateway) Credentials() map[string]string {
	a := g.accounts[0]
	c := map[string]string{"login": a.Login, "merchant_control": a.Control,
		"base_url": g.env.BaseURL + "/payneteasy/paynet", "v4_private_key": g.env.BaseURL + "/payneteasy/sandbox/v4_private_key.pem"}
	if len(a.Endpoints) > 0 {
		c["endpoint_id"] = a.Endpoints[0]
	}
	if len(a.Groups) > 0 {
		c["endpoint_group_id"] = a.Groups[0]
	}
	return c
}

// Reset forgets every order and card.
func (g *Gateway) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.orders.Reset()
	g.cards.Reset()
	g.clear()
}

// fault is a refusal in the gateway's own shape. Of the codes only 1 is published (a missing or wrong parameter); the
// others are this simulator's.
type fault struct {
	typ  string // validation-error or error
	code string
	text string
}

func (f *fault) Error() string { return f.code + " " + f.text }

func wrong(text string) *fault     { return &fault{"validation-error", "1", text} }
func missing(name string) *fault   { return wrong("Parameter " + name + " is required") }
func malformed(name string) *fault { return wrong("Parameter " + name + " is invalid") }
func refuse(code, text string) *fault {
	return &fault{"error", code, text}
}

var (
	errControl  = &fault{"validation-error", "2", "Invalid control code"}
	errLogin    = &fault{"validation-error", "2", "Login is unknown for this end point"}
	errEndpoint = refuse("3", "End point is not found")
	errNoOrder  = refuse("4", "Order is not found")
	errState    = refuse("5", "The request is not possible in the current state of the order")
	errAmount   = refuse("6", "Amount exceeds the amount available")
	errNoCard   = refuse("7", "Card reference is not found")
	errTwice    = refuse("8", "Order with this client_orderid already exists")
	errSystem   = refuse("9", "Internal error")
)

// call is one API call, its endpoint already known.
type call struct {
	g        *Gateway
	acc      *Account
	endpoint string
	form     url.Values
	r        *http.Request
	oauth    bool   // signed by OAuth: there is no control
	client   string // the order it is about, for refusals
	order    string
}

func (c *call) get(name string) string { return strings.TrimSpace(c.form.Get(name)) }

// value reads a field of the 3DS uploads, whose documents disagree about case and hyphens.
func (c *call) value(names ...string) string {
	for _, name := range names {
		for k, v := range c.form {
			if strings.EqualFold(k, name) && len(v) > 0 && v[0] != "" {
				return v[0]
			}
		}
	}
	return ""
}

type command func(*Gateway, *call) (*reply, *fault)

var commands = map[string]command{
	"sale":                func(g *Gateway, c *call) (*reply, *fault) { return g.start(c, "sale", true) },
	"preauth":             func(g *Gateway, c *call) (*reply, *fault) { return g.start(c, "preauth", true) },
	"sale-form":           func(g *Gateway, c *call) (*reply, *fault) { return g.start(c, "sale", false) },
	"preauth-form":        func(g *Gateway, c *call) (*reply, *fault) { return g.start(c, "preauth", false) },
	"status":              (*Gateway).status,
	"capture":             (*Gateway).capture,
	"return":              (*Gateway).returnCommand,
	"void":                (*Gateway).void,
	"create-card-ref":     (*Gateway).createCardRef,
	"get-card-info":       (*Gateway).cardInfo,
	"make-rebill":         func(g *Gateway, c *call) (*reply, *fault) { return g.rebill(c, "sale") },
	"make-rebill-sale":    func(g *Gateway, c *call) (*reply, *fault) { return g.rebill(c, "sale") },
	"make-rebill-preauth": func(g *Gateway, c *call) (*reply, *fault) { return g.rebill(c, "preauth") },

	"account-verification":      func(g *Gateway, c *call) (*reply, *fault) { return g.verify(c, false) },
	"sync/account-verification": func(g *Gateway, c *call) (*reply, *fault) { return g.verify(c, true) },
	"transfer-by-ref":           (*Gateway).transferByRef,
	"transfer-form":             func(g *Gateway, c *call) (*reply, *fault) { return g.start(c, "transfer", false) },
	"payout":                    (*Gateway).payout,
}

var uploads = map[string]command{
	"upload-method-url-result": (*Gateway).uploadMethod,
	"upload-cres-result":       (*Gateway).uploadCRes,
	"upload-pares-result":      (*Gateway).uploadPaRes,
}

// handler names the calls to pages, which end in tokens, for the log and the faults.
type handler struct{ *http.ServeMux }

func (handler) CallName(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) >= 3 && (parts[1] == "form" || parts[1] == "3ds") {
		return parts[1] + "-" + parts[2]
	}
	return ""
}

// Handler serves the gateway with /payneteasy stripped from the path.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	for name, run := range commands {
		mux.HandleFunc("POST /paynet/api/v2/"+name+"/{endpoint}",
			func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, run, endpointOnly) })
		mux.HandleFunc("POST /paynet/api/v2/"+name+"/group/{endpoint}",
			func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, run, groupOnly) })
	}
	for _, name := range []string{"sale", "preauth", "status", "payout", "transfer-by-ref"} {
		mux.HandleFunc("POST /paynet/api/v4/"+name+"/{endpoint}",
			func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, commands[name], signedV4) })
	}
	mux.HandleFunc("GET /sandbox/v4_private_key.pem", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(demoKey)
	})
	for name, run := range uploads {
		mux.HandleFunc("POST /paynet/api/3ds/v1/"+name+"/{endpoint}",
			func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, run, either) })
	}
	mux.HandleFunc("/paynet/form/init/{token}", g.cardForm)
	mux.HandleFunc("/paynet/form/redirect/{id}/{token}", g.redirectPage)
	mux.HandleFunc("/paynet/3ds/return/{token}", g.acsReturn)
	mux.HandleFunc("POST /sandbox/resolve/{client}", g.resolvePage)
	return handler{mux}
}

type where int

const (
	endpointOnly where = iota
	groupOnly
	either
	signedV4 // an endpoint, and the request is signed by OAuth
)

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, run command, at where) {
	asJSON := strings.Contains(r.Header.Get("Accept"), "application/vnd.pay+json")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	c := &call{g: g, endpoint: r.PathValue("endpoint"), form: r.PostForm, r: r}
	answer, bad := g.do(c, run, at)
	if bad != nil {
		answer = newReply(bad.typ)
		answer.rejected = true
		answer.add("serial-number", g.lockedSerial()).opt("merchant-order-id", c.client).opt("paynet-order-id", c.order).
			add("error-message", bad.text).add("error-code", bad.code)
	}
	answer.write(w, asJSON)
}

func (g *Gateway) do(c *call, run command, at where) (*reply, *fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	lookup := at
	if at == signedV4 {
		lookup = endpointOnly
	}
	if c.acc = g.account(c.endpoint, lookup); c.acc == nil {
		return nil, errEndpoint
	}
	if c.oauth = at == signedV4; c.oauth {
		if bad := c.signedByOAuth(g.env.BaseURL + "/" + gatewayName); bad != nil {
			return nil, bad
		}
	}
	c.client = c.value("client_orderid", "client-order-id", "client-orderid")
	if c.client != "" {
		faults.SetReference(c.r, c.client)
	}
	return run(g, c)
}

// signed checks login and control of the calls about an existing order.
func (c *call) signed(parts ...string) *fault {
	if c.oauth {
		return nil
	}
	if c.value("login") != c.acc.Login {
		if c.value("login") == "" {
			return missing("login")
		}
		return errLogin
	}
	if c.get("control") == "" {
		return missing("control")
	}
	if !sameControl(c.get("control"), control(append(append([]string{c.acc.Login}, parts...), c.acc.Control)...)) {
		return errControl
	}
	return nil
}

// async is the answer to everything that only begins something.
func (g *Gateway) async(o *order, serial string) *reply {
	return newReply("async-response").add("serial-number", serial).add("merchant-order-id", o.Client).add("paynet-order-id", o.ID)
}
