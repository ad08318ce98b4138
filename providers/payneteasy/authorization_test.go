package payneteasy

import (
	"os"
	"strings"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/providers/providertest"
)

func TestTheAuthorizationIsReadOfARecordedStatus(t *testing.T) {
	raw, err := os.ReadFile("testdata/recorded/status_processing_3ds_html_redirect_1.txt")
	if err != nil {
		t.Fatal(err)
	}
	pay := payment()
	pay.Ref.Reference = "902B4FF56"
	st, err := statusOf(t, pay, string(raw))
	if err != nil {
		t.Fatal(err)
	}
	want := providers.Authorization{At: time.Date(2024, 3, 20, 5, 51, 3, 0, time.UTC), BankCountry: "JPN", CardExpiry: "12/99", CardHolder: "John Doe",
		PaymentSystem: "VISA", ReceiptID: "158e97af-7ffe-3293-a3fe-ac523841a74f", Descriptor: "Callkey LP TEST EUR"}
	if st.Authorization != want {
		t.Errorf("%+v", st.Authorization)
	}
	full := strings.ReplaceAll(string(raw), "&bank-name=UNKNOWN", "&bank-name=Kaspi") +
		"&approval-code=242805\n&processor-rrn=408012345678\n&terminal-id=T1\n&processor-tx-id=PNTEST-1\n"
	if st, err = statusOf(t, pay, full); err != nil {
		t.Fatal(err)
	}
	providertest.TellsAuthorization(t, "payneteasy", st.Authorization)
}

func TestATimeWithoutAKnownZoneIsNotTold(t *testing.T) {
	for _, s := range []string{"", "2024-03-20 08:51:03", "2024-03-20 08:51:03 CST", "yesterday MSK"} {
		if at := processedAt(s); !at.IsZero() {
			t.Errorf("%q: %s", s, at)
		}
	}
}
