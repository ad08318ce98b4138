package cashier

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"tollgate/internal/sandbox/sim"
)

// cardInput is a card as a call brings it. It lives for the length of the call.
type cardInput struct {
	pan, expiry, cvv string // expiry is YYYYMM
}

const goodCVV = "123"

// form gives the externalOrderId, which opens the hosted form and is what the card calls want. It moves no money.
func (g *Gateway) form(c *call) (reply, *fault) {
	o, bad := g.orderOf(c)
	switch {
	case bad != nil:
		return reply{}, bad
	case g.accountOf(o).TSPs[o.TSP] != c.r.PathValue("tspCode"):
		return reply{}, errNoOrder
	case o.Type != typeIn:
		return reply{}, errType
	}
	o.Formed = true
	c.o = o
	return ok(body{}.With("id", o.key()).With("externalOrderId", o.External)), nil
}

// authorize takes a card, a token or an encrypted card.
func (g *Gateway) authorize(c *call) (reply, *fault) {
	o, bad := g.orderNamed(c)
	if bad != nil {
		return reply{}, bad
	}
	if kind := c.in.text("PaymentType"); kind != "" && kind != "SMS" && kind != "DMS" {
		return reply{}, malformed("PaymentType")
	}
	o.DMS = c.in.text("PaymentType") != "SMS"
	if o.Status != created {
		return reply{}, errState
	}
	card, there := c.in.object("Card")
	if !there {
		return reply{}, missing("Card")
	}
	if sealed := card.text("EncryptedData"); sealed != "" {
		if card, bad = decrypt(g.accountOf(o).CardKey, sealed); bad != nil {
			return reply{}, bad
		}
	}
	threeDS, with3DS := c.in.object("ThreeDS")
	if with3DS {
		o.Browser = map[string]string{}
		for name := range threeDS {
			if strings.HasPrefix(name, "browser") {
				o.Browser[name] = string(threeDS.raw(name))
				var s string
				if json.Unmarshal(threeDS.raw(name), &s) == nil {
					o.Browser[name] = s
				}
			}
		}
	}
	if with3DS {
		if name := browserFault(o.Browser); name != "" {
			return reply{}, malformed("ThreeDS." + name)
		}
	}
	o.Metadata = c.in.raw("Metadata")
	o.Save = string(card.raw("Save")) == "true"
	var in cardInput
	typed := true
	if token := card.text("Token"); token != "" {
		if in, bad = g.cardOf(o, token, card.text("Cvv")); bad != nil {
			return reply{}, bad
		}
		typed = false
	} else if in, bad = readCard(card); bad != nil {
		return reply{}, bad
	}
	g.pay(o, in, typed || with3DS)
	c.o = o
	detail := body{}.Opt("AuthCode", o.AuthCode).Opt("Rrn", o.RRN).Opt("Eci", o.ECI)
	if o.Status == preAuthorized {
		detail = detail.With("ThreeDS", body{})
	}
	return ok(o.paymentAnswer("Authorize", detail)), nil
}

// browserElements are what EMV 3DS wants of a browser where script runs; the object itself is documented nowhere.
var browserElements = map[string]*regexp.Regexp{
	"browserAcceptHeader": regexp.MustCompile(`.`), "browserUserAgent": regexp.MustCompile(`.`),
	"browserLanguage":   regexp.MustCompile(`^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$`),
	"browserColorDepth": regexp.MustCompile(`^(1|4|8|15|16|24|32|48)$`), "browserTZ": regexp.MustCompile(`^[+-]?[0-9]{1,4}$`),
	"browserScreenHeight": regexp.MustCompile(`^[0-9]{1,6}$`), "browserScreenWidth": regexp.MustCompile(`^[0-9]{1,6}$`),
}

// browserFault names a member that is missing or no legal value; "" where all is well.
func browserFault(browser map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(browserElements)) {
		v := browser[name]
		if v == "" && browser["browserJavascriptEnabled"] == "true" || v != "" && !browserElements[name].MatchString(v) {
			return name
		}
	}
	return ""
}

// decrypt opens an encrypted card: RSA-OAEP with SHA-256 over the JSON of Card, in base64.
func decrypt(key *rsa.PrivateKey, sealed string) (input, *fault) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if key == nil || err != nil {
		return nil, malformed("EncryptedData")
	}
	text, err := rsa.DecryptOAEP(sha256.New(), nil, key, raw, nil)
	var in input
	if err != nil || json.Unmarshal(text, &in) != nil || in == nil {
		return nil, malformed("EncryptedData")
	}
	return in, nil
}

func readCard(in input) (cardInput, *fault) {
	c := cardInput{pan: strings.ReplaceAll(in.text("Pan"), " ", ""), cvv: in.text("Cvv")}
	month, year := in.text("ExpMonth"), in.text("ExpYear")
	switch {
	case c.pan == "":
		return c, missing("Pan")
	case !sim.AllDigits(c.pan) || len(c.pan) < 12 || len(c.pan) > 19 || !sim.Luhn(c.pan):
		return c, malformed("Pan")
	case month == "":
		return c, missing("ExpMonth")
	case year == "":
		return c, missing("ExpYear")
	case c.cvv == "":
		return c, missing("Cvv")
	case !sim.AllDigits(c.cvv) || len(c.cvv) < 3 || len(c.cvv) > 4:
		return c, malformed("Cvv")
	}
	if len(month) == 1 {
		month = "0" + month
	}
	if len(year) == 2 {
		year = "20" + year
	}
	c.expiry = year + month
	if _, err := time.Parse("200601", c.expiry); err != nil {
		return c, malformed("ExpMonth")
	}
	return c, nil
}

func (g *Gateway) charge(c *call) (reply, *fault) {
	o, bad := g.orderNamed(c)
	if bad != nil {
		return reply{}, bad
	}
	if !slices.Contains([]string{authorized, chargeDeclined, voidDeclined}, o.Status) {
		return reply{}, refuse(http.StatusBadRequest, "CHARGE_FAILED", errState.text)
	}
	o.ErrCode, o.ErrText = "", ""
	g.chargeHold(o)
	c.o = o
	return ok(o.paymentAnswer("Charge", body{}.With("Amount", o.Captured).Opt("Rrn", o.RRN))), nil
}

func (g *Gateway) void(c *call) (reply, *fault) {
	o, bad := g.orderNamed(c)
	if bad != nil {
		return reply{}, bad
	}
	if !slices.Contains([]string{authorized, chargeDeclined, voidDeclined}, o.Status) {
		return reply{}, refuse(http.StatusBadRequest, "VOID_FAILED", errState.text)
	}
	o.ErrCode, o.ErrText = "", ""
	switch a := g.accountOf(o); {
	case a.DeclineVoid:
		o.ErrCode, o.ErrText = "VOID_FAILED", "Void was declined"
		o.set(voidDeclined)
	case a.Processing > 0:
		o.settleAfter(voidProgress, voided, a.Processing-1)
	default:
		o.set(voided)
	}
	c.o = o
	return ok(o.paymentAnswer("Void", body{}.Opt("Rrn", o.RRN))), nil
}
