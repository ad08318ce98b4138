package rbs

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

// wallet is a token of the sandbox's wallet.
func (w *world) wallet(pan, auth string) string {
	w.T.Helper()
	res, err := http.Get(w.Server.URL + "/rbs/wallet/google/token?pan=" + pan + "&auth=" + auth)
	if err != nil {
		w.T.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		w.T.Fatalf("%d %s %v", res.StatusCode, raw, err)
	}
	return string(raw)
}

// payWithWallet is google/payment.do; changed members replace the usual ones, a nil takes one away.
func (w *world) payWithWallet(number, token string, changed map[string]any) answer {
	w.T.Helper()
	all := map[string]any{"merchant": w.cfg.Accounts[0].UserName, "orderNumber": number, "amount": 2000, "currencyCode": "978", "ip": "192.0.2.7",
		"returnUrl": "https://shop.example/", "paymentToken": base64.StdEncoding.EncodeToString([]byte(token))}
	for name, v := range changed {
		if all[name] = v; v == nil {
			delete(all, name)
		}
	}
	body, err := json.Marshal(all)
	if err != nil {
		w.T.Fatal(err)
	}
	status, a := w.send(http.MethodPost, "/payment/google/payment.do", "application/json", string(body))
	if status != http.StatusOK {
		w.T.Fatalf("HTTP %d", status)
	}
	return a
}

func TestAWalletsTokenPaysAnOrderOnce(t *testing.T) {
	w := newWorld(t, nil)
	const plain, challenge = "4000019900050008", "4000019900020704"
	code := func(a answer) any {
		e, _ := a["error"].(map[string]any)
		return e["code"]
	}
	status := func(number string) (string, string) {
		a := w.call("getOrderStatusExtended.do", "orderNumber", number)
		way, _ := a["paymentWay"].(string)
		return a["orderStatus"].(json.Number).String(), way
	}
	token := w.wallet(plain, cryptogram3D)
	a := w.payWithWallet("W-1", token, nil)
	if data, _ := a["data"].(map[string]any); a["success"] != true || data["orderId"] == "" {
		t.Fatalf("%v", a)
	}
	if s, way := status("W-1"); s != "2" || way != "GOOGLE_PAY" {
		t.Errorf("status %s, way %s", s, way)
	}
	if a := w.payWithWallet("W-2", token, nil); a["success"] != false || code(a) != "10" {
		t.Errorf("a token twice: %v", a)
	}
	if a := w.payWithWallet("W-1", w.wallet(plain, cryptogram3D), nil); code(a) != "1" {
		t.Errorf("a number twice: %v", a)
	}
	if a := w.payWithWallet("W-3", w.wallet(challenge, cryptogram3D), map[string]any{"preAuth": true}); a["success"] != true {
		t.Errorf("%v", a)
	} else if s, _ := status("W-3"); s != "1" {
		t.Errorf("held: status %s", s)
	}
	a = w.payWithWallet("W-4", w.wallet(challenge, panOnly), nil)
	if data, _ := a["data"].(map[string]any); data["is3DSVer2"] != true || data["threeDSServerTransId"] == nil || data["threeDSMethodURLServer"] == nil {
		t.Errorf("a card that is kept with the wallet runs 3-D Secure: %v", a)
	}
	for name, c := range map[string]struct {
		changed map[string]any
		code    string
	}{
		"another merchant": {map[string]any{"merchant": "nobody"}, "5"}, "no merchant": {map[string]any{"merchant": nil}, "5"},
		"no address": {map[string]any{"ip": nil}, "4"}, "no token": {map[string]any{"paymentToken": nil}, "4"},
		"not base64": {map[string]any{"paymentToken": "{}"}, "10"}, "an unknown currency": {map[string]any{"currencyCode": "000"}, "3"},
	} {
		if a := w.payWithWallet("W-5", w.wallet(plain, cryptogram3D), c.changed); code(a) != c.code {
			t.Errorf("%s: %v", name, a)
		}
	}
	if a := w.payWithWallet("W-6", w.wallet(plain, cryptogram3D), map[string]any{"merchant": w.cfg.Accounts[0].UserName}); a["success"] != true {
		t.Errorf("%v", a)
	}
}
