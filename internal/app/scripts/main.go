// Command scripts writes the inventory of scripts and headers of the payment pages.
package main

import (
	"bytes"
	"fmt"
	"os"

	"tollgate/internal/app"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: scripts PAGE")
		os.Exit(2)
	}
	var b bytes.Buffer
	err := app.WriteScripts(&b)
	if err == nil {
		err = os.WriteFile(os.Args[1], b.Bytes(), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
