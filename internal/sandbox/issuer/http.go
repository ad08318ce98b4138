package issuer

import (
	"crypto/rand"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tollgate/internal/sandbox/amount"
)

//go:embed pages
var files embed.FS

var pages = template.Must(template.ParseFS(files, "pages/*.html"))

// maxForm bounds what a browser may post to the ACS.
const maxForm = 512 << 10

// Handler serves /acs/…; it expects the full path. Its pages can be framed by anybody and work without script.
func (i *Issuer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /acs/acs.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeFileFS(w, r, files, "pages/acs.css")
	})
	for path, h := range map[string]http.HandlerFunc{"/acs/method": i.serveMethod, "/acs/challenge": i.serveChallenge,
		"/acs/pareq": i.servePaReq} {
		mux.HandleFunc("POST "+path, h)
		mux.HandleFunc("GET "+path, i.serveNotAForm)
	}
	mux.HandleFunc("GET /acs/{id}", i.serveCurrent)
	mux.HandleFunc("POST /acs/{id}", i.serveAnswer)
	mux.HandleFunc("GET /acs/{id}/state", i.serveState)
	mux.HandleFunc("POST /acs/{id}/press", i.servePress)
	return spoken(mux)
}

// view is what the templates show.
type view struct {
	Nonce, Title, Text, Detail string
	Forms                      []form
	Submit                     bool // the page submits its forms by itself
	Legacy                     bool
	ID, Amount, Merchant, Card string
	Error                      string
	Lang                       string // set by render
}

// T is a text in the page's language.
func (v view) T(text string) string { return say(v.Lang, text) }

func (i *Issuer) render(w http.ResponseWriter, status int, page string, v view) {
	v.Nonce, v.Lang = rand.Text(), languages[0]
	if l, ok := w.(langWriter); ok {
		v.Lang = l.lang
	}
	var b strings.Builder
	if err := pages.ExecuteTemplate(&b, page, v); err != nil {
		http.Error(w, "page failed", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	// No form-action: it would apply to the redirects after the post too. No frame-ancestors: an ACS must allow framing.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; script-src 'nonce-"+v.Nonce+
		"'; connect-src 'self'; frame-src http: https:; base-uri 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(b.String()))
}

func (i *Issuer) message(w http.ResponseWriter, status int, title, text, detail string) {
	i.render(w, status, "message.html", view{Title: title, Text: text, Detail: detail})
}

// attribute escapes for a double-quoted attribute; line breaks as references, which HTML parsers keep as they are.
func attribute(s string) string {
	return strings.NewReplacer("\r", "&#13;", "\n", "&#10;").Replace(html.EscapeString(s))
}

// form is what a page of the bank's sends elsewhere: hidden fields and a button.
type form struct {
	method string
	action string // an http(s) address, checked when it came in
	target string // the frame that shows the answer; none: the page itself
	copy   string // what its button says besides, where a page has two
	fields [][2]string
}

// HTML writes the form, its button in a language of the bank's.
func (f form) HTML(lang string) template.HTML {
	var b strings.Builder
	fields := f.fields
	if f.method == "get" {
		if u, err := url.Parse(f.action); err == nil { // a GET form replaces the query of its action
			var old [][2]string
			for k, vs := range u.Query() {
				for _, v := range vs {
					old = append(old, [2]string{k, v})
				}
			}
			fields = append(old, fields...)
		}
	}
	if f.target != "" {
		fmt.Fprintf(&b, `<iframe name="%s" title="First copy" hidden></iframe>`, f.target)
	}
	fmt.Fprintf(&b, `<form method="%s" action="%s"`, f.method, attribute(f.action))
	if f.target != "" {
		fmt.Fprintf(&b, ` target="%s"`, f.target)
	}
	b.WriteString(">")
	for _, f := range fields {
		fmt.Fprintf(&b, `<input type="hidden" name="%s" value="%s">`, attribute(f[0]), attribute(f[1]))
	}
	fmt.Fprintf(&b, `<button type="submit">%s</button></form>`, say(lang, "Continue")+f.copy)
	return template.HTML(b.String())
}

func post(action string, fields ...[2]string) []form {
	return []form{{method: "post", action: action, fields: fields}}
}

// postTwice sends the same form into a hidden frame and, behind it, from the page itself.
func postTwice(action string, fields ...[2]string) []form {
	return append([]form{{method: "post", action: action, target: "first", copy: " (first copy)", fields: fields}}, post(action, fields...)...)
}

// postForm reads a form the way a bank does: a post of form fields, nothing from the query.
func postForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		if err := r.ParseMultipartForm(maxForm); err != nil {
			return nil, err
		}
		return r.MultipartForm.Value, nil
	}
	err := r.ParseForm()
	return r.PostForm, err
}

