-- Schema 7: a review says what the best informed scoring said. docs/formats/ledger.md says why.

UPDATE schema_version SET version = 7;

-- Reviews of payments behind after_transaction are renewed. Earlier releases never renewed one:
-- what they booked is booked alike when their log is replayed.
CREATE TABLE renewals (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    after_transaction INTEGER NOT NULL CHECK (after_transaction >= 0)
) STRICT;
INSERT INTO renewals SELECT 1, coalesce(max(id), 0) FROM transactions;

CREATE TRIGGER renewals_once BEFORE INSERT ON renewals
BEGIN SELECT RAISE(ABORT, 'where renewals begin stays'); END;

-- A copy takes over where they begin, before anything is booked.
CREATE TRIGGER renewals_kept BEFORE UPDATE ON renewals
WHEN new.id <> old.id OR EXISTS (SELECT 1 FROM transactions)
BEGIN SELECT RAISE(ABORT, 'where renewals begin stays'); END;

CREATE TRIGGER renewals_no_delete BEFORE DELETE ON renewals
BEGIN SELECT RAISE(ABORT, 'where renewals begin stays'); END;

-- A row of an open review renews its score or its reasons, or closes it.
DROP TRIGGER reviews_made;
CREATE TRIGGER reviews_made BEFORE INSERT ON reviews
WHEN (SELECT state FROM gate) <> 1
    OR new.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM reviews)
    OR NOT EXISTS (SELECT 1 FROM transactions WHERE id = new.transaction_id AND kind = 1)
    OR CASE new.state WHEN 'opened' THEN EXISTS (SELECT 1 FROM reviews WHERE id =
                (SELECT max(id) FROM reviews WHERE transaction_id = new.transaction_id)
            AND state = 'opened' AND score IS new.score AND reasons = new.reasons)
        ELSE NOT EXISTS (SELECT 1 FROM open_reviews WHERE transaction_id = new.transaction_id
            AND review = (SELECT max(id) FROM reviews WHERE transaction_id = new.transaction_id))
        END
BEGIN SELECT RAISE(ABORT, 'a review is opened, renewed by what says something else, and closed');
END;

DROP TRIGGER open_reviews_no_update;
CREATE TRIGGER open_reviews_renewed BEFORE UPDATE ON open_reviews
WHEN (SELECT state FROM gate) <> 1
    OR new.transaction_id <> old.transaction_id OR new.review <= old.review
    OR new.review IS NOT (SELECT max(id) FROM reviews WHERE transaction_id = new.transaction_id)
    OR EXISTS (SELECT 1 FROM reviews WHERE transaction_id = new.transaction_id
        AND id > old.review AND state <> 'opened')
BEGIN SELECT RAISE(ABORT, 'an open review is renewed by the last row that opened it'); END;
