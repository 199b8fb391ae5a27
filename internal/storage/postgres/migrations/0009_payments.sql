-- +goose Up
-- Card payments: links, payments, and what was asked of acquirers for them.

-- A verified card moves no money, so the amount of its records is 0. What is there was checked when it was
-- written.
alter table journal drop constraint journal_amount_check;
alter table journal add constraint journal_amount_check check (amount >= 0) not valid;

create table payment_links (
  id              text collate "C" not null,
  book            smallint not null,
  merchant_id     text collate "C" not null,
  currency        text not null,
  amount          bigint not null check (amount > 0),
  order_reference text collate "C" not null,
  description     text not null,
  shopper_id      text collate "C" not null,
  auto_clearing   boolean not null,
  validation      boolean not null,
  recurring       text not null,
  metadata        text not null,
  created_by      text not null,
  request_id      text not null,
  api_key_id      text not null,
  idempotency_key text not null,
  created_at      bigint not null,
  status          text collate "C" not null check (status in ('active', 'paid', 'expired', 'cancelled')),
  busy            text collate "C" not null,
  payment_id      text collate "C" not null,
  expires_at      bigint not null,
  updated_at      bigint not null,
  ended_request_id      text not null,
  ended_api_key_id      text not null,
  ended_idempotency_key text not null,
  primary key (id, book)
) with (fillfactor = 90);
create index payment_links_merchant on payment_links (merchant_id, id, book);
create index payment_links_status on payment_links (merchant_id, status, id, book);
create index payment_links_due on payment_links (expires_at, id, book)
  where status = 'active' and busy = '' and expires_at > 0;

-- The order reference of a merchant's link is its only one for ever; the unique key decides who takes it.
create table link_references (
  merchant_id text collate "C" not null,
  reference   text collate "C" not null,
  book        smallint not null,
  link_id     text collate "C" not null,
  primary key (merchant_id, reference, book)
);

create table payments (
  id                   text collate "C" not null,
  book                 smallint not null,
  merchant_id          text collate "C" not null,
  link_id              text collate "C" not null,
  session_id           text collate "C" not null,
  shopper_id           text collate "C" not null,
  card_token_id        text collate "C" not null,
  connector            text not null,
  terminal             text not null,
  currency             text not null,
  amount               bigint not null check (amount >= 0),
  order_reference      text collate "C" not null,
  description          text not null,
  kind                 text not null check (kind in ('auth', 'sale', 'verification', 'refund')),
  auto_clearing        boolean not null,
  clear_micros         bigint not null,
  recurring_type       text not null,
  recurring_frequency  bigint not null,
  recurring_expires_at bigint not null,
  parent_id            text collate "C" not null,
  card_brand           text not null,
  card_last4           text not null,
  card_expiry          text not null,
  payer_ip             text not null,
  callback_url         text not null,
  created_at           bigint not null,
  stage                text not null check
    (stage in ('opened', 'challenged', 'approved', 'rejected', 'failed')),
  status               text collate "C" not null,
  authorized           bigint not null check (authorized >= 0),
  captured             bigint not null check (captured >= 0),
  released             bigint not null check (released >= 0),
  refunded             bigint not null check (refunded >= 0),
  authorizing          bigint not null check (authorizing >= 0),
  capturing            bigint not null check (capturing >= 0),
  releasing            bigint not null check (releasing >= 0),
  refunding            bigint not null check (refunding >= 0),
  settled              bigint not null check (settled >= 0),
  operations           bigint not null,
  open_operations      bigint not null,
  unknown_operations   bigint not null,
  failure              text not null,
  response_code        text not null,
  cvv_status           text not null,
  auth_code            text not null,
  rrn                  text not null,
  network_reference    text not null,
  secure3d             boolean not null,
  eci                  text not null,
  authenticate_by      bigint not null,
  clear_at             bigint not null,
  recurred_at          bigint not null,
  sequence             bigint not null,
  updated_at           bigint not null,
  authed_at            bigint not null,
  confirmed_at         bigint not null,
  processed_at         bigint not null,
  primary key (id, book),
  check (captured + released + capturing + releasing <= authorized and refunded + refunding <= captured)
) with (fillfactor = 90);
-- Each list that a merchant may ask for has its index, newest last.
create index payments_merchant on payments (merchant_id, id, book);
create index payments_status on payments (merchant_id, status, id, book);
create index payments_reference on payments (merchant_id, order_reference, id, book)
  where order_reference <> '';
