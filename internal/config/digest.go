package config

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// Digest is another when the file, or a setting in the environment, is another. It tells nothing of either.
func (c Config) Digest() string {
	h := sha256.New()
	h.Write([]byte(c.src.text))
	for _, name := range slices.Sorted(maps.Keys(c.env)) {
		if strings.HasPrefix(name, EnvPrefix) {
			h.Write([]byte("\x00" + name + "=" + c.env[name]))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
