package sim

import (
	"encoding/hex"
	"io"
)

// Random is n random bytes. A sandbox without randomness cannot go on.
func (e *Env) Random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(e.Rand, b); err != nil {
		panic("sandbox: no randomness: " + err.Error())
	}
	return b
}

// UUID is a random UUID, as most gateways' ids are.
func (e *Env) UUID() string {
	b := e.Random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Digits are n random digits.
func (e *Env) Digits(n int) string {
	out := e.Random(n)
	for i := range out {
		out[i] = '0' + out[i]%10
	}
	return string(out)
}
