-- +goose Up
-- Deliveries to the address that a payment names. A merchant has one endpoint for all such addresses, without
-- an address of its own: its id is whc_ and the merchant's ULID, and each delivery has its own address. It is
-- made when first something is delivered through it.
alter table deliveries add column url text not null default ''; -- '' is the endpoint's
alter table webhook_endpoints add column token integer not null default 1; -- version
create index payments_callback on payments (id, book) where callback_url <> '';

-- Whether amounts in events of card payments are minor units.
alter table merchants add column webhook_minor integer not null default 0;
