package session

import (
	"errors"
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
	keys := map[string]bool{}
	for range MostReceiptMails {
		turn, err := mail("b1")
		if err != nil || len(turn.Change.Jobs) != 1 || turn.Change.Jobs[0].Kind != JobReceipt {
			t.Fatalf("%v, %v", err, turn.Change.Jobs)
		}
		keys[turn.Change.Jobs[0].Key] = true
	}
	if turn, err := mail("b1"); !errors.Is(err, ErrTooMany) || len(turn.Change.Jobs) != 0 || len(keys) != MostReceiptMails {
		t.Errorf("a fourth: %v; keys %v", err, keys)
	}
	s.Attempts[0].State = Declined
	if _, err := mail("b1"); !errors.Is(err, ErrNothing) {
		t.Errorf("of nothing paid: %v", err)
	}
}
