package threeds

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMethodDataNeedsAnIDAndAnAddress(t *testing.T) {
	const notify = "https://pay.example.kz/3ds/t/notify"
	for name, c := range map[string]struct {
		d      MethodData
		reason string
	}{
		"no id":                {MethodData{"", notify}, ReasonMissingField},
		"no UUID":              {MethodData{"1", notify}, ReasonBadUUID},
		"braces":               {MethodData{"{" + serverID[1:35] + "}", notify}, ReasonBadUUID},
		"no dashes":            {MethodData{strings.ReplaceAll(serverID, "-", "0"), notify}, ReasonBadUUID},
		"no address":           {MethodData{serverID, ""}, ReasonMissingField},
		"257 characters":       {MethodData{serverID, notify + strings.Repeat("x", 257-len(notify))}, ReasonTooLarge},
		"script":               {MethodData{serverID, "javascript:alert(1)"}, ReasonBadURL},
		"relative":             {MethodData{serverID, "/3ds/t/notify"}, ReasonBadURL},
		"256 characters":       {MethodData{serverID, notify + strings.Repeat("x", 256-len(notify))}, ""},
		"upper-case id":        {MethodData{strings.ToUpper(serverID), notify}, ""},
		"loopback, plain http": {MethodData{serverID, "http://127.0.0.1:8080/n"}, ""},
	} {
		s, err := EncodeMethodData(c.d)
		if ReasonOf(err) != c.reason {
			t.Errorf("%s: %v, want %q", name, err, c.reason)
		}
		if err == nil {
			if back, err := DecodeMethodData(s); err != nil || back != c.d {
				t.Errorf("%s: came back as %+v, %v", name, back, err)
			}
		}
	}
}

func TestMethodNotificationReadsWhatTheACSAdds(t *testing.T) {
	for _, doc := range []string{
		`{"threeDSServerTransID":"` + serverID + `"}`,
		"\ufeff{\r\n \"threeDSServerTransID\" : \"" + serverID + "\" }\n",
		`{"transStatus":{"a":[1,null,true]},"threeDSServerTransID":"` + serverID + `","threedsservertransid":"other"}`,
	} {
		if id, err := DecodeMethodNotification(b64(doc)); err != nil || id != serverID {
			t.Errorf("%s: %q, %v", doc, id, err)
		}
	}
	_, err := DecodeMethodNotification(b64(`{"threeDSServerTransID":12}`))
	wantReason(t, err, ReasonBadUUID)
	_, err = DecodeMethodNotification(b64(`{"threeDSServerTransID":null}`))
	wantReason(t, err, ReasonMissingField)
}

// anyUUID draws UUIDs of either case.
var anyUUID = rapid.StringMatching(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)

func TestWhatIsEncodedIsDecodedTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := MethodData{anyUUID.Draw(t, "id"), "https://" + rapid.StringMatching(`[a-z]{1,20}\.kz/[!-~&<>]{0,150}`).Draw(t, "url")}
		if s, err := EncodeMethodData(m); err == nil {
			if back, err := DecodeMethodData(s); err != nil || back != m {
				t.Fatalf("%+v, %v", back, err)
			}
			if strings.ContainsAny(s, "+/=") {
				t.Fatalf("%s is not base64url without padding", s)
			}
		} else if ReasonOf(err) != ReasonBadURL {
			t.Fatal(err)
		}
		b := rapid.SliceOfN(rapid.Byte(), 1, 800).Draw(t, "session")
		s, err := EncodeSessionData(b)
		if len(b) > 768 {
			if ReasonOf(err) != ReasonTooLarge {
				t.Fatalf("%d bytes: %v", len(b), err)
			}
		} else if back, err := DecodeSessionData(s); err != nil || string(back) != string(b) {
			t.Fatalf("%x, %v", back, err)
		}
	})
}
