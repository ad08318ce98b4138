package threeds

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/adler32"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// reasons is the whole vocabulary; a decoder that refuses without one of them leaves operators without an answer.
var reasons = []string{
	ReasonEmpty, ReasonMissing, ReasonTooLarge, ReasonBadBase64, ReasonBadJSON, ReasonNotObject, ReasonDuplicateKey,
	ReasonMissingField, ReasonBadUUID, ReasonWrongMessageType, ReasonUnsupportedVersion, ReasonBadWindowSize,
	ReasonBadTransStatus, ReasonNotFinal, ReasonIDMismatch, ReasonBadZlib, ReasonZipBomb, ReasonBadXML, ReasonXMLDoctype,
	ReasonWrongContentType, ReasonAmbiguousField, ReasonBadForm, ReasonDroppedField, ReasonTimeout, ReasonBadURL,
}

// seed adds the inputs of the vectors of some kinds, generated giants aside.
func seed(f *testing.F, add func(string), kinds ...string) {
	f.Helper()
	for _, v := range readVectors(f) {
		if !slices.Contains(kinds, v.Kind) {
			continue
		}
		var in string
		if v.Kind == "cres" {
			in = into[crInput](f, v.Input).Value
		} else if json.Unmarshal(v.Input, &in) != nil {
			continue
		}
		add(in)
	}
}

// respell writes a value as other encoders would; every spelling must read the same.
func respell(t *testing.T, value string) []string {
	t.Helper()
	b, err := decode64(value, "", len(value))
	if err != nil {
		t.Fatalf("accepted, but %v", err)
	}
	std := base64.StdEncoding.EncodeToString(b)
	return []string{std, base64.RawURLEncoding.EncodeToString(b), strings.ReplaceAll(std, "+", " "), fold(std, 76)}
}

// refusal checks an error: in the vocabulary, and without the value in its text. It reports whether there was one.
func refusal(t *testing.T, value string, limit int, err error) bool {
	t.Helper()
	if len(value) > limit && ReasonOf(err) != ReasonTooLarge {
		t.Fatalf("%d bytes over a cap of %d: %v", len(value), limit, err)
	}
	if err == nil {
		return false
	}
	if !slices.Contains(reasons, ReasonOf(err)) {
		t.Fatalf("reason %q", ReasonOf(err))
	}
	if len(err.Error()) > 200 || len(value) > 40 && strings.Contains(err.Error(), value) {
		t.Fatalf("the error speaks of the value: %v", err)
	}
	return true
}

// noDuplicates checks with another reader that what was accepted is one JSON object without a name twice at its top.
func oneObject(t *testing.T, value string) map[string]json.RawMessage {
	t.Helper()
	b, err := decode64(value, "", len(value))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(bytes.TrimPrefix(b, []byte("\ufeff")), &m); err != nil || m == nil || !utf8.Valid(b) {
		t.Fatalf("accepted %q: %v", b, err)
	}
	o, err := decodeObject(b, "")
	if err != nil || len(o) != len(m) {
		t.Fatalf("%d members, encoding/json sees %d: %v", len(o), len(m), err)
	}
	for k := range m {
		if !bytes.Equal(bytes.TrimSpace(o[k]), bytes.TrimSpace(m[k])) {
			t.Fatalf("member %q is %q, encoding/json sees %q", k, o[k], m[k])
		}
	}
	return m
}

func FuzzDecodeMethodData(f *testing.F) {
	seed(f, func(s string) { f.Add(s) }, "method_data_request", "method_notification")
	f.Fuzz(func(t *testing.T, value string) {
		d, err := DecodeMethodData(value)
		if refusal(t, value, MaxMethodData, err) {
			return
		}
		oneObject(t, value)
		s, err := EncodeMethodData(d)
		if err != nil {
			t.Fatalf("read but not written: %+v, %v", d, err)
		}
		if len(s) <= MaxMethodData {
			if back, err := DecodeMethodData(s); err != nil || back != d {
				t.Fatalf("%+v came back as %+v, %v", d, back, err)
			}
		}
		for _, other := range respell(t, value) {
			if len(other) <= MaxMethodData {
				if same, err := DecodeMethodData(other); err != nil || same != d {
					t.Fatalf("%q reads as %+v, %v", other, same, err)
				}
			}
		}
	})
}

