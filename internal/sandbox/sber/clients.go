package sber

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
	"tollgate/internal/sandbox/sim"
)

const (
	codeLife  = 60 * time.Second
	codeTries = 3
)

// client is one customer; the whole of it is one journal record.
type client struct {
	UUID     string    `json:"uuid"`
	Created  time.Time `json:"created"`
	Contacts []contact `json:"contacts"`
	Code     loginCode `json:"code,omitzero"`
	Tokens   []token   `json:"tokens,omitempty"` // at most one for each merchant
}

type contact struct {
	Type  string `json:"type"` // MPHONE, EMAIL
	Value string `json:"value"`
}

func (k contact) key() string { return k.Type + " " + strings.ToLower(k.Value) }

// loginCode waits for the one-time code.
type loginCode struct {
	AccessCode string    `json:"access_code,omitempty"`
	Merchant   string    `json:"merchant,omitempty"`
	Sent       time.Time `json:"sent,omitzero"`
	Tries      int       `json:"tries,omitempty"`
}

type token struct {
	Merchant string    `json:"merchant"`
	Hash     string    `json:"hash"`
	Expires  time.Time `json:"expires"`
}

func (c *client) clone() *client {
	n := *c
	n.Contacts, n.Tokens = slices.Clone(c.Contacts), slices.Clone(c.Tokens)
	return &n
}

func (c *client) block() body {
	return body{}.With("uuid", c.UUID).With("createdDate", date(c.Created))
}

func hash(accessToken string) string {
	sum := sha256.Sum256([]byte(accessToken))
	return hex.EncodeToString(sum[:])
}

// tokenOf finds whose token it is, and for which merchant. The header holds the token alone, without a scheme.
func (g *Gateway) tokenOf(header string) (*client, Account, bool) {
	sum := hash(header)
	c := g.clients.Get(g.tokens[sum])
	if c == nil {
		return nil, Account{}, false
	}
	for _, t := range c.Tokens {
		if a, ok := g.merchant(t.Merchant); ok && t.Hash == sum && g.now().Before(t.Expires) {
			return c, a, true
		}
	}
	return nil, Account{}, false
}

// isCustomer tells which phones have a customer behind them.
func isCustomer(phone string) bool {
	return len(phone) == 10 && sim.AllDigits(phone) && (phone[0] == '9' || phone[0] == '7') && !strings.HasSuffix(phone, "00")
}

func (g *Gateway) clientsFind(c *call) (body, *fault) {
	var in struct{ Phone, Email, MerchantLogin string }
	if bad := c.read(&in); bad != nil {
		return nil, bad
	}
	k := contact{"MPHONE", in.Phone}
	switch {
	case in.Phone != "" && in.Email != "":
		return nil, malformed("phone")
	case in.Email != "":
		k = contact{"EMAIL", in.Email}
	case in.Phone == "":
		return nil, missing("phone")
	}
	if id, ok := g.contacts[k.key()]; ok {
		return body{}.With("client", g.clients.Get(id).block()), nil
	}
	if k.Type == "EMAIL" || !isCustomer(in.Phone) {
		return body{}, nil
	}
	made := &client{UUID: g.hex32(), Created: g.now(), Contacts: []contact{k}}
	if bad := g.saveClient(made); bad != nil {
		return nil, bad
	}
	return body{}.With("client", made.block()), nil
}

func (g *Gateway) clientsCreate(c *call) (body, *fault) {
	var in struct {
		TransactionNumber, MerchantLogin string
		Contacts                         []contact
	}
	if bad := c.read(&in); bad != nil {
		return nil, bad
	}
	switch {
	case in.TransactionNumber == "":
		return nil, missing("transactionNumber")
	case in.MerchantLogin != c.merchant.MerchantLogin:
		return nil, errMerchant
	case len(in.Contacts) == 0:
		return nil, missing("contacts")
	}
	for _, k := range in.Contacts {
		if k.Type != "MPHONE" && k.Type != "EMAIL" || k.Value == "" {
			return nil, malformed("contacts")
		}
		if g.contacts[k.key()] != "" {
			return nil, refuse("1", "Client with given contact exists already")
		}
	}
	made := &client{UUID: g.hex32(), Created: g.now(), Contacts: in.Contacts}
	made.Code = g.newCode(c.merchant)
	if bad := g.saveClient(made); bad != nil {
		return nil, bad
	}
	return body{}.With("client", made.block()).With("accessCode", made.Code.AccessCode), nil
}

// clientData is clients/: what is known of the token's customer. Only the parts that were asked for are in it.
func (g *Gateway) clientData(c *call) (body, *fault) {
	var in struct{ ResponseType string }
	if bad := c.read(&in); bad != nil {
		return nil, bad
	}
	parts := csv(in.ResponseType)
	for _, p := range parts {
		if !slices.Contains([]string{"contacts", "contactsExtra", "bindings", "permissions"}, p) {
			return nil, malformed("responseType")
		}
	}
	out := body{}.With("client", c.client.block())
	if slices.Contains(parts, "contacts") {
		out = out.With("contacts", c.client.Contacts)
	}
	if slices.Contains(parts, "bindings") {
		list := []body{}
		for b := range g.bindings.All() {
			if b.Client == c.client.UUID && b.Active {
				list = append(list, b.block().Opt("mnemonic", b.Mnemonic).With("card", b.card()))
			}
		}
		out = out.With("bindings", list)
	}
	return out, nil
}

func csv(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func (g *Gateway) newCode(a Account) loginCode {
	code := g.env.Random(17)
	for i := range code {
		code[i] = alphabet[int(code[i])%len(alphabet)]
	}
	return loginCode{AccessCode: string(code), Merchant: a.MerchantLogin, Sent: g.now()}
}

func (g *Gateway) authOTP(c *call) (body, *fault) {
	var in struct{ MerchantLogin, UUID string }
	if bad := c.read(&in); bad != nil {
		return nil, bad
	}
	a, ok := g.merchant(in.MerchantLogin)
	if !ok {
		return nil, errMerchant
	}
	next := g.clients.Get(in.UUID)
	if next == nil {
		return nil, errNoClient
	}
	next.Code = g.newCode(a)
	if bad := g.saveClient(next); bad != nil {
		return nil, bad
	}
	return body{}.With("accessCode", next.Code.AccessCode), nil
}

func (g *Gateway) authToken(c *call) (body, *fault) {
	var in struct{ AccessCode, OTP string }
	if bad := c.read(&in); bad != nil {
		return nil, bad
	}
	switch {
	case in.AccessCode == "":
		return nil, missing("accessCode")
	case in.OTP == "":
		return nil, missing("otp")
	}
	next := g.clients.Get(g.codes[in.AccessCode])
	if next == nil {
		return nil, errCode
	}
	code := next.Code
	if in.OTP != DemoCode || !g.now().Before(code.Sent.Add(codeLife)) {
		if next.Code.Tries++; next.Code.Tries >= codeTries {
			next.Code = loginCode{}
		}
		if bad := g.saveClient(next); bad != nil {
			return nil, bad
		}
		return nil, errCode
	}
	accessToken := "4100" + g.env.Digits(11) + "." + g.hex32()
	next.Code = loginCode{}
	next.Tokens = slices.DeleteFunc(next.Tokens, func(t token) bool { return t.Merchant == code.Merchant })
	next.Tokens = append(next.Tokens, token{code.Merchant, hash(accessToken), g.now().Add(g.tokenLife)})
	if bad := g.saveClient(next); bad != nil {
		return nil, bad
	}
	return body{}.With("accessToken", accessToken), nil
}
