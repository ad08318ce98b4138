package rbs

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/page"
)

var pages = template.Must(template.New("post").Parse(`<!DOCTYPE html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>` + string(page.Hosted) + `</head>
<body{{if .Auto}} onload="document.forms[0].submit()"{{end}}>
<main><div class="sheet"><p class="by">RBS · sandbox</p><h1>{{.Title}}</h1>
{{with .Amount}}<p class="amount">{{.}}</p>
{{end}}{{with .Text}}<p>{{.}}</p>{{end}}
{{if .Action}}<form method="post" action="{{.Action}}">
{{range .Fields}}{{if .Label}}<p><label>{{.Label}} <input name="{{.Name}}" value="{{.Value}}" autocomplete="off"></label></p>
{{else}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}{{end}}<button type="submit">{{.Button}}</button>
</form>{{end}}
</div></main></body></html>
`))

// russian are the texts of the pages in the language that the gateway speaks beside English. A page whose texts are not there is
// English, and says so.
var russian = map[string]string{
	"Redirecting to your bank": "Переход на страницу вашего банка", "Continue": "Продолжить", "Payment by card": "Оплата картой",
	"Pay": "Оплатить", "Card number": "Номер карты", "Month": "Месяц", "Year": "Год", "CVC": "CVC", "Name on card": "Имя на карте",
	"": "",
	"Operation declined. The issuer refused 3-D Secure authentication.":               "Операция отклонена. Банк отказал в проверке 3-D Secure.",
	"Data entry timeout expired.":                                                     "Время ввода данных истекло.",
	"Client did not return from ACS.":                                                 "Клиент не вернулся со страницы банка.",
	"3-D Secure authentication is unavailable.":                                       "Проверка 3-D Secure недоступна.",
	"Directory Server did not answer.":                                                "Directory Server не ответил.",
	"Soft decline, cardholder authentication is required.":                            "Нужна проверка владельца карты.",
	"Payment is being processed.":                                                     "Платёж обрабатывается.",
	"Operation declined. Please check the data and available balance of the account.": "Операция отклонена. Проверьте данные и остаток на счёте.",
	"Operation declined. Insufficient funds.":                                         "Операция отклонена. Недостаточно средств.",
	"Operation declined. The card has expired.":                                       "Операция отклонена. Срок действия карты истёк.",
	"Operation declined. Wrong card security code.":                                   "Операция отклонена. Неверный код безопасности карты.",
	"Operation declined. Wrong card number.":                                          "Операция отклонена. Неверный номер карты.",
	"Wrong card number":                                                               "Неверный номер карты", "Wrong card expiration date": "Неверный срок действия карты",
}

// inLanguage says a page in Russian where it was asked for and every text is there.
func inLanguage(v view) view {
	said := v
	said.Fields = slices.Clone(v.Fields)
	texts := []*string{&said.Title, &said.Text, &said.Button}
	for i := range said.Fields {
		texts = append(texts, &said.Fields[i].Label)
	}
	for _, t := range texts {
		russian, there := russian[*t]
		if v.Lang != "ru" || !there {
			v.Lang = "en"
			return v
		}
		*t = russian
	}
	return said
}

type field struct{ Name, Value, Label string }

type view struct {
	Lang, Title, Text, Action, Button string
	Amount                            string // that is paid
	Auto                              bool
	Fields                            []field
}

func show(w http.ResponseWriter, v view) {
	if v.Button == "" {
		v.Button = "Continue"
	}
	v = inLanguage(v)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = pages.Execute(w, v) // a failed write means that the browser is gone
}

// bankForm is the page that takes the shopper to the ACS.
func (g *Gateway) bankForm(o *order) (view, bool) {
	v := view{Lang: o.Language, Title: "Redirecting to your bank", Auto: true}
	if !o.unpaid() || o.Try == nil {
		return v, false
	}
	v.Action = o.Try.ACSURL
	switch o.Try.Step {
	case stepPaReq:
		v.Fields = []field{{Name: "MD", Value: o.ID}, {Name: "PaReq", Value: o.Try.PaReq}, {Name: "TermUrl", Value: g.termURLOf(o)}}
		return v, true
	case stepChallenge:
		v.Fields = []field{{Name: "creq", Value: o.Try.PackedCReq}}
		return v, true
	}
	return v, false
}

// acsRedirect sends the shopper to the ACS, and one whose order waits for no ACS back to the shop.
func (g *Gateway) acsRedirect(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	o := g.open(r.URL.Query().Get("orderId"))
	g.mu.Unlock()
	if o == nil {
		http.Error(w, "Order not found", http.StatusNotFound)
		return
	}
	faults.SetReference(r, o.Number)
	if v, ok := g.bankForm(o); ok {
		show(w, v)
		return
	}
	http.Redirect(w, r, g.shopURL(o), http.StatusFound)
}

// termURL is the gateway's own TermUrl: the browser brings MD and PaRes, the gateway finishes and sends it to the shop.
func (g *Gateway) termURL(w http.ResponseWriter, r *http.Request) {
	f, ok := browserForm(w, r)
	if !ok {
		return
	}
	g.mu.Lock()
	o := g.open(formValue(f, "MD"))
	if o != nil && formValue(f, "PaRes") != "" {
		if _, bad := g.takePaRes(g.accountOf(o), o, formValue(f, "PaRes")); bad != nil {
			g.env.Log.Info("PaRes not taken", "gateway", gatewayName, "reference", o.Number, "reason", bad)
			o = g.open(o.ID)
		}
	}
	g.mu.Unlock()
	if o == nil {
		http.Error(w, "Order not found", http.StatusNotFound)
		return
	}
	faults.SetReference(r, o.Number)
	http.Redirect(w, r, g.shopURL(o), http.StatusSeeOther)
}

