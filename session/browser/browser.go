package browser

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
)

// Browsers is the shopper's browser session: a random cookie and a row. It holds the CSRF secret, the language, and
// which checkout sessions this browser opened; nothing that a payment needs.
type Browsers struct {
	*scs.SessionManager
	rand io.Reader
}

const (
	keyCSRF     = "csrf"
	keyID       = "id"
	keyLanguage = "lang"
)

// Lifetime is how long a browser session lasts.
const Lifetime = 24 * time.Hour

// New makes the browser sessions. secure is false only in the sandbox, which runs without TLS: the cookie then lacks
// the __Host- prefix too, since browsers refuse that without Secure.
func New(store scs.CtxStore, secure bool, random io.Reader, log *slog.Logger) *Browsers {
	// Not scs.New, which also makes a store in memory, with a goroutine that nothing ends.
	m := &scs.SessionManager{
		Store: store, Lifetime: Lifetime, Codec: scs.GobCodec{},
		HashTokenInStore: true, // a copy of the table opens no session
	}
	m.Cookie.Name = "tollgate"
	m.Cookie.Path = "/"
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Secure = secure
	m.Cookie.Persist = false
	if secure {
		m.Cookie.Name = "__Host-tollgate"
	}
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		log.Error("browser session", "error", err)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "Temporarily unavailable.", http.StatusServiceUnavailable)
	}
	return &Browsers{m, random}
}

// CSRF is the secret of this browser session, made at first use. The form carries it as a hidden input.
func (b *Browsers) CSRF(ctx context.Context) (string, error) {
	return b.random(ctx, keyCSRF)
}

// random is a value of this browser session, made at first use.
func (b *Browsers) random(ctx context.Context, key string) (string, error) {
	if v := b.GetString(ctx, key); v != "" {
		return v, nil
	}
	var raw [24]byte
	if _, err := io.ReadFull(b.rand, raw[:]); err != nil {
		return "", err
	}
	v := base64.RawURLEncoding.EncodeToString(raw[:])
	b.Put(ctx, key, v)
	return v, nil
}

// Proves tells whether a posted token is this browser's: another site can make a browser post, but cannot read the page.
func (b *Browsers) Proves(ctx context.Context, posted string) bool {
	v := b.GetString(ctx, keyCSRF)
	return v != "" && subtle.ConstantTimeCompare([]byte(v), []byte(posted)) == 1
}

// ID names this browser to a checkout session, so that only the browser that opened one sees what belongs to its
// customer. It is not the cookie and opens nothing.
func (b *Browsers) ID(ctx context.Context) (string, error) {
	return b.random(ctx, keyID)
}

// Language is what the shopper chose; "" before that.
func (b *Browsers) Language(ctx context.Context) string { return b.GetString(ctx, keyLanguage) }

// Choose remembers a language.
func (b *Browsers) Choose(ctx context.Context, lang string) { b.Put(ctx, keyLanguage, lang) }
