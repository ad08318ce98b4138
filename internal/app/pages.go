package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"tollgate/handlers"
	"tollgate/internal/config"
	"tollgate/internal/inventory"
	"tollgate/internal/sqlstore"
	"tollgate/session"
	"tollgate/static"
)

// servedPages compares what an address serves with the inventory of scripts and headers: the payment page as a browser gets it,
// through whatever stands in between (PCI DSS 11.6.1).
type servedPages struct {
	client  *http.Client
	base    string
	testing bool
	scripts []inventory.Script
	faults  []string
	pages   int // that were compared
}

// mostServed is more than any page or file of ours has.
const mostServed = 1 << 20

// compare looks at the front's own pages, at every script, and at the payment pages of the given sessions. Faults name no session.
func (p *servedPages) compare(ctx context.Context, open []*session.Session) (err error) {
	if p.scripts, err = inventory.Scripts(); err != nil {
		return err
	}
	for _, path := range []string{"/", "/pay/none"} {
		if err := p.page(ctx, path, path, ""); err != nil {
			return err
		}
	}
	for _, s := range open {
		if err := p.page(ctx, "/pay/"+s.ID, "a payment page", s.EmbedOrigin); err != nil {
			return err
		}
	}
	for _, s := range p.scripts {
		if s.Inline {
			continue
		}
		if err := p.file(ctx, s.Address, s.Name, s.Hash); err != nil {
			return err
		}
	}
	return p.file(ctx, "/embed.js", "embed.js", inventory.Hash(static.Embed()))
}

func (p *servedPages) wrong(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(p.faults, text) {
		p.faults = append(p.faults, text)
	}
}

