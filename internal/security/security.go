// Package security writes the security log: who did what on which resource, and how it ended (PCI DSS 10.2). It is a stream of its
// own, a JSON object on each line. It holds no secret and no session id, which is a pay link: of those a fingerprint.
package security

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Session names a session where its id, which is the address of its payment page, must not be. An id is too random to be found by
// trying, so that no key is needed, and whoever has the id finds the name.
func Session(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "s-" + hex.EncodeToString(sum[:8])
}

// Kind names what happened.
type Kind string

// What is written down.
const (
	AuthAccepted    Kind = "auth.accepted"    // an API key that is valid; one line a minute for each key and address
	AuthRefused     Kind = "auth.refused"     // a key that nobody has, or that has ended or was revoked
	ScopeRefused    Kind = "scope.refused"    // a key that does not reach as far
	KeyRevoked      Kind = "key.revoked"      // an API key
	CardImported    Kind = "card.imported"    // a card was taken over, or refused to be
	SealAdded       Kind = "seal.added"       // a sealing key was made
	SealPromoted    Kind = "seal.promoted"    // another sealing key seals
	SealRetired     Kind = "seal.retired"     // a sealing key was taken out
	WebhookRotated  Kind = "webhook.rotated"  // the secret of an endpoint, or of a merchant
	LimitMet        Kind = "limit.met"        // too much was tried
	WebhookChanged  Kind = "webhook.changed"  // an endpoint was made, changed or deleted
	Settled         Kind = "settled"          // a person said what became of money
	AttackSeen      Kind = "attack.seen"      // cards are tested on an account
	CallbackForged  Kind = "callback.forged"  // its signature does not fit
	ReturnForged    Kind = "return.forged"    // it names another authentication, or none of ours
	FormRefused     Kind = "form.refused"     // a post that no page of ours is proved to have made
	ConfigChanged   Kind = "config.changed"   // a start with other settings than the last
	AddressAccepted Kind = "address.accepted" // another public_url
	SchemaChanged   Kind = "schema.changed"   // the tables were made or renewed
	LinesLost       Kind = "lines.lost"       // the stream stalled
	Started         Kind = "started"
	Stopped         Kind = "stopped"
)

// Kinds lists every kind, with what it means, for the documentation.
func Kinds() []struct {
	Kind Kind
	Doc  string
} {
	return []struct {
		Kind Kind
		Doc  string
	}{
		{AuthAccepted, "a valid API key was shown; one line a minute for each key and address"},
		{AuthRefused, "an API key was shown that nobody has, that has ended or was revoked"},
		{ScopeRefused, "an API key does not reach as far as the call"},
		{KeyRevoked, "an API key was revoked"},
		{CardImported, "a saved card was imported; refused where it is not the customer's"},
		{SealAdded, "a sealing key was made"},
		{SealPromoted, "another sealing key seals from now on"},
		{SealRetired, "a sealing key was taken out"},
		{WebhookRotated, "the secret of a webhook endpoint, or of a merchant's, was rotated"},
		{WebhookChanged, "a webhook endpoint was made, changed or deleted"},
		{Settled, "a person said what became of a payment or an operation"},
		{LimitMet, "too much was tried from an address, with a card, on a page, for a phone"},
		{AttackSeen, "cards are tested on an account"},
		{CallbackForged, "a gateway's callback whose signature does not fit"},
		{ReturnForged, "a return from a bank that names another authentication, or none of ours"},
		{FormRefused, "a post that no page of ours is proved to have made (CSRF)"},
		{ConfigChanged, "a start with other settings than the last"},
		{AddressAccepted, "another public_url was accepted"},
		{SchemaChanged, "the tables were made or renewed"},
		{LinesLost, "the log's stream stalled: so many lines as `repeated` says are lost"},
		{Started, "a process began to serve"},
		{Stopped, "it ended"},
	}
}

