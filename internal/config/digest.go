package config

import (
	"bytes"
	"maps"
	"slices"
	"strings"
)

// Digest is another when the file, or a setting in the environment, is another; flags are not in it. Both hold secrets, so it is
// made by a keyed function: who reads it cannot try passwords against it.
func (c Config) Digest(keyed func([]byte) string) string {
	var h bytes.Buffer
	h.WriteString(c.src.text)
	for _, name := range slices.Sorted(maps.Keys(c.env)) {
		if strings.HasPrefix(name, EnvPrefix) {
			h.WriteString("\x00" + name + "=" + c.env[name])
		}
	}
	return keyed(h.Bytes())
}
