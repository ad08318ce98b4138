package e2e_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	_ "github.com/jackc/pgx/v5/stdlib"

	"tollgate/internal/app"
	"tollgate/internal/pgtest"
)

// oddCode is a CVC that nothing else in a run looks like. The simulated banks refuse it, which is a way through the
// program as well.
const oddCode = "7391"

// disguises are all the ways in which a card number may hide in a file.
func disguises(pan string) map[string][]byte {
	grouped := func(by string) string { return pan[:4] + by + pan[4:8] + by + pan[8:12] + by + pan[12:] }
	escaped, entities, percent := "", "", ""
	for _, c := range pan {
		escaped += fmt.Sprintf(`\u%04x`, c)
		entities += fmt.Sprintf("&#%d;", c)
		percent += fmt.Sprintf("%%%02x", c)
	}
	backwards := []byte(pan)
	slices.Reverse(backwards)
	wide := make([]byte, 0, 2*len(pan))
	for _, u := range utf16.Encode([]rune(pan)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	all := map[string][]byte{
		"plain": []byte(pan), "with blanks": []byte(grouped(" ")), "with hyphens": []byte(grouped("-")), "with plus signs": []byte(grouped("+")),
		"with %20": []byte(grouped("%20")), "with no-break spaces": []byte(grouped("\u00a0")), "backwards": backwards, "in hex": []byte(hex.EncodeToString([]byte(pan))),
		"in JSON escapes": []byte(escaped), "in entities": []byte(entities), "percent-encoded": []byte(percent), "in UTF-16": wide,
	}
	// Base64 of a longer text shows a part of it in one of three ways. The alphabets differ in characters that digits
	// never become.
	for shift := range 3 {
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + pan))
		from := []int{0, 2, 3}[shift]
		all[fmt.Sprintf("in base64 at %d", shift)] = []byte(text[from : len(text)-2])
	}
	return all
}

// codeFields is a CVC where its name says that it is one.
var codeFields = regexp.MustCompile(`(?i)(cvc|cvv2?|csc|\$cvc|%24cvc|card_?code|security_?code)(%22|["'])?\s*(value)?\s*(%3d|%3a|[:=])\s*(%22|["'])?(123|` + oddCode + `)\b`)

// oddAlone is the odd CVC standing alone, in texts that hold no random bytes.
var oddAlone = regexp.MustCompile(`(^|[^0-9A-Za-z_.\-+/])` + oddCode + `($|[^0-9A-Za-z_.\-+/=])`)

// search looks for the cards in one artefact and tells what it found, without showing it.
func search(t *testing.T, artefact string, content []byte, text bool, pans []string) {
	t.Helper()
	for _, pan := range pans {
		for how, needle := range disguises(pan) {
			if at := bytes.Index(content, needle); at >= 0 {
				t.Errorf("%s holds a full card number (%s, ending in %s) at byte %d", artefact, how, pan[12:], at)
			}
		}
	}
	if at := codeFields.FindIndex(content); at != nil {
		t.Errorf("%s holds a CVC at byte %d", artefact, at[0])
	}
	if at := oddAlone.FindIndex(content); text && at != nil {
		t.Errorf("%s holds a CVC at byte %d: …%s…", artefact, at[0], content[max(0, at[0]-60):at[0]])
	}
}

func TestTheLeakSearchFindsPlantedSecrets(t *testing.T) {
	const pan = cardChallenge
	for how, text := range map[string]string{
		"json": `{"number":"` + pan + `"}`, "blanks": "4000 0199 0002 0704", "base64": base64.StdEncoding.EncodeToString([]byte(`{"n":"` + pan + `"}`)),
		"base64url": base64.RawURLEncoding.EncodeToString([]byte(`{"no":"` + pan + `"}`)), "base64 again": base64.StdEncoding.EncodeToString([]byte(`{"num":"` + pan + `","x":1}`)),
		"hex": hex.EncodeToString([]byte("=" + pan)),
	} {
		found := false
		for _, needle := range disguises(pan) {
			found = found || bytes.Contains([]byte(text), needle)
		}
		if !found {
			t.Errorf("a number in %s is overlooked", how)
		}
	}
	for _, text := range []string{`"cvc":"123"`, "cvc=7391", "$CVC=123&", "cvv2: 7391", `name="cvc" value="123"`, "%24CVC=123"} {
		if !codeFields.MatchString(text) {
			t.Errorf("a code in %s is overlooked", text)
		}
	}
	if !oddAlone.MatchString("code 7391 refused") || oddAlone.MatchString("took 173910") {
		t.Error("the odd code is overlooked, or seen where it is not")
	}
}

