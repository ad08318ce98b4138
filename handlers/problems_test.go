package handlers

import (
	"net/http"
	"regexp"
	"testing"
)

// A problem's type is what shops decide by: each is in the contract, and the contract promises none that is never said.
func TestEveryProblemTypeIsInTheContract(t *testing.T) {
	said := map[string]bool{internal.name: true, tooMany.name: true}
	for _, k := range kinds {
		said[k.kind.name] = true
	}
	for _, code := range []int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType} {
		said[statusName(code)] = true
	}
	// Said to banks and gateways, whose routes are not the merchants'.
	delete(said, "contradiction")
	delete(said, "forged")
	promised := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^        - `+problemTypes+`([a-z-]+)$`).FindAllSubmatch(contract, -1) {
		promised[string(m[1])] = true
	}
	for name := range said {
		if !promised[name] {
			t.Errorf("%s is said and not in openapi.yaml", name)
		}
	}
	for name := range promised {
		if !said[name] {
			t.Errorf("%s is in openapi.yaml and never said", name)
		}
	}
}
