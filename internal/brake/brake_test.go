package brake

import (
	"testing"
	"time"
)

// clocked is a brake with its clock.
func clocked() (*Brake, *time.Time) {
	now := time.Unix(1_700_000_000, 0)
	return New(func() time.Time { return now }), &now
}

// pass lets moments pass in which work waited so long.
func pass(b *Brake, now *time.Time, moments int, kind string, wait ...time.Duration) {
	for range moments {
		for range some {
			for _, d := range wait {
				b.Waited(kind, d)
			}
		}
		*now = now.Add(moment)
		b.Admit()
	}
}

func admitted(b *Brake, of int) (n int) {
	for range of {
		if b.Admit() {
			n++
		}
	}
	return n
}

func TestNothingIsRefusedWhileWorkDoesNotWait(t *testing.T) {
	b, now := clocked()
	pass(b, now, 100, "write", time.Millisecond, 500*time.Millisecond) // one late among many is no queue
	if n := admitted(b, 1000); n != 1000 {
		t.Errorf("%d of 1000 are taken on", n)
	}
}

func TestWhileAQueueStandsFewerAreTakenOnAndWhenItIsGoneAllAgain(t *testing.T) {
	b, now := clocked()
	pass(b, now, 10, "write", time.Millisecond)
	pass(b, now, 4, "write", 400*time.Millisecond, time.Second)
	if n := admitted(b, 1000); n < 200 || n > 300 {
		t.Errorf("two seconds after the queue began %d of 1000 are taken on", n)
	}
	pass(b, now, 40, "write", 400*time.Millisecond)
	if n := admitted(b, 1000); n < 15 || n > 25 {
		t.Errorf("twenty seconds after the queue began %d of 1000 are taken on", n)
	}
	share, refused := b.State()
	if share != least || refused < 1700 {
		t.Errorf("share %v, %d refused", share, refused)
	}
	*now = now.Add(20 * moment) // nothing comes: there is no queue
	if n := admitted(b, 1000); n != 1000 {
		t.Errorf("ten seconds later %d of 1000 are taken on", n)
	}
}

func TestASlowDiskIsNotABusyOne(t *testing.T) {
	b, now := clocked()
	pass(b, now, 100, "write", 60*time.Millisecond, 90*time.Millisecond)
	pass(b, now, 20, "write", 350*time.Millisecond)
	if n := admitted(b, 100); n != 100 {
		t.Errorf("%d of 100 are taken on", n)
	}
	pass(b, now, 20, "write", 500*time.Millisecond)
	if n := admitted(b, 100); n > 10 {
		t.Errorf("on a busy one %d of 100 are taken on", n)
	}
}

func TestWorkersThatAreAllBusyBrake(t *testing.T) {
	b, now := clocked()
	b.Full("worker", 0)
	for i := range 20 {
		b.Waited("write", time.Millisecond)
		b.Full("worker", time.Duration(i)*moment)
		*now = now.Add(moment)
		b.Admit()
	}
	if n := admitted(b, 100); n > 10 {
		t.Errorf("%d of 100 are taken on while all workers are busy", n)
	}
}

func TestWhatWasAdmittedGoesOnUntilItHelpsNothingElse(t *testing.T) {
	b, now := clocked()
	pass(b, now, 10, "write", time.Millisecond)
	pass(b, now, 3, "write", 400*time.Millisecond)
	next := 0
	for range 100 {
		if b.AdmitNext() {
			next++
		}
	}
	if fresh := admitted(b, 100); fresh > 60 || next != 100 {
		t.Errorf("%d of 100 new ones are admitted, and %d of 100 that go on", fresh, next)
	}
	pass(b, now, 40, "write", 400*time.Millisecond)
	next = 0
	for range 100 {
		if b.AdmitNext() {
			next++
		}
	}
	if next < 5 || next > 10 {
		t.Errorf("%d of 100 that go on are admitted", next)
	}
}

func TestOneSlowWriteOfAQuietProcessIsNoQueue(t *testing.T) {
	b, now := clocked()
	b.Waited("write", time.Millisecond)
	for range 50 {
		b.Waited("write", 2*time.Second)
		*now = now.Add(moment)
		if !b.Admit() {
			t.Fatal("it brakes")
		}
	}
}
