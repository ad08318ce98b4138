package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tollgate/internal/sandbox/ledger"
	"tollgate/internal/sandbox/sim"
)

// The cabinet is where somebody does something to an order without the merchant's API: a refund by the accountant, a hold that
// the bank lets go, a chargeback.

// cabinet is a gateway's, nil where there is no such gateway or it has none.
func (s *Sandbox) cabinet(gateway string) sim.Cabinet {
	for _, g := range s.o.Gateways {
		if c, ok := g.(sim.Cabinet); ok && g.Name() == gateway {
			return c
		}
	}
	return nil
}

// cabinetAct is what is asked for. Order is the gateway's id; where only our reference is given, the newest order with it is meant.
type cabinetAct struct {
	Gateway   string  `json:"gateway"`
	Order     string  `json:"gateway_order_id"`
	Reference string  `json:"reference"`
	Act       sim.Act `json:"act"`
	Amount    int64   `json:"amount"` // minor units; 0 or absent: all that is possible
}

var errNoCabinet = errors.New("there is no such gateway")

// do does one act and answers with the order's line of the ledger after it.
func (s *Sandbox) do(in cabinetAct) (ledger.Entry, error) {
	c := s.cabinet(in.Gateway)
	if c == nil {
		return ledger.Entry{}, errNoCabinet
	}
	for _, e := range slices.Backward(s.o.Env.Ledger.All()) {
		if in.Order == "" && e.Gateway == in.Gateway && in.Reference != "" && e.Reference == in.Reference {
			in.Order = e.GatewayOrderID
		}
	}
	if err := c.Act(in.Order, in.Act, in.Amount); err != nil {
		return ledger.Entry{}, err
	}
	for _, e := range s.o.Env.Ledger.All() {
		if e.Gateway == in.Gateway && e.GatewayOrderID == in.Order {
			return e, nil
		}
	}
	return ledger.Entry{}, sim.ErrNoOrder
}

// serveActs is GET /cabinet: what each gateway can express.
func (s *Sandbox) serveActs(w http.ResponseWriter, _ *http.Request) {
	acts := map[string][]sim.Act{}
	for _, g := range s.o.Gateways {
		if c, ok := g.(sim.Cabinet); ok {
			acts[g.Name()] = c.Acts()
		}
	}
	writeJSON(w, http.StatusOK, acts)
}

// serveAct is POST /cabinet.
func (s *Sandbox) serveAct(w http.ResponseWriter, r *http.Request) {
	var in cabinetAct
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<12))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{
			"error": `want {"gateway": "rbs", "gateway_order_id" or "reference": "…", "act": "refund", "amount": 500}`,
		})
		return
	}
	entry, err := s.do(in)
	if err != nil {
		status := http.StatusConflict
		switch {
		case errors.Is(err, errNoCabinet), errors.Is(err, sim.ErrNoOrder):
			status = http.StatusNotFound
		case errors.Is(err, sim.ErrNoAct), errors.Is(err, sim.ErrActAmount):
			status = http.StatusUnprocessableEntity
		}
		writeJSON(w, status, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, entry)
}

// consoleAct is a button of the console.
func (s *Sandbox) consoleAct(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	in := cabinetAct{Gateway: r.PostFormValue("gateway"), Order: r.PostFormValue("order"), Act: sim.Act(r.PostFormValue("act"))}
	if text := strings.TrimSpace(r.PostFormValue("amount")); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n <= 0 {
			s.redirectToConsole(w, r, "refused")
			return
		}
		in.Amount = n
	}
	if _, err := s.do(in); err != nil {
		s.redirectToConsole(w, r, "refused")
		return
	}
	s.redirectToConsole(w, r, "cabinet")
}
