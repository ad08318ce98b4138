package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tollgate/handlers"
	"tollgate/internal/clock"
	"tollgate/internal/mail"
	"tollgate/internal/mail/smtptest"
	"tollgate/internal/sqlstore"
	"tollgate/session"
)

// mailed is a front whose mails go to a server of the test.
func mailed(t *testing.T) (*machine, *smtptest.Server) {
	server := smtptest.Start(t, false, false)
	sender, err := mail.New(mail.Settings{Host: server.Host, Port: server.Port, TLS: mail.Plain, From: "receipts@pay.example"})
	if err != nil {
		t.Fatal(err)
	}
	return boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{mail: sender}), server
}

// pays pays a new session in a browser.
func (b *shopper) pays(t *testing.T, id string) string {
	t.Helper()
	path := b.m.opens(id, `,"locale":"kk","payment_methods":["card"]`)
	b.press(b.see(path), path+"/card", cardForm).is(http.StatusSeeOther, "")
	b.m.call(http.MethodPost, "/v1/sessions/"+strings.TrimPrefix(path, "/pay/")+"/inquire", "").is(http.StatusOK, "")
	if page := b.see(path); !strings.Contains(page, `id="receipt"`) {
		t.Fatalf("it is not paid: %s", page)
	}
	return path
}

// mailJobs runs the jobs that send mails, and tells the errors of those that are to be tried again.
func (m *machine) mailJobs() (again []error) {
	m.t.Helper()
	for {
		due, err := m.store.Claim(m.t.Context(), "w", m.clock.Now(), time.Minute, 9)
		if err != nil {
			m.t.Fatal(err)
		}
		if len(due) == 0 {
			return again
		}
		for _, j := range due {
			if j.Kind != session.JobReceipt {
				continue
			}
			var task session.Task
			if err := json.Unmarshal(j.Payload, &task); err != nil || strings.Contains(string(j.Payload), "@") {
				m.t.Fatalf("the job holds the address: %s, %v", j.Payload, err)
			}
			if err := handlers.MailReceipt(m.t.Context(), m.options, m.keys.Unseal, task); err != nil {
				again = append(again, err)
				continue
			}
			if err := m.store.Done(m.t.Context(), j); err != nil {
				m.t.Fatal(err)
			}
		}
	}
}

func TestAReceiptIsSentByEMailThreeTimesFromTheBrowserThatPaid(t *testing.T) {
	m, server := mailed(t)
	b := &shopper{m: m}
	path := b.pays(t, "one")
	for n := range session.MostReceiptMails {
		page := b.see(path)
		if !strings.Contains(page, `id="email"`) || strings.Contains(page, "Түбіртек жіберілді") != (n > 0) {
			t.Fatalf("before mail %d: %s", n+1, page)
		}
		b.press(page, path+"/receipt", url.Values{"email": {" Aigerim@Mail.Example "}}).leadsTo(path)
	}
	if page := b.see(path); strings.Contains(page, `id="email"`) || strings.Contains(page, "Mail.Example") || !strings.Contains(page, "Түбіртек жіберілді") {
		t.Errorf("after the third: %s", page)
	}
	m.shopper(http.MethodPost, path+"/receipt", strings.NewReader("email=a@mail.example")).leadsTo(path)
	if again := m.mailJobs(); len(again) > 0 {
		t.Fatal(again)
	}
	for range session.MostReceiptMails {
		if got := server.Next(t); got.To != "Aigerim@Mail.Example" || strings.Contains(got.Data, path) || strings.Contains(got.Data, "4000019900020704") {
			t.Errorf("sent to %s: %s", got.To, got.Data)
		}
	}
	if server.Count() != session.MostReceiptMails {
		t.Errorf("%d mails", server.Count())
	}
}

