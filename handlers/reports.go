package handlers

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// Where browsers report what a page's policy has stopped.
const (
	reportsPath  = "/reports/csp"
	reportsGroup = "csp"
)

// Bounds of reports: anybody may send them.
const (
	mostReport    = 16 << 10
	mostReports   = 20  // of one post
	mostViolation = 200 // different ones that are remembered
	violationKept = time.Hour
)

// reports takes what browsers say of scripts, frames and addresses that a page's policy stopped. Kept are the directive, the
// origin that was blocked and the kind of page: never the page's address, which is a pay link, nor where it was come from, nor a
// piece of a script.
type reports struct {
	Options
	mu   sync.Mutex
	told map[violation]time.Time
}

type violation struct{ directive, blocked, page string }

func newReports(o Options) *reports { return &reports{Options: o, told: map[violation]time.Time{}} }

// directives are those that our policies have, and what browsers make of them. Anything else is "other".
func directives() []string {
	return []string{
		"default-src", "script-src", "script-src-elem", "script-src-attr", "style-src", "style-src-elem", "style-src-attr", "img-src",
		"connect-src", "font-src", "frame-src", "child-src", "worker-src", "media-src", "object-src", "manifest-src", "base-uri",
		"form-action", "frame-ancestors", "sandbox",
	}
}

// take answers 204 to everything: who reports learns nothing.
func (r *reports) take(c echo.Context) error {
	if r.Limits.Report(c.Request().Context(), c.RealIP()) == nil {
		raw, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, mostReport))
		if _, large := errors.AsType[*http.MaxBytesError](err); err == nil && !large {
			for _, v := range readReports(raw) {
				r.tell(v)
			}
		}
	}
	return c.NoContent(http.StatusNoContent)
}

// readReports reads both shapes: one object with "csp-report" (report-uri), or a list (report-to).
func readReports(raw []byte) (all []violation) {
	var one struct {
		Report struct {
			Document  string `json:"document-uri"`
			Effective string `json:"effective-directive"`
			Violated  string `json:"violated-directive"`
			Blocked   string `json:"blocked-uri"`
		} `json:"csp-report"`
	}
	if json.Unmarshal(raw, &one) == nil && (one.Report.Effective != "" || one.Report.Violated != "") {
		directive := one.Report.Effective
		if directive == "" {
			directive = one.Report.Violated
		}
		return []violation{violationOf(directive, one.Report.Blocked, one.Report.Document)}
	}
	var list []struct {
		Type string `json:"type"`
		Body struct {
			Document  string `json:"documentURL"`
			Effective string `json:"effectiveDirective"`
			Blocked   string `json:"blockedURL"`
		} `json:"body"`
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	for _, v := range list[:min(len(list), mostReports)] {
		if v.Type == "csp-violation" && v.Body.Effective != "" {
			all = append(all, violationOf(v.Body.Effective, v.Body.Blocked, v.Body.Document))
		}
	}
	return all
}

func violationOf(directive, blocked, document string) violation {
	v := violation{"other", "other", "other"}
	directive, _, _ = strings.Cut(directive, " ")
	if slices.Contains(directives(), directive) {
		v.directive = directive
	}
	if slices.Contains([]string{"inline", "eval", "data", "blob", "self", "wasm-eval", "trusted-types-policy", "trusted-types-sink"}, blocked) {
		v.blocked = blocked
	} else if u, err := url.Parse(blocked); err == nil && u.Scheme != "" {
		v.blocked = truncate(u.Scheme+"://"+cleanText(u.Host), 100)
	}
	if u, err := url.Parse(document); err == nil {
		v.page = pageKindOf(u.Path)
	}
	return v
}

// pageKindOf is the kind of a page, by its address.
func pageKindOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case parts[0] == "pay" && len(parts) > 2 && slices.Contains([]string{"frame", "page"}, parts[2]):
		return "payment " + parts[2]
	case parts[0] == "pay" && len(parts) > 1:
		return "payment"
	case parts[0] == "3ds":
		return "return"
	case path == "/":
		return "home"
	}
	return "other"
}

// tell counts a violation, and logs each of its kind once an hour.
func (r *reports) tell(v violation) {
	if r.Violated != nil {
		r.Violated(v.directive, v.page)
	}
	now := r.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, known := r.told[v]; known && now.Sub(at) < violationKept {
		return
	}
	if len(r.told) >= mostViolation {
		for one, at := range r.told {
			if now.Sub(at) >= violationKept {
				delete(r.told, one)
			}
		}
		if len(r.told) >= mostViolation {
			return // counted, and enough was said
		}
	}
	r.told[v] = now
	r.Log.Warn("a browser reports what a page's policy stopped", "directive", v.directive, "blocked", v.blocked, "page", v.page)
}
