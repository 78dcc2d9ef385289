-- The ledger against Stripe's statement: one row a UTC day, Stripe account and currency, with the
-- balances that both come to at its end and what open breaks account for.
with ledger as (
    select
        effective_on as day,
        stripe_account,
        currency,
        cast(count(distinct transaction_id) as {{ dbt.type_bigint() }}) as movements,
        {{ exact_sum('amount') }} as change
    from {{ ref('stg_ledger_entries') }}
    where account_class = 'processor'
    group by effective_on, stripe_account, currency
),

statement as (
    select
        created_on as day,
        stripe_account,
        currency,
        cast(count(*) as {{ dbt.type_bigint() }}) as lines,
        {{ count_where("finding = 'matched' and fee_state in ('none', 'booked')") }} as matched,
        {{ exact_sum('net') }} as change,
        {{ exact_sum('fee') }} as fees
    from {{ ref('stg_settlements') }}
    group by created_on, stripe_account, currency
),

-- A break may stand in another currency on each side: each side counts in its own.
sides as (
    select dt, stripe_account, ledger_currency as currency, ledger_amount as effect, kind, is_open
    from {{ source('tillbox', 'reconciliation_breaks') }}
    where ledger_currency is not null
    union all
    select dt, stripe_account, stripe_currency, -stripe_amount, kind, is_open
    from {{ source('tillbox', 'reconciliation_breaks') }}
    where stripe_currency is not null
),

broken as (
    select
        dt as day,
        coalesce(stripe_account, '{{ var("own_account") }}') as stripe_account,
        currency,
        {{ sum_where('effect', 'is_open') }} as explained
    from sides
    group by 1, 2, 3
),

-- A break counts once, in the currency in which it is told.
counted as (
    select
        dt as day,
        coalesce(stripe_account, '{{ var("own_account") }}') as stripe_account,
        coalesce(stripe_currency, ledger_currency) as currency,
        {{ count_where("kind <> 'late'") }} as breaks,
        {{ count_where("kind <> 'late' and is_open") }} as open_breaks,
        {{ count_where("kind = 'late' and is_open") }} as late
    from {{ source('tillbox', 'reconciliation_breaks') }}
    where coalesce(stripe_currency, ledger_currency) is not null
    group by 1, 2, 3
),

sources as (
    select
        day, stripe_account, currency, movements, change as ledger_change, 0 as lines, 0 as matched,
        0 as statement_change, 0 as statement_fees, 0 as explained, 0 as breaks, 0 as open_breaks,
        0 as late
    from ledger
    union all
    select
        day, stripe_account, currency, 0, 0, lines, matched, change, fees, 0, 0, 0, 0
    from statement
    union all
    select day, stripe_account, currency, 0, 0, 0, 0, 0, 0, explained, 0, 0, 0 from broken
    union all
    select day, stripe_account, currency, 0, 0, 0, 0, 0, 0, 0, breaks, open_breaks, late from counted
),

days as (
    select
        day,
        stripe_account,
        currency,
        {{ exact_sum('movements') }} as movements,
        {{ exact_sum('lines') }} as lines,
        {{ exact_sum('matched') }} as matched,
        {{ exact_sum('ledger_change') }} as ledger_change,
        {{ exact_sum('statement_change') }} as statement_change,
        {{ exact_sum('statement_fees') }} as statement_fees,
        {{ exact_sum('explained') }} as explained,
        {{ exact_sum('breaks') }} as breaks,
        {{ exact_sum('open_breaks') }} as open_breaks,
        {{ exact_sum('late') }} as late
    from sources
    group by day, stripe_account, currency
)

select
    cast(day as {{ dbt.type_string() }}) || ':' || stripe_account || ':' || currency
        as reconciliation_id,
    days.*,
    ledger_change - statement_change as difference,
    ledger_change - statement_change - explained as unexplained,
    {{ running_sum('ledger_change') }} as ledger_balance,
    {{ running_sum('statement_change') }} as statement_balance,
    {{ running_sum('ledger_change - statement_change - explained') }} as unexplained_balance,
    {{ rate('matched', 'lines') }} as matched_share
from days
