-- +goose Up
-- How many payment links of a merchant that were made on a day (since 1970, in UTC) have a status in a currency,
-- and their amounts together: statistics without reading links. What one batch changes is counted under the book
-- of its stripes, where a number may be below zero; the sums over the books are not.
create table link_counts (
  merchant_id text    not null,
  day         integer not null,
  currency    text    not null,
  status      text    not null,
  book        integer not null,
  links       integer not null,
  amount      integer not null,
  primary key (merchant_id, day, currency, status, book)
) strict, without rowid;

insert into link_counts
select merchant_id, created_at / 86400000000, currency, status, 0, count(*), sum(amount)
from payment_links group by 1, 2, 3, 4;
