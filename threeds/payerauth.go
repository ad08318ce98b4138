package threeds

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// MaxInflated caps the XML inside a PaReq or PaRes, in bytes; 22 KB of text can inflate to 16 MiB.
const MaxInflated = 256 << 10

// Caps on the elements of one 3DS 1.0.2 message and on the attributes of one element; a signed PaRes has about sixty and
// two.
const (
	maxElements = 4096
	maxAttrs    = 32
)

// PaMerchant is the merchant as the MPI described it to the ACS. A PaRes repeats only AcqBIN and MerID.
type PaMerchant struct {
	AcqBIN  string `json:"acqBIN,omitempty"`
	MerID   string `json:"merID,omitempty"`
	Name    string `json:"name,omitempty"`
	Country string `json:"country,omitempty"` // ISO numeric
	URL     string `json:"url,omitempty"`
}

// PaPurchase is the order of a PaReq, or what a PaRes repeats of it.
type PaPurchase struct {
	XID            string `json:"xid,omitempty"`         // 28 characters, base64 of 20 bytes
	Date           string `json:"date,omitempty"`        // yyyyMMdd HH:mm:ss, GMT
	Amount         string `json:"amount,omitempty"`      // for display; some MPIs put minor units here
	PurchAmount    string `json:"purchAmount,omitempty"` // minor units
	Currency       string `json:"currency,omitempty"`    // ISO numeric
	Exponent       string `json:"exponent,omitempty"`
	Desc           string `json:"desc,omitempty"`
	RecurFrequency string `json:"recurFrequency,omitempty"` // days
	RecurEnd       string `json:"recurEnd,omitempty"`       // yyyyMMdd
	Install        string `json:"install,omitempty"`
}

// PaReq is the 3DS 1.0.2 request that a gateway's MPI made for the ACS. Elements are text as written, judged by nobody
// here; absent ones are empty.
type PaReq struct {
	MessageID string     `json:"messageID,omitempty"`
	Version   string     `json:"version,omitempty"`
	Merchant  PaMerchant `json:"merchant"`
	Purchase  PaPurchase `json:"purchase"`
	AcctID    string     `json:"acctID,omitempty"` // opaque; a card number, against the rules, is masked to its last four digits
	Expiry    string     `json:"expiry,omitempty"` // yyMM
}

// PaRes is the 3DS 1.0.2 answer of the ACS, or its Error. Its signature is not verified and its outcome is a hint: the
// gateway alone judges the value, which must reach it untouched. The card number in it is not kept.
type PaRes struct {
	MessageID string     `json:"messageID,omitempty"`
	ID        string     `json:"id,omitempty"` // what the signature refers to
	Version   string     `json:"version,omitempty"`
	Merchant  PaMerchant `json:"merchant"`
	Purchase  PaPurchase `json:"purchase"`
	PANLast4  string     `json:"panLast4,omitempty"` // 0000 where the status is N or U
	TX        PaTX       `json:"tx"`
	IReq      *PaIReq    `json:"iReq,omitempty"`
	Signed    bool       `json:"signed"` // a Signature element follows the PARes
	Error     *PaError   `json:"error,omitempty"`
}

// PaTX is the outcome in a PaRes. Status is Y, A (attempt), N or U.
type PaTX struct {
	Time          string `json:"time,omitempty"` // yyyyMMdd HH:mm:ss
	Status        string `json:"status,omitempty"`
	CAVV          string `json:"cavv,omitempty"`
	ECI           string `json:"eci,omitempty"`
	CAVVAlgorithm string `json:"cavvAlgorithm,omitempty"`
}

// PaIReq says why the ACS found the PaReq invalid.
type PaIReq struct {
	Code       string `json:"iReqCode,omitempty"`
	Detail     string `json:"iReqDetail,omitempty"`
	VendorCode string `json:"vendorCode,omitempty"`
}

// PaError is a 3DS 1.0.2 Error message in the place of a PARes: not a decline. Code 98 is transient, 99 permanent.
type PaError struct {
	Version    string `json:"version,omitempty"`
	Code       string `json:"errorCode,omitempty"`
	Message    string `json:"errorMessage,omitempty"`
	Detail     string `json:"errorDetail,omitempty"`
	VendorCode string `json:"vendorCode,omitempty"`
}

// PeekPaReq looks into a PaReq. Post the value itself on.
func PeekPaReq(value string) (PaReq, error) {
	msg, err := payerAuthMessage(value, "PaReq")
	if err != nil {
		return PaReq{}, err
	}
	q := msg.child("PAReq")
	if q == nil {
		return PaReq{}, fail(ReasonWrongMessageType, "PAReq")
	}
	var r textReader
	p := PaReq{
		MessageID: msg.attr("id"),
		Version:   r.text(q, "version"),
		Merchant:  r.merchant(q),
		Purchase:  r.purchase(q),
		AcctID:    maskPAN(r.text(q, "CH", "acctID")),
		Expiry:    r.text(q, "CH", "expiry"),
	}
	if r.err != nil {
		return PaReq{}, r.err
	}
	return p, nil
}

