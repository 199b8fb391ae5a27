package bench

import (
	"context"
	"fmt"

	"plexy/internal/app"
	"plexy/internal/customer"
)

// currency is that of every wallet and every authorization of the bench.
const currency = "KZT"

// Fill opens a KZT wallet for each of the first n example customers and tops it up by balance, in minor
// units, on the real path of every top-up. It is run once on a fresh database: a wallet that is there
// already is topped up again.
func Fill(ctx context.Context, a *app.App, n int, balance int64) error {
	if n < 1 || n > customer.Examples {
		return fmt.Errorf("there are 1 to %d example customers, not %d", customer.Examples, n)
	}
	all := make([]app.Funding, n)
	for i, payer := range examplePayers(n) {
		all[i] = app.Funding{
			Direction: app.TopUp, Amount: balance, Reason: "bench",
			Holder: app.Holder{Phone: payer.Phone, IIN: payer.IIN, Currency: currency},
		}
	}
	return a.FundAll(ctx, all)
}
