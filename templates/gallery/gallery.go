// Package gallery shows every page as it may look, from made-up data: to people who look, and to the tests that judge pages.
package gallery

import (
	"bytes"
	"image/png"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"tollgate/internal/card"
	"tollgate/internal/i18n"
	"tollgate/internal/look"
	"tollgate/templates"
)

// Story is one page in one state.
type Story struct {
	Name string
	Page templ.Component
}

// Stories are every page as it may look; language links lead to self. The list stays in one piece, to be read from top to bottom.
func Stories(t *i18n.Localizer, self string) []Story {
	l := templates.Layout{
		T: t, Nonce: "n", MerchantName: "Кітап дүкені «Парақ»", OrderText: "A-10583", Description: "Абай жолы, I–II",
		AmountText: i18n.FormatAmount(t.Lang(), 1_234_567, 2, "KZT"), SandboxNotice: true, Secure: true, TextLang: "kk", Self: self,
	}
	under := l // a payment that is under way
	under.Exit = &templates.Exit{OtherAction: "/pay/s1/other", CancelAction: "/pay/s1/cancel", CSRF: "token"}
	outlived := l
	outlived.Exit = &templates.Exit{ShopURL: "https://shop.example/", Until: time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC), Left: 25 * time.Minute}
	own, err := look.New(look.Sample(), i18n.Languages())
	if err != nil {
		panic(err) // the sample is ours, and tested
	}
	shop := l
	shop.Look, shop.Items = templates.LookOf(t.Lang(), own), items(t)
	card := templates.CardPage{
		Layout: l, Action: "/pay/s1/card", CancelAction: "/pay/s1/cancel", CSRF: "token",
		Systems: card.Table(), Brands: brands(),
	}
	wrong := card
	wrong.Expiry, wrong.Name = "08/29", "AIGERIM SERIK"
	wrong.Errors = templates.CardErrors{Number: templates.NumberInvalid, CVC: templates.CVCMissing}
	declined := card
	declined.Decline, declined.AttemptsLeft, declined.Expiry, declined.Name = "insufficient_funds", 3, "08/29", "AIGERIM SERIK"
	notCharged := card
	notCharged.NotCharged = true
	again := card
	again.AskLast4 = "1234"
	lt := l
	lt.Transfer = &templates.Transfer{SumText: i18n.FormatAmount(t.Lang(), 1_200_000, 2, "KZT"),
		FeeText: i18n.FormatAmount(t.Lang(), 34_567, 2, "KZT")}
	transfer := card
	transfer.Layout, transfer.AskTo = lt, true
	badTarget := transfer
	badTarget.Expiry, badTarget.Name, badTarget.Errors = "08/29", "AIGERIM SERIK", templates.CardErrors{To: templates.ToSame}
	named := transfer
	named.AskTo, named.Transfer = false, &templates.Transfer{SumText: lt.Transfer.SumText, FeeText: lt.Transfer.FeeText,
		ToLast4: "1234"}
	dressed := card
	dressed.Layout, dressed.AskSave, dressed.Left = shop, true, 1740
	many := card
	many.Layout = shop
	many.Items = append(items(t), items(t)...)
	choice := func(chosen string) templates.Choice {
		c := templates.Choice{AskPhone: true, PhoneField: "sberpay_phone", AskSave: true}
		for _, way := range []string{"card", "qr", "sberpay", "hosted"} {
			c.Ways = append(c.Ways, templates.Way{ID: way, Chosen: way == chosen})
		}
		return c
	}
	chooses := card
	chooses.Choice, chooses.AskSave, chooses.Left = choice("card"), true, 1740
	byPhone := card
	byPhone.Choice = choice("sberpay")
	byPhone.Choice.Phone, byPhone.Choice.Wrong = "+7 701", templates.PhoneInvalid
	others := choice("")
	others.Ways = others.Ways[1:]
	back := "https://shop.example/thanks?session=s1"
	slip := templates.Receipt{AmountText: l.AmountText}
	full := templates.Receipt{
		AmountText: l.AmountText, Own: true, Date: time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC), Brand: brands()[0], Last4: "1234",
		ReferenceText: "A-10583-1", ApprovalText: "831000",
	}
	partly := full
	partly.RefundedText = i18n.FormatAmount(t.Lang(), 234_567, 2, "KZT")
	partly.LeftText = i18n.FormatAmount(t.Lang(), 1_000_000, 2, "KZT")
	long := card
	long.Description, long.AskSave, long.Left = strings.Repeat(l.Description+"\n", 4), true, 1740
	info := "Подтвердите операцию в приложении банка.\nКод никому не сообщайте."
	fields := []templates.Field{{Name: "creq", Value: "e30"}}
	result := func(o templates.Outcome) templ.Component {
		return templates.Result(templates.ResultPage{Layout: l, Outcome: o, ContinueURL: back, Receipt: &slip})
	}
	return []Story{
		{"card", templates.Card(card)},
		{"card-long", templates.Card(long)},
		{"card-look", templates.Card(dressed)},
		{"card-items", templates.Card(many)},
		{"card-ways", templates.Card(chooses)},
		{"card-ways-wrong", templates.Card(byPhone)},
		{"card-wrong", templates.Card(wrong)},
		{"card-declined", templates.Card(declined)},
		{"card-not-charged", templates.Card(notCharged)},
		{"card-again", templates.Card(again)},
		{"transfer", templates.Card(transfer)},
		{"transfer-wrong", templates.Card(badTarget)},
		{"transfer-named", templates.Card(named)},
		{"transfer-saved", templates.SavedCards(templates.SavedCardsPage{
			Layout: lt, Action: "/card", CancelAction: "/cancel", AskTo: true, Chosen: "2",
			Errors: templates.CardErrors{To: templates.ToMissing},
			Cards: []templates.SavedCard{{ID: "1", Brand: brands()[0], Last4: "1234", Expiry: "08/29"}, {ID: "2", Brand: brands()[2],
				Last4: "0007", Expiry: "01/28"}},
		})},
		{"transfer-wait", templates.Wait(templates.WaitPage{Layout: lt, Next: "#", EventsURL: "/pay/s1/events"})},
		{"transfer-paid", templates.Result(templates.ResultPage{Layout: lt, Outcome: templates.OutcomePaid, ContinueURL: back})},
		{"method-frame", templates.MethodFrame(templates.MethodFramePage{T: t, Nonce: "n", Action: "/gallery/en/method-done"})},
		{"method-done", templates.MethodDone(templates.MethodDonePage{Nonce: "n", ID: "1.1", Origin: "https://pay.example"})},
		{"method", templates.Method(templates.MethodPage{Layout: under, Next: "#", Deadline: 3600})},
		{"challenge", templates.Challenge(templates.ChallengePage{Layout: under, Action: "https://bank.example/acs", Fields: fields})},
		{"challenge-info", templates.Challenge(templates.ChallengePage{Layout: under, Action: "https://bank.example/acs",
			Fields: fields, Info: info})},
		{"leave", templates.Leave(templates.LeavePage{Layout: outlived, URL: "https://bank.example/pay"})},
		{"to-top", templates.ToTop(templates.ToTopPage{Layout: l, PayURL: "#"})},
		{"return-top", templates.ReturnTop(templates.ReturnTopPage{T: t, Nonce: "n", PayURL: "#"})},
		{"wait", templates.Wait(templates.WaitPage{Layout: l, Next: "#", EventsURL: "/pay/s1/events"})},
		{"wait-checking", templates.Wait(templates.WaitPage{Layout: under, Next: "#", Reason: templates.WaitChecking, Long: true})},
		{"paid", templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomePaid, ContinueURL: back, Delay: 3600,
			Receipt: &full})},
		{"paid-mail", templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomePaid, ContinueURL: back, Receipt: &full,
			Mail: &templates.ReceiptMail{Action: "/pay/s1/receipt", CSRF: "token", Email: "aigerim@shop", Wrong: true}})},
		{"paid-mailed", templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomePaid, ContinueURL: back, Receipt: &full,
			Mail: &templates.ReceiptMail{Sent: 3}})},
		{"mail", templates.Mail(mail(t, partly))},
		{"paid-look", templates.Result(templates.ResultPage{Layout: shop, Outcome: templates.OutcomePaid, ContinueURL: back, Receipt: &full})},
		{"partly-refunded", templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomePartly, ContinueURL: back,
			Receipt: &partly})},
		{"authorized", result(templates.OutcomeAuthorized)},
		{"declined", templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomeDeclined, Decline: "limit",
			ContinueURL: back})},
		{"cancelled", templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomeCancelled, ContinueURL: back})},
		{"expired", templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomeExpired, ContinueURL: back})},
		{"refunded", result(templates.OutcomeRefunded)},
		{"voided", result(templates.OutcomeVoided)},
		{"not-found", templates.NotFound(templates.NotFoundPage{Layout: templates.Layout{T: t}})},
		{"problem", templates.Problem(templates.ProblemPage{Layout: templates.Layout{T: t}, Retry: "/pay/s1", RequestID: "7Q2M-4K"})},
		{"start-hosted", templates.Start(templates.StartPage{Layout: l, Action: "/pay/s1/start",
			CancelAction: "/pay/s1/cancel", CSRF: "token", Hosted: true})},
		{"seal-start", templates.SealStart(templates.SealStartPage{Layout: l, Action: "/pay/s1/card", CancelAction: "/pay/s1/cancel",
			CSRF: "token", HasKey: true})},
		{"seal-card", templates.SealedCard(templates.SealedCardPage{Layout: l, Action: "/pay/s1/card", CSRF: "token", Modulus: "c5",
			Exponent: "65537", OrderID: "0179018d-8f96-7fbe-bc2b-4b7e00a7d8c0", Time: 1795780800000,
			Systems: card.Systems, Brands: card.Brands})},
		{"start-app", templates.Start(templates.StartPage{Layout: l, Action: "/pay/s1/start", CancelAction: "/pay/s1/cancel",
			CSRF: "token", AskPhone: true})},
		{"start-ways", templates.Start(templates.StartPage{Layout: l, Action: "/pay/s1/start", CancelAction: "/pay/s1/cancel",
			CSRF: "token", Choice: choice("qr"), Left: 1740})},
		{"login-phone", templates.LoginPhone(templates.LoginPhonePage{Layout: l, Action: "/login", CancelAction: "/cancel",
			Phone: "+7 701", Error: templates.PhoneInvalid})},
		{"login-phone-remembered", templates.LoginPhone(templates.LoginPhonePage{Layout: l, Action: "/login", CancelAction: "/cancel",
			RememberedText: "+7 ••• ••• 45 67", RememberedAction: "/remembered", ForgetAction: "/forget"})},
		{"login-code", templates.LoginCode(templates.LoginCodePage{Layout: l, Action: "/code", CancelAction: "/cancel",
			AgainAction: "/again", OtherAction: "/other", Good: good(90 * time.Second), PhoneText: "+7\u00a0701\u00a0•••\u00a0••\u00a067", AskRemember: true})},
		{"login-phone-checking", templates.LoginPhone(templates.LoginPhonePage{Layout: l, Action: "/login", Checking: true,
			Error: templates.PhoneOther})},
		{"login-code-last", templates.LoginCode(templates.LoginCodePage{Layout: l, Action: "/code", CancelAction: "/cancel",
			PhoneText: "+7\u00a0701\u00a0•••\u00a0••\u00a067", Error: templates.CodeWrong})},
		{"login-over", templates.LoginOver(templates.LoginOverPage{Layout: l, CancelAction: "/cancel"})},
		{"gallery", templates.Gallery(templates.GalleryPage{Layout: templates.Layout{T: t}, Names: []string{"card"},
			Languages: []templates.GalleryLanguage{{Tag: "en", Name: "English"}}})},
		{"home", templates.Home(templates.HomePage{Layout: templates.Layout{T: t}})},
		{"limited", templates.Limited(templates.LimitedPage{Layout: l, Minutes: 5, Retry: "/pay/cs_1"})},
		{"saved-offer", templates.SavedOffer(templates.SavedOfferPage{Layout: l, Action: "/pay/s1/customer",
			NewCard: "/pay/s1/new", CancelAction: "/cancel"})},
		{"saved-cards", templates.SavedCards(templates.SavedCardsPage{
			Layout: l, Action: "/card", CancelAction: "/cancel", AskCVC: true, DeleteAction: "/delete",
			Cards: []templates.SavedCard{{ID: "1", Brand: brands()[0], Last4: "1234", Expiry: "08/29"}, {ID: "2", Brand: brands()[2],
				Last4: "0007", Expiry: "01/28"}},
		})},
		{"saved-cards-ways", templates.SavedCards(templates.SavedCardsPage{
			Layout: l, Action: "/card", CancelAction: "/cancel", DeleteAction: "/delete", Choice: others,
			Cards: []templates.SavedCard{{ID: "1", Brand: brands()[0], Last4: "1234", Expiry: "08/29"}},
		})},
		{"scan", templates.Scan(templates.ScanPage{Layout: under, Link: "https://qr.example/1", Next: "#", PNG: code("https://qr.example/1"),
			Good: good(14*time.Minute + 40*time.Second)})},
		{"scan-over", templates.Scan(templates.ScanPage{Layout: under, Link: "https://qr.example/1", Next: "#", Over: true})},
	}
}

