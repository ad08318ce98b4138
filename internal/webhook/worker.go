package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tollgate/internal/jobs"
)

// JobKind is the kind of an endpoint's job.
const JobKind = "webhook"

const (
	feedLimit  = 200                   // events of one transaction
	feedPoll   = time.Second           // for events that nobody seems to want, and should a wake-up be lost
	feedRest   = 20 * time.Millisecond // after events that nobody seems to want
	turn       = 500                   // deliveries of one endpoint before others get their turn
	sweepEvery = 10 * time.Minute      // by the wall
	sweepLimit = 500
	ownEvery   = 250 * time.Millisecond // by the wall, while there are any
	ownLimit   = 500
	// KeepFor is how long deliveries can be read after their end.
	KeepFor = 90 * 24 * time.Hour
)

// Bounds of what is kept of an answer.
const (
	keepAnswer  = 4 << 10
	keepHeader  = 256
	keepHeaders = 20
)

// Wake has new events, and what is due, looked for now. It never blocks. Call it after every commit that may have
// written events, and when the clock was moved.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run feeds queues and works them off until ctx ends; then it lets requests that are out end, for sendLimit.
//
// The table of events, written in the transaction of what they tell, is itself the durable queue of the feed: what is
// not fed yet stands behind its cursor, whoever was killed. So a write pays nothing for webhooks.
func (s *Service) Run(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = ctx.Done()
	s.mu.Unlock()
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tasks.Go(func() { s.sweep(ctx) })
	tasks.Go(func() { s.own(ctx) })
	tasks.Go(func() {
		poll := time.NewTicker(cmp.Or(s.Poll, feedPoll))
		defer poll.Stop()
		var late <-chan time.Time // for events that nobody seems to want
		for woken := false; ctx.Err() == nil; {
			some, err := true, error(nil)
			if woken {
				some, err = s.Store.Wanted(ctx)
			}
			if some && err == nil {
				late = nil
				err = s.feed(ctx)
			}
			if err != nil && ctx.Err() == nil {
				s.Log.Error("feeding webhooks", "err", err)
			}
			if !some {
				if late == nil {
					late = time.After(feedPoll)
				}
				rest(ctx, feedRest)
			}
			select {
			case <-ctx.Done():
			case <-poll.C:
				woken = false
			case <-late:
				woken = false
			case <-s.wake:
				s.runner.Wake()
				woken = true
			}
		}
	})
	return s.runner.Run(ctx)
}

// rest waits, unless ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// feed turns all events into deliveries that are not yet.
func (s *Service) feed(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := s.Store.Feed(ctx, s.Now(), feedLimit)
		if n > 0 {
			s.runner.Wake()
		}
		if err != nil || n < feedLimit {
			return err
		}
	}
	return nil
}

func (s *Service) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for n := sweepLimit; n == sweepLimit && ctx.Err() == nil; {
			var err error
			if n, err = s.Store.Sweep(ctx, s.Now().Add(-KeepFor), sweepLimit); err != nil {
				s.Log.Warn("old deliveries were not swept", "err", err)
			}
		}
	}
}

// own gives the events of an earlier version their merchant, a few at a time. While machines of that version run beside this
// one they write more.
func (s *Service) own(ctx context.Context) {
	timer := time.NewTimer(ownEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		n, err := s.Store.Own(ctx, ownLimit)
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("events of an earlier version have no merchant yet", "err", err)
		}
		if n == ownLimit {
			timer.Reset(ownEvery)
		} else {
			timer.Reset(sweepEvery)
		}
	}
}

// Stopping tells whether Run's context has ended: a queue with much to send is put down then.
func (s *Service) Stopping() bool {
	s.mu.Lock()
	stopped := s.stopped
	s.mu.Unlock()
	select {
	case <-stopped:
		return true
	default:
		return false
	}
}

// deliver works off one endpoint's queue: from the head, one after the other, until it is empty, a try fails, or others
// should have their turn.
func (s *Service) deliver(ctx context.Context, job jobs.Job) error {
	for range turn {
		if s.Stopping() {
			return nil
		}
		d, e, err := s.Store.Next(ctx, job, s.Now())
		if errors.Is(err, ErrLost) || err == nil && d == nil {
			return nil
		}
		if err != nil {
			return err
		}
		keys, err := s.keys(ctx, e.Signer())
		if err != nil {
			return err
		}
		t, err := s.send(ctx, *d, e, keys)
		if err != nil {
			return err
		}
		now := s.Now()
		err = s.Store.Record(ctx, job, d.ID, t, now)
		if errors.Is(err, ErrLost) {
			return nil
		}
		if err != nil {
			return err
		}
		if !t.OK() {
			s.Log.Info("webhook not taken", "endpoint", e.ID, "delivery", d.ID, "status", t.Status, "error", t.Error)
		}
		if _, _, event := e.After(t, now); event != "" { // it was written
			s.Wake()
		}
	}
	return nil
}

