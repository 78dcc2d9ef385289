-- The ledger in Postgres, as SQLite's schema 7 has it; docs/formats/ledger.md says what each rule
-- protects from, and what keeps it here. Texts are compared by their bytes, as SQLite does.

SET LOCAL search_path = tillbox;
DO $$ BEGIN
    -- Outside of a transaction the line above is without effect.
    IF current_setting('search_path') <> 'tillbox' THEN
        RAISE EXCEPTION 'run this file in one transaction: psql -1 -v ON_ERROR_STOP=1 -f FILE';
    END IF;
END $$;

CREATE SCHEMA tillbox;

CREATE TABLE schema_version (version BIGINT NOT NULL);
INSERT INTO schema_version VALUES (1);

-- One row, which every batch locks first. last, hash: the last transaction, as the table has it.
-- sealed: up to which they are checked and their money is in the balances. revision: grows with
-- each batch, so that a writer sees whether somebody else has written.
CREATE TABLE head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    last BIGINT NOT NULL,
    hash BYTEA NOT NULL CHECK (length(hash) = 32),
    sealed BIGINT NOT NULL,
    revision BIGINT NOT NULL
);
INSERT INTO head VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, 0);

-- A balance is debits minus credits; the commit keeps it.
CREATE TABLE accounts (
    id BIGINT PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    balance BIGINT NOT NULL DEFAULT 0,
    UNIQUE (name, currency),
    UNIQUE (id, currency)
);

-- kind: see the table `kinds`. effective_at: seconds. posted_at: milliseconds. standing: how well
-- informed and how strict the scoring of a payment was. posted_at and standing are not hashed.
CREATE TABLE transactions (
    id BIGINT PRIMARY KEY,
    movement TEXT COLLATE "C" NOT NULL UNIQUE,
    event_id TEXT COLLATE "C" NOT NULL,
    kind BIGINT NOT NULL,
    effective_at BIGINT NOT NULL,
    posted_at BIGINT NOT NULL,
    standing BIGINT NOT NULL,
    hash BYTEA NOT NULL CHECK (length(hash) = 32)
);

-- Its account's currency is looked at where the transaction is checked: a foreign key would look at
-- each row by itself, which takes a third of the whole.
CREATE TABLE entries (
    transaction_id BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    account BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (transaction_id, currency, seq)
);

CREATE TABLE positions (
    topic TEXT COLLATE "C" NOT NULL,
    partition BIGINT NOT NULL,
    next_offset BIGINT NOT NULL,
    -- The CRC-32C of the batch that holds the record before next_offset, where the records are in a
    -- log of one's own.
    checksum BIGINT CHECK (checksum BETWEEN 0 AND 4294967295),
    PRIMARY KEY (topic, partition)
);

-- Where a payment's money stands, for payments that did not stay where they were booked.
CREATE TABLE payment_states (
    transaction_id BIGINT PRIMARY KEY REFERENCES transactions (id),
    standing BIGINT NOT NULL,
    place BIGINT NOT NULL,
    decision BIGINT NOT NULL,
    decided_at BIGINT NOT NULL,
    moves BIGINT NOT NULL
);

-- A person's decisions that came before their payment.
CREATE TABLE waiting_decisions (
    movement TEXT COLLATE "C" PRIMARY KEY,
    decision BIGINT NOT NULL,
    decided_at BIGINT NOT NULL
);

-- The refunds, failed ones too, of each charge: what a later decline has to settle.
CREATE TABLE refunds (
    charge TEXT COLLATE "C" NOT NULL,
    transaction_id BIGINT NOT NULL REFERENCES transactions (id),
    PRIMARY KEY (charge, transaction_id)
);

-- Payments of which more was captured later, or that were taken back. total: all that is captured,
-- the payment's own transaction included. reversed: how much of it was taken back.
CREATE TABLE captures (
    transaction_id BIGINT PRIMARY KEY REFERENCES transactions (id),
    total BIGINT NOT NULL,
    reversed BIGINT NOT NULL
);

