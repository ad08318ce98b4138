package sber

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/wire"
)

const (
	historyKinds = "payment,transfer,vcard,loyalty,change"
	maxLines     = 100
)

// History lists what the customer did with this merchant. The gateway's list says nothing of the outcome, so that
// HistoryLine.Outcome is Unclear; it has neither pages nor a filter by status: Limit and After are applied here.
func (g *provider) History(ctx context.Context, q providers.HistoryQuery) (lines []providers.HistoryLine, next string, err error) {
	switch {
	case q.Status != "":
		return nil, "", providers.Refuse("status", "this gateway's list has no status")
	case !kindsKnown(q.Kinds):
		return nil, "", providers.Refuse("kinds", "this gateway knows "+historyKinds)
	case q.From.IsZero() || q.To.IsZero() || q.To.Before(q.From):
		return nil, "", providers.Refuse("from", "the list needs a time to begin and a later one to end")
	}
	a, err := g.callForOwner(ctx, opTransactions, q.Owner, struct {
		DateFrom     string `json:"dateFrom"`
		DateTo       string `json:"dateTo"`
		ResponseType string `json:"responseType"`
		Local        bool   `json:"local"`
	}{q.From.In(moscow).Format(dateLayout), q.To.In(moscow).Format(dateLayout), cmp.Or(q.Kinds, historyKinds), !q.Everywhere})
	if err != nil {
		return nil, "", err
	}
	list := a.List("transactions")
	if list == nil {
		return nil, "", providers.Unreadable(opTransactions, 200, errShape)
	}
	limit := q.Limit
	if limit <= 0 || limit > maxLines {
		limit = maxLines
	}
	at, err := q.Places(1)
	if err != nil {
		return nil, "", err
	}
	for i, t := range list[min(at[0], len(list)):] {
		if len(lines) == limit {
			return lines, providers.Cursor(at[0] + i), nil
		}
		line, err := historyLine(t)
		if err != nil {
			return nil, "", providers.Unreadable(opTransactions, 200, err)
		}
		lines = append(lines, line)
	}
	return lines, "", nil
}

// kindsKnown tells whether the list can be narrowed to these kinds.
func kindsKnown(kinds string) bool {
	for k := range strings.SplitSeq(kinds, ",") {
		if kinds != "" && !slices.Contains(strings.Split(historyKinds, ","), k) {
			return false
		}
	}
	return true
}

func historyLine(t object) (providers.HistoryLine, error) {
	line := providers.HistoryLine{
		Reference: wire.Line(t.Text("transactionNumber"), 64), OrderID: wire.ID(t.Text("mdOrder")),
		Kind: kindOf(t.Text("transactionType")), Outcome: providers.Unclear,
	}
	at, err := time.ParseInLocation(dateLayout, t.Text("transactionDate"), moscow)
	if err != nil {
		return line, errShape
	}
	line.At = at.UTC()
	partner := t.Child("partner")
	line.Partner = providers.Partner{Login: providers.Fact(partner.Text("merchantLogin")), Info: providers.Fact(partner.Text("merchantInfo"))}
	line.Authorization = authorization(t)
	minor, found, err := t.Child("amount").Number("transactionAmount")
	if err != nil {
		return line, err
	}
	if found {
		currency, err := money.ParseNumeric(t.Child("amount").Text("currency"))
		if err != nil {
			return line, errShape
		}
		line.Amount = money.Amount{Minor: minor, Currency: currency}
	}
	return line, nil
}

func kindOf(transactionType string) string {
	switch transactionType {
	case "PURCHASE":
		return "payment"
	case "TRANSFER":
		return "transfer"
	}
	return "other"
}
