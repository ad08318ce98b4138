// Package pgtest gives tests a PostgreSQL of their own.
package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The one server of this test process. A server takes a second to make; a database in it a tenth of that.
var (
	start     sync.Once
	server    *cluster
	startErr  error
	databases atomic.Int64
)

// cluster is a running server. It holds both ends of the keeper's pipes: collected as garbage they would be closed, and
// that is the signal to stop.
type cluster struct {
	port int
	in   io.WriteCloser
	out  io.ReadCloser
}

func (c *cluster) of(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", c.port, database)
}

// Start answers the URL of a new, empty database. The server behind it starts with the first call and stops with the
// process, however the process ends; the databases go with it. Where PostgreSQL is not installed the test fails.
func Start(tb testing.TB) string {
	tb.Helper()
	start.Do(func() { server, startErr = launch() })
	if startErr != nil {
		tb.Fatal(startErr)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, server.of("postgres"))
	if err == nil {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+name)
		err = errors.Join(err, conn.Close(ctx))
	}
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	return server.of(name)
}

// keeper makes the server, says "ready", and waits for the end of its input, which comes when this process ends, by
// whatever cause: then it stops the server by its id and removes its folder.
const keeper = `
bin=$1 dir=$2 port=$3
clean() { "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >>"$dir/log" 2>&1; rm -rf "$dir"; }
trap clean EXIT
"$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >>"$dir/log" 2>&1 || { tail -n 5 "$dir/log"; exit 1; }
"$bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/log" -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' \
-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=32MB" start </dev/null >>"$dir/log" 2>&1 || { tail -n 5 "$dir/log"; exit 1; }
echo ready
cat >/dev/null
`

func launch() (*cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	var failed []error
	for range 3 { // the free port may be taken before the server has it
		c, err := launchOn(bin)
		if err == nil {
			return c, nil
		}
		failed = append(failed, err)
	}
	return nil, fmt.Errorf("pgtest: PostgreSQL does not start: %w", errors.Join(failed...))
}

func launchOn(bin string) (*cluster, error) {
	dir, err := os.MkdirTemp(folder(), "pgtest-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", keeper, "pgtest", bin, dir, strconv.Itoa(port))
	cmd.Dir = "/"
	// A process group of its own: an interrupt at the terminal must not end the keeper before it has cleaned up.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 { // PostgreSQL refuses to be root
		uid, gid, err := postgres()
		if err != nil {
			return nil, err
		}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			return nil, err
		}
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	in, err := cmd.StdinPipe() // not inherited by other children
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	said := bufio.NewReader(out)
	line, _ := said.ReadString('\n')
	if line != "ready\n" {
		rest, _ := io.ReadAll(said)
		_ = cmd.Wait()
		return nil, errors.New(strings.TrimSpace(line + string(rest)))
	}
	return &cluster{port, in, out}, nil
}

// folder is in memory where there is room: nothing in it has to last, and no test has to wait for the disk. "": the usual one.
func folder() string {
	const inMemory, room = "/dev/shm", 1 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(inMemory, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < room {
		return ""
	}
	return inMemory
}

// binaries is the folder of the newest PostgreSQL that Debian has installed.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	best, newest := "", -1
	for _, path := range found {
		bin := filepath.Dir(path)
		if v, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && v > newest {
			best, newest = bin, v
		}
	}
	if best == "" {
		return "", errors.New("pgtest: PostgreSQL is not installed: run `make setup`")
	}
	return best, nil
}

func postgres() (uid, gid uint32, err error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return 0, 0, fmt.Errorf("pgtest: run `make setup`: %w", err)
	}
	id, err := strconv.ParseUint(u.Uid, 10, 32)
	group, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return uint32(id), uint32(group), errors.Join(err, err2)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
