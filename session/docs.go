package session

import (
	"fmt"
	"io"
	"strings"
	"time"

	"tollgate/providers"
)

// WriteDocs prints the transition table as a diagram and a table, and the inquiry schedule, for docs/transitions.md.
func WriteDocs(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# What can happen to an attempt\n\n" +
		"Generated from `session/transitions.go` and `session/schedule.go` by `go generate ./...`. Do not edit.\n\n" +
		"```mermaid\nstateDiagram-v2\n    [*] --> new\n")
	for _, t := range Transitions() {
		fmt.Fprintf(&b, "    %s --> %s: %s\n", t.From, t.To, t.Trigger)
	}
	b.WriteString("```\n\n| state | live | trigger | leads to |\n|---|---|---|---|\n")
	for _, t := range Transitions() {
		live := ""
		if t.From.Live() {
			live = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` |\n", t.From, live, t.Trigger, t.To)
	}
	b.WriteString("\nEvery pair that is not in the table is a conflict and changes nothing.\n\n# When the gateway is asked\n\n")
	fmt.Fprintf(&b, "- At once after each answer, callback and return; then every %s for %s and every %s until %s have passed.\n",
		fastFirst, fastTurn, fastLater, fastFor)
	fmt.Fprintf(&b, "- Then after %s, then every %s until %d days have passed; then `payment.needs_review`.\n",
		list(slowSchedule), plain(hourly), int(reviewAfter/(24*time.Hour)))
	b.WriteString("- A gateway that says it does not know itself (`unknown`) leaves the fast loop at once.\n")
	fmt.Fprintf(&b, "- While the shopper is at the bank: after %s, then every %s, and after %s every %s; "+
		"after %s the order is closed, or outlived.\n",
		list(shopperSchedule), plain(shopperThen), plain(lostAfter), plain(shopperAtEnd), plain(ChallengeWait))
	fmt.Fprintf(&b, "- After a failure that the gateway did not state itself: once more after %s.\n", list(recheckSchedule))
	fmt.Fprintf(&b, "- After a decline, where the gateway says that a final status may still change: once more after %s.\n",
		list(moments(declinedSchedule)))
	fmt.Fprintf(&b, "- After success: %s after the last news, then every %s, while a hold lives or until %s have passed "+
		"(the account's `follow_for`). A look without an answer is made again after %s, then every %s, for %s.\n",
		list(moments(lookSchedule)), plain(lookThen), plain(followForDefault), list(moments(slowSchedule)), plain(hourly),
		plain(lookAgainFor))
	fmt.Fprintf(&b, "- After a proved callback at once; further callbacks about the same payment cost one inquiry every %s.\n",
		CallbackGap)
	fmt.Fprintf(&b, "- After an operation that succeeded at once, and by the first two lines until the gateway's sums agree, where it "+
		"states them; then `operation.needs_review`.\n")
	fmt.Fprintf(&b, "- A 3DS Method is given up %s after its frames were shown.\n", MethodWait)
	fmt.Fprintf(&b, "- While inquiries of a payment under way have no answer, its outcome counts as unknown after %s. Where the gateway answers "+
		"429 or 503 it is not asked before Retry-After (without one: %s).\n", blindAfter, plain(providers.RetryAfter(&providers.Throttled{})))
	fmt.Fprintf(&b, "- An attempt that was left while its order is open is looked at after %s, then every %s until its order's life is over.\n",
		list(leftSchedule), plain(hourly))
	fmt.Fprintf(&b, "- Where the database may have forgotten an attempt, before a session ends that nobody is paying; without an answer again after "+
		"%s, then every %s, and where the customer logs in. After %s the session ends all the same.\n",
		list(moments(slowSchedule)), plain(hourly), plain(endsUnasked))
	b.WriteString(standingsTable())
	_, err := io.WriteString(w, b.String())
	return err
}

// moments are distances as times since the first.
func moments(distances []time.Duration) []time.Duration {
	at, all := time.Duration(0), []time.Duration{}
	for _, d := range distances {
		at += d
		all = append(all, at)
	}
	return all
}

func list(ds []time.Duration) string {
	names := make([]string, len(ds))
	for i, d := range ds {
		names[i] = plain(d)
	}
	return strings.Join(names, ", ")
}

func plain(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0 && d > 24*time.Hour:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return d.String()
}