func FuzzMethodNotification(f *testing.F) {
	seed(f, func(s string) { f.Add(s) }, "method_data_request", "method_notification")
	f.Fuzz(func(t *testing.T, value string) {
		id, err := DecodeMethodNotification(value)
		if refusal(t, value, MaxMethodData, err) {
			if id != "" {
				t.Fatalf("an id beside an error: %q", id)
			}
			return
		}
		if !isUUID(id) || string(oneObject(t, value)["threeDSServerTransID"]) == "" {
			t.Fatalf("id %q", id)
		}
		for _, other := range respell(t, value) {
			if len(other) <= MaxMethodData {
				if same, err := DecodeMethodNotification(other); err != nil || same != id {
					t.Fatalf("%q reads as %q, %v", other, same, err)
				}
			}
		}
	})
}

func FuzzPeekCRes(f *testing.F) {
	seed(f, func(s string) { f.Add(s) }, "cres", "creq")
	f.Fuzz(func(t *testing.T, value string) {
		c, e, err := PeekCRes(value)
		if refusal(t, value, MaxChallenge, err) {
			if c != nil || e != nil {
				t.Fatal("a message beside an error")
			}
			return
		}
		if (c == nil) == (e == nil) {
			t.Fatalf("want exactly one of %v, %v", c, e)
		}
		m := oneObject(t, value)
		if e != nil {
			refusal(t, "", 0, e.Check(ours))
			if string(m["messageType"]) == `"CRes"` || e.ErrorCode == "" {
				t.Fatalf("%+v is no Erro", e)
			}
		} else if err := c.Check(ours); !refusal(t, "", 0, err) {
			if !strings.EqualFold(c.ThreeDSServerTransID, serverID) || !strings.EqualFold(c.ACSTransID, acsID) || c.MessageType != "CRes" ||
				c.MessageVersion != "2.2.0" || !slices.Contains([]string{"Y", "N", "U"}, c.TransStatus) {
				t.Fatalf("%+v passed for the run", c)
			}
			if m["transStatus"] == nil || m["threeDSServerTransID"] == nil {
				t.Fatalf("members that are not in %q", value)
			}
		}
		for _, other := range respell(t, value) {
			if len(other) > MaxChallenge {
				continue
			}
			c2, e2, err := PeekCRes(other)
			if d := cmp.Diff(c, c2) + cmp.Diff(e, e2); err != nil || d != "" {
				t.Fatalf("%q: %v %s", other, err, d)
			}
		}
	})
}

func FuzzDecodeCReq(f *testing.F) {
	seed(f, func(s string) { f.Add(s) }, "creq", "cres")
	f.Fuzz(func(t *testing.T, value string) {
		c, err := DecodeCReq(value)
		if refusal(t, value, MaxChallenge, err) {
			return
		}
		oneObject(t, value)
		if w, h := c.Window(); (w == 0) != (c.ChallengeWindowSize == "05") || (h == 0) != (w == 0) {
			t.Fatalf("%q is %d × %d", c.ChallengeWindowSize, w, h)
		}
		s, err := EncodeCReq(c)
		if err != nil {
			if ReasonOf(err) != ReasonTooLarge {
				t.Fatalf("read but not written: %+v, %v", c, err)
			}
			return
		}
		back, err := DecodeCReq(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := EncodeCReq(back)
		if err != nil || again != s {
			t.Fatalf("%q, then %q: %v", s, again, err)
		}
	})
}

func FuzzSessionData(f *testing.F) {
	seed(f, func(s string) { f.Add(s, []byte(s)) }, "session_data")
	f.Fuzz(func(t *testing.T, value string, raw []byte) {
		if b, err := DecodeSessionData(value); !refusal(t, value, MaxSessionData, err) {
			if s, err := EncodeSessionData(b); err != nil || len(s) > len(value) {
				t.Fatalf("%q is written as %q: %v", value, s, err)
			}
		}
		s, err := EncodeSessionData(raw)
		if refusal(t, "", 0, err) {
			if len(raw) > 0 && len(raw) <= 768 {
				t.Fatalf("%d bytes: %v", len(raw), err)
			}
			return
		}
		if b, err := DecodeSessionData(s); err != nil || !bytes.Equal(b, raw) || len(s) > MaxSessionData || strings.ContainsAny(s, "+/=") {
			t.Fatalf("%x came back as %x from %q: %v", raw, b, s, err)
		}
	})
}

// stored wraps a document in deflate blocks without compression: a compressor would cost more than what is tested.
func stored(doc string) []byte {
	var b []byte
	for {
		n := min(len(doc), 0xffff)
		last := byte(0)
		if n == len(doc) {
			last = 1
		}
		b = append(b, last, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		b = append(b, doc[:n]...)
		if doc = doc[n:]; last == 1 {
			return b
		}
	}
}

func storedZlib(doc string) string {
	b := append([]byte{0x78, 0x01}, stored(doc)...)
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, adler32.Checksum([]byte(doc))))
}

