package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pair is a primary and its standby, by streaming replication. They stop with the process, however it ends.
type Pair struct {
	tb      testing.TB
	bin     string
	dir     string
	ports   [2]int
	primary int // which of them
	as      *syscall.SysProcAttr
	stopped int // the sender of the primary's log, while the standby lags
}

// pairKeeper waits for the end of its input, as keeper does, then stops both servers and removes their folder.
const pairKeeper = `
bin=$1 dir=$2
clean() { for n in 0 1; do "$bin/pg_ctl" -D "$dir/$n" -m immediate -w stop >>"$dir/log" 2>&1; done; rm -rf "$dir"; }
trap clean EXIT
cat >/dev/null
`

// StartPair makes a pair. With synchronous a commit waits until the standby has it on its disk.
func StartPair(tb testing.TB, synchronous bool) *Pair {
	tb.Helper()
	p := &Pair{tb: tb, as: &syscall.SysProcAttr{Setpgid: true}}
	var err error
	if p.bin, err = binaries(); err != nil {
		tb.Fatal(err)
	}
	if p.dir, err = os.MkdirTemp(folder(), "pgpair-"); err != nil {
		tb.Fatal(err)
	}
	for i := range p.ports {
		if p.ports[i], err = freePort(); err != nil {
			tb.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		uid, gid, err := postgres()
		if err == nil {
			err = os.Chown(p.dir, int(uid), int(gid))
		}
		if err != nil {
			tb.Fatal(err)
		}
		p.as.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	keep := exec.Command("/bin/sh", "-c", pairKeeper, "pgtest", p.bin, p.dir)
	keep.Dir, keep.SysProcAttr = "/", p.as
	in, err := keep.StdinPipe()
	if err == nil {
		err = keep.Start()
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = errors.Join(in.Close(), keep.Wait()) })
	p.run("initdb", "-D", p.data(0), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	p.start(0)
	p.query(0, `CREATE DATABASE tollgate`)
	if synchronous { // not in force before the standby is there, which copies it for the time when it is the primary
		p.query(0, `ALTER SYSTEM SET synchronous_standby_names = '*'`)
	}
	p.attach(1)
	p.query(0, `SELECT pg_reload_conf()`)
	return p
}

func (p *Pair) data(n int) string { return filepath.Join(p.dir, strconv.Itoa(n)) }

func (p *Pair) run(name string, args ...string) {
	p.tb.Helper()
	ctx, done := context.WithTimeout(context.Background(), 2*time.Minute)
	defer done()
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr, cmd.Env = "/", p.as, []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	log, err := os.OpenFile(filepath.Join(p.dir, "tools"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600) // no pipe: servers would keep it open
	if err != nil {
		p.tb.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		_, _ = log.Seek(0, io.SeekStart)
		said, _ := io.ReadAll(log)
		p.tb.Fatalf("pgtest: %s %v: %v\n%s", name, args, err, said[max(0, len(said)-2000):])
	}
}

func (p *Pair) start(n int) {
	p.tb.Helper()
	p.run("pg_ctl", "-D", p.data(n), "-w", "-t", "90", "-l", filepath.Join(p.dir, "log"), "-o", fmt.Sprintf("-p %d"+
		" -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c full_page_writes=off -c max_connections=100"+
		" -c shared_buffers=16MB -c max_wal_senders=5 -c wal_keep_size=64MB", p.ports[n]), "start")
}

// attach makes a standby of the primary.
func (p *Pair) attach(n int) {
	p.tb.Helper()
	p.run("pg_basebackup", "-h", "127.0.0.1", "-p", strconv.Itoa(p.ports[1-n]), "-U", "postgres", "-D", p.data(n), "-R", "-c", "fast",
		"-X", "stream", "--no-sync")
	p.start(n)
}

func (p *Pair) query(n int, q string, to ...any) {
	p.tb.Helper()
	ctx, done := context.WithTimeout(context.Background(), 30*time.Second)
	defer done()
	conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", p.ports[n]))
	if err == nil {
		defer conn.Close(ctx)
		if len(to) == 0 {
			_, err = conn.Exec(ctx, q)
		} else {
			err = conn.QueryRow(ctx, q).Scan(to...)
		}
	}
	if err != nil {
		p.tb.Fatalf("pgtest: %s: %v", q, err)
	}
}

// URL leads to whichever of the two takes writes.
func (p *Pair) URL() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/tollgate?sslmode=disable&target_session_attrs=read-write&connect_timeout=5",
		p.ports[0], p.ports[1])
}

// Lag stops the sending of the primary's log: what is committed from now on the standby does not get.
func (p *Pair) Lag() {
	p.tb.Helper()
	p.query(p.primary, `SELECT pid FROM pg_stat_replication`, &p.stopped)
	if err := syscall.Kill(p.stopped, syscall.SIGSTOP); err != nil {
		p.tb.Fatal(err)
	}
}

// Crash is a crash of the primary, which then starts again: what it had not given to the disk is lost.
func (p *Pair) Crash() {
	p.tb.Helper()
	p.run("pg_ctl", "-D", p.data(p.primary), "-m", "immediate", "-w", "stop")
	p.start(p.primary)
	p.query(p.primary, `DO $$ BEGIN WHILE NOT EXISTS (SELECT 1 FROM pg_stat_replication WHERE state = 'streaming') LOOP
		PERFORM pg_sleep(0.05); PERFORM pg_stat_clear_snapshot(); END LOOP; END $$`) // the standby is there again
}

// Promote is the end of the primary, in mid-work. The standby takes its place, and gets a new standby.
func (p *Pair) Promote() {
	p.tb.Helper()
	old := p.primary
	if p.stopped != 0 { // it would send the rest
		_ = syscall.Kill(p.stopped, syscall.SIGKILL)
		p.stopped = 0
	}
	p.run("pg_ctl", "-D", p.data(old), "-m", "immediate", "-w", "stop")
	p.run("pg_ctl", "-D", p.data(1-old), "-w", "-t", "90", "promote")
	p.primary = 1 - old
	if err := os.RemoveAll(p.data(old)); err != nil {
		p.tb.Fatal(err)
	}
	p.attach(old)
}
