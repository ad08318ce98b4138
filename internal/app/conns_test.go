package app

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"testing"
)

func from(of *connections, address string) *held {
	return &held{of: of, from: client(net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 4000)))}
}

func TestAnAddressHasItsShareOfConnectionsOnlyOnceTheyAreScarce(t *testing.T) {
	told := map[string]int{}
	c := &connections{most: 1000, refused: func(why string) { told[why]++ }, proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	busy := func(address string) bool {
		h := from(c, address)
		ok, _ := c.enter(h)
		c.state(h, http.StateActive)
		return ok
	}
	for i := range 750 { // a carrier's shoppers
		if !busy("203.0.113.9") {
			t.Fatalf("connection %d of one address, with places free", i)
		}
	}
	if busy("203.0.113.9") || told["address"] != 1 {
		t.Error("more than its share although connections are scarce")
	}
	for i := range 15 {
		if !busy("198.51.100.1") || !busy(fmt.Sprintf("198.51.101.%d", i)) || !busy("10.1.2.3") {
			t.Fatal("somebody else has no place")
		}
	}
	for range 15 { // of a household
		busy("2001:db8:0:1::1")
	}
	if busy("2001:db8:0:1::2") || busy("::ffff:203.0.113.9") {
		t.Error("another way to write the same client")
	}
	for range 200 {
		busy("10.1.2.3")
	}
	if c.Open() != 1000 || busy("192.0.2.1") || told["full"] == 0 {
		t.Errorf("%d are open; %v", c.Open(), told)
	}
}

func TestAConnectionWithoutARequestMakesRoom(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	of := &connections{most: 12}
	hold := make(chan struct{})
	s := server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/busy" {
			<-hold
		}
		io.WriteString(w, "here")
	}), slog.New(slog.DiscardHandler))
	s.ConnState = of.state
	go s.Serve(bounded{l, of})
	defer s.Close()
	dial := func(send string) (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		io.WriteString(c, send)
		return c, bufio.NewReader(c)
	}
	of.proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} // all come from one address here
	_, busy := dial("GET /busy HTTP/1.1\r\nHost: x\r\n\r\n")
	var slow []*bufio.Reader
	for range 40 { // they say nothing, or never an end
		_, r := dial("GET / HTTP/1.1\r\nX-Slow: ")
		slow = append(slow, r)
	}
	_, shopper := dial(get)
	if answer, err := http.ReadResponse(shopper, nil); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("a shopper beside them: %v", err)
	}
	if _, err := slow[0].ReadByte(); err == nil {
		t.Error("the one that waited longest is still there")
	}
	close(hold)
	if answer, err := http.ReadResponse(busy, nil); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("a request that was under way: %v", err)
	}
	if of.Open() > 12 {
		t.Errorf("%d are open", of.Open())
	}
}
