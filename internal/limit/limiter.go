package limit

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// Mode is what a limit does.
type Mode string

// What a limit does.
const (
	On     Mode = "on"
	Report Mode = "report" // it only says what it would do
	Off    Mode = "off"
)

// Settings are an account's limits. A shop that is busy with people meets none of them.
type Settings struct {
	Mode Mode

	CardTries       Rate // of one card, wherever
	PhoneCodes      Rate // sent to one phone
	AddressDeclines Rate // of one address; an approval gives one back
	AddressCards    Rate // different cards from one address; the same
	BINDeclines     Rate // of one bank's range of numbers, on one account: raises the work only
}

// Usual are the limits without settings.
func Usual() Settings {
	return Settings{
		Mode: On, CardTries: Rate{12, time.Hour}, PhoneCodes: Rate{10, time.Hour},
		AddressDeclines: Rate{20, time.Hour}, AddressCards: Rate{30, time.Hour}, BINDeclines: Rate{100, 10 * time.Minute},
	}
}

// Limits that belong to no account.
var (
	WrongKeys    = Rate{20, 10 * time.Minute} // wrong API keys of an address
	SessionPosts = Rate{60, 10 * time.Minute} // posts to one payment page
	PageReports  = Rate{60, 10 * time.Minute} // reports of an address on what a page's policy stopped
	Inquiries    = Rate{20, time.Minute}      // of a merchant's about one session, that ask the gateway
	SessionCodes = Rate{6, time.Hour}         // codes, and phones looked up, for one address on one payment page
)

// Options is what a Limiter needs.
type Options struct {
	Buckets  Buckets
	Settings func(account string) Settings // nil: Usual for all
	Print    func([]byte) string           // keyed: no address, card or phone is kept as it is
	Now      func() time.Time
	Rand     io.Reader
	Log      *slog.Logger
	Met      func(limit string, mode Mode) // a limit was met; nil: nobody counts
	Attack   func(merchant, account string, a Attack)
}

// Limiter is the one that every door asks.
type Limiter struct {
	o     Options
	own   *Memory // this machine's counts: in place of the shared ones while those cannot be reached, and before they are asked
	watch *watch
	said  *said
}

// said remembers what was logged a moment ago: strangers choose how often it happens.
type said struct {
	mu sync.Mutex
	at map[string]time.Time // by what is said, of which there are few
}

const sayAgain = time.Minute

// now tells whether something may be said, and notes that it is.
func (s *said) now(what string, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, known := s.at[what]; known && at.Sub(before) < sayAgain {
		return false
	}
	s.at[what] = at
	return true
}

// New makes a limiter.
func New(o Options) *Limiter {
	if o.Settings == nil {
		o.Settings = func(string) Settings { return Usual() }
	}
	if o.Met == nil {
		o.Met = func(string, Mode) {}
	}
	if o.Attack == nil {
		o.Attack = func(string, string, Attack) {}
	}
	return &Limiter{o: o, own: NewMemory(0), watch: &watch{shops: map[string]*shop{}}, said: &said{at: map[string]time.Time{}}}
}

// Limited says that a limit was met, and for how long. It does not say which.
type Limited struct{ Wait time.Duration }

func (*Limited) Error() string { return "limit: too many tries" }

// NeedsProof says that a try costs work first. Task is for the browser.
type NeedsProof struct {
	Task string
	Work Work
}

func (*NeedsProof) Error() string { return "limit: the try costs work first" }

// Try is one card, saved or typed, that is about to be sent to a gateway.
type Try struct {
	Merchant, Account, Session, Address string
	Card                                string // its number, or the id of a saved one; "" where there is none
	First                               bool   // the session's first attempt
	Typed                               bool   // on a form that can carry a proof
	Task, Number                        string // the proof, as posted
}

func (t Try) bin() string {
	if !t.Typed || len(t.Card) < 12 {
		return ""
	}
	return t.Card[:6]
}

// Network is what counts as one address: of IPv6 a household's.
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// network is Network of an address as text; "" of what is none.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	if p := Network(a); !p.IsSingleIP() {
		return p.String()
	}
	return a.Unmap().String()
}

func (l *Limiter) key(kind, what string) string { return kind + ":" + l.o.Print([]byte(kind+" "+what)) }

// Post counts a post to a session's page, on this machine only: strangers choose what they post to, and it must cost nothing.
func (l *Limiter) Post(ctx context.Context, session string) error {
	level, _ := l.own.Take(ctx, l.key("session_posts", session), SessionPosts, l.o.Now())
	return l.met(On, "session_posts", level.Wait)
}

// Report counts a report of a browser's, on this machine only.
func (l *Limiter) Report(ctx context.Context, address string) error {
	level, _ := l.own.Take(ctx, l.key("page_reports", network(address)), PageReports, l.o.Now())
	return l.met(On, "page_reports", level.Wait)
}

