package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func (c *cli) config() *cobra.Command {
	print := &cobra.Command{
		Use: "print", Short: "Print every setting in force and who set it; secrets are hidden", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.settings(cmd)
			if err != nil {
				return err
			}
			lines := cfg.Print()
			return c.print(cmd, lines, func(w io.Writer) {
				for _, l := range lines {
					fmt.Fprintf(w, "%s:\t%s\t# %s\n", l.Name, l.Value, l.Source)
				}
			})
		},
	}
	settingFlags(print.Flags(), "listen", "metrics_listen", "rate_limit", "log_level",
		"webhook_networks", "webhook_ports", "webhook_proxy", "keep_events", "keep_deliveries")
	c.printsRecord(print)
	return c.group("config", "Look at the configuration", print)
}
