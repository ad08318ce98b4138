package rbs

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// dialect is how a call's parameters are written.
type dialect int

const (
	formDialect    dialect = iota // /payment/rest/: a form
	eitherDialect                 // /payment/: JSON, or a form
	partnerDialect                // /ecomm/gw/partner/api/v1/: JSON, with some names of its own
)

const partnerRoot = "/ecomm/gw/partner/api/"

const formType = "application/x-www-form-urlencoded"

// read reads the parameters of a call. A body of a kind that the call does not read is refused as that, for without it the call
// would look as if its credentials were wrong. The error is for what is no HTTP body at all.
func (d dialect) read(r *http.Request, name string) (url.Values, *fault, error) {
	query := r.URL.Query()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return query, nil, err
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	takes := formType
	switch d {
	case eitherDialect:
		takes = "application/json"
	case partnerDialect:
		takes = "application/json"
	}
	switch {
	case r.Method == http.MethodGet:
		if len(raw) > 0 && query.Get("userName") == "" && query.Get("token") == "" {
			return query, refuse(4, "The body of a GET request is not read by "+name+": send the parameters in the query, or by POST"), nil
		}
		return query, nil, nil
	case len(bytes.TrimSpace(raw)) == 0:
		return query, nil, nil
	case kind == formType && d != partnerDialect:
		body, err := url.ParseQuery(string(raw))
		return merge(body, query), nil, err
	case kind == "application/json" && d != formDialect:
		body, bad := jsonForm(raw)
		if bad == nil && d == partnerDialect {
			partnerNames(body)
		}
		return merge(body, query), bad, nil
	case d == formDialect && isEmptyJSON(raw) && len(query) > 0: // clients that send their parameters in the query
		return query, nil, nil
	case kind == "":
		return query, refuse(4, "The request has no Content-Type: "+name+" takes "+takes), nil
	}
	return query, refuse(4, "Content-Type ["+kind+"] is not supported by "+name+": it takes "+takes), nil
}

func isEmptyJSON(raw []byte) bool {
	s := string(bytes.TrimSpace(raw))
	return s == "{}" || s == "[]" || s == "null" || s == `""`
}

func merge(body, query url.Values) url.Values {
	if body == nil {
		body = url.Values{}
	}
	for name, v := range query {
		body[name] = append(body[name], v...)
	}
	return body
}

// jsonForm reads a JSON object as the form it stands for: texts, numbers and booleans by themselves, objects as the JSON text
// that a form field of that name holds.
func jsonForm(raw []byte) (url.Values, *fault) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var members map[string]any
	if d.Decode(&members) != nil || members == nil {
		return nil, refuse(4, "The body is not a JSON object")
	}
	form := url.Values{}
	for name, v := range members {
		if list, ok := v.([]any); ok && name == "features" {
			for _, one := range list {
				form.Add(name, jsonText(one))
			}
			continue
		}
		if v != nil {
			form.Set(name, jsonText(v))
		}
	}
	return form, nil
}

func jsonText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// partnerNames gives the JSON dialect's names their names in the forms.
func partnerNames(f url.Values) {
	for _, alias := range [][2]string{{"mdOrder", "MDORDER"}, {"mdorder", "MDORDER"}, {"MDORDER", "mdOrder"}, {"mdorder", "mdOrder"},
		{"pan", "$PAN"}, {"cvc", "$CVC"}, {"yyyy", "YYYY"}, {"mm", "MM"}, {"expiry", "$EXPIRY"}, {"text", "TEXT"},
		{"cardholderName", "TEXT"}, {"termUrl", "threeDSVer2FinishUrl"}} {
		if f.Get(alias[1]) == "" && f.Get(alias[0]) != "" {
			f.Set(alias[1], f.Get(alias[0]))
		}
	}
	if f.Get("TEXT") == "" {
		f.Set("TEXT", "CARDHOLDER") // optional there
	}
}

