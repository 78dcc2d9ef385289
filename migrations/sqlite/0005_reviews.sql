-- Schema 5: whether a payment is under review is the ledger's to say, people's decisions have a
-- table of their own, and positions are nothing but positions. docs/formats/ledger.md says why.

UPDATE schema_version SET version = 5;

-- Every opening of a review, and every closing by the daemon itself; what people close stands among
-- the decisions. Each is a record of payment.review, with id as its source. at: seconds. posted_at:
-- milliseconds; 0 where scoring told of it, before the ledger kept reviews. reasons: JSON.
CREATE TABLE reviews (
    id INTEGER PRIMARY KEY,
    transaction_id INTEGER NOT NULL REFERENCES transactions (id),
    state TEXT NOT NULL CHECK (state IN ('opened', 'approved', 'expired')),
    event_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    posted_at INTEGER NOT NULL,
    score REAL,
    reasons TEXT NOT NULL,
    note TEXT
) STRICT;
CREATE INDEX reviews_of_payment ON reviews (transaction_id);

-- Payments whose money is held and of which nobody has decided. review: the row that opened it.
CREATE TABLE open_reviews (
    transaction_id INTEGER PRIMARY KEY REFERENCES transactions (id),
    review INTEGER NOT NULL UNIQUE REFERENCES reviews (id)
) STRICT;

INSERT INTO reviews
    SELECT row_number() OVER (ORDER BY t.id), t.id, 'opened', t.event_id, t.effective_at, 0, NULL,
        '[]', NULL
    FROM transactions t
    LEFT JOIN payment_states s ON s.transaction_id = t.id
    LEFT JOIN captures c ON c.transaction_id = t.id
    WHERE t.kind = 1 AND coalesce(s.place, (t.standing & 3) <> 1) = 1
        AND coalesce(s.decision, 0) = 0 AND coalesce(c.total - c.reversed, 1) > 0;
INSERT INTO open_reviews SELECT transaction_id, id FROM reviews;

-- People's decisions where they were considered: place is the offset in payment.review, scored_next
-- the offset in payment.scored that was still to be read. What earlier releases kept was the place
-- alone; there movement is ''.
CREATE TABLE decisions (
    partition INTEGER NOT NULL,
    place INTEGER NOT NULL,
    scored_next INTEGER NOT NULL,
    movement TEXT NOT NULL,
    state TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    note TEXT,
    took_effect INTEGER NOT NULL CHECK (took_effect IN (0, 1)),
    PRIMARY KEY (partition, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX decisions_of_movement ON decisions (movement);

-- The logs that the positions are positions in: one, unless somebody has mixed them.
CREATE TABLE logs (identity TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- The numbers of the last transaction and of the last row of reviews, apart from them: if those are
-- cut off, these stay.
CREATE TABLE ends (
    name TEXT PRIMARY KEY CHECK (name IN ('transactions', 'reviews')),
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO decisions
    SELECT 0, CAST(substr(topic, 16) AS INTEGER), next_offset, '', '', '', 0, NULL, 1
    FROM positions WHERE topic GLOB 'payment.review/*';
INSERT INTO logs SELECT substr(topic, 5) FROM positions WHERE topic GLOB 'log/*';
INSERT INTO ends SELECT 'transactions', next_offset - 1 FROM positions
    WHERE topic = 'ledger.posted';
INSERT INTO ends SELECT 'reviews', (SELECT count(*) FROM reviews) FROM ends;

CREATE TABLE partition_positions (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;
INSERT INTO partition_positions SELECT topic, 0, next_offset FROM positions
    WHERE NOT topic GLOB 'payment.review/*' AND NOT topic GLOB 'log/*'
        AND topic <> 'ledger.posted';
DROP TABLE positions;
ALTER TABLE partition_positions RENAME TO positions;

CREATE TRIGGER positions_forward BEFORE UPDATE ON positions
WHEN new.topic <> old.topic OR new.partition <> old.partition
    OR new.next_offset < old.next_offset
BEGIN SELECT RAISE(ABORT, 'a position never goes back'); END;

CREATE TRIGGER positions_once BEFORE INSERT ON positions
WHEN EXISTS (SELECT 1 FROM positions WHERE topic = new.topic AND partition = new.partition)
BEGIN SELECT RAISE(ABORT, 'a position is updated, not replaced'); END;

CREATE TRIGGER positions_no_delete BEFORE DELETE ON positions
BEGIN SELECT RAISE(ABORT, 'a position stays'); END;

CREATE TRIGGER ends_forward BEFORE UPDATE ON ends
WHEN new.name <> old.name OR new.last < old.last
BEGIN SELECT RAISE(ABORT, 'an end never goes back'); END;

CREATE TRIGGER ends_once BEFORE INSERT ON ends
WHEN EXISTS (SELECT 1 FROM ends WHERE name = new.name)
BEGIN SELECT RAISE(ABORT, 'an end is updated, not replaced'); END;

CREATE TRIGGER ends_no_delete BEFORE DELETE ON ends
BEGIN SELECT RAISE(ABORT, 'an end stays'); END;

-- A review changes with an open gate only, and is never open twice.
CREATE TRIGGER reviews_made BEFORE INSERT ON reviews
WHEN (SELECT state FROM gate) <> 1
    OR new.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM reviews)
    OR NOT EXISTS (SELECT 1 FROM transactions WHERE id = new.transaction_id AND kind = 1)
    OR (new.state = 'opened') = EXISTS
        (SELECT 1 FROM open_reviews WHERE transaction_id = new.transaction_id)
BEGIN SELECT RAISE(ABORT, 'a payment has one review at a time, opened before it is closed'); END;

CREATE TRIGGER open_reviews_made BEFORE INSERT ON open_reviews
WHEN (SELECT state FROM gate) <> 1
    OR EXISTS (SELECT 1 FROM open_reviews WHERE transaction_id = new.transaction_id)
    OR NOT EXISTS (SELECT 1 FROM reviews
        WHERE id = new.review AND transaction_id = new.transaction_id AND state = 'opened')
BEGIN SELECT RAISE(ABORT, 'a review is open once, by the row that opened it'); END;

CREATE TRIGGER open_reviews_closed BEFORE DELETE ON open_reviews
WHEN (SELECT state FROM gate) <> 1
BEGIN SELECT RAISE(ABORT, 'a review closes while the gate is open'); END;

CREATE TRIGGER decisions_once BEFORE INSERT ON decisions
WHEN EXISTS (SELECT 1 FROM decisions WHERE partition = new.partition AND place = new.place)
BEGIN SELECT RAISE(ABORT, 'a decision is considered once'); END;

CREATE TRIGGER open_reviews_no_update BEFORE UPDATE ON open_reviews
BEGIN SELECT RAISE(ABORT, 'a review stays open or is closed'); END;
CREATE TRIGGER reviews_no_update BEFORE UPDATE ON reviews
BEGIN SELECT RAISE(ABORT, 'what was said of a review stays'); END;
CREATE TRIGGER reviews_no_delete BEFORE DELETE ON reviews
BEGIN SELECT RAISE(ABORT, 'what was said of a review stays'); END;
CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'a decision stays'); END;
CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'a decision stays'); END;
CREATE TRIGGER logs_no_update BEFORE UPDATE ON logs
BEGIN SELECT RAISE(ABORT, 'a log stays'); END;
CREATE TRIGGER logs_no_delete BEFORE DELETE ON logs
BEGIN SELECT RAISE(ABORT, 'a log stays'); END;
