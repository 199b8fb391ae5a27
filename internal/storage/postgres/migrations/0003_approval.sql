-- +goose Up
-- Wallets whose owners approve. How long an owner may take is the merchant's to say: ten minutes at first.
alter table merchants add column approval_micros bigint not null default 600000000
  check (approval_micros > 0);

-- The smallest amount that the owner must approve; 0 is none. It has no check of its own, which would be built
-- anew for every statement that writes a wallet, and it is not in batch_wallet: it seldom changes.
alter table wallets add column approve_from bigint not null default 0;

-- What is not decided, and nothing else, has a time and nothing authorized. A transaction that its wallet
-- decides is in neither index, and two numbers tell that sooner than the words of its status.
create index wallet_transactions_undecided on wallet_transactions (expires_at, id, book)
  where authorized = 0 and expires_at > 0;
create index wallet_transactions_waiting on wallet_transactions (wallet_id, id, book)
  where authorized = 0 and expires_at > 0;