// Inquiry counts a merchant's inquiry about a session, on this machine only, and tells whether it may ask the gateway.
func (l *Limiter) Inquiry(ctx context.Context, session string) bool {
	level, _ := l.own.Take(ctx, l.key("inquiries", session), Inquiries, l.o.Now())
	return l.met(On, "inquiries", level.Wait) == nil
}

// Code counts a code that is about to be sent to a phone, for a session's page that was asked for it from an address.
func (l *Limiter) Code(ctx context.Context, account, phone, session, address string) error {
	s := l.o.Settings(account)
	if at := network(address); at != "" {
		if err := l.wall(ctx, On, "session_codes", session+" "+at, SessionCodes); err != nil {
			return err
		}
	}
	return l.wall(ctx, s.Mode, "phone_codes", account+" "+phone, s.PhoneCodes)
}

// WrongKey counts an API key that nobody has.
func (l *Limiter) WrongKey(ctx context.Context, address string) error {
	return l.wall(ctx, On, "wrong_keys", network(address), WrongKeys)
}

// wall counts one against a rate; *Limited where it is used up.
func (l *Limiter) wall(ctx context.Context, mode Mode, kind, what string, r Rate) error {
	if mode == Off || what == "" {
		return nil
	}
	key := l.key(kind, what)
	if own, _ := l.own.Look(ctx, key, r, l.o.Now()); own.Wait > 0 { // no need to ask the others
		return l.met(mode, kind, own.Wait)
	}
	level := l.count(ctx, Buckets.Take, key, r)
	if level.Wait > 0 { // refused here too until then, without asking
		l.own.full(key, r, l.o.Now(), level.Wait)
	}
	return l.met(mode, kind, level.Wait)
}

// met is what becomes of a limit that has to be waited for.
func (l *Limiter) met(mode Mode, kind string, wait time.Duration) error {
	if wait == 0 {
		return nil
	}
	l.o.Met(kind, mode)
	if mode == Report {
		if l.said.now(kind, l.o.Now()) {
			l.o.Log.Info("a limit would have been met", "limit", kind)
		}
		return nil
	}
	return &Limited{max(wait, time.Second)}
}

type counting func(Buckets, context.Context, string, Rate, time.Time) (Level, error)

