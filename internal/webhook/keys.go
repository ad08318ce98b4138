package webhook

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Kinds of signature.
const (
	HMAC    = "v1"  // HMAC-SHA256, a shared secret "whsec_…"
	Ed25519 = "v1a" // the receiver needs only the public key "whpk_…"
)

const (
	secretPrefix = "whsec_"
	publicPrefix = "whpk_"
	// Sizes of a shared secret in bytes. The library takes any, even none; the standard asks for 24 to 64.
	minSecret, newSecret, maxSecret = 24, 32, 64
)

// Secret is a shared secret in the clear. It cannot print, marshal or log itself.
type Secret struct{ text *string }

// Reveal gives the text, for the one answer that shows it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return "•••"
}

// Format keeps every verb quiet.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText keeps JSON quiet.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps logs quiet.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Key signs what is sent. The secret part is sealed.
type Key struct {
	Kind      string    `json:"kind"`
	Sealed    string    `json:"sealed"`
	Public    string    `json:"public,omitempty"` // of an Ed25519 key
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero: the newest of its kind
	RequestID string    `json:"mark,omitempty"`      // of the request that made it; see NewEndpoint
}

// Live tells whether the key still signs.
func (k Key) Live(now time.Time) bool { return k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt) }

// Sealer seals bytes so that the database alone does not give them away.
type Sealer interface {
	Seal(name string, v []byte) (string, error)
	Unseal(name, sealed string) ([]byte, error)
}

// SealName binds a sealed secret to its signer: moved to another row it does not open.
func SealName(signer string) string { return "webhook " + signer }

// newKey makes a key; given is a shared secret the merchant brings, or "". The Secret is that of an HMAC key.
func newKey(kind, signer, given string, seal Sealer, random io.Reader, now time.Time) (Key, Secret, error) {
	size := newSecret
	if kind == Ed25519 {
		size = ed25519.SeedSize
	}
	raw := make([]byte, size)
	if given != "" {
		var err error
		if raw, err = parseSecret(given); err != nil {
			return Key{}, Secret{}, err
		}
	} else if _, err := io.ReadFull(random, raw); err != nil {
		return Key{}, Secret{}, err
	}
	sealed, err := seal.Seal(SealName(signer), slices.Clone(raw)) // some seal in place
	if err != nil {
		return Key{}, Secret{}, err
	}
	k := Key{Kind: kind, Sealed: sealed, CreatedAt: now}
	if kind == Ed25519 {
		k.Public = publicPrefix + base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed(raw).Public().(ed25519.PublicKey))
		return k, Secret{}, nil
	}
	text := secretPrefix + base64.StdEncoding.EncodeToString(raw)
	return k, Secret{&text}, nil
}

// reveal opens the shared secret of the key.
func reveal(k Key, signer string, seal Sealer) (Secret, error) {
	raw, err := seal.Unseal(SealName(signer), k.Sealed)
	if err != nil {
		return Secret{}, err
	}
	text := secretPrefix + base64.StdEncoding.EncodeToString(raw)
	return Secret{&text}, nil
}

// madeBy finds the shared secret that a request with this id made, if it ran before.
func madeBy(keys []Key, requestID string) (Key, bool) {
	for _, k := range keys {
		if requestID != "" && k.RequestID == requestID && k.Kind == HMAC {
			return k, true
		}
	}
	return Key{}, false
}

// parseSecret reads a shared secret as Standard Webhooks writes it. A *Fault.
func parseSecret(text string) ([]byte, error) {
	body, ok := strings.CutPrefix(text, secretPrefix)
	raw, err := base64.StdEncoding.DecodeString(body)
	if !ok || err != nil || len(raw) < minSecret || len(raw) > maxSecret {
		return nil, &Fault{"secret", fmt.Sprintf("must be %s and the base64 of %d to %d bytes", secretPrefix, minSecret, maxSecret)}
	}
	return raw, nil
}

// rotate puts fresh in place of the newest key of its kind, which signs on beside it for the overlap. There are never
// more than two of a kind.
func rotate(keys []Key, fresh Key, overlap time.Duration, now time.Time) []Key {
	var kept []Key
	for _, k := range keys {
		switch {
		case k.Kind != fresh.Kind:
			kept = append(kept, k)
		case k.ExpiresAt.IsZero() && overlap > 0:
			k.ExpiresAt = now.Add(overlap)
			kept = append(kept, k)
		}
	}
	return append(kept, fresh)
}

var errNoKey = errors.New("webhook: no key that signs")

// sign writes the webhook-signature header: one signature for each live key, newest first.
func sign(keys []Key, signer string, seal Sealer, id string, sent time.Time, body []byte, now time.Time) (string, error) {
	var all []string
	for _, k := range slices.Backward(keys) {
		if !k.Live(now) {
			continue
		}
		raw, err := seal.Unseal(SealName(signer), k.Sealed)
		if err != nil && !k.ExpiresAt.IsZero() { // it was replaced, perhaps because its sealing key is lost
			continue
		}
		if err != nil {
			return "", err
		}
		switch k.Kind {
		case HMAC:
			if len(raw) < minSecret {
				return "", errNoKey
			}
			w, err := standardwebhooks.NewWebhookRaw(raw)
			if err != nil {
				return "", err
			}
			s, err := w.Sign(id, sent, body)
			if err != nil {
				return "", err
			}
			all = append(all, s)
		case Ed25519:
			if len(raw) != ed25519.SeedSize {
				return "", errNoKey
			}
			message := slices.Concat([]byte(id+"."+strconv.FormatInt(sent.Unix(), 10)+"."), body)
			all = append(all, Ed25519+","+base64.StdEncoding.EncodeToString(ed25519.Sign(ed25519.NewKeyFromSeed(raw), message)))
		}
	}
	if len(all) == 0 {
		return "", errNoKey
	}
	return strings.Join(all, " "), nil
}
