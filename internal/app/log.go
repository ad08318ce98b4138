package app

import (
	"context"
	"fmt"
	"log/slog"
	"unicode/utf8"
)

// Lengths, in bytes, that a value in a log line is cut to. Errors may hold what a gateway or a browser sent.
const (
	maxLogged = 1000
	maxStack  = 16 << 10 // of the key "stack"
)

// boundedLog cuts every text of a log line, so that no line is as long as what a stranger sent.
type boundedLog struct{ slog.Handler }

func (h boundedLog) Handle(ctx context.Context, r slog.Record) error {
	short := slog.NewRecord(r.Time, r.Level, cutLogged(r.Message, maxLogged), r.PC)
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
		return slog.String(a.Key, cutLogged(v.String(), most))
	case slog.KindGroup:
		group := make([]slog.Attr, len(v.Group()))
		for i, one := range v.Group() {
			group[i] = boundedAttr(one)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(group...)}
	case slog.KindAny:
		switch any := v.Any().(type) {
		case error:
			return slog.String(a.Key, cutLogged(any.Error(), most))
		case fmt.Stringer:
			return slog.String(a.Key, cutLogged(any.String(), most))
		}
	}
	return a
}

func cutLogged(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}
