package templates

import (
	"reflect"
	"slices"
	"strings"

	"github.com/a-h/templ"
)

// Count is how many outlines are remembered, and how many of them are of no use.
func (o *Outlines) Count() (all, unfit int) {
	for _, of := range []map[string]*outline{o.recent, o.before} {
		for _, one := range of {
			if all++; one.unfit {
				unfit++
			}
		}
	}
	return all, unfit
}

// Remembers tells whether a text stands in an outline, or in what outlines are found by.
func (o *Outlines) Remembers(text string) bool {
	for _, of := range []map[string]*outline{o.recent, o.before} {
		for same, one := range of {
			if strings.Contains(same, text) || slices.ContainsFunc(one.parts, func(p part) bool { return strings.Contains(p.text, text) }) {
				return true
			}
		}
	}
	return false
}

// Generation is how many outlines make one.
const Generation = mostOutlines

// PageOf is a page that is drawn in another way than its own.
func PageOf(p CardPage, draw func(CardPage) templ.Component) templ.Component { return pageOf(p, draw) }

// Listed are the view models of which something is listed, each empty, and of their fields' names those that may be filled in, those
// that decide how the page looks, and those that are addresses.
func Listed() (models []any, own, same, addresses map[string]bool) {
	own, same, addresses = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, l := range lists() {
		models = append(models, reflect.New(reflect.TypeOf(l.of)).Interface())
		for of, names := range map[*map[string]bool]string{&own: l.own + " " + l.ownLong + " " + l.ownSeconds, &same: l.same, &addresses: l.ownAddress} {
			for name := range strings.FieldsSeq(names) {
				(*of)[reflect.TypeOf(l.of).Name()+"."+name] = true
			}
		}
	}
	return models, own, same, addresses
}
