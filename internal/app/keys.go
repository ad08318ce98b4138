package app

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"tollgate/internal/config"
	"tollgate/session/browser"
)

// openOnly stands before a key that opens what others seal and never seals itself.
const openOnly = "open:"

// keyLine is one key of the key file.
type keyLine struct {
	key  []byte
	open bool // only
}

func (l keyLine) id() string { return browser.KeyID(l.key) }

func (l keyLine) String() string {
	text := base64.StdEncoding.EncodeToString(l.key)
	if l.open {
		text = openOnly + text
	}
	return text
}

// parseKeys reads a key file: a line for each key, base64, "open:" before those that only open. The first without it seals;
// it comes first in what is answered.
func parseKeys(raw []byte) (lines []keyLine, err error) {
	open := false
	for _, line := range strings.Split(string(raw), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, word := range strings.Fields(line) {
			rest, marked := strings.CutPrefix(word, openOnly)
			if open = open || marked; rest == "" {
				continue
			}
			n := len(lines) + 1
			key, err := base64.StdEncoding.DecodeString(rest)
			switch {
			case err != nil:
				return nil, fmt.Errorf("sealing keys: key %d is not base64", n)
			case len(key) != browser.KeySize:
				return nil, fmt.Errorf("sealing keys: key %d has %d bytes, not %d", n, len(key), browser.KeySize)
			case !looksRandom(key):
				return nil, fmt.Errorf("sealing keys: key %d is not random; tollgate keys seal add makes one that is", n)
			case slices.ContainsFunc(lines, func(l keyLine) bool { return l.id() == browser.KeyID(key) }):
				return nil, fmt.Errorf("sealing keys: key %d (%s) stands there twice", n, browser.KeyID(key))
			}
			lines = append(lines, keyLine{key, open})
			open = false
		}
	}
	first := slices.IndexFunc(lines, func(l keyLine) bool { return !l.open })
	switch {
	case len(lines) == 0:
		return nil, errors.New("sealing keys: the file has no key")
	case first < 0:
		return nil, fmt.Errorf("sealing keys: every key only opens; the one that seals has no %q before it", openOnly)
	}
	seals := lines[first]
	return append([]keyLine{seals}, slices.Delete(lines, first, first+1)...), nil
}

// looksRandom tells a key from padding, a pattern, a count, a repetition or a text: of 64 random bytes about 57 differ, of each half about
// 30, and they are never text. One half signs, the other encrypts.
func looksRandom(key []byte) bool {
	half := len(key) / 2
	return config.LooksRandom(key, 24) && config.LooksRandom(key[:half], 16) && config.LooksRandom(key[half:], 16) && !utf8.Valid(key)
}

// readKeys reads the key file. fs.ErrNotExist where there is none.
func readKeys(c config.Config) ([]keyLine, error) {
	name := c.KeysFile
	if err := c.SecretFile(name); err != nil {
		return nil, fmt.Errorf("sealing keys: %w", err)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("sealing keys: %w", err)
	}
	return parseKeys(raw)
}

func keysOf(lines []keyLine) (*browser.Keys, error) {
	var keys [][]byte
	for _, l := range lines {
		keys = append(keys, l.key)
	}
	return browser.NewKeys(keys...)
}

func newKey(random io.Reader) ([]byte, error) {
	key := make([]byte, browser.KeySize)
	_, err := io.ReadFull(random, key)
	return key, err
}

// makeKeys writes a key file with a new key, unless there is one by now.
func makeKeys(name string, random io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	key, err := newKey(random)
	if err != nil {
		return err
	}
	// Whole or not at all: a torn key file would lock the next start out.
	return writeWhole(name, keyLine{key: key}.String()+"\n", func(tmp string) error {
		if err := os.Link(tmp, name); !errors.Is(err, fs.ErrExist) { // else another process was faster
			return err
		}
		return nil
	})
}

// writeKeys puts a key file in the place of the one that is there.
func writeKeys(name string, lines []keyLine) error {
	var text strings.Builder
	for _, l := range lines {
		fmt.Fprintln(&text, l)
	}
	return writeWhole(name, text.String(), func(tmp string) error { return os.Rename(tmp, name) })
}

func writeWhole(name, text string, place func(tmp string) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(text)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return place(tmp.Name())
}
