-- Reconciliation by Stripe account, schema 4. docs/RECONCILIATION.md says what a run does with these.
-- Nothing here is part of the books.

UPDATE schema_version SET version = 4;

-- Per run and Stripe account ('' is the API key's own): how far its statement is read. cursor: the
-- last balance transaction of the last page that is wholly done. failure: why it cannot be read.
CREATE TABLE run_accounts (
    run INTEGER NOT NULL,
    account TEXT NOT NULL,
    is_read INTEGER NOT NULL DEFAULT 0,
    cursor TEXT,
    failure TEXT,
    PRIMARY KEY (run, account)
) STRICT, WITHOUT ROWID;
INSERT INTO run_accounts
    SELECT id, '', state NOT IN ('queued', 'reading'), cursor, NULL FROM reconciliations
    WHERE state <> 'queued';

-- swept_to: until when missed events had been looked for when the run ended; NULL for never.
ALTER TABLE reconciliations ADD COLUMN swept_to INTEGER;

-- account: whose statement the row is of. payment: the charge that a refund or a failure belongs
-- to, where Stripe was asked for it. booked_whole: 1 where the run booked all of the row, not only
-- its fee.
ALTER TABLE settlements ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE settlements ADD COLUMN payment TEXT;
ALTER TABLE settlements ADD COLUMN booked_whole INTEGER NOT NULL DEFAULT 0;
UPDATE settlements SET booked_whole = 1 WHERE booked_by NOT NULL AND (fee_state = 0
    OR transaction_id NOT NULL AND type IN ('payment_failure_refund', 'payment_reversal'));

ALTER TABLE breaks ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE settled_payouts ADD COLUMN account TEXT NOT NULL DEFAULT '';

-- Instead of `run_currencies`, by account too. turnover: the sum of what the rows moved, in either
-- direction; matched_turnover: of those that the ledger agrees with.
CREATE TABLE run_balances (
    run INTEGER NOT NULL,
    account TEXT NOT NULL,
    currency TEXT NOT NULL,
    transactions INTEGER NOT NULL,
    matched INTEGER NOT NULL,
    turnover INTEGER NOT NULL,
    matched_turnover INTEGER NOT NULL,
    gross INTEGER NOT NULL,
    fees INTEGER NOT NULL,
    net INTEGER NOT NULL,
    booked INTEGER NOT NULL,
    booked_amount INTEGER NOT NULL,
    ledger INTEGER NOT NULL,
    stripe INTEGER NOT NULL,
    explained INTEGER NOT NULL,
    PRIMARY KEY (run, account, currency)
) STRICT, WITHOUT ROWID;
INSERT INTO run_balances
    SELECT run, '', currency, transactions, matched, 0, 0, gross, fees, net, booked, booked_amount,
        ledger, stripe, explained
    FROM run_currencies;
DROP TABLE run_currencies;

-- Until when missed events of each connected account have been looked for; the key's own account
-- has `sweeps`. failure: why the last sweep could not.
CREATE TABLE sweep_accounts (
    account TEXT PRIMARY KEY,
    swept_to INTEGER,
    failure TEXT
) STRICT, WITHOUT ROWID;

-- Connected accounts that a sweep could not read.
ALTER TABLE sweeps ADD COLUMN unswept_accounts INTEGER NOT NULL DEFAULT 0;
