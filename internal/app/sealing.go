package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"tollgate/internal/sqlstore"
	"tollgate/session/browser"
)

const (
	frontBeat   = 2 * time.Second  // between two signs of life
	resealPause = time.Second / 50 // between two pages, so that payments have the database
	resealAgain = 10 * time.Minute // after a look that found what no key opens
)

// sealer is the keys; it says when something that is kept does not open.
type sealer struct {
	*browser.Keys
	log *slog.Logger
}

// Unseal opens what Seal made under the same name. A failure is logged, but not of what browsers bring from outside: strangers
// could fill the log with it.
func (s sealer) Unseal(name, sealed string) ([]byte, error) {
	v, err := s.Keys.Unseal(name, sealed)
	if err != nil && name != "threeds" && !strings.HasPrefix(name, "webhook ") { // of webhooks their worker says more
		s.log.Error("what is kept cannot be opened: its sealing key is not here", "what", name, "key", browser.SealedWith(sealed))
	}
	return v, err
}

// openKeys reads the sealing keys and enters this front among those that run. Only where nothing is sealed yet, and the
// database knows no key, is one made.
func (a *App) openKeys(ctx context.Context) error {
	name := a.o.Config.KeysFile
	lines, err := readKeys(a.o.Config)
	if errors.Is(err, fs.ErrNotExist) {
		if err := a.mayMakeKeys(ctx); err != nil {
			return err
		}
		if err := makeKeys(name, a.o.Rand); err != nil {
			return fmt.Errorf("sealing keys: %w", err)
		}
		a.log.Info("a sealing key was made: keep a copy of it apart from the database's backups, "+
			"and give it to every machine that shares the database", "file", name)
		lines, err = readKeys(a.o.Config)
	}
	if err != nil {
		return err
	}
	if a.keys, err = keysOf(lines); err != nil {
		return err
	}
	host, _ := os.Hostname()
	a.me = sqlstore.Front{ID: a.store.Instance(), Name: host, Seals: a.keys.ID(), Opens: a.keys.IDs()}
	known, err := a.store.SealingKeys(ctx)
	if err != nil {
		return err
	}
	if len(namedKeys(known)) == 0 { // an earlier version's database may be another's
		n, err := countSealed(ctx, a.store, a.keys)
		if err != nil {
			return err
		}
		if lost := n.lost(); lost > 0 && lost == n.all() {
			return &sqlstore.KeyFault{
				What: fmt.Sprintf("none of the %d values that the database keeps opens with the keys of %s", lost, name),
				Do:   "restore the key file that belongs to the database",
			}
		}
	}
	if err := a.store.Join(ctx, a.me, a.stillSealed); err != nil {
		return err
	}
	a.joined = true
	return a.openPrintKey(ctx)
}

// namedKeys leaves out the line for values without a key's id.
func namedKeys(all []sqlstore.SealingKey) []sqlstore.SealingKey {
	return slices.DeleteFunc(slices.Clone(all), func(k sqlstore.SealingKey) bool { return k.ID == "" })
}

func (a *App) mayMakeKeys(ctx context.Context) error {
	fault := func(what string) error {
		return &sqlstore.KeyFault{
			What: fmt.Sprintf("there is no file %s, and %s", a.o.Config.KeysFile, what),
			Do:   "set keys_file to the key file that belongs to the database: restore it, or take that of a machine that runs",
		}
	}
	known, err := a.store.SealingKeys(ctx)
	if err != nil {
		return err
	}
	var inUse []string
	for _, k := range known {
		if k.InUse() {
			inUse = append(inUse, k.ID)
		}
	}
	if len(inUse) > 0 {
		return fault("the database is sealed with key " + strings.Join(inUse, ", "))
	}
	n, err := countSealed(ctx, a.store, nil)
	if err == nil && n.all() > 0 {
		err = fault(fmt.Sprintf("the database keeps %d sealed values", n.all()))
	}
	return err
}