// Preview is a merchant's look on the pages that shoppers see most.
func Preview(t *i18n.Localizer, merchant string, own *look.Look) []Story {
	l := templates.Layout{
		T: t, Nonce: "n", MerchantName: merchant, OrderText: "A-10583", AmountText: i18n.FormatAmount(t.Lang(), 1_234_567, 2, "KZT"),
		Secure: true, Look: templates.LookOf(t.Lang(), own), Items: items(t),
	}
	card := templates.CardPage{
		Layout: l, Action: "#", CancelAction: "#", Systems: card.Table(), Brands: brands(), Left: 1740, AskSave: true,
	}
	wrong := card
	wrong.Errors = templates.CardErrors{Number: templates.NumberInvalid, CVC: templates.CVCMissing}
	declined := card
	declined.Decline, declined.AttemptsLeft = "insufficient_funds", 3
	return []Story{
		{"card", templates.Card(card)},
		{"card-wrong", templates.Card(wrong)},
		{"card-declined", templates.Card(declined)},
		{"wait", templates.Wait(templates.WaitPage{Layout: l, Next: "#"})},
		{"bank", templates.Challenge(templates.ChallengePage{Layout: l, Action: "https://bank.example/"})},
		{"paid", templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomePaid, ContinueURL: "https://shop.example/",
			Receipt: &templates.Receipt{AmountText: l.AmountText}})},
	}
}

