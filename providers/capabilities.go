package providers

// Capabilities names what a provider can do, found by type assertion; the order is fixed.
func Capabilities(p Provider) []string {
	all := []string{"pay"}
	if _, ok := p.(Closer); ok {
		all = append(all, "close")
	}
	if _, ok := p.(Notifier); ok {
		all = append(all, "callbacks")
	}
	if o, ok := p.(Operator); ok {
		for _, k := range o.Kinds() {
			all = append(all, string(k.Kind))
		}
	}
	return all
}
