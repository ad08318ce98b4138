package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// SealingKey is a sealing key as the database knows it: by its id.
type SealingKey struct {
	ID           string // "" stands for values that do not say with which key they are sealed
	AddedAt      time.Time
	SealingSince time.Time // zero: nothing was ever sealed with it
	CleanAt      time.Time // then nothing that is kept was sealed with it; zero: not known, or it seals
	LeavingAt    time.Time // then a start without it began to look whether it is needed
	RetiredAt    time.Time
}

// InUse tells whether what is kept may be sealed with the key, so that every front has to be able to open it.
func (k SealingKey) InUse() bool {
	return k.ID != "" && !k.SealingSince.IsZero() && k.RetiredAt.IsZero()
}

// Front is a running front with the ids of its sealing keys.
type Front struct {
	ID    string
	Name  string // of its machine
	Seals string
	Opens []string // Seals among them
	Seen  time.Time
}

// KeyFault is a reason why a front must not run with its sealing keys.
type KeyFault struct{ What, Do string }

func (f *KeyFault) Error() string { return "sealing keys: " + f.What + "; " + f.Do }

const (
	// FrontGone is how long after its last sign of life a front counts as running.
	FrontGone = 30 * time.Second
	// leavingFor is how long a look whether a key is still needed may take before it counts as broken off.
	leavingFor = 10 * time.Minute
)

// sealingStore keeps the sealing keys' marks, and which fronts run with which of them.
type sealingStore struct{ *database }

// SealingKeys lists the keys that the database knows, in the order in which they came.
func (st *sealingStore) SealingKeys(ctx context.Context) ([]SealingKey, error) {
	return sealingKeys(ctx, st.r)
}

func sealingKeys(ctx context.Context, db querier) ([]SealingKey, error) {
	rows, err := db.QueryContext(ctx, `SELECT id, added_at, sealing_since, clean_at, leaving_at, retired_at FROM sealing_key
		ORDER BY added_at, id`)
	if err != nil {
		return nil, err
	}
	return scanAll(rows, func() (k SealingKey, err error) {
		var added, sealing, clean, leaving, retired int64
		err = rows.Scan(&k.ID, &added, &sealing, &clean, &leaving, &retired)
		k.AddedAt, k.SealingSince, k.CleanAt, k.LeavingAt, k.RetiredAt = instant(added), instant(sealing), instant(clean),
			instant(leaving), instant(retired)
		return k, err
	})
}

// Fronts lists the fronts that run.
func (st *sealingStore) Fronts(ctx context.Context) ([]Front, error) {
	return fronts(ctx, st.r, st.o.Now())
}

func fronts(ctx context.Context, db querier, now time.Time) ([]Front, error) {
	rows, err := db.QueryContext(ctx, `SELECT id, name, seals, opens, seen_at FROM front WHERE seen_at > $1 ORDER BY id`,
		micros(now.Add(-FrontGone)))
	if err != nil {
		return nil, err
	}
	return scanAll(rows, func() (f Front, err error) {
		var opens string
		var seen int64
		if err := rows.Scan(&f.ID, &f.Name, &f.Seals, &opens, &seen); err != nil {
			return f, err
		}
		f.Seen = instant(seen)
		return f, json.Unmarshal([]byte(opens), &f.Opens)
	})
}

