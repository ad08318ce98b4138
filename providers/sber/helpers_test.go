package sber_test

import (
	"testing"

	"tollgate/internal/card"
)

func typed(t *testing.T, pan string) *card.Card {
	t.Helper()
	number, err := card.ParseNumber(pan)
	if err != nil {
		t.Fatal(err)
	}
	code, err := card.ParseCode("123")
	if err != nil {
		t.Fatal(err)
	}
	return &card.Card{Number: number, Month: 12, Year: 2029, Code: code, Name: "AIGERIM TEST"}
}
