extension LedgerSchema {
    /// `0002_reconciliation.sql`: what reconciliation keeps beside the books.
    package static let migration2 = #"""
        -- Reconciliation, schema 2. docs/RECONCILIATION.md says what a run does with these. Nothing here is
        -- part of the books: dropping all of it loses no money, and a run reads it again.

        UPDATE schema_version SET version = 2;

        -- One row a run. The period is half-open, in seconds. cursor: the last balance transaction of the
        -- last page that is wholly done; pages and transactions count those pages.
        CREATE TABLE reconciliations (
            id INTEGER PRIMARY KEY,
            cause TEXT NOT NULL CHECK (cause IN ('schedule', 'request')),
            state TEXT NOT NULL CHECK (state IN
                ('queued', 'reading', 'settling', 'comparing', 'finished', 'failed')),
            period_from INTEGER NOT NULL,
            period_to INTEGER NOT NULL,
            started_at INTEGER NOT NULL,
            finished_at INTEGER,
            livemode INTEGER,
            cursor TEXT,
            pages INTEGER NOT NULL DEFAULT 0,
            transactions INTEGER NOT NULL DEFAULT 0,
            failure TEXT
        ) STRICT;

        -- Stripe's statement as last read, newest rows beside each other. transaction_id: the ledger's
        -- transaction that the row settles. finding: 0 none, else what is wrong. fee_state: 0 there is
        -- none, 1 booked, 2 not booked, 3 booked as another amount. booked_by: the run that appended the
        -- record which books its fee, or all of it. run: the last run that has read the row.
        CREATE TABLE settlements (
            created INTEGER NOT NULL,
            id TEXT NOT NULL,
            type TEXT NOT NULL,
            source TEXT NOT NULL,
            category TEXT,
            currency TEXT NOT NULL,
            amount INTEGER NOT NULL,
            fee INTEGER NOT NULL,
            net INTEGER NOT NULL,
            available_on INTEGER NOT NULL,
            converted INTEGER NOT NULL,
            transaction_id INTEGER,
            finding INTEGER NOT NULL,
            fee_state INTEGER NOT NULL,
            booked_by INTEGER,
            open INTEGER GENERATED ALWAYS AS (finding <> 0 OR fee_state > 1) VIRTUAL,
            run INTEGER NOT NULL,
            PRIMARY KEY (created, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX settlements_transaction ON settlements (transaction_id)
            WHERE transaction_id IS NOT NULL;
        CREATE INDEX settlements_open ON settlements (source, created, id) WHERE open = 1;
        -- What a run booked, for its findings; the condition is that of its query.
        CREATE INDEX settlements_booked ON settlements (booked_by)
            WHERE fee_state = 1 OR (fee_state = 0 AND finding = 0);

        -- What Stripe and the ledger do not agree on. subject: a balance transaction or a movement. The
        -- amounts are changes of `processor:stripe`; NULL where a side knows nothing. A break that a later
        -- run no longer sees is resolved by that run, and stays.
        CREATE TABLE breaks (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            subject TEXT NOT NULL,
            movement TEXT,
            balance_transaction TEXT,
            type TEXT,
            stripe_currency TEXT,
            stripe_amount INTEGER,
            ledger_currency TEXT,
            ledger_amount INTEGER,
            occurred_at INTEGER NOT NULL,
            first_run INTEGER NOT NULL,
            last_run INTEGER NOT NULL,
            resolved_run INTEGER,
            UNIQUE (kind, subject)
        ) STRICT;

        -- Which run saw which break.
        CREATE TABLE run_breaks (
            run INTEGER NOT NULL,
            break INTEGER NOT NULL REFERENCES breaks (id),
            PRIMARY KEY (run, break)
        ) STRICT, WITHOUT ROWID;

        -- Per run and currency: what was read in the period, what the run booked, and at its end what
        -- `processor:stripe` and Stripe's own balance were. explained: what the run's breaks make of the
        -- difference.
        CREATE TABLE run_currencies (
            run INTEGER NOT NULL,
            currency TEXT NOT NULL,
            transactions INTEGER NOT NULL,
            matched INTEGER NOT NULL,
            gross INTEGER NOT NULL,
            fees INTEGER NOT NULL,
            net INTEGER NOT NULL,
            booked INTEGER NOT NULL,
            booked_amount INTEGER NOT NULL,
            ledger INTEGER NOT NULL,
            stripe INTEGER NOT NULL,
            explained INTEGER NOT NULL,
            PRIMARY KEY (run, currency)
        ) STRICT, WITHOUT ROWID;

        -- Automatic payouts and what their balance transactions come to. run: the last that looked.
        CREATE TABLE settled_payouts (
            payout TEXT PRIMARY KEY,
            currency TEXT NOT NULL,
            amount INTEGER NOT NULL,
            created INTEGER NOT NULL,
            transactions INTEGER NOT NULL,
            total INTEGER NOT NULL,
            run INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- One row a sweep over Stripe's events. events: how many it read; missed: how many of them had
        -- never arrived.
        CREATE TABLE sweeps (
            id INTEGER PRIMARY KEY,
            state TEXT NOT NULL CHECK (state IN ('reading', 'finished', 'failed')),
            period_from INTEGER NOT NULL,
            period_to INTEGER NOT NULL,
            started_at INTEGER NOT NULL,
            finished_at INTEGER,
            events INTEGER NOT NULL DEFAULT 0,
            missed INTEGER NOT NULL DEFAULT 0,
            oldest_missed INTEGER,
            failure TEXT
        ) STRICT;

        """#

    /// `0004_reconciliation_accounts.sql`: the same for each Stripe account.
    package static let migration4 = #"""
        -- Reconciliation by Stripe account, schema 4. docs/RECONCILIATION.md says what a run does with these.
        -- Nothing here is part of the books.

        UPDATE schema_version SET version = 4;

        -- Per run and Stripe account ('' is the API key's own): how far its statement is read. cursor: the
        -- last balance transaction of the last page that is wholly done. failure: why it cannot be read.
        CREATE TABLE run_accounts (
            run INTEGER NOT NULL,
            account TEXT NOT NULL,
            is_read INTEGER NOT NULL DEFAULT 0,
            cursor TEXT,
            failure TEXT,
            PRIMARY KEY (run, account)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO run_accounts
            SELECT id, '', state NOT IN ('queued', 'reading'), cursor, NULL FROM reconciliations
            WHERE state <> 'queued';

        -- swept_to: until when missed events had been looked for when the run ended; NULL for never.
        ALTER TABLE reconciliations ADD COLUMN swept_to INTEGER;

        -- account: whose statement the row is of. payment: the charge that a refund or a failure belongs
        -- to, where Stripe was asked for it. booked_whole: 1 where the run booked all of the row, not only
        -- its fee.
        ALTER TABLE settlements ADD COLUMN account TEXT NOT NULL DEFAULT '';
        ALTER TABLE settlements ADD COLUMN payment TEXT;
        ALTER TABLE settlements ADD COLUMN booked_whole INTEGER NOT NULL DEFAULT 0;
        UPDATE settlements SET booked_whole = 1 WHERE booked_by NOT NULL AND (fee_state = 0
            OR transaction_id NOT NULL AND type IN ('payment_failure_refund', 'payment_reversal'));

        ALTER TABLE breaks ADD COLUMN account TEXT NOT NULL DEFAULT '';
        ALTER TABLE settled_payouts ADD COLUMN account TEXT NOT NULL DEFAULT '';

        -- Instead of `run_currencies`, by account too. turnover: the sum of what the rows moved, in either
        -- direction; matched_turnover: of those that the ledger agrees with.
        CREATE TABLE run_balances (
            run INTEGER NOT NULL,
            account TEXT NOT NULL,
            currency TEXT NOT NULL,
            transactions INTEGER NOT NULL,
            matched INTEGER NOT NULL,
            turnover INTEGER NOT NULL,
            matched_turnover INTEGER NOT NULL,
            gross INTEGER NOT NULL,
            fees INTEGER NOT NULL,
            net INTEGER NOT NULL,
            booked INTEGER NOT NULL,
            booked_amount INTEGER NOT NULL,
            ledger INTEGER NOT NULL,
            stripe INTEGER NOT NULL,
            explained INTEGER NOT NULL,
            PRIMARY KEY (run, account, currency)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO run_balances
            SELECT run, '', currency, transactions, matched, 0, 0, gross, fees, net, booked, booked_amount,
                ledger, stripe, explained
            FROM run_currencies;
        DROP TABLE run_currencies;

        -- Until when missed events of each connected account have been looked for; the key's own account
        -- has `sweeps`. failure: why the last sweep could not.
        CREATE TABLE sweep_accounts (
            account TEXT PRIMARY KEY,
            swept_to INTEGER,
            failure TEXT
        ) STRICT, WITHOUT ROWID;

        -- Connected accounts that a sweep could not read.
        ALTER TABLE sweeps ADD COLUMN unswept_accounts INTEGER NOT NULL DEFAULT 0;

        """#
}
