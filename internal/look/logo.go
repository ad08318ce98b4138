package look

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A logo is small: it comes with every first page.
const (
	logoBytes  = 64 << 10
	logoPixels = 2000
)

// A logo on the page is at most so large, in pixels.
const logoWide, logoHigh = 180, 40

// fit is the size of a logo on the page.
func fit(w, h float64) (wide, high int) {
	scale := min(logoWide/w, logoHigh/h)
	return max(1, int(w*scale+.5)), max(1, int(h*scale+.5))
}

// logo tells what a logo is and how large, or why it is refused.
func logo(body []byte) (kind string, w, h float64, err error) {
	if len(body) > logoBytes {
		return "", 0, 0, fmt.Errorf("has %d bytes; at most %d are allowed", len(body), logoBytes)
	}
	if bytes.HasPrefix(body, []byte("\x89PNG\r\n\x1a\n")) {
		size, err := png.DecodeConfig(bytes.NewReader(body))
		if err != nil || size.Width > logoPixels || size.Height > logoPixels {
			return "", 0, 0, fmt.Errorf("is no PNG of at most %d pixels", logoPixels)
		}
		if _, err := png.Decode(bytes.NewReader(body)); err != nil {
			return "", 0, 0, errors.New("is a PNG that cannot be read")
		}
		return "png", float64(size.Width), float64(size.Height), nil
	}
	w, h, err = vector(body)
	return "svg", w, h, err
}

// What an SVG may consist of: shapes, and the colours that they have. Nothing that runs, loads, links, moves or says.
var (
	svgElements = strings.Fields(`svg g path rect circle ellipse line polyline polygon title desc defs linearGradient radialGradient
		stop clipPath`)
	svgAttributes = strings.Fields(`xmlns version id viewBox preserveAspectRatio width height x y x1 y1 x2 y2 cx cy r rx ry fx fy d
		points transform fill fill-opacity fill-rule clip-rule clip-path stroke stroke-width stroke-opacity stroke-linecap
		stroke-linejoin stroke-miterlimit stroke-dasharray stroke-dashoffset opacity offset stop-color stop-opacity color
		gradientUnits gradientTransform spreadMethod clipPathUnits role aria-label`)
	svgReference = regexp.MustCompile(`^url\(#[A-Za-z0-9_-]+\)$`)
	svgNumber    = regexp.MustCompile(`^\s*([0-9]*\.?[0-9]+)(?:px)?\s*$`)
)

const svgSpace = "http://www.w3.org/2000/svg"

// vector reads an SVG by the list above and answers its size.
func vector(body []byte) (w, h float64, err error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict = true
	root := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, 0, errors.New("is neither a PNG nor an SVG that can be read")
		}
		switch token := token.(type) {
		case xml.Directive:
			return 0, 0, errors.New("is an SVG with a DOCTYPE or another declaration, which is not allowed")
		case xml.ProcInst:
			if token.Target != "xml" {
				return 0, 0, fmt.Errorf("is an SVG with an instruction %q, which is not allowed", token.Target)
			}
		case xml.StartElement:
			if token.Name.Space != svgSpace || !slices.Contains(svgElements, token.Name.Local) {
				return 0, 0, fmt.Errorf("is an SVG with <%s>, which is not allowed", token.Name.Local)
			}
			if !root {
				if token.Name.Local != "svg" {
					return 0, 0, errors.New("is no SVG")
				}
				root = true
				w, h = svgSize(token.Attr)
			}
			for _, a := range token.Attr {
				if !allowed(a) {
					return 0, 0, fmt.Errorf("is an SVG whose <%s> has %s=%q, which is not allowed", token.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
	if !root {
		return 0, 0, errors.New("is neither a PNG nor an SVG")
	}
	if w <= 0 || h <= 0 {
		return 0, 0, errors.New("is an SVG without a size: it needs viewBox, or width and height")
	}
	return w, h, nil
}

// allowed tells whether an attribute is on the list and names nothing outside of the file.
func allowed(a xml.Attr) bool {
	if a.Name.Space == "xmlns" || a.Name.Space != "" && a.Name.Space != svgSpace || !slices.Contains(svgAttributes, a.Name.Local) {
		return false
	}
	if a.Name.Local == "xmlns" {
		return a.Value == svgSpace
	}
	value := strings.ToLower(strings.TrimSpace(a.Value))
	if strings.Contains(value, "url") {
		return svgReference.MatchString(strings.TrimSpace(a.Value))
	}
	return !strings.ContainsAny(value, "\\<>") && !strings.Contains(value, "javascript") && !strings.Contains(value, "data:")
}

// svgSize is the size by width and height, else by viewBox.
func svgSize(attrs []xml.Attr) (w, h float64) {
	var box []string
	for _, a := range attrs {
		switch a.Name.Local {
		case "width":
			w = number(a.Value)
		case "height":
			h = number(a.Value)
		case "viewBox":
			box = strings.FieldsFunc(a.Value, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' })
		}
	}
	if (w <= 0 || h <= 0) && len(box) == 4 {
		w, h = number(box[2]), number(box[3])
	}
	return w, h
}

func number(s string) float64 {
	m := svgNumber.FindStringSubmatch(s)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil || n > 1e6 {
		return 0
	}
	return n
}
