package flow

import (
	"context"

	"tollgate/session"
)

// MailReceipt queues the receipt of a session's payment to an address, which is stored sealed; errors as of session.MailReceipt, and
// nil where nothing was to be done.
func MailReceipt(ctx context.Context, f *Flow, id, browser, address, locale string) error {
	sealed, err := f.Sealer.Seal(session.SealedMailAddress, []byte(address))
	if err != nil {
		return err
	}
	_, err = f.update(ctx, id, func(t *session.Turn) error { return session.MailReceipt(t, browser, sealed, locale) })
	return err
}
