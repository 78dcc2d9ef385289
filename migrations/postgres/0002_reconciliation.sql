-- Reconciliation in Postgres, as SQLite's migrations 0002 and 0004 have it: the columns are those,
-- and a test compares them. Nothing here is part of the books: dropping all of it loses no money,
-- and a run reads it again. One command at a time has it, under an advisory lock, and writes it
-- back as a whole; the rules and indexes that its work needs are those of its own copy.

SET LOCAL search_path = tillbox;
DO $$ BEGIN
    -- Outside of a transaction the line above is without effect.
    IF current_setting('search_path') <> 'tillbox' THEN
        RAISE EXCEPTION 'run this file in one transaction: psql -1 -v ON_ERROR_STOP=1 -f FILE';
    END IF;
END $$;

UPDATE schema_version SET version = 2;

CREATE TABLE reconciliations (
    id BIGINT PRIMARY KEY,
    cause TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    period_from BIGINT NOT NULL,
    period_to BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    livemode BIGINT,
    cursor TEXT COLLATE "C",
    pages BIGINT NOT NULL,
    transactions BIGINT NOT NULL,
    failure TEXT COLLATE "C",
    swept_to BIGINT
);

CREATE TABLE settlements (
    created BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    category TEXT COLLATE "C",
    currency TEXT COLLATE "C" NOT NULL,
    amount BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    net BIGINT NOT NULL,
    available_on BIGINT NOT NULL,
    converted BIGINT NOT NULL,
    transaction_id BIGINT,
    finding BIGINT NOT NULL,
    fee_state BIGINT NOT NULL,
    booked_by BIGINT,
    run BIGINT NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    payment TEXT COLLATE "C",
    booked_whole BIGINT NOT NULL,
    PRIMARY KEY (created, id)
);

CREATE TABLE breaks (
    id BIGINT PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    movement TEXT COLLATE "C",
    balance_transaction TEXT COLLATE "C",
    type TEXT COLLATE "C",
    stripe_currency TEXT COLLATE "C",
    stripe_amount BIGINT,
    ledger_currency TEXT COLLATE "C",
    ledger_amount BIGINT,
    occurred_at BIGINT NOT NULL,
    first_run BIGINT NOT NULL,
    last_run BIGINT NOT NULL,
    resolved_run BIGINT,
    account TEXT COLLATE "C" NOT NULL,
    UNIQUE (kind, subject)
);

CREATE TABLE run_breaks (
    run BIGINT NOT NULL,
    break BIGINT NOT NULL,
    PRIMARY KEY (run, break)
);

CREATE TABLE settled_payouts (
    payout TEXT COLLATE "C" PRIMARY KEY,
    currency TEXT COLLATE "C" NOT NULL,
    amount BIGINT NOT NULL,
    created BIGINT NOT NULL,
    transactions BIGINT NOT NULL,
    total BIGINT NOT NULL,
    run BIGINT NOT NULL,
    account TEXT COLLATE "C" NOT NULL
);

CREATE TABLE sweeps (
    id BIGINT PRIMARY KEY,
    state TEXT COLLATE "C" NOT NULL,
    period_from BIGINT NOT NULL,
    period_to BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    events BIGINT NOT NULL,
    missed BIGINT NOT NULL,
    oldest_missed BIGINT,
    failure TEXT COLLATE "C",
    unswept_accounts BIGINT NOT NULL
);

CREATE TABLE run_accounts (
    run BIGINT NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    is_read BIGINT NOT NULL,
    cursor TEXT COLLATE "C",
    failure TEXT COLLATE "C",
    PRIMARY KEY (run, account)
);

CREATE TABLE run_balances (
    run BIGINT NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    transactions BIGINT NOT NULL,
    matched BIGINT NOT NULL,
    turnover BIGINT NOT NULL,
    matched_turnover BIGINT NOT NULL,
    gross BIGINT NOT NULL,
    fees BIGINT NOT NULL,
    net BIGINT NOT NULL,
    booked BIGINT NOT NULL,
    booked_amount BIGINT NOT NULL,
    ledger BIGINT NOT NULL,
    stripe BIGINT NOT NULL,
    explained BIGINT NOT NULL,
    PRIMARY KEY (run, account, currency)
);

CREATE TABLE sweep_accounts (
    account TEXT COLLATE "C" PRIMARY KEY,
    swept_to BIGINT,
    failure TEXT COLLATE "C"
);
