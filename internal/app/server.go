package app

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// What a client gets of our patience. A client that reads at all reads a piece in its time; a mobile network does so with
// ten times the bytes.
const (
	headerWait = 10 * time.Second
	bodyWait   = 30 * time.Second // for header and body together
	pieceWait  = 15 * time.Second // for one piece of an answer
	idleWait   = 75 * time.Second // longer than the proxies in front keep a connection (60 s): they close first

	pieceSize   = 64 << 10
	headerBytes = 64 << 10
)

// server bounds what a slow or greedy client can hold, on every listener.
func server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: paced{h}, ReadHeaderTimeout: headerWait, ReadTimeout: bodyWait, WriteTimeout: pieceWait, IdleTimeout: idleWait,
		MaxHeaderBytes: headerBytes, ConnContext: shallow, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// shallow keeps what the kernel takes for a client that does not read to a piece: it would take megabytes, and a file that
// nobody reads would count as sent.
func shallow(ctx context.Context, c net.Conn) context.Context {
	if tcp, ok := c.(interface{ SetWriteBuffer(int) error }); ok {
		_ = tcp.SetWriteBuffer(pieceSize)
	}
	return ctx
}

// paced makes the server's deadlines fit answers that take long to be worked out, or that never end:
//   - Once a request has been read, its read deadline is lifted. It would end the request's context while a handler works.
//   - The write deadline is that of a piece, not of the whole answer: streams live on, a client that does not read does not.
type paced struct{ http.Handler }

func (p paced) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pace := &pacedWriter{w, http.NewResponseController(w)}
	if r.Body == nil || r.Body == http.NoBody {
		_ = pace.control.SetReadDeadline(time.Time{})
	} else {
		r.Body = &pacedBody{r.Body, pace.control}
	}
	defer pace.extend() // the server sends what is left in its buffer
	p.Handler.ServeHTTP(pace, r)
}

type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

// extend begins a piece. A writer without deadlines, as in tests, has none to extend.
func (w *pacedWriter) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(pieceWait)) }

func (w *pacedWriter) Write(b []byte) (n int, err error) {
	for {
		w.extend()
		m, err := w.ResponseWriter.Write(b[:min(len(b), pieceSize)])
		n += m
		if b = b[m:]; err != nil || len(b) == 0 {
			return n, err
		}
	}
}

// FlushError is Flush for [http.ResponseController].
func (w *pacedWriter) FlushError() error {
	w.extend()
	return w.control.Flush()
}

// Flush sends what was written.
func (w *pacedWriter) Flush() { _ = w.FlushError() }

// Unwrap gives [http.ResponseController] the writer inside.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
