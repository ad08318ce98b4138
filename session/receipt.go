package session

import "fmt"

// MostReceiptMails is how often the receipt of a session is sent by e-mail.
const MostReceiptMails = 3

// SealedMailAddress is what the address of a receipt is sealed as.
const SealedMailAddress = "receipt"

// MailReceipt queues the receipt of the payment, to a sealed address. It is for the browser that paid. ErrNothing where nothing was paid
// in that browser; ErrTooMany where as many were sent as a session has.
func MailReceipt(t *Turn, browser, sealed, locale string) error {
	a := t.S.FundedAttempt()
	switch {
	case a == nil, browser == "", a.BrowserID != browser:
		return ErrNothing
	case t.S.ReceiptMails >= MostReceiptMails:
		return ErrTooMany
	}
	t.S.ReceiptMails++
	n := t.S.ReceiptMails
	t.enqueue(JobReceipt, fmt.Sprintf("/mail%d", n), Task{Mail: n, To: sealed, Locale: locale, Since: t.Now}, t.Now)
	return nil
}
