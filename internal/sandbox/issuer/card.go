package issuer

import (
	"encoding/json"
	"log/slog"
	"strings"
)

// Bank answers that a card can have after (or without) authentication; "" approves.
const (
	DeclineFunds = "insufficient_funds"
	DeclineHonor = "do_not_honor"
)

// Card is one test card: its number decides everything that its bank does. Only listed cards are taken.
type Card struct {
	PAN       string
	Protocol  string // "2.1.0", "2.2.0", "2.3.1", "1.0.2", "" not enrolled
	Method    string // ok none silent late twice garbage; "" outside 3DS 2
	ARes      string // Y N A R I U timeout C D soft; "" outside 3DS 2
	Challenge string // pass fail manual cancel never erro unable padded folded twice get; "" where there is none
	Bank      string // the bank's answer to the authorization: "", DeclineFunds, DeclineHonor
	HTML      bool   // the gateway shows a page of its own in place of the 3DS data
	Alias     bool   // a number testers know from elsewhere (Cardinal)
	Title     string // what the card does, for the shop's list
}

// Soft reports that the bank refuses the frictionless result and asks for a challenge (a second run).
func (c Card) Soft() bool { return c.ARes == "soft" }

// Masked is the number with first six and last four digits.
func (c Card) Masked() string {
	if len(c.PAN) < 13 {
		return "****"
	}
	return c.PAN[:6] + strings.Repeat("*", len(c.PAN)-10) + c.PAN[len(c.PAN)-4:]
}

// String, GoString, LogValue and MarshalJSON mask the number, so that a card cannot print itself into a log or a file.
func (c Card) String() string               { return c.Masked() + " " + c.Title }
func (c Card) GoString() string             { return c.String() }
func (c Card) LogValue() slog.Value         { return slog.StringValue(c.String()) }
func (c Card) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

var versions = map[byte]string{'1': "2.1.0", '2': "2.2.0", '3': "2.3.1"}

// table lists the sandbox's own numbers: 4000 0199 000V MRCk, where the digits V, M, R and C choose version, Method, ARes
// and challenge, and k is the Luhn digit.
func table() []Card {
	v2 := func(pan, method, ares, challenge, title string) Card {
		return Card{PAN: pan, Protocol: versions[pan[11]], Method: method, ARes: ares, Challenge: challenge, Title: title}
	}
	v1 := func(pan, challenge, title string) Card {
		return Card{PAN: pan, Protocol: "1.0.2", Challenge: challenge, Title: title}
	}
	funds := Card{PAN: "4000019900050107", Bank: DeclineFunds, Title: "No 3-D Secure, declined: insufficient funds"}
	honor := v2("4000019900060700", "ok", "C", "pass", "Challenge passed, then declined by the bank: do not honour")
	honor.Protocol, honor.Bank = "2.2.0", DeclineHonor
	html := v2("4000019900070006", "ok", "C", "manual", "The gateway shows a page of its own")
	html.Protocol, html.HTML = "2.2.0", true
	return []Card{
		v2("4000019900020001", "ok", "Y", "", "Frictionless, approved"),
		v2("4000019900021009", "none", "Y", "", "Frictionless, no Method URL"),
		v2("4000019900022007", "silent", "Y", "", "Frictionless, the Method never answers"),
		v2("4000019900023005", "late", "Y", "", "Frictionless, the Method answers after 12 seconds"),
		v2("4000019900024003", "twice", "Y", "", "Frictionless, the Method answers twice"),
		v2("4000019900025000", "garbage", "Y", "", "Frictionless, the Method answers with garbage"),
		v2("4000019900020100", "ok", "N", "", "Frictionless, not authenticated (N)"),
		v2("4000019900020209", "ok", "A", "", "Frictionless, attempt (A)"),
		v2("4000019900020308", "ok", "R", "", "Frictionless, rejected (R)"),
		v2("4000019900020407", "ok", "I", "", "Frictionless, informational (I)"),
		v2("4000019900020506", "ok", "U", "", "Frictionless, unavailable (U)"),
		v2("4000019900020605", "ok", "timeout", "", "The directory server times out"),
		v2("4000019900020704", "ok", "C", "pass", "Challenge, passes by itself"),
		v2("4000019900020712", "ok", "C", "fail", "Challenge, fails by itself"),
		v2("4000019900020720", "ok", "C", "manual", "Challenge, you choose on the bank's page"),
		v2("4000019900020738", "ok", "C", "cancel", "Challenge, the cardholder cancels"),
		v2("4000019900020746", "ok", "C", "never", "Challenge, the bank never returns"),
		v2("4000019900020753", "ok", "C", "erro", "Challenge, the bank returns an error (Erro 402)"),
		v2("4000019900020761", "ok", "C", "padded", "Challenge passed, CRes in padded standard base64"),
		v2("4000019900020779", "ok", "C", "folded", "Challenge passed, CRes folded with line feeds"),
		v2("4000019900020787", "ok", "C", "twice", "Challenge passed, CRes posted twice"),
		v2("4000019900020795", "ok", "C", "get", "Challenge passed, CRes returned by GET"),
		v2("4000019900020803", "ok", "D", "pass", "Decoupled: confirmed in the bank's app a little later"),
		v2("4000019900020902", "ok", "soft", "pass", "Frictionless, soft decline, then challenge"),
		v2("4000019900010721", "ok", "C", "manual", "Challenge on the bank's page, EMV 3DS 2.1.0"),
		v2("4000019900030729", "ok", "C", "manual", "Challenge on the bank's page, EMV 3DS 2.3.1"),
		v1("4000019900040702", "pass", "3-D Secure 1.0.2, passes (PaRes Y)"),
		v1("4000019900040710", "fail", "3-D Secure 1.0.2, fails (PaRes N)"),
		v1("4000019900040728", "manual", "3-D Secure 1.0.2, you choose on the bank's page"),
		{PAN: "4000019900050008", Title: "Not enrolled, no 3-D Secure, approved"},
		funds, honor, html,
	}
}

