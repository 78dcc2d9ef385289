-- The marts' net by day and currency, against what Stripe's balance moved by for the same reasons:
-- another column of the entries than the one that the mart adds up.
{%- set others %}
    (
        'fee', 'payout', 'payout_failed', 'payout_debit', 'payout_debit_failed', 'transfer',
        'transfer_reversed', 'transfer_payment', 'application_fee', 'application_fee_refunded',
        'topup', 'topup_reversed'
    )
{%- endset %}

with mart as (
    select day, currency, sum(net) as net from {{ ref('mart_revenue') }} group by day, currency
),

entries as (
    select
        effective_on as day,
        currency,
        sum(case
            when account_class = 'processor' and kind not in {{ others }} then amount
            when account_class = 'fees' and kind in {{ others }} then -amount
            else 0
        end) as net
    from {{ ref('stg_ledger_entries') }}
    group by effective_on, currency
)

select entries.day, entries.currency, mart.net as mart, entries.net as ledger
from entries
left join mart on mart.day = entries.day and mart.currency = entries.currency
where coalesce(mart.net, 0) <> entries.net
union all
select mart.day, mart.currency, mart.net, null
from mart
left join entries on entries.day = mart.day and entries.currency = mart.currency
where entries.day is null
