package i18n

import (
	"strconv"
	"strings"
	"time"
)

// FormatDuration writes a time in hours and minutes, rounded up, as lang abbreviates them: "23 h 40 min", "12 мин". Short
// forms need no plurals, and a duration needs no time zone.
func FormatDuration(lang string, d time.Duration) string {
	in := languageOf(lang)
	all := max(1, int64((d+time.Minute-1)/time.Minute))
	var parts []string
	if h := all / 60; h > 0 {
		parts = append(parts, strconv.FormatInt(h, 10)+nbsp+in.hour)
	}
	if m := all % 60; m > 0 {
		parts = append(parts, strconv.FormatInt(m, 10)+nbsp+in.minute)
	}
	return strings.Join(parts, " ")
}
