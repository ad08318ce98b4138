package handlers

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
)

// The contract of the merchant API, and Swagger UI 5.35.0 (npm swagger-ui-dist, Apache License 2.0) to read it with. Its
// two files are kept compressed: 485 KB in the place of 1.9 MB.
var (
	//go:embed openapi.yaml
	contract []byte
	//go:embed swagger/swagger-ui-bundle.js.gz swagger/swagger-ui.css.gz
	swaggerUI embed.FS
)

// docsPolicy is for the documentation's page alone. Swagger UI is somebody else's script on the host of the card form: it runs
// in a sandbox, which gives the page an origin of its own, without cookies and with no way into our pages. It writes style
// attributes, draws its icons from data addresses and asks nobody but this server.
const docsPolicy = "sandbox allow-scripts; default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const docsPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tollgate merchant API</title>
<link rel="icon" href="data:,">
<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="docs/swagger-ui.css?v=5.35.0">
<link rel="stylesheet" href="docs/own.css?v=2">
</head>
<body>
<div id="api"><noscript><p>This page needs script. The contract itself is at <a href="openapi.yaml">openapi.yaml</a>.</p></noscript></div>
<script src="docs/swagger-ui-bundle.js?v=5.35.0"></script>
<script src="docs/start.js?v=2"></script>
</body>
</html>
`

// docsStart has Swagger UI read our contract. Its badge of an outside validator is off, and no requests are made from it: a
// page is no place to type an API key into.
const docsStart = `SwaggerUIBundle({
  url: "openapi.yaml", dom_id: "#api", deepLinking: true, validatorUrl: null, supportedSubmitMethods: [],
  docExpansion: "list", defaultModelsExpandDepth: 0, displayRequestDuration: true,
});

// What a screen reader needs of it, whenever it draws anew: levels of headings, the name of the list of servers, and no link inside
// a button.
(function () {
  var root = document.getElementById("api")
  function mend() {
    root.querySelectorAll(".information-container, .schemes-server-container").forEach(function (e, i) {
      e.setAttribute("role", "region"); e.setAttribute("aria-label", ["About", "Servers"][i] || "More")
    })
    root.querySelectorAll(".info h3, h3.opblock-tag, section.models h4").forEach(function (h) { h.setAttribute("role", "heading"); h.setAttribute("aria-level", "2") })
    root.querySelectorAll("select:not([aria-label])").forEach(function (s) { s.setAttribute("aria-label", s.id || "Choice") })
    root.querySelectorAll(".opblock-summary-control a[href]").forEach(function (a) { a.removeAttribute("href") })
  }
  new MutationObserver(mend).observe(root, {childList: true, subtree: true})
  mend()
})()
`

// docsSheet makes Swagger UI's colours readable, by day and in the dark.
const docsSheet = `
.swagger-ui .info .title small pre.version, .swagger-ui .info .title small.version-stamp pre.version { color: #fff }
.swagger-ui .info .title small, .swagger-ui .info .title small.version-stamp { background: #3f5c00 }
.swagger-ui .info a, .swagger-ui .info .url, .swagger-ui a.link, .swagger-ui .url, .swagger-ui .renderedMarkdown a { color: #1455a0 }
.swagger-ui .btn.authorize { color: #14663f; border-color: #14663f }
.swagger-ui .btn.authorize svg { fill: #14663f }
.swagger-ui .opblock .opblock-summary-method, .swagger-ui .opblock.opblock-get .opblock-summary-method { background: #1455a0; text-shadow: none }
.swagger-ui .opblock.opblock-post .opblock-summary-method { background: #14663f }
.swagger-ui .opblock.opblock-put .opblock-summary-method, .swagger-ui .opblock.opblock-patch .opblock-summary-method { background: #7a4a00 }
.swagger-ui .opblock.opblock-delete .opblock-summary-method { background: #a8261b }
.swagger-ui .opblock .opblock-summary-description, .swagger-ui .opblock-tag small, .swagger-ui .servers-title { color: #30343a }
.swagger-ui .parameter__type, .swagger-ui .prop-type, .swagger-ui .prop-format, .swagger-ui .parameter__in, .swagger-ui .response-col_links { color: #30343a }
.swagger-ui .opblock-tag { color: #1c2025 }
#api { background: #fff; min-height: 100vh }
body { margin: 0 }
@media (prefers-color-scheme: dark) {
  html, body { background: #15191b }
  #api { filter: invert(.92) hue-rotate(180deg) }
  .swagger-ui .microlight, .swagger-ui .highlight-code { filter: invert(1) hue-rotate(180deg) }
}
`

// docs serves the contract: as a file for programs, as a page for people.
type docs struct{}

// contractTag names the contract's content, so that a client that has it is told so.
var contractTag = sync.OnceValue(func() string {
	sum := sha256.Sum256(contract)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
})

func (docs) contract(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", contractTag())
	openToAll(h)
	if c.Request().Header.Get("If-None-Match") == contractTag() {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, "application/yaml", contract)
}

func (docs) page(c echo.Context) error {
	c.Response().Header().Set("Content-Security-Policy", docsPolicy)
	return c.HTML(http.StatusOK, docsPage)
}

func (docs) file(c echo.Context) error {
	openToAll(c.Response().Header())
	switch name := c.Param("file"); name {
	case "start.js":
		return c.Blob(http.StatusOK, "text/javascript; charset=utf-8", []byte(docsStart))
	case "own.css":
		return c.Blob(http.StatusOK, "text/css; charset=utf-8", []byte(docsSheet))
	case "swagger-ui-bundle.js":
		return compressed(c, name, "text/javascript; charset=utf-8")
	case "swagger-ui.css":
		return compressed(c, name, "text/css; charset=utf-8")
	}
	return echo.ErrNotFound
}

// openToAll lets the documentation's page, whose origin is its own, read what it is made of.
func openToAll(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
}

// compressed answers with a file of Swagger UI as it is kept. Every browser takes gzip; in full it would be four times as much
// for whoever asks again and again.
func compressed(c echo.Context, name, contentType string) error {
	body, err := swaggerUI.ReadFile("swagger/" + name + ".gz")
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable") // its address carries its version
	h.Set("Vary", "Accept-Encoding")
	if accept, said := c.Request().Header["Accept-Encoding"]; said && !takesGzip(strings.Join(accept, ",")) {
		return echo.NewHTTPError(http.StatusNotAcceptable)
	}
	h.Set("Content-Encoding", "gzip")
	return c.Blob(http.StatusOK, contentType, body)
}

// takesGzip reads an Accept-Encoding header.
func takesGzip(accept string) bool {
	for _, part := range strings.Split(accept, ",") {
		coding, q, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			q = strings.ReplaceAll(q, " ", "")
			return strings.Trim(strings.TrimPrefix(q, "q="), "0.") != "" || q == ""
		}
	}
	return false
}
