package limit_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/limit"
)

// desk is a limiter with a clock and what it was heard to say.
type desk struct {
	log bytes.Buffer
	*limit.Limiter
	t       *testing.T
	now     time.Time
	buckets limit.Buckets
	set     limit.Settings
	met     map[string]int
	alarms  []limit.Attack
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, now: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC), buckets: limit.NewMemory(0), set: limit.Usual(), met: map[string]int{}}
	d.open()
	return d
}

func (d *desk) open() {
	d.Limiter = limit.New(limit.Options{
		Buckets: d.buckets, Settings: func(string) limit.Settings { return d.set }, Now: func() time.Time { return d.now }, Rand: rand.Reader,
		Log: slog.New(slog.NewTextHandler(&d.log, nil)), Met: func(kind string, _ limit.Mode) { d.met[kind]++ },
		Print: func(v []byte) string {
			m := hmac.New(sha256.New, []byte("key"))
			m.Write(v)
			return hex.EncodeToString(m.Sum(nil)[:16])
		},
		Attack: func(_, _ string, a limit.Attack) { d.alarms = append(d.alarms, a) },
	})
}

func (d *desk) try(session, card, address string, first bool) error {
	return d.Try(d.t.Context(), limit.Try{Merchant: "m", Account: "a", Session: session, Address: address, Card: card, First: first, Typed: true})
}

func (d *desk) ended(address string, approved bool) {
	d.Ended(d.t.Context(), limit.Outcome{Merchant: "m", Account: "a", Address: address, BIN: "400001", Approved: approved})
}

// card is a number that no other is.
func card(n int) string { return fmt.Sprintf("40000%011d", n) }

// solve does what the script of the page does.
func solve(p *limit.NeedsProof) string {
	for n := 0; ; n++ {
		sum := sha256.Sum256([]byte(p.Task + "." + strconv.Itoa(n)))
		zeros := 0
		for _, b := range sum {
			for bit := 7; bit >= 0 && b>>bit&1 == 0; bit-- {
				zeros++
			}
			if b != 0 {
				break
			}
		}
		if zeros >= p.Work.Bits {
			return strconv.Itoa(n)
		}
	}
}

func TestARateIsSoManyAtOnceAndComesBackOneByOne(t *testing.T) {
	b, now, r := limit.NewMemory(0), time.Unix(1e9, 0), limit.Rate{N: 3, Per: time.Minute}
	take := func() (bool, time.Duration) {
		l, err := b.Take(t.Context(), "k", r, now)
		if err != nil {
			t.Fatal(err)
		}
		return l.Wait == 0, l.Wait
	}
	for i := range 3 {
		if ok, _ := take(); !ok {
			t.Fatalf("take %d is refused", i+1)
		}
	}
	for _, step := range []time.Duration{0, 19 * time.Second} {
		now = now.Add(step)
		if ok, wait := take(); ok || wait != 20*time.Second-step {
			t.Errorf("after %s: %v, wait %s", step, ok, wait)
		}
	}
	now = now.Add(time.Second)
	if ok, _ := take(); !ok {
		t.Error("none has come back after a third of the time")
	}
	if err := b.Give(t.Context(), "k", r, now); err != nil {
		t.Fatal(err)
	}
	if ok, _ := take(); !ok {
		t.Error("what was given back is not there")
	}
	now = now.Add(time.Minute)
	if l, _ := b.Look(t.Context(), "k", r, now); l.Used != 0 || l.Wait != 0 {
		t.Errorf("after all of the time: %+v", l)
	}
}

func TestParallelTakesNeverGoOverTheRate(t *testing.T) {
	b, r, now := limit.NewMemory(0), limit.Rate{N: 5, Per: time.Hour}, time.Unix(1e9, 0)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := 0
	for range 60 {
		wg.Go(func() {
			if l, _ := b.Take(context.Background(), "k", r, now); l.Wait == 0 {
				mu.Lock()
				got++
				mu.Unlock()
			}
		})
	}
	if wg.Wait(); got != 5 {
		t.Errorf("%d of 60", got)
	}
}

