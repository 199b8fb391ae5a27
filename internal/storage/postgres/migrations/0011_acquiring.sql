-- +goose Up
-- How long after its authorization a payment is captured by itself, in microseconds: when the merchant asked
-- for that, and when not.
alter table merchants add column clearing_auto_micros bigint not null default 3600000000;
alter table merchants add column clearing_manual_micros bigint not null default 432000000000;

-- The card of a payment that is not decided yet, sealed by the vault; a row is deleted with the decision.
-- key_id is '' when the payment is by a stored card.
create table held_cards (
  id            text collate "C" primary key,
  merchant_id   text collate "C" not null,
  shopper_id    text collate "C" not null,
  brand         text not null,
  last4         text not null,
  expiry_month  bigint not null,
  expiry_year   bigint not null,
  key_id        text collate "C" not null,
  print         text collate "C" not null,
  number_sealed bytea not null,
  holder_sealed bytea not null,
  payment_id    text collate "C" not null,
  created_at    bigint not null,
  keep          boolean not null,
  secure        bytea not null,
  answered      text not null,
  version       bigint not null,
  lapses_at     bigint not null
);
create unique index held_cards_payment on held_cards (payment_id);
create index held_cards_lapsing on held_cards (lapses_at, id);
create index held_cards_key on held_cards (key_id, id) where key_id <> '';
