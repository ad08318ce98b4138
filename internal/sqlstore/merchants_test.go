package sqlstore_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ofMerchants are the tables whose rows are a merchant's, or an account's, which several merchants may share.
var ofMerchants = []string{
	"session", "attempt", "run", "gateway_call", "event", "account_event", "webhook_endpoint", "webhook_delivery", "webhook_try", "webhook_signer",
	"saved_card", "met_customer", "card_order", "invoice", "idempotency", "credential", "unmatched_callback",
}

// upkeep are the statements that concern the rows of all merchants, and why: each looks after what waits or is over, a few rows
// at a time, and gives nothing of one merchant to another.
var upkeep = map[string]string{
	`^DELETE FROM idempotency WHERE \(merchant, key\) IN \(SELECT`:                                 "answers whose time is over are forgotten",
	`^DELETE FROM webhook_endpoint WHERE id IN \(SELECT`:                                           "addresses that sessions named are forgotten",
	`^SELECT id FROM webhook_delivery WHERE ended_at > 0`:                                          "deliveries that ended are forgotten",
	`^DELETE FROM webhook_(delivery|try) WHERE (id|delivery) IN \(\$1`:                             "of the deliveries just named",
	`^SELECT \(SELECT COUNT\(\*\) FROM session WHERE needs_review\)`:                               "counts for the metrics",
	`^SELECT COUNT\(\*\) FROM webhook_endpoint WHERE due_at > 0$`:                                  "a count for the metrics",
	`^SELECT account, COUNT\(\*\) FROM attempt WHERE live GROUP BY account$`:                       "counts for the metrics",
	`^SELECT .*EXISTS \(SELECT 1 FROM (account_)?event WHERE (pos IS NULL|merchant IS NULL)`:       "whether events wait for their place",
	`^SELECT DISTINCT COALESCE\(merchant, ''\) FROM event WHERE pos IS NULL LIMIT`:                 "whose events wait for their place",
	`^UPDATE (account_)?event SET pos = \$1 \+ fresh.place`:                                        "events get their place in the one order of all",
	`^UPDATE event SET merchant = \(SELECT merchant FROM session WHERE session.id = event.session`: "an event of an earlier version learns whose it is",
	`^SELECT .* FROM account_event WHERE pos > \$1 ORDER BY pos LIMIT \S+`:                         "the feed: each event goes to endpoints of its own merchant",
	`^SELECT EXISTS \(SELECT 1 FROM webhook_endpoint WHERE due_at > 0 AND due_at <= \$1`:           "whether an endpoint is due",
	`^UPDATE webhook_endpoint SET holder = `:                                                       "a worker takes endpoints that are due, and gives them back",
	`^UPDATE webhook_endpoint SET held_until = \$2 WHERE holder = \$1`:                             "a worker keeps those that it has taken",
	`^SELECT id, version FROM session WHERE id IN \(\$1`:                                           "the versions of sessions that are waited for, by their ids",
}

// named are conditions that hold a statement to one merchant, to one account, or to one row by its key.
var named = regexp.MustCompile(`\b(merchant|account|id|session|subject|token|endpoint|delivery|signer|num) = \$\d`)

// Of every statement that touches what is merchants': it names a merchant, an account or a row's key, which says whose it is; or a
// row that it writes does; or it is one of the upkeep's. So an operator may give each part of the merchants a database of its own,
// merchants of one account to one part. What this does not prove is that the named merchant is the one who asks: the tests of the
// contract do, with a rival in the same tables.
func crossesNoMerchants(t *testing.T, all map[string][]any) {
	t.Helper()
	used := map[string]bool{}
	touched := 0
	for _, query := range slices.Sorted(maps.Keys(all)) {
		owned := false
		for _, m := range regexp.MustCompile(`\b(?:FROM|JOIN|INTO|UPDATE) (\w+)\b`).FindAllStringSubmatch(query, -1) {
			owned = owned || slices.Contains(ofMerchants, m[1])
		}
		if !owned {
			continue
		}
		touched++
		if into, ok := strings.CutPrefix(query, "INSERT INTO "); ok {
			_, columns, _ := strings.Cut(into, "(")
			columns, _, _ = strings.Cut(columns, ")")
			if !regexp.MustCompile(`\b(merchant|session|subject|account|endpoint|delivery|signer)\b`).MatchString(columns) {
				t.Errorf("a row that does not say whose it is: %s", query)
			}
			continue
		}
		if named.MatchString(query) {
			continue
		}
		known := false
		for pattern := range upkeep {
			if regexp.MustCompile(pattern).MatchString(query) {
				known, used[pattern] = true, true
			}
		}
		if !known {
			t.Errorf("a statement that names neither a merchant nor an account nor a key: %s", query)
		}
	}
	if touched < 100 {
		t.Errorf("%d statements touch what is merchants'", touched)
	}
	for pattern, why := range upkeep {
		if !used[pattern] {
			t.Errorf("no statement is %s (%s)", pattern, why)
		}
	}
}