// partnerAnswer gives an answer the names of the JSON dialect. There every answer has an errorCode, as text, and a text to it: in
// error for the payment calls, in errorMessage for the others.
func partnerAnswer(m method, answer body) body {
	if m.shape == nested {
		return answer
	}
	text := "errorMessage"
	if m.shape == payment {
		text = "error"
	}
	out := body{}.With("errorCode", "0")
	if code, ok := answer.Get("errorCode").(string); ok {
		out[0].Value = code
	}
	said := ""
	for _, name := range []string{"errorMessage", "error"} {
		if s, ok := answer.Get(name).(string); ok && said == "" {
			said = s
		}
	}
	if said == "" {
		said = "Success"
	}
	out = out.With(text, said)
	for _, member := range answer {
		switch member.Name {
		case "errorCode", "errorMessage", "error", "is3DSVer2", "threeDSMethodURLServer":
		case "packedCReq":
			out = out.With("cReq", member.Value)
		case "threeDSMethodDataPacked":
			out = out.With("threeDSMethodData", member.Value)
		case "formUrl":
			to, _ := member.Value.(string)
			out = out.With(member.Name, partnerPage(to))
		default:
			out = append(out, member)
		}
	}
	return out
}

// partnerPage is the address that the JSON dialect gives the hosted page.
func partnerPage(formURL string) string {
	base, id, ok := strings.Cut(formURL, "?mdOrder=")
	root, page, found := strings.Cut(base, "/payment/merchants/rbs/payment_")
	if !ok || !found {
		return formURL
	}
	return root + "/pp/pay_" + strings.TrimSuffix(page, ".html") + "?orderId=" + id
}

// withoutMethod takes an authentication past the Method steps that this dialect does not show: those of cards without a Method of
// the bank's, and the second one of a soft decline.
func (c *call) withoutMethod(o *order, answer body, bad *fault) (body, *fault) {
	for c.dialect == partnerDialect && bad == nil && o.unpaid() && o.Try != nil &&
		(o.Try.Step == stepSoft || o.Try.Step == stepMethod && o.Try.MethodURL == "") {
		answer, bad = c.g.authenticate(c.acc, o)
	}
	if c.dialect != partnerDialect || bad != nil || o.Try == nil || o.Try.FinishURL == "" {
		return answer, bad
	}
	switch o.Try.Step { // the shop's own address, where the CRes or the PaRes is to come
	case stepChallenge:
		answer = answer.With("termUrl", o.Try.FinishURL)
	case stepPaReq:
		for i := range answer {
			if answer[i].Name == "termUrl" {
				answer[i].Value = o.Try.FinishURL
			}
		}
	}
	return answer, nil
}

// finishMethod is finish3dsMethod.do, the JSON dialect's way to go on after the Method frame.
func (g *Gateway) finishMethod(c *call) (body, *fault) {
	o, bad := g.orderOfMD(c)
	if bad != nil {
		return nil, bad
	}
	switch trans, ind := c.form.Get("threeDSServerTransId"), c.form.Get("threeDSCompInd"); {
	case !o.unpaid() || o.Try == nil || o.Try.Step != stepMethod:
		return nil, errState
	case trans != o.Try.TransID:
		return nil, refuse(5, "[threeDSServerTransId] is unknown")
	case ind != "Y" && ind != "N" && ind != "U":
		return nil, refuse(5, "[threeDSCompInd] is malformed")
	default:
		o.Try.MethodDone = ind == "Y"
	}
	answer, bad := g.authenticate(c.acc, o)
	return c.withoutMethod(o, answer, bad)
}

// finishPayment is finish3dsPayment.do of the JSON dialect: a CRes or a PaRes that came to the shop's termUrl.
func (g *Gateway) finishPayment(c *call) (body, *fault) {
	cres := c.form.Get("cRes")
	if cres == "" {
		return g.finishVer1(c)
	}
	o, bad := g.orderOfMD(c)
	if bad != nil {
		return nil, bad
	}
	if o.Status != statusACS || o.Try == nil || o.Try.Step != stepChallenge {
		return nil, errState
	}
	if g.env.Issuer.CheckCRes(o.Try.TransID, cres) != nil {
		return nil, refuse(5, "[cRes] is not valid")
	}
	return g.finishChallenge(c.acc, o)
}

// orderOfMD is the order that mdOrder names.
func (g *Gateway) orderOfMD(c *call) (*order, *fault) {
	id := c.form.Get("mdOrder")
	if id == "" {
		return nil, missing("mdOrder")
	}
	return g.checkOwner(c, g.open(id))
}
