package simulation

import (
	"strings"
	"time"
)

// Profile is a kind of world: what there is in it and what goes wrong.
type Profile struct {
	Name     string
	Accounts []string
	Fronts   int
	Shoppers int

	NetRate   float64 // of faults per exchange
	NetFaults []fault
	NetDelays []time.Duration // of what is late
	NetLinks  string          // only on links that begin so

	Kills        int     // at most
	KillAt       float64 // per labelled place that the program passes
	KillAnswered float64 // per place right after a gateway's answer
	KillCommit   float64 // per commit
	LoseAnswer   float64 // per commit: it happens and its process does not hear of it
	Lose         int     // commits that a kill's failover loses, at most
	Endings      []ending
}

// spares tells that a commit is never lost, nor any before it: the one that made a session. A shop whose order the
// database has forgotten posts it again, under the same references; that is another story than the ones told here.
func (p Profile) spares(commit string) bool { return strings.Contains(commit, "+session") }

var everyAccount = []string{"rbs", "payneteasy", "sber", "cashier", "transactworld"}

// profiles are all kinds of worlds.
var profiles = map[string]Profile{
	// Nothing goes wrong but what people do.
	"calm": {Name: "calm", Fronts: 1, Shoppers: 3, Accounts: everyAccount},
	// Two fronts, one database; fronts are killed, and with the database, which fails over to a standby that lagged. What
	// they had sent to the gateways before arrives.
	"failover": failover("failover", allDie),
	// The same, but fronts outlive their database: what they were about to write meets a database that has forgotten.
	"promotion": failover("promotion", oneDies, noneDies),
}

func failover(name string, endings ...ending) Profile {
	return Profile{
		Name: name, Fronts: 2, Shoppers: 2, Accounts: everyAccount,
		NetRate: 0.2, NetFaults: []fault{requestLate, answerLate}, NetLinks: "front",
		NetDelays: []time.Duration{100 * time.Millisecond, time.Second, 3 * time.Second},
		Kills:     3, KillAt: 0.04, KillAnswered: 0.3, KillCommit: 0.02, Lose: 4, Endings: endings,
	}
}
