-- One row a charge: what was told, what the ledger holds of it, what the statement took for it, and
-- what came of its review.
{%- set in_currency = 'movements.currency = payments.currency' %}

with payments as (
    select * from {{ ref('stg_payments') }}
),

-- In the payment's own currency; what was booked in another cannot be added to it.
booked as (
    select
        payments.payment,
        {{ count_where(in_currency) }} as movements,
        {{ count_where('movements.currency <> payments.currency') }} as foreign_movements,
        -- A seller's payment is booked as the other end of a transfer.
        {{ sum_where('movements.moved', in_currency
            ~ " and (movements.movement_group = 'volume' or movements.kind = 'transfer_payment')") }}
            as captured,
        {{ sum_where(refunded('movements.'), in_currency) }} as refunded,
        {{ sum_where(disputed('movements.'), in_currency) }} as disputed,
        {{ sum_where('movements.moved', in_currency ~ " and movements.movement_group = 'reversal'") }}
            as reversed,
        {{ sum_where('-movements.held_change', in_currency) }} as held,
        {{ sum_where('-movements.refund_due_change', in_currency) }} as refund_due
    from payments
    inner join {{ ref('fct_ledger_movements') }} as movements
        on movements.payment = payments.payment
    group by payments.payment
),

-- A capture in parts has a line each. Sums of two currencies would be no amount of money.
settled as (
    select
        source_id as charge_id,
        cast(count(*) as {{ dbt.type_bigint() }}) as lines,
        case when count(distinct currency) = 1 then min(currency) end as currency,
        case when count(distinct currency) = 1 then {{ exact_sum('gross') }} end as gross,
        case when count(distinct currency) = 1 then {{ exact_sum('fee') }} end as fee,
        case when count(distinct currency) = 1 then {{ exact_sum('net') }} end as net
    from {{ ref('stg_settlements') }}
    where type in ('charge', 'payment')
    group by source_id
),

-- What took effect last stands; a decline outweighs what was decided in the same second.
changes as (
    select
        movement as payment,
        state,
        {{ adapter.quote('by') }} as changed_by,
        is_decision,
        {{ adapter.quote('at') }} as changed_at,
        row_number() over (
            partition by movement
            order by
                {{ adapter.quote('at') }} desc,
                case state when 'declined' then 3 when 'approved' then 2 when 'expired' then 1 else 0 end
                    desc,
                id desc
        ) as place,
        min(case when state = 'opened' then {{ adapter.quote('at') }} end) over (
            partition by movement
        ) as opened_at
    from {{ source('tillbox', 'reviews') }}
    where took_effect
)

select
    payments.payment,
    payments.charge_id,
    payments.created_on,
    payments.created_at,
    payments.received_at,
    cast({{ milliseconds_between('payments.created_at', 'payments.received_at') }}
        as {{ dbt.type_bigint() }}) as receipt_milliseconds,
    payments.is_live,
    payments.is_failed,
    payments.stripe_account,
    payments.merchant_id,
    payments.customer_id,
    payments.card_fingerprint,
    payments.card_country,
    payments.billing_country,
    payments.device_id,
    payments.outcome,
    payments.currency,
    payments.amount,
    coalesce(booked.movements, 0) as movements,
    coalesce(booked.foreign_movements, 0) as foreign_movements,
    coalesce(booked.captured, 0) as captured,
    coalesce(booked.refunded, 0) as refunded,
    coalesce(booked.disputed, 0) as disputed,
    coalesce(booked.reversed, 0) as reversed,
    coalesce(booked.held, 0) as held,
    coalesce(booked.refund_due, 0) as refund_due,
    case
        when payments.is_failed then 'failed'
        when booked.captured is null then 'unbooked'
        when booked.captured = booked.reversed then 'reversed'
        when booked.held > 0 then 'held'
        when booked.refund_due > 0 then 'refund_due'
        else 'payable'
    end as place,
    coalesce(settled.lines, 0) as settlement_lines,
    settled.currency as settlement_currency,
    settled.gross as settled_gross,
    settled.fee as settled_fee,
    settled.net as settled_net,
    payments.verdict,
    payments.score,
    payments.model_version,
    changes.state as review_state,
    changes.opened_at as review_opened_at,
    changes.changed_at as review_changed_at,
    case when changes.is_decision then changes.changed_by end as decided_by
from payments
left join booked on booked.payment = payments.payment
left join settled on settled.charge_id = payments.charge_id
left join changes on changes.payment = payments.payment and changes.place = 1
