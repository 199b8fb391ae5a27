// Command hostrun is the pretend host of an ISO 8583 link, to try the link by hand (docs/iso8583.md).
package main

import (
	"fmt"
	"os"

	"plexy/internal/connector/iso8583/host"
)

func main() {
	address := "127.0.0.1:0"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	if err := host.Main(address, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hostrun:", err)
		os.Exit(1)
	}
}