create index payments_link on payments (merchant_id, link_id, id, book) where link_id <> '';
create index payments_shopper on payments (merchant_id, shopper_id, id, book) where shopper_id <> '';
create index payments_parent on payments (merchant_id, parent_id, id, book) where parent_id <> '';
create index payments_clearing on payments (clear_at, id, book) where clear_at > 0 and open_operations = 0;
create index payments_authenticating on payments (authenticate_by, id, book) where authenticate_by > 0;

create table payment_operations (
  id                text collate "C" not null,
  book              smallint not null,
  payment_id        text collate "C" not null,
  refund_id         text collate "C" not null,
  number            bigint not null,
  verb              text not null check (verb in ('authorize', 'capture', 'cancel', 'refund')),
  amount            bigint not null check (amount >= 0),
  request_id        text not null,
  api_key_id        text not null,
  idempotency_key   text not null,
  created_at        bigint not null,
  state             text not null check (state in ('sent', 'approved', 'declined', 'failed')),
  in_doubt          boolean not null,
  unknown_since     bigint not null,
  next_check_at     bigint not null,
  checks            bigint not null,
  contradictions    bigint not null,
  code              text not null,
  auth_code         text not null,
  rrn               text not null,
  network_reference text not null,
  cvv_status        text not null,
  sequence          bigint not null,
  updated_at        bigint not null,
  primary key (id, book)
) with (fillfactor = 90);
create unique index payment_operations_payment on payment_operations (payment_id, number, book);
create index payment_operations_due on payment_operations (next_check_at, id, book) where next_check_at > 0;
create index payment_operations_unknown on payment_operations (unknown_since, id, book) where in_doubt;

-- The rows of a batch arrive as in 0001.
create type batch_link as (
  id              text collate "C",
  book            smallint,
  merchant_id     text collate "C",
  currency        text collate "C",
  amount          bigint,
  order_reference text collate "C",
  description     text collate "C",
  shopper_id      text collate "C",
  auto_clearing   boolean,
  validation      boolean,
  recurring       text collate "C",
  metadata        text collate "C",
  created_by      text collate "C",
  request_id      text collate "C",
  api_key_id      text collate "C",
  idempotency_key text collate "C",
  created_at      bigint,
  status          text collate "C",
  busy            text collate "C",
  payment_id      text collate "C",
  expires_at      bigint,
  updated_at      bigint,
  ended_request_id      text collate "C",
  ended_api_key_id      text collate "C",
  ended_idempotency_key text collate "C"
);

create type batch_payment as (
  id                   text collate "C",
  book                 smallint,
  merchant_id          text collate "C",
  link_id              text collate "C",
  session_id           text collate "C",
  shopper_id           text collate "C",
  card_token_id        text collate "C",
  connector            text collate "C",
  terminal             text collate "C",
  currency             text collate "C",
  amount               bigint,
  order_reference      text collate "C",
  description          text collate "C",
  kind                 text collate "C",
  auto_clearing        boolean,
  clear_micros         bigint,
  recurring_type       text collate "C",
  recurring_frequency  bigint,
  recurring_expires_at bigint,
  parent_id            text collate "C",
  card_brand           text collate "C",
  card_last4           text collate "C",
  card_expiry          text collate "C",
  payer_ip             text collate "C",
  callback_url         text collate "C",
  created_at           bigint,
  stage                text collate "C",
  status               text collate "C",
  authorized           bigint,
  captured             bigint,
  released             bigint,
  refunded             bigint,
  authorizing          bigint,
  capturing            bigint,
  releasing            bigint,
  refunding            bigint,
  settled              bigint,
  operations           bigint,
  open_operations      bigint,
  unknown_operations   bigint,
  failure              text collate "C",
  response_code        text collate "C",
  cvv_status           text collate "C",
  auth_code            text collate "C",
  rrn                  text collate "C",
  network_reference    text collate "C",
  secure3d             boolean,
  eci                  text collate "C",
  authenticate_by      bigint,
  clear_at             bigint,
  recurred_at          bigint,
  sequence             bigint,
  updated_at           bigint,
  authed_at            bigint,
  confirmed_at         bigint,
  processed_at         bigint
);

create type batch_operation as (
  id                text collate "C",
  book              smallint,
  payment_id        text collate "C",
  refund_id         text collate "C",
  number            bigint,
  verb              text collate "C",
  amount            bigint,
  request_id        text collate "C",
  api_key_id        text collate "C",
  idempotency_key   text collate "C",
  created_at        bigint,
  state             text collate "C",
  in_doubt          boolean,
  unknown_since     bigint,
  next_check_at     bigint,
  checks            bigint,
  contradictions    bigint,
  code              text collate "C",
  auth_code         text collate "C",
  rrn               text collate "C",
  network_reference text collate "C",
  cvv_status        text collate "C",
  sequence          bigint,
  updated_at        bigint
);
