package mail_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tollgate/internal/mail"
	"tollgate/internal/mail/smtptest"
)

func receipt(to string) mail.Message {
	return mail.Message{
		ID: "r1@pay.example", At: time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC), To: to, ReplyTo: "help@shop.example", Name: "Кітап дүкені",
		Subject: "Түбіртек: Кітап", Text: "Сома: 5 ₸", HTML: "<p>Сома: 5 ₸</p>", Lang: "kk",
	}
}

func TestAMailIsSentInEachWayOfProtection(t *testing.T) {
	for _, how := range []string{mail.StartTLS, mail.Implicit, mail.Plain} {
		t.Run(how, func(t *testing.T) {
			server := smtptest.Start(t, how == mail.Implicit, how != mail.Plain)
			s := mail.Settings{Host: server.Host, Port: server.Port, TLS: how, From: "Receipts <receipts@pay.example>", Roots: server.Client}
			if how != mail.Plain {
				s.User, s.Password = "tollgate", "s3cret"
			}
			sender, err := mail.New(s)
			if err != nil {
				t.Fatal(err)
			}
			if err := sender.Send(t.Context(), receipt("a@mail.example")); err != nil {
				t.Fatal(err)
			}
			got := server.Next(t)
			if got.To != "a@mail.example" || got.From != "receipts@pay.example" || got.Encrypted != (how != mail.Plain) || got.Authenticated != (how != mail.Plain) {
				t.Errorf("the server got %+v", got)
			}
			for _, want := range []string{"Message-ID: <r1@pay.example>", "Reply-To: <help@shop.example>", "Auto-Submitted: auto-generated", "Content-Type: text/plain", "Content-Type: text/html", "Subject:", "=?UTF-8?"} {
				if !strings.Contains(got.Data, want) {
					t.Errorf("the mail has no %q: %s", want, got.Data)
				}
			}
		})
	}
}

func TestNothingIsSentInTheClearWhereTheServerHasNoTLS(t *testing.T) {
	server := smtptest.Start(t, false, false)
	sender, err := mail.New(mail.Settings{Host: server.Host, Port: server.Port, From: "r@pay.example", User: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), receipt("a@mail.example")); err == nil || errors.Is(err, mail.ErrRefused) {
		t.Errorf("%v", err)
	}
	if server.Count() != 0 {
		t.Error("a mail was sent")
	}
}

func TestARefusalForGoodIsToldApartAndNamesNoAddress(t *testing.T) {
	server := smtptest.Start(t, false, false)
	sender, err := mail.New(mail.Settings{Host: server.Host, Port: server.Port, TLS: mail.Plain, From: "r@pay.example"})
	if err != nil {
		t.Fatal(err)
	}
	for code, forGood := range map[int]bool{550: true, 450: false} {
		server.Refuse(code)
		err := sender.Send(t.Context(), receipt("nobody@mail.example"))
		if err == nil || errors.Is(err, mail.ErrRefused) != forGood || strings.Contains(err.Error(), "nobody") {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestAddressesThatPeopleTypeAreTakenAndNothingElse(t *testing.T) {
	for typed, want := range map[string]string{
		" Aigerim.S+shop@Mail.Example ": "Aigerim.S+shop@Mail.Example", "a@xn--80ak6aa92e.xn--p1ai": "a@xn--80ak6aa92e.xn--p1ai", "a@b.kz\u200e": "a@b.kz",
	} {
		if got, ok := mail.Address(typed); !ok || got != want {
			t.Errorf("%q: %q, %v", typed, got, ok)
		}
	}
	for _, bad := range []string{
		"", "a", "a@", "@b.kz", "a@b", "a@b..kz", "a@b.k", "a@-b.kz", "a@[127.0.0.1]", "a@127.0.0.1", "a b@c.kz", "a@b.kz,c@d.kz", "a@b.kz;c@d.kz", "<a@b.kz>", "A <a@b.kz>",
		"a@b.kz\r\nBcc: c@d.kz", "a\r\n@b.kz", "a@b.kz\nc", "\"a b\"@c.kz", "a@b@c.kz", ".a@b.kz", "a.@b.kz", "а@b.kz", "a@б.kz", "a@b.kz%0d%0aBcc:c@d.kz", strings.Repeat("a", 65) + "@b.kz",
		"a@" + strings.Repeat("b", 64) + ".kz", "a\x00@b.kz", "a@b.kz\u2028x",
	} {
		if got, ok := mail.Address(bad); ok {
			t.Errorf("%q is taken as %q", bad, got)
		}
	}
}

func TestNoHeaderEndsWhereATextHasALineEnd(t *testing.T) {
	server := smtptest.Start(t, false, false)
	sender, err := mail.New(mail.Settings{Host: server.Host, Port: server.Port, TLS: mail.Plain, From: "r@pay.example"})
	if err != nil {
		t.Fatal(err)
	}
	m := receipt("a@mail.example")
	m.Subject, m.Name, m.Lang, m.ID = "Receipt\r\nBcc: x@evil.example", "Shop\r\nBcc: x@evil.example", "en\r\nX-Evil: 1", "id@x\r\nX-Evil: 1"
	if err := sender.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(server.Next(t).Data, "\r\n\r\n")
	for l := range strings.SplitSeq(head, "\r\n") {
		if strings.HasPrefix(l, "Bcc") || strings.HasPrefix(l, "X-Evil") {
			t.Errorf("a header of its own: %q", l)
		}
	}
}

func TestThePasswordCannotPrint(t *testing.T) {
	s := mail.Settings{Password: "s3cret"}
	if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s.Password); strings.Contains(text, "s3cret") {
		t.Error(text)
	}
}
