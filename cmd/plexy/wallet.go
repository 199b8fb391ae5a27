package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

// holderFlags names the wallet that a command is about.
func holderFlags(cmd *cobra.Command, h *app.Holder) *cobra.Command {
	cmd.Flags().StringVar(&h.Phone, "phone", "", "the customer's phone number")
	cmd.Flags().StringVar(&h.IIN, "iin", "", "the customer's IIN")
	cmd.Flags().StringVar(&h.Currency, "currency", "", "the wallet's currency, such as KZT")
	return required(cmd, "phone", "iin", "currency")
}

func (c *cli) wallet() *cobra.Command {
	return c.group("wallet", "Open, show, fund, block and limit wallets, and say what their owners approve",
		c.walletOpen(), c.walletShow(),
		c.walletFund(app.TopUp, "top-up", "Put money into a wallet, opening it if there is none"),
		c.walletFund(app.Withdraw, "withdraw", "Take money out of a wallet"),
		c.walletFund(app.Adjust, "adjust", "Correct a wallet by an amount, negative or not, with a new entry"),
		c.walletBlock(true, "block", "Refuse spending from a wallet; it can still receive"),
		c.walletBlock(false, "unblock", "Allow spending from a wallet again"),
		c.walletLimit(), c.walletApproval(), c.walletRebind(), c.walletStatement())
}

// walletRecord is a command about one wallet that prints the wallet's record.
func (c *cli) walletRecord(use, short string, install bool,
	do func(context.Context, *app.App, app.Holder) (app.Wallet, error)) *cobra.Command {
	h := &app.Holder{}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, install, func(a *app.App) error {
				w, err := do(cmd.Context(), a, *h)
				if err != nil {
					return err
				}
				return c.print(cmd, w, func(out io.Writer) { printWallet(out, w) })
			})
		},
	}
	c.printsRecord(cmd)
	return holderFlags(cmd, h)
}

func printWallet(w io.Writer, shown app.Wallet) {
	fmt.Fprintf(w, "wallet\t%s\nstatus\t%s\n", shown.WalletID, shown.Status)
	fmt.Fprintf(w, "available\t%s\npending\t%s\nposted\t%s\n", app.Decimal(shown.Available, shown.Currency),
		app.Decimal(shown.Pending, shown.Currency), app.Decimal(shown.Posted, shown.Currency))
}

func (c *cli) walletOpen() *cobra.Command {
	var reason string
	cmd := c.walletRecord("open", "Open a wallet; one that is open stays as it is", true,
		func(ctx context.Context, a *app.App, h app.Holder) (app.Wallet, error) {
			return a.OpenWallet(ctx, h, reason)
		})
	explained(&reason, cmd)
	return cmd
}

func (c *cli) walletShow() *cobra.Command {
	h := &app.Holder{}
	cmd := &cobra.Command{
		Use: "show", Short: "Show a wallet", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				d, err := a.ShowWallet(cmd.Context(), *h)
				if err != nil {
					return err
				}
				return c.print(cmd, d.Wallet, func(w io.Writer) {
					printWallet(w, d.Wallet)
					printLimit(w, "per transaction", d.PerTransaction, d.Wallet.Currency)
					printLimit(w, "per day", d.PerDay, d.Wallet.Currency)
					fmt.Fprintf(w, "approval\t%s\n", d.Approval)
					fmt.Fprintf(w, "phone\t%s\nIIN\t%s\n", d.Phone, d.IIN)
				})
			})
		},
	}
	c.printsRecord(cmd)
	return holderFlags(cmd, h)
}

func printLimit(w io.Writer, name string, limit int64, currency string) {
	if limit == 0 {
		fmt.Fprintf(w, "limit %s\tnone\n", name)
		return
	}
	fmt.Fprintf(w, "limit %s\t%s\n", name, app.Decimal(limit, currency))
}

func (c *cli) walletBlock(blocked bool, use, short string) *cobra.Command {
	var reason string
	cmd := c.walletRecord(use, short, false,
		func(ctx context.Context, a *app.App, h app.Holder) (app.Wallet, error) {
			return a.SetBlocked(ctx, h, blocked, reason)
		})
	explained(&reason, cmd)
	return required(cmd, "reason")
}

func (c *cli) walletLimit() *cobra.Command {
	var reason string
	var perTransaction, perDay minor
	cmd := c.walletRecord("limit", "Bound what a wallet may authorize, in minor units; 0 is no bound", false,
		func(ctx context.Context, a *app.App, h app.Holder) (app.Wallet, error) {
			change := app.LimitChange{PerTransaction: perTransaction.optional(), PerDay: perDay.optional()}
			return a.SetLimits(ctx, h, change, reason)
		})
	cmd.Flags().Var(&perTransaction, "per-transaction", "the most that one authorization may hold")
	cmd.Flags().Var(&perDay, "per-day", "the most that one day's authorizations may hold (UTC+5)")
	cmd.MarkFlagsOneRequired("per-transaction", "per-day")
	explained(&reason, cmd)
	return cmd
}

func (c *cli) walletApproval() *cobra.Command {
	var mode, reason string
	var above minor
	cmd := c.walletRecord("approval", "Say which authorizations the wallet's owner must approve", false,
		func(ctx context.Context, a *app.App, h app.Holder) (app.Wallet, error) {
			return a.SetApproval(ctx, h, app.ApprovalMode{Mode: mode, Above: above.optional()}, reason)
		})
	cmd.Flags().StringVar(&mode, "mode", "", "auto (none), owner (all), or above (those of more than --above)")
	cmd.Flags().Var(&above, "above", "the largest amount that needs no approval, in minor units")
	explained(&reason, cmd)
	return required(cmd, "mode")
}

func (c *cli) walletRebind() *cobra.Command {
	var iin, phone, reason string
	cmd := &cobra.Command{
		Use: "rebind --iin IIN --phone NEW", Short: "Give a customer a new phone number", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				r, err := a.Rebind(cmd.Context(), iin, phone, reason)
				if err != nil {
					return err
				}
				return c.print(cmd, r, func(w io.Writer) {
					fmt.Fprintf(w, "customer\t%s\nIIN\t%s\nphone\t%s\n", r.CustomerID, r.IIN, r.Phone)
				})
			})
		},
	}
	cmd.Flags().StringVar(&iin, "iin", "", "the customer's IIN")
	cmd.Flags().StringVar(&phone, "phone", "", "the new phone number")
	c.printsRecord(cmd)
	explained(&reason, cmd)
	return required(cmd, "iin", "phone")
}