// PeekPaRes looks into a PaRes: standard base64, folded or not, of a zlib or raw deflate stream of XML. Gateways also
// use the field for tokens of their own; those answer bad_zlib or bad_base64 here and are forwarded all the same.
func PeekPaRes(value string) (PaRes, error) {
	msg, err := payerAuthMessage(value, "PaRes")
	if err != nil {
		return PaRes{}, err
	}
	var r textReader
	if e := msg.child("Error"); e != nil {
		p := PaRes{MessageID: msg.attr("id"), Error: &PaError{
			Version: r.text(e, "version"), Code: r.text(e, "errorCode"), Message: r.text(e, "errorMessage"),
			Detail: r.text(e, "errorDetail"), VendorCode: r.text(e, "vendorCode"),
		}}
		if r.err != nil {
			return PaRes{}, r.err
		}
		if p.Error.Code == "" {
			return PaRes{}, fail(ReasonMissingField, "errorCode")
		}
		return p, nil
	}
	s := msg.child("PARes")
	if s == nil {
		return PaRes{}, fail(ReasonWrongMessageType, "PARes")
	}
	p := PaRes{
		MessageID: msg.attr("id"),
		ID:        s.attr("id"),
		Version:   r.text(s, "version"),
		Merchant:  r.merchant(s),
		Purchase:  r.purchase(s),
		TX: PaTX{
			Time: r.text(s, "TX", "time"), Status: r.text(s, "TX", "status"), CAVV: r.base64(s, "TX", "cavv"),
			ECI: r.text(s, "TX", "eci"), CAVVAlgorithm: r.text(s, "TX", "cavvAlgorithm"),
		},
		Signed: len(msg.children) > 1, // the Signature, in a namespace of its own
	}
	if pan := r.text(s, "pan"); len(pan) >= 13 && len(pan) <= 19 && allDigits(pan) {
		p.PANLast4 = pan[len(pan)-4:]
	}
	if s.child("IReq") != nil {
		p.IReq = &PaIReq{Code: r.text(s, "IReq", "iReqCode"), Detail: r.text(s, "IReq", "iReqDetail"),
			VendorCode: r.text(s, "IReq", "vendorCode")}
	}
	if r.err != nil {
		return PaRes{}, r.err
	}
	switch p.TX.Status {
	case "Y", "A", "N", "U":
		return p, nil
	case "":
		return PaRes{}, fail(ReasonMissingField, "TX.status")
	}
	return PaRes{}, fail(ReasonBadTransStatus, "TX.status")
}

// maskPAN hides a value that is a card number by length and check digit.
func maskPAN(s string) string {
	if len(s) < 13 || len(s) > 19 || !allDigits(s) {
		return s
	}
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	if sum%10 != 0 {
		return s
	}
	return strings.Repeat("*", len(s)-4) + s[len(s)-4:]
}

// inflate reads one whole zlib stream (RFC 1950, checksum included) or, where the header is none, one whole raw deflate
// stream (RFC 1951). Nothing may follow it.
func inflate(b []byte, field string) ([]byte, error) {
	src := bytes.NewReader(b)
	var r io.ReadCloser
	r, err := zlib.NewReader(src)
	if err != nil {
		src.Reset(b)
		r = flate.NewReader(src)
	}
	out, err := io.ReadAll(io.LimitReader(r, MaxInflated+1))
	if len(out) > MaxInflated {
		return nil, fail(ReasonZipBomb, field)
	}
	if err != nil {
		return nil, fail(ReasonBadZlib, field)
	}
	if src.Len() > 0 {
		return nil, failf(ReasonBadZlib, field, "data after the stream")
	}
	return out, nil
}

// element is one XML element; text is what stands directly in it.
type element struct {
	name, space string
	attrs       []xml.Attr
	text        []byte
	children    []*element
}

// child returns the one child of that name in the parent's namespace. That it is the only one was checked on reading.
func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name == name && c.space == e.space {
			return c
		}
	}
	return nil
}

func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// payerAuthMessage unpacks a value down to its one /ThreeDSecure/Message element.
func payerAuthMessage(value, field string) (*element, error) {
	packed, err := decode64(value, field, MaxPayerAuth)
	if err != nil {
		return nil, err
	}
	doc, err := inflate(packed, field)
	if err != nil {
		return nil, err
	}
	root, err := readXML(doc, field)
	if err != nil {
		return nil, err
	}
	if root.name != "ThreeDSecure" || len(root.children) != 1 {
		return nil, failf(ReasonBadXML, field, "want one Message in ThreeDSecure")
	}
	msg := root.child("Message")
	if msg == nil {
		return nil, failf(ReasonBadXML, field, "want one Message in ThreeDSecure")
	}
	// The DTD: exactly one of the messages, and a Signature only after a PARes. Two of them is the shape of a signature
	// wrapping attack: one is verified, the other is read.
	kinds, signatures := 0, 0
	for _, c := range msg.children {
		if c.name == "Signature" {
			signatures++
		} else {
			kinds++
		}
	}
	if kinds != 1 || signatures > 1 || signatures == 1 && msg.child("PARes") == nil {
		return nil, failf(ReasonBadXML, field, "want one message in Message")
	}
	return msg, nil
}

