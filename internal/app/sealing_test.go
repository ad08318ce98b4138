package app

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/securecookie"

	"tollgate/internal/clock"
	"tollgate/internal/config"
	"tollgate/internal/merchant"
	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
	"tollgate/internal/webhook"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/browser"
)

// site is one database that several fronts, each with a key file of its own, work on.
type site struct {
	t        *testing.T
	database string
	dir      string
	clock    *clock.Clock
}

func sites(t *testing.T, test func(*testing.T, *site)) {
	t.Run("SQLite", func(t *testing.T) { test(t, &site{t, "", t.TempDir(), &clock.Clock{}}) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, &site{t, pgtest.Start(t), t.TempDir(), &clock.Clock{}}) })
}

// keyText is a random key as a line of a key file.
func keyText(t *testing.T) string {
	t.Helper()
	key, err := newKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(key)
}

// start opens the database as a front with these lines in its key file would; without lines it has no file.
func (s *site) start(lines ...string) (*App, error) {
	s.t.Helper()
	name := filepath.Join(s.t.TempDir(), "keys")
	if len(lines) > 0 {
		write(s.t, name, strings.Join(lines, "\n")+"\n", 0o600)
	}
	a, err := s.open(config.Config{DatabaseURL: s.database, Data: s.dir, KeysFile: name})
	if len(lines) == 0 && err != nil {
		if _, missing := os.Stat(name); !os.IsNotExist(missing) {
			s.t.Error("a key file was made")
		}
	}
	return a, err
}

func (s *site) open(c config.Config) (*App, error) {
	log := &bytes.Buffer{}
	a := &App{o: Options{Clock: s.clock, Rand: rand.Reader, Config: c}, log: slog.New(slog.NewJSONHandler(log, nil))}
	err := a.openStore(s.t.Context())
	if err != nil {
		a.close()
		return nil, err
	}
	s.t.Cleanup(a.close)
	return a, nil
}

func (s *site) must(lines ...string) *App {
	s.t.Helper()
	a, err := s.start(lines...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// refused starts a front that must not run, for a reason that says all of these words.
func (s *site) refused(lines []string, words ...string) {
	s.t.Helper()
	a, err := s.start(lines...)
	if err == nil {
		a.close()
		s.t.Errorf("it started; it should say %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			s.t.Errorf("%q does not say %q", err, w)
		}
	}
}

// behind runs a statement behind the program's back.
func behind(t *testing.T, s *site, query string) {
	t.Helper()
	driver, name := "pgx", s.database
	if name == "" {
		driver, name = "sqlite", "file:"+filepath.Join(s.dir, "tollgate.db")+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func only(line string) string { return openOnly + line }

func idOf(t *testing.T, line string) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, openOnly))
	if err != nil {
		t.Fatal(err)
	}
	return browser.KeyID(key)
}

// plainSeal seals as versions did whose values do not say with which key.
func plainSeal(t *testing.T, line, name string, v []byte) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := securecookie.New(key[:32], key[32:]).MaxAge(0).MaxLength(0).SetSerializer(securecookie.NopEncoder{}).Encode(name, bytes.Clone(v))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(sealed, "=")
}

// fill keeps something in every place that holds sealed values, and answers how many values that is.
func fill(t *testing.T, a *App, mark string, seal func(name string, v []byte) string) int {
	t.Helper()
	ctx, now := t.Context(), a.o.Clock.Now()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(a.store.SaveCredential(ctx, "shop", "sber", "customer-"+mark, seal("credential", []byte("token")), now,
		now.Add(time.Hour)))
	key := webhook.Key{Kind: webhook.HMAC, Sealed: seal(webhook.SealName("we_"+mark), bytes.Repeat([]byte("s"), 32)), CreatedAt: now}
	check(a.store.Webhooks().PutKeys(ctx, "we_"+mark, []webhook.Key{key, key}, 0))
	entry := merchant.Entry{Merchant: "shop", Key: mark, Token: "t", Salt: seal(merchant.SaltSeal, []byte("salt")),
		LeaseUntil: now, Until: now.Add(time.Hour)}
	_, err := a.store.Idempotency().Insert(ctx, entry, now)
	check(err)
	check(a.store.Idempotency().Answer(ctx, entry, merchant.Answer{Status: 201, Body: []byte(seal(merchant.AnswerSeal,
		[]byte(`{"id":"x"}`)))}))
	s := &session.Session{
		ID: "cs_" + mark, Merchant: "shop", Account: "sber", OrderID: mark, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		Metadata: map[string]string{"sealed": "no seal", "challenge": `"challenge":"neither"`},
		Login:    &session.Login{Challenge: seal("login", []byte("challenge")), SentAt: now},
		Attempts: []*session.Attempt{{N: 1, Ref: providers.Ref{Reference: mark + "-1"}, Runs: []*session.Run{
			{N: 1, Token: "one-" + mark, Sealed: seal("answer", []byte("{}"))}, {N: 2, Token: "two-" + mark, Sealed: seal("answer",
				[]byte("[]"))},
		}}},
	}
	check(a.store.Create(ctx, s, session.Change{}))
	return 8
}

