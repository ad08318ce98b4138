package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Permissions of group and others that a file of secrets must not have.
const (
	writable = fs.FileMode(0o022)
	readable = fs.FileMode(0o044)
)

// secretsFolders are where container platforms mount secrets, with permissions that nobody chooses.
var secretsFolders = []string{"/run/secrets/", "/var/run/secrets/"}

// SecretFile checks who else may use a file of secrets, by its permissions. Whoever may write to it may put in secrets of their
// own: that is always refused. allowReadable lets others read it.
func SecretFile(name string, allowReadable bool) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	switch mode := info.Mode().Perm(); {
	case mode&writable != 0:
		return fmt.Errorf("others may write to %s (mode %04o): chmod 600 %s", name, mode, name)
	case mode&readable != 0 && !allowReadable && !mounted(name):
		return fmt.Errorf("others may read %s (mode %04o): chmod 600 %s, or set allow_readable_keys = true", name, mode, name)
	}
	return nil
}

func mounted(name string) bool {
	full, err := filepath.Abs(name)
	if err != nil {
		return false
	}
	for _, folder := range secretsFolders {
		if strings.HasPrefix(full, folder) {
			return true
		}
	}
	return false
}

// readSecret reads a file of one secret. A public key is none, though nobody else may write to it either.
func (c *Config) readSecret(name string) (string, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	public := strings.HasPrefix(strings.TrimSpace(string(raw)), "-----BEGIN PUBLIC KEY") ||
		strings.HasPrefix(strings.TrimSpace(string(raw)), "-----BEGIN CERTIFICATE")
	if err := SecretFile(name, c.AllowReadableKeys || public); err != nil {
		return "", err
	}
	return strings.TrimSpace(string(raw)), nil
}

// looksRandom tells a key from a pattern: of 24 random letters and digits about 20 differ.
func looksRandom(key string) bool {
	kinds := map[rune]bool{}
	for _, r := range key {
		kinds[r] = true
	}
	return len(kinds) >= 10
}
