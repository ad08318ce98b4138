package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"tollgate/internal/sandbox/sim"
)

// Acts of the toy: refunds.
func (g *toy) Acts() []sim.Act { return []sim.Act{sim.ActRefund} }

func (g *toy) Act(order string, act sim.Act, amount int64) error {
	if err := sim.CheckAct(g.Acts(), act, amount); err != nil {
		return err
	}
	for _, e := range g.e.Ledger.All() {
		if e.GatewayOrderID == order {
			sum, err := sim.Part(amount, e.Captured-e.Refunded)
			if err != nil {
				return err
			}
			e.Refunded += sum
			g.e.Ledger.Put(e)
			return nil
		}
	}
	return sim.ErrNoOrder
}

// What somebody does in a gateway's cabinet is done by the API or by a button of the console; what is not understood changes nothing.
func TestTheCabinetIsReachedByTheAPIAndTheConsole(t *testing.T) {
	c := newTown(t)
	post := func(path, kind, body string) (int, string) {
		res, err := http.Post(c.url+path, kind, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var answer struct {
			Error    string
			Refunded int64
		}
		_ = json.NewDecoder(res.Body).Decode(&answer)
		return res.StatusCode, answer.Error
	}
	post("/toy/rest/pay", "text/plain", "o-1")
	refunded := func() int64 { return c.env.Ledger.All()[0].Refunded }
	for _, step := range []struct {
		body string
		code int
		left int64
	}{
		{`{"gateway":"none","reference":"o-1","act":"refund"}`, http.StatusNotFound, 0},
		{`{"gateway":"toy","reference":"o-2","act":"refund"}`, http.StatusNotFound, 0},
		{`{"gateway":"toy","reference":"o-1","act":"capture"}`, http.StatusUnprocessableEntity, 0},
		{`{"gateway":"toy","reference":"o-1","act":"refund","amount":101}`, http.StatusUnprocessableEntity, 0},
		{`{"gateway":"toy","reference":"o-1","act":"refund","amount":-1}`, http.StatusUnprocessableEntity, 0},
		{`{"gateway":"toy","reference":"o-1","act":"refund","sum":1}`, http.StatusBadRequest, 0},
		{`nonsense`, http.StatusBadRequest, 0},
		{`{"gateway":"toy","reference":"o-1","act":"refund","amount":30}`, http.StatusOK, 30},
		{`{"gateway":"toy","gateway_order_id":"1","act":"refund","amount":30}`, http.StatusOK, 60},
		{`{"gateway":"toy","reference":"o-1","act":"refund"}`, http.StatusOK, 100},
		{`{"gateway":"toy","reference":"o-1","act":"refund"}`, http.StatusConflict, 100},
	} {
		if code, said := post("/cabinet", "application/json", step.body); code != step.code || refunded() != step.left || (said == "") != (code == http.StatusOK) {
			t.Errorf("%s: %d %q, refunded %d", step.body, code, said, refunded())
		}
	}
	res, err := http.Get(c.url + "/cabinet")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	acts := map[string][]sim.Act{}
	if err := json.NewDecoder(res.Body).Decode(&acts); err != nil || !slices.Equal(acts["toy"], []sim.Act{sim.ActRefund}) {
		t.Errorf("%v, %v", acts, err)
	}
	post("/toy/rest/pay", "text/plain", "o-3")
	for amount, did := range map[string]string{"": "cabinet", "x": "refused", "-1": "refused"} {
		form := url.Values{"gateway": {"toy"}, "order": {"2"}, "act": {"refund"}, "amount": {amount}}
		if res, _ := c.form("/console/cabinet", form); res.Header.Get("Location") != "/?did="+did {
			t.Errorf("amount %q leads to %s", amount, res.Header.Get("Location"))
		}
	}
	if c.page("/").Find("form[action='/console/cabinet'] option[value=refund]").Length() != 2 {
		t.Error("the console has no button for it")
	}
	if e := c.env.Ledger.All()[1]; e.Refunded != 100 {
		t.Errorf("%+v", e)
	}
}
