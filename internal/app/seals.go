package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/config"
	"tollgate/internal/security"
	"tollgate/internal/sqlstore"
	"tollgate/session/browser"
)

// ErrNoDatabase says that there is no database yet, or that its tables are an earlier version's.
var ErrNoDatabase = errors.New("there is no database with tables of this version yet: the first start makes them")

// Seals is how the key file and the database fit together.
type Seals struct {
	Keys    []SealKey
	Kept    int                // values that are kept sealed
	Lost    int                // of them, those that no key of the file opens
	Fault   *sqlstore.KeyFault // why a start with the file would be refused
	Prints  string             // the id of the key of card fingerprints; "" where it cannot be opened
	Address string             // the public address that the fronts hand out; "" where none was told yet
}

// SealKey is one sealing key.
type SealKey struct {
	ID      string
	Here    bool // in the key file
	Seals   bool // by the key file, or on a machine that runs
	Foreign bool // retired, or never used: it matters to nobody
	Values  int  // that are sealed with it
	Since   time.Time
	CleanAt time.Time
	Retired time.Time
	Fronts  []string // that run and seal with it
}

// Name is the key's id, or words for the values that carry none.
func (k SealKey) Name() string {
	if k.ID == "" {
		return "(of an earlier version, without an id)"
	}
	return k.ID
}

// outside is how long what was sealed may come back from outside: cookies and the tokens of forms live as long as a browser session,
// and so at most does a payment with what the bank was given of it.
const outside = browser.Lifetime + time.Hour

// Clean tells whether nothing that is kept needs the key, and no front seals with it.
func (k SealKey) Clean() bool {
	return k.ID != "" && !k.Seals && len(k.Fronts) == 0 && k.Values == 0 && !k.CleanAt.IsZero()
}

// RemovableAt is when a clean key may be taken out of the key file: all that left the house under it is over by then.
func (k SealKey) RemovableAt() time.Time { return k.CleanAt.Add(outside) }

// InUse names the keys that a front has to have.
func (s Seals) InUse() (ids []string) {
	for _, k := range s.Keys {
		if k.ID != "" && !k.Since.IsZero() && k.Retired.IsZero() {
			ids = append(ids, k.ID)
		}
	}
	return ids
}

// LookAtSeals reads the key file and everything that the database keeps sealed, and changes nothing. ErrNoDatabase.
func LookAtSeals(ctx context.Context, c config.Config) (s Seals, err error) {
	lines, err := readKeys(c)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		lines = nil
	}
	var keys *browser.Keys
	if len(lines) > 0 {
		if keys, err = keysOf(lines); err != nil {
			return s, err
		}
	}
	err = sqlstore.View(ctx, sqlstore.Options{URL: c.DatabaseURL, Dir: c.Data}, func(st *sqlstore.Store) error {
		known, err := st.SealingKeys(ctx)
		if err != nil {
			return err
		}
		fronts, err := st.Fronts(ctx)
		if err != nil {
			return err
		}
		if s.Address, err = st.Agreed(ctx, sqlstore.PublicURL); err != nil {
			return err
		}
		n, err := countSealed(ctx, st, keys)
		if err != nil {
			return err
		}
		s.Kept, s.Lost = n.all(), n.lost()
		for _, k := range known {
			s.Keys = append(s.Keys, SealKey{
				ID: k.ID, Values: n.opened[k.ID] + n.unopened[k.ID], Since: k.SealingSince, CleanAt: k.CleanAt, Retired: k.RetiredAt,
				Foreign: k.ID != "" && !k.InUse(),
			})
		}
		for i, l := range lines {
			at := slices.IndexFunc(s.Keys, func(k SealKey) bool { return k.ID == l.id() })
			if at < 0 {
				at = len(s.Keys)
				s.Keys = append(s.Keys, SealKey{ID: l.id(), Values: n.opened[l.id()]})
			}
			s.Keys[at].Here, s.Keys[at].Seals = true, i == 0
		}
		for _, f := range fronts {
			for i := range s.Keys {
				if s.Keys[i].ID == f.Seals {
					s.Keys[i].Fronts = append(s.Keys[i].Fronts, f.Name)
				}
			}
		}
		if keys == nil {
			return nil
		}
		if kept, err := st.Agreed(ctx, sqlstore.PrintKey); err == nil && kept != "" {
			if key, err := keys.Unseal(sqlstore.PrintKey, kept); err == nil {
				s.Prints = browser.KeyID(key)
			}
		}
		doubtful, err := st.Admit(ctx, sqlstore.Front{Seals: keys.ID(), Opens: keys.IDs()})
		if fault, ok := errors.AsType[*sqlstore.KeyFault](err); ok {
			s.Fault, err = fault, nil
		}
		for _, id := range doubtful {
			if left := n.unopened[id] + n.unopened[""]; left > 0 {
				s.Fault = &sqlstore.KeyFault{
					What: fmt.Sprintf("key %s is not in the key file, and %d values are still sealed with it", id, left),
					Do: `put it back in a line that begins with "open:", and wait until ` +
						"tollgate keys seal status says that nothing is sealed with it",
				}
			}
		}
		return err
	})
	if errors.Is(err, sqlstore.ErrNoTables) {
		err = ErrNoDatabase
	}
	return s, err
}

