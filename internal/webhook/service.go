package webhook

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"tollgate/internal/jobs"
)

// Options are what a Service needs; what is zero gets the value in brackets.
type Options struct {
	Store   Store
	Sealer  Sealer
	Types   []string         // of the events of sessions, which endpoints may ask for beside those about endpoints
	Guard   *Guard           // [nothing but the public internet]
	Now     func() time.Time // the one clock [time.Now]: what is due is judged by it
	Sent    func() time.Time // [time.Now] webhook-timestamp: receivers compare it with their own clock, which moves with nobody's
	Rand    io.Reader        // [crypto/rand]
	Client  *http.Client     // [Guard.Client()]
	Senders int              // endpoints posted to at once [256]
	Log     *slog.Logger     // [discarded]
	Name    string           // of this process, in leases

	Poll      time.Duration // how often events and queues are looked for that nobody woke us for [1 s, 250 ms]
	JobChance func() uint64 // see jobs.Options.Chance
}

// Service is the merchant's side of webhooks and the work behind it. It may run on many machines over one store.
type Service struct {
	Options
	runner *jobs.Runner
	wake   chan struct{}

	mu      sync.Mutex
	stopped <-chan struct{}
}

// New makes a Service; Run sets it to work.
func New(o Options) *Service {
	if o.Guard == nil {
		o.Guard = &Guard{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sent == nil {
		o.Sent = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Client == nil {
		o.Client = o.Guard.Client()
	}
	if o.Senders <= 0 {
		o.Senders = 256
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{Options: o, wake: make(chan struct{}, 1)}
	s.runner = jobs.New(o.Store, jobs.Options{
		Now: o.Now, Name: o.Name, Workers: o.Senders, Grace: sendLimit, Log: o.Log, Poll: o.Poll, Chance: o.JobChance,
	})
	s.runner.Handle(JobKind, s.deliver)
	return s
}

// NewEndpoint is what a merchant says of an endpoint to be made.
type NewEndpoint struct {
	URL         string
	Description string
	Events      []string
	Disabled    bool
	Secret      string // "whsec_…"; "": one is made
	Asymmetric  bool   // sign with an Ed25519 key as well
	// RequestID names the request: one that ran before, and died before its answer was out, makes nothing more and shows
	// what it made. "": every request makes its own.
	RequestID string
}

// Shown is an endpoint or a signer with its keys; Secret is there only in the answer that made it.
type Shown struct {
	Endpoint
	Keys   []Key
	Secret Secret
}

var eventGroup = regexp.MustCompile(`^([a-z_]+\.)*\*$`)

// check judges what the merchant may say, all but the URL and the events.
func check(e Endpoint) error {
	if utf8.RuneCountInString(e.Description) > 500 {
		return &Fault{"description", "must be at most 500 characters"}
	}
	return nil
}

// checkEvents judges what an endpoint asks for. A group may be of events that there are not yet.
func (s *Service) checkEvents(events []string) error {
	if len(events) > 50 {
		return &Fault{"events", "must be at most 50 types"}
	}
	for i, t := range events {
		known := slices.Contains(s.Types, t) || slices.ContainsFunc(Events(), func(e EventDoc) bool { return e.Type == t })
		if !known && (len(t) > 64 || !eventGroup.MatchString(t)) {
			return &Fault{fmt.Sprintf("events/%d", i), "must be an event's type, or a group of them such as payment.*"}
		}
	}
	return nil
}

// Create makes an endpoint. *Fault, ErrTooMany.
func (s *Service) Create(ctx context.Context, merchant string, in NewEndpoint) (Shown, error) {
	if err := s.Guard.Resolve(ctx, in.URL); err != nil {
		return Shown{}, err
	}
	now := s.Now().Truncate(time.Microsecond) // as it is stored
	id := make([]byte, 16)
	if in.RequestID != "" {
		sum := sha256.Sum256([]byte(merchant + "\n" + in.RequestID))
		copy(id, sum[:])
	} else if _, err := io.ReadFull(s.Rand, id); err != nil {
		return Shown{}, err
	}
	out := Shown{Endpoint: Endpoint{
		ID: "we_" + base64.RawURLEncoding.EncodeToString(id), Merchant: merchant, URL: in.URL, Description: in.Description,
		Events: in.Events, Enabled: !in.Disabled, CreatedAt: now, UpdatedAt: now,
	}}
	if err := check(out.Endpoint); err != nil {
		return Shown{}, err
	}
	if err := s.checkEvents(in.Events); err != nil {
		return Shown{}, err
	}
	var err error
	first := Rotation{Secret: in.Secret, Asymmetric: in.Asymmetric, RequestID: in.RequestID}
	if out.Keys, out.Secret, err = s.newKeys(nil, out.ID, first); err != nil {
		return Shown{}, err
	}
	err = s.Store.CreateEndpoint(ctx, out.Endpoint, out.Keys)
	if errors.Is(err, ErrConflict) && in.RequestID != "" {
		if out, err = s.Read(ctx, merchant, out.ID); err != nil {
			return Shown{}, err
		}
		if k, ok := madeBy(out.Keys, in.RequestID); ok {
			out.Secret, err = reveal(k, out.Signer(), s.Sealer)
		}
	}
	return out, err
}

// newKeys rotates in a fresh key of each kind that is wanted.
func (s *Service) newKeys(old []Key, signer string, r Rotation) ([]Key, Secret, error) {
	now := s.Now().Truncate(time.Microsecond)
	shared, secret, err := newKey(HMAC, signer, r.Secret, s.Sealer, s.Rand, now)
	if err != nil {
		return nil, Secret{}, err
	}
	shared.RequestID = r.RequestID
	keys := rotate(old, shared, r.Overlap, now)
	if r.Asymmetric {
		pair, _, err := newKey(Ed25519, signer, "", s.Sealer, s.Rand, now)
		if err != nil {
			return nil, Secret{}, err
		}
		keys = rotate(keys, pair, r.Overlap, now)
	}
	return keys, secret, nil
}

// Read shows an endpoint.
func (s *Service) Read(ctx context.Context, merchant, id string) (Shown, error) {
	e, err := s.Store.Endpoint(ctx, merchant, id)
	if err != nil {
		return Shown{}, err
	}
	return s.shown(ctx, e)
}

func (s *Service) shown(ctx context.Context, e Endpoint) (Shown, error) {
	keys, _, err := s.Store.Keys(ctx, e.Signer())
	return Shown{Endpoint: e, Keys: s.live(keys)}, err
}

func (s *Service) live(keys []Key) []Key {
	var live []Key
	for _, k := range keys {
		if k.Live(s.Now()) {
			live = append(live, k)
		}
	}
	return live
}

// List shows a merchant's endpoints, or those that its sessions named.
func (s *Service) List(ctx context.Context, merchant string, sessionURLs bool) ([]Shown, error) {
	found, err := s.Store.Endpoints(ctx, merchant, sessionURLs)
	if err != nil {
		return nil, err
	}
	all := make([]Shown, len(found))
	for i, e := range found {
		if all[i], err = s.shown(ctx, e); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Update is what a merchant changes; nil leaves as it is.
type Update struct {
	URL         *string
	Description *string
	Events      *[]string
	Enabled     *bool
}

// Change changes an endpoint. *Fault.
func (s *Service) Change(ctx context.Context, merchant, id string, u Update) (Shown, error) {
	if u.URL != nil {
		if err := s.Guard.Resolve(ctx, *u.URL); err != nil {
			return Shown{}, err
		}
	}
	e, err := s.Store.ChangeEndpoint(ctx, merchant, id, s.Now(), func(e *Endpoint) error {
		if e.SessionURL && (u.URL != nil || u.Events != nil) {
			return &Fault{"url", "and events of an endpoint that sessions name cannot be changed"}
		}
		set(&e.URL, u.URL)
		set(&e.Description, u.Description)
		set(&e.Events, u.Events)
		set(&e.Enabled, u.Enabled)
		if u.Events != nil { // one that asks for what there is no more may still be switched off
			if err := s.checkEvents(*u.Events); err != nil {
				return err
			}
		}
		return check(*e)
	})
	if err != nil {
		return Shown{}, err
	}
	s.Wake()
	return s.shown(ctx, e)
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// Delete takes an endpoint away.
func (s *Service) Delete(ctx context.Context, merchant, id string) error {
	return s.Store.DeleteEndpoint(ctx, merchant, id, s.Now())
}

// MaxOverlap is how long a replaced key may sign on.
const MaxOverlap = 7 * 24 * time.Hour

// Rotation is what a merchant wants of new keys.
type Rotation struct {
	Overlap    time.Duration // how long the replaced keys sign beside them
	Secret     string        // "": one is made
	Asymmetric bool          // a new Ed25519 key as well
	RequestID  string        // as in NewEndpoint
}

// Rotate gives an endpoint new keys. An endpoint that sessions named has its merchant's. *Fault.
func (s *Service) Rotate(ctx context.Context, merchant, id string, r Rotation) (Shown, error) {
	e, err := s.Store.Endpoint(ctx, merchant, id)
	if err != nil {
		return Shown{}, err
	}
	if e.SessionURL {
		return Shown{}, &Fault{"endpoint", "is one that sessions name: it signs with the merchant's default keys"}
	}
	out := Shown{Endpoint: e}
	out.Keys, out.Secret, err = s.rotateKeys(ctx, e.Signer(), r)
	return out, err
}

// DefaultKeys lists the keys that sign for the webhook_url of a merchant's sessions.
func (s *Service) DefaultKeys(ctx context.Context, merchant string) ([]Key, error) {
	keys, err := s.keys(ctx, DefaultSigner(merchant))
	return s.live(keys), err
}

// RotateDefault gives a merchant new default keys; that is also how it learns the first. *Fault.
func (s *Service) RotateDefault(ctx context.Context, merchant string, r Rotation) ([]Key, Secret, error) {
	return s.rotateKeys(ctx, DefaultSigner(merchant), r)
}

func (s *Service) rotateKeys(ctx context.Context, signer string, r Rotation) ([]Key, Secret, error) {
	if r.Overlap < 0 || r.Overlap > MaxOverlap {
		return nil, Secret{}, &Fault{"overlap_seconds", fmt.Sprintf("must be from 0 to %d", int(MaxOverlap.Seconds()))}
	}
	for {
		keys, version, err := s.Store.Keys(ctx, signer)
		if err != nil {
			return nil, Secret{}, err
		}
		if k, ok := madeBy(s.live(keys), r.RequestID); ok {
			secret, err := reveal(k, signer, s.Sealer)
			return s.live(keys), secret, err
		}
		fresh, secret, err := s.newKeys(s.live(keys), signer, r)
		if err != nil {
			return nil, Secret{}, err
		}
		switch err := s.Store.PutKeys(ctx, signer, fresh, version); {
		case err == nil:
			return fresh, secret, nil
		case !errors.Is(err, ErrConflict):
			return nil, Secret{}, err
		}
	}
}

// keys of a signer, made when they are first needed.
func (s *Service) keys(ctx context.Context, signer string) ([]Key, error) {
	for {
		keys, version, err := s.Store.Keys(ctx, signer)
		if err != nil || len(keys) > 0 {
			return keys, err
		}
		fresh, _, err := s.newKeys(nil, signer, Rotation{})
		if err != nil {
			return nil, err
		}
		if err := s.Store.PutKeys(ctx, signer, fresh, version); err != nil && !errors.Is(err, ErrConflict) {
			return nil, err
		}
	}
}

// Deliveries lists deliveries.
func (s *Service) Deliveries(ctx context.Context, f Filter) ([]Delivery, error) {
	return s.Store.Deliveries(ctx, f)
}

// Delivery shows one with its tries.
func (s *Service) Delivery(ctx context.Context, merchant, id string) (Delivery, []Try, error) {
	return s.Store.Delivery(ctx, merchant, id)
}

// Resend sends a delivery's event again, under the same event id. ErrDisabled.
func (s *Service) Resend(ctx context.Context, merchant, id string) (Delivery, error) {
	d, err := s.Store.Resend(ctx, merchant, id, s.Now())
	s.Wake()
	return d, err
}

// ResendRange sends again what was written from (incl.) to (excl.) these times, and tells how many events that is.
// *Fault, ErrDisabled.
func (s *Service) ResendRange(ctx context.Context, merchant, endpoint string, from, to time.Time) (int, error) {
	if !from.Before(to) {
		return 0, &Fault{"to", "must be after from"}
	}
	n, err := s.Store.ResendRange(ctx, merchant, endpoint, from, to, s.Now())
	s.Wake()
	return n, err
}

// Cancel ends a pending delivery that stands in the way of others. ErrDone.
func (s *Service) Cancel(ctx context.Context, merchant, id string) (Delivery, error) {
	d, err := s.Store.Cancel(ctx, merchant, id, s.Now())
	s.Wake()
	return d, err
}

// CheckURL judges a session's webhook_url without asking anybody. *Fault.
func (s *Service) CheckURL(raw string) error { return s.Guard.CheckURL(raw) }