-- Refunds that were told and are not booked. key: `refund:re_…`, or `refunds_told:ch_…` where only
-- their sum is known. said: 0 told, 2 told as a release, 3 failed. state: 0 waits, 1 booked or
-- explained by what is, 2 released, 3 failed. since: seconds, of the first event that told it.
CREATE TABLE waiting (
    key TEXT COLLATE "C" PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('refund', 'refunds_of_charge')),
    charge TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    merchant TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    amount BIGINT NOT NULL CHECK (amount > 0),
    event_id TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    said BIGINT NOT NULL CHECK (said IN (0, 2, 3)),
    state BIGINT NOT NULL CHECK (state BETWEEN 0 AND 3)
);
CREATE INDEX waiting_of_charge ON waiting (charge);
CREATE INDEX waiting_open ON waiting (since, key) WHERE state = 0;

-- How much of a charge's refunds was the release of an authorisation. refund: the booked refund
-- that is taken back for it, or ''. moves: how often one was taken back or restored.
CREATE TABLE releases (
    charge TEXT COLLATE "C" PRIMARY KEY,
    currency TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    amount BIGINT NOT NULL CHECK (amount > 0),
    refund TEXT COLLATE "C" NOT NULL,
    moves BIGINT NOT NULL
);

-- Every opening of a review, what renews its score or reasons (`opened` again), and every closing
-- by the ledger itself; what people close stands among the decisions. at: seconds. posted_at:
-- milliseconds. reasons: JSON.
CREATE TABLE reviews (
    id BIGINT PRIMARY KEY,
    transaction_id BIGINT NOT NULL REFERENCES transactions (id),
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('opened', 'approved', 'expired')),
    event_id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    posted_at BIGINT NOT NULL,
    score DOUBLE PRECISION,
    reasons TEXT COLLATE "C" NOT NULL,
    note TEXT COLLATE "C"
);
CREATE INDEX reviews_of_payment ON reviews (transaction_id, id);

-- Payments whose money is held and of which nobody has decided. review: the row that opened or
-- renewed it last.
CREATE TABLE open_reviews (
    transaction_id BIGINT PRIMARY KEY REFERENCES transactions (id),
    review BIGINT NOT NULL UNIQUE REFERENCES reviews (id)
);

-- Reviews of payments behind after_transaction are renewed; others are of a release that never did,
-- in the ledger that this one is a copy of.
CREATE TABLE renewals (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    after_transaction BIGINT NOT NULL CHECK (after_transaction >= 0)
);
INSERT INTO renewals VALUES (1, 0);

-- People's decisions where they were considered: place is the offset in payment.review, scored_next
-- the offset in payment.scored that was still to be read.
CREATE TABLE decisions (
    partition BIGINT NOT NULL,
    place BIGINT NOT NULL,
    scored_next BIGINT NOT NULL,
    movement TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    decided_by TEXT COLLATE "C" NOT NULL,
    decided_at BIGINT NOT NULL,
    note TEXT COLLATE "C",
    took_effect BIGINT NOT NULL CHECK (took_effect IN (0, 1)),
    PRIMARY KEY (partition, place)
);
CREATE INDEX decisions_of_movement ON decisions (movement);

-- The logs that the positions are positions in: one, unless somebody has mixed them.
CREATE TABLE logs (identity TEXT COLLATE "C" PRIMARY KEY);

-- The numbers of the last transaction and of the last row of reviews, apart from them: if those are
-- cut off, these stay.
CREATE TABLE ends (
    name TEXT COLLATE "C" PRIMARY KEY CHECK (name IN ('transactions', 'reviews')),
    last BIGINT NOT NULL
);

