// Package mail sends mails by SMTP. It knows nothing of payments.
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"
)

// How the connection to the server is protected.
const (
	StartTLS = "starttls" // begins in the clear and is refused where the server has no TLS
	Implicit = "implicit" // TLS from the first byte
	Plain    = "none"     // for a server on this machine
)

// Password cannot print.
type Password string

// String hides it.
func (Password) String() string { return "•••" }

// GoString hides it.
func (Password) GoString() string { return "•••" }

// LogValue hides it.
func (Password) LogValue() slog.Value { return slog.StringValue("•••") }

// MarshalText hides it.
func (Password) MarshalText() ([]byte, error) { return []byte("•••"), nil }

// Settings say which server sends, and as whom.
type Settings struct {
	Host     string
	Port     int    // 0: 587, or 465 where TLS is Implicit
	TLS      string // "" is StartTLS
	User     string
	Password Password
	From     string // an address, or a name with one: "Receipts <receipts@shop.example>"

	Roots *tls.Config // nil: the system's; tests have a server of their own
}

// Message is one mail to one address.
type Message struct {
	ID               string // of the mail: the same for each try, so that a mail sent twice is seen as one
	At               time.Time
	To, ReplyTo      string // ReplyTo may be empty
	Subject          string
	Text, HTML, Lang string
	Name             string // of the sender, beside the address of Settings.From; empty: that of Settings
}

// ErrRefused says that the server does not take the mail, now and later.
var ErrRefused = errors.New("mail: refused for good")

// timeout bounds one mail.
const timeout = 30 * time.Second

// Sender sends mails, each over a connection of its own.
type Sender struct {
	s    Settings
	from netmail.Address
}

// New makes a sender. It does not dial.
func New(s Settings) (*Sender, error) {
	from, err := netmail.ParseAddress(s.From)
	if err != nil {
		return nil, errors.New("mail: from is not an address")
	}
	if s.TLS == "" {
		s.TLS = StartTLS
	}
	if s.Port == 0 {
		s.Port = 587
		if s.TLS == Implicit {
			s.Port = 465
		}
	}
	return &Sender{s, *from}, nil
}

// Address is what a person typed, checked: one address of ASCII letters that a mail can be sent to. Nothing that could end a header or
// begin another address passes.
func Address(typed string) (string, bool) {
	s := strings.TrimFunc(typed, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(s) > 100 || len(local) > 64 || local == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) ||
		strings.ContainsAny(s, "\"(),:;<>[]\\") || strings.Contains(domain, "@") {
		return "", false
	}
	labels := strings.Split(domain, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.ContainsFunc(l, func(r rune) bool {
			return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}) {
			return "", false
		}
	}
	if last := labels[len(labels)-1]; len(labels) < 2 || len(last) < 2 || strings.ContainsAny(last, "0123456789") && !strings.HasPrefix(strings.ToLower(last), "xn--") {
		return "", false
	}
	if a, err := netmail.ParseAddress(s); err != nil || a.Address != s {
		return "", false
	}
	return s, true
}

// Send sends one mail. ErrRefused where trying again helps nothing; any other error is worth another try. Errors do not hold the address.
func (m *Sender) Send(ctx context.Context, in Message) error {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	from := m.from
	if in.Name != "" {
		from.Name = in.Name
	}
	if err := msg.FromFormat(line(from.Name), from.Address); err != nil {
		return fmt.Errorf("%w: from", ErrRefused)
	}
	if err := msg.To(in.To); err != nil {
		return fmt.Errorf("%w: to", ErrRefused)
	}
	if in.ReplyTo != "" {
		if err := msg.ReplyTo(in.ReplyTo); err != nil {
			return fmt.Errorf("%w: reply to", ErrRefused)
		}
	}
	msg.Subject(line(in.Subject))
	msg.SetDateWithValue(in.At)
	msg.SetMessageIDWithValue(line(in.ID))
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("Content-Language", line(in.Lang))
	msg.SetBodyString(mail.TypeTextPlain, in.Text)
	msg.AddAlternativeString(mail.TypeTextHTML, in.HTML)
	client, err := m.client()
	if err != nil {
		return err
	}
	limited, done := context.WithTimeout(ctx, timeout)
	defer done()
	return sentence(client.DialAndSendWithContext(limited, msg))
}

func (m *Sender) client() (*mail.Client, error) {
	options := []mail.Option{mail.WithPort(m.s.Port), mail.WithTimeout(timeout), mail.WithTLSPolicy(mail.TLSMandatory)}
	if m.s.TLS == Implicit {
		options = append(options, mail.WithSSL())
	}
	if m.s.TLS == Plain {
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if m.s.Roots != nil {
		options = append(options, mail.WithTLSConfig(m.s.Roots))
	}
	if m.s.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.s.User), mail.WithPassword(string(m.s.Password)))
	}
	client, err := mail.NewClient(m.s.Host, options...)
	if err != nil {
		return nil, errors.New("mail: the settings make no client")
	}
	return client, nil
}

// sentence is an error without the address and without the server's own words, which repeat it.
func sentence(err error) error {
	if err == nil {
		return nil
	}
	if said, ok := errors.AsType[*mail.SendError](err); ok {
		if !said.IsTemp() && said.ErrorCode() >= 500 {
			return fmt.Errorf("%w: SMTP %d", ErrRefused, said.ErrorCode())
		}
		return fmt.Errorf("mail: SMTP %d", said.ErrorCode())
	}
	return errors.New("mail: the server was not reached, or broke off")
}

// line is text that can stand in a header.
func line(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s))
}
