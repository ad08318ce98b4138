package browser

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"sync"
	"time"
)

// A visitor is a browser that was shown a page and has proved nothing yet: 128 random bits in a sealed cookie, and no row, so
// that whoever only looks costs no storage. Its first proved post makes a browser session of it.
type visitor struct {
	at       time.Time // when it came
	bits     [visitorBits]byte
	language string
}

const (
	visitorBits = 16
	visitorSeal = "visitor"
	maxLanguage = 8
)

// Sealer seals what leaves the house and must come back unread and unchanged. A fingerprint is the same on every machine, and nobody
// else can make it.
type Sealer interface {
	Fingerprint(v []byte) string
	Seal(name string, v []byte) (string, error)
	Unseal(name, sealed string) ([]byte, error)
}

func (v visitor) bytes() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(v.at.Unix())) //nolint:gosec // no date before 1970
	return append(append(b, v.bits[:]...), v.language...)
}

func readVisitor(b []byte) (v visitor, ok bool) {
	if len(b) < 8+visitorBits || len(b) > 8+visitorBits+maxLanguage {
		return v, false
	}
	v.at = time.Unix(int64(binary.BigEndian.Uint64(b)), 0) //nolint:gosec // sealed by us
	copy(v.bits[:], b[8:])
	v.language = string(b[8+visitorBits:])
	return v, true
}

// secret is what the tokens of the visitor's forms are made with.
func (v visitor) secret() string { return base64.RawURLEncoding.EncodeToString(v.bits[:]) }

// visit is one request of a browser's.
type visit struct {
	w    http.ResponseWriter
	r    *http.Request
	came *visitor // nil: it showed no cookie of a visitor's, and was given none
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// LoadAndSave gives a request its browser session, where it has one, or its visitor. Only a session that a handler changed
// is stored.
func (b *Browsers) LoadAndSave(next http.Handler) http.Handler {
	sessions := b.SessionManager.LoadAndSave(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		here := &visit{w: w, r: r, came: b.visitorOf(r)}
		sessions.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, here)))
	})
}

func (b *Browsers) visitorOf(r *http.Request) *visitor {
	cookie, err := r.Cookie(b.visitorCookie)
	if err != nil {
		return nil
	}
	raw, err := b.sealer.Unseal(visitorSeal, cookie.Value)
	if err != nil {
		return nil
	}
	v, ok := readVisitor(raw)
	if !ok || b.now().Sub(v.at) >= Lifetime {
		return nil
	}
	return &v
}

// meet is the visitor of a request; one that is new gets its cookie.
func (b *Browsers) meet(ctx context.Context) (*visitor, error) {
	here := visitOf(ctx)
	if here.came != nil {
		return here.came, nil
	}
	v := visitor{at: b.now()}
	if _, err := io.ReadFull(b.rand, v.bits[:]); err != nil {
		return nil, err
	}
	return &v, b.give(here, v)
}

// give sets the visitor's cookie.
func (b *Browsers) give(here *visit, v visitor) error {
	sealed, err := b.sealer.Seal(visitorSeal, v.bytes())
	if err != nil {
		return err
	}
	here.came = &v
	b.setVisitor(here, sealed, 0)
	return nil
}

func (b *Browsers) setVisitor(here *visit, value string, maxAge int) {
	http.SetCookie(here.w, &http.Cookie{
		Name: b.visitorCookie, Value: value, Path: "/", MaxAge: maxAge, Secure: b.Cookie.Secure, HttpOnly: true, SameSite: b.Cookie.SameSite,
	})
}

// pressed remembers for a moment which visitors have become browser sessions, and by which id: a second press that was under
// way with the first, as of a double click, makes a session of the same browser. It is for a moment only, since a visitor's
// cookie that somebody else has seen must not be worth the session that followed.
type pressed struct {
	mu  sync.Mutex
	ids map[[visitorBits]byte]pressedID
}

type pressedID struct {
	id    string
	until time.Time
}

const (
	pressLasts = 10 * time.Second
	maxPressed = 4096
)

// id is the one that was given to the visitor a moment ago, or else fresh.
func (p *pressed) id(bits [visitorBits]byte, now time.Time, fresh string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if before, ok := p.ids[bits]; ok && now.Before(before.until) {
		return before.id
	}
	if len(p.ids) >= maxPressed {
		for bits, one := range p.ids {
			if !now.Before(one.until) {
				delete(p.ids, bits)
			}
		}
	}
	if p.ids == nil || len(p.ids) >= maxPressed {
		p.ids = map[[visitorBits]byte]pressedID{}
	}
	p.ids[bits] = pressedID{fresh, now.Add(pressLasts)}
	return fresh
}
