package cashier

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

const (
	gatewayName  = "cashier"
	ordersBucket = "cashier.orders"

	firstOrder = 123456
	maxBody    = 1 << 20
	idempotent = 60 * time.Minute
)

// Account is a cashier of one merchant: a login with its shops.
type Account struct {
	Login, Password string
	TSPs            map[int64]string // shop id to shop code

	CallbackKey *rsa.PrivateKey // signs Payment-Sign
	CardKey     *rsa.PrivateKey // opens encrypted cards

	TokenLife time.Duration // of an access token; default an hour
	OrderLife time.Duration // until an unpaid order expires; default 30 minutes
	// Processing is how many reads say that a charge, void or payout is in progress. 0: charges and voids are done at once,
	// payouts at the first read.
	Processing int
	// DeclineCharge and DeclineVoid let the acquirer refuse what follows a hold.
	DeclineCharge, DeclineVoid bool
	// QRBase is what the payload of a QR code begins with, before its qrcId. Empty: the sandbox's own page, where it can be paid.
	QRBase string
	// UnixExpiry writes expiresAccess as a JSON number, as some users read it; text otherwise, as the document has it.
	UnixExpiry bool
}

// Config of the gateway. Without accounts there is the demo account alone.
type Config struct {
	Accounts []Account
}

//go:embed demo_callback_key.pem
var demoCallbackKey []byte

//go:embed demo_card_key.pem
var demoCardKey []byte

// DemoTSP is the demo account's shop number.
const DemoTSP = 483

// DemoAccount is the account of a sandbox without configuration. Its keys are published with the source and
// protect nothing.
func DemoAccount() Account {
	return Account{
		Login: "cashier@sandbox.example", Password: "sandbox-cashier-password", TSPs: map[int64]string{DemoTSP: "sandbox"},
		CallbackKey: privateKey(demoCallbackKey), CardKey: privateKey(demoCardKey),
	}
}

func privateKey(text []byte) *rsa.PrivateKey {
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		panic("cashier: embedded key: " + err.Error())
	}
	return key.(*rsa.PrivateKey)
}

// PublicKey is the PEM of a key's public half, as a merchant configures it.
func PublicKey(key *rsa.PrivateKey) string {
	raw, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic("cashier: public key: " + err.Error())
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: raw}))
}

// Gateway is the simulator. It is safe for concurrent use: one lock orders all changes.
type Gateway struct{ acquirer }

// New loads every order from the journal and puts it into the ledger. It fails when the journal cannot be read.
func New(env *sim.Env, cfg Config) (*Gateway, error) {
	if len(cfg.Accounts) == 0 {
		cfg.Accounts = []Account{DemoAccount()}
	}
	g := &Gateway{acquirer{books{env: env}}}
	for _, a := range cfg.Accounts {
		if a.TokenLife == 0 {
			a.TokenLife = time.Hour
		}
		if a.OrderLife == 0 {
			a.OrderLife = 30 * time.Minute
		}
		g.accounts = append(g.accounts, &a)
	}
	g.clear()
	var err error
	if g.orders, err = (sim.Kind[int64, order]{
		Bucket: ordersBucket, ID: func(o *order) int64 { return o.ID }, Clone: (*order).clone, Kept: g.onSave,
	}).Load(env); err != nil {
		return nil, err
	}
	// The issuer may call from inside a call of ours, so the subscriber must not wait for our lock.
	env.Issuer.OnResult(func(id string, _ issuer.Result) { go g.decoupledResult(id) })
	return g, nil
}

// Name is the first path element of everything the gateway serves.
func (g *Gateway) Name() string { return gatewayName }

// Credentials are the first account's, by the names the API gives them.
func (g *Gateway) Credentials() map[string]string {
	a := g.accounts[0]
	c := map[string]string{
		"login": a.Login, "password": a.Password,
		"base_url": g.env.BaseURL + "/cashier/api/v1", "identity_url": g.env.BaseURL + "/cashier/identity/api/v1",
		"form_url": g.env.BaseURL + "/cashier/form",
		"payment_sign_key": strings.Join(strings.Fields(strings.NewReplacer("-----BEGIN PUBLIC KEY-----", "", "-----END PUBLIC KEY-----", "").
			Replace(PublicKey(a.CallbackKey))), ""), // PEM without its first and last line
	}
	for id, code := range a.TSPs {
		c["tspId"], c["tspCode"] = strconv.FormatInt(id, 10), code
	}
	return c
}

// Reset forgets every order and access token.
func (g *Gateway) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.orders.Reset()
	g.clear()
}

// settleAfter begins an operation that takes a number of reads.
func (o *order) settleAfter(now, then string, reads int) {
	o.Next, o.Polls = then, reads
	o.set(now)
}

// call is one API call.
type call struct {
	g   *Gateway
	acc *Account
	r   *http.Request
	in  input
	o   *order // what the call changed; nil: nothing
}

type route struct {
	run     func(*Gateway, *call) (reply, *fault)
	auth    bool // an access token is demanded
	changes bool // x-req-id is looked at
	payment bool // refusals are the PaymentAPI layer's
}

