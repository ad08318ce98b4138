package threeds

import (
	"errors"
	"fmt"
	"testing"
)

func TestErrorSaysReasonFieldAndDetail(t *testing.T) {
	for want, err := range map[string]error{
		"threeds: empty":                                     fail(ReasonEmpty, ""),
		"threeds: bad_uuid (acsTransID)":                     fail(ReasonBadUUID, "acsTransID"),
		"threeds: bad_url (url): userinfo":                   failf(ReasonBadURL, "url", "userinfo"),
		"threeds: timeout (body): context deadline exceeded": failf(ReasonTimeout, "body", "context deadline exceeded"),
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

func TestReasonOfLooksThroughWrapping(t *testing.T) {
	if got := ReasonOf(fmt.Errorf("reading the return: %w", fail(ReasonBadXML, "PaRes"))); got != ReasonBadXML {
		t.Error(got)
	}
	if got := ReasonOf(errors.New("bad_xml")) + ReasonOf(nil); got != "" {
		t.Error(got)
	}
}
