package config

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Permissions of group and others that a file of secrets must not have.
const (
	writable = fs.FileMode(0o022)
	readable = fs.FileMode(0o044)
)

// secretsFolders are where container platforms mount secrets, with permissions that nobody chooses.
var secretsFolders = []string{"/run/secrets/", "/var/run/secrets/"}

// SecretFile checks who else may use a file of secrets, by its permissions and its folder's. Whoever may write to it, or put another
// in its place, may put in secrets of their own: that is always refused. AllowReadableKeys lets others read it.
func (c *Config) SecretFile(name string) error { return c.secretFile(name, c.AllowReadableKeys) }

func (c *Config) secretFile(name string, allowReadable bool) error {
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
	if c.Sandbox { // its secrets are everybody's, and its folder is made wherever somebody tries it
		return nil
	}
	return replaceable(name)
}

// replaceable is an error where others may put another file in a file's place: a link's and its target's folder count.
func replaceable(name string) error {
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	for _, one := range []string{name, target} {
		folder := filepath.Dir(one)
		info, err := os.Stat(folder)
		if err != nil {
			return err
		}
		mode := info.Mode()
		if mode&fs.ModeSticky != 0 { // there everybody has files of their own
			continue
		}
		if mode&0o002 != 0 || mode&0o020 != 0 && !privateGroup(info) {
			return fmt.Errorf("others may replace %s, for they may write to its folder (mode %04o): chmod go-w %s, or keep it in a folder of its own",
				one, mode.Perm(), folder)
		}
	}
	return nil
}

// privateGroup tells whether a file's group is its owner's alone, as systems make one for each user under the user's number.
func privateGroup(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Gid == stat.Uid
}

// ownFile refuses a configuration that others may change: whoever does leads the payments elsewhere. In test mode nothing is led.
func (c *Config) ownFile(name string) Faults {
	info, err := os.Stat(name)
	if name == "" || c.Testing() || err != nil { // that it cannot be read is said already
		return nil
	}
	if mode := info.Mode().Perm(); mode&writable != 0 && (mode&0o002 != 0 || !privateGroup(info)) {
		return Faults{fmt.Sprintf("%s: others may write to it (mode %04o): chmod go-w %s", name, mode, name)}
	}
	if err := replaceable(name); err != nil {
		return Faults{name + ": " + err.Error()}
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
	text := strings.TrimSpace(string(raw))
	public := (strings.HasPrefix(text, "-----BEGIN PUBLIC KEY") || strings.HasPrefix(text, "-----BEGIN CERTIFICATE")) &&
		!strings.Contains(text, "PRIVATE KEY")
	if err := c.secretFile(name, c.AllowReadableKeys || public); err != nil {
		return "", err
	}
	return text, nil
}

// LooksRandom tells a key from padding, a pattern, a count or a repetition: so many different bytes it has, no part of it is one run, and
// it is not a shorter one again and again.
func LooksRandom(key []byte, kinds int) bool {
	var met [256]bool
	different, run, step := 0, 1, 0 // bytes that are each as far from the one before
	for i, b := range key {
		if !met[b] {
			met[b] = true
			different++
		}
		if i == 0 {
			continue
		}
		if by := int(b) - int(key[i-1]); by == step {
			run++
		} else {
			run, step = 2, by
		}
		if run > 11 {
			return false
		}
	}
	for period := 1; period <= len(key)/2; period++ {
		if bytes.Equal(key[period:], key[:len(key)-period]) {
			return false
		}
	}
	return different >= kinds
}

// keyKinds is how many different characters an API key has at least: of 24 random letters and digits about 20 differ.
const keyKinds = 10
