package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestThreeReceiptsOfAPaymentAreMailedFromTheBrowserThatPaidAndNoMore(t *testing.T) {
	s := &Session{ID: "cs_1", Attempts: []*Attempt{{N: 1, State: Paid, BrowserID: "b1"}}}
	mail := func(browser string) (*Turn, error) {
		turn := &Turn{S: s, Now: time.Unix(1, 0)}
		return turn, MailReceipt(turn, browser, "sealed", "kk")
	}
	for _, stranger := range []string{"", "b2"} {
		if turn, err := mail(stranger); !errors.Is(err, ErrNothing) || len(turn.Change.Jobs) != 0 {
			t.Errorf("browser %q: %v", stranger, err)
		}
	}
	for n := 1; n <= 3; n++ {
		turn, err := mail("b1")
		if err != nil || len(turn.Change.Jobs) != 1 || s.ReceiptMails != n {
			t.Fatalf("%v, %v, %d are counted", err, turn.Change.Jobs, s.ReceiptMails)
		}
		var task Task
		job := turn.Change.Jobs[0]
		if err := json.Unmarshal(job.Payload, &task); err != nil || job.Kind != JobReceipt || job.Key != fmt.Sprintf("cs_1/mail%d", n) || !job.RunAt.Equal(turn.Now) ||
			!task.Since.Equal(turn.Now) || task != (Task{Session: "cs_1", Mail: n, To: "sealed", Locale: "kk", Since: task.Since}) {
			t.Errorf("receipt %d: %+v of %+v, %v", n, job, task, err)
		}
	}
	if turn, err := mail("b1"); !errors.Is(err, ErrTooMany) || len(turn.Change.Jobs) != 0 || s.ReceiptMails != 3 {
		t.Errorf("a fourth: %v", err)
	}
	s.Attempts[0].BrowserID = "" // of a charge by the merchant, say
	if _, err := mail(""); !errors.Is(err, ErrNothing) {
		t.Errorf("a browser without an id, of a payment without a browser: %v", err)
	}
	s.Attempts[0].BrowserID = "b1"
	s.Attempts[0].State = Declined
	if _, err := mail("b1"); !errors.Is(err, ErrNothing) {
		t.Errorf("of nothing paid: %v", err)
	}
	s.Attempts = nil
	if _, err := mail("b1"); !errors.Is(err, ErrNothing) {
		t.Errorf("of a session that nobody began to pay: %v", err)
	}
}
