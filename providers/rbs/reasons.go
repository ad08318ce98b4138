package rbs

import (
	"slices"
	"strings"

	"tollgate/providers"
)

// actionMaybePaid says that the bank may have paid although it did not answer in time: never a refusal.
const actionMaybePaid = "151019"

// actionNotTried says that no card has been tried yet.
const actionNotTried = "-100"

// Action codes that, beside those of an order that ended, are no refusal of the last try while the order is open.
var openCodes = []string{"-30001", actionMaybePaid}

// Action codes of orders that ended unpaid without a refusal: no try, out of time, page left, shopper never back from
// the bank, declined by the merchant, cancelled.
var closedCodes = []string{actionNotTried, "-2007", "-2014", "-2009", "4005", "2012"}

// lastTryRefused tells whether the code of an open order (orderStatus 0) is the refusal of its last try. After a soft decline
// the code of the first run stands there while the second goes on.
func lastTryRefused(action string, softRun bool) bool {
	switch {
	case strings.Trim(action, "0") == "", slices.Contains(openCodes, action), slices.Contains(closedCodes, action):
		return false
	}
	return action != "1434" || !softRun
}

// reason maps an actionCode, the gateway's or the processing centre's, to our words. Lost, stolen and blocked cards are
// do_not_honor: whoever holds one need not learn more.
func reason(action string) providers.Reason {
	for r, codes := range reasonCodes {
		if slices.Contains(codes, strings.TrimSpace(action)) {
			return r
		}
	}
	return providers.OtherReason
}

var reasonCodes = map[providers.Reason][]string{
	providers.InsufficientFunds: {"20", "116", "51"},
	providers.ExpiredCard:       {"73", "101", "906", "33"},
	providers.WrongCVC:          {"82", "88"},
	providers.DoNotHonor: {"1", "4", "5", "36", "37", "41", "43", "57", "62", "63", "103", "106", "119", "120", "203", "204", "208",
		"212", "823", "909", "2030"},
	providers.AuthenticationFailed: {"-2006", "-2009", "-2011", "-2016", "-2018", "-2020", "-2022", "-2023", "-2024", "-2025",
		"1434",
		"2003", "2016", "4032"},
	providers.Limit: {"-20010", "-2013", "61", "65", "100", "110", "121", "123", "814", "902", "903", "1112", "1113", "1114", "1115",
		"1116", "1117", "1118"},
	providers.Fraud:            {"151", "999"},
	providers.CardNotSupported: {"14", "72", "78", "111", "125", "181", "555", "920"},
	providers.TryAgainLater:    {"31", "68", "90", "91", "96", "907", "912", "916", "998", "2023", "151018"},
}
