package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// series are the values of one figure, a value for each window.
type series struct {
	name, unit string
	values     []float64
}

// table collects figures in the order in which they first came.
type table struct {
	all     []*series
	printed int
}

func (t *table) add(name, unit string, value float64) {
	for _, s := range t.all {
		if s.name == name {
			s.values = append(s.values, value)
			return
		}
	}
	t.all = append(t.all, &series{name, unit, []float64{value}})
}

// print writes what was not yet printed.
func (t *table) print(w io.Writer) {
	for _, s := range t.all[t.printed:] {
		v := slices.Sorted(slices.Values(s.values))
		fmt.Fprintf(w, "%-58s %10.3f %-8s [%.3f … %.3f]\n", s.name, quantile(v, 0.5), s.unit, v[0], v[len(v)-1])
	}
	t.printed = len(t.all)
	fmt.Fprintln(w)
}

// quantile of sorted values.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func milliseconds(all []time.Duration) []float64 {
	var v []float64
	for _, d := range all {
		v = append(v, float64(d)/1e6)
	}
	slices.Sort(v)
	return v
}

// spent is the processor time of a process so far. Linux counts it in hundredths of a second.
func spent(pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	var ticks int64
	for _, s := range f[11:13] { // user and system
		n, _ := strconv.ParseInt(s, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// written is how many bytes a process has caused to be written to the disk.
func written(pid int) float64 { return procField(fmt.Sprintf("/proc/%d/io", pid), "write_bytes") }

// resident is a process's memory in megabytes.
func resident(pid int) float64 {
	return procField(fmt.Sprintf("/proc/%d/status", pid), "VmRSS") / 1024
}

func procField(file, name string) float64 {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			n, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return n
		}
	}
	return 0
}

// meter measures what the processes of a world spend in a window.
type meter struct {
	w                      *world
	begun                  time.Time
	front, sandbox, driver time.Duration
	counts                 map[string]float64
}

func (w *world) measure() *meter {
	m := &meter{w: w, begun: time.Now(), counts: w.counters()}
	m.front, m.sandbox, m.driver = w.frontSpent(), spent(w.sandbox.pid()), spent(os.Getpid())
	return m
}

// took is the window's length and what each part spent in it.
func (m *meter) took() (window, front, sandbox, driver time.Duration) {
	return time.Since(m.begun), m.w.frontSpent() - m.front, spent(m.w.sandbox.pid()) - m.sandbox, spent(os.Getpid()) - m.driver
}

// counted is by how much a counter of the fronts rose.
func (m *meter) counted(name string) float64 { return m.w.counters()[name] - m.counts[name] }
