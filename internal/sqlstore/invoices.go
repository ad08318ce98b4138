package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"tollgate/internal/invoice"
	"tollgate/internal/jobs"
	"tollgate/session"
)

var _ invoice.Store = (*Store)(nil)

// invoiceStore keeps invoices.
type invoiceStore struct{ *database }

// AddInvoice writes a new invoice.
func (st *invoiceStore) AddInvoice(ctx context.Context, in *invoice.Invoice, c invoice.Change) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	err = st.change(ctx, invoiceNotice(in, c), func(tx *tx) error {
		if err := tx.exec(
			`INSERT INTO invoice (id, version, merchant, account, reference, status, created_at, body) VALUES ($1, 1, $2, $3, $4, $5, $6, $7)`,
			in.ID, in.Merchant, in.Account, in.Reference, string(in.Status), micros(in.CreatedAt), string(body)); err != nil {
			return err
		}
		return st.attachToInvoice(tx, in, c)
	})
	if unique(err) {
		return invoice.ErrReference
	}
	if err == nil {
		in.Version = 1
	}
	return err
}

// SaveInvoice is compare-and-swap.
func (st *invoiceStore) SaveInvoice(ctx context.Context, in *invoice.Invoice, c invoice.Change) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	err = st.change(ctx, invoiceNotice(in, c), func(tx *tx) error {
		n, err := tx.affected(`UPDATE invoice SET version = version + 1, status = $3, body = $4 WHERE id = $1 AND version = $2`,
			in.ID, in.Version, string(in.Status), string(body))
		if err == nil && n == 0 {
			err = invoice.ErrConflict
		}
		if err != nil {
			return err
		}
		return st.attachToInvoice(tx, in, c)
	})
	if err == nil {
		in.Version++
	}
	return err
}

// invoiceNotice wakes whoever sends webhooks and runs jobs.
func invoiceNotice(in *invoice.Invoice, c invoice.Change) (n notice) {
	if len(c.Events) > 0 {
		n.session = in.ID
	}
	n.jobs = !c.Inquire.IsZero()
	return n
}

// attachToInvoice writes what belongs to an invoice just written: events and the next inquiry.
func (st *invoiceStore) attachToInvoice(tx *tx, in *invoice.Invoice, c invoice.Change) error {
	for _, e := range c.Events {
		if _, err := tell(tx, session.AccountEvent{
			Merchant: in.Merchant, Subject: in.ID, Type: session.EventType(e.Type), At: e.At, Data: e.Data,
		}, 0); err != nil {
			return err
		}
	}
	if c.Inquire.IsZero() {
		return nil
	}
	return st.enqueue(tx, []jobs.Job{{Kind: invoice.JobInquire, Key: in.ID, Payload: in.Job(), RunAt: c.Inquire}})
}

// DropInvoice frees a reference.
func (st *invoiceStore) DropInvoice(ctx context.Context, in *invoice.Invoice) error {
	return st.changeOne(ctx, invoice.ErrNotFound, `DELETE FROM invoice WHERE id = $1 AND version = $2`, in.ID, in.Version)
}

// Invoice reads one.
func (st *invoiceStore) Invoice(ctx context.Context, merchant, id string) (invoice.Invoice, error) {
	return st.oneInvoice(ctx, `merchant = $1 AND id = $2`, merchant, id)
}

// InvoiceOf reads the one that has a reference.
func (st *invoiceStore) InvoiceOf(ctx context.Context, account, reference string) (invoice.Invoice, error) {
	return st.oneInvoice(ctx, `account = $1 AND reference = $2`, account, reference)
}

func (st *invoiceStore) oneInvoice(ctx context.Context, where string, args ...any) (invoice.Invoice, error) {
	in, err := scanInvoice(st.r.QueryRowContext(ctx, `SELECT version, body FROM invoice WHERE `+where, args...))
	if errors.Is(err, sql.ErrNoRows) {
		err = invoice.ErrNotFound
	}
	return in, err
}

func scanInvoice(row interface{ Scan(...any) error }) (in invoice.Invoice, err error) {
	var version int64
	var body string
	if err := row.Scan(&version, &body); err != nil {
		return in, err
	}
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		return in, fmt.Errorf("sqlstore: an invoice: %w", err)
	}
	in.Version = version
	return in, nil
}

// ListInvoices finds a merchant's invoices, newest first.
func (st *invoiceStore) ListInvoices(ctx context.Context, f invoice.Filter) ([]invoice.Invoice, error) {
	where, args := []string{"merchant = $1"}, []any{f.Merchant}
	and := func(clause, value string) {
		if value != "" {
			args = append(args, value)
			where = append(where, strings.ReplaceAll(clause, "?", fmt.Sprintf("$%d", len(args))))
		}
	}
	and("account = ?", f.Account)
	and("reference IN (?, COALESCE((SELECT tag FROM merchant_tag WHERE merchant = $1), '') || ?)", f.Reference)
	and("status = ?", string(f.Status))
	and("(created_at, id) < (SELECT created_at, id FROM invoice WHERE id = ? AND merchant = $1)", f.Before)
	if f.Limit < 1 || f.Limit > maxPage {
		f.Limit = maxPage
	}
	order := "created_at"
	if f.Reference != "" { // a few: to be found by their index, not by the one that has the order
		order = "created_at + 0"
	}
	rows, err := st.r.QueryContext(ctx, fmt.Sprintf(`SELECT version, body FROM invoice WHERE %s ORDER BY %s DESC, id DESC LIMIT %d`,
		strings.Join(where, " AND "), order, f.Limit), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []invoice.Invoice
	for rows.Next() {
		in, err := scanInvoice(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, in)
	}
	return list, rows.Err()
}
