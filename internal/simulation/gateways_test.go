package simulation

import (
	"slices"
	"testing"

	"tollgate/internal/app"
)

func TestEveryGatewayIsSimulated(t *testing.T) {
	if want, got := app.Gateways(), slices.Sorted(slices.Values(everyAccount)); !slices.Equal(want, got) {
		t.Errorf("profiles_test.go: everyAccount has %v, the gateway map %v", got, want)
	}
}
