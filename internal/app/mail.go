package app

import (
	"context"

	"tollgate/handlers"
	"tollgate/internal/config"
	"tollgate/internal/jobs"
	"tollgate/internal/mail"
	"tollgate/session"
	"tollgate/session/flow"
)

// mailReceipts lets the front send receipts by e-mail where a server is set.
func mailReceipts(runner *jobs.Runner, front *handlers.Options, c config.Config, keys sealer) error {
	if c.Mail != nil {
		sender, err := mail.New(c.Mail.Settings())
		if err != nil {
			return err
		}
		front.Mail = sender
	}
	o := *front
	runner.Handle(session.JobReceipt, flow.Job(func(ctx context.Context, task session.Task) error {
		return handlers.MailReceipt(ctx, o, keys.Unseal, task)
	}))
	return nil
}
