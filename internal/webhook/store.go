package webhook

import (
	"context"
	"time"

	"tollgate/internal/jobs"
)

// Store keeps endpoints, keys and deliveries. webhooktest.Run says how one must behave. What belongs to another
// merchant is ErrNotFound.
//
// As a jobs.Queue it holds one job per endpoint with something to send; its Key is the endpoint's id. So one
// worker at a time works a queue off, and endpoints have workers of their own, apart from those that ask gateways. Endpoints
// that fail are claimed after those that do not.
type Store interface {
	jobs.Queue

	// CreateEndpoint adds an endpoint with its keys. ErrTooMany; ErrConflict where the id is taken.
	CreateEndpoint(ctx context.Context, e Endpoint, keys []Key) error
	Endpoint(ctx context.Context, merchant, id string) (Endpoint, error)
	// Endpoints lists the merchant's own, oldest first; with sessionURLs those that sessions named, newest first, at
	// most a hundred.
	Endpoints(ctx context.Context, merchant string, sessionURLs bool) ([]Endpoint, error)
	// ChangeEndpoint lets change alter URL, Description, Events and Enabled. An endpoint that gets another URL or is
	// enabled begins its queue afresh, now.
	ChangeEndpoint(ctx context.Context, merchant, id string, now time.Time, change func(*Endpoint) error) (Endpoint, error)
	// DeleteEndpoint takes an endpoint away; what waited is cancelled. Its deliveries can still be read.
	DeleteEndpoint(ctx context.Context, merchant, id string, now time.Time) error

	// Keys lists a signer's keys and their version; none and 0 where there are none yet.
	Keys(ctx context.Context, signer string) ([]Key, int64, error)
	// PutKeys replaces them if the version still fits. ErrConflict.
	PutKeys(ctx context.Context, signer string, keys []Key, version int64) error

	// Wanted tells whether somebody may have to be told of an event that is not fed yet. It may overlook one whose session is the
	// first to name its address.
	Wanted(ctx context.Context) (bool, error)
	// Feed turns at most limit events into deliveries, in the order of all events, each event once, and tells how many
	// events there were. A queue that fails is tried with them, though not sooner after its last try than QueueState.Probe.
	Feed(ctx context.Context, now time.Time, limit int) (int, error)
	// Next is the head of the queue that the job holds, if its time has come; nil if not. ErrLost.
	Next(ctx context.Context, job jobs.Job, now time.Time) (*Delivery, Endpoint, error)
	// Record stores a try of the queue's head, of which KeepTries are kept, ends the delivery if it went well, gives up what is
	// older than GiveUpAfter if not, moves the queue on, and writes the event about the endpoint where there is one. ErrLost, and
	// nothing stored.
	Record(ctx context.Context, job jobs.Job, delivery string, t Try, now time.Time) error

	// Deliveries lists a merchant's, newest first.
	Deliveries(ctx context.Context, f Filter) ([]Delivery, error)
	Delivery(ctx context.Context, merchant, id string) (Delivery, []Try, error)
	// Resend puts the delivery's event at the end of the endpoint's queue again and has the queue tried now. A delivery
	// that is still pending stays the only one. ErrDisabled.
	Resend(ctx context.Context, merchant, id string, now time.Time) (Delivery, error)
	// ResendRange does so with every event the endpoint wants that was written from (incl.) to (excl.) these times, in
	// order. A *Fault where there are more than MaxResend.
	ResendRange(ctx context.Context, merchant, endpoint string, from, to, now time.Time) (int, error)
	// Cancel ends a pending delivery, so that those behind it go on. ErrDone.
	Cancel(ctx context.Context, merchant, id string, now time.Time) (Delivery, error)
	// Sweep removes at most limit deliveries that ended before then, with their tries; where there are none, at most limit
	// endpoints that sessions named, or that were deleted, and that have no delivery left. It tells how many.
	Sweep(ctx context.Context, before time.Time, limit int) (int, error)
	// Own says of at most limit events that an earlier version wrote whose they are, and tells how many those were.
	Own(ctx context.Context, limit int) (int, error)
}

// Filter chooses deliveries.
type Filter struct {
	Merchant string // always set
	Endpoint string
	Event    string
	State    State
	Before   string // id of the last delivery of the page before
	Limit    int    // 1 to 100; else 100
}
