package issuer

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"tollgate/internal/sandbox/amount"
)

// Purchase is what a PaReq says.
type Purchase struct {
	XID          string // 28 characters, base64 of 20 bytes; see NewXID
	MerchantName string // cut to 25 characters
	Amount       int64  // minor units
	Currency     string // ISO 4217, letters or digits
	Exponent     int
}

// PaRes is a verified payer authentication response.
type PaRes struct {
	XID, Status string // Y A N U
	ECI, CAVV   string // with Y and A
}

// payerAuth is one 3DS 1.0.2 authentication, as journalled: of the card only the last four digits.
type payerAuth struct {
	ID, Challenge, Last4 string
	Purchase             Purchase
	Begun                time.Time
	PaReq                string // as it was given out

	TermURL, MD string
	WrongCodes  int
	Opened      bool
	Answer      PaRes // Status "": none yet
	PaRes       string
}

// NewXID makes a transaction id of 3DS 1.0.2; "", which PaReq refuses, when there is no randomness.
func (i *Issuer) NewXID() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	xid, err := i.authenticationValue()
	if err != nil {
		return ""
	}
	return xid
}

// PaReq opens a 3DS 1.0.2 authentication: the address of the ACS and the message, deflated (zlib) and in standard base64 without
// line breaks. The same XID again, with the same data, gives the same message.
//
// A card with EMV 3DS is taken too, because a gateway without it runs such cards through 1.0.2.
func (i *Issuer) PaReq(c Card, p Purchase) (acsURL, paReq string, err error) {
	if c.Protocol == "" {
		return "", "", fmt.Errorf("%w: 3DS 1.0.2", ErrNotEnrolled)
	}
	if raw, err := base64.StdEncoding.Strict().DecodeString(p.XID); err != nil || len(raw) != 20 {
		return "", "", fmt.Errorf("%w: xid must be 20 bytes in base64", ErrRefused)
	}
	if p.Amount < 0 || p.Exponent < 0 || p.Exponent > 9 || amount.Digits(p.Currency) == "" {
		return "", "", fmt.Errorf("%w: purchase amount or currency", ErrRefused)
	}
	acsURL = i.o.BaseURL + "/acs/pareq"
	i.mu.Lock()
	defer i.mu.Unlock()
	if old := i.legacy[p.XID]; old != nil {
		if old.Purchase != p {
			return "", "", fmt.Errorf("%w: xid was used for another purchase", ErrRefused)
		}
		return acsURL, old.PaReq, nil
	}
	a := &payerAuth{Challenge: c.Challenge, Last4: c.PAN[len(c.PAN)-4:], Purchase: p, Begun: i.o.Now()}
	if a.ID, err = i.uuid(4); err != nil {
		return "", "", err
	}
	if a.PaReq, err = i.buildPaReq(a); err != nil {
		return "", "", err
	}
	if err := i.keepLegacy(a); err != nil {
		return "", "", err
	}
	i.legacy[a.ID], i.legacy[p.XID] = a, a
	return acsURL, a.PaReq, nil
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder does not fail
	return b.String()
}

func cutText(s string, n int) string {
	r := []rune(s)
	return string(r[:min(n, len(r))])
}

const xmlTime = "20060102 15:04:05"

func (i *Issuer) buildPaReq(a *payerAuth) (string, error) {
	p := a.Purchase
	name := cutText(p.MerchantName, 25)
	if name == "" {
		name = "Sandbox merchant"
	}
	id := "x" + a.ID[:8]
	text := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>`+
		`<ThreeDSecure><Message id="%s"><PAReq><version>1.0.2</version>`+
		`<Merchant><acqBIN>400001</acqBIN><merID>SANDBOX</merID><name>%s</name><country>398</country><url>%s</url></Merchant>`+
		`<Purchase><xid>%s</xid><date>%s</date><amount>%s</amount><purchAmount>%d</purchAmount>`+
		`<currency>%s</currency><exponent>%d</exponent></Purchase>`+
		`<CH><acctID>%s</acctID><expiry>%s</expiry></CH></PAReq></Message></ThreeDSecure>`,
		id, escape(name), escape(i.o.BaseURL), p.XID, a.Begun.UTC().Format(xmlTime),
		escape(amount.Letters(p.Currency)+" "+amount.Decimal(p.Amount, p.Currency)), p.Amount, amount.Digits(p.Currency), p.Exponent,
		strings.ReplaceAll(a.ID, "-", "")[:28], a.Begun.UTC().AddDate(2, 0, 0).Format("0601"))
	return pack(text)
}

func pack(text string) (string, error) {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// unpack reads base64 of zlib data, at most 64 KiB of it, checksum included.
func unpack(value string) (string, bool) {
	raw, ok := decode64(value)
	if !ok {
		return "", false
	}
	r, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		return "", false
	}
	text, err := io.ReadAll(io.LimitReader(r, 1<<16))
	return string(text), err == nil
}

var legacyStatus = map[string]string{"pass": "Y", "attempt": "A", "fail": "N", "exhausted": "N", "cancel": "N", "unable": "U",
	"erro": "U", "padded": "Y", "folded": "Y", "twice": "Y", "get": "Y"}

const signatureOpen = "<SignatureValue>"

// CheckPaRes verifies the message's own signature and that this issuer gave exactly these bytes to a browser: a PaRes that was
// altered, re-encoded or forged is ErrRefused.
func (i *Issuer) CheckPaRes(paRes string) (PaRes, error) {
	text, ok := unpack(paRes)
	if !ok {
		return PaRes{}, fmt.Errorf("%w: PaRes is not deflated XML", ErrRefused)
	}
	before, rest, ok := strings.Cut(text, signatureOpen)
	value, after, closed := strings.Cut(rest, "</SignatureValue>")
	i.mu.Lock()
	defer i.mu.Unlock()
	if !ok || !closed || value != i.sign(before+signatureOpen+"</SignatureValue>"+after) {
		return PaRes{}, fmt.Errorf("%w: PaRes signature", ErrRefused)
	}
	a := i.legacy[between(text, "<xid>", "</xid>")]
	if a == nil || a.PaRes != paRes {
		return PaRes{}, fmt.Errorf("%w: PaRes was changed on its way", ErrRefused)
	}
	return a.Answer, nil
}

func between(s, open, end string) string {
	_, rest, _ := strings.Cut(s, open)
	v, _, _ := strings.Cut(rest, end)
	return v
}
