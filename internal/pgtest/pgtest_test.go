package pgtest_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tollgate/internal/pgtest"
)

const asChild = "PGTEST_CHILD"

func TestEveryCallGivesAnEmptyDatabaseOfItsOwn(t *testing.T) {
	ctx := t.Context()
	for range 2 {
		conn, err := pgx.Connect(ctx, pgtest.Start(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(ctx, "CREATE TABLE mine (id BIGINT)"); err != nil {
			t.Fatal(err)
		}
	}
}

// The child is this test itself, in another process, which starts a server, tells its address and hangs.
func TestAKilledTestProcessLeavesNoServerBehind(t *testing.T) {
	if os.Getenv(asChild) != "" {
		config, err := pgx.ParseConfig(pgtest.Start(t))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("ADDRESS")
		fmt.Printf("127.0.0.1:%d\n", config.Port)
		select {}
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), asChild+"=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ADDRESS" {
	}
	lines.Scan()
	address := lines.Text()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatalf("server of the child: %v", err)
	}
	defer conn.Close()
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	// An idle connection ends when the server does.
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Fatalf("the server outlived its test process: %v", err)
	}
}
