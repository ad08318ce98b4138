package handlers

import "tollgate/session"

// PageOf is the page that a session is at.
func PageOf(s *session.Session) string { return string(viewOf(s).page) }

// HasOutcome tells whether the last page has words for a session's status.
func HasOutcome(s session.Status) bool { return outcomes[s] != "" }
