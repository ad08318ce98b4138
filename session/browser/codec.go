package browser

import (
	"maps"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
)

// codec is scs's own, which remembers what it decoded: the bytes of a browser session are the same from page to page, and to
// read them costs more than to find them.
type codec struct {
	scs.GobCodec
	mu    sync.Mutex
	known map[string]decoded
}

type decoded struct {
	deadline time.Time
	values   map[string]any
}

// codecAtMost is how many are remembered; then all are forgotten.
const codecAtMost = 1000

// Decode reads what Encode wrote.
func (c *codec) Decode(b []byte) (time.Time, map[string]any, error) {
	c.mu.Lock()
	d, ok := c.known[string(b)]
	c.mu.Unlock()
	if !ok {
		var err error
		if d.deadline, d.values, err = c.GobCodec.Decode(b); err != nil {
			return time.Time{}, nil, err
		}
		c.mu.Lock()
		if len(c.known) >= codecAtMost || c.known == nil {
			c.known = map[string]decoded{}
		}
		c.known[string(b)] = d
		c.mu.Unlock()
	}
	return d.deadline, maps.Clone(d.values), nil
}
