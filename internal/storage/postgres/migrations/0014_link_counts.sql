-- +goose Up
-- How many payment links of a merchant that were made on a day (since 1970, in UTC) have a status in a currency,
-- and their amounts together: statistics without reading links. What one batch changes is counted under the book
-- of its stripes, where a number may be below zero; the sums over the books are not.
create table link_counts (
  merchant_id text collate "C" not null,
  day         bigint not null,
  currency    text collate "C" not null,
  status      text collate "C" not null,
  book        smallint not null,
  links       bigint not null,
  amount      bigint not null,
  primary key (merchant_id, day, currency, status, book)
);

insert into link_counts
select merchant_id, created_at / 86400000000, currency, status, 0, count(*), sum(amount)
from payment_links group by 1, 2, 3, 4;
