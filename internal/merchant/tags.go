package merchant

import (
	"context"
)

// TagLength is how many characters of a reference a tag takes.
const TagLength = 4

// Tags are what stands in front of a merchant's references in accounts that others use too, so that no merchant can take
// a reference of another's. A tag is random, the merchant's alone, and never changes.
type Tags interface {
	// Tag is the merchant's, made when it is first asked for.
	Tag(ctx context.Context, merchant string) (string, error)
}

// Shared tells whether more than one merchant may use an account.
func (d *Directory) Shared(account string) bool {
	users := 0
	for _, m := range d.merchants {
		if m.May(account) {
			users++
		}
	}
	return users > 1
}