// admit judges whether a front with these keys may run beside those that do. doubtful are keys that it lacks and that may
// be left out if nothing is sealed with them any more. The error is a *KeyFault.
func admit(me Front, keys []SealingKey, others []Front, now time.Time) (doubtful []string, err error) {
	known := map[string]SealingKey{}
	inUse, have := []string{}, false
	for _, k := range keys {
		known[k.ID] = k
		if k.InUse() {
			inUse = append(inUse, k.ID)
			have = have || slices.Contains(me.Opens, k.ID)
		}
	}
	own := known[me.Seals]
	if !own.RetiredAt.IsZero() || now.Sub(own.LeavingAt) < leavingFor {
		return nil, &KeyFault{
			fmt.Sprintf("key %s is to seal here, and was retired", me.Seals),
			"this key file is an old one: take that of a machine that runs",
		}
	}
	if len(inUse) > 0 && !have {
		return nil, &KeyFault{
			fmt.Sprintf("this database is sealed with other keys (%s) than those of the key file (%s)", strings.Join(inUse, ", "),
				strings.Join(me.Opens, ", ")),
			"restore the key file that belongs to the database, or take that of a machine that runs",
		}
	}
	for _, id := range inUse {
		if slices.Contains(me.Opens, id) {
			continue
		}
		lacks := &KeyFault{
			fmt.Sprintf("key %s is in use and is not in the key file", id),
			"take the key file of a machine that runs; tollgate keys seal status tells when a key may be left out",
		}
		// This file is older than the key, or its keys were exchanged all at once.
		if own.SealingSince.IsZero() || known[id].SealingSince.After(own.SealingSince) {
			return nil, lacks
		}
		for _, f := range others {
			if f.Seals == id {
				lacks.What += fmt.Sprintf(": %s seals with it", f.Name)
				return nil, lacks
			}
		}
		doubtful = append(doubtful, id)
	}
	if len(inUse) > 0 && own.SealingSince.IsZero() {
		for _, f := range others {
			if !slices.Contains(f.Opens, me.Seals) {
				return nil, &KeyFault{
					fmt.Sprintf("key %s is to seal here, and %s, seen %s ago, cannot open it", me.Seals, f.Name,
						now.Sub(f.Seen).Round(time.Second)),
					`add it there first in a line that begins with "open:", and restart; ` +
						"a machine that was killed counts for " + FrontGone.String(),
				}
			}
		}
	}
	return doubtful, nil
}

// Admit judges, and changes nothing, whether a front with these keys could start. doubtful are keys that it lacks and that
// may be left out if nothing is sealed with them. *KeyFault.
func (st *sealingStore) Admit(ctx context.Context, me Front) (doubtful []string, err error) {
	keys, err := st.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	others, err := st.Fronts(ctx)
	if err != nil {
		return nil, err
	}
	return admit(me, keys, slices.DeleteFunc(others, func(f Front) bool { return f.ID == me.ID }), st.o.Now())
}

// Join enters a front among those that run, and its keys among those that are known. needed tells whether anything that is
// kept is still sealed with one of these keys; it is asked where the front lacks a key that was in use, and if not, the key
// is retired. *KeyFault.
func (st *sealingStore) Join(
	ctx context.Context, me Front, needed func(context.Context, []string) (map[string]int, error),
) error {
	for {
		doubtful, err := st.enter(ctx, me)
		if err != nil || len(doubtful) == 0 {
			return err
		}
		left, err := needed(ctx, doubtful)
		if err != nil || len(left) > 0 {
			err = errors.Join(err, st.settleLeaving(ctx, doubtful, false))
		} else {
			err = st.settleLeaving(ctx, doubtful, true)
		}
		if err != nil {
			return err
		}
		for id, n := range left {
			return &KeyFault{
				fmt.Sprintf("key %s is not in the key file, and %d values are still sealed with it", id, n),
				`put it back in a line that begins with "open:", and wait until ` +
					"tollgate keys seal status says that nothing is sealed with it",
			}
		}
	}
}

// lockGate keeps other starts out until the transaction ends.
func lockGate(tx *tx) error { return tx.exec(`UPDATE installation SET value = '' WHERE name = 'gate'`) }

func (st *sealingStore) enter(ctx context.Context, me Front) (doubtful []string, err error) {
	opens, err := json.Marshal(me.Opens)
	if err != nil {
		return nil, err
	}
	now := st.o.Now()
	err = st.change(ctx, notice{}, func(tx *tx) error {
		if err := lockGate(tx); err != nil {
			return err
		}
		if err := tx.exec(`DELETE FROM front WHERE id = $1 OR seen_at <= $2 OR $3`, me.ID, micros(now.Add(-FrontGone)),
			st.Alone()); err != nil {
			return err
		}
		keys, err := sealingKeys(tx.ctx, tx)
		if err != nil {
			return err
		}
		others, err := fronts(tx.ctx, tx, now)
		if err != nil {
			return err
		}
		if doubtful, err = admit(me, keys, others, now); err != nil {
			return err
		}
		if len(doubtful) > 0 {
			return tx.exec(`UPDATE sealing_key SET leaving_at = $1 WHERE id IN `+list(2, len(doubtful)), append([]any{micros(now)},
				anys(doubtful)...)...)
		}
		first := !slices.ContainsFunc(keys, func(k SealingKey) bool { return k.ID != "" })
		for _, id := range me.Opens {
			since := int64(0)
			if first || id == me.Seals { // at first nobody knows which of them have sealed before
				since = micros(now)
			}
			if err := tx.exec(`INSERT INTO sealing_key (id, added_at, sealing_since, clean_at, leaving_at, retired_at) VALUES ($1, $2,
				$3, 0, 0, 0)
				ON CONFLICT (id) DO NOTHING`, id, micros(now), since); err != nil {
				return err
			}
		}
		if err := tx.exec(`UPDATE sealing_key SET clean_at = 0, sealing_since = CASE WHEN sealing_since = 0 THEN $2 ELSE
			sealing_since END WHERE id = $1`,
			me.Seals, micros(now)); err != nil {
			return err
		}
		return tx.exec(`INSERT INTO front (id, name, seals, opens, seen_at) VALUES ($1, $2, $3, $4, $5)`, me.ID, me.Name, me.Seals,
			string(opens), micros(now))
	})
	return doubtful, err
}

