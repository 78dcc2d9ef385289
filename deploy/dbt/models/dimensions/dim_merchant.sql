-- One row a merchant of the payments, the ledger or a dispute, and one for money of no merchant.
with seen as (
    select merchant_id, stripe_account, created_on as day, 1 as payments
    from {{ ref('stg_payments') }}
    union all
    select merchant_id, cast(null as {{ dbt.type_string() }}), effective_on, 0
    from {{ ref('stg_ledger_entries') }}
    where merchant_id is not null
    union all
    select connected_account_id, connected_account_id, dt, 0
    from {{ source('stripe', 'dispute') }}
    where connected_account_id is not null
    union all
    select
        '{{ var("no_merchant") }}', cast(null as {{ dbt.type_string() }}), cast(null as date), 0
)

select
    merchant_id,
    coalesce(max(case when stripe_account = merchant_id then 1 else 0 end), 0) = 1 as is_connected,
    merchant_id = '{{ var("no_merchant") }}' as is_none,
    min(day) as first_seen_on,
    max(day) as last_seen_on,
    {{ exact_sum('payments') }} as payments
from seen
group by merchant_id
