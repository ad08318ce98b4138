package simulation

import (
	"slices"
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
	NetTo     string          // and end so

	Kills        int      // at most
	KillAt       float64  // per labelled place that the program passes
	KillAnswered float64  // per place right after a gateway's answer
	KillCommit   float64  // per commit
	LoseAnswer   float64  // per commit: it happens and its process does not hear of it
	Lose         int      // commits that a kill's failover loses, at most
	Spares       []string // but never one whose name has one of these, nor any before it
	Endings      []ending
	Operates     bool // the shop captures, voids and refunds; somebody in the gateway's cabinet does too

	Swarm    bool          // each seed draws which of the faults it has
	Stories  bool          // of every kind, not only payments by card
	People   float64       // how much more, or less, people do what they should not; 0: as usual
	Gateways bool          // they and the bank answer late, wrongly, not at all
	Lies     bool          // inquiries are answered with other money than ours, for a while
	Forged   bool          // callbacks that no gateway sent
	Crashes  int           // of gateways and bank, at most
	Receiver bool          // the shop's receiver is down, slow and refusing for minutes
	Skew     time.Duration // how far a front's clock may be wrong

	Punctual bool // nothing arrives later than the program waits for it: see checkKept

	ledgerLies bool // see withALyingLedger

	killPlace string // the one place where a front is killed
	killNth   int
	cards     []string // that everybody has
	only      story    // that everybody has
}

func (p Profile) spares(commit string) bool {
	return slices.ContainsFunc(p.Spares, func(s string) bool { return strings.Contains(commit, s) })
}

// forgetsAttempts tells whether a failover may lose whole attempts.
func (p Profile) forgetsAttempts() bool { return p.Lose > 0 && !p.spares(makesAttempt) }

// Names of commits.
const (
	makesSession = "+session "
	makesAttempt = "+run "
)

var everyAccount = []string{"rbs", "payneteasy", "sber", "cashier", "transactworld"}

// rememberedAccounts are those whose orders are known again as ours when the database has forgotten the call. Not Sber: of a
// finish that was forgotten its inquiry says nothing that proves it ours, and the attempt stays unknown.
var rememberedAccounts = []string{"rbs", "payneteasy", "cashier", "transactworld"}

