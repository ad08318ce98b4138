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
<link rel="stylesheet" href="docs/swagger-ui.css?v=5.35.0">
</head>
<body>
<div id="api"><noscript><p>This page needs script. The contract itself is at <a href="openapi.yaml">openapi.yaml</a>.</p></noscript></div>
<script src="docs/swagger-ui-bundle.js?v=5.35.0"></script>
<script src="docs/start.js"></script>
</body>
</html>
`

// docsStart has Swagger UI read our contract. Its badge of an outside validator is off, and no requests are made from it: a
// page is no place to type an API key into.
const docsStart = `SwaggerUIBundle({
  url: "openapi.yaml", dom_id: "#api", deepLinking: true, validatorUrl: null, supportedSubmitMethods: [],
  docExpansion: "list", defaultModelsExpandDepth: 0, displayRequestDuration: true,
});
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
