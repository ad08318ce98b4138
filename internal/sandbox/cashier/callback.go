package cashier

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"time"

	"tollgate/internal/sandbox/sim"
)

// paymentSign is RSA PKCS#1 v1.5 with SHA-1 over the raw body, in base64.
func paymentSign(key *rsa.PrivateKey, raw []byte) (string, error) {
	sum := sha1.Sum(raw)
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA1, sum[:])
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

// notify queues the callback of a status, repeated over half an hour until it is answered with 200.
func (g *books) notify(o *order, raw []byte) {
	if o.CallbackURL == "" {
		return
	}
	header := map[string]string{"Content-Type": "application/json; charset=utf-8"}
	if key := g.accountOf(o).CallbackKey; key != nil {
		signature, err := paymentSign(key, raw)
		if err != nil {
			g.env.Log.Error("callback not signed", "gateway", gatewayName, "err", err)
			return
		}
		header["Payment-Sign"] = signature
	}
	err := g.env.Callbacks.Send(sim.Callback{
		Gateway: gatewayName, Reference: o.Number, Method: http.MethodPost, URL: o.CallbackURL, Header: header, Body: raw,
		OK:    http.StatusOK,
		Retry: []time.Duration{5 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute},
	})
	if err != nil {
		g.env.Log.Error("callback not queued", "gateway", gatewayName, "err", err)
	}
}
