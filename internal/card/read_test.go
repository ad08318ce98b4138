package card_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
)

func TestNumbersAreFoundInWhatIsPasted(t *testing.T) {
	const want = "4000019900050008"
	for _, s := range []string{
		"    4000 - 0199 - 0005 - 0008", "Card: 4000 0199 0005 0008", "4000 0199 0005 0008 12/30", "4000 0199 0005 0008, 12 / 30, 123",
		"４０００ ０１９９ ０００５ ０００８", "٤٠٠٠ ٠١٩٩ ٠٠٠٥ ٠٠٠٨", "۴۰۰۰۰۱۹۹۰۰۰۵۰۰۰۸", "४००००१९९०००५०००८", "\u202a4000 0199\u200e 0005 0008\u202c",
		"4000\u202f0199\u20090005\u20110008", "4000.0199.0005.0008", "номер карты 4000 0199 0005 0008 (Visa)", "4000019900050008\n", "No 1: 4000 0199 0005 0008",
		"\ufeff4000–0199–0005–0008", "4000 0199 0005 0008 2030-12",
	} {
		if n, err := card.ReadNumber(s); err != nil || n.Reveal() != want {
			t.Errorf("%q is %v, %v", s, n, err)
		}
	}
	for s, want := range map[string]error{
		"": card.ErrNumberMissing, "card": card.ErrNumberLength, "4000 0199 0005 0009": card.ErrNumberCheck, "4000 0199 0005": card.ErrNumberLength,
		"4000 0199 0005 0008 1": card.ErrNumberCheck, "4000 0199 0005 0008 0008": card.ErrNumberLength,
	} {
		if n, err := card.ReadNumber(s); !errors.Is(err, want) {
			t.Errorf("%q is %v, %v; want %v", s, n, err, want)
		}
	}
}

func TestDatesAreReadInEveryUsualOrder(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string][2]int{
		"2030-12": {12, 2030}, "203012": {12, 2030}, "2030/12": {12, 2030}, "30-12": {12, 2030}, "12 / 2030": {12, 2030}, "130": {1, 2030}, "12030": {1, 2030}, "3012": {12, 2030},
		"2030-12-31": {12, 2030}, "１２／３０": {12, 2030}, "١٢/٣٠": {12, 2030}, "12\u202f/\u202f30": {12, 2030}, "12.30": {12, 2030}, "12 30": {12, 2030}, "12\u201130": {12, 2030}, "2030.1": {1, 2030},
		"01–2031": {1, 2031},
	} {
		if m, y, err := card.ParseExpiry(s, now); err != nil || [2]int{m, y} != want {
			t.Errorf("%q is %d/%d, %v", s, m, y, err)
		}
	}
	for _, s := range []string{"30", "2030", "1/3", "20301", "12/30/31/32", "13/2030", "30-13", "4000019900050008"} {
		if m, y, err := card.ParseExpiry(s, now); !errors.Is(err, card.ErrExpiryFormat) {
			t.Errorf("%q is %d/%d, %v", s, m, y, err)
		}
	}
}

func TestACodeHasAsManyDigitsAsItsBrandsCodes(t *testing.T) {
	for _, c := range []struct {
		brand, code string
		good        bool
	}{
		{"visa", "123", true}, {"visa", "1234", false}, {"amex", "1234", true}, {"amex", "123", false}, {"", "123", true}, {"", "1234", true}, {"humo", "12", false},
		{"mir", "１２３", true},
	} {
		if _, err := card.ParseCodeOf(c.brand, c.code); (err == nil) != c.good {
			t.Errorf("%s %s: %v", c.brand, c.code, err)
		}
	}
}

func TestAUnionPayNumberMayHaveNoCheckDigit(t *testing.T) {
	for s, good := range map[string]bool{"6200000000000001": true, "6200000000000005": true, "4000019900050009": false, "8600000000000000": false} {
		if _, err := card.ParseNumber(s); (err == nil) != good {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestABrandsNumberHasItsLength(t *testing.T) {
	for s, good := range map[string]bool{"378282246310005": true, "3782822463100005": false, "30569309025904": true, "5105105105105100": true, "510510510510": false} {
		if _, err := card.ParseNumber(s); (err == nil) != good {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestANameGoesToTheGatewayInLatinLetters(t *testing.T) {
	for name, want := range map[string]string{
		"ИВАН ПЕТРОВ": "IVAN PETROV", "Әйгерім Қасымқызы": "AIGERIM KASYMKYZY", "Иван Щукин": "IVAN SHCHUKIN", "李小龍": "CARDHOLDER", "-": "CARDHOLDER", "A": "A.", "JOHN SMITH 3RD": "JOHN SMITH 3RD",
		"7 ELEVEN LLC": "7 ELEVEN LLC", `D"ARCY`: `D"ARCY`, "O’Neill": "O'NEILL", "José Müller": "JOSE MULLER", "Łukasz Żółć": "LUKASZ ZOLC", "  aigerim   serik ": "AIGERIM SERIK",
		"Großmann": "GROSSMANN", "გიორგი": "GIORGI", "Ўғилой Ҳасан": "UGILOI HASAN", "Straße\t1": "STRASSE 1",
	} {
		if got := card.LatinName(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	if got := card.LatinName(strings.Repeat("Щ", 64)); len(got) > 45 || len(got) < 2 {
		t.Errorf("%d characters", len(got))
	}
}

// The page's script reads the same table.
func TestTheTableForTheScriptHasEverySystem(t *testing.T) {
	table := card.Table()
	for _, s := range card.Systems() {
		if !strings.Contains(";"+table, ";"+s.ID+":") || !card.Known(s.ID) || s.CodeDigits == 0 || s.MinDigits > s.MaxDigits {
			t.Errorf("%s is not in the table, or not whole: %s", s.ID, table)
		}
	}
	script, err := os.ReadFile("../../static/files/card.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range card.Systems() {
		if strings.Contains(string(script), `"`+s.ID+`"`) && s.ID != "amex" {
			t.Errorf("card.js knows %s by itself", s.ID)
		}
	}
}