var routes = map[string]route{
	"POST " + pathLogin:     {run: (*Gateway).login},
	"GET " + pathOrders:     {run: (*Gateway).list, auth: true},
	"POST " + pathOrder:     {run: (*Gateway).create, auth: true, changes: true},
	"GET " + pathRead:       {run: (*Gateway).read, auth: true},
	"GET " + pathStatus:     {run: (*Gateway).read},
	"POST " + pathRefund:    {run: (*Gateway).refund, auth: true, changes: true},
	"POST " + pathQR:        {run: (*Gateway).qrData, auth: true, changes: true},
	"POST " + pathSberPay:   {run: (*Gateway).sberPay, auth: true, changes: true},
	"POST " + pathPayoutIPS: {run: (*Gateway).payoutIPS, auth: true, changes: true},
	"POST " + pathPayout:    {run: (*Gateway).payoutCard, auth: true, changes: true},
	"POST " + pathPublic:    {run: (*Gateway).publicOrder, changes: true},
	"POST " + pathPublicQR:  {run: (*Gateway).publicQR, changes: true},
	"GET " + pathBanks:      {run: (*Gateway).banks},
	"POST " + pathForm:      {run: (*Gateway).form, changes: true},
	"POST " + pathAuthorize: {run: (*Gateway).authorize, changes: true, payment: true},
	"POST " + pathCharge:    {run: (*Gateway).charge, changes: true, payment: true},
	"POST " + pathVoid:      {run: (*Gateway).void, changes: true, payment: true},
}

// handler names the calls whose paths do not tell them apart, for the log and the faults.
type handler struct{ *http.ServeMux }

func (handler) CallName(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case parts[0] == "form" && len(parts) > 2:
		return "form-3ds"
	case parts[0] == "form":
		return "form-page"
	case parts[0] == "sandbox" && len(parts) > 1:
		return "sandbox-" + parts[1]
	case strings.Contains(r.URL.Path, "/public/order/form/"):
		return "form"
	case strings.Contains(r.URL.Path, "/payout/"):
		return "payout-" + parts[len(parts)-2]
	case r.Method == http.MethodGet && len(parts) == 4 && parts[2] == "order":
		return "read"
	}
	return ""
}

// Handler serves the gateway with /cashier stripped from the path.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, rt := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, rt) })
	}
	mux.HandleFunc(pathHosted, g.hostedPage)
	mux.HandleFunc(pathReturn, g.acsReturn)
	mux.HandleFunc(pathPayQR, g.payQRPage)
	mux.HandleFunc(pathPaySber, g.paySberPage)
	return handler{mux}
}

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, rt route) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "Request Entity Too Large", http.StatusRequestEntityTooLarge)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	c := &call{g: g, r: r, in: input{}}
	status, out := g.answer(c, rt, raw)
	write(w, status, out)
}

// answer runs a call, or repeats what was answered to its x-req-id.
func (g *Gateway) answer(c *call, rt route, raw []byte) (int, []byte) {
	rep, bad := reply{}, g.authenticate(c, rt)
	if bad == nil && len(strings.TrimSpace(string(raw))) > 0 && strings.TrimSpace(string(raw)) != "null" {
		if json.Unmarshal(raw, &c.in) != nil {
			bad = refuse(http.StatusBadRequest, "VALIDATION_ERROR", "body is not a JSON object")
		}
	}
	id := c.r.Header.Get("x-req-id")
	sum := sha256.Sum256([]byte(c.r.Method + " " + c.r.URL.Path + "\n" + string(raw)))
	if bad == nil && rt.changes && id != "" {
		login := g.loginOf(c)
		if a, known := g.requests[login+"\x00"+id]; known && g.now().Sub(a.At) < idempotent {
			if a.Sum != hex.EncodeToString(sum[:]) {
				rep = refusal(rt.payment, errReused)
				out, _ := json.Marshal(rep.body)
				return rep.status, out
			}
			return a.Status, a.Body
		}
	}
	if bad == nil {
		rep, bad = rt.run(g, c)
	}
	if bad != nil {
		c.o = nil
		rep = refusal(rt.payment, bad)
	}
	out, err := json.Marshal(rep.body)
	if err != nil {
		return http.StatusInternalServerError, nil
	}
	first := answered{ID: id, Sum: hex.EncodeToString(sum[:]), At: g.now(), Status: rep.status, Body: out}
	if c.o != nil {
		if rt.changes && id != "" {
			c.o.Answers = append(c.o.Answers, first)
		}
		if bad := g.save(c.o); bad != nil {
			rep = refusal(rt.payment, bad)
			out, _ = json.Marshal(rep.body)
			return rep.status, out
		}
	} else if rt.changes && id != "" && rep.status != http.StatusUnauthorized {
		g.requests[g.loginOf(c)+"\x00"+id] = first // a refusal changed nothing: it need not outlive the process
	}
	return rep.status, out
}

// authenticate checks the access token, in the document's header or as a bearer token.
func (g *Gateway) authenticate(c *call, rt route) *fault {
	token := c.r.Header.Get("Authorization-Token")
	if bearer, found := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer "); found && token == "" {
		token = bearer
	}
	if token == "" && !rt.auth {
		return nil
	}
	a, known := g.access[token]
	if !known || !g.now().Before(a.expires) {
		return errToken
	}
	for _, acc := range g.accounts {
		if acc.Login == a.login {
			c.acc = acc
			return nil
		}
	}
	return errToken
}

// login opens a session. Earlier tokens stay good.
func (g *Gateway) login(c *call) (reply, *fault) {
	for _, a := range g.accounts {
		if a.Login != c.in.text("login") || a.Password != c.in.text("password") || a.Login == "" {
			continue
		}
		token, fresh := hex.EncodeToString(g.env.Random(24)), hex.EncodeToString(g.env.Random(24))
		until := g.now().Add(a.TokenLife)
		g.access[token] = access{a.Login, until}
		var expires, refresh any = strconv.FormatInt(until.Unix(), 10), strconv.FormatInt(until.Add(24*time.Hour).Unix(), 10)
		if a.UnixExpiry {
			expires, refresh = until.Unix(), until.Add(24*time.Hour).Unix()
		}
		return ok(body{}.With("success", true).With("description", "login success").With("accessToken", token).
			With("expiresAccess", expires).
			With("refreshToken", fresh).With("expiresRefresh", refresh)), nil
	}
	return reply{}, errLogin
}