func (i *Issuer) serveNotAForm(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", "POST")
	i.message(w, http.StatusMethodNotAllowed, "Nothing to see here",
		"This address only takes the forms that a shop's payment page posts.", "")
}

// serveMethod is the 3DS Method page, made to run in a hidden frame.
func (i *Issuer) serveMethod(w http.ResponseWriter, r *http.Request) {
	in, err := postForm(w, r)
	raw, ok := decode64(in.Get("threeDSMethodData"))
	names, f := object(raw)
	var id, notify string
	_ = json.Unmarshal(names["threeDSServerTransID"], &id)
	_ = json.Unmarshal(names["threeDSMethodNotificationURL"], &notify)
	if err != nil || !ok || f != nil || !webAddress(notify) || len(notify) > 256 {
		i.message(w, http.StatusBadRequest, "3DS Method", "threeDSMethodData cannot be read.", "")
		return
	}
	i.mu.Lock()
	t := i.emv[id]
	if t == nil || t.ServerID != id {
		i.mu.Unlock()
		i.message(w, http.StatusBadRequest, "3DS Method", "threeDSServerTransID is not known.", "")
		return
	}
	kind := t.Method
	if t.MethodAt.IsZero() {
		next := *t
		next.MethodAt = i.o.Now()
		if err = i.keep(&next); err == nil {
			*t = next
		}
	}
	i.mu.Unlock()
	if err != nil {
		i.internalError(w)
		return
	}
	data, _ := json.Marshal(map[string]string{"threeDSServerTransID": id})
	field := [2]string{"threeDSMethodData", base64.RawURLEncoding.EncodeToString(data)}
	v := view{Title: "3DS Method", Submit: true}
	switch kind {
	case "silent", "none":
		i.message(w, http.StatusOK, "3DS Method", "This card's bank never answers the Method.", "")
		return
	case "late":
		t := time.NewTimer(i.o.LateMethod)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return
		}
	case "garbage":
		field[1] = "%%% not base64 {]"
	}
	v.Forms = post(notify, field)
	if kind == "twice" {
		v.Forms = postTwice(notify, field)
	}
	i.render(w, http.StatusOK, "return.html", v)
}

func (i *Issuer) internalError(w http.ResponseWriter) {
	i.message(w, http.StatusInternalServerError, "The bank is out of order", "The sandbox could not write its journal.", "")
}

// serveChallenge takes the CReq.
func (i *Issuer) serveChallenge(w http.ResponseWriter, r *http.Request) {
	in, err := postForm(w, r)
	if err != nil {
		i.message(w, http.StatusBadRequest, "Bad form", "The form could not be read.", err.Error())
		return
	}
	if !in.Has("creq") {
		i.refuse(w, nil, missing("creq"), in)
		return
	}
	m, f := parseCReq(in.Get("creq"))
	i.mu.Lock()
	t := i.emv[m.acsID]
	if t == nil {
		t = i.emv[m.serverID]
	}
	if t == nil || t.Answer == nil {
		i.mu.Unlock()
		if f == nil {
			f = &fault{"301", "Transaction ID received is not valid", "acsTransID"}
		}
		i.refuse(w, nil, f, in)
		return
	}
	fresh, err := i.expire(t)
	ends := false // the refusal ends the transaction
	sum := digest(string(m.text))
	switch {
	case err != nil:
	case f != nil:
		ends = t.CReqAt.IsZero()
	case t.ServerID != m.serverID || t.ACSID != m.acsID:
		f = &fault{"301", "Transaction ID received is not valid", "threeDSServerTransID, acsTransID"}
	case m.version != t.Version:
		f, ends = &fault{"102", "Message version number not supported", "messageVersion differs from the ARes"}, t.CReqAt.IsZero()
	case t.Answer.TransStatus != "C":
		f = &fault{"305", "Transaction data not valid", "no challenge was asked for"}
	case len(in.Get("threeDSSessionData")) > 1024:
		f, ends = format("threeDSSessionData"), t.CReqAt.IsZero()
	case t.CReqs > 0 && sum != t.CReqSum:
		f = &fault{"305", "Transaction data not valid", "another CReq came before"}
	case t.CReqs >= 2:
		f = &fault{"103", "Sent messages limit exceeded", "CReq may be repeated once"}
	case t.Result.Done && t.CReqs == 0: // too late: the time-out Erro goes out
	default:
		next := *t
		next.CReqs++
		if next.CReqs == 1 {
			next.CReqAt, next.SteppedAt, next.CReqSum = i.o.Now(), i.o.Now(), sum
		}
		next.SessionData = nil
		if in.Has("threeDSSessionData") {
			v := in.Get("threeDSSessionData")
			next.SessionData = &v
		}
		if err = i.keep(&next); err == nil {
			*t = next
		}
	}
	if err == nil && f != nil && ends && !t.Result.Done {
		fresh, err = i.concluded(t, "bad")
	}
	now := *t
	i.mu.Unlock()
	if fresh {
		i.notifySubscribers(t)
	}
	switch {
	case err != nil:
		i.internalError(w)
	case f != nil:
		i.refuse(w, &now, f, in)
	default:
		i.showChallenge(w, t, "")
	}
}

