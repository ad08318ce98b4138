package session

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"tollgate/providers"
	"tollgate/threeds"
)

// Kinds of timeline entries.
const (
	EntryState         = "state"         // the attempt moved; Name is the event's, Result why a payment is held
	EntryCall          = "call"          // one permission of the call book: pay, resume, capture, void, refund
	EntryHTTP          = "http"          // one request to the gateway; Name is its method and path, Result its status
	EntryMessage       = "message"       // a 3-D Secure message, decoded; Result says why one could not be
	EntryAuthorization = "authorization" // what the gateway told of the bank's authorization, where it told more than before
	EntryBrowser       = "browser"       // a page was shown, or an empty return came
)

// Directions of a message.
const (
	Sent     = "sent"
	Received = "received"
)

// maxTrace bounds what is kept of one attempt.
const maxTrace = 200

// Note keeps entries of an attempt; equal ones in a row are one.
func (a *Attempt) Note(entries ...TimelineEntry) {
	for _, e := range entries {
		if n := len(a.Trace); n > 0 && a.Trace[n-1].repeats(e) {
			last := &a.Trace[n-1]
			last.Times, last.Until = max(last.Times, 1)+1, e.At
			continue
		}
		if len(a.Trace) < maxTrace {
			a.Trace = append(a.Trace, e)
		}
	}
}

func (t TimelineEntry) repeats(e TimelineEntry) bool {
	return t.Kind == e.Kind && t.Name == e.Name && t.Direction == e.Direction && t.Run == e.Run && t.Result == e.Result &&
		maps.Equal(t.Fields, e.Fields)
}

// noteForms notes the messages that the browser is given to carry.
func (a *Attempt) noteForms(at time.Time, forms []threeds.Form) {
	for _, form := range forms {
		for _, field := range form.Fields {
			e := TimelineEntry{At: at, Kind: EntryMessage, Direction: Sent, Run: a.Run().N}
			switch field.Name {
			case "threeDSMethodData":
				data, err := threeds.DecodeMethodData(field.Value)
				e.decoded("threeDSMethodData", data, err)
			case "creq":
				creq, err := threeds.DecodeCReq(field.Value)
				e.decoded("CReq", creq, err)
			case "PaReq":
				pareq, err := threeds.PeekPaReq(field.Value)
				e.decoded("PaReq", pareq, err)
			default:
				continue
			}
			if to, _, ok := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(form.Action, "https://"), "http://"), "/"); ok {
				e.Fields["to"] = to
			}
			a.Note(e)
		}
	}
}

// noteReply notes what a browser brought from outside, whether or not it is taken.
func (a *Attempt) noteReply(at time.Time, in threeds.Reply) {
	e := TimelineEntry{At: at, Kind: EntryMessage, Direction: Received, Run: a.Run().N}
	switch {
	case in.CRes != "" || in.Erro != "":
		cres, erro, err := threeds.PeekCRes(cmp.Or(in.CRes, in.Erro))
		if erro != nil {
			e.decoded("Erro", erro, err)
		} else {
			e.decoded("CRes", cres, err)
		}
	case in.PaRes != "":
		pares, err := threeds.PeekPaRes(in.PaRes)
		e.decoded("PaRes", pares, err)
	default:
		e.Kind, e.Direction, e.Name = EntryBrowser, "", "returned"
	}
	a.Note(e)
}

// rememberAuthorization keeps what a gateway tells of the authorization. A request's id is new in every answer: alone it is no news.
func (a *Attempt) rememberAuthorization(at time.Time, told providers.Authorization) {
	if told == (providers.Authorization{}) {
		return
	}
	before := a.Authorization
	a.Authorization = before.Merge(told)
	if before.RequestID = a.Authorization.RequestID; before == a.Authorization {
		return
	}
	e := TimelineEntry{At: at, Kind: EntryAuthorization, Name: "authorization", Fields: map[string]string{}}
	raw, err := json.Marshal(a.Authorization)
	if err != nil { // texts and a time
		panic(err)
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err == nil {
		flatten(e.Fields, "", members)
	}
	a.Note(e)
}

// noteNotification notes the end of a 3DS Method.
func (a *Attempt) noteNotification(at time.Time, in threeds.Reply) {
	id, err := threeds.DecodeMethodNotification(in.MethodData)
	e := TimelineEntry{At: at, Kind: EntryMessage, Direction: Received, Run: a.Run().N}
	e.decoded("threeDSMethodData", struct {
		ThreeDSServerTransID string `json:"threeDSServerTransID,omitempty"`
	}{id}, err)
	a.Note(e)
}

// secretMembers are left out of the timeline: an address with a run's token, and the proof of an authentication.
var secretMembers = []string{"threeDSMethodNotificationURL", "tx.cavv"}

// maxField bounds one value of an entry, in bytes: some come from outside.
const maxField = 200

// decoded fills in a message's members, flat: purchase.amount.
func (t *TimelineEntry) decoded(name string, message any, err error) {
	t.Name, t.Fields = name, map[string]string{}
	if err != nil {
		t.Result = threeds.ReasonOf(err)
		return
	}
	raw, err := json.Marshal(message)
	if err != nil {
		return
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		return
	}
	flatten(t.Fields, "", members)
	for _, name := range secretMembers {
		delete(t.Fields, name)
	}
}

func flatten(to map[string]string, prefix string, members map[string]any) {
	for name, value := range members {
		switch v := value.(type) {
		case nil:
		case map[string]any:
			flatten(to, prefix+name+".", v)
		case []any: // message extensions: theirs, and of any size
			to[prefix+name] = fmt.Sprintf("(%d)", len(v))
		default:
			text := fmt.Sprint(v)
			to[prefix+name] = strings.ToValidUTF8(text[:min(len(text), maxField)], "")
		}
	}
}
