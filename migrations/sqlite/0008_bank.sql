-- The bank's side, schema 8. docs/BANK.md says how entries and payouts find each other. Nothing here
-- is part of the books: an import of the same files makes it again.

UPDATE schema_version SET version = 8;

-- One row a statement that was imported. day_first, day_last: days since 1970-01-01 of which it
-- tells all. opening, closing: minor units, NULL where the file does not say.
CREATE TABLE bank_statements (
    id INTEGER PRIMARY KEY,
    file TEXT NOT NULL,
    format TEXT NOT NULL,
    account TEXT NOT NULL,
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    day_first INTEGER NOT NULL,
    day_last INTEGER NOT NULL CHECK (day_last >= day_first),
    opening INTEGER,
    closing INTEGER,
    entries INTEGER NOT NULL,
    imported_at INTEGER NOT NULL
) STRICT;

-- Entries of the bank's, each once however many files hold it. key: what tells it from others of
-- its account. transaction_id: the ledger's transaction that it settles. kept: what it lacks of that
-- one's amount.
CREATE TABLE bank_entries (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    currency TEXT NOT NULL,
    key TEXT NOT NULL,
    day INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    text TEXT NOT NULL,
    reference TEXT,
    statement INTEGER NOT NULL REFERENCES bank_statements (id),
    transaction_id INTEGER UNIQUE,
    kept INTEGER,
    UNIQUE (account, currency, key)
) STRICT;
CREATE INDEX bank_entries_open ON bank_entries (currency, day) WHERE transaction_id IS NULL;
