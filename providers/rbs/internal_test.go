package rbs

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"tollgate/internal/money"
	"tollgate/providers"
)

// Checksum signs a callback as a gateway does: written apart from the code that checks it.
func Checksum(key string, v url.Values) string {
	var pairs []string
	for name := range v {
		if name != "checksum" && name != "sign_alias" {
			pairs = append(pairs, name+";"+v.Get(name)+";")
		}
	}
	slices.Sort(pairs)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(strings.Join(pairs, "")))
	return strings.ToUpper(hex.EncodeToString(mac.Sum(nil)))
}

func TestMaskDigits(t *testing.T) {
	for in, want := range map[string]string{
		"card 4111111111111111 refused":        "card 411111…1111 refused",
		"4111 1111-1111.1111":                  "411111…1111",
		"12345678901":                          "12345678901",
		"order 0179018d-8f96-7fbe-bc2b":        "order 0179018d-8f96-7fbe-bc2b",
		"4111111111111111111111":               "411111…1111",
		"4111  1111  1111  1111":               "4111  1111  1111  1111", // two blanks: four numbers
		"a1b22":                                "a1b22",
		"":                                     "",
		"4000019900020001/4000019900020704 ok": "400001…0001/400001…0704 ok",
	} {
		if got := maskDigits(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func seeds(f *testing.F) (out [][]byte) {
	names, err := filepath.Glob("testdata/answers/*.json")
	if err != nil || len(names) == 0 {
		f.Fatal("no answers to start from")
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// Whatever a gateway answers, the reader neither breaks nor says more than the answer does.
func FuzzAnswer(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	eur, err := money.ParseCurrency("EUR")
	if err != nil {
		f.Fatal(err)
	}
	g := &provider{threeDS1: ThreeDS1Gateway, threeDS2: ThreeDS2Finish, languages: []string{"en"}}
	p := providers.Payment{Ref: providers.Ref{Reference: "A-1", OrderID: "o-1"}, Amount: money.Amount{Minor: 2000, Currency: eur}}
	f.Fuzz(func(t *testing.T, body []byte) {
		members, err := decode(body)
		if err != nil {
			return
		}
		o := object{members, []string{"4000001111111118"}}
		if code, refused := o.refused(); refused && (code == "" || len(code) > 16) {
			t.Fatalf("refused with code %q", code)
		}
		st, err := standing(p, o)
		if err == nil {
			switch st.Outcome {
			case providers.Paid, providers.Authorized:
				if s := o.text("orderStatus"); strings.Trim(s, "0124") != "" {
					t.Fatalf("orderStatus %q is %s", s, st.Outcome)
				}
			case providers.Refused:
				if strings.TrimLeft(o.text("orderStatus"), "0") != "6" || st.Decline == nil {
					t.Fatalf("orderStatus %q is %s %v", o.text("orderStatus"), st.Outcome, st.Decline)
				}
			case "":
				t.Fatal("no outcome")
			}
			if st.Captured < 0 || st.Refunded < 0 || st.Held < 0 || st.Amount.Minor < 0 {
				t.Fatalf("negative sums: %+v", st)
			}
		}
		if refusal(o) && o.text("acsUrl", "acsURL") == "" && methodServer(o) == "" {
			return // would ask the gateway
		}
		s, err := g.step(t.Context(), p, opPay, o)
		if err != nil {
			return
		}
		for _, form := range s.Forms {
			if u, err := url.Parse(form.Action); err != nil || u.Scheme != "https" || u.Host == "" {
				t.Fatalf("a form goes to %q", form.Action)
			}
		}
		if !slices.Contains([]providers.Kind{providers.Method, providers.Challenge, providers.PayerPage, providers.Finished}, s.Kind) {
			t.Fatalf("step %s", s.Kind)
		}
		if w := o.words("errorMessage"); !utf8.ValidString(w) || len([]rune(w)) > 5*maxWords || strings.Contains(w, "4000001111111118") {
			t.Fatalf("words %q", w)
		}
	})
}

// No callback without the key's checksum is taken, and none breaks the reader.
func FuzzCallback(f *testing.F) {
	f.Add("GET", "mdOrder=a&operation=deposited&orderNumber=1&status=1&checksum=AA", "")
	f.Add("POST", "", "mdOrder=a&checksum=EAF2FB72CAB99FD5067F4BA493DD84F4D79C1589FDE8ED29622F0F07215AA972")
	g := &provider{secret: NewSecret("a key that nobody guesses")}
	f.Fuzz(func(t *testing.T, method, query, body string) {
		r := httptest.NewRequest(http.MethodPost, "/callbacks/rbs", strings.NewReader(body))
		r.Method, r.URL.RawQuery = method, query
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if n, err := g.Notified(r); err != providers.ErrForged || n != (providers.Notice{}) {
			t.Fatalf("taken: %+v, %v", n, err)
		}
		if method != http.MethodGet {
			return
		}
		// The same with a good checksum is taken, whatever else is in it, unless it is ambiguous.
		v, err := url.ParseQuery(query)
		if err != nil || len(query) > maxCallback/2 || len(v) > maxParams/2 {
			return
		}
		for name, values := range v {
			if len(values) != 1 || strings.Contains(name, ";") {
				return
			}
		}
		v.Del("checksum")
		sum := Checksum("a key that nobody guesses", v)
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		if slices.ContainsFunc(names, func(n string) bool { return strings.ContainsFunc(n, func(r rune) bool { return r < ';' }) }) {
			return // sorting "name;value;" and sorting names differ there
		}
		v.Set("checksum", sum)
		r = httptest.NewRequest(http.MethodGet, "/callbacks/rbs", nil)
		r.URL.RawQuery = v.Encode()
		if _, err := g.Notified(r); err != nil && len(r.URL.RawQuery) <= maxCallback {
			t.Fatalf("%q refused: %v", r.URL.RawQuery, err)
		}
	})
}
