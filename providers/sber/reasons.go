package sber

import (
	"slices"

	"tollgate/providers"
)

// codeNoOrder says that there is no such order, where the inquiry says so by a refusal.
const codeNoOrder = "6"

// reason maps the errorCode of a refused start or finish to our words. The codes are not published: these are the vendor's
// in its other gateway, calls and action codes alike (assumption 2). Lost, stolen and blocked cards are do_not_honor:
// whoever holds one need not learn more.
func reason(code string) providers.Reason {
	for r, codes := range reasonCodes {
		if slices.Contains(codes, code) {
			return r
		}
	}
	return providers.OtherReason
}

var reasonCodes = map[providers.Reason][]string{
	providers.InsufficientFunds: {"20", "116", "51"},
	providers.ExpiredCard:       {"73", "101", "906", "33"},
	providers.WrongCVC:          {"82", "88"},
	providers.DoNotHonor: {"36", "37", "41", "43", "57", "62", "63", "103", "106", "119", "120", "203", "204", "208",
		"909"},
	providers.AuthenticationFailed: {"-2006", "-2011", "-2016", "-2018", "-2020", "2003", "2016"},
	providers.Limit:                {"-20010", "61", "65", "100", "110", "121", "123", "902", "903"},
	providers.Fraud:                {"151", "999"},
	providers.CardNotSupported:     {"14", "72", "78", "111", "125", "181"},
	providers.TryAgainLater:        {"7", "68", "90", "91", "96", "907", "912", "916", "998"},
}
