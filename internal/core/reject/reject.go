// Package reject is the closed list of business refusals: the name that goes over the wire, its class,
// and its place in the order of precedence. A refusal is a value, not a Go error: it commits like any
// other outcome and is answered like one.
package reject

// Reason is the stable wire name of one refusal. The empty Reason means "not refused".
// Names are append-only: merchants compare them.
type Reason string

// Class says what kind of answer a refusal becomes at a door.
type Class uint8

// The classes, from the caller's mistake to the books' no.
const (
	Invalid         Class = iota + 1 // malformed input: nothing was decided
	Unauthenticated                  // no key, or one that does not work
	NotFound                         // unknown, foreign or malformed id
	NotAllowed                       // the route exists, the method does not
	TooLarge                         // the body is over its limit
	Unsupported                      // the content type is not JSON
	InProgress                       // the same idempotency key is still being decided
	Refused                          // the state or the amount forbids it
	Limited                          // too many requests
	Busy                             // the queue is full, or the outcome is not known yet
	Internal                         // our fault
	Declined                         // the wallet said no: the transaction exists and is FAILED
	Gone                             // it was there, and is not kept any more
	Unpaid                           // a card payment, or a refund of one, exists and came to nothing
)

// Refusals of the doors: decided before an instruction exists, never stored under a key.
const (
	RequestInvalid        Reason = "request_invalid"
	RouteUnknown          Reason = "route_unknown"
	MethodNotAllowed      Reason = "method_not_allowed"
	APIKeyMissing         Reason = "api_key_missing"
	APIKeyUnknown         Reason = "api_key_unknown"
	RateLimited           Reason = "rate_limited"
	BodyTooLarge          Reason = "body_too_large"
	ContentTypeNotJSON    Reason = "content_type_not_json"
	IdempotencyKeyMissing Reason = "idempotency_key_missing"
	IdempotencyKeyInvalid Reason = "idempotency_key_invalid"
	BodyInvalid           Reason = "body_invalid"
	AmountInvalid         Reason = "amount_invalid"
	PhoneInvalid          Reason = "phone_number_invalid"
	IINInvalid            Reason = "iin_invalid"
	OrderReferenceInvalid Reason = "order_reference_invalid"
	CurrencyInvalid       Reason = "currency_invalid"
	LimitInvalid          Reason = "limit_invalid"
	CursorInvalid         Reason = "cursor_invalid"
	StatusInvalid         Reason = "status_invalid"
	CreatedFromInvalid    Reason = "created_from_invalid"
	CreatedToInvalid      Reason = "created_to_invalid"
	AfterInvalid          Reason = "after_invalid"
	WaitInvalid           Reason = "wait_invalid"
	EventTypeInvalid      Reason = "event_type_invalid"
	URLInvalid            Reason = "url_invalid"
	EventTypesInvalid     Reason = "event_types_invalid"
	OrderedInvalid        Reason = "ordered_invalid"
	SignaturesInvalid     Reason = "signatures_invalid"
	RetryScheduleInvalid  Reason = "retry_schedule_invalid"
	MaxConcurrencyInvalid Reason = "max_concurrency_invalid"
	APIVersionInvalid     Reason = "api_version_invalid"
	ThinInvalid           Reason = "thin_invalid"
	StateInvalid          Reason = "state_invalid"
	OverlapInvalid        Reason = "overlap_invalid"
	ReplayInvalid         Reason = "replay_invalid"
	EventNotFound         Reason = "event_not_found"
	EndpointNotFound      Reason = "webhook_endpoint_not_found"
	DeliveryNotFound      Reason = "delivery_not_found"
	TooManyEndpoints      Reason = "too_many_webhook_endpoints"
	ClockInvalid          Reason = "clock_invalid"
	FaultInvalid          Reason = "fault_invalid"
	EventsSwept           Reason = "events_swept"
	FormatInvalid         Reason = "format_invalid"
	CardNumberForbidden   Reason = "card_number_forbidden"

	FieldInvalid           Reason = "field_invalid"
	CardInvalid            Reason = "card_data_invalid"
	DescriptionInvalid     Reason = "description_invalid"
	ExpiresAtInvalid       Reason = "expires_at_invalid"
	MetadataInvalid        Reason = "metadata_invalid"
	RecurringInvalid       Reason = "recurring_invalid"
	AutoClearingInvalid    Reason = "auto_clearing_invalid"
	ValidationInvalid      Reason = "validation_invalid"
	EmailInvalid           Reason = "email_invalid"
	ContactPhoneInvalid    Reason = "phone_invalid"
	NameInvalid            Reason = "name_invalid"
	TransactionTypeInvalid Reason = "transaction_type_invalid"
	TerminalInvalid        Reason = "terminal_id_invalid"
	LocaleInvalid          Reason = "locale_invalid"
	PageInvalid            Reason = "page_invalid"
	SizeInvalid            Reason = "size_invalid"
	CustomerNotFound       Reason = "customer_not_found"
	CustomerExists         Reason = "customer_exists"
)

