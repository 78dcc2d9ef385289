-- What payouts are made of, in Postgres, as SQLite's migration 0009 has it. Nothing here is part of
-- the books: dropping it loses no money, and a run asks Stripe again.

SET LOCAL search_path = tillbox;
DO $$ BEGIN
    -- Outside of a transaction the line above is without effect.
    IF current_setting('search_path') <> 'tillbox' THEN
        RAISE EXCEPTION 'run this file in one transaction: psql -1 -v ON_ERROR_STOP=1 -f FILE';
    END IF;
END $$;

UPDATE schema_version SET version = 3;

CREATE TABLE payout_lines (
    line TEXT COLLATE "C" PRIMARY KEY,
    created BIGINT NOT NULL,
    payout TEXT COLLATE "C" NOT NULL
);
