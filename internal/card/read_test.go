package card_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
)

// typed is what people, browsers and password managers put into a card form, and what is read there; "" where it is refused. The
// page's script is held against the same table.
func typed(t *testing.T) (table struct{ Numbers, Dates, Codes [][2]string }) {
	t.Helper()
	raw, err := os.ReadFile("testdata/typed.json")
	if err == nil {
		err = json.Unmarshal(raw, &table)
	}
	if err != nil || len(table.Numbers) < 40 || len(table.Dates) < 60 || len(table.Codes) < 20 {
		t.Fatal(err, len(table.Numbers), len(table.Dates), len(table.Codes))
	}
	return table
}

func TestNumbersAreFoundInWhatIsPasted(t *testing.T) {
	for _, row := range typed(t).Numbers {
		if n, err := card.ReadNumber(row[0]); n.Reveal() != row[1] || (err == nil) != (row[1] != "") {
			t.Errorf("%q is %v, %v", row[0], n, err)
		}
	}
	for s, want := range map[string]error{
		"": card.ErrNumberMissing, "card": card.ErrNumberLength, "4000 0199 0005 0009": card.ErrNumberCheck, "4000 0199 0005": card.ErrNumberLength,
		"4000 0199 0005 0008 1": card.ErrNumberCheck, "4000 0199 0005 0008 0008": card.ErrNumberLength, "4000 0199 0005 0009 123": card.ErrNumberCheck,
	} {
		if n, err := card.ReadNumber(s); !errors.Is(err, want) {
			t.Errorf("%q is %v, %v; want %v", s, n, err, want)
		}
	}
}

func TestDatesAreReadInEveryUsualOrder(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, row := range typed(t).Dates {
		m, y, err := card.ParseExpiry(row[0], now)
		if got := fmt.Sprintf("%d/%d", m, y); row[1] != "" && (err != nil || got != row[1]) || row[1] == "" && !errors.Is(err, card.ErrExpiryFormat) {
			t.Errorf("%q is %s, %v; want %q", row[0], got, err, row[1])
		}
	}
	if _, _, err := card.ParseExpiry("12/57", now); !errors.Is(err, card.ErrExpiryFormat) { // a clock for which the server's is taken alone
		t.Errorf("in 31 years: %v", err)
	}
}

func TestCodesAreReadAsTheyArePasted(t *testing.T) {
	for _, row := range typed(t).Codes {
		if c, err := card.ParseCode(row[0]); c.Reveal() != row[1] || (err == nil) != (row[1] != "") {
			t.Errorf("%q is %q, %v; want %q", row[0], c.Reveal(), err, row[1])
		}
	}
}

func TestACodeHasAsManyDigitsAsItsBrandsCodes(t *testing.T) {
	for _, c := range []struct {
		brand, code string
		good        bool
	}{
		{"visa", "123", true}, {"visa", "1234", false}, {"amex", "1234", true}, {"amex", "123", false}, {"", "123", true}, {"", "1234", true}, {"humo", "12", false},
		{"mir", "１２３", true}, {"visa", "1 2 3", true}, {"visa", " 123\u00a0", true}, {"visa", "1\u00ad23\u200b", true}, {"visa", "۱۲۳", true}, {"visa", "CVC: 123", true}, {"visa", "CVV2 123", true}, {"visa", "1-2-3", true},
		{"visa", "12a", false}, {"visa", "12 a 3", false}, {"visa", "000", true}, {"amex", "1 234", true}, {"visa", "12/30", false}, {"visa", "•••", false},
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
