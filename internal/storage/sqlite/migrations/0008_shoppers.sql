-- +goose Up
-- Merchants' customers, their saved cards, sessions of the hosted page and the keys of direct payments. What
-- identifies a person or a card is sealed by the vault; key_id is the data key, and '' where nothing is sealed.

create table shoppers (
  id           text primary key,
  merchant_id  text    not null,
  key_id       text    not null,
  email_index  text    not null,
  phone_index  text    not null,
  email_sealed blob    not null,
  phone_sealed blob    not null,
  name_sealed  blob    not null,
  metadata     text    not null,
  created_at   integer not null
) strict;
create unique index shoppers_pair on shoppers (merchant_id, email_index, phone_index);
create index shoppers_merchant on shoppers (merchant_id, id);
create index shoppers_key on shoppers (key_id, id);

create table card_tokens (
  id                text primary key,
  merchant_id       text    not null,
  shopper_id        text    not null,
  brand             text    not null,
  last4             text    not null,
  expiry_month      integer not null,
  expiry_year       integer not null,
  key_id            text    not null,
  print             text    not null,
  number_sealed     blob    not null,
  holder_sealed     blob    not null,
  payment_id        text    not null,
  network_reference text    not null,
  created_at        integer not null,
  deleted_at        integer not null
) strict;
create index card_tokens_shopper on card_tokens (merchant_id, shopper_id, id) where deleted_at = 0;
create index card_tokens_print on card_tokens (merchant_id, print, id) where deleted_at = 0;
create index card_tokens_key on card_tokens (key_id, id) where key_id <> '';

create table payment_sessions (
  id              text primary key,
  merchant_id     text    not null,
  link_id         text    not null,
  type            text    not null check (type in ('auth', 'sale')),
  terminal        text    not null,
  locale          text    not null,
  success_url     text    not null,
  failure_url     text    not null,
  cancel_url      text    not null,
  callback_url    text    not null,
  amount          integer not null check (amount > 0),
  currency        text    not null,
  order_reference text    not null,
  cart_reference  text    not null,
  description     text    not null,
  key_id          text    not null,
  signer_sealed   blob    not null,
  created_at      integer not null,
  expires_at      integer not null
) strict;
create index payment_sessions_key on payment_sessions (key_id, id) where key_id <> '';
create index payment_sessions_over on payment_sessions (expires_at, id) where key_id <> '';

create table direct_keys (
  id             text primary key,
  public_key     text    not null,
  key_id         text    not null,
  private_sealed blob    not null,
  created_at     integer not null,
  retired_at     integer not null
) strict;

-- How many entries of a list are of a day, which is that of their ids, in days since 1970. So a list knows its
-- total, and a page far down is found, without counting rows. Entries that one batch makes are counted under
-- the book of its stripes: no row here is one that all batches share.
create table list_counts (
  list  text    not null,
  owner text    not null,
  day   integer not null,
  book  integer not null,
  n     integer not null,
  primary key (list, owner, day, book)
) strict, without rowid;
