package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// told are worlds that an earlier state of the program did not stand, as they went on with it. In most it took an attempt whose
// permission to call had been lost, while the call had gone out, for one that never called.
var told = []struct {
	profile, account string
	seed             uint64
	story            string
}{
	{"failover", "cashier", 46, "The front dies with the answer of the authorization. A second failover loses the call's " +
		"permission. After its deadline the attempt is failed, the shopper types the same card: charged twice."},
	{"failover", "cashier", 129, "The front dies while the authorization is on its way; another failover loses what was " +
		"learned meanwhile. Another card, charged twice, and the first attempt is failed for ever."},
	{"failover", "rbs", 46, "As cashier 46, with paymentorder.do; the first attempt is failed for ever."},
	{"failover", "rbs", 138, "The permission is lost; the shopper gives up at a page that says that nothing was charged. " +
		"The session expires."},
	{"failover", "transactworld", 40, "The front dies with the answer, the other asks and dies too, the permission is lost: " +
		"failed, and charged."},
	{"failover", "transactworld", 147, "The permission is lost; a second card is declined, a third is taken: charged twice."},
	{"lag", "payneteasy", 55, "Sale and callback were both stored and both lost; the third card is taken: charged twice, " +
		"the first failed."},
	{"lag", "payneteasy", 58, "The front dies before the sale is answered, and the callback is lost: the same card again, " +
		"charged twice. For another shopper the permission was lost before the call left: there it is right to say that " +
		"nothing was charged."},
	{"storm", "sber", 19, "The front was started again since the order, and nobody is logged in: before the session ends the gateway " +
		"is to be asked, and says nothing without its customer. It was asked each minute for a day."},
	{"storm", "sber", 21, "As sber 19."},
}

// crowded are told worlds of twelve shoppers at all accounts of their profile.
var crowded = []struct {
	profile string
	seed    uint64
	story   string
}{
	{"operations", 2026, "A refund of all is cut off before it arrives, and a part is given back in the cabinet: the gateway seemed to " +
		"work on ours for ever, a person was asked after a week, and until then our books said that nothing was given back. clocks " +
		"2026 was the same."},
	{"operations", 5072, "The request of a void is cut off, and the whole hold is captured in the cabinet: nothing that TransactWorld says of the " +
		"payment was a sign for or against the void, unknown for a week."},
	{"punctual", 9, "An inquiry is asked before a refund, and answered after it was done and seen: told as undone, and then as somebody else's refund."},
	{"clocks", 4028, "The clocks of two machines differ by 158 s. The one that is behind sends a payout and dies, the one that is ahead hears " +
		"\"not found\" twice within two seconds, after what it takes for deadline and settle_after: declined, and then the request arrives."},
	{"swarm", 2058, "Nobody sends a refund, because the inquiry before it has no answer, and the first inquiry after it has none " +
		"either: what is compared with our books never agrees with them, though nothing was given back."},
}

// lost are worlds in which a permission to call is lost while the call is out. How a world goes on depends on the order of
// the program's commits: where that changes, the test says so, and others are to be found.
var lost = []struct {
	profile, account string
	seed             uint64
}{
	{"failover", "cashier", 8}, {"failover", "cashier", 17}, {"failover", "rbs", 5}, {"failover", "rbs", 6},
	{"failover", "transactworld", 1}, {"failover", "transactworld", 5}, {"lag", "payneteasy", 1}, {"lag", "payneteasy", 4},
}

// What the program once did wrong it does right.
func TestSeedsThatOnceFoundAFaultPass(t *testing.T) {
	for _, c := range told {
		t.Run(fmt.Sprint(c.account, "/", c.seed), func(t *testing.T) {
			p := profiles[c.profile]
			p.Accounts = []string{c.account}
			run(t, c.seed, p)
		})
	}
	for _, c := range crowded {
		t.Run(fmt.Sprint(c.profile, "/", c.seed), func(t *testing.T) { run(t, c.seed, profiles[c.profile].crowdedBy(12)) })
	}
}

