-- Indexes for who only reads: the console's role looks up what reconciliation has kept, and lists
-- decisions by the time when somebody took them. A table that grows with what Stripe settles must
-- not be read as a whole for one page. Nothing here changes a row.

SET LOCAL search_path = tillbox;
DO $$ BEGIN
    -- Outside of a transaction the line above is without effect.
    IF current_setting('search_path') <> 'tillbox' THEN
        RAISE EXCEPTION 'run this file in one transaction: psql -1 -v ON_ERROR_STOP=1 -f FILE';
    END IF;
END $$;

UPDATE schema_version SET version = 4;

-- What settles a transaction of the ledger, and what a run booked of the statement.
CREATE INDEX settlements_transaction ON settlements (transaction_id, created, id)
    WHERE transaction_id IS NOT NULL;
CREATE INDEX settlements_booked ON settlements (booked_by, created, id)
    WHERE booked_by IS NOT NULL;
CREATE INDEX settled_payouts_run ON settled_payouts (run, created);
CREATE INDEX payout_lines_payout ON payout_lines (payout, created, line);
-- How reviews ended, by state and time: what the ledger told, and decisions that took effect.
CREATE INDEX reviews_by_time ON reviews (state, at, id);
CREATE INDEX decisions_by_time ON decisions (state, decided_at, partition, place)
    WHERE took_effect = 1 AND movement <> '';
