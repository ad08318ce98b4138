package security_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"tollgate/internal/security"
)

func lines(t *testing.T, b *bytes.Buffer) (all []security.Entry) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		var e security.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

func TestALineSaysWhenWhereWhoWhatAndHowItEnded(t *testing.T) {
	var b bytes.Buffer
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.FixedZone("", 5*3600))
	security.New(&b, "one", func() time.Time { return now }, nil).Record(security.Entry{
		Kind: security.ScopeRefused, Outcome: "refused", Key: "abc", Merchant: "shop", Address: "192.0.2.1", Resource: "POST /v1/sessions", Detail: strings.Repeat("x", 10_000),
	})
	if got := b.String(); !strings.HasPrefix(got, `{"time":"2026-11-27T07:00:00Z","log":"security","instance":"one","kind":"scope.refused","outcome":"refused","key":"abc",`+
		`"merchant":"shop","address":"192.0.2.1","resource":"POST /v1/sessions","detail":"xxx`) || len(got) > 600 {
		t.Errorf("%s", got)
	}
}

func TestWhatRepeatsIsOneLineAMinuteWithItsNumber(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(1e9, 0)
	l := security.New(&b, "one", func() time.Time { return now }, nil)
	for range 500 {
		l.Record(security.Entry{Kind: security.AuthRefused, Address: "192.0.2.1"})
	}
	now = now.Add(time.Minute)
	l.Record(security.Entry{Kind: security.AuthRefused, Address: "192.0.2.1"})
	if all := lines(t, &b); len(all) != 2 || all[0].Repeated != 0 || all[1].Repeated != 499 {
		t.Errorf("%+v", all)
	}
}

func TestAFloodOfAKindIsCountedAndLeavesRoomForOthers(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(1e9, 0)
	l := security.New(&b, "one", func() time.Time { return now }, nil)
	const flood = 100_000
	for i := range flood {
		l.Record(security.Entry{Kind: security.AuthRefused, Address: strconv.Itoa(i)})
	}
	l.Record(security.Entry{Kind: security.Stopped})
	now = now.Add(time.Second)
	l.Record(security.Entry{Kind: security.AuthRefused, Address: "last"})
	counted := 0
	all := lines(t, &b)
	for _, e := range all {
		if e.Kind == security.AuthRefused {
			counted += 1 + e.Repeated
		}
	}
	if len(all) != 52 || counted != flood+1 {
		t.Errorf("%d lines count %d", len(all), counted)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestALineThatCannotBeWrittenIsTold(t *testing.T) {
	told := 0
	security.New(full{}, "one", time.Now, func(error) { told++ }).Record(security.Entry{Kind: security.Started})
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	var none *security.Log
	none.Record(security.Entry{Kind: security.Started})
}