func anys[T any](from []T) (to []any) {
	for _, v := range from {
		to = append(to, v)
	}
	return to
}

func (st *sealingStore) settleLeaving(ctx context.Context, ids []string, retired bool) error {
	at := int64(0)
	if retired {
		at = micros(st.o.Now())
	}
	return st.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(`UPDATE sealing_key SET leaving_at = 0, retired_at = $1 WHERE id IN `+list(2, len(ids)), append([]any{at},
			anys(ids)...)...)
	})
}

// Beat is a sign of life of a front that joined. known is false where the others have taken it for dead: it has to join again.
func (st *sealingStore) Beat(ctx context.Context, id string) (known bool, err error) {
	err = st.change(ctx, notice{}, func(tx *tx) error {
		n, err := tx.affected(`UPDATE front SET seen_at = $2 WHERE id = $1`, id, micros(st.o.Now()))
		known = n > 0
		return err
	})
	return known, err
}

// Leave takes a front that ends from among those that run.
func (st *sealingStore) Leave(ctx context.Context, id string) error {
	return st.change(ctx, notice{}, func(tx *tx) error { return tx.exec(`DELETE FROM front WHERE id = $1`, id) })
}

// Clean remembers that a look at everything found nothing sealed with these keys, unless a front seals with one of them.
func (st *sealingStore) Clean(ctx context.Context, ids ...string) error {
	return st.change(ctx, notice{}, func(tx *tx) error {
		if err := lockGate(tx); err != nil {
			return err
		}
		for _, id := range ids {
			if err := tx.exec(`UPDATE sealing_key SET clean_at = $2 WHERE id = $1
				AND NOT EXISTS (SELECT 1 FROM front WHERE seals = $1 AND seen_at > $3)`, id, micros(st.o.Now()),
				micros(st.o.Now().Add(-FrontGone))); err != nil {
				return err
			}
		}
		return nil
	})
}

// Names of what all fronts have in common.
const (
	PublicURL = "public_url"
	PrintKey  = "print_key" // of fingerprints, sealed
	// Installation is random, and tells the fronts of this database from others.
	Installation = "installation"
	// ConfigDigest and SchemaDigest are what the last start worked with.
	ConfigDigest = "config_digest"
	SchemaDigest = "schema_digest"
)

// Agree keeps a value under a name if there is none yet, and answers the one that is kept.
func (st *sealingStore) Agree(ctx context.Context, name, value string) (kept string, err error) {
	err = st.change(ctx, notice{}, func(tx *tx) error {
		if err := tx.exec(`INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name,
			value); err != nil {
			return err
		}
		return tx.QueryRowContext(tx.ctx, `SELECT value FROM installation WHERE name = $1`, name).Scan(&kept)
	})
	return kept, err
}

// Agreed is the value that is kept under a name; "" where none is.
func (st *sealingStore) Agreed(ctx context.Context, name string) (value string, err error) {
	err = st.r.QueryRowContext(ctx, `SELECT value FROM installation WHERE name = $1`, name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return value, err
}

// Replace puts another value in place of the one that is kept under a name.
func (st *sealingStore) Replace(ctx context.Context, name, value string) error {
	return st.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(`INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value =
			excluded.value`, name, value)
	})
}
