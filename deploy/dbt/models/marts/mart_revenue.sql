-- The daemon's report `revenue` by merchant: one row a UTC day, merchant and currency.
with days as (
    select
        effective_on as day,
        merchant_id,
        currency,
        {{ count_where("kind = 'payment'") }} as payments,
        {{ sum_where('moved', "movement_group = 'volume'") }} as volume,
        {{ exact_sum(refunded()) }} as refunded,
        {{ exact_sum(disputed()) }} as disputed,
        {{ sum_where('moved', "movement_group = 'reversal'") }} as reversed,
        {{ exact_sum('fees') }} as fees
    from {{ ref('fct_ledger_movements') }}
    -- Only what the report counts makes a row of it.
    where movement_group in ('volume', 'refund', 'dispute', 'reversal') or has_fees
    group by effective_on, merchant_id, currency
)

select
    cast(day as {{ dbt.type_string() }}) || ':' || merchant_id || ':' || currency as revenue_id,
    day,
    merchant_id,
    currency,
    payments,
    volume,
    refunded,
    disputed,
    reversed,
    fees,
    volume - refunded - disputed - reversed - fees as net,
    {{ rate('fees', 'volume') }} as fee_rate,
    {{ rate('refunded', 'volume') }} as refund_rate
from days