// AddSealingKey puts a new key into the key file, which opens only, and answers its id.
func AddSealingKey(c config.Config) (id string, err error) {
	lines, err := readKeys(c)
	if err != nil {
		return "", err
	}
	key, err := newKey(rand.Reader)
	if err != nil {
		return "", err
	}
	lines = append(lines, keyLine{key, true})
	if err := writeKeys(c.KeysFile, lines); err != nil {
		return "", err
	}
	return browser.KeyID(key), recordCommand(c, security.SealAdded, browser.KeyID(key), "sealing key")
}

// PromoteSealingKey makes a key of the key file the one that seals; all others open only.
func PromoteSealingKey(c config.Config, id string) error {
	lines, err := readKeys(c)
	if err != nil {
		return err
	}
	at, err := findLine(lines, id, c.KeysFile)
	if err != nil {
		return err
	}
	for i := range lines {
		lines[i].open = i != at
	}
	chosen := lines[at]
	if err := writeKeys(c.KeysFile, slices.Insert(slices.Delete(lines, at, at+1), 0, chosen)); err != nil {
		return err
	}
	return recordCommand(c, security.SealPromoted, id, "sealing key")
}

// RetireSealingKey takes a key out of the key file if nothing that is kept is sealed with it, no front seals with it, and what left
// the house under it is over. A key that others may know is taken out at once: browsers then begin anew.
func RetireSealingKey(ctx context.Context, c config.Config, id string, now time.Time, atOnce bool) error {
	lines, err := readKeys(c)
	if err != nil {
		return err
	}
	at, err := findLine(lines, id, c.KeysFile)
	if err != nil {
		return err
	}
	if at == 0 {
		return fmt.Errorf("key %s seals; promote another first", id)
	}
	s, err := LookAtSeals(ctx, c)
	if err != nil && !errors.Is(err, ErrNoDatabase) {
		return err
	}
	for _, k := range s.Keys {
		switch {
		case k.ID == id && k.Values == 0 && len(k.Fronts) == 0 && !k.Since.IsZero() && !atOnce:
			if k.CleanAt.IsZero() {
				return fmt.Errorf("no front has looked yet whether anything is sealed with key %s: start one with the key file", id)
			}
			if at := k.RemovableAt(); now.Before(at) {
				return fmt.Errorf("cookies, forms and payments under way may still come back sealed with key %s, until %s",
					id, at.UTC().Format(time.RFC3339))
			}
		case k.ID != id && k.ID != "" || k.Values == 0 && len(k.Fronts) == 0:
		case len(k.Fronts) > 0:
			return fmt.Errorf("key %s still seals on %s", id, strings.Join(k.Fronts, ", "))
		case k.ID == "":
			return fmt.Errorf("%d values do not say with which key they are sealed: wait until the fronts have sealed them anew", k.Values)
		default:
			return fmt.Errorf("%d values are still sealed with key %s: wait until the fronts have sealed them anew", k.Values, id)
		}
	}
	if err := writeKeys(c.KeysFile, slices.Delete(lines, at, at+1)); err != nil {
		return err
	}
	return recordCommand(c, security.SealRetired, id, "sealing key")
}

func findLine(lines []keyLine, id, name string) (int, error) {
	at := slices.IndexFunc(lines, func(l keyLine) bool { return l.id() == id })
	if at < 0 {
		return 0, fmt.Errorf("%s has no key %s", name, id)
	}
	return at, nil
}

// AcceptAddress makes the configuration's public address the one that every front has to have.
func AcceptAddress(ctx context.Context, c config.Config) (before string, err error) {
	st, err := sqlstore.Open(ctx, sqlstore.Options{URL: c.DatabaseURL, Dir: c.Data})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if before, err = st.Agreed(ctx, sqlstore.PublicURL); err != nil {
		return "", err
	}
	if err := st.Replace(ctx, sqlstore.PublicURL, c.PublicURL); err != nil {
		return before, err
	}
	return before, recordCommand(c, security.AddressAccepted, "", "public_url "+c.PublicURL)
}

// DeclareRestored writes down, by the time that the fronts go by, that the database was restored from a copy of that time; zero: of a
// time that nobody knows.
func DeclareRestored(ctx context.Context, c config.Config, copied time.Time) (err error) {
	st, err := sqlstore.Open(ctx, sqlstore.Options{URL: c.DatabaseURL, Dir: c.Data})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	var t clock.Clock
	if err := st.FollowTime(ctx, t.Follow); err != nil {
		return err
	}
	return st.DeclareRestored(ctx, copied, t.Now())
}
