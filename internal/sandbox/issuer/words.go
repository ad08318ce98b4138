package issuer

import (
	"net/http"
	"strings"
)

// ShopName is the shop that the sandbox's payments are for, as its bank names it.
const ShopName = "Demo shop"

// languages are the bank's, the first where the browser asks for none of them.
var languages = []string{"en", "ru", "kk"}

// words are the bank's texts in Russian and Kazakh, by the English ones.
var words = map[string][2]string{
	"no real money":        {"без настоящих денег", "нақты ақшасыз"},
	"Confirm your payment": {"Подтвердите платёж", "Төлемді растаңыз"},
	"Shop":                 {"Магазин", "Дүкен"},
	"Amount":               {"Сумма", "Сома"},
	"Card":                 {"Карта", "Карта"},
	"One-time code":        {"Одноразовый код", "Бір реттік код"},
	"Confirm":              {"Подтвердить", "Растау"},
	"1234 passes, 2222 is an attempt, 3333 fails.": {
		"1234 — успех, 2222 — попытка, 3333 — отказ.", "1234 — сәтті, 2222 — әрекет, 3333 — бас тарту."},
	"Or choose how it ends": {"Или выберите, чем закончится", "Немесе немен аяқталатынын таңдаңыз"},
	"Confirmed elsewhere?":  {"Подтвердили в другом месте?", "Басқа жерде растадыңыз ба?"},
	"Go on":                 {"Продолжить", "Жалғастыру"},
	"Continue":              {"Продолжить", "Жалғастыру"},
	"Back to the shop":      {"Возвращаемся в магазин", "Дүкенге оралу"},
	"Sandbox Bank sends you back to the shop.": {
		"Sandbox Bank возвращает вас в магазин.", "Sandbox Bank сізді дүкенге қайтарады."},
	"Nothing comes back": {"Ответа не будет", "Жауап болмайды"},
	"This bank never sends its customers back to the shop. Close the page, or go back by yourself.": {
		"Этот банк не возвращает покупателей в магазин. Закройте страницу или вернитесь сами.",
		"Бұл банк сатып алушыларды дүкенге қайтармайды. Бетті жабыңыз немесе өзіңіз қайтыңыз."},
	"That is not the code. Tries left: 2.": {"Код неверный. Осталось попыток: 2.", "Код дұрыс емес. Қалған әрекет: 2."},
	"That is not the code. Tries left: 1.": {"Код неверный. Осталось попыток: 1.", "Код дұрыс емес. Қалған әрекет: 1."},
}

// say is an English text in a language of the bank's; texts for developers stay English.
func say(lang, text string) string {
	for i, l := range languages[1:] {
		if own, ok := words[text]; ok && l == lang {
			return own[i]
		}
	}
	return text
}

// langWriter carries the language that a browser asked for to the page that it is shown.
type langWriter struct {
	http.ResponseWriter
	lang string
}

func (w langWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// spoken chooses the language of every page: the first that the browser names and the bank has.
func spoken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lang := languages[0]
	header:
		for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
			tag, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), ";")
			tag, _, _ = strings.Cut(tag, "-")
			for _, l := range languages {
				if tag == l {
					lang = l
					break header
				}
			}
		}
		next.ServeHTTP(langWriter{w, lang}, r)
	})
}
