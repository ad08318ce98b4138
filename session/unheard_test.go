package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"tollgate/providers"
)

// silences are what inquiries about an attempt have had for answers until now.
var silences = []struct {
	name string
	make func(*Attempt)
}{
	{"answers came", func(*Attempt) {}},
	{"none for 10 s", func(a *Attempt) { a.AskFailedSince, a.AskFailure = noon.Add(-10*time.Second), "network" }},
	{"none for 19.999 s", func(a *Attempt) { a.AskFailedSince = noon.Add(-20*time.Second + time.Millisecond) }},
	{"none for 20 s", func(a *Attempt) { a.AskFailedSince, a.AskFailure = noon.Add(-20*time.Second), "rate_limited" }},
	{"none for a minute, and it was told", func(a *Attempt) { a.AskFailedSince, a.AskFailure, a.Blind = noon.Add(-time.Minute), "network", true }},
	{"none since a moment that lies ahead", func(a *Attempt) { a.AskFailedSince = noon.Add(10 * time.Second) }},
	{"none for 10 s, for a week but 15 s", func(a *Attempt) {
		a.AskFailedSince, a.CreatedAt = noon.Add(-10*time.Second), noon.Add(-reviewAfter+15*time.Second)
	}},
	{"none for 10 s, for a week but 5 s", func(a *Attempt) {
		a.AskFailedSince, a.CreatedAt = noon.Add(-10*time.Second), noon.Add(-reviewAfter+5*time.Second)
	}},
	{"none for a week", func(a *Attempt) {
		a.AskFailedSince, a.CreatedAt, a.Blind = noon.Add(-reviewAfter), noon.Add(-reviewAfter), true
	}},
}

// reasons are what events about an unknown outcome say of why it is.
func reasons(t *Turn) (said string) {
	for _, e := range t.Change.Events {
		var data struct{ Reason string }
		if err := json.Unmarshal(e.Data, &data); err == nil && data.Reason != "" {
			said += data.Reason
		}
	}
	return said
}

// Where the shopper or the gateway is awaited, twenty seconds of inquiries without an answer make the outcome unknown; an answer makes it
// known again.
func TestWhatInquiriesWithoutAnAnswerMeanAndWhatEndsThem(t *testing.T) {
	t.Parallel()
	decisions(t, "unheard", func(d *table) {
		for _, state := range states {
			for _, silence := range silences {
				for _, news := range []struct {
					name string
					in   InquiryAnswer
				}{
					{"no answer", InquiryAnswer{Err: errors.New("cut")}},
					{"ask in 5 s", InquiryAnswer{Err: &providers.Failure{Err: &providers.Throttled{Status: 429, Wait: 5 * time.Second}}}},
					{"ask in an hour", InquiryAnswer{Err: &providers.Failure{Err: &providers.Throttled{Status: 503, Wait: time.Hour}}}},
					{"it works", InquiryAnswer{Standing: standing(1, providers.Processing)}},
					{"it waits", InquiryAnswer{Standing: standing(1, providers.Waiting)}},
					{"refused", InquiryAnswer{Standing: standing(1, providers.Refused)}},
				} {
					a := attemptIn(1, state)
					silence.make(a)
					d.is(fmt.Sprintf("%s, %s: %s", state, silence.name, news.name), turnOf(a), func(t *Turn) (string, error) {
						in := news.in
						in.Seen = a.Seen()
						err := t.Inquired(1, in)
						return reasons(t), err
					})
				}
			}
		}
	})
}

// A gateway that wants to be left alone is asked no sooner; but the outcome counts as unknown, and a person has to look, in time.
func TestAGatewayThatWantsToBeLeftAloneIsNotAsked(t *testing.T) {
	t.Parallel()
	decisions(t, "unasked", func(d *table) {
		for _, state := range states {
			for _, silence := range silences {
				for _, until := range []time.Duration{-time.Second, 0, 8 * time.Second, time.Hour} {
					a := attemptIn(1, state)
					silence.make(a)
					a.AskAfter = noon.Add(until)
					d.is(fmt.Sprintf("%s, %s, not to be asked for %s", state, silence.name, until), turnOf(a), func(t *Turn) (string, error) {
						err := Asking{t}.NotAsked(1)
						return fmt.Sprintf("may be asked %v %s", Asking{t}.MayAsk(a), reasons(t)), err
					})
				}
			}
		}
		d.is("another attempt", turnOf(attemptIn(1, Unknown)), func(t *Turn) (string, error) { return "", Asking{t}.NotAsked(2) })
	})
}
