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

// While a refund has no answer somebody refunds in the gateway's cabinet. Where all that was ever given back is less than ours asked
// for, ours is not among it.
func TestLessGivenBackInAllThanARefundAskedForIsNoSignOfIt(t *testing.T) {
	for _, c := range []struct {
		name                         string
		before, asked, captured, now int64
		stated                       bool
		want                         providers.OpState
	}{
		{"of all, and a part is back", 0, 100, 100, 40, true, providers.OpMissing},
		{"of a part, and a smaller one is back", 0, 60, 100, 59, true, providers.OpMissing},
		{"as much is back as was asked for", 0, 60, 100, 60, true, providers.OpSucceeded},
		{"more, and less than it asked for, after another refund", 10, 60, 100, 50, true, providers.OpMissing},
		{"more than it asked for, less than both: the other may be undone", 40, 50, 100, 60, true, providers.OpPending},
		{"fewer are back than before", 40, 60, 100, 30, true, providers.OpPending},
		{"supposed", 0, 100, 100, 40, false, providers.OpPending},
		{"told of what is left of the money", 0, 100, 60, 40, true, providers.OpPending},
	} {
		op := providers.Op{Kind: providers.Refund, Standing: providers.Standing{Outcome: providers.Paid, Held: 100, Captured: 100, Refunded: c.before}}
		op.Amount.Minor = c.asked
		now := providers.Standing{Outcome: providers.Paid, Held: 100, Captured: c.captured, Refunded: c.now, Stated: c.stated}
		if got := now.RefundSeen(op); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// An operation whose first inquiry failed is compared with our books, which name what was held before it was taken.
func TestAPaymentThatIsTakenIsUnmovedWhetherItsHoldIsNamedOrNot(t *testing.T) {
	books := providers.Standing{Outcome: providers.Paid, Held: 100, Captured: 100}
	now := providers.Standing{Outcome: providers.Paid, Captured: 100, Stated: true}
	op := providers.Op{Kind: providers.Refund, Standing: books}
	op.Amount.Minor = 10
	if got := now.RefundSeen(op); !now.Unmoved(books) || got != providers.OpMissing {
		t.Errorf("unmoved %v, %s", now.Unmoved(books), got)
	}
	held := providers.Standing{Outcome: providers.Authorized, Held: 100}
	if less := (providers.Standing{Outcome: providers.Authorized, Held: 60}); less.Unmoved(held) {
		t.Error("a hold of another sum is the same")
	}
}
