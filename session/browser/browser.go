package browser

import (
	"context"
	"crypto/sha256"
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
	now  func() time.Time
	rand io.Reader
}

const (
	keyCSRF     = "csrf"
	keyID       = "id" // of sessions that older versions began
	keyLanguage = "lang"
)

// Lifetime is how long a browser session lasts.
const Lifetime = 24 * time.Hour

// New makes the browser sessions, whose store judges by the clock now when they are over. secure is false only in the
// sandbox, which runs without TLS: the cookie then lacks the __Host- prefix too, since browsers refuse that without Secure.
func New(store scs.CtxStore, secure bool, now func() time.Time, random io.Reader, log *slog.Logger) *Browsers {
	// Not scs.New, which also makes a store in memory, with a goroutine that nothing ends.
	m := &scs.SessionManager{
		Store: store, Lifetime: Lifetime, Codec: &codec{},
		HashTokenInStore: true, // a copy of the table opens no session
	}
	m.Cookie.Name = "tollgate"
	m.Cookie.Path = "/"
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Secure = secure
	if secure {
		m.Cookie.Name = "__Host-tollgate"
	}
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		log.Error("browser session", "error", err)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "Temporarily unavailable.", http.StatusServiceUnavailable)
	}
	return &Browsers{m, now, random}
}

// CSRF is the secret of this browser session, made at first use. The form carries it as a hidden input.
func (b *Browsers) CSRF(ctx context.Context) (string, error) {
	if v := b.GetString(ctx, keyCSRF); v != "" {
		return v, nil
	}
	var raw [24]byte
	if _, err := io.ReadFull(b.rand, raw[:]); err != nil {
		return "", err
	}
	v := base64.RawURLEncoding.EncodeToString(raw[:])
	b.put(ctx, keyCSRF, v)
	return v, nil
}

// put writes a value. A session's first one sets until when it lasts: the library would take the machine's clock for that,
// and the store judges by ours.
func (b *Browsers) put(ctx context.Context, key, v string) {
	if b.Token(ctx) == "" {
		b.SetDeadline(ctx, b.now().Add(Lifetime))
	}
	b.Put(ctx, key, v)
}

// Proves tells whether a posted token is this browser's: another site can make a browser post, but cannot read the page.
func (b *Browsers) Proves(ctx context.Context, posted string) bool {
	v := b.GetString(ctx, keyCSRF)
	return v != "" && subtle.ConstantTimeCompare([]byte(v), []byte(posted)) == 1
}

// ID names this browser to a checkout session, so that only the customer's browser sees what is the customer's. It is neither
// the cookie nor the form's token, and opens nothing.
func (b *Browsers) ID(ctx context.Context) (string, error) {
	if _, err := b.CSRF(ctx); err != nil {
		return "", err
	}
	return b.Known(ctx), nil
}

// Known is the ID of a browser that was shown a form; "" else. Unlike ID it stores nothing.
func (b *Browsers) Known(ctx context.Context) string {
	if v := b.GetString(ctx, keyID); v != "" {
		return v
	}
	secret := b.GetString(ctx, keyCSRF)
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("browser id " + secret))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}

// Language is what the shopper chose; "" before that.
func (b *Browsers) Language(ctx context.Context) string { return b.GetString(ctx, keyLanguage) }

// Choose remembers a language.
func (b *Browsers) Choose(ctx context.Context, lang string) { b.put(ctx, keyLanguage, lang) }
