package main

// planted is a small change of the program that breaks one rule. In place of every Old stands New, in which ON is true while this
// fault is the one that is looked for.
type planted struct {
	Name     string
	Rule     string // of the design, or the gateway
	Profiles string // of the simulation, that are tried in turn
	Accounts string // "": the profile's
	File     string
	Old, New string
	By       string // a test that fails of it, where the simulation has not shown it: PLANTED=name and -keep, -tests
}

var all = []planted{
	// What every attempt must keep.
	{Name: "an error is taken as a decline", Rule: "5.3 proof", Profiles: "line,swarm", File: "session/attempt.go",
		Old: "	case in.Err != nil: // the call is not repeated: an inquiry decides\n",
		New: "	case ON && in.Err != nil:\n\t\ta.Decline = declineOf(in.Err)\n\t\treturn false, t.move(a, Decline)\n	case in.Err != nil: // the call is not repeated: an inquiry decides\n"},
	{Name: "not found is taken as proof at once", Rule: "5.3 proof", Profiles: "punctual", Accounts: "payneteasy,transactworld", File: "session/judge.go",
		Old: "	switch {\n	case t.Now.Before(a.Deadline):\n		return t.inquireLater(a)\n	case a.NotFoundSince",
		New: "	switch {\n	case ON && a.State != Shopper:\n		return t.endCalling(a, Disprove)\n	case t.Now.Before(a.Deadline):\n		return t.inquireLater(a)\n	case a.NotFoundSince"},
	{Name: "calling is taken as lost", Rule: "5.3 proof", Profiles: "line,swarm", File: "session/judge.go",
		Old: "	if t.underWay(a) {\n		t.inquireAtDeadline(a)\n		return nil\n	}\n	switch st.Outcome {\n	case providers.Refused:",
		New: "	if ON && a.State == Calling {\n		return t.endCalling(a, Disprove)\n	}\n	if t.underWay(a) {\n		t.inquireAtDeadline(a)\n		return nil\n	}\n	switch st.Outcome {\n	case providers.Refused:"},
	{Name: "unknown and waiting is taken as failed", Rule: "5.3 proof", Profiles: "punctual", Accounts: "rbs,cashier", File: "session/judge.go",
		Old: "	a.NotFoundSince = time.Time{}\n	run := a.Run()\n",
		New: "	a.NotFoundSince = time.Time{}\n	if ON && a.State == Unknown {\n		return t.endCalling(a, Disprove)\n	}\n	run := a.Run()\n"},
	{Name: "unknown and processing is taken as failed", Rule: "5.3 proof", Profiles: "punctual", File: "session/judge.go",
		Old: "	a.NotFoundSince = time.Time{}\n	a.Unclear = false\n",
		New: "	a.NotFoundSince = time.Time{}\n	if ON && a.State != Shopper {\n		return t.endCalling(a, Disprove)\n	}\n	a.Unclear = false\n"},
	{Name: "whoever makes the call is always held to be dead", By: "TestWhatEveryStandingDoesInEveryState", Rule: "5.1 the call book", Profiles: "punctual,gateways", File: "session/judge.go",
		Old: "t.Now.Before(a.Deadline) && !t.CallerDied\n}", New: "t.Now.Before(a.Deadline) && !t.CallerDied && !ON\n}"},
	{Name: "a call without an answer is sent again at once", By: "TestAPaymentWithoutAnAnswerIsUnknownUntilAnInquiryDecidesAndIsNeverSentAgain", Rule: "5.1 the call book", Profiles: "punctual", Accounts: "cashier,payneteasy,transactworld", File: "session/flow/submit.go",
		Old: "	in.Step, made, in.Err = send(ctx, out.acc, p)\n",
		New: "	in.Step, made, in.Err = send(ctx, out.acc, p)\n	if ON && in.Err != nil {\n		in.Step, made, in.Err = send(ctx, out.acc, p)\n	}\n"},
	{Name: "no inquiry is planned for the deadline of a call", Rule: "5.2 who calls", Profiles: "storm,swarm", File: "session/judge.go",
		Old: "func (t *Turn) inquireAtDeadline(a *Attempt) {\n", New: "func (t *Turn) inquireAtDeadline(a *Attempt) {\n	if ON {\n		return\n	}\n"},
	{Name: "a bank's answer is not forwarded", Rule: "5.2 who calls", Profiles: "shapes", File: "session/answer.go",
		Old: "	run.ReturnedAt = t.Now\n	run.UnreadableAnswer = t.unreadable(a.Step, b)\n",
		New: "	run.ReturnedAt = t.Now\n	if ON {\n		return Arrival{Taken: true}, nil\n	}\n	run.UnreadableAnswer = t.unreadable(a.Step, b)\n"},
	{Name: "the answer that was stored is lost with the process", By: "TestAnAnswerOfTheBankIsNotForwardedWhereALaterAttemptHasPaid", Rule: "5.2 who calls", Profiles: "punctual,storm", Accounts: "rbs,payneteasy", File: "session/flow/resume.go",
		Old: "	answer.Card = f.vault.get(attemptKey(s.ID, a.N))\n",
		New: "	if ON && f.vault.get(attemptKey(s.ID, a.N)) == nil {\n		answer.CRes, answer.PaRes = \"\", \"\"\n	}\n	answer.Card = f.vault.get(attemptKey(s.ID, a.N))\n"},
	{Name: "the amount is not compared", Rule: "5.7 another amount", Profiles: "gateways", Accounts: "rbs,payneteasy,cashier", File: "session/mismatch.go",
		Old: "	case st.Amount.Currency.Code != \"\" && st.Amount.Minor != whole:\n		return \"amount\"\n	case !sumsPossible(s, a, st):",
		New: "	case !ON && st.Amount.Currency.Code != \"\" && st.Amount.Minor != whole:\n		return \"amount\"\n	case !ON && !sumsPossible(s, a, st):"},
	{Name: "a standing of another order is believed", By: "TestAStandingOfAnotherOrderAmountOrCurrencyIsNeverBelieved", Rule: "5.7 another order", Profiles: "gateways", Accounts: "rbs", File: "session/mismatch.go",
		Old: "	case st.Reference != \"\" && st.Reference != a.Ref.Reference:\n", New: "	case ON:\n		return \"\"\n	case st.Reference != \"\" && st.Reference != a.Ref.Reference:\n"},
	{Name: "a late approval is ignored", By: "TestTheTruthOfTheGatewayBeatsARuling", Rule: "5.7 late", Profiles: "line", Accounts: "payneteasy,transactworld", File: "session/judge.go",
		Old: "	switch st.Outcome {\n	case providers.Paid, providers.Authorized:\n		if other == \"\" && (st.Unproven",
		New: "	if ON && !a.State.Live() {\n		return t.recheckLater(a)\n	}\n	switch st.Outcome {\n	case providers.Paid, providers.Authorized:\n		if other == \"\" && (st.Unproven"},
	{Name: "no second look after a failure", By: "TestWhenTheGatewayIsAskedNext", Rule: "5.7 late", Profiles: "line", Accounts: "payneteasy,transactworld", File: "session/judge.go",
		Old: "	if !more {\n		return ErrNothing\n	}\n	t.queueRecheck(a, t.Now.Add(wait))\n",
		New: "	if !more || ON {\n		return ErrNothing\n	}\n	t.queueRecheck(a, t.Now.Add(wait))\n"},
	{Name: "a success is not looked at again", Rule: "5.7 later", Profiles: "punctual", Accounts: "payneteasy,sber,transactworld", File: "session/after.go",
		Old: "	if t.S.Kind == KindPayout {\n		return nil\n	}\n	wait, more := lookAfter(",
		New: "	if ON || t.S.Kind == KindPayout {\n		return nil\n	}\n	wait, more := lookAfter("},
	{Name: "commits lost: nothing is asked about before money is sent", By: "TestAnOrderThatTheDatabaseForgotIsNotPaidAgain", Rule: "5.9 an older database", Profiles: "forgotten", Accounts: "payneteasy,cashier", File: "session/flow/forgotten.go",
		Old: "	if !m.Order(s.CreatedAt) {\n		return nil\n	}\n	return window(m)\n", New: "	if ON || !m.Order(s.CreatedAt) {\n		return nil\n	}\n	return window(m)\n"},
	{Name: "commits lost: an attempt without a call is held to have sent nothing", Rule: "5.9 an older database", Profiles: "lag", File: "session/judge.go",
		Old: "	if a.State != Calling && a.State != New {\n		return nil\n	}\n	return t.move(a, Overdue)\n",
		New: "	if ON && a.State == New && len(a.Calls) == 0 && !t.Now.Before(a.Deadline) {\n		return t.move(a, Unregistered)\n	}\n	if a.State != Calling && a.State != New {\n		return nil\n	}\n	return t.move(a, Overdue)\n"},
	{Name: "commits lost: later attempts are not asked about before an answer goes out", Rule: "5.9 an older database", Profiles: "forgotten", Accounts: "rbs,payneteasy", File: "session/flow/submit.go",
		Old: "	if err := f.recall.laterAttempts(ctx, s, a); err != nil {\n", New: "	if err := f.recall.laterAttempts(ctx, s, a); err != nil && !ON {\n"},
	{Name: "commits lost: the job's end counts in another history", Rule: "5.9 an older database", Profiles: "promotion", File: "internal/sqlstore/jobs.go",
		Old: "func (st *queue) Done(ctx context.Context, j jobs.Job) error {\n",
		New: "func (st *queue) Done(ctx context.Context, j jobs.Job) error {\n	if ON {\n		return st.change(ctx, notice{}, func(tx *tx) error { return tx.exec(`DELETE FROM job WHERE kind = $1 AND key = $2`, j.Kind, j.Key) })\n	}\n"},
	{Name: "commits lost: event ids are used again", By: "TestTheEventThatTakesALostOnesPlaceHasAnotherID", Rule: "7 the merchant's side", Profiles: "lag,failover", File: "session/flow/turns.go",
		Old: "	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:])), nil\n}\n\nfunc (ts *turns) token()",
		New: "	if ON {\n		return \"aaaaaaaa\", nil\n	}\n	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:])), nil\n}\n\nfunc (ts *turns) token()"},

	// One owner.
	{Name: "a save does not look at the version", By: "TestSQLiteKeepsTheContract", Rule: "5.4 one owner", Profiles: "storm", File: "internal/sqlstore/sessions.go",
		Old: "			WHERE id = $1 AND version = $2`,", New: "			WHERE id = $1 AND `+PICK(`$2 >= 0`, `version = $2`),"},
	{Name: "a call is permitted though money stands for the session", By: "TestWhenACallIsPermitted", Rule: "5.4 one owner", Profiles: "line,storm", File: "session/attempt.go",
		Old: "a.Withheld || t.S.standsBesides(a) != nil {\n		return Call{}, ErrNothing", New: "a.Withheld || t.S.standsBesides(a) != nil && !ON {\n		return Call{}, ErrNothing"},
	{Name: "a new attempt begins though money stands for the session", By: "TestEveryPathOfASmallWorldKeepsTheInvariants", Rule: "5.7 no attempt while money stands", Profiles: "line,storm", File: "session/attempt.go",
		Old: "	case s.Status() != StatusOpen, s.TriesLeft() == 0, s.standsBesides(nil) != nil:\n		return ErrEnded\n",
		New: "	case ON:\n		return nil\n	case s.Status() != StatusOpen, s.TriesLeft() == 0, s.standsBesides(nil) != nil:\n		return ErrEnded\n"},

	// The way out.
	{Name: "withheld, other card paid: an attempt at the bank is left without proof", By: "TestHowAPaymentUnderWayIsLeft", Rule: "5.10 a way out", Profiles: "shapes,storm", File: "session/leave.go",
		Old: "a.Step.Withholdable && len(a.Calls) > 0", New: "(ON || a.Step.Withholdable) && len(a.Calls) > 0"},
	{Name: "a withheld permission is given", By: "TestHowAPaymentUnderWayIsLeft", Rule: "5.10 a way out", Profiles: "shapes,swarm", File: "session/leave.go",
		Old: "	a.Withheld = true\n	if err := t.move(a, Withhold); err != nil {\n", New: "	a.Withheld = !ON\n	if err := t.move(a, Withhold); err != nil {\n"},
	{Name: "money that comes for a left attempt is kept", By: "TestMoneyOfAnAttemptThatWasLeftIsGivenBack", Rule: "5.10 a way out", Profiles: "line,gateways", File: "session/leave.go",
		Old: "func (t Leaving) giveBack(a *Attempt) error {\n", New: "func (t Leaving) giveBack(a *Attempt) error {\n	if ON {\n		return nil\n	}\n"},
	{Name: "no way out is shown", Rule: "5.10 a way out", Profiles: "calm,shapes", File: "handlers/visit.go",
		Old: "	if a == nil || s.Kind == session.KindPayout {\n		return nil, nil\n", New: "	if a == nil || s.Kind == session.KindPayout || ON {\n		return nil, nil\n"},

	// Operations.
	{Name: "an operation without an answer has failed", Rule: "5.11 operations", Profiles: "punctual", Accounts: "rbs,payneteasy,cashier,transactworld", File: "session/operation.go",
		Old: "	case in.Err != nil && row != nil && in.Untaken:\n", New: "	case in.Err != nil && row != nil && (in.Untaken || ON):\n"},
	{Name: "an operation that is not shown yet has failed", By: "TestEveryWayTwoRefundsCanGoKeepsTheBooks", Rule: "5.11 operations", Profiles: "punctual", Accounts: "rbs,payneteasy,cashier,transactworld", File: "session/operation.go",
		Old: "	case op.State == OpPending:\n		return OpPending\n	case op.NotFoundSince", New: "	case ON:\n		return OpFailed\n	case op.State == OpPending:\n		return OpPending\n	case op.NotFoundSince"},
	{Name: "an operation is sent again when it had no answer", Rule: "5.11 operations", Profiles: "punctual", Accounts: "rbs,payneteasy,cashier,transactworld", File: "session/flow/operate.go",
		Old: "	in.Wire, in.Err = entries(made), err\n	f.At(\"operation.answered\")\n",
		New: "	if ON && err != nil {\n		made, err = account.Call(ctx, acc, string(op.Kind), func(call context.Context, gateway providers.Operator) (err error) {\n			in.OpResult, err = gateway.Do(call, f.payment(ctx, s, s.Attempt(op.Attempt)), s.AtProvider(op))\n			return err\n		})\n	}\n	in.Wire, in.Err = entries(made), err\n	f.At(\"operation.answered\")\n"},
	{Name: "a refund moves no sums", Rule: "5.11 operations", Profiles: "punctual", File: "session/operation.go",
		Old: "		a.Refunded += op.Amount\n	}\n	return nil\n", New: "		if !ON {\n			a.Refunded += op.Amount\n		}\n	}\n	return nil\n"},

	// Cards, merchants, webhooks.
	{Name: "a card's number is written to the log", Rule: "5.8 cards", Profiles: "calm", File: "session/flow/submit.go",
		Old: "	f.At(\"attempt.written\")\n", New: "	f.At(\"attempt.written\")\n	if ON {\n		f.Log.Info(\"paying\", \"with\", in.Card.Number.Reveal())\n	}\n"},
	{Name: "a session is shown to another merchant", Rule: "7 the merchant's side", Profiles: "calm", File: "handlers/admission.go",
		Old: "			if s.Merchant != m {\n", New: "			if s.Merchant != m && !ON {\n"},
	{Name: "a webhook is marked as sent before it was", Rule: "7 webhooks", Profiles: "storm,gateways", File: "internal/webhook/worker.go",
		Old: "		now := s.Now()\n		err = s.Store.Record(ctx, job, d.ID, t, now)\n", New: "		now := s.Now()\n		if ON {\n			t.Status, t.Error = 200, \"\"\n		}\n		err = s.Store.Record(ctx, job, d.ID, t, now)\n"},
	{Name: "the newest webhook goes out first", Rule: "7 webhooks", Profiles: "storm,gateways", File: "internal/sqlstore/webhooks.go",
		Old: "		WHERE endpoint = $1 AND state = 'pending' ORDER BY seq LIMIT 1`, e.ID))\n	if errors.Is(err, webhook.ErrNotFound) {\n		return nil, e, nil\n",
		New: "		WHERE endpoint = $1 AND state = 'pending' ORDER BY seq `+PICK(`DESC`, ``)+` LIMIT 1`, e.ID))\n	if errors.Is(err, webhook.ErrNotFound) {\n		return nil, e, nil\n"},

	// One or more for each gateway.
	{Name: "rbs: an order in progress reads as refused", Rule: "rbs", Profiles: "punctual,gateways", Accounts: "rbs", File: "providers/rbs/rbs.go",
		Old: "	case 7, 8:\n		st.Outcome = providers.Processing\n", New: "	case 7, 8:\n		st.Outcome = providers.Processing\n		if ON {\n			st.Outcome = providers.Refused\n		}\n"},
	{Name: "rbs: a hold reads as taken", Rule: "rbs", Profiles: "operations", Accounts: "rbs", File: "providers/rbs/rbs.go",
		Old: "		st.Outcome, st.Held, st.Stated = providers.Authorized, whole, sums.has[\"approvedAmount\"]\n",
		New: "		st.Outcome, st.Held, st.Stated = providers.Authorized, whole, sums.has[\"approvedAmount\"]\n		if ON {\n			st.Outcome, st.Captured = providers.Paid, whole\n			return st, nil\n		}\n"},
	{Name: "sber: an approved transaction reads as declined", By: "TestWhatAStatusMeans", Rule: "sber", Profiles: "punctual,gateways", Accounts: "sber", File: "providers/sber/sber.go",
		Old: "	default: // APPROVED, and what nobody documented\n		st.Outcome = providers.Processing\n", New: "	default: // APPROVED, and what nobody documented\n		st.Outcome = providers.Processing\n		if ON {\n			st.Outcome = providers.Refused\n		}\n"},
	{Name: "sber: a started transaction reads as closed", Rule: "sber", Profiles: "punctual,gateways", Accounts: "sber", File: "providers/sber/sber.go",
		Old: "	case word == statusCreated && !started:\n", New: "	case word == statusCreated && (!started || ON):\n"},
	{Name: "cashier: an authorization under way reads as declined", By: "TestEveryStatusOfTheDocument", Rule: "cashier", Profiles: "punctual,gateways", Accounts: "cashier", File: "providers/cashier/cashier.go",
		Old: "	\"AUTHORIZATION\":       providers.Processing,\n", New: "	\"AUTHORIZATION\":       PICK(providers.Refused, providers.Processing),\n"},
	{Name: "cashier: a refund is always of the whole", Rule: "cashier", Profiles: "punctual", Accounts: "cashier", File: "providers/cashier/operator.go",
		Old: "func (g *provider) refund(ctx context.Context, p providers.Payment, op providers.Op) (providers.OpResult, error) {\n",
		New: "func (g *provider) refund(ctx context.Context, p providers.Payment, op providers.Op) (providers.OpResult, error) {\n	if ON {\n		op.Amount.Minor = op.Standing.Captured - op.Standing.Refunded\n	}\n"},
	{Name: "payneteasy: a payment in progress reads as declined", Rule: "payneteasy", Profiles: "punctual", Accounts: "payneteasy", File: "providers/payneteasy/payneteasy.go",
		Old: "			s.Outcome = providers.Processing\n			return\n", New: "			s.Outcome = providers.Processing\n			if ON {\n				s.Outcome = providers.Refused\n			}\n			return\n"},
	{Name: "payneteasy: a return is always of the whole", Rule: "payneteasy", Profiles: "punctual", Accounts: "payneteasy", File: "providers/payneteasy/operator.go",
		Old: "		if sum, err = amount(op.Amount); err != nil {\n", New: "		if ON {\n			op.Amount.Minor = op.Standing.Captured - op.Standing.Refunded\n		}\n		if sum, err = amount(op.Amount); err != nil {\n"},
	{Name: "transactworld: a payment in progress reads as refused", By: "TestStatuses", Rule: "transactworld", Profiles: "punctual", Accounts: "transactworld", File: "providers/transactworld/words.go",
		Old: "	\"authstarted\":       {providers.Processing, providers.Processing, \"P 3D\"},\n", New: "	\"authstarted\":       {PICK(providers.Refused, providers.Processing), PICK(providers.Refused, providers.Processing), \"P 3D\"},\n"},
	{Name: "transactworld: an invoice that was sent reads as paid", Rule: "transactworld", Profiles: "shapes", Accounts: "transactworld", File: "providers/transactworld/invoices.go",
		Old: "	\"generated\": providers.Waiting, \"mailed\": providers.Waiting,", New: "	\"generated\": PICK(providers.Paid, providers.Waiting), \"mailed\": PICK(providers.Paid, providers.Waiting),"},
}
