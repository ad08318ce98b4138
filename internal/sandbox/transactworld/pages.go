package transactworld

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/page"
	"tollgate/internal/sandbox/sim"
)

var pages = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>` + string(page.Hosted) + `</head>
<body{{if .Auto}} onload="document.forms[0].submit()"{{end}}>
<main><div class="sheet"><p class="by">TransactWorld · sandbox</p><h1>{{.Title}}</h1>
{{with .Text}}<p>{{.}}</p>{{end}}
{{with .Amount}}<p class="amount">{{.}}</p>
{{end}}{{if .Action}}<form method="post" action="{{.Action}}">
{{range .Fields}}{{if .Label}}<p><label>{{.Label}} <input name="{{.Name}}" value="{{.Value}}" autocomplete="off"></label></p>
{{else}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}{{end}}<button type="submit">{{.Button}}</button>
</form>{{end}}
</div></main></body></html>
`))

type field struct{ Name, Value, Label string }

type view struct {
	Title, Text, Action, Button string
	Amount                      string // that is paid
	Auto                        bool
	Fields                      []field
}

func show(w http.ResponseWriter, v view) {
	if v.Button == "" {
		v.Button = "Continue"
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = pages.Execute(w, v) // a failed write means that the browser is gone
}

// visit opens the payment of a page's token and runs f on it under the lock; f answers with the page to show.
func (g *Gateway) visit(w http.ResponseWriter, r *http.Request, f func(a *Account, p *payment, in url.Values) view) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	_ = r.ParseForm() // what cannot be read is no reason to strand the shopper
	g.mu.Lock()
	p := g.open(g.tokens[r.PathValue("token")])
	var v view
	if p != nil {
		faults.SetReference(r, p.Reference)
		v = f(g.accountOf(p), p, r.Form)
	}
	g.mu.Unlock()
	if p == nil {
		http.Error(w, "Page not found", http.StatusNotFound)
		return
	}
	show(w, v)
}

// acsReturn is the platform's own TermUrl: it finishes the payment and posts the browser to the merchant.
func (g *Gateway) acsReturn(w http.ResponseWriter, r *http.Request) {
	g.visit(w, r, func(a *Account, p *payment, in url.Values) view {
		paRes := ""
		for name, v := range in {
			if strings.EqualFold(name, "PaRes") {
				paRes = v[0]
			}
		}
		if p.waiting() && paRes != "" {
			if bad := g.takePaRes(a, p, paRes); bad != nil {
				g.env.Log.Info("PaRes not taken", "gateway", gatewayName, "reference", p.Reference, "reason", bad)
				p = g.open(p.ID)
			}
		}
		return g.toMerchant(a, p)
	})
}

// ownPage is where an asynchronous payment sends the shopper: the platform's page, which goes on to the bank.
func (g *Gateway) ownPage(w http.ResponseWriter, r *http.Request) {
	g.visit(w, r, func(a *Account, p *payment, _ url.Values) view { return g.currentPage(a, p) })
}

func (g *Gateway) currentPage(a *Account, p *payment) view {
	if !p.waiting() {
		return g.toMerchant(a, p)
	}
	if p.PaReq == "" {
		card, ok := issuer.Named(p.Card)
		if !ok {
			return view{Title: "Payment", Text: "Something went wrong."}
		}
		bad := g.beginVer1(a, p, card)
		if bad == nil {
			bad = g.save(p)
		}
		if bad != nil {
			return view{Title: "Payment", Text: "Something went wrong. Please reload this page."}
		}
	}
	return view{Title: "Redirecting to your bank", Action: p.ACSURL, Auto: true, Fields: []field{
		{Name: "PaReq", Value: p.PaReq}, {Name: "MD", Value: p.ID}, {Name: "TermUrl", Value: g.url("/3ds/" + p.Token)},
	}}
}

// toMerchant posts the browser to merchantRedirectUrl.
func (g *Gateway) toMerchant(a *Account, p *payment) view {
	if !sim.WebURL(p.RedirectURL) {
		return view{Title: "Payment", Text: "The payment is " + p.Status + ". You can close this page."}
	}
	return view{Title: "Back to the shop", Action: p.RedirectURL, Auto: true, Fields: g.returnFields(a, p)}
}

// invoicePage is an invoice's transactionUrl: a card form of the platform's own.
func (g *Gateway) invoicePage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	_ = r.ParseForm()
	g.mu.Lock()
	v, ok := g.billPage(r)
	g.mu.Unlock()
	if !ok {
		http.Error(w, "Page not found", http.StatusNotFound)
		return
	}
	show(w, v)
}

func (g *Gateway) billPage(r *http.Request) (view, bool) {
	var bill *invoice
	for known := range g.invoices.All() {
		if known.Token == r.PathValue("token") {
			bill = known
		}
	}
	if bill == nil {
		return view{}, false
	}
	a := g.accountOf(&payment{Member: bill.Member})
	if p := g.open(bill.Payment); p != nil && (p.waiting() || p.Charges > 0) {
		return g.currentPage(a, p), true
	}
	form := view{Title: "Invoice " + bill.Reference, Amount: amount.Format(amount.FromHundredths(bill.Amount, bill.Currency), bill.Currency),
		Action: g.url("/invoice/" + bill.Token), Button: "Pay",
		Fields: []field{{"card.number", "", "Card number"}, {"card.expiryMonth", "", "Month"}, {"card.expiryYear", "", "Year"},
			{"card.cvv", "", "CVV"}}}
	if !g.now().Before(bill.Expires) {
		return view{Title: form.Title, Text: "This invoice has expired."}, true
	}
	if r.Method != http.MethodPost {
		return form, true
	}
	in := params{"merchantTransactionId": bill.nextReference(), "amount": formatAmount(bill.Amount), "currency": bill.Currency,
		"merchantRedirectUrl": bill.RedirectURL,
		"notificationUrl":     bill.NotifyURL, "orderDescriptor": bill.Description, "customer.email": bill.Email, "paymentMode": "CC",
		"paymentBrand": "VISA"}
	for name, v := range r.PostForm {
		if strings.HasPrefix(name, "card.") {
			in[name] = v[0]
		}
	}
	card, bad := in.card()
	if bad == nil {
		var p *payment
		if p, bad = g.begin(&call{params: in, a: a, r: r}, "DB"); bad == nil {
			bill.Payment, bill.Tries = p.ID, bill.Tries+1
			if bad = g.saveInvoice(bill); bad == nil {
				bad = g.charge(a, p, card, "")
			}
			if bad == nil {
				return g.currentPage(a, p), true
			}
		}
	}
	form.Text = bad.text
	return form, true
}