func (s *site) sealWith(a *App) func(string, []byte) string {
	return func(name string, v []byte) string {
		sealed, err := a.keys.Seal(name, v)
		if err != nil {
			s.t.Fatal(err)
		}
		return sealed
	}
}

// settle lets a front do what it does every two seconds, until nothing is left to be sealed anew.
func settle(t *testing.T, a *App) {
	t.Helper()
	for range 3 {
		keys, err := a.beat(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.reseal(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOnlyTheFirstStartOfAnEmptyDatabaseMakesASealingKey(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		first := s.must()
		raw, err := os.ReadFile(first.o.Config.KeysFile)
		if err != nil {
			t.Fatal(err)
		}
		id := first.keys.ID()
		first.close()
		s.refused(nil, "there is no file", id, "restore it")
		s.refused([]string{keyText(t)}, "other keys", id, "restore the key file")
		s.must(strings.TrimSpace(string(raw))).close()
	})
}

func TestADatabaseOfAnEarlierVersionKeepsItsKeysAndRefusesOthers(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		old, older := keyText(t), keyText(t)
		a := s.must(old, older)
		for _, line := range []string{old, older} {
			fill(t, a, "of-"+idOf(t, line), func(name string, v []byte) string { return plainSeal(t, line, name, v) })
		}
		for _, q := range []string{`DELETE FROM sealing_key WHERE id <> ''`, `DELETE FROM installation WHERE name <> 'gate'`,
			`DELETE FROM front`} {
			behind(t, s, q)
		}
		a.close()
		s.refused(nil, "there is no file", "keeps 16 sealed values")
		s.refused([]string{keyText(t)}, "none of the 16 values", "restore the key file")
		a = s.must(old, older)
		settle(t, a)
		n, err := countSealed(t.Context(), a.store, a.keys)
		if err != nil || n.lost() > 0 || n.opened[idOf(t, old)] != 17 || len(n.opened) != 1 {
			t.Errorf("%+v, %v", n, err)
		}
	})
}

