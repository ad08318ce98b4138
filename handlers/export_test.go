package handlers

import "tollgate/session"

// FiltersOf are the names that the query of a list may have.
func FiltersOf(path string) (names []string, list bool) {
	params, list := queries()[path]
	if !list {
		return nil, false
	}
	return filtersOf(params), true
}

// PageOf is the page that a session is at.
func PageOf(s *session.Session) string { return string(viewOf(s).page) }

// HasOutcome tells whether the last page has words for a session's status.
func HasOutcome(s session.Status) bool { return outcomes[s] != "" }
