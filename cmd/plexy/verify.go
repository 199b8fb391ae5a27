package main

import (
	"github.com/spf13/cobra"
)

func (c *cli) verify() *cobra.Command {
	return &cobra.Command{Use: "verify", Args: exactly()}
}
