package payneteasy

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

var browserElements = []struct {
	name     string
	required bool // always; the others only where script runs
	max      int
}{
	{"browserAcceptHeader", true, 2048}, {"browserIP", true, 45}, {"browserJavascriptEnabled", true, 5},
	{"browserLanguage", true, 8},
	{"browserJavaEnabled", false, 5}, {"browserColorDepth", false, 2}, {"browserScreenHeight", false, 6},
	{"browserScreenWidth", false, 6},
	{"browserTZ", false, 5},
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
	browser := map[string]string{}
	script := c.value("browserJavascriptEnabled") == "true"
	for _, e := range browserElements {
		v := c.value(e.name)
		if v == "" && (e.required || script) {
			return nil, missing(e.name)
		}
		if len(v) > e.max {
			return nil, malformed(e.name)
		}
		if v != "" {
			browser[e.name] = v
		}
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
