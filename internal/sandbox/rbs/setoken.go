package rbs

import (
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:embed demo_se_key.pem
var demoSEKey []byte

// sealKey decrypts the cards that shoppers' browsers encrypted. It is the sandbox's own, and no secret.
func sealKey() *rsa.PrivateKey {
	block, _ := pem.Decode(demoSEKey)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		panic(err) // the file is embedded
	}
	return key.(*rsa.PrivateKey)
}

// seKeys is /payment/se/keys.do: the keys that cards are encrypted with; anybody may ask.
func (g *Gateway) seKeys(w http.ResponseWriter, _ *http.Request) {
	der, err := x509.MarshalPKIXPublicKey(&sealKey().PublicKey)
	if err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	writeJSON(w, body{}.With("keys", []body{body{}.
		With("keyValue", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))).
		With("protocolVersion", "RSA").With("keyExpiration", g.now().AddDate(1, 0, 0).UnixMilli())}))
}

// tokenLife is how long an encrypted card is taken, by its own timestamp.
const tokenLife = 10 * time.Minute

// openToken decrypts seToken: timestamp/UUID/PAN/CVC/YYYYMM/mdOrder under RSAES-PKCS1-v1_5, in base64. It is taken once, in time, and
// for its order alone.
func (g *acquirer) openToken(f url.Values, token string) (cardInput, *fault) {
	bad := refuse(5, "[seToken] is invalid")
	sealed, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return cardInput{}, bad
	}
	//lint:ignore SA1019 the encryption of seToken is RSAES-PKCS1-v1_5 (docs/decisions/2026-11-27-encrypted-cards.md)
	plain, err := rsa.DecryptPKCS1v15(nil, sealKey(), sealed)
	if err != nil {
		return cardInput{}, bad
	}
	parts := strings.Split(string(plain), "/")
	if len(parts) != 6 {
		return cardInput{}, bad
	}
	at, err := time.Parse(time.RFC3339, parts[0])
	if err != nil {
		return cardInput{}, bad
	}
	age := g.now().Sub(at)
	switch {
	case age > tokenLife || age < -tokenLife:
		return cardInput{}, refuse(5, "[seToken] has expired")
	case len(parts[1]) != 36 || g.tokens[parts[1]]:
		return cardInput{}, refuse(5, "[seToken] was used already")
	case parts[5] != f.Get("MDORDER"):
		return cardInput{}, refuse(5, "[seToken] is of another order")
	}
	g.tokens[parts[1]] = true
	return cardInput{pan: parts[2], cvc: parts[3], expiry: parts[4], holder: f.Get("TEXT"), token: parts[1]}, nil
}
