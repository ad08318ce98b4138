package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// network is the only network of a world: connections in memory between names and addresses. Each exchange (a request
// and its answer) has latency, and may be cut, lost or delayed as the seed says.
type network struct {
	w         *World
	mu        sync.Mutex
	listeners map[string][]*listener // by address; several fronts share one, as behind a load balancer
	conns     map[*conn]bool
	ports     int
}

// Addresses. "localhost" in a URL means the same machine.
const (
	frontAddr    = "127.0.0.1:8080"
	sandboxAddr  = "127.0.0.1:8081"
	receiverAddr = "127.0.0.1:9000"
)

var places = map[string]string{frontAddr: "front", sandboxAddr: "sandbox", receiverAddr: "receiver"}

// fault is what becomes of one exchange.
type fault string

const (
	none        fault = ""
	cutBefore   fault = "cut before the request"
	cutWithin   fault = "cut within the request"
	requestLost fault = "the request is lost"
	requestLate fault = "the request is late"
	answerCut   fault = "cut before the answer"
	answerHalf  fault = "cut within the answer"
	answerLost  fault = "the answer is lost"
	answerLate  fault = "the answer is late"
)

// allFaults are those that a stormy network has; lost requests and answers are black holes: the connection stays.
var allFaults = []fault{cutBefore, cutWithin, requestLost, requestLate, answerCut, answerHalf, answerLost, answerLate}

// lateDelays are within, around and beyond the deadlines of calls.
var lateDelays = []time.Duration{
	2 * time.Second, 10 * time.Second, 29 * time.Second, 31 * time.Second, 90 * time.Second, 10 * time.Minute,
}

var (
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	errPipe    = &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	errDead    = errors.New("simulation: this process is dead")
)

type listener struct {
	n      *network
	addr   string
	owner  *Proc // nil: of a process that is never killed
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (n *network) listen(addr string, owner *Proc) *listener {
	l := &listener{n: n, addr: addr, owner: owner, accept: make(chan net.Conn, 64), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[addr] = append(n.listeners[addr], l)
	return l
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.n.mu.Lock()
		defer l.n.mu.Unlock()
		l.n.listeners[l.addr] = slices.DeleteFunc(slices.Clone(l.n.listeners[l.addr]), func(o *listener) bool { return o == l })
	})
	return nil
}

func (l *listener) Addr() net.Addr { return tcp(l.addr) }

func tcp(addr string) net.Addr {
	a, err := net.ResolveTCPAddr("tcp", addr) // never a name: nothing is asked
	if err != nil {
		panic(err)
	}
	return a
}

// dialer is somebody's way out; owner is the process whose death ends its connections, nil where nobody kills it.
func (n *network) dialer(from string, owner *Proc) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, addr string) (net.Conn, error) {
		addr = strings.Replace(addr, "localhost", "127.0.0.1", 1)
		link := from + ">" + places[addr]
		if owner.isDead() {
			return nil, errDead
		}
		if !sleep(ctx, n.w.away(link)) {
			return nil, ctx.Err()
		}
		l := n.choose(link, addr)
		if l == nil {
			return nil, errRefused
		}
		c, s := n.connect(link, addr)
		c.owner, s.owner = owner, l.owner
		for _, end := range []*conn{c, s} {
			end.owner.adopt(end)
		}
		select {
		case l.accept <- s:
			return c, nil
		case <-l.closed:
			return nil, errRefused
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// choose balances the load.
func (n *network) choose(link, addr string) *listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.listeners[addr]
	if len(all) == 0 {
		return nil
	}
	if len(all) == 1 {
		return all[0]
	}
	return all[n.w.pick(len(all), "balance", link)]
}

func (n *network) connect(link, addr string) (client, server *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports++
	from, to := tcp(fmt.Sprint("127.0.0.1:", 20000+n.ports)), tcp(addr)
	up, down := newPipe(), newPipe()
	client = &conn{n: n, link: link, client: true, in: down, out: up, local: from, remote: to}
	server = &conn{n: n, link: link, in: up, out: down, local: to, remote: from}
	client.peer, server.peer = server, client
	n.conns[client], n.conns[server] = true, true
	return client, server
}

// closeAll ends what is left of connections when the world is over.
func (n *network) closeAll() {
	n.mu.Lock()
	all := n.conns
	n.conns = map[*conn]bool{}
	n.mu.Unlock()
	for c := range all {
		c.in.arrive(nil, errReset)
	}
}

// pipe is one direction of a connection: what was sent arrives after a while, in order.
type pipe struct {
	mu       sync.Mutex
	buf      []byte
	err      error
	last     time.Time // when what was sent last arrives
	news     chan struct{}
	deadline time.Time // of the reader
}

func newPipe() *pipe { return &pipe{news: make(chan struct{}, 1)} }

func (p *pipe) tell() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

func (p *pipe) arrive(b []byte, err error) {
	p.mu.Lock()
	if p.err == nil {
		p.buf = append(p.buf, b...)
		p.err = err
		if err != nil && err != io.EOF {
			p.buf = nil // a reset overtakes what nobody has read yet
		}
	}
	p.mu.Unlock()
	p.tell()
}

func (p *pipe) send(d time.Duration, b []byte, err error) {
	p.mu.Lock()
	at := time.Now().Add(d)
	if !at.After(p.last) {
		at = p.last.Add(1)
	}
	p.last = at
	p.mu.Unlock()
	b = bytes.Clone(b)
	time.AfterFunc(time.Until(at), func() { p.arrive(b, err) })
}

// broken is why nothing can be sent any more.
func (p *pipe) broken() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil && p.err != io.EOF {
		return errPipe
	}
	return nil
}

