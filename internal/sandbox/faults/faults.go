// Package faults spoils the sandbox's answers on request, call by call, and keeps the log of the calls that the simulated
// gateways received, stamped by the sandbox's own clock.
package faults

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is one scripted misbehaviour. The first fault that matches a call and still has turns left is played.
type Fault struct {
	Gateway string `json:"gateway,omitempty"` // "" or "*": any; the bank's pages are "acs" and must be named
	// Call is the call's name, which is the last telling element of its path: "paymentorder.do", "sale", "status". "" or "*"
	// means any. "callback" is a callback the gateway sends; only faults that say so match those.
	Call string `json:"call,omitempty"`
	// Match aims at the calls whose address or body holds this text: our number of an order, the gateway's id of it.
	Match string `json:"match,omitempty"`
	Times int    `json:"times,omitempty"` // how often; 0 is once, -1 until cleared
	Skip  int    `json:"skip,omitempty"`  // let so many matching calls through first
	// When is "before" (the simulator never sees the call) or "after" (handled and recorded, then the answer is spoilt).
	// Empty means after for cut, set and slow, before for the others.
	When string `json:"when,omitempty"`
	// close cut hang slow status body huge set header; for callbacks twice late drop
	Do string `json:"do"`
	// hang, slow, late; real milliseconds (late: by the sandbox's clock)
	HoldMS      int    `json:"hold_ms,omitempty"`
	Bytes       int    `json:"bytes,omitempty"`        // cut: how much of the answer is sent; 0: half of it
	Status      int    `json:"status,omitempty"`       // status
	Body        string `json:"body,omitempty"`         // status, body
	ContentType string `json:"content_type,omitempty"` // status, body
	// set: field to value; dots reach into JSON objects; "" removes the field. header: header to value
	Set map[string]string `json:"set,omitempty"`
}

// MaxHold is the longest time that a fault may hold a call.
const MaxHold = 10 * time.Minute

func (f Fault) check() error {
	callback := f.Call == "callback"
	known := []string{"close", "cut", "hang", "slow", "status", "body", "huge", "set", "header"}
	if callback {
		known = []string{"twice", "late", "drop"}
	}
	switch {
	case !slices.Contains(known, f.Do):
		return fmt.Errorf("do is %q, want one of %v", f.Do, known)
	case f.When != "" && f.When != "before" && f.When != "after":
		return fmt.Errorf("when is %q, want before or after", f.When)
	case f.When == "before" && (f.Do == "cut" || f.Do == "set" || f.Do == "header"):
		return fmt.Errorf("%s spoils an answer: when can only be after", f.Do)
	case f.Times < -1:
		return errors.New("times must be -1 or more")
	case f.Skip < 0:
		return errors.New("skip must not be negative")
	case f.HoldMS < 0 || time.Duration(f.HoldMS)*time.Millisecond > MaxHold:
		return fmt.Errorf("hold_ms must be 0 to %d", MaxHold.Milliseconds())
	case f.Bytes < 0 || f.Bytes > 0 && f.Do != "cut":
		return errors.New("bytes are of a cut")
	case f.Do == "status" && (f.Status < 200 || f.Status > 599):
		return errors.New("status must be 200 to 599")
	case (f.Do == "set" || f.Do == "header") && len(f.Set) == 0:
		return fmt.Errorf("%s needs fields", f.Do)
	}
	return nil
}

func (f Fault) after() bool {
	if f.When == "" {
		return f.Do == "cut" || f.Do == "set" || f.Do == "header" || f.Do == "slow"
	}
	return f.When == "after"
}

func (f Fault) hold() time.Duration { return time.Duration(f.HoldMS) * time.Millisecond }

// matches tells whether a fault is aimed at a call of this text.
func (f Fault) matches(gateway, call, text string) bool {
	if f.Match != "" && !strings.Contains(text, f.Match) {
		return false
	}
	if f.Gateway != gateway && (f.Gateway != "" && f.Gateway != "*" || gateway == "acs") {
		return false
	}
	if call == "callback" || f.Call == "callback" {
		return f.Call == call
	}
	return f.Call == "" || f.Call == "*" || f.Call == call
}

// active is a fault with the turns it has left.
type active struct {
	Fault
	skip, left int // left -1: no end
}

// Script holds the faults in force and the log of calls. It is safe for concurrent use.
type Script struct {
	Log *Log

	mu     sync.Mutex
	active []*active
}

// New makes an empty script; now stamps the log.
func New(now func() time.Time) *Script { return &Script{Log: &Log{now: now}} }

// Add puts the fault behind those in force. A fault that makes no sense is refused with the reason.
func (s *Script) Add(f Fault) error {
	if err := f.check(); err != nil {
		return err
	}
	left := f.Times
	if left == 0 {
		left = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = append(s.active, &active{Fault: f, skip: f.Skip, left: left})
	return nil
}

// Clear takes all faults back. Calls that are being held stay held.
func (s *Script) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = nil
}

// List returns the faults in force, each with the turns and skips it has left.
func (s *Script) List() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Fault, 0, len(s.active))
	for _, a := range s.active {
		f := a.Fault
		f.Skip, f.Times = a.skip, a.left
		out = append(out, f)
	}
	return out
}

// aims tells whether a fault in force looks at the text of calls.
func (s *Script) aims() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.active, func(a *active) bool { return a.Match != "" })
}

// take uses one turn of the first fault that matches; with all, one turn of each that does.
func (s *Script) take(gateway, call, text string, all bool) []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Fault
	for _, a := range s.active {
		if a.left == 0 || !a.matches(gateway, call, text) {
			continue
		}
		if a.skip > 0 {
			a.skip--
			continue
		}
		if a.left > 0 {
			a.left--
		}
		out = append(out, a.Fault)
		if !all {
			break
		}
	}
	s.active = slices.DeleteFunc(s.active, func(a *active) bool { return a.left == 0 })
	return out
}

// Callback is what the faults in force make of one callback of the gateway.
type Callback struct {
	Drop  bool
	Twice bool
	Late  time.Duration // with Twice: how late the second one is
}

// Callback uses a turn of every fault for this gateway's callbacks; text is what a fault may be aimed by.
func (s *Script) Callback(gateway, text string) Callback {
	var c Callback
	for _, f := range s.take(gateway, "callback", text, true) {
		switch f.Do {
		case "drop":
			c.Drop = true
		case "twice":
			c.Twice = true
		}
		c.Late = max(c.Late, f.hold())
	}
	return c
}
