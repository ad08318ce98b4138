// Command capabilities writes docs/gateways/README.md from what the providers implement.
package main

import (
	"fmt"
	"os"

	"tollgate/internal/app"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: capabilities FILE")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := app.WriteCapabilities(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