// readXML reads a whole document into a small tree. It refuses what makes two readers see different things: DOCTYPE and
// other declarations, comments (Y<!-- -->N reads as YN), processing instructions, an attribute or a message element
// twice, data after the root, charsets it does not know. Repeated elements are left alone only inside Signature and
// Extension, whose grammars have them.
func readXML(doc []byte, field string) (*element, error) {
	doc = bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf"))
	doc = bytes.TrimLeft(doc, " \t\r\n")
	dec := xml.NewDecoder(bytes.NewReader(doc))
	dec.CharsetReader = charsetReader
	bad := func(detail string) (*element, error) { return nil, failf(ReasonBadXML, field, detail) }
	var tree treeBuilder
	first := true
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			if errors.Is(err, errCharset) {
				return bad(errCharset.Error())
			}
			return bad("not well-formed")
		}
		refused := ""
		switch t := tok.(type) {
		case xml.Directive:
			return nil, fail(ReasonXMLDoctype, field)
		case xml.Comment:
			refused = "comment"
		case xml.ProcInst:
			if t.Target != "xml" || !first {
				refused = "processing instruction"
			}
		case xml.CharData:
			refused = tree.text(t)
		case xml.StartElement:
			refused = tree.begin(t)
		case xml.EndElement:
			tree.end(t.Name.Local)
		}
		if refused != "" {
			return bad(refused)
		}
		first = false
	}
	if tree.root == nil || len(tree.open) > 0 {
		return bad("no root")
	}
	return tree.root, nil
}

// treeBuilder makes the tree of readXML. Its methods answer with the reason of a refusal, "" where there is none.
type treeBuilder struct {
	root  *element
	open  []*element
	count int // of elements
	loose int // how many of the open elements are Signature or Extension
}

func isLoose(name string) bool { return name == "Signature" || name == "Extension" }

func (b *treeBuilder) text(t xml.CharData) (refused string) {
	if len(b.open) > 0 {
		e := b.open[len(b.open)-1]
		e.text = append(e.text, t...)
	} else if len(bytes.TrimSpace(t)) > 0 {
		return "text outside the root"
	}
	return ""
}

func (b *treeBuilder) begin(t xml.StartElement) (refused string) {
	if b.count++; b.count > maxElements || len(b.open) == maxDepth || len(t.Attr) > maxAttrs {
		return "too many elements"
	}
	e := &element{name: t.Name.Local, space: t.Name.Space, attrs: t.Copy().Attr}
	for i, a := range e.attrs {
		for _, earlier := range e.attrs[:i] {
			if a.Name == earlier.Name {
				return "attribute twice"
			}
		}
	}
	if len(b.open) == 0 {
		if b.root != nil {
			return "two roots"
		}
		b.root = e
	} else {
		parent := b.open[len(b.open)-1]
		if b.loose == 0 && !isLoose(e.name) {
			for _, c := range parent.children {
				if c.name == e.name {
					return "element twice"
				}
			}
		}
		if b.loose == 0 || isLoose(e.name) {
			parent.children = append(parent.children, e)
		}
	}
	if isLoose(e.name) {
		b.loose++
	}
	b.open = append(b.open, e)
	return ""
}

func (b *treeBuilder) end(name string) {
	if isLoose(name) {
		b.loose--
	}
	b.open = b.open[:len(b.open)-1]
}

// textReader reads leaf elements and remembers the first that is no leaf.
type textReader struct{ err error }

func (r *textReader) text(e *element, path ...string) string {
	for _, name := range path {
		if e = e.child(name); e == nil {
			return ""
		}
	}
	if len(e.children) > 0 && r.err == nil {
		r.err = failf(ReasonBadXML, path[len(path)-1], "element inside a value")
	}
	return strings.TrimSpace(string(e.text))
}

// base64 is text for values that some ACSs fold: white space inside is no part of it.
func (r *textReader) base64(e *element, path ...string) string {
	return strings.Join(strings.Fields(r.text(e, path...)), "")
}

func (r *textReader) merchant(e *element) PaMerchant {
	return PaMerchant{
		AcqBIN: r.text(e, "Merchant", "acqBIN"), MerID: r.text(e, "Merchant", "merID"), Name: r.text(e, "Merchant", "name"),
		Country: r.text(e, "Merchant", "country"), URL: r.text(e, "Merchant", "url"),
	}
}

func (r *textReader) purchase(e *element) PaPurchase {
	return PaPurchase{
		XID: r.base64(e, "Purchase", "xid"), Date: r.text(e, "Purchase", "date"), Amount: r.text(e, "Purchase", "amount"),
		PurchAmount: r.text(e, "Purchase", "purchAmount"), Currency: r.text(e, "Purchase", "currency"),
		Exponent: r.text(e, "Purchase", "exponent"), Desc: r.text(e, "Purchase", "desc"),
		RecurFrequency: r.text(e, "Purchase", "Recur", "frequency"), RecurEnd: r.text(e, "Purchase", "Recur", "endRecur"),
		Install: r.text(e, "Purchase", "install"),
	}
}
