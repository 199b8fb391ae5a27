package main

import (
	"github.com/spf13/cobra"

	"plexy/internal/app"
)

func (c *cli) serve() *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the server until it is told to stop", Args: exactly(),
		Long: `Run the server until SIGTERM or SIGINT; then finish what was accepted and stop.

The database is made and migrated at the start. A new sandbox gets a demo merchant, whose API key is printed
once, a funded wallet, and a curl to try. Logs go to stderr, one JSON line each.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.settings(cmd)
			if err != nil {
				return err
			}
			return profiled(func() error {
				return app.Serve(cmd.Context(), cfg, app.Output{Log: cmd.ErrOrStderr(), Banner: cmd.OutOrStdout()})
			})
		},
	}
	settingFlags(cmd.Flags(), "listen", "metrics_listen", "rate_limit", "log_level",
		"webhook_networks", "webhook_ports", "webhook_proxy", "keep_events", "keep_deliveries",
		"acquirer", "direct_padding", "sandbox_latency")
	return cmd
}
