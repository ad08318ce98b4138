package sber_test

import (
	"strings"
	"testing"

	"tollgate/providers"
)

func TestTheGatewaysIDOfAnAnswerIsToldWithEachCallAndInItsErrors(t *testing.T) {
	for answer, good := range map[string]bool{
		`{"requestId":"r-17","status":"SUCCESS","client":{"uuid":"U1"}}`:     true,
		`{"requestId":"r-17","status":"ERROR","errorCode":"7"}`:              false,
		`{"requestId":"r-17","status":"SUCCESS","client":{"name":"nobody"}}`: false,
	} {
		var told []string
		ctx := providers.WithAnswerIDs(t.Context(), func(id string) { told = append(told, id) })
		_, err := open(t, &canned{answer: answer}).(providers.Login).FindCustomer(ctx, "79171131231")
		if len(told) != 1 || told[0] != "r-17" {
			t.Errorf("%s: told %q", answer, told)
		}
		if good != (err == nil) {
			t.Errorf("%s: %v", answer, err)
		}
		if !good && strings.Contains(answer, "ERROR") && !strings.Contains(err.Error(), "r-17") {
			t.Errorf("the error does not name the request: %v", err)
		}
	}
}

// An order whose type contradicts what was begun is never taken for it.
func TestATransferUnderAPaymentsNumberNeedsReview(t *testing.T) {
	for kind, unproven := range map[string]bool{"PURCHASE": false, "TRANSFER": true, "": false, "SOMETHING": false} {
		for word, outcome := range map[string]providers.Outcome{"DEPOSITED": providers.Paid, "CREATED": providers.Waiting} {
			body := strings.Replace(found(word), `"transactionType":"PURCHASE"`, `"transactionType":"`+kind+`"`, 1)
			if unproven && word == "CREATED" {
				outcome = providers.Unclear
			}
			st, err := open(t, &canned{answer: body}).Status(t.Context(), started(t, "1000003"))
			if err != nil || st.Outcome != outcome || st.Unproven != (unproven && word == "DEPOSITED") || st.Authorization.Kind != kind {
				t.Errorf("%q %s: %+v %v", kind, word, st, err)
			}
		}
	}
}
