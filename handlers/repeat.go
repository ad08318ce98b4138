package handlers

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"tollgate/internal/card"
)

// What a stranger chooses is repeated (in an answer, a log line, a metric) only where it is short, of a known form, and no
// card number.

// methods are the request methods that are told apart; any other token is legal HTTP, and as long as headers may be.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodConnect, http.MethodOptions, http.MethodTrace,
}

// methodName is the method as logs and metrics know it: one of methods, or "other".
func methodName(method string) string {
	if slices.Contains(methods, method) {
		return method
	}
	return "other"
}

var callersID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// safeRequestID tells whether a caller's own X-Request-Id may stand in answers and logs.
func safeRequestID(id string) bool {
	return callersID.MatchString(id) && !card.Holds(id)
}

// redisplay is a typed text as a form may show it again: truncated, and empty where it may be a card number.
func redisplay(typed string, most int) string {
	if card.Resembles(typed) {
		return ""
	}
	return truncate(typed, most)
}

// maskNumbers hides the digits of every number that is long enough to be a card's, written with separators or without.
func maskNumbers(s string) string {
	runes := []rune(s)
	for start := 0; start < len(runes); {
		end, digits := start, 0
		for end < len(runes) && (unicode.IsDigit(runes[end]) || strings.ContainsRune(" \u00a0\u202f\t-./_", runes[end])) {
			if unicode.IsDigit(runes[end]) {
				digits++
			}
			end++
		}
		if digits > 12 {
			for i := start; i < end; i++ {
				if unicode.IsDigit(runes[i]) {
					runes[i] = '*'
				}
			}
		}
		start = end + 1
	}
	return string(runes)
}

// Bounds of what an error says of a request: every name in it may be the caller's own.
const (
	maxProblems = 20
	maxPointer  = 200 // characters
	maxDetail   = 500
)

// boundErrors limits the number and length of listed errors; left is how many were dropped.
func boundErrors(all []FieldError) (told []FieldError, left int) {
	left = max(0, len(all)-maxProblems)
	for _, f := range all[:len(all)-left] {
		told = append(told, FieldError{
			Pointer: shorten(maskNumbers(f.Pointer), maxPointer), Detail: shorten(maskNumbers(f.Detail), maxDetail),
		})
	}
	return told, left
}

// shorten truncates a text and marks that it was truncated.
func shorten(s string, most int) string {
	if short := truncate(s, most); len(short) < len(s) {
		return short + "…"
	}
	return s
}
