package app

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tollgate/session/browser"
)

// loadKeys reads the sealing keys, one base64 line each, newest first; the first start makes one. Machines that share a
// database must share this file.
func loadKeys(name string, random io.Reader) (*browser.Keys, error) {
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if raw, err = makeKeys(name, random); err != nil {
			return nil, fmt.Errorf("sealing keys: %w", err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("sealing keys: %w", err)
	}
	var keys [][]byte
	for i, line := range strings.Fields(string(raw)) {
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return nil, fmt.Errorf("sealing keys: line %d is not base64", i+1)
		}
		keys = append(keys, key)
	}
	return browser.NewKeys(keys...)
}

func makeKeys(name string, random io.Reader) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	key := make([]byte, browser.KeySize)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, err
	}
	raw := []byte(base64.StdEncoding.EncodeToString(key) + "\n")
	// Whole or not at all: a torn key file would lock the next start out.
	tmp, err := os.CreateTemp(filepath.Dir(name), ".keys-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(raw)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), name); errors.Is(err, fs.ErrExist) { // another process was faster
		return os.ReadFile(name)
	} else if err != nil {
		return nil, err
	}
	return raw, nil
}
