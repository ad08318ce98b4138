package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

const reconcileHelp = `Compares Tollgate's books with the gateway's, day by day: by the gateway's own list of orders where it has one, by -orders, a
CSV file of the bank's, or else by asking about each order. It prints what differs and exits with 1 if anything does. It never
charges; -repair has what differs and is Tollgate's to renew asked about, and takes the gateway's word.

The file's first line names its columns: reference (or order, orderNumber, order_number), and as far as it has them
gateway_order_id (or mdOrder), amount in major units, currency, status. The list must be whole for the time that is compared.

  tollgate reconcile -account rbs -from 2026-11-21 -to 2026-11-22`

// reconcileWait bounds one day's comparison.
const reconcileWait = 10 * time.Minute

// bookSide is what one side says of an order.
type bookSide struct {
	State, Currency string
	Amount          int64
	Authorized      int64 `json:"amount_authorized"`
	Captured        int64 `json:"amount_captured"`
	Refunded        int64 `json:"amount_refunded"`
}

func (s bookSide) String() string {
	if s.State == "" {
		return "nothing"
	}
	return fmt.Sprintf("%s %d %s, captured %d, refunded %d", s.State, s.Amount, s.Currency, s.Captured, s.Refunded)
}

type bookDifference struct {
	Kind, Reference, Session string
	OrderID                  string `json:"gateway_order_id"`
	Attempt                  int
	Ours, Theirs             bookSide
	Repaired                 bool
}

type reconciliation struct {
	Source       string
	Ours, Theirs int
	Complete     bool
	Differences  []bookDifference
}

func reconcile(ctx context.Context, p process, set *flag.FlagSet) int {
	var from, to time.Time
	account := set.String("account", "", "the account's `NAME`")
	day := func(name, usage string, at *time.Time) {
		set.Func(name, usage, func(s string) (err error) { *at, err = readTime(s); return err })
	}
	day("from", "`TIME` from which on: 2026-11-21 or 2026-11-21T12:00:00Z", &from)
	day("to", "`TIME` before which (default: now)", &to)
	file := set.String("orders", "", "the bank's list: a CSV `FILE`, or - for standard input")
	repair := set.Bool("repair", false, "ask about what differs and take the gateway's word")
	asCSV := set.Bool("csv", false, "print CSV")
	asJSON := set.Bool("json", false, "print JSON")
	api, code, ok := p.connect(set, 0)
	if !ok {
		return code
	}
	if to.IsZero() {
		to = time.Now()
	}
	if *account == "" || from.IsZero() || !from.Before(to) || *asCSV && *asJSON {
		fmt.Fprintf(p.err, "tollgate %s: -account and a -from before -to must be given, and of -csv and -json one at most\n", set.Name())
		return exitAsked
	}
	body := map[string]any{"repair": *repair}
	if *file != "" {
		orders, err := p.bankOrders(*file)
		if err != nil {
			fmt.Fprintf(p.err, "tollgate %s: %s: %v\n", set.Name(), *file, err)
			return exitAsked
		}
		body["orders"] = orders
	}
	api.http.Timeout = reconcileWait
	whole := reconciliation{Complete: true}
	for first := true; from.Before(to); first = false {
		until := from.Add(24 * time.Hour)
		if until.After(to) || *file != "" { // the bank's list is one for the whole time
			until = to
		}
		part, err := api.reconcileSpan(ctx, *account, body, from, until)
		if err != nil {
			return p.fail(set.Name(), err)
		}
		if whole.Source = part.Source; first {
			whole.Differences = []bookDifference{}
		}
		whole.Ours, whole.Theirs, whole.Complete = whole.Ours+part.Ours, whole.Theirs+part.Theirs, whole.Complete && part.Complete
		whole.Differences = append(whole.Differences, part.Differences...)
		from = until
	}
	if err := whole.print(p.out, *asCSV, *asJSON); err != nil {
		return p.fail(set.Name(), err)
	}
	open := slices.ContainsFunc(whole.Differences, func(d bookDifference) bool { return !d.Repaired })
	if open || !whole.Complete {
		return exitFailed
	}
	return exitDone
}

func (a *merchantAPI) reconcileSpan(ctx context.Context, account string, body map[string]any, from, to time.Time) (r reconciliation, err error) {
	body["from"], body["to"] = from.Format(time.RFC3339Nano), to.Format(time.RFC3339Nano)
	sent, err := json.Marshal(body)
	if err != nil {
		return r, err
	}
	answer, err := a.call(ctx, http.MethodPost, "/v1/accounts/"+url.PathEscape(account)+"/reconcile", nil, sent)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(answer, &r)
}