func TestKeysThatAreNoKeysAreRefused(t *testing.T) {
	good := keyText(t)
	random, err := base64.StdEncoding.DecodeString(keyText(t))
	if err != nil {
		t.Fatal(err)
	}
	random = slices.Clip(random)
	encoded := func(of func(int) byte) string {
		key := make([]byte, browser.KeySize)
		for i := range key {
			key[i] = of(i)
		}
		return base64.StdEncoding.EncodeToString(key)
	}
	for range 2000 {
		key, err := newKey(rand.Reader)
		if err != nil || !looksRandom(key) {
			t.Fatalf("%x is refused, %v", key, err)
		}
	}
	for name, one := range map[string]struct{ text, want string }{
		"zeros":                 {base64.StdEncoding.EncodeToString(make([]byte, 64)), "not random"},
		"a pattern":             {base64.StdEncoding.EncodeToString([]byte(strings.Repeat("0123456789abcdef", 4))), "not random"},
		"one half twice":        {encoded(func(i int) byte { return random[i%32] }), "not random"},
		"a quarter, four times": {encoded(func(i int) byte { return random[i%16] }), "not random"},
		"padded with zeros":     {encoded(func(i int) byte { return map[bool]byte{true: random[i]}[i < 44] }), "not random"},
		"half zeros":            {encoded(func(i int) byte { return map[bool]byte{true: random[i]}[i >= 32] }), "not random"},
		"a count":               {encoded(func(i int) byte { return byte(i) }), "not random"},
		"a count by three":      {encoded(func(i int) byte { return byte(200 - 3*i) }), "not random"},
		"a text":                {base64.StdEncoding.EncodeToString([]byte("The quick brown fox jumps over the lazy dog, 1234567890 TIMES!.."[:64])), "not random"},
		"a text in Cyrillic":    {base64.StdEncoding.EncodeToString([]byte("съешь же ещё этих мягких французских"[:64])), "not random"},
		"base64 of base64":      {base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString(random[:48]))), "not random"},
		"hexadecimal":           {base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(random[:32]))), "not random"},
		"unpadded":              {strings.TrimRight(good, "="), "not base64"},
		"for addresses":         {strings.NewReplacer("+", "-", "/", "_").Replace(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 0xef}, 32))), "not base64"},
		"long":                  {base64.StdEncoding.EncodeToString(append(random, 1)), "has 65 bytes, not 64"},
		"short":                 {"c2hvcnQ=", "has 5 bytes, not 64"},
		"no base64":             {"?!", "not base64"},
		"twice":                 {good + "\nopen:" + good, "stands there twice"},
		"nothing":               {"\n# none\n", "has no key"},
		"none seals":            {"open:" + good, "only opens"},
		"zeros behind":          {good + "\n" + base64.StdEncoding.EncodeToString(make([]byte, 64)), "key 2 is not random"},
	} {
		if _, err := parseKeys([]byte(one.text)); err == nil || !strings.Contains(err.Error(), one.want) {
			t.Errorf("%s: %v does not say %q", name, err, one.want)
		}
	}
	other := keyText(t)
	for _, text := range []string{"open:" + other + "\n" + good, good + " " + "open:" + other,
		"# a comment\n open: " + other + "\n\n" + good + "\n", good + "\n" + other} {
		lines, err := parseKeys([]byte(text))
		if err != nil || len(lines) != 2 || lines[0].id() != idOf(t, good) || lines[1].id() != idOf(t, other) {
			t.Errorf("%q: %v, %v", text, lines, err)
		}
	}
	name := filepath.Join(t.TempDir(), "keys")
	write(t, name, good, 0o600)
	for mode, want := range map[os.FileMode]string{0o666: "others may write", 0o644: "others may read", 0o640: "others may read"} {
		chmod(t, name, mode)
		for _, allowed := range []bool{false, true} {
			_, err := readKeys(config.Config{KeysFile: name, AllowReadableKeys: allowed})
			if taken := allowed && mode != 0o666; (err == nil) != taken || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("mode %04o, allowed %v: %v", mode, allowed, err)
			}
		}
	}
}

func TestAFrontWithOtherKeysIsRefusedBeforeItListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // whoever listens too early fails for this address
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &site{t, pgtest.Start(t), t.TempDir(), &clock.Clock{}}
	s.must(keyText(t))
	c, err := config.Load(config.Flags{Listen: l.Addr().String(), Data: t.TempDir()},
		[]string{"TOLLGATE_DATABASE_URL=" + s.database})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), Options{Config: c, Role: Front}); err == nil || !strings.Contains(err.Error(),
		"sealing keys: there is no file") {
		t.Errorf("without a key file: %v", err)
	}
}

