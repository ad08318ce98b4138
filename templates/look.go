package templates

import looks "tollgate/internal/look"

// LookOf is a merchant's look in one language; nil where there is none.
func LookOf(lang string, l *looks.Look) *Look {
	if l == nil {
		return nil
	}
	k := &Look{
		SheetURL: l.Sheet.Path, LogoURL: l.Logo.Path, LogoWidth: l.LogoWidth, LogoHeight: l.LogoHeight,
		LightGround: l.LightGround, DarkGround: l.DarkGround, Title: l.Title(lang), Note: l.Note(lang),
		Email: l.Email, Phone: l.Phone, PhoneURL: l.PhoneURL(), Terms: l.Terms, Privacy: l.Privacy, Refunds: l.Refunds,
	}
	k.Address, k.AddressOwn = l.Address(lang)
	return k
}