func TestNothingStoredOrShownHoldsACardNumberOrACode(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		t.Run(engine, func(t *testing.T) {
			database := ""
			if engine == "PostgreSQL" {
				database = pgtest.Start(t)
			}
			w := start(t, shortDeadlines, func(o *app.Options) { o.Config.DatabaseURL = database })
			pans, seen := allKindsOfPayments(t, w)

			artefacts := map[string][]byte{"the log": []byte(w.Log.String()), "what browsers got": seen}
			recorder := httptest.NewRecorder()
			w.App.Metrics().ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
			artefacts["the metrics"] = recorder.Body.Bytes()
			for _, path := range []string{"/ledger", "/calls"} {
				var raw json.RawMessage
				w.sandbox(t, "GET", path, nil, &raw)
				artefacts["the sandbox's "+path] = raw
			}
			var list struct {
				Data []json.RawMessage `json:"data"`
			}
			w.api(t, "GET", "/v1/sessions?limit=100", nil, &list)
			if len(list.Data) < len(pans) {
				t.Fatalf("%d sessions in the list", len(list.Data))
			}
			for _, raw := range list.Data {
				artefacts["the API's list"] = append(artefacts["the API's list"], raw...)
				var s sessionView
				if err := json.Unmarshal(raw, &s); err != nil {
					t.Fatal(err)
				}
				var one, events json.RawMessage
				w.api(t, "GET", "/v1/sessions/"+s.ID, nil, &one)
				w.api(t, "GET", "/v1/sessions/"+s.ID+"/events", nil, &events)
				artefacts["the API's sessions"] = append(artefacts["the API's sessions"], one...)
				artefacts["the API's events"] = append(artefacts["the API's events"], events...)
			}
			for name, content := range artefacts {
				if len(content) < 3 {
					t.Errorf("%s is empty: nothing was searched", name)
				}
				search(t, name, content, true, pans)
			}
			for name, content := range map[string][]byte{"the log": artefacts["the log"], "the events": artefacts["the API's events"]} {
				if !bytes.Contains(content, []byte("session")) {
					t.Errorf("%s does not speak of sessions", name)
				}
			}

			masked := 0
			if database != "" {
				for table, content := range tables(t, database) {
					masked += bytes.Count(content, []byte(`"0704"`)) + bytes.Count(content, []byte(`\"0704\"`))
					search(t, "table "+table, content, false, pans)
				}
			}
			files := func(when string) {
				n := 0
				err := filepath.WalkDir(w.Data, func(name string, d fs.DirEntry, err error) error {
					if err != nil || !d.Type().IsRegular() {
						return err
					}
					content, err := os.ReadFile(name)
					if err != nil {
						return err
					}
					n++
					masked += bytes.Count(content, []byte(`0704`))
					search(t, filepath.Base(name)+" "+when, content, false, pans)
					return nil
				})
				if err != nil || n < 2 {
					t.Errorf("%d files were searched: %v", n, err)
				}
			}
			files("while it runs")
			w.stop()
			files("after the stop")
			if masked == 0 {
				t.Error("not even the last four digits were found: the wrong files were searched")
			}
		})
	}
}

