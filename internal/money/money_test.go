package money_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"tollgate/internal/money"
)

func currency(t testing.TB, code string) money.Currency {
	t.Helper()
	c, err := money.ParseCurrency(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Digits and numbers are ISO 4217's; CLDR has other digits for some of these.
func TestCurrenciesAreISO4217s(t *testing.T) {
	for code, want := range map[string]money.Currency{
		"KZT": {"KZT", "398", 2}, "RUB": {"RUB", "643", 2}, "USD": {"USD", "840", 2}, "EUR": {"EUR", "978", 2}, "JPY": {"JPY", "392", 0},
		"KWD": {"KWD", "414", 3}, "IQD": {"IQD", "368", 3}, "UZS": {"UZS", "860", 2}, "AMD": {"AMD", "051", 2}, "IDR": {"IDR", "360", 2},
	} {
		if got := currency(t, code); got != want {
			t.Errorf("%s is %+v, want %+v", code, got, want)
		}
		if got, err := money.ParseNumeric(want.Numeric); err != nil || got != want {
			t.Errorf("%s is %+v, %v, want %+v", want.Numeric, got, err, want)
		}
	}
}

func TestWhatIsNoCurrencyIsRefused(t *testing.T) {
	for _, code := range []string{"", "kzt", "KZ", "XYZ", "KZTT", "398", "₸"} {
		if c, err := money.ParseCurrency(code); !errors.Is(err, money.ErrUnknownCurrency) {
			t.Errorf("%q is %+v", code, c)
		}
	}
	for _, number := range []string{"", "000", "39", "KZT"} {
		if c, err := money.ParseNumeric(number); !errors.Is(err, money.ErrUnknownCurrency) {
			t.Errorf("%q is %+v", number, c)
		}
	}
}

func TestTheOldRoubleNumberIsTheRouble(t *testing.T) {
	if c, err := money.ParseNumeric("810"); err != nil || c.Code != "RUB" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestAmountsAreWrittenWithTheCurrencysDigits(t *testing.T) {
	for _, tt := range []struct {
		code  string
		minor int64
		want  string
	}{
		{"KZT", 1, "0.01"}, {"KZT", 9999999999, "99999999.99"}, {"RUB", 1000, "10.00"}, {"JPY", 500, "500"}, {"JPY", 0, "0"},
		{"KWD", 1, "0.001"}, {"KWD", 1234567, "1234.567"}, {"USD", -5, "-0.05"},
	} {
		if got := (money.Amount{Minor: tt.minor, Currency: currency(t, tt.code)}).Decimal(); got != tt.want {
			t.Errorf("%d of %s is %q, want %q", tt.minor, tt.code, got, tt.want)
		}
	}
}

func TestDecimalsAreReadExactly(t *testing.T) {
	for _, tt := range []struct {
		code, text string
		want       int64
	}{
		{"KZT", "10.5", 1050}, {"KZT", "10", 1000}, {"KZT", "10.", 1000}, {"KZT", "19.99", 1999}, {"KZT", "10.500", 1050}, {"JPY", "500", 500}, {"JPY", "500.00", 500}, {"KWD", "0.001", 1},
		{"KZT", "-0.01", -1},
	} {
		if got, err := money.ParseDecimal(tt.text, currency(t, tt.code)); err != nil || got.Minor != tt.want {
			t.Errorf("%q of %s is %d, %v, want %d", tt.text, tt.code, got.Minor, err, tt.want)
		}
	}
	for _, text := range []string{"", ".", ".5", "10.501", "1e3", "10,5", " 10", "0x10", "10.5.0", "+1", "99999999999999999999"} {
		if got, err := money.ParseDecimal(text, currency(t, "KZT")); !errors.Is(err, money.ErrSyntax) {
			t.Errorf("%q is %d, %v", text, got.Minor, err)
		}
	}
}

func TestWritingAndReadingAmountsIsTheSameAmount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, err := money.ParseCurrency(rapid.SampledFrom([]string{"KZT", "JPY", "KWD", "RUB"}).Draw(t, "currency"))
		if err != nil {
			t.Fatal(err)
		}
		a := money.Amount{Minor: rapid.Int64Range(-1e15, 1e15).Draw(t, "minor"), Currency: c}
		if got, err := money.ParseDecimal(a.Decimal(), c); err != nil || got != a {
			t.Fatalf("%+v, %v, want %+v", got, err, a)
		}
	})
}
