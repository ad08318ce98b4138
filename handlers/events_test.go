package handlers_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
)

type events struct {
	Data []struct {
		ID, Type, Session string
		N                 int
	}
	HasMore bool `json:"has_more"`
	Next    string
}

func (m *machine) events(query string) events {
	m.t.Helper()
	r := m.call(http.MethodGet, "/v1/events"+query, "")
	r.is(http.StatusOK, "")
	var e events
	if err := json.Unmarshal(r.Body.Bytes(), &e); err != nil {
		m.t.Fatal(err)
	}
	return e
}

func TestReadingByCursorMissesNoEventAndRepeatsNone(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		m := boot(t, &clock.Clock{}, at, tune{})
		if e := m.events("?after=latest"); e.Next != "" || len(e.Data) != 0 {
			t.Errorf("before the first event: %+v", e)
		}
		var ids []string
		for _, o := range []string{"a", "b", "c"} {
			id := m.call(http.MethodPost, "/v1/sessions", order(o)).field("id")
			m.call(http.MethodPost, "/v1/sessions/"+id+"/cancel", "")
			ids = append(ids, id)
		}
		m.key = otherKey
		theirs := m.call(http.MethodPost, "/v1/sessions", order("theirs")).field("id")
		if e := m.events(""); len(e.Data) != 1 || e.Data[0].Session != theirs {
			t.Errorf("another merchant reads %+v", e)
		}
		m.key = shopKey

		var seen []string
		var cursor string
		for {
			e := m.events("?limit=2&after=" + cursor)
			for _, one := range e.Data {
				seen = append(seen, one.ID)
			}
			if cursor = e.Next; !e.HasMore {
				break
			}
		}
		read := map[string]bool{}
		for _, id := range seen {
			read[id[:strings.LastIndex(id, "-")]] = true // without its random end
		}
		for _, id := range ids {
			for _, n := range []string{"1", "2"} {
				if !read["evt_"+id+"_"+n] {
					t.Errorf("event %s of %s is missing", n, id)
				}
			}
		}
		if len(seen) != 6 || len(read) != 6 {
			t.Errorf("%d events read, %d of them different", len(seen), len(read))
		}
		if e := m.events("?after=" + cursor); len(e.Data) != 0 || e.Next != cursor {
			t.Errorf("nothing happened since: %+v", e)
		}
		if e := m.events("?after=latest"); e.Next != cursor {
			t.Errorf("the latest is %s, read up to %s", e.Next, cursor)
		}
		m.call(http.MethodPost, "/v1/sessions", order("d"))
		if e := m.events("?after=" + cursor); len(e.Data) != 1 || e.Data[0].Type != "session.created" {
			t.Errorf("after one more session: %+v", e)
		}
		for _, bad := range []string{"?after=x", "?after=evt_x_y", "?limit=0", "?limit=101"} {
			m.call(http.MethodGet, "/v1/events"+bad, "").is(http.StatusUnprocessableEntity, "invalid")
		}
		// An id that is no event's any more: what is before it is said. Another merchant's is not told apart from one that never was.
		for lost, after := range map[string]string{
			"evt_" + theirs + "_1": "", "evt_never_1": "", "evt_never_7-abcdefgh": "", "evt_" + ids[0] + "_1": "",
			"evt_" + ids[0] + "_1-abcdefgh": "", "evt_" + ids[0] + "_2-abcdefgh": seen[0], "evt_" + ids[0] + "_9-abcdefgh": seen[1],
		} {
			r := m.call(http.MethodGet, "/v1/events?after="+lost, "")
			r.is(http.StatusGone, "event-lost")
			if got := r.field("after"); got != after {
				t.Errorf("after %s go on with %q, want %q", lost, got, after)
			}
		}
	})
}

// Who sorts the texts has the order of the times: the fraction of a second has a fixed width.
func TestTheTimesOfEventsSortAsTexts(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	id := m.call(http.MethodPost, "/v1/sessions", order("o")).field("id")
	m.call(http.MethodPost, "/v1/sessions/"+id+"/cancel", "").is(http.StatusOK, "")
	fixed := regexp.MustCompile(`"(at|created_at)":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"`)
	for _, path := range []string{"/v1/sessions/" + id + "/events", "/v1/events"} {
		if got := m.call(http.MethodGet, path, "").Body.String(); len(fixed.FindAllString(got, -1)) != 2 {
			t.Errorf("%s: %s", path, got)
		}
	}
}
