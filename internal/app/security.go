package app

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"time"

	"tollgate/internal/config"
	"tollgate/internal/security"
	"tollgate/internal/sqlstore"
)

// openSecurityLog makes the security log of this process.
func (a *App) openSecurityLog() {
	if a.o.Security == nil {
		return
	}
	host, _ := os.Hostname()
	a.streams = logStreams{events: streamTo(a.o.Security), log: a.o.LogStream}
	a.security = security.New(a.streams.events, cmp.Or(a.o.Name, host), a.o.Clock.Now, func(err error) {
		a.log.Error("the security log cannot be written", "error", err)
	})
	a.streams.events.onResume(func(lines int) {
		a.security.Record(security.Entry{Kind: security.LinesLost, Outcome: "refused", Repeated: lines})
		a.log.Error("the stream of the security log stalled: lines are lost", "lines", lines)
	})
	if a.o.LogStream != nil && a.o.LogStream != a.streams.events {
		a.o.LogStream.onResume(func(lines int) { a.log.Error("the stream of this log stalled: lines are lost", "lines", lines) })
	}
}

// logStreams are what the two logs are written to; they may be one. nil: it is not looked at.
type logStreams struct{ events, log *Stream }

// lost is how many lines were left out because their stream stalled.
func (l logStreams) lost() (n int64) {
	if l.events != nil {
		n = l.events.Lost()
	}
	if l.log != nil && l.log != l.events {
		n += l.log.Lost()
	}
	return n
}

// drain gives what still waits to be written a moment.
func (l logStreams) drain() {
	for _, s := range []*Stream{l.events, l.log} {
		if s != nil {
			s.Drain(2 * time.Second)
		}
	}
}

// SecurityFile opens the file of the security log to append to; nil where the configuration names none.
func SecurityFile(c config.Config) (*os.File, error) {
	if c.SecurityLog == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	return os.OpenFile(filepath.Clean(c.SecurityLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// recordCommand writes down what a command did to keys or settings.
func recordCommand(c config.Config, kind security.Kind, key, resource string) error {
	file, err := SecurityFile(c)
	if err != nil || file == nil {
		return err
	}
	defer file.Close()
	host, _ := os.Hostname()
	var failed error
	security.New(file, host, time.Now, func(err error) { failed = err }).Record(security.Entry{
		Kind: kind, Outcome: "ok", Key: key, Resource: resource, Detail: "by command",
	})
	return failed
}

// noteChanges writes down that this front starts with other settings or other tables than the last one.
func (a *App) noteChanges(ctx context.Context) error {
	for name, change := range map[string]struct {
		kind security.Kind
		now  string
	}{
		sqlstore.ConfigDigest: {security.ConfigChanged, a.o.Config.Digest(a.keys.Fingerprint)},
		sqlstore.SchemaDigest: {security.SchemaChanged, sqlstore.SchemaVersion()},
	} {
		before, err := a.store.Agreed(ctx, name)
		if err != nil {
			return err
		}
		if before == change.now {
			continue
		}
		if err := a.store.Replace(ctx, name, change.now); err != nil {
			return err
		}
		a.security.Record(security.Entry{Kind: change.kind, Outcome: "ok", Resource: name, Detail: "now " + change.now})
	}
	return nil
}
