-- No movement is lost or doubled on the way to its payment: by currency and kind, as many
-- transactions and as much money as the entries have.
with movements as (
    select
        kind,
        currency,
        count(*) as transactions,
        sum(processor_change) as processor,
        sum(fees) as fees,
        sum(debits) as debits
    from {{ ref('fct_ledger_movements') }}
    group by kind, currency
),

entries as (
    select
        kind,
        currency,
        count(distinct transaction_id) as transactions,
        sum(case when account_class = 'processor' then amount else 0 end) as processor,
        sum(case when account_class = 'fees' then amount else 0 end) as fees,
        sum(case when amount > 0 then amount else 0 end) as debits
    from {{ ref('stg_ledger_entries') }}
    group by kind, currency
)

select entries.*, movements.transactions as movements
from entries
left join movements on movements.kind = entries.kind and movements.currency = entries.currency
where movements.transactions is null
    or movements.transactions <> entries.transactions
    or movements.processor <> entries.processor
    or movements.fees <> entries.fees
    or movements.debits <> entries.debits
