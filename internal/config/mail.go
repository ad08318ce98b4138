package config

import (
	netmail "net/mail"
	"slices"
	"strings"

	"tollgate/internal/mail"
)

// Mail is the server that sends receipts by e-mail.
type Mail struct {
	Host     string        `toml:"host"`
	Port     int           `toml:"port"` // 0: 587, or 465 where tls is implicit
	TLS      string        `toml:"tls"`  // starttls, implicit, none; "": starttls
	User     string        `toml:"user"`
	Password mail.Password `toml:"password"` // "file:NAME", "env:NAME"
	From     string        `toml:"from"`
}

// Settings are what package mail wants.
func (m Mail) Settings() mail.Settings {
	return mail.Settings{Host: m.Host, Port: m.Port, TLS: m.TLS, User: m.User, Password: m.Password, From: m.From}
}

func (c *Config) checkMail(fault func(path, format string, args ...any)) {
	m := c.Mail
	if m == nil || *m == (Mail{}) {
		c.Mail = nil
		return
	}
	if m.Host == "" || strings.ContainsAny(m.Host, ":/@ ") {
		fault("mail.host", "must be the name of the mail server, without a port")
	}
	if m.Port < 0 || m.Port > 65535 {
		fault("mail.port", "must be from 1 to 65535")
	}
	switch {
	case !slices.Contains([]string{"", mail.StartTLS, mail.Implicit, mail.Plain}, m.TLS):
		fault("mail.tls", "must be starttls, implicit or none")
	case m.TLS == mail.Plain && m.Host != "" && !isLoopback(m.Host):
		fault("mail.tls", "none is for a mail server on this machine: others read the mails and the password on the way")
	}
	if (m.User == "") != (m.Password == "") {
		fault("mail.password", "user and password are given both or not at all")
	}
	a, err := netmail.ParseAddress(m.From)
	usable := err == nil
	if usable {
		_, usable = mail.Address(a.Address)
	}
	if !usable {
		fault("mail.from", "must be an e-mail address, or a name with one, as \"Receipts <receipts@shop.example>\"")
	}
}
