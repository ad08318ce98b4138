package threeds

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vector is one entry of testdata/threeds.json: the published and computed cases of the protocol facts.
type vector struct {
	Name   string
	Kind   string
	Input  json.RawMessage
	Expect struct {
		Decode       map[string]any
		DecodeSubset map[string]any    `json:"decode_subset"`
		DecodeText   *string           `json:"decode_text"`
		DecodeFields map[string]string `json:"decode_fields"`
		Fields       map[string]string
		Encode       string
		SameAs       string `json:"same_as"`
		Reject       string
		RejectField  string `json:"reject_field"`
	}
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/threeds.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(b, &vs); err != nil {
		t.Fatal(err)
	}
	if len(vs) < 68 {
		t.Fatalf("only %d vectors", len(vs))
	}
	return vs
}

func into[T any](t testing.TB, raw json.RawMessage) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// text expands {"repeat": …, "count": …}.
func text(t testing.TB, raw json.RawMessage) string {
	t.Helper()
	if len(raw) > 0 && raw[0] == '{' {
		g := into[struct {
			Repeat string
			Count  int
		}](t, raw)
		return strings.Repeat(g.Repeat, g.Count)
	}
	return into[string](t, raw)
}

// members is a decoded value as a JSON reader sees it.
func members(t testing.TB, v any) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return into[map[string]any](t, b)
}

type crInput struct {
	Value   string
	Context struct {
		ThreeDSServerTransID, AcsTransID, MessageVersion string
	}
}

type postInput struct {
	Method, Query string
	ContentType   string `json:"content_type"`
	Body          json.RawMessage
}

func (p postInput) request(t testing.TB) *http.Request {
	t.Helper()
	return post(p.ContentType, text(t, p.Body), p.Query)
}

// paths flattens a PaReq or PaRes into the paths that the vectors use.
func paths(q PaReq, s PaRes) map[string]string {
	all := map[string]string{
		"Message.id": q.MessageID + s.MessageID, "PARes.id": s.ID, "version": q.Version + s.Version,
		"TX.status": s.TX.Status, "TX.eci": s.TX.ECI, "TX.cavv": s.TX.CAVV,
		"CH.acctID": q.AcctID, "CH.expiry": q.Expiry,
	}
	m, p := q.Merchant, q.Purchase
	if s.ID != "" {
		m, p = s.Merchant, s.Purchase
	}
	maps.Copy(all, map[string]string{
		"Merchant.acqBIN": m.AcqBIN, "Merchant.merID": m.MerID, "Merchant.name": m.Name, "Merchant.country": m.Country, "Merchant.url": m.URL,
		"Purchase.xid": p.XID, "Purchase.date": p.Date, "Purchase.amount": p.Amount, "Purchase.purchAmount": p.PurchAmount,
		"Purchase.currency": p.Currency, "Purchase.exponent": p.Exponent,
		"Purchase.Recur.frequency": p.RecurFrequency, "Purchase.Recur.endRecur": p.RecurEnd,
	})
	if s.Error != nil {
		all["Error.errorCode"] = s.Error.Code
	}
	return all
}

func TestVectors(t *testing.T) {
	vectors := readVectors(t)
	byName := map[string]vector{}
	for _, v := range vectors {
		byName[v.Name] = v
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			var got any    // compared with decode, decode_subset
			var str string // compared with encode, decode_text
			var reasons []string
			var fields map[string]string
			var err error
			switch v.Kind {
			case "method_data_request":
				got, err = DecodeMethodData(text(t, v.Input))
			case "method_data_request_encode":
				str, err = EncodeMethodData(into[MethodData](t, v.Input))
			case "method_notification":
				var id string
				id, err = DecodeMethodNotification(text(t, v.Input))
				got = map[string]string{"threeDSServerTransID": id}
			case "creq":
				got, err = DecodeCReq(text(t, v.Input))
			case "creq_encode":
				str, err = EncodeCReq(into[CReq](t, v.Input))
			case "cres":
				in := into[crInput](t, v.Input)
				ids := IDs{in.Context.ThreeDSServerTransID, in.Context.AcsTransID, in.Context.MessageVersion}
				var c *CRes
				var e *Erro
				if c, e, err = PeekCRes(in.Value); err == nil && c != nil {
					got, err = *c, c.Check(ids)
				} else if err == nil {
					got, err = *e, e.Check(ids)
				}
			case "session_data":
				r := Reply{}
				if string(v.Input) != "null" {
					r.SessionData = text(t, v.Input)
				}
				var b []byte
				b, err = r.Session()
				str = string(b)
			case "pares":
				var p PaRes
				p, err = PeekPaRes(text(t, v.Input))
				fields = paths(PaReq{}, p)
			case "pareq":
				var p PaReq
				p, err = PeekPaReq(text(t, v.Input))
				fields = paths(p, PaRes{})
				got = p
			case "form_post":
				var r Reply
				r, err = ReadReply(into[postInput](t, v.Input).request(t))
				reasons = r.Faults
				fields = map[string]string{"cres": r.CRes, "threeDSMethodData": r.MethodData}
			case "browser_data":
				form := url.Values{}
				for k, s := range into[map[string]string](t, v.Input) {
					form.Set(k, s)
				}
				got = ReadBrowserData(http.Header{}, "", form)
			default:
				t.Fatalf("unknown kind %q", v.Kind)
			}

			e := v.Expect
			if e.Reject != "" {
				if err != nil {
					reasons = append(reasons, ReasonOf(err))
				}
				if !slices.Contains(reasons, e.Reject) {
					t.Fatalf("reasons %q (%v), want %q", reasons, err, e.Reject)
				}
				return
			}
			if err != nil || len(reasons) > 0 {
				t.Fatalf("refused: %v %v", err, reasons)
			}
			checked := 0
			if e.Decode != nil {
				checked++
				if d := cmp.Diff(e.Decode, members(t, got)); d != "" {
					t.Error(d)
				}
			}
			for k, want := range e.DecodeSubset {
				checked++
				if d := cmp.Diff(want, members(t, got)[k]); d != "" {
					t.Error(k, d)
				}
			}
			want := maps.Clone(e.DecodeFields)
			if e.Fields != nil {
				want = e.Fields
			}
			for k, w := range want {
				checked++
				if g, ok := fields[k]; !ok || g != w {
					t.Errorf("%s = %q, want %q", k, g, w)
				}
			}
			if e.Encode != "" || e.DecodeText != nil {
				checked++
				w := e.Encode
				if e.DecodeText != nil {
					w = *e.DecodeText
				}
				if str != w {
					t.Errorf("got %q, want %q", str, w)
				}
			}
			if e.SameAs != "" {
				checked++
				other, err := PeekPaReq(text(t, byName[e.SameAs].Input))
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(any(other), got); d != "" {
					t.Error(d)
				}
			}
			if e.RejectField != "" {
				checked++
				if g, ok := members(t, got)[e.RejectField]; ok {
					t.Errorf("%s = %q, want it dropped", e.RejectField, g)
				}
			}
			if checked == 0 {
				t.Fatal("the vector expects nothing that this test knows")
			}
		})
	}
}
