-- What banks correct, schema 10. docs/BANK.md says which statement is which. As migration 0008, it is
-- no part of the books.

UPDATE schema_version SET version = 10;

-- number: what the bank calls the statement, NULL where the file does not say. replaced_by: the one
-- that corrected it.
ALTER TABLE bank_statements ADD COLUMN number TEXT;
ALTER TABLE bank_statements ADD COLUMN replaced_by INTEGER REFERENCES bank_statements (id);

-- superseded_by: the statement since which no statement that counts tells it. settled_before: the
-- transaction that it settled until then.
ALTER TABLE bank_entries ADD COLUMN superseded_by INTEGER REFERENCES bank_statements (id);
ALTER TABLE bank_entries ADD COLUMN settled_before INTEGER;
DROP INDEX bank_entries_open;
CREATE INDEX bank_entries_open ON bank_entries (currency, day)
    WHERE transaction_id IS NULL AND superseded_by IS NULL;
CREATE INDEX bank_entries_before ON bank_entries (settled_before)
    WHERE settled_before IS NOT NULL;

-- What each statement tells, in its order. An entry that several tell is one row of bank_entries.
-- Of what an earlier release imported, only the first that told an entry is known.
CREATE TABLE bank_lines (
    statement INTEGER NOT NULL REFERENCES bank_statements (id),
    place INTEGER NOT NULL,
    entry INTEGER NOT NULL REFERENCES bank_entries (id),
    PRIMARY KEY (statement, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX bank_lines_entry ON bank_lines (entry);
INSERT INTO bank_lines (statement, place, entry)
    SELECT statement, row_number() OVER (PARTITION BY statement ORDER BY id) - 1, id
    FROM bank_entries;
