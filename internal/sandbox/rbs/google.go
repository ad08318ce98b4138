package rbs

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"tollgate/internal/sandbox/issuer"
)

// How the holder of a wallet's card was checked: a card that is kept with Google runs 3-D Secure, one in a telephone has proved itself.
const (
	panOnly      = "PAN_ONLY"
	cryptogram3D = "CRYPTOGRAM_3DS"
)

// walletMessage is what Google encrypts for the gateway. Nobody has Google's keys here, so that the sandbox's tokens hold it in the open, in
// base64; in all else they have the shape of Google's (ECv2).
type walletMessage struct {
	MessageID         string `json:"messageId"`
	MessageExpiration string `json:"messageExpiration"` // milliseconds
	PaymentMethod     string `json:"paymentMethod"`
	Details           struct {
		PAN        string `json:"pan"`
		Month      int    `json:"expirationMonth"`
		Year       int    `json:"expirationYear"`
		AuthMethod string `json:"authMethod"`
	} `json:"paymentMethodDetails"`
}

// walletLife is how long a token is good.
const walletLife = 7 * 24 * time.Hour

// walletToken is /wallet/google/token?pan=4000019900050008: a token with a test card, as the shop's app would get it of Google. auth is
// PAN_ONLY, or CRYPTOGRAM_3DS, which is the default.
func (g *Gateway) walletToken(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	auth := cmp.Or(q.Get("auth"), cryptogram3D)
	if _, listed := issuer.Find(q.Get("pan")); !listed || auth != cryptogram3D && auth != panOnly {
		http.Error(w, "pan must be a test card's, auth PAN_ONLY or CRYPTOGRAM_3DS", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(newWalletToken(q.Get("pan"), g.now().Year()+4, auth, g.env.UUID(), g.now().Add(walletLife))))
}

func newWalletToken(pan string, year int, authMethod, id string, until time.Time) string {
	m := walletMessage{MessageID: id, MessageExpiration: strconv.FormatInt(until.UnixMilli(), 10), PaymentMethod: "CARD"}
	m.Details.PAN, m.Details.AuthMethod = pan, authMethod
	m.Details.Month, m.Details.Year = 12, year
	text := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err) // texts and numbers only
		}
		return string(raw)
	}
	signed := text(map[string]string{"encryptedMessage": base64.StdEncoding.EncodeToString([]byte(text(m))), "tag": "", "ephemeralPublicKey": ""})
	return text(map[string]string{"protocolVersion": "ECv2", "signature": "sandbox", "signedMessage": signed})
}

// openWallet reads a token; every refusal is the gateway's one word for what it cannot decrypt.
func (g *acquirer) openWallet(token string) (in cardInput, noTDS bool, bad *fault) {
	bad = refuse(10, "Decryption of the transmitted data failed")
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return in, false, bad
	}
	var outer struct{ ProtocolVersion, Signature, SignedMessage string }
	var inner struct{ EncryptedMessage string }
	var m walletMessage
	if json.Unmarshal(raw, &outer) != nil || outer.ProtocolVersion != "ECv2" || outer.Signature == "" ||
		json.Unmarshal([]byte(outer.SignedMessage), &inner) != nil {
		return in, false, bad
	}
	message, err := base64.StdEncoding.DecodeString(inner.EncryptedMessage)
	if err != nil || json.Unmarshal(message, &m) != nil {
		return in, false, bad
	}
	until, err := strconv.ParseInt(m.MessageExpiration, 10, 64)
	if err != nil || g.now().UnixMilli() >= until || m.MessageID == "" || g.tokens["google "+m.MessageID] || m.PaymentMethod != "CARD" ||
		m.Details.AuthMethod != panOnly && m.Details.AuthMethod != cryptogram3D {
		return in, false, bad
	}
	in = cardInput{pan: m.Details.PAN, cvc: goodCVC, holder: "CARDHOLDER", token: "google " + m.MessageID,
		expiry: fmt.Sprintf("%04d%02d", m.Details.Year, m.Details.Month)}
	if bad := checkCard(in); bad != nil {
		return in, false, bad
	}
	g.tokens[in.token] = true
	return in, m.Details.AuthMethod == cryptogram3D, nil
}

// googlePayment is google/payment.do: it registers an order and pays it with a wallet's token. It names the merchant and takes no
// password. success says that the request was handled; whether the order was paid, its status says.
func (g *registry) googlePayment(c *call) (body, *fault) {
	f := c.form
	for _, name := range []string{"orderNumber", "paymentToken", "ip", "amount", "returnUrl"} {
		if f.Get(name) == "" {
			return nil, missing(name)
		}
	}
	if len(f.Get("paymentToken")) > 8192 {
		return nil, refuse(4, "[paymentToken] is longer than 8192")
	}
	if g.byNumber(c.acc, f.Get("orderNumber")) != nil {
		return nil, refuse(1, "Order with this number is already registered in the system.")
	}
	in, noTDS, bad := g.openWallet(f.Get("paymentToken"))
	if bad != nil {
		return nil, bad
	}
	f.Set("currency", f.Get("currencyCode"))
	f.Set("jsonParams", f.Get("additionalParameters"))
	o, bad := g.newOrder(c, f.Get("preAuth") == "true")
	if bad != nil {
		return nil, bad
	}
	o.Attempts = c.acc.Attempts - 1 // the token is good for one
	o.Tokens = append(o.Tokens, in.token)
	o.Wallet = "GOOGLE_PAY"
	o.Try = &attempt{Masked: maskPAN(in.pan), Expiry: in.expiry, Holder: in.holder, System: system(in.pan),
		NoBinding: o.ClientID == "", FinishURL: f.Get("threeDSVer2FinishUrl"), NotificationURL: f.Get("threeDSMethodNotificationUrl")}
	answer, bad := g.start(c.acc, o, in.pan, in.cvc, noTDS)
	if bad != nil {
		return nil, bad
	}
	data := body{}.With("orderId", o.ID)
	for _, m := range answer {
		switch m.Name {
		case "termUrl", "acsUrl", "paReq", "is3DSVer2", "threeDSServerTransId", "threeDSMethodURL", "threeDSMethodURLServer",
			"threeDSMethodDataPacked":
			data = append(data, m)
		}
	}
	return body{}.With("success", true).With("data", data), nil
}

// serveGoogle reads the call, whose merchant is known by its name alone.
func (g *Gateway) serveGoogle(w http.ResponseWriter, r *http.Request) {
	m := method{(*Gateway).googlePayment, nested}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if r.Method != http.MethodPost {
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	form, bad, err := eitherDialect.read(r, "google/payment.do")
	if err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	var answer body
	if bad == nil {
		answer, bad = g.payGoogle(r, form, m)
	}
	if bad != nil {
		answer = refusal(m, bad)
	}
	writeJSON(w, answer)
}

func (g *Gateway) payGoogle(r *http.Request, form url.Values, m method) (body, *fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.accounts {
		if login := form.Get("merchant"); login != "" && login == a.UserName || slices.Contains(a.Children, login) {
			if login != a.UserName {
				form.Set("merchantLogin", login)
			}
			return m.run(g, &call{&g.acquirer, a, form, r, eitherDialect})
		}
	}
	return nil, errAccess
}