CREATE TABLE kinds (code BIGINT PRIMARY KEY, name TEXT COLLATE "C" NOT NULL);
INSERT INTO kinds VALUES
    (1, 'payment'), (2, 'refund'), (3, 'refund_failed'), (4, 'dispute_withdrawn'),
    (5, 'dispute_reinstated'), (6, 'payout'), (7, 'payout_failed'), (8, 'fee'),
    (9, 'payment_reversed'), (10, 'payout_debit'), (11, 'payout_debit_failed'), (12, 'transfer'),
    (13, 'transfer_reversed'), (14, 'transfer_payment'), (15, 'application_fee'),
    (16, 'application_fee_refunded'), (17, 'topup'), (18, 'topup_reversed'), (19, 'capture_grown'),
    (20, 'review_approved'), (21, 'review_declined'), (22, 'held'), (23, 'released'),
    (24, 'refund_settled'), (25, 'refund_unsettled'), (26, 'refund_released'),
    (27, 'refund_restored');

-- For people: every line with its words.
CREATE VIEW lines AS
    SELECT t.id, t.movement, k.name AS kind, t.effective_at, a.name AS account, e.currency, e.amount
    FROM transactions t
    JOIN entries e ON e.transaction_id = t.id
    JOIN accounts a ON a.id = e.account
    LEFT JOIN kinds k ON k.code = t.kind;

-- The rules. Each function runs with the rights of its owner, so that a role that may append needs
-- no right to change a balance or the head; the tables that it means are named by its own path.
-- Nobody else may put one on a table of his own, whose rows it would then take for the ledger's. All
-- of their look-ups are by a key, one for each row, in brackets: a join's plan that was made while a
-- table was small would stay, and compare each row with each.

CREATE FUNCTION refuse() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = tillbox, pg_temp SET enable_seqscan = off AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- Transactions are the next in order, and the head follows them.
CREATE FUNCTION transactions_in_order() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = tillbox, pg_temp SET enable_seqscan = off AS $$
DECLARE
    first BIGINT; final BIGINT; number BIGINT; before BIGINT;
BEGIN
    SELECT min(id), max(id), count(*) INTO first, final, number FROM added;
    IF number = 0 THEN RETURN NULL; END IF;
    IF TG_TABLE_SCHEMA <> 'tillbox' THEN
        RAISE EXCEPTION 'this rule is of the ledger''s own tables'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT last INTO before FROM head FOR UPDATE;
    IF first <> before + 1 OR final - first + 1 <> number THEN
        RAISE EXCEPTION 'transaction ids have a gap: % to % after %', first, final, before
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    UPDATE head SET last = final, hash = (SELECT hash FROM added WHERE id = final);
    RETURN NULL;
END $$;
CREATE TRIGGER transactions_in_order AFTER INSERT ON transactions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION transactions_in_order();

-- Only what is not checked yet takes entries.
CREATE FUNCTION entries_open() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = tillbox, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added, head
        WHERE transaction_id <= sealed OR transaction_id > last)
    THEN
        RAISE EXCEPTION 'the ledger is append-only: this transaction is closed, or there is none'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER entries_open AFTER INSERT ON entries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION entries_open();

-- At the commit: everything since the last one, as a set. It is queued by the row of the head that
-- each INSERT of transactions changes, so nothing commits unchecked; only the first of several that
-- a batch queues finds anything to do. Money is in the balances from here on.
CREATE FUNCTION seal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = tillbox, pg_temp SET enable_seqscan = off AS $$
DECLARE
    done BIGINT; final BIGINT; wrong BIGINT;
BEGIN
    IF TG_TABLE_SCHEMA <> 'tillbox' THEN
        RAISE EXCEPTION 'this rule is of the ledger''s own tables'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT sealed, last INTO done, final FROM head FOR UPDATE;
    IF done = final THEN RETURN NULL; END IF;
    SELECT transaction_id INTO wrong FROM entries WHERE transaction_id > done
        GROUP BY transaction_id, currency HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % does not balance', wrong USING ERRCODE = 'check_violation';
    END IF;
    IF (SELECT count(DISTINCT transaction_id) FROM entries WHERE transaction_id > done)
        <> final - done
    THEN
        RAISE EXCEPTION 'a transaction has no entries' USING ERRCODE = 'check_violation';
    END IF;
    SELECT min(transaction_id) INTO wrong FROM entries WHERE transaction_id > done
        GROUP BY account, currency
        HAVING (SELECT currency FROM accounts WHERE id = entries.account)
            IS DISTINCT FROM entries.currency LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % has an entry in no account of its currency', wrong
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    UPDATE accounts SET balance = balance + moved.amount
        FROM (SELECT account, sum(amount) AS amount FROM entries
            WHERE transaction_id > done GROUP BY account) AS moved
        WHERE accounts.id = moved.account;
    UPDATE head SET sealed = final;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER seal AFTER UPDATE ON head DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (new.last <> new.sealed) EXECUTE FUNCTION seal();

