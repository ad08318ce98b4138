package i18n

import (
	"strings"
	"unicode/utf8"
)

// cyrillic writes Uzbek text in Cyrillic letters. What stands between {{ and }}, and the words of latinWords, stay as they are.
func cyrillic(text string) string {
	var b strings.Builder
	for text != "" {
		if rest, value := strings.CutPrefix(text, "{{"); value {
			name, after, _ := strings.Cut(rest, "}}")
			b.WriteString("{{" + name + "}}")
			text = after
			continue
		}
		word, after := cutWord(text)
		switch {
		case word == "":
			_, size := utf8.DecodeRuneInString(text)
			b.WriteString(text[:size])
			text = text[size:]
			continue
		case latinWords[word]:
			b.WriteString(word)
		default:
			writeCyrillic(&b, word)
		}
		text = after
	}
	return b.String()
}

// latinWords are names that are written so everywhere, and what the whole word says otherwise than its letters.
var latinWords = map[string]bool{"CVC": true, "CVV": true, "American": true, "Express": true, "QR": true, "SberPay": true, "UTC": true}

// wholeWords are those whose Cyrillic spelling does not follow from their letters.
var wholeWords = map[string]string{
	"avtorizatsiya": "авторизация", "kvitansiya": "квитанция", "komissiya": "комиссия", "express": "Express", "oy": "ой", "oo": "ОО", "yy": "ЙЙ",
}

// okina and apostrophe belong to letters in Uzbek.
const okina, apostrophe = 'ʻ', 'ʼ'

func cutWord(s string) (word, after string) {
	for i, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == okina || r == apostrophe) {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// The letters of two signs stand before those of one.
var uzbekLetters = []struct{ latin, cyrillic string }{
	{"yoʻ", "йў"}, {"oʻ", "ў"}, {"gʻ", "ғ"}, {"sh", "ш"}, {"ch", "ч"}, {"yo", "ё"}, {"yu", "ю"}, {"ya", "я"}, {"ye", "е"}, {"ʼ", "ъ"},
	{"a", "а"}, {"b", "б"}, {"d", "д"}, {"f", "ф"}, {"g", "г"}, {"h", "ҳ"}, {"i", "и"}, {"j", "ж"}, {"k", "к"}, {"l", "л"}, {"m", "м"},
	{"n", "н"}, {"o", "о"}, {"p", "п"}, {"q", "қ"}, {"r", "р"}, {"s", "с"}, {"t", "т"}, {"u", "у"}, {"v", "в"}, {"x", "х"}, {"y", "й"}, {"z", "з"},
}

func writeCyrillic(b *strings.Builder, word string) {
	lower := strings.ToLower(word)
	if whole, ok := wholeWords[lower]; ok {
		write(b, word, whole)
		return
	}
	vowelBefore := true // an e at the beginning, or after a vowel, is э
	for i := 0; i < len(lower); {
		if lower[i] == 'e' {
			letter := "е"
			if vowelBefore {
				letter = "э"
			}
			write(b, word[i:i+1], letter)
			i, vowelBefore = i+1, true
			continue
		}
		found := false
		for _, l := range uzbekLetters {
			if strings.HasPrefix(lower[i:], l.latin) {
				write(b, word[i:i+len(l.latin)], l.cyrillic)
				vowelBefore = strings.HasSuffix("йў", l.cyrillic) || strings.Contains("ўёюяаиоу", l.cyrillic)
				i, found = i+len(l.latin), true
				break
			}
		}
		if !found {
			_, size := utf8.DecodeRuneInString(lower[i:])
			b.WriteString(word[i : i+size])
			i += size
		}
	}
}

// write writes a letter, or a word, as capital as it was.
func write(b *strings.Builder, was, is string) {
	if was[0] >= 'A' && was[0] <= 'Z' {
		first, size := utf8.DecodeRuneInString(is)
		b.WriteString(strings.ToUpper(string(first)) + is[size:])
		return
	}
	b.WriteString(is)
}
