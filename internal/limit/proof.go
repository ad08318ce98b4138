package limit

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Work is what a try costs before it is made: a number that a browser has to search for, or, without script, a wait.
type Work struct {
	Bits int
	Wait time.Duration
}

func (w Work) more(o Work) Work {
	if o.Bits > w.Bits {
		return o
	}
	return w
}

// proofLife is how long a task may be solved.
const proofLife = 30 * time.Minute

// task is the text that goes to the browser: what it has to do, for which session, since when, and our mark on it.
func (l *Limiter) task(session string, w Work, now time.Time) (string, error) {
	var b [9]byte
	if _, err := io.ReadFull(l.o.Rand, b[:]); err != nil {
		return "", err
	}
	text := fmt.Sprintf("%d.%d.%d.%s", w.Bits, int(w.Wait/time.Second), now.Unix(), base64.RawURLEncoding.EncodeToString(b[:]))
	return text + "." + l.mark(session, text), nil
}

func (l *Limiter) mark(session, text string) string {
	return l.o.Print([]byte("proof " + session + " " + text))
}

// readTask answers what a task of ours asked for, and since when.
func (l *Limiter) readTask(session, task string) (w Work, since time.Time, ok bool) {
	i := strings.LastIndexByte(task, '.')
	parts := strings.Split(task, ".")
	if len(parts) != 5 || len(task) > 200 || l.mark(session, task[:i]) != task[i+1:] {
		return w, since, false
	}
	var n [3]int
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(parts[i]); err != nil {
			return w, since, false
		}
	}
	return Work{n[0], time.Duration(n[1]) * time.Second}, time.Unix(int64(n[2]), 0), true
}

// solved tells whether a number does what a task asks for.
func solved(task, number string, want int) bool {
	if number == "" || len(number) > 20 {
		return false
	}
	sum := sha256.Sum256([]byte(task + "." + number))
	zeros := 0
	for _, b := range sum {
		zeros += bits.LeadingZeros8(b)
		if b != 0 {
			break
		}
	}
	return zeros >= want
}