// openPrintKey reads the key of fingerprints, which stays the same for ever. The first start takes the one that versions
// before it worked with.
func (a *App) openPrintKey(ctx context.Context) error {
	fresh, err := a.keys.Seal(sqlstore.PrintKey, a.keys.PrintKey())
	if err != nil {
		return err
	}
	kept, err := a.store.Agree(ctx, sqlstore.PrintKey, fresh)
	if err != nil {
		return err
	}
	key, err := a.keys.Unseal(sqlstore.PrintKey, kept)
	if err != nil {
		return fmt.Errorf("sealing keys: the key of fingerprints cannot be opened: %w", err)
	}
	a.keys.SetPrintKey(key)
	return nil
}

// agreeOnAddress refuses a public address that is not the one that the others hand out.
func (a *App) agreeOnAddress(ctx context.Context) error {
	c := a.o.Config
	if c.Sandbox || c.PublicURL == "" {
		return nil
	}
	kept, err := a.store.Agree(ctx, sqlstore.PublicURL, c.PublicURL)
	if err == nil && kept != c.PublicURL {
		err = fmt.Errorf("public_url: %s is another address than %s, which this database's fronts hand out; "+
			"correct the setting, or, if the address has changed, stop every front, run tollgate config accept with the new one, and start them with it", c.PublicURL, kept)
	}
	return err
}

// sealedCount is how many values are sealed with each key: by the key's id, "" for values that do not say.
type sealedCount struct {
	opened, unopened map[string]int
}

func (n sealedCount) lost() (sum int) {
	for _, v := range n.unopened {
		sum += v
	}
	return sum
}

func (n sealedCount) all() int {
	sum := n.lost()
	for _, v := range n.opened {
		sum += v
	}
	return sum
}

// countSealed looks at everything that is kept. Without keys nothing opens.
func countSealed(ctx context.Context, st *sqlstore.Store, keys *browser.Keys) (sealedCount, error) {
	n := sealedCount{map[string]int{}, map[string]int{}}
	err := st.EachSealed(ctx, nil, func(s sqlstore.Sealed) error {
		id := browser.SealedWith(s.Value)
		if keys != nil {
			if _, err := keys.Unseal(s.Name, s.Value); err == nil {
				n.opened[id]++
				return nil
			}
		}
		n.unopened[id]++
		return nil
	})
	return n, err
}

// stillSealed counts what is sealed with keys that this front has not. A value that does not say with which key it is sealed,
// and that no key here opens, counts for the first of them.
func (a *App) stillSealed(ctx context.Context, ids []string) (map[string]int, error) {
	left := map[string]int{}
	n, err := countSealed(ctx, a.store, a.keys)
	for id, count := range n.unopened {
		if id == "" {
			id = ids[0]
		}
		if slices.Contains(ids, id) {
			left[id] += count
		}
	}
	return left, err
}

// ready tells whether this front may be given shoppers.
func (a *App) ready(ctx context.Context) error {
	err := room(a.o)
	if err == nil {
		err = a.store.Health(ctx)
	}
	if err == nil {
		_, err = a.standing(ctx)
	}
	if err == nil {
		err = a.time.sure(ctx)
	}
	a.sayReady(err)
	return err
}

// leastRoom is what a payment's rows, the log of changes and their growth in the next minutes take by far.
const leastRoom = 64 << 20

// room sees that the disk of an embedded database has room: on a full one small writes may still fit while a payment's do not.
func room(o Options) error {
	if o.Config.DatabaseURL != "" || o.SQLite != nil {
		return nil
	}
	free := o.Free
	if free == nil {
		free = freeBytes
	}
	if left, err := free(o.Config.Data); err == nil && left < leastRoom {
		return fmt.Errorf("the disk of the data folder has %d MB left", left>>20)
	}
	return nil
}

func freeBytes(folder string) (uint64, error) {
	var at syscall.Statfs_t
	if err := syscall.Statfs(folder, &at); err != nil {
		return 0, err
	}
	return at.Bavail * uint64(at.Bsize), nil //nolint:gosec // a block's size
}

// sayReady logs why the front is not ready, when it changes.
func (a *App) sayReady(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if before := a.unready.Swap(&text); before != nil && *before == text || before == nil && text == "" {
		return
	}
	if err != nil {
		a.log.Error("not ready", "error", err)
	} else {
		a.log.Info("ready again")
	}
}