func TestASealingKeyIsRotatedOnSeveralMachinesStepByStep(t *testing.T) {
	old, fresh := keyText(t), keyText(t)
	oldID, freshID := idOf(t, old), idOf(t, fresh)
	s := &site{t, pgtest.Start(t), t.TempDir(), &clock.Clock{}}
	one, two := s.must(old), s.must(old)
	kept := fill(t, one, "a", s.sealWith(one)) + 1 // and the key of fingerprints
	one.close()
	s.refused([]string{fresh, old}, freshID, "cannot open it", `"open:"`) // what it sealed the second could not open
	one = s.must(old, only(fresh))
	s.refused([]string{fresh, only(old)}, freshID, "cannot open it")
	s.must(old).close() // nothing is sealed with the new key yet
	two.close()
	two = s.must(only(fresh), old)
	one.close()
	one = s.must(fresh, only(old))
	settle(t, one)
	settle(t, two)
	for _, a := range []*App{one, two} { // each opens what the other seals
		sealed := s.sealWith(a)("n", []byte("v"))
		for _, b := range []*App{one, two} {
			if v, err := b.keys.Unseal("n", sealed); err != nil || string(v) != "v" {
				t.Errorf("%q, %v", v, err)
			}
		}
	}
	if n, err := countSealed(t.Context(), one.store, one.keys); err != nil || n.opened[oldID] != kept {
		t.Errorf("before all machines seal with the new key, it is sealed anew: %+v, %v", n, err)
	}
	s.refused([]string{fresh}, oldID, "seals with it")
	s.refused([]string{old}, freshID, "in use", "take the key file of a machine that runs")
	s.must(old, only(fresh)).close() // a machine that was stopped in the meantime
	two.close()
	two = s.must(fresh, old)
	s.refused([]string{fresh}, oldID, "9 values are still sealed with it", "put it back")
	settle(t, one)
	settle(t, two)
	n, err := countSealed(t.Context(), two.store, two.keys)
	if err != nil || n.opened[freshID] != kept || n.lost() > 0 {
		t.Errorf("%+v, %v; want %d values sealed with %s", n, err, kept, freshID)
	}
	print := two.keys.Fingerprint([]byte("4000019900020720"))
	one.close()
	one = s.must(fresh)
	if one.keys.Fingerprint([]byte("4000019900020720")) != print {
		t.Error("fingerprints changed with the key")
	}
	for _, a := range []*App{one, two} {
		if _, err := a.standing(t.Context()); err != nil {
			t.Error(err)
		}
	}
	s.refused([]string{old, only(fresh)}, oldID, "retired", "an old one")
	s.refused([]string{old}, oldID, "retired")
	s.must(fresh, only(old)).close()
}

func TestASealingKeyIsRotatedOnOneMachine(t *testing.T) {
	s := &site{t, "", t.TempDir(), &clock.Clock{}}
	old, fresh := keyText(t), keyText(t)
	a := s.must(old)
	kept := fill(t, a, "a", s.sealWith(a)) + 1
	a.close()
	a = s.must(fresh, old) // as the file was always written: the newest first
	a.close()
	s.refused([]string{fresh}, idOf(t, old), "9 values are still sealed with it")
	a = s.must(fresh, only(old))
	settle(t, a)
	n, err := countSealed(t.Context(), a.store, a.keys)
	if err != nil || n.opened[idOf(t, fresh)] != kept || n.lost() > 0 {
		t.Errorf("%+v, %v", n, err)
	}
	got, err := a.store.Load(t.Context(), "cs_a")
	if err != nil || got.Metadata["sealed"] != "no seal" || got.Metadata["challenge"] != `"challenge":"neither"` ||
		len(got.Attempts[0].Runs) != 2 {
		t.Errorf("the session changed: %+v, %v", got, err)
	}
	a.close()
	s.must(fresh).close()
	s.refused([]string{old}, "retired")
}

func TestAFrontThatWasSilentTooLongIsNotReadyWithoutTheNewKey(t *testing.T) {
	s := &site{t, pgtest.Start(t), t.TempDir(), &clock.Clock{}}
	old, fresh := keyText(t), keyText(t)
	silent := s.must(old)
	s.clock.Advance(sqlstore.FrontGone + time.Second)
	s.must(fresh, old)
	if err := silent.ready(t.Context()); err == nil || !strings.Contains(err.Error(), idOf(t, fresh)) {
		t.Errorf("ready: %v", err)
	}
	if _, err := silent.beat(t.Context()); err == nil {
		t.Error("it counts itself among those that run")
	}
}

func TestAFrontWhoseDiskIsAlmostFullIsNotReady(t *testing.T) {
	for left, ready := range map[uint64]bool{leastRoom: true, leastRoom - 1: false, 0: false} {
		o := Options{Free: func(string) (uint64, error) { return left, nil }}
		if err := room(o); (err == nil) != ready {
			t.Errorf("%d bytes left: %v", left, err)
		}
		o.Config.DatabaseURL = "postgres://elsewhere/x" // its disk is another machine's
		if err := room(o); err != nil {
			t.Error(err)
		}
	}
	if left, err := freeBytes(t.TempDir()); err != nil || left == 0 {
		t.Errorf("%d bytes, %v", left, err)
	}
}

