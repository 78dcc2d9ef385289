-- Where the statement was read as far as the ledger has come, open breaks account for every
-- difference. A warning: between two runs the ledger is ahead.
{{ config(severity='warn') }}

with last_days as (
    select
        mart_reconciliation.*,
        row_number() over (partition by stripe_account, currency order by day desc) as place
    from {{ ref('mart_reconciliation') }} as mart_reconciliation
)

select * from last_days where place = 1 and unexplained_balance <> 0
