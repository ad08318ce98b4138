package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tollgate/internal/app"
	"tollgate/internal/config"
)

// world is what is measured: fronts and a sandbox, each a process.
type world struct {
	s       settings
	dir     string
	fronts  []*child
	sandbox *child
	bare    *child
	client  *http.Client
	begun   int64 // names orders
	orders  int64
}

// child is a process of this program. It ends when its input does.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	said  map[string]string // what it is reached by
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func launch(ctx context.Context, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self, args...), said: map[string]string{}}
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("%s did not start: %w", args[0], err)
	}
	return c, json.Unmarshal([]byte(line), &c.said)
}

func (c *child) stop() {
	if c == nil {
		return
	}
	_ = c.stdin.Close()
	_ = c.cmd.Wait()
}

func startWorld(ctx context.Context, s settings) (w *world, err error) {
	w = &world{s: s, begun: time.Now().UnixNano() % 1e12, client: &http.Client{
		Transport: &http.Transport{MaxIdleConns: 1000, MaxIdleConnsPerHost: 1000, DisableCompression: true}, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	defer func() {
		if err != nil {
			w.stop()
		}
	}()
	if w.dir, err = os.MkdirTemp("", "tollgate-bench-"); err != nil {
		return w, err
	}
	addresses, err := freeAddresses(1 + max(s.fronts, 1))
	if err != nil {
		return w, err
	}
	if w.sandbox, err = launch(ctx, "sandbox", "-listen", addresses[0], "-front", addresses[1], "-data", filepath.Join(w.dir, "sandbox")); err != nil {
		return w, err
	}
	for i := range max(s.fronts, 1) {
		data := filepath.Join(w.dir, "front"+strconv.Itoa(i))
		f, err := launch(ctx, "front", "-listen", addresses[1+i], "-sandbox", w.sandbox.said["url"], "-data", data,
			"-keys", filepath.Join(w.dir, "keys"), "-database", s.database,
			"-proxied="+strconv.FormatBool(slices.Contains(s.rows, "hostile")))
		if err != nil {
			return w, err
		}
		w.fronts = append(w.fronts, f)
	}
	w.bare, err = launch(ctx, "bare")
	return w, err
}

func (w *world) stop() {
	for _, f := range w.fronts {
		f.stop()
	}
	w.sandbox.stop()
	w.bare.stop()
	_ = os.RemoveAll(w.dir)
}

func (w *world) engine() string {
	if w.s.database == "" {
		return "SQLite, every commit on the disk"
	}
	return fmt.Sprintf("PostgreSQL, %d fronts", len(w.fronts))
}

// front is one of the fronts, in turn.
func (w *world) front(n int64) string { return w.fronts[n%int64(len(w.fronts))].said["url"] }

func (w *world) frontSpent() (sum time.Duration) {
	for _, f := range w.fronts {
		sum += spent(f.pid())
	}
	return sum
}

func (w *world) frontWritten() (sum float64) {
	for _, f := range w.fronts {
		sum += written(f.pid())
	}
	return sum
}

// counters are the fronts' metrics, summed by name.
func (w *world) counters() map[string]float64 {
	sum := map[string]float64{}
	for _, f := range w.fronts {
		res, err := w.client.Get(f.said["inside"] + "/metrics")
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			f := strings.Fields(lines.Text())
			if len(f) != 2 || strings.HasPrefix(f[0], "#") {
				continue
			}
			name, _, _ := strings.Cut(f[0], "{")
			v, _ := strconv.ParseFloat(f[1], 64)
			sum[name] += v
		}
		res.Body.Close()
	}
	return sum
}

// profiled does something while the first front's processor profile is taken, where one is wanted. Beside it lies what the front
// has allocated since its start.
func (w *world) profiled(name string, seconds time.Duration, do func() error) error {
	if w.s.profile == "" {
		return do()
	}
	fetch := func(what, to string) error {
		res, err := w.client.Get(w.fronts[0].said["inside"] + "/debug/pprof/" + what)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(w.s.profile, to), raw, 0o600)
	}
	fetched := make(chan error, 1)
	go func() {
		fetched <- fetch(fmt.Sprintf("profile?seconds=%d", int(max(seconds.Seconds(), 1))), name+".pprof")
	}()
	if err := do(); err != nil {
		return err
	}
	if err := <-fetched; err != nil {
		return err
	}
	return fetch("heap", name+".heap.pprof")
}

func freeAddresses(n int) ([]string, error) {
	var all []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return all, nil
}

// untilInputEnds runs an App for as long as the driver lives.
func untilInputEnds(a *app.App, said map[string]string) error {
	ctx, cancel := context.WithCancel(context.Background())
	line, err := json.Marshal(said)
	if err != nil {
		cancel()
		return err
	}
	fmt.Println(string(line))
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return a.Run(ctx)
}

func sandbox(args []string) error {
	set := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	listen, front, data := set.String("listen", "", ""), set.String("front", "", ""), set.String("data", "", "")
	if err := set.Parse(args); err != nil {
		return err
	}
	c, err := config.Load(config.Flags{Listen: *front, SandboxListen: *listen, Data: *data}, nil)
	if err != nil {
		return err
	}
	a, err := app.New(context.Background(), app.Options{Config: c, Role: app.Sandbox})
	if err != nil {
		return err
	}
	return untilInputEnds(a, map[string]string{"url": a.SandboxURL})
}

func front(args []string) error {
	set := flag.NewFlagSet("front", flag.ContinueOnError)
	listen, box, data := set.String("listen", "", ""), set.String("sandbox", "", ""), set.String("data", "", "")
	keys, database := set.String("keys", "", ""), set.String("database", "", "")
	proxied := set.Bool("proxied", false, "")
	if err := set.Parse(args); err != nil {
		return err
	}
	c, err := config.Load(config.Flags{Listen: *listen, Data: *data}, nil)
	if err != nil {
		return err
	}
	c.DatabaseURL, c.KeysFile, c.MaxStreams = *database, *keys, 100_000
	if *proxied { // every shopper of the test types the same card
		c.TrustedProxies, c.Limits = []string{"127.0.0.0/8"}, &config.Limits{Mode: "on", CardTries: 1_000_000}
	}
	a, err := app.New(context.Background(), app.Options{Config: c, Role: app.Front, SandboxURL: *box,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		return err
	}
	inside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", a.Metrics())
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.Handle("/debug/pprof/heap", pprof.Handler("heap"))
	go func() { _ = http.Serve(inside, mux) }()
	return untilInputEnds(a, map[string]string{"url": a.FrontURL, "inside": "http://" + inside.Addr().String()})
}
