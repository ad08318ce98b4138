package browser

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

// Browsers is the shopper's browser session: a random cookie and a row, made at the first post that is proved to come from a
// page of ours. It holds what the forms' tokens are made with, the language, and by which id checkout sessions know this
// browser; nothing that a payment needs. Before that post the browser is a visitor, of whom nothing is stored.
type Browsers struct {
	*scs.SessionManager
	now           func() time.Time
	rand          io.Reader
	sealer        Sealer
	visitorCookie string
	pressed       pressed
}

const (
	keyCSRF     = "csrf" // what the tokens of its forms are made with
	keyID       = "id"   // versions before this made it of the former
	keyLanguage = "lang"
)

// Lifetime is how long a browser session lasts, and a visitor.
const Lifetime = 24 * time.Hour

// New makes the browser sessions, whose store judges by the clock now when they are over. secure is false only in the
// sandbox, which runs without TLS: the cookies then lack the __Host- prefix too, since browsers refuse that without Secure.
func New(store scs.CtxStore, sealer Sealer, secure bool, now func() time.Time, random io.Reader, log *slog.Logger) *Browsers {
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
	visitor := "visitor"
	if secure {
		m.Cookie.Name, visitor = "__Host-tollgate", "__Host-visitor"
	}
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		log.Error("browser session", "error", err)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "Temporarily unavailable.", http.StatusServiceUnavailable)
	}
	return &Browsers{SessionManager: m, now: now, rand: random, sealer: sealer, visitorCookie: visitor}
}

// CSRF is the token that a checkout session's forms carry in this browser as a hidden input. It stores nothing; a browser that
// came without a cookie gets one.
func (b *Browsers) CSRF(ctx context.Context, session string) (string, error) {
	secret := b.GetString(ctx, keyCSRF)
	if secret == "" {
		v, err := b.meet(ctx)
		if err != nil {
			return "", err
		}
		secret = v.secret()
	}
	return formToken(secret, session), nil
}

func formToken(secret, session string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("form " + session))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:24])
}

// put writes a value. A session's first one sets until when it lasts: the library would take the machine's clock for that,
// and the store judges by ours.
func (b *Browsers) put(ctx context.Context, key, v string) {
	if b.Token(ctx) == "" {
		b.SetDeadline(ctx, b.now().Add(Lifetime))
	}
	b.Put(ctx, key, v)
}

// Proves tells whether a posted token is that of this browser's form for a checkout session: another site can make a browser
// post, but cannot read the page. A browser that proves it for the first time gets its browser session.
func (b *Browsers) Proves(ctx context.Context, session, posted string) bool {
	if secret := b.GetString(ctx, keyCSRF); secret != "" {
		same := subtle.ConstantTimeCompare([]byte(formToken(secret, session)), []byte(posted))
		return same|subtle.ConstantTimeCompare([]byte(secret), []byte(posted)) == 1 // versions before this showed the secret
	}
	here := visitOf(ctx)
	if here == nil || here.came == nil {
		return false
	}
	v := *here.came
	if subtle.ConstantTimeCompare([]byte(formToken(v.secret(), session)), []byte(posted)) != 1 {
		return false
	}
	return b.begin(ctx, here, v) == nil
}

// BareLasts is how long a bare token is good.
const BareLasts = 30 * time.Minute

// Bare is a token that shows that a form of a checkout session's page was read not long ago, and nothing of the browser that read
// it: for those that keep no cookies. It stores nothing.
func (b *Browsers) Bare(session string) string { return b.bareAt(session, b.now().Unix()) }

func (b *Browsers) bareAt(session string, at int64) string {
	when := strconv.FormatInt(at, 36)
	return when + "." + b.sealer.Fingerprint([]byte("bare form "+when+" "+session))
}

// ProvesBare tells whether a posted token is a bare one of the checkout session that is still good.
func (b *Browsers) ProvesBare(session, posted string) bool {
	when, _, _ := strings.Cut(posted, ".")
	at, err := strconv.ParseInt(when, 36, 64)
	if err != nil || subtle.ConstantTimeCompare([]byte(b.bareAt(session, at)), []byte(posted)) != 1 {
		return false
	}
	age := b.now().Sub(time.Unix(at, 0))
	return age > -BareLasts && age < BareLasts // another machine's clock may be ahead
}

// begin makes a browser session of a visitor. Tokens of its other pages stay valid; the id is new, so that who has seen the
// visitor's cookie is not taken for this browser.
func (b *Browsers) begin(ctx context.Context, here *visit, v visitor) error {
	var raw [24]byte
	if _, err := io.ReadFull(b.rand, raw[:]); err != nil {
		return err
	}
	b.put(ctx, keyCSRF, v.secret())
	b.put(ctx, keyID, b.pressed.id(v.bits, b.now(), base64.RawURLEncoding.EncodeToString(raw[:])))
	if v.language != "" {
		b.put(ctx, keyLanguage, v.language)
	}
	b.setVisitor(here, "", -1)
	return nil
}

// Known names this browser to a checkout session, so that only the customer's browser sees what is the customer's; "" for one
// that has proved nothing yet. It is neither the cookie nor a form's token, and opens nothing.
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
func (b *Browsers) Language(ctx context.Context) string {
	if lang := b.GetString(ctx, keyLanguage); lang != "" {
		return lang
	}
	if here := visitOf(ctx); here != nil && here.came != nil {
		return here.came.language
	}
	return ""
}

// Choose remembers a language.
func (b *Browsers) Choose(ctx context.Context, lang string) error {
	if b.GetString(ctx, keyCSRF) != "" {
		b.put(ctx, keyLanguage, lang)
		return nil
	}
	v, err := b.meet(ctx)
	if err != nil {
		return err
	}
	chosen := *v
	chosen.language = lang[:min(len(lang), maxLanguage)]
	return b.give(visitOf(ctx), chosen)
}
