select
    cast(transaction_id as {{ dbt.type_string() }}) || ':' || currency || ':'
        || cast(seq as {{ dbt.type_string() }}) as entry_id,
    dt as effective_on,
    transaction_id,
    seq,
    movement,
    kind,
    event_id,
    account,
    account_class,
    merchant as merchant_id,
    -- Of a merchant's accounts no Stripe account is said, not even the own.
    case
        when merchant is null then coalesce(stripe_account, '{{ var("own_account") }}')
    end as stripe_account,
    currency,
    amount,
    effective_at,
    posted_at,
    hash
from {{ source('tillbox', 'ledger_entries') }}
