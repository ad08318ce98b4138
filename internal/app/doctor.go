package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/config"
	"tollgate/internal/sqlstore"
)

// Finding is one thing that was looked at.
type Finding struct {
	Wrong bool
	What  string // what was seen
	Do    string // what to do about it; "" where nothing is to do
}

// Limits that Doctor judges by.
const (
	clockApart = clock.Bound         // fronts go by the database's; what they sign for receivers is dated by the machine's
	dialLimit  = 5 * time.Second     // for one address
	lookLimit  = 20 * time.Second    // for all that is sealed
	certSoon   = 14 * 24 * time.Hour // a certificate that ends within this is worth a word
	keySoon    = 7 * 24 * time.Hour  // the same for an API key
)

// DoctorOptions are what a test sets.
type DoctorOptions struct {
	Now   func() time.Time
	Roots *x509.CertPool // nil: the system's
	Pages bool           // compare what is served with the inventory of scripts and headers
	Dial  func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Doctor looks at everything a checked configuration leads to, and changes nothing.
func Doctor(ctx context.Context, c config.Config, o DoctorOptions) []Finding {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	d := doctor{c: c, o: o}
	d.database(ctx)
	d.place(ctx)
	d.sealingKeys(ctx)
	d.apiKeys()
	d.gateways(ctx)
	d.probe(ctx)
	d.advise()
	d.abandoned(ctx)
	d.publicURL(ctx)
	d.pages(ctx)
	return d.found
}

type doctor struct {
	c     config.Config
	o     DoctorOptions
	found []Finding

	noDatabase bool // it cannot be looked at
	made       bool // there is one
	inUse      bool // by a running front

	installation string          // the database's; "" where it says none
	reached      map[string]bool // accounts whose gateway can be connected to
}

func (d *doctor) ok(format string, args ...any) {
	d.found = append(d.found, Finding{What: fmt.Sprintf(format, args...)})
}

func (d *doctor) wrong(do, format string, args ...any) {
	d.found = append(d.found, Finding{Wrong: true, What: fmt.Sprintf(format, args...), Do: do})
}

func (d *doctor) note(do, format string, args ...any) {
	d.found = append(d.found, Finding{What: fmt.Sprintf(format, args...), Do: do})
}

func (d *doctor) database(ctx context.Context) {
	ctx, done := context.WithTimeout(ctx, 2*dialLimit)
	defer done()
	x, err := sqlstore.Examine(ctx, sqlstore.Options{URL: d.c.DatabaseURL, Dir: d.c.Data})
	where := "database: " + x.Engine
	if d.c.DatabaseURL == "" {
		where += " in " + d.c.Data
	}
	d.inUse = x.InUse
	d.noDatabase, d.made = err != nil || x.Newer, err == nil && !x.Missing
	switch {
	case err != nil && d.c.DatabaseURL != "":
		d.wrong("see that the server runs, that database_url names it, and that its user may connect and create tables", "%s: %v",
			where, err)
		return
	case err != nil:
		d.wrong("see that the data folder belongs to the user that runs Tollgate; restore a damaged file from a backup", "%s: %v",
			where, err)
		return
	case x.Newer:
		d.wrong("run the newer version, or restore a backup of before it",
			"%s: it is newer than this program: a newer version of Tollgate has changed its tables", where)
	case x.Missing:
		d.note("tollgate migrate makes the tables, and so does the first start", "%s: new", where)
	case x.Pending > 0:
		d.note("tollgate migrate brings them up to date, and so does the next start", "%s: %d changes to its tables are waiting", where,
			x.Pending)
	case x.InUse:
		d.ok("%s: in use by a running Tollgate, tables up to date", where)
	default:
		d.ok("%s: tables up to date", where)
	}
	if d.c.DatabaseURL == "" {
		return
	}
	if x.Weak != "" {
		d.note("docs/operations.md, What PostgreSQL must be set to", "%s: %s", where, x.Weak)
	}
	d.clock(x.Ahead)
}

func (d *doctor) clock(ahead time.Duration) {
	if ahead.Abs() > clockApart {
		d.wrong("keep the clocks of all machines together (chrony, systemd-timesyncd)",
			"clock: the database's is %v apart from this machine's", ahead.Abs())
	} else {
		d.ok("clock: %v apart from the database's", ahead.Abs())
	}
}

func (d *doctor) sealingKeys(ctx context.Context) {
	name := d.c.KeysFile
	_, err := os.Stat(name)
	_, readErr := readKeys(d.c)
	switch {
	case errors.Is(err, fs.ErrNotExist): // whether that is well the database tells
	case err != nil:
		d.wrong("let the user that runs Tollgate read it", "sealing keys: %v", err)
		return
	case readErr != nil && d.c.SecretFile(name) != nil:
		d.wrong("take the rights of others off "+name+" and its folder", "%v", readErr)
	case readErr != nil:
		d.wrong("one line of base64 for each key of 64 bytes: head -c 64 /dev/urandom | base64 -w0", "%v", readErr)
	default:
		d.ok("sealing keys: %s", name)
	}
	ctx, done := context.WithTimeout(ctx, lookLimit)
	defer done()
	var seals Seals
	err = ErrNoDatabase
	if !d.noDatabase {
		seals, err = LookAtSeals(ctx, d.c)
	}
	switch {
	case d.noDatabase: // was told
	case errors.Is(err, ErrNoDatabase) && errors.Is(readErr, fs.ErrNotExist) && d.made:
		d.wrong("set keys_file to the key file that belongs to the database: restore it, or take that of a machine that runs",
			"sealing keys: no file %s, and the database was made with one", name)
	case errors.Is(err, ErrNoDatabase) && errors.Is(readErr, fs.ErrNotExist):
		d.note("the first start makes one; copy it to every machine that shares the database", "sealing keys: no file %s", name)
	case errors.Is(err, ErrNoDatabase): // nothing is sealed yet
	case errors.Is(err, context.DeadlineExceeded):
		d.note("tollgate keys seal status takes its time",
			"sealing keys: the database keeps more sealed values than could be looked at within %v", lookLimit)
	case err != nil:
		d.wrong("see what the database says", "sealing keys: %v", err)
	default:
		d.seals(seals, errors.Is(readErr, fs.ErrNotExist), readErr == nil)
	}
}

// seals tells how the key file and the database fit together.
func (d *doctor) seals(s Seals, missing, readable bool) {
	if missing {
		if s.Kept == 0 && len(s.InUse()) == 0 {
			d.note("the next start makes one", "sealing keys: no file %s", d.c.KeysFile)
		} else {
			d.wrong("set keys_file to the key file that belongs to the database: restore it, or take that of a machine that runs",
				"sealing keys: no file %s, and the database is sealed with key %s", d.c.KeysFile, strings.Join(s.InUse(), ", "))
		}
		return
	}
	if !readable {
		return // was told
	}
	if s.Fault != nil {
		d.wrong(s.Fault.Do, "sealing keys: %s", s.Fault.What)
	}
	if s.Lost > 0 {
		d.wrong("put the key that sealed them back into the key file, in a line that begins with \"open:\"; where it is lost for good, webhook secrets have to be "+
			"rotated and customers log in again", "sealing keys: %d of %d values that the database keeps cannot be opened", s.Lost, s.Kept)
	}
	for _, k := range s.Keys {
		switch {
		case k.Seals || k.Foreign:
		case k.Values > 0:
			d.note("keep it until they are sealed anew, which the fronts do once all of them seal with the same key",
				"sealing keys: %d values are still sealed with key %s", k.Values, k.Name())
		case k.Here && k.Clean() && !time.Now().Before(k.RemovableAt()):
			d.note("tollgate keys seal retire "+k.ID+" takes it out", "sealing keys: nothing is sealed with key %s any more", k.ID)
		}
	}
	if s.Address != "" && s.Address != d.c.PublicURL && !d.c.Sandbox {
		d.wrong("correct public_url, or, if the address has changed, stop every front and run tollgate config accept",
			"public_url: %s is another address than %s, which this database's fronts hand out", d.c.PublicURL, s.Address)
	}
}

func (d *doctor) apiKeys() {
	now := d.o.Now()
	for _, m := range d.c.Merchants {
		lasting := len(m.APIKeys) + len(m.APIKeyHashes) + len(m.APIKeyFiles)
		for _, k := range m.Keys {
			switch {
			case k.Expires.IsZero():
				lasting++
			case !now.Before(k.Expires):
				d.note("take it out of the configuration", "merchant %s: a key ended on %s", m.ID, k.Expires.UTC().Format(time.DateOnly))
			case k.Expires.Sub(now) < keySoon:
				lasting++
				d.note("tollgate keys new makes another; let both be valid for a while", "merchant %s: a key ends on %s", m.ID,
					k.Expires.UTC().Format(time.DateOnly))
			default:
				lasting++
			}
		}
		if lasting == 0 {
			d.wrong("tollgate keys new makes one", "merchant %s: no API key is valid any more", m.ID)
			continue
		}
		files := slices.Clone(m.APIKeyFiles)
		for _, k := range m.Keys {
			if k.File != "" {
				files = append(files, k.File)
			}
		}
		private := true
		for _, name := range files {
			if err := d.c.SecretFile(name); err != nil {
				private = false
				d.wrong("take the rights of others off "+name+" and its folder", "merchant %s: %v", m.ID, err)
			}
		}
		if len(m.APIKeys) > 0 && !d.c.Testing() {
			d.note("tollgate keys hash makes its hash for api_key_hashes",
				"merchant %s: an API key stands in the configuration in the clear", m.ID)
		} else if private {
			d.ok("merchant %s: %d API keys", m.ID, lasting)
		}
	}
}

func (d *doctor) gateways(ctx context.Context) {
	d.reached = map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(d.c.Accounts)) {
		d.reached[name] = true
		for _, key := range config.GatewayAddresses {
			raw, _ := d.c.Accounts[name].Settings[key].(string)
			u, err := url.Parse(raw)
			if raw == "" || err != nil || u.Host == "" {
				continue
			}
			what := fmt.Sprintf("account %s: %s", name, u.Host)
			if ends, err := d.reach(ctx, u); err != nil {
				d.wrong(advice(err), "%s: %v", what, plain(err))
				d.reached[name] = false
			} else {
				d.certificate(what, ends, "the gateway has to renew it")
			}
		}
	}
}