-- The head changes by the two triggers above; a writer may count its batches. A trigger's own
-- changes have a depth above 1.
CREATE FUNCTION head_follows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = tillbox, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF new.revision NOT IN (old.revision, old.revision + 1) OR new.id <> old.id
        OR ((new.last, new.sealed, new.hash) IS DISTINCT FROM (old.last, old.sealed, old.hash)
            AND pg_trigger_depth() < 2)
    THEN
        RAISE EXCEPTION 'the head follows from the transactions'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER head_follows BEFORE UPDATE ON head
    FOR EACH ROW EXECUTE FUNCTION head_follows();

CREATE FUNCTION accounts_in_order() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = tillbox, pg_temp SET enable_seqscan = off AS $$
DECLARE
    first BIGINT; final BIGINT; number BIGINT;
BEGIN
    SELECT min(id), max(id), count(*) INTO first, final, number FROM added;
    IF final - first + 1 <> number
        OR first <> (SELECT coalesce(max(id), 0) + 1 FROM accounts WHERE id < first)
        OR EXISTS (SELECT 1 FROM added WHERE balance <> 0)
    THEN
        RAISE EXCEPTION 'an account is made next in order, and empty'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER accounts_in_order AFTER INSERT ON accounts
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION accounts_in_order();

CREATE FUNCTION accounts_kept() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = tillbox, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF pg_trigger_depth() < 2
        OR (new.id, new.name, new.currency) <> (old.id, old.name, old.currency)
    THEN
        RAISE EXCEPTION 'a balance follows from the entries'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER accounts_kept BEFORE UPDATE ON accounts
    FOR EACH ROW EXECUTE FUNCTION accounts_kept();

-- What only goes forward.
CREATE FUNCTION forward() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = tillbox, pg_temp SET enable_seqscan = off AS $$
DECLARE
    is_forward BOOLEAN;
BEGIN
    CASE TG_TABLE_NAME
    WHEN 'positions' THEN
        is_forward := new.topic = old.topic AND new.partition = old.partition
            AND new.next_offset >= old.next_offset;
    WHEN 'ends' THEN
        is_forward := new.name = old.name AND new.last >= old.last;
    WHEN 'payment_states' THEN
        is_forward := new.transaction_id = old.transaction_id AND new.standing >= old.standing
            AND new.decision >= old.decision AND new.moves >= old.moves;
    WHEN 'waiting_decisions' THEN
        is_forward := new.movement = old.movement AND new.decision >= old.decision;
    WHEN 'captures' THEN
        is_forward := new.transaction_id = old.transaction_id AND new.total >= old.total
            AND new.reversed >= old.reversed;
    WHEN 'waiting' THEN
        is_forward := new.key = old.key AND new.kind = old.kind AND new.said >= old.said
            AND new.amount >= old.amount;
    WHEN 'renewals' THEN
        -- A copy takes over where they begin, before anything is booked.
        is_forward := new.id = old.id AND (SELECT last FROM head) = 0;
    WHEN 'open_reviews' THEN
        -- Renewed by the last row that tells of this payment, with no closing in between.
        is_forward := new.transaction_id = old.transaction_id AND new.review > old.review
            AND (SELECT state = 'opened' AND transaction_id = new.transaction_id
                FROM reviews WHERE id = new.review)
            AND (SELECT id FROM reviews WHERE transaction_id = new.transaction_id
                AND (id > new.review OR (id > old.review AND state <> 'opened')) LIMIT 1) IS NULL;
    WHEN 'releases' THEN
        is_forward := new.charge = old.charge AND new.currency = old.currency
            AND new.amount >= old.amount AND new.moves >= old.moves;
    END CASE;
    IF is_forward IS NOT TRUE THEN
        RAISE EXCEPTION '% only go forward', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN new;
