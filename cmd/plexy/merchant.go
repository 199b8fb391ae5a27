package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

func (c *cli) merchant() *cobra.Command {
	var name, reason string
	create := &cobra.Command{
		Use: "create --name NAME", Short: "Create a merchant and its first API key, shown this once",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, true, func(a *app.App) error {
				m, err := a.CreateMerchant(cmd.Context(), name, reason)
				if err != nil {
					return err
				}
				return c.print(cmd, m, func(w io.Writer) {
					fmt.Fprintf(w, "merchant\t%s\nname\t%s\n", m.MerchantID, m.Name)
					fmt.Fprintf(w, "API key\t%s\t(shown this once)\n", m.APIKey)
				})
			})
		},
	}
	create.Flags().StringVar(&name, "name", "", "name of the merchant")
	list := &cobra.Command{
		Use: "list", Short: "List all merchants", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				all, err := a.Merchants(cmd.Context())
				if err != nil {
					return err
				}
				return c.print(cmd, all, func(w io.Writer) {
					for _, m := range all {
						fmt.Fprintf(w, "%s\t%s\t%s\n", m.MerchantID, m.CreatedAt, m.Name)
					}
				})
			})
		},
	}
	show := &cobra.Command{
		Use: "show ID", Short: "Show a merchant's settings and what it is owed", Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				m, err := a.Merchant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return c.printMerchant(cmd, m)
			})
		},
	}
	set := c.merchantSet(&reason)
	c.printsRecord(create, list, show, set)
	explained(&reason, create, set)
	return c.group("merchant", "Create, list, show and set merchants", required(create, "name"), list, show, set,
		c.webhookSecret())
}

func (c *cli) merchantSet(reason *string) *cobra.Command {
	return &cobra.Command{
		Use:   "set ID NAME=VALUE...",
		Short: "Change settings: hold_expiry, clearing_auto, clearing_manual, fault, contact_email and more",
		Long: `Change settings of a merchant:

  hold_expiry      how long a hold lives, such as 168h or 7d
  approval_expiry  how long a wallet's owner may take to approve, such as 10m
  order_reference  allow or reject a second transaction with the same one
  fault            in a sandbox: none, or what goes wrong, such as lost_answer or capture:slow=5
  clearing_auto    when a card payment with automatic clearing is captured by itself: 0s to 720h, such as 1h
  clearing_manual  the same of one without, such as 5d
  webhook_amounts  major (default) or minor: units of amounts in events of card payments
  contact_email    who is told when the merchant's webhook endpoints fail; empty for nobody
  contact_language kk, ru or en (default): the language of that
  frame_origins    whose pages may show the payment page in a frame, such as https://shop.kz; empty for nobody`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fmt.Errorf("merchant set wants ID and NAME=VALUE")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				m, err := a.SetMerchant(cmd.Context(), args[0], args[1:], *reason)
				if err != nil {
					return err
				}
				return c.printMerchant(cmd, m)
			})
		},
	}
}

func (c *cli) printMerchant(cmd *cobra.Command, m app.Merchant) error {
	return c.print(cmd, m, func(w io.Writer) {
		fmt.Fprintf(w, "merchant\t%s\nname\t%s\ncreated\t%s\n", m.MerchantID, m.Name, m.CreatedAt)
		for _, name := range slices.Sorted(maps.Keys(m.Settings)) {
			fmt.Fprintf(w, "%s\t%s\n", name, m.Settings[name])
		}
		for _, p := range m.Payable {
			fmt.Fprintf(w, "payable\tpending %s\tposted %s\n", app.Decimal(p.Pending, p.Currency),
				app.Decimal(p.Posted, p.Currency))
		}
	})
}
