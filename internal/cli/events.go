package cli

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const eventsTailHelp = `Prints each event as it happens, one line each, until it is interrupted. With -forward-to each is posted as a webhook would
be, signed after Standard Webhooks, to an address on this machine, one after the other: so a shop under development needs
no public address. The signing secret is printed at the start, unless TOLLGATE_WEBHOOK_SECRET holds one.

  tollgate events tail -forward-to http://localhost:3000/webhooks`

const eventsResendHelp = `Sends a webhook delivery again, whatever became of it: the same event with the same id.`

// How patient tail is.
const (
	tailPause    = time.Second // between two questions
	forwardTries = 30          // while nobody listens at the address
	forwardLimit = 10 * time.Second
)

type eventView struct {
	ID        string
	Type      string
	CreatedAt string `json:"created_at"`
	Session   string
	Data      json.RawMessage
}

func eventsTail(ctx context.Context, p process, set *flag.FlagSet) int {
	to := set.String("forward-to", "", "`URL` on this machine that events are posted to")
	after := set.String("after", "latest", "begin after the event of this `ID`; \"\" begins with the very first")
	raw := set.Bool("json", false, "print each event as it is, one JSON object a line")
	once := set.Bool("once", false, "end when there are no more, instead of waiting for the next")
	api, code, ok := p.connect(set, 0)
	if !ok {
		return code
	}
	f := &forwarder{to: *to, out: p.err, client: &http.Client{Timeout: forwardLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if *to != "" {
		if err := f.prepare(p.environ); err != nil {
			fmt.Fprintf(p.err, "tollgate %s: %v\n", set.Name(), err)
			return exitAsked
		}
	}
	cursor := *after
	ready := false
	for {
		answer, err := api.call(ctx, http.MethodGet, "/v1/events?after="+url.QueryEscape(cursor), nil, nil)
		switch {
		case ctx.Err() != nil:
			return exitDone
		case retryable(err) && ready: // Tollgate restarts: nothing is missed, the cursor stays
			fmt.Fprintf(p.err, "tollgate %s: %v; asking again\n", set.Name(), err)
		case err != nil:
			return p.fail(set.Name(), err)
		}
		var page struct {
			Data    []json.RawMessage
			HasMore bool `json:"has_more"`
			Next    string
		}
		if err == nil {
			if err := json.Unmarshal(answer, &page); err != nil {
				return p.fail(set.Name(), err)
			}
			cursor = page.Next
		}
		if !ready {
			ready = true
			fmt.Fprintln(p.err, "waiting for events")
		}
		for _, body := range page.Data {
			if err := p.event(body, *raw); err != nil {
				return p.fail(set.Name(), err)
			}
			if *to != "" {
				if err := f.post(ctx, body); err != nil {
					if ctx.Err() != nil {
						return exitDone
					}
					return p.fail(set.Name(), err)
				}
			}
		}
		if page.HasMore {
			continue
		}
		if *once && err == nil && cursor != "latest" {
			return exitDone
		}
		if !pause(ctx, tailPause) {
			return exitDone
		}
	}
}

// pause waits; false where it was interrupted.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (p process) event(body []byte, raw bool) error {
	if raw {
		_, err := fmt.Fprintf(p.out, "%s\n", body)
		return err
	}
	var e eventView
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.out, "%s  %-24s %s  %s\n", e.CreatedAt, e.Type, e.ID, e.Data)
	return err
}

// forwarder posts events as Tollgate's webhooks do.
type forwarder struct {
	to     string
	secret []byte
	out    io.Writer
	client *http.Client
}

// prepare checks the address and finds or makes the secret. Events leave this machine by TLS only.
func (f *forwarder) prepare(environ []string) error {
	u, err := url.Parse(f.to)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("-forward-to: %q is not an http(s) address", f.to)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("-forward-to: plain http is for this machine only: localhost, 127.0.0.1, [::1]")
	}
	for _, e := range environ {
		if name, value, _ := strings.Cut(e, "="); name == "TOLLGATE_WEBHOOK_SECRET" && value != "" {
			raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(value, "whsec_"))
			if err != nil || len(raw) < 24 {
				return errors.New("TOLLGATE_WEBHOOK_SECRET: must be whsec_ and base64 of at least 24 bytes")
			}
			f.secret = raw
			return nil
		}
	}
	f.secret = make([]byte, 32)
	if _, err := rand.Read(f.secret); err != nil {
		return err
	}
	fmt.Fprintf(f.out, "signing secret: whsec_%s\n", base64.StdEncoding.EncodeToString(f.secret))
	return nil
}

// post sends one event. Any answer will do, it is printed; while nobody listens it is sent again.
func (f *forwarder) post(ctx context.Context, body []byte) error {
	var e eventView
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	for try := 1; ; try++ {
		at := strconv.FormatInt(time.Now().Unix(), 10)
		m := hmac.New(sha256.New, f.secret)
		fmt.Fprintf(m, "%s.%s.%s", e.ID, at, body)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.to, bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Webhook-Id", e.ID)
		r.Header.Set("Webhook-Timestamp", at)
		r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
		res, err := f.client.Do(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
			_ = res.Body.Close()
			if res.StatusCode >= 300 {
				fmt.Fprintf(f.out, "  %s was answered %s\n", e.ID, res.Status)
			}
			return nil
		}
		if try == forwardTries || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", f.to, err)
		}
		if try == 1 {
			fmt.Fprintf(f.out, "  %s: nobody answers, trying again\n", f.to)
		}
		if !pause(ctx, tailPause) {
			return ctx.Err()
		}
	}
}

func eventsResend(ctx context.Context, p process, set *flag.FlagSet) int {
	api, code, ok := p.connect(set, 1)
	if !ok {
		return code
	}
	header := http.Header{"Idempotency-Key": {"cli-" + rand.Text()}}
	answer, err := api.call(ctx, http.MethodPost, "/v1/webhook_deliveries/"+url.PathEscape(set.Arg(0))+"/resend", header, nil)
	if err != nil {
		return p.fail(set.Name(), err)
	}
	var d struct{ ID, Event, State string }
	if err := json.Unmarshal(answer, &d); err != nil {
		return p.fail(set.Name(), err)
	}
	fmt.Fprintf(p.out, "%s: event %s, %s\n", d.ID, d.Event, d.State)
	return exitDone
}