// refuse posts an Erro to the notification URL when it is known, and shows it otherwise.
func (i *Issuer) refuse(w http.ResponseWriter, t *transaction, f *fault, in url.Values) {
	if t == nil {
		i.message(w, http.StatusBadRequest, "The bank cannot read this request", "Error "+f.code+": "+f.description+".",
			string(erroJSON(nil, f.code, f.description, f.detail)))
		return
	}
	fields := [][2]string{{"erro", t.erro(f.code, f.description, f.detail)}}
	if in.Has("threeDSSessionData") {
		fields = append(fields, [2]string{"threeDSSessionData", in.Get("threeDSSessionData")})
	}
	i.render(w, http.StatusOK, "return.html",
		view{Title: "Back to the shop", Text: "Error " + f.code + ": " + f.description + ".", Submit: true,
			Forms: post(t.NotificationURL, fields...)})
}

// showChallenge answers with the page of the challenge as it stands now, deciding it first where the card decides by itself.
func (i *Issuer) showChallenge(w http.ResponseWriter, t *transaction, wrong string) {
	i.mu.Lock()
	var err error
	fresh := false
	if !t.Result.Done && t.Challenge != "manual" && t.Challenge != "never" {
		fresh, err = i.concluded(t, t.Challenge)
	}
	now := *t
	i.mu.Unlock()
	if fresh {
		i.notifySubscribers(t)
	}
	if err != nil {
		i.internalError(w)
		return
	}
	if now.told != nil {
		<-now.told // another request may be telling the 3DS Server: it must know before the browser does
	}
	switch {
	case now.Out != "":
		i.render(w, http.StatusOK, "return.html", view{Title: "Back to the shop", Text: "Sandbox Bank sends you back to the shop.",
			Submit: true, Forms: now.returnForm()})
	case now.Result.Done, now.Never, now.Challenge == "never":
		i.message(w, http.StatusOK, "Nothing comes back",
			"This bank never sends its customers back to the shop. Close the page, or go back by yourself.", "")
	default:
		i.render(w, http.StatusOK, "challenge.html", view{Title: "Confirm your payment", ID: now.ACSID, Merchant: ShopName, Card: "•••• " + now.Last4,
			Amount: amount.Format(now.Amount, now.Currency), Error: wrong})
	}
}

// returnForm is the form that returns the shopper.
func (t *transaction) returnForm() []form {
	fields := [][2]string{{t.Field, t.Out}}
	if t.SessionData != nil {
		fields = append(fields, [2]string{"threeDSSessionData", *t.SessionData})
	}
	switch t.Challenge {
	case "twice":
		return postTwice(t.NotificationURL, fields...)
	case "get":
		return []form{{method: "get", action: t.NotificationURL, fields: fields}}
	}
	return post(t.NotificationURL, fields...)
}

