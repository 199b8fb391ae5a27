-- +goose Up
-- Card payments: links, payments, and what was asked of acquirers for them.

-- A verified card moves no money, so the amount of its records is 0. Only the text of a check changes, not a
-- byte of any row, so the text is changed where SQLite keeps it (sqlite.org/lang_altertable.html, section 7);
-- the tables made below let every connection read it again.
pragma writable_schema = on;
update sqlite_schema set sql = replace(sql, 'check (amount > 0)', 'check (amount >= 0)')
where type = 'table' and name = 'journal';
pragma writable_schema = off;

create table payment_links (
  id              text    not null,
  book            integer not null,
  merchant_id     text    not null,
  currency        text    not null,
  amount          integer not null check (amount > 0),
  order_reference text    not null,
  description     text    not null,
  shopper_id      text    not null,
  auto_clearing   integer not null,
  validation      integer not null,
  recurring       text    not null,
  metadata        text    not null,
  created_by      text    not null,
  request_id      text    not null,
  api_key_id      text    not null,
  idempotency_key text    not null,
  created_at      integer not null,
  status          text    not null check (status in ('active', 'paid', 'expired', 'cancelled')),
  busy            text    not null,
  payment_id      text    not null,
  expires_at      integer not null,
  updated_at      integer not null,
  ended_request_id      text    not null,
  ended_api_key_id      text    not null,
  ended_idempotency_key text    not null,
  primary key (id, book)
) strict;
create index payment_links_merchant on payment_links (merchant_id, id, book);
create index payment_links_status on payment_links (merchant_id, status, id, book);
create index payment_links_due on payment_links (expires_at, id, book)
  where status = 'active' and busy = '' and expires_at > 0;

-- The order reference of a merchant's link is its only one for ever; the unique key decides who takes it.
create table link_references (
  merchant_id text    not null,
  reference   text    not null,
  book        integer not null,
  link_id     text    not null,
  primary key (merchant_id, reference, book)
) strict, without rowid;

create table payments (
  id                   text    not null,
  book                 integer not null,
  merchant_id          text    not null,
  link_id              text    not null,
  session_id           text    not null,
  shopper_id           text    not null,
  card_token_id        text    not null,
  connector            text    not null,
  terminal             text    not null,
  currency             text    not null,
  amount               integer not null check (amount >= 0),
  order_reference      text    not null,
  description          text    not null,
  kind                 text    not null check (kind in ('auth', 'sale', 'verification', 'refund')),
  auto_clearing        integer not null,
  clear_micros         integer not null,
  recurring_type       text    not null,
  recurring_frequency  integer not null,
  recurring_expires_at integer not null,
  parent_id            text    not null,
  card_brand           text    not null,
  card_last4           text    not null,
  card_expiry          text    not null,
  payer_ip             text    not null,
  callback_url         text    not null,
  created_at           integer not null,
  stage                text    not null check
    (stage in ('opened', 'challenged', 'approved', 'rejected', 'failed')),
  status               text    not null,
  authorized           integer not null check (authorized >= 0),
  captured             integer not null check (captured >= 0),
  released             integer not null check (released >= 0),
  refunded             integer not null check (refunded >= 0),
  authorizing          integer not null check (authorizing >= 0),
  capturing            integer not null check (capturing >= 0),
  releasing            integer not null check (releasing >= 0),
  refunding            integer not null check (refunding >= 0),
  settled              integer not null check (settled >= 0),
  operations           integer not null,
  open_operations      integer not null,
  unknown_operations   integer not null,
  failure              text    not null,
  response_code        text    not null,
  cvv_status           text    not null,
  auth_code            text    not null,
  rrn                  text    not null,
  network_reference    text    not null,
  secure3d             integer not null,
  eci                  text    not null,
  authenticate_by      integer not null,
  clear_at             integer not null,
  recurred_at          integer not null,
  sequence             integer not null,
  updated_at           integer not null,
  authed_at            integer not null,
  confirmed_at         integer not null,
  processed_at         integer not null,
  primary key (id, book),
  check (captured + released + capturing + releasing <= authorized and refunded + refunding <= captured)
) strict;
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
  id                text    not null,
  book              integer not null,
  payment_id        text    not null,
  refund_id         text    not null,
  number            integer not null,
  verb              text    not null check (verb in ('authorize', 'capture', 'cancel', 'refund')),
  amount            integer not null check (amount >= 0),
  request_id        text    not null,
  api_key_id        text    not null,
  idempotency_key   text    not null,
  created_at        integer not null,
  state             text    not null check (state in ('sent', 'approved', 'declined', 'failed')),
  in_doubt          integer not null,
  unknown_since     integer not null,
  next_check_at     integer not null,
  checks            integer not null,
  contradictions    integer not null,
  code              text    not null,
  auth_code         text    not null,
  rrn               text    not null,
  network_reference text    not null,
  cvv_status        text    not null,
  sequence          integer not null,
  updated_at        integer not null,
  primary key (id, book)
) strict;
create unique index payment_operations_payment on payment_operations (payment_id, number, book);
create index payment_operations_due on payment_operations (next_check_at, id, book) where next_check_at > 0;
create index payment_operations_unknown on payment_operations (unknown_since, id, book) where in_doubt;
