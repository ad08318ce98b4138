package threeds

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCResIsJudgedForTheWaitingRun(t *testing.T) {
	const foreign = "11111111-2222-4333-8444-555555555555"
	run := func(v string) IDs { return IDs{serverID, acsID, v} }
	for name, c := range map[string]struct {
		doc    string
		ids    IDs
		reason string
	}{
		"passed":                                  {cres(), ours, ""},
		"status N":                                {cres(`transStatus":"Y"`, `transStatus":"N"`), ours, ""},
		"ids in upper case":                       {cres(serverID, strings.ToUpper(serverID), acsID, strings.ToUpper(acsID)), ours, ""},
		"nothing known of the run":                {cres(), IDs{}, ""},
		"only the server id known":                {cres(), IDs{ThreeDSServerTransID: serverID}, ""},
		"version 2.1.0":                           {cres("2.2.0", "2.1.0"), run("2.1.0"), ""},
		"version 2.3.0":                           {cres("2.2.0", "2.3.0"), run("2.3.0"), ""},
		"another order's server id":               {cres(serverID, foreign), ours, ReasonIDMismatch},
		"another order's ACS id":                  {cres(acsID, foreign), ours, ReasonIDMismatch},
		"another order's id, no type":             {cres(acsID, foreign, `"messageType":"CRes",`, ""), ours, ReasonIDMismatch},
		"another order's id, bad status":          {cres(acsID, foreign, `transStatus":"Y"`, `transStatus":"C"`), ours, ReasonIDMismatch},
		"another order's id, alone":               {`{"acsTransID":"` + foreign + `"}`, ours, ReasonIDMismatch},
		"no messageType":                          {cres(`"messageType":"CRes",`, ""), ours, ReasonMissingField},
		"no server id":                            {cres(`"threeDSServerTransID":"`+serverID+`",`, ""), ours, ReasonMissingField},
		"ACS id null":                             {cres(`"`+acsID+`"`, "null"), ours, ReasonMissingField},
		"ACS id a number":                         {cres(`"`+acsID+`"`, "7"), ours, ReasonBadUUID},
		"ACS id no UUID":                          {cres(acsID, "../../etc"), ours, ReasonBadUUID},
		"no version":                              {cres(`"messageVersion":"2.2.0",`, ""), ours, ReasonMissingField},
		"version 2.0.1":                           {cres("2.2.0", "2.0.1"), IDs{}, ReasonUnsupportedVersion},
		"version a number":                        {cres(`"2.2.0"`, "2.2"), IDs{}, ReasonUnsupportedVersion},
		"not the version of the run":              {cres("2.2.0", "2.1.0"), ours, ReasonUnsupportedVersion},
		"no status":                               {cres(`"transStatus":"Y",`, ""), ours, ReasonMissingField},
		"status A":                                {cres(`transStatus":"Y"`, `transStatus":"A"`), ours, ReasonBadTransStatus},
		"status in lower case":                    {cres(`transStatus":"Y"`, `transStatus":"y"`), ours, ReasonBadTransStatus},
		"status true":                             {cres(`transStatus":"Y"`, `transStatus":true`), ours, ReasonBadTransStatus},
		"status D before 2.3":                     {cres(`transStatus":"Y"`, `transStatus":"D"`), ours, ReasonBadTransStatus},
		"status D in 2.3.0":                       {cres("2.2.0", "2.3.0", `transStatus":"Y"`, `transStatus":"D"`), run("2.3.0"), ""},
		"not complete, and no status yet":         {cres(`"transStatus":"Y",`, "", `Ind":"Y"`, `Ind":"N"`), ours, ReasonNotFinal},
		"no completion indicator":                 {cres(`,"challengeCompletionInd":"Y"`, ""), ours, ""},
		"app channel members and unknown members": {cres(`"transStatus"`, `"acsCounterAtoS":"002","sdkTransID":null,"zzz":[{}],"transStatus"`), ours, ""},
		"extension that is no array":              {cres(`"transStatus"`, `"messageExtension":"x","transStatus"`), ours, ""},
	} {
		got, erro, err := PeekCRes(b64(c.doc))
		if err != nil || erro != nil {
			t.Errorf("%s: Peek: %v %v", name, erro, err)
			continue
		}
		if err := got.Check(c.ids); ReasonOf(err) != c.reason {
			t.Errorf("%s: %v, want %q", name, err, c.reason)
		}
	}
}

