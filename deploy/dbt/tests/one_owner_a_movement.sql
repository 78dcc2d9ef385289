-- A transaction moves the money of one merchant and of one Stripe account's balance: the facts name
-- one of each.
select
    transaction_id,
    currency,
    count(distinct merchant_id) as merchants,
    count(distinct case when account_class = 'processor' then account end) as processors
from {{ ref('stg_ledger_entries') }}
group by transaction_id, currency
having count(distinct merchant_id) > 1
    or count(distinct case when account_class = 'processor' then account end) > 1
