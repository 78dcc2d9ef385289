-- What a role needs that books and reads, and does not own the tables: nothing that the rules would
-- have to refuse. Run it as the owner, once for each role, with the role's name for :role:
--     psql -v role=tillbox_ledger -f grants.sql
-- Who only reads needs the first two.

GRANT USAGE ON SCHEMA tillbox TO :role;
GRANT SELECT ON ALL TABLES IN SCHEMA tillbox TO :role;
GRANT UPDATE (revision) ON tillbox.head TO :role;
GRANT INSERT (id, name, currency) ON tillbox.accounts TO :role;
GRANT INSERT ON tillbox.transactions, tillbox.entries, tillbox.positions, tillbox.payment_states,
    tillbox.waiting_decisions, tillbox.refunds, tillbox.captures, tillbox.waiting,
    tillbox.releases, tillbox.reviews, tillbox.open_reviews, tillbox.decisions, tillbox.logs,
    tillbox.ends TO :role;
GRANT UPDATE ON tillbox.positions, tillbox.payment_states, tillbox.waiting_decisions,
    tillbox.captures, tillbox.waiting, tillbox.releases, tillbox.open_reviews,
    tillbox.ends TO :role;
GRANT UPDATE (after_transaction) ON tillbox.renewals TO :role;
GRANT DELETE ON tillbox.waiting_decisions, tillbox.open_reviews TO :role;
-- What reconciliation keeps is no part of the books.
GRANT INSERT, DELETE ON tillbox.reconciliations, tillbox.settlements, tillbox.breaks,
    tillbox.run_breaks, tillbox.settled_payouts, tillbox.sweeps, tillbox.run_accounts,
    tillbox.run_balances, tillbox.sweep_accounts, tillbox.payout_lines TO :role;
