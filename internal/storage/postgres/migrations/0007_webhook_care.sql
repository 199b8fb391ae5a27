-- +goose Up
-- Who of a merchant is told that its endpoints fail, and what of it was told.
alter table merchants add column contact_email text not null default ''; -- personal data; '' for none
alter table merchants add column contact_language text not null default '';

-- How far the merchant was told of the failing of an endpoint that began at the time of since.
create table endpoint_tellings (
  endpoint_id text collate "C" primary key,
  since       bigint not null,
  stage       bigint not null, -- 1 after an hour, 2 after a day, 3 disabled
  message     text   not null, -- id of the message, the same on every try
  tries       bigint not null,
  next_at     bigint not null, -- of the machine's clock
  told_at     bigint not null  -- 0 while it was not
);
create index webhook_endpoints_failing on webhook_endpoints (failing_since) where failing_since > 0;

-- Up to which number a merchant's events were swept from the feed, and when the latest of them happened. Records
-- of the journal stay.
create table event_floors (
  merchant_id text collate "C" primary key,
  swept       bigint not null,
  swept_at    bigint not null
);
