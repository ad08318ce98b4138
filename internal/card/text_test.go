package card

import (
	"fmt"
	"strings"
	"testing"
)

func TestACardNumberIsFoundInAnyText(t *testing.T) {
	for _, number := range []string{
		"4000019900050107", "4000 0199 0005 0107", "4000-0199-0005-0107", "4000.0199.0005.0107", "4000_0199_0005_0107", "4000/0199/0005/0107",
		"4000\u00a00199\u202f0005\u20090107", "4000\u20100199\u20130005\u22120107", "4 0 0 0 0 1 9 9 0 0 0 5 0 1 0 7", "400001 9900050107",
		"4000 - 0199 - 0005 - 0107", "4000\n0199\n0005\n0107", "4000\u200b0199\u200b0005\u200b0107", "４０００ ０１９９ ０００５ ０１０７", "٤٠٠٠٠١٩٩٠٠٠٥٠١٠٧",
		"4000%200199%200005%200107", "4000+0199+0005+0107", "%34%30%30%30%30%31%39%39%30%30%30%35%30%31%30%37",
		"5555555555554444", "2223003122003222", "2200000000000053", "6200000000000005", "378282246310005", "3782 822463 10005", "38520000023237",
		"3566002020360505", "6011111111111117", "8600000000000007", "9860000000000000", "6759649826438453",
	} {
		for _, around := range []string{"%s", "card %s, please", "order-%s", "%s-1", "№ 12 %s", "1 %s 12", "%s 12/30 123", "https://shop.example/o/%s?a=b", "card%sx",
			"%s@shop.example", "{\"pan\":\"%s\"}", "2026-11-27T18:39:55Z %s", "кар%sта"} {
			if text := fmt.Sprintf(around, number); !Holds(text) || !Resembles(text) {
				t.Errorf("%q is taken", text)
			}
		}
	}
}

func TestWhatIsNoCardNumberIsNotTakenForOne(t *testing.T) {
	for what, text := range map[string]string{
		"nothing":                            "",
		"a wrong check digit":                "4000019900050108",
		"no payment system's":                "1000000000000008",
		"an order id of date and count":      "20261127000000000004",
		"milliseconds":                       "1764268739000",
		"a count behind a moment":            "b55555555555-5444-4",
		"numbers of a shop, a day, an order": "5555-55555555-4444",
		"microseconds":                       "1764268739000004",
		"a moment with microseconds":         "2026-11-27T18:39:55.123453+05:00",
		"a barcode":                          "4006381333931",
		"the number of a telephone's device": "490154203237518",
		"of a SIM card":                      "8944500102198304826",
		"a taxpayer's":                       "601231300123",
		"a person's in Uzbekistan":           "30569309025904",
		"an account in a Russian bank":       "40817810099910004312",
		"telephones":                         "+7 701 234 56 78, +7 702 345 67 89; 8 (727) 250-00-00",
		"an IBAN":                            "KZ86125KZT5004100100",
		"a UUID":                             "41234567-4123-4412-a123-555555554444",
		"a hash":                             "a4000019900050107f4000019900050107b4000019900050107c4000019900050107",
		"the id of a document":               "4000019900050107deadbeef",
		"numbers of lines":                   "4000, 0199, 0005, 0107",
		"far apart":                          "4000 .... 0199 .... 0005 .... 0107",
		"sums":                               "4000:0199:0005:0107",
		"in a longer one":                    "94000019900050107",
	} {
		if Holds(text) {
			t.Errorf("%s is refused: %s", what, text)
		}
	}
}

func BenchmarkHolds(b *testing.B) {
	for _, text := range []string{"order-1", strings.Repeat("a long text 12 ", 30)} {
		b.Run(fmt.Sprint(len(text)), func(b *testing.B) {
			for b.Loop() {
				Holds(text)
			}
		})
	}
}
