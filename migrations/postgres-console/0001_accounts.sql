-- Accounts of the console on the cloud plane, beside the ledger and apart from it: who books needs
-- no right to any of this, and who serves the console owns none of it. The tables users, tokens,
-- sessions, audit and refunds are those of console/accounts.sqlite (docs/formats/accounts.md); a test keeps
-- the two descriptions equal. Texts are compared by their bytes. Times are milliseconds since 1970.
CREATE SCHEMA tillbox_console;
REVOKE ALL ON SCHEMA tillbox_console FROM PUBLIC;
SET LOCAL search_path = tillbox_console;

CREATE TABLE schema_version (version BIGINT NOT NULL);
INSERT INTO schema_version VALUES (1);

CREATE TABLE users (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('viewer', 'reviewer', 'admin')),
    password TEXT COLLATE "C" NOT NULL,
    code_secret BYTEA,
    code_step BIGINT,
    created BIGINT NOT NULL,
    disabled BIGINT
);
CREATE UNIQUE INDEX users_by_name ON users (lower(name));

CREATE TABLE tokens (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('viewer', 'reviewer', 'admin')),
    hash BYTEA NOT NULL UNIQUE CHECK (length(hash) = 32),
    created BIGINT NOT NULL,
    expires BIGINT,
    last_used BIGINT
);
CREATE UNIQUE INDEX tokens_by_name ON tokens (lower(name));

CREATE TABLE sessions (
    hash BYTEA PRIMARY KEY CHECK (length(hash) = 32),
    "user" BIGINT REFERENCES users (id) ON DELETE CASCADE,
    created BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    -- Which of two of one moment is the later one. SQLite has it of itself.
    rowid BIGINT GENERATED ALWAYS AS IDENTITY
);
CREATE INDEX sessions_by_user ON sessions ("user");

CREATE TABLE audit (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    who TEXT COLLATE "C" NOT NULL,
    what TEXT COLLATE "C" NOT NULL,
    place TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL CHECK (length(hash) = 32)
);

-- The number of the last entry, so that one that was taken away is missed: one row.
CREATE TABLE audit_end (last BIGINT NOT NULL);
INSERT INTO audit_end VALUES (0);

-- Guesses, so that several instances count them together: kind is `account` or `address`, name a
-- hash in hex of what was typed, or of where it came from.
CREATE TABLE attempts (
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    failures BIGINT NOT NULL,
    last BIGINT NOT NULL,
    until BIGINT NOT NULL,
    -- The same two before the last attempt, which may turn out to be a good one.
    before_last BIGINT,
    before_until BIGINT,
    PRIMARY KEY (kind, name)
);
CREATE INDEX attempts_by_last ON attempts (kind, last);

-- Who has signed in from where: a hash in hex of account and address.
CREATE TABLE known_places (
    name TEXT COLLATE "C" PRIMARY KEY,
    at BIGINT NOT NULL
);
CREATE INDEX known_places_by_at ON known_places (at);

-- The code by which the first person comes in, as a hash: no row, or one.
CREATE TABLE setup (
    place BIGINT PRIMARY KEY CHECK (place = 1),
    hash BYTEA NOT NULL CHECK (length(hash) = 32),
    made BIGINT NOT NULL
);

-- Refunds that people want made when a payment is declined, and what came of them.
CREATE TABLE refunds (
    movement TEXT COLLATE "C" PRIMARY KEY,
    by TEXT COLLATE "C" NOT NULL,
    note TEXT COLLATE "C" NOT NULL,
    wanted_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL
        CHECK (state IN ('wanted', 'asking', 'made', 'refused', 'unknown', 'dropped')),
    detail TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL
);
CREATE INDEX refunds_open ON refunds (wanted_at) WHERE state IN ('wanted', 'asking');

-- The rules run with their owner's rights: a role that may append needs none to change the end.
CREATE FUNCTION refuse() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = tillbox_console, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- An entry is the next one in order, and the end follows it.
CREATE FUNCTION audit_in_order() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = tillbox_console, pg_temp AS $$
BEGIN
    IF TG_TABLE_SCHEMA <> 'tillbox_console' THEN
        RAISE EXCEPTION 'this rule is of the audit log''s own table'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    UPDATE audit_end SET last = new.seq WHERE last = new.seq - 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'entry % of the audit log is not the next one', new.seq
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN new;
END $$;

CREATE TRIGGER audit_in_order BEFORE INSERT ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_in_order();
CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the audit log is only appended to');
CREATE TRIGGER kept BEFORE INSERT OR DELETE OR TRUNCATE ON audit_end
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('the audit log''s end stays');

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA tillbox_console FROM PUBLIC;
