package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"tollgate/internal/merchant"
	"tollgate/internal/webhook"
	"tollgate/session"
)

// Sealed is a sealed value that is kept.
type Sealed struct {
	Place string // the table
	Name  string // under which it was sealed
	Value string

	in       *sealedPlace
	one, two any
	text     string // of the whole column
}

// sealedPlace is a column that holds sealed values. Every use of the sealer that is kept in a table has its line in
// sealedPlaces.
type sealedPlace struct {
	table, column string
	one, two      string // the primary key
	marked        string // what only rows with a sealed value have in the column; "": every row is looked at
	bytes         bool
	find          func(one any, text string) ([]Sealed, error)
}

func whole(name string) func(any, string) ([]Sealed, error) {
	return func(_ any, text string) ([]Sealed, error) {
		if text == "" {
			return nil, nil
		}
		return []Sealed{{Name: name, Value: text}}, nil
	}
}

// The names under which sessions seal: the challenge of a login, what a browser brought from the bank, a customer's
// credential.
const (
	loginSeal      = "login"
	answerSeal     = "answer"
	credentialSeal = "credential"
)

func sealedPlaces() []*sealedPlace {
	return []*sealedPlace{
		{table: "installation", column: "value", one: "name", find: func(one any, text string) ([]Sealed, error) {
			if one != PrintKey {
				return nil, nil
			}
			return whole(PrintKey)(one, text)
		}},
		{table: "credential", column: "sealed", one: "account", two: "customer", find: whole(credentialSeal)},
		{table: "webhook_signer", column: "keys", one: "signer", find: func(one any, text string) (found []Sealed, err error) {
			var keys []webhook.Key
			if err := json.Unmarshal([]byte(text), &keys); err != nil {
				return nil, err
			}
			signer, _ := one.(string)
			for _, k := range keys {
				found = append(found, Sealed{Name: webhook.SealName(signer), Value: k.Sealed})
			}
			return found, nil
		}},
		{table: "idempotency", column: "salt", one: "merchant", two: "key", find: whole(merchant.SaltSeal)},
		{table: "idempotency", column: "body", one: "merchant", two: "key", bytes: true, find: whole(merchant.AnswerSeal)},
		{table: "session", column: "body", one: "id", marked: `"challenge":"`, find: challenges},
		{table: "attempt", column: "body", one: "session", two: "n", marked: `"sealed":"`, find: answers},
	}
}

// challenges is what a session keeps of logins that wait for their codes.
func challenges(_ any, text string) (found []Sealed, err error) {
	var s struct {
		Login *struct {
			Challenge string `json:"challenge"`
			Others    []struct {
				Challenge string `json:"challenge"`
			} `json:"others"`
		} `json:"login"`
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil || s.Login == nil {
		return nil, err
	}
	if s.Login.Challenge != "" {
		found = append(found, Sealed{Name: loginSeal, Value: s.Login.Challenge})
	}
	for _, o := range s.Login.Others {
		found = append(found, Sealed{Name: loginSeal, Value: o.Challenge})
	}
	return found, nil
}

// answers is what an attempt keeps of what browsers brought from the bank.
func answers(_ any, text string) (found []Sealed, err error) {
	var a struct {
		Runs []struct {
			Sealed string `json:"sealed"`
		} `json:"runs"`
	}
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return nil, err
	}
	for _, r := range a.Runs {
		if r.Sealed != "" {
			found = append(found, Sealed{Name: answerSeal, Value: r.Sealed})
		}
	}
	return found, nil
}

// sealedPage is how many rows are looked at by one statement.
const sealedPage = 200

// sealedStore finds what is sealed, in whatever table, and seals it anew.
type sealedStore struct{ *database }

// EachSealed shows every sealed value that is kept, a page of rows at a time; between pages it calls rest, which may be
// nil. What is written meanwhile may be seen or not.
func (st *sealedStore) EachSealed(ctx context.Context, rest func(), see func(Sealed) error) error {
	for _, p := range sealedPlaces() {
		var one, two any
		for {
			page, rows, err := st.sealedPage(ctx, p, &one, &two)
			if err != nil {
				return err
			}
			for _, s := range page {
				if err := see(s); err != nil {
					return err
				}
			}
			if rows < sealedPage {
				break
			}
			if rest != nil {
				rest()
			}
		}
	}
	return nil
}

func (st *sealedStore) sealedPage(ctx context.Context, p *sealedPlace, one, two *any) (found []Sealed, rows int, err error) {
	second, order, where := "''", p.one, ""
	var args []any
	if p.two != "" {
		second, order = p.two, p.one+", "+p.two
	}
	switch {
	case *one == nil:
	case p.two == "":
		where, args = " WHERE "+p.one+" > $1", []any{*one}
	default:
		where, args = " WHERE ("+order+") > ($1, $2)", []any{*one, *two}
	}
	text := p.column
	if p.marked != "" {
		text = "CASE WHEN " + p.column + " LIKE '%" + p.marked + "%' THEN " + p.column + " ELSE '' END"
	}
	query := "SELECT " + p.one + ", " + second + ", " + text + " FROM " + p.table + where + " ORDER BY " + order
	read, err := st.r.QueryContext(ctx, query+" LIMIT "+strconv.Itoa(sealedPage), args...)
	if err != nil {
		return nil, 0, err
	}
	defer read.Close()
	for read.Next() {
		var raw []byte
		if err := read.Scan(one, two, &raw); err != nil {
			return nil, 0, err
		}
		rows++
		for _, key := range []*any{one, two} {
			if b, ok := (*key).([]byte); ok {
				*key = string(b)
			}
		}
		if len(raw) == 0 {
			continue
		}
		values, err := p.find(*one, string(raw))
		if err != nil {
			return nil, 0, err
		}
		for _, v := range values {
			v.Place, v.in, v.one, v.two, v.text = p.table, p, *one, *two, string(raw)
			found = append(found, v)
		}
	}
	return found, rows, read.Err()
}

// Reseal puts a freshly sealed value in place of one, if its row is still as it was seen; false if not: whoever changed it
// may have sealed it with whichever key.
func (st *sealedStore) Reseal(ctx context.Context, s Sealed, fresh string) (done bool, err error) {
	next := fresh
	if s.text != s.Value { // within JSON, where a sealed value stands once and needs no escapes
		next = strings.ReplaceAll(s.text, `"`+s.Value+`"`, `"`+fresh+`"`)
	}
	var was, is any = s.text, next
	if s.in.bytes {
		was, is = []byte(s.text), []byte(next)
	}
	args := []any{is, was, s.one}
	where := " WHERE " + s.in.column + " = $2 AND " + s.in.one + " = $3"
	if s.in.two != "" {
		where += " AND " + s.in.two + " = $4"
		args = append(args, s.two)
	}
	set := s.in.column + " = $1"
	if s.in.table == "webhook_signer" {
		set += ", version = version + 1" // a rotation by its merchant compares
	}
	// A session is another version then: who has loaded it would save it with what it was sealed with before.
	owner := ""
	if s.in.table == "session" || s.in.table == "attempt" {
		owner, _ = s.one.(string)
	}
	err = st.change(ctx, notice{session: owner}, func(tx *tx) error {
		if owner != "" {
			if err := tx.exec(`UPDATE session SET version = version + 1 WHERE id = $1`, owner); err != nil {
				return err
			}
		}
		n, err := tx.affected("UPDATE "+s.in.table+" SET "+set+where, args...)
		if err == nil && n == 0 {
			err = session.ErrConflict
		}
		return err
	})
	if errors.Is(err, session.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}
