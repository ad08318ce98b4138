package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections have no buffer and live in a test's own time.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (pipes) Close() error   { return nil }
func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) dial() net.Conn {
	client, server := net.Pipe()
	p <- server
	return client
}

// serving runs a test against a server of ours, in a time of its own.
func serving(t *testing.T, h http.HandlerFunc, test func(t *testing.T, dial func() net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		p := make(pipes)
		s := server(h, slog.New(slog.DiscardHandler))
		go s.Serve(p)
		test(t, p.dial)
		close(p)
		s.Close()
		synctest.Wait()
	})
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

func TestAClientThatDoesNotReadIsDroppedWithinFifteenSeconds(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"a small page": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page") },
		"a large file": func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 2<<20)) },
		"a stream": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				io.WriteString(w, ": still here\n\n")
				http.NewResponseController(w).Flush()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			serving(t, h, func(t *testing.T, dial func() net.Conn) {
				c, ended := dial(), make(chan time.Time, 1)
				began := time.Now()
				io.WriteString(c, get)
				go func() { // the pipe is closed once the server gives up
					for {
						if _, err := c.Write([]byte("x")); err != nil {
							ended <- time.Now()
							return
						}
					}
				}()
				if took := (<-ended).Sub(began); took > pieceWait+time.Second {
					t.Errorf("dropped after %s", took)
				}
			})
		})
	}
}

func TestAClientThatReadsSlowlyGetsTheWholeAnswer(t *testing.T) {
	serving(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) }, func(t *testing.T, dial func() net.Conn) {
		c := dial()
		io.WriteString(c, get)
		res, err := http.ReadResponse(bufio.NewReaderSize(c, 16), nil)
		if err != nil {
			t.Fatal(err)
		}
		n, began := int64(0), time.Now()
		for err == nil {
			var m int64
			m, err = io.CopyN(io.Discard, res.Body, 16<<10)
			n += m
			<-time.After(2 * time.Second)
		}
		if err != io.EOF || n != 1<<20 || time.Since(began) < time.Minute {
			t.Errorf("%d bytes in %s: %v", n, time.Since(began), err)
		}
		c.Close()
	})
}

func TestAHandlerMayWorkLongerThanARequestMayTakeToArrive(t *testing.T) {
	for name, request := range map[string]string{
		"GET":     get,
		"POST":    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
		"chunked": "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			serving(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				select {
				case <-time.After(10 * bodyWait):
					io.WriteString(w, "done")
				case <-r.Context().Done():
					io.WriteString(w, "cut: "+context.Cause(r.Context()).Error())
				}
			}, func(t *testing.T, dial func() net.Conn) {
				c := dial()
				defer c.Close()
				in := bufio.NewReader(c)
				for range 2 { // the next request on the connection has deadlines of its own
					fmt.Fprint(c, request)
					res, err := http.ReadResponse(in, nil)
					if err != nil {
						t.Fatal(err)
					}
					if body, err := io.ReadAll(res.Body); string(body) != "done" {
						t.Errorf("the answer is %q, %v", body, err)
					}
				}
			})
		})
	}
}

func TestAHeaderOrBodyThatDoesNotArriveIsNotWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		sent string
		most time.Duration
	}{
		"nothing":       {"", headerWait},
		"half a header": {"GET / HTTP/1.1\r\nHost:", headerWait},
		"half a body":   {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo", bodyWait},
		"no next one":   {get, idleWait},
	} {
		t.Run(name, func(t *testing.T) {
			serving(t, func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err != nil {
					http.Error(w, "cut", http.StatusRequestTimeout)
				}
			}, func(t *testing.T, dial func() net.Conn) {
				conn := dial()
				began := time.Now()
				io.WriteString(conn, c.sent)
				io.Copy(io.Discard, conn)
				if took := time.Since(began); took > c.most+time.Second {
					t.Errorf("closed after %s", took)
				}
			})
		})
	}
}

func TestAHeaderIsBounded(t *testing.T) {
	serving(t, func(http.ResponseWriter, *http.Request) {}, func(t *testing.T, dial func() net.Conn) {
		c := dial()
		defer c.Close()
		go io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", headerBytes+8<<10)+"\r\n\r\n")
		in := bufio.NewReader(c)
		res, err := http.ReadResponse(in, nil)
		io.Copy(io.Discard, in) // to the end of the connection
		if err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%v, %v", res, err)
		}
	})
}
