-- The users of the roles in Postgres, for psql, run by the owner of the tables behind each
-- `tillbox cloud prepare`; may be run again, and sets new passwords then. A user that Cloud SQL's
-- API makes would be a member of cloudsqlsuperuser; these may log in and no more. Behind this file
-- stand the grants of migrations/, which say what each may do.
\set ON_ERROR_STOP on
\getenv ledger_password LEDGER_PASSWORD
\getenv console_password CONSOLE_PASSWORD
\getenv reconcile_password RECONCILE_PASSWORD
\getenv reader_password READER_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', wanted)
FROM unnest(ARRAY['tillbox_ledger', 'tillbox_console', 'tillbox_reconcile', 'tillbox_reader'])
    AS wanted
WHERE wanted NOT IN (SELECT rolname FROM pg_roles) \gexec

ALTER ROLE tillbox_ledger PASSWORD :'ledger_password';
ALTER ROLE tillbox_console PASSWORD :'console_password';
ALTER ROLE tillbox_reconcile PASSWORD :'reconcile_password';
ALTER ROLE tillbox_reader PASSWORD :'reader_password';

REVOKE ALL ON DATABASE tillbox FROM PUBLIC;
GRANT CONNECT ON DATABASE tillbox
    TO tillbox_ledger, tillbox_console, tillbox_reconcile, tillbox_reader;

-- Who only reads.
GRANT USAGE ON SCHEMA tillbox TO tillbox_console, tillbox_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA tillbox TO tillbox_console, tillbox_reader;
