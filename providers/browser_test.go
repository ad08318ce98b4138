package providers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tollgate/providers"
	"tollgate/threeds"
)

// What a browser does not tell is the plainest legal value; what it tells stays as it is.
func TestMissingBrowserDataIsCompletedWithDefaults(t *testing.T) {
	p := providers.Payment{Locale: "kk", Customer: providers.Customer{IP: "192.0.2.7"}}
	told := threeds.BrowserData{
		AcceptHeader: "text/html", UserAgent: "Lynx", IP: "192.0.2.8", Language: "ru", JavaEnabled: true, JavascriptEnabled: true,
		ColorDepth: "32", ScreenHeight: "864", ScreenWidth: "1536", TZ: "-300",
	}
	if diff := cmp.Diff(told, providers.Browser(p, told)); diff != "" {
		t.Error("told: ", diff)
	}
	script := threeds.BrowserData{
		AcceptHeader: "*/*", UserAgent: "unknown", IP: "192.0.2.7", Language: "kk", JavascriptEnabled: true,
		ColorDepth: "24", ScreenHeight: "0", ScreenWidth: "0", TZ: "0",
	}
	if diff := cmp.Diff(script, providers.Browser(p, threeds.BrowserData{JavascriptEnabled: true})); diff != "" {
		t.Error("with script: ", diff)
	}
	bare := threeds.BrowserData{AcceptHeader: "*/*", UserAgent: "unknown", IP: "192.0.2.7", Language: "en"}
	p.Locale = ""
	if diff := cmp.Diff(bare, providers.Browser(p, threeds.BrowserData{})); diff != "" {
		t.Error("without script: ", diff)
	}
	if providers.BrowserKnown(threeds.BrowserData{}) || !providers.BrowserKnown(threeds.BrowserData{UserAgent: "Lynx"}) {
		t.Error("a merchant's own charge has no browser, a shopper has one")
	}
}

// What the inquiry's totals prove of an operation; totals that the gateway did not state prove nothing.
func TestWhatTheTotalsOfAnInquiryProveOfAnOperation(t *testing.T) {
	paid := providers.Standing{Outcome: providers.Paid, Held: 100, Captured: 100, Refunded: 40}
	for _, c := range []struct {
		name     string
		stated   bool
		refunded int64
		want     providers.OpState
	}{
		{"as before", true, 40, providers.OpMissing},
		{"as before, supposed", false, 40, providers.OpPending},
		{"grown by it", true, 50, providers.OpSucceeded},
		{"grown by it, supposed", false, 50, providers.OpPending},
		{"grown by less", true, 45, providers.OpPending},
		{"shrunk", true, 0, providers.OpPending},
	} {
		now := paid
		now.Stated, now.Refunded = c.stated, c.refunded
		op := providers.Op{Kind: providers.Refund, Standing: paid}
		op.Amount.Minor = 10
		if got := now.RefundSeen(op); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