// servePaReq takes the PaReq of 3DS 1.0.2.
func (i *Issuer) servePaReq(w http.ResponseWriter, r *http.Request) {
	in, err := postForm(w, r)
	if err != nil {
		i.message(w, http.StatusBadRequest, "Bad form", "The form could not be read.", err.Error())
		return
	}
	for _, name := range []string{"PaReq", "TermUrl", "MD"} {
		if !in.Has(name) || name != "MD" && in.Get(name) == "" {
			i.message(w, http.StatusBadRequest, "The bank cannot read this request", "Required element missing. "+name, "")
			return
		}
	}
	text, ok := unpack(in.Get("PaReq"))
	i.mu.Lock()
	a := i.legacy[between(text, "<xid>", "</xid>")]
	squeeze := strings.NewReplacer("\r", "", "\n", "")
	if !ok || a == nil || squeeze.Replace(in.Get("PaReq")) != a.PaReq {
		i.mu.Unlock()
		i.message(w, http.StatusBadRequest, "The bank cannot read this request", "PaReq is not one of this bank's cards.", "")
		return
	}
	if !webAddress(in.Get("TermUrl")) || len(in.Get("MD")) > 16<<10 {
		i.mu.Unlock()
		i.message(w, http.StatusBadRequest, "The bank cannot read this request", "TermUrl or MD is not valid.", "")
		return
	}
	next := *a
	next.TermURL, next.MD, next.Opened = in.Get("TermUrl"), in.Get("MD"), true
	if err = i.keepLegacy(&next); err == nil {
		*a = next
	}
	i.mu.Unlock()
	if err != nil {
		i.internalError(w)
		return
	}
	i.showLegacy(w, a, "")
}

func (i *Issuer) showLegacy(w http.ResponseWriter, a *payerAuth, wrong string) {
	i.mu.Lock()
	var err error
	if a.Answer.Status == "" && a.Challenge != "manual" && a.Challenge != "never" {
		outcome := a.Challenge
		if outcome == "" {
			outcome = "pass"
		}
		err = i.concludeLegacy(a, outcome)
	}
	now := *a
	i.mu.Unlock()
	switch {
	case err != nil:
		i.internalError(w)
	case now.Answer.Status != "":
		i.render(w, http.StatusOK, "return.html", view{Title: "Back to the shop", Text: "Sandbox Bank sends you back to the shop.",
			Submit: true,
			Forms:  post(now.TermURL, [2]string{"PaRes", now.PaRes}, [2]string{"MD", now.MD})})
	case now.Challenge == "never":
		i.message(w, http.StatusOK, "Nothing comes back",
			"This bank never sends its customers back to the shop. Close the page, or go back by yourself.", "")
	default:
		i.render(w, http.StatusOK, "challenge.html", view{Title: "Confirm your payment", ID: now.ID, Legacy: true,
			Merchant: now.Purchase.MerchantName,
			Card:     "•••• " + now.Last4, Amount: amount.Format(now.Purchase.Amount, now.Purchase.Currency), Error: wrong})
	}
}

func (i *Issuer) unknown(w http.ResponseWriter) {
	i.message(w, http.StatusNotFound, "No such payment", "The bank does not know this payment.", "")
}

// serveCurrent shows where a challenge stands: reloading it, or coming back after it was answered elsewhere, is always safe.
func (i *Issuer) serveCurrent(w http.ResponseWriter, r *http.Request) {
	t, a := i.find(r.PathValue("id"))
	switch {
	case t != nil && i.begun(t):
		i.showChallenge(w, t, "")
	case a != nil && i.opened(a):
		i.showLegacy(w, a, "")
	default:
		i.unknown(w)
	}
}

// serveAnswer takes the manual page's form: a button, or the one-time code.
func (i *Issuer) serveAnswer(w http.ResponseWriter, r *http.Request) {
	in, err := postForm(w, r)
	if err != nil {
		i.message(w, http.StatusBadRequest, "Bad form", "The form could not be read.", err.Error())
		return
	}
	t, a := i.find(r.PathValue("id"))
	if t == nil && a == nil || t != nil && !i.begun(t) || a != nil && !i.opened(a) {
		i.unknown(w)
		return
	}
	outcome, wrong := in.Get("outcome"), ""
	if outcome == "" {
		outcome = map[string]string{"1234": "pass", "2222": "attempt", "3333": "fail"}[strings.TrimSpace(in.Get("otp"))]
	}
	if outcome == "" {
		outcome, wrong, err = i.wrongCode(t, a)
	}
	if err == nil && outcome != "" {
		// A payment that was decided meanwhile stays decided: the page shows how.
		if err = i.decide(t, a, outcome); errors.Is(err, errDecided) || errors.Is(err, errOutcome) {
			err = nil
		}
	}
	switch {
	case err != nil:
		i.internalError(w)
	case t != nil:
		i.showChallenge(w, t, wrong)
	default:
		i.showLegacy(w, a, wrong)
	}
}