// unsignedText is what the merchant reads of a try that was none.
const unsignedText = "not sent: the signing secret cannot be read; " +
	"whoever runs this payment page has to bring its sealing key back"

// send makes one request. An error is ours (the process stops), never the receiver's: it is no try.
func (s *Service) send(ctx context.Context, d Delivery, e Endpoint, keys []Key) (t Try, err error) {
	now, sent := s.Now(), s.Sent()
	t = Try{At: now, URL: e.URL}
	signature, err := sign(keys, e.Signer(), s.Sealer, d.Event, sent, d.Body, now)
	if err != nil {
		s.Log.Error("a webhook cannot be signed: its sealing key is not here", "endpoint", e.ID, "delivery", d.ID, "error", err)
		t.Unsigned, t.Error = true, unsignedText
		return t, nil
	}
	t.RequestHeaders = map[string]string{
		"Content-Type": "application/json",
		"User-Agent":   "Tollgate-Webhooks/1",

		standardwebhooks.HeaderWebhookID:        d.Event,
		standardwebhooks.HeaderWebhookTimestamp: strconv.FormatInt(sent.Unix(), 10),
		standardwebhooks.HeaderWebhookSignature: signature,
	}
	defer func() { t.Took = max(0, s.Sent().Sub(sent)) }()
	if err := s.Guard.CheckURL(e.URL); err != nil { // the rules may be stricter than when it was saved
		t.Error = errForbidden.Error()
		return t, nil
	}
	limited, done := context.WithTimeout(ctx, sendLimit)
	defer done()
	req, err := http.NewRequestWithContext(limited, http.MethodPost, e.URL, bytes.NewReader(d.Body))
	if err != nil {
		t.Error = "not a usable address"
		return t, nil
	}
	for k, v := range t.RequestHeaders {
		req.Header.Set(k, v)
	}
	res, err := s.Client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return t, ctx.Err()
		}
		t.Error = public(err)
		return t, nil
	}
	defer res.Body.Close()
	answer, readErr := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if readErr != nil && res.StatusCode/100 != 2 && ctx.Err() != nil {
		return t, ctx.Err()
	}
	t.Status = res.StatusCode
	t.Cut = readErr != nil || len(answer) > keepAnswer
	t.Answer = clean(string(answer[:min(len(answer), keepAnswer)]))
	t.AnswerHeaders = headers(res.Header)
	switch {
	case t.OK():
	case t.Status >= 300 && t.Status < 400:
		t.Error = "redirects are not followed"
	default:
		t.Error = "answered " + strconv.Itoa(t.Status)
	}
	return t, nil
}

// public says what went wrong in words that tell a merchant nothing of our network: no address, no name server.
func public(err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.Is(err, errForbidden):
		return errForbidden.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer within " + sendLimit.String()
	case errors.As(err, &dns):
		return "the host's name is not known"
	case errors.As(err, &certificate), errors.As(err, &authority):
		return "the certificate is not trusted"
	case errors.As(err, &record):
		return "does not speak TLS"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	}
	return "the connection failed"
}

// longNumber is what may be a card's number: 13 to 19 digits, perhaps in groups.
var longNumber = regexp.MustCompile(`[0-9](?:[ -]?[0-9]){12,}`)

// clean makes what a receiver answered fit to be kept: readable text, and no card number, though one that a receiver
// sends back would not be from us.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == 0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return longNumber.ReplaceAllString(s, "•••")
}

// headers keeps the first few of an answer, without cookies.
func headers(h http.Header) map[string]string {
	kept := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if len(kept) == keepHeaders {
			break
		}
		if name == "Set-Cookie" || len(h[name]) == 0 || len(name) > keepHeader {
			continue
		}
		v := h[name][0]
		kept[clean(name)] = clean(v[:min(len(v), keepHeader)])
	}
	return kept
}