func TestMemoryIsBoundedWhateverStrangersChoose(t *testing.T) {
	b, r, now := limit.NewMemory(1000), limit.Rate{N: 10, Per: time.Hour}, time.Unix(1e9, 0)
	for range 10 {
		b.Add(t.Context(), "a bot", r, now)
	}
	for i := range 50_000 {
		b.Take(t.Context(), strconv.Itoa(i), r, now)
	}
	if b.Len() > 1000 {
		t.Errorf("%d are held", b.Len())
	}
	if l, _ := b.Look(t.Context(), "a bot", r, now); l.Used < 10 {
		t.Errorf("what was used most was let go: %+v", l)
	}
}

// Fresh keys of any kind, as a stranger makes them: cards, addresses, pages, phones. What another kind has counted stays.
func TestAFloodOfFreshKeysPushesOutNoCountOfAnotherKind(t *testing.T) {
	d := newDesk(t)
	d.buckets = limit.NewMemory(2000)
	d.open()
	l := d.Limiter
	for range d.set.CardTries.N {
		_ = l.Try(t.Context(), limit.Try{Account: "a", Card: "4000000000000002", Address: "192.0.2.1"})
	}
	for i := range d.set.PhoneCodes.N {
		if err := l.Code(t.Context(), "a", "+77010000000", "session"+strconv.Itoa(i), ""); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20_000 { // each from a household of its own, so that no wall stops it
		at := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, byte(i >> 16), byte(i >> 8), byte(i)})
		_ = l.Try(t.Context(), limit.Try{Account: "a", Card: card(i), Address: at.String(), Typed: true, First: true})
	}
	if d.buckets.(*limit.Memory).Len() > 2000 {
		t.Errorf("%d are held", d.buckets.(*limit.Memory).Len())
	}
	if err := l.Try(t.Context(), limit.Try{Account: "a", Card: "4000000000000002", Address: "192.0.2.1"}); err == nil {
		t.Error("a card's tries were forgotten")
	}
	if err := l.Code(t.Context(), "a", "+77010000000", "another", ""); err == nil {
		t.Error("a phone's codes were forgotten")
	}
}

func TestACardIsTriedSoOftenWhereverItIsTyped(t *testing.T) {
	d := newDesk(t)
	for i := range d.set.CardTries.N {
		if err := d.try("cs_"+strconv.Itoa(i), card(1), "10.0.0."+strconv.Itoa(i), true); err != nil {
			t.Fatal(i, err)
		}
	}
	wait, limited := limit.WaitOf(d.try("cs_x", card(1), "10.0.1.1", true))
	if !limited || wait <= 0 || wait > 5*time.Minute {
		t.Errorf("one more: %v, %s", limited, wait)
	}
	if err := d.try("cs_y", card(2), "10.0.1.1", true); err != nil {
		t.Errorf("another card: %v", err)
	}
}

// bot tries five new cards in each of so many sessions from one address; every card is declined. It solves what it is asked to.
func (d *desk) bot(address string, sessions int, solves bool) (reached int) {
	for s := range sessions {
		id := "bot_" + strconv.Itoa(s)
		for n := range 5 {
			t := limit.Try{Merchant: "m", Account: "a", Session: id, Address: address, Card: card(s*5 + n), First: n == 0, Typed: true}
			err := d.Try(d.t.Context(), t)
			if p, ok := errors.AsType[*limit.NeedsProof](err); ok && solves {
				t.Task, t.Number = p.Task, "0"
				d.now = d.now.Add(p.Work.Wait) // as long as a browser without script waits
				err = d.Try(d.t.Context(), t)
			}
			if err == nil {
				reached++
				d.ended(address, false)
			}
		}
	}
	return reached
}