func (p *servedPages) get(ctx context.Context, path string) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, nil)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Accept", "text/html,*/*")
	r.Header.Set("Sec-Purpose", "prefetch") // it is shown to nobody
	res, err := p.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, mostServed))
	if err != nil && ctx.Err() == nil { // no browser can read it either
		body, err = []byte("cannot be read: "+err.Error()), nil
	}
	return res, body, err
}

func (p *servedPages) file(ctx context.Context, path, name, want string) error {
	res, body, err := p.get(ctx, path)
	switch {
	case err != nil:
		return err
	case res.StatusCode != http.StatusOK:
		p.wrong("%s is answered %s", name, res.Status)
	case inventory.Hash(body) != want:
		p.wrong("%s is not the script of the inventory: %s", name, inventory.Hash(body))
	}
	return nil
}

var nonceText = regexp.MustCompile(`'nonce-[A-Za-z0-9_-]{16,}'`)

func (p *servedPages) page(ctx context.Context, path, name, embedder string) error {
	res, body, err := p.get(ctx, path)
	if err != nil {
		return err
	}
	if res.StatusCode >= 500 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		p.wrong("%s is answered %s, %q", name, res.Status, res.Header.Get("Content-Type"))
		return nil
	}
	p.pages++
	for _, h := range handlers.PageHeaders(strings.HasPrefix(p.base, "https://")) {
		if got := res.Header.Values(h.Name); len(got) != 1 || got[0] != h.Value {
			p.wrong("%s: header %s is %q, not %q", name, h.Name, got, h.Value)
		}
	}
	for _, never := range []string{"Link", "Refresh", "SourceMap", "Access-Control-Allow-Origin", "Service-Worker-Allowed"} {
		if got := res.Header.Values(never); len(got) > 0 {
			p.wrong("%s has a header %s: %q", name, never, got)
		}
	}
	const policyHeader = "Content-Security-Policy"
	policy := res.Header.Values(policyHeader)
	fits := len(policy) == 1 && slices.ContainsFunc(handlers.PagePolicies("N", embedder, p.testing), func(one handlers.PagePolicy) bool {
		return nonceText.ReplaceAllString(policy[0], "'nonce-N'") == one.Value
	})
	if !fits {
		p.wrong("%s: header %s is none of the inventory: %q", name, policyHeader, policy)
	}
	scripts, other, err := inventory.Find(bytes.NewReader(body))
	if err != nil {
		return err
	}
	for _, what := range other {
		p.wrong("%s has what may run a script: %s", name, what)
	}
	for _, f := range scripts {
		hash := inventory.Hash([]byte(f.Text))
		if !slices.ContainsFunc(p.scripts, func(s inventory.Script) bool {
			return f.Address != "" && s.Address == f.Address && f.Text == "" || f.Address == "" && s.Inline && s.Hash == hash
		}) {
			p.wrong("%s has a script that the inventory lacks: %s", name, cut(strings.TrimSpace(f.Address+" "+hash), 200))
		}
	}
	return nil
}

// openPayments are the newest sessions that nobody pays yet, one of each merchant: looking at their pages changes nothing.
func openPayments(ctx context.Context, st *sqlstore.Store, c config.Config) (open []*session.Session) {
	for _, m := range c.Merchants {
		all, err := st.List(ctx, session.Filter{Merchant: m.ID, Status: session.StatusOpen, Limit: 1})
		if err == nil && len(all) > 0 && len(all[0].Attempts) == 0 && len(open) < 5 {
			open = append(open, all[0])
		}
	}
	return open
}

// pagesAsked is how often a front compares its own pages.
const pagesAsked = 20 * time.Minute

// watchPages compares, through the public address, what is served with the inventory: within the hour an alarm is raised.
func (a *App) watchPages(ctx context.Context) {
	if a.o.Config.Sandbox || a.o.Config.PublicURL == "" || a.o.Dial != nil {
		return
	}
	for next := time.Minute; ; next = pagesAsked {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
		a.comparePages(ctx)
	}
}

func (a *App) comparePages(ctx context.Context) {
	ctx, done := context.WithTimeout(ctx, time.Minute)
	defer done()
	p := servedPages{client: pageClient(a.tls), base: a.FrontURL, testing: a.o.Config.Testing()}
	err := p.compare(ctx, openPayments(ctx, a.store, a.o.Config))
	if err != nil {
		a.metrics.pageDrift.Set(-1)
		a.log.Warn("the payment pages could not be compared with the inventory through the public address", "error", err)
		return
	}
	a.metrics.pageDrift.Set(float64(len(p.faults)))
	a.metrics.pagesCompared.Set(float64(a.o.Clock.Now().Unix()))
	for _, f := range p.faults {
		a.log.Error("a payment page is served otherwise than the inventory has it", "what", f, "see", "docs/scripts.md")
	}
}

func pageClient(roots *tls.Config) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: roots, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// pages compares what the public address serves with the inventory.
func (d *doctor) pages(ctx context.Context) {
	if !d.o.Pages || d.c.PublicURL == "" {
		return
	}
	client := pageClient(&tls.Config{RootCAs: d.o.Roots, MinVersion: tls.VersionTLS12})
	if transport, ok := client.Transport.(*http.Transport); ok {
		transport.DialContext = d.o.Dial
	}
	var open []*session.Session
	err := sqlstore.View(ctx, sqlstore.Options{URL: d.c.DatabaseURL, Dir: d.c.Data}, func(st *sqlstore.Store) error {
		open = openPayments(ctx, st, d.c)
		return nil
	})
	if err != nil {
		d.note("make a session and ask again, so that the payment page itself is compared", "pages: no session can be read: %v", err)
	}
	ctx, done := context.WithTimeout(ctx, time.Minute)
	defer done()
	p := servedPages{client: client, base: d.c.PublicURL, testing: d.c.Testing()}
	if err := p.compare(ctx, open); err != nil {
		d.wrong("see that the proxy passes requests on to Tollgate", "pages: %v", plain(err))
		return
	}
	for _, f := range p.faults {
		d.wrong("find out who changes the page: the proxy, or somebody who should not; docs/scripts.md has the inventory", "pages: %s", f)
	}
	if len(p.faults) == 0 {
		d.ok("pages: %d pages and every script are those of the inventory", p.pages)
	}
}

// WriteScripts writes the inventory for people.
func WriteScripts(out io.Writer) error {
	all, err := inventory.Scripts()
	if err != nil {
		return err
	}
	b := &strings.Builder{}
	b.WriteString(`# Scripts and headers of the payment pages

<!-- generated from the templates and static files by go generate; do not edit -->

What a payment page may have (PCI DSS 6.4.3, 11.6.1). There is no script of anybody else's, and no request to another host; the
policy allows none. Every script is owned by ` + inventory.Owner + `: whoever maintains the program authorises it by the change that brings it, which
this page shows. ` + "`tollgate doctor -pages`" + ` compares the pages that the public address serves with this list, the payment page of an open
session of each merchant among them, and so does every front, every twenty minutes: ` + "`tollgate_page_drift`" + ` is the number of differences
(-1: the address could not be reached), ` + "`tollgate_pages_compared_timestamp_seconds`" + ` when that was. Shops load ` + "`/embed.js`" + ` on their own
pages; it is compared as well.

## Scripts

| script | SHA-256 (as in integrity attributes) | what it is for | pages of the gallery that have it |
|---|---|---|---|
`)
	for _, s := range all {
		name := "`" + s.Name + "`"
		if s.Inline {
			name = s.Name + " (in the page)"
		}
		fmt.Fprintf(b, "| %s | `%s` | %s | %s |\n", name, s.Hash, s.Purpose, strings.Join(s.Pages, ", "))
	}
	b.WriteString("\nWhat stands in a page runs under a nonce that is fresh for each answer, or under its hash.\n\n## Headers\n\n| header | value | what it is for |\n|---|---|---|\n")
	for _, h := range handlers.PageHeaders(true) {
		fmt.Fprintf(b, "| `%s` | `%s` | %s |\n", h.Name, h.Value, h.Purpose)
	}
	b.WriteString("\nContent-Security-Policy, where `N` is the nonce:\n\n| pages | value |\n|---|---|\n")
	for _, p := range handlers.PagePolicies("N", "", false) {
		fmt.Fprintf(b, "| %s | `%s` |\n", p.Pages, p.Value)
	}
	b.WriteString(`
Pages of a session that has an ` + "`embed_origin`" + ` name that origin in ` + "`frame-ancestors`" + `. The gateway's own html stands in a document of
its own with ` + "`Content-Security-Policy: sandbox`" + `, whose origin is nobody's. What a policy stops is reported by browsers to ` + "`/reports/csp`" + `; kept
are the directive, the blocked origin and the kind of page (a log line once an hour for each, ` + "`tollgate_page_violations_total`" + `), never an address.
`)
	_, err = io.WriteString(out, b.String())
	return err
}
