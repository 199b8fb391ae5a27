package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

// webhookSecret is merchant webhook-secret: what is verified with by addresses that payments name.
func (c *cli) webhookSecret() *cobra.Command {
	var reason string
	show := &cobra.Command{
		Use: "show ID", Short: "Show the token and the secret of a merchant", Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				v, err := a.WebhookSecret(cmd.Context(), args[0])
				return c.printWebhookSecret(cmd, v, err)
			})
		},
	}
	r := app.NewWebhookSecret{}
	rotate := &cobra.Command{
		Use: "rotate ID", Short: "Make a new secret, and with --token a new token", Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				r.Reason = reason
				v, err := a.RotateWebhookSecret(cmd.Context(), args[0], r)
				return c.printWebhookSecret(cmd, v, err)
			})
		},
	}
	rotate.Flags().DurationVar(&r.Overlap, "overlap", 24*time.Hour, "how long the secret before signs, too")
	rotate.Flags().BoolVar(&r.Token, "token", false,
		"a new token as well, sent in place of the old one at once")
	c.printsRecord(show, rotate)
	explained(&reason, rotate)
	return c.group("webhook-secret", "What is verified with at callback addresses of payments", show, rotate)
}

func (c *cli) printWebhookSecret(cmd *cobra.Command, v app.WebhookSecret, err error) error {
	if err != nil {
		return err
	}
	return c.print(cmd, v, func(w io.Writer) {
		fmt.Fprintf(w, "merchant\t%s\ntoken\t%s\nsecret\t%s\n", v.MerchantID, v.Token, v.Secret)
		if v.PreviousUntil != nil {
			fmt.Fprintf(w, "previous secret until\t%s\n", *v.PreviousUntil)
		}
	})
}
