-- What payouts are made of, schema 9. docs/RECONCILIATION.md says when it is asked for. Nothing here
-- is part of the books: dropping it loses no money, and runs ask Stripe again.

UPDATE schema_version SET version = 9;

-- Which automatic payout paid a line of the statement out: what a payout is made of never changes.
-- The payout's own line is not among them. line, created: the settlement's id and time.
CREATE TABLE payout_lines (
    line TEXT PRIMARY KEY,
    created INTEGER NOT NULL,
    payout TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX payout_lines_payout ON payout_lines (payout, created, line);
