-- What the manifests say that the files hold, against what was read. In BigQuery the loader compares.
{{ config(enabled=(target.type == 'duckdb')) }}

with manifests as (
    select "table" as name, dt as day, "rows" as expected
    from {{ source('export', 'manifests') }}
    where "table" in ('payments', 'ledger_entries', 'settlements', 'reconciliation_breaks', 'reviews')
),

read_rows as (
    select 'payments' as name, created_on as day, count(*) as found
    from {{ ref('stg_payments') }} group by created_on
    union all
    select 'ledger_entries', effective_on, count(*)
    from {{ ref('stg_ledger_entries') }} group by effective_on
    union all
    select 'settlements', created_on, count(*) from {{ ref('stg_settlements') }} group by created_on
    union all
    select 'reconciliation_breaks', dt, count(*)
    from {{ source('tillbox', 'reconciliation_breaks') }} group by dt
    union all
    select 'reviews', dt, count(*) from {{ source('tillbox', 'reviews') }} group by dt
)

select coalesce(manifests.name, read_rows.name) as name, coalesce(manifests.day, read_rows.day) as day,
    expected, found
from manifests
full outer join read_rows on read_rows.name = manifests.name and read_rows.day = manifests.day
where coalesce(expected, 0) <> coalesce(found, 0) or expected is null
