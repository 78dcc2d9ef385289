-- The last running balances, against the ledger's and the statement's sums in one go.
with last_days as (
    select
        stripe_account,
        currency,
        ledger_balance,
        statement_balance,
        row_number() over (partition by stripe_account, currency order by day desc) as place
    from {{ ref('mart_reconciliation') }}
),

sums as (
    select stripe_account, currency, sum(ledger) as ledger, sum(statement) as statement
    from (
        select stripe_account, currency, amount as ledger, 0 as statement
        from {{ ref('stg_ledger_entries') }}
        where account_class = 'processor'
        union all
        select stripe_account, currency, 0, net from {{ ref('stg_settlements') }}
    ) as both_sides
    group by stripe_account, currency
)

select sums.*, last_days.ledger_balance, last_days.statement_balance
from sums
left join last_days
    on last_days.stripe_account = sums.stripe_account
    and last_days.currency = sums.currency
    and last_days.place = 1
where last_days.ledger_balance is null
    or sums.ledger <> last_days.ledger_balance
    or sums.statement <> last_days.statement_balance
