package browser_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/session/browser"
)

const rememberedDays = 30 * 24 * time.Hour

var daily = browser.Remembered{Merchant: "m", Account: "acc", Customer: "c-1", Phone: "79171131231", Login: "mark"}

func (v *visits) remembers(r browser.Remembered) {
	v.t.Helper()
	v.visit(func(ctx context.Context) {
		if err := v.b.Remember(ctx, r); err != nil {
			v.t.Fatal(err)
		}
	})
}

func (v *visits) remembered(merchant, account string) (r browser.Remembered, ok bool) {
	v.t.Helper()
	v.visit(func(ctx context.Context) { r, ok = v.b.Remembered(ctx, merchant, account) })
	return r, ok
}

func TestACustomerIsKnownInThisBrowserForThirtyDaysByTheOneClock(t *testing.T) {
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	now := start
	b, store := browsersAt(t, true, rand.Reader, func() time.Time { return now })
	v := &visits{t: t, b: b}
	if r, ok := v.remembered("m", "acc"); ok || r != (browser.Remembered{}) {
		t.Errorf("before anybody logged in: %+v", r)
	}
	v.remembers(daily)
	want := daily
	want.At = start
	for age, known := range map[time.Duration]bool{0: true, rememberedDays - 1: true, rememberedDays: false, -1: false} {
		now = start.Add(age)
		if r, ok := v.remembered("m", "acc"); ok != known || r != want {
			t.Errorf("%s later: %+v, known %v", age, r, ok)
		}
	}
	if len(store.data) != 0 {
		t.Errorf("%d rows are kept of it", len(store.data))
	}
	later := daily
	later.Customer = "c-2"
	v.remembers(later)
	if r, ok := v.remembered("m", "acc"); !ok || r.Customer != "c-2" || len(v.jar) != 1 {
		t.Errorf("in place of the one before: %+v, %v, %d cookies", r, ok, len(v.jar))
	}
}

func TestACustomerIsKnownToOneMerchantAndAccountOnly(t *testing.T) {
	b, _ := newBrowsers(t, true, rand.Reader)
	v := &visits{t: t, b: b}
	v.remembers(daily)
	other := daily
	other.Merchant, other.Account, other.Customer = "ma", "cc", "c-2" // the same letters in a row
	v.remembers(other)
	for _, who := range [][2]string{{"m", "cc"}, {"ma", "acc"}, {"", "macc"}} {
		if r, ok := v.remembered(who[0], who[1]); ok || r != (browser.Remembered{}) {
			t.Errorf("%v knows %+v", who, r)
		}
	}
	if r, ok := v.remembered("ma", "cc"); !ok || r.Customer != "c-2" {
		t.Errorf("%+v, %v", r, ok)
	}
	v.visit(func(ctx context.Context) { b.ForgetRemembered(ctx, "ma", "cc") })
	if _, ok := v.remembered("ma", "cc"); ok || len(v.jar) != 1 {
		t.Errorf("whom it was to forget it knows: %v, %d cookies", ok, len(v.jar))
	}
	if r, ok := v.remembered("m", "acc"); !ok || r.Customer != "c-1" {
		t.Errorf("another is forgotten with it: %+v, %v", r, ok)
	}
}

func TestACookieOfACustomerIsLockedToThisHostAndSaysNothing(t *testing.T) {
	for secure, prefix := range map[bool]string{true: "__Host-customer-", false: "customer-"} {
		b, _ := newBrowsers(t, secure, rand.Reader)
		v := &visits{t: t, b: b}
		v.remembers(daily)
		for name, c := range v.jar {
			if rest, ok := strings.CutPrefix(name, prefix); !ok || len(rest) != 16 || c.Path != "/" || c.Domain != "" || c.Secure != secure || !c.HttpOnly ||
				c.SameSite != http.SameSiteLaxMode || c.MaxAge != 2592000 || strings.Contains(c.Value, "c-1") || strings.Contains(c.Value, daily.Phone) {
				t.Errorf("secure %v: %+v", secure, c)
			}
		}
		if len(v.jar) != 1 {
			t.Errorf("secure %v: %d cookies", secure, len(v.jar))
		}
	}
}

func TestACustomersCookieThatWeDidNotMakeForThisIsNobodys(t *testing.T) {
	b, _ := newBrowsers(t, true, rand.Reader)
	v := &visits{t: t, b: b}
	v.remembers(daily)
	name := ""
	for name = range v.jar {
	}
	now := time.Now().UTC().Format(time.RFC3339)
	for what, sealed := range map[string]struct{ by, of, value string }{
		"another key":      {"2", "remembered", `{"m":"m","a":"acc","c":"c-9","t":"` + now + `"}`},
		"another use":      {"1", "visitor", `{"m":"m","a":"acc","c":"c-9","t":"` + now + `"}`},
		"another merchant": {"1", "remembered", `{"m":"other","a":"acc","c":"c-9","t":"` + now + `"}`},
		"another account":  {"1", "remembered", `{"m":"m","a":"other","c":"c-9","t":"` + now + `"}`},
		"no object":        {"1", "remembered", `{"m":"m","a":"acc","c":"c-9","t":"yesterday"}`},
	} {
		value, err := keys(t, key(sealed.by[0]-'0')).Seal(sealed.of, []byte(sealed.value))
		if err != nil {
			t.Fatal(err)
		}
		v.jar[name] = &http.Cookie{Name: name, Value: value}
		if r, ok := v.remembered("m", "acc"); ok || r != (browser.Remembered{}) {
			t.Errorf("%s: %+v", what, r)
		}
	}
	right, err := keys(t, key(1)).Seal("remembered", []byte(`{"m":"m","a":"acc","c":"c-9","t":"`+now+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	v.jar[name] = &http.Cookie{Name: name, Value: right}
	if r, ok := v.remembered("m", "acc"); !ok || r.Customer != "c-9" {
		t.Errorf("what an older version kept: %+v, %v", r, ok)
	}
}

// noSeal has no key.
type noSeal struct{}

func (noSeal) Seal(string, []byte) (string, error)   { return "", errors.New("no key") }
func (noSeal) Unseal(string, string) ([]byte, error) { return nil, errors.New("no key") }
func (noSeal) Fingerprint([]byte) string             { return "" }

func TestWithoutASealNothingIsGivenToABrowser(t *testing.T) {
	_, store := newBrowsers(t, true, rand.Reader)
	b := browser.New(store, noSeal{}, true, time.Now, rand.Reader, nil)
	v := &visits{t: t, b: b}
	v.visit(func(ctx context.Context) {
		token, err := b.CSRF(ctx, "cs_1")
		if token != "" || err == nil || b.Choose(ctx, "kk") == nil || b.Remember(ctx, daily) == nil {
			t.Errorf("it gives a token %q, %v, a language, or a customer", token, err)
		}
	})
	if len(v.jar) != 0 {
		t.Errorf("%d cookies", len(v.jar))
	}
}
