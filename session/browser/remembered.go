package browser

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"
)

// Remembered is a gateway's customer who logged in in this browser and asked to be known here the next time. It is kept in a
// sealed cookie of its own for each merchant and account, and nowhere else.
type Remembered struct {
	Merchant string    `json:"m"`
	Account  string    `json:"a"`
	Customer string    `json:"c"` // the gateway's
	Phone    string    `json:"p"`
	Login    string    `json:"l"` // names the login: a later one of the customer, anywhere, is another
	At       time.Time `json:"t"`
}

// RememberedFor is how long a customer is known here at most.
const RememberedFor = 30 * 24 * time.Hour

const rememberedSeal = "remembered"

func (b *Browsers) rememberedCookie(merchant, account string) string {
	sum := sha256.Sum256([]byte(merchant + "\x00" + account))
	name := "customer-" + hex.EncodeToString(sum[:8])
	if b.Cookie.Secure {
		name = "__Host-" + name
	}
	return name
}

// Remember keeps a customer in this browser, in place of the one before.
func (b *Browsers) Remember(ctx context.Context, r Remembered) error {
	r.At = b.now()
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	sealed, err := b.sealer.Seal(rememberedSeal, raw)
	if err == nil {
		b.setRemembered(ctx, r.Merchant, r.Account, sealed, int(RememberedFor/time.Second))
	}
	return err
}

// Remembered is the customer whom this browser keeps for a merchant's account. Whether the login still holds the caller has to
// ask.
func (b *Browsers) Remembered(ctx context.Context, merchant, account string) (r Remembered, ok bool) {
	here := visitOf(ctx)
	if here == nil {
		return r, false
	}
	cookie, err := here.r.Cookie(b.rememberedCookie(merchant, account))
	if err != nil {
		return r, false
	}
	raw, err := b.sealer.Unseal(rememberedSeal, cookie.Value)
	if err != nil || json.Unmarshal(raw, &r) != nil || r.Merchant != merchant || r.Account != account {
		return Remembered{}, false
	}
	age := b.now().Sub(r.At)
	return r, age >= 0 && age < RememberedFor
}

// ForgetRemembered ends that.
func (b *Browsers) ForgetRemembered(ctx context.Context, merchant, account string) {
	b.setRemembered(ctx, merchant, account, "", -1)
}

func (b *Browsers) setRemembered(ctx context.Context, merchant, account, value string, maxAge int) {
	here := visitOf(ctx)
	if here == nil {
		return
	}
	http.SetCookie(here.w, &http.Cookie{
		Name: b.rememberedCookie(merchant, account), Value: value, Path: "/", MaxAge: maxAge, Secure: b.Cookie.Secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}