END $$;

-- What is kept of charges is kept for what is booked: looked at behind each statement, all of its
-- rows together. A trigger for each row took a tenth of the whole.
CREATE FUNCTION belongs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = tillbox, pg_temp SET enable_seqscan = off AS $$
DECLARE
    is_strange BOOLEAN;
BEGIN
    CASE TG_TABLE_NAME
    WHEN 'payment_states', 'captures' THEN
        is_strange := EXISTS (SELECT 1 FROM added WHERE
            (SELECT kind FROM transactions WHERE id = added.transaction_id)
                IS DISTINCT FROM 1);
    WHEN 'waiting_decisions' THEN
        IF TG_OP = 'DELETE' THEN
            is_strange := EXISTS (SELECT 1 FROM gone WHERE
                (SELECT id FROM transactions WHERE movement = gone.movement) IS NULL);
        ELSE
            is_strange := EXISTS (SELECT 1 FROM added WHERE
                (SELECT id FROM transactions WHERE movement = added.movement) IS NOT NULL);
        END IF;
    WHEN 'refunds' THEN
        -- With its own transaction.
        is_strange := EXISTS (SELECT 1 FROM added WHERE
            (SELECT kind IN (2, 3) AND id > (SELECT sealed FROM head)
                FROM transactions WHERE id = added.transaction_id) IS NOT TRUE);
    WHEN 'open_reviews' THEN
        IF TG_OP = 'DELETE' THEN
            -- A person has decided, or a later row says why it is closed.
            is_strange := EXISTS (SELECT 1 FROM gone WHERE
                coalesce((SELECT decision FROM payment_states
                    WHERE transaction_id = gone.transaction_id), 0) = 0
                AND (SELECT id FROM reviews WHERE transaction_id = gone.transaction_id
                    AND id > gone.review AND state <> 'opened' LIMIT 1) IS NULL);
        ELSE
            -- By the last row that tells of this payment.
            is_strange := EXISTS (SELECT 1 FROM added WHERE
                (SELECT state = 'opened' AND transaction_id = added.transaction_id
                    FROM reviews WHERE id = added.review) IS NOT TRUE
                OR (SELECT id FROM reviews WHERE transaction_id = added.transaction_id
                    AND id > added.review LIMIT 1) IS NOT NULL);
        END IF;
    END CASE;
    IF is_strange IS NOT FALSE THEN
        RAISE EXCEPTION 'what is kept in % belongs to what is booked', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

-- A row of reviews is the next in order. Each is checked against those before it, those of its own
-- statement too: it opens a review, says something else of one that is open, or closes one that was
-- open before the statement.
CREATE FUNCTION reviews_in_order() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = tillbox, pg_temp SET enable_seqscan = off AS $$
DECLARE
    first BIGINT; final BIGINT; number BIGINT;
BEGIN
    SELECT min(id), max(id), count(*) INTO first, final, number FROM added;
    IF final - first + 1 <> number
        OR first <> (SELECT coalesce(max(id), 0) + 1 FROM reviews WHERE id < first)
        OR EXISTS (SELECT 1 FROM added WHERE
            (SELECT kind FROM transactions WHERE id = added.transaction_id) IS DISTINCT FROM 1)
        OR EXISTS (SELECT 1 FROM added WHERE CASE added.state
            WHEN 'opened' THEN
                (SELECT state = 'opened' AND score IS NOT DISTINCT FROM added.score
                        AND reasons = added.reasons
                    FROM reviews WHERE transaction_id = added.transaction_id AND id < added.id
                    ORDER BY id DESC LIMIT 1)
            ELSE
                (SELECT review FROM open_reviews o
                    WHERE o.transaction_id = added.transaction_id) IS NULL
                OR (SELECT state FROM reviews
                    WHERE transaction_id = added.transaction_id AND id < added.id
                    ORDER BY id DESC LIMIT 1) IS DISTINCT FROM 'opened'
            END)
    THEN
        RAISE EXCEPTION 'a review is opened, renewed by what says something else, and closed'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER reviews_in_order AFTER INSERT ON reviews
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION reviews_in_order();

