package transactworld

// Provider is what Config.Open makes.
type Provider = provider