func TestTheMailSaysWhatTheReceiptSaysInTheShoppersLanguage(t *testing.T) {
	var got mail.Message
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{mail: sends(func(m mail.Message) error { got = m; return nil })})
	b := &shopper{m: m}
	path := b.pays(t, "one")
	b.press(b.see(path), path+"/receipt", url.Values{"email": {"a@mail.example"}}).leadsTo(path)
	m.mailJobs()
	for _, want := range []string{"Түбіртек · Shop", "Тапсырыс № one", "15\u00a0₸", "•••• 0704", "one-1", "UTC"} {
		text := strings.ReplaceAll(got.Text, "Тапсырыс №: one", "Тапсырыс № one")
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q: %s", want, got.Text)
		}
	}
	if got.Lang != "kk" || !strings.Contains(got.HTML, `lang="kk"`) || !strings.Contains(got.HTML, "•••• 0704") || strings.Contains(got.HTML, "<script") || !strings.Contains(got.Subject, "Shop, one") {
		t.Errorf("%s, %s: %s", got.Lang, got.Subject, got.HTML)
	}
	// A session's id is the address of its page: nobody on the mail's way learns it.
	if whole := fmt.Sprintf("%+v", got); strings.Contains(whole, strings.TrimPrefix(path, "/pay/")) {
		t.Errorf("the mail tells the payment's address: %s", whole)
	}
}

type sends func(mail.Message) error

func (s sends) Send(_ context.Context, m mail.Message) error { return s(m) }

func TestWhatIsNoAddressIsSaidBesideTheFieldAndNothingIsSent(t *testing.T) {
	m, _ := mailed(t)
	b := &shopper{m: m}
	path := b.pays(t, "one")
	before := m.stored(strings.TrimPrefix(path, "/pay/"))
	for _, typed := range []string{"", "aigerim", "a@mail.example\r\nBcc: b@mail.example", "a@mail.example, b@mail.example", "4000019900020704@mail.example", "40000199-00020704@mail.example"} {
		got := b.press(b.see(path), path+"/receipt", url.Values{"email": {typed}})
		if got.Code != http.StatusUnprocessableEntity || got.page().Find("#email[aria-invalid]").Length() != 1 || strings.Contains(got.Body.String(), "00020704") {
			t.Errorf("%q: %d %s", typed, got.Code, got.Body)
		}
	}
	if m.stored(strings.TrimPrefix(path, "/pay/")) != before {
		t.Error("something was stored")
	}
}

func TestNobodyElseSendsTheReceipt(t *testing.T) {
	m, _ := mailed(t)
	b := &shopper{m: m}
	path := b.pays(t, "one")
	before := m.stored(strings.TrimPrefix(path, "/pay/"))
	stranger := &shopper{m: m}
	if page := stranger.see(path); strings.Contains(page, `id="email"`) {
		t.Error("a browser that did not pay is asked for an address")
	}
	m.shopper(http.MethodPost, path+"/receipt", strings.NewReader("email=a@mail.example")).leadsTo(path)
	if m.stored(strings.TrimPrefix(path, "/pay/")) != before {
		t.Error("a stranger's post was taken")
	}
	off := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	b = &shopper{m: off}
	path = b.pays(t, "two")
	if page := b.see(path); strings.Contains(page, `id="email"`) {
		t.Error("an address is asked for where no mail can be sent")
	}
}

func TestAMailThatIsNotTakenIsTriedForADay(t *testing.T) {
	fails := errors.New("not now")
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{mail: sends(func(mail.Message) error { return fails })})
	b := &shopper{m: m}
	path := b.pays(t, "one")
	b.press(b.see(path), path+"/receipt", url.Values{"email": {"a@mail.example"}}).leadsTo(path)
	if again := m.mailJobs(); len(again) != 1 || !errors.Is(again[0], fails) {
		t.Fatalf("%v", again)
	}
	m.clock.Advance(24 * time.Hour)
	if again := m.mailJobs(); len(again) != 0 {
		t.Errorf("after a day: %v", again)
	}
	fails = mail.ErrRefused
	path = b.pays(t, "two")
	b.press(b.see(path), path+"/receipt", url.Values{"email": {"a@mail.example"}}).leadsTo(path)
	if again := m.mailJobs(); len(again) != 0 {
		t.Errorf("refused for good: %v", again)
	}
}