// readTime reads a day, which begins at midnight UTC, or a moment.
func readTime(s string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errors.New("must be a day such as 2026-11-21 or a time such as 2026-11-21T12:00:00Z")
}

// columns are the names that a bank's file may give what is read of it.
var columns = map[string][]string{
	"reference":        {"reference", "order", "ordernumber", "order_number", "merchanttransactionid"},
	"gateway_order_id": {"gateway_order_id", "mdorder", "order_id", "orderid"},
	"amount":           {"amount", "sum"}, "currency": {"currency"}, "status": {"status", "state"},
}

// bankOrders reads the bank's list. Commas or semicolons part the columns.
func (p process) bankOrders(name string) (orders []map[string]string, err error) {
	in := p.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, 16<<20))
	if err != nil {
		return nil, err
	}
	text := strings.TrimPrefix(string(raw), "\ufeff")
	r := csv.NewReader(strings.NewReader(text))
	if head, _, _ := strings.Cut(text, "\n"); strings.Count(head, ";") > strings.Count(head, ",") {
		r.Comma = ';'
	}
	lines, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, errors.New("it is empty: its first line must name the columns")
	}
	place := map[string]int{}
	for i, title := range lines[0] {
		for member, names := range columns {
			if slices.Contains(names, strings.ToLower(strings.TrimSpace(title))) {
				place[member] = i
			}
		}
	}
	if _, there := place["reference"]; !there {
		return nil, errors.New("its first line names no column reference")
	}
	orders = []map[string]string{}
	for _, line := range lines[1:] {
		order := map[string]string{}
		for member, i := range place {
			if v := strings.TrimSpace(line[i]); v != "" {
				order[member] = v
			}
		}
		if sum := order["amount"]; sum != "" {
			order["amount"] = strings.ReplaceAll(strings.ReplaceAll(sum, " ", ""), ",", ".")
		}
		orders = append(orders, order)
	}
	return orders, nil
}

func (r reconciliation) print(w io.Writer, asCSV, asJSON bool) error {
	switch {
	case asJSON:
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		type side map[string]any
		show := func(s bookSide) side {
			return side{"state": s.State, "currency": s.Currency, "amount": s.Amount, "amount_authorized": s.Authorized,
				"amount_captured": s.Captured, "amount_refunded": s.Refunded}
		}
		list := []map[string]any{}
		for _, d := range r.Differences {
			list = append(list, map[string]any{"kind": d.Kind, "reference": d.Reference, "gateway_order_id": d.OrderID, "session": d.Session,
				"attempt": d.Attempt, "ours": show(d.Ours), "theirs": show(d.Theirs), "repaired": d.Repaired})
		}
		return e.Encode(map[string]any{"source": r.Source, "ours": r.Ours, "theirs": r.Theirs, "complete": r.Complete, "differences": list})
	case asCSV:
		c := csv.NewWriter(w)
		rows := [][]string{{"kind", "reference", "gateway_order_id", "session", "attempt", "ours", "ours_captured", "ours_refunded", "theirs",
			"theirs_amount", "theirs_captured", "theirs_refunded", "currency", "repaired"}}
		n := func(v int64) string { return strconv.FormatInt(v, 10) }
		for _, d := range r.Differences {
			currency := d.Ours.Currency
			if currency == "" {
				currency = d.Theirs.Currency
			}
			rows = append(rows, []string{d.Kind, d.Reference, d.OrderID, d.Session, strconv.Itoa(d.Attempt), d.Ours.State, n(d.Ours.Captured),
				n(d.Ours.Refunded), d.Theirs.State, n(d.Theirs.Amount), n(d.Theirs.Captured), n(d.Theirs.Refunded), currency,
				strconv.FormatBool(d.Repaired)})
		}
		return c.WriteAll(rows)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, d := range r.Differences {
		repaired := ""
		if d.Repaired {
			repaired = ", renewed"
		}
		fmt.Fprintf(t, "%s%s\t%s\t%s\tours: %s\ttheirs: %s\n", d.Kind, repaired, d.Reference, d.Session, d.Ours, d.Theirs)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	by := map[string]string{"list": "the gateway's list", "inquiry": "asking about each", "orders": "the bank's list"}[r.Source]
	fmt.Fprintf(w, "%d of ours and %d of theirs compared by %s: %d differ\n", r.Ours, r.Theirs, by, len(r.Differences))
	if !r.Complete {
		fmt.Fprintln(w, "not everything was compared: ask for a shorter time")
	}
	return nil
}
