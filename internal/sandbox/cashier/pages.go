package cashier

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/page"
	"tollgate/internal/sandbox/sim"
)

var pages = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>` + string(page.Hosted) + `</head>
<body{{if .Auto}} onload="document.forms[0].submit()"{{end}}>
<main><div class="sheet"><p class="by">Mobile Cashier · sandbox</p><h1>{{.Title}}</h1>
{{with .Amount}}<p class="amount">{{.}}</p>
{{end}}{{with .Text}}<p>{{.}}</p>
{{end}}{{range .Forms}}<form method="post" action="{{.Action}}">
{{range .Fields}}{{if .Label}}<p><label>{{.Label}} <input name="{{.Name}}" value="{{.Value}}" autocomplete="{{.Complete}}" required></label></p>
{{else}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}{{end}}<button type="submit">{{.Button}}</button>
</form>
{{end}}{{with .Back}}<p><a href="{{.}}">Back to the shop</a></p>
{{end}}</div></main></body></html>
`))

type field struct{ Name, Value, Label, Complete string }

type pageForm struct {
	Action, Button string
	Fields         []field
}

type view struct {
	Title, Text, Back string
	Amount            string // that is paid
	Auto              bool
	Forms             []pageForm
}

func show(w http.ResponseWriter, status int, v view) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = pages.Execute(w, v) // a failed write means that the browser is gone
}

func notFound(w http.ResponseWriter) {
	show(w, http.StatusNotFound, view{Title: "Order not found", Text: "There is no such order."})
}

// readForm reads what a browser posted. What cannot be read is no reason to strand the shopper.
func readForm(w http.ResponseWriter, r *http.Request) url.Values {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	_ = r.ParseForm()
	return r.Form
}

// value reads a field that browsers and banks post, whatever the case of its name.
func value(f url.Values, name string) string {
	for k, v := range f {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// hostedPage is the payment form: opened with GET, or with POST, which may say where the browser goes afterwards. It takes
// a card, finishes the 3-D Secure of an order that waits for it, and sends the browser back to the shop.
func (g *Gateway) hostedPage(w http.ResponseWriter, r *http.Request) {
	in := readForm(w, r)
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.open(g.external[r.PathValue("external")])
	if o == nil || !o.Formed {
		notFound(w)
		return
	}
	faults.SetReference(r, o.Number)
	if sim.WebURL(value(in, "successUrl")) && sim.WebURL(value(in, "failUrl")) && r.Method == http.MethodPost {
		if s, f := value(in, "successUrl"), value(in, "failUrl"); s != o.SuccessURL || f != o.FailURL {
			o.SuccessURL, o.FailURL = s, f
			g.saveQuietly(o)
		}
	}
	text := ""
	if o.Status == created && value(in, "number") != "" && r.Method == http.MethodPost {
		month, year, _ := strings.Cut(value(in, "expiry"), "/")
		card := input{}
		for name, v := range map[string]string{"Pan": value(in, "number"), "ExpMonth": strings.TrimSpace(month),
			"ExpYear": strings.TrimSpace(year), "Cvv": value(in, "cvc")} {
			card[name] = quote(v)
		}
		got, bad := readCard(card)
		if bad != nil {
			text = bad.text
		} else {
			o.DMS = false
			g.pay(o, got, true)
			g.saveQuietly(o)
		}
	}
	g.showCurrentPage(w, r, o, text)
}

// showCurrentPage answers with the page of the order as it stands now.
func (g *Gateway) showCurrentPage(w http.ResponseWriter, r *http.Request, o *order, text string) {
	if o.Status == preAuthorized && o.CReq == "" && o.PaReq == "" {
		if bad := g.begin3DS(o); bad != nil {
			show(w, http.StatusInternalServerError,
				view{Title: "Please try again", Text: "Something went wrong. Please reload this page."})
			return
		}
	}
	to := o.FailURL
	switch o.Status {
	case created:
		show(w, http.StatusOK, view{Title: "Payment by card",
			Amount: amount.Format(o.Amount, o.Currency), Text: text, Back: o.FailURL, Forms: []pageForm{{
				Action: g.url("/form/" + o.External), Button: "Pay",
				Fields: []field{{"number", "", "Card number", "cc-number"}, {"expiry", "", "Expiry (MM/YY)", "cc-exp"},
					{"cvc", "", "CVC", "cc-csc"}, {"name", "", "Name on card", "cc-name"}},
			}}})
		return
	case preAuthorized:
		v := view{Title: "Redirecting to your bank", Auto: true, Forms: []pageForm{{Action: o.ACSURL, Button: "Continue"}}}
		if o.CReq != "" {
			v.Forms[0].Fields = []field{{Name: "creq", Value: o.CReq}}
		} else {
			v.Forms[0].Fields = []field{{Name: "PaReq", Value: o.PaReq}, {Name: "TermUrl", Value: g.returnURL(o)},
				{Name: "MD", Value: o.key()}}
		}
		show(w, http.StatusOK, v)
		return
	case authorized, charged, chargeProgress, authorization, ipsAccepted, partlyRefunded, refunded:
		to = o.SuccessURL
	}
	if to == "" {
		show(w, http.StatusOK, view{Title: "Payment", Text: "The order is " + o.Status + ". You can close this page."})
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// acsReturn is where the bank sends the shopper back to: notificationURL and TermUrl in one.
func (g *Gateway) acsReturn(w http.ResponseWriter, r *http.Request) {
	in := readForm(w, r)
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.open(g.external[r.PathValue("external")])
	if o == nil {
		notFound(w)
		return
	}
	faults.SetReference(r, o.Number)
	if o.Status == preAuthorized {
		g.finish3DS(o, value(in, "PaRes"))
	}
	if o.Status == preAuthorized { // nothing has come of it: no second challenge by itself
		to := o.FailURL
		if to == "" {
			show(w, http.StatusOK, view{Title: "Payment", Text: "The bank has not answered yet."})
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	g.showCurrentPage(w, r, o, "")
}

// payQRPage stands for the bank's app: GET shows what is to be paid, POST pays it, or declines it with result=declined.
func (g *Gateway) payQRPage(w http.ResponseWriter, r *http.Request) {
	g.appPage(w, r, func() int64 { return g.qrs[r.PathValue("qrc")] }, qrCreated, ipsAccepted)
}

// paySberPage is SberPay's deep link.
func (g *Gateway) paySberPage(w http.ResponseWriter, r *http.Request) {
	g.appPage(w, r, func() int64 { return g.sber[r.PathValue("token")] }, inProcess, charged)
}

// appPage is the same for both; find is called under the lock.
func (g *Gateway) appPage(w http.ResponseWriter, r *http.Request, find func() int64, from, to string) {
	in := readForm(w, r)
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.open(find())
	if o == nil {
		notFound(w)
		return
	}
	faults.SetReference(r, o.Number)
	if r.Method != http.MethodPost {
		action := g.env.BaseURL + "/" + gatewayName + r.URL.Path
		v := view{Title: "Pay in the bank's app", Amount: amount.Format(o.Amount, o.Currency), Forms: []pageForm{
			{Action: action, Button: "Pay"}, {Action: action, Button: "Decline", Fields: []field{{Name: "result", Value: "declined"}}},
		}}
		if o.Status != from {
			v.Forms, v.Text = nil, "The order is "+o.Status+"."
		}
		show(w, http.StatusOK, v)
		return
	}
	if o.Status != from {
		show(w, http.StatusConflict, view{Title: "Not possible", Text: "The order is " + o.Status + "."})
		return
	}
	if value(in, "result") == "declined" {
		g.decline(o, "DECLINED", "Declined in the bank's app")
	} else {
		o.Charges++
		o.Held, o.Captured, o.RRN = o.Amount, o.Amount, g.env.Digits(12)
		o.set(to)
	}
	if bad := g.save(o); bad != nil {
		show(w, http.StatusInternalServerError, view{Title: "Please try again", Text: bad.text})
		return
	}
	if o.BackURL != "" {
		http.Redirect(w, r, o.BackURL, http.StatusSeeOther)
		return
	}
	show(w, http.StatusOK, view{Title: "Thank you", Text: "The order is " + o.Status + ". You can go back to the shop's page."})
}
