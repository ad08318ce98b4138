package faults

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// ServeFaults is /faults: POST adds one fault or an array (all or none), GET lists them, DELETE clears them.
func (s *Script) ServeFaults(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		writeJSON(w, http.StatusOK, s.List())
	case http.MethodDelete:
		s.Clear()
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPost:
		list, err := decode(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			for _, f := range list {
				if err = f.check(); err != nil {
					break
				}
			}
		}
		if err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		for _, f := range list {
			_ = s.Add(f) // checked above
		}
		writeJSON(w, http.StatusOK, s.List())
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// decode refuses unknown fields: a misspelt fault that does nothing would make a test pass for nothing.
func decode(body io.Reader) ([]Fault, error) {
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	raw = bytes.TrimSpace(raw)
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if bytes.HasPrefix(raw, []byte("[")) {
		var list []Fault
		err := d.Decode(&list)
		return list, err
	}
	var f Fault
	err = d.Decode(&f)
	return []Fault{f}, err
}

// ServeCalls is GET /calls, with ?reference= and ?call= to select.
func (s *Script) ServeCalls(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	q := r.URL.Query()
	writeJSON(w, http.StatusOK, s.Log.Calls(q.Get("reference"), q.Get("call")))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
