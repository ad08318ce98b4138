package sber_test

import (
	"strings"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/providers/providertest"
)

func TestTheAuthorizationIsTheTimeAndTheIDOfTheAnswer(t *testing.T) {
	body := strings.Replace(fixture(t, "vendor/transactions_find_transfer_deposited.json"), `"transactionType"`,
		`"transactionWay": "Apple Pay", "transactionType"`, 1) // as the list has it
	g := open(t, &canned{answer: body})
	st, err := g.Status(t.Context(), started(t, "1000004"))
	if err != nil {
		t.Fatal(err)
	}
	want := providers.Authorization{At: time.Date(2017, 9, 7, 14, 43, 57, 768e6, time.UTC), RequestID: "gbhjnkme-rdcfgv-hbjnkm-7689ui-okp3ew", Kind: "TRANSFER", Way: "Apple Pay"}
	if st.Authorization != want {
		t.Errorf("%+v", st.Authorization)
	}
	providertest.TellsAuthorization(t, "sber", st.Authorization)
}
