package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"tollgate/internal/wallet"
)

var _ wallet.Customers = (*Store)(nil)

// customerStore keeps customers' credentials and saved cards.
type customerStore struct{ *database }

// SaveCredential keeps the newest sealed credential of a customer in an account.
func (st *customerStore) SaveCredential(
	ctx context.Context, merchant, account, customer, sealed string, issued, expires time.Time,
) error {
	return st.change(ctx, notice{}, func(tx *tx) error {
		if err := tx.exec(`INSERT INTO met_customer (merchant, account, customer) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			merchant, account, customer); err != nil {
			return err
		}
		return tx.exec(`INSERT INTO credential (account, customer, sealed, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (account, customer) DO UPDATE SET sealed = excluded.sealed, issued_at = excluded.issued_at, expires_at = excluded.expires_at
			WHERE excluded.issued_at >= credential.issued_at`,
			account, customer, sealed, micros(issued), micros(expires))
	})
}

// Met tells whether the merchant has met a customer.
func (st *customerStore) Met(ctx context.Context, merchant, account, customer string) (met bool, err error) {
	err = st.r.QueryRowContext(ctx,
		`SELECT EXISTS (SELECT 1 FROM met_customer WHERE merchant = $1 AND account = $2 AND customer = $3)`,
		merchant, account, customer).Scan(&met)
	return met, err
}

// Credential reads a customer's credential.
func (st *customerStore) Credential(ctx context.Context, account, customer string) (sealed string, err error) {
	err = st.r.QueryRowContext(ctx, `SELECT sealed FROM credential WHERE account = $1 AND customer = $2 AND expires_at > $3`,
		account, customer, micros(st.o.Now())).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		err = wallet.ErrNotFound
	}
	return sealed, err
}

// DropCredential forgets a customer's credential, if it is still that one.
func (st *customerStore) DropCredential(ctx context.Context, account, customer, sealed string) error {
	return st.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(`DELETE FROM credential WHERE account = $1 AND customer = $2 AND sealed = $3`, account, customer, sealed)
	})
}

// SaveCard keeps a saved card and sets its ID to the one it had.
func (st *customerStore) SaveCard(ctx context.Context, c *wallet.SavedCard) error {
	return st.change(ctx, notice{}, func(tx *tx) error { return saveCard(tx, c) })
}

func saveCard(tx *tx, c *wallet.SavedCard) error {
	return tx.QueryRowContext(tx.ctx, `INSERT INTO saved_card (id, merchant, account, customer, gateway_id, brand, first6, last4,
		expiry, name, series_id, created_at, kind, payment_system, info, issued_at, checked_at, asked_at, imported, gateway_customer)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $12, $18, $19)
		ON CONFLICT (merchant, account, customer, gateway_id) DO UPDATE SET brand = excluded.brand, first6 = excluded.first6,
		last4 = excluded.last4, expiry = excluded.expiry,
		series_id = CASE excluded.series_id WHEN '' THEN saved_card.series_id ELSE excluded.series_id END,
		kind = excluded.kind, payment_system = excluded.payment_system, info = excluded.info, issued_at = excluded.issued_at,
		checked_at = excluded.checked_at, asked_at = excluded.asked_at,
		gateway_customer = excluded.gateway_customer RETURNING id`,
		c.ID, c.Merchant, c.Account, c.Customer, c.GatewayID, c.Card.Brand, c.Card.First6, c.Card.Last4,
		c.Expiry, c.Name, c.SeriesID, micros(c.CreatedAt), c.Kind, c.System, c.Info, micros(c.IssuedAt), micros(c.CheckedAt),
		c.Imported, c.GatewayCustomer).Scan(&c.ID)
}

// UpdateCard keeps what the gateway says of a card now.
func (st *customerStore) UpdateCard(ctx context.Context, c *wallet.SavedCard) error {
	return st.changeOne(ctx, wallet.ErrNotFound, `UPDATE saved_card SET brand = $3, first6 = $4, last4 = $5, expiry = $6, kind = $7,
		payment_system = $8, info = $9, issued_at = $10, checked_at = $11, asked_at = $11 WHERE merchant = $1 AND id = $2`,
		c.Merchant, c.ID, c.Card.Brand, c.Card.First6, c.Card.Last4, c.Expiry, c.Kind, c.System, c.Info, micros(c.IssuedAt),
		micros(c.CheckedAt))
}

// CardHolders are the cards of an account under a gateway's name.
func (st *customerStore) CardHolders(ctx context.Context, account, gatewayID string) ([]wallet.SavedCard, error) {
	rows, err := st.r.QueryContext(ctx, `SELECT `+savedCardColumns+` FROM saved_card WHERE account = $1 AND gateway_id = $2`,
		account, gatewayID)
	return savedCards(rows, err)
}

// ImportCard keeps a card that nobody else holds.
func (st *customerStore) ImportCard(ctx context.Context, c *wallet.SavedCard) error {
	return st.change(ctx, notice{}, func(tx *tx) error {
		taken := false
		if err := tx.QueryRowContext(tx.ctx, `SELECT EXISTS (SELECT 1 FROM saved_card WHERE account = $1 AND gateway_id = $2
			AND (merchant <> $3 OR customer <> $4))`, c.Account, c.GatewayID, c.Merchant, c.Customer).Scan(&taken); err != nil {
			return err
		}
		if taken {
			return wallet.ErrNotYours
		}
		err := saveCard(tx, c)
		if unique(err) { // another imported it this moment
			err = wallet.ErrNotYours
		}
		return err
	})
}

// CardsToAsk lists holders about one of whose cards nobody asked since before.
func (st *customerStore) CardsToAsk(ctx context.Context, account string, before time.Time, limit int) ([]wallet.Holder, error) {
	rows, err := st.r.QueryContext(ctx, `SELECT merchant, customer FROM saved_card WHERE account = $1 AND asked_at < $2
		ORDER BY asked_at LIMIT $3 + 0`, account, micros(before), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var due []wallet.Holder
	for rows.Next() {
		h := wallet.Holder{Account: account}
		if err := rows.Scan(&h.Merchant, &h.Customer); err != nil {
			return nil, err
		}
		if !slices.Contains(due, h) {
			due = append(due, h)
		}
	}
	return due, rows.Err()
}

// TakeCards notes that a holder's cards are being asked about.
func (st *customerStore) TakeCards(ctx context.Context, h wallet.Holder, before, now time.Time) (mine bool, err error) {
	err = st.change(ctx, notice{}, func(tx *tx) error {
		n, err := tx.affected(`UPDATE saved_card SET asked_at = $5 WHERE merchant = $1 AND account = $2 AND customer = $3 AND asked_at < $4`,
			h.Merchant, h.Account, h.Customer, micros(before), micros(now))
		mine = n > 0
		return err
	})
	return mine, err
}

const savedCardColumns = `id, merchant, account, customer, gateway_id, brand, first6, last4, expiry, name, series_id, created_at, kind,
	payment_system, info, issued_at, checked_at, imported, gateway_customer`

func scanSavedCard(row interface{ Scan(...any) error }) (c wallet.SavedCard, err error) {
	var at, issued, checked int64
	err = row.Scan(&c.ID, &c.Merchant, &c.Account, &c.Customer, &c.GatewayID, &c.Card.Brand, &c.Card.First6, &c.Card.Last4,
		&c.Expiry, &c.Name, &c.SeriesID, &at, &c.Kind, &c.System, &c.Info, &issued, &checked, &c.Imported,
		&c.GatewayCustomer)
	c.CreatedAt, c.IssuedAt, c.CheckedAt = instant(at), instant(issued), instant(checked)
	return c, err
}

// SavedCards lists a customer's cards, newest first.
func (st *customerStore) SavedCards(ctx context.Context, merchant, account, customer string) ([]wallet.SavedCard, error) {
	rows, err := st.r.QueryContext(ctx, `SELECT `+savedCardColumns+` FROM saved_card
		WHERE merchant = $1 AND customer = $2 AND (account = $3 OR $4) ORDER BY created_at DESC, id`, merchant, customer, account,
		account == "")
	return savedCards(rows, err)
}

func savedCards(rows *sql.Rows, err error) ([]wallet.SavedCard, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []wallet.SavedCard
	for rows.Next() {
		c, err := scanSavedCard(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// SavedCard reads one card.
func (st *customerStore) SavedCard(ctx context.Context, merchant, id string) (wallet.SavedCard, error) {
	c, err := scanSavedCard(st.r.QueryRowContext(ctx, `SELECT `+savedCardColumns+` FROM saved_card WHERE merchant = $1 AND id = $2`,
		merchant, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = wallet.ErrNotFound
	}
	return c, err
}

// BeginSeries keeps the payment that began a card's series, unless one did before.
func (st *customerStore) BeginSeries(ctx context.Context, merchant, id, series string) error {
	return st.changeOne(ctx, wallet.ErrNotFound, `UPDATE saved_card SET series_id = CASE series_id WHEN '' THEN $3 ELSE series_id END
		WHERE merchant = $1 AND id = $2`, merchant, id, series)
}

// RenameSavedCard gives a card a name.
func (st *customerStore) RenameSavedCard(ctx context.Context, merchant, id, name string) error {
	return st.changeOne(ctx, wallet.ErrNotFound, `UPDATE saved_card SET name = $3 WHERE merchant = $1 AND id = $2`, merchant, id,
		name)
}

// DropSavedCard forgets a card.
func (st *customerStore) DropSavedCard(ctx context.Context, merchant, id string) error {
	return st.changeOne(ctx, wallet.ErrNotFound, `DELETE FROM saved_card WHERE merchant = $1 AND id = $2`, merchant, id)
}

// AddCardOrder writes an order, or answers the one that has its place.
func (st *customerStore) AddCardOrder(ctx context.Context, o wallet.CardOrder) (earlier *wallet.CardOrder, err error) {
	err = st.change(ctx, notice{}, func(tx *tx) error {
		earlier = nil
		if o.RefTag != "" { // one from before the account was shared
			switch err := readCardOrder(tx, o, strings.TrimPrefix(o.Reference, o.RefTag), &earlier); {
			case err == nil && earlier.Merchant == o.Merchant:
				return nil
			case err != nil && !errors.Is(err, sql.ErrNoRows):
				return err
			}
			earlier = nil
		}
		n, err := tx.affected(`INSERT INTO card_order (account, reference, merchant, customer, kind, card, created_at)
			VALUES ($1, $2, $3, $4, $5, '', $6) ON CONFLICT (account, reference) DO NOTHING`,
			o.Account, o.Reference, o.Merchant, o.Customer, string(o.Kind), micros(o.CreatedAt))
		if err != nil || n > 0 {
			return err
		}
		if err = readCardOrder(tx, o, o.Reference, &earlier); errors.Is(err, sql.ErrNoRows) { // forgotten this moment
			return errAgain
		}
		return err
	})
	return earlier, err
}

func readCardOrder(tx *tx, o wallet.CardOrder, reference string, into **wallet.CardOrder) error {
	earlier := &wallet.CardOrder{Account: o.Account, Reference: reference}
	var at int64
	err := tx.QueryRowContext(tx.ctx,
		`SELECT merchant, customer, kind, card, created_at FROM card_order WHERE account = $1 AND reference = $2`,
		o.Account, reference).Scan(&earlier.Merchant, &earlier.Customer, &earlier.Kind, &earlier.Card, &at)
	earlier.CreatedAt = instant(at)
	*into = earlier
	return err
}

// FillCardOrder keeps an order's card.
func (st *customerStore) FillCardOrder(ctx context.Context, o wallet.CardOrder, c *wallet.SavedCard) error {
	return st.change(ctx, notice{}, func(tx *tx) error {
		if err := saveCard(tx, c); err != nil {
			return err
		}
		return tx.exec(`UPDATE card_order SET card = $3 WHERE account = $1 AND reference = $2`, o.Account, o.Reference, c.ID)
	})
}

// DropCardOrder forgets an order without a card.
func (st *customerStore) DropCardOrder(ctx context.Context, o wallet.CardOrder) error {
	return st.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(`DELETE FROM card_order WHERE account = $1 AND reference = $2 AND card = ''`, o.Account, o.Reference)
	})
}
