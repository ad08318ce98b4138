package payneteasy

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/page"
)

var pages = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
    <meta http-equiv="content-type" content="text/html; charset=UTF-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{{.Title}}</title>
` + string(page.Hosted) + `
{{- if .Auto}}
    <script type="text/javascript" language="javascript">
        function makeSubmit() {
            document.returnform.submit();
        }
    </script>
{{- end}}
</head>
<body{{if .Auto}} onLoad="makeSubmit()"{{end}}>
<main><div class="sheet"><p class="by">PaynetEasy · sandbox</p><h1>{{.Title}}</h1>
{{with .Amount}}<p class="amount">{{.}}</p>
{{end}}{{with .Text}}<p>{{.}}</p>
{{end}}{{if .Action}}<form name="returnform" action="{{.Action}}" method="POST">
{{range .Fields}}{{if .Label}}    <p><label>{{.Label}} <input name="{{.Name}}" value="{{.Value}}" autocomplete="off"></label></p>
{{else}}    <input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}{{end}}{{if .Auto}}    <noscript>
{{end}}    <input type="submit" value="{{.Button}}"/>
{{if .Auto}}    </noscript>
{{end}}</form>
{{end}}</div></main></body>
</html>
`))

type field struct{ Name, Value, Label string }

type view struct {
	Title, Text, Action, Button string
	Amount                      string // that is paid
	Auto                        bool
	Fields                      []field
}

func render(v view) string {
	if v.Button == "" {
		v.Button = "Press this button to continue"
	}
	var b strings.Builder
	_ = pages.Execute(&b, v) // a builder does not fail, and the template is fixed
	return b.String()
}

// redirectHTML is the page of the field html: it submits itself, or waits for its button where there is no script.
func redirectHTML(to string, fields [][2]string) string {
	v := view{Title: "Redirecting ...", Action: to, Auto: true}
	for _, f := range fields {
		v.Fields = append(v.Fields, field{Name: f[0], Value: f[1]})
	}
	return render(v)
}

func show(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(text))
}

// visit opens the order of a page's token and runs f on it under the lock; f answers with the page to show.
func (g *Gateway) visit(w http.ResponseWriter, r *http.Request, f func(a *Account, o *order, in url.Values) string) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	_ = r.ParseForm() // what cannot be read is no reason to strand the shopper
	text := ""
	g.mu.Lock()
	o := g.open(g.tokens[r.PathValue("token")])
	if id := r.PathValue("id"); o != nil && id != "" && id != o.ID {
		o = nil
	}
	if o != nil {
		faults.SetReference(r, o.Client)
		text = f(g.accountOf(o), o, r.Form)
	}
	g.mu.Unlock()
	if text == "" {
		http.Error(w, "Page is not found", http.StatusNotFound)
		return
	}
	show(w, text)
}

// cardForm is redirect-url of sale-form and preauth-form.
func (g *Gateway) cardForm(w http.ResponseWriter, r *http.Request) {
	g.visit(w, r, func(a *Account, o *order, in url.Values) string {
		if o.Step != stepForm || o.Status != processing {
			return g.currentPage(a, o)
		}
		form := view{Title: "Payment by card", Action: g.url("/form/init/" + o.Token), Button: "Pay",
			Amount: amount.Format(amount.FromHundredths(o.Amount, o.Currency), o.Currency),
			Fields: []field{{"credit_card_number", "", "Card number"}, {"expire_month", "", "Month"}, {"expire_year", "", "Year"},
				{"cvv2", "", "CVV2"}, {"card_printed_name", "", "Name on card"}}}
		if r.Method != http.MethodPost {
			return render(form)
		}
		card, bad := (&call{g: g, acc: a, form: in}).card()
		if bad == nil {
			o.setCard(card)
			bad = g.pay(a, o, card, false, true)
		}
		if bad != nil {
			form.Text = bad.text
			return render(form)
		}
		return g.currentPage(a, o)
	})
}

// redirectPage is redirect-to: the gateway's own page, which takes the shopper to the bank.
func (g *Gateway) redirectPage(w http.ResponseWriter, r *http.Request) {
	g.visit(w, r, func(a *Account, o *order, _ url.Values) string {
		if o.Status == processing && (o.Step == stepMethod || o.Step == stepPaReq) { // the client leaves 3-D Secure to this page
			if o.Step == stepMethod {
				o.TransID, o.MethodURL = "", ""
			}
			o.Paged = true
			o.wait(stepPage, o.StepSince)
			if bad := g.save(o); bad != nil {
				return render(view{Title: "Please wait", Text: "Something went wrong. Please reload this page."})
			}
		}
		return g.currentPage(a, o)
	})
}

// acsReturn is where the bank sends the shopper back to when the gateway's pages run 3-D Secure: notificationURL and TermUrl
// in one.
func (g *Gateway) acsReturn(w http.ResponseWriter, r *http.Request) {
	g.visit(w, r, func(a *Account, o *order, in url.Values) string {
		if o.Step != stepPage || o.Status != processing {
			return g.currentPage(a, o)
		}
		var bad *fault
		if o.CReq != "" {
			bad = g.finishChallenge(a, o)
		} else if o.PaReq != "" {
			bad = g.takePaRes(a, o, (&call{form: in}).value("PaRes"))
		}
		if bad != nil {
			g.env.Log.Info("return not taken", "gateway", gatewayName, "reference", o.Client, "reason", bad)
			return g.currentPage(a, g.open(o.ID))
		}
		return g.currentPage(a, o)
	})
}

// currentPage is where the shopper goes next, as the order stands now: to the bank, or back to the shop.
func (g *Gateway) currentPage(a *Account, o *order) string {
	if o.Status == processing && o.Step == stepPage {
		if o.CReq == "" && o.PaReq == "" {
			if bad := g.beginPage(a, o); bad != nil {
				g.env.Log.Error("page not begun", "gateway", gatewayName, "err", bad)
				return render(view{Title: "Please wait", Text: "Something went wrong. Please reload this page."})
			}
		}
		back := g.url("/3ds/return/" + o.Token)
		switch {
		case o.Status != processing || o.Step != stepPage:
		case o.CReq != "":
			return redirectHTML(o.ACSURL, [][2]string{{"creq", o.CReq}})
		case o.PaReq != "":
			return redirectHTML(o.ACSURL, [][2]string{{"PaReq", o.PaReq}, {"MD", o.ID}, {"TermUrl", back}})
		}
	}
	if o.RedirectURL == "" {
		return render(view{Title: "Payment", Text: "The payment is " + o.Status + ". You can close this page."})
	}
	v := g.callbackParams(a, o, o.Type, o.Status, o.approvedAmount())
	var fields [][2]string
	for _, name := range sortedNames(v) {
		fields = append(fields, [2]string{name, v.Get(name)})
	}
	return redirectHTML(o.RedirectURL, fields)
}

// beginPage starts 3-D Secure behind the gateway's own page, where no Method runs (threeDSCompInd N).
func (g *Gateway) beginPage(a *Account, o *order) *fault {
	card, ok := issuer.Named(o.Card)
	if !ok {
		return errSystem
	}
	switch card.Protocol {
	case "":
		return g.authorize(a, o, card)
	case "1.0.2":
		if bad := g.beginVer1(a, o, card); bad != nil {
			return bad
		}
		return g.save(o)
	}
	if bad := g.begin(o, card, false); bad != nil {
		return bad
	}
	o.NotificationURL = g.url("/3ds/return/" + o.Token)
	ind := "N"
	if o.MethodURL == "" {
		ind = "U"
	}
	return g.authenticate(a, o, card, ind, nil)
}

// resolvePage is no part of the gateway's API: the sandbox's console ends an unknown order with it, ?to=approved or declined.
func (g *Gateway) resolvePage(w http.ResponseWriter, r *http.Request) {
	to := r.FormValue("to")
	if to != approved && to != declined {
		http.Error(w, "to must be approved or declined", http.StatusBadRequest)
		return
	}
	if err := g.Resolve(r.PathValue("client"), to == approved); err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func sortedNames(v url.Values) []string {
	var names []string
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
