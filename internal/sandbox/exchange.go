package sandbox

import (
	"encoding/json"
	"net/http"

	"tollgate/internal/sandbox/sim"
)

// serveExchange is POST /credentials: a gateway's password or key is another one from now on, until the sandbox starts again.
func (s *Sandbox) serveExchange(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Gateway    string `json:"gateway"`
		Credential string `json:"credential"`
		Value      string `json:"value"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<14))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{
			"error": `want {"gateway": "rbs", "credential": "password", "value": "…"}`,
		})
		return
	}
	for _, g := range s.o.Gateways {
		if x, ok := g.(sim.Exchanger); ok && g.Name() == in.Gateway {
			if err := x.Exchange(in.Credential, in.Value); err != nil {
				writeJSON(w, http.StatusUnprocessableEntity, map[string]string{"error": err.Error()})
				return
			}
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	writeJSON(w, http.StatusNotFound, map[string]string{"error": "no such gateway has credentials to exchange"})
}