// count asks the shared counts, and this machine's where those cannot be reached: a database that is away closes no shop.
func (l *Limiter) count(ctx context.Context, how counting, key string, r Rate) Level {
	if memory, ok := l.o.Buckets.(*Memory); ok { // it waits for nothing and has no errors
		level, _ := how(memory, ctx, key, r, l.o.Now())
		return level
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer done()
	level, err := how(l.o.Buckets, ctx, key, r, l.o.Now())
	if err != nil {
		l.unshared(err)
		level, _ = how(l.own, ctx, key, r, l.o.Now())
	}
	return level
}

// unshared warns that the shared counts cannot be reached.
func (l *Limiter) unshared(err error) {
	if !l.said.now("unshared", l.o.Now()) {
		return
	}
	l.o.Log.Warn("the shared counts cannot be reached: this machine counts by itself", "error", err)
}

// add counts one for everybody, and for what this machine knows without asking.
func (l *Limiter) add(ctx context.Context, key string, r Rate) {
	l.count(ctx, Buckets.Add, key, r)
	if _, ok := l.o.Buckets.(*Memory); !ok {
		_, _ = l.own.Add(ctx, key, r, l.o.Now())
	}
}

// Try is asked before a card goes to a gateway: nil, *Limited, or *NeedsProof. What it allows is counted.
func (l *Limiter) Try(ctx context.Context, t Try) error {
	s := l.o.Settings(t.Account)
	if s.Mode == Off {
		return nil
	}
	l.watch.tried(l, t.Merchant, t.Account)
	work, wait := l.cost(ctx, s, t)
	if t.Typed && work.Bits > 0 {
		if err := l.prove(ctx, s, t, work); err != nil {
			l.watch.stopped(l, t.Merchant, t.Account)
			return err
		}
	}
	// A session's first card passes an address's wall once it is proved: whoever shares the address with a bot still pays.
	if wait > 0 && (!t.First || !t.Typed) {
		if err := l.met(s.Mode, "address", wait); err != nil {
			l.watch.stopped(l, t.Merchant, t.Account)
			return err
		}
	}
	if err := l.wall(ctx, s.Mode, "card_tries", t.Card, s.CardTries); err != nil {
		l.watch.stopped(l, t.Merchant, t.Account)
		return err
	}
	if at := network(t.Address); at != "" && t.Typed {
		once := Rate{1, s.AddressCards.Per}
		if l.count(ctx, Buckets.Take, l.key("address_card", at+" "+t.Card), once).Wait == 0 {
			l.add(ctx, l.key("address_cards", at), s.AddressCards)
			l.watch.newCard(l, t.Merchant, t.Account)
		}
	}
	return nil
}

// The work that a try costs, by what was seen of where it comes from.
var (
	someWork = Work{15, 20 * time.Second} // half of an address's limit, or a bank's range that is being tried
	moreWork = Work{16, 30 * time.Second} // the account is under attack
	mostWork = Work{18, time.Minute}      // an address's limit
)

// cost is the work that a try costs now, and how long the address's wall stands.
func (l *Limiter) cost(ctx context.Context, s Settings, t Try) (work Work, wait time.Duration) {
	if at := network(t.Address); at != "" {
		declines := l.count(ctx, Buckets.Look, l.key("address_declines", at), s.AddressDeclines)
		cards := l.count(ctx, Buckets.Look, l.key("address_cards", at), s.AddressCards)
		wait = max(declines.Wait, cards.Wait)
		switch {
		case wait > 0:
			work = mostWork
		case declines.Used*2 >= s.AddressDeclines.N, cards.Used*2 >= s.AddressCards.N:
			work = someWork
		}
	}
	if bin := t.bin(); bin != "" && l.count(ctx, Buckets.Look, l.key("bin", t.Account+" "+bin), s.BINDeclines).Wait > 0 {
		work = work.more(someWork)
	}
	if l.watch.attacked(l, t.Merchant, t.Account) {
		work = work.more(moreWork)
	}
	return work, wait
}

// prove takes a posted proof, once; *NeedsProof where there is none.
func (l *Limiter) prove(ctx context.Context, s Settings, t Try, work Work) error {
	now := l.o.Now()
	asked, since, ours := l.readTask(t.Session, t.Task)
	age := now.Sub(since)
	if ours = ours && age < proofLife && (asked.Bits >= work.Bits || age < 5*time.Minute); ours {
		if age >= asked.Wait || solved(t.Task, t.Number, asked.Bits) {
			if l.count(ctx, Buckets.Take, l.key("proof", t.Task), Rate{1, proofLife}).Wait == 0 {
				return nil
			}
			ours = false
		}
	}
	l.o.Met("proof", s.Mode)
	if s.Mode == Report {
		return nil
	}
	if ours { // its time goes on
		return &NeedsProof{t.Task, asked}
	}
	task, err := l.task(t.Session, work, now)
	if err != nil {
		return err
	}
	return &NeedsProof{task, work}
}

// Task is the work that the next card of a session will cost from an address, to be done while the form is filled in; "" for none.
// It counts nothing and asks no database: what other machines know is found when the card is posted.
func (l *Limiter) Task(ctx context.Context, merchant, account, session, address string) (string, Work, error) {
	s := l.o.Settings(account)
	if s.Mode != On {
		return "", Work{}, nil
	}
	work := l.expected(ctx, s, merchant, account, address)
	if work.Bits == 0 {
		return "", Work{}, nil
	}
	task, err := l.task(session, work, l.o.Now())
	return task, work, err
}

// expected is cost by what this machine knows.
func (l *Limiter) expected(ctx context.Context, s Settings, merchant, account, address string) Work {
	here := *l
	here.o.Buckets = l.own
	if memory, ok := l.o.Buckets.(*Memory); ok {
		here.o.Buckets = memory
	}
	work, _ := here.cost(ctx, s, Try{Merchant: merchant, Account: account, Address: address})
	return work
}

// Suspected tells whether so much was declined for an address, or is on the account, that reasons are not told any more.
func (l *Limiter) Suspected(ctx context.Context, merchant, account, address string) bool {
	s := l.o.Settings(account)
	if s.Mode != On {
		return false
	}
	work, _ := l.cost(ctx, s, Try{Merchant: merchant, Account: account, Address: address})
	return work.Bits > 0
}

// Outcome is how a try ended.
type Outcome struct {
	Merchant, Account, Address string
	BIN                        string // the card's first six digits
	Approved                   bool
}

// givenBack is how many an approval gives an address back: its own card, and one that a neighbour was refused.
const givenBack = 2

// Ended counts how a try ended: a decline against the address and the bank's range, an approval for the address.
func (l *Limiter) Ended(ctx context.Context, o Outcome) {
	s := l.o.Settings(o.Account)
	if s.Mode == Off {
		return
	}
	l.watch.ended(l, o.Merchant, o.Account, o.Approved)
	at := network(o.Address)
	switch {
	case o.Approved && at != "":
		now := l.o.Now()
		for kind, r := range map[string]Rate{"address_declines": s.AddressDeclines, "address_cards": s.AddressCards} {
			for range givenBack {
				_ = l.own.Give(ctx, l.key(kind, at), r, now)
				if err := l.o.Buckets.Give(ctx, l.key(kind, at), r, now); err != nil {
					l.unshared(err)
				}
			}
		}
	case !o.Approved:
		if at != "" {
			l.add(ctx, l.key("address_declines", at), s.AddressDeclines)
		}
		if len(o.BIN) >= 6 {
			l.count(ctx, Buckets.Add, l.key("bin", o.Account+" "+o.BIN[:6]), s.BINDeclines)
		}
	}
}

// WaitOf is how long a limit that an error tells of has to be waited for.
func WaitOf(err error) (time.Duration, bool) {
	if l, ok := errors.AsType[*Limited](err); ok {
		return l.Wait, true
	}
	return 0, false
}
