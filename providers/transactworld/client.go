package transactworld

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tollgate/providers"
)

// client is the gateway's wire: POSTs with an AuthToken and an MD5 checksum, as forms or JSON; answers in JSON or XML. It
// knows nothing of steps.
type client struct {
	http     *http.Client
	now      func() time.Time
	base     string
	member   string
	partner  string
	username string
	key      providers.Secret
	json     bool // requests, as nested objects
	flat     bool // requests, as JSON with dotted names
	xml      bool // answers

	turn  chan struct{} // held while the token is looked at or fetched; one at a time
	token providers.Secret
	until time.Time
}

const (
	restPath    = "/transactionServices/REST/v1/"
	invoicePath = "/invoiceServices/REST/v1/"

	// tokenLife is how long an AuthToken is used: it is good for one hour.
	tokenLife = 55 * time.Minute

	codeToken       = "200"   // of authToken: a token was made
	codeUnauthented = "401"   // the token, or the credentials, are refused
	codeNotFound    = "10009" // record not found
	codeFound       = "00026" // of an inquiry: record found
	codeCaptured    = "00004" // of a capture
)

// checksum is the gateway's checksum: lower-case hex MD5 over the values joined with a bar.
func checksum(values ...string) string {
	m := md5.Sum([]byte(strings.Join(values, "|")))
	return hex.EncodeToString(m[:])
}

// The key stands at another place in nearly every call.
func (c *client) signPayment(reference, amount string) string {
	return checksum(c.member, c.key.Reveal(), reference, amount)
}
func (c *client) signAmount(id, amount string) string { // capture, refund; assumed for a token and for a repeat by paymentId
	return checksum(c.member, c.key.Reveal(), id, amount)
}
func (c *client) signID(id string) string { // reversal, inquiry, invoice inquiry; assumed for registrations
	return checksum(c.member, c.key.Reveal(), id)
}
func (c *client) signMember() string { return checksum(c.member, c.key.Reveal()) } // transaction list
func (c *client) signPayout(reference, amount string) string {
	return checksum(c.member, reference, amount, c.key.Reveal())
}
func (c *client) signInvoice(reference, amount, back string) string {
	return checksum(c.member, c.key.Reveal(), reference, amount, back)
}
func (c *client) signRenewal(invoiceID, back string) string {
	return checksum(invoiceID, c.member, c.key.Reveal(), back)
}

func (c *client) signCheckout(toType, amount, reference, back string) string {
	return checksum(c.member, toType, amount, reference, back, c.key.Reveal())
}

// signResult covers notifications and redirects back; status is the short one.
func (c *client) signResult(id, reference, amount, status string) string {
	return checksum(id, reference, amount, status, c.key.Reveal())
}

// signed completes a request.
func (c *client) signed(form url.Values, checksum string) url.Values {
	form.Set("authentication.memberId", c.member)
	form.Set("authentication.checksum", checksum)
	return form
}

// inquire asks for a payment by the gateway's id, or by ours where that is all we know.
func (c *client) inquire(ctx context.Context, id, reference string) (answer, error) {
	form := url.Values{"paymentType": {"IN"}}
	if id == "" {
		form.Set("idType", "MID")
		form.Set("merchantTransactionId", reference)
		return c.call(ctx, "IN", restPath+"inquiry", c.signed(form, c.signID(reference)))
	}
	if !identifier.MatchString(id) {
		return answer{}, &providers.Failure{Op: "IN", Err: errors.New("not a paymentId")}
	}
	form.Set("idType", "PID")
	form.Set("paymentId", id)
	return c.call(ctx, "IN", restPath+"payments/"+id, c.signed(form, c.signID(id)))
}