// Entry is one line.
type Entry struct {
	Time      time.Time `json:"time"`               // UTC
	Log       string    `json:"log"`                // always "security", for those who mix streams
	Instance  string    `json:"instance"`           // which process
	Kind      Kind      `json:"kind"`               // what happened
	Outcome   string    `json:"outcome"`            // ok or refused
	Key       string    `json:"key,omitempty"`      // the API key: the first 12 digits of its hash; of a sealing key its id
	Merchant  string    `json:"merchant,omitempty"` // whose
	Address   string    `json:"address,omitempty"`  // the client's
	Resource  string    `json:"resource,omitempty"` // method and route, account, endpoint, setting
	Session   string    `json:"session,omitempty"`  // a fingerprint of its id
	Detail    string    `json:"detail,omitempty"`
	RequestID string    `json:"request_id,omitempty"` // the same as in answer and log
	Repeated  int       `json:"repeated,omitempty"`   // so many more of the same in the minute before
}

// Log writes entries. What repeats is one line a minute with its number, and no kind has more than perSecond lines in a second: the
// next line of the kind says how many were left out. So nobody fills the disk, and nothing is left uncounted.
type Log struct {
	out      io.Writer
	instance string
	now      func() time.Time

	mu     sync.Mutex
	recent map[same]*repeat
	kinds  map[Kind]*flow
	failed func(error)
}

type same struct {
	kind                                              Kind
	key, merchant, address, resource, session, detail string
}

type repeat struct {
	at time.Time // of the last line
	n  int       // since
}

type flow struct {
	second  time.Time
	lines   int
	skipped int
}

const (
	collapse  = time.Minute
	perSecond = 50
	maxRecent = 4096
)

// New makes a log; failed hears of lines that could not be written.
func New(out io.Writer, instance string, now func() time.Time, failed func(error)) *Log {
	return &Log{out: out, instance: instance, now: now, recent: map[same]*repeat{}, kinds: map[Kind]*flow{}, failed: failed}
}

// Record writes an entry. Time, log and instance are filled in; a nil Log writes nothing.
func (l *Log) Record(e Entry) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	e.Time, e.Log, e.Instance = now.UTC(), "security", l.instance
	id := same{e.Kind, e.Key, e.Merchant, e.Address, e.Resource, told(e), e.Detail}
	if r := l.recent[id]; r != nil {
		if now.Sub(r.at) < collapse {
			r.n += 1 + e.Repeated
			return
		}
		e.Repeated += r.n
		delete(l.recent, id)
	}
	f := l.kinds[e.Kind]
	if f == nil {
		f = &flow{}
		l.kinds[e.Kind] = f
	}
	if second := now.Truncate(time.Second); !second.Equal(f.second) {
		f.second, f.lines = second, 0
	}
	if f.lines >= perSecond {
		f.skipped += 1 + e.Repeated
		return
	}
	f.lines++
	e.Repeated += f.skipped
	f.skipped = 0
	if len(l.recent) >= maxRecent {
		l.forget(now)
	}
	l.recent[id] = &repeat{at: now}
	l.write(e)
}

// told is the session of an entry of which each session has lines of its own: what a person did. Strangers choose sessions by the
// thousand.
func told(e Entry) string {
	if e.Kind == Settled {
		return e.Session
	}
	return ""
}

// forget drops what is older than a minute, and else all: what is dropped is counted with the next of its kind.
func (l *Log) forget(now time.Time) {
	for _, all := range []bool{false, true} {
		for id, r := range l.recent {
			if all || now.Sub(r.at) >= collapse {
				if f := l.kinds[id.kind]; f != nil {
					f.skipped += r.n
				}
				delete(l.recent, id)
			}
		}
		if len(l.recent) < maxRecent {
			return
		}
	}
}

func (l *Log) write(e Entry) {
	for _, s := range []*string{&e.Key, &e.Merchant, &e.Address, &e.Resource, &e.Detail, &e.RequestID} {
		if len(*s) > 200 {
			*s = (*s)[:200]
		}
	}
	line, err := json.Marshal(e)
	if err == nil {
		_, err = l.out.Write(append(line, '\n'))
	}
	if err != nil && l.failed != nil {
		l.failed(err)
	}
}