func TestOfAThousandCardsFromOneAddressFewReachAGateway(t *testing.T) {
	d := newDesk(t)
	if n := d.bot("192.0.2.1", 200, false); n > 20 {
		t.Errorf("%d without a proof", n)
	}
	if n := newDesk(t).bot("192.0.2.1", 200, true); n > 20+200+200 { // the last: what comes back in the hours that it waits
		t.Errorf("%d with proofs", n)
	}
	if len(d.alarms) != 1 {
		t.Errorf("%d alarms", len(d.alarms))
	}
}

func TestHonestShoppersBehindTheBotsAddressStillPay(t *testing.T) {
	d := newDesk(t)
	d.bot("192.0.2.1", 40, false)
	for i := range 50 {
		at := limit.Try{Merchant: "m", Account: "a", Session: "cs_" + strconv.Itoa(i), Address: "192.0.2.1", Card: card(10_000 + i), First: true, Typed: true}
		// The page has the task in it, and the script solves it while the card is typed.
		task, work, err := d.Task(t.Context(), "m", "a", at.Session, at.Address)
		if err != nil || i == 0 && task == "" {
			t.Fatal(task, err)
		}
		if i == 0 {
			at.Number = solve(&limit.NeedsProof{Task: task, Work: work})
		} else { // 18 bits take a test a tenth of a second; time does as well
			d.now = d.now.Add(work.Wait)
		}
		at.Task = task
		if err := d.Try(t.Context(), at); err != nil {
			t.Fatalf("shopper %d: %v", i, err)
		}
		d.ended(at.Address, true)
	}
}

// Behind a mobile carrier's address are thousands: most of their cards are approved, and each of those gives one back.
func TestACarriersAddressIsNotLimited(t *testing.T) {
	d := newDesk(t)
	for i := range 5000 {
		if err := d.try("cs_"+strconv.Itoa(i), card(i), "198.51.100.7", true); err != nil {
			t.Fatalf("shopper %d: %v", i, err)
		}
		d.ended("198.51.100.7", i%7 != 0)
		d.now = d.now.Add(200 * time.Millisecond)
	}
	if len(d.met) != 0 || len(d.alarms) != 0 {
		t.Errorf("limits were met: %v, %d alarms", d.met, len(d.alarms))
	}
}

func TestAHouseholdsIPv6AddressesAreOne(t *testing.T) {
	d := newDesk(t)
	for i := range 12 {
		d.ended(fmt.Sprintf("2001:db8:1:2::%x", i), false)
	}
	var proof *limit.NeedsProof
	if err := d.try("cs_1", card(1), "2001:db8:1:2:ffff::1", true); !errors.As(err, &proof) {
		t.Errorf("the same network: %v", err)
	}
	if err := d.try("cs_2", card(2), "2001:db8:1:3::1", true); err != nil {
		t.Errorf("the next network: %v", err)
	}
}

func TestAProofIsOfOneSessionOneTimeAndOneUse(t *testing.T) {
	d := newDesk(t)
	for range 12 {
		d.ended("192.0.2.1", false)
	}
	at := limit.Try{Merchant: "m", Account: "a", Session: "cs_1", Address: "192.0.2.1", Card: card(1), First: true, Typed: true}
	asked := func(at limit.Try) *limit.NeedsProof {
		t.Helper()
		var p *limit.NeedsProof
		if err := d.Try(t.Context(), at); !errors.As(err, &p) {
			t.Fatalf("%v", err)
		}
		return p
	}
	p := asked(at)
	number := solve(p)
	for what, bad := range map[string][2]string{"no number": {p.Task, ""}, "a wrong number": {p.Task, number + "1"}, "another task": {"15.0.1.x.y", number},
		"an easier task": {strings.Replace(p.Task, "15.", "01.", 1), number}, "none": {"", ""}} {
		at.Task, at.Number = bad[0], bad[1]
		if asked(at); what == "no number" {
			if again := asked(at); again.Task != p.Task {
				t.Error("who waits is given another task, and begins anew")
			}
		}
	}
	other := at
	other.Session, other.Task, other.Number = "cs_2", p.Task, number
	asked(other)
	at.Task, at.Number = p.Task, number
	if err := d.Try(t.Context(), at); err != nil {
		t.Fatalf("the right number: %v", err)
	}
	at.Card = card(2)
	asked(at)
	late := asked(limit.Try{Merchant: "m", Account: "a", Session: "cs_3", Address: "192.0.2.1", Card: card(3), First: true, Typed: true})
	d.now = d.now.Add(31 * time.Minute)
	for range 12 {
		d.ended("192.0.2.1", false)
	}
	asked(limit.Try{Merchant: "m", Account: "a", Session: "cs_3", Address: "192.0.2.1", Card: card(3), First: true, Typed: true, Task: late.Task, Number: solve(late)})
}

