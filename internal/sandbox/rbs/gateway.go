package rbs

import (
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

const (
	gatewayName    = "rbs"
	ordersBucket   = "rbs.orders"
	bindingsBucket = "rbs.bindings"

	defaultAttempts = 3
	reverseWindow   = 24 * time.Hour
	maxBody         = 1 << 20
)

// Account is one merchant at the gateway. UserName with Password, or Token alone, opens the API.
type Account struct {
	UserName, Password, Token string

	CallbackURL   string          // where callbacks go when the order names no dynamicCallbackUrl; "" sends none
	CallbackKey   string          // secret of the HMAC-SHA256 checksum
	CallbackRSA   *rsa.PrivateKey // set: callbacks are signed with RSA-SHA512 in place of HMAC
	CallbackAlias string          // sign_alias sent along; its text promises nothing about the algorithm
	CallbackPOST  bool            // callbacks as POST forms; GET with a query otherwise

	Currency      string   // used when an order names none; default 643
	Currencies    []string // ISO 4217 numbers taken; empty: every known one
	MinAmount     int64    // minor units; 0: no limit
	MaxAmount     int64
	Attempts      int      // payment attempts for one order; default 3
	Children      []string // merchants on whose behalf it may register orders, by merchantLogin
	SEToken       bool     // cards may come encrypted by the shopper's browser
	NumbersOrders bool     // an order without orderNumber gets one from the gateway
	// SchemelessServer writes threeDSMethodURLServer without its scheme, as the documents' sample has it.
	SchemelessServer bool
	// HardSoftDecline declines a soft-declined payment in place of asking for a challenge.
	HardSoftDecline bool
	// TextCodes writes errorCode as text in the payment calls too.
	TextCodes bool
}

// Config of the gateway. Without accounts there is the demo account alone.
type Config struct {
	Accounts []Account
}

// DemoAccount is the account of a sandbox without configuration.
func DemoAccount() Account {
	return Account{UserName: "tollgate-api", Password: "sandbox-rbs-password", Token: "sandboxrbstoken0000000000",
		CallbackKey: "sandbox-rbs-callback-key-0001", NumbersOrders: true, SEToken: true,
		Children: []string{"tollgate-branch"}}
}

// Gateway is the simulator. It is safe for concurrent use: one lock orders all changes.
type Gateway struct{ registry }

// registry takes the calls that make orders known and those about saved cards and receipts.
type registry struct{ acquirer }

// New loads every order from the journal and puts it into the ledger. It fails when the journal cannot be read.
func New(env *sim.Env, cfg Config) (*Gateway, error) {
	if len(cfg.Accounts) == 0 {
		cfg.Accounts = []Account{DemoAccount()}
	}
	g := &Gateway{registry{acquirer{books{env: env}}}}
	for _, a := range cfg.Accounts {
		if a.Currency == "" {
			a.Currency = "643"
		}
		if a.Attempts == 0 {
			a.Attempts = defaultAttempts
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
	if g.bindings, err = (sim.Kind[string, binding]{Bucket: bindingsBucket, ID: func(b *binding) string { return b.ID },
		Kept: g.onBinding}).Load(env); err != nil {
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
	return map[string]string{"userName": a.UserName, "password": a.Password, "token": a.Token, "callbackKey": a.CallbackKey,
		"base_url": g.env.BaseURL + "/rbs/payment/rest/"}
}

// Reset forgets every order and binding.
func (g *Gateway) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.orders.Reset()
	g.bindings.Reset()
	g.clear()
}

// call is one authenticated API call.
type call struct {
	g       *acquirer
	acc     *Account
	form    url.Values
	r       *http.Request
	dialect dialect
}

func (c *call) notify(o *order, operation string, ok bool, amount int64) {
	c.g.notify(c.acc, o, operation, ok, amount)
}

// method is one call. Its shape says how its refusals look.
type method struct {
	run   func(*Gateway, *call) (body, *fault)
	shape shape
}

// shape is how a call writes its refusals, as recorded or documented.
type shape int

const (
	plain   shape = iota // errorCode is text
	payment              // errorCode is a number and the text comes in error too
	nested               // success is false, and error has code, description and message
	flagged              // errorCode is a number and error says true
	old                  // ErrorCode, ErrorMessage
	status               // plain, with the empty lists of a status
)

var methods = map[string]method{
	"register.do":                  {(*Gateway).register, plain},
	"registerPreAuth.do":           {(*Gateway).registerPreAuth, plain},
	"paymentorder.do":              {(*Gateway).paymentOrder, payment},
	"paymentOrderBinding.do":       {(*Gateway).paymentOrderBinding, payment},
	"instantPayment.do":            {(*Gateway).instantPayment, plain},
	"motoPayment.do":               {(*Gateway).motoPayment, plain},
	"recurrentPayment.do":          {(*Gateway).recurrentPayment, nested},
	"3ds/continue.do":              {(*Gateway).continueOrder, payment},
	"finish3dsVer2Payment.do":      {(*Gateway).finishVer2, payment},
	"finish3dsPayment.do":          {(*Gateway).finishVer1, payment},
	"getOrderStatusExtended.do":    {(*Gateway).statusExtended, status},
	"getOrderStatus.do":            {(*Gateway).statusOld, old},
	"getLastOrdersForMerchants.do": {(*Gateway).lastOrders, plain},
	"getReceiptStatus.do":          {(*Gateway).receiptStatus, plain},
	"deposit.do":                   {(*Gateway).deposit, plain},
	"reverse.do":                   {(*Gateway).reverse, plain},
	"refund.do":                    {(*Gateway).refund, plain},
	"processRawSumRefund.do":       {(*Gateway).refund, plain},
	"decline.do":                   {(*Gateway).decline, plain},
	"getBindings.do":               {(*Gateway).getBindings, plain},
	"getBindingsByCardOrId.do":     {(*Gateway).bindingsByCardOrID, plain},
	"unBindCard.do":                {(*Gateway).unBindCard, plain},
	"bindCard.do":                  {(*Gateway).bindCard, plain},
	"extendBinding.do":             {(*Gateway).extendBinding, plain},
	"createBindingNoPayment.do":    {(*Gateway).createBinding, flagged},
	"verifyEnrollment.do":          {(*Gateway).verifyEnrollment, plain},
	"verifyCard.do":                {(*Gateway).verifyCard, plain},
	"updateSSLCardList.do":         {(*Gateway).updateSSLCardList, plain},
}

// partnerMethods are the calls of the JSON dialect whose names or ways differ from those of methods.
var partnerMethods = map[string]method{
	"paymentOrder.do":     {(*Gateway).paymentOrder, payment},
	"finish3dsMethod.do":  {(*Gateway).finishMethod, plain},
	"finish3dsPayment.do": {(*Gateway).finishPayment, plain},
	"unbindCard.do":       {(*Gateway).unBindCard, plain},
}

// Handler serves the gateway with /rbs stripped from the path.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	mount := func(path, name string, m method, d dialect) {
		mux.HandleFunc(path+name, func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, name, m, d) })
	}
	for name, m := range methods {
		d := formDialect
		if m.shape == nested {
			d = eitherDialect // JSON by the documents, a form from older clients
		}
		mount("/payment/rest/", name, m, d)
		if _, other := partnerMethods[name]; !other {
			mount(partnerRoot+"v1/", name, m, partnerDialect)
		}
	}
	for name, m := range partnerMethods {
		mount(partnerRoot+"v1/", name, m, partnerDialect)
	}
	mount("/payment/", "recurrentPayment.do", methods["recurrentPayment.do"], eitherDialect) // the documented path
	mux.HandleFunc(partnerRoot+"ofd/v1/getReceiptStatus", g.partnerReceipts)
	mux.HandleFunc("/payment/rest/finish3ds.do", g.termURL)
	mux.HandleFunc("/payment/se/keys.do", g.seKeys)
	mux.HandleFunc("/payment/google/payment.do", g.serveGoogle)
	mux.HandleFunc("/wallet/google/token", g.walletToken)
	mux.HandleFunc("/payment/acsRedirect.do", g.acsRedirect)
	mux.HandleFunc("/payment/merchants/rbs/{page}", g.hostedPage)
	mux.HandleFunc("/pp/{page}", g.hostedPage)
	mux.HandleFunc("/3dsserver/api/v1/client/gather", g.methodFrame)
	mux.HandleFunc("/3dsserver/api/v1/acs/notification", g.methodNotification)
	mux.HandleFunc("/3dsserver/api/v1/acs/return/{trans}", g.acsReturn)
	return mux
}

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, name string, m method, d dialect) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if r.Method != http.MethodPost && (r.Method != http.MethodGet || d == partnerDialect) {
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	form, bad, err := d.read(r, name)
	if err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	var answer body
	if bad == nil {
		answer, bad = g.do(r, form, m, d)
	}
	if bad != nil {
		answer = refusal(m, bad)
	}
	if a, _ := g.account(form); a != nil && a.TextCodes || d == partnerDialect {
		for i := range answer {
			if n, ok := answer[i].Value.(int); ok && answer[i].Name == "errorCode" {
				answer[i].Value = fmt.Sprint(n)
			}
		}
	}
	if d == partnerDialect {
		answer = partnerAnswer(m, answer)
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	}
	writeJSON(w, answer)
}

func (g *Gateway) do(r *http.Request, form url.Values, m method, d dialect) (body, *fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, bad := g.account(form)
	if bad != nil {
		return nil, bad
	}
	return m.run(g, &call{&g.acquirer, a, form, r, d})
}

func refusal(m method, bad *fault) body {
	code := fmt.Sprint(bad.code)
	switch m.shape {
	case payment:
		return body{}.With("error", bad.message).With("errorCode", bad.code).With("is3DSVer2", false).With("errorMessage", bad.message)
	case nested:
		return body{}.With("error", body{}.With("code", code).With("description", bad.message).With("message", bad.message)).
			With("success", false)
	case flagged:
		return body{}.With("errorCode", bad.code).With("errorMessage", bad.message).With("error", true)
	case old:
		return body{}.With("ErrorCode", code).With("ErrorMessage", bad.message)
	case status:
		return body{}.With("errorCode", code).With("errorMessage", bad.message).
			With("merchantOrderParams", []any{}).With("attributes", []any{})
	}
	return body{}.With("errorCode", code).With("errorMessage", bad.message)
}

// formValue reads a field that browsers and banks post, whatever the case of its name.
func formValue(f url.Values, name string) string {
	for k, v := range f {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}
