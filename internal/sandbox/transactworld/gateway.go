package transactworld

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"time"

	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/sim"
)

const (
	gatewayName         = "transactworld"
	paymentsBucket      = "transactworld.payments"
	registrationsBucket = "transactworld.registrations"
	invoicesBucket      = "transactworld.invoices"

	stepLife    = 15 * time.Minute
	invoiceLife = 24 * time.Hour

	firstPayment = 54289
	firstInvoice = 9001
)

// Account is one merchant.
type Account struct {
	MemberID   string
	PartnerID  string
	Username   string // merchant.username
	SecureKey  string // authentication.sKey, and the key of every checksum
	TerminalID string // "": any, and none is needed

	PartnerUser string // partner.userName of the partner that the member belongs to; "": it has no tokens of its own
	PartnerKey  string // its sKey

	PartialReversal bool // RV may name an amount
	TokenWithoutCVV bool // paywithtoken asks for no cvv
	NoRecurring     bool // its bank takes no recurring payments
	RequireAddress  bool // customer.email and shipping.* are required
	NotifyForm      bool // notifications are forms, not JSON
	Numbers         bool // ids and amounts are written as numbers
	// PendingOps is how many inquiries still call an operation pending. 0: it is done at once.
	PendingOps int
}

// Config of the gateway. Without accounts there are the two of the sandbox.
type Config struct{ Accounts []Account }

// DemoAccount is the account of a sandbox without configuration.
func DemoAccount() Account {
	return Account{MemberID: "12754", PartnerID: "175", Username: "tollgate-sandbox",
		SecureKey: "vq3TzW1c6xJwE0bH8sNrYk5LmUo7PdGa", TerminalID: "4927", PartialReversal: true,
		PartnerUser: "tollgate-partner", PartnerKey: "c9YxQ2mWt7Lr5HfKzB4nVgDs8JpUe1Ao"}
}

// WholeAccount is another member, by the other reading of the documents: a hold is reversed whole, and its bank takes no recurring
// payments and wants no cvv with a token.
func WholeAccount() Account {
	return Account{MemberID: "12755", PartnerID: "175", Username: "tollgate-whole", SecureKey: "Zr8WkD4sTn6XyPb1QhJmVc9LfGu3EaOe",
		TerminalID: "4928", NoRecurring: true, TokenWithoutCVV: true}
}

// Gateway is the simulator. It is safe for concurrent use: one lock orders all changes.
type Gateway struct{ acquirer }

// New loads everything from the journal and puts it into the ledger. It fails when the journal cannot be read.
func New(env *sim.Env, cfg Config) (*Gateway, error) {
	if len(cfg.Accounts) == 0 {
		cfg.Accounts = []Account{DemoAccount(), WholeAccount()}
	}
	g := &Gateway{acquirer{books{env: env}}}
	for _, a := range cfg.Accounts {
		g.accounts = append(g.accounts, &a)
	}
	g.clear()
	var err error
	if g.payments, err = (sim.Kind[string, payment]{
		Bucket: paymentsBucket, ID: func(p *payment) string { return p.ID }, Clone: (*payment).clone, Kept: g.onSave,
	}).Load(env); err != nil {
		return nil, err
	}
	if g.registrations, err = (sim.Kind[string, registration]{Bucket: registrationsBucket,
		ID: func(r *registration) string { return r.ID }}).Load(env); err != nil {
		return nil, err
	}
	if g.invoices, err = (sim.Kind[string, invoice]{Bucket: invoicesBucket, ID: func(v *invoice) string { return v.ID },
		Kept: g.onSaveInvoice}).Load(env); err != nil {
		return nil, err
	}
	return g, nil
}

// Name is the first path element of everything the gateway serves.
func (g *Gateway) Name() string { return gatewayName }

// Credentials are the first account's, by the names the documents give them.
func (g *Gateway) Credentials() map[string]string {
	a := g.accounts[0]
	return map[string]string{"memberId": a.MemberID, "partnerId": a.PartnerID, "username": a.Username, "secureKey": a.SecureKey,
		"terminalId": a.TerminalID, "partner.userName": a.PartnerUser, "partner.sKey": a.PartnerKey,
		"base_url": g.env.BaseURL + "/transactworld"}
}

// Reset forgets every payment, registration and invoice.
func (g *Gateway) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.payments.Reset()
	g.registrations.Reset()
	g.invoices.Reset()
	g.clear()
}

const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345678901"

// fault is a refusal in the gateway's own shape.
type fault struct {
	code string
	text string
	http int    // 0: 200
	id   string // paymentId to name
}

func (f *fault) Error() string { return f.code + " " + f.text }

func refuse(code, text string) *fault { return &fault{code: code, text: text} }
func missing(name string) *fault      { return refuse("20001", "Parameter "+name+" is missing") }
func malformed(name string) *fault    { return refuse("20001", "Parameter "+name+" is not valid") }

var (
	errLogin    = refuse("401", "Authentication failed")
	errToken    = &fault{code: "401", text: "AuthToken is invalid or expired", http: http.StatusUnauthorized}
	errChecksum = refuse("20002", "Checksum does not match")
	errState    = refuse("20004", "The operation is not possible in the current state of the transaction")
	errAmount   = refuse("20005", "Amount exceeds the amount available")
	errNoCard   = refuse("20006", "Registration not found")
	errMode     = refuse("20007", "Payment type or payment mode is not possible")
	errSeries   = refuse("20008", "No INITIAL transaction for this REPEATED one")
	errNone     = refuse("10009", "Record not found")
	errSystem   = refuse("30000", "Internal error")
)

// call is one API call, its account already known.
type call struct {
	params
	a *Account
	r *http.Request
	// money: a refusal carries transactionStatus N.
	money bool
}