// aliases lists the Cardinal numbers of both generations, which testers know by heart.
func aliases() []Card {
	kinds := []struct{ v210, v220, ares, challenge, title string }{
		{"1000", "2701", "Y", "", "frictionless success"},
		{"1018", "2925", "N", "", "frictionless failed"},
		{"1026", "2719", "A", "", "attempt"},
		{"1034", "2313", "U", "", "unavailable"},
		{"1042", "2537", "R", "", "rejected"},
		{"1059", "2990", "U", "", "not available on lookup"},
		{"1067", "2446", "timeout", "", "error on lookup"},
		{"1075", "2354", "timeout", "", "timeout on lookup"},
		{"1091", "2503", "C", "pass", "challenge success"},
		{"1109", "2370", "C", "fail", "challenge failed"},
		{"1117", "2420", "C", "unable", "challenge unavailable"},
		{"1125", "2644", "C", "erro", "error during challenge"},
	}
	var out []Card
	for _, k := range kinds {
		out = append(out,
			Card{PAN: "400000000000" + k.v210, Protocol: "2.1.0", Method: "ok", ARes: k.ares, Challenge: k.challenge, Alias: true,
				Title: "Cardinal 2.1.0: " + k.title},
			Card{PAN: "400000000000" + k.v220, Protocol: "2.2.0", Method: "ok", ARes: k.ares, Challenge: k.challenge, Alias: true,
				Title: "Cardinal 2.2.0: " + k.title})
	}
	return out
}

// Table returns every test card: the sandbox's own in their order, then the aliases.
func Table() []Card { return append(table(), aliases()...) }

// Named is the card with this mask, as Card.Masked writes it.
func Named(mask string) (Card, bool) {
	for _, c := range Table() {
		if c.Masked() == mask {
			return c, true
		}
	}
	return Card{}, false
}

// Find returns the card with this number, digits only.
func Find(pan string) (Card, bool) {
	for _, c := range Table() {
		if c.PAN == pan {
			return c, true
		}
	}
	return Card{}, false
}
