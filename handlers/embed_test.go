package handlers_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/merchant"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
	"tollgate/threeds"
)

const shopOrigin = "https://shop.example"

func bootForEmbedding(t *testing.T) *machine {
	m := theShop
	m.ReturnOrigins = []string{shopOrigin, "https://other.example"}
	return boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{merchants: []merchant.Merchant{m}})
}

func ancestors(r reply) string {
	for part := range strings.SplitSeq(r.Header().Get("Content-Security-Policy"), "; ") {
		if rest, ok := strings.CutPrefix(part, "frame-ancestors "); ok {
			return rest
		}
	}
	return ""
}

func TestOnlyTheSessionsEmbedOriginMayFrameItsPages(t *testing.T) {
	m := bootForEmbedding(t)
	plain := m.call(http.MethodPost, "/v1/sessions", order("plain"))
	plain.is(http.StatusCreated, "")
	embedded := m.call(http.MethodPost, "/v1/sessions", strings.Replace(order("framed"), "{", `{"embed_origin":"`+shopOrigin+`",`, 1))
	embedded.is(http.StatusCreated, "")
	if got := embedded.field("embed_origin"); got != shopOrigin {
		t.Errorf("the session says %q", got)
	}
	for id, want := range map[string]string{plain.field("id"): "'none'", embedded.field("id"): shopOrigin} {
		r := m.shopper(http.MethodGet, "/pay/"+id, nil, "Sec-Fetch-Dest", "iframe")
		if got := ancestors(r); got != want || r.Code != http.StatusOK {
			t.Errorf("%d, frame-ancestors %q, want %q", r.Code, got, want)
		}
		if told := r.page().Find("script[data-origin]").AttrOr("data-origin", "'none'"); told != want {
			t.Errorf("messages go to %q", told)
		}
		refused := m.shopper(http.MethodPost, "/pay/"+id+"/card", cardWith(map[string]string{"number": "4000"}), "Sec-Fetch-Dest", "iframe")
		if got := ancestors(refused); got != want || refused.Code != http.StatusUnprocessableEntity {
			t.Errorf("a refused form: %d, frame-ancestors %q, want %q", refused.Code, got, want)
		}
	}
	for _, origin := range []string{"https://evil.example", "https://shop.example/", "https://*.example", "*", "null", "http://shop.example", "https://shop.example:443"} {
		r := m.call(http.MethodPost, "/v1/sessions", strings.Replace(order("x"), "{", `{"embed_origin":"`+origin+`",`, 1))
		if r.Code != http.StatusUnprocessableEntity && r.Code != http.StatusBadRequest || !strings.Contains(r.Body.String(), "embed_origin") {
			t.Errorf("%s: %d %s", origin, r.Code, r.Body)
		}
	}
}

// methods is a gateway whose bank wants to see the browser first.
type methods struct{ *gateway }

func (methods) Pay(_ context.Context, p providers.Payment, _ providers.Instrument, _ threeds.BrowserData) (providers.Step, error) {
	return providers.Step{V: providers.StepVersion, Kind: providers.Method, Ref: p.Ref, Forms: []threeds.Form{{Action: "https://bank.example/method"}}}, nil
}

func (methods) Status(_ context.Context, p providers.Payment) (providers.Standing, error) {
	return providers.Standing{Outcome: providers.Waiting, Ref: p.Ref, Reference: p.Ref.Reference, Amount: p.Amount}, nil
}

// A browser asks every page around a frame: of the Method's hidden frames the shop's page is the outermost.
func TestTheHiddenFramesOfAPageInAShopsFrameAreAllowedThere(t *testing.T) {
	shop := theShop
	shop.ReturnOrigins = []string{shopOrigin}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{merchants: []merchant.Merchant{shop}, provider: func(g *gateway) providers.Provider { return methods{g} }})
	for name, want := range map[string]string{"framed": "'self' " + shopOrigin, "plain": "'self'"} {
		body := order(name)
		if name == "framed" {
			body = strings.Replace(body, "{", `{"embed_origin":"`+shopOrigin+`",`, 1)
		}
		id := m.call(http.MethodPost, "/v1/sessions", body).field("id")
		m.shopper(http.MethodPost, "/pay/"+id+"/card", cardWith(nil), "Sec-Fetch-Dest", "iframe").leadsTo("/pay/" + id)
		page := m.shopper(http.MethodGet, "/pay/"+id, nil, "Sec-Fetch-Dest", "iframe").page()
		src := page.Find("iframe.unseen").AttrOr("src", "")
		if got := ancestors(m.shopper(http.MethodGet, src, nil, "Sec-Fetch-Dest", "iframe")); got != want {
			t.Errorf("%s: the frame at %q may stand in %q, want %q", name, src, got, want)
		}
		s, err := m.store.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		back := m.shopper(http.MethodPost, "/3ds/"+s.Attempts[0].Run().Token+"/notify", strings.NewReader("threeDSMethodData=e30"), "Sec-Fetch-Dest", "iframe")
		if got := ancestors(back); got != want {
			t.Errorf("%s: what it comes back to may stand in %q, want %q", name, got, want)
		}
	}
}

func TestEmbeddingRequiresAListOfReturnOrigins(t *testing.T) {
	m, _ := front(t, tune{})
	r := m.call(http.MethodPost, "/v1/sessions", strings.Replace(order("x"), "{", `{"embed_origin":"https://shop.example",`, 1))
	if r.Code < 400 || !strings.Contains(r.Body.String(), "return_origins") {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}

func TestTheEmbedScriptIsSmallAndEveryShopMayLoadIt(t *testing.T) {
	m, _ := front(t, tune{})
	r := m.shopper(http.MethodGet, "/embed.js", nil)
	if r.Code != http.StatusOK || r.Body.Len() > 3<<10 || !strings.HasPrefix(r.Header().Get("Content-Type"), "text/javascript") || r.Header().Get("Cross-Origin-Resource-Policy") != "cross-origin" {
		t.Errorf("%d, %d bytes, %v", r.Code, r.Body.Len(), r.Header())
	}
}