func TestErroIsKeptAsText(t *testing.T) {
	doc := `{"messageType":"Erro","messageVersion":"2.9.9","errorCode":402,"errorComponent":"A","errorDescription":null,
		"errorDetail":{"a":[1]},"acsTransID":"` + acsID + `","dsTransID":""}`
	c, e, err := PeekCRes(b64(doc))
	if err != nil || c != nil {
		t.Fatal(c, err)
	}
	want := &Erro{ACSTransID: acsID, ErrorCode: "402", ErrorComponent: "A", ErrorDetail: `{"a":[1]}`, MessageType: "Erro", MessageVersion: "2.9.9"}
	if d := cmp.Diff(want, e); d != "" {
		t.Error(d)
	}
	if err := e.Check(ours); err != nil {
		t.Error("an Erro that names our ACS transaction belongs to the run:", err)
	}
	wantReason(t, e.Check(IDs{ACSTransID: serverID}), ReasonIDMismatch)
	_, _, err = PeekCRes(b64(`{"messageType":"Erro","acsTransID":"` + acsID + `"}`))
	wantReason(t, err, ReasonMissingField)
}

func TestCReqNeedsAllMembersOfTheBrowserChannel(t *testing.T) {
	good := CReq{serverID, acsID, "CReq", "2.2.0", "05", nil}
	for name, c := range map[string]struct {
		change func(*CReq)
		reason string
	}{
		"good":             {func(*CReq) {}, ""},
		"2.1.0":            {func(c *CReq) { c.MessageVersion = "2.1.0" }, ""},
		"2.3.0":            {func(c *CReq) { c.MessageVersion = "2.3.0" }, ""},
		"2.3.1":            {func(c *CReq) { c.MessageVersion = "2.3.1" }, ""},
		"extension":        {func(c *CReq) { c.MessageExtension = json.RawMessage(`[{"id":"a"}]`) }, ""},
		"another type":     {func(c *CReq) { c.MessageType = "CRes" }, ReasonWrongMessageType},
		"no server id":     {func(c *CReq) { c.ThreeDSServerTransID = "" }, ReasonMissingField},
		"bad ACS id":       {func(c *CReq) { c.ACSTransID = "x" }, ReasonBadUUID},
		"no version":       {func(c *CReq) { c.MessageVersion = "" }, ReasonMissingField},
		"2.0.0":            {func(c *CReq) { c.MessageVersion = "2.0.0" }, ReasonUnsupportedVersion},
		"no window size":   {func(c *CReq) { c.ChallengeWindowSize = "" }, ReasonMissingField},
		"one digit":        {func(c *CReq) { c.ChallengeWindowSize = "5" }, ReasonBadWindowSize},
		"broken extension": {func(c *CReq) { c.MessageExtension = json.RawMessage(`[`) }, ReasonBadJSON},
	} {
		in := good
		c.change(&in)
		s, err := EncodeCReq(in)
		if ReasonOf(err) != c.reason {
			t.Errorf("%s: encode: %v, want %q", name, err, c.reason)
		}
		if err == nil {
			back, err := DecodeCReq(s)
			if d := cmp.Diff(in, back); err != nil || d != "" {
				t.Errorf("%s: %v %s", name, err, d)
			}
			continue
		}
		raw, err := json.Marshal(in)
		if err != nil {
			continue
		}
		if _, err := DecodeCReq(b64(string(raw))); ReasonOf(err) != c.reason {
			t.Errorf("%s: decode: %v, want %q", name, err, c.reason)
		}
	}
	if _, err := DecodeCReq(b64(`{"threeDSServerTransID":"` + serverID + `"}`)); ReasonOf(err) != ReasonMissingField {
		t.Error(err)
	}
	filled, err := EncodeCReq(CReq{ThreeDSServerTransID: serverID, ACSTransID: acsID, MessageVersion: "2.2.0", ChallengeWindowSize: "02"})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := DecodeCReq(filled); err != nil || c.MessageType != "CReq" {
		t.Error("an empty message type is filled in:", c, err)
	}
}

func TestChallengeWindowSizes(t *testing.T) {
	for size, want := range map[string][2]int{"01": {250, 400}, "02": {390, 400}, "03": {500, 600}, "04": {600, 400}, "05": {0, 0}, "": {0, 0}} {
		if w, h := (CReq{ChallengeWindowSize: size}).Window(); [2]int{w, h} != want {
			t.Errorf("%s: %d × %d", size, w, h)
		}
	}
}

func TestSessionDataComesBackRawFromSomeACSs(t *testing.T) {
	_, err := DecodeSessionData("{8A6F-3}")
	wantReason(t, err, ReasonBadBase64)
	_, err = DecodeSessionData(strings.Repeat("A", 1025))
	wantReason(t, err, ReasonTooLarge)
	_, err = EncodeSessionData(nil)
	wantReason(t, err, ReasonEmpty)
	if b, err := DecodeSessionData("dG9rZW4="); err != nil || string(b) != "token" {
		t.Error("padding is read:", b, err)
	}
}
