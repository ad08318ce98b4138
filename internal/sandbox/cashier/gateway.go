package cashier

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	_ "embed" // the demo keys
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/ledger"
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

// DemoAccount is the account of a sandbox that was configured by nobody. Its keys are published with the source and
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
type Gateway struct {
	env      *sim.Env
	accounts []*Account

	mu       sync.Mutex
	orders   *sim.Records[int64, order]
	external map[string]int64
	qrs      map[string]int64
	sber     map[string]int64
	trans    map[string]int64
	tokens   map[string]int64    // card token to the order that made it
	requests map[string]answered // by login and x-req-id
	access   map[string]access   // by access token; they do not outlive the process
	lastID   int64
}

type access struct {
	login   string
	expires time.Time
}

// New loads every order from the journal and puts it into the ledger. It fails when the journal cannot be read.
func New(env *sim.Env, cfg Config) (*Gateway, error) {
	if len(cfg.Accounts) == 0 {
		cfg.Accounts = []Account{DemoAccount()}
	}
	g := &Gateway{env: env}
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
		Bucket: ordersBucket, ID: func(o *order) int64 { return o.ID }, Clone: (*order).clone, Kept: g.kept,
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
	c := map[string]string{"login": a.Login, "password": a.Password}
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

func (g *Gateway) clear() {
	g.lastID = firstOrder - 1
	g.external, g.qrs, g.sber = map[string]int64{}, map[string]int64{}, map[string]int64{}
	g.trans, g.tokens = map[string]int64{}, map[string]int64{}
	g.requests, g.access = map[string]answered{}, map[string]access{}
}

func (g *Gateway) now() time.Time         { return g.env.Now() }
func (g *Gateway) url(path string) string { return g.env.BaseURL + "/" + gatewayName + path }

// kept is told of every new state of an order.
func (g *Gateway) kept(_, o *order) {
	g.external[o.External], g.lastID = o.ID, max(g.lastID, o.ID)
	for key, index := range map[string]map[string]int64{o.QRC: g.qrs, o.SberToken: g.sber, o.TransID: g.trans, o.Token: g.tokens} {
		if key != "" {
			index[key] = o.ID
		}
	}
	for _, a := range o.Answers {
		g.requests[o.Account+"\x00"+a.ID] = a
	}
	e := ledger.Entry{
		Gateway: gatewayName, Reference: o.Number, GatewayOrderID: o.key(), Amount: o.Amount, Currency: o.Currency,
		Authorized: o.sent(o.Held), Captured: o.sent(o.Captured + o.PaidOut), Refunded: o.sent(o.Refunded), Charges: o.Charges,
	}
	if o.ByOrder {
		e.Amount, e.Currency = o.OrderAmount, o.OrderCur
	}
	if o.Status == voided {
		e.Authorized = 0
	}
	g.env.Ledger.Put(e)
}

// save writes the whole order down, with the answer it led to, before anybody learns of the change; then the callbacks go.
func (g *Gateway) save(o *order) *fault {
	if g.orders.Save(o) != nil {
		return errSystem
	}
	for _, raw := range o.news {
		g.notify(o, raw)
	}
	o.news = nil
	return nil
}

// open returns a copy of the order to work on, after what time has done to it. Nil if there is none.
func (g *Gateway) open(id int64) *order {
	o := g.orders.Get(id)
	if o != nil {
		g.touch(o)
	}
	return o
}

func (g *Gateway) accountOf(o *order) *Account {
	for _, a := range g.accounts {
		if a.Login == o.Account {
			return a
		}
	}
	return &Account{Login: o.Account, TokenLife: time.Hour, OrderLife: 30 * time.Minute}
}

// touch applies what happened since the order was last looked at.
func (g *Gateway) touch(o *order) {
	if o.Status == authorization && o.TransID != "" {
		if res, err := g.env.Issuer.Result(o.TransID); err == nil && res.Done {
			g.verdict(o, res.TransStatus, res.ECI)
			g.saveQuietly(o)
		}
	}
	if o.unpaid() && !g.now().Before(o.Expires) {
		o.set(expired)
		g.saveQuietly(o)
	}
}

func (g *Gateway) saveQuietly(o *order) {
	if bad := g.save(o); bad != nil {
		g.env.Log.Error("change not kept", "gateway", gatewayName, "reference", o.Number, "err", bad)
	}
}

// looked is a read of the order: an operation in progress comes a step nearer its end.
func (g *Gateway) looked(o *order) {
	if o.Next == "" {
		return
	}
	if o.Polls > 0 {
		o.Polls--
	} else {
		next := o.Next
		o.Next = ""
		g.settle(o, next)
	}
	g.saveQuietly(o)
}

// settle reaches the end of an operation: now the money moves.
func (g *Gateway) settle(o *order, status string) {
	switch status {
	case charged:
		o.Captured = o.Amount
	case paid:
		o.PaidOut = o.Amount
		o.Charges++
	}
	o.set(status)
}

// later begins an operation that takes a number of reads.
func (o *order) later(now, then string, reads int) {
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

// loginOf is whose call it is; calls without a token belong to the owner of the order that they name.
func (g *Gateway) loginOf(c *call) string {
	if c.acc != nil {
		return c.acc.Login
	}
	id := g.external[c.in.text("OrderId")]
	if n, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64); err == nil {
		id = n
	}
	if o := g.orders.Get(id); o != nil {
		return o.Account
	}
	return ""
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
		return ok(body{}.With("success", true).With("description", "login success").With("accessToken", token).With("expiresAccess", expires).
			With("refreshToken", fresh).With("expiresRefresh", refresh)), nil
	}
	return reply{}, errLogin
}

// orderOf finds the order of the path. Other accounts' orders do not exist; without a token it is anybody's.
func (g *Gateway) orderOf(c *call) (*order, *fault) {
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, malformed("id")
	}
	return g.owned(c, g.open(id))
}

func (g *Gateway) owned(c *call, o *order) (*order, *fault) {
	if o == nil || c.acc != nil && o.Account != c.acc.Login {
		return nil, errNoOrder
	}
	faults.SetReference(c.r, o.Number)
	return o, nil
}
