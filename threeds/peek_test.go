package threeds

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestBase64AsItArrives(t *testing.T) {
	doc := cres(`"transStatus":"Y"`, `"x":"þÿ?>~","transStatus":"Y"`)
	std := base64.StdEncoding.EncodeToString([]byte(doc))
	url := base64.URLEncoding.EncodeToString([]byte(doc))
	if !strings.Contains(std, "+") && !strings.Contains(std, "/") {
		t.Fatal("the sample needs a character in which the alphabets differ")
	}
	for name, value := range map[string]string{
		"standard, padded":       std,
		"standard, unpadded":     strings.TrimRight(std, "="),
		"url-safe, padded":       url,
		"url-safe, unpadded":     strings.TrimRight(url, "="),
		"mixed alphabets":        strings.Replace(std, "/", "_", 1),
		"plus became space":      strings.ReplaceAll(std, "+", " "),
		"folded at 76":           fold(std, 76),
		"folded at 64 with LF":   strings.ReplaceAll(fold(std, 64), "\r", ""),
		"folded, entity escaped": strings.ReplaceAll(fold(std, 76), "\r", "&#13;"),
		"tabs":                   "\t" + std + "\t",
		"BOM before JSON":        b64("\ufeff" + doc),
		"white space around":     b64("\r\n " + doc + "\n"),
	} {
		c, _, err := PeekCRes(value)
		if err != nil || c.TransStatus != "Y" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBase64NoEncoderProduces(t *testing.T) {
	good := b64(cres())
	for name, c := range map[string]struct{ value, reason string }{
		"nothing":              {"", ReasonEmpty},
		"line ends only":       {"\r\n\t", ReasonEmpty},
		"padding only":         {"=", ReasonBadBase64},
		"three paddings":       {b64("{}") + "===", ReasonBadBase64},
		"padding inside":       {good[:8] + "=" + good[8:], ReasonBadBase64},
		"length 4n+1":          {good[:len(good)/4*4-3], ReasonBadBase64},
		"percent escapes":      {strings.Replace(good, "e", "%65", 1), ReasonBadBase64},
		"not ASCII":            {good + "é", ReasonBadBase64},
		"stray bits":           {"e31", ReasonBadBase64},
		"over the cap":         {strings.Repeat("A", MaxChallenge+1), ReasonTooLarge},
		"at the cap":           {strings.Repeat("A", MaxChallenge), ReasonBadJSON},
		"plain JSON, unpacked": {cres(), ReasonBadBase64},
	} {
		_, _, err := PeekCRes(c.value)
		if ReasonOf(err) != c.reason {
			t.Errorf("%s: %v, want %s", name, err, c.reason)
		}
	}
}

func TestJSONThatTwoReadersWouldReadDifferently(t *testing.T) {
	for name, c := range map[string]struct{ doc, reason string }{
		"duplicate":                    {cres(`"transStatus"`, `"transStatus":"N","transStatus"`), ReasonDuplicateKey},
		"duplicate by escape":          {cres(`"transStatus"`, `"\u0074ransStatus":"N","transStatus"`), ReasonDuplicateKey},
		"duplicate in an extension":    {cres(`"transStatus"`, `"messageExtension":[{"id":1,"id":2}],"transStatus"`), ReasonDuplicateKey},
		"data after the object":        {cres() + "{}", ReasonBadJSON},
		"two BOMs":                     {"\ufeff\ufeff" + cres(), ReasonBadJSON},
		"only a BOM":                   {"\ufeff", ReasonBadJSON},
		"invalid UTF-8":                {cres(`"2.2.0"`, "\"2.2.0\xff\""), ReasonBadJSON},
		"windows-1251":                 {"{\"messageType\":\"CRes\",\"x\":\"\xcf\xf0\"}", ReasonBadJSON},
		"cut off":                      {cres()[:60], ReasonBadJSON},
		"single quotes":                {strings.ReplaceAll(cres(), `"`, `'`), ReasonBadJSON},
		"trailing comma":               {`{"messageType":"CRes",}`, ReasonBadJSON},
		"raw control character":        {cres("CRes", "CR\nes"), ReasonBadJSON},
		"too deep":                     {`{"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, ReasonBadJSON},
		"absurdly deep":                {strings.Repeat(`{"x":`, 15000), ReasonBadJSON},
		"array":                        {"[" + cres() + "]", ReasonNotObject},
		"null":                         {" null", ReasonNotObject},
		"string":                       {`"x"`, ReasonNotObject},
		"number":                       {`1`, ReasonNotObject},
		"empty object":                 {`{}`, ReasonMissingField},
		"name in another case":         {`{"MessageType":"CRes"}`, ReasonMissingField},
		"message type null":            {`{"messageType":null}`, ReasonMissingField},
		"message type is a number":     {`{"messageType":1}`, ReasonWrongMessageType},
		"our own CReq echoed":          {cres("CRes", "CReq"), ReasonWrongMessageType},
		"message type in another case": {cres("CRes", "cres"), ReasonWrongMessageType},
	} {
		_, _, err := PeekCRes(b64(c.doc))
		if ReasonOf(err) != c.reason {
			t.Errorf("%s: %v, want %s", name, err, c.reason)
		}
	}
	deep := `{"messageType":"CRes","transStatus":"Y","x":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`
	if _, _, err := PeekCRes(b64(deep)); err != nil {
		t.Errorf("31 levels inside the object are within the bound: %v", err)
	}
}
