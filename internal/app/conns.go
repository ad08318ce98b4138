package app

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"

	"tollgate/internal/limit"
)

// connections bounds how many connections clients hold on a listener. Where there are few, nobody is counted out: a carrier's
// shoppers share one address. From three quarters on an address has its share and no more, proxies apart. Where all places are
// taken, who has waited longest with a connection on which no request is under way makes room.
type connections struct {
	most    int
	proxies []netip.Prefix       // that hold connections for many
	refused func(why string)     // a connection was closed: "full", "address", "idle"; nil: nobody counts
	waiting list.List            // *held, that carry no request now; the longest first
	by      map[netip.Prefix]int // open, by address
	mu      sync.Mutex
	open    int
}

// held is a connection that is counted until it is closed, whoever closes it.
type held struct {
	*net.TCPConn
	of   *connections
	from netip.Prefix
	at   *list.Element // in waiting; nil: a request is under way
	over bool
}

// addressShare is what one address may hold once connections become scarce.
func (c *connections) addressShare() int { return max(8, c.most/64) }

// scarce is from how many on addresses are counted.
func (c *connections) scarce() int { return c.most * 3 / 4 }

// client is what counts as one address of a connection's other end.
func client(a net.Addr) netip.Prefix {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	return limit.Network(tcp.AddrPort().Addr())
}

func (c *connections) proxy(from netip.Prefix) bool {
	for _, p := range c.proxies {
		if p.Overlaps(from) {
			return true
		}
	}
	return false
}

// enter takes a place for a new connection. idle is one that has to be closed for it.
func (c *connections) enter(h *held) (ok bool, idle *held) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.open >= c.scarce() && c.by[h.from] >= c.addressShare() && !c.proxy(h.from):
		c.tell("address")
		return false, nil
	case c.open >= c.most:
		first := c.waiting.Front()
		if first == nil {
			c.tell("full")
			return false, nil
		}
		c.tell("idle")
		idle = first.Value.(*held)
		c.drop(idle)
	}
	if c.by == nil {
		c.by = map[netip.Prefix]int{}
	}
	c.by[h.from]++
	c.open++
	h.at = c.waiting.PushBack(h)
	return true, idle
}

func (c *connections) tell(why string) {
	if c.refused != nil {
		c.refused(why)
	}
}

// drop gives a place back.
func (c *connections) drop(h *held) {
	if h.over {
		return
	}
	h.over = true
	c.open--
	if c.by[h.from]--; c.by[h.from] <= 0 {
		delete(c.by, h.from)
	}
	if h.at != nil {
		c.waiting.Remove(h.at)
		h.at = nil
	}
}

// state is http.Server.ConnState: who carries no request may have to make room.
func (c *connections) state(conn net.Conn, s http.ConnState) {
	h, ok := conn.(*held)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case h.over:
	case s == http.StateIdle && h.at == nil:
		h.at = c.waiting.PushBack(h)
	case (s == http.StateActive || s == http.StateHijacked) && h.at != nil:
		c.waiting.Remove(h.at)
		h.at = nil
	}
}

// Open is how many connections are open.
func (c *connections) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// Close ends the connection and gives its place back.
func (h *held) Close() error {
	h.of.mu.Lock()
	h.of.drop(h)
	h.of.mu.Unlock()
	return h.TCPConn.Close()
}

// bounded is a listener whose connections are counted. Connections that are no network's, as a simulation's, are not.
type bounded struct {
	net.Listener
	of *connections
}

// Accept waits for the next connection that has a place.
func (b bounded) Accept() (net.Conn, error) {
	for {
		conn, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := conn.(*net.TCPConn)
		if !ok {
			return conn, nil
		}
		h := &held{TCPConn: tcp, of: b.of, from: client(tcp.RemoteAddr())}
		ok, idle := b.of.enter(h)
		if idle != nil {
			_ = idle.TCPConn.Close()
		}
		if ok {
			return h, nil
		}
		_ = tcp.SetLinger(0) // nothing of it is kept
		_ = tcp.Close()
	}
}

// sparePlaces are file descriptors for all that is not a client: database, gateways, webhooks, files.
const sparePlaces = 1024

// places is how many connections this process can hold, of the number that is wanted.
func places(want int) int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur > 1<<30 {
		return want
	}
	have := int(files.Cur) //nolint:gosec // at most 1<<30
	return max(64, min(want, have-min(sparePlaces, have/2)))
}
