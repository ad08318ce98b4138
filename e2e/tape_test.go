package e2e_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// tape is a listener that keeps every byte that browsers send to it.
type tape struct {
	net.Listener
	mu    sync.Mutex
	conns []*tapedConn
}

type tapedConn struct {
	*net.TCPConn // the program takes streams out of the hands of net/http
	tape         *tape
	sent         bytes.Buffer
}

func (t *tape) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	taped := &tapedConn{TCPConn: c.(*net.TCPConn), tape: t}
	t.mu.Lock()
	t.conns = append(t.conns, taped)
	t.mu.Unlock()
	return taped, nil
}

func (c *tapedConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	c.tape.mu.Lock()
	c.sent.Write(p[:n])
	c.tape.mu.Unlock()
	return n, err
}

// taped is a request as it came.
type taped struct {
	*http.Request
	body string
}

// requests are those whose address holds the words, connection by connection, but for the tests' own calls of the API.
func (t *tape) requests(words string) []taped {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []taped
	for _, c := range t.conns {
		in := bufio.NewReader(bytes.NewReader(c.sent.Bytes()))
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				break
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				break
			}
			if strings.Contains(r.URL.String(), words) && r.Header.Get("Authorization") == "" {
				all = append(all, taped{r, string(body)})
			}
		}
	}
	return all
}

// all is everything that was sent, as text.
func (t *tape) all() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := ""
	for _, c := range t.conns {
		out += c.sent.String() + "\n"
	}
	return out
}
