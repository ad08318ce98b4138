package payneteasy

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"

	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

// browserElements are what EMV 3DS wants to know of the browser, here and beside the sale. Those that are not required always are
// required where script runs.
var browserElements = []browserElement{
	{"browserAcceptHeader", "accept_header", true, regexp.MustCompile(`^.+$`)},
	{"browserIP", "", true, regexp.MustCompile(`^[0-9A-Fa-f.:]{2,45}$`)},
	{"browserJavascriptEnabled", "javascript_enabled", true, regexp.MustCompile(`^(true|false)$`)},
	{"browserLanguage", "accept_language", true, regexp.MustCompile(`^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$`)},
	{"browserJavaEnabled", "java_enabled", false, regexp.MustCompile(`^(true|false)$`)},
	{"browserColorDepth", "color_depth", false, regexp.MustCompile(`^(1|4|8|15|16|24|32|48)$`)},
	{"browserScreenHeight", "screen_height", false, regexp.MustCompile(`^[0-9]{1,6}$`)},
	{"browserScreenWidth", "screen_width", false, regexp.MustCompile(`^[0-9]{1,6}$`)},
	{"browserTZ", "time_zone", false, regexp.MustCompile(`^[+-]?[0-9]{1,4}$`)},
}

type browserElement struct {
	name, sale string
	required   bool
	format     *regexp.Regexp
}

func (e browserElement) most() int {
	if e.name == "browserLanguage" {
		return 8
	}
	return 2048
}

// browserOf reads the browser of an upload, or of a sale that says that it tells of one.
func (c *call) browserOf(sale bool) (map[string]string, *fault) {
	name := func(upload, sold string) string {
		if sale {
			return "customer_browser_" + sold
		}
		return upload
	}
	browser := map[string]string{}
	script := c.value(name("browserJavascriptEnabled", "javascript_enabled")) == "true"
	for _, e := range browserElements {
		if sale && e.sale == "" {
			continue
		}
		v := c.value(name(e.name, e.sale))
		if v == "" && (e.required || script) {
			return nil, missing(name(e.name, e.sale))
		}
		if v != "" && (!e.format.MatchString(v) || len(v) > e.most()) {
			return nil, malformed(name(e.name, e.sale))
		}
		if v != "" {
			browser[e.name] = v
		}
	}
	return browser, nil
}

// awaitedOrder checks signature, order and that the order waits for just this upload.
func (g *Gateway) awaitedOrder(c *call, step string) (*order, *fault) {
	if bad := c.signed(c.client, c.value("orderid")); bad != nil {
		return nil, bad
	}
	if c.value("orderid") == "" {
		return nil, missing("orderid")
	}
	o, bad := g.findOrder(c)
	if bad != nil {
		return nil, bad
	}
	if o.Status != processing || o.Step != step {
		return nil, errState
	}
	return o, nil
}

// uploadAnswer answers an upload. One that was refused left nothing behind.
func (g *Gateway) uploadAnswer(c *call, o *order, bad *fault) (*reply, *fault) {
	if bad != nil {
		return nil, bad
	}
	return g.async(o, g.serial()), nil
}

func (g *Gateway) uploadMethod(c *call) (*reply, *fault) {
	o, bad := g.awaitedOrder(c, stepMethod)
	if bad != nil {
		return nil, bad
	}
	trans, ind, notification := c.value("threeDSServerTransID"), c.value("threeDSCompInd"), c.value("notificationURL")
	switch {
	case trans == "":
		return nil, missing("threeDSServerTransID")
	case trans != o.TransID:
		return nil, malformed("threeDSServerTransID")
	case ind == "":
		return nil, missing("threeDSCompInd")
	case ind != "Y" && ind != "N" && ind != "U":
		return nil, malformed("threeDSCompInd")
	case notification == "":
		return nil, missing("notificationURL")
	case !sim.WebURL(notification) || len(notification) > 256:
		return nil, malformed("notificationURL")
	}
	browser, bad := c.browserOf(false)
	if bad != nil {
		return nil, bad
	}
	if v := c.value("browserUserAgent"); v != "" {
		browser["browserUserAgent"] = v
	}
	card, ok := issuer.Named(o.Card)
	if !ok {
		return nil, errSystem
	}
	o.NotificationURL, o.Hide = notification, c.acc.Processing
	return g.uploadAnswer(c, o, g.authenticate(c.acc, o, card, ind, browser))
}

// uploadCRes takes the message that the browser brought, CRes or Erro. It must belong to the order; what it says is not
// believed: the RReq decides.
func (g *Gateway) uploadCRes(c *call) (*reply, *fault) {
	o, bad := g.awaitedOrder(c, stepCReq)
	if bad != nil {
		return nil, bad
	}
	cres := c.value("cRes")
	if cres == "" {
		return nil, missing("cRes")
	}
	m, ok := readMessage(cres)
	if !ok || m.Type != "CRes" && m.Type != "Erro" || m.Type == "CRes" && (m.Status == "" || m.ACS == "") {
		return nil, malformed("cRes")
	}
	if m.Server != o.TransID {
		return nil, malformed("cRes")
	}
	o.Hide = c.acc.Processing
	return g.uploadAnswer(c, o, g.finishChallenge(c.acc, o))
}

type message struct {
	Type   string `json:"messageType"`
	Server string `json:"threeDSServerTransID"`
	ACS    string `json:"acsTransID"`
	Status string `json:"transStatus"`
}

// readMessage decodes base64 as it really arrives: either alphabet, padded or not, folded, blanks where a plus was.
func readMessage(s string) (message, bool) {
	s = strings.NewReplacer("\r", "", "\n", "", "\t", "", " ", "+", "-", "+", "_", "/").Replace(s)
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	var m message
	if err != nil || len(raw) > 1<<17 || json.Unmarshal(raw, &m) != nil {
		return m, false
	}
	return m, true
}

func (g *Gateway) uploadPaRes(c *call) (*reply, *fault) {
	o, bad := g.awaitedOrder(c, stepPaReq)
	if bad != nil {
		return nil, bad
	}
	paRes := c.value("paRes")
	if paRes == "" {
		return nil, missing("paRes")
	}
	o.Hide = c.acc.Processing
	return g.uploadAnswer(c, o, g.takePaRes(c.acc, o, paRes))
}
