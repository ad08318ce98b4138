package providers

import (
	"fmt"
	"log/slog"
	"strings"
)

// Secret is a credential. Whatever prints, logs or marshals it shows that there is one and no more: the text is behind
// a pointer, which fmt cannot follow even in a struct printed whole.
type Secret struct{ text *string }

// NewSecret wraps a credential; "" is none.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Empty tells whether there is none.
func (s Secret) Empty() bool { return s.text == nil }

// Reveal gives the text; only the client that sends it, or signs with it, may ask.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// UnmarshalText reads a credential from the configuration; white space around it is dropped.
func (s *Secret) UnmarshalText(b []byte) error {
	*s = NewSecret(strings.TrimSpace(string(b)))
	return nil
}

func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return "•••"
}

// Format prints the same under every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText hides the secret in JSON and TOML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the secret in logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