// mail is a receipt as a mail.
func mail(t *i18n.Localizer, r templates.Receipt) templates.MailPage {
	p := templates.MailPage{T: t, ShopName: "Кітап дүкені «Парақ»", TextLang: "kk", Help: []string{"help@shop.example"}}
	p.Rows = r.Rows(p, "A-10583")
	return p
}

// good is a code's time.
func good(left time.Duration) templates.Good {
	return templates.Good{Until: time.Date(2026, 11, 27, 10, 30, 0, 0, time.UTC), Left: left}
}

// items are the lines of an order.
func items(t *i18n.Localizer) []templates.Item {
	text := func(minor int64) string { return i18n.FormatAmount(t.Lang(), minor, 2, "KZT") }
	return []templates.Item{
		{Name: "Абай жолы, I–II", QuantityText: "2 × " + text(450_000), SumText: text(900_000)},
		{Name: "Қара сөздер", SumText: text(334_567), DiscountText: text(50_000), TaxText: text(35_846)},
	}
}

// code is a picture of the code that a bank's app reads.
func code(link string) []byte {
	picture, err := qr.Encode(link, qr.M, qr.Auto)
	if err != nil {
		return nil
	}
	if picture, err = barcode.Scale(picture, 480, 480); err != nil {
		return nil
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return nil
	}
	return b.Bytes()
}

// brands are those that accounts usually take.
func brands() (all []templates.Brand) {
	for _, s := range card.Systems() {
		all = append(all, templates.Brand{ID: s.ID, Name: s.Name, Lang: s.Lang})
	}
	return all[:5]
}
