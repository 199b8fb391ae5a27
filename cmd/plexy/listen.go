package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

func (c *cli) listen() *cobra.Command {
	l := app.Listening{After: -1}
	cmd := &cobra.Command{
		Use:   "listen --forward URL",
		Short: "Follow a merchant's feed and post every event to a developer's machine",
		Long: "Follow a merchant's feed and post every event to a developer's machine, signed like a webhook.\n" +
			"The merchant's API key comes from PLEXY_API_KEY or the configuration file.",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.settings(cmd)
			if err != nil {
				return err
			}
			l.Print = func(format string, args ...any) { fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...) }
			return app.Listen(cmd.Context(), cfg, l)
		},
	}
	cmd.Flags().StringVar(&l.Forward, "forward", "", "address that every event is posted to")
	cmd.Flags().StringVar(&l.API, "api", "http://127.0.0.1:8080", "base address of the API")
	cmd.Flags().Int64Var(&l.After, "after", -1, "begin after the event with this number; -1 is the newest")
	return required(cmd, "forward")
}
