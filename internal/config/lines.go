package config

import (
	"fmt"
	"reflect"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// source knows where each setting was said: on which line of the file, in which variable, by which flag.
type source struct {
	file  string
	text  string         // the whole file
	lines map[string]int // by path: "listen", "merchant[0].name", "account.x.settings.base_url"
	said  map[string]string
}

// read finds the line of every key of a document; of a broken one as far as it goes.
func read(name string, doc []byte) source {
	s := source{file: name, text: string(doc), lines: map[string]int{}}
	var p unstable.Parser
	p.Reset(doc)
	lineOf := lineFinder(doc)
	tables := map[string]int{} // how many [[…]] of a path there were so far
	under := ""
	for p.NextExpression() {
		e := p.Expression()
		path, line := "", 0
		if e.Kind == unstable.KeyValue {
			path = under
		}
		for it := e.Key(); it.Next(); {
			if path != "" {
				path += "."
			}
			path += string(it.Node().Data)
			line = lineOf(int(it.Node().Raw.Offset))
			if e.Kind == unstable.ArrayTable && it.IsLast() {
				tables[path]++
			}
			if n := tables[path]; n > 0 && e.Kind != unstable.KeyValue {
				path += fmt.Sprintf("[%d]", n-1)
			}
		}
		if e.Kind != unstable.KeyValue {
			under = path
		}
		if _, known := s.lines[path]; !known {
			s.lines[path] = line
		}
	}
	return s
}

// lineFinder tells on which line a byte of a document stands. (The parser counts from the beginning each time.)
func lineFinder(doc []byte) func(offset int) int {
	var ends []int
	for i, b := range doc {
		if b == '\n' {
			ends = append(ends, i)
		}
	}
	return func(offset int) int { return sort.SearchInts(ends, offset) + 1 }
}

func (s *source) say(path, where string) {
	if s.said == nil {
		s.said = map[string]string{}
	}
	s.said[path] = where
}

// variables notes which settings the environment has.
func (s *source) variables(env map[string]string) {
	for f := range reflect.TypeFor[Config]().Fields() {
		if name := f.Tag.Get("env"); name != "" && env[EnvPrefix+name] != "" {
			s.say(f.Tag.Get("toml"), EnvPrefix+name)
		}
	}
}

// at words a place: "tollgate.toml:12: merchant.name". A key that is missing has the line of its table.
func (s source) at(path string) string {
	if where := s.said[path]; where != "" {
		return where
	}
	plain := path
	for {
		i := strings.IndexByte(plain, '[')
		if i < 0 {
			break
		}
		plain = plain[:i] + plain[i+strings.IndexByte(plain[i:], ']')+1:]
	}
	for p := path; p != ""; {
		if line := s.lines[p]; line > 0 {
			return fmt.Sprintf("%s:%d: %s", s.file, line, plain)
		}
		i := strings.LastIndexByte(p, '.')
		if i < 0 {
			break
		}
		p = p[:i]
	}
	if s.file != "" {
		return s.file + ": " + plain
	}
	return plain
}
