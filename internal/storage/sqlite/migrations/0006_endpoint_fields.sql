-- +goose Up
-- How an endpoint wants to be told. What was there before goes on as it was told until now.
alter table webhook_endpoints add column signatures text not null default 'hmac'
  check (signatures <> ''); -- names with spaces between
alter table webhook_endpoints add column retry_waits text not null default ''; -- likewise; '' is the installation's
alter table webhook_endpoints add column concurrency integer not null default 8 check (concurrency > 0);
alter table webhook_endpoints add column form_version integer not null default 1;
alter table webhook_endpoints add column thin integer not null default 0;

-- How often it was changed: a change is written only if nobody else has written one since it was read.
alter table webhook_endpoints add column revision integer not null default 1;