// standing looks whether what others have done to the database leaves this front able to work: newer tables, a key that it
// lacks.
func (a *App) standing(ctx context.Context) ([]sqlstore.SealingKey, error) {
	if err := a.store.Writable(ctx); err != nil {
		return nil, err
	}
	keys, err := a.store.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		switch {
		case k.InUse() && !slices.Contains(a.me.Opens, k.ID):
			return keys, &sqlstore.KeyFault{
				What: fmt.Sprintf("key %s is in use on another machine and is not in the key file here", k.ID),
				Do:   "take that machine's key file, and restart",
			}
		case k.ID == a.me.Seals && !k.RetiredAt.IsZero():
			return keys, &sqlstore.KeyFault{
				What: fmt.Sprintf("key %s seals here, and was retired", k.ID),
				Do:   "take the key file of a machine that runs, and restart",
			}
		}
	}
	return keys, nil
}

// watch gives signs of life, sees whether this front still fits to the others, and has kept values sealed anew when all
// fronts seal with the same key.
func (a *App) watch(ctx context.Context) {
	tick := time.NewTicker(cmp.Or(a.o.Beat, frontBeat))
	defer tick.Stop()
	var notBefore time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		keys, err := a.beat(ctx)
		if err == nil && a.o.Clock.Age() >= askTimeEvery {
			err = a.time.follow(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		a.sayReady(err)
		if err != nil || a.o.Clock.Now().Before(notBefore) {
			continue
		}
		if stuck, err := a.reseal(ctx, keys); err != nil && ctx.Err() == nil {
			a.log.Error("what is kept could not be sealed anew", "error", err)
		} else if stuck {
			notBefore = a.o.Clock.Now().Add(resealAgain)
		}
	}
}

func (a *App) beat(ctx context.Context) ([]sqlstore.SealingKey, error) {
	ctx, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	keys, err := a.standing(ctx)
	if err != nil {
		return nil, err
	}
	known, err := a.store.Beat(ctx, a.me.ID)
	if err == nil && !known { // it was silent for long, and others may have changed their keys
		err = a.store.Join(ctx, a.me, a.stillSealed)
	}
	return keys, err
}

// reseal seals with this front's key what is kept under any other, if every front seals with it and this is the one whose
// turn it is. stuck tells that there is something that no key opens.
func (a *App) reseal(ctx context.Context, keys []sqlstore.SealingKey) (stuck bool, err error) {
	wanted := map[string]bool{}
	for _, k := range keys {
		if k.ID != a.me.Seals && !k.SealingSince.IsZero() && k.RetiredAt.IsZero() && k.CleanAt.IsZero() {
			wanted[k.ID] = true
		}
	}
	if len(wanted) == 0 {
		return false, nil
	}
	fronts, err := a.store.Fronts(ctx)
	if err != nil || len(fronts) == 0 || fronts[0].ID != a.me.ID {
		return false, err
	}
	for _, f := range fronts {
		if f.Seals != a.me.Seals {
			return false, nil
		}
	}
	began, done, found, lost := a.o.Clock.Now(), 0, map[string]bool{}, map[string]int{}
	pause := func() {
		select {
		case <-ctx.Done():
		case <-time.After(resealPause):
		}
		_, _ = a.store.Beat(ctx, a.me.ID)
	}
	err = a.store.EachSealed(ctx, pause, func(s sqlstore.Sealed) error {
		id := browser.SealedWith(s.Value)
		if id == a.me.Seals {
			return nil
		}
		found[id] = true
		raw, err := a.keys.Unseal(s.Name, s.Value)
		if err != nil {
			lost[s.Place]++
			return nil
		}
		fresh, err := a.keys.Seal(s.Name, raw)
		if err != nil {
			return err
		}
		changed, err := a.store.Reseal(ctx, s, fresh)
		if changed {
			done++
		}
		return err
	})
	if err != nil {
		return false, err
	}
	var clean []string
	for id := range wanted {
		if !found[id] {
			clean = append(clean, id)
		}
	}
	if done > 0 {
		a.log.Info("what is kept was sealed anew", "values", done, "key", a.me.Seals, "took", a.o.Clock.Now().Sub(began))
	}
	for _, place := range slices.Sorted(maps.Keys(lost)) {
		a.log.Error("what is kept cannot be opened: its sealing key is not here", "what", place, "values", lost[place])
	}
	if len(clean) > 0 {
		err = a.store.Clean(ctx, clean...)
	}
	return len(lost) > 0 && done == 0, err
}
