-- The daemon's report `chargebacks` by merchant, and what became of the disputes: one row a UTC day,
-- merchant and currency. Disputes count on the day on which they were opened, money when it moved.
with moved as (
    select
        effective_on as day,
        merchant_id,
        currency,
        {{ count_where("kind = 'payment'") }} as payments,
        {{ count_where("kind = 'dispute_withdrawn'") }} as withdrawn,
        {{ sum_where('moved', "kind = 'dispute_withdrawn'") }} as withdrawn_amount,
        {{ count_where("kind = 'dispute_reinstated'") }} as reinstated,
        {{ sum_where('moved', "kind = 'dispute_reinstated'") }} as reinstated_amount,
        {{ sum_where('fees', "movement_group = 'dispute'") }} as fees
    from {{ ref('fct_ledger_movements') }}
    where kind in ('payment', 'dispute_withdrawn', 'dispute_reinstated')
    group by effective_on, merchant_id, currency
),

opened as (
    select
        disputes.dt as day,
        coalesce(
            payments.merchant_id, disputes.connected_account_id, '{{ var("no_merchant") }}'
        ) as merchant_id,
        disputes.currency,
        cast(count(*) as {{ dbt.type_bigint() }}) as opened,
        {{ exact_sum('disputes.amount') }} as opened_amount,
        -- An inquiry moves no money unless it becomes a dispute.
        {{ count_where("starts_with(disputes.status, 'warning_')") }} as inquiries,
        {{ count_where("disputes.status = 'won'") }} as won,
        {{ count_where("disputes.status = 'lost'") }} as lost
    from {{ source('stripe', 'dispute') }} as disputes
    left join {{ ref('stg_payments') }} as payments
        on payments.payment = 'charge:' || disputes.charge_id
    group by 1, 2, 3
),

both_sides as (
    select
        day, merchant_id, currency, payments, withdrawn, withdrawn_amount, reinstated,
        reinstated_amount, fees, 0 as opened, 0 as opened_amount, 0 as inquiries, 0 as won,
        0 as lost
    from moved
    union all
    select
        day, merchant_id, currency, 0, 0, 0, 0, 0, 0, opened, opened_amount, inquiries, won, lost
    from opened
),

days as (
    select
        day,
        merchant_id,
        currency,
        {{ exact_sum('payments') }} as payments,
        {{ exact_sum('opened') }} as opened,
        {{ exact_sum('opened_amount') }} as opened_amount,
        {{ exact_sum('inquiries') }} as inquiries,
        {{ exact_sum('won') }} as won,
        {{ exact_sum('lost') }} as lost,
        {{ exact_sum('withdrawn') }} as withdrawn,
        {{ exact_sum('withdrawn_amount') }} as withdrawn_amount,
        {{ exact_sum('reinstated') }} as reinstated,
        {{ exact_sum('reinstated_amount') }} as reinstated_amount,
        {{ exact_sum('fees') }} as fees
    from both_sides
    group by day, merchant_id, currency
)

select
    cast(day as {{ dbt.type_string() }}) || ':' || merchant_id || ':' || currency as chargeback_id,
    days.*,
    {{ rate('opened', 'payments') }} as dispute_rate
from days
