package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/limit"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/threeds"
)

// strict declines every card, and counts them.
type strict struct {
	*gateway
	tried *atomic.Int64
}

func (g strict) Pay(_ context.Context, p providers.Payment, _ providers.Instrument, _ threeds.BrowserData) (providers.Step, error) {
	g.tried.Add(1)
	decline := &providers.Decline{Reason: "insufficient_funds"}
	return providers.Step{V: providers.StepVersion, Kind: providers.Declined, Ref: p.Ref, Decline: decline}, nil
}

// heard tells the limiter how tries end, as internal/app does.
type heard struct {
	flow.Store
	m **machine
}

func (h heard) Save(ctx context.Context, s *session.Session, c session.Change) error {
	err := h.Store.Save(ctx, s, c)
	for _, e := range c.Events {
		approved := e.Type == session.EventPaymentPaid
		if a := s.Last(); err == nil && a != nil && (approved || e.Type == session.EventPaymentDeclined) {
			(*h.m).limits.Ended(ctx, limit.Outcome{Merchant: s.Merchant, Account: s.Account, Address: a.IP, BIN: a.Card.First6, Approved: approved})
		}
	}
	return err
}

// number is a card that no other is, with its check digit.
func number(n int) string {
	digits := fmt.Sprintf("400001%09d", n)
	for check := range 10 {
		sum := 0
		for i, r := range digits + strconv.Itoa(check) {
			d := int(r - '0')
			if i%2 == 0 {
				if d *= 2; d > 9 {
					d -= 9
				}
			}
			sum += d
		}
		if sum%10 == 0 {
			return digits + strconv.Itoa(check)
		}
	}
	return ""
}

// doors is a machine whose gateway declines, with the number of cards it has seen.
func doors(t *testing.T, with tune) (m *machine, tried *atomic.Int64) {
	tried = &atomic.Int64{}
	with.provider = func(g *gateway) providers.Provider { return strict{g, tried} }
	with.store = func(s flow.Store) flow.Store { return heard{s, &m} }
	m = boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, with)
	return m, tried
}

func (m *machine) pays(id, card string, more url.Values) reply {
	form := url.Values{"number": {card}, "expiry": {"12/49"}, "cvc": {"123"}, "name": {"A B"}}
	for name, values := range more {
		form[name] = values
	}
	return m.shopper(http.MethodPost, "/pay/"+id+"/card", strings.NewReader(form.Encode()))
}

func TestABotThatTestsCardsIsStoppedAndToldNothing(t *testing.T) {
	m, tried := doors(t, tune{})
	codes := map[int]int{}
	last := ""
	for i := range 60 {
		id := m.call(http.MethodPost, "/v1/sessions", order("bot"+strconv.Itoa(i))).field("id")
		for n := range 5 {
			r := m.pays(id, number(10*(5*i+n)+1), nil)
			codes[r.Code]++
			if r.Code == http.StatusTooManyRequests && r.Header().Get("Retry-After") == "" {
				t.Fatal("no Retry-After")
			}
		}
		last = id
	}
	if n := tried.Load(); n > 20 || codes[http.StatusTooManyRequests] < 200 {
		t.Errorf("%d cards reached the gateway, answers %v", n, codes)
	}
	page := m.pays(last, number(7), nil)
	if strings.Contains(page.Body.String(), number(7)) || !strings.Contains(page.Body.String(), `name="task"`) || !strings.Contains(page.Body.String(), "work.") {
		t.Errorf("the page that asks for work: %d %s", page.Code, page.Body)
	}
	first := m.call(http.MethodPost, "/v1/sessions", order("reason")).field("id")
	m.clock.Advance(2 * time.Minute)
	task := taskOf(m.shopper(http.MethodGet, "/pay/"+first, nil).Body.String())
	m.clock.Advance(2 * time.Minute)
	m.pays(first, number(901), url.Values{"task": {task}}).leadsTo("/pay/" + first)
	if page := m.shopper(http.MethodGet, "/pay/"+first, nil).Body.String(); strings.Contains(page, "not enough money") || !strings.Contains(page, `id="notice"`) {
		t.Errorf("an address that is limited is told why: %s", page)
	}
}

func taskOf(page string) string {
	_, after, _ := strings.Cut(page, `name="task" value="`)
	task, _, _ := strings.Cut(after, `"`)
	return task
}

