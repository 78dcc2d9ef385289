-- What a role needs that serves the console (`--role console`) and owns none of its tables. Run it
-- as the owner, once for each role, with the role's name for :role, beside the ledger's grants.sql,
-- of which it needs the first two lines:
--     psql -v role=tillbox_console -f grants.sql

GRANT USAGE ON SCHEMA tillbox_console TO :role;
GRANT SELECT ON ALL TABLES IN SCHEMA tillbox_console TO :role;
GRANT INSERT, UPDATE, DELETE ON tillbox_console.users, tillbox_console.tokens,
    tillbox_console.sessions, tillbox_console.attempts, tillbox_console.known_places,
    tillbox_console.setup, tillbox_console.refunds TO :role;
GRANT INSERT ON tillbox_console.audit TO :role;
