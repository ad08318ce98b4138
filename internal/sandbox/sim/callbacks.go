package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Callback is one message of a gateway to the merchant's side.
type Callback struct {
	Gateway   string            `json:"gateway"`
	Reference string            `json:"reference"` // the order, for the log; callbacks of one gateway and reference go out in order
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Header    map[string]string `json:"header,omitempty"`
	Body      []byte            `json:"body,omitempty"`
	// Retry are the waits before further tries, by the sandbox's clock; after the last the callback is given up.
	Retry []time.Duration `json:"retry,omitempty"`
	// OK is the answer that ends it; 0 means any 2xx.
	OK int `json:"ok,omitempty"`
}

const (
	callbackBucket = "callbacks"
	maxCallbacks   = 10_000 // waiting; more are refused
	maxSending     = 8      // at once
	maxWait        = time.Second
)

type pending struct {
	Callback
	ID    int       `json:"id"`
	Due   time.Time `json:"due"`
	Tries int       `json:"tries"`
	Late  bool      `json:"late,omitempty"` // delayed by a fault: later ones overtake it

	sending bool
}

// target is what is sent in order.
func (p *pending) target() string {
	if p.Late {
		return p.key()
	}
	return p.Gateway + "\x00" + p.Reference
}
func (p *pending) key() string { return fmt.Sprint(p.ID) }

// Callbacks sends the gateways' callbacks in the background. They are durable: what was queued before a kill goes out after it.
type Callbacks struct {
	e    *Env
	kick chan struct{}

	mu    sync.Mutex
	queue []*pending // by ID within a target
	last  int
}

func newCallbacks(e *Env) (*Callbacks, error) {
	c := &Callbacks{e: e, kick: make(chan struct{}, 1)}
	err := e.Journal.Each(callbackBucket, func(_ string, raw json.RawMessage) error {
		p := &pending{}
		if err := json.Unmarshal(raw, p); err != nil {
			return err
		}
		c.last = max(c.last, p.ID)
		c.queue = append(c.queue, p)
		return nil
	})
	return c, err
}

// Send queues the callback; scripted faults may drop, double or delay it. It returns when the callback is durable, before it
// is sent.
func (c *Callbacks) Send(cb Callback) error {
	if _, err := http.NewRequest(cb.Method, cb.URL, nil); err != nil {
		return fmt.Errorf("sandbox: callback: %w", err)
	}
	f := c.e.Faults.Callback(cb.Gateway, cb.Reference+"\n"+cb.URL+"\n"+string(cb.Body))
	if f.Drop {
		c.e.Log.Info("callback dropped", "gateway", cb.Gateway, "reference", cb.Reference)
		return nil
	}
	now := c.e.Now()
	due := []time.Time{now.Add(f.Late)}
	if f.Twice {
		due = []time.Time{now, now.Add(f.Late)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range due {
		if len(c.queue) >= maxCallbacks {
			return fmt.Errorf("sandbox: more than %d callbacks wait", maxCallbacks)
		}
		c.last++
		p := &pending{Callback: cb, ID: c.last, Due: at, Late: at.After(now)}
		if err := c.e.Journal.Put(callbackBucket, p.key(), p); err != nil {
			return err
		}
		c.queue = append(c.queue, p)
	}
	c.Kick()
	return nil
}

// Waiting is the number of callbacks not yet delivered or given up.
func (c *Callbacks) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue)
}

// Kick makes the worker look again, after the clock was moved.
func (c *Callbacks) Kick() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// Reset forgets the waiting callbacks. One that is being sent may still arrive.
func (c *Callbacks) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = nil
}

// Run sends until ctx is done, and returns when the last request has ended.
func (c *Callbacks) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		ready, next := c.ready()
		for _, p := range ready {
			wg.Go(func() { c.deliver(ctx, p) })
		}
		t := time.NewTimer(next)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-c.kick:
		case <-t.C:
		}
		t.Stop()
	}
}

// ready marks and returns what may be sent now: the first of each target, when it is due. It also says when to look again; the
// sandbox's clock can be moved by others, so never later than maxWait.
func (c *Callbacks) ready() ([]*pending, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, wait, sending := c.e.Now(), maxWait, 0
	for _, p := range c.queue {
		if p.sending {
			sending++
		}
	}
	var out []*pending
	seen := map[string]bool{}
	for _, p := range c.queue {
		if seen[p.target()] {
			continue
		}
		seen[p.target()] = true
		if p.sending || sending >= maxSending {
			continue
		}
		if d := p.Due.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		p.sending = true
		sending++
		out = append(out, p)
	}
	return out, wait
}

func (c *Callbacks) deliver(ctx context.Context, p *pending) {
	status, err := c.post(ctx, p.Callback)
	if ctx.Err() != nil {
		c.mu.Lock()
		p.sending = false // stopped in the middle: it goes out again after the next start
		c.mu.Unlock()
		return
	}
	c.e.Faults.Log.Note(p.Gateway, "callback", p.Reference, status)
	ok := err == nil && (status == p.OK || p.OK == 0 && status/100 == 2)
	c.mu.Lock()
	p.sending = false
	if i := slices.Index(c.queue, p); i >= 0 { // else it was reset meanwhile
		if !ok && p.Tries < len(p.Retry) {
			p.Due = c.e.Now().Add(p.Retry[p.Tries])
			p.Tries++
			if err := c.e.Journal.Put(callbackBucket, p.key(), p); err != nil {
				c.e.Log.Error("callback not kept", "err", err)
			}
		} else {
			c.queue = slices.Delete(c.queue, i, i+1)
			if err := c.e.Journal.Delete(callbackBucket, p.key()); err != nil {
				c.e.Log.Error("callback not forgotten", "err", err)
			}
		}
	}
	c.mu.Unlock()
	if !ok {
		c.e.Log.Info("callback not accepted", "gateway", p.Gateway, "reference", p.Reference, "status", status, "try", p.Tries)
	}
	c.Kick()
}

func (c *Callbacks) post(ctx context.Context, cb Callback) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, cb.Method, cb.URL, bytes.NewReader(cb.Body))
	if err != nil {
		return 0, err
	}
	for k, v := range cb.Header {
		r.Header.Set(k, v)
	}
	res, err := c.e.Client.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16))
	return res.StatusCode, err
}