// allKindsOfPayments pays in every way there is, well and badly, and tells the cards used and all that browsers got.
func allKindsOfPayments(t *testing.T, w *world) (pans []string, seen []byte) {
	t.Helper()
	const html, legacy, funds, honor, refused = "4000019900070006", "4000019900040702", "4000019900050107", "4000019900060700", "4000019900020308"
	pans = []string{cardPlain, cardFrictionless, cardChallenge, cardSoft, html, legacy, funds, honor, refused, recipient}
	slices.Sort(pans)
	type visit struct {
		account, number string
		fill            map[string]string // in place of what the form wants
		fault           map[string]any
	}
	var visits []visit
	for _, account := range []string{"rbs", "payneteasy", "rbs-own"} {
		for _, number := range pans {
			visits = append(visits, visit{account: account, number: number})
		}
		gateway := strings.TrimSuffix(account, "-own")
		visits = append(visits,
			visit{account: account, number: cardChallenge, fill: map[string]string{"cvc": oddCode}},
			visit{account: account, number: cardChallenge, fill: map[string]string{"expiry": "13/77", "cvc": oddCode}}, // the form comes back
			visit{account: account, number: cardChallenge, fill: map[string]string{"browserLanguage": cardChallenge}},
		)
		// A gateway that repeats what it was sent, in an error and in a refusal.
		echo := fmt.Sprintf(`{"errorCode":"5","errorMessage":"card %s with code %s is refused"}`, cardChallenge, oddCode)
		call := "paymentorder.do"
		if gateway == "payneteasy" {
			echo = "type=validation-error\n&error-message=card+" + cardChallenge + "+with+code+" + oddCode + "+is+refused\n&error-code=8\n"
			call = "sale"
		}
		for _, status := range []int{200, 500} {
			visits = append(visits, visit{account: account, number: cardChallenge, fill: map[string]string{"cvc": oddCode}, fault: map[string]any{
				"gateway": gateway, "call": call, "do": "status", "status": status, "body": echo, "content_type": "application/json",
			}})
		}
	}
	visits = append(visits, // to a card that is typed
		visit{account: "sber", number: legacy},
		visit{account: "sber", number: legacy, fill: map[string]string{"cvc": oddCode}},
		visit{account: "sber", number: funds, fill: map[string]string{"expiry": "13/77"}}, // the form comes back
		visit{account: "sber", number: funds, fault: map[string]any{
			"gateway": "sber", "call": "transfer/start", "do": "status", "status": 200, "content_type": "application/json",
			"body": fmt.Sprintf(`{"status":"FAIL","errorCode":"5","errorMessage":"from %s to %s is refused"}`, funds, recipient),
		}},
	)
	got := make([][]byte, len(visits))
	for i, visit := range visits { // a few at a time would play somebody else's fault
		if visit.fault != nil {
			w.fault(t, visit.fault)
		}
		var fields map[string]any
		if visit.account == "sber" {
			fields = transfer(nil)
		}
		s := w.create(t, visit.account, fields)
		v := newVisitor(t)
		page, err := v.get(s.URL)
		for err == nil && page.kind() == "login" {
			page, err = v.logIn(page)
		}
		if err != nil {
			t.Fatal(err)
		}
		typed := cardFields(visit.number)
		typed["to_number"] = recipient // ignored where the page does not ask
		for k, val := range visit.fill {
			typed[k] = val
		}
		if page, err = v.submit(page, page.Doc.Find("form#card"), typed); err != nil {
			t.Fatal(err)
		}
		// On, as far as it goes within a few pages: neither does every visit end in a payment, nor need it.
		for range 12 {
			if page.kind() == "card" || page.kind() == "end" {
				break
			}
			next, err := v.act(page, visit.number)
			if err != nil {
				t.Fatal(err)
			}
			if next == nil {
				pause(60 * time.Millisecond)
				w.Clock.Advance(2 * time.Second)
			}
			if page = next; page == nil || page.kind() == "other" {
				if page, err = v.get(s.URL); err != nil {
					t.Fatal(err)
				}
			}
		}
		v.calm(t)
		got[i] = v.received.Bytes()
		for _, c := range v.jar.Cookies(mustParse(t, w.Front)) {
			got[i] = append(got[i], c.String()...)
		}
	}
	return pans, bytes.Join(got, nil)
}

// tables are all rows of a PostgreSQL, by table, as text.
func tables(t *testing.T, database string) map[string][]byte {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	column := func(query string) []string {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var all []string
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
		return all
	}
	all := map[string][]byte{}
	for _, name := range column(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`) {
		all[name] = []byte(strings.Join(column(`SELECT row_to_json(x)::text FROM "`+name+`" x`), "\n"))
	}
	if len(all) < 5 {
		t.Fatalf("%d tables", len(all))
	}
	return all
}
