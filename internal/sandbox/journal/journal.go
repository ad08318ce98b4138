// Package journal keeps the sandbox's state through kill -9: an append-only file of JSON lines, one for each change,
// written before the simulator answers.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// line is one change. A line without V removes the key.
type line struct {
	Bucket string          `json:"b"`
	Key    string          `json:"k"`
	Value  json.RawMessage `json:"v,omitempty"`
}

type bucket struct {
	order  []string // keys as first put; removed keys stay until the next open
	values map[string]json.RawMessage
}

// Journal is safe for concurrent use. A write has reached the operating system when Put returns: killing the process
// loses nothing; a power failure may lose the last moments, which a sandbox can bear.
type Journal struct {
	mu      sync.Mutex
	path    string
	file    *os.File // nil: memory only
	buckets map[string]*bucket
	broken  error // the first failed write; a journal with a hole takes no more
}

// Open reads the file, compacts it to the last value of each key, and appends from there. A torn last line, which a kill
// in the middle of a write leaves, is dropped; damage anywhere else is an error. With an empty path everything stays in memory.
func Open(path string) (*Journal, error) {
	j := &Journal{path: path, buckets: map[string]*bucket{}}
	if path == "" {
		return j, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := j.load(); err != nil {
		return nil, err
	}
	if err := j.compact(); err != nil {
		return nil, fmt.Errorf("journal: compact %s: %w", path, err)
	}
	return j, nil
}

func (j *Journal) load() error {
	f, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for n := 1; ; n++ {
		raw, err := r.ReadBytes('\n')
		if err == io.EOF {
			return nil // whatever stands after the last line feed was never acknowledged
		}
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		var l line
		if err := json.Unmarshal(raw, &l); err != nil {
			if _, err := r.Peek(1); err == io.EOF {
				return nil
			}
			return fmt.Errorf("journal: %s line %d: %w", j.path, n, err)
		}
		j.apply(l)
	}
}

func (j *Journal) apply(l line) {
	b := j.buckets[l.Bucket]
	if b == nil {
		b = &bucket{values: map[string]json.RawMessage{}}
		j.buckets[l.Bucket] = b
	}
	old, known := b.values[l.Key]
	if l.Value == nil && !known {
		return
	}
	if !known || old == nil && l.Value != nil {
		if known {
			b.order = remove(b.order, l.Key)
		}
		b.order = append(b.order, l.Key)
	}
	b.values[l.Key] = l.Value
}

func remove(keys []string, key string) []string {
	for i, k := range keys {
		if k == key {
			return append(keys[:i:i], keys[i+1:]...)
		}
	}
	return keys
}

// compact writes the living values to a new file and puts it in the old one's place in one step.
func (j *Journal) compact() error {
	tmp, err := os.CreateTemp(filepath.Dir(j.path), filepath.Base(j.path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	w := bufio.NewWriter(tmp)
	enc := json.NewEncoder(w)
	for name, b := range j.buckets {
		for _, key := range b.order {
			v := b.values[key]
			if v == nil {
				delete(b.values, key)
				continue
			}
			if err := enc.Encode(line{name, key, v}); err != nil {
				tmp.Close()
				return err
			}
		}
		b.order = compacted(b)
	}
	err = w.Flush()
	if err == nil {
		err = tmp.Sync()
	}
	if err == nil {
		err = os.Rename(tmp.Name(), j.path)
	}
	if err != nil {
		tmp.Close()
		return err
	}
	j.file = tmp // the handle follows the rename, and stands at the end
	return nil
}

func compacted(b *bucket) []string {
	keys := b.order[:0:0]
	for _, k := range b.order {
		if b.values[k] != nil {
			keys = append(keys, k)
		}
	}
	return keys
}

// Put records v, as JSON, as the value of key. When it returns nil the value survives the death of the process.
func (j *Journal) Put(bucket, key string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if bytes.Equal(raw, []byte("null")) {
		return errors.New("journal: null is not a value; use Delete")
	}
	return j.write(line{bucket, key, raw})
}

// Delete forgets the key. Deleting what is not there is no error.
func (j *Journal) Delete(bucket, key string) error {
	return j.write(line{Bucket: bucket, Key: key})
}

func (j *Journal) write(l line) error {
	raw, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return j.broken
	}
	if j.path != "" {
		if j.file == nil {
			return fmt.Errorf("journal: %w", fs.ErrClosed)
		}
		if _, err := j.file.Write(append(raw, '\n')); err != nil {
			j.broken = fmt.Errorf("journal: %w", err)
			return j.broken
		}
	}
	j.apply(l)
	return nil
}

// Each calls f with the last value of every key, in the order in which the keys were first put, and stops at f's first error.
func (j *Journal) Each(bucket string, f func(key string, raw json.RawMessage) error) error {
	j.mu.Lock()
	var rows []line
	if b := j.buckets[bucket]; b != nil {
		for _, key := range b.order {
			if v := b.values[key]; v != nil {
				rows = append(rows, line{bucket, key, v})
			}
		}
	}
	j.mu.Unlock()
	for _, l := range rows {
		if err := f(l.Key, l.Value); err != nil {
			return err
		}
	}
	return nil
}

// Reset forgets everything, on disk too.
func (j *Journal) Reset() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		if err := j.file.Truncate(0); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		if _, err := j.file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	j.buckets, j.broken = map[string]*bucket{}, nil
	return nil
}

// Close ends writing. What was put stays readable by Each and by the next Open.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
