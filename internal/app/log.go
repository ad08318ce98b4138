package app

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"unicode/utf8"

	"tollgate/internal/card"
	"tollgate/internal/security"
)

// Lengths, in bytes, that a value in a log line is cut to. Errors may hold what a gateway or a browser sent.
const (
	maxLogged = 1000
	maxStack  = 16 << 10 // of the key "stack"
)

// boundedLog cuts every text of a log line, so that no line is as long as what a stranger sent, and takes out what opens a door.
type boundedLog struct{ slog.Handler }

func (h boundedLog) Handle(ctx context.Context, r slog.Record) error {
	short := slog.NewRecord(r.Time, r.Level, plainLogged(r.Message, maxLogged), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		short.AddAttrs(boundedAttr(a))
		return true
	})
	return h.Handler.Handle(ctx, short)
}

func (h boundedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	short := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		short[i] = boundedAttr(a)
	}
	return boundedLog{h.Handler.WithAttrs(short)}
}

func (h boundedLog) WithGroup(name string) slog.Handler {
	return boundedLog{h.Handler.WithGroup(name)}
}

func boundedAttr(a slog.Attr) slog.Attr {
	most := maxLogged
	if a.Key == "stack" {
		most = maxStack
	}
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, plainLogged(v.String(), most))
	case slog.KindGroup:
		group := make([]slog.Attr, len(v.Group()))
		for i, one := range v.Group() {
			group[i] = boundedAttr(one)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(group...)}
	case slog.KindAny:
		switch any := v.Any().(type) {
		case error:
			return slog.String(a.Key, plainLogged(any.Error(), most))
		case fmt.Stringer:
			return slog.String(a.Key, plainLogged(any.String(), most))
		}
	}
	return a
}

var (
	sessionID  = regexp.MustCompile(`cs_[A-Za-z0-9_-]{27}`) // as flow.NewToken makes them
	secretText = regexp.MustCompile(`(/3ds/|\bsk_|whsec_|whsk_|Bearer )[A-Za-z0-9_+/=.~-]{8,}`)
	inAddress  = regexp.MustCompile(`://[^\s/@"']*@`)
	afterPath  = regexp.MustCompile(`(://[^\s?#"']*)[?#][^\s"']*`)
	digitRun   = regexp.MustCompile(`\pN[\pN\p{Zs}._/-]{12,}\pN`)
)

// plainLogged is a text as a log line may hold it. A session's id, which opens its payment page, is named by its fingerprint; tokens of
// returns and keys, users and queries of addresses (errors of net/http name the whole address) and the number of a card are left out.
func plainLogged(s string, most int) string {
	s = cut(s, 8*most) // what is looked through is bounded as well
	if strings.Contains(s, "cs_") {
		s = sessionID.ReplaceAllStringFunc(s, security.Session)
	}
	s = secretText.ReplaceAllString(s, "${1}…")
	if strings.Contains(s, "://") {
		s = afterPath.ReplaceAllString(inAddress.ReplaceAllString(s, "://…@"), "${1}?…")
	}
	if card.Holds(s) {
		s = digitRun.ReplaceAllString(s, "…")
	}
	return cut(s, most)
}

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}

// LoggedSession is how log lines name a session.
func LoggedSession(id string) string { return security.Session(id) }
