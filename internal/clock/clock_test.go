package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tollgate/internal/clock"
)

// machine is one whose clock may be wrong; server is right.
type machine struct{ wrong time.Duration }

func (m *machine) now() time.Time { return time.Now().Add(m.wrong) }

func server(took time.Duration) func(context.Context) (time.Time, error) {
	return func(context.Context) (time.Time, error) {
		time.Sleep(took / 2)
		said := time.Now()
		time.Sleep(took / 2)
		return said, nil
	}
}

func isTrue(t *testing.T, c *clock.Clock) {
	t.Helper()
	if d := time.Until(c.Now()).Abs(); d > time.Millisecond {
		t.Errorf("the clock is wrong by %v", d)
	}
}

func TestAClockThatFollowsAServerIsRightWhateverItsMachineSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{wrong: 90 * time.Second}
		c := clock.Of(m.now)
		if time.Until(c.Now()) != 90*time.Second || !c.Sure() {
			t.Errorf("before it follows: %v", c.Now())
		}
		if err := c.Follow(t.Context(), server(100*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		isTrue(t, c)
		if ahead, ok := c.Apart(); !ok || (ahead+90*time.Second).Abs() > 100*time.Millisecond {
			t.Errorf("the server is %v ahead", ahead)
		}
		m.wrong = -time.Hour
		isTrue(t, c)
		time.Sleep(time.Minute)
		isTrue(t, c)
		c.Advance(time.Hour) // by the sandbox
		if d := time.Until(c.Now()); (d - time.Hour).Abs() > time.Millisecond {
			t.Errorf("advanced by an hour: %v", d)
		}
	})
}

func TestAClockIsNotJudgedByAfterWhatMayHaveMadeItWrong(t *testing.T) {
	for name, happens := range map[string]func(*clock.Clock, *machine){
		"the machine's clock was set":        func(_ *clock.Clock, m *machine) { m.wrong += 2 * time.Second },
		"the machine was suspended":          func(_ *clock.Clock, m *machine) { m.wrong += time.Hour }, // the processor did not count
		"nobody has asked for long":          func(*clock.Clock, *machine) { time.Sleep(6 * time.Minute) },
		"another server may be in its place": func(c *clock.Clock, _ *machine) { c.Doubt() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &machine{}
				c := clock.Of(m.now)
				if err := c.Follow(t.Context(), server(time.Millisecond)); err != nil || !c.Sure() {
					t.Fatal(err, c.Sure())
				}
				happens(c, m)
				if c.Sure() {
					t.Error("it is sure of itself")
				}
				if err := c.Follow(t.Context(), server(time.Millisecond)); err != nil || !c.Sure() {
					t.Fatal(err, c.Sure())
				}
				isTrue(t, c)
			})
		})
	}
}

func TestAServerThatAnswersTooSlowlyDoesNotTellTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.Of((&machine{wrong: time.Minute}).now)
		if err := c.Follow(t.Context(), server(5*time.Second)); !errors.Is(err, clock.ErrUnknown) || c.Following() {
			t.Errorf("error %v, following %t", err, c.Following())
		}
		slowOnce := []time.Duration{5 * time.Second, 30 * time.Millisecond, 5 * time.Second}
		if err := c.Follow(t.Context(), func(ctx context.Context) (time.Time, error) {
			took := slowOnce[0]
			slowOnce = slowOnce[1:]
			return server(took)(ctx)
		}); err != nil {
			t.Fatal(err)
		}
		isTrue(t, c)
	})
}
