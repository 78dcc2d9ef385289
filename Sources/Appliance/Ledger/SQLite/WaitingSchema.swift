extension LedgerSchema {
    /// `0003_waiting.sql`: what is known of captures and told refunds beside the transactions.
    static let migration3 = #"""
        -- Schema 3: captures that grow, payments that are taken back, and refunds that are told without a
        -- balance transaction. docs/formats/ledger.md says what waits, and for what.

        UPDATE schema_version SET version = 3;

        DROP TRIGGER kinds_no_insert;
        INSERT INTO kinds VALUES
            (9, 'payment_reversed'), (10, 'payout_debit'), (11, 'payout_debit_failed'), (12, 'transfer'),
            (13, 'transfer_reversed'), (14, 'transfer_payment'), (15, 'application_fee'),
            (16, 'application_fee_refunded'), (17, 'topup'), (18, 'topup_reversed'), (19, 'capture_grown'),
            (26, 'refund_released'), (27, 'refund_restored');
        CREATE TRIGGER kinds_no_insert BEFORE INSERT ON kinds
        BEGIN SELECT RAISE(ABORT, 'kinds stay'); END;

        -- Payments of which more was captured later, or that were taken back. total: all that is captured,
        -- the payment's own transaction included. reversed: how much of it was taken back.
        CREATE TABLE captures (
            transaction_id INTEGER PRIMARY KEY REFERENCES transactions (id),
            total INTEGER NOT NULL,
            reversed INTEGER NOT NULL
        ) STRICT;

        -- Refunds that were told and are not booked. key: `refund:re_…`, or `refunds_told:ch_…` where only
        -- their sum is known. said: 0 told, 2 told as a release, 3 failed. state: 0 waits, 1 booked or
        -- explained by what is, 2 released, 3 failed. since: seconds, of the first event that told it.
        CREATE TABLE waiting (
            key TEXT PRIMARY KEY,
            kind TEXT NOT NULL CHECK (kind IN ('refund', 'refunds_of_charge')),
            charge TEXT NOT NULL,
            account TEXT NOT NULL,
            merchant TEXT NOT NULL,
            currency TEXT NOT NULL CHECK (length(currency) = 3),
            amount INTEGER NOT NULL CHECK (amount > 0),
            event_id TEXT NOT NULL,
            since INTEGER NOT NULL,
            said INTEGER NOT NULL CHECK (said IN (0, 2, 3)),
            state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX waiting_of_charge ON waiting (charge);
        CREATE INDEX waiting_open ON waiting (since, key) WHERE state = 0;

        -- How much of a charge's refunds was the release of an authorisation. refund: the booked refund
        -- that is taken back for it, or ''. moves: how often one was taken back or restored.
        CREATE TABLE releases (
            charge TEXT PRIMARY KEY,
            currency TEXT NOT NULL CHECK (length(currency) = 3),
            amount INTEGER NOT NULL CHECK (amount > 0),
            refund TEXT NOT NULL,
            moves INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TRIGGER captures_made BEFORE INSERT ON captures
        WHEN (SELECT state FROM gate) <> 1
            OR EXISTS (SELECT 1 FROM captures WHERE transaction_id = new.transaction_id)
            OR NOT EXISTS (SELECT 1 FROM transactions WHERE id = new.transaction_id AND kind = 1)
        BEGIN SELECT RAISE(ABORT, 'a capture is noted for a payment, while the gate is open'); END;

        CREATE TRIGGER captures_forward BEFORE UPDATE ON captures
        WHEN (SELECT state FROM gate) <> 1 OR new.transaction_id <> old.transaction_id
            OR new.total < old.total OR new.reversed < old.reversed
        BEGIN SELECT RAISE(ABORT, 'a capture only grows, while the gate is open'); END;

        CREATE TRIGGER waiting_made BEFORE INSERT ON waiting
        WHEN (SELECT state FROM gate) <> 1 OR EXISTS (SELECT 1 FROM waiting WHERE key = new.key)
        BEGIN SELECT RAISE(ABORT, 'a told refund is noted while the gate is open'); END;

        CREATE TRIGGER waiting_forward BEFORE UPDATE ON waiting
        WHEN (SELECT state FROM gate) <> 1 OR new.key <> old.key OR new.kind <> old.kind
            OR new.said < old.said OR new.amount < old.amount
        BEGIN SELECT RAISE(ABORT, 'what was told of a refund stays told'); END;

        CREATE TRIGGER releases_made BEFORE INSERT ON releases
        WHEN (SELECT state FROM gate) <> 1 OR EXISTS (SELECT 1 FROM releases WHERE charge = new.charge)
        BEGIN SELECT RAISE(ABORT, 'a release is noted while the gate is open'); END;

        CREATE TRIGGER releases_forward BEFORE UPDATE ON releases
        WHEN (SELECT state FROM gate) <> 1 OR new.charge <> old.charge OR new.currency <> old.currency
            OR new.amount < old.amount OR new.moves < old.moves
        BEGIN SELECT RAISE(ABORT, 'a release only grows, while the gate is open'); END;

        CREATE TRIGGER captures_no_delete BEFORE DELETE ON captures
        BEGIN SELECT RAISE(ABORT, 'a capture stays'); END;
        CREATE TRIGGER waiting_no_delete BEFORE DELETE ON waiting
        BEGIN SELECT RAISE(ABORT, 'what was told of a refund stays'); END;
        CREATE TRIGGER releases_no_delete BEFORE DELETE ON releases
        BEGIN SELECT RAISE(ABORT, 'a release stays'); END;

        """#
}