// A failover loses the permission of a call that is out, at each gateway.
func TestAPermissionLostInAFailoverProvesNothing(t *testing.T) {
	reached := map[string]bool{}
	for _, c := range lost {
		t.Run(fmt.Sprint(c.account, "/", c.seed), func(t *testing.T) {
			p := profiles[c.profile]
			p.Accounts = []string{c.account}
			_, trace := run(t, c.seed, p)
			reached[c.account] = reached[c.account] || slices.ContainsFunc(trace, func(s string) bool {
				return strings.Contains(s, "FAILOVER") && strings.Contains(s, "+gateway_call")
			})
		})
	}
	for account, ok := range reached {
		if !ok {
			t.Errorf("%s: no seed of the list loses a permission to call any more: look for others with make simulate", account)
		}
	}
}

// first are the worlds of each run: the same, so that a failure is a change's. Each profile has seeds of its own, because the people
// of a seed are the same in each of them. make simulate looks at new ones; a seed that fails there is a fault that was found, and
// joins the lists above.
var first = []struct {
	profile  string
	from, to uint64
}{
	{"calm", 1, 2}, {"clocks", 11, 13}, {"failover", 21, 24}, {"forgotten", 31, 33}, {"gateways", 41, 44}, {"lag", 51, 53},
	{"line", 111, 113}, {"operations", 61, 64}, {"promotion", 71, 72}, {"punctual", 121, 123}, {"shapes", 81, 84}, {"storm", 91, 93}, {"swarm", 101, 106},
}

// required are situations that the first worlds have to reach: else the worlds are too small to prove anything.
var required = []string{
	"a payment by card", "a payment on the gateway's page", "a payment by QR code", "a payment by SberPay", "a payment that saves the card",
	"a payment with a saved card", "a charge by the shop", "a transfer", "a payout of cashier", "a payout of transactworld", "an invoice",
	"a card is registered alone", "a virtual card that is issued",
	"an order of rbs", "an order of payneteasy", "an order of sber", "an order of cashier", "an order of transactworld",
	"a page: card", "a page: bank", "a page: method", "a page: login", "a page: end", "a page: wait", "a page: scan", "a page: start", "a page: choose",
	"a shopper sees the end", "a shopper gives up at the card form", "a shopper cancels", "a shopper takes another card",
	"a shopper goes on with an old page", "a shopper comes back in another browser", "a second tab", "a second browser", "a card is typed in two tabs",
	"an attempt: paid", "an attempt: authorized", "an attempt: declined", "an attempt: failed", "an attempt: abandoned",
	"a session: paid", "a session: refunded", "a session: partially_refunded", "a session: voided", "a session: expired", "a session: cancelled",
	"an operation: refunds", "an operation: capture", "an operation: void", "an operation ended as succeeded", "an operation ended as failed",
	"the cabinet: refund", "the cabinet: capture",
	"a kill: before the", "a kill: after the", "a kill: at status.answered", "a kill: at resume.answered", "a commit whose answer is lost",
	"a failover that lost +event", "a failover that lost +gateway_call", "a failover that lost +run",
	"a crash of the gateways", "a forged callback", "a clock that is wrong", "a clock that jumps",
	"a gateway answers 500 and did it", "a gateway hangs up and did it", "a callback comes late", "a callback does not come",
	"a receiver that is down", "a receiver that is slow", "a receiver that takes and fails",
	"an order id that is used again: 201", "an order id that is used again: 409",
}

func TestNothingGoesWrongInTheFirstWorldsOfEachProfile(t *testing.T) {
	reached := map[string]int{}
	for _, f := range first {
		t.Run(f.profile, func(t *testing.T) {
			var sum Tally
			for seed := f.from; seed <= f.to; seed++ {
				tally, _ := run(t, seed, profiles[f.profile])
				sum.add(tally)
			}
			p := profiles[f.profile]
			if sum.Paid == 0 || p.Kills > 0 && sum.Kills == 0 || p.NetRate > 0 && sum.Faults == 0 || p.Lose > 0 && (sum.Failovers == 0 || sum.Lost == 0) {
				t.Errorf("too little happened: %v", sum)
			}
			t.Log(sum)
			for what, n := range sum.Reached {
				reached[what] += n
			}
		})
	}
	if t.Failed() {
		return
	}
	for _, what := range required {
		if reached[what] == 0 {
			t.Errorf("not once: %s", what)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(reached)) {
		t.Logf("reached %5d × %s", reached[what], what)
	}
}

func TestEveryProfileIsLivedInEachRun(t *testing.T) {
	for name := range profiles {
		if !slices.ContainsFunc(first, func(f struct {
			profile  string
			from, to uint64
		}) bool {
			return f.profile == name
		}) {
			t.Errorf("no world of profile %s", name)
		}
	}
}