func TestAFrontIsNotReadyOnANewerSchemaAndSaysWhyOnce(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		a := s.must(keyText(t))
		log := &bytes.Buffer{}
		a.log = slog.New(slog.NewJSONHandler(log, nil))
		if err := a.ready(t.Context()); err != nil {
			t.Error(err)
		}
		behind(t, s, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9001, TRUE)`)
		for range 3 {
			if err := a.ready(t.Context()); err == nil {
				t.Error("ready")
			}
		}
		if text := log.String(); strings.Count(text, `"level":"ERROR"`) != 1 || !strings.Contains(text, "newer than this program") {
			t.Errorf("the log says %s", text)
		}
		a.close()
		if _, err := Migrate(t.Context(), a.o.Config); err == nil || !strings.Contains(err.Error(), "newer than this program") {
			t.Errorf("migrate: %v", err)
		}
	})
}

func TestASecondFrontWithAnotherPublicAddressIsRefusedUntilItIsAccepted(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		keys := filepath.Join(t.TempDir(), "keys")
		c := config.Config{DatabaseURL: s.database, Data: s.dir, KeysFile: keys, PublicURL: "https://pay.example"}
		a, err := s.open(c)
		if err != nil {
			t.Fatal(err)
		}
		a.close()
		c.PublicURL = "https://other.example"
		if _, err := s.open(c); err == nil || !strings.Contains(err.Error(), "https://pay.example") ||
			!strings.Contains(err.Error(), "tollgate config accept") {
			t.Errorf("another address: %v", err)
		}
		if before, err := AcceptAddress(t.Context(), c); err != nil || before != "https://pay.example" {
			t.Errorf("%q, %v", before, err)
		}
		if a, err = s.open(c); err != nil {
			t.Fatal(err)
		}
		a.close()
	})
}

func TestTheDoctorSeesHowKeysAndDatabaseFit(t *testing.T) {
	p := newPatient(t)
	p.DatabaseURL = pgtest.Start(t)
	s := &site{t, p.DatabaseURL, t.TempDir(), &clock.Clock{}}
	old, fresh := keyText(t), keyText(t)
	a := s.must(old)
	fill(t, a, "a", s.sealWith(a))
	says := func(want string, lines ...string) {
		t.Helper()
		if err := os.Remove(p.KeysFile); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if len(lines) > 0 {
			write(t, p.KeysFile, strings.Join(lines, "\n"), 0o600)
		}
		if got := p.wrong(t); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
	says("", old)
	says("", old, only(fresh))
	says("cannot open it", fresh, old)
	says("other keys", fresh)
	says("no file")
	a.close()
	says("", fresh, old)
	a = s.must(fresh, old)
	says("is in use and is not in the key file", old)
	says("9 values are still sealed with it", fresh)
	says("9 of 9 values that the database keeps cannot be opened", fresh)
	settle(t, a)
	says("", fresh)
	says("", fresh, only(old))
	behind(t, s, `UPDATE credential SET sealed = 'k2222222'`)
	says("1 of 9 values that the database keeps cannot be opened", fresh)
}

// A merchant's request that was made on one machine is answered again on another, whichever of them seals with which key.
func TestWhatIsKeptForARepeatOpensOnEveryMachine(t *testing.T) {
	s := &site{t, pgtest.Start(t), t.TempDir(), &clock.Clock{}}
	old, fresh := keyText(t), keyText(t)
	one, two := s.must(old, only(fresh)), s.must(old, only(fresh))
	one.close()
	one = s.must(fresh, only(old))
	for name, way := range map[string][2]*App{"new to old": {one, two}, "old to new": {two, one}} {
		once := func(a *App) merchant.Once {
			return merchant.Once{Book: a.store.Idempotency(), Sealer: sealer{a.keys, a.log}, Now: s.clock.Now}
		}
		claim, _, err := once(way[0]).Begin(t.Context(), "shop", name, []byte("request"))
		if err != nil {
			t.Fatal(err)
		}
		if err := once(way[0]).End(t.Context(), *claim, merchant.Answer{Status: http.StatusCreated,
			Body: json.RawMessage(`{"id":"cs_1"}`)}); err != nil {
			t.Fatal(err)
		}
		_, again, err := once(way[1]).Begin(t.Context(), "shop", name, []byte("request"))
		if err != nil || again == nil || string(again.Body) != `{"id":"cs_1"}` {
			t.Errorf("%s: %+v, %v", name, again, err)
		}
	}
}
