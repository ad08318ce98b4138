package handlers

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
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

// docsPolicy is for the documentation's page alone. Swagger UI writes style attributes and draws its icons from data
// addresses; it asks nobody but this server, and shows the page inside no other.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
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

// docsStart has Swagger UI read our contract. Its badge of an outside validator is off, and keys that are typed in are
// forgotten with the page.
const docsStart = `SwaggerUIBundle({
  url: "openapi.yaml", dom_id: "#api", deepLinking: true, validatorUrl: null, persistAuthorization: false,
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

// compressed answers with a file of Swagger UI as it is kept, or in full to the few who do not take gzip.
func compressed(c echo.Context, name, contentType string) error {
	body, err := swaggerUI.ReadFile("swagger/" + name + ".gz")
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable") // its address carries its version
	h.Set("Vary", "Accept-Encoding")
	if takesGzip(c.Request().Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		return c.Blob(http.StatusOK, contentType, body)
	}
	whole, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return err
	}
	h.Set(echo.HeaderContentType, contentType)
	c.Response().WriteHeader(http.StatusOK)
	_, err = io.Copy(c.Response(), whole)
	return err
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