// fuzzPayerAuth feeds the packed text or, packed here, XML itself: a mutation rarely survives a checksum.
func fuzzPayerAuth(f *testing.F, kind string, peek func(string) (any, error)) {
	f.Helper()
	seed(f, func(s string) {
		if len(s) > 8<<10 {
			return // the bomb, which has a test of its own
		}
		f.Add(s, "")
		if b, err := decode64(s, "", len(s)); err == nil {
			if doc, err := inflate(b, ""); err == nil {
				f.Add("", string(doc))
			}
		}
	}, kind)
	f.Add("", pares())
	f.Fuzz(func(t *testing.T, value, doc string) {
		v, err := peek(value)
		if !refusal(t, value, MaxPayerAuth, err) {
			checkPayerAuth(t, v)
			for _, other := range respell(t, value) {
				if len(other) <= MaxPayerAuth {
					same, err := peek(other)
					if d := cmp.Diff(v, same); err != nil || d != "" {
						t.Fatalf("%q: %v %s", other, err, d)
					}
				}
			}
		}
		packed := storedZlib(doc)
		v, err = peek(packed)
		if refusal(t, packed, MaxPayerAuth, err) {
			return
		}
		if len(doc) > MaxInflated {
			t.Fatalf("%d bytes of XML were read", len(doc))
		}
		for _, never := range []string{"<!DOCTYPE", "<!ENTITY"} {
			if strings.HasPrefix(strings.TrimLeft(doc, " \t\r\n"), never) {
				t.Fatalf("read a document with %s", never)
			}
		}
		checkPayerAuth(t, v)
		if same, err := peek(base64.StdEncoding.EncodeToString(stored(doc))); err != nil || cmp.Diff(v, same) != "" {
			t.Fatalf("raw deflate reads as %+v, %v", same, err)
		}
	})
}

var digits13 = regexp.MustCompile(`^[0-9]{13,19}$`)

