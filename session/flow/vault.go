package flow

import (
	"sync"
	"time"

	"tollgate/internal/card"
)

// VaultKeeps is the longest a card stays in memory.
const VaultKeeps = 15 * time.Minute

// vault holds the cards of running attempts, in this process's memory only.
type vault struct {
	now   func() time.Time
	mu    sync.Mutex
	cards map[string]kept
}

type kept struct {
	card  card.Card
	until time.Time
}

func (v *vault) put(key string, c card.Card) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cards == nil {
		v.cards = map[string]kept{}
	}
	v.sweep()
	v.cards[key] = kept{c, v.now().Add(VaultKeeps)}
	time.AfterFunc(VaultKeeps+time.Second, func() { v.get(key) }) // forgets it even if nobody asks again
}

// get is the card, or nil: forgotten, or never here (another machine took it).
func (v *vault) get(key string) *card.Card {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sweep()
	k, ok := v.cards[key]
	if !ok {
		return nil
	}
	return &k.card
}

func (v *vault) forget(key string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.cards, key)
}

// sweep drops what is too old; v.mu is held.
func (v *vault) sweep() {
	now := v.now()
	for k, c := range v.cards {
		if !now.Before(c.until) {
			delete(v.cards, k)
		}
	}
}

// len counts the cards held, for tests and metrics.
func (v *vault) len() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sweep()
	return len(v.cards)
}