func TestAShopperWhoIsNotLimitedIsToldWhyAndDoesNoWork(t *testing.T) {
	m, _ := doors(t, tune{})
	id := m.call(http.MethodPost, "/v1/sessions", order("one")).field("id")
	if page := m.shopper(http.MethodGet, "/pay/"+id, nil).Body.String(); strings.Contains(page, `name="task"`) || strings.Contains(page, "work.") {
		t.Errorf("an ordinary page has a task: %s", page)
	}
	m.pays(id, number(1), nil).leadsTo("/pay/" + id)
	if page := m.shopper(http.MethodGet, "/pay/"+id, nil, "Accept-Language", "en").Body.String(); !strings.Contains(page, "not enough money") {
		t.Errorf("the reason is not told: %s", page)
	}
}

func TestTheCalmPageHasTheSameWordsWhateverLimitItWas(t *testing.T) {
	logsIn := limit.Usual()
	logsIn.CardTries, logsIn.PhoneCodes = limit.Rate{N: 1, Per: time.Hour}, limit.Rate{N: 1, Per: time.Hour}
	words := map[string]string{"en": "Please wait a little", "ru": "подождите", "kk": "күте"}
	for lang, want := range words {
		m, _ := doors(t, tune{limits: &logsIn})
		var pages []string
		create := func(id string) string {
			return m.call(http.MethodPost, "/v1/sessions", strings.Replace(order(id), "{", `{"locale":"`+lang+`",`, 1)).field("id")
		}
		for i := range 2 {
			id := create("o" + strconv.Itoa(i))
			if r := m.pays(id, number(1), nil); i == 1 {
				r.is(http.StatusTooManyRequests, "")
				pages = append(pages, strings.ReplaceAll(strings.ReplaceAll(r.Body.String(), id, ""), "o1", ""))
			}
		}
		id := create("o9")
		for range limit.SessionPosts.N {
			m.pays(id, "", nil)
		}
		r := m.pays(id, number(2), nil)
		r.is(http.StatusTooManyRequests, "")
		same := strings.NewReplacer("60", "N", "10", "N", "1 ", "N ", "минуту", "минут", "minutes", "minute")
		pages = append(pages, strings.ReplaceAll(strings.ReplaceAll(r.Body.String(), id, ""), "o9", ""))
		for _, page := range pages {
			if !strings.Contains(page, want) || !strings.Contains(page, `class="button"`) {
				t.Errorf("%s: %s", lang, page)
			}
		}
		if a, b := titleOf(pages[0]), titleOf(pages[1]); same.Replace(a) != same.Replace(b) {
			t.Errorf("%s: %q and %q", lang, a, b)
		}
	}
}

func titleOf(page string) string {
	_, after, _ := strings.Cut(page, "<h1>")
	title, _, _ := strings.Cut(after, "</h1>")
	return title
}

func TestWrongAPIKeysAreLimitedByAddressAndRightOnesAreNot(t *testing.T) {
	m, _ := doors(t, tune{})
	codes := map[int]int{}
	var last reply
	for i := range 500 {
		m.key = fmt.Sprintf("sk_wrong_%030d", i)
		last = m.call(http.MethodGet, "/v1/sessions", "")
		codes[last.Code]++
	}
	if codes[401] != limit.WrongKeys.N || codes[429] != 500-limit.WrongKeys.N {
		t.Errorf("answers %v", codes)
	}
	last.is(http.StatusTooManyRequests, "too-many-requests")
	for _, h := range []string{"Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} {
		if last.Header().Get(h) == "" {
			t.Errorf("no %s", h)
		}
	}
	m.key = shopKey
	m.call(http.MethodGet, "/v1/sessions", "").is(http.StatusOK, "")
}

func TestADryRunLetsEveryTryThrough(t *testing.T) {
	report := limit.Usual()
	report.Mode = limit.Report
	m, tried := doors(t, tune{limits: &report})
	for i := range 10 {
		id := m.call(http.MethodPost, "/v1/sessions", order("o"+strconv.Itoa(i))).field("id")
		for n := range 5 {
			m.pays(id, number(10*(5*i+n)+1), nil)
		}
	}
	if n := tried.Load(); n != 50 {
		t.Errorf("%d of 50 reached the gateway", n)
	}
}
