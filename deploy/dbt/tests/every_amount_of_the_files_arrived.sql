-- The manifests' sums by table, day, column and currency, against the sums of what was read.
{{ config(enabled=(target.type == 'duckdb')) }}

with told as (
    select "table" as name, dt as day, unnest(sums) as total
    from {{ source('export', 'manifests') }}
    where "table" in ('payments', 'ledger_entries', 'settlements')
),

manifests as (
    select
        name, day, total."column" as amount, total.currency as currency,
        cast(total."sum" as hugeint) as expected
    from told
),

read_sums as (
    select 'payments' as name, created_on as day, 'amount' as amount, currency, sum(amount) as found
    from {{ ref('stg_payments') }} group by created_on, currency
    union all
    select 'ledger_entries', effective_on, 'amount', currency, sum(amount)
    from {{ ref('stg_ledger_entries') }} group by effective_on, currency
    union all
    select 'settlements', created_on, 'amount', currency, sum(gross)
    from {{ ref('stg_settlements') }} group by created_on, currency
    union all
    select 'settlements', created_on, 'fee', currency, sum(fee)
    from {{ ref('stg_settlements') }} group by created_on, currency
    union all
    select 'settlements', created_on, 'net', currency, sum(net)
    from {{ ref('stg_settlements') }} group by created_on, currency
)

select coalesce(manifests.name, read_sums.name) as name, coalesce(manifests.day, read_sums.day) as day,
    coalesce(manifests.amount, read_sums.amount) as amount, expected, found
from manifests
full outer join read_sums
    on read_sums.name = manifests.name and read_sums.day = manifests.day
    and read_sums.amount = manifests.amount and read_sums.currency = manifests.currency
where expected is distinct from found