// conn is one end of a connection.
type conn struct {
	n             *network
	link          string
	client        bool
	in, out       *pipe
	peer          *conn
	local, remote net.Addr
	owner         *Proc

	mu       sync.Mutex
	closed   bool
	asking   bool      // client: a request is being written
	exchange *exchange // the newest
}

// exchange is one request and its answer.
type exchange struct {
	fault   fault
	delay   time.Duration
	latency time.Duration
	answers bool // the answer has begun
}

func (c *conn) Read(b []byte) (int, error) {
	for {
		if c.owner.isDead() {
			return 0, errDead
		}
		c.mu.Lock()
		closed := c.closed
		c.mu.Unlock()
		if closed {
			return 0, net.ErrClosed
		}
		c.in.mu.Lock()
		n, err, deadline := copy(b, c.in.buf), c.in.err, c.in.deadline
		c.in.buf = c.in.buf[n:]
		c.in.mu.Unlock()
		switch {
		case n > 0:
			if c.client {
				c.mu.Lock()
				c.asking = false
				c.mu.Unlock()
			}
			return n, nil
		case err != nil:
			return 0, err
		case deadline.IsZero():
			<-c.in.news
		default:
			left := time.Until(deadline)
			if left <= 0 {
				return 0, os.ErrDeadlineExceeded
			}
			timer := time.NewTimer(left)
			select {
			case <-c.in.news:
			case <-timer.C:
			}
			timer.Stop()
		}
	}
}

func (c *conn) Write(b []byte) (int, error) {
	if c.owner.isDead() {
		return 0, errDead
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return 0, net.ErrClosed
	}
	begins := c.client && !c.asking
	if begins {
		c.asking = true
		c.exchange = c.n.begin(c.link, b)
		c.peer.mu.Lock()
		c.peer.exchange = c.exchange
		c.peer.mu.Unlock()
	}
	x := c.exchange
	if !c.client && x != nil {
		begins = !x.answers
		x.answers = true
	}
	c.mu.Unlock()
	if err := c.in.broken(); err != nil {
		return 0, err
	}
	if x == nil { // a server that speaks first: an error before any request
		c.out.send(time.Millisecond, b, nil)
		return len(b), nil
	}
	if c.client {
		c.request(x, b, begins)
	} else {
		c.answer(x, b, begins)
	}
	return len(b), nil
}

func (c *conn) request(x *exchange, b []byte, begins bool) {
	d := x.latency
	switch x.fault {
	case cutBefore:
		c.reset(d)
		return
	case cutWithin:
		if begins {
			c.out.send(d, b[:len(b)/2], nil)
			c.reset(d + time.Millisecond)
		}
		return
	case requestLost:
		return
	case requestLate:
		if begins {
			d += x.delay
		}
	}
	c.out.send(d, b, nil)
}

func (c *conn) answer(x *exchange, b []byte, begins bool) {
	d := x.latency
	switch x.fault {
	case answerCut:
		c.reset(d)
		return
	case answerHalf:
		if begins {
			c.out.send(d, b[:len(b)/2], nil)
			c.reset(d + time.Millisecond)
		}
		return
	case answerLost:
		return
	case answerLate:
		if begins {
			d += x.delay
		}
	}
	c.out.send(d, b, nil)
}

// reset cuts the connection for both ends.
func (c *conn) reset(d time.Duration) {
	c.in.send(d, nil, errReset)
	c.out.send(d, nil, errReset)
}

func (c *conn) Close() error {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	c.mu.Unlock()
	if closed {
		return nil
	}
	c.n.mu.Lock()
	delete(c.n.conns, c)
	c.n.mu.Unlock()
	c.owner.forget(c)
	c.out.send(time.Millisecond, nil, io.EOF)
	c.in.tell()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error      { return c.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return nil } // what is written is taken at once

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.mu.Lock()
	c.in.deadline = t
	c.in.mu.Unlock()
	c.in.tell()
	return nil
}

// ids in paths differ between runs of a changed program; faults must not be keyed by them.
var ids = regexp.MustCompile(`[^/]*[0-9_][^/]*|[^/]{20,}`)

// ordered is the number of an order in a request.
var ordered = regexp.MustCompile(`order\.[a-z.]+-[0-9]+`)

// begin decides about an exchange, by who asks whom for what.
func (n *network) begin(link string, b []byte) *exchange {
	line, _, _ := bytes.Cut(b, []byte("\r\n"))
	method, target, _ := strings.Cut(strings.TrimSuffix(string(line), " HTTP/1.1"), " ")
	target, _, _ = strings.Cut(target, "?")
	place := link + " " + method + " " + ids.ReplaceAllStringFunc(target, func(s string) string {
		if len(s) == 2 && s[0] == 'v' { // a version
			return s
		}
		return "*"
	})
	if who := ordered.Find(b); who != nil { // so that it does not matter which of two calls at one instant comes first
		place += " " + string(who)
	}
	x := &exchange{latency: n.w.latency(place)}
	x.fault, x.delay = n.w.exchangeFault(link, place)
	if strings.HasPrefix(link, observer) {
		return x
	}
	if x.fault == none {
		n.w.tracef("%s %s %s", link, method, target)
	} else {
		n.w.tracef("%s %s %s   ! %s %s", link, method, target, x.fault, x.delay)
	}
	return x
}

// sleep is false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
