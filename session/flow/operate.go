package flow

import (
	"context"
	"errors"

	"tollgate/internal/account"
	"tollgate/providers"
	"tollgate/session"
)

// Operate asks the gateway to capture, void or refund. It returns once the operation is written down; Wait for its state.
// Errors say why it was refused before any call.
func (f *Flow) Operate(ctx context.Context, id string, in session.NewOperation) (*session.Session, int, error) {
	return f.startOperation(ctx, nil, id, in)
}

func (f *Flow) startOperation(
	ctx context.Context, claim *session.Claim, id string, in session.NewOperation,
) (*session.Session, int, error) {
	n, done := 0, f.inFlight.begin(id)
	s, err := f.update(ctx, id, under(claim, func(t *session.Turn) error {
		if _, err := f.account(t.S); err != nil {
			return err
		}
		op, err := t.Operations().Begin(in)
		if err != nil {
			return err
		}
		n = op.N
		return nil
	}))
	if err != nil {
		done()
		return s, 0, err
	}
	f.At("operation.written")
	f.calls.run(func(ctx context.Context) {
		defer done()
		f.operate(ctx, id, n)
	})
	return s, n, nil
}

// operate asks first where the payment stands, then takes the permission, then sends, once.
func (f *Flow) operate(ctx context.Context, id string, n int) {
	s, err := f.Store.Load(ctx, id)
	if err != nil {
		f.Log.Error("operation lost sight of its session", "session", id, "error", err)
		return
	}
	acc, err := f.account(s)
	if err != nil {
		f.Log.Error("operation without an account", "session", id, "error", err)
		return
	}
	standing, wire, askErr := asking{f}.status(ctx, acc, s, s.Attempt(s.Operation(n).Attempt))
	var row session.Call
	permitted := false
	s, effects, err := f.turn(ctx, id, func(t *session.Turn) (err error) {
		row, permitted, err = t.Operations().Permit(n, standing, askErr, wire)
		return err
	})
	if err != nil || !permitted {
		if err != nil && !errors.Is(err, session.ErrCallExists) {
			f.Log.Error("cannot write down an operation", "session", id, "operation", n, "error", err)
		}
		f.At("operation.stored")
		if err == nil {
			release(ctx, f, id, effects)
		}
		return
	}
	f.At("operation.permitted")
	op := s.Operation(n)
	in := session.OperationAnswer{}
	made, err := account.Call(ctx, acc, string(op.Kind), func(call context.Context, gateway providers.Operator) (err error) {
		in.OpResult, err = gateway.Do(call, f.payment(ctx, s, s.Attempt(op.Attempt)), s.AtProvider(op))
		return err
	})
	in.Wire, in.Err = entries(made), err
	f.At("operation.answered")
	var refusal *providers.Refusal
	in.Untaken = len(in.Wire) == 0 && (errors.As(in.Err, &refusal) || errors.Is(in.Err, providers.ErrUnsent)) || untaken(in.Err)
	ctx = context.WithoutCancel(ctx)
	if s := operationAnswered(ctx, f, id, n, in, &row); s != nil && s.Operation(n).Unconfirmed {
		if err := f.inquire(ctx, id, op.Attempt); err != nil {
			f.Log.Warn("the inquiry after an operation failed", "session", id, "operation", n, "error", err)
		}
	}
	f.At("operation.stored")
}

// operationAnswered stores what a call or an inquiry said of an operation. row is set for the call itself.
func operationAnswered(
	ctx context.Context, f *Flow, id string, n int, in session.OperationAnswer, row *session.Call,
) *session.Session {
	s, effects, err := f.turn(ctx, id, func(t *session.Turn) error { return t.Operations().Answered(n, in, row) })
	if err != nil {
		f.Log.Error("cannot store an operation's result; the inquiry will ask again", "session", id, "operation", n, "error", err)
		return nil
	}
	release(ctx, f, id, effects)
	return s
}

// operateDue is the job that asks what became of an operation.
func (f *Flow) operateDue(ctx context.Context, task session.Task) error {
	n, due := task.Operation, false
	s, err := f.update(ctx, task.Session, func(t *session.Turn) (err error) {
		due, err = t.Operations().Due(n)
		return err
	})
	if err != nil || !due {
		return err
	}
	acc, err := f.account(s)
	if err != nil {
		return err
	}
	if op := s.Operation(n); op.State == session.OpNew {
		standing, wire, askErr := asking{f}.status(ctx, acc, s, s.Attempt(op.Attempt))
		if s, err = f.update(ctx, s.ID, func(t *session.Turn) error {
			return t.Operations().Orphaned(n, standing, askErr, wire)
		}); err != nil {
			return err
		}
	}
	op := s.Operation(n)
	in := session.OperationAnswer{}
	made, err := account.Call(ctx, acc, "inquire", func(call context.Context, gateway providers.Operator) (err error) {
		in.OpResult, err = gateway.Inquire(call, f.payment(ctx, s, s.Attempt(op.Attempt)), s.AtProvider(op))
		return err
	})
	in.Wire, in.Err = entries(made), err
	if s := operationAnswered(ctx, f, s.ID, n, in, nil); s != nil && s.Operation(n).Unconfirmed {
		return f.inquire(ctx, s.ID, op.Attempt)
	}
	return nil
}

// release sends the operations of Tollgate's own that a turn has written down.
func release(ctx context.Context, f *Flow, id string, effects []session.Effect) {
	for _, e := range effects {
		if release, ok := e.(session.Release); ok {
			f.operate(ctx, id, release.Operation)
		}
	}
}
