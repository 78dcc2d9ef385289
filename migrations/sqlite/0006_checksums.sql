-- Schema 6: a position tells of the bytes before it. docs/formats/ledger.md says why.

UPDATE schema_version SET version = 6;

-- The CRC-32C of the batch that holds the record before next_offset, as its header has it. NULL in
-- a position of an earlier release until it moves, and where the records are in no log of one's own.
ALTER TABLE positions ADD COLUMN checksum INTEGER CHECK (checksum BETWEEN 0 AND 4294967295);
