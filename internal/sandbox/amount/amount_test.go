package amount

import "testing"

func TestMinorUnitsAreWrittenWithTheCurrencysOwnDigits(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		code     string
		decimal  string
		readable string
	}{
		{2000, "398", "20.00", "20.00\u00a0KZT"},
		{1, "RUB", "0.01", "0.01\u00a0RUB"},
		{1234567, "JPY", "1234567", "1\u00a0234\u00a0567\u00a0JPY"},
		{1005, "KWD", "1.005", "1.005\u00a0KWD"},
		{0, "USD", "0.00", "0.00\u00a0USD"},
		{-150000, "USD", "-1500.00", "−1\u00a0500.00\u00a0USD"},
	} {
		if got := Decimal(c.minor, c.code); got != c.decimal {
			t.Errorf("Decimal(%d, %s) = %q, want %q", c.minor, c.code, got, c.decimal)
		}
		if got := Format(c.minor, c.code); got != c.readable {
			t.Errorf("Format(%d, %s) = %q, want %q", c.minor, c.code, got, c.readable)
		}
	}
}

func TestEveryCodeIsThereOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range currencies {
		if len(c.letters) != 3 || len(c.digits) != 3 || seen[c.letters] || seen[c.digits] {
			t.Errorf("bad row %v", c)
		}
		seen[c.letters], seen[c.digits] = true, true
	}
}
