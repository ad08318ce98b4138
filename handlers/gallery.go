package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"tollgate/internal/i18n"
	"tollgate/session"
	"tollgate/templates"
	"tollgate/templates/gallery"
)

// galleryPages show every page in every state and language, from made-up data. Only the sandbox has them.
type galleryPages struct{ Options }

const galleryPath = "/gallery"

func (g galleryPages) routes(e *echo.Echo) {
	if g.Sandbox {
		e.GET(galleryPath, g.index)
		e.GET(galleryPath+"/:lang/:name", g.page)
	}
}

func (g galleryPages) index(c echo.Context) error {
	page := templates.GalleryPage{Layout: templates.Layout{T: g.Texts.For("en"), SandboxNotice: g.Sandbox}}
	for _, l := range i18n.All() {
		page.Languages = append(page.Languages, templates.GalleryLanguage{Tag: l.Tag, Name: l.Name})
	}
	page.Languages = append(page.Languages, templates.GalleryLanguage{Tag: i18n.MirroredTag, Name: "Right to left"})
	for _, s := range gallery.Stories(g.Texts.For("en"), "") {
		page.Names = append(page.Names, s.Name)
	}
	return render(c, g.Options, http.StatusOK, ownPage, "", templates.Gallery(page))
}

func (g galleryPages) page(c echo.Context) error {
	lang, name := c.Param("lang"), c.Param("name")
	if other := c.QueryParam("lang"); other != "" {
		return c.Redirect(http.StatusSeeOther, galleryPath+"/"+g.Texts.For(other).Lang()+"/"+name)
	}
	t := g.Texts.For(lang)
	if lang == i18n.MirroredTag {
		t = g.Texts.Mirrored()
	}
	for _, s := range gallery.Stories(t, galleryPath+"/"+lang+"/"+name) {
		if s.Name == name && t.Lang() == lang {
			if name == "mail" { // which is a page of nobody's: its styles stand at its elements
				c.Response().Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
				return write(c, g.Options, http.StatusOK, s.Page)
			}
			return render(c, g.Options, http.StatusOK, methodPage, "n", s.Page)
		}
	}
	return session.ErrNotFound
}
