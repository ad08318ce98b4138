package look

import _ "embed"

//go:embed sample.svg
var sampleLogo []byte

// Sample is the look of the sandbox's demo shop, by the name that sessions ask for it.
func Sample() Settings {
	corner := 10
	return Settings{
		Name: "market", Logo: sampleLogo, Accent: "#8a2454", Background: "#faf5f2", BackgroundDark: "#17110f", Corner: &corner,
		SupportEmail: "help@shop.example", SupportPhone: "+7 727 123 45 67", SupportAddress: "Abay Avenue 1, Almaty",
		TermsURL: "https://shop.example/terms", PrivacyURL: "https://shop.example/privacy", RefundsURL: "https://shop.example/refunds",
		Texts: map[string]Texts{
			"en": {Title: "Demo shop", Note: "Delivered in Almaty within two days."},
			"ru": {Title: "Демо-магазин", Note: "Доставка по Алматы за два дня.", Address: "Алматы, проспект Абая, 1"},
			"kk": {Title: "Демо дүкен", Note: "Алматы бойынша екі күнде жеткіземіз.", Address: "Алматы, Абай даңғылы, 1"},
		},
	}
}