// call sends one request. A refused token proves that nothing was taken: then, and only then, it is renewed and the request
// sent once more.
func (c *client) call(ctx context.Context, op, path string, form url.Values) (answer, error) {
	for again := false; ; again = true {
		token, err := c.authToken(ctx)
		if err != nil {
			return answer{}, unsent(op, err)
		}
		status, body, err := c.send(ctx, op, path, form, token)
		if err != nil {
			return answer{}, err
		}
		a, err := decode(status, body)
		if status == http.StatusUnauthorized || err == nil && a.tokenRefused() {
			c.dropToken(token)
			if err == nil && a.tokenRefused() && !again {
				continue
			}
		}
		switch denied := providers.DeniedHTTP(op, status); {
		case err != nil && denied != nil:
			return answer{}, denied
		case err != nil:
			return answer{}, providers.Unreadable(op, status, err)
		case status != http.StatusOK || a.code() == codeUnauthented:
			return answer{}, a.failure(op)
		}
		return a, nil
	}
}

// unsent is the failure of a login before a call: a call that changes something has changed nothing, and is not sent any more.
func unsent(op string, err error) error {
	f, ok := errors.AsType[*providers.Failure](err)
	if !ok || op == "IN" {
		return err
	}
	without := *f
	without.Untaken = true
	return &without
}

// authToken gives the token, fetching one where there is none or where it is nearly an hour old.
func (c *client) authToken(ctx context.Context) (providers.Secret, error) {
	const op = "authToken"
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return providers.Secret{}, &providers.Failure{Op: op, Err: ctx.Err()}
	}
	asked := c.now()
	if !c.token.Empty() && asked.Before(c.until) {
		return c.token, nil
	}
	status, body, err := c.send(ctx, op, restPath+op, url.Values{
		"authentication.partnerId": {c.partner}, "merchant.username": {c.username}, "authentication.sKey": {c.key.Reveal()},
	}, providers.Secret{})
	if err != nil {
		return providers.Secret{}, err
	}
	a, err := decode(status, body)
	if denied := providers.DeniedHTTP(op, status); err != nil && denied != nil {
		return providers.Secret{}, providers.Failure{Op: op, Code: denied.(*providers.Failure).Code}.Misconfigured(true)
	}
	if err != nil {
		return providers.Secret{}, providers.Unreadable(op, status, err)
	}
	token := a.text("AuthToken")
	if status != http.StatusOK || a.code() != codeToken || !tokenText(token) {
		return providers.Secret{}, a.failure(op)
	}
	c.token, c.until = providers.NewSecret(token), asked.Add(tokenLife)
	return c.token, nil
}

// dropToken forgets a token that was refused, unless another was fetched meanwhile.
func (c *client) dropToken(token providers.Secret) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if c.token.Reveal() == token.Reveal() {
		c.token = providers.Secret{}
	}
}

// tokenText tells whether it can go into a header.
func tokenText(s string) bool {
	return len(s) > 0 && len(s) <= 4096 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

func (c *client) send(ctx context.Context, op, path string, form url.Values, token providers.Secret) (int, []byte, error) {
	body, kind := form.Encode(), "application/x-www-form-urlencoded"
	if c.json || c.flat {
		var members any = nested(form)
		if c.flat {
			members = dotted(form)
		}
		raw, err := json.Marshal(members)
		if err != nil {
			return 0, nil, &providers.Failure{Op: op, Err: err}
		}
		body, kind = string(raw), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, &providers.Failure{Op: op, Err: err}
	}
	req.GetBody = nil // nobody below may send it a second time
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Accept", "application/json")
	if c.xml {
		req.Header.Set("Accept", "application/xml")
	}
	if !token.Empty() {
		req.Header.Set("AuthToken", token.Reveal())
	}
	return providers.Exchange(c.http, op, req)
}

// dotted keeps them.
func dotted(form url.Values) map[string]string {
	out := map[string]string{}
	for name := range form {
		out[name] = form.Get(name)
	}
	return out
}

// nested turns dotted names into objects.
func nested(form url.Values) map[string]any {
	out := map[string]any{}
	for name := range form {
		at := out
		parts := strings.Split(name, ".")
		for _, part := range parts[:len(parts)-1] {
			inner, ok := at[part].(map[string]any)
			if !ok {
				inner = map[string]any{}
				at[part] = inner
			}
			at = inner
		}
		at[parts[len(parts)-1]] = form.Get(name)
	}
	return out
}
