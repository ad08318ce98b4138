package transactworld

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// checksum is the gateway's signature: lower-case hex MD5 over the values joined with a bar.
func checksum(values ...string) string {
	sum := md5.Sum([]byte(strings.Join(values, "|")))
	return hex.EncodeToString(sum[:])
}

// sameChecksum takes lower-case hex only, as the strict reading of the documents.
func sameChecksum(got, want string) bool {
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

const tokenLife = time.Hour

type claims struct {
	Sub  string `json:"sub"`
	Role string `json:"role"`
	Iss  string `json:"iss"`
	Exp  int64  `json:"exp"`
	ID   string `json:"jti"`
}

func tokenKey(a *Account) []byte {
	sum := sha256.Sum256([]byte("sandbox token|" + a.MemberID + "|" + a.SecureKey))
	return sum[:]
}

const jwtHead = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9" // {"typ":"JWT","alg":"HS256"}

// token makes an AuthToken, a JWT that carries its own end, so that a restart loses none.
func token(a *Account, now time.Time, id string) string {
	return signToken(tokenKey(a), claims{a.Username, "merchant", "PZ", now.Add(tokenLife).Unix(), id})
}

func signToken(key []byte, c claims) string {
	raw, _ := json.Marshal(c) // strings marshal
	text := jwtHead + "." + base64.RawURLEncoding.EncodeToString(raw)
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func tokenGood(a *Account, text string, now time.Time) bool {
	return goodToken(tokenKey(a), a.Username, text, now)
}

func goodToken(key []byte, user, text string, now time.Time) bool {
	at := strings.LastIndexByte(text, '.')
	if at < 0 || !strings.HasPrefix(text, jwtHead+".") {
		return false
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text[:at]))
	if !sameChecksum(text[at+1:], base64.RawURLEncoding.EncodeToString(m.Sum(nil))) {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(text[len(jwtHead)+1 : at])
	var c claims
	return err == nil && json.Unmarshal(raw, &c) == nil && c.Sub == user && now.Unix() < c.Exp
}
