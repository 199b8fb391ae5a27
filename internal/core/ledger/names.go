package ledger

import "plexy/internal/core/money"

// Payable is the account of what the platform owes a merchant in one currency.
func Payable(merchant string, c money.Currency) string {
	return "merchant:" + merchant + ":payable:" + string(c)
}

// Bank is the platform's account of money at its bank, in one currency.
func Bank(c money.Currency) string { return "platform:bank:" + string(c) }

// Receivable is the account of what an acquirer owes the platform in one currency.
func Receivable(acquirer string, c money.Currency) string {
	return "acquirer:" + acquirer + ":receivable:" + string(c)
}

// AcquirerFee is the platform's account of what an acquirer kept for itself, in one currency.
func AcquirerFee(acquirer string, c money.Currency) string {
	return "acquirer:" + acquirer + ":fee:" + string(c)
}

// RefundTransit is the platform's account of refunds that were accepted and that the acquirer has not yet
// kept from what it owes, in one currency.
func RefundTransit(c money.Currency) string { return "platform:refund-transit:" + string(c) }
