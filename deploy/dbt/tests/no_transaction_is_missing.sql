-- The ledger numbers its transactions without gaps: where one is missing between the first and the
-- last, a day's file is, or an export or a load that ended halfway is taken for whole.
select
    min(transaction_id) as first_transaction,
    max(transaction_id) as last_transaction,
    count(distinct transaction_id) as transactions
from {{ ref('stg_ledger_entries') }}
having max(transaction_id) - min(transaction_id) + 1 <> count(distinct transaction_id)
