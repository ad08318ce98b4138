package app

import (
	"errors"
	"log/slog"

	"tollgate/internal/clock"
	"tollgate/internal/config"
)

// Check finds what the gateways' settings have wrong, beside what config.Load can see. It dials nobody.
func Check(c config.Config) config.Faults {
	a := &App{o: Options{Clock: &clock.Clock{}}, log: slog.New(slog.DiscardHandler)}
	_, err := a.accounts(c)
	faults, _ := errors.AsType[config.Faults](err)
	return faults
}