// Refusals of the machine, in order of precedence.
const (
	IdempotencyKeyReused  Reason = "idempotency_key_reused"
	IdempotencyInProgress Reason = "idempotency_in_progress"
	TransactionNotFound   Reason = "wallet_transaction_not_found"
	MerchantNotFound      Reason = "merchant_not_found"
	OrderReferenceExists  Reason = "order_reference_exists"

	WalletNotFound    Reason = "wallet_not_found"
	IdentityMismatch  Reason = "identity_mismatch"
	WalletBlocked     Reason = "wallet_blocked"
	LimitExceeded     Reason = "limit_exceeded"
	InsufficientFunds Reason = "insufficient_funds"

	// Of a transaction that waited for the wallet's owner.
	DeclinedByOwner    Reason = "declined_by_owner"
	ApprovalExpired    Reason = "approval_expired"
	CanceledByMerchant Reason = "canceled_by_merchant"

	TransactionFailed      Reason = "transaction_failed"
	TransactionPending     Reason = "transaction_pending"
	AlreadyDecided         Reason = "already_decided"
	HoldExpired            Reason = "hold_expired"
	NothingRemaining       Reason = "nothing_remaining"
	NothingCaptured        Reason = "nothing_captured"
	AmountExceedsRemaining Reason = "amount_exceeds_remaining"
	AmountExceedsCaptured  Reason = "amount_exceeds_captured"
	AmountOutOfRange       Reason = "amount_out_of_range"

	ReferenceReused Reason = "reference_reused"
	PhoneTaken      Reason = "phone_taken"
)

// Refusals of the machine about card payments and payment links, in order of precedence.
const (
	PaymentNotFound     Reason = "payment_not_found"
	LinkNotFound        Reason = "payment_link_not_found"
	LinkReferenceExists Reason = "payment_link_reference_exists"
	ExpiresAtPassed     Reason = "expires_at_passed"
	LinkAlreadyPaid     Reason = "link_already_paid"
	LinkCancelled       Reason = "link_cancelled"
	LinkBusy            Reason = "link_busy"
	LinkExpired         Reason = "link_expired"
	LinkNotDue          Reason = "link_not_due"
	MandateNotFound     Reason = "mandate_not_found"
	MandateExpired      Reason = "mandate_expired"
	MandateNotDue       Reason = "mandate_not_due"
	OperationPending    Reason = "operation_pending"
	AlreadyRefunded     Reason = "already_refunded"

	// Of what it takes to begin a payment, decided before there is an instruction.
	CardTokenNotFound Reason = "card_token_not_found"
	AcquirerMissing   Reason = "acquirer_missing"

	// Why a payment was not authorized, or a refund not done.
	CardDeclined              Reason = "card_declined"
	AuthenticationFailed      Reason = "authentication_failed"
	AuthenticationAbandoned   Reason = "authentication_abandoned"
	AuthenticationCancelled   Reason = "authentication_cancelled"
	AuthenticationUnavailable Reason = "authentication_unavailable"
	AcquirerUnavailable       Reason = "acquirer_unavailable"
	RefundFailed              Reason = "refund_failed"
)

// Trouble: not a decision about the request, always safe to ask again with the same key.
const (
	QueueFull      Reason = "busy"
	OutcomeUnknown Reason = "outcome_unknown"
	NotReady       Reason = "not_ready"
	InternalError  Reason = "internal"
)

// Row is one line of the table: what a refusal is and what it tells a person.
type Row struct {
	Reason  Reason
	Class   Class
	Message string
}

// Table lists every refusal in order of precedence. docs/errors.md and the API description are
// compared with it by tests.
func Table() []Row { return table }

// Of returns the line of r, or the line of InternalError when r is not in the table.
func Of(r Reason) Row {
	if row, ok := byReason[r]; ok {
		return row
	}
	return byReason[InternalError]
}