// profiles are all kinds of worlds.
var profiles = map[string]Profile{
	// Nothing goes wrong but what people do.
	"calm": {Name: "calm", Fronts: 1, Shoppers: 3, Accounts: everyAccount},
	// Two fronts, one database; fronts are killed, and with the database, which fails over to a standby that lagged. What
	// they had sent to the gateways before arrives. Sessions and attempts are kept, all that became of them may be lost.
	"failover": failover("failover", 4, []string{makesSession, makesAttempt}, allDie),
	// The standby lagged more: callbacks that were stored and answered are lost with what they were about.
	"lag": failover("lag", 8, []string{makesSession, makesAttempt}, allDie),

	// The network cuts, loses and delays, fronts are killed, and commits happen of which nobody hears; nothing is forgotten.
	"storm": {
		Name: "storm", Fronts: 2, Shoppers: 2, Accounts: everyAccount,
		NetRate: 0.08, NetFaults: allFaults, NetDelays: lateDelays,
		Kills: 4, KillAt: 0.04, KillAnswered: 0.1, KillCommit: 0.02, LoseAnswer: 0.02,
	},

	// Holds are captured and voided, payments refunded, in the API and in the gateways' cabinets, through cuts and kills.
	"operations": {
		Name: "operations", Fronts: 2, Shoppers: 2, Accounts: everyAccount, Operates: true,
		NetRate: 0.08, NetFaults: allFaults, NetDelays: lateDelays,
		Kills: 4, KillAt: 0.04, KillAnswered: 0.1, KillCommit: 0.02, LoseAnswer: 0.02,
	},

	// Fronts outlive their database: what they were about to write, and to take off the queue, meets one that has forgotten what
	// they wrote before.
	"promotion": failover("promotion", 4, []string{makesSession, makesAttempt}, oneDies, noneDies),
	// Everything that can be ordered, and all faults, of which each seed draws its own.
	"swarm": {
		Name: "swarm", Fronts: 2, Shoppers: 6, Accounts: everyAccount, Operates: true, Swarm: true, Stories: true, People: 1.5,
		NetRate: 0.05, NetFaults: allFaults, NetDelays: lateDelays,
		Kills: 6, KillAt: 0.03, KillAnswered: 0.08, KillCommit: 0.02, LoseAnswer: 0.02,
		Lose: 4, Spares: []string{makesSession, makesAttempt}, Endings: []ending{allDie, oneDies, noneDies},
		Gateways: true, Lies: true, Forged: true, Crashes: 3, Receiver: true, Skew: 2 * time.Minute,
	},
	// The line to the gateways is bad, and nothing else: calls arrive late, or not, and their answers too.
	"line": {
		Name: "line", Fronts: 1, Shoppers: 5, Accounts: everyAccount, NetRate: 0.25, NetLinks: "front1>sandbox",
		NetFaults: []fault{cutBefore, requestLate, requestLate, answerCut, answerLost, answerLate},
		NetDelays: []time.Duration{31 * time.Second, 90 * time.Second, 10 * time.Minute},
	},
	// Everything that can be ordered, and nothing goes wrong but what people do.
	"shapes": {Name: "shapes", Fronts: 1, Shoppers: 8, Accounts: everyAccount, Stories: true, Operates: true},
	// Gateways, bank and receiver do what they can, the front's own machines stand.
	"gateways": {
		Name: "gateways", Fronts: 1, Shoppers: 6, Accounts: everyAccount, Stories: true, Operates: true, Gateways: true, Lies: true,
		Forged: true, Crashes: 3, Receiver: true,
	},
	// Two fronts whose clocks differ and jump, and are killed.
	"clocks": {
		Name: "clocks", Fronts: 2, Shoppers: 5, Accounts: everyAccount, Stories: true, Operates: true, Skew: 90 * time.Second,
		NetRate: 0.05, NetFaults: allFaults, NetDelays: lateDelays, Kills: 3, KillAt: 0.03, KillAnswered: 0.08, KillCommit: 0.01,
	},
	// What is late is late by less than the program waits: so what it says is proved never turns out otherwise.
	"punctual": {
		Name: "punctual", Fronts: 2, Shoppers: 6, Accounts: everyAccount, Stories: true, Operates: true, Punctual: true,
		NetRate: 0.25, NetFaults: []fault{requestLate, requestLate, answerLost, answerLate, answerCut, cutBefore}, NetLinks: "front", NetTo: ">sandbox",
		NetDelays: []time.Duration{20 * time.Second, 45 * time.Second},
		Kills:     3, KillAt: 0.03, KillAnswered: 0.08, KillCommit: 0.01,
	},
	// Whole attempts are forgotten too.
	"forgotten": failover("forgotten", 4, []string{makesSession}, allDie),
}

func failover(name string, lose int, spares []string, endings ...ending) Profile {
	return Profile{
		Name: name, Fronts: 2, Shoppers: 2, Accounts: rememberedAccounts,
		NetRate: 0.2, NetFaults: []fault{requestLate, answerLate}, NetLinks: "front",
		NetDelays: []time.Duration{100 * time.Millisecond, time.Second, 3 * time.Second},
		Kills:     3, KillAt: 0.04, KillAnswered: 0.3, KillCommit: 0.02, Lose: lose, Spares: spares, Endings: endings,
	}
}

// crowdedBy is the profile with so many shoppers, and as many kills for each of them.
func (p Profile) crowdedBy(shoppers int) Profile {
	p.Kills = p.Kills * max(shoppers, p.Shoppers) / p.Shoppers
	p.Shoppers = shoppers
	return p
}