// wrongCode counts a wrong one-time code; the third ends the challenge.
func (i *Issuer) wrongCode(t *transaction, a *payerAuth) (outcome, text string, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := 0
	if t != nil {
		next := *t
		next.WrongCodes++
		next.SteppedAt = i.o.Now()
		if err = i.keep(&next); err == nil {
			*t = next
		}
		n = t.WrongCodes
	} else {
		next := *a
		next.WrongCodes++
		if err = i.keepLegacy(&next); err == nil {
			*a = next
		}
		n = a.WrongCodes
	}
	if n >= 3 {
		return "exhausted", "", err
	}
	return "", fmt.Sprintf("That is not the code. Tries left: %d.", 3-n), err
}

var (
	errDecided = errors.New("already decided")
	errOutcome = errors.New("no such outcome")
	errEarly   = errors.New("the challenge has not begun")
)

// decide decides a challenge that waits for the cardholder. The same decision again is no error.
func (i *Issuer) decide(t *transaction, a *payerAuth, outcome string) error {
	switch outcome {
	case "pass", "attempt", "fail", "cancel", "unable", "never", "exhausted":
	case "error":
		outcome = "erro"
	default:
		return errOutcome
	}
	i.mu.Lock()
	if a != nil {
		defer i.mu.Unlock()
		switch {
		case a.Answer.Status != "":
			if a.Answer.Status == legacyStatus[outcome] {
				return nil
			}
			return errDecided
		case outcome == "never":
			next := *a
			next.Challenge = "never"
			if err := i.keepLegacy(&next); err != nil {
				return err
			}
			*a = next
			return nil
		case !a.Opened:
			return errEarly
		}
		return i.concludeLegacy(a, outcome)
	}
	fresh, err := i.expire(t)
	switch {
	case err != nil:
	case t.Result.Done:
		if !fresh && t.Result.TransStatus != legacyStatus[outcome] {
			err = errDecided
		}
	case t.Answer == nil || t.Answer.TransStatus == "C" && t.CReqAt.IsZero():
		err = errEarly
	case outcome == "never":
		next := *t
		next.Never = true
		if err = i.keep(&next); err == nil {
			*t = next
		}
	default:
		fresh, err = i.concluded(t, outcome)
	}
	i.mu.Unlock()
	if fresh {
		i.notifySubscribers(t)
	}
	return err
}

// servePress is the automation API: POST /acs/{threeDSServerTransID or acsTransID or page id}/press {"outcome":"pass"}; outcomes
// pass, attempt, fail, cancel, error, unable, never. The page that waits in a browser goes on by itself.
func (i *Issuer) servePress(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Outcome string `json:"outcome"`
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		v, _ := postForm(w, r)
		in.Outcome = v.Get("outcome")
	} else if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<12)).Decode(&in); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "want {\"outcome\": …}"})
		return
	}
	t, a := i.find(r.PathValue("id"))
	if t == nil && a == nil {
		writeJSON(w, http.StatusNotFound, map[string]string{"error": ErrUnknown.Error()})
		return
	}
	err := i.decide(t, a, in.Outcome)
	switch {
	case errors.Is(err, errOutcome):
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
	case errors.Is(err, errDecided), errors.Is(err, errEarly):
		writeJSON(w, http.StatusConflict, map[string]string{"error": err.Error()})
	case err != nil:
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
	default:
		i.serveState(w, r)
	}
}

// serveState tells the waiting page, and tests, whether the challenge is over.
func (i *Issuer) serveState(w http.ResponseWriter, r *http.Request) {
	t, a := i.find(r.PathValue("id"))
	type state struct {
		Done            bool   `json:"done"`
		TransStatus     string `json:"trans_status,omitempty"`
		Reason          string `json:"trans_status_reason,omitempty"`
		ChallengeCancel string `json:"challenge_cancel,omitempty"`
	}
	i.mu.Lock()
	var s state
	switch {
	case t != nil:
		s = state{t.Result.Done, t.Result.TransStatus, t.Result.TransStatusReason, t.Result.ChallengeCancel}
	case a != nil:
		s = state{Done: a.Answer.Status != "", TransStatus: a.Answer.Status}
	}
	i.mu.Unlock()
	if t == nil && a == nil {
		writeJSON(w, http.StatusNotFound, map[string]string{"error": ErrUnknown.Error()})
		return
	}
	writeJSON(w, http.StatusOK, s)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
