package session

import (
	"fmt"
	"testing"
	"time"
)

// Two browsers with the link of one session spoil nothing of each other's: each has the code that was sent for it.
func TestHowSeveralBrowsersLogIn(t *testing.T) {
	t.Parallel()
	decisions(t, "browsers-login", func(d *table) {
		others := func(of ...string) (all []LoginCode) {
			for i, b := range of {
				all = append(all, LoginCode{Browser: b, Phone: "77-" + b, Customer: "c-" + b, Challenge: "sealed-" + b, SentAt: noon.Add(-time.Duration(i+2) * time.Minute), Wrong: i + 1})
			}
			return all
		}
		logins := map[string]func() *Login{
			"no login":                     func() *Login { return nil },
			"one code":                     func() *Login { return &Login{} },
			"another's code before":        func() *Login { return &Login{Others: others("x")} },
			"two others' codes before":     func() *Login { return &Login{Others: others("y", "x")} },
			"three others' codes before":   func() *Login { return &Login{Others: others("x", "y", "z")} },
			"logged in, another's before":  func() *Login { return &Login{Done: true, Others: others("x")} },
			"no code out, another's there": func() *Login { return &Login{Others: others("x")} },
		}
		for name, make := range logins {
			made := func() *Turn {
				turn := turnOf()
				if turn.S.Login = make(); turn.S.Login != nil {
					l := turn.S.Login
					l.Browser, l.Phone, l.Customer, l.Challenge, l.SentAt, l.Wrong, l.Sent, l.Lookups = "b", "7700", "c", "sealed", noon.Add(-time.Minute), 4, 1, 1
					l.Asking = &CodeRequest{N: 1, Browser: "b", Phone: "7700", At: noon.Add(-time.Minute)}
					if name == "no code out, another's there" {
						l.Challenge = ""
					}
				}
				return turn
			}
			for _, browser := range []string{"b", "x", "w"} {
				d.is(fmt.Sprintf("%s: %s asks for a code", name, browser), made(), func(t *Turn) (string, error) {
					p, err := t.Logins().AskCode(browser, "77-"+browser)
					return fmt.Sprintf("press %d repeated %v customer %q", p.N, p.Repeated, p.Customer), err
				})
				d.is(fmt.Sprintf("%s: %s is remembered", name, browser), made(), func(t *Turn) (string, error) {
					return "", t.Logins().Remembered(browser, "7799", "c9")
				})
				d.is(fmt.Sprintf("%s: %s enters another phone", name, browser), made(), func(t *Turn) (string, error) { return "", t.Logins().OtherPhone(browser) })
				d.is(fmt.Sprintf("%s: %s tries a code", name, browser), made(), func(t *Turn) (string, error) { return t.Logins().TryCode(browser, 10*time.Minute) })
				if make() == nil {
					continue
				}
				d.is(fmt.Sprintf("%s: the code of %s was right", name, browser), made(), func(t *Turn) (string, error) {
					return "", t.Logins().LoggedIn(browser, map[string]string{"b": "sealed", "x": "sealed-x", "w": "sealed"}[browser], "c9")
				})
				d.is(fmt.Sprintf("%s: a code was sent for %s", name, browser), made(), func(t *Turn) (string, error) {
					return "", t.Logins().CodeSent(1, browser, "7799", "c9", "sealed-9")
				})
			}
		}
		for name, make := range map[string]func() *Turn{
			"nobody yet":                    func() *Turn { return turnOf() },
			"somebody logged in":            func() *Turn { t := turnOf(); t.S.Login = &Login{Customer: "c", Done: true}; return t },
			"somebody has a code":           func() *Turn { t := turnOf(); t.S.Login = &Login{Customer: "c", Challenge: "x"}; return t },
			"a transfer to the card of c":   func() *Turn { t := turnOf(); t.S.Target = &Target{Customer: "c"}; return t },
			"a transfer to the card of c2":  func() *Turn { t := turnOf(); t.S.Target = &Target{Customer: "c2"}; return t },
			"the session is over":           func() *Turn { t := turnOf(); t.S.ClosedReason = Expired; return t },
			"the session's time is over":    func() *Turn { t := turnOf(); t.S.ExpiresAt = noon; return t },
			"the login of a payment lost":   func() *Turn { t := turnOf(attemptIn(1, Unknown)); t.S.Login = &Login{Customer: "c"}; return t },
			"another's login lost":          func() *Turn { t := turnOf(attemptIn(1, Unknown)); t.S.Login = &Login{Customer: "c2"}; return t },
			"a payment under way, no login": func() *Turn { return turnOf(attemptIn(1, Unknown)) },
			"a payment failed":              func() *Turn { return turnOf(attemptIn(1, Failed)) },
		} {
			d.is(name+": c is remembered", make(), func(t *Turn) (string, error) { return "", t.Logins().Remembered("b", "7700", "c") })
		}
		for _, since := range []time.Duration{-time.Hour, -time.Minute, 0, 5*time.Minute - 1, 5 * time.Minute, 10*time.Minute - 1, 25 * time.Minute, 50 * time.Minute, 24 * time.Hour} {
			d.is(fmt.Sprintf("the first was counted %s ago: the share of five and of ten", since), turnOf(), func(*Turn) (string, error) {
				l := &Login{Since: noon.Add(-since)}
				return fmt.Sprint(l.share(5, noon), l.share(10, noon)), nil
			})
		}
		d.is("nothing was counted: the share of five and of ten", turnOf(), func(*Turn) (string, error) {
			l := &Login{}
			return fmt.Sprint(l.share(5, noon), l.share(10, noon)), nil
		})
	})
}

// What a database may have forgotten: the newest commits before a failover, and all since a copy that was restored was made.
func TestWhatADatabaseMayHaveForgotten(t *testing.T) {
	t.Parallel()
	decisions(t, "memory", func(d *table) {
		for name, m := range map[string]Memory{
			"nothing": {}, "started at noon": {Since: noon}, "restored an hour before noon": {Restored: noon.Add(-time.Hour), CopiedAt: noon.Add(-10 * time.Hour)},
			"started at noon, restored before": {Since: noon, Restored: noon.Add(-time.Hour), CopiedAt: noon.Add(-10 * time.Hour)},
			"started at noon, restored after":  {Since: noon, Restored: noon.Add(time.Hour), CopiedAt: noon.Add(-10 * time.Hour)},
			"started and restored at noon":     {Since: noon, Restored: noon, CopiedAt: noon.Add(-10 * time.Hour)},
		} {
			at := func(of time.Time) string {
				if of.IsZero() {
					return "never"
				}
				if of.Before(noon.Add(-1000 * time.Hour)) {
					return fmt.Sprint(of.Sub(time.Time{}))
				}
				return of.Sub(noon).String()
			}
			d.is(name+": the last time, and the window", turnOf(), func(*Turn) (string, error) {
				from, until := m.Window()
				return fmt.Sprintf("%s, from %s until %s", at(m.Last()), at(from), at(until)), nil
			})
			for _, written := range []time.Duration{-2 * time.Hour, -time.Hour, -1, 0, 1, time.Hour, 24*time.Hour - 1, 24 * time.Hour} {
				d.is(fmt.Sprintf("%s, written at %s: an order posted before, and what followed it", name, written), turnOf(), func(*Turn) (string, error) {
					return fmt.Sprint(m.Order(noon.Add(written)), m.After(noon.Add(written))), nil
				})
			}
		}
	})
}
