// Package smtptest is an SMTP server for tests, in the process of the test.
package smtptest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Server takes mails.
type Server struct {
	Host   string
	Port   int
	Client *tls.Config // trusts the server

	own    *tls.Config
	tls    bool // offers STARTTLS
	refuse atomic.Int64
	count  atomic.Int64
	mails  chan Mail
	open   sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

// Mail is one that came.
type Mail struct {
	From, To, Data           string
	Encrypted, Authenticated bool
}

// Start starts a server that ends with the test. It speaks TLS from the first byte where implicit is set, else offers STARTTLS where
// offers is.
func Start(t testing.TB, implicit, offers bool) *Server {
	t.Helper()
	certified := httptest.NewTLSServer(nil)                      // has a certificate of this machine's, and knows who trusts it
	own := &tls.Config{Certificates: certified.TLS.Certificates} //nolint:gosec // of a test
	trusts := certified.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	certified.Close()
	trusts.ServerName = "127.0.0.1"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr)
	s := &Server{Host: "127.0.0.1", Port: at.Port, Client: trusts, own: own, tls: offers && !implicit, mails: make(chan Mail, 9)}
	if implicit {
		l = tls.NewListener(l, own)
	}
	s.open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			s.open.Go(func() { s.serve(c, implicit) })
		}
	})
	t.Cleanup(func() {
		l.Close() //nolint:errcheck // it ends
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.conns {
			c.Close() //nolint:errcheck // it ends
		}
		s.open.Wait()
	})
	return s
}

// Refuse has the next recipient refused with a code.
func (s *Server) Refuse(code int) { s.refuse.Store(int64(code)) }

// Count is how many mails came.
func (s *Server) Count() int { return int(s.count.Load()) }

// Next is the next mail that comes.
func (s *Server) Next(t testing.TB) Mail {
	t.Helper()
	select {
	case m := <-s.mails:
		return m
	case <-time.After(20 * time.Second):
		t.Fatal("no mail came")
	}
	return Mail{}
}

func (s *Server) serve(c net.Conn, encrypted bool) {
	defer c.Close() //nolint:errcheck // nobody listens any more
	m := Mail{Encrypted: encrypted}
	r := bufio.NewReader(c)
	say := func(line string) { fmt.Fprintf(c, "%s\r\n", line) } //nolint:errcheck // the client sees it
	say("220 mail.example ESMTP")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.TrimSpace(line)); {
		case strings.HasPrefix(verb, "EHLO"):
			say("250-mail.example")
			if s.tls && !m.Encrypted {
				say("250-STARTTLS")
			}
			if m.Encrypted {
				say("250-AUTH PLAIN")
			}
			say("250 8BITMIME")
		case verb == "STARTTLS":
			say("220 go on")
			secure := tls.Server(c, s.own)
			c, r, m.Encrypted = secure, bufio.NewReader(secure), true
			say = func(line string) { fmt.Fprintf(secure, "%s\r\n", line) } //nolint:errcheck // the client sees it
		case strings.HasPrefix(verb, "AUTH"):
			m.Authenticated = true
			say("235 ok")
		case strings.HasPrefix(verb, "MAIL FROM:"):
			m.From = between(line)
			say("250 ok")
		case strings.HasPrefix(verb, "RCPT TO:"):
			if code := s.refuse.Swap(0); code != 0 {
				say(fmt.Sprintf("%d no such mailbox: %s", code, between(line)))
				continue
			}
			m.To = between(line)
			say("250 ok")
		case verb == "DATA":
			say("354 go on")
			var data strings.Builder
			for {
				l, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if l == ".\r\n" {
					break
				}
				data.WriteString(l)
			}
			m.Data = data.String()
			s.count.Add(1)
			s.mails <- m
			say("250 taken")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// between is what stands between < and >.
func between(line string) string {
	_, after, _ := strings.Cut(line, "<")
	inner, _, _ := strings.Cut(after, ">")
	return inner
}