// reach connects to an address as a call would, and answers when its certificate ends; zero without TLS.
func (d *doctor) reach(ctx context.Context, u *url.URL) (ends time.Time, err error) {
	ctx, done := context.WithTimeout(ctx, dialLimit)
	defer done()
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	conn, err := d.o.Dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return ends, err
	}
	defer conn.Close()
	if u.Scheme != "https" {
		return ends, nil
	}
	secure := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), RootCAs: d.o.Roots, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		return ends, err
	}
	return secure.ConnectionState().PeerCertificates[0].NotAfter, nil
}

func (d *doctor) certificate(what string, ends time.Time, do string) {
	switch left := ends.Sub(d.o.Now()); {
	case ends.IsZero():
		d.ok("%s: reachable", what)
	case left < certSoon:
		d.note(do, "%s: reachable; its certificate ends on %s", what, ends.UTC().Format(time.DateOnly))
	default:
		d.ok("%s: reachable, TLS valid", what)
	}
}

// publicURL asks for the front as a browser would: another program may answer there.
func (d *doctor) publicURL(ctx context.Context) {
	if d.c.PublicURL == "" {
		return
	}
	what := "public_url: " + d.c.PublicURL
	u, err := url.Parse(d.c.PublicURL)
	if err != nil {
		d.wrong("correct it", "%s: %v", what, err)
		return
	}
	ends, err := d.reach(ctx, u)
	if err != nil {
		d.wrong(advice(err), "%s: %v", what, plain(err))
		return
	}
	ctx, done := context.WithTimeout(ctx, dialLimit)
	defer done()
	client := &http.Client{
		Transport: &http.Transport{DialContext: d.o.Dial,
			TLSClientConfig: &tls.Config{RootCAs: d.o.Roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.c.PublicURL+"/readyz", nil)
	if err != nil {
		d.wrong("correct it", "%s: %v", what, err)
		return
	}
	res, err := client.Do(r)
	if err != nil {
		d.wrong("see that the proxy passes requests on to Tollgate, and that Tollgate runs", "%s: %v", what, plain(err))
		return
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		d.wrong("see that the proxy passes requests on to Tollgate, and that Tollgate runs", "%s: GET /readyz is answered %s", what,
			res.Status)
		return
	}
	if !d.sameInstallation(what, res) {
		return
	}
	d.certificate(what, ends, "renew it: shoppers' browsers will refuse the page")
}

// plain leaves out what the reader knows already.
func plain(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		return op.Err
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func advice(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the name leads nowhere: see the setting, and this machine's DNS"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate is not valid here: install the CA that signed it on this machine, or have it renewed"
	}
	if errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err) {
		return "nothing answers: see the firewall, and whether the other side allows this machine's address"
	}
	return "see the address and the port, and whether something listens there"
}

// Migrate makes or renews the tables, as every start does, and tells where they are.
func Migrate(ctx context.Context, c config.Config) (where string, err error) {
	st, err := sqlstore.Open(ctx, sqlstore.Options{URL: c.DatabaseURL, Dir: c.Data})
	if err != nil {
		return "", err
	}
	where = "PostgreSQL"
	if c.DatabaseURL == "" {
		where = "SQLite in " + c.Data
	}
	return where, st.Close()
}
