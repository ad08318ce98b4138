package templates

import "strings"

func (b Brand) lang() string {
	if b.Lang == "" {
		return "en"
	}
	return b.Lang
}

func (p CardPage) takes(brand string) bool {
	for _, b := range p.Brands {
		if b.ID == brand {
			return true
		}
	}
	return false
}

// accepts is what the script reads of the brands.
func (p CardPage) accepts() string {
	var ids []string
	for _, b := range p.Brands {
		ids = append(ids, b.ID)
	}
	return strings.Join(ids, " ")
}
