package cashier

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"tollgate/providers"
)

// A database that was restored from a copy of unknown age may have forgotten any order, and the gateway's list has no index by our
// number: of an account with many orders it cannot be read whole for each payment. What was read of it is kept, so that the
// next question goes on from there. Of a time that is over no more orders come.

// pastOrders is what was read of the list of orders of one time.
type pastOrders struct {
	mu    sync.Mutex
	known *whereListed
}

// whereListed tells on which page of the list a number is. It keeps a few bytes of each order.
type whereListed struct {
	from, until time.Time
	seed        maphash.Seed
	page        map[uint64]int
	twice       map[uint64]bool
	read        int // pages
	whole       bool
}

// find looks for our reference in the whole list of orders of a time. An error says that it is not known yet whether one has it: the
// list was not read to its end within ctx.
func (l *pastOrders) find(ctx context.Context, g *orders, reference string, from, until time.Time) (*order, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.known
	if k == nil || !k.from.Equal(from) || !k.until.Equal(until) {
		k = &whereListed{from: from, until: until, seed: maphash.MakeSeed(), page: map[uint64]int{}, twice: map[uint64]bool{}}
		l.known = k
	}
	for !k.whole {
		list, err := g.page(ctx, k.read, from, until)
		if err != nil {
			return nil, err
		}
		for _, o := range list {
			hash := maphash.String(k.seed, o.number)
			if _, there := k.page[hash]; there {
				k.twice[hash] = true
			}
			k.page[hash] = k.read
		}
		k.read++
		k.whole = len(list) < listPage
	}
	hash := maphash.String(k.seed, reference)
	at, there := k.page[hash]
	if !there {
		return nil, nil
	}
	if k.twice[hash] {
		return nil, &providers.Failure{Op: opOrders, Text: "two orders have our reference"}
	}
	list, err := g.page(ctx, at, from, until)
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		if o.number == reference {
			return &o, nil
		}
	}
	l.known = nil // the list has moved: it is read anew
	return nil, &providers.Failure{Op: opOrders, Text: "the order was listed, and is there no more"}
}
