package i18n

// Known counts the wishes that are remembered.
func (b *Bundle) Known() int { return int(b.knows.Load()) }