func checkPayerAuth(t *testing.T, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil || len(b) > 8*MaxInflated {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	switch p := v.(type) {
	case PaReq:
		if digits13.MatchString(p.AcctID) && maskPAN(p.AcctID) != p.AcctID {
			t.Fatalf("card number in %+v", p)
		}
	case PaRes:
		if len(p.PANLast4) > 4 || p.Error == nil && !strings.Contains("YANU", p.TX.Status) || p.Error != nil && p.TX != (PaTX{}) {
			t.Fatalf("%+v", p)
		}
	}
}

func FuzzPeekPaRes(f *testing.F) {
	fuzzPayerAuth(f, "pares", func(s string) (any, error) { return PeekPaRes(s) })
}

func FuzzPeekPaReq(f *testing.F) {
	fuzzPayerAuth(f, "pareq", func(s string) (any, error) { return PeekPaReq(s) })
}

func FuzzReadReply(f *testing.F) {
	for _, v := range readVectors(f) {
		var in postInput
		if v.Kind != "form_post" || json.Unmarshal(v.Input, &in) != nil {
			continue
		}
		if body := text(f, in.Body); len(body) < MaxReply {
			f.Add("POST", in.ContentType, in.Query, []byte(body))
		}
	}
	f.Add("POST", multiType, "", []byte(multi("cres", "e30=", "MD", "x")))
	f.Add("POST", "", "", []byte(multi("PaRes", "e30=\r\n")))
	f.Add("POST", "text/plain", "", []byte("PaRes="+fold(strings.Repeat("QUJD", 60), 76)+"\r\nMD=1\r\n"))
	f.Add("GET", "", "cres=e30&MD=%zz;a", []byte{})
	f.Fuzz(func(t *testing.T, method, contentType, query string, body []byte) {
		req := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		req.Method, req.URL.RawQuery = method, query
		req.Header.Set("Content-Type", contentType)
		r, err := ReadReply(req)
		if refusal(t, "", 0, err) && !slices.Contains(r.Faults, ReasonOf(err)) {
			t.Fatalf("%v is not in %v", err, r.Faults)
		}
		total := 0
		for i, k := range knownFields {
			v := *r.field(i)
			total += len(v)
			if len(v) > k.limit || !utf8.ValidString(v) || strings.Contains(v, "\x00") || k.base64 && strings.Contains(v, " ") {
				t.Fatalf("%s: %q", k.name, v)
			}
			if v != "" && !r.Has(k.name) {
				t.Fatalf("%s has a value and did not come", k.name)
			}
		}
		if len(r.Extra) > MaxExtra {
			t.Fatalf("%d other fields", len(r.Extra))
		}
		for k, v := range r.Extra {
			total += len(k) + len(v)
			if len(k) > MaxExtraName || len(v) > MaxExtraValue || fieldIndex(k) >= 0 || !utf8.ValidString(k+v) || strings.Contains(k+v, "\x00") {
				t.Fatalf("other field %q: %q", k, v)
			}
		}
		if in := len(body) + len(query); total > 4*in { // a foreign byte becomes three
			t.Fatalf("%d bytes from %d", total, in)
		}
		seen := map[string]bool{}
		for _, reason := range r.Faults {
			if seen[reason] || !slices.Contains(reasons, reason) {
				t.Fatalf("faults %q", r.Faults)
			}
			seen[reason] = true
		}
		if again, err := ReadReply(encodeReply(r)); err != nil || r.CRes != again.CRes || r.PaRes != again.PaRes || r.MD != again.MD ||
			r.SessionData != again.SessionData || r.MethodData != again.MethodData || r.Erro != again.Erro || len(r.Extra) != len(again.Extra) {
			t.Fatalf("%v, posted again, is %v (%v)", r, again, err)
		}
	})
}

// encodeReply posts what was read as a browser would.
func encodeReply(r Reply) *http.Request {
	form := url.Values{}
	for i, k := range knownFields {
		form.Set(k.name, *r.field(i))
	}
	for k, v := range r.Extra {
		form.Set(k, v)
	}
	return post(formType, form.Encode(), "")
}

func FuzzBrowserData(f *testing.F) {
	f.Add("text/html", "Mozilla/5.0", "ru-RU,ru;q=0.9", "203.0.113.7:80", "ru", "24", "1080", "1920", "-300", "false", "true")
	f.Add("*/*\x00", strings.Repeat("я", 1500), "*,en_US;q=0", "fe80::1%eth0", "zh-Hans-CN", "30", "-1", "1.5", " 300", "undefined", "")
	for _, v := range readVectors(f) {
		if v.Kind == "browser_data" {
			m := into[map[string]string](f, v.Input)
			f.Add("", "", "", "", m["browserLanguage"], m["browserColorDepth"], m["browserScreenHeight"], m["browserScreenWidth"], m["browserTZ"],
				m["browserJavaEnabled"], m["browserJavascriptEnabled"])
		}
	}
	depth := regexp.MustCompile(`^(|1|4|8|15|16|24|32|48)$`)
	screen := regexp.MustCompile(`^[0-9]{0,6}$`)
	zone := regexp.MustCompile(`^(|-?[0-9]{1,3})$`)
	tag := regexp.MustCompile(`^(|[A-Za-z]{2,8}(-[A-Za-z0-9]+)*)$`)
	f.Fuzz(func(t *testing.T, accept, ua, langs, ip, lang, cd, h, w, tz, java, js string) {
		header := http.Header{"Accept": {accept}, "User-Agent": {ua}, "Accept-Language": {langs}}
		form := url.Values{"browserLanguage": {lang}, "browserColorDepth": {cd}, "browserScreenHeight": {h}, "browserScreenWidth": {w},
			"browserTZ": {tz}, "browserJavaEnabled": {java}, "browserJavascriptEnabled": {js}}
		b := ReadBrowserData(header, ip, form)
		for _, s := range []string{b.AcceptHeader, b.UserAgent} {
			if len(s) > 2048 || !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\r\n") {
				t.Fatalf("header %q", s)
			}
		}
		if a, err := netip.ParseAddr(b.IP); b.IP != "" && (err != nil || a.Zone() != "" || a.String() != b.IP || len(b.IP) > 45) {
			t.Fatalf("address %q", b.IP)
		}
		if len(b.Language) > 8 || !tag.MatchString(b.Language) || !depth.MatchString(b.ColorDepth) || !zone.MatchString(b.TZ) ||
			!screen.MatchString(b.ScreenHeight) || !screen.MatchString(b.ScreenWidth) || len(b.AcceptLanguage) > 99 {
			t.Fatalf("%+v", b)
		}
		// Normalising what is normal changes nothing.
		again := ReadBrowserData(http.Header{"Accept": {b.AcceptHeader}, "User-Agent": {b.UserAgent}, "Accept-Language": {strings.Join(b.AcceptLanguage, ",")}}, b.IP,
			url.Values{"browserLanguage": {b.Language}, "browserColorDepth": {b.ColorDepth}, "browserScreenHeight": {b.ScreenHeight}, "browserScreenWidth": {b.ScreenWidth},
				"browserTZ": {b.TZ}, "browserJavaEnabled": {boolText(b.JavaEnabled)}, "browserJavascriptEnabled": {boolText(b.JavascriptEnabled)}})
		if d := cmp.Diff(b, again); d != "" {
			t.Fatal(d)
		}
	})
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
