package static_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os/exec"
	"testing"

	"tollgate/static"
)

// sealed runs the script's encryption under node: each text with a padding byte, or with random ones where that is 0.
func sealed(t *testing.T, key *rsa.PublicKey, texts []string, padding []int) []string {
	t.Helper()
	var script []byte
	for _, file := range static.Files() {
		if file.Name == "seal.js" {
			script = file.Body
		}
	}
	asked, _ := json.Marshal(map[string]any{"script": string(script), "modulus": hex.EncodeToString(key.N.Bytes()), "exponent": big.NewInt(int64(key.E)).String(),
		"texts": texts, "padding": padding})
	const run = `
var asked = JSON.parse(require("fs").readFileSync(0)), crypto = require("crypto").webcrypto
var nothing = function () { return {value: "", textContent: "", addEventListener: function () {}, getAttribute: function () { return "" }} }
var form = nothing()
global.window = {crypto: crypto}
global.addEventListener = function () {}
global.document = {getElementById: function (id) { return id === "seal-go" || id === "seal-page" ? null : form }}
new Function("crypto", "btoa", asked.script)(crypto, btoa)
console.log(JSON.stringify(asked.texts.map(function (text, i) {
  var zero = true
  return window.tollgateSeal(text, asked.modulus, asked.exponent, function (b) {
    if (!asked.padding[i]) return crypto.getRandomValues(b)
    b[0] = zero ? 0 : asked.padding[i] // a zero is never taken
    zero = !zero
  })
})))`
	cmd := exec.Command("node", "-e", run)
	var out, failed bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(asked), &out, &failed
	if err := cmd.Run(); err != nil {
		t.Fatalf("node: %v\n%s", err, failed.String())
	}
	var made []string
	if err := json.Unmarshal(out.Bytes(), &made); err != nil {
		t.Fatal(err)
	}
	return made
}

// The padding is checked byte for byte against RFC 8017, and what the browser makes is opened with Go's crypto/rsa.
func TestTheBrowserEncryptsAsRFC8017HasIt(t *testing.T) {
	const text = "2026-11-27T12:00:00+00:00/0a72fe5e-ffb7-44f6-92df-8787e8a8f440/4000019900050008/123/203012/0179018d-8f96-7fbe-bc2b-4b7e00a7d8c0"
	for _, bits := range []int{2048, 3072} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		texts, padding := []string{text, text}, []int{0x5a, 0xff}
		for n := range 20 {
			texts, padding = append(texts, text[:len(text)-n]), append(padding, 0)
		}
		made := sealed(t, &key.PublicKey, texts, padding)
		seen := map[string]bool{}
		for i, token := range made {
			raw, err := base64.StdEncoding.DecodeString(token)
			if err != nil || len(raw) != bits/8 {
				t.Fatalf("%d bytes, %v", len(raw), err)
			}
			//lint:ignore SA1019 the encryption of seToken is RSAES-PKCS1-v1_5 (docs/decisions/2026-11-27-encrypted-cards.md)
			opened, err := rsa.DecryptPKCS1v15(nil, key, raw)
			if err != nil || string(opened) != texts[i] {
				t.Fatalf("text %d: %q %v", i, opened, err)
			}
			if seen[token] {
				t.Errorf("text %d was encrypted as another", i)
			}
			seen[token] = true
			if padding[i] == 0 {
				continue
			}
			block := append([]byte{0, 2}, bytes.Repeat([]byte{byte(padding[i])}, bits/8-len(text)-3)...)
			block = append(append(block, 0), text...)
			want := new(big.Int).Exp(new(big.Int).SetBytes(block), big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, bits/8))
			if !bytes.Equal(raw, want) {
				t.Errorf("padding %x: the block is another", padding[i])
			}
		}
	}
}
