package walletpage

import "plexy/internal/core/wallet"

// decided is what came of an answer.
type decided struct {
	Kind, Text string
	waiting
}

func (d *Door) waiting(*visit, wallet.Wallet, *names) ([]waiting, error) { return nil, nil }

func (d *Door) decided(*visit, string, *names) (*decided, error) { return nil, nil }