-- Whoever writes has counted its batch first, and so holds the head: one writer at a time. A row's
-- xmin is the transaction that wrote it.
CREATE FUNCTION in_batch() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = tillbox, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF (SELECT xmin::text::bigint FROM head) <> txid_current() % 4294967296 THEN
        RAISE EXCEPTION 'count the batch in head.revision, then write'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON transactions
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON positions
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON payment_states
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON waiting_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON refunds
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON captures
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON waiting
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON releases
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON reviews
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON open_reviews
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON renewals
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON decisions
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON logs
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();
CREATE TRIGGER in_batch BEFORE INSERT OR UPDATE OR DELETE ON ends
    FOR EACH STATEMENT EXECUTE FUNCTION in_batch();

CREATE TRIGGER forward BEFORE UPDATE ON positions
    FOR EACH ROW EXECUTE FUNCTION forward();
CREATE TRIGGER forward BEFORE UPDATE ON ends
    FOR EACH ROW EXECUTE FUNCTION forward();
CREATE TRIGGER forward BEFORE UPDATE ON payment_states
    FOR EACH ROW EXECUTE FUNCTION forward();
CREATE TRIGGER forward BEFORE UPDATE ON waiting_decisions
    FOR EACH ROW EXECUTE FUNCTION forward();
CREATE TRIGGER forward BEFORE UPDATE ON captures
    FOR EACH ROW EXECUTE FUNCTION forward();
CREATE TRIGGER forward BEFORE UPDATE ON waiting
    FOR EACH ROW EXECUTE FUNCTION forward();
CREATE TRIGGER forward BEFORE UPDATE ON releases
    FOR EACH ROW EXECUTE FUNCTION forward();
CREATE TRIGGER forward BEFORE UPDATE ON open_reviews
    FOR EACH ROW EXECUTE FUNCTION forward();
CREATE TRIGGER forward BEFORE UPDATE ON renewals
    FOR EACH ROW EXECUTE FUNCTION forward();

CREATE TRIGGER belongs AFTER INSERT ON payment_states
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION belongs();
CREATE TRIGGER belongs AFTER INSERT ON captures
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION belongs();
CREATE TRIGGER belongs AFTER INSERT ON waiting_decisions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION belongs();
CREATE TRIGGER belongs AFTER INSERT ON refunds
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION belongs();
CREATE TRIGGER belongs AFTER INSERT ON open_reviews
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION belongs();
CREATE TRIGGER belongs_gone AFTER DELETE ON waiting_decisions
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION belongs();
CREATE TRIGGER belongs_gone AFTER DELETE ON open_reviews
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION belongs();

-- Nothing else changes or goes, whoever asks.
CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON transactions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the ledger is append-only');
CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the ledger is append-only');
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('an account stays');
CREATE TRIGGER kept BEFORE INSERT OR DELETE OR TRUNCATE ON head
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the head stays');
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON positions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a position stays');
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON payment_states
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a payment state stays');
CREATE TRIGGER kept BEFORE TRUNCATE ON waiting_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a decision waits until its payment is booked');
CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON refunds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a refund stays');
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON captures
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a capture stays');
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON waiting
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('what was told of a refund stays');
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON releases
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a release stays');
CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON reviews
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('what was said of a review stays');
CREATE TRIGGER kept BEFORE TRUNCATE ON open_reviews
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a review stays open or is closed');
CREATE TRIGGER kept BEFORE INSERT OR DELETE OR TRUNCATE ON renewals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('where renewals begin stays');
CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON decisions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a decision stays');
CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON logs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a log stays');
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON ends
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('an end stays');
CREATE TRIGGER kept BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON kinds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('kinds stay');

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA tillbox FROM PUBLIC;
