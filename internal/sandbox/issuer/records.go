package issuer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"tollgate/internal/sandbox/amount"
)

// records are the transactions that the bank keeps, and how they end.
type records struct {
	o   Options
	key []byte // signs PaRes

	mu     sync.Mutex
	emv    map[string]*transaction // by threeDSServerTransID and by acsTransID
	open   map[string]*transaction // by threeDSServerTransID: answered with C or D, no result yet
	legacy map[string]*payerAuth   // by xid and by our own id
	subs   []func(string, Result)
}

func (i *records) remember(t *transaction) {
	i.emv[t.ServerID], i.emv[t.ACSID] = t, t
	if t.Answer != nil && !t.Result.Done {
		i.open[t.ServerID] = t
	}
}

func (i *records) keep(t *transaction) error { return i.o.Journal.Put(emvBucket, t.ServerID, t) }

// expire applies the time limits; the lock is held. It reports whether there is a new result, of which the caller must tell.
func (i *records) expire(t *transaction) (bool, error) {
	if t.Answer == nil || t.Result.Done {
		return false, nil
	}
	now := i.o.Now()
	switch {
	case t.Answer.TransStatus == "D":
		if now.Sub(t.AnsweredAt) < i.o.Decoupled {
			return false, nil
		}
		return i.concluded(t, t.Challenge)
	case t.CReqAt.IsZero():
		if now.Sub(t.AnsweredAt) <= i.o.FirstCReq {
			return false, nil
		}
		return i.concluded(t, "unopened")
	case now.Sub(t.SteppedAt) > i.o.Interaction:
		return i.concluded(t, "expired")
	}
	return false, nil
}

func (i *records) concluded(t *transaction, outcome string) (bool, error) {
	err := i.conclude(t, outcome)
	return err == nil, err
}

// conclude makes the result durable; the lock is held.
func (i *records) conclude(t *transaction, outcome string) error {
	next := *t
	r := Result{TransStatus: "Y", ECI: "05", Done: true}
	failed := func(status, reason, cancel string) {
		r.TransStatus, r.TransStatusReason, r.ECI, r.ChallengeCancel = status, reason, "07", cancel
	}
	cres, erro := "Y", ""
	switch outcome {
	case "attempt":
		r.TransStatus, r.ECI = "A", "06" // the final CRes knows only Y and N
	case "fail":
		failed("N", "01", "")
		cres = "N"
	case "exhausted":
		failed("N", "19", "")
		cres = "N"
	case "cancel":
		failed("N", "01", "01")
		cres = "N"
	case "unable":
		failed("U", "06", "")
		cres = "N"
	case "erro", "expired":
		failed("U", "14", "04")
		cres, erro = "", "402"
	case "unopened":
		failed("U", "14", "05")
		cres, erro = "", "402"
	case "bad":
		failed("U", "06", "06")
		cres = ""
	}
	if t.Never || t.Challenge == "never" {
		cres, erro = "", ""
	}
	var err error
	if r.ECI != "07" {
		if r.AuthenticationValue, err = i.authenticationValue(); err != nil {
			return err
		}
	}
	next.Result = r
	if next.Answer.TransStatus == "C" {
		switch {
		case cres != "":
			next.Field, next.Out = "cres", t.cres(cres)
		case erro != "":
			next.Field, next.Out = "erro", t.erro(erro, "Transaction timed out", "")
		}
	}
	next.told = make(chan struct{})
	if err := i.keep(&next); err != nil {
		return err
	}
	*t = next
	delete(i.open, t.ServerID)
	return nil
}

// notifySubscribers calls the subscribers; no lock is held.
func (i *records) notifySubscribers(t *transaction) {
	i.mu.Lock()
	subs, id, r, told := slices.Clone(i.subs), t.ServerID, t.Result, t.told
	i.mu.Unlock()
	for _, f := range subs {
		f(id, r)
	}
	close(told)
}

// find returns the transaction of either kind whose id this is; one of both is nil.
func (i *records) find(id string) (*transaction, *payerAuth) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.emv[id], i.legacy[id]
}

func (i *records) begun(t *transaction) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return !t.CReqAt.IsZero()
}

func (i *records) opened(a *payerAuth) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return a.Opened
}

func (i *records) forget() {
	i.emv, i.open, i.legacy = map[string]*transaction{}, map[string]*transaction{}, map[string]*payerAuth{}
}

