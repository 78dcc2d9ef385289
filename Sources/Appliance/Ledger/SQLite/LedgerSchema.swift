/// The numbered SQL of `migrations/sqlite`, carried by the binary so that it needs no path. A test
/// holds each to its file, byte for byte.
package enum LedgerSchema {
    /// The version that this program writes and knows.
    static let version: Int64 = 5
    /// From here on it keeps captures, and what was told of refunds.
    static let captureVersion: Int64 = 3
    /// From here on the ledger keeps reviews, and positions are nothing else.
    static let reviewVersion: Int64 = 5

    /// Each brings a database from its index to the next version.
    static let migrations: [(name: String, sql: String)] = [
        ("0001_ledger.sql", migration1), ("0002_reconciliation.sql", migration2),
        ("0003_waiting.sql", migration3),
        ("0004_reconciliation_accounts.sql", migration4), ("0005_reviews.sql", migration5),
    ]

    private static let migration1 = #"""
        -- The ledger, schema 1. docs/formats/ledger.md says what each rule protects from.

        CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT;
        INSERT INTO schema_version VALUES (1);

        -- The only value that a committed gate may have.
        CREATE TABLE zero (value INTEGER PRIMARY KEY CHECK (value = 0)) STRICT;
        INSERT INTO zero VALUES (0);

        -- One row. state 0: closed, 1: open for transactions from `first` on, 2: being closed. Its
        -- foreign key lets nobody commit while it is not closed, and closing checks all that is new.
        CREATE TABLE gate (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            first INTEGER NOT NULL,
            state INTEGER NOT NULL REFERENCES zero (value) DEFERRABLE INITIALLY DEFERRED
        ) STRICT;
        INSERT INTO gate VALUES (1, 9223372036854775807, 0);

        -- A balance is debits minus credits; closing the gate keeps it.
        CREATE TABLE accounts (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            currency TEXT NOT NULL CHECK (length(currency) = 3),
            balance INTEGER NOT NULL DEFAULT 0,
            UNIQUE (name, currency),
            UNIQUE (id, currency)
        ) STRICT;

        -- kind: see the table `kinds`. effective_at: seconds. posted_at: milliseconds. standing: how well
        -- informed and how strict the scoring of a payment was. posted_at and standing are not hashed.
        CREATE TABLE transactions (
            id INTEGER PRIMARY KEY,
            movement TEXT NOT NULL UNIQUE,
            event_id TEXT NOT NULL,
            kind INTEGER NOT NULL,
            effective_at INTEGER NOT NULL,
            posted_at INTEGER NOT NULL,
            standing INTEGER NOT NULL,
            hash BLOB NOT NULL CHECK (length(hash) = 32)
        ) STRICT;

        -- Its foreign keys are immediate. While the gate's deferred one is open, SQLite would look for the
        -- children of each new row that a deferred one refers to: all entries, for each new account.
        CREATE TABLE entries (
            transaction_id INTEGER NOT NULL REFERENCES transactions (id),
            currency TEXT NOT NULL,
            seq INTEGER NOT NULL,
            account INTEGER NOT NULL,
            amount INTEGER NOT NULL CHECK (amount <> 0),
            PRIMARY KEY (transaction_id, currency, seq),
            FOREIGN KEY (account, currency) REFERENCES accounts (id, currency)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE positions (topic TEXT PRIMARY KEY, next_offset INTEGER NOT NULL)
            STRICT, WITHOUT ROWID;

        -- Where a payment's money stands, for payments that did not stay where they were booked.
        CREATE TABLE payment_states (
            transaction_id INTEGER PRIMARY KEY REFERENCES transactions (id),
            standing INTEGER NOT NULL,
            place INTEGER NOT NULL,
            decision INTEGER NOT NULL,
            decided_at INTEGER NOT NULL,
            moves INTEGER NOT NULL
        ) STRICT;

        -- A person's decisions that came before their payment.
        CREATE TABLE waiting_decisions (
            movement TEXT PRIMARY KEY,
            decision INTEGER NOT NULL,
            decided_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- The refunds, failed ones too, of each charge: what a later decline has to settle.
        CREATE TABLE refunds (
            charge TEXT NOT NULL,
            transaction_id INTEGER NOT NULL REFERENCES transactions (id),
            PRIMARY KEY (charge, transaction_id)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE kinds (code INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
        INSERT INTO kinds VALUES
            (1, 'payment'), (2, 'refund'), (3, 'refund_failed'), (4, 'dispute_withdrawn'),
            (5, 'dispute_reinstated'), (6, 'payout'), (7, 'payout_failed'), (8, 'fee'),
            (20, 'review_approved'), (21, 'review_declined'), (22, 'held'), (23, 'released'),
            (24, 'refund_settled'), (25, 'refund_unsettled');

        -- For people: every line with its words.
        CREATE VIEW lines AS
            SELECT t.id, t.movement, k.name AS kind, t.effective_at, a.name AS account, e.currency, e.amount
            FROM transactions t
            JOIN entries e ON e.transaction_id = t.id
            JOIN accounts a ON a.id = e.account
            LEFT JOIN kinds k ON k.code = t.kind;

        -- The gate.
        CREATE TRIGGER gate_steps BEFORE UPDATE ON gate
        WHEN NOT ((old.state = 0 AND new.state = 1)
            OR (old.state = 1 AND new.state = 2 AND new.first = old.first)
            OR (old.state = 2 AND new.state = 0))
        BEGIN SELECT RAISE(ABORT, 'the gate opens (1), then closes (2)'); END;

        CREATE TRIGGER gate_opens BEFORE UPDATE ON gate WHEN new.state = 1 BEGIN
            SELECT RAISE(ABORT, 'the ledger is written only under PRAGMA foreign_keys = ON')
                FROM pragma_foreign_keys WHERE foreign_keys = 0;
            SELECT RAISE(ABORT, 'the gate opens at the next transaction')
                WHERE new.first IS NOT (SELECT coalesce(max(id), 0) + 1 FROM transactions);
        END;

        CREATE TRIGGER gate_closes AFTER UPDATE ON gate WHEN new.state = 2 BEGIN
            SELECT RAISE(ABORT, 'a transaction does not balance')
                FROM entries WHERE transaction_id >= new.first
                GROUP BY transaction_id, currency HAVING sum(amount) <> 0;
            SELECT RAISE(ABORT, 'transaction ids have a gap')
                WHERE (SELECT max(id) + 1 - new.first FROM transactions)
                    <> (SELECT count(*) FROM transactions WHERE id >= new.first);
            SELECT RAISE(ABORT, 'a transaction has no entries')
                WHERE (SELECT count(*) FROM transactions WHERE id >= new.first)
                    <> (SELECT count(*) FROM (SELECT 1 FROM entries
                        WHERE transaction_id >= new.first GROUP BY transaction_id));
            UPDATE accounts SET balance = balance + moved.amount
                FROM (SELECT account, sum(amount) AS amount FROM entries
                    WHERE transaction_id >= new.first GROUP BY account) AS moved
                WHERE accounts.id = moved.account;
            UPDATE gate SET state = 0, first = 9223372036854775807 WHERE id = 1;
        END;

        -- Only the open transactions take rows. A closed gate's `first` is above every id. AFTER costs a
        -- row half of what BEFORE does.
        CREATE TRIGGER transactions_sealed AFTER INSERT ON transactions
        WHEN new.id < (SELECT first FROM gate)
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: open the gate, then append'); END;

        CREATE TRIGGER entries_sealed AFTER INSERT ON entries
        WHEN new.transaction_id < (SELECT first FROM gate)
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: this transaction is closed'); END;

        CREATE TRIGGER accounts_in_order BEFORE INSERT ON accounts
        WHEN (SELECT state FROM gate) <> 1 OR new.balance <> 0
            OR new.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM accounts)
        BEGIN SELECT RAISE(ABORT, 'an account is made next in order, empty, with an open gate'); END;

        CREATE TRIGGER accounts_kept BEFORE UPDATE ON accounts
        WHEN (SELECT state FROM gate) <> 2
        BEGIN SELECT RAISE(ABORT, 'a balance follows from the entries'); END;

        CREATE TRIGGER positions_forward BEFORE UPDATE ON positions
        WHEN new.topic <> old.topic OR new.next_offset < old.next_offset
        BEGIN SELECT RAISE(ABORT, 'a position never goes back'); END;

        CREATE TRIGGER positions_once BEFORE INSERT ON positions
        WHEN EXISTS (SELECT 1 FROM positions WHERE topic = new.topic)
        BEGIN SELECT RAISE(ABORT, 'a position is updated, not replaced'); END;

        -- What the writer keeps of charges changes with an open gate only, and only forward.
        CREATE TRIGGER payment_states_made BEFORE INSERT ON payment_states
        WHEN (SELECT state FROM gate) <> 1
            OR EXISTS (SELECT 1 FROM payment_states WHERE transaction_id = new.transaction_id)
        BEGIN SELECT RAISE(ABORT, 'a payment state is kept while the gate is open'); END;

        CREATE TRIGGER payment_states_forward BEFORE UPDATE ON payment_states
        WHEN (SELECT state FROM gate) <> 1 OR new.transaction_id <> old.transaction_id
            OR new.standing < old.standing OR new.decision < old.decision OR new.moves < old.moves
        BEGIN SELECT RAISE(ABORT, 'a payment state only goes forward, while the gate is open'); END;

        CREATE TRIGGER waiting_decisions_made BEFORE INSERT ON waiting_decisions
        WHEN (SELECT state FROM gate) <> 1
            OR EXISTS (SELECT 1 FROM transactions WHERE movement = new.movement)
            OR EXISTS (SELECT 1 FROM waiting_decisions WHERE movement = new.movement)
        BEGIN SELECT RAISE(ABORT, 'a decision waits for a payment that is not booked'); END;

        CREATE TRIGGER waiting_decisions_stricter BEFORE UPDATE ON waiting_decisions
        WHEN (SELECT state FROM gate) <> 1 OR new.movement <> old.movement
            OR new.decision < old.decision
        BEGIN SELECT RAISE(ABORT, 'a waiting decision only becomes stricter'); END;

        CREATE TRIGGER waiting_decisions_met BEFORE DELETE ON waiting_decisions
        WHEN (SELECT state FROM gate) <> 1
            OR NOT EXISTS (SELECT 1 FROM transactions WHERE movement = old.movement)
        BEGIN SELECT RAISE(ABORT, 'a decision waits until its payment is booked'); END;

        CREATE TRIGGER refunds_made BEFORE INSERT ON refunds
        WHEN (SELECT state FROM gate) <> 1 OR NOT EXISTS (SELECT 1 FROM transactions
            WHERE id = new.transaction_id AND kind IN (2, 3) AND id >= (SELECT first FROM gate))
        BEGIN SELECT RAISE(ABORT, 'a refund is noted with its transaction'); END;

        -- Nothing else changes or goes.
        CREATE TRIGGER payment_states_no_delete BEFORE DELETE ON payment_states
        BEGIN SELECT RAISE(ABORT, 'a payment state stays'); END;
        CREATE TRIGGER refunds_no_update BEFORE UPDATE ON refunds
        BEGIN SELECT RAISE(ABORT, 'a refund stays'); END;
        CREATE TRIGGER refunds_no_delete BEFORE DELETE ON refunds
        BEGIN SELECT RAISE(ABORT, 'a refund stays'); END;
        CREATE TRIGGER transactions_no_update BEFORE UPDATE ON transactions
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
        CREATE TRIGGER transactions_no_delete BEFORE DELETE ON transactions
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
        CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
        CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
        CREATE TRIGGER accounts_no_delete BEFORE DELETE ON accounts
        BEGIN SELECT RAISE(ABORT, 'an account stays'); END;
        CREATE TRIGGER positions_no_delete BEFORE DELETE ON positions
        BEGIN SELECT RAISE(ABORT, 'a position stays'); END;
        CREATE TRIGGER zero_no_insert BEFORE INSERT ON zero
        BEGIN SELECT RAISE(ABORT, 'zero stays'); END;
        CREATE TRIGGER zero_no_update BEFORE UPDATE ON zero
        BEGIN SELECT RAISE(ABORT, 'zero stays'); END;
        CREATE TRIGGER zero_no_delete BEFORE DELETE ON zero
        BEGIN SELECT RAISE(ABORT, 'zero stays'); END;
        CREATE TRIGGER gate_no_insert BEFORE INSERT ON gate
        BEGIN SELECT RAISE(ABORT, 'the gate stays'); END;
        CREATE TRIGGER gate_no_delete BEFORE DELETE ON gate
        BEGIN SELECT RAISE(ABORT, 'the gate stays'); END;
        CREATE TRIGGER kinds_no_insert BEFORE INSERT ON kinds
        BEGIN SELECT RAISE(ABORT, 'kinds stay'); END;
        CREATE TRIGGER kinds_no_update BEFORE UPDATE ON kinds
        BEGIN SELECT RAISE(ABORT, 'kinds stay'); END;
        CREATE TRIGGER kinds_no_delete BEFORE DELETE ON kinds
        BEGIN SELECT RAISE(ABORT, 'kinds stay'); END;

        """#
}
