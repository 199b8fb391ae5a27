package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

func (c *cli) directKey() *cobra.Command {
	var reason string
	rotate := &cobra.Command{
		Use: "rotate", Short: "Give merchants a new key to encrypt cards under; the old one is good for 24 h more",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				key, err := a.RotateDirectKey(cmd.Context(), reason)
				if err != nil {
					return err
				}
				return c.print(cmd, key, func(w io.Writer) {
					fmt.Fprintf(w, "key\t%s\nretired\t%s\n", key.KeyID, strings.Join(key.Retired, " "))
				})
			})
		},
	}
	c.printsRecord(rotate)
	explained(&reason, rotate)
	return c.group("direct-key", "The RSA key of direct payments", rotate)
}
