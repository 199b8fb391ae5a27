-- +goose Up
-- Merchants' customers, their saved cards, sessions of the hosted page and the keys of direct payments. What
-- identifies a person or a card is sealed by the vault; key_id is the data key, and '' where nothing is sealed.

create table shoppers (
  id           text collate "C" primary key,
  merchant_id  text collate "C" not null,
  key_id       text collate "C" not null,
  email_index  text collate "C" not null,
  phone_index  text collate "C" not null,
  email_sealed bytea not null,
  phone_sealed bytea not null,
  name_sealed  bytea not null,
  metadata     text not null,
  created_at   bigint not null
);
create unique index shoppers_pair on shoppers (merchant_id, email_index, phone_index);
create index shoppers_merchant on shoppers (merchant_id, id);
create index shoppers_key on shoppers (key_id, id);

create table card_tokens (
  id                text collate "C" primary key,
  merchant_id       text collate "C" not null,
  shopper_id        text collate "C" not null,
  brand             text not null,
  last4             text not null,
  expiry_month      bigint not null,
  expiry_year       bigint not null,
  key_id            text collate "C" not null,
  print             text collate "C" not null,
  number_sealed     bytea not null,
  holder_sealed     bytea not null,
  payment_id        text collate "C" not null,
  network_reference text not null,
  created_at        bigint not null,
  deleted_at        bigint not null
);
create index card_tokens_shopper on card_tokens (merchant_id, shopper_id, id) where deleted_at = 0;
create index card_tokens_print on card_tokens (merchant_id, print, id) where deleted_at = 0;
create index card_tokens_key on card_tokens (key_id, id) where key_id <> '';

create table payment_sessions (
  id              text collate "C" primary key,
  merchant_id     text collate "C" not null,
  link_id         text collate "C" not null,
  type            text not null check (type in ('auth', 'sale')),
  terminal        text not null,
  locale          text not null,
  success_url     text not null,
  failure_url     text not null,
  cancel_url      text not null,
  callback_url    text not null,
  amount          bigint not null check (amount > 0),
  currency        text not null,
  order_reference text not null,
  cart_reference  text not null,
  description     text not null,
  key_id          text collate "C" not null,
  signer_sealed   bytea not null,
  created_at      bigint not null,
  expires_at      bigint not null
);
create index payment_sessions_key on payment_sessions (key_id, id) where key_id <> '';
create index payment_sessions_over on payment_sessions (expires_at, id) where key_id <> '';

create table direct_keys (
  id             text collate "C" primary key,
  public_key     text not null,
  key_id         text collate "C" not null,
  private_sealed bytea not null,
  created_at     bigint not null,
  retired_at     bigint not null
);

-- How many entries of a list are of a day, which is that of their ids, in days since 1970. So a list knows its
-- total, and a page far down is found, without counting rows. Entries that one batch makes are counted under
-- the book of its stripes: no row here is one that all batches share.
create table list_counts (
  list  text collate "C" not null,
  owner text collate "C" not null,
  day   bigint not null,
  book  smallint not null,
  n     bigint not null,
  primary key (list, owner, day, book)
);
