package templates_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"tollgate/templates"
)

// The documents want frames without size and border. A style attribute is against our policy, so a class says so; a pixel is left,
// since browsers may not load a frame that has none.
func TestTheFramesOfTheMethodAreNotSeen(t *testing.T) {
	d := doc(t, templates.Method(templates.MethodPage{Layout: layout(t, "en"), Frames: []string{"/3ds/r/1", "/3ds/r/2"}, ID: "r", Next: "/pay/s1"}))
	frames := d.Find("iframe")
	frames.Each(func(_ int, f *goquery.Selection) {
		wantAttr(t, f, "class", "unseen")
		wantAttr(t, f, "aria-hidden", "true")
		wantAttr(t, f, "tabindex", "-1")
	})
	if frames.Length() != 2 {
		t.Fatalf("%d frames", frames.Length())
	}
	css, err := os.ReadFile("../static/files/pay.css")
	if err != nil {
		t.Fatal(err)
	}
	rule := regexp.MustCompile(`(?m)^\.unseen \{([^}]*)\}`).FindStringSubmatch(string(css))
	if rule == nil {
		t.Fatal("no rule for them")
	}
	for _, want := range []string{"position: absolute", "width: 1px", "height: 1px", "border: 0", "visibility: hidden"} {
		if !strings.Contains(rule[1], want) {
			t.Errorf("not %s", want)
		}
	}
}