func (i *records) load() error {
	j, oldest := i.o.Journal, i.o.Now().Add(-forget)
	err := j.Each(keyBucket, func(_ string, raw json.RawMessage) error { return json.Unmarshal(raw, &i.key) })
	if err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if len(i.key) == 0 {
		if err := i.newKey(); err != nil {
			return err
		}
	}
	err = j.Each(emvBucket, func(key string, raw json.RawMessage) error {
		t := &transaction{}
		if err := json.Unmarshal(raw, t); err != nil {
			return err
		}
		if t.Begun.Before(oldest) {
			return j.Delete(emvBucket, key)
		}
		i.remember(t)
		return nil
	})
	if err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	err = j.Each(legacyBucket, func(key string, raw json.RawMessage) error {
		p := &payerAuth{}
		if err := json.Unmarshal(raw, p); err != nil {
			return err
		}
		if p.Begun.Before(oldest) {
			return j.Delete(legacyBucket, key)
		}
		i.legacy[p.ID], i.legacy[p.Purchase.XID] = p, p
		return nil
	})
	if err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	return nil
}

func (i *records) newKey() error {
	key := make([]byte, 32)
	if _, err := io.ReadFull(i.o.Rand, key); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	i.key = key
	return i.o.Journal.Put(keyBucket, "pares", key)
}

// random reads n bytes; the lock is held, because a test's reader need not be safe for concurrent use.
func (i *records) random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(i.o.Rand, b); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	return b, nil
}

// uuid makes one of the version: 4 for the 3DS Server, 1 for the ACS, as real ones do.
func (i *records) uuid(version byte) (string, error) {
	b, err := i.random(16)
	if err != nil {
		return "", err
	}
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

// authenticationValue makes an authentication value (CAVV): 20 bytes, 28 characters.
func (i *records) authenticationValue() (string, error) {
	b, err := i.random(20)
	return base64.StdEncoding.EncodeToString(b), err
}

func (i *records) sign(text string) string {
	m := hmac.New(sha256.New, i.key)
	m.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

func (i *records) keepLegacy(p *payerAuth) error { return i.o.Journal.Put(legacyBucket, p.ID, p) }

// concludeLegacy makes the answer durable; the lock is held.
func (i *records) concludeLegacy(a *payerAuth, outcome string) error {
	status := legacyStatus[outcome]
	next := *a
	next.Answer = PaRes{XID: a.Purchase.XID, Status: status}
	pan, tx := strings.Repeat("0", 16), ""
	if status == "Y" || status == "A" {
		cavv, err := i.authenticationValue()
		if err != nil {
			return err
		}
		next.Answer.CAVV, next.Answer.ECI = cavv, map[string]string{"Y": "05", "A": "06"}[status]
		pan = strings.Repeat("0", 12) + a.Last4
		tx = "<cavv>" + cavv + "</cavv><eci>" + next.Answer.ECI + "</eci><cavvAlgorithm>2</cavvAlgorithm>"
	}
	p := a.Purchase
	id := "x" + a.ID[:8]
	text := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>`+
		`<ThreeDSecure><Message id="%s"><PARes id="%sR"><version>1.0.2</version>`+
		`<Merchant><acqBIN>400001</acqBIN><merID>SANDBOX</merID></Merchant>`+
		`<Purchase><xid>%s</xid><date>%s</date><purchAmount>%d</purchAmount><currency>%s</currency><exponent>%d</exponent></Purchase>`+
		`<pan>%s</pan><TX><time>%s</time><status>%s</status>%s</TX></PARes>`+
		`<Signature xmlns="urn:sandbox-bank:signature"><SignatureMethod>HMAC-SHA256</SignatureMethod>`+
		`<SignatureValue></SignatureValue></Signature></Message></ThreeDSecure>`,
		id, id, p.XID, a.Begun.UTC().Format(xmlTime), p.Amount, amount.Digits(p.Currency), p.Exponent,
		pan, i.o.Now().UTC().Format(xmlTime), status, tx)
	// The signature covers the whole message, with its own value left out.
	text = strings.Replace(text, signatureOpen, signatureOpen+i.sign(text), 1)
	var err error
	if next.PaRes, err = pack(text); err != nil {
		return err
	}
	if err := i.keepLegacy(&next); err != nil {
		return err
	}
	*a = next
	return nil
}
