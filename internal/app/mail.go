package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"tollgate/handlers"
	"tollgate/internal/config"
	"tollgate/internal/jobs"
	"tollgate/internal/mail"
	"tollgate/session"
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
	runner.Handle(session.JobReceipt, receiptJob(*front, keys))
	return nil
}

// receiptJob sends a receipt by e-mail.
func receiptJob(front handlers.Options, keys sealer) jobs.Handler {
	return func(ctx context.Context, j jobs.Job) error {
		var task session.Task
		if err := json.Unmarshal(j.Payload, &task); err != nil {
			return fmt.Errorf("job %s: %w", j.Kind, err)
		}
		if err := handlers.MailReceipt(ctx, front, keys.Unseal, task); err != nil && !errors.Is(err, session.ErrNotFound) {
			return err
		}
		return nil
	}
}

func handleAll(runner *jobs.Runner, of ...map[string]func(context.Context, jobs.Job) error) {
	for _, all := range of {
		for kind, do := range all {
			runner.Handle(kind, do)
		}
	}
}
