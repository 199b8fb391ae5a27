-- +goose Up
-- How long after its authorization a payment is captured by itself, in microseconds: when the merchant asked
-- for that, and when not.
alter table merchants add column clearing_auto_micros integer not null default 3600000000;
alter table merchants add column clearing_manual_micros integer not null default 432000000000;

-- The card of a payment that is not decided yet, sealed by the vault; a row is deleted with the decision.
-- key_id is '' when the payment is by a stored card.
create table held_cards (
  id            text primary key,
  merchant_id   text not null,
  shopper_id    text not null,
  brand         text not null,
  last4         text not null,
  expiry_month  integer not null,
  expiry_year   integer not null,
  key_id        text not null,
  print         text not null,
  number_sealed blob not null,
  holder_sealed blob not null,
  payment_id    text not null,
  created_at    integer not null,
  keep          integer not null,
  secure        blob not null,
  answered      text not null,
  version       integer not null,
  lapses_at     integer not null
) strict;
create unique index held_cards_payment on held_cards (payment_id);
create index held_cards_lapsing on held_cards (lapses_at, id);
create index held_cards_key on held_cards (key_id, id) where key_id <> '';
