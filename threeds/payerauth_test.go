package threeds

import (
	"encoding/base64"
	"runtime"
	"strings"
	"testing"
)

// pares is the XML of a good PaRes with old replaced by new.
func pares(oldnew ...string) string {
	return strings.NewReplacer(oldnew...).Replace(`<?xml version="1.0" encoding="UTF-8"?><ThreeDSecure><Message id="M1"><PARes id="P1">` +
		`<version>1.0.2</version><Merchant><acqBIN>427600</acqBIN><merID>543234</merID></Merchant>` +
		`<Purchase><xid>NzQwODIxNjE2MTg4MTYwNzg4MDY=</xid><date>20210419 07:07:58</date><purchAmount>2000</purchAmount><currency>643</currency><exponent>2</exponent></Purchase>` +
		`<pan>4012001038166662</pan><TX><time>20210419 07:08:30</time><status>Y</status><cavv>AAABBJg0VhI0VniQEjRWAAAAAAA=</cavv><eci>05</eci><cavvAlgorithm>2</cavvAlgorithm></TX>` +
		`</PARes><Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo><Reference URI="#P1"/><Reference URI="#P2"/></SignedInfo></Signature></Message></ThreeDSecure>`)
}

func TestPaResAsRealACSsSendIt(t *testing.T) {
	for name, value := range map[string]string{
		"zlib":                     zlibbed(t, pares()),
		"raw deflate":              deflated(t, pares()),
		"folded":                   fold(zlibbed(t, pares()), 76),
		"folded, CR as an entity":  strings.ReplaceAll(fold(zlibbed(t, pares()), 76), "\r", "&#13;"),
		"url-safe":                 strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(zlibbed(t, pares())),
		"BOM":                      zlibbed(t, "\ufeff"+pares()),
		"no XML declaration":       zlibbed(t, strings.TrimPrefix(pares(), `<?xml version="1.0" encoding="UTF-8"?>`)),
		"pretty-printed":           zlibbed(t, pares("><", ">\r\n  <")),
		"folded cavv":              zlibbed(t, pares("AAABBJg0VhI0VniQ", "AAABBJg0VhI0VniQ&#13;\n  ")),
		"default namespace":        zlibbed(t, pares("<ThreeDSecure>", `<ThreeDSecure xmlns="urn:x">`)),
		"extensions, twice":        zlibbed(t, pares("</PARes>", `<Extension id="a" critical="false"><b/><b/></Extension><Extension/></PARes>`)),
		"nested Signature element": zlibbed(t, pares("</SignedInfo>", `</SignedInfo><Object><Signature/></Object>`)),
		"CDATA":                    zlibbed(t, pares("<status>Y", "<status><![CDATA[Y]]>")),
	} {
		p, err := PeekPaRes(value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.TX.Status != "Y" || p.TX.CAVV != "AAABBJg0VhI0VniQEjRWAAAAAAA=" || p.Merchant.MerID != "543234" || !p.Signed || p.PANLast4 != "6662" {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestPaResInADeclaredCharset(t *testing.T) {
	// "Ошибка" in windows-1251, KOI8-R and ISO-8859-5, "Ünlü ş" in ISO-8859-9, "é" in Latin-1.
	for charset, c := range map[string]struct{ raw, want string }{
		"windows-1251": {"\xce\xf8\xe8\xe1\xea\xe0", "Ошибка"},
		"CP1251":       {"\xce\xf8\xe8\xe1\xea\xe0", "Ошибка"},
		"KOI8-R":       {"\xef\xdb\xc9\xc2\xcb\xc1", "Ошибка"},
		"ISO-8859-5":   {"\xbe\xe8\xd8\xd1\xda\xd0", "Ошибка"},
		"iso-8859-9":   {"\xdcnl\xfc \xfe", "Ünlü ş"},
		"ISO-8859-1":   {"\xe9", "é"},
		"ISO_8859-1":   {"\xe9", "é"},
		"US-ASCII":     {"plain", "plain"},
		"utf-8":        {"Қате", "Қате"},
		"UTF8":         {"Қате", "Қате"},
	} {
		doc := `<?xml version="1.0" encoding="` + charset + `"?><ThreeDSecure><Message id="1"><Error><version>1.0.2</version>` +
			`<errorCode>98</errorCode><errorMessage>` + c.raw + `</errorMessage></Error></Message></ThreeDSecure>`
		p, err := PeekPaRes(zlibbed(t, doc))
		if err != nil || p.Error.Message != c.want {
			t.Errorf("%s: %+v, %v", charset, p.Error, err)
		}
	}
	for _, charset := range []string{"UTF-16", "utf-7", "ebcdic-cp-us", "x", ""} {
		_, err := PeekPaRes(zlibbed(t, pares("UTF-8", charset)))
		if charset == "" {
			if err != nil {
				t.Errorf("an empty encoding is read as UTF-8: %v", err)
			}
			continue
		}
		wantReason(t, err, ReasonBadXML)
	}
	_, err := PeekPaRes(zlibbed(t, pares("543234", "\xcf\xf0")))
	wantReason(t, err, ReasonBadXML)
}

func TestPaResOfAnAmbiguousShapeIsRefused(t *testing.T) {
	second := `<PARes id="P1"><TX><status>Y</status></TX></PARes>`
	bomb := strings.Repeat(" ", MaxInflated)
	adler := []byte(nil)
	if b, err := base64.StdEncoding.DecodeString(zlibbed(t, pares())); err == nil {
		adler = b
	}
	for name, c := range map[string]struct{ value, reason string }{
		"DOCTYPE":                    {zlibbed(t, pares("<ThreeDSecure>", `<!DOCTYPE x [<!ENTITY e "Y">]><ThreeDSecure>`)), ReasonXMLDoctype},
		"DOCTYPE in the root":        {zlibbed(t, pares("<Message", `<!DOCTYPE x><Message`)), ReasonXMLDoctype},
		"undeclared entity":          {zlibbed(t, pares("<status>Y", "<status>&e;")), ReasonBadXML},
		"comment":                    {zlibbed(t, pares("<status>Y", "<status>Y<!-- -->")), ReasonBadXML},
		"processing instruction":     {zlibbed(t, pares("<status>Y", "<status>Y<?x?>")), ReasonBadXML},
		"second XML declaration":     {zlibbed(t, pares("<status>", `<?xml version="1.0"?><status>`)), ReasonBadXML},
		"two PARes":                  {zlibbed(t, pares("</PARes>", "</PARes>"+second)), ReasonBadXML},
		"two Message":                {zlibbed(t, pares("</Message>", "</Message><Message>"+second+"</Message>")), ReasonBadXML},
		"PARes beside an Error":      {zlibbed(t, pares("</PARes>", "</PARes><Error><errorCode>1</errorCode></Error>")), ReasonBadXML},
		"two Signature":              {zlibbed(t, pares("</Message>", "<Signature/></Message>")), ReasonBadXML},
		"status twice":               {zlibbed(t, pares("<status>Y", "<status>N</status><status>Y")), ReasonBadXML},
		"TX twice":                   {zlibbed(t, pares("</TX>", "</TX><TX><status>N</status></TX>")), ReasonBadXML},
		"status in two namespaces":   {zlibbed(t, pares("<status>Y", `<status xmlns="urn:x">N</status><status>Y`)), ReasonBadXML},
		"attribute twice":            {zlibbed(t, pares(`id="P1"`, `id="P1" id="P2"`)), ReasonBadXML},
		"element inside a value":     {zlibbed(t, pares("<status>Y", "<status><b>N</b>Y")), ReasonBadXML},
		"second root":                {zlibbed(t, pares()+"<ThreeDSecure/>"), ReasonBadXML},
		"text after the root":        {zlibbed(t, pares()+"Y"), ReasonBadXML},
		"another root":               {zlibbed(t, "<html><body/></html>"), ReasonBadXML},
		"not XML":                    {zlibbed(t, "OK"), ReasonBadXML},
		"nothing":                    {zlibbed(t, ""), ReasonBadXML},
		"cut off":                    {zlibbed(t, pares()[:300]), ReasonBadXML},
		"a PAReq":                    {zlibbed(t, pares("PARes", "PAReq", "<Signature", "<X", "</Signature", "</X", "<X", "<Signature")), ReasonBadXML},
		"a VERes":                    {zlibbed(t, "<ThreeDSecure><Message><VERes/></Message></ThreeDSecure>"), ReasonWrongMessageType},
		"Error with a Signature":     {zlibbed(t, "<ThreeDSecure><Message><Error><errorCode>1</errorCode></Error><Signature/></Message></ThreeDSecure>"), ReasonBadXML},
		"Error without a code":       {zlibbed(t, "<ThreeDSecure><Message><Error/></Message></ThreeDSecure>"), ReasonMissingField},
		"no status":                  {zlibbed(t, pares("<status>Y</status>", "")), ReasonMissingField},
		"status in lower case":       {zlibbed(t, pares("<status>Y", "<status>y")), ReasonBadTransStatus},
		"nested too deep":            {zlibbed(t, pares("<status>Y", "<status>"+strings.Repeat("<a>", 40)+strings.Repeat("</a>", 40)+"Y")), ReasonBadXML},
		"too many elements":          {zlibbed(t, pares("</PARes>", "<Extension>"+strings.Repeat("<a/>", maxElements)+"</Extension></PARes>")), ReasonBadXML},
		"too many attributes":        {zlibbed(t, pares("<TX>", "<TX "+strings.Repeat("a=\"\" ", 40)+">")), ReasonBadXML},
		"inflates over the cap":      {zlibbed(t, pares()+bomb), ReasonZipBomb},
		"inflates over it, deflate":  {deflated(t, pares()+bomb), ReasonZipBomb},
		"data after the zlib stream": {base64.StdEncoding.EncodeToString(append(adler, "Y"...)), ReasonBadZlib},
		"cut zlib":                   {base64.StdEncoding.EncodeToString(adler[:len(adler)-5]), ReasonBadZlib},
		"XML without compression":    {base64.StdEncoding.EncodeToString([]byte(pares())), ReasonBadZlib},
		"over the cap":               {strings.Repeat("A", MaxPayerAuth+1), ReasonTooLarge},
		"nothing came":               {"", ReasonEmpty},
	} {
		p, err := PeekPaRes(c.value)
		if ReasonOf(err) != c.reason {
			t.Errorf("%s: %+v %v, want %s", name, p, err, c.reason)
		}
	}
}

func TestPaResErrorAndIReqAreRead(t *testing.T) {
	p, err := PeekPaRes(zlibbed(t, `<ThreeDSecure><Message id="E"><Error><version>1.0.2</version><errorCode>5</errorCode><errorMessage>m</errorMessage><errorDetail>d</errorDetail><vendorCode>v</vendorCode></Error></Message></ThreeDSecure>`))
	if err != nil || p.MessageID != "E" || *p.Error != (PaError{"1.0.2", "5", "m", "d", "v"}) {
		t.Errorf("%+v %v", p, err)
	}
	p, err = PeekPaRes(zlibbed(t, pares("<status>Y", "<status>U", "4012001038166662", "0000000000000000", "</TX>", "</TX><IReq><iReqCode>55</iReqCode><iReqDetail>x</iReqDetail></IReq>")))
	if err != nil || p.TX.Status != "U" || p.PANLast4 != "0000" || *p.IReq != (PaIReq{Code: "55", Detail: "x"}) {
		t.Errorf("%+v %v", p, err)
	}
}

func TestPaReqHidesACardNumberInAcctID(t *testing.T) {
	doc := `<ThreeDSecure><Message><PAReq><CH><acctID>%</acctID></CH></PAReq></Message></ThreeDSecure>`
	for in, want := range map[string]string{
		"4012001038166662": "************6662",
		"4012001038166661": "4012001038166661", // no card number by its check digit
		"jowuakdsbwVdoVa3": "jowuakdsbwVdoVa3",
	} {
		p, err := PeekPaReq(zlibbed(t, strings.ReplaceAll(doc, "%", in)))
		if err != nil || p.AcctID != want {
			t.Errorf("%s: %q, %v", in, p.AcctID, err)
		}
	}
	_, err := PeekPaReq(zlibbed(t, pares()))
	wantReason(t, err, ReasonWrongMessageType)
}

// The cost of looking into a value is bounded whatever is packed into it.
func TestHostilePaResCostsLittleMemory(t *testing.T) {
	head := `<ThreeDSecure><Message><PARes>`
	for name, value := range map[string]string{
		"bomb":     zlibbed(t, strings.Repeat(" ", 16<<20)),
		"CDATA":    zlibbed(t, head+"<version>"+strings.Repeat("x", 100<<10)+strings.Repeat("<![CDATA[y]]>", 11000)),
		"siblings": zlibbed(t, head+strings.Repeat("<a/>", 50000)),
		"attrs":    zlibbed(t, head+"<a "+strings.Repeat("b='' ", 50000)+">"),
		"text":     zlibbed(t, head+strings.Repeat("&lt;", 60000)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := PeekPaRes(value)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 24<<20 {
			t.Errorf("%s: %d KiB allocated", name, got>>10)
		}
	}
}