var table = []Row{
	{RequestInvalid, Invalid, "The request is not valid HTTP, or its headers are larger than 16 KiB."},
	{RouteUnknown, NotFound, "There is no such route."},
	{MethodNotAllowed, NotAllowed, "This route does not accept this method."},
	{APIKeyMissing, Unauthenticated, "The Authorization header must carry your API key."},
	{APIKeyUnknown, Unauthenticated, "This API key is not known or has been revoked."},
	{RateLimited, Limited, "Too many requests with this API key; try again later."},
	{BodyTooLarge, TooLarge, "The body is larger than 256 KiB."},
	{ContentTypeNotJSON, Unsupported, "The body must be application/json."},
	{IdempotencyKeyMissing, Invalid, "The Idempotency-Key header is required here."},
	{IdempotencyKeyInvalid, Invalid, "The Idempotency-Key header must be 1 to 255 visible ASCII characters."},
	{CardNumberForbidden, Invalid,
		"This looks like a card number, which may stand in the fields of a card only; nothing was kept of it."},
	{BodyInvalid, Invalid, "The body must be one JSON object with each name once."},
	{AmountInvalid, Invalid, "amount must be a positive integer in minor units."},
	{PhoneInvalid, Invalid, "phoneNumber must be a Kazakh phone number."},
	{IINInvalid, Invalid, "iin must be 12 digits with a valid date and control digit."},
	{OrderReferenceInvalid, Invalid,
		"orderReference must be 1 to 255 characters without control characters."},
	{CurrencyInvalid, Invalid, "currency must be an upper-case ISO 4217 code that has minor units."},
	{LimitInvalid, Invalid, "limit must be an integer from 1 to 100."},
	{CursorInvalid, Invalid, "cursor must be a nextCursor of this list."},
	{StatusInvalid, Invalid, "status must be NEW, PROCESSING, SUCCESS or FAILED."},
	{CreatedFromInvalid, Invalid, "createdFrom must be an RFC 3339 time."},
	{CreatedToInvalid, Invalid, "createdTo must be an RFC 3339 time."},
	{AfterInvalid, Invalid, "after must be the number of an event, or 0."},
	{WaitInvalid, Invalid, "wait must be whole seconds from 0 to 30."},
	{EventTypeInvalid, Invalid, "The type of the event must be a name from the table of events."},
	{URLInvalid, Invalid, "url must be an address that may be called."},
	{EventTypesInvalid, Invalid, "eventTypes must be a list of names from the table of events."},
	{OrderedInvalid, Invalid, "ordered must be true or false."},
	{SignaturesInvalid, Invalid, "signatures must list hmac, ed25519 or both, each once."},
	{RetryScheduleInvalid, Invalid,
		"retrySchedule must be null or 1 to 20 durations such as 5s or 1m, in whole seconds from 1s to 24h."},
	{MaxConcurrencyInvalid, Invalid, "maxConcurrency must be an integer from 1 to 64."},
	{APIVersionInvalid, Invalid, "apiVersion must be a version of the documentation."},
	{ThinInvalid, Invalid, "thin must be true or false."},
	{StateInvalid, Invalid, "state must be one of the states of the documentation."},
	{OverlapInvalid, Invalid, "overlapHours must be an integer from 0 to 168."},
	{ReplayInvalid, Invalid, "Say what to replay: eventId, or from and to, or failed: true."},
	{EventNotFound, NotFound, "There is no such event."},
	{EndpointNotFound, NotFound, "There is no such webhook endpoint."},
	{DeliveryNotFound, NotFound, "There is no such delivery to this endpoint."},
	{TooManyEndpoints, Refused, "A merchant can have 16 webhook endpoints."},
	{ClockInvalid, Invalid,
		"freeze must be true or false, advance a duration from 1us to 87600h that ends before 2100."},
	{FaultInvalid, Invalid, "Plexy-Fault must be the name of a fault of the sandbox, or none."},
	{EventsSwept, Gone, "Events of this age are not kept."},
	{FormatInvalid, Invalid, "format must be json or csv."},
	{FieldInvalid, Invalid, "A field is missing, or is not what it must be."},
	{CardInvalid, Invalid, "A field of the card is missing, or does not decrypt to what belongs there."},
	{DescriptionInvalid, Invalid, "description must be at most 500 characters of text."},
	{ExpiresAtInvalid, Invalid, "expiresAt must be an RFC 3339 time."},
	{MetadataInvalid, Invalid, "metadata must be a JSON object of at most 16 KiB."},
	{RecurringInvalid, Invalid,
		"recurring must have type cof_initial, and may have expiry (RFC 3339) and frequency (1 to 3650 days)."},
	{AutoClearingInvalid, Invalid, "autoClearing must be true or false."},
	{ValidationInvalid, Invalid, "validation must be true or false."},
	{EmailInvalid, Invalid, "email must be an e-mail address."},
	{ContactPhoneInvalid, Invalid, "phone must be a phone number, with its country's code if that is not +7."},
	{NameInvalid, Invalid, "name must be 1 to 128 characters of text."},
	{TransactionTypeInvalid, Invalid, "transactionType must be auth or sale."},
	{TerminalInvalid, Invalid, "terminalId must be at most 64 characters of text."},
	{LocaleInvalid, Invalid, "locale must be a language tag such as en-gb."},
	{PageInvalid, Invalid, "page must be an integer from 1, and page times size at most what the list allows."},
	{SizeInvalid, Invalid, "size must be an integer from 1 to 100."},
	{CustomerNotFound, NotFound, "There is no such customer."},
	{CustomerExists, Refused, "A customer with this email and phone exists."},
	{IdempotencyKeyReused, Refused, "This Idempotency-Key was used for a different request."},
	{IdempotencyInProgress, InProgress, "A request with this Idempotency-Key is still being decided."},
	{TransactionNotFound, NotFound, "There is no such wallet transaction."},
	{MerchantNotFound, NotFound, "There is no such merchant."},
	{OrderReferenceExists, Refused, "A transaction with this orderReference exists."},
	{WalletNotFound, Declined, "The customer has no wallet in this currency."},
	{IdentityMismatch, Declined, "The phone number and the IIN do not belong together."},
	{WalletBlocked, Declined, "The wallet is blocked."},
	{LimitExceeded, Declined, "The amount is above a limit of the wallet."},
	{InsufficientFunds, Declined, "The wallet does not hold enough money."},
	{DeclinedByOwner, Declined, "The owner of the wallet declined."},
	{ApprovalExpired, Declined, "The owner of the wallet did not answer in time."},
	{CanceledByMerchant, Declined, "The merchant canceled before the owner of the wallet answered."},
	{TransactionFailed, Refused, "The transaction failed; nothing can be done with it."},
	{TransactionPending, Refused, "The transaction is not decided yet."},
	{AlreadyDecided, Refused, "The transaction is decided already."},
	{HoldExpired, Refused, "The hold has expired."},
	{NothingRemaining, Refused, "Nothing of the authorization remains."},
	{NothingCaptured, Refused, "Nothing was captured."},
	{AmountExceedsRemaining, Refused, "The amount is more than remains of the authorization."},
	{AmountExceedsCaptured, Refused, "The amount is more than was captured and not yet refunded."},
	{AmountOutOfRange, Refused, "The amount would take an account beyond what it can count."},
	{ReferenceReused, Refused, "This reference was used with another wallet, amount or operation."},
	{PhoneTaken, Refused, "The phone number belongs to another customer."},
	{PaymentNotFound, NotFound, "There is no such transaction."},
	{LinkNotFound, NotFound, "There is no such payment link."},
	{LinkReferenceExists, Refused, "A payment link with this orderReference exists."},
	{ExpiresAtPassed, Refused, "expiresAt must be in the future."},
	{LinkAlreadyPaid, Refused, "The payment link has been paid."},
	{LinkCancelled, Refused, "The payment link was cancelled."},
	{LinkBusy, InProgress, "A payment of this link is under way; wait for its outcome."},
	{LinkExpired, Refused, "The payment link has expired."},
	{LinkNotDue, Refused, "The payment link has not expired yet."},
	{MandateNotFound, Refused, "The parent transaction began no series of payments."},
	{MandateExpired, Refused, "The time that the payer agreed to for further payments is over."},
	{MandateNotDue, Refused, "The payer agreed to fewer payments than this; it is too early for the next."},
	{OperationPending, InProgress, "The outcome of an earlier operation on it is not known yet."},
	{AlreadyRefunded, Refused, "All that was captured has been refunded."},
	{CardTokenNotFound, NotFound, "There is no such stored card."},
	{AcquirerMissing, Busy, "Card payments cannot be made here yet: no acquirer is set up."},
	{CardDeclined, Unpaid, "The bank declined."},
	{AuthenticationFailed, Unpaid, "The payer was not authenticated."},
	{AuthenticationAbandoned, Unpaid, "The payer did not finish 3-D Secure in time."},
	{AuthenticationCancelled, Unpaid, "The payer gave up 3-D Secure, such as to pay another way."},
	{AuthenticationUnavailable, Unpaid, "3-D Secure did not work."},
	{AcquirerUnavailable, Unpaid, "The acquirer could not be reached; nothing was done."},
	{RefundFailed, Unpaid, "The refund was accepted and failed later; the money is the merchant's again."},
	{QueueFull, Busy, "The server is busy; try again with the same Idempotency-Key."},
	{OutcomeUnknown, Busy, "The outcome is not known yet; ask again with the same Idempotency-Key."},
	{NotReady, Busy, "The server is not ready."},
	{InternalError, Internal, "Something went wrong on our side."},
}

var byReason = index()

func index() map[Reason]Row {
	m := make(map[Reason]Row, len(table))
	for _, row := range table {
		m[row.Reason] = row
	}
	return m
}
