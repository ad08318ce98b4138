package flow_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/threeds"
)

// timeline is an attempt's, and each entry in words: kind name direction result.
func (h *house) timeline(n int) (entries []session.TimelineEntry, words []string) {
	h.t.Helper()
	entries, err := h.flow.Timeline(context.Background(), h.session(), n)
	if err != nil {
		h.t.Fatalf("%v", err)
	}
	for _, e := range entries {
		words = append(words, strings.Join(strings.Fields(strings.Join([]string{e.Kind, e.Name, e.Direction, e.Result}, " ")), " "))
	}
	return entries, words
}

type answering int

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	if a == 0 {
		return nil, errCut
	}
	return &http.Response{StatusCode: int(a), Body: http.NoBody}, nil
}

// gets is what a provider does on the wire.
func (h *house) gets(ctx context.Context, answer answering, url string) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		h.t.Fatalf("%v", err)
	}
	if res, err := account.Recorded(answer, h.now).RoundTrip(q); err == nil {
		_ = res.Body.Close()
	}
}

func TestATimelineTellsEveryCallMessageAndState(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	creq, err := threeds.EncodeCReq(threeds.CReq{ThreeDSServerTransID: trans1, ACSTransID: acs, MessageType: "CReq", MessageVersion: "2.2.0", ChallengeWindowSize: "05"})
	if err != nil {
		t.Fatal(err)
	}
	h.gw.pay = func(ctx context.Context, p providers.Payment, _ *order) (providers.Step, error) {
		h.gets(ctx, 200, "https://gateway.example/pay.do?secret=1")
		data, err := threeds.EncodeMethodData(threeds.MethodData{ThreeDSServerTransID: trans1, ThreeDSMethodNotificationURL: p.Run.NotifyURL})
		s := method(p, trans1)
		s.Forms = []threeds.Form{threeds.MethodForm("https://bank.example/method", data)}
		return s, err
	}
	h.gw.resume = func(ctx context.Context, p providers.Payment, a providers.Answer, o *order) (providers.Step, error) {
		h.gets(ctx, 200, "https://gateway.example/continue.do")
		if a.Kind == providers.MethodDone {
			s := challenge(p, trans1)
			s.Forms = []threeds.Form{threeds.ChallengeForm("https://bank.example/challenge", creq, p.Run.SessionData)}
			return s, nil
		}
		return said(providers.Wait, p), nil
	}
	asked := 0
	h.gw.status = func(ctx context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		if asked++; asked == 1 {
			h.gets(ctx, 0, "https://gateway.example/status.do")
			return providers.Standing{}, errCut
		}
		h.gets(ctx, 200, "https://gateway.example/status.do")
		if asked < 4 {
			return providers.Standing{Outcome: providers.Processing, Ref: p.Ref}, nil
		}
		o.charges = 1
		return h.gw.truth(p, o), nil
	}
	h.submit()
	if _, err := h.flow.Shown(t.Context(), h.id, h.last().StepN); err != nil {
		t.Fatal(err)
	}
	if _, err := h.notified(h.token()); err != nil {
		t.Fatal(err)
	}
	h.next(h.now())
	if _, err := h.flow.Shown(t.Context(), h.id, h.last().StepN); err != nil {
		t.Fatal(err)
	}
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Minute)
	h.is(session.Paid)

	entries, words := h.timeline(1)
	want := []string{
		"state payment.started", "call pay method", "state payment.submitted", "http GET /pay.do 200",
		"message threeDSMethodData sent", "state payment.action_required", "browser shown method", "message threeDSMethodData received empty",
		"call resume challenge", "message CReq sent", "browser shown challenge", "message CRes received", "call resume wait", "http GET /status.do no answer",
		"http GET /status.do 200", "state payment.processing", "state payment.paid",
	}
	for _, w := range want {
		if !slices.Contains(words, w) {
			t.Errorf("the timeline does not tell %q:\n%s", w, strings.Join(words, "\n"))
		}
	}
	if !slices.IsSortedFunc(entries, func(x, y session.TimelineEntry) int { return x.At.Compare(y.At) }) {
		t.Errorf("not in order of time: %v", entries)
	}
	find := func(word string) session.TimelineEntry {
		t.Helper()
		i := slices.Index(words, word)
		if i < 0 {
			t.Fatalf("no %q in %v", word, words)
		}
		return entries[i]
	}
	if e := find("message CReq sent"); e.Fields["acsTransID"] != acs || e.Fields["messageVersion"] != "2.2.0" || e.Fields["to"] != "bank.example" || e.Run != 1 {
		t.Errorf("the CReq is told as %+v", e)
	}
	if e := find("message CRes received"); e.Fields["transStatus"] != "Y" {
		t.Errorf("the CRes is told as %+v", e)
	}
	if e := find("http GET /status.do 200"); e.Times != 3 || !e.Until.After(e.At) {
		t.Errorf("three equal inquiries are told as %+v", e)
	}
	raw, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{h.token(), "secret=1", theCard.Number.Reveal()} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("the timeline tells %q: %s", secret, raw)
		}
	}
}

func TestAnUnreadableMessageIsInTheTimelineWithTheReason(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = challenged
	h.submit()
	if _, err := h.returned(h.token(), threeds.Reply{Method: "POST", CRes: "%%%"}); err != nil {
		t.Fatal(err)
	}
	if _, words := h.timeline(1); !slices.Contains(words, "message CRes received bad_base64") {
		t.Errorf("the timeline is %v", words)
	}
}

func TestATimelineIsBoundedWhateverComes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := 0
	h.gw.pay = func(_ context.Context, p providers.Payment, _ *order) (providers.Step, error) {
		return said(providers.Wait, p), nil
	}
	h.gw.status = func(ctx context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
		n++
		h.gets(ctx, answering(200+n%2), "https://gateway.example/status.do") // never twice the same
		return providers.Standing{Outcome: providers.Processing, Ref: p.Ref}, nil
	}
	h.submit()
	h.forward(8 * 24 * time.Hour)
	if entries, _ := h.timeline(1); n < 220 || len(entries) > 210 {
		t.Errorf("%d entries after %d inquiries", len(entries), n)
	}
}

func TestAnAttemptThatDoesNotExistHasNoTimeline(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if _, err := h.flow.Timeline(t.Context(), h.session(), 1); err != session.ErrNotFound {
		t.Errorf("an attempt that never was: %v", err)
	}
}

func TestTheTimelineSaysWhyAPaymentIsHeld(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.amount = h.session().Amount
	h.gw.amount.Minor = 999
	h.submit()
	h.is(session.Mismatched)
	all, err := h.flow.Timeline(t.Context(), h.session(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Name == "payment.held" && e.Result == "amount" {
			return
		}
	}
	t.Errorf("%+v", all)
}
