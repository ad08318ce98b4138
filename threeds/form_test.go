package threeds

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFormsCarryExactlyTheFieldsOfTheProtocol(t *testing.T) {
	const folded = "eJx\r\n+/=="
	for name, c := range map[string]struct {
		form Form
		want string
	}{
		"method":                     {MethodForm("https://a/m", "e30"), `{"action":"https://a/m","fields":[{"name":"threeDSMethodData","value":"e30"}]}`},
		"3DS Server frame of RBS":    {MethodForm("https://a/m", ""), `{"action":"https://a/m","fields":[]}`},
		"challenge":                  {ChallengeForm("https://a/c", "e30=", "dG9r"), `{"action":"https://a/c","fields":[{"name":"creq","value":"e30="},{"name":"threeDSSessionData","value":"dG9r"}]}`},
		"challenge, no session":      {ChallengeForm("https://a/c", "e30", ""), `{"action":"https://a/c","fields":[{"name":"creq","value":"e30"}]}`},
		"3DS 1.0.2 with an empty MD": {PayerAuthForm("https://a/p", folded, "https://m/t", ""), `{"action":"https://a/p","fields":[{"name":"PaReq","value":"eJx\r\n+/=="},{"name":"TermUrl","value":"https://m/t"},{"name":"MD","value":""}]}`},
	} {
		b, err := json.Marshal(c.form)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, string(b)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestCheckURLAcceptsTheAddressesOfBanks(t *testing.T) {
	for _, c := range []struct {
		raw, want string
		sandbox   bool
	}{
		{"https://acs.bank.kz/creq?a=b;c|d%20#x", "https://acs.bank.kz/creq?a=b;c|d%20#x", false},
		{"  https://acs.bank.kz:8443/\r\n", "https://acs.bank.kz:8443/", false},
		{"HTTPS://ACS.Bank.KZ/", "HTTPS://ACS.Bank.KZ/", false},
		{"https://203.0.113.9/x", "https://203.0.113.9/x", false},
		{"https://[2001:db8::1]/x", "https://[2001:db8::1]/x", false},
		{"example.com/3dsserver/gatherClientInfo?x=1", "https://example.com/3dsserver/gatherClientInfo?x=1", false},
		{"example.com:8443/x", "https://example.com:8443/x", false},
		{"//example.com/x", "https://example.com/x", false},
		{"http://localhost:8081/acs", "http://localhost:8081/acs", true},
		{"http://127.0.0.1:8081/acs", "http://127.0.0.1:8081/acs", true},
		{"http://[::1]:8081/acs", "http://[::1]:8081/acs", true},
		{"https://acs.bank.kz/", "https://acs.bank.kz/", true},
		{"localhost:8081/acs", "http://localhost:8081/acs", true},
		{"example.com/x", "https://example.com/x", true},
		{"https://a.kz/" + strings.Repeat("x", MaxURL-13), "https://a.kz/" + strings.Repeat("x", MaxURL-13), false},
	} {
		got, err := CheckURL(c.raw, c.sandbox)
		if err != nil || got != c.want {
			t.Errorf("CheckURL(%q, %v) = %q, %v; want %q", c.raw, c.sandbox, got, err, c.want)
		}
		again, err := CheckURL(got, c.sandbox)
		if err != nil || again != got {
			t.Errorf("CheckURL(%q) is not stable: %q, %v", got, again, err)
		}
	}
}

func TestCheckURLRefusesWhatABrowserMustNotOpen(t *testing.T) {
	for raw, reason := range map[string]string{
		"":                                     ReasonEmpty,
		" \r\n":                                ReasonEmpty,
		"javascript:alert(1)":                  ReasonBadURL,
		"JavaScript://acs.bank.kz/%0aalert(1)": ReasonBadURL,
		"java\nscript:alert(1)":                ReasonBadURL,
		"data:text/html,x":                     ReasonBadURL,
		"vbscript:x":                           ReasonBadURL,
		"blob:https://a.kz/1":                  ReasonBadURL,
		"file:///etc/passwd":                   ReasonBadURL,
		"ftp://a.kz/":                          ReasonBadURL,
		"http://acs.bank.kz/":                  ReasonBadURL,
		"https://bank.kz@evil.example/":        ReasonBadURL,
		"https://@evil.example/":               ReasonBadURL,
		`https://evil.example\@bank.kz/`:       ReasonBadURL,
		`https://a.kz/" onload="x`:             ReasonBadURL,
		"https://a.kz/'":                       ReasonBadURL,
		"https://a.kz/<b>":                     ReasonBadURL,
		"https://a.kz/a b":                     ReasonBadURL,
		"https://a.kz/\x00":                    ReasonBadURL,
		"https://a.kz/\x7f":                    ReasonBadURL,
		"https://аcs.bank.kz/":                 ReasonBadURL, // Cyrillic а
		"https:///x":                           ReasonBadURL,
		"https:a.kz/x":                         ReasonBadURL,
		"/relative":                            ReasonBadURL,
		"foo/bar":                              ReasonBadURL,
		"?x":                                   ReasonBadURL,
		"https://a.kz:0/":                      ReasonBadURL,
		"https://a.kz:65536/":                  ReasonBadURL,
		"https://a.kz:x/":                      ReasonBadURL,
		"https://localhost/":                   ReasonBadURL,
		"https://LOCALHOST./":                  ReasonBadURL,
		"https://x.localhost/":                 ReasonBadURL,
		"https://127.9.9.9/":                   ReasonBadURL,
		"https://0.0.0.0/":                     ReasonBadURL,
		"https://[::1]/":                       ReasonBadURL,
		"https://[::ffff:127.0.0.1]/":          ReasonBadURL,
		"https://[fe80::1%25eth0]/":            ReasonBadURL,
		"https://2130706433/":                  ReasonBadURL,
		"https://0x7f.1/":                      ReasonBadURL,
		"https://127.1/":                       ReasonBadURL,
		"https://0177.0.0.1/":                  ReasonBadURL,
		"https://a..kz/":                       ReasonBadURL,
		"https://a.kz/%zz":                     ReasonBadURL,
		"https://a.kz/" + strings.Repeat("x", MaxURL): ReasonTooLarge,
		"a.kz/" + strings.Repeat("x", MaxURL-5):       ReasonTooLarge,
	} {
		got, err := CheckURL(raw, false)
		if ReasonOf(err) != reason || got != "" {
			t.Errorf("CheckURL(%q) = %q, %v; want %s", raw, got, err, reason)
		}
	}
	if got, err := CheckURL("http://acs.bank.kz/", true); err == nil {
		t.Errorf("the sandbox may use plain http for loopback hosts only, got %q", got)
	}
}

func TestCompleteURLTouchesOnlyBareHosts(t *testing.T) {
	for raw, want := range map[string]string{
		"example.com/x":       "https://example.com/x",
		"//example.com/x":     "https://example.com/x",
		"localhost:8081/x":    "https://localhost:8081/x",
		"http://example.com/": "http://example.com/",
		"javascript:alert(1)": "javascript:alert(1)",
		"/x":                  "/x",
		"//":                  "//",
		"":                    "",
	} {
		if got := CompleteURL(raw); got != want {
			t.Errorf("CompleteURL(%q) = %q, want %q", raw, got, want)
		}
	}
}