func TestWithoutScriptTimeDoesForAProof(t *testing.T) {
	d := newDesk(t)
	for range 12 {
		d.ended("192.0.2.1", false)
	}
	at := limit.Try{Merchant: "m", Account: "a", Session: "cs_1", Address: "192.0.2.1", Card: card(1), First: true, Typed: true}
	task, work, err := d.Task(t.Context(), "m", "a", "cs_1", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	at.Task = task
	d.now = d.now.Add(work.Wait - time.Second)
	if err := d.Try(t.Context(), at); err == nil {
		t.Error("before the time")
	}
	d.now = d.now.Add(time.Second)
	if err := d.Try(t.Context(), at); err != nil {
		t.Errorf("after it: %v", err)
	}
}

func TestADryRunOnlyReports(t *testing.T) {
	d := newDesk(t)
	d.set.Mode = limit.Report
	if n := d.bot("192.0.2.1", 20, false); n != 100 || d.met["proof"] == 0 || d.met["address"] == 0 || len(d.alarms) != 1 {
		t.Errorf("%d went through, met %v, %d alarms", n, d.met, len(d.alarms))
	}
	d = newDesk(t)
	d.set.Mode = limit.Off
	if n := d.bot("192.0.2.1", 20, false); n != 100 || len(d.met) != 0 || len(d.alarms) != 0 {
		t.Errorf("off: %d went through, met %v", n, d.met)
	}
}

func TestTheAlarmComesWithinAMinuteAndOnceForAnAttack(t *testing.T) {
	for _, perMinute := range []int{25, 60, 600} {
		d := newDesk(t)
		began := d.now
		for i := range 6000 { // from a thousand addresses
			address := fmt.Sprintf("10.%d.%d.1", i%1000/250, i%250)
			if d.try("cs_"+strconv.Itoa(i), card(i), address, true) == nil {
				d.ended(address, false)
			}
			if d.now = d.now.Add(time.Minute / time.Duration(perMinute)); len(d.alarms) > 0 && d.now.Sub(began) > 5*time.Minute {
				break
			}
		}
		if len(d.alarms) != 1 || d.alarms[0].Since.Sub(began) > time.Minute {
			t.Errorf("%d a minute: %d alarms, the first after %s", perMinute, len(d.alarms), d.alarms[0].Since.Sub(began))
		}
		if work := d.try("cs_z", card(99_999), "172.16.0.1", true); work == nil {
			t.Errorf("%d a minute: under attack a try costs nothing", perMinute)
		}
		d.now = d.now.Add(11 * time.Minute)
		if err := d.try("cs_y", card(99_998), "172.16.0.2", true); err != nil {
			t.Errorf("%d a minute, long after it: %v", perMinute, err)
		}
	}
}

// A sale: ten times as many as usual, as many declined as always.
func TestASaleIsNoAttack(t *testing.T) {
	d := newDesk(t)
	each := time.Second
	for i := range 20_000 {
		if i == 3000 {
			each = time.Second / 10
		}
		address := fmt.Sprintf("10.%d.%d.%d", i/65536, i/256%256, i%256)
		if err := d.try("cs_"+strconv.Itoa(i), card(i), address, true); err != nil {
			t.Fatal(i, err)
		}
		d.ended(address, i%5 != 0)
		d.now = d.now.Add(each)
	}
	if len(d.alarms) != 0 || len(d.met) != 0 {
		t.Errorf("%d alarms, met %v", len(d.alarms), d.met)
	}
}

func TestOneShopsAttackIsNoOtherShops(t *testing.T) {
	d := newDesk(t)
	for i := range 100 {
		d.ended("10.0.0."+strconv.Itoa(i), false)
	}
	err := d.Try(t.Context(), limit.Try{Merchant: "other", Account: "a2", Session: "cs", Address: "172.16.0.1", Card: card(1), First: true, Typed: true})
	if err != nil || len(d.alarms) != 1 {
		t.Errorf("%v, %d alarms", err, len(d.alarms))
	}
}

// away are counts that cannot be reached.
type away struct{ limit.Buckets }

func (away) Take(context.Context, string, limit.Rate, time.Time) (limit.Level, error) {
	return limit.Level{}, errors.New("database away")
}

func TestWhileTheSharedCountsAreAwayThisMachinesOwnHold(t *testing.T) {
	d := newDesk(t)
	d.buckets = away{d.buckets}
	d.open()
	allowed := 0
	for range 30 {
		if d.Code(t.Context(), "a", "77010000000", fmt.Sprint(allowed), "") == nil {
			allowed++
		}
	}
	if allowed != d.set.PhoneCodes.N {
		t.Errorf("%d codes", allowed)
	}
}

func TestWrongKeysCountAgainstTheirAddress(t *testing.T) {
	d := newDesk(t)
	refused := 0
	for range 500 {
		if wait, limited := limit.WaitOf(d.WrongKey(t.Context(), "192.0.2.1")); limited {
			if refused++; wait < time.Second {
				t.Fatalf("wait %s", wait)
			}
		}
	}
	if refused != 500-limit.WrongKeys.N {
		t.Errorf("%d of 500", refused)
	}
	if err := d.WrongKey(t.Context(), "192.0.2.2"); err != nil {
		t.Errorf("another address: %v", err)
	}
}

func TestOneAddressHasItsShareOfASessionsCodesAndNoMore(t *testing.T) {
	d := newDesk(t)
	d.set.Mode = limit.Report // this wall stands where no real card is taken, too
	sent := func(session, address string) (n int) {
		for i := range 60 {
			if d.Code(t.Context(), "a", fmt.Sprintf("770100000%02d", i), session, address) == nil {
				n++
			}
		}
		return n
	}
	if n := sent("cs_1", "203.0.113.9"); n != limit.SessionCodes.N {
		t.Errorf("%d for a robot", n)
	}
	if n := sent("cs_1", "198.51.100.7"); n != limit.SessionCodes.N {
		t.Errorf("%d for the shopper after it", n)
	}
	if n := sent("cs_2", "203.0.113.9"); n != limit.SessionCodes.N {
		t.Errorf("%d of another session", n)
	}
}

func TestStrangersCannotFillTheLogByMeetingLimits(t *testing.T) {
	d := newDesk(t)
	d.set.Mode = limit.Report
	d.buckets = away{d.buckets}
	d.open()
	for i := range 2000 {
		_ = d.Code(t.Context(), "a", "77010000000", fmt.Sprint("cs_", i), "")
		_ = d.WrongKey(t.Context(), "203.0.113.9")
	}
	if lines := strings.Count(d.log.String(), "\n"); lines == 0 || lines > 3 || d.met["phone_codes"] < 1900 {
		t.Errorf("%d lines, met %v", lines, d.met)
	}
	d.now = d.now.Add(time.Minute)
	before := d.log.Len()
	_ = d.Code(t.Context(), "a", "77010000000", "cs_x", "")
	if d.log.Len() == before {
		t.Error("nothing is said a minute later")
	}
}
