package templates

// SealStartPage begins a payment whose card the shopper's browser encrypts.
type SealStartPage struct {
	Layout
	Action, CancelAction, CSRF string
	HasKey                     bool   // else only the gateway's own page takes the card
	AskSave                    bool   // as in CardPage
	Left                       int    // as in CardPage
	Decline                    string // as in CardPage
	NotCharged                 bool
}

// SealedCardPage asks for the card that the browser encrypts.
type SealedCardPage struct {
	Layout
	Action, CSRF      string
	Modulus, Exponent string // of the gateway's key: hexadecimal, decimal
	OrderID           string // the gateway's, which the card is encrypted for
	Time              int64  // ours, in milliseconds: the shopper's clock may be wrong
	Again             bool   // the bank wants the card once more
	Systems           string // as in CardPage
	Brands            []Brand
}

// form is the card form that it shows without its names.
func (p SealedCardPage) form() CardPage { return CardPage{Layout: p.Layout, Brands: p.Brands} }
