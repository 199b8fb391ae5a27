package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

// revoked is the record of key revoke.
type revoked struct {
	KeyID   string `json:"keyId"`
	Revoked bool   `json:"revoked"`
}

func (c *cli) key() *cobra.Command {
	var merchant, reason string
	create := &cobra.Command{
		Use: "create --merchant ID", Short: "Create one more API key, shown this once; it works at once",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				k, err := a.CreateKey(cmd.Context(), merchant, reason)
				if err != nil {
					return err
				}
				return c.print(cmd, k, func(w io.Writer) {
					fmt.Fprintf(w, "key\t%s\nAPI key\t%s\t(shown this once)\n", k.KeyID, k.APIKey)
				})
			})
		},
	}
	list := &cobra.Command{
		Use: "list [--merchant ID]", Short: "List the API keys of a merchant, or of all", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				keys, err := a.Keys(cmd.Context(), merchant)
				if err != nil {
					return err
				}
				return c.print(cmd, keys, func(w io.Writer) { printKeys(w, keys) })
			})
		},
	}
	revoke := &cobra.Command{
		Use: "revoke KEYID", Short: "End an API key; within a second it is refused everywhere",
		Args: exactly("KEYID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				if err := a.RevokeKey(cmd.Context(), args[0], reason); err != nil {
					return err
				}
				return c.print(cmd, revoked{args[0], true}, func(w io.Writer) {
					fmt.Fprintf(w, "revoked\t%s\n", args[0])
				})
			})
		},
	}
	for _, cmd := range []*cobra.Command{create, list} {
		cmd.Flags().StringVar(&merchant, "merchant", "", "id of the merchant")
	}
	c.printsRecord(create, list, revoke)
	explained(&reason, create, revoke)
	return c.group("key", "Create, list and revoke API keys", required(create, "merchant"), list, revoke)
}

func printKeys(w io.Writer, keys []app.Key) {
	for _, k := range keys {
		state := "live"
		if k.RevokedAt != nil {
			state = "revoked " + *k.RevokedAt
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", k.KeyID, k.MerchantID, k.CreatedAt, state)
	}
}