// signed checks member and checksum.
func (c *call) signed(values ...string) *fault {
	switch {
	case c.get("authentication.memberId") == "":
		return missing("authentication.memberId")
	case c.get("authentication.memberId") != c.a.MemberID:
		return refuse("20002", "memberId does not belong to the AuthToken")
	case c.get("authentication.checksum") == "":
		return missing("authentication.checksum")
	case !sameChecksum(c.get("authentication.checksum"), checksum(values...)):
		return errChecksum
	}
	return nil
}

func result(code, text string) object {
	return object{}.With("code", code).With("description", text)
}

type command func(*Gateway, *call) (object, *fault)

// handler names the calls to pages, which end in tokens, and those about one payment by what they do.
type handler struct{ *http.ServeMux }

func (handler) CallName(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) == 2 && (parts[0] == "3ds" || parts[0] == "pay" || parts[0] == "invoice") {
		return parts[0]
	}
	if len(parts) == 5 { // …/payments/{id}, /paywithtoken/{id}, /registrations/{id}
		if parts[3] == "payments" && repeats(r) { // the repeat of an INITIAL payment
			return "payments-repeat"
		}
		return parts[3] + "-id"
	}
	return ""
}

// repeats tells whether a request about a payment is a payment itself; the body can be read again.
func repeats(r *http.Request) bool {
	if r.Body == nil {
		return false
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(raw), r.Body), r.Body}
	return err == nil && bytes.Contains(raw, []byte("REPEATED"))
}

// Handler serves the gateway with /transactworld stripped from the path.
func (g *Gateway) Handler() http.Handler {
	const rest, bill = "POST /transactionServices/REST/v1", "POST /invoiceServices/REST/v1"
	mux := http.NewServeMux()
	on := func(path string, run command) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, run) })
	}
	mux.HandleFunc(rest+"/authToken", g.authToken)
	mux.HandleFunc(rest+"/partnerAuthToken", g.partnerAuthToken)
	mux.HandleFunc("/transaction/Checkout", g.checkout)
	on(rest+"/payments", (*Gateway).pay)
	on(rest+"/payments/{id}", (*Gateway).backOffice)
	on("GET /transactionServices/REST/v1/payments/{id}", (*Gateway).byResource)
	for path, typ := range map[string]string{"capture": "CP", "refund": "RF", "cancel": "RV", "getStatus": "IN"} {
		on(rest+"/"+path+"/{id}", as(typ))
	}
	on(rest+"/getCardsAndAccounts", (*Gateway).cardsAndAccounts)
	on(rest+"/inquiry", (*Gateway).inquiry)
	on(rest+"/registrations", (*Gateway).register)
	on(rest+"/registrations/{id}", (*Gateway).unregister)
	on(rest+"/paywithtoken/{id}", (*Gateway).payWithToken)
	on(rest+"/payout", (*Gateway).payout)
	on(rest+"/getTransactionList", (*Gateway).list)
	on(bill+"/generate", (*Gateway).generate)
	on(bill+"/regenerate", (*Gateway).regenerate)
	on(bill+"/inquiry", (*Gateway).invoiceInquiry)
	on(bill+"/getinvoiceconfigdetails", (*Gateway).invoiceConfig)
	mux.HandleFunc("/3ds/{token}", g.acsReturn)
	mux.HandleFunc("/pay/{token}", g.ownPage)
	mux.HandleFunc("/invoice/{token}", g.invoicePage)
	return handler{mux}
}

// authToken answers 200 whatever the result.
func (g *Gateway) authToken(w http.ResponseWriter, r *http.Request) {
	in, err := readParams(r)
	if err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	for _, a := range g.accounts {
		if in.get("merchant.username") != a.Username || !sameChecksum(in.get("authentication.sKey"), a.SecureKey) {
			continue
		}
		if in.get("authentication.partnerId") != a.PartnerID && in.get("authentication.memberId") != a.MemberID {
			continue
		}
		g.mu.Lock()
		id := g.random(12)
		g.mu.Unlock()
		write(w, r, http.StatusOK, object{}.With("partnerId", a.PartnerID).With("memberId", a.MemberID).
			With("result", result("200", "Token generated successfully")).With("timestamp", g.stamp()).
			With("LoginName", a.Username).With("AuthToken", token(a, g.now(), id)))
		return
	}
	g.refused(w, r, nil, errLogin)
}

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, run command) {
	in, err := readParams(r)
	if err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	c := &call{params: in, r: r}
	if c.a = g.caller(in, r.Header.Get("AuthToken")); c.a == nil {
		g.refused(w, r, c, errToken)
		return
	}
	g.mu.Lock()
	answer, bad := run(g, c)
	g.mu.Unlock()
	if bad != nil {
		g.refused(w, r, c, bad)
		return
	}
	write(w, r, http.StatusOK, answer)
}

func (g *Gateway) refused(w http.ResponseWriter, r *http.Request, c *call, bad *fault) {
	o := object{}
	// A refused token, member or checksum is answered before anybody looks at the payment.
	if c != nil && c.money && bad.code != "401" && bad.code != "20002" && bad.code != "30000" {
		id := bad.id
		if id == "" {
			id = "-"
		}
		o = o.With("paymentId", id).Opt("merchantTransactionId", c.get("merchantTransactionId")).With("status", "failed").
			With("transactionStatus", "N")
	}
	o = o.With("result", result(bad.code, bad.text)).With("timestamp", g.stamp())
	status := bad.http
	if status == 0 {
		status = http.StatusOK
	}
	write(w, r, status, o)
}

// logReference tells the log which payment a call is about.
func (c *call) logReference(reference string) { faults.SetReference(c.r, reference) }
