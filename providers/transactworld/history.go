package transactworld

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
)

const (
	listDay   = "02/01/2006"
	listStamp = "2006-01-02 15:04:05"

	longestPage    = 100
	usualHistory   = 30 * 24 * time.Hour // where the query names no beginning
	historyCommand = "getTransactionList"
)

// History lists the platform's transactions, a page for each call. Its list knows days, not moments: lines outside the asked times
// are left out here.
func (p *provider) History(ctx context.Context, q providers.HistoryQuery) (out []providers.HistoryLine, next string, err error) {
	limit := q.Limit
	if limit <= 0 || limit > longestPage {
		limit = longestPage
	}
	if q.To.IsZero() {
		q.To = p.client.now()
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-usualHistory)
	}
	at, err := q.Places(1) // pages that were read
	if err != nil {
		return nil, "", err
	}
	lines, err := p.page(ctx, q, at[0]+1, limit)
	if err != nil {
		return nil, "", err
	}
	for _, l := range lines[:min(limit, len(lines))] {
		if l.At.IsZero() || !l.At.Before(q.From) && !l.At.After(q.To) {
			out = append(out, l)
		}
	}
	if len(lines) >= limit {
		next = providers.Cursor(at[0] + 1)
	}
	return out, next, nil
}

// page is one page of the list, counted from one.
func (p *provider) page(ctx context.Context, q providers.HistoryQuery, n, size int) ([]providers.HistoryLine, error) {
	form := url.Values{
		"pagination.fromdate": {q.From.In(p.zone).Format(listDay)}, "pagination.todate": {q.To.In(p.zone).Format(listDay)},
		"pagination.pageno": {strconv.Itoa(n)}, "pagination.records": {strconv.Itoa(size)},
	}
	if q.Status != "" {
		form.Set("status", q.Status)
	}
	a, err := p.client.call(ctx, historyCommand, restPath+historyCommand, p.client.signed(form, p.client.signMember()))
	switch {
	case err != nil:
		return nil, err
	case a.code() == codeNotFound:
		return nil, nil
	case !strings.HasPrefix(a.code(), "0"):
		return nil, a.failure(historyCommand)
	}
	var out []providers.HistoryLine
	for _, o := range list(a.object, "transaction") {
		out = append(out, p.line(o))
	}
	return out, nil
}

// line reads one transaction. Its transactionStatus is the long word here; the short one is read as well.
func (p *provider) line(o map[string]any) providers.HistoryLine {
	status := text(o, "status")
	if status == "" {
		status = text(o, "transactionStatus")
	}
	one := answer{object: map[string]any{"currency": text(o, "currency"), "amount": text(o, "amount"), "card": value(o, "card")}}
	if short := strings.ToUpper(status); strings.Contains(" Y N P 3D C ", " "+short+" ") && short != "" {
		one.object["transactionstatus"] = short
	} else {
		one.object["status"] = status
	}
	l := providers.HistoryLine{Reference: text(o, "merchantTransactionId"), OrderID: text(o, "systemPaymentId"), Kind: "payment",
		Outcome: outcome(one, false, false), Card: one.card(), Authorization: answer{object: o}.authorization()}
	if l.OrderID == "" {
		l.OrderID = text(o, "paymentId")
	}
	_, long := one.statuses()
	switch {
	case strings.HasPrefix(long, "payout"), text(o, "paymentType") == "PO":
		l.Kind = "payout"
		switch progress["PO"][long] {
		case providers.OpSucceeded:
			l.Outcome = providers.Paid
		case providers.OpFailed:
			l.Outcome = providers.Refused
		case providers.OpPending:
			l.Outcome = providers.Processing
		}
	}
	for _, name := range []string{"transactionDate", "date"} {
		if at, err := time.ParseInLocation(listStamp, text(o, name), p.zone); err == nil {
			l.At = at
			break
		}
	}
	if text(o, "currency") != "" { // an amount that its currency cannot have (VND 100000.65 is documented) is left out
		if m, err := one.amount("amount", money.Currency{}); err == nil {
			l.Amount = m
		}
	}
	return l
}
