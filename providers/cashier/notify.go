package cashier

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"strings"

	"tollgate/providers"
	"tollgate/providers/wire"
)

// maxCallback is the most that a callback may hold, in bytes.
const maxCallback = 64 << 10

// Notified checks Payment-Sign: RSA PKCS#1 v1.5 with SHA-1 over the body's bytes as they came, in base64. SHA-1 is the
// gateway's choice; a forger would need a second preimage, and a callback is a hint only. Either layer's body is read. One
// that is signed but not of an order of ours is a Notice without Reference.
func (g *provider) Notified(r *http.Request) (providers.Notice, error) {
	signs := r.Header.Values("Payment-Sign")
	if g.callbackKey == nil || r.Method != http.MethodPost || len(signs) != 1 {
		return providers.Notice{}, providers.ErrForged
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxCallback+1))
	if err != nil || len(body) > maxCallback {
		return providers.Notice{}, providers.ErrForged
	}
	signature, ok := unbase64(signs[0])
	if !ok {
		return providers.Notice{}, providers.ErrForged
	}
	sum := sha1.Sum(body)
	if rsa.VerifyPKCS1v15(g.callbackKey, crypto.SHA1, sum[:], signature) != nil {
		return providers.Notice{}, providers.ErrForged
	}
	o, err := decode(body)
	if err != nil {
		return providers.Notice{}, nil
	}
	return notice(o), nil
}

// unbase64 reads base64 in either alphabet, with padding or without, on one line or more.
func unbase64(s string) ([]byte, bool) {
	s = strings.NewReplacer("-", "+", "_", "/", " ", "", "\t", "", "\r", "", "\n", "", "=", "").Replace(s)
	raw, err := base64.RawStdEncoding.DecodeString(s)
	return raw, err == nil && len(raw) > 0
}

// notice reads what a callback is about. The PaymentAPI layer names the order by its external id, which is not the id that
// we ask by: where our number is left out, it is looked for in the list of orders.
func notice(o object) providers.Notice {
	in := o.child("order")
	n := providers.Notice{Reference: wire.Cut(in.text("merchantOrderId"), 64), Event: wire.Cut(in.text("status"), 64)}
	if _, api := o.Members["Order"]; !api && isID(in.text("id")) {
		n.OrderID = in.text("id")
	}
	if external := in.text("OrderId"); n.Reference == "" && n.OrderID == "" && isID(external) {
		n.Alias = external
	}
	return n
}