// acsReturn is the notificationURL of challenges for which the shop gave no threeDSVer2FinishUrl: the gateway finishes.
func (g *Gateway) acsReturn(w http.ResponseWriter, r *http.Request) {
	if _, ok := browserForm(w, r); !ok {
		return
	}
	trans := r.PathValue("trans")
	g.mu.Lock()
	o := g.open(g.trans[trans])
	if o != nil && o.Status == statusACS && o.Try.Step == stepChallenge && o.Try.TransID == trans && o.Try.FinishURL == "" {
		if _, bad := g.finishChallenge(g.accountOf(o), o); bad != nil {
			g.env.Log.Info("challenge not finished", "gateway", gatewayName, "reference", o.Number, "reason", bad)
			o = g.open(o.ID)
		}
	}
	g.mu.Unlock()
	if o == nil {
		http.Error(w, "Order not found", http.StatusNotFound)
		return
	}
	faults.SetReference(r, o.Number)
	http.Redirect(w, r, g.shopURL(o), http.StatusSeeOther)
}

// browserForm reads what a browser posted. What cannot be read is no reason to strand the shopper.
func browserForm(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil && len(r.Form) == 0 && r.ContentLength > maxBody {
		http.Error(w, "Bad Request", http.StatusRequestEntityTooLarge)
		return nil, false
	}
	return r.Form, true
}

// methodFrame is the 3DS server's own page in a hidden frame.
func (g *Gateway) methodFrame(w http.ResponseWriter, r *http.Request) {
	show(w, view{Title: "3DS Server", Text: "Collected."})
}

// methodNotification is the address the ACS reports to when the shop gave no threeDSMethodNotificationUrl.
func (g *Gateway) methodNotification(w http.ResponseWriter, r *http.Request) {
	if _, ok := browserForm(w, r); !ok {
		return
	}
	g.mu.Lock()
	trans := r.URL.Query().Get("threeDSServerTransID")
	if o := g.open(g.trans[trans]); o != nil && o.Try != nil && o.Try.TransID == trans && !o.Try.MethodDone &&
		(o.Try.Step == stepMethod || o.Try.Step == stepSoft) {
		o.Try.MethodDone = true
		if bad := g.save(o); bad != nil {
			g.env.Log.Error("notification not kept", "gateway", gatewayName, "err", bad)
		}
	}
	g.mu.Unlock()
	show(w, view{Title: "3DS Server", Text: "Thank you."})
}

// hostedPage is formUrl, the gateway's own card page. It runs no Method (threeDSCompInd N where the card has one) and
// goes to the ACS by itself.
func (g *Gateway) hostedPage(w http.ResponseWriter, r *http.Request) {
	f, ok := browserForm(w, r)
	if !ok {
		return
	}
	if strings.HasPrefix(r.URL.Path, "/pp/") { // the page of the JSON dialect
		f.Set("mdOrder", f.Get("orderId"))
	}
	if f.Get("mdOrder") == "" { // finish.html and whatever else a relative returnUrl names
		show(w, view{Title: "Payment", Text: "The shop has been told how the payment ended. You can close this page."})
		return
	}
	g.mu.Lock()
	v, to := g.hosted(r, f)
	g.mu.Unlock()
	switch {
	case to != "":
		http.Redirect(w, r, to, http.StatusSeeOther)
	case v.Title == "":
		http.Error(w, "Order not found", http.StatusNotFound)
	default:
		show(w, v)
	}
}

// hosted answers with a page or with the address to send the browser to.
func (g *Gateway) hosted(r *http.Request, f url.Values) (view, string) {
	o := g.open(f.Get("mdOrder"))
	if o == nil {
		return view{}, ""
	}
	faults.SetReference(r, o.Number)
	if v, ok := g.bankForm(o); ok {
		return v, ""
	}
	a := g.accountOf(o)
	if g.payable(a, o) != nil {
		return view{}, g.shopURL(o)
	}
	form := view{Lang: o.Language, Title: "Payment by card", Amount: amount.Format(o.Amount, amount.Letters(o.Currency)),
		Action: g.url("/payment/merchants/rbs/payment_" + o.Language + ".html?mdOrder=" + o.ID), Button: "Pay",
		Fields: []field{{"$PAN", "", "Card number"}, {"MM", "", "Month"}, {"YYYY", "", "Year"}, {"$CVC", "", "CVC"},
			{"TEXT", "", "Name on card"}}}
	if r.Method != http.MethodPost {
		if o.Action != actionNoAttempt {
			form.Text = actionText[o.Action]
		}
		return form, ""
	}
	in, bad := readCard(f)
	if bad != nil {
		form.Text = bad.message
		return form, ""
	}
	o.Try = &attempt{Masked: maskPAN(in.pan), Expiry: in.expiry, Holder: in.holder, System: system(in.pan)}
	_, bad = g.start(a, o, in.pan, in.cvc, o.has("FORCE_SSL"))
	for bad == nil && o.unpaid() && (o.Try.Step == stepMethod || o.Try.Step == stepSoft) {
		_, bad = g.authenticate(a, o)
	}
	if bad != nil {
		form.Text = bad.message
		return form, ""
	}
	if v, ok := g.bankForm(o); ok {
		return v, ""
	}
	if o.Status == statusRegistered {
		form.Text = actionText[o.Action]
		return form, ""
	}
	return view{}, g.shopURL(o)
}
