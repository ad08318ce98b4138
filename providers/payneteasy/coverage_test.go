package payneteasy

import (
	"testing"

	"tollgate/threeds"
)

// The JSON and its base64url are those that the document prints for this id and this address.
func TestTheMethodDataOfTheDocumentsSample(t *testing.T) {
	pay := payment()
	pay.Run.NotifyURL = "https://merchant.com/3ds-method-complete/"
	s, err := statusOf(t, pay, status("status=processing", "tds_status=MethodUrlFrame", "tds-method-url-frame-3ds-server-trans-id=3d671629-a410-4a5d-9288-b38ceadd41f2",
		"tds-method-url-frame-3ds-method-url=https%3A%2F%2Facs.example%2F3ds-method"))
	if err != nil || s.Next == nil || len(s.Next.Forms) != 1 {
		t.Fatalf("%+v %v", s.Next, err)
	}
	want := threeds.Field{Name: "threeDSMethodData", Value: "eyJ0aHJlZURTU2VydmVyVHJhbnNJRCI6IjNkNjcxNjI5LWE0MTAtNGE1ZC05Mjg4LWIzOGNlYWRkNDFmMiIs" +
		"InRocmVlRFNNZXRob2ROb3RpZmljYXRpb25VUkwiOiJodHRwczovL21lcmNoYW50LmNvbS8zZHMtbWV0aG9kLWNvbXBsZXRlLyJ9"}
	if got := s.Next.Forms[0].Fields; len(got) != 1 || got[0] != want {
		t.Errorf("%+v", got)
	}
}
