package card

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// nameless is what a gateway is told where a name has no spelling in Latin letters here.
const nameless = "CARDHOLDER"

// latin spells the letters of other scripts as passports do (ICAO Doc 9303, part 3, section 6).
var latin = map[rune]string{
	'А': "A", 'Б': "B", 'В': "V", 'Г': "G", 'Д': "D", 'Е': "E", 'Ё': "E", 'Ж': "ZH", 'З': "Z", 'И': "I", 'Й': "I", 'К': "K", 'Л': "L",
	'М': "M", 'Н': "N", 'О': "O", 'П': "P", 'Р': "R", 'С': "S", 'Т': "T", 'У': "U", 'Ф': "F", 'Х': "KH", 'Ц': "TS", 'Ч': "CH",
	'Ш': "SH", 'Щ': "SHCH", 'Ъ': "", 'Ы': "Y", 'Ь': "", 'Э': "E", 'Ю': "IU", 'Я': "IA",
	'Ә': "A", 'Ғ': "G", 'Қ': "K", 'Ң': "N", 'Ө': "O", 'Ұ': "U", 'Ү': "U", 'Һ': "H", 'І': "I", // Kazakh, Kyrgyz
	'Ў': "U", 'Ҳ': "H", 'Ҷ': "J", 'Ӣ': "I", 'Ӯ': "U", // Uzbek, Tajik
	'Є': "IE", 'Ї': "I", 'Ґ': "G", 'Ђ': "D", 'Ј': "J", 'Љ': "LJ", 'Њ': "NJ", 'Ћ': "C", 'Џ': "DZ", 'Ѓ': "G", 'Ќ': "K", 'Ѕ': "DZ",
	'Α': "A", 'Β': "V", 'Γ': "G", 'Δ': "D", 'Ε': "E", 'Ζ': "Z", 'Η': "I", 'Θ': "TH", 'Ι': "I", 'Κ': "K", 'Λ': "L", 'Μ': "M",
	'Ν': "N", 'Ξ': "X", 'Ο': "O", 'Π': "P", 'Ρ': "R", 'Σ': "S", 'Τ': "T", 'Υ': "Y", 'Φ': "F", 'Χ': "CH", 'Ψ': "PS", 'Ω': "O",
	'ა': "A", 'ბ': "B", 'გ': "G", 'დ': "D", 'ე': "E", 'ვ': "V", 'ზ': "Z", 'თ': "T", 'ი': "I", 'კ': "K", 'ლ': "L", 'მ': "M",
	'ნ': "N", 'ო': "O", 'პ': "P", 'ჟ': "ZH", 'რ': "R", 'ს': "S", 'ტ': "T", 'უ': "U", 'ფ': "P", 'ქ': "K", 'ღ': "GH", 'ყ': "Q",
	'შ': "SH", 'ჩ': "CH", 'ც': "TS", 'ძ': "DZ", 'წ': "TS", 'ჭ': "CH", 'ხ': "KH", 'ჯ': "J", 'ჰ': "H",
	'Ա': "A", 'Բ': "B", 'Գ': "G", 'Դ': "D", 'Ե': "E", 'Զ': "Z", 'Է': "E", 'Ը': "Y", 'Թ': "T", 'Ժ': "ZH", 'Ի': "I", 'Լ': "L",
	'Խ': "KH", 'Ծ': "TS", 'Կ': "K", 'Հ': "H", 'Ձ': "DZ", 'Ղ': "GH", 'Ճ': "CH", 'Մ': "M", 'Յ': "Y", 'Ն': "N", 'Շ': "SH", 'Ո': "O",
	'Չ': "CH", 'Պ': "P", 'Ջ': "J", 'Ռ': "R", 'Ս': "S", 'Վ': "V", 'Տ': "T", 'Ր': "R", 'Ց': "TS", 'Ւ': "W", 'Փ': "P", 'Ք': "K",
	'Օ': "O", 'Ֆ': "F",
	'Ø': "O", 'Æ': "AE", 'Œ': "OE", 'ß': "SS", 'ẞ': "SS", 'Đ': "D", 'Ð': "D", 'Þ': "TH", 'Ł': "L", 'Ħ': "H", 'Ŋ': "N", 'Ə': "A",
	'Ŧ': "T", 'ʻ': "", 'ʼ': "'", '’': "'", '‘': "'", '´': "'", '`': "'", '–': "-", '—': "-", '‐': "-", '‑': "-",
}

// LatinName is a cardholder's name as gateways and EMV 3DS take it: capital letters of ASCII, 2 to 45 characters. What has no
// spelling here is left out; where nothing is left, it is "CARDHOLDER".
func LatinName(name string) string {
	var b strings.Builder
	letters := 0
	for _, r := range strings.ToUpper(norm.NFC.String(name)) {
		spelt, known := latin[r]
		if !known {
			spelt, known = latin[unicode.ToLower(r)]
		}
		if !known {
			spelt = strings.ToUpper(ascii(r)) // what a ligature or a sign is made of may be small
		}
		letters += strings.Count(strings.Map(onlyLetters, spelt), "") - 1
		b.WriteString(spelt)
	}
	out := strings.Trim(strings.Join(strings.Fields(b.String()), " "), "-'., ")
	if len(out) > 45 {
		out = strings.TrimSpace(out[:45])
	}
	switch {
	case letters == 0:
		return nameless
	case len(out) == 1:
		return out + "."
	}
	return out
}

func onlyLetters(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r
	}
	return -1
}

// ascii is a character without its accents, or nothing.
func ascii(r rune) string {
	if unicode.IsSpace(r) {
		return " "
	}
	var b strings.Builder
	for _, part := range norm.NFKD.String(string(r)) {
		if part >= ' ' && part <= '~' {
			b.WriteRune(part)
		} else if spelt, known := latin[part]; known {
			b.WriteString(spelt)
		}
	}
	return b.String()
}
