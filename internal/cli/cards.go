package cli

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

const cardsImportHelp = `Takes over saved cards that a gateway keeps already: subscribers who come from another system. FILE is CSV, whose first line
names its columns, or one JSON object on each line; - is the standard input. Needed are customer and gateway_id (the bindingId, card
reference, registration token or binding); account may stand in the file or be given; first6, last4, expiry (MM/YY), name and series
(the gateway's id of the payment that began a series of charges) as far as they are known.

Each card is checked against the gateway where it can tell, as fast as the account's card_calls allows. What is refused is printed with
its line. It may be stopped and begun again at any time: cards that were taken over are not asked about again. The key needs the
scope import. Exits with 1 if anything was refused.

  tollgate cards import -account rbs bindings.csv`

// importedCard is one line of the file.
type importedCard struct {
	line      int
	bad       error
	Customer  string `json:"customer"`
	Account   string `json:"account"`
	GatewayID string `json:"gateway_id"`
	First6    string `json:"first6"`
	Last4     string `json:"last4"`
	Expiry    string `json:"expiry"`
	Name      string `json:"name"`
	Series    string `json:"series"`
}

// body is the request for it.
func (c importedCard) body() ([]byte, error) {
	all := map[string]any{"account": c.Account, "gateway_id": c.GatewayID}
	for name, v := range map[string]string{"expiry": c.Expiry, "name": c.Name, "series": c.Series} {
		if v != "" {
			all[name] = v
		}
	}
	if c.First6 != "" || c.Last4 != "" {
		all["card"] = map[string]string{"first6": c.First6, "last4": c.Last4}
	}
	return json.Marshal(all)
}

// importers are as many as wait for answers at a time; how fast the gateway is asked the server decides.
const importers = 4

func cardsImport(ctx context.Context, p process, set *flag.FlagSet) int {
	account := set.String("account", "", "`NAME` of the account, where the file names none")
	quiet := set.Bool("quiet", false, "print what was refused and the sum only")
	api, code, ok := p.connect(set, 1)
	if !ok {
		return code
	}
	in := p.in
	if name := set.Arg(0); name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return p.fail(set.Name(), err)
		}
		defer file.Close()
		in = file
	}
	lines := make(chan importedCard)
	var reading error
	go func() {
		defer close(lines)
		reading = readCards(in, func(c importedCard) bool {
			if c.Account == "" {
				c.Account = *account
			}
			select {
			case lines <- c:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	var mu sync.Mutex
	var all sync.WaitGroup
	taken, unchecked, refused := 0, 0, 0
	for range importers {
		all.Go(func() {
			for c := range lines {
				made, err := api.importCard(ctx, c)
				mu.Lock()
				switch {
				case err != nil:
					refused++
					fmt.Fprintf(p.err, "line %d: %v\n", c.line, err)
				default:
					taken++
					said := "checked"
					if made.CheckedAt == "" {
						unchecked++
						said = "not checked"
					}
					if !*quiet {
						fmt.Fprintf(p.out, "%s  %s  %s %s  %s\n", made.ID, c.Customer, made.Card.Last4, made.Expiry, said)
					}
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	fmt.Fprintf(p.out, "%d cards taken over, %d of them unchecked; %d refused\n", taken, unchecked, refused)
	if err := errors.Join(reading, ctx.Err()); err != nil {
		return p.fail(set.Name(), err)
	}
	if refused > 0 {
		return exitFailed
	}
	return exitDone
}

type cardTaken struct {
	ID        string
	Expiry    string
	CheckedAt string `json:"checked_at"`
	Card      struct{ Last4 string }
}

// importCard imports one card; where the server or the gateway is busy it waits and asks again.
func (a *merchantAPI) importCard(ctx context.Context, c importedCard) (made cardTaken, err error) {
	if c.bad != nil {
		return made, c.bad
	}
	body, err := c.body()
	if err != nil {
		return made, err
	}
	for try := 1; ; try++ {
		var answer []byte
		answer, err = a.call(ctx, http.MethodPost, "/v1/customers/"+url.PathEscape(c.Customer)+"/cards/import", nil, body)
		if err == nil {
			return made, json.Unmarshal(answer, &made)
		}
		busy, ok := errors.AsType[*refusal](err)
		if again := retryable(err) || ok && busy.Status == http.StatusTooManyRequests; !again || try == importTries {
			return made, err
		}
		if !pause(ctx, time.Duration(try)*time.Second) {
			return made, ctx.Err()
		}
	}
}

const importTries = 5

// readCards reads the file, line by line; each is told with its number until next says no.
func readCards(in io.Reader, next func(importedCard) bool) error {
	r := bufio.NewReader(in)
	first, err := r.Peek(1)
	if err != nil {
		return errors.New("the file is empty")
	}
	if first[0] == '{' {
		lines := bufio.NewScanner(r)
		for n := 1; lines.Scan(); n++ {
			if strings.TrimSpace(lines.Text()) == "" {
				continue
			}
			c := importedCard{line: n}
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				c.bad = errors.New("is no JSON object of texts")
			}
			if !next(c) {
				return nil
			}
		}
		return lines.Err()
	}
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = -1
	names, err := rows.Read()
	if err != nil {
		return err
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		line, _ := rows.FieldPos(0)
		c := importedCard{line: line, bad: err}
		for i, v := range row {
			if i >= len(names) {
				c.bad = errors.New("has more fields than the first line names")
				break
			}
			if into := c.field(strings.ToLower(strings.TrimSpace(strings.TrimPrefix(names[i], "\ufeff")))); into != nil {
				*into = strings.TrimSpace(v)
			}
		}
		if !next(c) || err != nil && row == nil {
			return nil
		}
	}
}

func (c *importedCard) field(name string) *string {
	switch name {
	case "customer", "client_id", "clientid":
		return &c.Customer
	case "account":
		return &c.Account
	case "gateway_id", "binding_id", "bindingid", "card_ref_id", "token", "registration_id", "registrationid":
		return &c.GatewayID
	case "first6", "bin":
		return &c.First6
	case "last4":
		return &c.Last4
	case "expiry":
		return &c.Expiry
	case "name", "mnemonic":
		return &c.Name
	case "series":
		return &c.Series
	}
	return nil
}
